//! How far a run has come, for whoever waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::scenario::Setup;

/// Counts simulated time, weighted by how many nodes live through it.
#[derive(Debug, Default)]
pub struct Meter {
    all: u64,
    done: AtomicU64,
}

impl Meter {
    /// Of all of `setups`, each run so many times.
    pub fn of<'a>(setups: impl Iterator<Item = &'a Setup>, runs: usize) -> Self {
        let one = setups.map(|setup| weight(setup.nodes, setup.length()));
        Self {
            all: one.sum::<u64>() * runs as u64,
            done: AtomicU64::new(0),
        }
    }

    /// Of so many networks, each of so many nodes that live so long.
    pub fn over(networks: impl Iterator<Item = (usize, Duration, u64)>) -> Self {
        let all = networks.map(|(nodes, time, count)| weight(nodes, time) * count);
        Self {
            all: all.sum(),
            done: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, nodes: usize, time: Duration) {
        self.done.fetch_add(weight(nodes, time), Ordering::Relaxed);
    }

    /// How much is done, in per cent.
    pub fn percent(&self) -> u64 {
        let done = self.done.load(Ordering::Relaxed);
        (done.saturating_mul(100) / self.all.max(1)).min(100)
    }
}

fn weight(nodes: usize, time: Duration) -> u64 {
    nodes as u64 * u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
