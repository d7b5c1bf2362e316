//! A wall clock that is wrong: by so much, and by more with every second.

use bruit_core::time::{Mono, Wall};

/// Picoseconds in a millisecond. In these nothing is rounded: a millionth of a second each second, for a
/// microsecond, is one.
const PS_PER_MS: i128 = 1_000_000_000;

/// How far a wall clock is ahead of the right one, negative for behind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WallClock {
    /// In picoseconds, at `since`.
    ahead_ps: i128,
    since: Mono,
    /// Microseconds it gains each second.
    drift: i64,
}

/// How wrong a wall clock becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skew {
    /// Milliseconds it jumps ahead.
    pub ahead_ms: i64,
    /// Microseconds it gains each second from then on.
    pub drift: i64,
}

impl WallClock {
    /// Puts it so many milliseconds ahead of the right one; what it gains stays.
    pub(crate) fn set(&mut self, ahead_ms: i64, now: Mono) {
        self.ahead_ps = i128::from(ahead_ms) * PS_PER_MS;
        self.since = now;
    }

    /// Makes it as much more wrong.
    pub(crate) fn skew(&mut self, skew: Skew, now: Mono) {
        self.ahead_ps = self.ahead_ps(now) + i128::from(skew.ahead_ms) * PS_PER_MS;
        self.since = now;
        self.drift += skew.drift;
    }

    /// Takes back a skew from then, and what has come of it since.
    pub(crate) fn mend(&mut self, skew: Skew, then: Mono, now: Mono) {
        let was = i128::from(skew.ahead_ms) * PS_PER_MS + gained_ps(skew.drift, then, now);
        self.ahead_ps = self.ahead_ps(now) - was;
        self.since = now;
        self.drift -= skew.drift;
    }

    /// What it says when the right one, which said `epoch_ms` at the beginning, has run until `now`.
    pub(crate) fn read(&self, epoch_ms: u64, now: Mono) -> Wall {
        if self.drift == 0 && self.ahead_ps == 0 {
            return Wall::from_millis(epoch_ms.saturating_add(now.as_micros() / 1_000));
        }
        let run_ps = i128::from(now.as_micros()) * (PS_PER_MS / 1_000);
        let ms = i128::from(epoch_ms) + (run_ps + self.ahead_ps(now)).div_euclid(PS_PER_MS);
        Wall::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    fn ahead_ps(&self, now: Mono) -> i128 {
        self.ahead_ps + gained_ps(self.drift, self.since, now)
    }
}

/// What a clock gains between two moments.
fn gained_ps(drift: i64, from: Mono, to: Mono) -> i128 {
    let micros = to.as_micros().saturating_sub(from.as_micros());
    i128::from(drift) * i128::from(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH_MS: u64 = 1_000_000;

    fn ahead_ms(clock: &WallClock, second: u64) -> i64 {
        let now = Mono::from_micros(second * 1_000_000);
        let right = i64::try_from(EPOCH_MS + second * 1_000).unwrap();
        i64::try_from(clock.read(EPOCH_MS, now).as_millis()).unwrap() - right
    }

    #[test]
    fn a_clock_that_drifts_is_further_off_each_second_and_right_again_when_it_is_mended() {
        let at = |second: u64| Mono::from_micros(second * 1_000_000);
        let mut clock = WallClock::default();
        assert_eq!(ahead_ms(&clock, 5), 0);
        let (fast, slow) = (
            Skew {
                ahead_ms: 100,
                drift: 2_000,
            },
            Skew {
                ahead_ms: 0,
                drift: -7_001,
            },
        );
        clock.skew(fast, at(10));
        assert_eq!([10, 11, 60].map(|s| ahead_ms(&clock, s)), [100, 102, 200]);
        // The one after the other, and each for itself.
        clock.skew(slow, at(60));
        assert_eq!(ahead_ms(&clock, 61), 194);
        clock.mend(fast, at(10), at(80));
        assert_eq!(ahead_ms(&clock, 80), -141);
        clock.mend(slow, at(60), at(90));
        assert_eq!([90, 1_000].map(|s| ahead_ms(&clock, s)), [0, 0]);
        clock.set(-3_000, at(1_000));
        assert_eq!(ahead_ms(&clock, 2_000), -3_000);
        clock.set(i64::MIN, at(2_000));
        assert_eq!(clock.read(EPOCH_MS, at(2_000)).as_millis(), 0);
    }
}
