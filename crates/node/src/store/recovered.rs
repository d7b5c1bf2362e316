//! What a store knew when it was opened.

use std::collections::BTreeMap;

use bruit_core::id::{BulletinId, TopicId};
use bruit_core::time::Wall;
use bruit_core::values::Version;

use super::{KnownFile, Mended, StoredBulletin};

/// What a store knew when it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Every known id, by end of validity.
    pub seen: Vec<Known>,
    /// The number of the next arrival. Every earlier number may have been given out.
    pub next_seq: u64,
    /// Every large content whose manifest is held.
    pub files: Vec<KnownFile>,
    /// The node's own notes.
    pub meta: BTreeMap<String, Vec<u8>>,
    /// What became of the database before this one, when that was damaged. The ids that lost their
    /// bodies come as [`StoreEvent::Damaged`](super::StoreEvent::Damaged), too.
    pub mended: Option<Mended>,
}

/// A known id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The id.
    pub id: BulletinId,
    /// When its author says it was made.
    pub created: Wall,
    /// End of its validity.
    pub expires: Wall,
    /// Its body, where it is held.
    pub held: Option<Held>,
    /// Which version of a named value it is.
    pub version: Option<Version>,
}

/// What is known of a held body without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Number of its arrival.
    pub seq: u64,
    /// Bytes of its encoding; of a manifest, as it was recovered, those of the whole content.
    pub size: u32,
    /// Work of its stamp.
    pub stamp_bits: u8,
    /// Its topic.
    pub topic: TopicId,
}

impl Held {
    pub(super) fn of(bulletin: &StoredBulletin) -> Self {
        Self {
            seq: bulletin.seq,
            size: u32::try_from(bulletin.bytes.len()).unwrap_or(u32::MAX),
            stamp_bits: bulletin.stamp_bits,
            topic: bulletin.topic,
        }
    }
}
