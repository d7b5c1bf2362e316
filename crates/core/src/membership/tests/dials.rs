//! Whom a node dials, when, and whom no more.

use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::room::{ME, after, closes, dials, link, room, room_with, seed_of, tell, up};
use super::{address, node, record};
use crate::link::{CloseReason, Direction};
use crate::membership::{Config, Fact, Membership};
use crate::wire::Frame;

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
