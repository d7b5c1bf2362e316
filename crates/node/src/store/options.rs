//! How a store uses memory and disk.

use std::time::Duration;

use bruit_core::id::NetworkId;

use crate::networks::STORE_FILE;

/// How a store uses memory and disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Name of the database in the data folder. Default `store.redb`.
    pub file: String,
    /// Memory for pages of the database. Default 8 MiB: the inner pages of a million bulletins. More
    /// spares reads when old bulletins are asked for.
    pub cache_bytes: usize,
    /// Most bytes of writes that may wait for the disk, each counted with 256 bytes more. Default
    /// 64 MiB: six seconds of a disk that takes 10 MiB/s. More rides out longer stalls.
    pub pending_bytes_max: usize,
    /// Most writes of one transaction. Default 4,096: more would not be faster, and make the first
    /// of them wait longer.
    pub batch_writes_max: usize,
    /// A transaction takes no further write beyond this many bytes. Default 256 KiB: a hundred syncs a
    /// second write 25 MiB. The file has room for what a few transactions replace beside what is held; more
    /// would make it larger.
    pub batch_bytes_max: usize,
    /// Pause between two looks whether a full disk has room again. Default 1 s.
    pub full_retry: Duration,
    /// A database of at most so many bytes is read whole and checked before it is opened. Default
    /// 64 MiB, a tenth of a second. A larger one is checked where it is read.
    pub check_bytes_max: u64,
    /// Bodies that lie alone before they are packed together. Default 128: about as many as the smallest
    /// bulletins take to fill a pack. More take more room, fewer are moved in smaller parts.
    pub pack_rows: u64,
    /// Most bytes of a pack. Default 65,520: what sixteen pages of the database hold. More would read and
    /// write more for each body, less leave more of the pages empty.
    pub pack_bytes_max: usize,
    /// Whose bulletins are kept: what is read is checked to be one of this network's, whole and with
    /// its signature. `None`, the default, for bodies that are no bulletins.
    pub network: Option<NetworkId>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            file: STORE_FILE.to_owned(),
            cache_bytes: 8 << 20,
            pending_bytes_max: 64 << 20,
            batch_writes_max: 4_096,
            batch_bytes_max: 256 << 10,
            full_retry: Duration::from_secs(1),
            check_bytes_max: 64 << 20,
            pack_rows: 128,
            // The database needs sixteen bytes for the number, the length, and what a page is (redb 4,
            // `docs/design.md`, "Leaf").
            pack_bytes_max: (64 << 10) - 16,
            network: None,
        }
    }
}
