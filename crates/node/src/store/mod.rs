//! Bulletins, known ids and the node's own notes, kept over restarts.
//!
//! The driver of a node never waits for a disk: [`Store::submit`] takes a [`Write`] at once, a
//! thread of the store commits what waits in groups, and [`StoreEvent::Synced`] tells what is on
//! disk. "Stored" may be said only then. A second thread reads.
//!
//! Bulletins lie under the number of their arrival, which is also the cursor of subscribers, so
//! that writing appends; many together in packs, which leave no page half empty.
//!
//! After a failed write or sync nobody knows what the disk holds: the store then reads on but writes
//! nothing until it is opened anew. A full disk is the exception: the store keeps what waits, refuses
//! more bodies, and goes on by itself when there is room.
//!
//! What is read is checked: nobody gets a body that is not the one that was put. A damaged body is
//! reported and given up; a damaged database is kept aside, and what can be read of it goes into a
//! new one.

mod bodies;
mod carve;
mod check;
mod disk;
mod error;
mod event;
#[cfg(test)]
pub(crate) mod faults;
mod files;
mod lists;
mod lock;
mod medium;
mod memory;
mod options;
mod pack;
mod queue;
mod reader;
mod recover;
mod recovered;
mod rows;
mod salvage;
mod scan;
mod schema;
mod seal;
mod tables;
#[cfg(test)]
mod tests;
mod tidy;
mod write;
mod writer;

// Where a fuzz target compiles these files. By themselves, as clippy knows tests by `cfg(test)` alone.
#[cfg(all(feature = "libfuzzer", not(test)))]
pub(crate) mod faults;
#[cfg(all(feature = "libfuzzer", not(test)))]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use bruit_core::id::{BulletinId, TopicId};
use bytes::Bytes;
use tokio::sync::oneshot;

pub use self::error::StoreError;
pub use self::event::{Mended, StoreEvent};
pub use self::files::KnownFile;
pub(crate) use self::medium::sync_folder;
pub use self::options::StoreOptions;
pub use self::recovered::{Held, Known, Recovered};
pub use self::scan::{Page, Scan};
#[cfg(feature = "libfuzzer")]
pub(crate) use self::tests::model::fuzzed;
pub use self::write::{StoredBulletin, Write};

use self::disk::Disk;
use self::lock::FolderLock;
use self::medium::{FileMedium, Medium};
use self::memory::Memory;
use self::reader::{Request, Requests};
use self::writer::Shared;

/// How long a shutdown waits for the last writes.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

/// Counters of a store since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Bodies held.
    pub held: usize,
    /// Bytes that wait for the disk.
    pub pending_bytes: usize,
    /// Transactions committed.
    pub batches: u64,
    /// Writes committed.
    pub writes: u64,
    /// False while the disk is full, and for good after another failure.
    pub takes_writes: bool,
}

/// Where a store lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this folder, which must exist.
    Folder(PathBuf),
    /// In memory, gone with the process.
    Ephemeral,
}

/// Where events go.
type Events = Arc<dyn Fn(StoreEvent) + Send + Sync>;

/// A handle on a store; clones share it.
///
/// # Examples
/// ```
/// use bruit::store::{Place, Store, StoreOptions, Write};
///
/// let (sender, events) = std::sync::mpsc::channel();
/// let (store, recovered) =
///     Store::open(&Place::Ephemeral, StoreOptions::default(), move |event| {
///         sender.send(event).ok();
///     })?;
/// assert_eq!(recovered.next_seq, 1);
/// store.submit(Write::Barrier(7))?;
/// println!("{:?}", events.recv());
/// store.shutdown()?;
/// # Ok::<(), bruit::store::StoreError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Memory(Arc<Memory>),
    Disk(Arc<Threads>),
}

/// The two threads of a store on disk. Stops them on drop.
struct Threads {
    shared: Arc<Shared>,
    requests: Requests,
    /// Gets the writer's result when it ends. `None` once taken.
    ended: Mutex<Option<Receiver<Result<(), StoreError>>>>,
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl Store {
    /// Opens the store at `place`, creating it where there is none, and returns what it knew.
    ///
    /// `events` is called from the store's threads, for an ephemeral store from within the call that
    /// causes the event: it should hand the event on and return.
    ///
    /// # Errors
    /// The operator's ([`StoreError::AlreadyOpen`], `NewerSchema`, `NotADirectory`, `Permission`,
    /// `ReadOnly`, `Foreign`, `Corrupt`) or the machine's (`Full`, `Io`). Nothing existing is overwritten.
    pub fn open(
        place: &Place,
        options: StoreOptions,
        events: impl Fn(StoreEvent) + Send + Sync + 'static,
    ) -> Result<(Self, Recovered), StoreError> {
        let events: Events = Arc::new(events);
        let folder = match place {
            Place::Folder(folder) => folder,
            Place::Ephemeral => {
                let kind = Kind::Memory(Arc::new(Memory::new(events)));
                return Ok((
                    Self { kind },
                    Recovered {
                        next_seq: 1,
                        ..Recovered::default()
                    },
                ));
            }
        };
        check_folder(folder)?;
        let lock = FolderLock::take(folder)?;
        let medium = Box::new(FileMedium::new(folder.join(&options.file)));
        Self::open_medium(medium, Some(lock), options, events)
    }

    /// Waits until the writer has nothing to do.
    #[cfg(test)]
    fn settle(&self) {
        let Kind::Disk(threads) = &self.kind else {
            return;
        };
        while !threads.shared.queue.is_idle() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Opens a store over a medium that fails on demand.
    #[cfg(test)]
    pub(crate) fn open_faulty(
        faulty: &faults::Faulty,
        options: StoreOptions,
        events: impl Fn(StoreEvent) + Send + Sync + 'static,
    ) -> Result<(Self, Recovered), StoreError> {
        Self::open_medium(Box::new(faulty.clone()), None, options, Arc::new(events))
    }

    fn open_medium(
        medium: Box<dyn Medium>,
        lock: Option<FolderLock>,
        options: StoreOptions,
        events: Events,
    ) -> Result<(Self, Recovered), StoreError> {
        let file = medium.file().to_owned();
        let (disk, recovered) = Disk::open(medium, &options)?;
        if let Some(mended) = recovered
            .mended
            .as_ref()
            .filter(|mended| !mended.lost.is_empty())
        {
            let ids = mended.lost.clone();
            events(StoreEvent::Damaged { ids });
        }
        let shared = Arc::new(Shared::new(disk, recovered.next_seq, lock, options, events));
        let (requests, receiver) = Requests::channel();
        let (end, ended) = mpsc::channel();
        let (writer, reader) = (Arc::clone(&shared), Arc::clone(&shared));
        spawn("bruit-store-read", &file, move || {
            reader::run(&reader, &receiver);
        })?;
        let threads = Threads {
            shared,
            requests,
            ended: Mutex::new(Some(ended)),
        };
        spawn("bruit-store-write", &file, move || {
            // Nobody may wait for the end any more.
            end.send(writer.run_writer()).ok();
        })?;
        Ok((
            Self {
                kind: Kind::Disk(Arc::new(threads)),
            },
            recovered,
        ))
    }

    /// Takes `write` and returns its number, from 1. Never waits for the disk.
    ///
    /// # Errors
    /// [`StoreError::Backlog`] when too much waits, `Full` for a body while the disk is full,
    /// `Poisoned` after another failure, `Closed`. The write is not done then.
    pub fn submit(&self, write: Write) -> Result<u64, StoreError> {
        match &self.kind {
            Kind::Memory(memory) => memory.submit(write),
            Kind::Disk(threads) => threads.shared.queue.submit(write),
        }
    }

    /// Asks for the encodings of `ids`; each is answered by [`StoreEvent::Loaded`].
    ///
    /// # Errors
    /// [`StoreError::ReadBacklog`], `Closed`. No answer comes then.
    pub fn load(&self, ids: Vec<BulletinId>) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Memory(memory) => memory.load(ids),
            Kind::Disk(threads) => threads.requests.send(Request::Load(ids)),
        }
    }

    /// The encoding of `id`, where its body is held.
    ///
    /// # Errors
    /// [`StoreError::ReadBacklog`], `Closed`, `Io`, `Corrupt`.
    pub async fn get(&self, id: BulletinId) -> Result<Option<Bytes>, StoreError> {
        match &self.kind {
            Kind::Memory(memory) => memory.get(&id),
            Kind::Disk(threads) => {
                let (answer, answered) = oneshot::channel();
                threads.requests.send(Request::Get(id, answer))?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    /// Asks for a chunk, which is answered by [`StoreEvent::ChunkLoaded`].
    ///
    /// # Errors
    /// [`StoreError::ReadBacklog`], `Closed`. No answer comes then.
    pub fn load_chunk(&self, id: BulletinId, index: u32) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Memory(memory) => memory.load_chunk(id, index),
            Kind::Disk(threads) => threads.requests.send(Request::LoadChunk(id, index)),
        }
    }

    /// A chunk with its proof, where it is held.
    ///
    /// # Errors
    /// [`StoreError::ReadBacklog`], `Closed`, `Io`, `Corrupt`.
    pub async fn chunk(&self, id: BulletinId, index: u32) -> Result<Option<Bytes>, StoreError> {
        match &self.kind {
            Kind::Memory(memory) => memory.chunk(&id, index),
            Kind::Disk(threads) => {
                let (answer, answered) = oneshot::channel();
                let request = Request::Chunk(id, index, answer);
                threads.requests.send(request)?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    /// The number of arrival of `id`: known while its body is held, and after that until the id is
    /// purged.
    pub fn seq_of(&self, id: &BulletinId) -> Option<u64> {
        match &self.kind {
            Kind::Memory(memory) => memory.seq_of(id),
            // In this order: what leaves the queue in between is on disk by then.
            Kind::Disk(threads) => {
                let shared = &threads.shared;
                shared
                    .queue
                    .seq_of(id)
                    .or_else(|| shared.disk.arrival_of(id))
            }
        }
    }

    /// The ids of the bodies held that begin with `prefix` in hexadecimal, those that still wait for
    /// the disk included. Looks at every one.
    pub fn with_prefix(&self, prefix: &str) -> Vec<BulletinId> {
        let mut ids = match &self.kind {
            Kind::Memory(memory) => memory.ids(),
            Kind::Disk(threads) => {
                let mut ids = threads.shared.queue.ids();
                ids.extend(threads.shared.disk.ids());
                ids
            }
        };
        ids.retain(|id| id.to_string().starts_with(prefix));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// One page of bulletins in the order of arrival, those that still wait for the disk included.
    ///
    /// # Errors
    /// [`StoreError::ReadBacklog`], `Closed`, `Io`, `Corrupt`.
    pub async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        match &self.kind {
            Kind::Memory(memory) => memory.scan(&scan),
            Kind::Disk(threads) => {
                let (answer, answered) = oneshot::channel();
                threads.requests.send(Request::Scan(scan, answer))?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    /// How many bulletins of `topic` are held, those that still wait for the disk included.
    ///
    /// # Errors
    /// [`StoreError::ReadBacklog`], `Closed`, `Io`, `Corrupt`.
    pub async fn count(&self, topic: TopicId) -> Result<u64, StoreError> {
        match &self.kind {
            Kind::Memory(memory) => memory.count(topic),
            Kind::Disk(threads) => {
                let (answer, answered) = oneshot::channel();
                threads.requests.send(Request::Count(topic, answer))?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    /// Counters for metrics and `status`.
    pub fn stats(&self) -> Stats {
        match &self.kind {
            Kind::Memory(memory) => memory.stats(),
            Kind::Disk(threads) => threads.shared.stats(),
        }
    }

    /// Writes what waits, syncs, closes the database and gives the folder back. Blocks for at most a
    /// second. Other handles answer [`StoreError::Closed`] from here on.
    ///
    /// # Errors
    /// What kept the last writes from the disk; [`StoreError::Unfinished`] when it took too long.
    pub fn shutdown(self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Memory(memory) => {
                memory.close();
                Ok(())
            }
            Kind::Disk(threads) => threads.stop(),
        }
    }
}

impl Threads {
    fn stop(&self) -> Result<(), StoreError> {
        let ended = self
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(ended) = ended else { return Ok(()) };
        // A reader with a full queue ends when the last handle goes.
        self.requests.send(Request::Stop).ok();
        self.shared.queue.stop();
        ended.recv_timeout(SHUTDOWN_MAX).unwrap_or_else(|_| {
            let waited_ms = u64::try_from(SHUTDOWN_MAX.as_millis()).unwrap_or(u64::MAX);
            Err(StoreError::Unfinished { waited_ms })
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop().ok();
    }
}

fn check_folder(folder: &Path) -> Result<(), StoreError> {
    let metadata = std::fs::metadata(folder).map_err(|error| StoreError::from_io(error, folder))?;
    if metadata.is_dir() {
        Ok(())
    } else {
        Err(StoreError::NotADirectory {
            path: folder.to_owned(),
        })
    }
}

fn spawn(name: &str, file: &Path, life: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(life)
        .map(drop)
        .map_err(|error| StoreError::from_io(error, file))
}
