//! A network as a state: nodes, the wires between them, and what may still happen to them.
//!
//! What may happen next is a list of [`Action`]s; each makes another state, and the same one always the same.
//! Frames of one stream keep their order, the two streams of a direction have none between them, the ends of
//! a connection learn of its end one after the other. Every node has a clock of its own. Time passes for all
//! when nothing else can happen; besides, as often as [`Left::hurries`] says, one node's clock runs ahead to
//! its next timer: to all others it is as if they were slow.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bruit_core::id::LinkId;
use bruit_core::link::Class;

use super::node::{Cast, Input, Node, Output};
use wire::{End, Wires};

mod applied;
mod asked;
mod wire;

/// How many more times something may happen that need not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Left {
    /// A connection dies.
    pub cuts: u8,
    /// A connection is made again where one has died.
    pub links: u8,
    /// A node ends without a word.
    pub crashes: u8,
    /// A node says goodbye and ends.
    pub leaves: u8,
    /// A node that could be reached is not.
    pub misses: u8,
    /// A node is woken by a timer while something else could happen.
    pub hurries: u8,
    /// A planted fault: a frame vanishes and the connection stays.
    pub swallowed: u8,
}

impl Left {
    /// Nothing but what must.
    pub const NOTHING: Self = Self {
        cuts: 0,
        links: 0,
        crashes: 0,
        leaves: 0,
        misses: 0,
        hurries: 0,
        swallowed: 0,
    };
}

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The next frame of a stream arrives at this end of a connection.
    Deliver(LinkId, usize, Class),
    /// It does not, and nobody is told.
    Swallow(LinkId, usize, Class),
    /// Who was dialled hears of the connection.
    Accept(LinkId),
    /// This end learns that the connection is gone.
    Told(LinkId, usize),
    /// A node is woken.
    Wake(usize),
    /// Time passes until a node is due.
    Pass,
    /// A signature was checked.
    Checked(usize),
    /// A dial succeeds.
    Connect(usize, usize),
    /// A dial fails.
    Miss(usize, usize),
    /// A connection dies.
    Cut(LinkId),
    /// The first is linked to the second, whatever they think of it.
    Link(usize, usize),
    /// A bulletin is published at a node.
    Publish(usize, usize),
    /// A node ends without a word.
    Crash(usize),
    /// A node says goodbye and ends.
    Leave(usize),
    /// It begins anew.
    Restart(usize),
}

/// The network at a moment.
#[derive(Debug, Clone)]
pub struct State {
    nodes: Vec<Arc<Node>>,
    wires: Wires,
    dials: BTreeSet<(usize, usize)>,
    /// Connections made so far between two nodes.
    made: BTreeMap<(usize, usize), u8>,
    /// What is still to be published, and where.
    publish: BTreeMap<usize, usize>,
    /// Whom each application wants to be linked with, now and after a restart.
    joins: Arc<[(usize, usize)]>,
    left: Left,
}

impl State {
    fn key(&self) -> impl Hash + PartialEq {
        let prints: Vec<u64> = self.nodes.iter().map(|node| node.print()).collect();
        (
            prints,
            &self.wires,
            &self.dials,
            &self.made,
            &self.publish,
            self.left,
        )
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}

/// A node's next state and what it does.
type Stepped = (Arc<Node>, Arc<[Output]>);

/// Who takes part, and where it begins.
#[derive(Debug)]
pub struct Net {
    cast: Cast,
    /// What becomes due within so long is waited for; later it is the next day.
    patience: Duration,
    begins: Vec<State>,
    /// What nodes did before: a node steps some thousand times less often than the network does.
    steps: Mutex<HashMap<(u64, u64), Stepped>>,
}

impl Net {
    /// A network of `cast`, without a place to begin yet.
    pub fn new(cast: Cast, patience: Duration) -> Self {
        Self {
            cast,
            patience,
            begins: Vec::new(),
            steps: Mutex::default(),
        }
    }

    /// Who takes part.
    pub const fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Where it may begin.
    pub fn begins(&self) -> &[State] {
        &self.begins
    }

    /// How many states of single nodes were met so far.
    pub fn steps(&self) -> usize {
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// A network that may begin like this: every node started, with these bulletins in its store.
    pub fn started(&self, held: &[&[usize]]) -> State {
        let fresh =
            |(number, held): (usize, &&[usize])| Arc::new(Node::new(&self.cast, number, held));
        let mut state = State {
            nodes: held.iter().enumerate().map(fresh).collect(),
            wires: BTreeMap::new(),
            dials: BTreeSet::new(),
            made: BTreeMap::new(),
            publish: BTreeMap::new(),
            joins: Arc::default(),
            left: Left::default(),
        };
        for node in 0..state.nodes.len() {
            self.feed(&mut state, node, &Input::Start);
        }
        state
    }

    /// The same, with these connections up and greeted over, and nobody woken since.
    pub fn linked(&self, mut state: State, links: &[(usize, usize)]) -> State {
        for (from, to) in links {
            self.connect(&mut state, *from, *to);
        }
        let passes = |action: &Action| {
            matches!(
                action,
                Action::Accept(_) | Action::Deliver(..) | Action::Checked(_)
            )
        };
        while let Some(action) = Self::pending(&state).into_iter().find(passes) {
            self.apply(&mut state, action);
        }
        state
    }

    /// The same, once the first of each pair was asked for a link to the second.
    pub fn joined(&self, mut state: State, joins: &[(usize, usize)]) -> State {
        state.joins = joins.into();
        for (node, peer) in joins {
            self.feed(&mut state, *node, &Input::Join(*peer));
        }
        state
    }

    /// The same, once it has come to rest one way or another.
    pub fn settled(&self, mut state: State) -> State {
        while let Some(action) = self.actions(&state).into_iter().next() {
            self.apply(&mut state, action);
        }
        state
    }

    /// Has the network begin with `state`, in which so much may happen and the bulletins of `publish` be
    /// published, each at its node.
    pub fn begin(&mut self, mut state: State, left: Left, publish: &[(usize, usize)]) {
        state.left = left;
        state.publish = publish.iter().copied().collect();
        self.begins.push(state);
    }

    /// What may happen next.
    pub fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions = Self::pending(state);
        let is_silent = actions.is_empty();
        actions.extend(self.timers(state, is_silent));
        let left = state.left;
        if left.swallowed > 0 {
            let swallowed = actions.iter().filter_map(|action| match action {
                Action::Deliver(link, end, class) => Some(Action::Swallow(*link, *end, *class)),
                _ => None,
            });
            let swallowed: Vec<Action> = swallowed.collect();
            actions.extend(swallowed);
        }
        if left.cuts > 0 {
            let open = state.wires.iter().filter(|(_, wire)| wire.over.is_none());
            actions.extend(open.map(|(link, _)| Action::Cut(*link)));
        }
        if left.links > 0 {
            let apart = state.made.keys().filter(|pair| {
                let mut nodes = state.wires.values().map(|wire| wire.nodes);
                !nodes.any(|nodes| ordered(nodes) == **pair)
            });
            actions.extend(apart.map(|(from, to)| Action::Link(*from, *to)));
        }
        let published = state.publish.iter();
        actions.extend(published.map(|(bulletin, node)| Action::Publish(*bulletin, *node)));
        for (node, there) in state.nodes.iter().enumerate() {
            if !there.is_running() {
                actions.push(Action::Restart(node));
                continue;
            }
            if left.crashes > 0 {
                actions.push(Action::Crash(node));
            }
            if left.leaves > 0 {
                actions.push(Action::Leave(node));
            }
        }
        actions
    }

    /// What is on its way, or due at this very moment.
    fn pending(state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        for (link, wire) in &state.wires {
            for end in 0..2 {
                match wire.ends[end] {
                    End::Coming => actions.push(Action::Accept(*link)),
                    End::Up => {
                        let classes = [Class::Control, Class::Bulletins];
                        let waiting = classes.into_iter().zip(&wire.streams[end]);
                        let waiting = waiting.filter(|(_, stream)| !stream.is_empty());
                        actions
                            .extend(waiting.map(|(class, _)| Action::Deliver(*link, end, class)));
                        if wire.over.is_some() {
                            actions.push(Action::Told(*link, end));
                        }
                    }
                    End::Down => {}
                }
            }
        }
        for (from, to) in &state.dials {
            let is_there = state.nodes[*to].is_running();
            if is_there {
                actions.push(Action::Connect(*from, *to));
            }
            if !is_there || state.left.misses > 0 {
                actions.push(Action::Miss(*from, *to));
            }
        }
        for (number, node) in state.nodes.iter().enumerate() {
            if node.is_checking() {
                actions.push(Action::Checked(number));
            }
            if node.due() == Some(Duration::ZERO) {
                actions.push(Action::Wake(number));
            }
        }
        actions
    }

    /// What time may do.
    fn timers(&self, state: &State, is_silent: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        if is_silent && self.next_due(state).is_some() {
            actions.push(Action::Pass);
        }
        if state.left.hurries > 0 {
            let soon = |node: &Node| self.due(node).is_some_and(|due| !due.is_zero());
            let nodes = state.nodes.iter().enumerate();
            let nodes = nodes.filter(|(_, node)| soon(node));
            actions.extend(nodes.map(|(number, _)| Action::Wake(number)));
        }
        actions
    }

    /// When a node is to be woken, if that is waited for.
    fn due(&self, node: &Node) -> Option<Duration> {
        node.due().filter(|due| *due <= self.patience)
    }

    /// How long until the first node is due. While one is down, time stands still.
    fn next_due(&self, state: &State) -> Option<Duration> {
        let dues = state.nodes.iter().filter_map(|node| self.due(node));
        dues.min().filter(|_| state.all_run())
    }

    /// Whether nothing happens any more unless somebody makes it happen.
    pub fn is_quiet(&self, state: &State) -> bool {
        self.next_due(state).is_none() && Self::pending(state).is_empty()
    }

    /// What `action` is in words, frames by their kind.
    pub fn words(&self, state: &State, action: Action) -> String {
        let frame = match action {
            Action::Deliver(link, end, class) | Action::Swallow(link, end, class) => {
                let wire = state.wires.get(&link);
                wire.and_then(|wire| wire.streams[end][wire::stream(class)].front())
            }
            _ => None,
        };
        let kind = frame.and_then(|frame| self.cast.kind(frame));
        format!("{action:?} {}", kind.unwrap_or_default())
    }
}

fn ordered([one, other]: [usize; 2]) -> (usize, usize) {
    (one.min(other), one.max(other))
}
