//! What the protocol is held to: each function runs one world and answers the figure of one gate.

use std::time::Duration;

use bruit_core::time::Mono;

use crate::adversary::Withholder;
use crate::behaviour::Behaviour;
use crate::flood::Flood;
use crate::ledger::BulletinNumber;
use crate::terrain::Terrain;
use crate::world::{Birth, Settings, World};

const SECOND: Duration = Duration::from_secs(1);
/// Nodes that all others are told of, each of one.
const INTRODUCERS: usize = 20;
/// The network starts within this time.
const STARTING: Duration = Duration::from_secs(10);
/// How long a network settles before anything is done to it: two exchanges of addresses.
const SETTLING: Duration = Duration::from_mins(1);
/// Nodes that publish, where few do.
const PUBLISHERS: usize = 10;
/// Bytes of a bulletin's content.
const BODY_BYTES: usize = 1_024;

/// A world of `count` nodes on [`Terrain::continental`] that started within ten seconds and had a minute
/// to settle.
pub fn settled(count: usize, seed: u64) -> World {
    settle(World::new(count, seed, settings()))
}

fn settings() -> Settings {
    Settings {
        terrain: Terrain::continental(),
        ..Settings::default()
    }
}

fn settle(mut world: World) -> World {
    let count = world.len();
    let pause = STARTING / u32::try_from(count).unwrap_or(u32::MAX).max(1);
    for node in 1..count {
        let introducer = world.below(INTRODUCERS.min(node));
        world.join(node, introducer);
        world.run(pause);
    }
    world.run(SETTLING);
    world
}

/// `component`: into how many parts a settled network of `count` nodes falls.
pub fn parts(count: usize, seed: u64) -> usize {
    settled(count, seed).components().len()
}

/// `kill-30`, `kill-80`: which share of the deliveries due is there `within` after `percent` of all nodes
/// died at once. Survivors publish ten bulletins in the second after.
pub fn after_kill(count: usize, percent: usize, within: Duration, seed: u64) -> f64 {
    let mut world = settled(count, seed);
    let mut left = count * percent / 100;
    while left > 0 {
        let node = world.below(count);
        if world.is_alive(node) {
            world.kill(node);
            left -= 1;
        }
    }
    let alive = world.alive();
    let bulletins: Vec<BulletinNumber> = (0..PUBLISHERS)
        .map(|number| {
            world.run(SECOND / 10);
            let publisher = alive[number * alive.len() / PUBLISHERS];
            world.publish(publisher, &body(number))
        })
        .collect();
    world.run(within.saturating_sub(SECOND));
    delivered(&world, &bulletins)
}

/// The share of deliveries due to running nodes that came about.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn delivered(world: &World, bulletins: &[BulletinNumber]) -> f64 {
    let alive = world.alive();
    let has = |node: &usize| {
        let had = bulletins
            .iter()
            .filter(|number| world.ledger().has(**number, *node));
        had.count()
    };
    let got: usize = alive.iter().map(has).sum();
    got as f64 / (alive.len() * bulletins.len()) as f64
}

/// `merge`: how long the two halves of a network that was split for `apart` take to become one; none when
/// it took more than two minutes.
pub fn merge(count: usize, apart: Duration, seed: u64) -> Option<Duration> {
    let mut world = settled(count, seed);
    world.cut(move |a, b| (a % 2) != (b % 2));
    world.run(apart);
    if world.components().len() < 2 {
        // Links that have not died are no second part.
        return None;
    }
    world.heal();
    let healed = world.now();
    while world.now().since(healed) < Duration::from_mins(2) {
        world.run(SECOND / 2);
        if world.components().len() == 1 {
            return Some(world.now().since(healed));
        }
    }
    None
}

/// What a settled tree costs, beside flooding over the same links.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warm {
    /// `warm-redundancy`: copies beyond the first for each delivery.
    pub redundancy: f64,
    /// Delays of all deliveries at the 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The same when everybody sends everything to all neighbours.
    pub flood_p99_ms: f64,
    /// Hops of the last delivery, the mean.
    pub last_hop: f64,
}

impl Warm {
    /// `warm-p99`: how much later than by flooding.
    pub fn p99_ratio(&self) -> f64 {
        self.p99_ms / self.flood_p99_ms
    }
}

/// Has ten nodes publish ten bulletins each to grow their trees, and ten more to measure.
pub fn warm(count: usize, seed: u64) -> Warm {
    let mut world = settled(count, seed);
    publish_rounds(&mut world, 10);
    let before = world.ledger().totals();
    let bulletins = publish_rounds(&mut world, 10);
    let ledger = world.ledger();
    let network = settings().config.network;
    let maker =
        move |_: &Birth<'_>| -> Box<dyn Behaviour> { Box::new(Flood::new(network.clone())) };
    // The same seed: every node lies where it lies in the other world.
    let mut flood = World::of(count, seed, settings(), maker);
    for (a, b) in world.edges() {
        flood.link(a, b);
    }
    flood.run(SECOND * 2);
    let flooded = publish_rounds(&mut flood, 1);
    Warm {
        redundancy: ledger.totals().since(before).redundancy(),
        p99_ms: p99_ms(&world, &bulletins),
        flood_p99_ms: p99_ms(&flood, &flooded),
        last_hop: ledger.last_hop(&bulletins),
    }
}

fn p99_ms(world: &World, bulletins: &[BulletinNumber]) -> f64 {
    world
        .ledger()
        .delays(bulletins)
        .map_or(f64::INFINITY, |delays| delays.p99)
}

/// Each of the ten publishers publishes once in a round of a second.
fn publish_rounds(world: &mut World, rounds: usize) -> Vec<BulletinNumber> {
    let mut bulletins = Vec::new();
    for _ in 0..rounds {
        for number in 0..PUBLISHERS {
            let publisher = number * world.len() / PUBLISHERS;
            let body = body(bulletins.len());
            bulletins.push(world.publish(publisher, &body));
            world.run(SECOND / 10);
        }
    }
    world.run(SECOND * 5);
    bulletins
}

/// What withholding does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Withheld {
    /// `withhold-delivery`: the share of deliveries due that came about.
    pub delivered: f64,
    /// `withhold-first`: delays of the first bulletin of each tree after withholding begins, at the 99th
    /// percentile, in milliseconds.
    pub first_p99_ms: f64,
}

/// When withholding begins: trees are warm by then.
const WITHHELD_FROM: Duration = Duration::from_secs(90);

/// Has `percent` of the nodes take part in everything and, once trees are warm, relay nothing; publishers
/// are honest.
pub fn withhold(count: usize, percent: usize, seed: u64) -> Withheld {
    let from = Mono::ZERO.plus(WITHHELD_FROM);
    let maker = move |birth: &Birth<'_>| -> Box<dyn Behaviour> {
        let is_publisher = birth.number.is_multiple_of((count / PUBLISHERS).max(1));
        // Spread evenly over the order of joining, as honest nodes are.
        if !is_publisher && birth.number * 61 % 100 < percent {
            Box::new(Withholder::new(birth.engine(), from))
        } else {
            Box::new(birth.engine())
        }
    };
    let mut world = settle(World::of(count, seed, settings(), maker));
    publish_rounds(&mut world, 10);
    world.run(from.since(world.now()));
    let bulletins = publish_rounds(&mut world, 5);
    world.run(SECOND * 30);
    Withheld {
        delivered: delivered(&world, &bulletins),
        first_p99_ms: p99_ms(&world, &bulletins[..PUBLISHERS]),
    }
}

fn body(number: usize) -> Vec<u8> {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(BODY_BYTES, 0);
    body
}
