//! The engine: takes one event at a time and returns everything to be done about it.
//!
//! It routes events to rooms and carries facts between them; no room calls another. What needs a
//! clock, randomness, a private key, a socket or a disk comes in as an event or goes out as an
//! action. Same seed, same events: same actions.
//!
//! `links` follows the life of a link, `conduct` bounds what it may say, `bulletins` follows the way
//! of a bulletin, `values` what is kept by name and who is asked for what is not held, `large` the way of a
//! chunk, `seeds` what registries are told and tell, `topics` what is different at a node that compares
//! chosen topics only, `facts` turns what rooms say into actions, `views`
//! answers what an application may ask.

mod bulletins;
mod conduct;
mod facts;
mod import;
mod large;
mod links;
mod seeds;
mod topics;
mod values;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::broadcast::Broadcast;
use crate::clock::Clock;
use crate::config::ValidConfig;
use crate::event::{Action, Command, Event, JobId, Restored};
use crate::floor::Floor;
use crate::handshake::Handshakes;
use crate::id::{BulletinId, LinkId, NodeId, TopicId};
use crate::intake::Intake;
use crate::inventory::Inventory;
use crate::large::Large;
use crate::latest::Latest;
use crate::link::{Class, CloseReason, Direction};
use crate::link_map::LinkMap;
use crate::liveness::Liveness;
use crate::lookups::Lookups;
use crate::membership::Membership;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::outbox::Outbox;
use crate::reconcile::Reconcile;
use crate::record::RecordBody;
use crate::reputation::Reputation;
use crate::seeds::Seeds;
use crate::time::{Mono, Now, earliest};
use crate::values::Values;

pub use views::{Fill, Outlook};

/// Everything due to one event, in order.
pub type Actions = Vec<Action>;

/// What the engine itself knows of a link.
#[derive(Debug, Clone, Copy)]
struct Peer {
    node: NodeId,
    direction: Direction,
    is_established: bool,
    /// Why it is being closed, when it is.
    closing: Option<CloseReason>,
    budget: conduct::Budget,
}

impl Peer {
    const fn is_open(&self) -> bool {
        self.closing.is_none()
    }
}

/// What a signature was asked for.
#[derive(Debug, Clone)]
enum Signing {
    Record(RecordBody),
    Beacon(u64),
}

/// The protocol of one node.
#[derive(Debug, Clone)]
pub struct Engine {
    me: NodeId,
    network: Network,
    handshakes: Handshakes,
    intake: Intake,
    membership: Membership,
    /// Boxed, as whoever owns an engine moves it.
    seeds: Box<Seeds>,
    liveness: Liveness,
    broadcast: Broadcast,
    large: Large,
    reconcile: Reconcile,
    inventory: Inventory,
    values: Values,
    lookups: Lookups,
    outbox: Outbox,
    floor: Floor,
    clock: Clock,
    reputation: Reputation,
    metrics: Metrics,
    peers: LinkMap<Peer>,
    /// Whose links went down last: what they sent may still be checked.
    left: Latest<LinkId, NodeId>,
    validated: BTreeMap<TopicId, Duration>,
    /// What is being checked and was brought in a file.
    importing: BTreeSet<BulletinId>,
    own: topics::Own,
    signing: BTreeMap<JobId, Signing>,
    next_signing: u64,
    actions: Actions,
}

impl Engine {
    /// Links that went down of which it is remembered to whom: more than end while a signature is checked.
    const LEFT_MAX: usize = 64;

    /// The engine of `me`. All its randomness grows from `seed`, and no key is ever drawn from it.
    pub fn new(me: NodeId, config: ValidConfig, seed: [u8; 32]) -> Self {
        let config = config.into_inner();
        let mut seeds = ChaCha8Rng::from_seed(seed);
        let mut seed = || {
            let mut seed = [0; 32];
            seeds.fill_bytes(&mut seed);
            seed
        };
        let salt = seed().first_chunk().copied().map_or(0, u64::from_be_bytes);
        let reconcile_seed = seed();
        let mut rng = || ChaCha8Rng::from_seed(seed());
        Self {
            me,
            handshakes: Handshakes::new(me, config.network.clone(), config.wants_kept, rng()),
            intake: Intake::new(config.intake, config.network.clone()),
            membership: Membership::new(me, config.membership, rng()),
            liveness: Liveness::new(config.liveness, rng()),
            broadcast: Broadcast::new(config.broadcast, salt, rng()),
            large: Large::new(config.large),
            reconcile: Reconcile::new(config.reconcile, reconcile_seed),
            inventory: Inventory::new(config.inventory, salt),
            values: Values::default(),
            lookups: Lookups::new(config.lookups, rng()),
            seeds: Box::new(Seeds::new(config.seeds, rng())),
            outbox: Outbox::new(config.outbox),
            floor: Floor::new(config.floor, config.network.price()),
            clock: Clock::default(),
            reputation: Reputation::new(config.reputation),
            metrics: Metrics::default(),
            peers: LinkMap::new(),
            left: Latest::new(Self::LEFT_MAX),
            validated: BTreeMap::new(),
            importing: BTreeSet::new(),
            own: topics::Own::default(),
            signing: BTreeMap::new(),
            next_signing: 0,
            actions: Vec::new(),
            network: config.network,
        }
    }

    /// Takes one event at `now`; returns what to do, in order.
    pub fn handle(&mut self, event: Event, now: Now) -> Actions {
        match event {
            Event::Wakeup => self.on_wakeup(now),
            Event::Restored(restored) => self.on_restored(&restored, now),
            Event::Addresses(addresses) => {
                let facts = self.membership.set_addresses(addresses, now);
                self.carry_membership(facts, now);
            }
            Event::LinkUp {
                link,
                peer,
                direction,
                remote,
                control_credit,
                bulletins_credit,
            } => {
                self.outbox.link_up(link, control_credit, bulletins_credit);
                self.on_link_up(link, peer, direction, remote, now);
            }
            Event::LinkDown {
                link,
                reason,
                by_peer,
            } => {
                self.on_link_down(link, reason, by_peer, now);
            }
            Event::DialFailed { peer } => {
                self.seeds.unreachable(&peer, now);
                let facts = self.membership.dial_failed(peer, now);
                self.carry_membership(facts, now);
            }
            Event::Frame { link, frame } => self.on_frame(link, &frame, now),
            Event::Malformed { link } => self.misbehaved(link, "sent malformed bytes", now),
            Event::Credit { link, class, bytes } => {
                let facts = self.outbox.credit(link, class, bytes, now.mono);
                self.carry_outbox(facts, now);
            }
            Event::Verified { job, good } => self.on_verified(job, good, now),
            Event::Signed { job, signature } => self.on_signed(job, signature, now),
            Event::Persisted { ids } => self.broadcast.persisted(&ids, now.mono),
            Event::Loaded { id, bytes } => self.on_loaded(&id, bytes, now),
            Event::Verdict { id, verdict } => self.on_verdict(&id, verdict, now),
            Event::Command(command) => self.on_command(command, now),
            Event::ChunkLoaded { id, index, piece } => {
                self.on_chunk_loaded(&id, index, piece.as_ref(), now);
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// When to send [`Event::Wakeup`], if nothing else happens before.
    pub fn next_wakeup(&self) -> Option<Mono> {
        earliest([
            self.membership.next_wakeup(),
            self.seeds.next_wakeup(),
            self.liveness.next_wakeup(),
            self.broadcast.next_wakeup(),
            self.large.next_wakeup(),
            self.reconcile.next_wakeup(),
            self.inventory.next_wakeup(),
            self.lookups.next_wakeup(),
            self.intake.next_wakeup(),
        ])
    }

    fn on_wakeup(&mut self, now: Now) {
        let facts = self.membership.wakeup(now);
        self.carry_membership(facts, now);
        self.wake_seeds(now);
        let facts = self.liveness.wakeup(now);
        self.carry_liveness(facts, now);
        let facts = self.broadcast.wakeup(now.mono);
        self.carry_broadcast(facts, now);
        let facts = self.large.wakeup(now.mono);
        self.carry_large(facts, now);
        let facts = self.reconcile.wakeup(now, &self.inventory);
        self.carry_reconcile(facts, now);
        if self
            .inventory
            .next_wakeup()
            .is_some_and(|due| due <= now.mono)
        {
            let is_trusted = self
                .clock
                .is_trusted(self.liveness.clock_offset_ms(now), now.mono);
            let facts = self.inventory.expire(now, is_trusted);
            self.carry_inventory(facts, now);
            if is_trusted {
                self.values.expire(now.wall);
            }
        }
        if self
            .lookups
            .next_wakeup()
            .is_some_and(|due| due <= now.mono)
        {
            let facts = self.lookups.wakeup(&self.askable(), now.mono);
            self.carry_lookups(facts, None, now);
        }
        for id in self.intake.overdue(now.mono) {
            self.on_verdict(&id, crate::event::Verdict::Ignore, now);
        }
    }

    fn on_restored(&mut self, restored: &Restored, now: Now) {
        let facts = self.large.restore(&restored.files, now.mono);
        self.carry_large(facts, now);
        let facts = self.inventory.restore(&restored.seen, restored.horizon);
        self.carry_inventory(facts, now);
        for old in &restored.seen {
            if let Some(version) = &old.version {
                let is_held = old.held.is_some();
                let dropped = self.values.insert(version, old.id, old.expires, is_held);
                self.drop_versions(dropped, old.id, now);
            }
        }
        // A book of another version is not worth a failed start: the node fills a new one.
        if let Ok(facts) = self.membership.restore(&restored.address_book, now) {
            self.carry_membership(facts, now);
        }
    }

    fn on_command(&mut self, command: Command, now: Now) {
        match command {
            Command::Publish(bulletin) => self.on_publish(*bulletin, now),
            Command::Spread { id, least } => self.broadcast.want_spread(&id, least),
            Command::Import(bulletin) => self.on_import(*bulletin, now),
            Command::LookUp { number, target } => self.on_look_up(number, target, now),
            Command::Boost { id, stamp } => self.on_stamp(None, id, stamp, now),
            Command::Join(addresses) => {
                for address in &addresses {
                    self.reputation.forgive(&address.id);
                }
                let facts = self.membership.join(addresses, now);
                self.carry_membership(facts, now);
            }
            Command::Seeds(seeds) => {
                self.seeds.set(seeds, now);
                self.wake_seeds(now);
            }
            Command::Drop(peer) => {
                let facts = self.membership.drop_peer(peer, now);
                self.carry_membership(facts, now);
            }
            Command::Validate {
                topic,
                timeout: Some(timeout),
            } => {
                self.validated.insert(topic, timeout);
            }
            Command::Validate {
                topic,
                timeout: None,
            } => {
                self.validated.remove(&topic);
            }
            Command::SendFrame { peer, kind, body } => self.on_send_frame(peer, kind, body, now),
            Command::Shutdown => {
                let links: Vec<LinkId> = self.peers.keys().copied().collect();
                for link in links {
                    self.close(link, CloseReason::Quit);
                }
            }
        }
    }

    /// Queues a frame that steers.
    fn send(&mut self, link: LinkId, frame: &crate::wire::Frame, now: Now) {
        let bytes = frame.encode();
        match frame.class() {
            Class::Control => {
                let fact = self.outbox.control(link, bytes);
                self.carry_outbox(fact, now);
            }
            Class::Bulletins => {
                let (facts, _) = self.outbox.own(link, bytes, now.mono);
                self.carry_outbox(facts, now);
            }
        }
    }

    /// Closes a link: nothing more is sent to it or heard from it.
    fn close(&mut self, link: LinkId, reason: CloseReason) {
        if let Some(peer) = self.peers.get_mut(&link).filter(|peer| peer.is_open()) {
            peer.closing = Some(reason);
            self.actions.push(Action::Close { link, reason });
        }
    }
}
