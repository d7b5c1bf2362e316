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
    fn words(&self) -> impl Iterator<Item = u128> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }

    fn word(&self, at: usize) -> u128 {
        match at.checked_sub(1) {
            None => self.first,
            Some(at) => self.more.get(at).copied().unwrap_or(0),
        }
    }

    fn set(&mut self, Seat { word, bit }: Seat) {
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

    fn clear(&mut self, Seat { word, bit }: Seat) {
        let word = match word.checked_sub(1) {
            None => Some(&mut self.first),
            Some(at) => self.more.get_mut(at),
        };
        if let Some(word) = word {
            *word &= !bit;
        }
    }
}

/// A link's bit; none for a link that is not there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seat {
    word: usize,
    bit: u128,
}

/// Whose bit is which.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats {
    seats: LinkMap<Seat>,
    taken: Bits,
}

impl Seats {
    /// Gives `link` the lowest bit that is free.
    pub(super) fn take(&mut self, link: LinkId) {
        self.leave(link);
        let words = self.taken.words().chain(std::iter::once(0));
        let free = words.enumerate().find_map(|(word, taken)| {
            // The lowest bit that is not set; all are: none.
            let bit = !taken & taken.wrapping_add(1);
            (bit != 0).then_some(Seat { word, bit })
        });
        if let Some(seat) = free {
            self.taken.set(seat);
            self.seats.insert(link, seat);
        }
    }

    /// Takes the bit of `link` back.
    pub(super) fn leave(&mut self, link: LinkId) -> Option<Seat> {
        let seat = self.seats.remove(&link)?;
        self.taken.clear(seat);
        Some(seat)
    }

    /// The seat of `link`.
    pub(super) fn of(&self, link: LinkId) -> Seat {
        self.seats.get(&link).copied().unwrap_or_default()
    }
}

/// Those who have a bulletin: they sent or announced it, or we pushed it to them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holders {
    bits: Bits,
}

impl Holders {
    pub(crate) fn note(&mut self, seat: Seat) {
        if seat.bit != 0 {
            self.bits.set(seat);
        }
    }

    /// Takes out whoever has `seat`, or had it.
    pub(crate) fn forget(&mut self, seat: Seat) {
        self.bits.clear(seat);
    }

    pub(crate) fn has(&self, seat: Seat) -> bool {
        self.bits.word(seat.word) & seat.bit != 0
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
            assert_eq!((again.word, again.bit), (seat.word, seat.bit));
            assert!(!holders.has(again));
        }
    }
}
