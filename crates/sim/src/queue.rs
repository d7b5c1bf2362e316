//! What is going to happen, in order of time; at one moment, in the order it was decided.
//!
//! A heap of all that is to come would be walked from end to end for each event, through memory nobody has
//! looked at for a while. Here what is to come lies in slots of time, each written and read once, from front
//! to back; only the slot that time is in is kept in order.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use bruit_core::time::Mono;

/// Microseconds in a slot: a few hundred events of ten thousand nodes.
const SLOT_US: u64 = 2_048;

/// The queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue<T> {
    /// What is to come in later slots than the current one, in the order it was decided.
    later: BTreeMap<u64, Vec<Entry<T>>>,
    /// Which slot is the current one.
    slot: u64,
    /// What lay in it when time came to it, the first last.
    current: Vec<Entry<T>>,
    /// What was added to it since.
    added: BinaryHeap<Reverse<Entry<T>>>,
    next: u64,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    at: Mono,
    number: u64,
    item: T,
}

impl<T> Entry<T> {
    const fn key(&self) -> (Mono, u64) {
        (self.at, self.number)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self {
            later: BTreeMap::new(),
            slot: 0,
            current: Vec::new(),
            added: BinaryHeap::new(),
            next: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Mono, item: T) {
        let number = self.next;
        self.next += 1;
        let entry = Entry { at, number, item };
        let slot = at.as_micros() / SLOT_US;
        if slot > self.slot {
            self.later.entry(slot).or_default().push(entry);
        } else {
            self.added.push(Reverse(entry));
        }
    }

    /// The next item, if it is due by `end`.
    pub(crate) fn pop(&mut self, end: Mono) -> Option<(Mono, T)> {
        if self.current.is_empty() && self.added.is_empty() {
            let next = self.later.first_entry()?;
            if *next.key() > end.as_micros() / SLOT_US {
                return None;
            }
            (self.slot, self.current) = next.remove_entry();
            self.current.sort_unstable_by(|a, b| b.cmp(a));
        }
        let first = self.current.last();
        let added = self.added.peek().map(|Reverse(entry)| entry);
        let is_added = added.is_some_and(|added| first.is_none_or(|first| added < first));
        let due = if is_added { added } else { first };
        due.filter(|entry| entry.at <= end)?;
        let entry = if is_added {
            self.added.pop().map(|Reverse(entry)| entry)
        } else {
            self.current.pop()
        };
        entry.map(|entry| (entry.at, entry.item))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::draw;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    #[test]
    fn items_come_in_order_of_time_and_then_of_decision() {
        let mut queue = Queue::new();
        for (micros, item) in [(2_u64, 'c'), (1, 'a'), (2, 'd'), (1, 'b'), (9, 'x')] {
            queue.push(Mono::from_micros(micros), item);
        }
        let mut out = String::new();
        while let Some((_, item)) = queue.pop(Mono::from_micros(5)) {
            out.push(item);
        }
        assert_eq!(out, "abcd");
        assert_eq!(
            queue.pop(Mono::from_micros(9)),
            Some((Mono::from_micros(9), 'x'))
        );
    }

    #[test]
    fn what_is_decided_on_the_way_comes_in_its_turn_near_or_far() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut queue = Queue::new();
        let mut expected = BTreeSet::new();
        let mut decided = 0_u64;
        let mut now = 0_u64;
        for turn in 0..20_000_usize {
            for _ in 0..=draw::below(&mut rng, 2) {
                let reach = [3, 700, 5_000, 90_000][draw::below(&mut rng, 4)];
                let at = now + draw::below(&mut rng, reach) as u64;
                queue.push(Mono::from_micros(at), decided);
                expected.insert((at, decided));
                decided += 1;
            }
            let end = now + draw::below(&mut rng, 4_000) as u64;
            let first = expected.first().copied();
            let due = first.filter(|(at, _)| *at <= end);
            let got = queue.pop(Mono::from_micros(end));
            assert_eq!(
                got.map(|(at, item)| (at.as_micros(), item)),
                due,
                "turn {turn}"
            );
            match due {
                Some(key) => {
                    now = key.0;
                    expected.remove(&key);
                }
                None => now = end,
            }
        }
        assert!(expected.len() > 1_000, "much is always to come");
    }
}
