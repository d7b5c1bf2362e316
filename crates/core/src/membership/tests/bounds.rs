//! Every table stays within its bound.

use super::room::{after, link, room, seed_of, tell, up};
use super::{address, node, record};
use crate::intake::Verified;
use crate::link::{CloseReason, Direction};

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
