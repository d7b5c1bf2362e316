//! A mesh like that of libp2p's gossipsub, to compare with.
//!
//! The gossipsub specification, v1.0 and v1.1, for one topic that everybody follows. Bulletins are pushed
//! along a mesh of a few links of each node; at each heartbeat the mesh is kept within its bounds, and the
//! latest ids are told to some neighbours outside it, who ask for what they lack.
//!
//! Of v1.1 there is flood publishing, the pause after a PRUNE, the privilege of links one has dialled, and
//! the bounds on announcements and requests. Absent: scores and what hangs on them (thresholds,
//! opportunistic grafting, the quota of dialled links in the mesh), the exchange of peers in a PRUNE,
//! explicit peers. What came later is absent too: IDONTWANT is of v1.2.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::bulletin::Bulletin;
use bruit_core::engine::Actions;
use bruit_core::event::{Action, Command, Event};
use bruit_core::id::{LinkId, NodeId, ShortId};
use bruit_core::limits;
use bruit_core::link::Direction;
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::{Frame, IhaveEntry, encode_pub};
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use crate::behaviour::{Behaviour, deliver, push, tell};
use crate::draw::{below, sample, shuffle};
use crate::mcache::Mcache;
use crate::recent::Recent;

/// How the mesh behaves. Where not said otherwise the values are those of the specification.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Links a mesh is brought to when it has too few or too many (`D`). More is quicker and dearer.
    /// Default 8, as Ethereum's consensus layer has it; the specification has 6.
    pub mesh: usize,
    /// A mesh with fewer links grows (`D_low`). Default 6, as Ethereum has it; the specification has 4.
    pub mesh_low: usize,
    /// A mesh with more links shrinks (`D_high`), and one with as many takes no link in that a neighbour
    /// dialled. Default 12.
    pub mesh_high: usize,
    /// Neighbours outside the mesh that are told ids at a heartbeat, at least (`D_lazy`). Default 6.
    pub gossip_lazy: usize,
    /// Share of the neighbours outside the mesh that are told ids at a heartbeat, if that is more
    /// (`gossip_factor`). Default 0.25.
    pub gossip_factor: f64,
    /// From heartbeat to heartbeat; the first comes by chance within one. Default 1 s.
    pub heartbeat: Duration,
    /// Heartbeats for which a bulletin is announced (`mcache_gossip`). Default 3.
    pub gossip_heartbeats: usize,
    /// Heartbeats for which a bulletin is kept to answer requests (`mcache_len`). Default 5.
    pub cache_heartbeats: usize,
    /// Whether bulletins published here go to all neighbours, not to the mesh alone. Default true.
    pub flood_publish: bool,
    /// How long a bulletin is known to have been received (`seen_ttl`). Default 2 min.
    pub seen_retention: Duration,
    /// How long a link that left a mesh stays out of it. Default 1 min.
    pub prune_backoff: Duration,
    /// How long one neighbour alone is asked for a bulletin. Default 3 s, as in libp2p.
    pub iwant_followup: Duration,
    /// How often a bulletin is sent to one neighbour on its request. Default 3, as in libp2p.
    pub retransmissions: u8,
    /// Ids announced to a neighbour, and asked of it, at most, in a heartbeat. Default 5,000, as in
    /// libp2p.
    pub ihave_ids_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mesh: 8,
            mesh_low: 6,
            mesh_high: 12,
            gossip_lazy: 6,
            gossip_factor: 0.25,
            heartbeat: Duration::from_secs(1),
            gossip_heartbeats: 3,
            cache_heartbeats: 5,
            flood_publish: true,
            seen_retention: Duration::from_mins(2),
            prune_backoff: Duration::from_mins(1),
            iwant_followup: Duration::from_secs(3),
            retransmissions: 3,
            ihave_ids_max: 5_000,
        }
    }
}

/// A neighbour.
#[derive(Debug)]
struct Peer {
    node: NodeId,
    is_dialled: bool,
    is_in_mesh: bool,
    /// Until then it stays out of the mesh.
    backoff_until: Mono,
    /// Ids asked of it since the heartbeat.
    asked: usize,
}

/// A node of the mesh.
#[derive(Debug)]
pub struct Mesh {
    network: Network,
    config: Config,
    rng: ChaCha8Rng,
    peers: BTreeMap<LinkId, Peer>,
    /// When the next heartbeat is; none before anything happened.
    heartbeat_at: Option<Mono>,
    mcache: Mcache,
    seen: Recent<()>,
    /// What a neighbour was asked for and may still send.
    promised: Recent<()>,
}

impl Mesh {
    /// A node of `network` without links. Whom it takes into its mesh, and tells what, grows from `seed`.
    pub fn new(network: Network, config: Config, seed: [u8; 32]) -> Self {
        Self {
            network,
            rng: ChaCha8Rng::from_seed(seed),
            peers: BTreeMap::new(),
            heartbeat_at: None,
            mcache: Mcache::new(config.cache_heartbeats),
            seen: Recent::new(config.seen_retention),
            promised: Recent::new(config.iwant_followup),
            config,
        }
    }

    fn link_up(&mut self, link: LinkId, node: NodeId, direction: Direction) {
        let peer = Peer {
            node,
            is_dialled: direction == Direction::Out,
            is_in_mesh: false,
            backoff_until: Mono::ZERO,
            asked: 0,
        };
        self.peers.insert(link, peer);
    }

    fn on_frame(&mut self, link: LinkId, frame: &Bytes, now: Mono) -> Actions {
        match Frame::decode(frame, self.network.id()) {
            Ok(Frame::Pub { hops, bulletin, .. }) => {
                self.spread(*bulletin, Some(link), hops.saturating_add(1), now)
            }
            Ok(Frame::Ihave { entries }) => self.on_announced(link, &entries, now),
            Ok(Frame::Iwant { ids }) => self.on_wanted(link, &ids),
            Ok(Frame::Mesh { on: true }) => self.on_graft(link, now),
            Ok(Frame::Mesh { on: false }) => {
                self.leave_mesh(link, now);
                Actions::new()
            }
            _ => Actions::new(),
        }
    }

    /// Pushes along the mesh, or to everybody what is published here, and delivers; once.
    fn spread(&mut self, bulletin: Bulletin, from: Option<LinkId>, hops: u8, now: Mono) -> Actions {
        let id = bulletin.id().short();
        if !self.seen.insert(id, (), now) {
            return Actions::new();
        }
        let frame = encode_pub(0, hops, &bulletin);
        self.mcache.insert(id, frame.clone());
        let is_flooded = from.is_none() && self.config.flood_publish;
        let peers = self
            .peers
            .iter()
            .filter(|(link, peer)| (peer.is_in_mesh || is_flooded) && Some(**link) != from);
        let mut actions: Actions = peers.map(|(link, _)| push(*link, frame.clone())).collect();
        let from = from
            .and_then(|link| self.peers.get(&link))
            .map(|peer| peer.node);
        actions.push(deliver(bulletin, from, hops));
        actions
    }

    // The mesh.

    fn on_graft(&mut self, link: LinkId, now: Mono) -> Actions {
        let is_full = self.mesh().len() >= self.config.mesh_high;
        let Some(peer) = self.peers.get_mut(&link) else {
            return Actions::new();
        };
        let is_refused = now < peer.backoff_until || (is_full && !peer.is_dialled);
        if !peer.is_in_mesh && is_refused {
            return vec![self.prune(link, now)];
        }
        peer.is_in_mesh = true;
        Actions::new()
    }

    /// Links a mesh that has too few, and cuts one that has too many down.
    fn keep_bounds(&mut self, now: Mono) -> Actions {
        let mesh = self.mesh();
        if mesh.len() < self.config.mesh_low {
            let peers = self.peers.iter();
            let free = peers.filter(|(_, peer)| !peer.is_in_mesh && peer.backoff_until <= now);
            let free = free.map(|(link, _)| *link).collect();
            let lacking = self.config.mesh.saturating_sub(mesh.len());
            let chosen = sample(&mut self.rng, free, lacking);
            chosen.into_iter().map(|link| self.graft(link)).collect()
        } else if mesh.len() > self.config.mesh_high {
            let excess = mesh.len().saturating_sub(self.config.mesh);
            let chosen = sample(&mut self.rng, mesh, excess);
            chosen
                .into_iter()
                .map(|link| self.prune(link, now))
                .collect()
        } else {
            Actions::new()
        }
    }

    fn mesh(&self) -> Vec<LinkId> {
        let peers = self.peers.iter().filter(|(_, peer)| peer.is_in_mesh);
        peers.map(|(link, _)| *link).collect()
    }

    fn graft(&mut self, link: LinkId) -> Action {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.is_in_mesh = true;
        }
        tell(link, &Frame::Mesh { on: true })
    }

    fn prune(&mut self, link: LinkId, now: Mono) -> Action {
        self.leave_mesh(link, now);
        tell(link, &Frame::Mesh { on: false })
    }

    fn leave_mesh(&mut self, link: LinkId, now: Mono) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.is_in_mesh = false;
            peer.backoff_until = now.plus(self.config.prune_backoff);
        }
    }

    // Gossip.

    /// Tells some neighbours outside the mesh what came lately.
    fn gossip(&mut self) -> Actions {
        let mut ids = self.mcache.latest(self.config.gossip_heartbeats);
        let others = self.peers.iter().filter(|(_, peer)| !peer.is_in_mesh);
        let others: Vec<LinkId> = others.map(|(link, _)| *link).collect();
        let count = share(self.config.gossip_factor, others.len()).max(self.config.gossip_lazy);
        let mut actions = Actions::new();
        for link in sample(&mut self.rng, others, count) {
            // Of too many, everybody hears others.
            shuffle(&mut self.rng, &mut ids);
            let told = ids.iter().take(self.config.ihave_ids_max);
            let entries: Vec<_> = told
                .map(|id| IhaveEntry {
                    id: *id,
                    root_tag: 0,
                })
                .collect();
            actions.extend(entries.chunks(limits::IHAVE_MAX).map(|entries| {
                let entries = entries.to_vec();
                tell(link, &Frame::Ihave { entries })
            }));
        }
        actions
    }

    /// Asks for what is unknown, and not asked for already.
    fn on_announced(&mut self, link: LinkId, entries: &[IhaveEntry], now: Mono) -> Actions {
        let Some(peer) = self.peers.get_mut(&link) else {
            return Actions::new();
        };
        let mut wanted = Vec::new();
        for IhaveEntry { id, .. } in entries {
            let may_ask = peer.asked < self.config.ihave_ids_max && !self.seen.contains(id);
            if may_ask && self.promised.insert(*id, (), now) {
                peer.asked += 1;
                wanted.push(*id);
            }
        }
        let frames = wanted.chunks(limits::IWANT_MAX);
        frames
            .map(|ids| tell(link, &Frame::Iwant { ids: ids.to_vec() }))
            .collect()
    }

    fn on_wanted(&mut self, link: LinkId, ids: &[ShortId]) -> Actions {
        let max = self.config.retransmissions;
        let frames = ids
            .iter()
            .filter_map(|id| self.mcache.request(id, link, max));
        frames.map(|frame| push(link, frame)).collect()
    }

    // Time.

    /// The first heartbeat is by chance within one: nodes do not beat together.
    fn begin(&mut self, now: Mono) {
        if self.heartbeat_at.is_none() {
            let micros = usize::try_from(self.config.heartbeat.as_micros()).unwrap_or(usize::MAX);
            let phase = Duration::from_micros(below(&mut self.rng, micros) as u64);
            self.heartbeat_at = Some(now.plus(phase));
        }
    }

    fn beat(&mut self, now: Mono) -> Actions {
        if self.heartbeat_at.is_none_or(|at| at > now) {
            return Actions::new();
        }
        self.heartbeat_at = Some(now.plus(self.config.heartbeat));
        for peer in self.peers.values_mut() {
            peer.asked = 0;
        }
        let mut actions = self.keep_bounds(now);
        actions.extend(self.gossip());
        self.mcache.shift();
        actions
    }
}

/// A share of `count`, in whole parts.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count of links"
)]
fn share(share: f64, count: usize) -> usize {
    (share.clamp(0.0, 1.0) * count as f64) as usize
}

impl Behaviour for Mesh {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        self.begin(now.mono);
        self.seen.forget(now.mono);
        self.promised.forget(now.mono);
        match event {
            Event::LinkUp {
                link,
                peer,
                direction,
                ..
            } => self.link_up(link, peer, direction),
            Event::LinkDown { link, .. } => {
                self.peers.remove(&link);
            }
            Event::Command(Command::Publish(bulletin)) => {
                return self.spread(*bulletin, None, 0, now.mono);
            }
            Event::Frame { link, frame } => return self.on_frame(link, &frame, now.mono),
            Event::Wakeup => return self.beat(now.mono),
            _ => {}
        }
        Actions::new()
    }

    fn next_wakeup(&self) -> Option<Mono> {
        self.heartbeat_at
    }

    /// Those in its mesh.
    fn neighbours(&self) -> Vec<NodeId> {
        let mesh = self.peers.values().filter(|peer| peer.is_in_mesh);
        mesh.map(|peer| peer.node).collect()
    }

    fn address_book(&self) -> Bytes {
        Bytes::new()
    }
}

#[cfg(test)]
mod tests {
    use bruit_core::identity::SecretKey;
    use bruit_core::work::Price;

    use super::*;

    const GRAFT: Frame = Frame::Mesh { on: true };
    const PRUNE: Frame = Frame::Mesh { on: false };

    /// A node with so many links, the first `dialled` of which it dialled.
    fn node(links: u64, dialled: u64) -> Mesh {
        let network = Network::new("sim", Price::FREE, None);
        let mut node = Mesh::new(network, Config::default(), [1; 32]);
        for link in 0..links {
            let peer = SecretKey::from_seed(&[2; 32]).node_id();
            let direction = [Direction::In, Direction::Out][usize::from(link < dialled)];
            node.link_up(LinkId::new(link), peer, direction);
        }
        node
    }

    fn hear(node: &mut Mesh, link: u64, frame: &Frame, now: Mono) -> Actions {
        node.on_frame(LinkId::new(link), &frame.encode(), now)
    }

    #[test]
    fn a_full_mesh_takes_in_who_was_dialled_alone_and_shrinks_at_the_heartbeat() {
        let mut node = node(20, 3);
        for link in 8..20 {
            assert_eq!(hear(&mut node, link, &GRAFT, Mono::ZERO), []);
        }
        let refused = hear(&mut node, 7, &GRAFT, Mono::ZERO);
        assert_eq!(refused, [tell(LinkId::new(7), &PRUNE)]);
        assert_eq!(hear(&mut node, 0, &GRAFT, Mono::ZERO), []);
        assert_eq!(node.mesh().len(), 13);
        assert_eq!(node.keep_bounds(Mono::ZERO).len(), 5);
        assert_eq!(node.mesh().len(), 8);
    }

    #[test]
    fn a_small_mesh_grows_but_not_by_who_left_it_lately() {
        let mut node = node(10, 0);
        for link in 0..4 {
            hear(&mut node, link, &PRUNE, Mono::ZERO);
        }
        let minute = Mono::ZERO.plus(Duration::from_mins(1));
        let just_before = minute.minus(Duration::from_micros(1));
        let grafts = node.keep_bounds(just_before);
        assert_eq!(grafts.len(), 6, "{grafts:?}");
        let refused = hear(&mut node, 0, &GRAFT, just_before);
        assert_eq!(refused, [tell(LinkId::new(0), &PRUNE)]);
        assert_eq!(hear(&mut node, 1, &GRAFT, minute), []);
        assert_eq!(node.mesh().len(), 7);
    }

    #[test]
    fn what_is_announced_is_asked_of_one_neighbour_at_a_time() {
        let mut node = node(2, 0);
        let id = ShortId::from_bytes([9; 16]);
        let entries = vec![IhaveEntry { id, root_tag: 0 }];
        let announced = Frame::Ihave { entries };
        let asked = |link| [tell(LinkId::new(link), &Frame::Iwant { ids: vec![id] })];
        let later = Mono::ZERO.plus(Config::default().iwant_followup);
        assert_eq!(hear(&mut node, 0, &announced, Mono::ZERO), asked(0));
        assert_eq!(hear(&mut node, 1, &announced, Mono::ZERO), []);
        assert_eq!(hear(&mut node, 1, &announced, later), asked(1));
    }
}
