//! A network that has settled, and what is done to it.

use std::time::Duration;

use bruit_core::time::Mono;

use super::Plan;
use crate::adversary::{Evil, Swarm};
use crate::behaviour::Behaviour;
use crate::flood::Flood;
use crate::ledger::BulletinNumber;
use crate::run::Meter;
use crate::terrain::Terrain;
use crate::world::{Birth, Settings, World};

const SECOND: Duration = Duration::from_secs(1);
/// Nodes that all others are told of, each of one.
const INTRODUCERS: usize = 20;
/// The network starts within this time.
const STARTING: Duration = Duration::from_secs(10);
/// How long it settles before anything is done to it: two exchanges of addresses.
const SETTLING: Duration = Duration::from_mins(1);
/// Nodes that publish, each once a second.
const PUBLISHERS: usize = 10;
/// Rounds in which each publishes once while others withhold.
const WITHHELD_ROUNDS: usize = 2;
/// Time for what was published last.
const DRAIN: Duration = Duration::from_secs(5);
/// How many of a hundred nodes withhold.
const WITHHOLDING: usize = 30;
/// How long what is withheld may take until it counts as lost.
const WITHHELD_LONGEST: Duration = Duration::from_secs(30);
/// How long a healed network may take to be one again.
const MERGE_LONGEST: Duration = Duration::from_mins(2);
/// How long after a split what was published in it may take to be everywhere.
const RECONCILED_WITHIN: Duration = Duration::from_mins(1);
/// Two rounds of maintenance: what is asked of every neighbour once in half a minute has been asked twice.
const KILL_30_WITHIN: Duration = Duration::from_mins(1);
const KILL_80_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a bulletin's content.
const BODY_BYTES: usize = 1_024;

/// How long a network and its futures live, at most.
pub(super) fn length(plan: &Plan) -> Duration {
    let (warm, measured) = plan.rounds;
    let publishing = u32::try_from(warm + measured + WITHHELD_ROUNDS).unwrap_or(u32::MAX);
    let upheaval = plan.apart + KILL_80_WITHIN * 3;
    formation() + SECOND * publishing + DRAIN * 8 + upheaval
}

/// How long a network takes to settle.
pub(super) fn formation() -> Duration {
    STARTING + SETTLING
}

/// A network to which something is done.
pub(super) struct Trial<'a> {
    world: World,
    seed: u64,
    meter: &'a Meter,
    published: usize,
}

impl<'a> Trial<'a> {
    /// A network that has settled.
    pub(super) fn settled(nodes: usize, seed: u64, meter: &'a Meter) -> Self {
        let mut trial = Self {
            world: World::new(nodes, seed, settings()),
            seed,
            meter,
            published: 0,
        };
        trial.world.forgo_trace();
        trial.settle();
        trial
    }

    /// Another future of it.
    pub(super) fn fork(&self) -> Self {
        Self {
            world: self.world.fork(),
            ..*self
        }
    }

    /// Into how many parts it falls.
    pub(super) fn parts(&self) -> usize {
        self.world.components().len()
    }

    /// Grows trees. Answers what is measured along them: copies beyond the first for each delivery, and delays.
    pub(super) fn grow(&mut self, (warm, measured): (usize, usize)) -> (f64, Vec<f64>) {
        self.publish(warm);
        self.run(DRAIN);
        let before = self.world.ledger().totals();
        let bulletins = self.publish(measured);
        self.run(DRAIN);
        let redundancy = self.world.ledger().totals().since(before).redundancy();
        (redundancy, self.delays(&bulletins))
    }

    /// Has three in ten relay nothing. Answers the share of deliveries that come about, and the delays of the first
    /// bulletin of each tree.
    pub(super) fn withheld(mut self) -> (f64, Vec<f64>) {
        self.withhold();
        let bulletins = self.publish(WITHHELD_ROUNDS);
        let share = self.delivered(&bulletins, WITHHELD_LONGEST);
        (share, self.delays(&bulletins[..PUBLISHERS]))
    }

    /// Three in ten relay nothing from now on, none of them a publisher.
    fn withhold(&mut self) {
        let nodes = self.world.len();
        // Spread evenly over the order of joining, as honest nodes are.
        let withholding = (0..nodes).filter(|node| node * 61 % 100 < WITHHOLDING);
        for node in withholding.filter(|node| !publishes(*node, nodes)) {
            self.world.turn(node, Evil::Withhold, &Swarm::default());
        }
    }

    fn run(&mut self, time: Duration) {
        self.world.run(time);
        self.meter.add(self.world.len(), time);
    }

    fn settle(&mut self) {
        let nodes = self.world.len();
        let pause = STARTING / u32::try_from(nodes).unwrap_or(u32::MAX).max(1);
        for node in 1..nodes {
            let introducer = self.world.below(INTRODUCERS.min(node));
            self.world.join(node, introducer);
            self.run(pause);
        }
        self.run(SETTLING);
    }

    /// Each publisher publishes once in a round of a second, a tenth of a second after another.
    fn publish(&mut self, rounds: usize) -> Vec<BulletinNumber> {
        let mut bulletins = Vec::new();
        for number in (0..rounds).flat_map(|_| 0..PUBLISHERS) {
            let mut body = self.published.to_be_bytes().to_vec();
            body.resize(BODY_BYTES, 0);
            self.published += 1;
            let publisher = publisher(number, self.world.len());
            bulletins.push(self.world.publish(publisher, &body));
            self.run(SECOND / 10);
        }
        bulletins
    }

    /// In milliseconds, of each of `bulletins` at each running node but its publisher: infinite where it is not.
    fn delays(&self, bulletins: &[BulletinNumber]) -> Vec<f64> {
        let (ledger, alive) = (self.world.ledger(), self.world.alive());
        let at_others = |bulletin: &BulletinNumber| {
            let publisher = ledger.publisher(*bulletin);
            let others = alive.iter().filter(move |node| **node != publisher);
            let bulletin = *bulletin;
            others.map(move |node| ledger.delay_ms(bulletin, *node).unwrap_or(f64::INFINITY))
        };
        bulletins.iter().flat_map(at_others).collect()
    }

    /// Flooding over the same links.
    pub(super) fn flooding(&self) -> Flooding {
        Flooding {
            nodes: self.world.len(),
            seed: self.seed,
            links: self.world.edges(),
        }
    }

    /// The share of deliveries due to running nodes that came about `within` so much time from now.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    fn delivered(&mut self, bulletins: &[BulletinNumber], within: Duration) -> f64 {
        let alive = self.world.alive();
        let due = alive.len() * bulletins.len();
        let end = self.world.now().plus(within);
        loop {
            let ledger = self.world.ledger();
            let has = |node: &usize| {
                let had = bulletins
                    .iter()
                    .filter(|number| ledger.has(**number, *node));
                had.count()
            };
            let got: usize = alive.iter().map(has).sum();
            let left = end.since(self.world.now());
            if got == due || left.is_zero() {
                return got as f64 / due as f64;
            }
            self.run(left.min(SECOND / 2));
        }
    }

    /// Splits the network into halves for `apart`, in the middle of which both publish. Answers how long it takes to
    /// be one again, and the share of deliveries that came about in time.
    pub(super) fn split(&mut self, apart: Duration) -> (Duration, f64) {
        // As many publishers here as there: they are spread evenly over the order of joining.
        let half = self.world.len() / 2;
        self.world.cut(move |a, b| (a < half) != (b < half));
        self.run(apart / 2);
        let bulletins = self.publish(1);
        self.run((apart / 2).saturating_sub(SECOND));
        let was_split = self.parts() > 1;
        self.world.heal();
        let healed = self.world.now();
        let merged = self.merged(was_split, healed);
        let left = RECONCILED_WITHIN.saturating_sub(self.world.now().since(healed));
        (merged, self.delivered(&bulletins, left))
    }

    /// How long after it `healed` a network that was split is one again.
    fn merged(&mut self, was_split: bool, healed: Mono) -> Duration {
        // Links that have not died yet are no second part: nothing was shown then.
        while was_split && self.world.now().since(healed) < MERGE_LONGEST {
            self.run(SECOND / 2);
            if self.parts() == 1 {
                return self.world.now().since(healed);
            }
        }
        MERGE_LONGEST
    }

    /// The share of deliveries along grown trees that come about in time after three in ten have died.
    pub(super) fn kill_30(mut self) -> f64 {
        self.kill(30, KILL_30_WITHIN)
    }

    /// After eight in ten have.
    pub(super) fn kill_80(mut self) -> f64 {
        self.kill(80, KILL_80_WITHIN)
    }

    /// Kills `percent` of all at once, none of them a publisher. Answers which share of ten bulletins that are
    /// published in the second after reaches the survivors `within` so much time.
    fn kill(&mut self, percent: usize, within: Duration) -> f64 {
        let nodes = self.world.len();
        let mut mortal: Vec<usize> = (0..nodes).filter(|node| !publishes(*node, nodes)).collect();
        let spared = mortal.len().saturating_sub(nodes * percent / 100);
        while mortal.len() > spared {
            let node = mortal.swap_remove(self.world.below(mortal.len()));
            self.world.kill(node);
        }
        let bulletins = self.publish(1);
        self.delivered(&bulletins, within.saturating_sub(SECOND))
    }
}

/// A network in which everybody sends everything to all neighbours.
pub(super) struct Flooding {
    nodes: usize,
    /// Of the network whose links it has: every node lies where it lies there.
    seed: u64,
    links: Vec<(usize, usize)>,
}

impl Flooding {
    /// The delays of one round.
    pub(super) fn delays(self) -> Vec<f64> {
        let network = settings().config.network;
        let maker =
            move |_: &Birth<'_>| -> Box<dyn Behaviour> { Box::new(Flood::new(network.clone())) };
        let mut trial = Trial {
            world: World::of(self.nodes, self.seed, settings(), maker),
            seed: self.seed,
            meter: &Meter::default(),
            published: 0,
        };
        trial.world.forgo_trace();
        for (a, b) in self.links {
            trial.world.link(a, b);
        }
        trial.run(SECOND * 2);
        let bulletins = trial.publish(1);
        trial.run(DRAIN);
        trial.delays(&bulletins)
    }
}

/// Whether `node` is one of a network of `nodes` that publish.
fn publishes(node: usize, nodes: usize) -> bool {
    (0..PUBLISHERS).any(|number| publisher(number, nodes) == node)
}

/// Publisher `number` of a network of `nodes`.
fn publisher(number: usize, nodes: usize) -> usize {
    number % PUBLISHERS * nodes / PUBLISHERS
}

fn settings() -> Settings {
    Settings {
        terrain: Terrain::continental(),
        ..Settings::default()
    }
}
