//! What the room of seeds can be told, and what each number trades.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;

/// How a seed keeps records, and how others keep in touch with seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Whether this node is a seed: keeps the records of others and tells of them. Default no.
    pub registry: bool,
    /// Leases a seed holds at most; more are refused. Default 16,384, about 8 MiB.
    pub leases_max: usize,
    /// For so long a seed keeps a record that is not renewed. Default 15 min. Longer tells of nodes that
    /// are gone without a neighbour's report, shorter costs more visits.
    pub lease: Duration,
    /// A seed asks to be visited again after this at the soonest. Default 30 s: one that lost everything
    /// has it back within a minute.
    pub renew_min: Duration,
    /// And after this at the latest. Default 5 min, a third of the lease.
    pub renew_max: Duration,
    /// Visits a second that a seed is content with; between the two bounds it asks for so many. Default 20,
    /// about a hundredth of a core.
    pub visits_per_s: u32,
    /// First pause before a seed that did not answer is tried again; each next is 1.6 times as long.
    /// Default 1 s.
    pub retry_min: Duration,
    /// Longest such pause. Default 20 s.
    pub retry_max: Duration,
    /// A seed that has not answered by then counts as failed. Default 6 s, longer than a dial may take.
    pub answer: Duration,
    /// So long after the first answer those whom one seed alone named are looked at. Default 3 s.
    pub settle: Duration,
    /// Deaths are told to seeds within this time, at a moment drawn evenly. Default 2 s: the neighbours of a
    /// dead node notice at once.
    pub report_spread: Duration,
    /// How long a seed waits for a node it probes before it counts a miss. Default 5 s, as long as a dial
    /// takes.
    pub probe: Duration,
    /// Own probes that must fail one after another before a seed drops a record. Default 3.
    pub probes: u32,
    /// A node is probed for reports once in this time. Default 30 s: whoever reports the living makes the
    /// seed dial no more often.
    pub probe_pause: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            registry: false,
            leases_max: 16_384,
            lease: Duration::from_mins(15),
            renew_min: Duration::from_secs(30),
            renew_max: Duration::from_mins(5),
            visits_per_s: 20,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(20),
            answer: Duration::from_secs(6),
            settle: Duration::from_secs(3),
            report_spread: Duration::from_secs(2),
            probe: Duration::from_secs(5),
            probes: 3,
            probe_pause: Duration::from_secs(30),
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
}

impl Config {
    /// Quick timers for a network on one machine or one quiet site.
    pub fn local() -> Self {
        Self {
            renew_min: Duration::from_secs(3),
            retry_min: Duration::from_millis(250),
            retry_max: Duration::from_secs(3),
            answer: Duration::from_secs(3),
            settle: Duration::from_millis(1_500),
            report_spread: Duration::from_millis(250),
            probe: Duration::from_secs(1),
            probe_pause: Duration::from_secs(5),
            ..Self::default()
        }
    }

    /// Checks every field against its range.
    ///
    /// # Errors
    /// Names the first field out of its range, with the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        for (field, got, min, max) in [
            ("leases_max", self.leases_max, 1, limits::LEASES_MAX),
            ("visits_per_s", size(self.visits_per_s), 1, 10_000),
            ("probes", size(self.probes), 1, 100),
        ] {
            if !(min..=max).contains(&got) {
                return Err(ConfigError::Count {
                    field,
                    got,
                    min,
                    max,
                });
            }
        }
        for (field, got) in [
            ("lease", self.lease),
            ("renew_min", self.renew_min),
            ("renew_max", self.renew_max),
            ("retry_min", self.retry_min),
            ("retry_max", self.retry_max),
            ("answer", self.answer),
            ("settle", self.settle),
            ("report_spread", self.report_spread),
            ("probe", self.probe),
            ("probe_pause", self.probe_pause),
        ] {
            if got < Duration::from_millis(10) || got > limits::RECORD_TTL_MAX {
                return Err(ConfigError::Time { field, got });
            }
        }
        Ok(())
    }
}
