//! What is going to happen, in order of time; at one moment, in the order it was decided.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bruit_core::time::Mono;

/// The queue. The heap holds small keys, which move often; items stay where they are.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<(Mono, u64, u32)>>,
    items: Vec<Option<T>>,
    free: Vec<u32>,
    next: u64,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            items: Vec::new(),
            free: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Mono, item: T) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.items.push(None);
            u32::try_from(self.items.len() - 1).expect("fewer than 2^32 events are to come")
        });
        self.items[place as usize] = Some(item);
        self.heap.push(Reverse((at, self.next, place)));
        self.next += 1;
    }

    /// The next item, if it is due by `end`.
    pub(crate) fn pop(&mut self, end: Mono) -> Option<(Mono, T)> {
        let Reverse((at, _, place)) = *self.heap.peek().filter(|Reverse((at, ..))| *at <= end)?;
        self.heap.pop();
        self.free.push(place);
        let item = self.items[place as usize]
            .take()
            .expect("each key has its item");
        Some((at, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_of_time_and_then_of_decision() {
        let mut queue = Queue::new();
        for (millis, item) in [(2_u64, 'c'), (1, 'a'), (2, 'd'), (1, 'b'), (9, 'x')] {
            queue.push(Mono::from_micros(millis), item);
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
        assert!(queue.items.len() == 5 && queue.free.len() == 5);
    }
}
