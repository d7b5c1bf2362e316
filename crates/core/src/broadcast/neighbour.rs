//! What broadcast knows of one link, and how much that link may ask.

use std::time::Duration;

use crate::time::{Mono, micros};

use super::holders::Seat;

/// What broadcast knows of an established link.
#[derive(Debug, Clone)]
pub(super) struct Neighbour {
    /// The number of the first bulletin that was taken since the link is there.
    pub(super) first: u64,
    /// Its bit among those who have a bulletin.
    pub(super) seat: Seat,
    pub(super) mesh: bool,
    pub(super) rtt: Duration,
    /// Its relay queue is backed up: announce, do not push.
    pub(super) is_slow: bool,
    /// Wants to be told what was synced.
    pub(super) wants_kept: bool,
    /// Elsewhere: all neighbours are looked at for each bulletin, and this hardly ever.
    pub(super) allowance: Box<Allowance>,
}

/// What a link may still ask for.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    pub(super) serve_bytes: Bucket,
    pub(super) chokes: Bucket,
}

/// A token bucket that holds one second's worth, and may be overdrawn.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_s: u32,
    tokens: i64,
    at: Mono,
}

impl Bucket {
    /// Tokens count in millionths, so that a microsecond of a slow rate is not lost.
    const UNIT: i64 = 1_000_000;

    pub(super) fn new(per_s: u32, at: Mono) -> Self {
        Self {
            per_s,
            tokens: i64::from(per_s).saturating_mul(Self::UNIT),
            at,
        }
    }

    /// Takes `amount` if anything is there: one large request may overdraw, the next one waits until that
    /// is earned.
    pub(super) fn take(&mut self, amount: usize, now: Mono) -> bool {
        let full = i64::from(self.per_s).saturating_mul(Self::UNIT);
        let elapsed = i64::try_from(micros(now.since(self.at))).unwrap_or(i64::MAX);
        let earned = elapsed.saturating_mul(self.per_s.into());
        self.tokens = self.tokens.saturating_add(earned).min(full);
        self.at = now;
        let has_some = self.tokens >= Self::UNIT;
        if has_some {
            self.charge(amount);
        }
        has_some
    }

    /// Takes `amount` whatever is there: it was promised before it was known how much it is.
    pub(super) fn charge(&mut self, amount: usize) {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        self.tokens = self
            .tokens
            .saturating_sub(amount.saturating_mul(Self::UNIT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_overdrawn_is_earned_before_anything_more_is_taken() {
        let mut bucket = Bucket::new(1 << 20, Mono::ZERO);
        let takes = (0..10_000).filter(|millis| {
            let now = Mono::ZERO.plus(Duration::from_millis(*millis));
            bucket.take(65_536, now)
        });
        // One second's worth is there at once, and ten come.
        assert_eq!(takes.count(), 11 * 16);
    }

    #[test]
    fn a_slow_rate_is_earned_whatever_the_pace_of_questions() {
        let mut bucket = Bucket::new(1, Mono::ZERO);
        let takes = (0..100_000_u64).filter(|tenths| {
            let now = Mono::ZERO.plus(Duration::from_micros(tenths * 100));
            bucket.take(1, now)
        });
        assert_eq!(takes.count(), 10);
    }
}
