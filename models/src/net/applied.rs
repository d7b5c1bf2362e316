//! What an action does: to whom it is given, and what becomes of what that node says to it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bruit_core::id::LinkId;
use bruit_core::link::{Class, CloseReason, Direction};

use super::super::node::{Input, Node, Output};
use super::wire::{self, End, Streams, Wire};
use super::{Action, Net, State, Stepped, ordered};

impl Net {
    /// The state after `action`.
    pub fn next(&self, state: &State, action: Action) -> State {
        let mut next = state.clone();
        self.apply(&mut next, action);
        next
    }

    pub(super) fn apply(&self, state: &mut State, action: Action) {
        match action {
            Action::Deliver(link, end, class) => {
                if let Some((node, frame)) = wire::take(&mut state.wires, link, end, class) {
                    self.feed(state, node, &Input::Frame(link, frame));
                }
            }
            Action::Swallow(link, end, class) => {
                wire::take(&mut state.wires, link, end, class);
                state.left.swallowed -= 1;
            }
            Action::Accept(link) => self.accept(state, link),
            Action::Told(link, end) => self.told(state, link, end),
            Action::Wake(node) => {
                if state.nodes[node].due() != Some(Duration::ZERO) {
                    state.left.hurries -= 1;
                }
                self.feed(state, node, &Input::Wake);
            }
            Action::Pass => {
                let time = self.next_due(state).unwrap_or_default();
                for node in 0..state.nodes.len() {
                    self.feed(state, node, &Input::Pass(time));
                }
            }
            Action::Checked(node) => self.feed(state, node, &Input::Checked),
            Action::Connect(from, to) => {
                state.dials.remove(&(from, to));
                self.connect(state, from, to);
            }
            Action::Miss(from, to) => {
                state.dials.remove(&(from, to));
                if state.nodes[to].is_running() {
                    state.left.misses -= 1;
                }
                self.feed(state, from, &Input::NotReached(to));
            }
            Action::Cut(link) => {
                state.left.cuts -= 1;
                wire::cut(&mut state.wires, link, CloseReason::Dead);
            }
            Action::Link(from, to) => {
                state.left.links -= 1;
                self.connect(state, from, to);
            }
            Action::Publish(bulletin, node) => {
                state.publish.remove(&bulletin);
                self.feed(state, node, &Input::Publish(bulletin));
            }
            Action::Crash(node) => {
                state.left.crashes -= 1;
                self.end(state, node, &Input::Crash);
            }
            Action::Leave(node) => {
                state.left.leaves -= 1;
                self.end(state, node, &Input::Leave);
            }
            Action::Restart(node) => self.restart(state, node),
        }
    }

    /// Has a node take `input`, and passes on what it does.
    pub(super) fn feed(&self, state: &mut State, node: usize, input: &Input) {
        let (next, outputs) = self.step(&state.nodes[node], input);
        state.nodes[node] = next;
        for output in outputs.iter() {
            match output {
                Output::Send(link, class, frame) => {
                    let class = if self.cast.has_one_stream {
                        Class::Control
                    } else {
                        *class
                    };
                    wire::send(&mut state.wires, node, *link, class, frame);
                }
                Output::Close(link, reason) => wire::close(&mut state.wires, node, *link, *reason),
                Output::Dial(peer) => {
                    state.dials.insert((node, *peer));
                }
            }
        }
    }

    /// What a node does about `input`, worked out once.
    fn step(&self, node: &Node, input: &Input) -> Stepped {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let key = (node.print(), hasher.finish());
        let steps = || self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stepped) = steps().get(&key) {
            return stepped.clone();
        }
        let (next, outputs) = node.step(&self.cast, input);
        let stepped: Stepped = (Arc::new(next), outputs.into());
        steps().entry(key).or_insert(stepped).clone()
    }

    pub(super) fn connect(&self, state: &mut State, from: usize, to: usize) {
        let pair = ordered([from, to]);
        let made = state.made.entry(pair).or_default();
        *made += 1;
        let number = (pair.0 * 10 + pair.1) * 100 + usize::from(*made);
        let link = LinkId::new(u64::try_from(number).expect("a small number"));
        let wire = Wire {
            nodes: [from, to],
            ends: [End::Up, End::Coming],
            streams: Default::default(),
            over: None,
            by: None,
        };
        state.wires.insert(link, wire);
        self.feed(state, from, &Input::Up(link, to, Direction::Out));
    }

    /// Whoever was dialled learns that the connection is there.
    fn accept(&self, state: &mut State, link: LinkId) {
        let Some(wire) = state.wires.get_mut(&link) else {
            return;
        };
        wire.ends[1] = End::Up;
        let [peer, node] = wire.nodes;
        self.feed(state, node, &Input::Up(link, peer, Direction::In));
    }

    /// An end learns that the connection is over.
    fn told(&self, state: &mut State, link: LinkId, end: usize) {
        let Some(wire) = state.wires.get_mut(&link) else {
            return;
        };
        wire.ends[end] = End::Down;
        wire.streams[end] = Streams::default();
        let (node, reason) = (wire.nodes[end], wire.over.unwrap_or(CloseReason::Dead));
        let by_peer = wire.by.is_some();
        wire::tidy(&mut state.wires, link);
        self.feed(state, node, &Input::Down(link, reason, by_peer));
    }

    /// Ends a node: whoever it is linked with learns of it later.
    fn end(&self, state: &mut State, node: usize, how: &Input) {
        self.feed(state, node, how);
        state.dials.retain(|(from, _)| *from != node);
        let links: Vec<LinkId> = state.wires.keys().copied().collect();
        for link in links {
            let Some(wire) = state.wires.get_mut(&link) else {
                continue;
            };
            let Some(end) = wire.nodes.iter().position(|one| *one == node) else {
                continue;
            };
            wire.ends[end] = End::Down;
            wire::cut(&mut state.wires, link, CloseReason::Dead);
        }
    }

    /// A node that ended begins again, and joins whom it was told of.
    fn restart(&self, state: &mut State, node: usize) {
        self.feed(state, node, &Input::Start);
        for (from, peer) in state.joins.clone().iter() {
            if *from == node {
                self.feed(state, node, &Input::Join(*peer));
            }
        }
    }
}
