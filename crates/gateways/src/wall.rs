//! The wall clock, as numbers: what is signed and what crosses has its moment by it.

use std::time::{Duration, SystemTime};

/// Since 1970; nothing by a clock that stands before.
pub(crate) fn now() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

/// The same in milliseconds.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(now().as_millis()).unwrap_or(u64::MAX)
}
