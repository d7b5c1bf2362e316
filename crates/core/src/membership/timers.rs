//! Deadlines as data: one per key, moved by setting it again, forgotten by clearing it.

use crate::time::Mono;

/// A set of deadlines, the earliest at hand without a search.
///
/// There are some tens of them, and they are moved all the time: an array read from end to end is done before
/// two trees have come from memory. When the earliest is due lies beside: it is asked for at every event, and most
/// events are not about what is due here.
#[derive(Debug, Clone)]
pub(crate) struct Timers<K> {
    /// The earliest last; at one moment, the least key last.
    deadlines: Vec<(Mono, K)>,
    /// When the earliest is due.
    first: Option<Mono>,
}

impl<K: Copy + Ord> Timers<K> {
    /// No deadline at all.
    pub(crate) const fn new() -> Self {
        Self {
            deadlines: Vec::new(),
            first: None,
        }
    }

    /// Makes `key` due at `at`, whatever it was before.
    pub(crate) fn set(&mut self, key: K, at: Mono) {
        self.clear(key);
        let place = self.deadlines.partition_point(|later| *later > (at, key));
        self.deadlines.insert(place, (at, key));
        self.look();
    }

    /// Makes `key` due at `at` unless it is due earlier already.
    pub(crate) fn set_earlier(&mut self, key: K, at: Mono) {
        if self.get(key).is_none_or(|before| at < before) {
            self.set(key, at);
        }
    }

    /// Makes `key` due at `at` unless it is due already at any time.
    pub(crate) fn set_if_none(&mut self, key: K, at: Mono) {
        if self.get(key).is_none() {
            self.set(key, at);
        }
    }

    /// Forgets `key`.
    pub(crate) fn clear(&mut self, key: K) {
        if let Some(place) = self.deadlines.iter().position(|(_, held)| *held == key) {
            self.deadlines.remove(place);
            self.look();
        }
    }

    /// Takes the earliest key due at `now`, with the moment it was due.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<(K, Mono)> {
        self.first.filter(|first| *first <= now)?;
        let (at, key) = self.deadlines.pop()?;
        self.look();
        Some((key, at))
    }

    /// When the next key is due.
    pub(crate) const fn first(&self) -> Option<Mono> {
        self.first
    }

    /// Deadlines held.
    pub(crate) const fn len(&self) -> usize {
        self.deadlines.len()
    }

    fn look(&mut self) {
        self.first = self.deadlines.last().map(|(at, _)| *at);
    }

    fn get(&self, key: K) -> Option<Mono> {
        let mut deadlines = self.deadlines.iter();
        deadlines.find(|(_, held)| *held == key).map(|(at, _)| *at)
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
