//! What can be read off a world.

use std::net::SocketAddr;

use bruit_core::bulletin::Bulletin;
use bruit_core::engine::{Engine, Fill};
use bruit_core::event::Notice;
use bruit_core::id::{LinkId, NodeId};
use bruit_core::identity::SecretKey;
use bruit_core::link::CloseReason;
use bruit_core::time::{Mono, Wall};
use bruit_core::work::Stamp;

use super::{Blame, EPOCH_MS, World};
use crate::ledger::{BulletinNumber, Ledger};
use crate::wires::End;

impl World {
    /// Adds to the trace what `node` did.
    pub(super) fn note(&mut self, node: usize, what: u8, bytes: &[u8]) {
        let Some(trace) = &mut self.trace else { return };
        trace.update(&self.now.as_micros().to_be_bytes());
        trace.update(&(node as u64).to_be_bytes());
        trace.update(&[what]);
        trace.update(bytes);
    }

    /// Hash over everything that was sent, dialled and delivered, and when: two runs agree on it, or
    /// something in them was not determined.
    ///
    /// # Panics
    /// Where it was forgone.
    pub fn trace(&self) -> [u8; 32] {
        let trace = self.trace.as_ref();
        trace.expect("a trace that was not forgone").hash()
    }

    /// Does without the trace: it takes a twelfth of the work.
    pub(crate) fn forgo_trace(&mut self) {
        self.trace = None;
    }

    /// The moment it has come to.
    pub const fn now(&self) -> Mono {
        self.now
    }

    /// The right time of day: what a node reads whose clock is not wrong.
    pub fn wall(&self) -> Wall {
        Wall::from_millis(EPOCH_MS.saturating_add(self.now.as_micros() / 1_000))
    }

    /// A bulletin, once its publisher has taken it in.
    pub fn bulletin(&self, bulletin: BulletinNumber) -> Option<&Bulletin> {
        self.bulletins.get(&self.ledger.id(bulletin))
    }

    /// Every link that was closed because somebody is said to have broken the protocol.
    pub fn blames(&self) -> &[Blame] {
        &self.blames
    }

    /// Every link that was closed because somebody was taken for dead.
    pub fn deaths(&self) -> &[Blame] {
        &self.deaths
    }

    pub(super) fn note_death(&mut self, by: usize, link: LinkId, reason: CloseReason) {
        let end = End::of(link);
        let wire = self.wires.get(end.wire);
        if let Some(wire) = wire.filter(|_| reason == CloseReason::Dead) {
            let (at, whom) = (self.now, wire.ends(end.side).1);
            self.deaths.push(Blame { at, by, whom });
        }
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
        let number = self.bulletins.number(&self.ledger.id(bulletin))?;
        self.hosts[node].image.held.get(number)
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

    /// Whether a connection between two nodes is open, whatever they make of it.
    pub fn are_linked(&self, a: usize, b: usize) -> bool {
        let ends = self.hosts[a].links.iter().map(|link| End::of(*link));
        let mut others = ends.filter_map(|end| Some(self.wires.get(end.wire)?.ends(end.side).1));
        others.any(|other| other == b)
    }

    /// Whether `node` delivered `bulletin` and did not keep it: its disk was full, or it crashed before it was
    /// synced.
    pub fn is_unkept(&self, node: usize, bulletin: BulletinNumber) -> bool {
        let unkept = &self.hosts[node].plight.unkept;
        unkept.contains(&self.ledger.id(bulletin))
    }

    /// The same, where it has died since and has nothing of it.
    pub fn is_forgotten(&self, node: usize, bulletin: BulletinNumber) -> bool {
        let forgotten = &self.hosts[node].plight.forgotten;
        forgotten.contains(&self.ledger.id(bulletin)) && self.stamp(node, bulletin).is_none()
    }

    /// Where `node` listens.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.hosts[node].address
    }

    /// The engine of `node`, where it has one.
    pub fn engine(&self, node: usize) -> Option<&Engine> {
        self.hosts[node].behaviour.engine()
    }

    /// How full the tables of `node` are.
    pub fn fills(&self, node: usize) -> Vec<Fill> {
        let engine = self.engine(node);
        engine.map_or_else(Vec::new, |engine| engine.fills(&self.settings.config))
    }

    /// The node of an id, by number.
    pub fn number(&self, id: &NodeId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// Sizes of the parts into which the running nodes fall, the largest first.
    pub fn components(&self) -> Vec<usize> {
        self.components_of(|_| true)
    }

    /// The same of those running nodes that `counts` takes in, and the links between them.
    pub fn components_of(&self, counts: impl Fn(usize) -> bool) -> Vec<usize> {
        let is_in = |node: usize| self.hosts[node].is_alive && counts(node);
        let mut is_left: Vec<bool> = (0..self.hosts.len()).map(is_in).collect();
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
