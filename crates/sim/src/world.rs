//! The world: nodes, wires between them, and time that jumps from event to event.
//!
//! Same seed, same settings, same calls: same world, to the last byte. [`World::trace`] is the proof.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::config::Config;
use bruit_core::engine::Engine;
use bruit_core::event::{
    Action, Check, Command, Event, Notice, Persist, Restored, RestoredId, Verdict,
};
use bruit_core::id::{BulletinId, LinkId, NodeId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::wire::{self, kind};
use bruit_core::work::{Price, Stamp};
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::behaviour::Behaviour;
use crate::host::{Host, Image};
use crate::ledger::{BulletinNumber, Ledger};
use crate::queue::Queue;
use crate::terrain::{Place, Terrain};
use crate::wires::{End, Wires};

/// The wall clock at the start of every world, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_800_000_000_000;
/// Bytes that may be under way on a link's control stream.
const CONTROL_CREDIT: u32 = 64 * 1024;
/// Bytes that may be under way on a link's bulletins stream.
const BULLETINS_CREDIT: u32 = 256 * 1024;
/// Credit comes back in parts of this size.
const CREDIT_PART: u32 = 16 * 1024;
/// Bytes a frame takes beside its own, at most.
const FRAMING_BYTES: u32 = 3;
/// How long a connection survives silence.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a dial waits for an answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Until what was written is synced.
const SYNC: Duration = Duration::from_millis(3);
/// Until the store answers.
const READ: Duration = Duration::from_millis(1);
/// Answers of signature checks that are remembered.
const CHECKED_MAX: usize = 1 << 18;

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Every node's configuration.
    pub config: Config,
    /// What lies between nodes.
    pub terrain: Terrain,
}

impl Default for Settings {
    /// An open network without price on [`Terrain::default`].
    fn default() -> Self {
        Self {
            config: Config::new(Network::new("sim", Price::FREE, None)),
            terrain: Terrain::default(),
        }
    }
}

/// A node that is to begin a life.
#[derive(Debug)]
pub struct Birth<'a> {
    /// Its number.
    pub number: usize,
    /// Who it is.
    pub key: &'a SecretKey,
    /// Where its randomness grows from.
    pub seed: [u8; 32],
    /// The world's settings.
    pub settings: &'a Settings,
}

impl Birth<'_> {
    /// An engine for this node.
    ///
    /// # Panics
    /// When the settings' configuration is not valid.
    pub fn engine(&self) -> Engine {
        let config = self
            .settings
            .config
            .clone()
            .validate()
            .expect("a valid configuration");
        Engine::new(self.key.node_id(), config, self.seed)
    }
}

/// Makes the behaviour of a node at the beginning of each of its lives.
type Maker = Box<dyn FnMut(&Birth<'_>) -> Box<dyn Behaviour>>;

/// Whether what the first node sends does not reach the second.
type Cut = Box<dyn Fn(usize, usize) -> bool>;

enum Happening {
    Wakeup(usize),
    Frame(End, Bytes),
    /// The connection an end belongs to is over.
    Down(End, CloseReason, bool),
    /// If nothing has come through meanwhile.
    Silence(End),
    /// To a node, in the life it was decided in.
    Event(usize, u32, Event),
    Up(End),
}

/// All of it.
pub struct World {
    settings: Settings,
    now: Mono,
    hosts: Vec<Host>,
    numbers: BTreeMap<NodeId, usize>,
    wires: Wires,
    queue: Queue<Happening>,
    rng: ChaCha8Rng,
    maker: Maker,
    cut: Option<Cut>,
    bulletins: BTreeMap<BulletinId, Bulletin>,
    checked: BTreeMap<[u8; 32], bool>,
    ledger: Ledger,
    trace: blake3::Hasher,
}

impl World {
    /// `count` nodes, none linked yet, each an engine.
    pub fn new(count: usize, seed: u64, settings: Settings) -> Self {
        Self::of(count, seed, settings, |birth| Box::new(birth.engine()))
    }

    /// As [`World::new`], each node what `maker` makes of it.
    pub fn of(
        count: usize,
        seed: u64,
        settings: Settings,
        maker: impl FnMut(&Birth<'_>) -> Box<dyn Behaviour> + 'static,
    ) -> Self {
        let mut world = Self {
            settings,
            now: Mono::ZERO,
            hosts: Vec::new(),
            numbers: BTreeMap::new(),
            wires: Wires::default(),
            queue: Queue::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            maker: Box::new(maker),
            cut: None,
            bulletins: BTreeMap::new(),
            checked: BTreeMap::new(),
            ledger: Ledger::default(),
            trace: blake3::Hasher::new(),
        };
        for _ in 0..count {
            world.add();
        }
        world
    }

    /// Adds a node; returns its number.
    pub fn add(&mut self) -> usize {
        let number = self.hosts.len();
        let key = SecretKey::from_seed(&self.random());
        let behaviour = self.behaviour(number, &key);
        self.numbers.insert(key.node_id(), number);
        self.hosts.push(Host {
            key,
            behaviour,
            place: Place::random(&mut self.rng),
            is_alive: true,
            life: 0,
            links: Vec::new(),
            image: Image::default(),
            wakeup: None,
            uplink_free: Mono::ZERO,
            clock_ahead_ms: 0,
            verdict: None,
            notices: Vec::new(),
        });
        self.feed(number, Event::Addresses(vec![address(number)]));
        number
    }

    fn behaviour(&mut self, number: usize, key: &SecretKey) -> Box<dyn Behaviour> {
        let seed = self.random();
        (self.maker)(&Birth {
            number,
            key,
            seed,
            settings: &self.settings,
        })
    }

    fn random(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A number below `bound`, by chance.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = self.rng.next_u64() % bound.max(1) as u64;
        usize::try_from(drawn).unwrap_or(0)
    }

    // What is done to it.

    /// Tells `node` of `other`, as `--join` does.
    pub fn join(&mut self, node: usize, other: usize) {
        let peer = self.peer(other);
        self.command(node, Command::Join(vec![peer]));
    }

    /// Where node `number` is dialled.
    pub fn peer(&self, number: usize) -> PeerAddress {
        PeerAddress {
            id: self.hosts[number].key.node_id(),
            addresses: vec![address(number)],
        }
    }

    /// Has the application of `node` say something.
    pub fn command(&mut self, node: usize, command: Command) {
        self.feed(node, Event::Command(command));
    }

    /// A bulletin of `node`, published at once.
    pub fn publish(&mut self, node: usize, body: &[u8]) -> BulletinNumber {
        let (wall, host) = (self.clocks(node).wall, &self.hosts[node]);
        let header = Header::post(TopicId::of("news"), host.key.author_id(), body, wall);
        let content = Bytes::copy_from_slice(body);
        let network = self.settings.config.network.id();
        let bulletin = Bulletin::sign(header, content, network, &host.key);
        let id = *bulletin.id();
        self.ledger.publish(id, node, self.now, self.hosts.len());
        self.command(node, Command::Publish(Box::new(bulletin)));
        BulletinNumber(self.ledger.published() - 1)
    }

    /// Links two nodes directly, whatever their behaviours think of it.
    pub fn link(&mut self, a: usize, b: usize) {
        self.open(a, b);
    }

    /// Ends `node` without a word, as a power cut does.
    pub fn kill(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.is_alive = false;
        host.image.address_book = host.behaviour.address_book();
        for link in std::mem::take(&mut host.links) {
            let end = End::of(link);
            self.wires.shut(end);
            self.queue
                .push(self.now.plus(SILENCE), Happening::Silence(end.other()));
        }
    }

    /// Starts `node` again with what its store kept.
    pub fn restart(&mut self, node: usize) {
        let key = self.hosts[node].key.clone();
        let behaviour = self.behaviour(node, &key);
        let host = &mut self.hosts[node];
        host.behaviour = behaviour;
        host.is_alive = true;
        host.life += 1;
        host.wakeup = None;
        let held = host.image.held.iter().filter_map(|(id, stamp)| {
            let header = &self.bulletins.get(id)?.header;
            Some(RestoredId {
                id: *id,
                created: header.created,
                expires: header.expires(),
                held: Some((header.size_bytes, stamp.bits)),
            })
        });
        let dropped = host
            .image
            .dropped
            .iter()
            .map(|(id, (created, expires))| RestoredId {
                id: *id,
                created: *created,
                expires: *expires,
                held: None,
            });
        let left = Restored {
            seen: held.chain(dropped).collect(),
            address_book: host.image.address_book.clone(),
            horizon: host.image.horizon,
        };
        self.feed(node, Event::Restored(Box::new(left)));
        self.feed(node, Event::Addresses(vec![address(node)]));
    }

    /// From now on nothing reaches a node from where `cut` says; connections over a cut die of silence.
    pub fn cut(&mut self, cut: impl Fn(usize, usize) -> bool + 'static) {
        for (wire, state) in self.wires.all() {
            for side in [0, 1] {
                let end = End { wire, side };
                let (me, other) = (state.nodes[side], state.nodes[1 - side]);
                if cut(other, me) {
                    self.queue
                        .push(self.now.plus(SILENCE), Happening::Silence(end));
                }
            }
        }
        self.cut = Some(Box::new(cut));
    }

    /// Ends every cut. Connections that have not died yet go on where they were.
    pub fn heal(&mut self) {
        self.cut = None;
        let wires = self.wires.all();
        let held = |(wire, state): (usize, &crate::wires::Wire)| {
            let is_held = |side: &usize| !state.held[*side].is_empty();
            let sides = [0, 1].into_iter().filter(is_held);
            sides.map(|side| End { wire, side }).collect::<Vec<_>>()
        };
        let ends: Vec<End> = wires.flat_map(held).collect();
        for end in ends {
            let Some(wire) = self.wires.get_mut(end.wire) else {
                continue;
            };
            for (class, frame) in std::mem::take(&mut wire.held[end.side]) {
                self.transmit(end, class, frame);
            }
        }
    }

    /// Sets the wall clock of `node`.
    pub fn set_clock(&mut self, node: usize, ahead_ms: i64) {
        self.hosts[node].clock_ahead_ms = ahead_ms;
    }

    /// What validators of `node` say from now on; `None`: nothing.
    pub fn set_verdict(&mut self, node: usize, verdict: Option<Verdict>) {
        self.hosts[node].verdict = verdict;
    }

    /// What lies between nodes from now on; links that are open keep their delay.
    pub fn set_terrain(&mut self, terrain: Terrain) {
        self.settings.terrain = terrain;
    }

    // Time.

    /// Lets the world run for `time`.
    pub fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some((at, happening)) = self.queue.pop(end) {
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wakeup(node) => {
                let host = &mut self.hosts[node];
                if host.is_alive && host.wakeup == Some(self.now) {
                    host.wakeup = None;
                    self.feed(node, Event::Wakeup);
                }
            }
            Happening::Frame(end, frame) => self.arrive(end, frame),
            Happening::Down(end, reason, by_peer) => self.down(end, reason, by_peer),
            Happening::Silence(end) => {
                let is_deaf = self.wires.get(end.wire).is_some_and(|wire| {
                    let (me, other) = (wire.nodes[end.side], wire.nodes[1 - end.side]);
                    !wire.is_open[1 - end.side] || self.is_cut(other, me)
                });
                if is_deaf {
                    self.down(end, CloseReason::Dead, false);
                }
            }
            Happening::Event(node, life, event) => {
                let host = &self.hosts[node];
                if host.is_alive && host.life == life {
                    self.feed(node, event);
                }
            }
            Happening::Up(end) => self.up(end),
        }
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut(from, to))
    }

    /// The clocks `node` reads.
    pub fn clocks(&self, node: usize) -> Now {
        let wall = EPOCH_MS
            .saturating_add_signed(self.hosts[node].clock_ahead_ms)
            .saturating_add(self.now.as_micros() / 1_000);
        Now {
            mono: self.now,
            wall: Wall::from_millis(wall),
        }
    }

    fn feed(&mut self, node: usize, event: Event) {
        let now = self.clocks(node);
        let actions = self.hosts[node].behaviour.handle(event, now);
        for action in actions {
            self.act(node, action);
        }
        self.arm(node);
    }

    fn arm(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        let Some(due) = host.behaviour.next_wakeup().map(|due| due.max(self.now)) else {
            return;
        };
        if host.wakeup.is_none_or(|at| due < at) {
            host.wakeup = Some(due);
            self.queue.push(due, Happening::Wakeup(node));
        }
    }

    /// Has `event` happen to `node` after `time`, unless it begins another life before.
    fn later(&mut self, node: usize, time: Duration, event: Event) {
        let happening = Happening::Event(node, self.hosts[node].life, event);
        self.queue.push(self.now.plus(time), happening);
    }

    // What nodes do.

    fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Send { link, class, frame } => self.send(node, link, class, frame),
            Action::Dial(address) => self.dial(node, &address),
            Action::Close { link, reason } => self.close(link, reason),
            Action::Verify { job, check } => {
                let good = self.holds(&check);
                self.feed(node, Event::Verified { job, good });
            }
            Action::Sign { job, message } => {
                let signature = self.hosts[node].key.sign(&message);
                self.feed(node, Event::Signed { job, signature });
            }
            Action::Deliver { bulletin, hops, .. } => self.deliver(node, *bulletin, hops),
            Action::Persist(persist) => self.persist(node, persist),
            Action::Load { id } => {
                let bytes = self.stored(node, &id);
                self.later(node, READ, Event::Loaded { id, bytes });
            }
            Action::AskValidator { bulletin, .. } => {
                if let Some(verdict) = self.hosts[node].verdict {
                    let id = *bulletin.id();
                    self.feed(node, Event::Verdict { id, verdict });
                }
            }
            Action::Notice(Notice::Linked { .. } | Notice::Unlinked { .. }) => {}
            Action::Notice(notice) => self.hosts[node].notices.push(notice),
        }
    }

    /// Checks a signature: a pure function, whose answer is remembered by the exact bytes.
    fn holds(&mut self, check: &Check) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&check.key).update(check.signature.as_bytes());
        hasher.update(&check.message);
        if let Some((content, hash)) = &check.content {
            hasher.update(hash).update(content);
        }
        let bytes = *hasher.finalize().as_bytes();
        if let Some(good) = self.checked.get(&bytes) {
            return *good;
        }
        if self.checked.len() >= CHECKED_MAX {
            self.checked.clear();
        }
        let good = check.holds();
        self.checked.insert(bytes, good);
        good
    }

    fn deliver(&mut self, node: usize, bulletin: Bulletin, hops: u8) {
        let id = *bulletin.id();
        self.note(node, b'd', id.as_bytes());
        self.ledger.deliver(&id, node, hops, self.now);
        self.hosts[node].image.held.insert(id, bulletin.stamp);
        self.bulletins.entry(id).or_insert(bulletin);
        self.later(node, SYNC, Event::Persisted { ids: vec![id] });
    }

    fn persist(&mut self, node: usize, persist: Persist) {
        let image = &mut self.hosts[node].image;
        match persist {
            Persist::Seen {
                id,
                created,
                expires,
            } => {
                image.dropped.insert(id, (created, expires));
            }
            Persist::Evict { id } => {
                image.held.remove(&id);
                if let Some(bulletin) = self.bulletins.get(&id) {
                    let header = &bulletin.header;
                    image.dropped.insert(id, (header.created, header.expires()));
                }
            }
            Persist::Purge { ids } => {
                for (id, _) in ids {
                    image.held.remove(&id);
                    image.dropped.remove(&id);
                }
            }
            Persist::Restamp { id, stamp } => {
                image.held.insert(id, stamp);
            }
            Persist::Horizon(wall) => image.horizon = wall,
        }
    }

    fn stored(&self, node: usize, id: &BulletinId) -> Option<Bytes> {
        let stamp: Stamp = *self.hosts[node].image.held.get(id)?;
        let mut bulletin = self.bulletins.get(id)?.clone();
        bulletin.stamp = stamp;
        Some(wire::encode_to_bytes(&bulletin))
    }

    // Wires.

    fn dial(&mut self, node: usize, address: &PeerAddress) {
        self.note(node, b'o', address.id.as_bytes());
        let known = self.numbers.get(&address.id).copied();
        let reached = known.filter(|other| {
            let is_up = self.hosts[*other].is_alive && *other != node;
            is_up && !self.is_cut(node, *other) && !self.is_cut(*other, node)
        });
        if let Some(other) = reached {
            self.open(node, other);
        } else {
            let event = Event::DialFailed { peer: address.id };
            self.later(node, DIAL_TIMEOUT, event);
        }
    }

    fn open(&mut self, node: usize, other: usize) {
        let (a, b) = (self.hosts[node].place, self.hosts[other].place);
        let terrain = self.settings.terrain;
        let delay = terrain.delay(a, b, &mut self.rng);
        // Who dialled is there after a round trip, the other hears of it with the first frames.
        let way = || delay + terrain.jitter / 2;
        let first = self.now.plus(way() * 2);
        let second = first.plus(way());
        let wire = self.wires.open([node, other], delay, second);
        for (side, at) in [(0, first), (1, second)] {
            let end = End { wire, side };
            self.hosts[[node, other][side]].links.push(end.link());
            self.queue.push(at, Happening::Up(end));
        }
    }

    fn up(&mut self, end: End) {
        let Some(wire) = self.wires.get(end.wire) else {
            return;
        };
        if !wire.is_open[end.side] {
            return;
        }
        let (me, other) = (wire.nodes[end.side], wire.nodes[1 - end.side]);
        let event = Event::LinkUp {
            link: end.link(),
            peer: self.hosts[other].key.node_id(),
            direction: [Direction::Out, Direction::In][end.side],
            remote: Some(address(other)),
            control_credit: CONTROL_CREDIT,
            bulletins_credit: BULLETINS_CREDIT,
        };
        self.feed(me, event);
    }

    fn send(&mut self, node: usize, link: LinkId, class: Class, frame: Bytes) {
        self.note(node, b's', &frame);
        self.transmit(End::of(link), class, frame);
    }

    fn transmit(&mut self, end: End, class: Class, frame: Bytes) {
        let Some(wire) = self.wires.get(end.wire) else {
            return;
        };
        let (node, other) = (wire.nodes[end.side], wire.nodes[1 - end.side]);
        let (delay, is_cut) = (wire.delay, self.is_cut(node, other));
        let terrain = self.settings.terrain;
        let left = {
            let host = &mut self.hosts[node];
            host.uplink_free = self
                .now
                .max(host.uplink_free)
                .plus(terrain.serialisation(frame.len()));
            host.uplink_free
        };
        let transit = terrain.transit(delay, frame.len(), &mut self.rng);
        let is_bulletin = frame.first() == Some(&kind::PUB);
        let copies = 1 + usize::from(is_bulletin && terrain.is_doubled(&mut self.rng));
        let Some(wire) = self.wires.get_mut(end.wire) else {
            return;
        };
        let stream = usize::from(class == Class::Bulletins);
        if is_cut {
            wire.held[end.side].push((class, frame));
            return;
        }
        let latest = &mut wire.latest[end.side][stream];
        *latest = left.plus(transit).max(*latest);
        let at = *latest;
        let ungranted = &mut wire.ungranted[end.side][stream];
        *ungranted += u32::try_from(frame.len()).unwrap_or(u32::MAX) + FRAMING_BYTES;
        let due = if *ungranted >= CREDIT_PART {
            std::mem::take(ungranted)
        } else {
            0
        };
        for _ in 0..copies {
            self.queue
                .push(at, Happening::Frame(end.other(), frame.clone()));
        }
        if due > 0 {
            let event = Event::Credit {
                link: end.link(),
                class,
                bytes: due,
            };
            self.later(node, left.since(self.now), event);
        }
    }

    fn arrive(&mut self, end: End, frame: Bytes) {
        let Some(wire) = self.wires.get(end.wire) else {
            return;
        };
        let node = wire.nodes[end.side];
        if !wire.is_open[end.side] || !self.hosts[node].is_alive {
            return;
        }
        let (kind, bytes) = (frame.first().copied().unwrap_or(0), frame.len() as u64);
        let totals = &mut self.ledger.totals;
        totals.frames += 1;
        totals.bytes += bytes;
        match kind {
            kind::PUB => totals.copies += 1,
            kind::IWANT | kind::GRAFT => {
                let network = self.settings.config.network.id();
                if let Ok(wire::Frame::Iwant { ids } | wire::Frame::Graft { ids, .. }) =
                    wire::Frame::decode(&frame, network)
                {
                    totals.requests += ids.len() as u64;
                }
            }
            _ => {}
        }
        *self.ledger.bytes_by_kind.entry(kind).or_default() += bytes;
        let link = end.link();
        self.feed(node, Event::Frame { link, frame });
    }

    fn close(&mut self, link: LinkId, reason: CloseReason) {
        let end = End::of(link);
        let Some(wire) = self
            .wires
            .get(end.wire)
            .filter(|wire| wire.is_open[end.side])
        else {
            return;
        };
        let (node, other) = (wire.nodes[end.side], wire.nodes[1 - end.side]);
        let delay = wire.delay;
        if self.is_cut(node, other) {
            self.queue
                .push(self.now.plus(SILENCE), Happening::Silence(end.other()));
        } else {
            let transit = self.settings.terrain.transit(delay, 0, &mut self.rng);
            let happening = Happening::Down(end.other(), reason, true);
            self.queue.push(self.now.plus(transit), happening);
        }
        self.queue
            .push(self.now, Happening::Down(end, reason, false));
    }

    fn down(&mut self, end: End, reason: CloseReason, by_peer: bool) {
        let Some(wire) = self
            .wires
            .get(end.wire)
            .filter(|wire| wire.is_open[end.side])
        else {
            return;
        };
        let node = wire.nodes[end.side];
        let link = end.link();
        self.wires.shut(end);
        let host = &mut self.hosts[node];
        host.links.retain(|other| *other != link);
        if host.is_alive {
            let event = Event::LinkDown {
                link,
                reason,
                by_peer,
            };
            self.feed(node, event);
        }
    }

    // Reading.

    /// Adds to the trace what `node` did.
    fn note(&mut self, node: usize, what: u8, bytes: &[u8]) {
        self.trace.update(&self.now.as_micros().to_be_bytes());
        self.trace.update(&(node as u64).to_be_bytes());
        self.trace.update(&[what]);
        self.trace.update(bytes);
    }

    /// Hash over everything that was sent, dialled and delivered, and when: two runs agree on it, or
    /// something in them was not determined.
    pub fn trace(&self) -> [u8; 32] {
        *self.trace.finalize().as_bytes()
    }

    /// The moment it has come to.
    pub const fn now(&self) -> Mono {
        self.now
    }

    /// Who got what.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many nodes there are, dead ones included.
    pub const fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there is no node.
    pub const fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether `node` runs.
    pub fn is_alive(&self, node: usize) -> bool {
        self.hosts[node].is_alive
    }

    /// The nodes that run.
    pub fn alive(&self) -> Vec<usize> {
        (0..self.hosts.len())
            .filter(|node| self.is_alive(*node))
            .collect()
    }

    /// What `node` told its application, but for links that came and went.
    pub fn notices(&self, node: usize) -> &[Notice] {
        &self.hosts[node].notices
    }

    /// The stamp with which the store of `node` keeps `bulletin`, if it keeps it.
    pub fn stamp(&self, node: usize, bulletin: BulletinNumber) -> Option<Stamp> {
        let held = &self.hosts[node].image.held;
        held.get(&self.ledger.id(bulletin)).copied()
    }

    /// The key of `node`.
    pub fn key(&self, node: usize) -> &SecretKey {
        &self.hosts[node].key
    }

    /// The neighbours of `node`, by number.
    pub fn neighbours(&self, node: usize) -> Vec<usize> {
        let neighbours = self.hosts[node].behaviour.neighbours().into_iter();
        neighbours
            .filter_map(|id| self.numbers.get(&id).copied())
            .collect()
    }

    /// Sizes of the parts into which the running nodes fall, the largest first.
    pub fn components(&self) -> Vec<usize> {
        let mut is_left: Vec<bool> = self.hosts.iter().map(|host| host.is_alive).collect();
        let mut sizes = Vec::new();
        for start in 0..is_left.len() {
            if !std::mem::take(&mut is_left[start]) {
                continue;
            }
            let (mut frontier, mut size) = (vec![start], 0);
            while let Some(node) = frontier.pop() {
                size += 1;
                for other in self.neighbours(node) {
                    if std::mem::take(&mut is_left[other]) {
                        frontier.push(other);
                    }
                }
            }
            sizes.push(size);
        }
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    }

    /// Every pair of running neighbours, the smaller number first.
    pub fn edges(&self) -> Vec<(usize, usize)> {
        let alive = self.alive().into_iter();
        let edges = alive.flat_map(|node| {
            let others = self.neighbours(node).into_iter();
            others
                .filter(move |other| node < *other)
                .map(move |other| (node, other))
        });
        edges.collect()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("nodes", &self.hosts.len())
            .finish_non_exhaustive()
    }
}

/// Groups of addresses, each 65,536 addresses that one owner is taken to have.
const GROUPS: usize = 22_000;

/// Where node `number` listens: as far as they go in a group of its own, on public addresses.
fn address(number: usize) -> SocketAddr {
    let byte = |value: usize| u8::try_from(value % 256).expect("less than 256");
    let (group, round) = (number % GROUPS, number / GROUPS);
    let octets = [byte(11 + group / 256), byte(group), byte(round), 1];
    SocketAddr::from((octets, 7_447))
}
