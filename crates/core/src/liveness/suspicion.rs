//! How long somebody is suspected before they are given up.

use std::time::Duration;

use super::Liveness;

impl Liveness {
    /// From 6·log₁₀ n seconds, when no helper could tell, down to 2·log₁₀ n when three deny, after
    /// Lifeguard's `log(denied + 1) / log(helpers + 1)`.
    pub(super) fn suspicion_time(&self, denied: usize) -> Duration {
        let span = self
            .config
            .suspicion_max
            .saturating_sub(self.config.suspicion_min);
        let sure = match denied {
            0 => 0,
            1 => 500,
            2 => 792,
            _ => 1_000,
        };
        let cut = span
            .saturating_mul(sure)
            .checked_div(1_000)
            .unwrap_or_default();
        let decade = self.config.suspicion_max.saturating_sub(cut);
        let decades = thousandths_of_log10(self.size).max(1_000);
        decade
            .saturating_mul(decades)
            .checked_div(1_000)
            .unwrap_or(decade)
    }
}

/// 1,000 · log₁₀ `n`, within 3 %, in whole numbers so that every machine agrees.
fn thousandths_of_log10(n: usize) -> u32 {
    let n = u64::try_from(n.max(1))
        .unwrap_or(u64::MAX)
        .min(u64::from(u32::MAX));
    let whole = n.ilog2();
    let above = n.saturating_sub(1 << whole).saturating_mul(1_000) >> whole;
    let log2 = u64::from(whole).saturating_mul(1_000).saturating_add(above);
    u32::try_from(log2.saturating_mul(301) / 1_000).unwrap_or(u32::MAX)
}
