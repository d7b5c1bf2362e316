//! Beacons: whether this is all of the network.

use super::node;
use super::room::{ME, after, dials, link, room, seed_of, up};
use crate::id::{LinkId, NodeId};
use crate::identity::Signature;
use crate::intake::Verified;
use crate::link::Direction;
use crate::membership::Fact;
use crate::record::Beacon;
use crate::time::Now;
use crate::wire::Frame;

fn beacon(number: u32, now: Now) -> Beacon {
    let signature = Signature::from_bytes([0; 64]);
    Beacon {
        node: node(number),
        minute: now.wall.minute(),
        signature,
    }
}

fn ranked(now: Now) -> Vec<Beacon> {
    let mut beacons: Vec<_> = (0..40).map(|number| beacon(number, now)).collect();
    beacons.sort_by_key(Beacon::rank);
    beacons
}

fn beacons_to(facts: &[Fact]) -> Vec<(LinkId, NodeId)> {
    let sent = |fact: &Fact| match fact {
        Fact::Send {
            link,
            frame: Frame::Beacon(beacon),
        } => Some((*link, beacon.node)),
        _ => None,
    };
    facts.iter().filter_map(sent).collect()
}

#[test]
fn only_lower_beacons_are_checked_and_passed_on_thrice_a_minute() {
    let mut room = room();
    let now = after(1_000);
    for number in [100, 101] {
        up(&mut room, number, Direction::Out, after(0));
    }
    let later = after(30_000);
    let order = ranked(later);
    let mut passed = Vec::new();
    for at in [20, 30, 15, 10, 5, 2, 1] {
        if let Some(beacon) = room.on_beacon(link(100), &order[at], later) {
            passed.extend(beacons_to(&room.beacon_verified(
                link(100),
                Verified::for_test(beacon),
                later,
            )));
        }
    }
    assert_eq!(
        passed,
        [(link(101), order[20].node), (link(101), order[15].node)]
    );
    let old = Beacon {
        minute: later.wall.minute() - 2,
        ..order[0]
    };
    assert_eq!(room.on_beacon(link(101), &old, later), None);
    assert_eq!(room.on_beacon(link(101), &order[15], later), None, "known");
    let _ = now;
}

#[test]
fn another_beacon_on_a_new_link_means_rejoin_and_reconcile() {
    let mut room = room();
    room.join(vec![seed_of(50), seed_of(51)], after(0));
    for number in 1..=6 {
        up(&mut room, number, Direction::Out, after(0));
    }
    for peer in [50, 51] {
        room.dial_failed(node(peer), after(3_000));
    }
    let order = ranked(after(1_000));
    let ours = room.on_beacon(link(1), &order[5], after(1_000)).unwrap();
    room.beacon_verified(link(1), Verified::for_test(ours), after(1_000));
    up(&mut room, 7, Direction::In, after(50_000));
    for (other, expected) in [(5, false), (9, true)] {
        let mut room = room.clone();
        let facts = room
            .on_beacon(link(7), &order[other], after(50_100))
            .map(|beacon| room.beacon_verified(link(7), Verified::for_test(beacon), after(50_100)))
            .unwrap_or_default();
        assert_eq!(facts.contains(&Fact::Reconcile { link: link(7) }), expected);
        assert_eq!(
            dials(&facts).contains(&node(50)) || dials(&facts).contains(&node(51)),
            expected
        );
    }
    assert_eq!(
        room.on_beacon(link(2), &order[9], after(50_100)),
        None,
        "an old link: no news"
    );
}

#[test]
fn a_node_speaks_its_beacon_once_unless_it_heard_a_lower_one() {
    for hears in [false, true] {
        let mut room = room();
        up(&mut room, 1, Direction::Out, after(0));
        let mut spoken = 0;
        let minute = after(0).wall.minute() + 1;
        if hears {
            let mut low: Vec<_> = (0..5_000)
                .map(|n| Beacon {
                    minute,
                    ..beacon(n, after(0))
                })
                .collect();
            low.sort_by_key(Beacon::rank);
            let beacon = room.on_beacon(link(1), &low[0], after(59_900)).unwrap();
            room.beacon_verified(link(1), Verified::for_test(beacon), after(59_900));
        }
        for second in 60..115 {
            for fact in room.wakeup(after(second * 1_000)) {
                if let Fact::SignBeacon { minute: signed } = fact {
                    assert_eq!(signed, minute);
                    let own = Beacon {
                        minute,
                        node: node(ME),
                        ..beacon(0, after(0))
                    };
                    let facts = room.signed_beacon(own, after(second * 1_000));
                    assert_eq!(beacons_to(&facts), [(link(1), node(ME))]);
                    spoken += 1;
                }
            }
        }
        assert_eq!(spoken, i32::from(!hears));
    }
}
