//! The latest bulletins, encoded once, ready to be sent to anyone who asks. Bounded by bytes; what has
//! expired takes none.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::bulletin::Header;
use crate::id::{BulletinId, LinkId, ShortId};
use crate::short_id_map::{HashKey, ShortIdMap};
use crate::time::Mono;
use crate::wire::{Decode, Encode, PUB_HEAD_BYTES, Reader};
use crate::work::{Density, Stamp};

use super::holders::{Holders, Seat, Seats};

/// A bulletin passing through.
#[derive(Debug, Clone)]
pub(crate) struct Passing {
    /// The whole id.
    pub(crate) id: BulletinId,
    /// The PUB frame for neighbours: root tag and our hops in it.
    pub(crate) frame: Bytes,
    /// The tree it came along.
    pub(crate) root_tag: u64,
    /// Hops it had when it reached us.
    pub(crate) hops: u8,
    /// When its first copy came.
    pub(crate) at: Mono,
    /// What was paid for it.
    pub(crate) density: Density,
    /// Whether it was published here.
    pub(crate) own: bool,
    /// Whether it is synced here.
    pub(crate) is_synced: bool,
    /// Whether its tree did not bring it: it had to be asked for, or came by a detour while others were missing.
    pub(crate) was_missing: bool,
}

impl Passing {
    /// The bulletin alone, without what its frame says about the way.
    pub(crate) fn encoded(&self) -> Bytes {
        self.frame.slice(PUB_HEAD_BYTES..)
    }

    /// Writes the root tag and the hops into the frame.
    pub(crate) fn readdress(&mut self) {
        let mut frame = self.frame.to_vec();
        let parts = self.root_tag.to_be_bytes().into_iter().chain([self.hops]);
        for (to, from) in frame.iter_mut().skip(1).zip(parts) {
            *to = from;
        }
        self.frame = frame.into();
    }

    /// Writes a better stamp into the frame.
    pub(crate) fn restamp(&mut self, stamp: Stamp) {
        let Some(at) = self.stamp_at() else { return };
        let mut frame = self.frame.to_vec();
        let mut bytes = Vec::with_capacity(Stamp::BYTES);
        stamp.encode(&mut bytes);
        for (to, from) in frame.iter_mut().skip(at).zip(bytes) {
            *to = from;
        }
        self.frame = frame.into();
    }

    /// Where the stamp stands: after kind, hop part, header and signature.
    fn stamp_at(&self) -> Option<usize> {
        let mut reader = Reader::new(&self.frame);
        reader.take(PUB_HEAD_BYTES).ok()?;
        Header::decode(&mut reader).ok()?;
        reader.take(64).ok()?;
        Some(reader.position())
    }
}

/// The cache, first in first out. Each bulletin has a number, by which it is found at once.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    /// None where one was taken out.
    passing: VecDeque<Option<Passing>>,
    /// Who has each of them.
    holders: VecDeque<Holders>,
    seats: Seats,
    /// The number of the first of them.
    first: u64,
    numbers: ShortIdMap<u64>,
    bytes: usize,
    bytes_max: usize,
}

impl Recent {
    /// Memory a bulletin takes beside its frame, and the place of one that was taken out.
    const OVERHEAD_BYTES: usize = 256;

    /// An empty cache.
    pub(crate) fn new(bytes_max: usize, key: HashKey) -> Self {
        Self {
            passing: VecDeque::new(),
            holders: VecDeque::new(),
            seats: Seats::default(),
            first: 0,
            numbers: ShortIdMap::new(key),
            bytes: 0,
            bytes_max,
        }
    }

    // Links.

    /// Notes an established link; returns by what it is known to have something.
    pub(crate) fn link_up(&mut self, link: LinkId) -> Seat {
        self.seats.take(link)
    }

    /// Forgets a link that is gone.
    pub(crate) fn link_down(&mut self, link: LinkId) {
        if let Some(seat) = self.seats.leave(link) {
            for holders in &mut self.holders {
                holders.forget(seat);
            }
        }
    }

    /// By what `link` is known to have something.
    pub(crate) fn seat(&self, link: LinkId) -> Seat {
        self.seats.of(link)
    }

    /// Notes that `link` has the bulletin `id`, if that is here.
    pub(crate) fn note_holder(&mut self, id: &ShortId, link: LinkId) {
        let seat = self.seat(link);
        if let Some(holders) = self.holders_of(id) {
            holders.note(seat);
        }
    }

    /// Notes that `link` does not have the bulletin `id`.
    pub(crate) fn forget_holder(&mut self, id: &ShortId, link: LinkId) {
        let seat = self.seat(link);
        if let Some(holders) = self.holders_of(id) {
            holders.forget(seat);
        }
    }

    fn holders_of(&mut self, id: &ShortId) -> Option<&mut Holders> {
        let at = place(*self.numbers.get(id)?, self.first)?;
        self.holders.get_mut(at)
    }

    /// Whether a link is known to have the bulletin `number`.
    pub(crate) fn is_held_by(&self, number: u64, seat: Seat) -> bool {
        let holders = place(number, self.first).and_then(|at| self.holders.get(at));
        holders.is_some_and(|holders| holders.has(seat))
    }

    /// Whether a link is known to have the bulletin `id`; none when that is not here.
    pub(crate) fn holds(&self, id: &ShortId, seat: Seat) -> Option<bool> {
        Some(self.is_held_by(self.number(id)?, seat))
    }

    // Bulletins.

    /// The bulletin `id`.
    pub(crate) fn get(&self, id: &ShortId) -> Option<&Passing> {
        self.at(*self.numbers.get(id)?)
    }

    /// The bulletin `id`, to be changed.
    pub(crate) fn get_mut(&mut self, id: &ShortId) -> Option<&mut Passing> {
        let at = place(*self.numbers.get(id)?, self.first)?;
        self.passing.get_mut(at)?.as_mut()
    }

    /// The number of `id`.
    pub(crate) fn number(&self, id: &ShortId) -> Option<u64> {
        self.numbers.get(id).copied()
    }

    fn at(&self, number: u64) -> Option<&Passing> {
        self.passing.get(place(number, self.first)?)?.as_ref()
    }

    /// Takes a bulletin out, and who has it.
    pub(crate) fn remove(&mut self, id: &ShortId) -> Option<(Passing, Holders)> {
        let at = place(self.numbers.remove(id)?, self.first)?;
        let passing = self.passing.get_mut(at)?.take()?;
        self.bytes = self.bytes.saturating_sub(passing.frame.len());
        let holders = self.holders.get_mut(at).map(std::mem::take);
        while let Some(None) = self.passing.front() {
            self.let_go();
        }
        Some((passing, holders.unwrap_or_default()))
    }

    /// Gives up the room of the first of them.
    fn let_go(&mut self) {
        self.first = self.first.saturating_add(1);
        self.holders.pop_front();
        let mut freed = Self::OVERHEAD_BYTES;
        if let Some(Some(gone)) = self.passing.pop_front() {
            self.numbers.remove(&gone.id.short());
            freed = freed.saturating_add(gone.frame.len());
        }
        self.bytes = self.bytes.saturating_sub(freed);
    }

    /// Bytes taken; those that were taken out count until those before them are gone.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the bulletin that is taken next.
    pub(crate) fn end(&self) -> u64 {
        let count = u64::try_from(self.passing.len()).unwrap_or(u64::MAX);
        self.first.saturating_add(count)
    }

    /// The bulletins from `number` on, newest first, at most `max`.
    pub(crate) fn since(&self, number: u64, max: usize) -> Vec<ShortId> {
        let from = number.saturating_sub(self.first);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let later = self.passing.iter().skip(from).rev().flatten();
        later.take(max).map(|passing| passing.id.short()).collect()
    }

    /// Adds a bulletin; the oldest go when there is no room. Returns its number.
    pub(crate) fn insert(&mut self, passing: Passing, holders: Holders) -> u64 {
        let short = passing.id.short();
        // Known already: the later one counts.
        self.remove(&short);
        let cost = passing.frame.len().saturating_add(Self::OVERHEAD_BYTES);
        self.bytes = self.bytes.saturating_add(cost);
        let number = self.end();
        self.passing.push_back(Some(passing));
        self.holders.push_back(holders);
        self.numbers.insert(short, number);
        while self.bytes > self.bytes_max && self.passing.len() > 1 {
            self.let_go();
        }
        number
    }
}

/// Where the bulletin `number` lies when the first has the number `first`.
fn place(number: u64, first: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(first)?).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A bulletin that nobody is known to have.
    pub(in crate::broadcast) fn passing(number: u8, bytes: usize) -> Passing {
        Passing {
            id: BulletinId::from_bytes([number; 32]),
            frame: vec![number; bytes].into(),
            root_tag: 1,
            hops: 0,
            at: Mono::ZERO,
            density: Density::default(),
            own: false,
            is_synced: false,
            was_missing: false,
        }
    }

    #[test]
    fn the_oldest_go_when_bytes_run_out() {
        let mut recent = Recent::new(3_000, HashKey::new(0));
        for number in 0..4 {
            recent.insert(passing(number, 1_000), Holders::default());
        }
        assert!(recent.bytes() <= 3_000);
        assert!(
            recent
                .get(&BulletinId::from_bytes([0; 32]).short())
                .is_none()
        );
        assert!(
            recent
                .get(&BulletinId::from_bytes([3; 32]).short())
                .is_some()
        );
    }

    #[test]
    fn the_place_of_what_expired_is_free_when_those_before_it_are_gone() {
        let mut recent = Recent::new(200_000, HashKey::new(0));
        let short = |number| BulletinId::from_bytes([number; 32]).short();
        for number in 0..100 {
            recent.insert(passing(number, 1_000), Holders::default());
        }
        let all = recent.bytes();
        for number in 1..100 {
            recent.remove(&short(number));
        }
        assert_eq!(recent.bytes(), all - 99 * 1_000);
        recent.remove(&short(0));
        assert_eq!((recent.bytes(), recent.passing.len()), (0, 0));
        let number = recent.insert(passing(7, 1_000), Holders::default());
        assert_eq!(number, 100, "no number means two bulletins");
    }

    #[test]
    fn places_that_are_held_by_an_old_one_are_bounded_too() {
        let mut recent = Recent::new(50_000, HashKey::new(0));
        recent.insert(passing(0, 1_000), Holders::default());
        for number in (1..=255).cycle().take(1_000) {
            recent.insert(passing(number, 1_000), Holders::default());
            recent.remove(&BulletinId::from_bytes([number; 32]).short());
            assert!(recent.bytes() <= 50_000 && recent.passing.len() <= 50_000 / 256);
        }
    }
}
