//! How large contents are fetched and given.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the room allows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Bytes asked of one neighbour and not come yet. More keeps a long and fast link busy, and takes longer
    /// to notice that nothing comes. Default 256 KiB: 100 ms of 20 Mbit/s.
    pub window_bytes: u32,
    /// Neighbours that are given one content at a time, those not counted that others let wait. More makes a
    /// flatter tree of which each branch is slower. Default 2: with two, half of all nodes pass something on,
    /// and an uplink serves each at half its speed.
    pub children_max: usize,
    /// Neighbours one content is taken from at a time. Default 2.
    pub sources_max: usize,
    /// How long a second neighbour is left to those who have none yet. Default 200 ms.
    pub second_after: Duration,
    /// How long news of chunks is gathered for neighbours. Default 50 ms.
    pub gather: Duration,
    /// How long nothing need come of what a neighbour was asked for, beside two round trips and four times the
    /// pause between its chunks, before others are asked. Default 600 ms, twice the longest wait of a tree's
    /// repair.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window_bytes: 256 * 1_024,
            children_max: 2,
            sources_max: 2,
            second_after: Duration::from_millis(200),
            gather: Duration::from_millis(50),
            patience: Duration::from_millis(600),
        }
    }
}
