//! Deadlines as data: one per key, moved by setting it again, forgotten by clearing it.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Mono;

/// A set of deadlines, the earliest at hand without a search.
#[derive(Debug, Clone)]
pub(crate) struct Timers<K> {
    by_key: BTreeMap<K, Mono>,
    by_time: BTreeSet<(Mono, K)>,
}

impl<K: Copy + Ord> Timers<K> {
    /// No deadline at all.
    pub(crate) const fn new() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    /// Makes `key` due at `at`, whatever it was before.
    pub(crate) fn set(&mut self, key: K, at: Mono) {
        if let Some(before) = self.by_key.insert(key, at) {
            self.by_time.remove(&(before, key));
        }
        self.by_time.insert((at, key));
    }

    /// Makes `key` due at `at` unless it is due earlier already.
    pub(crate) fn set_earlier(&mut self, key: K, at: Mono) {
        if self.by_key.get(&key).is_none_or(|before| at < *before) {
            self.set(key, at);
        }
    }

    /// Makes `key` due at `at` unless it is due already at any time.
    pub(crate) fn set_if_none(&mut self, key: K, at: Mono) {
        if !self.by_key.contains_key(&key) {
            self.set(key, at);
        }
    }

    /// Forgets `key`.
    pub(crate) fn clear(&mut self, key: K) {
        if let Some(at) = self.by_key.remove(&key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// Takes the earliest key due at `now`, with the moment it was due.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<(K, Mono)> {
        let (at, key) = *self.by_time.first()?;
        (at <= now).then(|| {
            self.clear(key);
            (key, at)
        })
    }

    /// When the next key is due.
    pub(crate) fn first(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Deadlines held.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_deadline_fires_once_and_a_cleared_one_never() {
        let at = Mono::from_micros;
        let mut timers = Timers::new();
        timers.set('a', at(5));
        timers.set('b', at(7));
        timers.set('a', at(9));
        timers.set_earlier('b', at(8));
        timers.set_if_none('b', at(1));
        assert_eq!(timers.first(), Some(at(7)));
        assert_eq!(timers.pop(at(6)), None);
        assert_eq!(timers.pop(at(10)), Some(('b', at(7))));
        timers.clear('a');
        assert_eq!(timers.pop(at(10)), None);
        assert_eq!(timers.len(), 0);
    }
}
