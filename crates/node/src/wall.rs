//! This machine's wall clock.

use std::time::{Duration, SystemTime};

use bruit_core::time::Wall;

/// What it says now; the beginning of 1970 at the earliest.
pub(crate) fn wall_now() -> Wall {
    Wall::from_millis(u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX))
}

/// What it says now, in microseconds since 1970.
pub(crate) fn micros_now() -> u64 {
    u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
