//! Plain counters the engine bumps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an engine has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// Bulletins delivered to the application.
    pub delivered: u64,
    /// Of those, made here.
    pub published: u64,
    /// Copies of bulletins that were known or being checked already.
    pub duplicates: u64,
    /// PUB frames handed to the transport.
    pub pushed: u64,
    /// Signature checks asked for.
    pub checks: u64,
    /// Bulletins refused or let go, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Peers cut off for breaking the protocol.
    pub misbehaved: u64,
    /// Announced bulletins that did not come when asked for.
    pub broken_promises: u64,
    /// Frames of kinds unknown here.
    pub unknown_frames: u64,
    /// Ids asked for, one by one.
    pub requested: u64,
    /// Chunks of large contents that came and were kept.
    pub chunks: u64,
    /// Chunks that came and were here already, or were not asked for.
    pub chunk_repeats: u64,
}

impl Metrics {
    /// Counts one drop for `reason`.
    pub fn dropped(&mut self, reason: &str) {
        match self.drops.get_mut(reason) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                self.drops.insert(reason.to_owned(), 1);
            }
        }
    }
}
