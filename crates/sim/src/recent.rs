//! What a comparator remembers of bulletins for a time, and forgets after it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bruit_core::id::ShortId;
use bruit_core::time::Mono;

/// Entries at most; beyond, the oldest goes early.
const MAX: usize = 1 << 20;

/// A table that forgets each entry when its time is over.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    retention: Duration,
    entries: BTreeMap<ShortId, T>,
    /// When each entry goes, the oldest first.
    order: VecDeque<(Mono, ShortId)>,
}

impl<T> Recent<T> {
    pub(crate) const fn new(retention: Duration) -> Self {
        Self {
            retention,
            entries: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Remembers `entry` from now on; whether the id was unknown. A known one keeps entry and time.
    pub(crate) fn insert(&mut self, id: ShortId, entry: T, now: Mono) -> bool {
        self.forget(now);
        if self.entries.contains_key(&id) {
            return false;
        }
        if self.order.len() >= MAX {
            self.forget_oldest();
        }
        self.entries.insert(id, entry);
        self.order.push_back((now.plus(self.retention), id));
        true
    }

    /// Forgets what has been kept long enough.
    pub(crate) fn forget(&mut self, now: Mono) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.entries.remove(&id);
        }
    }

    pub(crate) fn get(&self, id: &ShortId) -> Option<&T> {
        self.entries.get(id)
    }

    pub(crate) fn contains(&self, id: &ShortId) -> bool {
        self.entries.contains_key(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_kept_for_its_time_from_when_it_was_first_told() {
        let mut recent = Recent::new(Duration::from_secs(2));
        let id = ShortId::from_bytes([7; 16]);
        let at = |seconds: u64| Mono::from_micros(seconds * 1_000_000);
        assert!(recent.insert(id, 'a', at(0)));
        assert!(!recent.insert(id, 'b', at(1)));
        assert_eq!(recent.get(&id), Some(&'a'));
        recent.forget(at(2));
        assert!(!recent.contains(&id));
        assert!(recent.insert(id, 'b', at(2)));
    }
}
