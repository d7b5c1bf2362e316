//! One id that was seen: what is known of it and what follows from that.

use serde::{Deserialize, Serialize};

use super::rank::Rank;
use super::{GRACE_MINUTES, MINUTE_MS};
use crate::id::BulletinId;
use crate::limits;
use crate::time::Wall;

/// What became of a bulletin once seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// The store has it.
    Held,
    /// It is not kept and never asked for again: superseded, evicted, rejected or ignored.
    Dropped,
}

/// One id seen and unexpired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which bulletin.
    pub id: BulletinId,
    /// When it was made, by its author's clock.
    pub created: Wall,
    /// When it ceases to be valid.
    pub expires: Wall,
    /// Bytes of its content; 0 when it was dropped before its size was known.
    pub size_bytes: u32,
    /// Bits of its best stamp known here.
    pub bits: u8,
    /// Whether it is held.
    pub status: Status,
}

impl Seen {
    /// Whether the store has it.
    pub fn is_held(&self) -> bool {
        self.status == Status::Held
    }

    /// Bytes it counts against the store's limit.
    pub(super) fn stored_bytes(&self) -> u64 {
        u64::from(self.size_bytes).saturating_add(limits::STORED_OVERHEAD_BYTES)
    }

    /// Its place in the order of eviction.
    pub(super) fn rank(&self) -> Rank {
        Rank::of(self.bits, self.size_bytes, self.created)
    }

    /// The first minute in which it may be purged: that of `expires + 120 s`, rounded up.
    pub(super) fn leaves(&self) -> u64 {
        self.expires
            .as_millis()
            .div_ceil(MINUTE_MS)
            .saturating_add(GRACE_MINUTES)
    }

    /// Whether the digest of `minute` counts it.
    pub(super) fn counts_at(&self, minute: u64) -> bool {
        let cut = minute.saturating_mul(MINUTE_MS);
        self.created.as_millis() < cut && self.expires.as_millis() > cut
    }
}
