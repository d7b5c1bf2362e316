//! Faults: what befalls a network, and how long it takes until nothing is missing any more.
//!
//! Every run is held to all that is promised by the oracles of `bruit_sim::oracles`; the tests name the
//! figures beside that.

mod seed;

use std::time::Duration;

use bruit_core::engine::{Engine, Outlook};
use bruit_core::event::{Notice, Published, Refusal};
use bruit_sim::ledger::BulletinNumber;
use bruit_sim::oracles;
use bruit_sim::report::{Report, Row, table};
use bruit_sim::run::{self, Meter};
use bruit_sim::scenario::{Scenario, Skew};
use bruit_sim::world::{Settings, World};
use seed::seed;

const SECOND: Duration = Duration::from_secs(1);

/// Runs a scenario with two seeds; nothing that is promised is broken.
#[track_caller]
fn unbroken(text: &str, first: u64) -> Report {
    let scenario = Scenario::parse("test", text).unwrap_or_else(|problem| panic!("{problem}"));
    let seeds = [first, first + 1];
    let setups = scenario.cases.iter().map(|case| &case.setup);
    let meter = Meter::of(setups, seeds.len());
    let outcomes = run::all(&scenario, &seeds, &meter);
    let report = Report::new(&scenario, &seeds, &outcomes);
    println!("{}", table::text(&report));
    assert_eq!(report.broken(), 0);
    report
}

/// The same, and nothing is missing in the end.
#[track_caller]
fn run(text: &str, first: u64) -> Report {
    let report = unbroken(text, first);
    for row in &report.cases {
        let delivered = row.columns["delivery_ratio"];
        assert!(delivered.least >= 1.0, "{}: {delivered:?}", row.name);
    }
    report
}

/// The most of a column in any case and with any seed.
#[track_caller]
fn most(report: &Report, column: &str) -> f64 {
    let value = |row: &Row| {
        let spread = row.columns.get(column);
        spread
            .unwrap_or_else(|| panic!("{} has no {column}", row.name))
            .worst()
    };
    report.cases.iter().map(value).fold(0.0, f64::max)
}

/// L5, short: 100 nodes, 120 bulletins a second, ten topics, 2 KiB on links of 25 ms ± 10 %.
#[test]
fn a_busy_network_delivers_everything_within_half_a_second() {
    let report = run(
        "nodes = 100\n[start]\nsettle_s = 30\n\
         [terrain]\nshape = 'same'\ndelay_ms = 22.5\njitter_ms = 5\nuplink_bytes_per_s = 0\n\
         [traffic]\npublishers = 100\nrate = 120\nbody_bytes = 2_048\ntopics = 10\n\
         warm_s = 5\nmeasured_s = 2\ndrain_s = 10",
        seed(1),
    );
    assert!(most(&report, "p99_ms") <= 500.0);
}

/// F2: 20 to 300 ms, jitter of 30 %, one packet in twenty overtaken by those of 100 ms, one bulletin in twenty
/// twice.
#[test]
fn far_and_jittery_links_that_double_and_reorder_lose_nothing_and_double_nothing() {
    run(
        "nodes = 60\n[start]\nsettle_s = 40\n\
         [terrain]\nshape = 'uniform'\ndelay_ms = 20\nmore_ms = 280\njitter_ms = 90\n\
         reorder = 0.05\nreorder_ms = 100\nduplication = 0.05\n\
         [traffic]\npublishers = 'random'\nrate = 10\nwarm_s = 5\nmeasured_s = 20\ndrain_s = 40",
        seed(2),
    );
}

/// Ways back that are longer and lose more, and links of 2 Mbit/s up and down.
#[test]
fn ways_back_that_are_worse_and_narrow_links_on_both_sides_lose_nothing() {
    let report = run(
        "nodes = 60\n[start]\nsettle_s = 40\n\
         [traffic]\npublishers = 'random'\nrate = 10\nwarm_s = 5\nmeasured_s = 20\ndrain_s = 40\n\
         [[case]]\nname = 'as they are'\n\
         [[case]]\nname = 'worse back'\nterrain.back_ms = 100\nterrain.back_loss = 0.05\n\
         [[case]]\nname = 'narrow'\n[case.terrain]\n\
         uplink_bytes_per_s = 250_000\ndownlink_bytes_per_s = 250_000\n",
        seed(21),
    );
    let p50 = |case: usize| report.cases[case].columns["p50_ms"].median;
    assert!(p50(1) > p50(0) && p50(2) > p50(0), "they were felt");
}

/// The same with bursts in which half of all packets are lost.
#[test]
fn bursts_of_loss_delay_and_lose_nothing() {
    let calm = "nodes = 60\n[start]\nsettle_s = 40\n\
                [traffic]\npublishers = 'random'\nrate = 10\nwarm_s = 5\nmeasured_s = 20\ndrain_s = 40\n\
                [[case]]\nname = 'calm'\n";
    let bursts = "[[case]]\nname = 'bursts'\n[case.terrain]\nburst_loss = 0.5\nburst_every_s = 8\nburst_s = 2\n";
    let report = run(&format!("{calm}{bursts}"), seed(3));
    let p99 = |case: usize| report.cases[case].columns["p99_ms"].median;
    assert!(p99(1) > p99(0), "they were felt");
    assert!(most(&report, "p99_ms") <= 5_000.0);
}

const CUT: &str = "nodes = 60\n[start]\nsettle_s = 40\n\
                   [traffic]\npublishers = 'random'\nrate = 5\nwarm_s = 5\nmeasured_s = 65\ndrain_s = 65\n";

fn cut(shape: &str) -> String {
    format!(
        "[[case]]\nname = \"{shape}\"\n[[case.fault]]\nkind = 'cut'\nshape = '{shape}'\nat_s = 5\nfor_s = 60\n"
    )
}

#[test]
fn what_expires_behind_a_cut_is_owed_to_nobody() {
    let report = unbroken(
        "nodes = 30\n[start]\nsettle_s = 30\n\
         [traffic]\npublishers = 'random'\nrate = 2\nttl_s = 20\nwarm_s = 0\nmeasured_s = 70\ndrain_s = 40\n\
         [[fault]]\nkind = 'cut'\nshape = 'halves'\nat_s = 5\nfor_s = 60\n",
        seed(17),
    );
    // Of 140 bulletins some 80 expire before the halves hear of each other again.
    let delivered = report.cases[0].columns["delivery_ratio"];
    assert!(
        delivered.least > 0.6 && delivered.most < 0.8,
        "{delivered:?}"
    );
}

/// Bulletins of 20 KB, of which six are in memory: who was away asks for those that are on disk alone.
#[test]
fn nodes_with_little_memory_give_away_what_is_in_their_stores() {
    let report = run(
        "nodes = 30\nnode.recent_bytes = 131_072\n[start]\nsettle_s = 30\n\
         [traffic]\npublishers = 'random'\nrate = 1\nbody_bytes = 20_000\nwarm_s = 0\nmeasured_s = 40\ndrain_s = 60\n\
         [[fault]]\nkind = 'cut'\nshape = 'halves'\nat_s = 5\nfor_s = 30\n",
        seed(19),
    );
    assert!(most(&report, "requests") > 200.0, "they were asked for");
}

/// F3: half and half, in thirds, and one against all, for a minute, published on all sides.
#[test]
fn a_network_that_was_split_is_one_again_within_thirty_seconds_and_lacks_nothing() {
    let cases = cut("halves") + &cut("thirds") + &cut("one");
    let report = run(&(CUT.to_owned() + &cases), seed(4));
    // In one part, and everything everywhere: sixty seconds are allowed for the latter.
    assert!(most(&report, "repair_s") <= 30.0);
}

/// A few against the many, and more sides than three.
#[test]
fn a_network_in_pieces_of_any_size_is_one_again_and_lacks_nothing() {
    let sides = cut("share").replace("at_s", "share = 0.2\nat_s")
        + &cut("groups").replace("at_s", "groups = 5\nat_s");
    let report = run(&(CUT.to_owned() + &sides), seed(23));
    assert!(most(&report, "repair_s") <= 30.0);
    // While it lasts, what is published on one side is on the other later.
    assert!(
        report
            .cases
            .iter()
            .all(|row| row.columns["max_ms"].least > 30_000.0)
    );
}

/// F4: one direction, and some pairs.
#[test]
fn a_cut_that_only_some_see_or_in_one_direction_is_survived_as_well() {
    let report = run(&(CUT.to_owned() + &cut("one-way") + &cut("pairs")), seed(5));
    assert!(most(&report, "repair_s") <= 30.0);
}

/// F4: two nodes that do not hear each other are vouched for by the others.
#[test]
fn who_is_cut_off_from_one_neighbour_alone_is_suspected_by_nobody() {
    let mut world = World::new(20, seed(6), Settings::default());
    for node in 1..20 {
        world.join(node, 0);
    }
    world.run(SECOND * 30);
    let suspects = |world: &World| {
        let engines = (0..20).filter_map(|node| world.engine(node));
        let links = engines.flat_map(Engine::links);
        links.filter(|link| link.suspect).count()
    };
    let (a, b) = world.edges()[0];
    world.cut(move |from, to| [from, to] == [a, b] || [from, to] == [b, a]);
    let mut most = 0;
    for _ in 0..60 {
        world.run(SECOND);
        most = most.max(suspects(&world));
    }
    assert_eq!(most, 0);
    // But one that nobody hears is: the probes do not vouch for everybody.
    world.cut(|from, to| from == 7 || to == 7);
    let mut most = 0;
    for _ in 0..20 {
        world.run(SECOND);
        most = most.max(suspects(&world));
    }
    assert!(most > 0);
}

/// F7: a tenth goes each minute and comes back in the next, for ten minutes.
#[test]
fn churn_of_a_tenth_a_minute_loses_nothing() {
    let report = run(
        "nodes = 60\n[start]\nsettle_s = 40\n\
         [traffic]\npublishers = 'random'\nrate = 1\nwarm_s = 5\nmeasured_s = 600\ndrain_s = 60\n\
         [[fault]]\nkind = 'kill'\nshare = 0.1\nat_s = 5\nfor_s = 60\nevery_s = 60\ntimes = 10",
        seed(7),
    );
    // Those that ran have it long before it would be reconciled.
    assert!(most(&report, "max_ms") <= 10_000.0);
}

/// Nodes stopped for ten seconds and for a minute, suspended for as long, slow, or with full disks.
#[test]
fn nodes_that_stand_still_or_are_slow_or_cannot_write_miss_nothing_in_the_end() {
    let mut text = "nodes = 50\n[start]\nsettle_s = 40\n\
                    [traffic]\npublishers = 'random'\nrate = 5\nwarm_s = 5\nmeasured_s = 75\ndrain_s = 70\n"
        .to_owned();
    for (name, fault) in [
        ("paused", "kind = 'pause'\nfor_s = 10"),
        ("paused long", "kind = 'pause'\nfor_s = 60"),
        ("suspended", "kind = 'suspend'\nfor_s = 60"),
        (
            "slow",
            "kind = 'slow'\nframe_ms = 10\nuplink_bytes_per_s = 32_000\nfor_s = 60",
        ),
        ("disk full", "kind = 'disk-full'\nfor_s = 60"),
    ] {
        let head = format!("[[case]]\nname = '{name}'\n[[case.fault]]\n");
        text += &(head + fault + "\nshare = 0.2\nat_s = 10\n");
    }
    let report = run(&text, seed(8));
    assert!(most(&report, "repair_s") <= 60.0);
}

/// F10, in virtual time: a quarter of the nodes stands still again and again, from tenths of a second to twelve
/// seconds. What came meanwhile is heard before anybody is judged, so who runs all the time is never taken for
/// dead; one in 1,000 node-minutes is allowed. Who stands still for long is.
#[test]
fn nodes_that_stand_still_again_and_again_take_no_healthy_one_for_dead() {
    const NODES: usize = 32;
    let mut world = World::new(NODES, seed(16), Settings::default());
    for node in 1..NODES {
        world.join(node, 0);
    }
    world.run(SECOND * 30);
    let is_troubled = |node: usize| node % 4 == 3;
    // Until when each goes on as it does, in tenths of a second, and whether it runs.
    let mut turns = [(0_usize, true); NODES];
    for tick in 0..6_000 {
        for node in (0..NODES).filter(|node| is_troubled(*node)) {
            let (due, runs) = &mut turns[node];
            if *due > tick {
                continue;
            }
            *due = tick + 1 + world.below(if *runs { 120 } else { 40 });
            if std::mem::replace(runs, !*runs) {
                world.pause(node);
            } else {
                world.go_on(node);
            }
        }
        world.run(SECOND / 10);
    }
    let of = |troubled: bool| {
        let deaths = world.deaths().iter();
        deaths
            .filter(|death| is_troubled(death.whom) == troubled)
            .count()
    };
    println!(
        "taken for dead in ten minutes: {} that stood still, {} that ran",
        of(true),
        of(false)
    );
    assert!(of(true) > 0);
    assert_eq!(of(false), 0);
}

/// What the application of `node` was told of the bulletin it published.
fn told(world: &World, node: usize, bulletin: BulletinNumber) -> Option<Published> {
    let wanted = world.ledger().id(bulletin);
    world.notices(node).iter().find_map(|notice| match notice {
        Notice::Published { id, result } if *id == wanted => Some(*result),
        _ => None,
    })
}

fn outlook(world: &World, node: usize) -> Outlook {
    let engine = world.engine(node).expect("an engine");
    engine.outlook(world.clocks(node))
}

/// F15. Two minutes, an hour and ten years ahead and behind, then a step back: the node learns from its
/// neighbours how far it is off, takes in nothing expired or of the future, loses nothing, and harms nobody.
#[test]
fn a_wrong_clock_is_noticed_and_lets_nothing_in_that_its_hour_forbids() {
    const YEARS_MS: i64 = 315_576_000_000;
    for ahead_ms in [
        110_000, -110_000, 3_600_000, -3_600_000, YEARS_MS, -YEARS_MS,
    ] {
        let mut world = World::new(12, seed(9), Settings::default());
        for node in 1..12 {
            world.join(node, 0);
        }
        world.run(SECOND * 20);
        let before = world.publish(1, b"before");
        world.run(SECOND * 5);
        world.set_clock(11, ahead_ms);
        world.run(SECOND * 40);
        let noticed = outlook(&world, 11).clock_offset_ms.unwrap_or(0);
        assert!((noticed + ahead_ms).abs() < 1_000, "{ahead_ms}: {noticed}");
        let right = outlook(&world, 3).clock_offset_ms.unwrap_or(i64::MAX);
        assert!(right.abs() < 1_000, "{ahead_ms}: {right}");

        let (theirs, its) = (world.publish(2, b"theirs"), world.publish(11, b"its"));
        world.run(SECOND * 10);
        let is_near = ahead_ms.abs() <= 120_000;
        assert_eq!(world.ledger().has(theirs, 11), is_near, "{ahead_ms}");
        assert_eq!(world.ledger().reached(theirs), 11 + usize::from(is_near));
        assert_eq!(world.ledger().reached(its) == 12, is_near, "{ahead_ms}");
        // By its own clock it is right, so it is told that it has published.
        assert!(matches!(
            told(&world, 11, its),
            Some(Published::Accepted { .. })
        ));
        // Nothing was deleted by it.
        assert!(world.stamp(11, before).is_some());
        assert_eq!(outlook(&world, 11).horizon.as_millis(), 0);

        world.set_clock(11, 0);
        world.run(SECOND * 70);
        assert!(
            world.ledger().has(theirs, 11),
            "set right, it catches up: {ahead_ms}"
        );
        assert_eq!(oracles::once(&world), []);
        assert_eq!(oracles::fair(&world, &|_| true), []);
        let after = world.publish(11, b"after");
        world.run(SECOND * 5);
        assert_eq!(world.ledger().reached(after), 12, "{ahead_ms}");
    }
}

/// A clock that gains a tenth of a second each second, and one that loses it: each learns how far it is off by now.
#[test]
fn how_far_a_drifting_clock_has_come_is_noticed_as_well() {
    for drift in [100_000, -100_000] {
        let mut world = World::new(12, seed(22), Settings::default());
        for node in 1..12 {
            world.join(node, 0);
        }
        world.run(SECOND * 20);
        let skew = Skew { ahead_ms: 0, drift };
        let begin = world.now();
        world.skew_clock(11, skew);
        world.run(SECOND * 300);
        let ahead_ms = drift * 300 / 1_000;
        let noticed = outlook(&world, 11).clock_offset_ms.unwrap_or(0);
        // What it heard is some pings old.
        assert!((noticed + ahead_ms).abs() < 4_000, "{drift}: {noticed}");
        let (theirs, its) = (world.publish(2, b"theirs"), world.publish(11, b"its"));
        world.run(SECOND * 5);
        for bulletin in [theirs, its] {
            assert_eq!(world.ledger().reached(bulletin), 12, "{drift}");
        }
        world.mend_clock(11, skew, begin);
        assert_eq!(world.clocks(11).wall, world.wall());
        assert_eq!(oracles::fair(&world, &|_| true), []);
    }
}

/// Story: who refused a bulletin for its time asked for it again a minute later, and with each comparison.
#[test]
fn a_node_whose_clock_is_an_hour_wrong_does_not_ask_again_and_again_for_what_it_refuses() {
    for ahead_ms in [3_700_000, -3_700_000] {
        let mut world = World::new(12, seed(14), Settings::default());
        for node in 1..12 {
            world.join(node, 0);
        }
        world.run(SECOND * 20);
        world.set_clock(11, ahead_ms);
        let bulletins: Vec<_> = (0..10)
            .map(|node| world.publish(node, b"not for 11"))
            .collect();
        world.run(SECOND * 60);
        let before = world.ledger().totals();
        world.run(SECOND * 300);
        let since = world.ledger().totals().since(before);
        println!(
            "{ahead_ms}: {} requests in five minutes, {} copies",
            since.requests, since.copies
        );
        assert!(since.requests <= 10 && since.copies <= 10, "{ahead_ms}");
        assert!(
            bulletins
                .iter()
                .all(|bulletin| !world.ledger().has(*bulletin, 11))
        );
    }
}

/// F15, S8. What is of the future or has expired by the right clock is taken in by nobody.
///
/// Story: what came before its time was looked at again by a comparison, up to three minutes late.
#[test]
fn what_a_clock_two_minutes_and_five_seconds_ahead_publishes_arrives_when_its_time_comes() {
    let mut world = World::new(6, seed(10), Settings::default());
    for node in 1..6 {
        world.join(node, 0);
    }
    world.run(SECOND * 15);
    world.set_clock(5, 125_000);
    let early = world.publish(5, b"early");
    world.run(SECOND * 4);
    assert_eq!(world.ledger().reached(early), 1);
    world.run(SECOND * 2);
    assert_eq!(world.ledger().reached(early), 6);
    world.set_clock(5, -3_700_000);
    let late = world.publish(5, b"late");
    world.run(SECOND * 60);
    assert_eq!(world.ledger().reached(late), 1);
    let refused = Some(Published::Refused(Refusal::Expired));
    assert_ne!(
        told(&world, 5, late),
        refused,
        "it is right by its own clock"
    );
}

/// F15. A machine suspended for an hour: its monotonic clock stood still, its wall clock did not. Another was
/// stopped as long, on a clock that ran on.
#[test]
fn a_node_that_stood_still_for_an_hour_is_back_within_a_minute() {
    let mut world = World::new(15, seed(11), Settings::default());
    for node in 1..15 {
        world.join(node, 0);
    }
    world.run(SECOND * 30);
    let held = world.publish(13, b"before");
    world.run(SECOND * 5);
    world.suspend(13);
    world.pause(14);
    let mut missed = Vec::new();
    for number in 0..60_u8 {
        missed.push(world.publish(usize::from(number % 13), &[number; 100]));
        world.run(SECOND * 60);
    }
    assert_eq!(world.components_of(|node| node < 13), [13]);
    assert!(!world.ledger().has(missed[40], 13) && !world.ledger().has(missed[40], 14));
    world.go_on(13);
    world.go_on(14);
    world.run(SECOND * 60);
    assert_eq!(world.components(), [15]);
    for node in [13, 14] {
        assert!(world.neighbours(node).len() >= 4, "{node}");
        // What has not expired meanwhile.
        for bulletin in missed.iter().skip(5) {
            assert!(
                world.ledger().has(*bulletin, node),
                "{node} lacks {bulletin:?}"
            );
        }
    }
    let offset = outlook(&world, 13).clock_offset_ms.unwrap_or(i64::MAX);
    assert!(offset.abs() < 1_000, "{offset}");
    let hello = world.publish(13, b"back");
    world.run(SECOND * 5);
    assert_eq!(world.ledger().reached(hello), 15);
    assert_eq!(oracles::once(&world), []);
    assert_eq!(oracles::fair(&world, &|_| true), []);
    assert_eq!(oracles::bounded(&world), []);
    assert!(world.ledger().has(held, 14));
}

/// A pause is seen by the neighbours, and a slow node in its delays.
#[test]
fn a_node_that_stands_still_is_given_up_and_a_slow_one_is_late() {
    let mut world = World::new(10, seed(12), Settings::default());
    for node in 1..10 {
        world.join(node, 0);
    }
    world.run(SECOND * 20);
    world.pause(4);
    world.run(SECOND * 60);
    let sees = (0..10).filter(|node| *node != 4 && world.neighbours(*node).contains(&4));
    assert_eq!(sees.count(), 0);
    world.go_on(4);
    world.run(SECOND * 60);
    assert!(world.neighbours(4).len() >= 4);
    let slowness = bruit_sim::scenario::Slowness {
        frame: Duration::from_millis(200),
        uplink_bytes_per_s: None,
    };
    world.slow(5, slowness);
    let bulletin = world.publish(0, b"slowly");
    world.run(SECOND * 10);
    let delay = world.ledger().delay_ms(bulletin, 5);
    assert!(delay.is_some_and(|delay| delay >= 200.0), "{delay:?}");
}

/// What comes while the disk is full is delivered and not kept: after a restart it comes again, and is kept.
#[test]
fn what_a_full_disk_did_not_take_is_fetched_again_by_the_next_life() {
    let mut world = World::new(8, seed(13), Settings::default());
    for node in 1..8 {
        world.join(node, 0);
    }
    world.run(SECOND * 20);
    world.fill_disk(3, true);
    let bulletin = world.publish(0, b"no room");
    world.run(SECOND * 5);
    assert!(world.ledger().has(bulletin, 3) && world.stamp(3, bulletin).is_none());
    assert!(world.is_unkept(3, bulletin));
    assert_eq!(oracles::equal(&world, &|_| true), []);
    world.fill_disk(3, false);
    world.kill(3);
    world.run(SECOND);
    world.restart(3);
    world.run(SECOND * 60);
    assert!(world.stamp(3, bulletin).is_some());
    assert_eq!(world.ledger().doubles(), 1);
    assert_eq!(oracles::once(&world), [], "it could not have been known");
}
