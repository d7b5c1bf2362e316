//! Bulletins, known ids and the node's own notes, kept over restarts.
//!
//! The driver of a node never waits for a disk: [`Store::submit`] takes a [`Write`] at once, a
//! thread of the store commits what waits in groups, and [`StoreEvent::Synced`] tells what is on
//! disk. "Stored" may be said only then. A second thread reads.
//!
//! Bulletins lie under the number of their arrival, which is also the cursor of subscribers, so
//! that writing appends; many together in packs, which leave no page half empty. After a failed write or sync nobody knows what the disk holds: the store
//! then reads on but writes nothing until it is opened anew. A full disk is the exception: the store
//! keeps what waits, refuses more bodies, and goes on by itself when there is room.
//!
//! What is read is checked: nobody gets a body that is not the one that was put. A damaged body is
//! reported and given up; a damaged database is kept aside, and what can be read of it goes into a
//! new one.

mod bodies;
mod carve;
mod check;
mod disk;
mod error;
#[cfg(test)]
pub(crate) mod faults;
mod files;
mod lists;
mod lock;
mod medium;
mod memory;
mod pack;
mod queue;
mod reader;
mod recover;
mod rows;
mod salvage;
mod scan;
mod schema;
mod seal;
mod tables;
#[cfg(test)]
mod tests;
mod tidy;
mod writer;

// Where a fuzz target compiles these files. By themselves, as clippy knows tests by `cfg(test)` alone.
#[cfg(all(feature = "libfuzzer", not(test)))]
pub(crate) mod faults;
#[cfg(all(feature = "libfuzzer", not(test)))]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use bruit_core::id::{BulletinId, NetworkId, NodeId, TopicId};
use bruit_core::large::Manifest;
use bruit_core::time::Wall;
use bruit_core::values::Version;
use bytes::Bytes;
use tokio::sync::oneshot;

pub use self::error::StoreError;
pub use self::files::KnownFile;
pub(crate) use self::medium::sync_folder;
pub use self::scan::{Page, Scan};
#[cfg(feature = "libfuzzer")]
pub(crate) use self::tests::model::fuzzed;

use crate::networks::STORE_FILE;

use self::disk::Disk;
use self::lock::FolderLock;
use self::medium::{FileMedium, Medium};
use self::memory::Memory;
use self::reader::{Request, Requests};
use self::writer::Shared;

/// How long a shutdown waits for the last writes.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

/// A bulletin with what the node noted when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBulletin {
    /// Number of its arrival, from 1: the cursor of subscribers. Strictly rising over restarts when
    /// the driver counts on from [`Recovered::next_seq`].
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
    /// Changes nothing; comes back in [`StoreEvent::Synced`].
    Barrier(u64),
}

/// What the store tells the driver.
#[derive(Debug, Clone)]
pub enum StoreEvent {
    /// These writes are on disk, synced.
    Synced {
        /// Every write up to this number, as [`Store::submit`] gave it.
        through: u64,
        /// Bulletins whose bodies are on disk because of these writes.
        ids: Vec<BulletinId>,
        /// Barriers among the writes.
        barriers: Vec<u64>,
    },
    /// The answer to [`Store::load`].
    Loaded {
        /// The id asked for.
        id: BulletinId,
        /// Its encoding; `None` when the body is not held, or could not be read.
        bytes: Option<Bytes>,
    },
    /// The answer to [`Store::load_chunk`].
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
    /// bodies come as [`StoreEvent::Damaged`], too.
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
    fn of(bulletin: &StoredBulletin) -> Self {
        Self {
            seq: bulletin.seq,
            size: u32::try_from(bulletin.bytes.len()).unwrap_or(u32::MAX),
            stamp_bits: bulletin.stamp_bits,
            topic: bulletin.topic,
        }
    }
}

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
