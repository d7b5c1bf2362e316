//! What broadcast knows of one link, and how much that link may ask.

use std::time::Duration;

use crate::time::Mono;

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

/// A token bucket that holds one second's worth.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_s: u32,
    tokens: u64,
    at: Mono,
}

impl Bucket {
    /// Tokens count in millionths, so that a microsecond of a slow rate is not lost.
    const UNIT: u64 = 1_000_000;

    pub(super) fn new(per_s: u32, at: Mono) -> Self {
        Self {
            per_s,
            tokens: u64::from(per_s).saturating_mul(Self::UNIT),
            at,
        }
    }

    /// Takes `amount` if anything is there: one large request may overdraw, the next one waits.
    pub(super) fn take(&mut self, amount: usize, now: Mono) -> bool {
        let full = u64::from(self.per_s).saturating_mul(Self::UNIT);
        let elapsed = crate::time::micros(now.since(self.at));
        let earned = elapsed.saturating_mul(self.per_s.into());
        self.tokens = self.tokens.saturating_add(earned).min(full);
        self.at = now;
        if self.tokens < Self::UNIT {
            return false;
        }
        let amount = u64::try_from(amount)
            .unwrap_or(u64::MAX)
            .saturating_mul(Self::UNIT);
        self.tokens = self.tokens.saturating_sub(amount);
        true
    }
}
