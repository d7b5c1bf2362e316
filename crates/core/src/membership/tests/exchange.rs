//! What neighbours are told of other nodes, and what is believed of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::room::{after, answer, link, room, room_with, tell, up, up_from};
use super::{address, node, record};
use crate::id::NodeId;
use crate::intake::Verified;
use crate::limits;
use crate::link::{CloseReason, Direction};
use crate::membership::{Config, Fact, MemberState};
use crate::record::Record;
use crate::wire::Frame;

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
