//! The tables of the database, and the one transaction that changes them.
//!
//! The only index by id is in memory: on disk it would be the one tree with random keys, and with
//! it a batch of n bulletins would rewrite up to n pages more. Whatever a batch does can be done
//! again over its own result, so that a batch whose commit failed may be repeated.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bruit_core::id::BulletinId;
use bruit_core::time::Wall;
use bytes::Bytes;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition,
    TableError, WriteTransaction,
};

use super::medium::Medium;
use super::rows::{self, LONG_KEY_BYTES};
use super::{Held, Known, Recovered, StoreError, StoredBulletin, Write};

/// What makes the file a store of ours: the table's name, and in it the schema and the first free
/// arrival number.
const BRUIT: TableDefinition<'_, &str, u64> = TableDefinition::new("bruit");
/// Bodies by arrival.
pub(super) const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
/// Known ids by end of validity.
const SEEN: TableDefinition<'_, &[u8; LONG_KEY_BYTES], &[u8]> = TableDefinition::new("seen");
/// Arrivals by topic.
pub(super) const TOPICS: TableDefinition<'_, &[u8; LONG_KEY_BYTES], u64> =
    TableDefinition::new("topics");
/// What the node keeps for itself.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The schema this program writes, and the newest it reads.
pub(super) const SCHEMA: u64 = 1;
/// Key of the schema in `BRUIT`.
const SCHEMA_KEY: &str = "schema";
/// Key of the first arrival number that was certainly never given out.
const NEXT_SEQ_KEY: &str = "next_seq";

/// Arrival numbers set aside on disk before they are given out, so that none is given out twice
/// even when a crash takes the bulletins that bore them.
const SEQ_RESERVE: u64 = 1 << 24;

/// The database of one data folder.
#[derive(Debug)]
pub(super) struct Disk {
    medium: Box<dyn Medium>,
    cache_bytes: usize,
    view: RwLock<View>,
    /// Arrival numbers of the bodies on disk.
    index: RwLock<HashMap<BulletinId, u64>>,
    /// First arrival number not set aside.
    reserved: AtomicU64,
}

/// What the database is good for at the moment.
#[derive(Debug)]
enum View {
    /// Reading and writing.
    Live(Database),
    /// Reading only: the last write failed.
    Frozen(Database),
    Closed,
}

impl Disk {
    /// Opens the store in `medium`, creating it when there is none, and reads back what it knows.
    pub(super) fn open(
        medium: Box<dyn Medium>,
        cache_bytes: usize,
    ) -> Result<(Self, Recovered), StoreError> {
        let file = medium.file().to_owned();
        let opened = guarded(|| {
            let database = medium.open(&builder(cache_bytes))?;
            check_schema(&database)?.map_err(|found| redb::Error::UpgradeRequired(found))?;
            let next_seq = prepare(&database)?;
            let (recovered, index) = recover(&database, next_seq)?;
            Ok((database, recovered, index))
        });
        let (database, recovered, index) =
            opened.map_err(|error| StoreError::from_redb(error, &file))?;
        let disk = Self {
            medium,
            cache_bytes,
            view: RwLock::new(View::Live(database)),
            index: RwLock::new(index),
            reserved: AtomicU64::new(recovered.next_seq + SEQ_RESERVE),
        };
        Ok((disk, recovered))
    }
}
