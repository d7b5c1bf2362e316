//! One node: an engine, its clock and its store, as a value that one input makes into the next.
//!
//! The invariant: a node is a function of what happened to it, so that two with one [`Node::print`] go on
//! alike.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::config::Config;
use bruit_core::engine::Engine;
use bruit_core::event::{Action, Command, Event, JobId, Notice, Restored, RestoredId};
use bruit_core::id::{LinkId, NodeId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::wire;
use bytes::Bytes;

/// The wall clock at the start, at a full minute, in milliseconds since 1970.
const EPOCH_MS: u64 = 1_800_000_000_000;
/// Bytes that may be under way on a stream: more than there ever are.
const CREDIT: u32 = 1 << 20;

/// Who takes part, and what they may publish: what is the same in every state.
#[derive(Debug)]
pub struct Cast {
    config: Config,
    keys: Vec<SecretKey>,
    bulletins: Vec<Bulletin>,
    /// Whether nodes know addresses, and so can dial.
    pub has_addresses: bool,
    /// Whether all frames of a direction keep their order, or those of each stream.
    pub has_one_stream: bool,
    /// Whether a signature is checked while other things happen, or at once.
    pub checks_wait: bool,
}

impl Cast {
    /// `nodes` nodes and `bulletins` bulletins, made a second apart and some minutes ago.
    pub fn new(nodes: u8, bulletins: u8, config: Config) -> Self {
        let keys = (1..=nodes).map(|number| SecretKey::from_seed(&[number; 32]));
        let author = SecretKey::from_seed(&[200; 32]);
        let made = |number: u8| {
            let age = Duration::from_secs(300 - u64::from(number));
            let created = Wall::from_millis(EPOCH_MS).minus(age);
            let body = [number; 8];
            let header = Header::post(TopicId::of("news"), author.author_id(), &body, created);
            let content = Bytes::copy_from_slice(&body);
            Bulletin::sign(header, content, config.network.id(), &author)
        };
        let bulletins = (0..bulletins).map(made).collect();
        Self {
            keys: keys.collect(),
            bulletins,
            config,
            has_addresses: false,
            has_one_stream: false,
            checks_wait: false,
        }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.keys.len()
    }

    /// How many links a node may have at most.
    pub fn links_max(&self) -> usize {
        let membership = &self.config.membership;
        membership.outbound + membership.inbound_max
    }

    /// What kind of frame this is.
    pub fn kind(&self, frame: &Bytes) -> Option<String> {
        let frame = wire::Frame::decode(frame, self.config.network.id()).ok()?;
        let text = format!("{frame:?}");
        text.split([' ', '(']).next().map(str::to_owned)
    }

    fn id(&self, node: usize) -> NodeId {
        self.keys[node].node_id()
    }

    fn number(&self, id: &NodeId) -> Option<usize> {
        (0..self.nodes()).find(|node| self.id(*node) == *id)
    }

    fn address(&self, node: usize) -> Option<SocketAddr> {
        let group = u8::try_from(node).expect("few nodes");
        self.has_addresses
            .then(|| SocketAddr::from(([11 + group, 1, 1, 1], 7_447)))
    }

    fn engine(&self, node: usize, life: u8) -> Engine {
        let config = self.config.clone().validate();
        let mut seed = [life; 32];
        seed[0] = u8::try_from(node).expect("few nodes");
        Engine::new(
            self.id(node),
            config.expect("the model's configuration is valid"),
            seed,
        )
    }
}

/// What happens to a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// It begins a life with what its store kept.
    Start,
    /// It ends without a word.
    Crash,
    /// The moment it waits for has come; its clock says so.
    Wake,
    /// Its clock goes on.
    Pass(Duration),
    /// The oldest signature being checked is good.
    Checked,
    /// A connection is open.
    Up(LinkId, usize, Direction),
    /// A connection is gone: why, and whether the other side said so.
    Down(LinkId, CloseReason, bool),
    /// A frame came.
    Frame(LinkId, Bytes),
    /// It cannot be reached.
    NotReached(usize),
    /// Its application links to a node.
    Join(usize),
    /// Its application publishes a bulletin.
    Publish(usize),
    /// Its application has it say goodbye.
    Leave,
}

/// What a node does to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It sends a frame.
    Send(LinkId, Class, Bytes),
    /// It has closed a connection and tells why.
    Close(LinkId, CloseReason),
    /// It dials.
    Dial(usize),
}

/// A node at a moment.
#[derive(Debug, Clone)]
pub struct Node {
    number: usize,
    life: u8,
    engine: Option<Box<Engine>>,
    clock: Mono,
    /// Of each bulletin, how often it was delivered.
    delivered: Vec<u8>,
    book: Bytes,
    checks: VecDeque<JobId>,
    /// What was found wrong with it.
    fault: Option<String>,
    print: u64,
}

impl Node {
    /// One that has not started, with `held` bulletins in its store.
    pub fn new(cast: &Cast, number: usize, held: &[usize]) -> Self {
        let bulletins = 0..cast.bulletins.len();
        let mut node = Self {
            number,
            life: 0,
            engine: None,
            clock: Mono::from_micros(1_000_000),
            delivered: bulletins.map(|one| u8::from(held.contains(&one))).collect(),
            book: Bytes::new(),
            checks: VecDeque::new(),
            fault: None,
            print: 0,
        };
        node.print = node.fingerprint();
        node
    }

    /// What distinguishes it from any other node in any other state: all that its engine is made of, but for
    /// its counters and for how far its random generators are, which say nothing of themselves.
    pub const fn print(&self) -> u64 {
        self.print
    }

    /// Whether it runs.
    pub const fn is_running(&self) -> bool {
        self.engine.is_some()
    }

    /// What was found wrong with it.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Whether a signature waits to be checked.
    pub fn is_checking(&self) -> bool {
        !self.checks.is_empty()
    }

    /// How often it has delivered each bulletin.
    pub fn delivered(&self) -> &[u8] {
        &self.delivered
    }

    /// How long from now it wants to be woken.
    pub fn due(&self) -> Option<Duration> {
        let due = self.engine.as_ref()?.next_wakeup()?;
        Some(due.since(self.clock))
    }

    /// Its established links, by the number of the neighbour, and whether they are in the mesh.
    pub fn neighbours(&self, cast: &Cast) -> Vec<(usize, LinkId, bool)> {
        let links = self.engine.iter().flat_map(|engine| engine.links());
        let mut neighbours: Vec<_> = links
            .filter(|link| link.established)
            .filter_map(|link| Some((cast.number(&link.peer)?, link.link, link.mesh)))
            .collect();
        neighbours.sort_unstable();
        neighbours
    }

    /// What becomes of it, and what it does.
    #[must_use]
    pub fn step(&self, cast: &Cast, input: &Input) -> (Self, Vec<Output>) {
        let mut next = self.clone();
        let mut outputs = Vec::new();
        match input {
            Input::Start => next.start(cast, &mut outputs),
            Input::Crash => next.end(),
            Input::Wake => {
                let due = next.due().unwrap_or_default();
                next.clock = next.clock.plus(due);
                next.handle(cast, Event::Wakeup, &mut outputs);
            }
            Input::Pass(time) => next.clock = next.clock.plus(*time),
            Input::Checked => {
                if let Some(job) = next.checks.pop_front() {
                    next.handle(cast, Event::Verified { job, good: true }, &mut outputs);
                }
            }
            Input::Leave => {
                next.handle(cast, Event::Command(Command::Shutdown), &mut outputs);
                next.end();
            }
            other => {
                let event = event(cast, other);
                next.handle(cast, event, &mut outputs);
            }
        }
        next.look_after(cast);
        next.print = next.fingerprint();
        (next, outputs)
    }

    fn start(&mut self, cast: &Cast, outputs: &mut Vec<Output>) {
        self.engine = Some(Box::new(cast.engine(self.number, self.life)));
        let held = cast.bulletins.iter().zip(&self.delivered);
        let held = held.filter(|(_, times)| **times > 0);
        let seen = held.map(|(bulletin, _)| RestoredId {
            id: *bulletin.id(),
            topic: Some(bulletin.header.topic),
            created: bulletin.header.created,
            expires: bulletin.header.expires(),
            held: Some((bulletin.header.size_bytes, bulletin.stamp.bits)),
            version: None,
        });
        let restored = Restored {
            seen: seen.collect(),
            address_book: self.book.clone(),
            ..Restored::default()
        };
        self.handle(cast, Event::Restored(Box::new(restored)), outputs);
        if let Some(address) = cast.address(self.number) {
            self.handle(cast, Event::Addresses(vec![address]), outputs);
        }
    }

    fn end(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.book = engine.address_book();
        }
        self.checks.clear();
        self.life += 1;
    }

    /// Has the engine take `event` and does what it asks for.
    fn handle(&mut self, cast: &Cast, event: Event, outputs: &mut Vec<Output>) {
        let wall = EPOCH_MS + self.clock.as_micros() / 1_000;
        let now = Now {
            mono: self.clock,
            wall: Wall::from_millis(wall),
        };
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let Some(engine) = &mut self.engine else {
                return;
            };
            for action in engine.handle(event, now) {
                self.act(cast, action, &mut events, outputs);
            }
        }
    }

    fn act(
        &mut self,
        cast: &Cast,
        action: Action,
        events: &mut VecDeque<Event>,
        outputs: &mut Vec<Output>,
    ) {
        match action {
            Action::Send { link, class, frame } => {
                let bytes = u32::try_from(frame.len() + 4).expect("a short frame");
                events.push_back(Event::Credit { link, class, bytes });
                outputs.push(Output::Send(link, class, frame));
            }
            Action::Dial(address) => {
                let peer = cast.number(&address.id).expect("nobody else is known");
                outputs.push(Output::Dial(peer));
            }
            Action::Close { link, reason } => {
                outputs.push(Output::Close(link, reason));
                events.push_back(Event::LinkDown {
                    link,
                    reason,
                    by_peer: false,
                });
            }
            Action::Verify { job, .. } if cast.checks_wait => self.checks.push_back(job),
            // All are honest: what they sign is good.
            Action::Verify { job, .. } => events.push_back(Event::Verified { job, good: true }),
            Action::Sign { job, message } => {
                let signature = cast.keys[self.number].sign(&message);
                events.push_back(Event::Signed { job, signature });
            }
            Action::Deliver { bulletin, .. } => {
                let is_it = |one: &Bulletin| one.id() == bulletin.id();
                let number = cast.bulletins.iter().position(is_it);
                let times = &mut self.delivered[number.expect("nothing else is published")];
                *times = times.saturating_add(1);
                if *times > 1 {
                    self.fault = Some("delivered a bulletin twice".to_owned());
                }
                let ids = vec![*bulletin.id()];
                events.push_back(Event::Persisted { ids });
            }
            Action::Load { id } => {
                let held = cast.bulletins.iter().zip(&self.delivered);
                let mut held = held.filter(|(_, times)| **times > 0);
                let found = held.find(|(bulletin, _)| *bulletin.id() == id);
                let bytes = found.map(|(bulletin, _)| wire::encode_to_bytes(bulletin));
                events.push_back(Event::Loaded { id, bytes });
            }
            Action::Notice(Notice::Misbehaved { how, .. }) => {
                self.fault = Some(format!("blamed an honest neighbour, which {how}"));
            }
            _ => {}
        }
    }

    /// Notes what is wrong with it whatever happens around it.
    fn look_after(&mut self, cast: &Cast) {
        let Some(engine) = self.engine.as_ref().filter(|_| self.fault.is_none()) else {
            return;
        };
        let fills = engine.fills(&cast.config);
        if let Some(fill) = fills.iter().find(|fill| fill.used > fill.most) {
            self.fault = Some(format!("holds {} {}", fill.used, fill.what));
        }
        let mut peers: Vec<NodeId> = engine.links().iter().map(|link| link.peer).collect();
        let all = peers.len();
        peers.sort_unstable();
        peers.dedup();
        if peers.len() < all {
            self.fault = Some("counts two links to one neighbour".to_owned());
        }
        if all > cast.links_max() {
            self.fault = Some(format!("has {all} links"));
        }
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let all = (self.number, self.life, self.clock, &self.delivered);
        (all, &self.book, &self.checks, &self.fault).hash(&mut hasher);
        if let Some(engine) = &self.engine {
            let mut text = String::new();
            let mut counters = String::new();
            write!(text, "{engine:?}").expect("a string takes it");
            write!(counters, "{:?}", engine.metrics()).expect("a string takes it");
            text.replacen(&counters, "", 1).hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn event(cast: &Cast, input: &Input) -> Event {
    match input {
        Input::Up(link, peer, direction) => Event::LinkUp {
            link: *link,
            peer: cast.id(*peer),
            direction: *direction,
            remote: cast.address(*peer),
            control_credit: CREDIT,
            bulletins_credit: CREDIT,
        },
        Input::Down(link, reason, by_peer) => Event::LinkDown {
            link: *link,
            reason: *reason,
            by_peer: *by_peer,
        },
        Input::Frame(link, frame) => Event::Frame {
            link: *link,
            frame: frame.clone(),
        },
        Input::NotReached(peer) => Event::DialFailed {
            peer: cast.id(*peer),
        },
        Input::Join(peer) => Event::Command(Command::Join(vec![PeerAddress {
            id: cast.id(*peer),
            addresses: cast.address(*peer).into_iter().collect(),
        }])),
        Input::Publish(bulletin) => {
            let bulletin = cast.bulletins[*bulletin].clone();
            Event::Command(Command::Publish(Box::new(bulletin)))
        }
        // What has an event says so above, and in [`Node::step`].
        _ => Event::Wakeup,
    }
}
