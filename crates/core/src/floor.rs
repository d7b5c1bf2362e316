//! The local price floor: what a node under load asks for pushing a bulletin on.
//!
//! Once a minute: inbound bytes over budget raise the floor by a quarter, under half of it lower it
//! by a fifth. Below the floor a bulletin is announced instead of pushed; it is never refused, so
//! floors cannot cut the network. Publishers pay the median of their neighbours' floors.
//!
//! Where ids fill the memory kept for them, what is valid for more than an hour has to be worth four times as much:
//! it is what takes room for long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::LinkId;
use crate::link_map::LinkMap;
use crate::time::Mono;
use crate::work::{Density, Price};

/// What is valid for longer takes up room for ids for long.
const LONG: Duration = Duration::from_hours(1);
/// Bits it has to be worth more where there is little of that.
const CROWDED_LOG2: u8 = 2;

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

/// Bits above the network's minimum that a publisher should pay now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asking {
    /// For any bulletin.
    pub log2: u8,
    /// On top of it for one that is valid for more than an hour.
    pub long_log2: u8,
}

impl Asking {
    /// For one that is valid for `ttl`.
    pub fn of(self, ttl: Duration) -> u8 {
        let long = if ttl > LONG { self.long_log2 } else { 0 };
        self.log2.saturating_add(long)
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
    /// Whether ids fill the memory kept for them.
    is_crowded: bool,
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
            is_crowded: false,
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

    /// Takes note of whether ids fill the memory kept for them.
    pub const fn crowd(&mut self, is_crowded: bool) {
        self.is_crowded = is_crowded;
    }

    /// Bits that what is valid for more than an hour is to be worth on top of the floor.
    const fn long_log2(&self) -> u8 {
        if self.is_crowded { CROWDED_LOG2 } else { 0 }
    }

    /// Whether a bulletin of `density` that is valid for `ttl` is worth pushing on.
    pub fn admits(&self, density: Density, ttl: Duration) -> bool {
        let long_log2 = if ttl > LONG { self.long_log2() } else { 0 };
        let milli = u128::from(self.milli) << long_log2;
        self.price == Price::FREE
            || milli <= 1_000
            || u128::from(density.get()).saturating_mul(1_000)
                >= u128::from(self.price.get()).saturating_mul(milli) << 32
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

    /// What a publisher should pay: the median of the neighbours' floors, and for long validity what is asked here,
    /// as all nodes of a network remember the same ids.
    pub fn asking(&self) -> Asking {
        let mut floors: Vec<u8> = self.neighbours.values().copied().collect();
        floors.sort_unstable();
        let median = floors.get(floors.len().checked_div(2).unwrap_or(0));
        Asking {
            log2: median.copied().unwrap_or(0),
            long_log2: self.long_log2(),
        }
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
        assert!(!floor.admits(Density::of(bits, 1_000, Duration::ZERO), Duration::ZERO));
        assert!(floor.admits(Density::of(bits + 2, 1_000, Duration::ZERO), Duration::ZERO));
        for n in 5..20 {
            floor.count(0, minute(n));
        }
        assert!(floor.admits(Density::of(bits, 1_000, Duration::ZERO), Duration::ZERO));
    }

    #[test]
    fn one_lying_neighbour_does_not_set_the_price() {
        let mut floor = Floor::new(Config::default(), Price::DEFAULT);
        for (number, log2) in [(1, 0), (2, 255), (3, 0)] {
            floor.neighbour(LinkId::new(number), log2);
        }
        assert_eq!(floor.asking().log2, 0);
        floor.link_down(LinkId::new(1));
        floor.link_down(LinkId::new(3));
        assert_eq!(
            floor.asking().log2,
            6,
            "never more than 2⁶ times the minimum"
        );
    }

    #[test]
    fn where_ids_fill_the_memory_long_validity_has_its_price_and_nothing_else_has() {
        let mut floor = Floor::new(Config::default(), Price::DEFAULT);
        let (short, long) = (LONG, LONG.saturating_mul(2));
        let worth = |ttl: Duration, more: u8| {
            let bits = Price::DEFAULT.bits_min(1_000, ttl);
            Density::of(bits.saturating_add(more), 1_000, ttl)
        };
        assert!(floor.admits(worth(long, 0), long));
        assert_eq!(floor.asking().of(long), 0);
        floor.crowd(true);
        assert!(floor.admits(worth(short, 0), short));
        assert!(!floor.admits(worth(long, 0), long));
        assert!(
            floor.admits(worth(long, floor.asking().of(long)), long),
            "what is asked is enough"
        );
        assert_eq!((floor.asking().of(short), floor.asking().of(long)), (0, 2));
        floor.crowd(false);
        assert!(floor.admits(worth(long, 0), long));
        let mut free = Floor::new(Config::default(), Price::FREE);
        free.crowd(true);
        assert!(
            free.admits(worth(long, 0), long),
            "where nothing has a price"
        );
    }
}
