//! Which links have a bulletin: a bit for each link.
//!
//! Who has what is asked for every bulletin and every link that may be told of it. As a list of links beside
//! each bulletin that was two waits for memory each time; as bits, those of ten bulletins come with one. The
//! bits of the first 128 links lie in place, and those of others beside them: a node with thousands of links
//! has a few hundred bytes more for each bulletin, where lists were tens of kilobytes.

use crate::id::LinkId;
use crate::link_map::LinkMap;

/// Bits by number, as many as were ever set.
#[derive(Debug, Clone, Default)]
struct Bits {
    first: u128,
    more: Vec<u128>,
}

impl Bits {
    fn has(&self, seat: Seat) -> bool {
        let (word, bit) = seat.place();
        let word = match word.checked_sub(1) {
            None => self.first,
            Some(at) => self.more.get(at).copied().unwrap_or(0),
        };
        word & bit != 0
    }

    fn set(&mut self, seat: Seat) {
        let (word, bit) = seat.place();
        let Some(at) = word.checked_sub(1) else {
            self.first |= bit;
            return;
        };
        if self.more.len() < word {
            self.more
                .reserve_exact(word.saturating_sub(self.more.len()));
            self.more.resize(word, 0);
        }
        if let Some(word) = self.more.get_mut(at) {
            *word |= bit;
        }
    }

    fn clear(&mut self, seat: Seat) {
        let (word, bit) = seat.place();
        let word = match word.checked_sub(1) {
            None => Some(&mut self.first),
            Some(at) => self.more.get_mut(at),
        };
        if let Some(word) = word {
            *word &= !bit;
        }
    }
}

/// Which bit is a link's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat(u16);

impl Seat {
    /// That of a link that is not there.
    pub(super) const NONE: Self = Self(u16::MAX);
    /// Bits of a word.
    const WORD: u16 = 128;

    /// Which word, and which of its bits; no bit of a link that is not there.
    fn place(self) -> (usize, u128) {
        if self == Self::NONE {
            return (0, 0);
        }
        let bit = 1_u128.wrapping_shl(u32::from(self.0 % Self::WORD));
        (usize::from(self.0 / Self::WORD), bit)
    }
}

/// Whose bit is which.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats {
    seats: LinkMap<Seat>,
    taken: Bits,
}

impl Seats {
    /// Gives `link` the lowest bit that is free.
    pub(super) fn take(&mut self, link: LinkId) -> Seat {
        self.leave(link);
        let free = (0..Seat::NONE.0)
            .map(Seat)
            .find(|seat| !self.taken.has(*seat));
        let seat = free.unwrap_or(Seat::NONE);
        self.taken.set(seat);
        self.seats.insert(link, seat);
        seat
    }

    /// Takes the bit of `link` back.
    pub(super) fn leave(&mut self, link: LinkId) -> Option<Seat> {
        let seat = self.seats.remove(&link)?;
        self.taken.clear(seat);
        Some(seat)
    }

    /// The seat of `link`.
    pub(super) fn of(&self, link: LinkId) -> Seat {
        self.seats.get(&link).copied().unwrap_or(Seat::NONE)
    }
}

/// Those who have a bulletin: they sent or announced it, or we pushed it to them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holders {
    bits: Bits,
}

impl Holders {
    pub(crate) fn note(&mut self, seat: Seat) {
        self.bits.set(seat);
    }

    /// Takes out whoever has `seat`, or had it.
    pub(crate) fn forget(&mut self, seat: Seat) {
        self.bits.clear(seat);
    }

    pub(crate) fn has(&self, seat: Seat) -> bool {
        self.bits.has(seat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundreds_of_links_are_told_apart() {
        let mut seats = Seats::default();
        let links: Vec<LinkId> = (0..700).map(LinkId::new).collect();
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
    fn a_bulletin_held_by_four_thousand_takes_a_bit_for_each() {
        let mut seats = Seats::default();
        let mut holders = Holders::default();
        for link in (0..4_096).map(LinkId::new) {
            seats.take(link);
            holders.note(seats.of(link));
        }
        assert_eq!(holders.bits.more.capacity(), 4_096 / 128 - 1);
    }

    #[test]
    fn who_is_not_there_has_nothing() {
        let mut seats = Seats::default();
        seats.take(LinkId::new(1));
        let mut holders = Holders::default();
        holders.note(seats.of(LinkId::new(2)));
        assert!(!holders.has(seats.of(LinkId::new(1))));
        assert!(!holders.has(seats.of(LinkId::new(2))));
    }

    #[test]
    fn a_bit_is_given_again_once_its_link_is_gone() {
        let mut seats = Seats::default();
        for link in (0..200).map(LinkId::new) {
            seats.take(link);
        }
        let mut holders = Holders::default();
        for gone in [7, 150].map(LinkId::new) {
            holders.note(seats.of(gone));
            let seat = seats.leave(gone).expect("it had one");
            holders.forget(seat);
            let next = LinkId::new(gone.number() + 1_000);
            seats.take(next);
            let again = seats.of(next);
            assert_eq!(again, seat);
            assert!(!holders.has(again));
        }
    }
}
