//! What is remembered for a time: the memory against repetition.
//!
//! Invariant: never more than its bound; the oldest go first.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Keys, each remembered for the same time, with something to each.
#[derive(Debug)]
pub struct Recent<K, V = ()> {
    keys: BTreeMap<K, (u64, V)>,
    /// In the order of their times; an entry whose number is not the key's any more stands for nothing.
    order: VecDeque<(Instant, u64, K)>,
    next: u64,
    keep: Duration,
    max: usize,
}

impl<K: Ord + Clone, V> Recent<K, V> {
    /// Remembers at most `max` keys, each for `keep`.
    pub const fn new(keep: Duration, max: usize) -> Self {
        Self {
            keys: BTreeMap::new(),
            order: VecDeque::new(),
            next: 0,
            keep,
            max,
        }
    }

    /// Remembers `key` from `now` on, which may be earlier than the last time; answers whether it was new.
    pub fn insert(&mut self, key: K, value: V, now: Instant) -> bool {
        self.forget(now);
        self.next += 1;
        let is_new = self.keys.insert(key.clone(), (self.next, value)).is_none();
        let place = self.order.partition_point(|(at, _, _)| *at <= now);
        self.order.insert(place, (now, self.next, key));
        while self.keys.len() > self.max || self.order.len() > self.max.saturating_mul(2) {
            self.forget_first();
        }
        is_new
    }

    /// Forgets `key`; answers what stood to it.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.keys.remove(key).map(|(_, value)| value)
    }

    /// What stands to `key`, if it is remembered.
    pub fn get(&mut self, key: &K, now: Instant) -> Option<&mut V> {
        self.forget(now);
        self.keys.get_mut(key).map(|(_, value)| value)
    }

    /// Whether `key` is remembered.
    pub fn contains(&mut self, key: &K, now: Instant) -> bool {
        self.get(key, now).is_some()
    }

    /// The keys that are remembered, in order.
    pub fn keys(&mut self, now: Instant) -> impl Iterator<Item = &K> {
        self.forget(now);
        self.keys.keys()
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn forget(&mut self, now: Instant) {
        let keep = self.keep;
        let is_old = |(at, _, _): &(Instant, u64, K)| now.saturating_duration_since(*at) >= keep;
        while self.order.front().is_some_and(is_old) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, number, key)) = self.order.pop_front()
            && self.keys.get(&key).is_some_and(|(last, _)| *last == number)
        {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_key_is_remembered_for_its_time_and_anew_when_it_comes_again() {
        let start = Instant::now();
        let mut recent = Recent::new(3 * S, 10);
        assert!(recent.insert(1, (), start));
        assert!(!recent.insert(1, (), start + 2 * S));
        assert!(recent.contains(&1, start + 4 * S));
        assert!(!recent.contains(&1, start + 5 * S));
        assert!(recent.insert(1, (), start + 5 * S));
    }

    #[test]
    fn what_is_remembered_from_earlier_on_is_forgotten_earlier() {
        let start = Instant::now();
        let mut recent = Recent::new(3 * S, 10);
        recent.insert(1, (), start + 2 * S);
        recent.insert(2, (), start + S);
        recent.insert(3, (), start + 2 * S);
        assert!(!recent.contains(&2, start + 4 * S));
        assert!(recent.contains(&1, start + 4 * S) && recent.contains(&3, start + 4 * S));
        assert!(!recent.contains(&3, start + 5 * S));
    }

    #[test]
    fn there_are_never_more_than_the_bound_and_the_oldest_go_first() {
        let start = Instant::now();
        let mut recent = Recent::new(3 * S, 3);
        for key in 0..5 {
            recent.insert(key, key, start);
        }
        assert_eq!(recent.len(), 3);
        assert_eq!(recent.get(&2, start), Some(&mut 2));
        assert!(!recent.contains(&1, start));
        for _ in 0..1_000 {
            recent.insert(4, 4, start);
        }
        assert!(recent.order.len() <= 6, "{}", recent.order.len());
        assert!(recent.contains(&4, start));
    }
}
