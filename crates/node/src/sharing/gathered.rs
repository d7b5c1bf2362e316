//! What other nodes answered: their links, and how bulletins came to them.

use std::collections::{BTreeMap, VecDeque};

use bruit_core::id::NodeId;

use super::frames::{Passed, Tell};
use crate::view;

/// Milliseconds after which a node that did not answer again is left out.
const KEPT_MS: u64 = 10_000;
/// Nodes remembered.
const NODES_MAX: usize = 4_096;
/// Deliveries remembered, of all bulletins together.
const DELIVERIES_MAX: usize = 65_536;

/// The first half of a bulletin's id.
pub(super) type Short = [u8; 16];

/// A link as one of its ends sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeenLink {
    pub(super) peer: NodeId,
    pub(super) is_dialled: bool,
    pub(super) rtt_ms: Option<f64>,
}

/// A delivery as the node tells it where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) from: Option<NodeId>,
    pub(super) hops: u8,
    pub(super) at_us: u64,
}

#[derive(Debug)]
struct Node {
    links: Vec<SeenLink>,
    heard_ms: u64,
}

/// All that was answered lately.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    nodes: BTreeMap<NodeId, Node>,
    waves: BTreeMap<Short, BTreeMap<NodeId, Told>>,
    /// Waves in the order they were heard of.
    order: VecDeque<Short>,
    deliveries: usize,
}

impl Gathered {
    /// Takes an answer.
    pub(super) fn take(&mut self, tell: &Tell, now_ms: u64) {
        let node = NodeId::from_bytes(tell.node);
        let links = tell.links.iter().filter_map(|link| {
            Some(SeenLink {
                peer: tell.peer(link.peer)?,
                is_dialled: link.is_dialled,
                rtt_ms: link.rtt_us.map(|rtt| f64::from(rtt) / 1_000.0),
            })
        });
        let links = links.collect();
        self.forget_old(now_ms);
        if self.nodes.len() < NODES_MAX || self.nodes.contains_key(&node) {
            let heard_ms = now_ms;
            self.nodes.insert(node, Node { links, heard_ms });
        }
        for passed in &tell.passed {
            let from = passed.from.and_then(|place| tell.peer(place));
            self.note(node, passed, from);
        }
    }

    fn forget_old(&mut self, now_ms: u64) {
        self.nodes
            .retain(|_, node| now_ms.saturating_sub(node.heard_ms) < KEPT_MS);
    }

    fn note(&mut self, node: NodeId, passed: &Passed, from: Option<NodeId>) {
        if !self.waves.contains_key(&passed.id) {
            self.order.push_back(passed.id);
        }
        let told = Told {
            from,
            hops: passed.hops,
            at_us: passed.at_us,
        };
        let wave = self.waves.entry(passed.id).or_default();
        if wave.insert(node, told).is_none() {
            self.deliveries += 1;
        }
        while self.deliveries > DELIVERIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.waves.remove(&oldest).map_or(0, |wave| wave.len());
            self.deliveries -= gone;
        }
    }

    /// How the bulletin `id` came to others.
    pub(super) fn wave(&self, id: &Short) -> impl Iterator<Item = (&NodeId, &Told)> {
        self.waves.get(id).into_iter().flatten()
    }

    /// How many others are known to have it.
    pub(super) fn reached(&self, id: &Short) -> usize {
        self.waves.get(id).map_or(0, BTreeMap::len)
    }

    /// The links that are known, each once, with `own` those of `me`.
    pub(super) fn links(&self, me: NodeId, own: &[SeenLink]) -> Vec<view::TopologyLink> {
        let others = self
            .nodes
            .iter()
            .filter(|(node, _)| **node != me)
            .flat_map(|(node, seen)| seen.links.iter().map(move |link| (*node, *link)));
        let mut links = BTreeMap::new();
        for (node, link) in own.iter().map(|link| (me, *link)).chain(others) {
            let ends = if link.is_dialled {
                (node, link.peer)
            } else {
                (link.peer, node)
            };
            let rtt: &mut Option<f64> = links.entry(ends).or_default();
            *rtt = match (*rtt, link.rtt_ms) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        let view = |((from, to), rtt_ms)| view::TopologyLink { from, to, rtt_ms };
        links.into_iter().map(view).collect()
    }

    /// The nodes that answered.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.nodes.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::Link;
    use super::*;

    const ME: NodeId = NodeId::from_bytes([1; 32]);
    const OTHER: NodeId = NodeId::from_bytes([2; 32]);
    const THIRD: NodeId = NodeId::from_bytes([3; 32]);

    fn tell(node: NodeId, peer: NodeId, is_dialled: bool, rtt_us: u32) -> Tell {
        Tell {
            round: 1,
            node: *node.as_bytes(),
            peers: vec![*peer.as_bytes()],
            links: vec![Link {
                peer: 0,
                is_dialled,
                rtt_us: Some(rtt_us),
            }],
            passed: vec![Passed {
                id: [9; 16],
                from: Some(0),
                hops: 2,
                at_us: 1_000,
            }],
        }
    }

    #[test]
    fn a_link_that_both_ends_tell_of_is_one_with_the_shorter_round_trip() {
        let mut gathered = Gathered::default();
        gathered.take(&tell(OTHER, THIRD, true, 2_000), 0);
        gathered.take(&tell(THIRD, OTHER, false, 1_500), 0);
        let own = [SeenLink {
            peer: OTHER,
            is_dialled: false,
            rtt_ms: None,
        }];
        let link = |from, to, rtt_ms| view::TopologyLink { from, to, rtt_ms };
        assert_eq!(
            gathered.links(ME, &own),
            [link(OTHER, ME, None), link(OTHER, THIRD, Some(1.5))]
        );
        assert_eq!(gathered.reached(&[9; 16]), 2);
    }

    #[test]
    fn a_node_that_does_not_answer_any_more_is_left_out() {
        let mut gathered = Gathered::default();
        gathered.take(&tell(OTHER, THIRD, true, 1), 0);
        gathered.take(&tell(THIRD, OTHER, false, 1), KEPT_MS);
        assert_eq!(gathered.nodes().collect::<Vec<_>>(), [&THIRD]);
    }

    #[test]
    fn deliveries_are_bounded_and_the_oldest_waves_go() {
        let mut gathered = Gathered::default();
        for number in 0..100_000_u64 {
            let mut answer = tell(OTHER, THIRD, true, 1);
            answer.passed[0].id[..8].copy_from_slice(&number.to_be_bytes());
            gathered.take(&answer, 0);
        }
        assert_eq!(gathered.deliveries, DELIVERIES_MAX);
        assert_eq!(gathered.waves.len(), gathered.order.len());
        let mut id = [9; 16];
        id[..8].copy_from_slice(&99_999_u64.to_be_bytes());
        assert_eq!(gathered.reached(&id), 1);
    }
}
