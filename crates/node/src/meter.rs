//! Rates without a tick: a sum that decays with time, so that an idle node need not wake up for it.

use std::time::{Duration, Instant};

/// Time in which an old rate fades to a third.
const FADE: Duration = Duration::from_secs(5);
/// What passes within so short a time counts as passing at once.
const STEP: Duration = Duration::from_millis(10);

/// Counts what passes and says how much of it passes in a second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    sum: f64,
    at: Option<Instant>,
}

impl Meter {
    /// Counts `amount` at `now`.
    pub(crate) fn count(&mut self, amount: u32, now: Instant) {
        self.fade(now);
        self.sum += f64::from(amount);
    }

    /// How much passes in a second, over about the last five.
    pub(crate) fn per_s(&mut self, now: Instant) -> f64 {
        self.fade(now);
        let per_s = self.sum / FADE.as_secs_f64();
        (per_s * 1_000.0).round() / 1_000.0
    }

    fn fade(&mut self, now: Instant) {
        let elapsed = self.at.map(|at| now.saturating_duration_since(at));
        if elapsed.is_some_and(|elapsed| elapsed < STEP) {
            return;
        }
        self.at = Some(now);
        let elapsed = elapsed.unwrap_or_default().as_secs_f64();
        self.sum *= (-elapsed / FADE.as_secs_f64()).exp();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_reads_as_its_rate_and_silence_as_none() {
        let mut meter = Meter::default();
        let start = Instant::now();
        for tick in 0..600_u32 {
            meter.count(2, start + Duration::from_millis(100) * tick);
        }
        let end = start + Duration::from_mins(1);
        assert!((meter.per_s(end) - 20.0).abs() < 1.0);
        assert!(meter.per_s(end + Duration::from_mins(1)) < 0.01);
    }
}
