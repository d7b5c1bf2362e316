//! Two clocks as values: `Mono` for timeouts, `Wall` for stamps others read.
//!
//! The core never reads a clock; whoever drives the engine hands in [`Now`]. Arithmetic saturates,
//! so no duration from the wire or from a configuration can overflow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Monotonic time: microseconds since the engine's driver started.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Mono(u64);

impl Mono {
    /// The start of the driver's clock.
    pub const ZERO: Self = Self(0);

    /// The instant `micros` microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This instant and `duration` later, at most the end of the clock.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// This instant and `duration` earlier, at least the start of the clock.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// Time since `earlier`, zero when that lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time: milliseconds since 1970-01-01 UTC, as this machine believes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Wall(u64);

impl Wall {
    /// The moment `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment and `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This moment and `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Time since `earlier`, zero when that lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole minutes since the epoch.
    pub const fn minute(self) -> u64 {
        self.0 / 60_000
    }
}

/// Both clocks at the moment of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// For timeouts: never steps.
    pub mono: Mono,
    /// For stamps: may step, may be wrong.
    pub wall: Wall,
}

/// Whole microseconds of `duration`, at most `u64::MAX`.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Whole milliseconds of `duration`, at most `u64::MAX`.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `duration · times / parts`, saturating; zero for no parts.
pub(crate) fn fraction(duration: Duration, times: u32, parts: u32) -> Duration {
    duration
        .saturating_mul(times)
        .checked_div(parts)
        .unwrap_or_default()
}

/// The earliest of what is due.
pub(crate) fn earliest<const N: usize>(due: [Option<Mono>; N]) -> Option<Mono> {
    // No iterator over what is there: this is asked after every event.
    due.into_iter()
        .fold(None, |first, next| match (first, next) {
            (Some(first), Some(next)) => Some(first.min(next)),
            (first, next) => first.or(next),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(
            Mono::from_micros(u64::MAX).plus(Duration::MAX),
            Mono::from_micros(u64::MAX)
        );
        assert_eq!(Mono::ZERO.minus(Duration::MAX), Mono::ZERO);
        assert_eq!(
            Wall::from_millis(5).since(Wall::from_millis(9)),
            Duration::ZERO
        );
        assert_eq!(
            Wall::from_millis(u64::MAX).plus(Duration::MAX),
            Wall::from_millis(u64::MAX)
        );
    }

    #[test]
    fn the_earliest_of_nothing_is_nothing() {
        let at = |micros| Some(Mono::from_micros(micros));
        assert_eq!(earliest([]), None);
        assert_eq!(earliest([None, None]), None);
        assert_eq!(earliest([None, at(3), None, at(2), at(3)]), at(2));
    }
}
