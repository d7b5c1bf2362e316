//! Membership: who our neighbours are, and how a network stays one network.
//!
//! An address book that few address groups cannot fill (`book`), min-wise samplers that the loud
//! cannot fill (`samplers`), links with slots (`links`) and how they come by one (`arrival`), the mesh
//! among them (`mesh`), dials that refill and feel (`dial`, `candidate`), rewire (`rewire`) and rejoin (`rejoin`), the exchange of
//! addresses (`exchange`) and the partition beacon (`beacon`, `split`).
//!
//! The room takes what happened and returns [`Fact`]s. Its invariant: while somebody unlinked is
//! known and links are few, a deadline is set at which somebody is dialled. Rejoining is a loop, not
//! an event.

mod arrival;
mod beacon;
mod book;
mod candidate;
mod config;
mod dial;
mod ends;
mod exchange;
mod group;
mod links;
mod mesh;
mod own;
mod rejoin;
mod rewire;
mod samplers;
mod saved;
mod split;
pub(crate) mod timers;
mod view;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

pub use config::{Config, ConfigError};
pub(crate) use dial::backoff;
pub use exchange::Teller;
pub use group::Group;
pub use view::{Counts, Footprint, LinkView, Member, MemberState};

use beacon::Beacons;
use book::Book;
use dial::{Dials, Purpose};
use links::{Link, Links, Role};
use own::Own;
use samplers::Samplers;
use timers::Timers;

use crate::draw;
use crate::id::{LinkId, NodeId};
use crate::identity::Signature;
use crate::limits;
use crate::link::{CloseReason, Direction, PeerAddress};
use crate::record::{Record, RecordBody};
use crate::time::{Mono, Now};
use crate::wire::{DecodeError, Frame};

/// A dropped peer may not link again by itself for this long; whoever cut us off or belongs to
/// another network is not dialled for as long.
const DROPPED_TIME: Duration = Duration::from_mins(10);

/// What is to be done, or to be told to another room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Open a connection; answered by `link_up` or `dial_failed`.
    Dial(PeerAddress),
    /// Close a connection and tell why. The room has forgotten the link already.
    Close {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Send a frame.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Both sides have said that the link is in their mesh.
    MeshUp {
        /// Which.
        link: LinkId,
    },
    /// The link has left the mesh; it may be closed by the same facts.
    MeshDown {
        /// Which.
        link: LinkId,
    },
    /// Sign this node's record; answered by `signed_record`.
    SignRecord(RecordBody),
    /// Sign the beacon of a minute; answered by `signed_beacon`.
    SignBeacon {
        /// Whole minutes since the epoch.
        minute: u64,
    },
    /// Links are few, or the network may be split: whoever might help is asked.
    Rejoin,
    /// The link may lead to another part of the network: compare what was seen, at once.
    Reconcile {
        /// Which.
        link: LinkId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Refill,
    Exchange,
    Feeler,
    Rewire,
    Sample,
    Lost,
    Rejoin,
    Dials,
    Beacon,
    Record,
    /// The handshake, the trial or the short life of one link.
    Link(LinkId),
}

/// Whom not to dial, and whom not to let in.
#[derive(Debug, Clone, Copy)]
struct Shun {
    until: Mono,
    /// Dropped by the application: not let in at all.
    barred: bool,
}

/// The room.
#[derive(Debug, Clone)]
pub struct Membership {
    me: NodeId,
    config: Config,
    rng: ChaCha8Rng,
    book: Book,
    samplers: Samplers,
    links: Links,
    dials: Dials,
    own: Own,
    beacons: Beacons,
    shunned: BTreeMap<NodeId, Shun>,
    checking: BTreeMap<(NodeId, u64), (Signature, Mono)>,
    timers: Timers<Timer>,
    started: bool,
}

impl Membership {
    /// The room of the node `me`, without any link. `config` must be valid.
    pub fn new(me: NodeId, config: Config, mut rng: ChaCha8Rng) -> Self {
        let mut keys = [[0; 32]; 2];
        for key in &mut keys {
            rng.fill_bytes(key);
        }
        let [book_key, samplers_key] = keys;
        Self {
            me,
            book: Book::new(book_key, config.private_exempt, config.bucket_entries),
            samplers: Samplers::new(samplers_key),
            links: Links::default(),
            dials: Dials::default(),
            own: Own::default(),
            beacons: Beacons::default(),
            shunned: BTreeMap::new(),
            checking: BTreeMap::new(),
            timers: Timers::new(),
            started: false,
            config,
            rng,
        }
    }

    /// Takes what [`Self::address_book`] returned in an earlier run and dials the anchors, then
    /// other neighbours of that time. To be called before any link.
    ///
    /// # Errors
    /// Says what is wrong with the bytes; nothing is changed then.
    pub fn restore(&mut self, bytes: &[u8], now: Now) -> Result<Vec<Fact>, DecodeError> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let saved = saved::decode(
            bytes,
            self.config.private_exempt,
            self.config.bucket_entries,
        )?;
        self.start(now);
        self.own.seq = self.own.seq.max(saved.own_seq);
        self.book = saved.book;
        for (id, _) in self.book.iter() {
            self.samplers.feed(*id);
        }
        let mut facts = Vec::new();
        for peer in saved.neighbours.into_iter().take(self.target()) {
            self.dial(peer, Purpose::Fill, now, &mut facts);
        }
        self.refill(now, &mut facts);
        self.check_rejoin(now);
        Ok(facts)
    }

    /// The address book in its canonical encoding: entries, anchors, neighbours, own number.
    pub fn address_book(&self) -> Bytes {
        let anchors = self.links.anchors(self.config.anchors);
        let mut neighbours: Vec<NodeId> = anchors.into_iter().map(|(_, peer)| peer).collect();
        for (_, link) in self.links.iter().filter(|(_, link)| link.is_live()) {
            if neighbours.len() < limits::SAVED_NEIGHBOURS_MAX && !neighbours.contains(&link.peer) {
                neighbours.push(link.peer);
            }
        }
        saved::encode(self.own.seq, &neighbours, &self.book)
    }

    /// The addresses at which this node listens, best first.
    pub fn set_addresses(&mut self, addresses: Vec<SocketAddr>, now: Now) -> Vec<Fact> {
        self.start(now);
        self.own.listen(addresses);
        let mut facts = Vec::new();
        self.renew_record(now, &mut facts);
        facts
    }

    /// A peer says where it sees us.
    pub fn observed(&mut self, id: LinkId, address: SocketAddr, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(link) = self.links.get_mut(id) {
            link.observed = Some(address);
            self.renew_record(now, &mut facts);
        }
        facts
    }

    /// Links to these nodes now, and remembers them for rejoining. A node that is linked already, or
    /// was dropped, loses nothing: the one stays, the other is welcome again.
    pub fn join(&mut self, peers: Vec<PeerAddress>, now: Now) -> Vec<Fact> {
        self.start(now);
        let mut facts = Vec::new();
        for mut peer in peers {
            if peer.id == self.me {
                continue;
            }
            peer.addresses.truncate(limits::ADDRESSES_MAX);
            let id = peer.id;
            self.shunned.remove(&id);
            self.dials.remember_seed(peer);
            self.dial(id, Purpose::Join, now, &mut facts);
        }
        self.check_rejoin(now);
        facts
    }

    /// Unlinks a peer, and does not let it link again by itself for ten minutes.
    pub fn drop_peer(&mut self, peer: NodeId, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.shun(
            peer,
            Shun {
                until: now.mono.plus(DROPPED_TIME),
                barred: true,
            },
        );
        if let Some(link) = self.links.of_peer(&peer) {
            self.close(link, CloseReason::Quit, now, &mut facts);
        }
        self.after_loss(now, &mut facts);
        facts
    }

    /// Others are preferred to `peer` until then: it is not dialled, and let in only while half of
    /// the inbound slots are free.
    pub fn discourage(&mut self, peer: NodeId, until: Mono) {
        self.shun(
            peer,
            Shun {
                until,
                barred: false,
            },
        );
    }

    /// A connection is gone, whoever closed it.
    pub fn link_down(
        &mut self,
        id: LinkId,
        reason: CloseReason,
        by_peer: bool,
        now: Now,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Some(link) = self.forget_link(id, now, &mut facts) else {
            return facts;
        };
        self.note_end(&link, reason, by_peer, now);
        self.after_loss(now, &mut facts);
        facts
    }

    /// A dial came to nothing.
    pub fn dial_failed(&mut self, peer: NodeId, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(purpose) = self.dials.take(&peer) {
            self.note_failure(&peer, purpose == Purpose::Feeler, now);
            self.after_loss(now, &mut facts);
        }
        facts
    }

    /// Liveness suspects the peer: it is no longer advertised, the first to lose its slot, and another
    /// is sought for it at once.
    pub fn suspect(&mut self, id: LinkId, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(link) = self.links.get_mut(id) {
            link.suspect = true;
            self.after_loss(now, &mut facts);
        }
        facts
    }

    /// The peer refuted the suspicion.
    pub fn alive(&mut self, id: LinkId, now: Now) {
        if let Some(link) = self.links.get_mut(id) {
            link.suspect = false;
            self.check_rejoin(now);
        }
    }

    /// Liveness measured a round trip.
    pub fn rtt(&mut self, id: LinkId, rtt: Duration) {
        if let Some(link) = self.links.get_mut(id) {
            link.rtt = Some(rtt);
        }
    }

    /// The link was the first to deliver a valid bulletin; protects it from eviction.
    pub fn first_delivery(&mut self, id: LinkId) {
        self.links.first_delivery(id);
    }

    /// The record asked for by [`Fact::SignRecord`].
    pub fn signed_record(&mut self, record: Record, now: Now) -> Vec<Fact> {
        self.start(now);
        let established = self
            .links
            .iter()
            .filter(|(_, link)| link.established.is_some());
        let tell = |(link, _)| Fact::Send {
            link,
            frame: Frame::Peers {
                records: vec![record.clone()],
            },
        };
        let facts = established.map(tell).collect();
        self.own.record = Some(record);
        facts
    }

    /// When [`Self::wakeup`] is due.
    pub fn next_wakeup(&self) -> Option<Mono> {
        self.timers.first()
    }

    /// Does what is due.
    pub fn wakeup(&mut self, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        while let Some((timer, _)) = self.timers.pop(now.mono) {
            self.on_timer(timer, now, &mut facts);
        }
        facts
    }

    fn on_timer(&mut self, timer: Timer, now: Now, facts: &mut Vec<Fact>) {
        let next = |pause: Duration| now.mono.plus(pause);
        match timer {
            Timer::Refill => {
                self.end_shunning(now);
                self.refill(now, facts);
            }
            Timer::Exchange => {
                self.timers.set(timer, next(self.config.exchange_interval));
                self.exchange(now, facts);
            }
            Timer::Feeler => {
                self.timers.set(timer, next(self.config.feeler_interval));
                self.end_shunning(now);
                self.feel(now, facts);
            }
            Timer::Sample => {
                self.timers.set(timer, next(self.sampler_turn()));
                self.probe_sampler(now, facts);
            }
            Timer::Rewire => self.rewire(now, facts),
            Timer::Lost => self.try_lost(now, facts),
            Timer::Rejoin => self.rejoin_turn(now, facts),
            Timer::Dials => self.expire_dials(now, facts),
            Timer::Beacon => self.beacon_turn(now, facts),
            Timer::Record => self.renew_record(now, facts),
            Timer::Link(id) => self.link_timeout(id, now, facts),
        }
    }

    /// Sets the first of the recurring deadlines, once time is known.
    fn start(&mut self, now: Now) {
        if self.started {
            return;
        }
        self.started = true;
        // Whom samplers hold before anybody was asked for addresses is hardly a sample.
        let first_sample = self.sampler_turn().max(self.config.exchange_interval);
        for (timer, pause) in [
            (Timer::Exchange, self.config.exchange_interval),
            (Timer::Feeler, self.config.feeler_interval),
            (Timer::Rewire, self.config.rewire_interval),
            (Timer::Sample, first_sample),
        ] {
            let pause = draw::spread(&mut self.rng, pause, 50);
            self.timers.set(timer, now.mono.plus(pause));
        }
        self.plan_beacon(now);
    }

    /// Asks one neighbour for addresses; looks after an outbound link nobody has use for.
    fn exchange(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let interval = self.config.exchange_interval;
        let due = |link: &Link| {
            link.is_live() && link.asked.is_none_or(|at| now.mono.since(at) >= interval)
        };
        let due: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| due(link))
            .map(|(id, _)| id)
            .collect();
        if let Some(id) = draw::pick(&mut self.rng, &due).copied() {
            self.ask(id, now, facts);
        }
        self.balance(now, facts);
        if self.has_useless_outbound(now) {
            self.rewire(now, facts);
        }
    }

    fn link_timeout(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get(id) else {
            return;
        };
        if link.established.is_none() {
            let (peer, direction) = (link.peer, link.direction);
            self.close(id, CloseReason::Dead, now, facts);
            if direction == Direction::Out {
                self.note_failure(&peer, false, now);
            }
            self.after_loss(now, facts);
            return;
        }
        match link.role {
            Role::Trial => self.settle_trial(id, now, facts),
            Role::Feeler if self.links.outbound() < self.target() => {
                if let Some(link) = self.links.get_mut(id) {
                    link.role = Role::Regular;
                }
                self.offer_mesh(id, facts);
            }
            Role::Feeler | Role::Courtesy => self.close(id, CloseReason::Full, now, facts),
            Role::Regular | Role::Bridge { .. } => {}
        }
    }

    /// Has the own record signed anew when addresses changed or it grows old.
    fn renew_record(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let observed: Vec<SocketAddr> = self
            .links
            .iter()
            .filter_map(|(_, link)| link.observed)
            .collect();
        match self
            .own
            .due(self.me, &observed, self.config.record_ttl, now)
        {
            Ok(body) => {
                facts.push(Fact::SignRecord(body));
                let renew = self.config.record_ttl.checked_div(3);
                self.timers
                    .set(Timer::Record, now.mono.plus(renew.unwrap_or_default()));
            }
            Err(Some(at)) => self.timers.set(Timer::Record, at),
            Err(None) => {}
        }
    }
}
