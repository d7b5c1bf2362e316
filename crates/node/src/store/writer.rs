//! The thread that empties the queue of writes.
//!
//! It takes everything that waits, commits it as one transaction and reports exactly that. An idle
//! store writes at once; under load, batches form by themselves while a sync runs. Between batches it packs
//! what it wrote.
//!
//! Invariant: an id is reported as synced only after the sync that covers it returned well.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bruit_core::id::BulletinId;

use super::disk::Disk;
use super::lock::FolderLock;
use super::queue::{Batch, Health, WriteQueue};
use super::{Events, Stats, StoreError, StoreEvent, StoreOptions, Write};

/// Steps of packing between two batches when the next one waits: each gains a pack, all of them twice what
/// a batch takes.
const TIDY_STEPS_MAX: u32 = 8;
/// Databases mended in a life.
const MENDED_MAX: u32 = 3;

/// What the handle and the two threads share.
pub(super) struct Shared {
    pub(super) disk: Disk,
    pub(super) events: Events,
    pub(super) queue: WriteQueue,
    full_retry: Duration,
    /// The reader came upon damage that is not a row's.
    is_suspect: AtomicBool,
    /// Databases mended since the start.
    mended: AtomicU32,
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

impl Shared {
    pub(super) fn new(
        disk: Disk,
        next_seq: u64,
        folder: Option<FolderLock>,
        options: StoreOptions,
        events: Events,
    ) -> Self {
        let full_retry = options.full_retry;
        let queue = WriteQueue::new(options, disk.file().to_owned(), next_seq - 1);
        Self {
            disk,
            events,
            queue,
            full_retry,
            is_suspect: AtomicBool::new(false),
            mended: AtomicU32::new(0),
            folder: Mutex::new(folder),
        }
    }

    /// Has the database mended before the next write.
    pub(super) fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            held: self.disk.held(),
            ..self.queue.stats()
        }
    }

    /// The writer's life: returns once stopped, with the error that kept the last writes from disk.
    pub(super) fn run_writer(&self) -> Result<(), StoreError> {
        let mut is_compact = false;
        loop {
            // What was given up is gone first.
            let is_tidy = self.tidy();
            if is_tidy && !is_compact {
                is_compact = true;
                self.compact();
            }
            let Some(batch) = self.queue.next_batch() else {
                break;
            };
            self.write(batch);
        }
        let (health, top_seq) = self.queue.close();
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

    /// Writes `batch`, waiting for space as long as it takes.
    fn write(&self, batch: Batch) {
        let mut was_full = false;
        if self.is_suspect.swap(false, Ordering::Relaxed)
            && let Err(error) = self.mend()
        {
            return self.give_up(error, batch.writes);
        }
        loop {
            match self.disk.apply(&batch.writes, batch.top_seq) {
                Ok(ids) => {
                    if was_full {
                        self.queue.set_full(false);
                        (self.events)(StoreEvent::Recovered);
                    }
                    return self.synced(&batch, ids);
                }
                Err(error) if error.is_full() => {
                    self.disk.freeze();
                    if !was_full {
                        was_full = true;
                        self.queue.set_full(true);
                        (self.events)(StoreEvent::Failed {
                            error: error.clone(),
                            lost: vec![],
                        });
                    }
                    if let Err(error) = self.wait_for_room(&batch, error) {
                        return self.give_up(error, batch.writes);
                    }
                }
                Err(error @ StoreError::Corrupt { .. }) => {
                    // What was damaged may have been mended; whether the disk is sound is another
                    // matter.
                    if self.mend().is_err() {
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

    /// Makes the file smaller, where that is worth it.
    fn compact(&self) {
        if let Err(error) = self.disk.compact() {
            self.disk.freeze();
            self.give_up(error, Vec::new());
        }
    }

    /// Packs bodies: as far as there is something to do while nobody waits, and a bounded part otherwise.
    /// Answers whether that was all.
    fn tidy(&self) -> bool {
        for steps in 0_u32.. {
            if steps >= TIDY_STEPS_MAX && self.queue.is_waited_for() {
                break;
            }
            match self.disk.tidy() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(error) => {
                    self.untidied(error);
                    break;
                }
            }
        }
        false
    }

    /// After a failure that cost nothing: what is stored is where it was.
    fn untidied(&self, error: StoreError) {
        let goes_on = if matches!(error, StoreError::Corrupt { .. }) {
            self.mend().is_ok()
        } else {
            self.disk.freeze();
            // Without room bodies lie where they are, until the next time.
            error.is_full() && self.disk.thaw(0).is_ok()
        };
        if !goes_on {
            self.give_up(error, Vec::new());
        }
    }

    /// Puts a new database in the place of a damaged one, a few times at most: a disk that damages
    /// one after the other is good for nothing.
    fn mend(&self) -> Result<(), StoreError> {
        let mended = if self.mended.fetch_add(1, Ordering::Relaxed) < MENDED_MAX {
            self.disk.mend()
        } else {
            self.disk.freeze();
            Err(StoreError::Corrupt {
                file: self.disk.file().to_owned(),
                what: "it was damaged again and again".to_owned(),
            })
        };
        let mended = mended?;
        if !mended.lost.is_empty() {
            let ids = mended.lost.clone();
            (self.events)(StoreEvent::Damaged { ids });
        }
        (self.events)(StoreEvent::Mended(mended));
        Ok(())
    }

    /// Tries every now and then whether `batch` fits. Gives up with `full` when asked to stop.
    fn wait_for_room(&self, batch: &Batch, full: StoreError) -> Result<(), StoreError> {
        // Copy-on-write needs the old pages and the new ones at once.
        let bytes = 2 * batch.bytes as u64 + (1 << 20);
        loop {
            if self.queue.pause(self.full_retry) {
                return Err(full);
            }
            match self.disk.thaw(bytes) {
                Err(error) if error.is_full() => {}
                result => return result,
            }
        }
    }

    fn synced(&self, batch: &Batch, ids: Vec<BulletinId>) {
        self.queue.written(batch);
        let barriers = batch.writes.iter().filter_map(|write| match write {
            Write::Barrier(barrier) => Some(*barrier),
            _ => None,
        });
        (self.events)(StoreEvent::Synced {
            through: batch.through,
            ids,
            barriers: barriers.collect(),
        });
    }

    /// Takes no more writes until reopened, and reports what will never be written.
    fn give_up(&self, error: StoreError, batch: Vec<Write>) {
        let rest = self.queue.fail(&error);
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
}
