//! A world with honest nodes and others, and what honest ones are promised.
#![allow(
    dead_code,
    reason = "every test file that takes this in uses its part of it"
)]

use std::time::Duration;

use bruit_core::link::Direction;
use bruit_core::time::Mono;
use bruit_sim::adversary::{Adversary, Evil, Swarm};
use bruit_sim::behaviour::Behaviour;
use bruit_sim::ledger::BulletinNumber;
use bruit_sim::oracles;
use bruit_sim::world::{Birth, Settings, World};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Who is who in a world of these tests.
#[derive(Clone, Copy)]
pub(crate) struct Cast {
    pub(crate) nodes: usize,
    /// So many of them, the last to come, are adversaries.
    pub(crate) evil: usize,
    /// So many, the first, are victims.
    pub(crate) victims: usize,
    pub(crate) what: Evil,
    pub(crate) from: Duration,
}

impl Cast {
    pub(crate) fn is_honest(self, node: usize) -> bool {
        node < self.nodes - self.evil
    }

    /// Nodes, none told of any.
    pub(crate) fn world(self, seed: u64, settings: Settings) -> World {
        let swarm = Swarm::default();
        let from = Mono::ZERO.plus(self.from);
        let maker = move |birth: &Birth<'_>| -> Box<dyn Behaviour> {
            if birth.number < self.victims {
                swarm.aim(birth);
            }
            if self.is_honest(birth.number) {
                return Box::new(birth.engine());
            }
            swarm.join(birth);
            Box::new(Adversary::new(birth, self.what, &swarm, from))
        };
        World::of(self.nodes, seed, settings, maker)
    }

    /// The same, each told of one before it, and some time later.
    pub(crate) fn settled(self, seed: u64) -> World {
        let mut world = self.world(seed, Settings::default());
        for node in 1..self.nodes {
            let other = world.below(node.min(10));
            world.join(node, other);
        }
        world.run(SECOND * 30);
        world
    }

    /// Honest nodes publish in turn, twice a second.
    pub(crate) fn publish(self, world: &mut World, count: usize) -> Vec<BulletinNumber> {
        let one = |number: usize| {
            let publisher = number % (self.nodes - self.evil);
            let bulletin =
                world.publish(publisher, &[&number.to_be_bytes()[..], &[7; 800]].concat());
            world.run(SECOND / 2);
            bulletin
        };
        (0..count).map(one).collect()
    }
}

/// Everything that is promised to honest nodes.
#[track_caller]
pub(crate) fn assert_kept(world: &mut World, cast: Cast) {
    let is_honest = |node| cast.is_honest(node);
    let mut broken = oracles::once(world);
    broken.extend(oracles::fair(world, &is_honest));
    broken.extend(oracles::everywhere(world, &is_honest));
    broken.extend(oracles::equal(world, &is_honest));
    broken.extend(oracles::bounded(world));
    broken.extend(oracles::symmetric(world, &is_honest));
    assert_eq!(broken, []);
}

/// Of the nodes `of` is linked to by links it opened itself: how many are honest, and how many are not.
pub(crate) fn outbound(
    world: &World,
    of: usize,
    is_honest: impl Fn(usize) -> bool,
) -> (usize, usize) {
    let links = world
        .engine(of)
        .map(bruit_core::engine::Engine::links)
        .unwrap_or_default();
    let out = links
        .iter()
        .filter(|link| link.established && link.direction == Direction::Out);
    let numbers = out.filter_map(|link| world.number(&link.peer));
    let (honest, evil): (Vec<_>, Vec<_>) = numbers.partition(|node| is_honest(*node));
    (honest.len(), evil.len())
}
