//! What reconciliation may cost, and when it happens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budget::Rate;
use super::topics::Topics;
use crate::limits;

/// Fewest bytes of a message the algorithm can work with.
const MESSAGE_BYTES_MIN: usize = 4_096;
/// Shortest time between two periodic sessions.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// When to compare, and what that may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Time between two periodic sessions of this node, ± 30 %. Shorter repairs losses sooner, at
    /// about 400 bytes a session when nothing was lost. Default 30 s.
    pub interval: Duration,
    /// How old a bulletin must be for a periodic session, so that what is still in flight is no
    /// difference. Default 30 s.
    pub settle: Duration,
    /// Messages we send in one session. A session cut there goes on later where it stopped. Default
    /// 12: about 20,000 missing ids.
    pub rounds_max: u32,
    /// Wait before a session that was cut goes on, in which what it found can be fetched. Default 2 s.
    pub pause: Duration,
    /// Silence after which a session is over. Default 30 s.
    pub stall: Duration,
    /// Most bytes of one message, 4,096 to [`limits::SYNC_MESSAGE_BYTES_MAX`], which is the default.
    pub message_bytes_max: usize,
    /// Most ids offered in one session; the rest waits for the next. Default 8,192.
    pub offers_max: usize,
    /// Most sessions we have open at once, not counting those whose peer is silent. On a fresh node
    /// every further one lists the same missing ids again. Default 4.
    pub opened_max: usize,
    /// Most sessions a peer may open in a minute; it may save up half of them. Default 30.
    pub opens_per_minute: u32,
    /// Ids a peer may make us look at in a second; it may save up ten seconds, and a session that
    /// takes more leaves a debt. All peers together may ask for eight times as much. Default
    /// 2,500,000: about one per cent of a core.
    pub visits_per_second: u32,
    /// The only topics this node compares and asks for, or all. A node that is away a lot, or has little
    /// room, catches up on these alone; what is pushed to it meanwhile it takes and relays all the same.
    /// Default all.
    pub topics: Topics,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            settle: Duration::from_secs(30),
            rounds_max: 12,
            pause: Duration::from_secs(2),
            stall: Duration::from_secs(30),
            message_bytes_max: limits::SYNC_MESSAGE_BYTES_MAX,
            offers_max: 8_192,
            opened_max: 4,
            opens_per_minute: 30,
            visits_per_second: 2_500_000,
            topics: Topics::ALL,
        }
    }
}

impl Config {
    /// The same, with everything in the range the room can work with.
    pub(super) fn clamped(mut self) -> Self {
        self.interval = self.interval.max(INTERVAL_MIN);
        self.message_bytes_max = self
            .message_bytes_max
            .clamp(MESSAGE_BYTES_MIN, limits::SYNC_MESSAGE_BYTES_MAX);
        self.opened_max = self.opened_max.max(1);
        self
    }

    /// How many sessions a peer may open.
    pub(super) fn opens(&self) -> Rate {
        let per_minute = u64::from(self.opens_per_minute);
        Rate {
            per_minute,
            burst: (per_minute / 2).max(1),
        }
    }

    /// How many ids `links` peers may make us look at.
    pub(super) fn visits(&self, links: u64) -> Rate {
        let per_second = u64::from(self.visits_per_second).saturating_mul(links);
        Rate {
            per_minute: per_second.saturating_mul(60),
            burst: per_second.saturating_mul(10),
        }
    }
}
