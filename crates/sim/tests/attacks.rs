//! Adversaries: each is seen to do its evil, and what honest nodes have in spite of it.

mod cast;
mod seed;

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::wire::kind;
use bruit_sim::adversary::Evil;
use bruit_sim::ledger::Totals;
use bruit_sim::oracles;
use bruit_sim::world::Settings;
use cast::{Cast, SECOND, assert_kept};
use seed::seed;

/// What an attack is seen by.
#[derive(Debug)]
struct Seen {
    totals: Totals,
    bytes_by_kind: BTreeMap<u8, u64>,
    /// Of honest nodes: how far behind they take their clocks to be, the median.
    clock_offset_ms: i64,
    /// How many nodes they take the network to have, the median.
    size: usize,
    /// What they would pay above the minimum, the most.
    asking_log2: u8,
    p99_ms: f64,
}

/// Runs 40 nodes of which so many do `what`, and holds them to all that is promised.
fn suffer(what: Evil, evil: usize, number: u64) -> Seen {
    let cast = Cast {
        nodes: 40,
        evil,
        victims: 1,
        what,
        from: SECOND * 25,
    };
    let mut world = cast.settled(number);
    let before = world.ledger().totals();
    let bulletins = cast.publish(&mut world, 60);
    world.run(SECOND * 60);
    let honest = || (0..cast.nodes).filter(|node| cast.is_honest(*node));
    let engines = || honest().filter_map(|node| Some((world.engine(node)?, world.clocks(node))));
    let outlooks: Vec<_> = engines().map(|(engine, now)| engine.outlook(now)).collect();
    let offsets = outlooks.iter().map(|outlook| outlook.clock_offset_ms);
    let sizes = outlooks.iter().map(|outlook| outlook.network_size);
    let seen = Seen {
        totals: world.ledger().totals().since(before),
        bytes_by_kind: world.ledger().bytes_by_kind().clone(),
        clock_offset_ms: median(offsets.map(Option::unwrap_or_default).collect()),
        size: median(sizes.collect()),
        asking_log2: engines()
            .map(|(engine, _)| engine.asking().log2)
            .max()
            .unwrap_or(0),
        p99_ms: world
            .ledger()
            .delays(&bulletins)
            .map_or(0.0, |delays| delays.p99),
    };
    println!("{evil} of 40 {}: {seen:?}", what.as_str());
    assert_kept(&mut world, cast);
    seen
}

fn median<T: Ord + Copy>(mut all: Vec<T>) -> T {
    all.sort_unstable();
    all[all.len() / 2]
}

#[test]
fn who_withholds_is_asked_in_vain_and_keeps_nothing_from_anybody() {
    let seed = seed(1);
    let (quiet, attacked) = (
        suffer(Evil::Withhold, 0, seed),
        suffer(Evil::Withhold, 12, seed),
    );
    assert!(
        attacked.totals.copies < quiet.totals.copies,
        "copies are withheld"
    );
    assert!(attacked.totals.requests > 2 * quiet.totals.requests);
}

#[test]
fn who_announces_what_does_not_exist_is_asked_in_vain_and_crowds_nothing_out() {
    let seed = seed(2);
    let (quiet, attacked) = (suffer(Evil::Lie, 0, seed), suffer(Evil::Lie, 10, seed));
    assert!(attacked.totals.requests > 10 * quiet.totals.requests);
    assert!(attacked.p99_ms < 3_000.0, "{attacked:?}");
}

#[test]
fn hijacked_and_made_up_trees_cost_copies_and_no_delivery() {
    let seed = seed(3);
    let (quiet, attacked) = (suffer(Evil::Tags, 0, seed), suffer(Evil::Tags, 10, seed));
    let grafts = |seen: &Seen| seen.bytes_by_kind.get(&kind::GRAFT).copied().unwrap_or(0);
    assert!(grafts(&attacked) > 10 * grafts(&quiet));
    assert!(attacked.totals.redundancy() > quiet.totals.redundancy());
    assert!(attacked.totals.redundancy() < 3.0, "{attacked:?}");
    assert!(attacked.p99_ms < 1_000.0, "{attacked:?}");
}

/// A majority of a node's neighbours may set its price; what it then pays has a bound.
#[test]
fn lying_floors_raise_the_price_to_its_bound_only_where_most_neighbours_lie() {
    let seed = seed(4);
    assert_eq!(suffer(Evil::Floors, 0, seed).asking_log2, 0);
    assert_eq!(suffer(Evil::Floors, 6, seed).asking_log2, 0);
    assert_eq!(suffer(Evil::Floors, 36, seed).asking_log2, 6);
}

#[test]
fn lying_clocks_are_shown_only_where_most_neighbours_lie_and_nobody_turns_by_them() {
    let seed = seed(5);
    assert_eq!(suffer(Evil::Clocks, 0, seed).clock_offset_ms / 1_000, 0);
    assert_eq!(suffer(Evil::Clocks, 8, seed).clock_offset_ms / 1_000, 0);
    let most = suffer(Evil::Clocks, 36, seed);
    assert!(
        (3_599_000..=3_601_000).contains(&most.clock_offset_ms),
        "{most:?}"
    );
}

/// Identities are free in this version: whoever makes many has the lowest beacon.
#[test]
fn beacons_of_made_up_identities_fool_the_size_and_split_nothing() {
    let seed = seed(6);
    let (quiet, attacked) = (
        suffer(Evil::Beacons, 0, seed),
        suffer(Evil::Beacons, 4, seed),
    );
    assert!((10..160).contains(&quiet.size), "{quiet:?}");
    assert!(attacked.size > 2 * quiet.size, "{attacked:?}");
    let syncs = |seen: &Seen| {
        seen.bytes_by_kind
            .get(&kind::SYNC_OPEN)
            .copied()
            .unwrap_or(0)
    };
    assert!(syncs(&attacked) > 2 * syncs(&quiet), "comparisons in vain");
    assert!(
        attacked.totals.bytes < 3 * quiet.totals.bytes,
        "but not many"
    );
}

#[test]
fn a_censor_between_two_parts_is_seen_and_one_among_others_is_not() {
    let cast = Cast {
        nodes: 3,
        evil: 1,
        victims: 1,
        what: Evil::Censor,
        from: Duration::ZERO,
    };
    // Node 2, the censor, stands between the victim and node 1.
    let mut world = cast.world(seed(7), Settings::default());
    world.cut(|a, b| a != 2 && b != 2);
    world.join(0, 2);
    world.join(1, 2);
    world.run(SECOND * 5);
    let (censored, other) = (world.publish(0, b"from 0"), world.publish(1, b"from 1"));
    world.run(SECOND * 60);
    assert!(!world.ledger().has(censored, 1) && world.ledger().has(other, 0));
    suffer(Evil::Censor, 12, seed(7));
}

#[test]
fn what_is_sent_again_is_delivered_once_over_restarts_and_dedupe_rotation() {
    let cast = Cast {
        nodes: 12,
        evil: 3,
        victims: 0,
        what: Evil::Replay,
        from: SECOND * 25,
    };
    let mut world = cast.settled(seed(8));
    let first = cast.publish(&mut world, 20);
    world.run(SECOND * 30);
    let Totals { copies, .. } = world.ledger().totals();
    // Over clean restarts, one after the other: whoever comes back is sent all of it again.
    for node in 0..9 {
        world.kill(node);
        world.run(SECOND * 5);
        world.restart(node);
        world.run(SECOND * 20);
    }
    let again = world.ledger().totals().copies - copies;
    println!("{again} copies were sent again");
    assert!(again > 9 * 20);
    assert_kept(&mut world, cast);
    // A bulletin of an hour has expired, and its id is no longer remembered.
    world.run(Duration::from_mins(70));
    let seen = world
        .engine(0)
        .map(|engine| engine.inventory().counts().seen);
    assert_eq!(seen, Some(0), "{first:?}");
    world.kill(1);
    world.restart(1);
    world.run(SECOND * 30);
    assert_eq!(oracles::once(&world), []);
    assert_eq!(oracles::fair(&world, &|node| cast.is_honest(node)), []);
}

/// The guard against it is what a node remembers: one that lost its disk delivers what is sent again.
#[test]
fn what_is_sent_again_to_a_node_that_lost_its_disk_is_delivered_twice() {
    let cast = Cast {
        nodes: 12,
        evil: 3,
        victims: 0,
        what: Evil::Replay,
        from: SECOND * 25,
    };
    let mut world = cast.settled(seed(9));
    cast.publish(&mut world, 10);
    world.run(SECOND * 10);
    // Only the adversaries are there when it comes back.
    for node in 0..9 {
        world.kill(node);
    }
    world.lose_disk(4);
    world.restart(4);
    world.join(4, 10);
    world.run(SECOND * 10);
    let broken = oracles::once(&world);
    assert!(!broken.is_empty() && broken.iter().all(|broken| broken.node == 4));
}
