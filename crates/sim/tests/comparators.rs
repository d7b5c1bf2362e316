//! The comparators do what their sources say of them.

mod seed;

use std::time::Duration;

use bruit_sim::behaviour::Behaviour;
use bruit_sim::ledger::{BulletinNumber, Totals};
use bruit_sim::mesh::{self, Mesh};
use bruit_sim::overlay::random_regular;
use bruit_sim::plumtree::{self, Plumtree};
use bruit_sim::stats::Summary;
use bruit_sim::terrain::{Distances, Terrain};
use bruit_sim::world::{Birth, Settings, World};
use seed::seed;

const SECOND: Duration = Duration::from_secs(1);
const NODES: usize = 200;

/// Links of 10 to 50 ms that lose so many packets.
fn links(loss: f64) -> Terrain {
    Terrain {
        distances: Distances::Uniform(Duration::from_millis(10), Duration::from_millis(50)),
        jitter: Duration::ZERO,
        loss,
        ..Terrain::default()
    }
}

fn world(
    degree: usize,
    seed: u64,
    loss: f64,
    maker: impl Fn(&Birth<'_>) -> Box<dyn Behaviour> + Send + Sync + 'static,
) -> World {
    let settings = Settings {
        terrain: links(loss),
        ..Settings::default()
    };
    let mut world = World::of(NODES, seed, settings, maker);
    for (a, b) in random_regular(NODES, degree, seed) {
        world.link(a, b);
    }
    world
}

/// Trees over five links of each node.
fn plumtrees(seed: u64, loss: f64) -> World {
    plumtrees_with(seed, loss, plumtree::Config::default())
}

fn plumtrees_with(seed: u64, loss: f64, config: plumtree::Config) -> World {
    let mut world = world(5, seed, loss, move |birth| {
        let network = birth.settings.config.network.clone();
        Box::new(Plumtree::new(network, config.clone()))
    });
    world.run(SECOND);
    world
}

/// Meshes over thirty links of each node, settled.
fn meshes(seed: u64, loss: f64, config: mesh::Config) -> World {
    let mut world = world(30, seed, loss, move |birth| {
        let network = birth.settings.config.network.clone();
        Box::new(Mesh::new(network, config.clone(), birth.seed))
    });
    world.run(SECOND * 5);
    world
}

/// One bulletin from each of `publishers`, one after the other, with time to repair.
fn publish(world: &mut World, publishers: &[usize]) -> Vec<BulletinNumber> {
    let mut bulletins = Vec::new();
    for publisher in publishers {
        bulletins.push(world.publish(*publisher, &bulletins.len().to_be_bytes()));
        world.run(SECOND);
    }
    bulletins
}

/// What it takes to publish one bulletin from each of `publishers`.
fn cost(world: &mut World, publishers: &[usize]) -> Totals {
    let before = world.ledger().totals();
    let bulletins = publish(world, publishers);
    assert_everywhere_once(world, &bulletins);
    world.ledger().totals().since(before)
}

/// Everybody, but who has no running neighbour left: nobody links anew here.
#[track_caller]
fn assert_everywhere_once(world: &World, bulletins: &[BulletinNumber]) {
    let is_linked = |node: &usize| {
        let mut neighbours = world.neighbours(*node).into_iter();
        neighbours.any(|other| world.is_alive(other))
    };
    for node in world.alive().into_iter().filter(is_linked) {
        for bulletin in bulletins {
            assert!(world.ledger().has(*bulletin, node), "{bulletin:?} {node}");
        }
    }
    assert_eq!(world.ledger().doubles(), 0);
}

fn kill(world: &mut World, count: usize) {
    for _ in 0..count {
        let alive = world.alive();
        // The first one publishes.
        let victim = alive[1 + world.below(alive.len() - 1)];
        world.kill(victim);
    }
}

#[test]
fn a_tree_reaches_everybody_over_clean_and_lossy_links() {
    for loss in [0.0, 0.05] {
        let mut world = plumtrees(seed(1), loss);
        let bulletins = publish(&mut world, &[0, 50, 100, 150, 0]);
        world.run(SECOND * 5);
        assert_everywhere_once(&world, &bulletins);
    }
}

#[test]
fn a_trees_first_bulletin_floods_and_its_later_ones_are_hardly_redundant() {
    let mut world = plumtrees(seed(2), 0.0);
    let first = cost(&mut world, &[0]).redundancy();
    cost(&mut world, &[0; 5]);
    let warm = cost(&mut world, &[0; 10]).redundancy();
    println!("first {first:.3}, warm {warm:.3}");
    // Who has five links pushes to four, as all but the publisher have it from one.
    assert!((2.5..=3.1).contains(&first), "{first}");
    assert!(warm <= 0.1, "{warm}");
}

#[test]
fn a_tree_repairs_itself_by_its_lazy_links_after_a_fifth_died() {
    let mut world = plumtrees(seed(3), 0.0);
    cost(&mut world, &[0; 5]);
    kill(&mut world, NODES / 5);
    let before = world.ledger().totals();
    let first = world.publish(0, b"the first after");
    world.run(SECOND * 5);
    assert_everywhere_once(&world, &[first]);
    let repair = world.ledger().totals().since(before);
    assert!(repair.requests > 0, "{repair:?}");
    let later = cost(&mut world, &[0; 5]);
    let warm = cost(&mut world, &[0; 5]);
    println!("repair {repair:?}, later {later:?}, warm {warm:?}");
    assert!(warm.redundancy() <= 0.1, "{warm:?}");
}

/// Who did not grow the tree has long ways in it: longer than the wait for what is announced.
#[test]
fn a_tree_of_one_sender_costs_others_more_unless_everybody_is_patient() {
    let (seed, patient) = (seed(4), SECOND / 2);
    let redundancy_after = |missing_timeout| {
        let config = plumtree::Config {
            missing_timeout,
            ..plumtree::Config::default()
        };
        let mut world = plumtrees_with(seed, 0.0, config);
        cost(&mut world, &[0; 10]);
        let one = cost(&mut world, &[0; 10]).redundancy();
        let others: Vec<usize> = (0..10).map(|number| 7 + 19 * number).collect();
        (one, cost(&mut world, &others).redundancy())
    };
    let (one, many) = redundancy_after(plumtree::Config::default().missing_timeout);
    println!("one sender {one:.3}, ten others {many:.3}");
    assert!(one <= 0.01 && many >= 0.05, "{one} {many}");
    let (one, many) = redundancy_after(patient);
    assert!(one <= 0.01 && many <= 0.01, "{one} {many}");
}

#[test]
fn a_mesh_reaches_everybody_over_clean_and_lossy_links() {
    for loss in [0.0, 0.05] {
        let mut world = meshes(seed(5), loss, mesh::Config::default());
        let bulletins = publish(&mut world, &[0, 50, 100, 150, 0]);
        world.run(SECOND * 5);
        assert_everywhere_once(&world, &bulletins);
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "a count of links")]
fn a_mesh_stays_within_its_bounds_and_costs_its_links() {
    let mut world = meshes(seed(6), 0.0, mesh::Config::default());
    for _ in 0..10 {
        world.run(SECOND);
        for node in 0..NODES {
            let mesh = world.neighbours(node).len();
            assert!((6..=12).contains(&mesh), "{node}: {mesh}");
        }
    }
    let degrees = (0..NODES).map(|node| world.neighbours(node).len() as f64);
    let links = Summary::of(degrees.collect()).unwrap().mean;
    let redundancy = cost(&mut world, &[0, 50, 100, 150]).redundancy();
    println!("{links:.2} links in a mesh, redundancy {redundancy:.2}");
    // Each link of a mesh but one carries a bulletin, some of them both ways.
    assert!((links - 2.0..=links - 0.5).contains(&redundancy));
}

#[test]
fn a_mesh_grows_again_after_a_fifth_died() {
    let mut world = meshes(seed(7), 0.0, mesh::Config::default());
    kill(&mut world, NODES / 5);
    let at_once = publish(&mut world, &[0]);
    // By then the dead have been silent for long enough.
    world.run(SECOND * 35);
    assert_everywhere_once(&world, &at_once);
    for node in world.alive() {
        let mesh = world.neighbours(node).len();
        assert!((6..=12).contains(&mesh), "{node}: {mesh}");
    }
}

/// Without a mesh, what is not flooded is announced, and asked for.
#[test]
fn gossip_alone_reaches_everybody() {
    let config = mesh::Config {
        mesh: 0,
        mesh_low: 0,
        flood_publish: false,
        ..mesh::Config::default()
    };
    let mut world = meshes(seed(8), 0.0, config);
    let bulletin = world.publish(0, b"by gossip");
    world.run(SECOND * 10);
    assert_eq!(world.ledger().reached(bulletin), NODES);
    let totals = world.ledger().totals();
    println!("{totals:?}");
    assert_eq!(totals.copies, totals.requests);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let tree = |seed| {
        let mut world = plumtrees(seed, 0.05);
        publish(&mut world, &[0, 1, 2]);
        world.trace()
    };
    let mesh = |seed| {
        let mut world = meshes(seed, 0.05, mesh::Config::default());
        publish(&mut world, &[0, 1, 2]);
        world.trace()
    };
    assert_eq!(tree(9), tree(9));
    assert_ne!(tree(9), tree(10));
    assert_eq!(mesh(9), mesh(9));
    assert_ne!(mesh(9), mesh(10));
}
