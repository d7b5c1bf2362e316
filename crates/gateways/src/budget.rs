//! How much may be done per second: tokens that come back evenly, up to a number.

use std::time::{Duration, Instant};

/// Tokens for what costs something.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    per_second: u32,
    most: u32,
    /// Tokens taken and not yet back, in microseconds of waiting.
    owed: Duration,
    at: Option<Instant>,
}

impl Budget {
    /// `per_second` tokens a second, at most `most` at once. A rate of none is taken as one.
    pub(crate) fn new(per_second: u32, most: u32) -> Self {
        Self {
            per_second: per_second.max(1),
            most,
            owed: Duration::ZERO,
            at: None,
        }
    }

    /// Takes one token; answers whether there was one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.owed = self.owed.saturating_sub(passed);
        self.at = self.at.max(Some(now));
        let one = Duration::from_secs(1) / self.per_second;
        if self.owed + one > one * self.most {
            return false;
        }
        self.owed += one;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_evenly() {
        let mut budget = Budget::new(10, 3);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let taken = |budget: &mut Budget, ms| (0..9).filter(|_| budget.take(at(ms))).count();
        assert_eq!(taken(&mut budget, 1_000), 3);
        assert_eq!(taken(&mut budget, 1_199), 1);
        assert_eq!(taken(&mut budget, 1_200), 1);
        assert_eq!(taken(&mut budget, 9_000), 3);
    }
}
