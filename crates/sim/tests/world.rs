//! The world itself: what it says of links holds.

use std::time::Duration;

use bruit_sim::ledger::BulletinNumber;
use bruit_sim::oracles;
use bruit_sim::terrain::{Distances, Terrain};
use bruit_sim::world::{Settings, World};

const SECOND: Duration = Duration::from_secs(1);

/// Two linked nodes, 10 ms apart.
fn pair(mut terrain: Terrain) -> World {
    terrain.distances = Distances::Same(Duration::from_millis(10));
    terrain.jitter = Duration::ZERO;
    let settings = Settings {
        terrain,
        ..Settings::default()
    };
    let mut world = World::new(2, 1, settings);
    world.join(1, 0);
    world.run(SECOND * 5);
    assert_eq!(world.components(), [2]);
    world
}

/// The same two, who send 100,000 bytes a second.
fn narrow_pair() -> World {
    pair(Terrain {
        uplink_bytes_per_s: Some(100_000),
        ..Terrain::default()
    })
}

/// Half a second for its 50,000 bytes, and the way.
fn assert_came_through_a_narrow_link(world: &World, bulletin: BulletinNumber) {
    let delays: Vec<f64> = world.ledger().delays_ms(bulletin).collect();
    assert!(
        matches!(delays[..], [delay] if (510.0..530.0).contains(&delay)),
        "{delays:?}"
    );
}

#[test]
fn a_bulletin_takes_as_long_as_its_way() {
    let mut world = pair(Terrain::default());
    let bulletin = world.publish(0, b"hello");
    world.run(SECOND);
    let delays: Vec<f64> = world.ledger().delays_ms(bulletin).collect();
    assert_eq!(delays, [10.0]);
}

#[test]
fn a_narrow_uplink_takes_its_time() {
    let mut world = narrow_pair();
    let bulletin = world.publish(0, &vec![7; 50_000]);
    world.run(SECOND * 2);
    assert_came_through_a_narrow_link(&world, bulletin);
}

/// Node 1 has dialled node 0, so what node 0 sends goes the way back.
#[test]
fn a_way_back_may_be_longer() {
    let mut world = pair(Terrain {
        back: Duration::from_millis(30),
        ..Terrain::default()
    });
    for (publisher, delay) in [(0, 40.0), (1, 10.0)] {
        let bulletin = world.publish(publisher, b"hello");
        world.run(SECOND);
        let delays: Vec<f64> = world.ledger().delays_ms(bulletin).collect();
        assert_eq!(delays, [delay], "{publisher}");
    }
}

#[test]
fn a_packet_that_is_held_back_is_late_by_as_much() {
    let mut world = pair(Terrain {
        reorder: 1.0,
        reorder_by: Duration::from_millis(15),
        ..Terrain::default()
    });
    let bulletin = world.publish(0, b"hello");
    world.run(SECOND);
    let delays: Vec<f64> = world.ledger().delays_ms(bulletin).collect();
    assert_eq!(delays, [25.0]);
}

#[test]
fn a_narrow_downlink_takes_its_time() {
    let mut world = pair(Terrain {
        downlink_bytes_per_s: Some(100_000),
        ..Terrain::default()
    });
    let bulletin = world.publish(0, &vec![7; 50_000]);
    world.run(SECOND * 2);
    assert_came_through_a_narrow_link(&world, bulletin);
}

/// Its two neighbours send 50,000 bytes each at once.
#[test]
fn what_comes_over_several_links_waits_before_one_downlink() {
    let settings = Settings {
        terrain: Terrain {
            distances: Distances::Same(Duration::from_millis(10)),
            jitter: Duration::ZERO,
            downlink_bytes_per_s: Some(100_000),
            ..Terrain::default()
        },
        ..Settings::default()
    };
    let mut world = World::new(3, 1, settings);
    // The two send each other nothing.
    world.cut(|from, to| from + to == 3);
    for node in [1, 2] {
        world.join(node, 0);
    }
    world.run(SECOND * 5);
    let bulletins = [1, 2].map(|node| world.publish(node, &vec![7; 50_000]));
    world.run(SECOND * 3);
    let mut delays = bulletins.map(|bulletin| world.ledger().delay_ms(bulletin, 0).unwrap());
    delays.sort_by(f64::total_cmp);
    let [first, second] = delays;
    assert!((510.0..530.0).contains(&first), "{delays:?}");
    assert!((1_010.0..1_050.0).contains(&second), "{delays:?}");
}

#[test]
fn a_short_cut_delays_and_loses_nothing() {
    let mut world = pair(Terrain::default());
    world.cut(|_, _| true);
    let bulletin = world.publish(0, b"late");
    world.run(SECOND * 3);
    assert_eq!(world.ledger().reached(bulletin), 1);
    world.heal();
    world.run(SECOND / 10);
    assert_eq!(world.ledger().reached(bulletin), 2);
    assert_eq!(world.ledger().doubles(), 0);
}

/// Story: what was held at a cut had kept the uplink busy already, and did so again.
#[test]
fn what_is_held_at_a_cut_takes_the_uplink_once() {
    let mut world = narrow_pair();
    world.cut(|_, _| true);
    let bulletin = world.publish(0, &vec![7; 50_000]);
    world.heal();
    world.run(SECOND * 2);
    assert_came_through_a_narrow_link(&world, bulletin);
}

/// Story: what a node had sent into a cut went on from there when the cut healed, although the node had
/// died meanwhile.
#[test]
fn what_waits_at_a_cut_dies_with_its_sender() {
    let mut world = pair(Terrain::default());
    world.cut(|_, _| true);
    let bulletin = world.publish(0, b"last words");
    world.kill(0);
    world.heal();
    world.run(SECOND * 5);
    assert_eq!(world.ledger().reached(bulletin), 1);
}

#[test]
fn a_one_way_cut_is_a_cut_for_one_direction_alone() {
    let mut world = pair(Terrain::default());
    world.cut(|from, _| from == 0);
    let heard = world.publish(1, b"towards the one that is not heard");
    let lost = world.publish(0, b"from it");
    world.run(SECOND);
    assert_eq!(world.ledger().reached(heard), 2);
    assert_eq!(world.ledger().reached(lost), 1);
}

#[test]
fn a_node_that_is_gone_is_noticed_and_one_that_comes_back_is_let_in() {
    let mut world = pair(Terrain::default());
    world.kill(0);
    world.run(SECOND * 40);
    assert_eq!(world.neighbours(1), [0; 0]);
    let missed = world.publish(1, b"while it was away");
    world.restart(0);
    world.join(0, 1);
    world.run(SECOND * 10);
    assert_eq!(world.components(), [2]);
    assert!(world.ledger().has(missed, 0));
}

/// Nobody looked at what the inventory said of it.
#[test]
fn where_ids_fill_the_memory_kept_for_them_long_validity_has_its_price() {
    let mut settings = Settings::default();
    settings.config.inventory.seen_max = 100;
    // Ids are forgotten where three neighbours confirm the clock.
    let mut world = World::new(4, 1, settings);
    (1..4).for_each(|node| world.join(node, 0));
    world.run(SECOND * 5);
    let asking = |world: &World, ttl: Duration| {
        let asks = |node| world.engine(node).map(|engine| engine.asking().of(ttl));
        [asks(0), asks(1)]
    };
    let (short, long) = (Duration::from_hours(1), Duration::from_hours(2));
    let publish = |world: &mut World, bodies: std::ops::Range<u8>| {
        for body in bodies {
            world.publish_for(0, "news", Duration::from_mins(5), &[body]);
        }
        world.run(SECOND * 5);
    };
    publish(&mut world, 0..75);
    assert_eq!(asking(&world, long), [Some(0); 2]);
    publish(&mut world, 75..76);
    assert_eq!(asking(&world, long), [Some(2); 2]);
    assert_eq!(asking(&world, short), [Some(0); 2]);
    world.run(Duration::from_mins(8));
    assert_eq!(asking(&world, long), [Some(0); 2], "they have expired");
}

/// Two milliseconds after a bulletin came it is not synced yet, after four it is; who is stopped as is proper
/// syncs first.
#[test]
fn a_crash_loses_what_was_not_synced_and_a_stop_loses_nothing() {
    let end: [fn(&mut World); 2] = [|world| world.kill(1), |world| world.stop(1)];
    for (age_ms, end, is_kept) in [(2, end[0], false), (4, end[0], true), (2, end[1], true)] {
        let mut world = pair(Terrain::default());
        let bulletin = world.publish(0, b"hello");
        world.run(Duration::from_millis(10 + age_ms));
        assert!(world.ledger().has(bulletin, 1) && world.stamp(1, bulletin).is_some());
        end(&mut world);
        assert_eq!(world.stamp(1, bulletin).is_some(), is_kept, "{age_ms}");
        assert_eq!(world.is_unkept(1, bulletin), !is_kept);
        world.restart(1);
        world.join(1, 0);
        world.run(SECOND * 70);
        assert!(world.stamp(1, bulletin).is_some(), "it came again");
        assert_eq!(world.ledger().doubles(), u64::from(!is_kept));
        assert_eq!(oracles::once(&world), []);
    }
}
