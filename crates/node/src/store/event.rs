//! What a store tells the driver.

use std::path::PathBuf;

use bruit_core::id::BulletinId;
use bytes::Bytes;

use super::StoreError;

/// What the store tells the driver.
#[derive(Debug, Clone)]
pub enum StoreEvent {
    /// These writes are on disk, synced.
    Synced {
        /// Every write up to this number, as [`Store::submit`](super::Store::submit) gave it.
        through: u64,
        /// Bulletins whose bodies are on disk because of these writes.
        ids: Vec<BulletinId>,
        /// Barriers among the writes.
        barriers: Vec<u64>,
    },
    /// The answer to [`Store::load`](super::Store::load).
    Loaded {
        /// The id asked for.
        id: BulletinId,
        /// Its encoding; `None` when the body is not held, or could not be read.
        bytes: Option<Bytes>,
    },
    /// The answer to [`Store::load_chunk`](super::Store::load_chunk).
    ChunkLoaded {
        /// The id asked for.
        id: BulletinId,
        /// The chunk asked for.
        index: u32,
        /// The chunk with its proof; `None` when it is not held, or could not be read.
        piece: Option<Bytes>,
    },
    /// Writes, or a read, failed. After [`StoreError::Full`] the store goes on by itself, and what
    /// waits is kept; after anything else it takes no writes until it is opened anew.
    Failed {
        /// Why.
        error: StoreError,
        /// Bulletins that were put and will not be on disk.
        lost: Vec<BulletinId>,
    },
    /// There is room on the disk again.
    Recovered,
    /// These bodies were on disk and are not as they were put there. Their ids stay known.
    Damaged {
        /// The ids.
        ids: Vec<BulletinId>,
    },
    /// The database was damaged, and a new one is in its place. Writing goes on.
    Mended(Mended),
}

/// What became of a damaged database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// Where it is kept.
    pub aside: PathBuf,
    /// Bodies that were saved.
    pub saved: usize,
    /// Ids that are known and whose bodies are lost.
    pub lost: Vec<BulletinId>,
}
