//! What a gateway counts: plain numbers by name, shared by its tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counters of one gateway; clones share them. They are shown as
/// `bruit_gateway_events_total{gateway="…",event="…"}`: names are few and fixed, and never name peers.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Counters {
    /// Counts one more of `event`.
    pub fn count(&self, event: &'static str) {
        self.add(event, 1);
    }

    /// Counts `more` of `event`.
    pub fn add(&self, event: &'static str, more: u64) {
        let mut counts = self.counts();
        let count = counts.entry(event).or_default();
        *count = count.saturating_add(more);
    }

    /// How often `event` was counted.
    pub fn get(&self, event: &str) -> u64 {
        self.counts().get(event).copied().unwrap_or_default()
    }

    /// All that was counted, by name.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        self.counts().clone()
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together() {
        let counters = Counters::default();
        counters.clone().count("in");
        counters.add("in", 2);
        assert_eq!(counters.get("in"), 3);
        assert_eq!(counters.all(), [("in", 3)].into());
        assert_eq!(counters.get("out"), 0);
    }
}
