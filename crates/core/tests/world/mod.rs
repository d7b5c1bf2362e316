//! A small world of engines in virtual time: the seed of the simulator.
//!
//! Links are what QUIC gives: reliable, ordered streams, on which a lost packet shows as delay.
//! Time jumps from event to event. Same seed, same world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::config::Config;
use bruit_core::engine::Engine;
use bruit_core::event::{Action, Command, Event, Notice, Restored, RestoredId, Verdict};
use bruit_core::id::{BulletinId, LinkId, NodeId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::wire::{self, kind};
use bruit_core::work::Price;
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The wall clock at the start of every world.
pub(crate) const EPOCH_MS: u64 = 1_800_000_000_000;
const CREDIT: u32 = 256 * 1024;

/// How packets fare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// One way, at least.
    pub(crate) delay: Duration,
    /// Added at random, up to this.
    pub(crate) jitter: Duration,
    /// Share of packets lost, in thousandths: each loss costs a retransmission.
    pub(crate) loss_permille: u64,
    /// Share of bulletins a link carries twice, in thousandths.
    pub(crate) duplicate_permille: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(2),
            loss_permille: 0,
            duplicate_permille: 0,
        }
    }
}

/// One side of a connection.
#[derive(Debug, Clone, Copy)]
struct End {
    node: usize,
    link: LinkId,
    other: usize,
    other_link: LinkId,
    /// Arrival of the latest frame per class: streams keep their order.
    last: [Mono; 2],
}

/// A node of the world.
pub(crate) struct Host {
    pub(crate) key: SecretKey,
    pub(crate) engine: Engine,
    pub(crate) alive: bool,
    /// Every delivery, in order: id and hops.
    pub(crate) delivered: Vec<(BulletinId, u8, Mono)>,
    /// PUB frames received.
    pub(crate) copies: u64,
    /// Ids asked for by IWANT and GRAFT.
    pub(crate) requests: u64,
    /// Bytes received by kind of frame.
    pub(crate) bytes: BTreeMap<u8, u64>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) verdict: Option<Verdict>,
    store: BTreeMap<BulletinId, (Bytes, Wall, Wall, u32, u8)>,
    dropped: BTreeMap<BulletinId, (Wall, Wall)>,
    ends: BTreeMap<LinkId, End>,
    wakeup: Option<Mono>,
    config: Config,
}

/// All of it.
pub(crate) struct World {
    pub(crate) now: Mono,
    pub(crate) hosts: Vec<Host>,
    pub(crate) weather: Weather,
    pub(crate) network: Network,
    queue: BTreeMap<(Mono, u64), (usize, Delivery)>,
    seq: u64,
    next_link: u64,
    rng: ChaCha8Rng,
    by_id: BTreeMap<NodeId, usize>,
    /// Pairs that cannot hear each other, both ways.
    cuts: BTreeSet<(usize, usize)>,
    /// Hash over every action: two runs of one seed agree on it.
    pub(crate) trace: blake3::Hasher,
}

enum Delivery {
    Event(Event),
    Wakeup,
}

/// The seed of this run: `SEED` in the environment, or `default`.
#[expect(
    clippy::disallowed_methods,
    reason = "tests take their seed from the environment"
)]
pub(crate) fn seed(default: u64) -> u64 {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default);
    println!("SEED={seed}");
    seed
}

impl World {
    /// `count` nodes of an open network without price, none linked yet.
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        Self::with(
            count,
            seed,
            &Network::new("test", Price::FREE, None),
            |_| {},
        )
    }

    /// As `new`, in `network`, with every node's configuration changed by `tune`.
    pub(crate) fn with(
        count: usize,
        seed: u64,
        network: &Network,
        tune: impl Fn(&mut Config),
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut world = Self {
            now: Mono::ZERO,
            hosts: Vec::new(),
            weather: Weather::default(),
            network: network.clone(),
            queue: BTreeMap::new(),
            seq: 0,
            next_link: 1,
            rng: ChaCha8Rng::seed_from_u64(rng.next_u64()),
            by_id: BTreeMap::new(),
            cuts: BTreeSet::new(),
            trace: blake3::Hasher::new(),
        };
        for number in 0..count {
            let mut config = Config::new(network.clone());
            config.membership.private_exempt = true;
            tune(&mut config);
            world.add(number, config);
        }
        world
    }

    fn add(&mut self, number: usize, config: Config) {
        let key = SecretKey::from_seed(&self.random());
        self.by_id.insert(key.node_id(), number);
        let valid = config.clone().validate().expect("a valid configuration");
        let engine = Engine::new(key.node_id(), valid, self.random());
        self.hosts.push(Host {
            key,
            engine,
            alive: true,
            delivered: Vec::new(),
            copies: 0,
            requests: 0,
            bytes: BTreeMap::new(),
            notices: Vec::new(),
            verdict: None,
            store: BTreeMap::new(),
            dropped: BTreeMap::new(),
            ends: BTreeMap::new(),
            wakeup: None,
            config,
        });
        self.feed(number, Event::Addresses(vec![address(number)]));
    }

    fn random(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && self.rng.next_u64() % 1_000 < permille
    }

    pub(crate) fn clocks(&self) -> Now {
        let wall = Wall::from_millis(EPOCH_MS).plus(self.now.since(Mono::ZERO));
        Now {
            mono: self.now,
            wall,
        }
    }

    /// Tells `node` of `other`, as `--join` does.
    pub(crate) fn join(&mut self, node: usize, other: usize) {
        let peer = PeerAddress {
            id: self.hosts[other].key.node_id(),
            addresses: vec![address(other)],
        };
        self.feed(node, Event::Command(Command::Join(vec![peer])));
    }

    /// A bulletin of `node`, published at once; returns its id.
    pub(crate) fn publish(&mut self, node: usize, body: &[u8]) -> BulletinId {
        let wall = self.clocks().wall;
        let key = self.hosts[node].key.clone();
        let header = Header::post(TopicId::of("news"), key.author_id(), body, wall);
        let content = Bytes::copy_from_slice(body);
        let bulletin = Bulletin::sign(header, content, self.network.id(), &key);
        let id = *bulletin.id();
        self.feed(node, Event::Command(Command::Publish(Box::new(bulletin))));
        id
    }

    /// Ends `node` without a word.
    pub(crate) fn kill(&mut self, node: usize) {
        self.hosts[node].alive = false;
        let ends = std::mem::take(&mut self.hosts[node].ends);
        for end in ends.into_values() {
            // The transport notices by silence.
            self.later(
                Duration::from_secs(15),
                end.other,
                end.other_link,
                CloseReason::Dead,
                false,
            );
        }
    }

    /// Starts `node` again with what its store kept.
    pub(crate) fn restart(&mut self, node: usize) {
        let seed = self.random();
        let host = &mut self.hosts[node];
        let valid = host
            .config
            .clone()
            .validate()
            .expect("a valid configuration");
        let book = host.engine.address_book();
        host.engine = Engine::new(host.key.node_id(), valid, seed);
        host.alive = true;
        host.wakeup = None;
        let held = host
            .store
            .iter()
            .map(|(id, (_, created, expires, size, bits))| RestoredId {
                id: *id,
                created: *created,
                expires: *expires,
                held: Some((*size, *bits)),
            });
        let dropped = host
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
            address_book: book,
            horizon: Wall::default(),
        };
        self.feed(node, Event::Restored(Box::new(left)));
        self.feed(node, Event::Addresses(vec![address(node)]));
    }

    /// Cuts every pair that `apart` names; their connections die of silence.
    pub(crate) fn cut(&mut self, apart: impl Fn(usize, usize) -> bool) {
        for a in 0..self.hosts.len() {
            for b in 0..self.hosts.len() {
                if a != b && apart(a, b) {
                    self.cuts.insert((a, b));
                }
            }
        }
        for node in 0..self.hosts.len() {
            let cut: Vec<End> = self.hosts[node]
                .ends
                .values()
                .filter(|end| self.cuts.contains(&(node, end.other)))
                .copied()
                .collect();
            for end in cut {
                self.hosts[node].ends.remove(&end.link);
                self.later(
                    Duration::from_secs(15),
                    node,
                    end.link,
                    CloseReason::Dead,
                    false,
                );
            }
        }
    }

    /// Ends every cut.
    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
    }

    fn later(
        &mut self,
        after: Duration,
        node: usize,
        link: LinkId,
        reason: CloseReason,
        by_peer: bool,
    ) {
        let event = Event::LinkDown {
            link,
            reason,
            by_peer,
        };
        self.schedule(self.now.plus(after), node, Delivery::Event(event));
    }

    fn schedule(&mut self, at: Mono, node: usize, delivery: Delivery) {
        self.seq += 1;
        self.queue.insert((at, self.seq), (node, delivery));
    }

    /// Lets the world run for `time`.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some(entry) = self.queue.first_entry() {
            let (at, _) = *entry.key();
            if at > end {
                break;
            }
            let (node, delivery) = entry.remove();
            self.now = at;
            match delivery {
                Delivery::Event(event) => self.arrive(node, event),
                Delivery::Wakeup => {
                    let due = self.hosts[node].wakeup == Some(at);
                    if due && self.hosts[node].alive {
                        self.hosts[node].wakeup = None;
                        self.feed(node, Event::Wakeup);
                    }
                }
            }
        }
        self.now = end;
    }

    /// An event from outside: counted, then fed unless its link is gone.
    fn arrive(&mut self, node: usize, event: Event) {
        let host = &mut self.hosts[node];
        if !host.alive {
            return;
        }
        match &event {
            Event::Frame { link, frame } => {
                if !host.ends.contains_key(link) {
                    return;
                }
                let kind = frame.first().copied().unwrap_or(0);
                *host.bytes.entry(kind).or_default() += frame.len() as u64;
                if kind == kind::PUB {
                    host.copies += 1;
                }
            }
            Event::LinkDown { link, .. } => {
                host.ends.remove(link);
            }
            _ => {}
        }
        self.feed(node, event);
    }

    /// Hands an event to a node's engine and does what it says.
    pub(crate) fn feed(&mut self, node: usize, event: Event) {
        let now = self.clocks();
        let actions = self.hosts[node].engine.handle(event, now);
        for action in actions {
            self.trace.update(format!("{node} {action:?}").as_bytes());
            self.act(node, action);
        }
        self.arm(node);
    }

    fn arm(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        let Some(due) = host.engine.next_wakeup().map(|due| due.max(self.now)) else {
            return;
        };
        if host.wakeup.is_none_or(|at| due < at) {
            host.wakeup = Some(due);
            self.schedule(due, node, Delivery::Wakeup);
        }
    }

    fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Send { link, class, frame } => self.send(node, link, class, &frame),
            Action::Dial(address) => self.dial(node, &address),
            Action::Close { link, reason } => self.close(node, link, reason),
            Action::Verify { job, check } => {
                let good = check.holds();
                self.feed(node, Event::Verified { job, good });
            }
            Action::Sign { job, message } => {
                let signature = self.hosts[node].key.sign(&message);
                self.feed(node, Event::Signed { job, signature });
            }
            Action::Deliver { bulletin, hops, .. } => {
                let id = *bulletin.id();
                let header = &bulletin.header;
                let row = (
                    wire::encode_to_bytes(&*bulletin),
                    header.created,
                    header.expires(),
                    header.size_bytes,
                    bulletin.stamp.bits,
                );
                let now = self.now;
                let host = &mut self.hosts[node];
                host.delivered.push((id, hops, now));
                host.store.insert(id, row);
                self.schedule(
                    now.plus(Duration::from_millis(3)),
                    node,
                    Delivery::Event(Event::Persisted { ids: vec![id] }),
                );
            }
            Action::Persist(persist) => self.persist(node, persist),
            Action::Load { id } => {
                let bytes = self.hosts[node].store.get(&id).map(|row| row.0.clone());
                let event = Event::Loaded { id, bytes };
                let at = self.now.plus(Duration::from_millis(1));
                self.schedule(at, node, Delivery::Event(event));
            }
            Action::AskValidator { bulletin, .. } => {
                if let Some(verdict) = self.hosts[node].verdict {
                    self.feed(
                        node,
                        Event::Verdict {
                            id: *bulletin.id(),
                            verdict,
                        },
                    );
                }
            }
            Action::Notice(notice) => self.hosts[node].notices.push(notice),
        }
    }

    fn persist(&mut self, node: usize, persist: bruit_core::event::Persist) {
        use bruit_core::event::Persist;
        let host = &mut self.hosts[node];
        match persist {
            Persist::Seen {
                id,
                created,
                expires,
            } => {
                host.dropped.insert(id, (created, expires));
            }
            Persist::Evict { id } => {
                if let Some((_, created, expires, ..)) = host.store.remove(&id) {
                    host.dropped.insert(id, (created, expires));
                }
            }
            Persist::Purge { ids } => {
                for (id, _) in ids {
                    host.store.remove(&id);
                    host.dropped.remove(&id);
                }
            }
            Persist::Restamp { .. } | Persist::Horizon(_) => {}
        }
    }

    fn transit(&mut self) -> Duration {
        let jitter = u64::try_from(self.weather.jitter.as_micros())
            .expect("short")
            .max(1);
        let mut time = self.weather.delay + Duration::from_micros(self.rng.next_u64() % jitter);
        while self.chance(self.weather.loss_permille) {
            time += self.weather.delay * 3 + Duration::from_millis(25);
        }
        time
    }

    fn send(&mut self, node: usize, link: LinkId, class: Class, frame: &Bytes) {
        let kind = frame.first().copied().unwrap_or(0);
        let transit = self.transit();
        let twice = kind == kind::PUB && self.chance(self.weather.duplicate_permille);
        let now = self.now;
        let host = &mut self.hosts[node];
        if let Ok(wire::Frame::Iwant { ids } | wire::Frame::Graft { ids, .. }) =
            wire::Frame::decode(frame, self.network.id())
        {
            host.requests += ids.len() as u64;
        }
        let Some(end) = host.ends.get_mut(&link) else {
            return;
        };
        let stream = usize::from(class == Class::Bulletins);
        let at = now.plus(transit).max(end.last[stream]);
        end.last[stream] = at;
        let (other, other_link) = (end.other, end.other_link);
        let bytes = u32::try_from(frame.len() + 4).expect("frames are small");
        for _ in 0..=usize::from(twice) {
            let event = Event::Frame {
                link: other_link,
                frame: frame.clone(),
            };
            self.schedule(at, other, Delivery::Event(event));
        }
        let credit = Event::Credit { link, class, bytes };
        self.schedule(
            now.plus(Duration::from_millis(1)),
            node,
            Delivery::Event(credit),
        );
    }

    fn dial(&mut self, node: usize, address: &PeerAddress) {
        let known = self.by_id.get(&address.id).copied();
        let reachable = known.filter(|other| {
            self.hosts[*other].alive
                && *other != node
                && !self.cuts.contains(&(node, *other))
                && !self.cuts.contains(&(*other, node))
        });
        let Some(other) = reachable else {
            let event = Event::DialFailed { peer: address.id };
            let at = self.now.plus(Duration::from_secs(3));
            self.schedule(at, node, Delivery::Event(event));
            return;
        };
        let at = self.now.plus(self.transit() + self.transit());
        let (link, other_link) = (LinkId::new(self.next_link), LinkId::new(self.next_link + 1));
        self.next_link += 2;
        for (me, my_link, you, your_link, direction) in [
            (node, link, other, other_link, Direction::Out),
            (other, other_link, node, link, Direction::In),
        ] {
            let end = End {
                node: me,
                link: my_link,
                other: you,
                other_link: your_link,
                last: [at; 2],
            };
            self.hosts[me].ends.insert(my_link, end);
            let event = Event::LinkUp {
                link: my_link,
                peer: self.hosts[you].key.node_id(),
                direction,
                remote: Some(self::address(you)),
                control_credit: CREDIT,
                bulletins_credit: CREDIT,
            };
            self.schedule(at, me, Delivery::Event(event));
        }
    }

    fn close(&mut self, node: usize, link: LinkId, reason: CloseReason) {
        let Some(end) = self.hosts[node].ends.remove(&link) else {
            return;
        };
        debug_assert_eq!(end.node, node);
        self.later(Duration::ZERO, node, link, reason, false);
        let transit = self.transit();
        self.later(transit, end.other, end.other_link, reason, true);
    }

    /// Starts `node` anew with a changed configuration.
    pub(crate) fn tune(&mut self, node: usize, tune: impl Fn(&mut Config)) {
        tune(&mut self.hosts[node].config);
        self.restart(node);
    }

    /// Takes in a host that was made in another world.
    pub(crate) fn adopt(&mut self, number: usize) {
        self.by_id.insert(self.hosts[number].key.node_id(), number);
    }

    // Reading.

    /// How often each living node delivered `id`: smallest and largest count.
    pub(crate) fn deliveries(&self, id: &BulletinId) -> (usize, usize) {
        let counts = self.hosts.iter().filter(|host| host.alive).map(|host| {
            host.delivered
                .iter()
                .filter(|(delivered, ..)| delivered == id)
                .count()
        });
        counts.fold((usize::MAX, 0), |(low, high), count| {
            (low.min(count), high.max(count))
        })
    }

    /// Copies received for each delivery beyond the first, since the counts were `before`.
    pub(crate) fn redundancy(&self, before: (u64, u64)) -> f64 {
        let (copies, deliveries) = self.totals();
        let (copies, deliveries) = (copies - before.0, deliveries - before.1);
        copies as f64 / deliveries as f64 - 1.0
    }

    /// PUB frames received and bulletins delivered that came from elsewhere, by all.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let copies = self.hosts.iter().map(|host| host.copies).sum();
        let delivered = self
            .hosts
            .iter()
            .flat_map(|host| &host.delivered)
            .filter(|(_, hops, _)| *hops > 0);
        (copies, delivered.count() as u64)
    }

    /// Sizes of the parts into which the living nodes fall, by their established links.
    pub(crate) fn components(&self) -> Vec<usize> {
        let mut left: BTreeSet<usize> = (0..self.hosts.len())
            .filter(|node| self.hosts[*node].alive)
            .collect();
        let mut sizes = Vec::new();
        while let Some(start) = left.pop_first() {
            let (mut frontier, mut size) = (vec![start], 0);
            while let Some(node) = frontier.pop() {
                size += 1;
                for link in self.hosts[node]
                    .engine
                    .links()
                    .iter()
                    .filter(|link| link.established)
                {
                    let other = self.by_id[&link.peer];
                    if left.remove(&other) {
                        frontier.push(other);
                    }
                }
            }
            sizes.push(size);
        }
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    }
}

/// Where node `number` listens: each in a group of its own.
fn address(number: usize) -> SocketAddr {
    let [high, low] = u16::try_from(number).expect("small worlds").to_be_bytes();
    SocketAddr::from(([10 + high, low, 0, 1], 7_447))
}
