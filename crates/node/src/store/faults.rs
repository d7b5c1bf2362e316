//! A medium for tests: in memory, failing on demand, and remembering every operation so that the
//! power can be cut at each of them afterwards.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::medium::{Fill, Frozen, Medium};

/// Smallest unit a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// What happened to the medium, in order.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    SetLen(usize),
    Sync,
    /// The store said that writes up to this number are on disk.
    Said(u64),
}

/// Bytes that can fail. Clones share them, as two programs share a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faulty(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    bytes: Mutex<Vec<u8>>,
    log: Mutex<Vec<Operation>>,
    /// Damaged databases that were kept.
    aside: Mutex<Vec<Vec<u8>>>,
    fail_next_sync: AtomicBool,
    fail_next_read: AtomicBool,
    /// Bytes beyond this offset cannot be written.
    capacity: AtomicU64,
    /// Writes, lengths and syncs that still succeed.
    luck: AtomicU64,
    /// Held by a test to make syncs wait.
    gate: Mutex<()>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            bytes: Mutex::default(),
            log: Mutex::default(),
            aside: Mutex::default(),
            fail_next_sync: AtomicBool::new(false),
            fail_next_read: AtomicBool::new(false),
            capacity: AtomicU64::new(u64::MAX),
            luck: AtomicU64::new(u64::MAX),
            gate: Mutex::default(),
        }
    }
}

impl Faulty {
    /// A medium with an empty database, as files get it in one step: by a new name.
    pub(crate) fn created() -> Self {
        let faulty = Self::default();
        drop(Builder::new().create_with_backend(faulty.clone()).unwrap());
        Self::with_bytes(faulty.bytes())
    }

    pub(super) fn with_bytes(bytes: Vec<u8>) -> Self {
        let faulty = Self::default();
        *faulty.0.bytes.lock().unwrap() = bytes;
        faulty
    }

    pub(crate) fn fail_next_sync(&self) {
        self.0.fail_next_sync.store(true, Ordering::SeqCst);
    }

    pub(super) fn fail_next_read(&self) {
        self.0.fail_next_read.store(true, Ordering::SeqCst);
    }

    /// Lets `count` writes, changes of length and syncs succeed, and none after them.
    pub(super) fn fail_after(&self, count: u64) {
        self.0.luck.store(count, Ordering::SeqCst);
    }

    fn try_luck(&self) -> io::Result<()> {
        let used = |luck: u64| match luck {
            0 => None,
            u64::MAX => Some(u64::MAX),
            luck => Some(luck - 1),
        };
        let used = self
            .0
            .luck
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, used);
        used.map(drop)
            .map_err(|_| io::Error::other("injected: the disk is gone"))
    }

    /// Leaves no room beyond what is written so far.
    pub(crate) fn fill_up(&self) {
        let len = self.0.bytes.lock().unwrap().len() as u64;
        self.0.capacity.store(len, Ordering::SeqCst);
    }

    pub(crate) fn make_room(&self) {
        self.0.capacity.store(u64::MAX, Ordering::SeqCst);
    }

    /// Makes syncs wait until the guard is dropped.
    pub(crate) fn hold_syncs(&self) -> MutexGuard<'_, ()> {
        self.0.gate.lock().unwrap()
    }

    pub(super) fn say(&self, through: u64) {
        self.0.log.lock().unwrap().push(Operation::Said(through));
    }

    pub(super) fn log(&self) -> Vec<Operation> {
        self.0.log.lock().unwrap().clone()
    }

    /// The damaged databases that were kept, in order.
    pub(super) fn aside(&self) -> Vec<Vec<u8>> {
        self.0.aside.lock().unwrap().clone()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.bytes.lock().unwrap().clone()
    }
}

impl Medium for Faulty {
    fn file(&self) -> &Path {
        Path::new("test.redb")
    }

    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.create_with_backend(self.clone())
    }

    fn open_frozen(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.create_with_backend(Frozen::new(self.clone())?)
    }

    fn len(&self) -> io::Result<u64> {
        StorageBackend::len(self)
    }

    fn part(&self, start: u64, max: usize) -> io::Result<Vec<u8>> {
        let bytes = self.0.bytes.lock().unwrap();
        let part = bytes.get(usize::try_from(start).unwrap()..);
        let part = part.unwrap_or_default();
        Ok(part[..part.len().min(max)].to_vec())
    }

    fn begin_anew(&self, builder: &Builder, fill: &mut Fill<'_>) -> Result<PathBuf, redb::Error> {
        let new = Self::default();
        let database = builder.create_with_backend(new.clone())?;
        fill(&database)?;
        drop(database);
        let old = std::mem::replace(&mut *self.0.bytes.lock().unwrap(), new.bytes());
        let mut aside = self.0.aside.lock().unwrap();
        aside.push(old);
        Ok(PathBuf::from(format!("test.redb.damaged-{}", aside.len())))
    }

    fn has_room(&self, _bytes: u64) -> bool {
        true
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.0.fail_next_read.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("injected: the read failed"));
        }
        let bytes = self.0.bytes.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let found = bytes
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.try_luck()?;
        let len = usize::try_from(len).unwrap();
        self.0.log.lock().unwrap().push(Operation::SetLen(len));
        self.0.bytes.lock().unwrap().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.try_luck()?;
        drop(self.0.gate.lock().unwrap());
        if self.0.fail_next_sync.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("injected: the sync failed"));
        }
        self.0.log.lock().unwrap().push(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.try_luck()?;
        if offset + data.len() as u64 > self.0.capacity.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let offset = usize::try_from(offset).unwrap();
        self.0.log.lock().unwrap().push(Operation::Write {
            offset,
            bytes: data.to_vec(),
        });
        write(&mut self.0.bytes.lock().unwrap(), offset, data);
        Ok(())
    }
}

fn write(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

/// A disk without power loss protection: what was not synced may be there or not, by sectors.
#[derive(Debug)]
pub(super) struct Platter {
    synced: Vec<u8>,
    loose: Vec<Operation>,
}

impl Platter {
    pub(super) fn new(synced: Vec<u8>) -> Self {
        Self {
            synced,
            loose: Vec::new(),
        }
    }

    pub(super) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Sync => {
                for operation in std::mem::take(&mut self.loose) {
                    survive(&mut self.synced, &operation, &mut || true);
                }
            }
            Operation::Said(_) => {}
            Operation::Write { .. } | Operation::SetLen(_) => self.loose.push(operation.clone()),
        }
    }

    /// The bytes found after the power went now. `survives` is asked for each loose sector.
    pub(super) fn cut(&self, mut survives: impl FnMut() -> bool) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for operation in &self.loose {
            survive(&mut bytes, operation, &mut survives);
        }
        bytes
    }
}

fn survive(bytes: &mut Vec<u8>, operation: &Operation, survives: &mut impl FnMut() -> bool) {
    match operation {
        Operation::Write {
            offset,
            bytes: data,
        } => {
            for (number, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                if survives() {
                    write(bytes, offset + number * SECTOR_BYTES, sector);
                }
            }
        }
        Operation::SetLen(len) => {
            if survives() {
                bytes.resize(*len, 0);
            }
        }
        Operation::Sync | Operation::Said(_) => {}
    }
}
