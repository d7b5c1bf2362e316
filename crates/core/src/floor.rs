//! The local price floor: what a node under load asks for pushing a bulletin on.
//!
//! Once a minute: inbound bytes over budget raise the floor by a quarter, under half of it lower it
//! by a fifth. Below the floor a bulletin is announced instead of pushed; it is never refused, so
//! floors cannot cut the network. Publishers pay the median of their neighbours' floors.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::LinkId;
use crate::link_map::LinkMap;
use crate::time::Mono;
use crate::work::{Density, Price};

/// When a node counts itself as loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Bulletin bytes a minute this node relays gladly. Default 120 MB: 2 MB/s.
    pub budget_bytes_per_min: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            budget_bytes_per_min: 120_000_000,
        }
    }
}

/// The room.
#[derive(Debug, Clone)]
pub struct Floor {
    config: Config,
    /// In the unit of `Price`, as a multiple of the network's minimum, in thousandths.
    milli: u64,
    price: Price,
    bytes: u64,
    due: Mono,
    neighbours: LinkMap<u8>,
}

impl Floor {
    const PERIOD: Duration = Duration::from_mins(1);
    /// A neighbour's floor counts at most as 2⁶ times the minimum.
    const NEIGHBOUR_LOG2_MAX: u8 = 6;
    const MILLI_MAX: u64 = 1_000 << 20;

    /// A floor at the network's minimum.
    pub const fn new(config: Config, price: Price) -> Self {
        let neighbours = LinkMap::new();
        Self {
            config,
            milli: 1_000,
            price,
            bytes: 0,
            due: Mono::ZERO,
            neighbours,
        }
    }

    /// Counts the bytes of a bulletin that arrived.
    pub fn count(&mut self, bytes: usize, now: Mono) {
        if now >= self.due {
            self.adjust();
            self.due = now.plus(Self::PERIOD);
        }
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn adjust(&mut self) {
        let budget = self.config.budget_bytes_per_min;
        if self.bytes > budget {
            self.milli = self.milli.saturating_mul(5).checked_div(4).unwrap_or(0);
        } else if self.bytes < budget.checked_div(2).unwrap_or(0) {
            self.milli = self.milli.saturating_mul(4).checked_div(5).unwrap_or(0);
        }
        self.milli = self.milli.clamp(1_000, Self::MILLI_MAX);
        self.bytes = 0;
    }

    /// The floor above the network's minimum, as a power of two: what PING tells.
    pub fn log2(&self) -> u8 {
        let times = self.milli.checked_div(1_000).unwrap_or(1).max(1);
        u8::try_from(times.ilog2()).unwrap_or(0)
    }

    /// Whether a bulletin of `density` is worth pushing on.
    pub fn admits(&self, density: Density) -> bool {
        self.price == Price::FREE
            || self.milli <= 1_000
            || u128::from(density.get()).saturating_mul(1_000)
                >= u128::from(self.price.get()).saturating_mul(self.milli.into()) << 32
    }

    /// Notes a neighbour's floor.
    pub fn neighbour(&mut self, link: LinkId, log2: u8) {
        self.neighbours
            .insert(link, log2.min(Self::NEIGHBOUR_LOG2_MAX));
    }

    /// Forgets a neighbour.
    pub fn link_down(&mut self, link: LinkId) {
        self.neighbours.remove(&link);
    }

    /// The links of which anything is kept.
    pub fn held(&self) -> impl Iterator<Item = LinkId> {
        self.neighbours.keys().copied()
    }

    /// Bits above the network's minimum that a publisher should pay: the median of the neighbours'
    /// floors.
    pub fn asking_log2(&self) -> u8 {
        let mut floors: Vec<u8> = self.neighbours.values().copied().collect();
        floors.sort_unstable();
        floors
            .get(floors.len().checked_div(2).unwrap_or(0))
            .copied()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_raises_the_floor_and_quiet_lowers_it() {
        let mut floor = Floor::new(
            Config {
                budget_bytes_per_min: 1_000,
            },
            Price::DEFAULT,
        );
        let minute = |n: u64| Mono::ZERO.plus(Duration::from_mins(n));
        for n in 0..5 {
            floor.count(2_000, minute(n));
        }
        assert_eq!(floor.log2(), 1, "1.25⁴ = 2.4");
        let bits = Price::DEFAULT.bits_min(1_000, Duration::ZERO);
        assert!(!floor.admits(Density::of(bits, 1_000, Duration::ZERO)));
        assert!(floor.admits(Density::of(bits + 2, 1_000, Duration::ZERO)));
        for n in 5..20 {
            floor.count(0, minute(n));
        }
        assert!(floor.admits(Density::of(bits, 1_000, Duration::ZERO)));
    }

    #[test]
    fn one_lying_neighbour_does_not_set_the_price() {
        let mut floor = Floor::new(Config::default(), Price::DEFAULT);
        for (number, log2) in [(1, 0), (2, 255), (3, 0)] {
            floor.neighbour(LinkId::new(number), log2);
        }
        assert_eq!(floor.asking_log2(), 0);
        floor.link_down(LinkId::new(1));
        floor.link_down(LinkId::new(3));
        assert_eq!(
            floor.asking_log2(),
            6,
            "never more than 2⁶ times the minimum"
        );
    }
}
