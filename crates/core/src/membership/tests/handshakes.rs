//! What becomes of a new connection, and of two of one pair.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::room::{ME, after, closes, dials, link, room, seed_of, tell, up};
use super::{address, node, record, unsigned};
use crate::link::{CloseReason, Direction};
use crate::membership::{Config, Fact, Membership};
use crate::wire::Frame;

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
        room.on_mesh(link(1), true, after(10)),
        [Fact::MeshUp { link: link(1) }]
    );
    assert_eq!(room.on_mesh(link(1), true, after(10)), []);
    assert_eq!(
        room.on_mesh(link(1), false, after(10)),
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
