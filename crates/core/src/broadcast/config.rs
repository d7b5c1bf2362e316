//! What broadcast can be told, and what each number trades.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How broadcast behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Roots remembered. A root costs about 300 bytes; a forgotten one costs one flood when it
    /// speaks again. Default 4,096.
    pub roots_max: usize,
    /// Bytes of the latest bulletins kept in memory to answer requests without the store. Default
    /// 16 MiB; small where many nodes share a machine.
    pub recent_bytes_max: usize,
    /// Shortest and longest wait for a tree's copy of an announced bulletin. Shorter repairs sooner
    /// and duplicates more. Default 30 to 300 ms.
    pub graft_wait: (Duration, Duration),
    /// How long announcements along a settled tree are gathered, ± 75 % by chance: of the two ends of a
    /// link the quicker one tells, and the other need not. Longer costs less and finds a withholding
    /// parent later. Default 150 ms.
    pub gather: Duration,
    /// How long announcements along a new or troubled tree are gathered. Default 5 ms.
    pub gather_urgent: Duration,
    /// A first bulletin of a root up to this size is pushed to the whole mesh. Default 512 bytes.
    pub cold_push_bytes_max: usize,
    /// A larger one is pushed to so many of the quickest links and announced to the others.
    /// Default 3.
    pub cold_eager: usize,
    /// An id is served to a link at most once in this time. Default 10 s.
    pub serve_again: Duration,
    /// Repair bytes served to one link in a second. Default 1 MiB.
    pub serve_bytes_per_s: u32,
    /// Shortest life of the tag that names this node's own tree; up to a tenth is added. Default
    /// 600 s.
    pub epoch: Duration,
    /// Ids wanted at once. Default 100,000.
    pub wanted_max: usize,
    /// Requests in flight to one link. Default 100.
    pub in_flight_max: usize,
    /// How long word of what was synced is gathered. Default 50 ms.
    pub kept_gather: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            roots_max: 4_096,
            recent_bytes_max: 16 << 20,
            graft_wait: (Duration::from_millis(30), Duration::from_millis(300)),
            gather: Duration::from_millis(150),
            gather_urgent: Duration::from_millis(5),
            cold_push_bytes_max: 512,
            cold_eager: 3,
            serve_again: Duration::from_secs(10),
            serve_bytes_per_s: 1 << 20,
            epoch: Duration::from_mins(10),
            wanted_max: 100_000,
            in_flight_max: 100,
            kept_gather: Duration::from_millis(50),
        }
    }
}
