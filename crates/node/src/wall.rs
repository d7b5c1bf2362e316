//! This machine's wall clock.

use std::time::SystemTime;

use bruit_core::time::Wall;

/// What it says now; the beginning of 1970 at the earliest.
pub(crate) fn wall_now() -> Wall {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Wall::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
