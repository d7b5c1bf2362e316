//! The store of a node that leaves nothing behind: same answers, no file, no thread.
//!
//! Every call is answered before it returns. Ids that never had a body are not kept: only a restart
//! would ask for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bruit_core::id::{BulletinId, TopicId};
use bytes::Bytes;

use super::scan::{Page, PageBuilder, Scan};
use super::{Events, Stats, StoreError, StoreEvent, StoredBulletin, Write};

/// Bulletins in memory.
pub(super) struct Memory {
    events: Events,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bodies: BTreeMap<u64, StoredBulletin>,
    index: HashMap<BulletinId, u64>,
    /// Arrivals of bodies that were evicted, until their ids are purged.
    gone: HashMap<BulletinId, u64>,
    topics: BTreeSet<(TopicId, u64)>,
    files: HashMap<BulletinId, BTreeMap<u32, Bytes>>,
    submitted: u64,
    closed: bool,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("held", &self.state().index.len())
            .finish_non_exhaustive()
    }
}

impl Memory {
    pub(super) fn new(events: Events) -> Self {
        Self {
            events,
            state: Mutex::default(),
        }
    }

    pub(super) fn submit(&self, write: Write) -> Result<u64, StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(StoreError::Closed);
        }
        state.submitted += 1;
        let through = state.submitted;
        let (mut ids, mut barriers) = (Vec::new(), Vec::new());
        match write {
            Write::Put(bulletin) => {
                ids.push(bulletin.id);
                state.put(bulletin);
            }
            Write::Restamp {
                id,
                stamp_bits,
                bytes,
            } => state.restamp(&id, stamp_bits, bytes),
            Write::Evict { id } => state.evict(id),
            Write::Purge { ids } => ids.iter().for_each(|(id, _)| state.purge(id)),
            Write::File { id, .. } => drop(state.files.entry(id).or_default()),
            Write::Chunk { id, index, piece } => {
                if let Some(chunks) = state.files.get_mut(&id) {
                    chunks.insert(index, piece);
                }
            }
            Write::Barrier(barrier) => barriers.push(barrier),
            // Memory that loses what it holds is beyond a program's help.
            Write::Seen { .. }
            | Write::Version { .. }
            | Write::Meta { .. }
            | Write::Lost { .. } => {}
        }
        drop(state);
        (self.events)(StoreEvent::Synced {
            through,
            ids,
            barriers,
        });
        Ok(through)
    }

    pub(super) fn load(&self, ids: Vec<BulletinId>) -> Result<(), StoreError> {
        for id in ids {
            let bytes = self.get(&id)?;
            (self.events)(StoreEvent::Loaded { id, bytes });
        }
        Ok(())
    }

    pub(super) fn get(&self, id: &BulletinId) -> Result<Option<Bytes>, StoreError> {
        let state = self.open_state()?;
        let body = state.index.get(id).and_then(|seq| state.bodies.get(seq));
        Ok(body.map(|bulletin| bulletin.bytes.clone()))
    }

    pub(super) fn ids(&self) -> Vec<BulletinId> {
        self.state().index.keys().copied().collect()
    }

    pub(super) fn load_chunk(&self, id: BulletinId, index: u32) -> Result<(), StoreError> {
        let piece = self.chunk(&id, index)?;
        (self.events)(StoreEvent::ChunkLoaded { id, index, piece });
        Ok(())
    }

    pub(super) fn chunk(&self, id: &BulletinId, index: u32) -> Result<Option<Bytes>, StoreError> {
        let state = self.open_state()?;
        let chunks = state.files.get(id);
        Ok(chunks.and_then(|chunks| chunks.get(&index)).cloned())
    }

    pub(super) fn seq_of(&self, id: &BulletinId) -> Option<u64> {
        let state = self.state();
        let held = state.index.get(id);
        held.or_else(|| state.gone.get(id)).copied()
    }

    pub(super) fn count(&self, topic: TopicId) -> Result<u64, StoreError> {
        let all = (topic, 0)..=(topic, u64::MAX);
        Ok(self.open_state()?.topics.range(all).count() as u64)
    }

    pub(super) fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        let state = self.open_state()?;
        let Some(first) = scan.after_seq.checked_add(1) else {
            return Ok(Page::default());
        };
        let seqs: Vec<u64> = match &scan.topics {
            None => state.bodies.range(first..).map(|(seq, _)| *seq).collect(),
            Some(topics) => {
                let lists = topics
                    .iter()
                    .map(|topic| (*topic, first)..=(*topic, u64::MAX));
                let seqs = lists.flat_map(|list| state.topics.range(list).map(|(_, seq)| *seq));
                seqs.collect::<BTreeSet<_>>().into_iter().collect()
            }
        };
        let mut page = PageBuilder::new(scan);
        let mut last = scan.after_seq;
        for seq in seqs {
            if !page.visit(last) {
                break;
            }
            last = seq;
            page_push(&mut page, scan, state.bodies.get(&seq));
        }
        Ok(page.finish())
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state();
        Stats {
            held: state.index.len(),
            writes: state.submitted,
            takes_writes: !state.closed,
            ..Stats::default()
        }
    }

    pub(super) fn close(&self) {
        *self.state() = State {
            closed: true,
            ..State::default()
        };
    }

    fn open_state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if state.closed {
            Err(StoreError::Closed)
        } else {
            Ok(state)
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn page_push(page: &mut PageBuilder, scan: &Scan, bulletin: Option<&StoredBulletin>) {
    if let Some(bulletin) = bulletin.filter(|bulletin| scan.matches(bulletin)) {
        page.push(bulletin.clone());
    }
}

impl State {
    fn put(&mut self, bulletin: StoredBulletin) {
        self.remove(&bulletin.id);
        self.gone.remove(&bulletin.id);
        self.index.insert(bulletin.id, bulletin.seq);
        self.topics.insert((bulletin.topic, bulletin.seq));
        self.bodies.insert(bulletin.seq, bulletin);
    }

    fn restamp(&mut self, id: &BulletinId, stamp_bits: u8, bytes: Bytes) {
        let body = self.index.get(id).and_then(|seq| self.bodies.get_mut(seq));
        if let Some(bulletin) = body {
            bulletin.stamp_bits = stamp_bits;
            bulletin.bytes = bytes;
        }
    }

    fn evict(&mut self, id: BulletinId) {
        self.files.remove(&id);
        let seq = self.remove(&id);
        self.gone.extend(seq.map(|seq| (id, seq)));
    }

    fn purge(&mut self, id: &BulletinId) {
        self.files.remove(id);
        self.remove(id);
        self.gone.remove(id);
    }

    /// Takes the body away; returns the number of its arrival.
    fn remove(&mut self, id: &BulletinId) -> Option<u64> {
        let seq = self.index.remove(id);
        if let Some(bulletin) = seq.and_then(|seq| self.bodies.remove(&seq)) {
            self.topics.remove(&(bulletin.topic, bulletin.seq));
        }
        seq
    }
}
