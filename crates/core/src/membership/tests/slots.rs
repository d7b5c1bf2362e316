//! Who gets one of the slots for links of others, and who has to go.

use std::net::SocketAddr;
use std::time::Duration;

use super::room::{after, answer, closes, link, room, room_with, tell, up, up_from};
use super::{address, node, record};
use crate::link::{CloseReason, Direction};
use crate::membership::{Config, Fact, Membership};
use crate::time::Now;
use crate::wire::Frame;

/// A room whose thirty slots are taken: by 26–29 that are nearest, 20–23 that deliver first, 0–3 that are
/// oldest, and 4–11 that then stand for eight more groups. Nothing protects the others.
fn full() -> Membership {
    let mut room = room_with(Config {
        inbound_max: 30,
        ..Config::default()
    });
    for number in 0..30 {
        up(&mut room, number, Direction::In, after(u64::from(number)));
        room.rtt(link(number), Duration::from_millis(100 - u64::from(number)));
    }
    for number in 20..24 {
        room.first_delivery(link(number));
    }
    room
}

/// A node links up with us and stays.
fn stay(room: &mut Membership, number: u32, now: Now) -> Vec<Fact> {
    let mut facts = up(room, number, Direction::In, now);
    facts.extend(room.on_mesh(link(number), true, now));
    facts
}

/// Story: whoever tried the address of a full node drove out a neighbour, and went again. Every node tries
/// one each ten seconds: of 10,000 the first ones, which all others were told of, lost links without end.
#[test]
fn who_only_tries_the_address_of_a_full_node_drives_nobody_out() {
    let mut room = full();
    let facts = up(&mut room, 100, Direction::In, after(90_000));
    assert_eq!(closes(&facts), []);
    room.link_down(link(100), CloseReason::Full, true, after(92_000));
    assert_eq!(room.counts().inbound, 30);
}

#[test]
fn a_full_node_evicts_whom_nothing_protects_and_never_the_young() {
    let mut room = full();
    let young = stay(&mut room, 100, after(30_000));
    assert_eq!(closes(&young), [], "kept for a moment, nobody evicted");
    room.link_down(link(100), CloseReason::Quit, true, after(30_001));
    for expected in [25, 24, 19] {
        let number = 200 + expected;
        let facts = stay(&mut room, number, after(90_000));
        assert_eq!(closes(&facts), [(link(expected), CloseReason::Full)]);
    }
    room.suspect(link(0), after(90_001));
    let facts = stay(&mut room, 300, after(90_002));
    assert_eq!(
        closes(&facts),
        [(link(0), CloseReason::Full)],
        "the suspect goes first"
    );
}

/// Story: who was spared for its age was spared again for its group. A thousand attackers of two hundred
/// groups drove out four of nineteen honest neighbours.
#[test]
fn eviction_spares_twenty_different_links() {
    let mut room = full();
    for number in 100..130 {
        stay(&mut room, number, after(90_000));
    }
    let old = room.links().filter(|view| view.link < link(30));
    let left: Vec<_> = old.map(|view| view.link).collect();
    let spared = (0..12).chain(20..24).chain(26..30).map(link);
    assert_eq!(left, spared.collect::<Vec<_>>());
}

#[test]
fn eviction_takes_from_the_largest_group() {
    let config = Config {
        inbound_max: 24,
        inbound_per_subnet: 24,
        ..Config::default()
    };
    let mut room = room_with(config);
    for number in 0..24 {
        let remote = if number % 2 == 0 {
            SocketAddr::from(([9, 9, 9, 1], 1000 + u16::try_from(number).unwrap()))
        } else {
            address(number)
        };
        up_from(
            &mut room,
            number,
            Direction::In,
            remote,
            after(u64::from(number)),
        );
    }
    for number in 100..104 {
        let facts = stay(&mut room, number, after(70_000));
        let [(gone, _)] = closes(&facts)[..] else {
            panic!("{facts:?}")
        };
        assert_eq!(gone.number() % 2, 0, "one of the many in 9.9.0.0/16");
    }
}

#[test]
fn a_crowded_node_takes_two_links_of_a_subnet_but_all_of_its_own_machine() {
    let mut room = room();
    for number in 0..12 {
        up(&mut room, number, Direction::In, after(0));
    }
    let inbound = |room: &Membership| room.counts().inbound;
    for number in 100..110 {
        let remote = SocketAddr::from(([9, 9, 9, 9], u16::try_from(number).unwrap()));
        up_from(&mut room, number, Direction::In, remote, after(1));
    }
    room.wakeup(after(4_000));
    assert_eq!(
        inbound(&room),
        14,
        "the others were told addresses and closed"
    );
    for number in 200..220 {
        let remote = SocketAddr::from(([127, 0, 0, 1], u16::try_from(number).unwrap()));
        up_from(&mut room, number, Direction::In, remote, after(4_001));
    }
    room.wakeup(after(8_000));
    assert_eq!(inbound(&room), 34);
}

#[test]
fn whoever_finds_a_node_full_is_told_addresses_and_then_closed() {
    let mut room = room_with(Config {
        inbound_max: 4,
        courtesy_max: 2,
        ..Config::default()
    });
    for number in 0..4 {
        up(&mut room, number, Direction::In, after(0));
        tell(
            &mut room,
            number,
            vec![record(number, address(number), after(0))],
            after(1),
        );
    }
    let facts = up(&mut room, 10, Direction::In, after(10));
    assert!(facts.iter().all(|fact| !matches!(
        fact,
        Fact::Send {
            frame: Frame::Mesh { .. },
            ..
        }
    )));
    assert_eq!(answer(&room.on_peers_req(link(10), after(20))).len(), 4);
    assert_eq!(
        closes(&room.wakeup(after(520))),
        [(link(10), CloseReason::Full)]
    );
    up(&mut room, 11, Direction::In, after(600));
    up(&mut room, 12, Direction::In, after(600));
    let facts = room.link_up(
        link(13),
        node(13),
        Direction::In,
        Some(address(13)),
        after(600),
    );
    assert_eq!(closes(&facts), [(link(13), CloseReason::Full)]);
}

#[test]
fn as_many_inbound_links_as_may_are_in_the_mesh_and_the_next_follows_up() {
    let mut room = room_with(Config {
        mesh_inbound_max: 16,
        ..Config::default()
    });
    let offered = |facts: &[Fact]| {
        facts.iter().any(|fact| {
            matches!(
                fact,
                Fact::Send {
                    frame: Frame::Mesh { on: true },
                    ..
                }
            )
        })
    };
    for number in 0..20 {
        let facts = up(&mut room, number, Direction::In, after(u64::from(number)));
        assert_eq!(offered(&facts), number < 16);
        room.on_mesh(link(number), true, after(0));
    }
    assert_eq!(
        room.links.iter().filter(|(_, link)| link.in_mesh()).count(),
        16
    );
    let facts = room.link_down(link(3), CloseReason::Dead, false, after(100));
    assert!(facts.contains(&Fact::MeshDown { link: link(3) }));
    assert!(facts.contains(&Fact::MeshUp { link: link(16) }));
    assert!(
        offered(&up(&mut room, 50, Direction::Out, after(200))),
        "outbound always"
    );
}
