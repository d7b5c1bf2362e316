//! A budget that refills with time: what peers may make us do.

use crate::time::{Mono, micros};

/// Microseconds of a minute.
const MINUTE_MICROS: u128 = 60_000_000;

/// How fast a budget refills and how much it can hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Units a minute.
    pub(super) per_minute: u64,
    /// Most units saved up.
    pub(super) burst: u64,
}

/// Units left. A piece of work whose cost shows only afterwards is begun while something is left, and
/// may leave a debt that time pays off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    left: i64,
    at: Mono,
}

impl Budget {
    /// A full budget.
    pub(super) fn full(rate: Rate, now: Mono) -> Self {
        Self {
            left: signed(rate.burst),
            at: now,
        }
    }

    /// Whether something is left at `now`.
    pub(super) fn allows(&mut self, rate: Rate, now: Mono) -> bool {
        let passed = u128::from(micros(now.since(self.at)));
        let gained = passed.saturating_mul(rate.per_minute.into());
        let gained = gained / MINUTE_MICROS;
        if gained > 0 {
            let gained = i64::try_from(gained).unwrap_or(i64::MAX);
            self.left = self.left.saturating_add(gained).min(signed(rate.burst));
            self.at = now;
        }
        self.left > 0
    }

    /// Takes `cost` off.
    pub(super) fn spend(&mut self, cost: u64) {
        self.left = self.left.saturating_sub(signed(cost));
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
