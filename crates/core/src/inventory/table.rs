//! The table of seen ids: a slab of entries, found by short id.
//!
//! A short id is the key because announcements carry nothing longer. The index is open addressing
//! with linear probing and deletion by back-shifting (Knuth, TAOCP 3, 6.4, algorithm R): one `u32`
//! per cell, of which eight bits are a tag of the id, so that a probe rarely touches the slab. Its
//! hash is keyed, or authors could grind ids into one long cluster. The table is never iterated in
//! the order of its cells, so nothing depends on the key.

use crate::id::ShortId;
use crate::short_id_map::HashKey;

use super::Seen;

/// Where an entry lies in the slab.
pub(super) type Slot = u32;

/// Entries of one chunk of the slab. The slab grows by chunks, so that growing copies nothing and
/// leaves at most one chunk empty.
const CHUNK_LEN: usize = 256;
/// Bits of an index cell that name a slot; the others are the tag.
const SLOT_BITS: u32 = 24;
/// The mask of those bits.
const SLOT_MASK: u32 = 0x00ff_ffff;
/// Most entries a table can hold: slot numbers plus one have [`SLOT_BITS`] bits.
pub(super) const ENTRIES_MAX: usize = 0x00ff_fffe;
/// A cell without entry.
const EMPTY: u32 = 0;

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    chunks: Vec<Vec<Seen>>,
    free: Vec<Slot>,
    cells: Vec<u32>,
    len: usize,
    key: HashKey,
}

impl Table {
    /// An empty table whose hash is keyed by `salt`.
    pub(super) fn new(salt: u64) -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            cells: vec![EMPTY; 64],
            len: 0,
            key: HashKey::new(salt),
        }
    }

    /// Entries.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The entry at `slot`.
    pub(super) fn get(&self, slot: Slot) -> Option<&Seen> {
        let (chunk, at) = place(slot);
        self.chunks.get(chunk)?.get(at)
    }

    /// The entry at `slot`, to be changed. Its id must stay.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Seen> {
        let (chunk, at) = place(slot);
        self.chunks.get_mut(chunk)?.get_mut(at)
    }

    /// Where the entry of `id` lies.
    pub(super) fn find(&self, id: &ShortId) -> Option<Slot> {
        let hash = self.key.hash(id);
        let wanted = tag(hash);
        let mut at = self.home(hash);
        loop {
            match self.cells.get(at).copied() {
                None | Some(EMPTY) => return None,
                Some(cell) if cell & !SLOT_MASK == wanted => {
                    let slot = slot_of(cell);
                    if self.get(slot).is_some_and(|seen| seen.id.short() == *id) {
                        return Some(slot);
                    }
                }
                Some(_) => {}
            }
            at = self.after(at);
        }
    }

    /// Adds an entry whose id is not in the table; returns where it lies, nothing when the table is
    /// full.
    pub(super) fn insert(&mut self, seen: Seen) -> Option<Slot> {
        if self.len >= ENTRIES_MAX {
            return None;
        }
        self.reserve(self.len.saturating_add(1));
        let hash = self.key.hash(&seen.id.short());
        let slot = self.put(seen)?;
        self.link(hash, slot);
        self.len = self.len.saturating_add(1);
        Some(slot)
    }

    /// Takes the entry at `slot` out.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Seen> {
        let seen = *self.get(slot)?;
        let mut hole = self.home(self.key.hash(&seen.id.short()));
        while self.cells.get(hole).copied().map(slot_of) != Some(slot) {
            if self.cells.get(hole).copied().unwrap_or(EMPTY) == EMPTY {
                return None;
            }
            hole = self.after(hole);
        }
        self.close(hole);
        self.free.push(slot);
        self.len = self.len.saturating_sub(1);
        Some(seen)
    }

    /// Makes room for `entries` entries in all. Doubling moves every cell: 100 ms at four million.
    pub(super) fn reserve(&mut self, entries: usize) {
        let mut cells = self.cells.len();
        while entries.saturating_mul(4) > cells.saturating_mul(3) {
            cells = cells.saturating_mul(2);
        }
        if cells == self.cells.len() {
            return;
        }
        let old = std::mem::replace(&mut self.cells, vec![EMPTY; cells]);
        for slot in old.into_iter().filter(|cell| *cell != EMPTY).map(slot_of) {
            if let Some(id) = self.get(slot).map(|seen| seen.id.short()) {
                self.link(self.key.hash(&id), slot);
            }
        }
    }

    /// Bytes of memory taken.
    pub(super) fn footprint(&self) -> usize {
        let slab = CHUNK_LEN
            .saturating_mul(size_of::<Seen>())
            .saturating_add(24);
        [
            self.chunks.len().saturating_mul(slab),
            self.free.capacity().saturating_mul(4),
            self.cells.len().saturating_mul(4),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// Writes an entry into the slab.
    fn put(&mut self, seen: Seen) -> Option<Slot> {
        if let Some(slot) = self.free.pop() {
            *self.get_mut(slot)? = seen;
            return Some(slot);
        }
        let slot = Slot::try_from(self.len).ok()?;
        let (chunk, _) = place(slot);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK_LEN));
        }
        self.chunks.get_mut(chunk)?.push(seen);
        Some(slot)
    }

    /// Writes a slot into the first empty cell from the home of `hash` on.
    fn link(&mut self, hash: u64, slot: Slot) {
        let mut at = self.home(hash);
        while self.cells.get(at).is_some_and(|cell| *cell != EMPTY) {
            at = self.after(at);
        }
        if let Some(cell) = self.cells.get_mut(at) {
            *cell = tag(hash) | slot.saturating_add(1);
        }
    }

    /// Empties the cell `hole` and moves up what a probe could no longer reach across it.
    fn close(&mut self, mut hole: usize) {
        let mask = self.mask();
        let mut at = hole;
        loop {
            at = self.after(at);
            let cell = self.cells.get(at).copied().unwrap_or(EMPTY);
            if cell == EMPTY {
                break;
            }
            let Some(seen) = self.get(slot_of(cell)) else {
                break;
            };
            let first = self.home(self.key.hash(&seen.id.short()));
            // The cell may move when its home does not lie behind the hole, counted on the circle.
            if at.wrapping_sub(first) & mask >= at.wrapping_sub(hole) & mask {
                if let Some(to) = self.cells.get_mut(hole) {
                    *to = cell;
                }
                hole = at;
            }
        }
        if let Some(cell) = self.cells.get_mut(hole) {
            *cell = EMPTY;
        }
    }

    fn mask(&self) -> usize {
        self.cells.len().saturating_sub(1)
    }

    fn home(&self, hash: u64) -> usize {
        usize::try_from(hash & 0xffff_ffff).unwrap_or(0) & self.mask()
    }

    fn after(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }
}

/// The tag of a hash, in its place within a cell.
fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 56).unwrap_or(0) << SLOT_BITS
}

fn slot_of(cell: u32) -> Slot {
    (cell & SLOT_MASK).wrapping_sub(1)
}

/// The chunk of a slot, and its place there.
fn place(slot: Slot) -> (usize, usize) {
    let slot = usize::try_from(slot).unwrap_or(usize::MAX);
    (slot / CHUNK_LEN, slot % CHUNK_LEN)
}
