//! The partition beacon: in every minute the node of lowest rank speaks for its part of the network,
//! so two parts have different beacons and notice each other on the first link between them.
//!
//! Each node waits in proportion to its rank before it speaks, and keeps silent once it heard a
//! lower one; only lower ones are passed on. The lowest rank of `n` nodes is about `1/n` of all
//! ranks, so the beacon also tells the size of the network.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::NodeId;
use crate::record::Beacon;
use crate::time::{Mono, Now};

/// Minutes whose lowest beacon is remembered: the last, this one, and the next by a faster clock.
const MINUTES: u64 = 3;
/// Minutes the estimate of the network's size looks back.
const HISTORY: usize = 16;
/// A best beacon this old has reached everybody it can reach.
const SETTLED: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
struct Best {
    beacon: Beacon,
    rank: [u8; 32],
    since: Mono,
}

/// The lowest beacons heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Beacons {
    best: BTreeMap<u64, Best>,
    minima: VecDeque<u32>,
}

/// How a beacon relates to the lowest we know for its minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// There is none for that minute.
    First,
    /// Ours is lower.
    Higher,
    /// It is ours.
    Same,
    /// It is lower than ours.
    Lower,
}

impl Beacons {
    /// How `beacon` compares, before anybody checked its signature.
    pub(super) fn relation(&self, beacon: &Beacon) -> Relation {
        let Some(best) = self.best.get(&beacon.minute) else {
            return Relation::First;
        };
        match beacon.rank().cmp(&best.rank) {
            std::cmp::Ordering::Less => Relation::Lower,
            std::cmp::Ordering::Equal => Relation::Same,
            std::cmp::Ordering::Greater => Relation::Higher,
        }
    }

    /// Whether `minute` is this one or a neighbour of it: clocks differ by seconds.
    pub(super) fn is_current(minute: u64, now: Now) -> bool {
        minute.abs_diff(now.wall.minute()) <= 1
    }

    /// Whether a beacon other than ours for `minute` means another part of the network, not one on
    /// its way to us.
    pub(super) fn is_settled(&self, minute: u64, delay: Duration, now: Now) -> bool {
        let Some(best) = self.best.get(&minute) else {
            return false;
        };
        let minute_ms = minute.saturating_mul(60_000);
        let spoken = now.wall.as_millis().saturating_sub(minute_ms);
        let quiet = crate::time::millis(delay.saturating_add(SETTLED));
        now.mono.since(best.since) >= SETTLED && spoken >= quiet
    }

    /// Takes a beacon as the lowest of its minute.
    pub(super) fn take(&mut self, beacon: Beacon, now: Now) {
        let (rank, since) = (beacon.rank(), now.mono);
        self.best.insert(
            beacon.minute,
            Best {
                beacon,
                rank,
                since,
            },
        );
        let current = now.wall.minute();
        while self.best.len() > usize::try_from(MINUTES).unwrap_or(3) {
            if let Some((minute, best)) = self.best.pop_first()
                && minute < current
            {
                self.remember(&best);
            }
        }
    }

    fn remember(&mut self, best: &Best) {
        self.minima.push_back(leading(&best.rank));
        if self.minima.len() > HISTORY {
            self.minima.pop_front();
        }
    }

    /// The lowest of `minute`.
    pub(super) fn best(&self, minute: u64) -> Option<&Beacon> {
        self.best.get(&minute).map(|best| &best.beacon)
    }

    /// How long after the start of `minute` the node `me` speaks, unless it heard a lower one.
    pub(super) fn delay(me: &NodeId, minute: u64, longest: Duration) -> Duration {
        let share = u64::from(leading(&Beacon::rank_of(me, minute)));
        let longest = crate::time::micros(longest.min(Duration::from_secs(45)));
        Duration::from_micros((longest >> 16).saturating_mul(share >> 16))
    }

    /// Whether `me` has the lowest rank heard of for `minute`.
    pub(super) fn should_speak(&self, me: &NodeId, minute: u64) -> bool {
        let rank = Beacon::rank_of(me, minute);
        self.best.get(&minute).is_none_or(|best| rank < best.rank)
    }

    /// Nodes in the network, from the lowest ranks of the last minutes; none before the first.
    ///
    /// The lowest of `n` ranks is exponential with mean `1/n`: `(k − 1) / Σ lowest` of `k` minutes
    /// has no bias and errs by `1/√(k − 2)`, a quarter after 16 minutes.
    pub(super) fn size(&self) -> Option<usize> {
        let minima = self.minima.iter().copied();
        let recent = self.best.values().map(|best| leading(&best.rank));
        let (mut count, mut sum) = (0_u64, 0_u64);
        for lowest in minima.chain(recent) {
            count = count.saturating_add(1);
            sum = sum.saturating_add(u64::from(lowest)).saturating_add(1);
        }
        let whole = 1_u64 << 32;
        let size = count
            .saturating_sub(1)
            .max(1)
            .saturating_mul(whole)
            .checked_div(sum)?;
        usize::try_from(size).ok()
    }

    /// Minutes remembered.
    pub(super) fn len(&self) -> usize {
        self.best.len().saturating_add(self.minima.len())
    }
}

/// The first four bytes of a rank.
fn leading(rank: &[u8; 32]) -> u32 {
    let [a, b, c, d, ..] = *rank;
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]
mod tests {
    use super::*;
    use crate::identity::Signature;
    use crate::time::Wall;

    fn beacon(number: u32, minute: u64) -> Beacon {
        let node = NodeId::from_bytes(*blake3::hash(&number.to_be_bytes()).as_bytes());
        Beacon {
            node,
            minute,
            signature: Signature::from_bytes([0; 64]),
        }
    }

    fn at(seconds: u64) -> Now {
        Now {
            mono: Mono::ZERO.plus(Duration::from_secs(seconds)),
            wall: Wall::from_millis(seconds * 1_000),
        }
    }

    #[test]
    fn the_lowest_ranks_tell_the_size_of_the_network() {
        for nodes in [10, 300, 5_000] {
            let mut beacons = Beacons::default();
            for minute in 10..40 {
                let now = at(minute * 60);
                let lowest = (0..nodes).map(|number| beacon(number, minute));
                beacons.take(lowest.min_by_key(Beacon::rank).unwrap(), now);
            }
            let estimate = beacons.size().unwrap();
            println!("{nodes} nodes, estimated {estimate}");
            let nodes = usize::try_from(nodes).unwrap();
            assert!((nodes / 3..nodes * 3).contains(&estimate));
        }
    }

    #[test]
    fn lower_ranks_speak_earlier_and_nobody_later_than_the_longest_delay() {
        let longest = Duration::from_secs(20);
        let mut all: Vec<_> = (0..100).map(|number| beacon(number, 7)).collect();
        all.sort_by_key(Beacon::rank);
        let delays: Vec<_> = all
            .iter()
            .map(|beacon| Beacons::delay(&beacon.node, 7, longest))
            .collect();
        assert!(delays.is_sorted());
        assert!(delays.iter().all(|delay| *delay <= longest));
        assert!(*delays.last().unwrap() > longest / 2);
    }

    #[test]
    fn a_beacon_still_on_its_way_is_no_split() {
        let mut beacons = Beacons::default();
        let delay = Duration::from_secs(20);
        beacons.take(beacon(1, 10), at(600));
        assert!(
            !beacons.is_settled(10, delay, at(610)),
            "others may still speak"
        );
        assert!(beacons.is_settled(10, delay, at(626)));
        assert!(
            !beacons.is_settled(9, delay, at(626)),
            "we know none for that minute"
        );
        beacons.take(beacon(2, 10), at(640));
        assert!(!beacons.is_settled(10, delay, at(641)), "just learned");
    }
}
