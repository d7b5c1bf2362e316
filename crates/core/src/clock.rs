//! Whether this machine's wall clock may be believed when something is to be deleted for good.
//!
//! A clock that jumps ahead would expire everything at once. So deleting needs the neighbours' word
//! (three of them, whose median lies within ten minutes of ours), or a day in which nobody said
//! otherwise.

use std::time::Duration;

use crate::time::Mono;

/// Neighbours whose clocks make a word that counts.
const WITNESSES: usize = 3;
/// How far the neighbours' median may lie from our clock, in milliseconds.
const OFFSET_MS_MAX: u64 = 600_000;
/// So long without contradiction is as good as witnesses.
const UNCONTRADICTED: Duration = Duration::from_hours(24);

/// What was said against our clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    /// Since when nobody has contradicted it: the start, or the last contradiction.
    since: Mono,
}

impl Clock {
    /// Takes the neighbours' word, their median offset and how many told theirs; answers whether
    /// our clock may be believed at `now`.
    pub(crate) fn is_trusted(&mut self, word: Option<(i64, usize)>, now: Mono) -> bool {
        let near = |offset: i64| offset.unsigned_abs() <= OFFSET_MS_MAX;
        match word {
            Some((offset, _)) if !near(offset) => {
                self.since = now;
                false
            }
            Some((_, witnesses)) if witnesses >= WITNESSES => true,
            _ => now.since(self.since) >= UNCONTRADICTED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Mono = Mono::ZERO;

    #[test]
    fn three_neighbours_or_a_quiet_day_vouch_for_a_clock() {
        let mut clock = Clock::default();
        assert!(clock.is_trusted(Some((1_000, 3)), START));
        assert!(!clock.is_trusted(Some((1_000, 2)), START));
        assert!(!clock.is_trusted(None, START));
        assert!(clock.is_trusted(None, START.plus(Duration::from_hours(24))));
    }

    #[test]
    fn a_contradicted_clock_must_be_quiet_for_a_day_again() {
        let mut clock = Clock::default();
        let later = START.plus(Duration::from_hours(30));
        assert!(!clock.is_trusted(Some((-700_000, 1)), later));
        assert!(!clock.is_trusted(None, later.plus(Duration::from_hours(23))));
        assert!(clock.is_trusted(None, later.plus(Duration::from_hours(25))));
    }
}
