//! What a store is given to keep.

use bruit_core::id::{BulletinId, NodeId, TopicId};
use bruit_core::large::Manifest;
use bruit_core::time::Wall;
use bruit_core::values::Version;
use bytes::Bytes;

/// A bulletin with what the node noted when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBulletin {
    /// Number of its arrival, from 1: the cursor of subscribers. Strictly rising over restarts when
    /// the driver counts on from [`Recovered::next_seq`](super::Recovered::next_seq).
    pub seq: u64,
    /// Its id.
    pub id: BulletinId,
    /// Its topic.
    pub topic: TopicId,
    /// When its author says it was made.
    pub created: Wall,
    /// End of its validity.
    pub expires: Wall,
    /// When it came.
    pub received: Wall,
    /// Who delivered it; `None` when it was published here.
    pub from: Option<NodeId>,
    /// Links it had passed.
    pub hops: u8,
    /// Work of its stamp.
    pub stamp_bits: u8,
    /// Its canonical encoding: header, signature, stamp, content. Opaque here.
    pub bytes: Bytes,
}

/// A change to the store. Changes take effect in the order they are submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Keeps the body and the id. Put again under another number, the body moves there.
    Put(StoredBulletin),
    /// Keeps the id alone: of a bulletin that was dropped or rejected. Changes nothing when the body
    /// is held.
    Seen {
        /// The id.
        id: BulletinId,
        /// When its author says it was made.
        created: Wall,
        /// End of its validity.
        expires: Wall,
    },
    /// Keeps which version of a named value a bulletin is, for as long as its id is known. Submitted
    /// before the id: a crash between the two leaves a version without an id, which is forgotten.
    Version {
        /// The bulletin.
        id: BulletinId,
        /// End of its validity.
        expires: Wall,
        /// The version.
        version: Version,
    },
    /// Replaces the encoding of a held bulletin by one with a better stamp.
    Restamp {
        /// The id.
        id: BulletinId,
        /// Work of the new stamp.
        stamp_bits: u8,
        /// The new encoding.
        bytes: Bytes,
    },
    /// Removes the body, keeps the id.
    Evict {
        /// The id.
        id: BulletinId,
    },
    /// Removes bodies and ids: of bulletins that can no longer be replayed.
    Purge {
        /// The ids, each with the end of its validity as it was put or seen.
        ids: Vec<(BulletinId, Wall)>,
    },
    /// Keeps a note of the node itself: address book, horizon, next incarnation.
    Meta {
        /// The note's name.
        key: &'static str,
        /// Its new text.
        value: Vec<u8>,
    },
    /// Removes bodies that cannot be read, keeps the ids. A body that has come anew stays.
    Lost {
        /// The ids, each with the number its damaged body has.
        bodies: Vec<(BulletinId, u64)>,
    },
    /// Makes room for a large content: before its chunks, and before its manifest is put. It goes with the
    /// manifest; without one it is gone when the store is opened next.
    File {
        /// The id of its manifest.
        id: BulletinId,
        /// Its manifest.
        manifest: Manifest,
    },
    /// Keeps a chunk of a content that there is room for. Changes nothing when there is none.
    Chunk {
        /// The id of its manifest.
        id: BulletinId,
        /// Which chunk.
        index: u32,
        /// The chunk with its proof. Opaque here.
        piece: Bytes,
    },
    /// Changes nothing; comes back in [`StoreEvent::Synced`](super::StoreEvent::Synced).
    Barrier(u64),
}
