//! Who goes first when space is short, of all that is held.
//!
//! A heap that is corrected late: what is dropped, purged or stamped anew leaves its old entry behind, which is
//! passed over when its turn comes and swept out when such entries are the most. So what is never short of space
//! pays a push for each bulletin, which, ranks growing with age, mostly stays where it is put.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::rank::Rank;
use super::table::{Slot, Table};

/// Entries below which nothing is swept.
const FEW: usize = 64;

/// What is held, lowest rank first.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranks {
    heap: BinaryHeap<Reverse<(Rank, Slot)>>,
    held: usize,
}

impl Ranks {
    /// How many are held.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Notes that what lies at `slot` is held from now on, with `rank`.
    pub(super) fn add(&mut self, rank: Rank, slot: Slot) {
        self.heap.push(Reverse((rank, slot)));
        self.held = self.held.saturating_add(1);
    }

    /// Notes that one is held no more. `table` says so already.
    pub(super) fn take(&mut self, table: &Table) {
        self.held = self.held.saturating_sub(1);
        self.sweep(table);
    }

    /// Notes that what lies at `slot` has another rank. `table` says so already.
    pub(super) fn change(&mut self, rank: Rank, slot: Slot, table: &Table) {
        self.heap.push(Reverse((rank, slot)));
        self.sweep(table);
    }

    /// What has the lowest rank of all that is held.
    pub(super) fn lowest(&mut self, table: &Table) -> Option<Slot> {
        while let Some(Reverse((rank, slot))) = self.heap.peek().copied() {
            if is_so(table, rank, slot) {
                return Some(slot);
            }
            self.heap.pop();
        }
        None
    }

    /// Bytes of memory taken.
    pub(super) fn footprint(&self) -> usize {
        self.heap
            .capacity()
            .saturating_mul(size_of::<Reverse<(Rank, Slot)>>())
    }

    fn sweep(&mut self, table: &Table) {
        if self.heap.len() > self.held.saturating_mul(2).saturating_add(FEW) {
            let mut entries = std::mem::take(&mut self.heap).into_vec();
            entries.retain(|Reverse((rank, slot))| is_so(table, *rank, *slot));
            // What was dropped and is held again stands there twice.
            entries.sort_unstable();
            entries.dedup();
            self.heap = entries.into();
        }
    }
}

/// Whether what lies at `slot` is held, with that rank.
fn is_so(table: &Table, rank: Rank, slot: Slot) -> bool {
    let seen = table.get(slot);
    seen.is_some_and(|seen| seen.is_held() && seen.rank() == rank)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::id::BulletinId;
    use crate::inventory::{Seen, Status};
    use crate::time::Wall;

    /// A table of so many bulletins, all held, the younger the higher.
    fn held(count: u8) -> (Table, Ranks, Vec<Slot>) {
        let (mut table, mut ranks) = (Table::new(0), Ranks::default());
        let slots = (0..count).map(|number| {
            let seen = Seen {
                id: BulletinId::from_bytes([number; 32]),
                created: Wall::from_millis(number.into()),
                expires: Wall::from_millis(1_000_000),
                size_bytes: 100,
                bits: 0,
                status: Status::Held,
            };
            let slot = table.insert(seen).expect("there is room");
            ranks.add(seen.rank(), slot);
            slot
        });
        let slots = slots.collect();
        (table, ranks, slots)
    }

    fn set(table: &mut Table, slot: Slot, change: impl FnOnce(&mut Seen)) -> Rank {
        let seen = table.get_mut(slot).expect("it is there");
        change(seen);
        seen.rank()
    }

    #[test]
    fn the_lowest_is_the_lowest_of_what_is_held_whatever_came_and_went() {
        let (mut table, mut ranks, slots) = held(200);
        let mut tree: BTreeMap<Slot, Rank> = BTreeMap::new();
        for slot in &slots {
            tree.insert(*slot, set(&mut table, *slot, |_| ()));
        }
        for step in 0..20_000_usize {
            let slot = slots[step * 7 % 200];
            let is_held = tree.contains_key(&slot);
            if is_held && step % 3 == 0 {
                set(&mut table, slot, |seen| seen.status = Status::Dropped);
                ranks.take(&table);
                tree.remove(&slot);
            } else if is_held {
                let bits = u8::try_from(step % 5).expect("below 5");
                let rank = set(&mut table, slot, |seen| seen.bits = bits);
                ranks.change(rank, slot, &table);
                tree.insert(slot, rank);
            } else {
                let rank = set(&mut table, slot, |seen| seen.status = Status::Held);
                ranks.add(rank, slot);
                tree.insert(slot, rank);
            }
            assert_eq!(ranks.held(), tree.len());
            let lowest = tree.iter().map(|(slot, rank)| (*rank, *slot)).min();
            assert_eq!(ranks.lowest(&table), lowest.map(|(_, slot)| slot));
        }
    }

    #[test]
    fn what_comes_and_goes_often_leaves_nothing_behind() {
        let (mut table, mut ranks, slots) = held(10);
        for _ in 0..10_000 {
            set(&mut table, slots[3], |seen| seen.status = Status::Dropped);
            ranks.take(&table);
            let rank = set(&mut table, slots[3], |seen| seen.status = Status::Held);
            ranks.add(rank, slots[3]);
            assert!(ranks.heap.len() <= 2 * 10 + FEW + 1);
        }
    }
}
