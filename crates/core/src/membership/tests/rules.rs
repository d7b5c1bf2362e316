//! Each rule by itself, one room and hand-made facts.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{address, at, node, record, unsigned};
use crate::id::{LinkId, NodeId};
use crate::identity::Signature;
use crate::intake::Verified;
use crate::limits;
use crate::link::{CloseReason, Direction, PeerAddress};
use crate::membership::{Config, Fact, MemberState, Membership};
use crate::record::{Beacon, Record};
use crate::time::Now;
use crate::wire::Frame;

const ME: u32 = 1_000_000;

fn room_with(config: Config) -> Membership {
    Membership::new(node(ME), config, ChaCha8Rng::seed_from_u64(1))
}

fn room() -> Membership {
    room_with(Config::default())
}

fn after(millis: u64) -> Now {
    at(Duration::from_millis(millis))
}

fn link(number: u32) -> LinkId {
    LinkId::new(number.into())
}

fn up(room: &mut Membership, number: u32, direction: Direction, now: Now) -> Vec<Fact> {
    up_from(room, number, direction, address(number), now)
}

fn up_from(
    room: &mut Membership,
    number: u32,
    direction: Direction,
    remote: SocketAddr,
    now: Now,
) -> Vec<Fact> {
    let mut facts = room.link_up(link(number), node(number), direction, Some(remote), now);
    facts.extend(room.established(link(number), now));
    facts
}

fn tell(room: &mut Membership, from: u32, records: Vec<Record>, now: Now) -> usize {
    let news = room.on_peers(link(from), records, now);
    let count = news.len();
    for record in news {
        room.on_record(link(from), Verified::for_test(record), now);
    }
    count
}

fn closes(facts: &[Fact]) -> Vec<(LinkId, CloseReason)> {
    let close = |fact: &Fact| match fact {
        Fact::Close { link, reason } => Some((*link, *reason)),
        _ => None,
    };
    facts.iter().filter_map(close).collect()
}

fn dials(facts: &[Fact]) -> Vec<NodeId> {
    let dial = |fact: &Fact| match fact {
        Fact::Dial(peer) => Some(peer.id),
        _ => None,
    };
    facts.iter().filter_map(dial).collect()
}

fn answer(facts: &[Fact]) -> Vec<Record> {
    let peers = |fact: &Fact| match fact {
        Fact::Send {
            frame: Frame::Peers { records },
            ..
        } => Some(records.clone()),
        _ => None,
    };
    facts.iter().filter_map(peers).flatten().collect()
}

fn seed_of(number: u32) -> PeerAddress {
    PeerAddress {
        id: node(number),
        addresses: vec![address(number)],
    }
}

#[test]
fn an_established_link_gets_own_record_mesh_and_a_question() {
    let mut room = room();
    let facts = room.set_addresses(vec![address(ME)], after(0));
    let [Fact::SignRecord(body)] = &facts[..] else {
        panic!("{facts:?}")
    };
    let own = unsigned(body.clone());
    room.signed_record(own.clone(), after(0));
    let facts = up(&mut room, 1, Direction::Out, after(10));
    let send = |frame| Fact::Send {
        link: link(1),
        frame,
    };
    assert_eq!(
        facts,
        [
            send(Frame::Peers { records: vec![own] }),
            send(Frame::Mesh { on: true }),
            send(Frame::PeersReq),
        ]
    );
    assert_eq!(
        room.on_mesh(link(1), true),
        [Fact::MeshUp { link: link(1) }]
    );
    assert_eq!(room.on_mesh(link(1), true), []);
    assert_eq!(
        room.on_mesh(link(1), false),
        [Fact::MeshDown { link: link(1) }]
    );
}

#[test]
fn of_two_dials_at_once_both_ends_keep_the_one_of_the_lower_id() {
    let (low, high) = (node(1).min(node(2)), node(1).max(node(2)));
    let mut kept = Vec::new();
    // Link 1 is dialled by `low`, link 2 by `high`; each end sees its own first.
    for (me, other, order) in [(low, high, [1, 2]), (high, low, [2, 1])] {
        let mut room = Membership::new(me, Config::default(), ChaCha8Rng::seed_from_u64(1));
        let mut facts = Vec::new();
        for number in order {
            let ours = (number == 1) == (me == low);
            let direction = if ours { Direction::Out } else { Direction::In };
            facts.extend(room.link_up(link(number), other, direction, None, after(5)));
        }
        assert_eq!(closes(&facts), [(link(2), CloseReason::Duplicate)]);
        kept.push(room.link_of(&other));
    }
    assert_eq!(kept, [Some(link(1)); 2]);
}

#[test]
fn later_the_newer_link_replaces_the_older() {
    for first in [Direction::In, Direction::Out] {
        let mut room = room();
        room.link_up(link(1), node(1), first, None, after(0));
        room.established(link(1), after(10));
        let facts = room.link_up(link(2), node(1), Direction::In, None, after(5_100));
        assert_eq!(closes(&facts), [(link(1), CloseReason::Duplicate)]);
        assert_eq!(room.link_of(&node(1)), Some(link(2)));
        assert_eq!(
            room.link_down(link(1), CloseReason::Duplicate, false, after(5_200)),
            []
        );
        assert_eq!(room.link_of(&node(1)), Some(link(2)));
    }
}

#[test]
fn a_node_does_not_link_with_itself() {
    let mut room = room();
    assert_eq!(room.join(vec![seed_of(ME)], after(0)), []);
    let facts = room.link_up(link(1), node(ME), Direction::In, None, after(0));
    assert_eq!(closes(&facts), [(link(1), CloseReason::Duplicate)]);
    up(&mut room, 2, Direction::Out, after(0));
    assert_eq!(
        tell(
            &mut room,
            2,
            vec![record(ME, address(ME), after(0))],
            after(1)
        ),
        0
    );
}

#[test]
fn joining_a_linked_node_changes_nothing() {
    let mut room = room();
    assert_eq!(dials(&room.join(vec![seed_of(1)], after(0))), [node(1)]);
    assert_eq!(
        room.join(vec![seed_of(1)], after(1)),
        [],
        "on its way already"
    );
    up(&mut room, 1, Direction::Out, after(10));
    assert_eq!(room.join(vec![seed_of(1)], after(20)), []);
}

#[test]
fn a_handshake_that_takes_too_long_is_closed() {
    let mut room = room();
    room.link_up(link(1), node(1), Direction::In, Some(address(1)), after(0));
    assert_eq!(closes(&room.wakeup(after(4_900))), []);
    assert_eq!(
        closes(&room.wakeup(after(5_000))),
        [(link(1), CloseReason::Dead)]
    );
}

#[test]
fn a_full_node_evicts_whom_nothing_protects_and_never_the_young() {
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
    let young = up(&mut room, 100, Direction::In, after(30_000));
    assert_eq!(closes(&young), [], "kept for a moment, nobody evicted");
    room.link_down(link(100), CloseReason::Quit, true, after(30_001));
    // 26–29 nearest, 20–23 deliver first, 0–3 oldest, 4–11 stand for eight groups.
    for expected in [25, 24, 19] {
        let number = 200 + expected;
        let facts = up(&mut room, number, Direction::In, after(90_000));
        assert_eq!(closes(&facts), [(link(expected), CloseReason::Full)]);
    }
    room.suspect(link(0), after(90_001));
    let facts = up(&mut room, 300, Direction::In, after(90_002));
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
    for number in 100..130 {
        up(&mut room, number, Direction::In, after(90_000));
    }
    let old = room.links().filter(|view| view.link < link(30));
    let left: Vec<_> = old.map(|view| view.link).collect();
    // 26–29 nearest, 20–23 deliver first, 0–3 oldest, 4–11 stand for eight more groups.
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
        let facts = up(&mut room, number, Direction::In, after(70_000));
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
        room.on_mesh(link(number), true);
    }
    assert_eq!(room.mesh_links().count(), 16);
    let facts = room.link_down(link(3), CloseReason::Dead, false, after(100));
    assert!(facts.contains(&Fact::MeshDown { link: link(3) }));
    assert!(facts.contains(&Fact::MeshUp { link: link(16) }));
    assert!(
        offered(&up(&mut room, 50, Direction::Out, after(200))),
        "outbound always"
    );
}

#[test]
fn reputation_takes_a_link_out_of_the_mesh_and_back() {
    let mut room = room();
    up(&mut room, 1, Direction::Out, after(0));
    room.on_mesh(link(1), true);
    let off = Fact::Send {
        link: link(1),
        frame: Frame::Mesh { on: false },
    };
    assert_eq!(
        room.allow_mesh(link(1), false),
        [off, Fact::MeshDown { link: link(1) }]
    );
    assert!(
        room.allow_mesh(link(1), true)
            .contains(&Fact::MeshUp { link: link(1) })
    );
}

#[test]
fn only_own_records_come_unasked_and_an_answer_has_sixteen() {
    let mut room = room();
    up(&mut room, 1, Direction::In, after(0));
    let news = |from: u32| {
        (from..from + 30)
            .map(|n| record(n, address(n), after(0)))
            .collect()
    };
    assert_eq!(
        tell(&mut room, 1, news(100), after(1)),
        limits::RECORDS_MAX,
        "asked on link up"
    );
    assert_eq!(
        tell(&mut room, 1, news(200), after(2)),
        0,
        "no more than that"
    );
    assert_eq!(
        tell(
            &mut room,
            1,
            vec![record(1, address(1), after(0))],
            after(3)
        ),
        0,
        "allowance"
    );
    assert_eq!(
        tell(
            &mut room,
            1,
            vec![record(1, address(1), after(0))],
            after(10_500)
        ),
        1
    );
}

#[test]
fn what_is_not_news_is_never_verified() {
    let mut room = room();
    let now = after(0);
    up(&mut room, 1, Direction::Out, now);
    let good = record(2, address(2), now);
    let mut expired = record(3, address(3), now);
    expired.body.expires = now.wall;
    let mut eternal = record(4, address(4), now);
    eternal.body.expires = now.wall.plus(Duration::from_hours(25));
    let nowhere = record(5, "0.0.0.0:0".parse().unwrap(), now);
    let near = record(6, "127.0.0.1:22".parse().unwrap(), now);
    let bad = vec![expired, eternal, nowhere, near];
    assert_eq!(room.on_peers(link(1), bad, now), []);
    assert_eq!(room.on_peers(link(1), vec![good.clone()], now).len(), 1);
    assert_eq!(
        room.on_peers(link(1), vec![good.clone()], now),
        [],
        "being verified"
    );
    room.on_record(link(1), Verified::for_test(good.clone()), now);
    assert_eq!(room.on_peers(link(1), vec![good.clone()], now), [], "known");
    let mut newer = good;
    newer.body.seq = 2;
    assert_eq!(room.on_peers(link(1), vec![newer.clone()], now), [newer]);
}

#[test]
fn only_peers_known_to_be_there_are_advertised() {
    let mut room = room();
    up(&mut room, 1, Direction::Out, after(0));
    up(&mut room, 2, Direction::In, after(0));
    for number in [1, 2] {
        tell(
            &mut room,
            number,
            vec![record(number, address(number), after(0))],
            after(1),
        );
    }
    tell(
        &mut room,
        1,
        vec![record(9, address(9), after(0))],
        after(1),
    );
    up(&mut room, 3, Direction::In, after(10));
    let names = |records: Vec<Record>| -> Vec<NodeId> {
        let mut names: Vec<_> = records.into_iter().map(|record| record.body.node).collect();
        names.sort();
        names
    };
    let mut expected = vec![node(1), node(2)];
    expected.sort();
    assert_eq!(
        names(answer(&room.on_peers_req(link(3), after(20)))),
        expected,
        "9 is hearsay"
    );
    room.suspect(link(1), after(21));
    up(&mut room, 4, Direction::In, after(30));
    assert_eq!(
        names(answer(&room.on_peers_req(link(4), after(40)))),
        [node(2)]
    );
    assert_eq!(
        room.on_peers_req(link(4), after(10_000)),
        [],
        "one answer in 30 s"
    );
}

#[test]
fn an_answer_is_completed_by_whoever_links_up_right_after() {
    let mut room = room();
    up(&mut room, 1, Direction::In, after(0));
    assert_eq!(room.on_peers_req(link(1), after(10)), []);
    up(&mut room, 2, Direction::In, after(20));
    let own = record(2, address(2), after(0));
    let facts = room.on_record(link(2), Verified::for_test(own.clone()), after(30));
    assert!(facts.contains(&Fact::Send {
        link: link(1),
        frame: Frame::Peers { records: vec![own] }
    }));
}

#[test]
fn a_large_book_is_shown_in_the_same_part_all_day_and_another_part_to_others() {
    let mut room = room_with(Config {
        inbound_max: 200,
        mesh_inbound_max: 0,
        ..Config::default()
    });
    for number in 0..150 {
        up(&mut room, number, Direction::In, after(0));
        tell(
            &mut room,
            number,
            vec![record(number, address(number), after(0))],
            after(1),
        );
    }
    let names = |facts: &[Fact]| -> Vec<NodeId> {
        let mut names: Vec<_> = answer(facts)
            .iter()
            .map(|record| record.body.node)
            .collect();
        names.sort();
        names
    };
    let near = |last: u8| SocketAddr::from(([200, 1, last, 1], 5));
    up_from(&mut room, 500, Direction::In, near(1), after(10));
    let first = names(&room.on_peers_req(link(500), after(20)));
    assert_eq!(first.len(), limits::RECORDS_MAX);
    up_from(&mut room, 501, Direction::In, near(2), after(3_600_000));
    assert_eq!(
        names(&room.on_peers_req(link(501), after(3_600_010))),
        first,
        "same /16"
    );
    up(&mut room, 502, Direction::In, after(3_600_000));
    assert_ne!(
        names(&room.on_peers_req(link(502), after(3_600_010))),
        first
    );
}

#[test]
fn whom_others_do_not_dial_opens_more_links_and_gives_them_up_when_they_do() {
    let mut room = room();
    for number in 1..=6 {
        up(&mut room, number, Direction::Out, after(0));
    }
    for from in [1, 2] {
        let known = (1..=10).map(|number| {
            let number = 100 * from + number;
            record(number, address(number), after(0))
        });
        assert_eq!(tell(&mut room, from, known.collect(), after(1)), 10);
    }
    let mut opened = 6;
    for second in 1..=180 {
        for peer in dials(&room.wakeup(after(second * 1_000))) {
            let number = (101..=210).find(|number| node(*number) == peer);
            up(
                &mut room,
                number.unwrap(),
                Direction::Out,
                after(second * 1_000),
            );
            opened += 1;
        }
    }
    println!("{opened} dialled, {} outbound", room.links.outbound());
    assert!(
        (10..=12).contains(&room.links.outbound()),
        "{}",
        room.links.outbound()
    );
    for number in 20..40 {
        up(&mut room, number, Direction::In, after(181_000));
    }
    for second in 182..=3_600 {
        let now = after(second * 1_000);
        let dialled = dials(&room.wakeup(now));
        for peer in dialled {
            room.dial_failed(peer, now);
        }
    }
    assert_eq!(room.links.outbound(), 6);
}

/// Story: a suspected neighbour held its slot until it was dead, up to 24 s in a large network. When most of
/// the network died, whoever was left dialled nobody, and a link it got all the same was taken for a feeler
/// and closed after two seconds.
#[test]
fn a_suspected_neighbour_is_replaced_before_it_is_dead() {
    let config = Config {
        outbound: 2,
        ..Config::default()
    };
    let mut room = room_with(config);
    for number in [1, 2] {
        up(&mut room, number, Direction::Out, after(0));
    }
    let known = vec![record(3, address(3), after(0))];
    assert_eq!(tell(&mut room, 1, known, after(1)), 1);
    let facts = room.suspect(link(2), after(10));
    assert_eq!(dials(&facts), [node(3)]);
    let facts = up(&mut room, 3, Direction::Out, after(20));
    assert!(facts.contains(&Fact::Send {
        link: link(3),
        frame: Frame::Mesh { on: true }
    }));
    for second in 1..60 {
        let facts = room.wakeup(after(second * 1_000));
        assert_eq!(closes(&facts), [], "after {second} s");
    }
}

#[test]
fn at_most_half_the_links_come_from_one_answer_while_others_exist() {
    let mut room = room_with(Config {
        outbound: 8,
        ..Config::default()
    });
    for from in [1_u32, 2] {
        up(&mut room, from, Direction::In, after(0));
        let told = (0..12).map(|n| record(from * 100 + n, address(from * 100 + n), after(0)));
        assert_eq!(tell(&mut room, from, told.collect(), after(1)), 12);
    }
    let dialled = dials(&room.wakeup(after(100)));
    assert_eq!(dialled.len(), 8);
    let second = (200..212).filter(|n| dialled.contains(&node(*n))).count();
    assert_eq!(second, 4);
}

#[test]
fn outbound_links_go_to_distinct_groups_while_there_are_any() {
    let mut room = room();
    up(&mut room, 1, Direction::In, after(0));
    let crowd = |n: u32| SocketAddr::from(([9, 9, 1, u8::try_from(n).unwrap()], 5));
    let told = (0..13)
        .map(|n| record(100 + n, crowd(n), after(0)))
        .chain((0..3).map(|n| record(200 + n, address(200 + n), after(0))))
        .collect();
    assert_eq!(tell(&mut room, 1, told, after(1)), 16);
    let dialled = dials(&room.wakeup(after(100)));
    let in_crowd = (0..13).filter(|n| dialled.contains(&node(100 + n))).count();
    assert_eq!(dialled.len(), 6);
    // One of the crowd and the three others are in distinct groups; two more where there are none.
    assert_eq!(in_crowd, 3);
}

#[test]
fn a_lost_link_is_replaced_at_once_and_the_lost_peer_tried_again() {
    let mut room = room();
    for number in 1..=6 {
        room.link_up(
            link(number),
            node(number),
            Direction::Out,
            Some(address(number)),
            after(0),
        );
        room.established(link(number), after(0));
    }
    tell(
        &mut room,
        1,
        (10..14).map(|n| record(n, address(n), after(0))).collect(),
        after(1),
    );
    let facts = room.link_down(link(6), CloseReason::Dead, false, after(100));
    assert_eq!(dials(&facts).len(), 1);
    let facts = room.wakeup(after(1_700));
    assert!(
        dials(&facts).contains(&node(6)),
        "about a second later: {facts:?}"
    );
    room.dial_failed(node(6), after(4_000));
    assert!(!dials(&room.wakeup(after(14_000))).contains(&node(6)));
    assert!(
        dials(&room.wakeup(after(17_000))).contains(&node(6)),
        "one each 15 s"
    );
}

#[test]
fn a_peer_that_was_full_is_not_lost() {
    let mut room = room();
    up(&mut room, 1, Direction::Out, after(0));
    room.link_down(link(1), CloseReason::Full, true, after(100));
    assert_eq!(room.footprint().lost, 0);
    up(&mut room, 2, Direction::Out, after(0));
    room.link_down(link(2), CloseReason::Quit, true, after(100));
    assert_eq!(
        room.footprint().lost,
        1,
        "one that said goodbye may come back"
    );
}

#[test]
fn whoever_closes_on_us_is_not_dialled_again_at_once() {
    for reason in CloseReason::ALL {
        let mut room = room();
        room.join(vec![seed_of(1)], after(0));
        let facts = room.link_up(
            link(1),
            node(1),
            Direction::Out,
            Some(address(1)),
            after(10),
        );
        assert_eq!(facts, []);
        let facts = room.link_down(link(1), reason, true, after(20));
        assert_eq!(dials(&facts), [], "{reason}");
        assert_eq!(dials(&room.wakeup(after(500))), [], "{reason}");
        let mut later = dials(&room.wakeup(after(20_000)));
        later.extend(dials(&room.wakeup(after(40_000))));
        assert_eq!(later, [node(1)], "{reason}: but it is all we have");
    }
}

#[test]
fn a_dropped_peer_stays_away_until_it_is_joined_again() {
    let mut room = room();
    room.join(vec![seed_of(1)], after(0));
    up(&mut room, 1, Direction::Out, after(0));
    let facts = room.drop_peer(node(1), after(100));
    assert_eq!(closes(&facts), [(link(1), CloseReason::Quit)]);
    assert_eq!(dials(&facts), []);
    let facts = room.link_up(link(2), node(1), Direction::In, None, after(200));
    assert_eq!(closes(&facts), [(link(2), CloseReason::Quit)]);
    assert_eq!(dials(&room.wakeup(after(300_000))), []);
    assert_eq!(
        dials(&room.join(vec![seed_of(1)], after(300_001))),
        [node(1)]
    );
}

#[test]
fn the_discouraged_are_let_in_while_there_is_room_and_dialled_only_when_alone() {
    let mut room = room_with(Config {
        inbound_max: 4,
        courtesy_max: 0,
        ..Config::default()
    });
    room.join(vec![seed_of(1)], after(0));
    room.dial_failed(node(1), after(1));
    room.discourage(node(1), after(86_400_000).mono);
    up(&mut room, 2, Direction::In, after(2));
    assert!(!dials(&room.wakeup(after(60_000))).contains(&node(1)));
    let facts = room.link_up(link(9), node(1), Direction::In, None, after(60_001));
    assert_eq!(closes(&facts), []);
    room.link_down(link(9), CloseReason::Quit, true, after(60_002));
    up(&mut room, 3, Direction::In, after(60_003));
    let facts = room.link_up(link(10), node(1), Direction::In, None, after(60_004));
    assert_eq!(closes(&facts), [(link(10), CloseReason::Full)]);
    assert_eq!(
        dials(&room.link_down(link(2), CloseReason::Score, false, after(60_005))),
        []
    );
    let facts = room.link_down(link(3), CloseReason::Score, false, after(60_006));
    assert_eq!(dials(&facts), [node(1)], "better than nobody");
}

#[test]
fn a_node_without_network_does_not_dial_its_whole_book_at_once() {
    let mut room = room();
    for from in 0..10 {
        up(&mut room, from, Direction::In, after(0));
        let told = (0..12).map(|n| record(from * 100 + n, address(from * 100 + n), after(0)));
        tell(&mut room, from, told.collect(), after(1));
    }
    let mut facts = Vec::new();
    for from in 0..10 {
        facts.extend(room.link_down(link(from), CloseReason::Dead, false, after(2)));
    }
    let (mut count, mut now) = (0, 2);
    while now < 10_000 {
        let mut dialled = dials(&facts);
        while let Some(peer) = dialled.pop() {
            count += 1;
            dialled.extend(dials(&room.dial_failed(peer, after(now))));
        }
        now += 50;
        facts = room.wakeup(after(now));
    }
    println!("{count} dials in 10 s");
    assert!((20..200).contains(&count));
}

#[test]
fn the_rejoin_loop_never_ends_while_alone_and_slows_down() {
    let mut room = room();
    room.join(vec![seed_of(1)], after(0));
    let mut attempts = Vec::new();
    let mut now = 0;
    room.dial_failed(node(1), after(now));
    while now < 600_000 {
        now = room.next_wakeup().unwrap().as_micros().div_ceil(1_000);
        for peer in dials(&room.wakeup(after(now))) {
            attempts.push(now);
            room.dial_failed(peer, after(now));
        }
    }
    println!("{} attempts, first {:?}", attempts.len(), &attempts[..6]);
    assert!(attempts[0] <= 1_300);
    assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] <= 19_000));
    assert!(attempts.len() < 100);
}

#[test]
fn a_static_node_dials_its_join_addresses_and_nobody_else() {
    let only = Some((1..=8).map(node).collect());
    let mut room = room_with(Config {
        only,
        ..Config::default()
    });
    let seeds: Vec<_> = (1..=8).map(seed_of).collect();
    assert_eq!(dials(&room.join(seeds, after(0))).len(), 8);
    for number in 1..=8 {
        up(&mut room, number, Direction::Out, after(10));
    }
    tell(
        &mut room,
        1,
        (10..20).map(|n| record(n, address(n), after(0))).collect(),
        after(20),
    );
    let facts = room.link_down(link(3), CloseReason::Dead, false, after(100));
    let mut dialled = dials(&facts);
    for minute in 1..60 {
        dialled.extend(dials(&room.wakeup(after(minute * 60_000))));
        room.dial_failed(node(3), after(minute * 60_000));
    }
    assert!(dialled.len() > 10);
    assert!(dialled.iter().all(|peer| *peer == node(3)));
}

#[test]
fn anchors_and_book_survive_a_restart() {
    let mut room = room();
    room.set_addresses(vec![address(ME)], after(0));
    for number in 1..=6 {
        up(&mut room, number, Direction::Out, after(u64::from(number)));
        tell(
            &mut room,
            number,
            vec![record(number, address(number), after(0))],
            after(10),
        );
    }
    tell(
        &mut room,
        1,
        (10..20).map(|n| record(n, address(n), after(0))).collect(),
        after(20),
    );
    let saved = room.address_book();
    let mut other = Membership::new(node(ME), Config::default(), ChaCha8Rng::seed_from_u64(77));
    let facts = other.restore(&saved, after(60_000)).unwrap();
    assert_eq!(
        dials(&facts)[..2],
        [node(1), node(2)],
        "the two oldest first"
    );
    assert_eq!(dials(&facts).len(), 6);
    let (before, after_restart) = (room.counts(), other.counts());
    assert_eq!(
        (before.known, before.tried),
        (after_restart.known, after_restart.tried)
    );
    assert_eq!(other.own.seq, room.own.seq);
    for length in 0..saved.len() {
        let mut fresh = room.clone();
        assert!(length == 0 || fresh.restore(&saved[..length], after(0)).is_err());
    }
}

#[test]
fn a_feeler_tries_an_address_and_leaves() {
    let config = Config {
        links_min: 6,
        ..Config::default()
    };
    let mut room = room_with(config);
    for number in 1..=6 {
        up(&mut room, number, Direction::Out, after(0));
    }
    tell(
        &mut room,
        1,
        vec![record(10, address(10), after(0))],
        after(1),
    );
    let now = loop {
        let now = room.next_wakeup().unwrap().as_micros().div_ceil(1_000);
        let dialled = dials(&room.wakeup(after(now)));
        if !dialled.is_empty() {
            assert_eq!(dialled, [node(10)]);
            break now;
        }
    };
    assert_eq!(room.counts().tried, 0);
    let facts = up(&mut room, 10, Direction::Out, after(now));
    assert_eq!(room.counts().tried, 1);
    assert!(facts.iter().all(|fact| !matches!(
        fact,
        Fact::Send {
            frame: Frame::Mesh { .. },
            ..
        }
    )));
    let facts = room.wakeup(after(now + 5_000));
    assert_eq!(closes(&facts), [(link(10), CloseReason::Full)]);
}

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

#[test]
fn a_hundred_thousand_fake_records_stay_within_bounds() {
    let mut room = room();
    for number in 0..8 {
        up(&mut room, number, Direction::In, after(0));
    }
    let mut room_for_each = room.clone();
    let mut now = 0;
    for fake in 0..100_000_u32 {
        let from = fake % 8;
        if fake % 16 == 0 {
            now += 10;
        }
        let told = record(1_000 + fake, address(1_000 + fake), after(now));
        // As if the link's allowance did not hold it back: the book must hold by itself.
        room_for_each.on_record(link(from), Verified::for_test(told.clone()), after(now));
        tell(&mut room, from, vec![told], after(now));
    }
    let (footprint, bounds) = (room_for_each.footprint(), room_for_each.bounds());
    println!("flooded past the filters: {footprint:?}");
    assert!(
        footprint.within(&bounds),
        "{footprint:?} exceeds {bounds:?}"
    );
    assert!(
        footprint.book_new <= 8 * 256,
        "eight sources, 256 entries each"
    );
    println!("flooded through the filters: {:?}", room.footprint());
    assert!(room.counts().known <= 8 * 16 + 8 * 7);
}

#[test]
fn every_other_table_stays_within_bounds_too() {
    let mut room = room();
    for round in 0..2_000_u32 {
        let now = after(u64::from(round) * 100);
        room.join(vec![seed_of(round)], now);
        room.discourage(node(100_000 + round), after(86_400_000).mono);
        let direction = if round % 3 == 0 {
            Direction::Out
        } else {
            Direction::In
        };
        room.link_up(
            link(round),
            node(200_000 + round),
            direction,
            Some(address(round)),
            now,
        );
        room.established(link(round), now);
        if round % 5 != 0 {
            room.link_down(link(round), CloseReason::Dead, true, now);
        }
        room.wakeup(now);
        let (footprint, bounds) = (room.footprint(), room.bounds());
        assert!(
            footprint.within(&bounds),
            "{footprint:?} exceeds {bounds:?}"
        );
    }
}

#[test]
fn members_are_named_by_what_is_known_of_them() {
    let mut room = room();
    for number in [1, 2, 3] {
        up(&mut room, number, Direction::Out, after(0));
        tell(
            &mut room,
            number,
            vec![record(number, address(number), after(0))],
            after(1),
        );
    }
    tell(
        &mut room,
        1,
        vec![record(4, address(4), after(0))],
        after(2),
    );
    room.suspect(link(2), after(10));
    room.link_down(link(3), CloseReason::Dead, false, after(10));
    let members = room.members(after(20));
    let state = |number| {
        members
            .iter()
            .find(|member| member.id == node(number))
            .unwrap()
            .state
    };
    assert_eq!(state(1), MemberState::Linked);
    assert_eq!(state(2), MemberState::Suspect);
    assert_eq!(state(3), MemberState::Dead);
    assert_eq!(state(4), MemberState::Known);
}
