//! The tables of the database, and the one transaction that changes them.
//!
//! The only index by id is in memory: on disk it would be the one tree with random keys, and with
//! it a batch of n bulletins would rewrite up to n pages more. Whatever a batch does can be done
//! again over its own result, so that a batch whose commit failed may be repeated.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bruit_core::id::BulletinId;
use bruit_core::time::Wall;
use bytes::Bytes;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition,
    TableError, WriteTransaction,
};

use super::medium::Medium;
use super::rows::{self, LONG_KEY_BYTES};
use super::{Held, Recovered, StoreError, StoredBulletin, Write};

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
/// Versions of named values, under the keys of `SEEN`.
const VERSIONS: TableDefinition<'_, &[u8; LONG_KEY_BYTES], &[u8]> =
    TableDefinition::new("versions");
/// What the node keeps for itself.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The schema this program writes, and the newest it reads.
///
/// 2: an evicted bulletin's row keeps its arrival; what 1 wrote is read as it is.
/// 3: the table of versions, which 2 had no use for.
pub(super) const SCHEMA: u64 = 3;
/// Key of the schema in `BRUIT`.
const SCHEMA_KEY: &str = "schema";
/// Key of the first arrival number that was certainly never given out.
const NEXT_SEQ_KEY: &str = "next_seq";

/// Arrival numbers set aside on disk before they are given out, so that none is given out twice
/// even when a crash takes the bulletins that bore them.
const SEQ_RESERVE: u64 = 1 << 24;

/// Whether each commit saves what a repair would have to rebuild: opening after a crash then takes
/// milliseconds at any size, and each commit a second sync.
const QUICK_REPAIR: bool = true;

/// The database of one data folder.
#[derive(Debug)]
pub(super) struct Disk {
    medium: Box<dyn Medium>,
    cache_bytes: usize,
    view: RwLock<View>,
    index: RwLock<Index>,
    /// First arrival number not set aside.
    reserved: AtomicU64,
}

/// Arrival numbers by id.
#[derive(Debug, Default)]
struct Index {
    /// Of the bodies on disk.
    held: HashMap<BulletinId, u64>,
    /// Of bodies that were evicted, until their ids are purged.
    gone: HashMap<BulletinId, u64>,
}

impl Index {
    fn take(&mut self, changes: Changes) {
        for (id, change) in changes {
            self.held.remove(&id);
            self.gone.remove(&id);
            match change {
                Change::Held(seq) => self.held.insert(id, seq),
                Change::Gone(seq) => self.gone.insert(id, seq),
                Change::Forgotten => None,
            };
        }
    }

    /// The arrival of a body, held or gone.
    fn arrival(&self, id: &BulletinId) -> Option<u64> {
        self.held.get(id).or_else(|| self.gone.get(id)).copied()
    }
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

/// What the reader does when the database refuses because of a failure the writer is busy with.
const WAIT_FOR_WRITER: Duration = Duration::from_millis(5);
/// How often.
const WAITS_FOR_WRITER: u32 = 200;

impl Disk {
    /// Opens the store in `medium`, creating it when there is none, and reads back what it knows.
    ///
    /// # Errors
    /// The operator's: newer schema, damage, permission; the machine's: full, input or output.
    pub(super) fn open(
        medium: Box<dyn Medium>,
        cache_bytes: usize,
    ) -> Result<(Self, Recovered), StoreError> {
        let file = medium.file().to_owned();
        let explain = |error| StoreError::from_redb(error, &file);
        let database = guarded(|| Ok(medium.open(&builder(cache_bytes))?)).map_err(explain)?;
        match guarded(|| schema(&database)).map_err(explain)? {
            Some(found) if found > SCHEMA => {
                return Err(StoreError::NewerSchema {
                    file,
                    found,
                    supported: SCHEMA,
                });
            }
            _ => {}
        }
        let (recovered, index) = guarded(|| {
            let next_seq = prepare(&database)?;
            recover(&database, next_seq)
        })
        .map_err(explain)?;
        let disk = Self {
            medium,
            cache_bytes,
            view: RwLock::new(View::Live(database)),
            index: RwLock::new(index),
            reserved: AtomicU64::new(recovered.next_seq + SEQ_RESERVE),
        };
        Ok((disk, recovered))
    }

    /// Applies `batch` in one transaction and syncs it. `top_seq` is the highest arrival number
    /// given out so far. Returns the ids whose bodies are on disk because of this batch.
    ///
    /// # Errors
    /// Nothing of the batch may be relied on then. The database refuses everything until
    /// [`Disk::freeze`] or [`Disk::thaw`].
    pub(super) fn apply(
        &self,
        batch: &[Write],
        top_seq: u64,
    ) -> Result<Vec<BulletinId>, StoreError> {
        let view = self.view();
        let View::Live(database) = &*view else {
            return Err(StoreError::Closed);
        };
        let done = guarded(|| self.transact(database, batch, top_seq));
        let changes = done.map_err(|error| self.explain(error))?;
        // What the same batch evicted again is not "stored".
        let stored = batch
            .iter()
            .filter_map(|write| match write {
                Write::Put(bulletin) => Some(bulletin.id),
                _ => None,
            })
            .filter(|id| matches!(changes.get(id), Some(Change::Held(_))))
            .collect();
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.take(changes);
        Ok(stored)
    }

    fn transact(
        &self,
        database: &Database,
        batch: &[Write],
        top_seq: u64,
    ) -> Result<Changes, redb::Error> {
        let transaction = begin(database)?;
        let reserved = self.reserved.load(Ordering::Relaxed);
        let reserve = (top_seq + SEQ_RESERVE / 2 > reserved).then_some(top_seq + SEQ_RESERVE);
        if let Some(reserve) = reserve {
            transaction
                .open_table(BRUIT)?
                .insert(NEXT_SEQ_KEY, reserve)?;
        }
        let changes = self.change_tables(&transaction, batch)?;
        transaction.commit()?;
        if let Some(reserve) = reserve {
            self.reserved.store(reserve, Ordering::Relaxed);
        }
        Ok(changes)
    }

    fn change_tables(
        &self,
        transaction: &WriteTransaction,
        batch: &[Write],
    ) -> Result<Changes, redb::Error> {
        let index = self.index();
        let mut tables = Tables::open(transaction, &index)?;
        batch.iter().try_for_each(|write| tables.apply(write))?;
        Ok(tables.changes)
    }

    /// Runs `read` over what is committed. While the writer deals with a failed write, waits.
    ///
    /// # Errors
    /// `Closed`, damage, input or output.
    pub(super) fn read<T>(
        &self,
        read: impl Fn(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let mut waits = 0;
        loop {
            let result = match &*self.view() {
                View::Live(database) | View::Frozen(database) => {
                    guarded(|| read(&database.begin_read()?))
                }
                View::Closed => return Err(StoreError::Closed),
            };
            match result {
                Err(redb::Error::PreviousIo) if waits < WAITS_FOR_WRITER => {
                    waits += 1;
                    std::thread::sleep(WAIT_FOR_WRITER);
                }
                result => return result.map_err(|error| self.explain(error)),
            }
        }
    }

    /// The number of arrival of the bulletin `id`, where its body is on disk.
    pub(super) fn seq_of(&self, id: &BulletinId) -> Option<u64> {
        self.index().held.get(id).copied()
    }

    /// The bulletins whose bodies are on disk.
    pub(super) fn ids(&self) -> Vec<BulletinId> {
        self.index().held.keys().copied().collect()
    }

    /// The number of arrival of the bulletin `id`, also when its body is gone.
    pub(super) fn arrival_of(&self, id: &BulletinId) -> Option<u64> {
        self.index().arrival(id)
    }

    /// The bytes of the bulletin `id`, where its body is on disk.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub(super) fn bytes(&self, id: &BulletinId) -> Result<Option<Bytes>, StoreError> {
        let Some(seq) = self.seq_of(id) else {
            return Ok(None);
        };
        self.read(|transaction| {
            let bodies = transaction.open_table(BODIES)?;
            let Some(row) = bodies.get(seq)? else {
                return Ok(None);
            };
            let bulletin = rows::body(seq, row.value()).ok_or_else(|| damaged("body", seq))?;
            Ok((bulletin.id == *id).then_some(bulletin.bytes))
        })
    }

    /// The name for messages.
    pub(super) fn file(&self) -> &Path {
        self.medium.file()
    }

    /// Bodies on disk.
    pub(super) fn held(&self) -> usize {
        self.index().held.len()
    }

    /// Keeps reads going after a failed write: from here on nothing reaches the medium.
    pub(super) fn freeze(&self) {
        self.freeze_view(&mut self.view.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn freeze_view(&self, view: &mut View) {
        *view = View::Closed;
        let frozen = guarded(|| Ok(self.medium.open_frozen(&builder(self.cache_bytes))?));
        *view = frozen.map_or(View::Closed, View::Frozen);
    }

    /// Opens the medium for writing again, when it seems to have room for `bytes` more.
    ///
    /// # Errors
    /// As opening; the view stays frozen.
    pub(super) fn thaw(&self, bytes: u64) -> Result<(), StoreError> {
        if !self.medium.has_room(bytes) {
            return Err(StoreError::Full {
                file: self.medium.file().to_owned(),
            });
        }
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        *view = View::Closed;
        match guarded(|| Ok(self.medium.open(&builder(self.cache_bytes))?)) {
            Ok(live) => {
                *view = View::Live(live);
                Ok(())
            }
            Err(error) => {
                self.freeze_view(&mut view);
                Err(self.explain(error))
            }
        }
    }

    /// Closes the database. When it is in order, gives back the arrival numbers set aside beyond
    /// `top_seq`.
    ///
    /// # Errors
    /// Input or output: the numbers stay set aside, nothing else is lost.
    pub(super) fn close(&self, top_seq: u64) -> Result<(), StoreError> {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let View::Live(database) = std::mem::replace(&mut *view, View::Closed) else {
            return Ok(());
        };
        guarded(|| {
            let transaction = begin(&database)?;
            transaction
                .open_table(BRUIT)?
                .insert(NEXT_SEQ_KEY, top_seq + 1)?;
            transaction.commit()?;
            drop(database);
            Ok(())
        })
        .map_err(|error| self.explain(error))
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn explain(&self, error: redb::Error) -> StoreError {
        StoreError::from_redb(error, self.medium.file())
    }
}

/// What a batch made of an id.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// Its body is on disk, under this number.
    Held(u64),
    /// Its body came under this number, and was evicted.
    Gone(u64),
    Forgotten,
}

/// What a batch changed.
type Changes = BTreeMap<BulletinId, Change>;

/// The open tables of one transaction.
struct Tables<'a> {
    bodies: Table<'a, u64, &'static [u8]>,
    seen: Table<'a, &'static [u8; LONG_KEY_BYTES], &'static [u8]>,
    topics: Table<'a, &'static [u8; LONG_KEY_BYTES], u64>,
    versions: Table<'a, &'static [u8; LONG_KEY_BYTES], &'static [u8]>,
    meta: Table<'a, &'static str, &'static [u8]>,
    index: &'a Index,
    changes: Changes,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction, index: &'a Index) -> Result<Self, TableError> {
        Ok(Self {
            bodies: transaction.open_table(BODIES)?,
            seen: transaction.open_table(SEEN)?,
            topics: transaction.open_table(TOPICS)?,
            versions: transaction.open_table(VERSIONS)?,
            meta: transaction.open_table(META)?,
            index,
            changes: Changes::new(),
        })
    }

    fn apply(&mut self, write: &Write) -> Result<(), redb::Error> {
        match write {
            Write::Put(bulletin) => self.put(bulletin),
            Write::Seen {
                id,
                created,
                expires,
            } => self.see(id, *created, *expires),
            Write::Version {
                id,
                expires,
                version,
            } => {
                let value = rows::version_value(version);
                self.versions
                    .insert(&rows::seen_key(*expires, id), value.as_slice())?;
                Ok(())
            }
            Write::Restamp {
                id,
                stamp_bits,
                bytes,
            } => self.restamp(id, *stamp_bits, bytes),
            Write::Evict { id } => self.evict(id),
            Write::Purge { ids } => ids
                .iter()
                .try_for_each(|(id, expires)| self.purge(id, *expires)),
            Write::Meta { key, value } => {
                self.meta.insert(*key, value.as_slice())?;
                Ok(())
            }
            Write::Barrier(_) => Ok(()),
        }
    }

    /// Arrival number of the body of `id`, as this batch has left it.
    fn seq(&self, id: &BulletinId) -> Option<u64> {
        match self.changes.get(id) {
            Some(Change::Held(seq)) => Some(*seq),
            Some(Change::Gone(_) | Change::Forgotten) => None,
            None => self.index.held.get(id).copied(),
        }
    }

    /// Whether `id` arrived once, as this batch has left it.
    fn has_arrived(&self, id: &BulletinId) -> bool {
        match self.changes.get(id) {
            Some(change) => !matches!(change, Change::Forgotten),
            None => self.index.arrival(id).is_some(),
        }
    }

    fn put(&mut self, bulletin: &StoredBulletin) -> Result<(), redb::Error> {
        if self
            .seq(&bulletin.id)
            .is_some_and(|seq| seq != bulletin.seq)
        {
            self.remove_body(&bulletin.id)?;
        }
        self.write_body(bulletin)?;
        self.topics.insert(
            &rows::topic_key(&bulletin.topic, bulletin.seq),
            bulletin.created.as_millis(),
        )?;
        self.changes.insert(bulletin.id, Change::Held(bulletin.seq));
        Ok(())
    }

    /// Writes the body's row and the id's.
    fn write_body(&mut self, bulletin: &StoredBulletin) -> Result<(), redb::Error> {
        let mut row = self
            .bodies
            .insert_reserve(bulletin.seq, rows::body_len(bulletin))?;
        rows::write_body(bulletin, row.as_mut());
        drop(row);
        let key = rows::seen_key(bulletin.expires, &bulletin.id);
        let value = rows::held_value(bulletin.created, &Held::of(bulletin));
        self.seen.insert(&key, value.as_slice())?;
        Ok(())
    }

    fn see(&mut self, id: &BulletinId, created: Wall, expires: Wall) -> Result<(), redb::Error> {
        if !self.has_arrived(id) {
            let created = created.as_millis().to_be_bytes();
            self.seen
                .insert(&rows::seen_key(expires, id), created.as_slice())?;
        }
        Ok(())
    }

    fn restamp(
        &mut self,
        id: &BulletinId,
        stamp_bits: u8,
        bytes: &Bytes,
    ) -> Result<(), redb::Error> {
        let Some(seq) = self.seq(id) else {
            return Ok(());
        };
        let Some(row) = self.bodies.get(seq)? else {
            return Ok(());
        };
        let (head, _) = rows::body_head(seq, row.value()).ok_or_else(|| damaged("body", seq))?;
        drop(row);
        self.write_body(&StoredBulletin {
            stamp_bits,
            bytes: bytes.clone(),
            ..head
        })
    }

    fn evict(&mut self, id: &BulletinId) -> Result<(), redb::Error> {
        if let Some(body) = self.remove_body(id)? {
            let gone = rows::gone_value(body.created, body.seq);
            self.seen
                .insert(&rows::seen_key(body.expires, id), gone.as_slice())?;
            self.changes.insert(*id, Change::Gone(body.seq));
        }
        Ok(())
    }

    fn purge(&mut self, id: &BulletinId, expires: Wall) -> Result<(), redb::Error> {
        let expires = self.remove_body(id)?.map_or(expires, |body| body.expires);
        let key = rows::seen_key(expires, id);
        self.seen.remove(&key)?;
        self.versions.remove(&key)?;
        self.changes.insert(*id, Change::Forgotten);
        Ok(())
    }

    /// Takes away the body of `id` and its place in the topic's list. Returns what it was, without
    /// its bytes.
    fn remove_body(&mut self, id: &BulletinId) -> Result<Option<StoredBulletin>, redb::Error> {
        let Some(seq) = self.seq(id) else {
            return Ok(None);
        };
        self.changes.insert(*id, Change::Forgotten);
        let Some(row) = self.bodies.remove(seq)? else {
            return Ok(None);
        };
        let (body, _) = rows::body_head(seq, row.value()).ok_or_else(|| damaged("body", seq))?;
        drop(row);
        self.topics.remove(&rows::topic_key(&body.topic, seq))?;
        Ok(Some(body))
    }
}

fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    builder
}

/// Begins a transaction whose commit is synced and leaves nothing to repair after a crash.
fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(QUICK_REPAIR);
    Ok(transaction)
}

/// The schema of the store in `database`; `None` when it is empty.
fn schema(database: &Database) -> Result<Option<u64>, redb::Error> {
    let transaction = database.begin_read()?;
    if transaction.list_tables()?.next().is_none() {
        return Ok(None);
    }
    match transaction.open_table(BRUIT) {
        Ok(table) => match table.get(SCHEMA_KEY)? {
            Some(schema) => Ok(Some(schema.value())),
            None => Err(redb::Error::Corrupted("it names no schema".to_owned())),
        },
        Err(TableError::TableDoesNotExist(_)) => Err(redb::Error::Corrupted(
            "it is the database of another program".to_owned(),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Creates what is missing, and sets arrival numbers aside. Returns the first one to give out.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let transaction = begin(database)?;
    let next_seq = {
        let mut bruit = transaction.open_table(BRUIT)?;
        bruit.insert(SCHEMA_KEY, SCHEMA)?;
        let noted = bruit.get(NEXT_SEQ_KEY)?.map_or(1, |seq| seq.value());
        let last = transaction
            .open_table(BODIES)?
            .last()?
            .map_or(0, |(seq, _)| seq.value());
        let next_seq = noted.max(last + 1);
        bruit.insert(NEXT_SEQ_KEY, next_seq + SEQ_RESERVE)?;
        transaction.open_table(TOPICS)?;
        transaction.open_table(META)?;
        // A crash left them without their ids.
        let seen = transaction.open_table(SEEN)?;
        let mut versions = transaction.open_table(VERSIONS)?;
        versions.retain(|key, _| matches!(seen.get(key), Ok(Some(_)) | Err(_)))?;
        next_seq
    };
    transaction.commit()?;
    Ok(next_seq)
}

/// Reads back ids, index and the node's own notes.
fn recover(database: &Database, next_seq: u64) -> Result<(Recovered, Index), redb::Error> {
    let transaction = database.begin_read()?;
    let mut index = Index::default();
    let mut seen = Vec::new();
    let versions = transaction.open_table(VERSIONS)?;
    for row in transaction.open_table(SEEN)?.iter()? {
        let (key, value) = row?;
        let mut known = rows::known(key.value(), value.value()).ok_or_else(|| {
            redb::Error::Corrupted("a row of known ids has a wrong length".to_owned())
        })?;
        if let Some(version) = versions.get(key.value())? {
            let version = rows::version(version.value())
                .ok_or_else(|| redb::Error::Corrupted("a row of versions is none".to_owned()))?;
            known.version = Some(version);
        }
        let held = known.held.as_ref().map(|held| (known.id, held.seq));
        let gone = rows::gone_seq(value.value()).map(|seq| (known.id, seq));
        index.held.extend(held);
        index.gone.extend(gone);
        seen.push(known);
    }
    let mut meta = BTreeMap::new();
    for row in transaction.open_table(META)?.iter()? {
        let (key, value) = row?;
        meta.insert(key.value().to_owned(), value.value().to_vec());
    }
    Ok((
        Recovered {
            seen,
            next_seq,
            meta,
        },
        index,
    ))
}

/// The error for row `seq` of a table that cannot be read.
pub(super) fn damaged(table: &str, seq: u64) -> redb::Error {
    redb::Error::Corrupted(format!("row {seq} of {table} has a wrong length"))
}

/// Runs `work`; a panic of the database counts as damage it found.
fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("the database panicked");
        Err(redb::Error::Corrupted(what.to_owned()))
    })
}
