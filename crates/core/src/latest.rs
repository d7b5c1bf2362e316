//! The latest few, by key: when there are too many the oldest goes.
//!
//! Invariant: what was removed takes no room, however long what came before it stays.

use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct Latest<K, V> {
    by_key: BTreeMap<K, (u64, V)>,
    /// By when they came.
    order: BTreeMap<u64, K>,
    /// How many have come.
    came: u64,
    max: usize,
}

impl<K: Ord + Copy, V> Latest<K, V> {
    pub(crate) const fn new(max: usize) -> Self {
        Self {
            by_key: BTreeMap::new(),
            order: BTreeMap::new(),
            came: 0,
            max,
        }
    }

    /// Keeps `value`; what has been there keeps its place.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if let Some((_, there)) = self.by_key.get_mut(&key) {
            *there = value;
            return;
        }
        self.by_key.insert(key, (self.came, value));
        self.order.insert(self.came, key);
        self.came = self.came.wrapping_add(1);
        if self.by_key.len() > self.max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.by_key.remove(&oldest);
        }
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.by_key.contains_key(key)
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.by_key.get(key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.by_key.get_mut(key).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (at, value) = self.by_key.remove(key)?;
        self.order.remove(&at);
        Some(value)
    }

    pub(crate) fn clear(&mut self) {
        self.by_key.clear();
        self.order.clear();
    }

    /// Keeps those with such a value.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&V) -> bool) {
        let order = &mut self.order;
        self.by_key.retain(|_, (at, value)| {
            let is_kept = is_kept(value);
            if !is_kept {
                order.remove(at);
            }
            is_kept
        });
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.by_key.len(), self.order.len());
        self.by_key.len()
    }

    #[cfg(test)]
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.by_key.values().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_what_was_removed_takes_no_room() {
        let mut latest = Latest::new(3);
        for number in 0..3 {
            latest.insert(number, 'a');
        }
        latest.insert(0, 'b');
        assert_eq!(latest.remove(&1), Some('a'));
        latest.insert(3, 'a');
        assert!(latest.contains(&0), "there is room: one was removed");
        latest.insert(4, 'a');
        assert!(
            !latest.contains(&0),
            "it was the oldest, whatever became of its value"
        );
        assert!([2, 3, 4].iter().all(|number| latest.contains(number)));
        latest.retain(|value| *value != 'a');
        assert_eq!(latest.len(), 0);
    }

    #[test]
    fn one_that_stays_keeps_nothing_of_those_that_went() {
        let mut latest = Latest::new(1_000);
        latest.insert(0, ());
        for number in 1..10_000 {
            latest.insert(number, ());
            latest.remove(&number);
        }
        assert_eq!(latest.len(), 1);
    }
}
