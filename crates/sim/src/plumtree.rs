//! Plumtree with one tree for all senders, to compare with.
//!
//! Leitão, Pereira, Rodrigues: *Epidemic Broadcast Trees* (SRDS 2007). Bulletins are pushed to eager
//! peers and announced to lazy ones; a duplicate makes its link lazy on both sides, an announcement whose
//! bulletin does not come makes it eager again. What the paper leaves open (times, how announcements are
//! gathered, how long things are kept) is as in iroh-gossip 0.101.
//!
//! The overlay below it is static: links are what the world links, and nobody dials anew. HyParView,
//! which the paper takes, would replace a dead neighbour.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bruit_core::bulletin::Bulletin;
use bruit_core::engine::Actions;
use bruit_core::event::{Action, Command, Event};
use bruit_core::id::{LinkId, NodeId, ShortId};
use bruit_core::limits;
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::{Frame, IhaveEntry, encode_pub};
use bytes::Bytes;

use crate::behaviour::{Behaviour, deliver, push, tell};
use crate::recent::Recent;

/// The tag of the one tree, in frames that name a tree.
const SHARED: u64 = 0;
/// Announced bulletins waited for at once; what is announced beyond is not asked for.
const MISSING_MAX: usize = 1 << 16;

/// How the tree behaves. The paper names the parameters and leaves their values to the deployment; the
/// values are iroh-gossip's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Wait for an eager copy of an announced bulletin before asking for it. Shorter repairs sooner and
    /// duplicates more. Default 80 ms.
    pub missing_timeout: Duration,
    /// Wait for the answer to a GRAFT before asking the next announcer; by the paper about a round trip.
    /// Default 40 ms.
    pub graft_timeout: Duration,
    /// How long announcements are gathered before they are sent. Longer costs fewer frames and repairs
    /// later. Default 5 ms.
    pub dispatch_timeout: Duration,
    /// An announcer takes the place of who pushed when it is so many hops nearer to the publisher. Less
    /// makes shallower trees that change more often; `u8::MAX` switches it off. Default 7, as in the
    /// paper's experiments.
    pub optimization_threshold: u8,
    /// How long bulletins are kept to answer GRAFTs. Default 30 s.
    pub frame_retention: Duration,
    /// How long a bulletin is known to have been received. Default 90 s.
    pub seen_retention: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            missing_timeout: Duration::from_millis(80),
            graft_timeout: Duration::from_millis(40),
            dispatch_timeout: Duration::from_millis(5),
            optimization_threshold: 7,
            frame_retention: Duration::from_secs(30),
            seen_retention: Duration::from_secs(90),
        }
    }
}

/// A neighbour.
#[derive(Debug)]
struct Peer {
    node: NodeId,
    is_eager: bool,
    /// What is to be announced to it.
    lazy_queue: Vec<IhaveEntry>,
}

/// A bulletin that was announced and has not come.
#[derive(Debug)]
struct Missing {
    /// When the next announcer is asked.
    due: Mono,
    /// Who announced it and has not been asked, with the hops it named.
    announcers: VecDeque<(LinkId, u64)>,
}

/// A node of the tree.
#[derive(Debug)]
pub struct Plumtree {
    network: Network,
    config: Config,
    peers: BTreeMap<LinkId, Peer>,
    /// When what is to be announced goes out.
    dispatch_at: Option<Mono>,
    missing: BTreeMap<ShortId, Missing>,
    /// What is missing, by when it is due.
    timers: BTreeSet<(Mono, ShortId)>,
    seen: Recent<()>,
    /// Bulletins as they are sent on from here.
    frames: Recent<Bytes>,
}

impl Plumtree {
    /// A node of `network` without links.
    pub const fn new(network: Network, config: Config) -> Self {
        Self {
            seen: Recent::new(config.seen_retention),
            frames: Recent::new(config.frame_retention),
            network,
            config,
            peers: BTreeMap::new(),
            dispatch_at: None,
            missing: BTreeMap::new(),
            timers: BTreeSet::new(),
        }
    }

    fn link_up(&mut self, link: LinkId, node: NodeId) {
        let peer = Peer {
            node,
            is_eager: true,
            lazy_queue: Vec::new(),
        };
        self.peers.insert(link, peer);
    }

    fn link_down(&mut self, link: LinkId) {
        self.peers.remove(&link);
        for missing in self.missing.values_mut() {
            missing.announcers.retain(|(from, _)| *from != link);
        }
    }

    fn on_frame(&mut self, link: LinkId, frame: &Bytes, now: Mono) -> Actions {
        match Frame::decode(frame, self.network.id()) {
            Ok(Frame::Pub { hops, bulletin, .. }) => self.on_push(link, *bulletin, hops, now),
            Ok(Frame::Ihave { entries }) => {
                for entry in entries {
                    self.on_announced(link, entry, now);
                }
                Actions::new()
            }
            Ok(Frame::Graft { ids, .. }) => {
                self.set_eager(link, true);
                let frames = ids.iter().filter_map(|id| self.frames.get(id));
                frames.map(|frame| push(link, frame.clone())).collect()
            }
            Ok(Frame::Choke { .. }) => {
                self.set_eager(link, false);
                Actions::new()
            }
            _ => Actions::new(),
        }
    }

    fn publish(&mut self, bulletin: Bulletin, now: Mono) -> Actions {
        if self.seen.insert(bulletin.id().short(), (), now) {
            self.spread(bulletin, None, 0, now)
        } else {
            Actions::new()
        }
    }

    /// `hops` are those the frame names: from the publisher to the neighbour that pushes.
    fn on_push(&mut self, link: LinkId, bulletin: Bulletin, hops: u8, now: Mono) -> Actions {
        let id = bulletin.id().short();
        if !self.seen.insert(id, (), now) {
            return vec![self.prune(link)];
        }
        let announcers = self.no_longer_missing(&id);
        self.set_eager(link, true);
        let mut actions = self.spread(bulletin, Some(link), hops.saturating_add(1), now);
        actions.extend(self.optimize(link, hops, &announcers));
        actions
    }

    /// Pushes to eager peers, has lazy ones told, and delivers.
    fn spread(&mut self, bulletin: Bulletin, from: Option<LinkId>, hops: u8, now: Mono) -> Actions {
        let frame = encode_pub(SHARED, hops, &bulletin);
        let id = bulletin.id().short();
        // A shared tree has no root to name: an announcement has its hops in the place of the tag.
        let entry = IhaveEntry {
            id,
            root_tag: hops.into(),
        };
        self.frames.insert(id, frame.clone(), now);
        let mut actions = Actions::new();
        let peers = self.peers.iter_mut();
        for (link, peer) in peers.filter(|(link, _)| Some(**link) != from) {
            if peer.is_eager {
                actions.push(push(*link, frame.clone()));
            } else {
                peer.lazy_queue.push(entry);
                let at = now.plus(self.config.dispatch_timeout);
                self.dispatch_at.get_or_insert(at);
            }
        }
        let from = from
            .and_then(|link| self.peers.get(&link))
            .map(|peer| peer.node);
        actions.push(deliver(bulletin, from, hops));
        actions
    }

    /// Has who pushed and an announcer change places, if that one is much nearer to the publisher.
    fn optimize(
        &mut self,
        pusher: LinkId,
        hops: u8,
        announcers: &VecDeque<(LinkId, u64)>,
    ) -> Actions {
        let nearest = announcers.iter().min_by_key(|(_, announced)| *announced);
        let threshold = u64::from(self.config.optimization_threshold);
        let Some((link, _)) =
            nearest.filter(|(_, nearest)| nearest.saturating_add(threshold) <= hops.into())
        else {
            return Actions::new();
        };
        let mut actions = Actions::new();
        if self.peers.get(link).is_some_and(|peer| !peer.is_eager) {
            actions.push(self.graft(*link, Vec::new()));
        }
        actions.push(self.prune(pusher));
        actions
    }

    fn on_announced(&mut self, link: LinkId, entry: IhaveEntry, now: Mono) {
        let (id, hops) = (entry.id, entry.root_tag);
        if self.seen.contains(&id) {
            return;
        }
        if let Some(missing) = self.missing.get_mut(&id) {
            if missing.announcers.iter().all(|(from, _)| *from != link) {
                missing.announcers.push_back((link, hops));
            }
        } else if self.missing.len() < MISSING_MAX {
            let announcers = VecDeque::from([(link, hops)]);
            let due = now.plus(self.config.missing_timeout);
            self.miss(id, announcers, due);
        }
    }

    fn miss(&mut self, id: ShortId, announcers: VecDeque<(LinkId, u64)>, due: Mono) {
        self.timers.insert((due, id));
        self.missing.insert(id, Missing { due, announcers });
    }

    /// Ends the wait for a bulletin; answers who announced it and was not asked.
    fn no_longer_missing(&mut self, id: &ShortId) -> VecDeque<(LinkId, u64)> {
        let Some(missing) = self.missing.remove(id) else {
            return VecDeque::new();
        };
        self.timers.remove(&(missing.due, *id));
        missing.announcers
    }

    /// Asks an announcer of each bulletin whose time has come; without one left it is no longer missed.
    fn ask(&mut self, now: Mono) -> Actions {
        let mut actions = Actions::new();
        while let Some((_, id)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            let mut announcers = self.no_longer_missing(&id);
            if let Some((link, _)) = announcers.pop_front() {
                actions.push(self.graft(link, vec![id]));
                self.miss(id, announcers, now.plus(self.config.graft_timeout));
            }
        }
        actions
    }

    /// Announces what was gathered, if its time has come.
    fn dispatch(&mut self, now: Mono) -> Actions {
        let mut actions = Actions::new();
        if self.dispatch_at.is_none_or(|at| at > now) {
            return actions;
        }
        self.dispatch_at = None;
        for (link, peer) in &mut self.peers {
            for entries in std::mem::take(&mut peer.lazy_queue).chunks(limits::IHAVE_MAX) {
                let entries = entries.to_vec();
                actions.push(tell(*link, &Frame::Ihave { entries }));
            }
        }
        actions
    }

    fn graft(&mut self, link: LinkId, ids: Vec<ShortId>) -> Action {
        self.set_eager(link, true);
        let roots = vec![SHARED];
        tell(link, &Frame::Graft { roots, ids })
    }

    fn prune(&mut self, link: LinkId) -> Action {
        self.set_eager(link, false);
        let roots = vec![SHARED];
        tell(link, &Frame::Choke { roots })
    }

    fn set_eager(&mut self, link: LinkId, is_eager: bool) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.is_eager = is_eager;
        }
    }
}

impl Behaviour for Plumtree {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        self.frames.forget(now.mono);
        self.seen.forget(now.mono);
        match event {
            Event::LinkUp { link, peer, .. } => self.link_up(link, peer),
            Event::LinkDown { link, .. } => self.link_down(link),
            Event::Command(Command::Publish(bulletin)) => return self.publish(*bulletin, now.mono),
            Event::Frame { link, frame } => return self.on_frame(link, &frame, now.mono),
            Event::Wakeup => {
                let mut actions = self.dispatch(now.mono);
                actions.extend(self.ask(now.mono));
                return actions;
            }
            _ => {}
        }
        Actions::new()
    }

    fn next_wakeup(&self) -> Option<Mono> {
        let due = self.timers.first().map(|(due, _)| *due);
        [self.dispatch_at, due].into_iter().flatten().min()
    }

    fn neighbours(&self) -> Vec<NodeId> {
        self.peers.values().map(|peer| peer.node).collect()
    }

    fn address_book(&self) -> Bytes {
        Bytes::new()
    }
}

#[cfg(test)]
mod tests {
    use bruit_core::bulletin::Header;
    use bruit_core::id::TopicId;
    use bruit_core::identity::SecretKey;
    use bruit_core::link::Direction;
    use bruit_core::time::Wall;
    use bruit_core::work::Price;

    use super::*;

    const FIRST: LinkId = LinkId::new(1);
    const SECOND: LinkId = LinkId::new(2);

    fn network() -> Network {
        Network::new("sim", Price::FREE, None)
    }

    /// A node with two neighbours, both eager.
    fn node() -> Plumtree {
        let mut node = Plumtree::new(network(), Config::default());
        for link in [FIRST, SECOND] {
            let event = Event::LinkUp {
                link,
                peer: SecretKey::from_seed(&[7; 32]).node_id(),
                direction: Direction::Out,
                remote: None,
                control_credit: 0,
                bulletins_credit: 0,
            };
            node.handle(event, at(0));
        }
        node
    }

    fn at(millis: u64) -> Now {
        Now {
            mono: Mono::from_micros(millis * 1_000),
            wall: Wall::from_millis(millis),
        }
    }

    fn bulletin() -> Bulletin {
        let key = SecretKey::from_seed(&[8; 32]);
        let created = Wall::from_millis(0);
        let header = Header::post(TopicId::of("news"), key.author_id(), b"hello", created);
        Bulletin::sign(header, Bytes::from_static(b"hello"), network().id(), &key)
    }

    fn hear(node: &mut Plumtree, link: LinkId, frame: &Frame, now: Now) -> Actions {
        let frame = frame.encode();
        node.handle(Event::Frame { link, frame }, now)
    }

    fn pushed(hops: u8) -> Frame {
        Frame::Pub {
            root_tag: SHARED,
            hops,
            bulletin: Box::new(bulletin()),
        }
    }

    fn announced(hops: u64) -> Frame {
        let id = bulletin().id().short();
        let entries = vec![IhaveEntry { id, root_tag: hops }];
        Frame::Ihave { entries }
    }

    fn grafted(ids: Vec<ShortId>) -> Frame {
        let roots = vec![SHARED];
        Frame::Graft { roots, ids }
    }

    fn pruned() -> Frame {
        let roots = vec![SHARED];
        Frame::Choke { roots }
    }

    #[test]
    fn announcers_are_asked_one_after_the_other_until_the_bulletin_comes() {
        let (mut node, ids) = (node(), vec![bulletin().id().short()]);
        hear(&mut node, SECOND, &announced(3), at(10));
        hear(&mut node, FIRST, &announced(1), at(20));
        assert_eq!(node.next_wakeup(), Some(at(90).mono));
        let actions = node.handle(Event::Wakeup, at(90));
        assert_eq!(actions, [tell(SECOND, &grafted(ids.clone()))]);
        assert_eq!(node.next_wakeup(), Some(at(130).mono));
        let actions = node.handle(Event::Wakeup, at(130));
        assert_eq!(actions, [tell(FIRST, &grafted(ids))]);
        hear(&mut node, FIRST, &pushed(1), at(150));
        assert_eq!(node.next_wakeup(), None);
    }

    #[test]
    fn an_announcer_much_nearer_to_the_sender_takes_the_place_of_who_pushed() {
        for (hops, is_far) in [(8, true), (7, false)] {
            let mut node = node();
            hear(&mut node, SECOND, &pruned(), at(0));
            hear(&mut node, SECOND, &announced(1), at(0));
            let actions = hear(&mut node, FIRST, &pushed(hops), at(10));
            let changed = [tell(SECOND, &grafted(Vec::new())), tell(FIRST, &pruned())];
            assert_eq!(actions.ends_with(&changed), is_far, "{actions:?}");
            let eager = node.peers.values().map(|peer| peer.is_eager);
            assert_eq!(eager.collect::<Vec<_>>(), [!is_far, is_far]);
        }
    }

    #[test]
    fn who_pushes_again_is_pruned_and_told_of_the_next_bulletin_only() {
        let mut node = node();
        hear(&mut node, FIRST, &pushed(0), at(0));
        assert_eq!(
            hear(&mut node, SECOND, &pushed(4), at(1)),
            [tell(SECOND, &pruned())]
        );
        node.seen = Recent::new(Duration::ZERO);
        hear(&mut node, FIRST, &pushed(0), at(2));
        let actions = node.handle(Event::Wakeup, at(7));
        assert_eq!(actions, [tell(SECOND, &announced(1))]);
    }

    #[test]
    fn who_is_gone_is_not_asked() {
        let mut node = node();
        hear(&mut node, FIRST, &announced(1), at(0));
        let event = Event::LinkDown {
            link: FIRST,
            reason: bruit_core::link::CloseReason::Dead,
            by_peer: false,
        };
        node.handle(event, at(1));
        assert_eq!(node.handle(Event::Wakeup, at(80)), []);
        assert_eq!(node.next_wakeup(), None);
    }
}
