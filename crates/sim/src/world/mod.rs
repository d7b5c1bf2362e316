//! The world: nodes, wires between them, and time that jumps from event to event.
//!
//! Same seed, same settings, same calls: same world, to the last byte. [`World::trace`] is the proof.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::config::Config;
use bruit_core::event::{Action, Command, Event, Notice, Persist, Verdict};
use bruit_core::id::{NodeId, TopicId};
use bruit_core::large::Manifest;
use bruit_core::link::{Class, CloseReason, PeerAddress};
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now};
use bruit_core::work::{Price, Stamp};
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::behaviour::Behaviour;
use crate::bulletins::{Bulletins, Number};
use crate::checks::Checks;
use crate::clock::Skew;
use crate::draw;
use crate::host::Host;
use crate::ledger::{BulletinNumber, Ledger};
use crate::queue::Queue;
use crate::recording::Tape;
use crate::terrain::Terrain;
use crate::trace::Trace;
use crate::wires::{End, Wires};

use files::Files;
pub use life::Birth;
pub(crate) use life::Maker;

mod files;
mod fork;
mod hardship;
mod life;
mod reading;
mod taping;
mod traffic;

/// The wall clock at the start of every world, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_800_000_000_000;
/// How long a bulletin is valid where nothing else is said.
pub const TTL: Duration = Duration::from_hours(1);
/// Until what was written is synced.
const SYNC: Duration = Duration::from_millis(3);
/// Until the store answers.
const READ: Duration = Duration::from_millis(1);

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

/// Whether what the first node sends does not reach the second.
type Cut = Arc<dyn Fn(usize, usize) -> bool + Send + Sync>;

#[derive(Clone)]
enum Happening {
    Wakeup(usize),
    Frame(End, Bytes),
    /// A frame is before a downlink.
    Downlink(Box<Queued>),
    /// The connection an end belongs to is over.
    Down(End, CloseReason, bool),
    /// If nothing has come through meanwhile.
    Silence(End),
    /// To a node, in the life it was decided in.
    Event(usize, u32, Box<Event>),
    Up(End),
}

/// A frame that has come as far as the downlink of the node it goes to.
#[derive(Clone)]
struct Queued {
    /// Where it goes.
    end: End,
    class: Class,
    frame: Bytes,
    /// How often it comes.
    copies: usize,
}

/// All of it.
pub struct World {
    settings: Settings,
    now: Mono,
    hosts: Vec<Host>,
    numbers: BTreeMap<NodeId, usize>,
    wires: Wires,
    queue: Queue<Happening>,
    /// Nothing a node does happens to another before so long.
    lookahead: Duration,
    rng: ChaCha8Rng,
    maker: Maker,
    cut: Option<Cut>,
    bulletins: Bulletins,
    files: Files,
    checks: Checks,
    ledger: Ledger,
    blames: Vec<Blame>,
    deaths: Vec<Blame>,
    /// Of all that happened, unless nobody will ask for it.
    trace: Option<Trace>,
    /// What is noted down to be looked at later, where that was asked for.
    tape: Option<Box<Tape>>,
}

/// A node closed a link because the other side broke the protocol, as it sees it, or does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blame {
    /// When.
    pub at: Mono,
    /// Who says so.
    pub by: usize,
    /// Who is said to have.
    pub whom: usize,
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
        maker: impl Fn(&Birth<'_>) -> Box<dyn Behaviour> + Send + Sync + 'static,
    ) -> Self {
        let mut world = Self {
            lookahead: settings.terrain.lookahead(),
            settings,
            now: Mono::ZERO,
            hosts: Vec::new(),
            numbers: BTreeMap::new(),
            wires: Wires::default(),
            queue: Queue::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            maker: Arc::new(maker),
            cut: None,
            bulletins: Bulletins::default(),
            files: Files::default(),
            checks: Checks::default(),
            ledger: Ledger::default(),
            blames: Vec::new(),
            deaths: Vec::new(),
            trace: Some(Trace::default()),
            tape: None,
        };
        for _ in 0..count {
            world.add();
        }
        world
    }

    fn random(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A number below `bound`, by chance.
    pub fn below(&mut self, bound: usize) -> usize {
        draw::below(&mut self.rng, bound)
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
            addresses: vec![self.hosts[number].address],
        }
    }

    /// Has the application of `node` say something.
    pub fn command(&mut self, node: usize, command: Command) {
        self.feed(node, Event::Command(command));
    }

    /// A bulletin of `node`, published at once and valid for [`TTL`].
    pub fn publish(&mut self, node: usize, body: &[u8]) -> BulletinNumber {
        self.publish_on(node, "news", body)
    }

    /// The same on a topic.
    pub fn publish_on(&mut self, node: usize, topic: &str, body: &[u8]) -> BulletinNumber {
        self.publish_for(node, topic, TTL, body)
    }

    /// One that is valid for so many whole seconds.
    pub fn publish_for(
        &mut self,
        node: usize,
        topic: &str,
        ttl: Duration,
        body: &[u8],
    ) -> BulletinNumber {
        let (wall, host) = (self.clocks(node).wall, &self.hosts[node]);
        let author = host.key.author_id();
        let header = Header {
            ttl_s: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
            ..Header::post(TopicId::of(topic), author, body, wall)
        };
        let content = Bytes::copy_from_slice(body);
        let network = self.settings.config.network.id();
        let bulletin = Bulletin::sign(header, content, network, &host.key);
        let id = *bulletin.id();
        self.ledger.publish(id, node, self.now, self.hosts.len());
        self.tape_publish(node, &bulletin);
        self.command(node, Command::Publish(Box::new(bulletin)));
        BulletinNumber(self.ledger.published() - 1)
    }

    /// Links two nodes directly, whatever their behaviours think of it.
    pub fn link(&mut self, a: usize, b: usize) {
        self.open(a, b);
    }

    /// Sets the wall clock of `node`.
    pub fn set_clock(&mut self, node: usize, ahead_ms: i64) {
        self.hosts[node].clock.set(ahead_ms, self.now);
    }

    /// Makes the wall clock of `node` as much more wrong.
    pub fn skew_clock(&mut self, node: usize, skew: Skew) {
        self.hosts[node].clock.skew(skew, self.now);
    }

    /// Takes back a skew of then, and what its clock has gained by it since.
    pub fn mend_clock(&mut self, node: usize, skew: Skew, then: Mono) {
        self.hosts[node].clock.mend(skew, then, self.now);
    }

    /// What validators of `node` say from now on; `None`: nothing.
    pub fn set_verdict(&mut self, node: usize, verdict: Option<Verdict>) {
        self.hosts[node].verdict = verdict;
    }

    /// What lies between nodes from now on; links that are open keep their delay.
    pub fn set_terrain(&mut self, terrain: Terrain) {
        self.lookahead = self.lookahead.min(terrain.lookahead());
        self.settings.terrain = terrain;
    }

    // Time.

    /// Lets the world run for `time`.
    pub fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        self.queue.look_ahead(self.lookahead);
        while let Some((at, happening)) = self.queue.pop(end) {
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wakeup(node) => {
                let (host, now) = (&mut self.hosts[node], self.now);
                if host.is_alive && host.wakeup == Some(now) {
                    host.wakeup = host.plight.busy_until(now);
                    match host.wakeup {
                        Some(at) => self.queue.push(at, node, Happening::Wakeup(node)),
                        None => self.feed(node, Event::Wakeup),
                    }
                }
            }
            Happening::Frame(end, frame) => self.arrive(end, frame),
            Happening::Downlink(queued) => self.pass(*queued),
            Happening::Down(end, reason, by_peer) => self.down(end, reason, by_peer),
            Happening::Silence(end) => self.silence(end),
            Happening::Event(node, life, event) => {
                let host = &self.hosts[node];
                if host.is_alive && host.life == life {
                    self.feed(node, *event);
                }
            }
            Happening::Up(end) => self.up(end),
        }
    }

    /// The clocks `node` reads.
    pub fn clocks(&self, node: usize) -> Now {
        Now {
            mono: self.mono_of(node, self.now),
            wall: self.hosts[node].clock.read(EPOCH_MS, self.now),
        }
    }

    fn feed(&mut self, node: usize, event: Event) {
        if let Some(waiting) = self.hosts[node].plight.waiting() {
            waiting.push(event);
            return;
        }
        let now = self.clocks(node);
        let actions = self.hosts[node].behaviour.handle(event, now);
        for action in actions {
            self.act(node, action);
        }
        self.arm(node);
    }

    fn arm(&mut self, node: usize) {
        let Some(due) = self.hosts[node].behaviour.next_wakeup() else {
            return;
        };
        let due = self.moment_of(node, due).max(self.now);
        let host = &mut self.hosts[node];
        if host.wakeup.is_none_or(|at| due < at) {
            host.wakeup = Some(due);
            self.queue.push(due, node, Happening::Wakeup(node));
        }
    }

    /// Has `event` happen to `node` after `time`, unless it begins another life before.
    fn later(&mut self, node: usize, time: Duration, event: Event) {
        let happening = Happening::Event(node, self.hosts[node].life, Box::new(event));
        self.queue.push(self.now.plus(time), node, happening);
    }

    // What nodes do.

    fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Send { link, class, frame } => self.send(node, link, class, frame),
            Action::Dial(address) => self.dial(node, &address),
            Action::Close { link, reason } => {
                self.note_death(node, link, reason);
                self.close(link, reason);
            }
            Action::Verify { job, check } => {
                let good = self.checks.holds(check);
                self.feed(node, Event::Verified { job, good });
            }
            Action::Sign { job, message } => {
                let signature = self.hosts[node].key.sign(&message);
                self.feed(node, Event::Signed { job, signature });
            }
            Action::Deliver {
                bulletin,
                from,
                hops,
                ..
            } => {
                self.tape_delivery(node, &bulletin, from, hops);
                self.deliver(node, *bulletin, hops);
            }
            Action::Keep { bulletin, .. } => {
                let stamp = bulletin.stamp;
                let number = self.bulletins.add(*bulletin);
                self.write(node, number, stamp);
            }
            Action::Persist(Persist::Chunk { id, index, piece }) => {
                self.keep_chunk(node, id, index, piece);
            }
            Action::Persist(persist) => self.hosts[node].image.keep(persist, &self.bulletins),
            Action::Load { id } => {
                let bytes = self.hosts[node].image.read(&id, &self.bulletins);
                self.later(node, READ, Event::Loaded { id, bytes });
            }
            Action::LoadChunk { id, index } => self.load_chunk(node, id, index),
            Action::AskValidator { bulletin, .. } => {
                if let Some(verdict) = self.hosts[node].verdict {
                    let id = *bulletin.id();
                    self.feed(node, Event::Verdict { id, verdict });
                }
            }
            Action::Notice(
                Notice::Linked { .. }
                | Notice::Unlinked { .. }
                | Notice::Missed { .. }
                | Notice::Suspected { .. },
            ) => {}
            Action::Notice(Notice::Chunk { id, chunks, all }) => {
                self.note_chunk(node, id, chunks, all);
            }
            Action::Notice(notice) => self.hosts[node].notices.push(notice),
        }
    }

    fn deliver(&mut self, node: usize, bulletin: Bulletin, hops: u8) {
        let id = *bulletin.id();
        self.note(node, b'd', id.as_bytes());
        self.ledger.deliver(&id, node, hops, self.now);
        let (stamp, manifest) = (bulletin.stamp, Manifest::of(&bulletin));
        let number = self.bulletins.add(bulletin);
        let host = &mut self.hosts[node];
        host.plight.forgotten.remove(&id);
        if host.plight.is_disk_full {
            host.plight.unkept.insert(id);
        } else {
            if let Some(manifest) = manifest {
                host.image.keep_file(id, manifest);
            }
            self.write(node, number, stamp);
            self.later(node, SYNC, Event::Persisted { ids: vec![id] });
        }
    }

    /// Has `node` write a bulletin, which a crash takes away again until it is synced.
    fn write(&mut self, node: usize, number: Number, stamp: Stamp) {
        let image = &mut self.hosts[node].image;
        image.write(number, stamp, self.now, self.now.plus(SYNC));
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
