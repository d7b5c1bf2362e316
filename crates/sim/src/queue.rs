//! What is going to happen, in order of time; at one moment, in the order it was decided.
//!
//! A heap of all that is to come would be walked from end to end for each event, through memory nobody has
//! looked at for a while. Here what is to come lies in slots of time, each written and read once, from front
//! to back; only the window that time is in is kept in order.
//!
//! What a node does reaches others after the least delay there is between two. Within a window that is no longer
//! than that, nodes do not see each other, so each goes through it alone, one after the other: what it has in
//! memory is looked up once for all that happens to it there (the lookahead of conservative parallel simulation,
//! Chandy and Misra 1979). To each node everything happens in the order of time.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use bruit_core::time::Mono;

/// Microseconds in a slot: a few hundred events of ten thousand nodes.
const SLOT_US: u64 = 2_048;

/// The queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue<T> {
    /// What is to come after the window, by slot, in the order it was decided.
    later: BTreeMap<u64, Vec<Entry<T>>>,
    /// Slots in a window; none: all goes in the order of time, whomever it happens to.
    slots: u64,
    /// Where the window ends.
    until: Mono,
    /// What lay in the window when time came to it, the first last.
    current: Vec<Entry<T>>,
    /// What was added to it since.
    added: BinaryHeap<Reverse<Entry<T>>>,
    next: u64,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    /// To whom it happens.
    node: usize,
    at: Mono,
    number: u64,
    item: T,
}

impl<T> Entry<T> {
    const fn key(&self) -> (usize, Mono, u64) {
        (self.node, self.at, self.number)
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
            slots: 0,
            until: Mono::ZERO,
            current: Vec::new(),
            added: BinaryHeap::new(),
            next: 0,
        }
    }

    /// From the next window on, nothing a node does happens to another before `lookahead` is over.
    pub(crate) fn look_ahead(&mut self, lookahead: Duration) {
        let micros = u64::try_from(lookahead.as_micros()).unwrap_or(u64::MAX);
        self.slots = micros / SLOT_US;
    }

    /// Has `item` happen to `node`.
    pub(crate) fn push(&mut self, at: Mono, node: usize, item: T) {
        let number = self.next;
        self.next += 1;
        let mut entry = Entry {
            node,
            at,
            number,
            item,
        };
        if at < self.until {
            self.place(&mut entry);
            self.added.push(Reverse(entry));
        } else {
            let slot = at.as_micros() / SLOT_US;
            self.later.entry(slot).or_default().push(entry);
        }
    }

    /// The next item that is due by `end`. To be asked with one `end` until there is none: windows end there, and
    /// within one a node may be past what another has yet to come to.
    pub(crate) fn pop(&mut self, end: Mono) -> Option<(Mono, T)> {
        if self.current.is_empty() && self.added.is_empty() {
            self.open(end)?;
        }
        let first = self.current.last();
        let added = self.added.peek().map(|Reverse(entry)| entry);
        let is_added = added.is_some_and(|added| first.is_none_or(|first| added < first));
        let entry = if is_added {
            self.added.pop().map(|Reverse(entry)| entry)
        } else {
            self.current.pop()
        };
        entry.map(|entry| (entry.at, entry.item))
    }

    /// Where nobody goes alone, what happens to all is one.
    const fn place(&self, entry: &mut Entry<T>) {
        if self.slots == 0 {
            entry.node = 0;
        }
    }

    /// Opens the window of what comes next, which is over at `end` at the latest.
    fn open(&mut self, end: Mono) -> Option<()> {
        let (first, _) = self.later.first_key_value()?;
        let after = first.saturating_add(self.slots.max(1));
        let until = after.saturating_mul(SLOT_US).min(end.as_micros() + 1);
        while let Some(slot) = self.later.first_entry()
            && slot.key() * SLOT_US < until
        {
            self.current.append(&mut slot.remove());
        }
        self.until = Mono::from_micros(until);
        // Of a slot that is not over at the end.
        let rest: Vec<_> = self
            .current
            .extract_if(.., |entry| entry.at >= self.until)
            .collect();
        if !rest.is_empty() {
            self.later.insert(until / SLOT_US, rest);
        }
        let mut current = std::mem::take(&mut self.current);
        for entry in &mut current {
            self.place(entry);
        }
        current.sort_unstable_by(|a, b| b.cmp(a));
        self.current = current;
        (!self.current.is_empty()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    #[test]
    fn items_come_in_order_of_time_and_then_of_decision() {
        let mut queue = Queue::new();
        for (micros, item) in [(2_u64, 'c'), (1, 'a'), (2, 'd'), (1, 'b'), (9, 'x')] {
            queue.push(Mono::from_micros(micros), 0, item);
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

    /// Runs to one end after the other, with a lookahead of so many microseconds; of what happens to one of nine
    /// nodes some of what follows happens to itself, near or far, and the rest to others, after the lookahead.
    fn happenings(lookahead: u64) -> Vec<(u64, usize, u64)> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut queue = Queue::new();
        queue.look_ahead(Duration::from_micros(lookahead));
        let (mut out, mut decided, mut now) = (Vec::new(), 0, 0);
        while decided < 20_000 {
            let node = draw::below(&mut rng, 9);
            queue.push(Mono::from_micros(now), node, (node, decided));
            decided += 1;
            let end = now + draw::below(&mut rng, 9_000) as u64;
            while let Some((at, (node, number))) = queue.pop(Mono::from_micros(end)) {
                let at = at.as_micros();
                assert!(now <= at && at <= end);
                out.push((at, node, number));
                for _ in 0..draw::below(&mut rng, 3) {
                    let reach = [3, 700, 5_000, 90_000][draw::below(&mut rng, 4)];
                    let wait = draw::below(&mut rng, reach) as u64;
                    let other = draw::below(&mut rng, 9);
                    let first = if other == node { at } else { at + lookahead };
                    queue.push(Mono::from_micros(first + wait), other, (other, decided));
                    decided += 1;
                }
            }
            now = end;
        }
        out
    }

    #[test]
    fn what_is_decided_on_the_way_comes_in_its_turn_near_or_far() {
        let all = happenings(0);
        assert!(all.len() > 10_000);
        assert!(all.is_sorted_by_key(|(at, _, number)| (*at, *number)));
    }

    #[test]
    fn nodes_that_do_not_see_each_other_go_alone_each_in_the_order_of_time() {
        for lookahead in [5_000, 22_500] {
            let all = happenings(lookahead);
            let of = |node| {
                let of = all.iter().filter(move |(_, other, _)| *other == node);
                of.map(|(at, _, number)| (*at, *number))
            };
            assert!((0..9).all(|node| of(node).is_sorted()));
            let changes = all.windows(2).filter(|pair| pair[0].1 != pair[1].1);
            let (changes, in_time) = (changes.count(), happenings(0));
            let in_time = in_time.windows(2).filter(|pair| pair[0].1 != pair[1].1);
            assert!(changes * 2 < in_time.count(), "{changes}");
        }
    }
}
