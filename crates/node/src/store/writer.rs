//! The queue of writes and the thread that empties it.
//!
//! The thread takes everything that waits, commits it as one transaction and reports exactly that.
//! An idle store writes at once; under load, batches form by themselves while a sync runs.
//!
//! Invariant: an id is reported as synced only after the sync that covers it returned well.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bruit_core::id::{BulletinId, TopicId};
use bytes::Bytes;

use super::disk::Disk;
use super::lock::FolderLock;
use super::scan::Scan;
use super::{Events, Stats, StoreError, StoreEvent, StoreOptions, StoredBulletin, Write};

/// What a waiting write costs beside its bytes: its place in the queue and in the maps.
const WRITE_BYTES: usize = 256;

/// What the handle and the two threads share.
pub(super) struct Shared {
    pub(super) disk: Disk,
    pub(super) events: Events,
    options: StoreOptions,
    queue: Mutex<Queue>,
    /// Rung when there is work for an idle writer, and when it is to stop.
    bell: Condvar,
    /// Given back when the database is closed.
    folder: Mutex<Option<FolderLock>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}

/// Whether writes are taken.
#[derive(Debug)]
enum Health {
    Good,
    /// The disk is full: bodies are refused until there is room.
    Full,
    Failed(StoreError),
    Closed,
}

#[derive(Debug)]
struct Queue {
    writes: VecDeque<Write>,
    /// Cost of what waits and of what is being written.
    pending_bytes: usize,
    /// Bodies that wait or are being written.
    waiting: Waiting,
    /// Number of the last write taken.
    submitted: u64,
    /// Highest arrival number ever named, even in a refused write.
    top_seq: u64,
    health: Health,
    stop: bool,
    /// The writer sleeps on the bell.
    idle: bool,
    stats: Stats,
}

/// Bodies on their way to the disk, so that readers find them.
#[derive(Debug, Default)]
struct Waiting {
    by_seq: BTreeMap<u64, StoredBulletin>,
    by_id: HashMap<BulletinId, u64>,
}

impl Waiting {
    fn insert(&mut self, bulletin: &StoredBulletin) {
        self.by_id.insert(bulletin.id, bulletin.seq);
        self.by_seq.insert(bulletin.seq, bulletin.clone());
    }

    fn remove(&mut self, bulletin: &StoredBulletin) {
        self.by_seq.remove(&bulletin.seq);
        if self.by_id.get(&bulletin.id) == Some(&bulletin.seq) {
            self.by_id.remove(&bulletin.id);
        }
    }
}

/// Writes that go into one transaction.
struct Batch {
    writes: Vec<Write>,
    /// Their cost.
    bytes: usize,
    /// Number of the last of them.
    through: u64,
    top_seq: u64,
}

impl Shared {
    pub(super) fn new(
        disk: Disk,
        next_seq: u64,
        folder: Option<FolderLock>,
        options: StoreOptions,
        events: Events,
    ) -> Self {
        let queue = Queue {
            writes: VecDeque::new(),
            pending_bytes: 0,
            waiting: Waiting::default(),
            submitted: 0,
            top_seq: next_seq - 1,
            health: Health::Good,
            stop: false,
            idle: false,
            stats: Stats::default(),
        };
        Self {
            disk,
            events,
            options,
            queue: Mutex::new(queue),
            bell: Condvar::new(),
            folder: Mutex::new(folder),
        }
    }

    /// Takes `write` into the queue. Never waits for the disk.
    pub(super) fn submit(&self, write: Write) -> Result<u64, StoreError> {
        let mut queue = self.queue();
        if let Write::Put(bulletin) = &write {
            queue.top_seq = queue.top_seq.max(bulletin.seq);
        }
        let cost = cost(&write);
        self.may_submit(&queue, &write, cost)?;
        if let Write::Put(bulletin) = &write {
            queue.waiting.insert(bulletin);
        }
        queue.pending_bytes += cost;
        queue.submitted += 1;
        queue.writes.push_back(write);
        if queue.idle {
            queue.idle = false;
            self.bell.notify_all();
        }
        Ok(queue.submitted)
    }

    fn may_submit(&self, queue: &Queue, write: &Write, cost: usize) -> Result<(), StoreError> {
        let max = self.options.pending_bytes_max;
        match &queue.health {
            Health::Closed => return Err(StoreError::Closed),
            Health::Failed(cause) => {
                return Err(StoreError::Poisoned {
                    cause: Box::new(cause.clone()),
                });
            }
            Health::Full if matches!(write, Write::Put(_) | Write::Restamp { .. }) => {
                return Err(StoreError::Full {
                    file: self.disk.file().to_owned(),
                });
            }
            Health::Full | Health::Good => {}
        }
        if queue.stop {
            return Err(StoreError::Closed);
        }
        if queue.pending_bytes > 0 && queue.pending_bytes + cost > max {
            return Err(StoreError::Backlog {
                pending: queue.pending_bytes,
                max,
            });
        }
        Ok(())
    }

    /// The number of arrival of a body that waits for the disk.
    pub(super) fn waiting_seq(&self, id: &BulletinId) -> Option<u64> {
        self.queue().waiting.by_id.get(id).copied()
    }

    /// The bytes of `id` while they wait for the disk.
    pub(super) fn waiting_bytes(&self, id: &BulletinId) -> Option<Bytes> {
        let queue = self.queue();
        let seq = queue.waiting.by_id.get(id)?;
        queue
            .waiting
            .by_seq
            .get(seq)
            .map(|bulletin| bulletin.bytes.clone())
    }

    /// What waits for the disk and matches `scan`: one more than a page takes, so that a page that
    /// leaves some out knows it.
    pub(super) fn waiting_rows(&self, scan: &Scan) -> Vec<StoredBulletin> {
        let Some(first) = scan.after_seq.checked_add(1) else {
            return Vec::new();
        };
        let queue = self.queue();
        let rows = queue
            .waiting
            .by_seq
            .range(first..)
            .map(|(_, bulletin)| bulletin);
        rows.filter(|bulletin| scan.matches(bulletin))
            .take(scan.limit() + 1)
            .cloned()
            .collect()
    }

    /// The arrivals of `topic` that wait for the disk.
    pub(super) fn waiting_seqs(&self, topic: &TopicId) -> Vec<u64> {
        let queue = self.queue();
        let rows = queue.waiting.by_seq.values();
        rows.filter(|bulletin| bulletin.topic == *topic)
            .map(|bulletin| bulletin.seq)
            .collect()
    }

    pub(super) fn stats(&self) -> Stats {
        let queue = self.queue();
        let mut stats = queue.stats;
        stats.pending_bytes = queue.pending_bytes;
        stats.takes_writes = matches!(queue.health, Health::Good);
        drop(queue);
        stats.held = self.disk.held();
        stats
    }

    /// Asks the writer to finish what waits and to end.
    pub(super) fn stop(&self) {
        self.queue().stop = true;
        self.bell.notify_all();
    }

    /// The writer's life: returns once stopped, with the error that kept the last writes from disk.
    pub(super) fn run_writer(&self) -> Result<(), StoreError> {
        while let Some(batch) = self.next_batch() {
            self.write(batch);
        }
        let mut queue = self.queue();
        let health = std::mem::replace(&mut queue.health, Health::Closed);
        let top_seq = queue.top_seq;
        drop(queue);
        let closed = self.disk.close(top_seq);
        self.folder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match health {
            Health::Failed(error) => Err(error),
            _ => closed,
        }
    }

    /// Waits for writes and takes them, up to a batch. `None` when stopped and empty.
    fn next_batch(&self) -> Option<Batch> {
        let mut queue = self.queue();
        while queue.writes.is_empty() {
            if queue.stop {
                return None;
            }
            queue.idle = true;
            queue = self
                .bell
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.idle = false;
        }
        let (mut writes, mut bytes) = (Vec::new(), 0);
        while writes.len() < self.options.batch_writes_max && bytes < self.options.batch_bytes_max {
            let Some(write) = queue.writes.pop_front() else {
                break;
            };
            bytes += cost(&write);
            writes.push(write);
        }
        let through = queue.submitted - queue.writes.len() as u64;
        Some(Batch {
            writes,
            bytes,
            through,
            top_seq: queue.top_seq,
        })
    }

    /// Writes `batch`, waiting for space as long as it takes.
    fn write(&self, batch: Batch) {
        let mut was_full = false;
        loop {
            match self.disk.apply(&batch.writes, batch.top_seq) {
                Ok(ids) => {
                    if was_full {
                        self.queue().health = Health::Good;
                        (self.events)(StoreEvent::Recovered);
                    }
                    return self.synced(&batch, ids);
                }
                Err(error) if error.is_full() => {
                    self.disk.freeze();
                    if !was_full {
                        was_full = true;
                        self.queue().health = Health::Full;
                        (self.events)(StoreEvent::Failed {
                            error: error.clone(),
                            lost: vec![],
                        });
                    }
                    if let Err(error) = self.wait_for_room(&batch, error) {
                        return self.give_up(error, batch.writes);
                    }
                }
                Err(error) => {
                    self.disk.freeze();
                    return self.give_up(error, batch.writes);
                }
            }
        }
    }

    /// Tries every now and then whether `batch` fits. Gives up with `full` when asked to stop.
    fn wait_for_room(&self, batch: &Batch, full: StoreError) -> Result<(), StoreError> {
        // Copy-on-write needs the old pages and the new ones at once.
        let bytes = 2 * batch.bytes as u64 + (1 << 20);
        loop {
            let (queue, _) = self
                .bell
                .wait_timeout_while(self.queue(), self.options.full_retry, |queue| !queue.stop)
                .unwrap_or_else(PoisonError::into_inner);
            if queue.stop {
                return Err(full);
            }
            drop(queue);
            match self.disk.thaw(bytes) {
                Err(error) if error.is_full() => {}
                result => return result,
            }
        }
    }

    fn synced(&self, batch: &Batch, ids: Vec<BulletinId>) {
        let mut barriers = Vec::new();
        let mut queue = self.queue();
        for write in &batch.writes {
            match write {
                Write::Put(bulletin) => queue.waiting.remove(bulletin),
                Write::Barrier(barrier) => barriers.push(*barrier),
                _ => {}
            }
        }
        queue.pending_bytes -= batch.bytes;
        queue.stats.batches += 1;
        queue.stats.writes += batch.writes.len() as u64;
        drop(queue);
        (self.events)(StoreEvent::Synced {
            through: batch.through,
            ids,
            barriers,
        });
    }

    /// Takes no more writes until reopened, and reports what will never be written.
    fn give_up(&self, error: StoreError, batch: Vec<Write>) {
        let mut queue = self.queue();
        let rest = std::mem::take(&mut queue.writes);
        queue.waiting = Waiting::default();
        queue.pending_bytes = 0;
        queue.health = Health::Failed(error.clone());
        drop(queue);
        let lost = batch
            .into_iter()
            .chain(rest)
            .filter_map(|write| match write {
                Write::Put(bulletin) => Some(bulletin.id),
                _ => None,
            });
        (self.events)(StoreEvent::Failed {
            error,
            lost: lost.collect(),
        });
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `write` counts while it waits.
fn cost(write: &Write) -> usize {
    WRITE_BYTES
        + match write {
            Write::Put(StoredBulletin { bytes, .. }) | Write::Restamp { bytes, .. } => bytes.len(),
            Write::Purge { ids } => size_of_val(ids.as_slice()),
            Write::Meta { value, .. } => value.len(),
            Write::Seen { .. } | Write::Evict { .. } | Write::Barrier(_) => 0,
        }
}
