//! The queue of writes: whoever submits never waits, the one writer takes what waits in batches.
//!
//! Invariant: every write that was taken in is handed to the writer or given up with an error, also
//! when the store is stopped meanwhile.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use bruit_core::id::BulletinId;
use bruit_core::large::Manifest;
use bytes::Bytes;

use crate::sync::{Condvar, Mutex, MutexGuard};

use super::{Stats, StoreError, StoreOptions, StoredBulletin, Write};

/// What a waiting write costs beside its bytes: its place in the queue and in the maps.
const WRITE_BYTES: usize = 256;

/// The queue, shared by all who submit and the writer.
#[derive(Debug)]
pub(super) struct WriteQueue {
    options: StoreOptions,
    /// Named in errors.
    file: PathBuf,
    state: Mutex<State>,
    /// Rung when there is work for an idle writer, and when it is to stop.
    bell: Condvar,
}

/// Whether writes are taken.
#[derive(Debug)]
pub(super) enum Health {
    Good,
    /// The disk is full: bodies are refused until there is room.
    Full,
    Failed(StoreError),
    Closed,
}

#[derive(Debug)]
struct State {
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
    chunks: HashMap<(BulletinId, u32), Bytes>,
}

impl Waiting {
    /// Takes in what `write` will put.
    fn note(&mut self, write: &Write) {
        match write {
            Write::Put(bulletin) => self.insert(bulletin),
            Write::Chunk { id, index, piece } => {
                self.chunks.insert((*id, *index), piece.clone());
            }
            _ => {}
        }
    }

    /// Takes out what `write` has put.
    fn forget(&mut self, write: &Write) {
        match write {
            Write::Put(bulletin) => self.remove(bulletin),
            Write::Chunk { id, index, .. } => {
                self.chunks.remove(&(*id, *index));
            }
            _ => {}
        }
    }

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
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) writes: Vec<Write>,
    /// Their cost.
    pub(super) bytes: usize,
    /// Number of the last of them.
    pub(super) through: u64,
    pub(super) top_seq: u64,
}

impl WriteQueue {
    /// An empty queue of the store in `file`; `top_seq` is the last arrival number given out.
    pub(super) fn new(options: StoreOptions, file: PathBuf, top_seq: u64) -> Self {
        let state = State {
            writes: VecDeque::new(),
            pending_bytes: 0,
            waiting: Waiting::default(),
            submitted: 0,
            top_seq,
            health: Health::Good,
            stop: false,
            idle: false,
            stats: Stats::default(),
        };
        Self {
            options,
            file,
            state: Mutex::new(state),
            bell: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Who submits.

    /// Takes `write` in and returns its number. Never waits for the disk.
    pub(super) fn submit(&self, write: Write) -> Result<u64, StoreError> {
        let mut state = self.state();
        if let Write::Put(bulletin) = &write {
            state.top_seq = state.top_seq.max(bulletin.seq);
        }
        let cost = cost(&write);
        self.may_submit(&state, &write, cost)?;
        state.waiting.note(&write);
        state.pending_bytes += cost;
        state.submitted += 1;
        state.writes.push_back(write);
        if state.idle {
            state.idle = false;
            self.bell.notify_all();
        }
        Ok(state.submitted)
    }

    fn may_submit(&self, state: &State, write: &Write, cost: usize) -> Result<(), StoreError> {
        let max = self.options.pending_bytes_max;
        match &state.health {
            Health::Closed => return Err(StoreError::Closed),
            Health::Failed(cause) => {
                return Err(StoreError::Poisoned {
                    cause: Box::new(cause.clone()),
                });
            }
            Health::Full
                if matches!(
                    write,
                    Write::Put(_)
                        | Write::Restamp { .. }
                        | Write::File { .. }
                        | Write::Chunk { .. }
                ) =>
            {
                return Err(StoreError::Full {
                    file: self.file.clone(),
                });
            }
            Health::Full | Health::Good => {}
        }
        if state.stop {
            return Err(StoreError::Closed);
        }
        if state.pending_bytes > 0 && state.pending_bytes + cost > max {
            return Err(StoreError::Backlog {
                pending: state.pending_bytes,
                max,
            });
        }
        Ok(())
    }

    /// Asks the writer to finish what waits and to end.
    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.bell.notify_all();
    }

    // Who reads what is not on disk yet.

    /// The bulletins whose bodies wait for the disk.
    pub(super) fn ids(&self) -> Vec<BulletinId> {
        self.state().waiting.by_id.keys().copied().collect()
    }

    /// The number of arrival of a body that waits for the disk.
    pub(super) fn seq_of(&self, id: &BulletinId) -> Option<u64> {
        self.state().waiting.by_id.get(id).copied()
    }

    /// The bytes of `id` while they wait for the disk.
    pub(super) fn bytes_of(&self, id: &BulletinId) -> Option<Bytes> {
        let state = self.state();
        let seq = state.waiting.by_id.get(id)?;
        let bulletin = state.waiting.by_seq.get(seq);
        bulletin.map(|bulletin| bulletin.bytes.clone())
    }

    /// A chunk while it waits for the disk.
    pub(super) fn chunk_of(&self, id: &BulletinId, index: u32) -> Option<Bytes> {
        self.state().waiting.chunks.get(&(*id, index)).cloned()
    }

    /// The bodies that wait, from the arrival `first` on, as far as they fit `matches`; at most `max`.
    pub(super) fn rows(
        &self,
        first: u64,
        max: usize,
        matches: impl Fn(&StoredBulletin) -> bool,
    ) -> Vec<StoredBulletin> {
        let state = self.state();
        let rows = state.waiting.by_seq.range(first..);
        rows.map(|(_, bulletin)| bulletin)
            .filter(|bulletin| matches(bulletin))
            .take(max)
            .cloned()
            .collect()
    }

    /// Counters; how many bodies are held is not among them.
    pub(super) fn stats(&self) -> Stats {
        let state = self.state();
        Stats {
            pending_bytes: state.pending_bytes,
            takes_writes: matches!(state.health, Health::Good),
            ..state.stats
        }
    }

    // The writer.

    /// Waits for writes and takes them, up to a batch. `None` when stopped and empty.
    pub(super) fn next_batch(&self) -> Option<Batch> {
        let mut state = self.state();
        while state.writes.is_empty() {
            if state.stop {
                return None;
            }
            state.idle = true;
            state = self
                .bell
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle = false;
        }
        let (mut writes, mut bytes) = (Vec::new(), 0);
        while writes.len() < self.options.batch_writes_max && bytes < self.options.batch_bytes_max {
            let Some(write) = state.writes.pop_front() else {
                break;
            };
            bytes += cost(&write);
            writes.push(write);
        }
        let through = state.submitted - state.writes.len() as u64;
        Some(Batch {
            writes,
            bytes,
            through,
            top_seq: state.top_seq,
        })
    }

    /// Whether the writer sleeps.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.state().idle
    }

    /// Whether there is something to write, or the writer is to end.
    pub(super) fn is_waited_for(&self) -> bool {
        let state = self.state();
        state.stop || !state.writes.is_empty()
    }

    /// Notes that `batch` is on disk.
    pub(super) fn written(&self, batch: &Batch) {
        let mut state = self.state();
        for write in &batch.writes {
            state.waiting.forget(write);
        }
        state.pending_bytes -= batch.bytes;
        state.stats.batches += 1;
        state.stats.writes += batch.writes.len() as u64;
    }

    /// Notes that the disk is full, or has room again.
    pub(super) fn set_full(&self, is_full: bool) {
        self.state().health = if is_full { Health::Full } else { Health::Good };
    }

    /// Waits for `time`, less when the writer is to stop; answers whether it is.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let state = self.state();
        if state.stop {
            return true;
        }
        // Woken too early by nothing, the writer looks for room too early: no harm.
        let (state, _) = self
            .bell
            .wait_timeout(state, time)
            .unwrap_or_else(PoisonError::into_inner);
        state.stop
    }

    /// Takes no more writes from here on; returns those that nobody has taken out.
    pub(super) fn fail(&self, error: &StoreError) -> VecDeque<Write> {
        let mut state = self.state();
        state.waiting = Waiting::default();
        state.pending_bytes = 0;
        state.health = Health::Failed(error.clone());
        std::mem::take(&mut state.writes)
    }

    /// Ends the queue; returns how it was, and the highest arrival number.
    pub(super) fn close(&self) -> (Health, u64) {
        let mut state = self.state();
        let health = std::mem::replace(&mut state.health, Health::Closed);
        (health, state.top_seq)
    }
}

/// What `write` counts while it waits.
fn cost(write: &Write) -> usize {
    WRITE_BYTES
        + match write {
            Write::Put(StoredBulletin { bytes, .. }) | Write::Restamp { bytes, .. } => bytes.len(),
            Write::Purge { ids } => size_of_val(ids.as_slice()),
            Write::Meta { value, .. } => value.len(),
            Write::Chunk { piece, .. } => piece.len(),
            Write::File { .. } => Manifest::BYTES,
            Write::Lost { bodies } => size_of_val(bodies.as_slice()),
            Write::Seen { .. }
            | Write::Version { .. }
            | Write::Evict { .. }
            | Write::Barrier(_) => 0,
        }
}
