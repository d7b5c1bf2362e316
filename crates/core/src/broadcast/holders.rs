//! Which links have a bulletin: a bit for each link.
//!
//! Who has what is asked for every bulletin and every link that may be told of it. As a list of links beside
//! each bulletin that was two waits for memory each time; as bits, those of ten bulletins come with one.

use crate::id::LinkId;
use crate::link_map::LinkMap;

/// A link's bit; none for a link that came when all were taken, which is then held by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    link: LinkId,
    bit: u128,
}

/// Whose bit is which.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats {
    bits: LinkMap<u128>,
}

impl Seats {
    /// Gives `link` a bit, if one is free.
    pub(super) fn take(&mut self, link: LinkId) {
        let taken = self.bits.values().fold(0, |taken, bit| taken | bit);
        // The lowest bit that is not set; all are: none.
        let free = !taken & taken.wrapping_add(1);
        if free != 0 {
            self.bits.insert(link, free);
        }
    }

    /// Takes the bit of `link` back.
    pub(super) fn leave(&mut self, link: LinkId) -> Option<u128> {
        self.bits.remove(&link)
    }

    /// The seat of `link`.
    pub(super) fn of(&self, link: LinkId) -> Seat {
        let bit = self.bits.get(&link).copied().unwrap_or(0);
        Seat { link, bit }
    }
}

/// Those who have a bulletin: they sent or announced it, or we pushed it to them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holders {
    bits: u128,
    /// Of those without a bit.
    others: Vec<LinkId>,
}

impl Holders {
    pub(crate) fn note(&mut self, seat: Seat) {
        self.bits |= seat.bit;
        if seat.bit == 0 && !self.others.contains(&seat.link) {
            self.others.push(seat.link);
        }
    }

    pub(crate) fn forget(&mut self, seat: Seat) {
        self.clear(seat.bit);
        if seat.bit == 0 {
            self.others.retain(|other| *other != seat.link);
        }
    }

    /// Takes out whoever had `bit`.
    pub(super) const fn clear(&mut self, bit: u128) {
        self.bits &= !bit;
    }

    pub(crate) fn has(&self, seat: Seat) -> bool {
        self.bits & seat.bit != 0 || (seat.bit == 0 && self.others.contains(&seat.link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hundred_links_are_told_apart_with_a_bit_or_without() {
        let mut seats = Seats::default();
        let links: Vec<LinkId> = (0..200).map(LinkId::new).collect();
        for link in &links {
            seats.take(*link);
        }
        let mut holders = Holders::default();
        for link in links.iter().step_by(3) {
            holders.note(seats.of(*link));
            holders.note(seats.of(*link));
        }
        for (number, link) in links.iter().enumerate() {
            assert_eq!(holders.has(seats.of(*link)), number % 3 == 0, "{number}");
        }
        for link in &links {
            holders.forget(seats.of(*link));
        }
        assert!(links.iter().all(|link| !holders.has(seats.of(*link))));
    }

    #[test]
    fn a_bit_is_given_again_once_its_link_is_gone() {
        let mut seats = Seats::default();
        let [first, second, third] = [1, 2, 3].map(LinkId::new);
        seats.take(first);
        seats.take(second);
        let mut holders = Holders::default();
        holders.note(seats.of(first));
        let bit = seats.leave(first).expect("it had one");
        holders.clear(bit);
        seats.take(third);
        assert_eq!(seats.of(third).bit, bit);
        assert!(!holders.has(seats.of(third)));
    }
}
