//! The database of one data folder: its tables, and whether it is fit for reading and writing.
//!
//! The only index by id is in memory: on disk it would be the one tree with random keys, and with
//! it a batch of n bulletins would rewrite up to n pages more.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bruit_core::id::{BulletinId, NetworkId, TopicId};
use bytes::Bytes;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction,
};

use super::bodies::Reading;
use super::check;
use super::files;
use super::lists::Lists;
use super::medium::Medium;
use super::recover::recover;
use super::rows::LONG_KEY_BYTES;
use super::salvage;
use super::scan::{self, Read, Scan};
use super::schema::{self, Found, SCHEMA, SEQ_RESERVE};
use super::tables::{self, Change, Changes};
use super::tidy::{self, Limits};
use super::{Mended, Recovered, StoreError, StoreOptions, StoredBulletin, Write};

/// Known ids by end of validity.
pub(super) const SEEN: TableDefinition<'_, &[u8; LONG_KEY_BYTES], &[u8]> =
    TableDefinition::new("seen");
/// Versions of named values, under the keys of `SEEN`.
pub(super) const VERSIONS: TableDefinition<'_, &[u8; LONG_KEY_BYTES], &[u8]> =
    TableDefinition::new("versions");
/// What the node keeps for itself.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// A file may be so many times as large as what is held.
const SLACK_TIMES: u64 = 2;
/// And so many bytes larger: less is not worth the reading and writing.
const SLACK_BYTES: u64 = 16 << 20;
/// What a body takes besides its bytes, about.
const BODY_OVERHEAD_BYTES: u64 = 512;

/// Whether each commit saves what a repair would have to rebuild: opening after a crash then takes
/// milliseconds at any size, and each commit a second sync.
const QUICK_REPAIR: bool = true;

/// The database of one data folder.
#[derive(Debug)]
pub(super) struct Disk {
    medium: Box<dyn Medium>,
    cache_bytes: usize,
    /// Whose bulletins are kept.
    network: Option<NetworkId>,
    view: RwLock<View>,
    index: RwLock<Index>,
    /// First arrival number not set aside.
    reserved: AtomicU64,
    /// What was held when it was opened, about.
    held_bytes: u64,
    limits: Limits,
}

/// Arrival numbers by id.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Of the bodies on disk.
    pub(super) held: HashMap<BulletinId, u64>,
    /// Of bodies that were evicted, until their ids are purged.
    pub(super) gone: HashMap<BulletinId, u64>,
    /// Of the bodies on disk, by topic.
    pub(super) lists: Lists,
    /// Packs of which something may be packed again.
    pub(super) wasted: BTreeSet<u64>,
}

impl Index {
    fn take(&mut self, changes: Changes) {
        for listing in changes.lists {
            self.lists.take(listing);
        }
        self.wasted.extend(changes.wasted);
        for (id, change) in changes.ids {
            self.held.remove(&id);
            self.gone.remove(&id);
            match change {
                Change::Held(seq) => self.held.insert(id, seq),
                Change::Gone(seq) => self.gone.insert(id, seq),
                Change::Forgotten => None,
            };
        }
    }

    /// Whether the body of `id` lies under `seq`.
    fn is_held(&self, id: &BulletinId, seq: u64) -> bool {
        self.held.get(id) == Some(&seq)
    }

    /// The arrival of a body, held or gone.
    pub(super) fn arrival(&self, id: &BulletinId) -> Option<u64> {
        self.held.get(id).or_else(|| self.gone.get(id)).copied()
    }
}

/// What the database is good for at the moment.
#[derive(Debug)]
enum View {
    /// Reading and writing.
    Live(Open),
    /// Reading only: the last write failed.
    Frozen(Open),
    Closed,
}

/// An open database. Closing one that is damaged may panic, which is nobody's concern.
#[derive(Debug)]
pub(super) struct Open(Option<Database>);

impl Open {
    pub(super) fn new(database: Database) -> Self {
        Self(Some(database))
    }

    /// # Errors
    /// When it is closed.
    pub(super) fn get(&self) -> Result<&Database, redb::Error> {
        self.0.as_ref().ok_or(redb::Error::DatabaseClosed)
    }

    /// # Errors
    /// When it is closed.
    pub(super) fn get_mut(&mut self) -> Result<&mut Database, redb::Error> {
        self.0.as_mut().ok_or(redb::Error::DatabaseClosed)
    }

    /// Closes it.
    ///
    /// # Errors
    /// Damage that shows at the end.
    pub(super) fn close(&mut self) -> Result<(), redb::Error> {
        let database = self.0.take();
        guarded(move || {
            drop(database);
            Ok(())
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close().ok();
    }
}

/// What the reader does when the database refuses because of a failure the writer is busy with.
const WAIT_FOR_WRITER: Duration = Duration::from_millis(5);
/// How often.
const WAITS_FOR_WRITER: u32 = 200;

impl Disk {
    /// Opens the store in `medium`, creating it when there is none, and reads back what it knows. A
    /// damaged one is mended: what can be read of it goes into a new one, and it is kept aside.
    ///
    /// # Errors
    /// The operator's: newer schema, permission, a file that is no store; the machine's: full, input
    /// or output.
    pub(super) fn open(
        medium: Box<dyn Medium>,
        options: &StoreOptions,
    ) -> Result<(Self, Recovered), StoreError> {
        let cache_bytes = options.cache_bytes;
        let mut mended = None;
        let is_checked = medium
            .len()
            .is_ok_and(|len| len > 0 && len <= options.check_bytes_max);
        if is_checked && salvage::is_ours(&*medium) && !salvage::is_sound(&*medium, cache_bytes) {
            mended = Some(salvage::mend(&*medium, cache_bytes)?);
        }
        let opened = match open_live(&*medium, cache_bytes) {
            Err(StoreError::Corrupt { .. }) if mended.is_none() && salvage::is_ours(&*medium) => {
                mended = Some(salvage::mend(&*medium, cache_bytes)?);
                open_live(&*medium, cache_bytes)
            }
            opened => opened,
        };
        let (database, mut recovered, index) = opened?;
        recovered.mended = mended;
        let held = recovered.seen.iter().filter_map(|known| known.held);
        let held_bytes = held
            .map(|held| u64::from(held.size) + BODY_OVERHEAD_BYTES)
            .sum();
        let disk = Self {
            medium,
            cache_bytes,
            network: options.network,
            view: RwLock::new(View::Live(database)),
            index: RwLock::new(index),
            reserved: AtomicU64::new(recovered.next_seq.saturating_add(SEQ_RESERVE)),
            held_bytes,
            limits: Limits::of(options),
        };
        Ok((disk, recovered))
    }

    /// Puts a new store in the place of this one, with all of it that can be read.
    ///
    /// # Errors
    /// As [`Disk::open`]; the view is frozen then.
    pub(super) fn mend(&self) -> Result<Mended, StoreError> {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        *view = View::Closed;
        let mended = salvage::mend(&*self.medium, self.cache_bytes).and_then(|mended| {
            let (database, _, index) = open_live(&*self.medium, self.cache_bytes)?;
            Ok((mended, database, index))
        });
        match mended {
            Ok((mended, database, index)) => {
                *view = View::Live(database);
                *self.index_mut() = index;
                Ok(mended)
            }
            Err(error) => {
                self.freeze_view(&mut view);
                Err(error)
            }
        }
    }

    /// Makes the file smaller when much of it is free: room that bodies left is used again, and never
    /// given back by itself. Reads wait for as long as it takes.
    ///
    /// # Errors
    /// As a write that failed.
    pub(super) fn compact(&self) -> Result<(), StoreError> {
        let len = self.medium.len().unwrap_or(0);
        let worth = self.held_bytes.saturating_mul(SLACK_TIMES);
        if len <= worth.saturating_add(SLACK_BYTES) {
            return Ok(());
        }
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let View::Live(database) = &mut *view else {
            return Ok(());
        };
        let compacted = guarded(|| Ok(database.get_mut()?.compact()?));
        compacted.map(drop).map_err(|error| self.explain(error))
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
        let done = guarded(|| self.transact(database.get()?, batch, top_seq));
        let changes = done.map_err(|error| self.explain(error))?;
        // What the same batch evicted again is not "stored".
        let stored = batch
            .iter()
            .filter_map(|write| match write {
                Write::Put(bulletin) => Some(bulletin.id),
                _ => None,
            })
            .filter(|id| matches!(changes.ids.get(id), Some(Change::Held(_))))
            .collect();
        self.index_mut().take(changes);
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
        let mut set_aside = None;
        if top_seq.saturating_add(SEQ_RESERVE / 2) > reserved {
            set_aside = Some(schema::reserve(&transaction, top_seq)?);
        }
        let changes = tables::apply(&transaction, &self.index(), batch)?;
        tidy::pack_batch(&transaction, self.limits)?;
        transaction.commit()?;
        if let Some(reserved) = set_aside {
            self.reserved.store(reserved, Ordering::Relaxed);
        }
        Ok(changes)
    }

    /// Takes one step towards packs without waste, in a transaction of its own. Answers whether there was
    /// one to take.
    ///
    /// # Errors
    /// As [`Disk::apply`]; what was stored is still there.
    pub(super) fn tidy(&self) -> Result<bool, StoreError> {
        let view = self.view();
        let View::Live(database) = &*view else {
            return Ok(false);
        };
        // The writer alone changes it, and this is the writer.
        let mut wasted = std::mem::take(&mut self.index_mut().wasted);
        let done = guarded(|| {
            let database = database.get()?;
            let step = tidy::plan(&database.begin_read()?, &mut wasted, self.limits)?;
            let Some(step) = step else { return Ok(false) };
            let transaction = begin(database)?;
            let is_held = |id: &BulletinId, seq| self.index().is_held(id, seq);
            tidy::take(&transaction, &step, self.limits, is_held)?;
            transaction.commit()?;
            Ok(true)
        });
        self.index_mut().wasted = wasted;
        done.map_err(|error| self.explain(error))
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
                    guarded(|| read(&database.get()?.begin_read()?))
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

    /// The bytes of the bulletin `id`, where its body is on disk and as it was put there.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub(super) fn body(&self, id: &BulletinId) -> Result<Body, StoreError> {
        let Some(seq) = self.seq_of(id) else {
            return Ok(Body::None);
        };
        let read = self.read(|transaction| Reading::open(transaction)?.body(seq));
        let bulletin = read?.filter(|bulletin| bulletin.id == *id && self.vouches(bulletin));
        Ok(match bulletin {
            Some(bulletin) => Body::Whole(bulletin.bytes),
            // Evicted while it was read.
            None if self.seq_of(id) != Some(seq) => Body::None,
            None => Body::Damaged(seq),
        })
    }

    /// One page of `scan`.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub(super) fn page(&self, scan: &Scan) -> Result<Read, StoreError> {
        let mut read = match &scan.topics {
            None => self.read(|transaction| {
                let is_held = |id: &BulletinId, seq| self.index().is_held(id, seq);
                scan::page_of_all(transaction, scan, is_held)
            }),
            Some(topics) => {
                let listed = scan::listed(&self.index().lists, scan, topics);
                self.read(|transaction| scan::page_of_listed(transaction, scan, &listed))
            }
        }?;
        read.page.rows.retain(|bulletin| {
            let is_whole = self.vouches(bulletin);
            if !is_whole {
                read.damaged.push(bulletin.seq);
            }
            is_whole
        });
        Ok(read)
    }

    /// How many bulletins of `topic` are on disk, and of `waiting` that are not yet.
    pub(super) fn count(&self, topic: &TopicId, waiting: &[u64]) -> u64 {
        let lists = &self.index().lists;
        let waiting = waiting.iter().filter(|seq| !lists.contains(topic, **seq));
        (lists.count(topic) + waiting.count()) as u64
    }

    /// Whether `bulletin` is one of the network this store is for.
    fn vouches(&self, bulletin: &StoredBulletin) -> bool {
        let network = self.network.as_ref();
        network.is_none_or(|network| check::holds(network, &bulletin.id, &bulletin.bytes))
    }

    /// The ids of bodies on disk under these numbers.
    pub(super) fn ids_of(&self, seqs: &[u64]) -> Vec<(BulletinId, u64)> {
        if seqs.is_empty() {
            return Vec::new();
        }
        let index = self.index();
        let held = index.held.iter().map(|(id, seq)| (*id, *seq));
        held.filter(|(_, seq)| seqs.contains(seq)).collect()
    }

    /// A chunk with its proof, where it is on disk.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub(super) fn chunk(&self, id: &BulletinId, index: u32) -> Result<Option<Bytes>, StoreError> {
        self.read(|transaction| files::piece(transaction, id, index))
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
        *view = frozen.map_or(View::Closed, |frozen| View::Frozen(Open::new(frozen)));
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
                *view = View::Live(Open::new(live));
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
        let View::Live(mut database) = std::mem::replace(&mut *view, View::Closed) else {
            return Ok(());
        };
        guarded(|| {
            let transaction = begin(database.get()?)?;
            schema::give_back(&transaction, top_seq.saturating_add(1))?;
            Ok(transaction.commit()?)
        })
        .and_then(|()| database.close())
        .map_err(|error| self.explain(error))
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
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

/// What is found of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// It is not on disk.
    None,
    /// Its bytes.
    Whole(Bytes),
    /// It is on disk under this number, and not as it was put there.
    Damaged(u64),
}

/// Opens the database for writing, in the schema of this program, and reads back what it knows.
fn open_live(
    medium: &dyn Medium,
    cache_bytes: usize,
) -> Result<(Open, Recovered, Index), StoreError> {
    let file = medium.file();
    let explain = |error| StoreError::from_redb(error, file);
    let database = guarded(|| Ok(medium.open(&builder(cache_bytes))?)).map_err(explain)?;
    let database = Open::new(database);
    let found = guarded(|| schema::found(database.get()?)).map_err(explain)?;
    match found {
        Found::Store(found) if found > SCHEMA => {
            return Err(StoreError::NewerSchema {
                file: file.to_owned(),
                found,
                supported: SCHEMA,
            });
        }
        Found::Foreign => return Err(StoreError::foreign(file)),
        Found::Store(_) | Found::Empty => {}
    }
    let (recovered, index) = guarded(|| {
        let next_seq = schema::prepare(database.get()?, found)?;
        recover(database.get()?, next_seq)
    })
    .map_err(explain)?;
    Ok((database, recovered, index))
}

pub(super) fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    builder
}

/// Begins a transaction whose commit is synced and leaves nothing to repair after a crash.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(QUICK_REPAIR);
    Ok(transaction)
}

/// Runs `work`; a panic of the database counts as damage it found.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("the database panicked");
        Err(redb::Error::Corrupted(what.to_owned()))
    })
}
