//! The network of a run, and what is done to it: it starts, nodes publish, faults begin and end.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::time::Mono;

use super::casting::Casting;
use super::meter::Meter;
use super::protocol::{self, Protocol};
use crate::chance::Chance;
use crate::graph::{Graph, Shape};
use crate::ledger::BulletinNumber;
use crate::oracles::{self, Broken};
use crate::overlay::{self, Edge};
use crate::scenario::{Cut, FaultKind, Publishers, Setup, Slowness, publisher};
use crate::world::World;

/// How often is looked whether a network is in one part, or whole again, and at most whether tables are in bounds.
const LOOK: Duration = Duration::from_millis(100);
/// How often progress is told.
const TOLD: Duration = Duration::from_secs(1);

/// A network in a run.
pub(super) struct Stage<'a> {
    setup: &'a Setup,
    pub(super) world: World,
    chance: Chance,
    casting: Casting,
    meter: &'a Meter,
    /// The links of a protocol that makes none itself.
    links: Vec<Edge>,
    /// Since when each node runs.
    pub(super) up_since: Vec<Mono>,
    /// Whom a fault befalls that has begun and is not over, by its number and time.
    befallen: BTreeMap<(usize, u32), Vec<usize>>,
    /// How long after the start of the last node the network was in one part.
    pub(super) formed: Option<Duration>,
    repair: Option<Repair>,
    /// Tables that held more than they may, the first time each.
    pub(super) overfull: Vec<Broken>,
    /// When bounds are looked at next.
    bounds_at: Mono,
}

/// How long it takes until everything published before a moment is everywhere, in one network.
struct Repair {
    since: Mono,
    /// Bulletins published by then.
    published: usize,
    /// The first so many are everywhere.
    complete: usize,
    took: Option<Duration>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(setup: &'a Setup, seed: u64, meter: &'a Meter) -> Self {
        let mut chance = Chance::new(seed);
        let casting = Casting::draw(setup, &mut chance);
        let links = given_links(setup, seed);
        Self {
            setup,
            world: protocol::world(setup, seed, &casting),
            chance,
            casting,
            meter,
            links,
            up_since: vec![Mono::ZERO; setup.nodes],
            befallen: BTreeMap::new(),
            formed: None,
            repair: None,
            overfull: Vec::new(),
            bounds_at: Mono::ZERO,
        }
    }

    /// The nodes that do as they should.
    pub(super) fn is_honest(&self, node: usize) -> bool {
        self.casting.is_honest(node)
    }

    /// The world's trace, in hexadecimal digits.
    pub(super) fn trace(&self) -> String {
        blake3::Hash::from(self.world.trace()).to_string()
    }

    /// How long the network took to mend after the last fault.
    pub(super) fn repaired(&self) -> Option<Duration> {
        self.repair.as_ref()?.took
    }

    /// Starts every node and lets the network settle.
    pub(super) fn start(&mut self) {
        let start = self.setup.start;
        if self.setup.protocol.is_whole() {
            let count = u32::try_from(self.setup.nodes).unwrap_or(u32::MAX);
            let pause = start.within / count.max(1);
            for node in 0..self.setup.nodes {
                if self.casting.is_late(node) {
                    self.world.kill(node);
                }
            }
            for node in 1..self.setup.nodes {
                if self.casting.is_late(node) {
                    continue;
                }
                for introducer in self.introducers(node) {
                    self.world.join(node, introducer);
                }
                self.run(pause);
            }
        } else {
            self.link();
        }
        self.until(Mono::ZERO.plus(start.within));
        let started = self.world.now();
        let settled = protocol::settled_at(self.setup);
        while self.world.now() < settled {
            if self.is_one() {
                self.formed = Some(self.world.now().since(started));
                break;
            }
            self.run(LOOK.min(settled.since(self.world.now())));
        }
        self.until(settled);
    }

    /// Whom `node` is told of.
    fn introducers(&mut self, node: usize) -> Vec<usize> {
        let start = self.setup.start;
        let Some(island) = start.island else {
            let first = 0..start.introducers.min(node);
            let there: Vec<usize> = first.filter(|node| !self.casting.is_late(*node)).collect();
            let chosen = self.chance.below(there.len());
            return there.get(chosen).copied().into_iter().collect();
        };
        let (place, shore) = (node % island, node - node % island);
        let mut told = Vec::new();
        if place > 0 {
            told.push(shore + self.chance.below(place));
        }
        if place < start.bridges && shore > 0 {
            told.push(self.chance.below(shore));
        }
        told
    }

    /// Opens every given link that is not there.
    fn link(&mut self) {
        for (a, b) in &self.links {
            let are_up = self.world.is_alive(*a) && self.world.is_alive(*b);
            if are_up && !self.world.are_linked(*a, *b) {
                self.world.link(*a, *b);
            }
        }
    }

    /// Lets the world run to `moment`.
    pub(super) fn until(&mut self, moment: Mono) {
        while self.world.now() < moment {
            let step = if self.is_mending() { LOOK } else { TOLD };
            self.run(step.min(moment.since(self.world.now())));
            self.look();
            self.check_bounds();
        }
    }

    fn run(&mut self, time: Duration) {
        self.world.run(time);
        self.meter.add(self.setup.nodes, time);
    }

    /// Has the publisher of bulletin `number` publish it; none when nobody runs.
    pub(super) fn publish(&mut self, number: usize) -> Option<BulletinNumber> {
        let nodes = self.setup.nodes;
        let wanted = match self.setup.traffic.publishers {
            Publishers::Some(count) => publisher(number, count, nodes),
            Publishers::All => number % nodes,
            Publishers::Random => self.chance.below(nodes),
        };
        let mut from_there = (0..nodes).map(|step| (wanted + step) % nodes);
        let publisher =
            from_there.find(|node| self.world.is_alive(*node) && self.is_honest(*node))?;
        let mut body = (number as u64).to_be_bytes().to_vec();
        let traffic = &self.setup.traffic;
        body.resize(traffic.body_bytes, 0);
        let topic = format!("news {}", number % traffic.topics);
        let bulletin = self
            .world
            .publish_for(publisher, &topic, traffic.ttl, &body);
        Some(bulletin)
    }

    /// Fault `fault` begins, for the `time`th time.
    pub(super) fn begin(&mut self, fault: usize, time: u32) {
        match self.setup.faults[fault].kind {
            FaultKind::Kill(share) => {
                let running = self.world.alive();
                let killed = self.chance.share(running, share);
                for node in &killed {
                    self.world.kill(*node);
                }
                self.befallen.insert((fault, time), killed);
            }
            FaultKind::Cut(cut) => self.cut(cut),
            FaultKind::Clock(share, skew) => {
                let all = (0..self.setup.nodes).collect();
                let wrong = self.chance.share(all, share);
                for node in &wrong {
                    self.world.skew_clock(*node, skew);
                }
                self.befallen.insert((fault, time), wrong);
            }
            FaultKind::Pause(share) => self.befall(fault, time, share, World::pause),
            FaultKind::Suspend(share) => self.befall(fault, time, share, World::suspend),
            FaultKind::Slow(share, _) | FaultKind::DiskFull(share) => {
                self.befall(fault, time, share, |_, _| {});
            }
            // The others were born for it.
            FaultKind::Turn(_) => {
                for node in self.casting.latecomers(fault) {
                    self.world.restart(node);
                    self.up_since[node] = self.world.now();
                    for introducer in self.introducers(node) {
                        self.world.join(node, introducer);
                    }
                }
            }
        }
    }

    /// Has it befall this share of the running nodes, and does `what` to each.
    fn befall(&mut self, fault: usize, time: u32, share: f64, what: impl Fn(&mut World, usize)) {
        let befallen = self.chance.share(self.world.alive(), share);
        for node in &befallen {
            what(&mut self.world, *node);
        }
        self.befallen.insert((fault, time), befallen.clone());
        self.weigh(&befallen);
    }

    /// Has nothing weigh on these nodes but what befalls them now; where it is the same twice, the worse of both.
    fn weigh(&mut self, nodes: &[usize]) {
        for node in nodes {
            let befallen = self.befallen.iter();
            let now = befallen.filter(|(_, befallen)| befallen.binary_search(node).is_ok());
            let (mut slowness, mut is_full, mut is_stopped) = (Slowness::default(), false, false);
            for ((fault, _), _) in now {
                match self.setup.faults[*fault].kind {
                    FaultKind::Slow(_, more) => slowness = slowness.and(more),
                    FaultKind::DiskFull(_) => is_full = true,
                    FaultKind::Pause(_) | FaultKind::Suspend(_) => is_stopped = true,
                    _ => {}
                }
            }
            self.world.slow(*node, slowness);
            self.world.fill_disk(*node, is_full);
            if !is_stopped {
                self.world.go_on(*node);
            }
        }
    }

    /// Fault `fault` ends, for the `time`th time.
    pub(super) fn end(&mut self, fault: usize, time: u32) {
        let befallen = self.befallen.remove(&(fault, time)).unwrap_or_default();
        match self.setup.faults[fault].kind {
            FaultKind::Kill(_) => {
                for node in befallen {
                    self.world.restart(node);
                    self.up_since[node] = self.world.now();
                }
                self.link();
            }
            FaultKind::Cut(_) => {
                self.world.heal();
                self.link();
            }
            FaultKind::Clock(_, skew) => {
                let lasting = self.setup.faults[fault].lasting.unwrap_or_default();
                let then = self.world.now().minus(lasting);
                for node in befallen {
                    self.world.mend_clock(node, skew, then);
                }
            }
            FaultKind::Pause(_)
            | FaultKind::Suspend(_)
            | FaultKind::Slow(..)
            | FaultKind::DiskFull(_) => self.weigh(&befallen),
            FaultKind::Turn(_) => {}
        }
    }

    fn cut(&mut self, cut: Cut) {
        let last = self.setup.nodes - 1;
        match cut {
            Cut::Halves => self.world.cut(|a, b| a % 2 != b % 2),
            Cut::Thirds => self.world.cut(|a, b| a % 3 != b % 3),
            Cut::One => self.world.cut(move |a, b| (a == last) != (b == last)),
            Cut::OneWay => self.world.cut(|from, to| from % 2 == 0 && to % 2 == 1),
            Cut::Pairs(share) => {
                let salt = self.chance.below(usize::MAX);
                self.world.cut(move |a, b| is_drawn(salt, a, b, share));
            }
            Cut::Share(share) => {
                let mut is_apart = vec![false; self.setup.nodes];
                for node in self.chance.share((0..self.setup.nodes).collect(), share) {
                    is_apart[node] = true;
                }
                self.world.cut(move |a, b| is_apart[a] != is_apart[b]);
            }
            Cut::Groups(count) => self.world.cut(move |a, b| a % count != b % count),
        }
    }

    /// The last fault is over: from here on it is mended.
    pub(super) fn mend(&mut self) {
        self.repair = Some(Repair {
            since: self.world.now(),
            published: self.world.ledger().published(),
            complete: 0,
            took: None,
        });
    }

    /// Whether honest nodes are one network without the others.
    fn is_one(&self) -> bool {
        let parts = self.world.components_of(|node| self.is_honest(node));
        parts.len() == 1
    }

    /// What the links between honest running nodes are like.
    pub(super) fn overlay(&self) -> Option<Shape> {
        let mut nodes = self.world.alive();
        nodes.retain(|node| self.is_honest(*node));
        let place = |node: &usize| nodes.binary_search(node).ok();
        let neighbours = nodes.iter().map(|node| {
            let others = self.world.neighbours(*node);
            others.iter().filter_map(place).collect()
        });
        Graph::new(neighbours.collect()).shape()
    }

    /// Looks whether what nodes hold is within its bounds, unless it did so just now: at every one of 120
    /// bulletins a second it is a seventh of the work of 1,000 nodes.
    fn check_bounds(&mut self) {
        if self.world.now() < self.bounds_at {
            return;
        }
        self.bounds_at = self.world.now().plus(LOOK);
        for broken in oracles::bounded(&self.world) {
            let is_same =
                |known: &Broken| (known.node, known.promise) == (broken.node, broken.promise);
            if !self.overfull.iter().any(is_same) {
                self.overfull.push(broken);
            }
        }
    }

    fn is_mending(&self) -> bool {
        let repair = self.repair.as_ref();
        repair.is_some_and(|repair| repair.took.is_none())
    }

    fn look(&mut self) {
        let Some(repair) = self.repair.as_mut().filter(|repair| repair.took.is_none()) else {
            return;
        };
        let casting = &self.casting;
        let is_honest = |node| casting.is_honest(node);
        while repair.complete < repair.published
            && oracles::is_everywhere(&self.world, BulletinNumber(repair.complete), &is_honest)
        {
            repair.complete += 1;
        }
        let parts = self.world.components_of(is_honest);
        if repair.complete == repair.published && parts.len() == 1 {
            repair.took = Some(self.world.now().since(repair.since));
        }
    }
}

/// The links of a protocol that makes none itself: a graph by chance, or those the engine makes of the
/// same nodes at the same places.
fn given_links(setup: &Setup, seed: u64) -> Vec<Edge> {
    if setup.protocol.is_whole() {
        return Vec::new();
    }
    if let Some(degree) = setup.degree {
        return overlay::random_regular(setup.nodes, degree, seed);
    }
    let engines = Setup {
        protocol: Protocol::Rootcast,
        ..setup.clone()
    };
    let meter = Meter::default();
    let mut stage = Stage::new(&engines, seed, &meter);
    stage.start();
    stage.world.edges()
}

/// Whether the pair, whichever way round, is among the `share` that was drawn.
fn is_drawn(salt: usize, a: usize, b: usize, share: f64) -> bool {
    let mut hasher = blake3::Hasher::new();
    for number in [salt, a.min(b), a.max(b)] {
        hasher.update(&(number as u64).to_be_bytes());
    }
    let hash = hasher.finalize();
    let byte = u16::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]);
    f64::from(byte) < share * 65_536.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// Story: the first of two faults that fill a disk made room for what the second was to keep away.
    #[test]
    fn a_disk_is_full_until_the_last_fault_that_fills_it_is_over() {
        let fault = "[[fault]]\nkind = 'disk-full'\nshare = 1\n";
        let text = format!("nodes = 4\n[start]\nsettle_s = 5\n{fault}{fault}");
        let setup = Scenario::parse("x", &text).unwrap().cases.remove(0).setup;
        let meter = Meter::default();
        let mut stage = Stage::new(&setup, 1, &meter);
        stage.start();
        for fault in [0, 1] {
            stage.begin(fault, 0);
        }
        let is_unkept = |stage: &mut Stage<'_>, number| {
            let bulletin = stage.publish(number).unwrap();
            stage.until(stage.world.now().plus(Duration::from_secs(2)));
            assert_eq!(stage.world.ledger().reached(bulletin), 4);
            (0..4).all(|node| stage.world.is_unkept(node, bulletin))
        };
        stage.end(0, 0);
        assert!(is_unkept(&mut stage, 0));
        stage.end(1, 0);
        assert!(!is_unkept(&mut stage, 1));
    }
}
