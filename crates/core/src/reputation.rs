//! Reputation, first form: one unmistakable violation discourages a peer for a day.
//!
//! Only what a peer itself must have known to be wrong counts: malformed frames, bad signatures,
//! wrong content hashes, work that was not done. Whatever may be a matter of clocks, load or an
//! application's own checks costs nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::time::Mono;

/// How peers are held to account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// How long a peer that broke the protocol is not linked with again. Default 24 h.
    pub discouraged_for: Duration,
    /// Discouraged peers remembered; those whose time ends first are forgiven. Default 10,000.
    pub discouraged_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            discouraged_for: Duration::from_hours(24),
            discouraged_max: 10_000,
        }
    }
}

/// The room.
#[derive(Debug, Clone)]
pub struct Reputation {
    config: Config,
    /// Until when, and for what.
    discouraged: BTreeMap<NodeId, (Mono, String)>,
}

impl Reputation {
    /// Nobody is discouraged.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            discouraged: BTreeMap::new(),
        }
    }

    /// Discourages `peer` for what it did; returns until when.
    pub fn offend(&mut self, peer: NodeId, how: &str, now: Mono) -> Mono {
        self.discouraged.retain(|_, (until, _)| *until > now);
        if self.discouraged.len() >= self.config.discouraged_max {
            let soonest = self.discouraged.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(peer) = soonest.map(|(peer, _)| *peer) {
                self.discouraged.remove(&peer);
            }
        }
        let until = now.plus(self.config.discouraged_for);
        self.discouraged.insert(peer, (until, how.to_owned()));
        until
    }

    /// Forgives `peer`: the operator asked for it by name.
    pub fn forgive(&mut self, peer: &NodeId) {
        self.discouraged.remove(peer);
    }

    /// Whether `peer` is discouraged at `now`.
    pub fn is_discouraged(&self, peer: &NodeId, now: Mono) -> bool {
        let known = self.discouraged.get(peer);
        known.is_some_and(|(until, _)| *until > now)
    }

    /// Who is discouraged at `now`, until when, and for what.
    pub fn discouraged(&self, now: Mono) -> impl Iterator<Item = (NodeId, Mono, &str)> {
        let all = self.discouraged.iter();
        all.filter(move |(_, (until, _))| *until > now)
            .map(|(peer, (until, how))| (*peer, *until, how.as_str()))
    }

    /// Peers remembered.
    pub fn footprint(&self) -> usize {
        self.discouraged.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offender_is_discouraged_for_a_day_and_the_table_is_bounded() {
        let config = Config {
            discouraged_max: 100,
            ..Config::default()
        };
        let mut reputation = Reputation::new(config);
        for number in 0..200 {
            let peer = NodeId::from_bytes([number; 32]);
            reputation.offend(peer, "lied", Mono::from_micros(number.into()));
        }
        assert_eq!(reputation.footprint(), 100);
        let last = NodeId::from_bytes([199; 32]);
        assert!(reputation.is_discouraged(&last, Mono::ZERO.plus(Duration::from_hours(23))));
        assert!(!reputation.is_discouraged(&last, Mono::ZERO.plus(Duration::from_hours(25))));
        let all: Vec<_> = reputation.discouraged(Mono::ZERO).collect();
        assert_eq!((all.len(), all[99].0, all[99].2), (100, last, "lied"));
        reputation.forgive(&last);
        assert!(!reputation.is_discouraged(&last, Mono::ZERO));
    }
}
