//! What liveness can be told, and what each number trades.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;

/// How soon silence is noticed, and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// A link from which nothing was heard for this long, ± 10 %, is pinged. Default 5 s. Shorter notices
    /// sooner; every halving doubles the idle traffic (about 60 bytes of frames per ping).
    pub idle: Duration,
    /// A link that is never silent is pinged this often, ± 25 %, all the same: round trip, clock, floor and
    /// digest travel with pings alone. Default 15 s.
    pub refresh: Duration,
    /// Shortest wait for an answer. Default 500 ms, enough for one lost packet to be sent again.
    pub timeout_min: Duration,
    /// Wait for an answer, in round trips. Default 4.
    pub timeout_rtts: u32,
    /// Pings missed in a row before others are asked. Default 1.
    pub misses: u32,
    /// After a missed ping the next one goes out so long after it. Default 0: as soon as it is missed. System
    /// 004 asks every 13 s whatever was missed.
    pub miss_pause: Duration,
    /// Neighbours of other groups asked for a second opinion. Default 3.
    pub helpers: usize,
    /// Local health at its worst multiplies waits by this. Default 8; 1 switches it off.
    pub health_max: u32,
    /// A wakeup this late is a pause of ours. Default 1 s.
    pub late: Duration,
    /// Shortest suspicion per decade of network size: with three helpers agreeing. Default 2 s.
    pub suspicion_min: Duration,
    /// Longest suspicion per decade of network size: when no helper answers. Default 6 s.
    pub suspicion_max: Duration,
    /// Times in a row that only others hear from the peer before the link is given up. Default 4.
    pub indirect_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(5),
            refresh: Duration::from_secs(15),
            timeout_min: Duration::from_millis(500),
            timeout_rtts: 4,
            misses: 1,
            miss_pause: Duration::ZERO,
            helpers: limits::PROBE_HELPERS,
            health_max: 8,
            late: Duration::from_secs(1),
            suspicion_min: Duration::from_secs(2),
            suspicion_max: Duration::from_secs(6),
            indirect_max: 4,
        }
    }
}

/// What is wrong with a [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A duration is too short to keep a timer from running hot, or longer than a day.
    #[error("{field} of {got:?} is not within 10 ms to 1 day")]
    Time {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: Duration,
    },
    /// A number is outside its range.
    #[error("{field} of {got} is not within {min} to {max}")]
    Count {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: usize,
        /// Its lowest value.
        min: usize,
        /// Its highest value.
        max: usize,
    },
    /// The shortest suspicion is longer than the longest.
    #[error("suspicion_min of {min:?} exceeds suspicion_max of {max:?}")]
    Suspicion {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
}

impl Config {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// Names the first field out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, got) in [
            ("idle", self.idle),
            ("refresh", self.refresh),
            ("timeout_min", self.timeout_min),
            ("late", self.late),
            ("suspicion_min", self.suspicion_min),
            ("suspicion_max", self.suspicion_max),
        ] {
            if got < Duration::from_millis(10) || got > Duration::from_hours(24) {
                return Err(ConfigError::Time { field, got });
            }
        }
        if self.miss_pause > Duration::from_hours(24) {
            let (field, got) = ("miss_pause", self.miss_pause);
            return Err(ConfigError::Time { field, got });
        }
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        for (field, got, min, max) in [
            ("timeout_rtts", size(self.timeout_rtts), 1, 100),
            ("misses", size(self.misses), 1, 100),
            ("helpers", self.helpers, 0, limits::PROBE_HELPERS),
            ("health_max", size(self.health_max), 1, 64),
            ("indirect_max", size(self.indirect_max), 1, 100),
        ] {
            if got < min || got > max {
                return Err(ConfigError::Count {
                    field,
                    got,
                    min,
                    max,
                });
            }
        }
        let (min, max) = (self.suspicion_min, self.suspicion_max);
        if min > max {
            Err(ConfigError::Suspicion { min, max })
        } else {
            Ok(())
        }
    }
}
