//! Two futures of one world.

use std::time::Duration;

use bruit_sim::adversary::{Evil, Swarm};
use bruit_sim::world::{Settings, World};

const SECOND: Duration = Duration::from_secs(1);

fn settled(nodes: usize, seed: u64) -> World {
    let mut world = World::new(nodes, seed, Settings::default());
    for node in 1..nodes {
        world.join(node, 0);
    }
    world.run(SECOND * 20);
    world
}

fn published(world: &mut World) -> [u8; 32] {
    for number in 0..20_u8 {
        world.publish(3, &[number; 300]);
        world.run(SECOND / 4);
    }
    world.run(SECOND * 10);
    world.trace()
}

#[test]
fn a_fork_goes_on_as_its_world_would_have() {
    let mut world = settled(30, 5);
    let mut fork = world.fork();
    let mut alone = settled(30, 5);
    // What is done to one is not done to the other.
    fork.kill(7);
    fork.run(SECOND);
    drop(fork);
    let mut fork = world.fork();
    let ours = published(&mut world);
    assert_eq!(published(&mut fork), ours);
    assert_eq!(published(&mut alone), ours);
}

#[test]
fn a_node_that_is_turned_does_evil_from_then_on() {
    let mut world = settled(30, 6);
    let mut fork = world.fork();
    for node in (0..30).filter(|node| *node != 3) {
        fork.turn(node, Evil::Withhold, &Swarm::default());
    }
    for world in [&mut world, &mut fork] {
        world.publish(3, b"a word");
        world.run(SECOND);
    }
    let number = bruit_sim::ledger::BulletinNumber(0);
    assert_eq!(world.ledger().reached(number), 30);
    // Nobody but the publisher says it, and it has not thirty links.
    let reached = fork.ledger().reached(number);
    assert!(reached < 30, "{reached}");
}
