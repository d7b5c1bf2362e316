//! Where bodies lie: each in a row of its own when it comes, later together with others in a pack.
//!
//! A database of ours splits a full page in halves, so that rows which are appended fill a half or two
//! thirds of it; a pack fills nearly all. `tidy.rs` makes packs; here they are read, and what is in them
//! is given up.
//!
//! Invariant: a number lies in at most one pack, under the greatest key that is not beyond it; a row of
//! its own goes before that. What a pack holds in vain is counted under its key.

use std::collections::BTreeSet;

use redb::{
    AccessGuard, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata as _, Table,
    TableDefinition, TableError, WriteTransaction,
};

use super::pack::{self, Entry};
use super::seal::Sealed;
use super::{StoredBulletin, rows};

/// Bodies by arrival.
pub(super) const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
/// Packs by their first arrival.
pub(super) const PACKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("packs");
/// What each pack takes, and what of it nobody asks for any more.
pub(super) const WASTE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("waste");

/// A body that was found, not yet looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lying<'a> {
    Alone(u64, &'a [u8]),
    Packed(Entry<'a>),
}

impl Lying<'_> {
    pub(super) fn seq(&self) -> u64 {
        match self {
            Self::Alone(seq, _) => *seq,
            Self::Packed(entry) => entry.seq,
        }
    }

    /// Reads it; `None` when it is not as it was written. Copies the bytes.
    pub(super) fn body(&self) -> Option<StoredBulletin> {
        match self {
            Self::Alone(seq, row) => rows::sealed_body(*seq, row),
            Self::Packed(entry) => entry.body(),
        }
    }

    /// Reads it without its bytes.
    fn head(&self) -> Option<StoredBulletin> {
        match self {
            Self::Alone(seq, row) => rows::sealed_head(*seq, row).map(|(head, _)| head),
            Self::Packed(entry) => entry.head().map(|(head, _)| head),
        }
    }
}

/// The row of a pack.
type Pack<'a> = AccessGuard<'a, &'static [u8]>;

/// The pack that would hold `seq`, and its key.
fn pack_of(
    packs: &impl ReadableTable<u64, &'static [u8]>,
    seq: u64,
) -> Result<Option<(u64, Pack<'_>)>, redb::Error> {
    let found = packs.range(..=seq)?.next_back().transpose()?;
    Ok(found.map(|(key, pack)| (key.value(), pack)))
}

/// Shows the body under `seq`, where there is one.
fn find<T>(
    alone: &impl ReadableTable<u64, &'static [u8]>,
    packs: &impl ReadableTable<u64, &'static [u8]>,
    seq: u64,
    show: impl FnOnce(Lying<'_>) -> Option<T>,
) -> Result<Option<T>, redb::Error> {
    if let Some(row) = alone.get(seq)? {
        return Ok(show(Lying::Alone(seq, row.value())));
    }
    let Some((_, pack)) = pack_of(packs, seq)? else {
        return Ok(None);
    };
    let entry = pack::entries(pack.value()).find(|entry| entry.seq == seq);
    Ok(entry.and_then(|entry| show(Lying::Packed(entry))))
}

/// The highest number a body has.
pub(super) fn last_seq(transaction: &WriteTransaction) -> Result<u64, redb::Error> {
    let bodies = transaction.open_table(BODIES)?;
    let alone = bodies.last()?.map_or(0, |(seq, _)| seq.value());
    Ok(alone.max(last_packed(&transaction.open_table(PACKS)?)?))
}

/// The highest number in a pack.
pub(super) fn last_packed(
    packs: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<u64, redb::Error> {
    let Some((key, pack)) = packs.last()? else {
        return Ok(0);
    };
    let last = pack::entries(pack.value()).last();
    Ok(last.map_or(key.value(), |entry| entry.seq))
}

/// What a pack takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waste {
    pub(super) bytes: u32,
    /// Those that are held in vain.
    pub(super) wasted: u32,
}

impl Waste {
    /// Of a pack of `len` bytes, all of them of use.
    pub(super) fn none(len: usize) -> Self {
        Self {
            bytes: u32::try_from(len).unwrap_or(u32::MAX),
            wasted: 0,
        }
    }

    /// The row of `key` that says so.
    pub(super) fn row(self, key: u64) -> Vec<u8> {
        let row = [self.bytes.to_be_bytes(), self.wasted.to_be_bytes()].concat();
        Sealed::Waste.close(&key.to_be_bytes(), &row)
    }

    /// What the row of `key` says.
    ///
    /// # Errors
    /// Damage.
    pub(super) fn read(key: u64, row: &[u8]) -> Result<Self, redb::Error> {
        let read = || {
            let mut cut = rows::Cut(Sealed::Waste.open(&key.to_be_bytes(), row)?);
            let bytes = cut.array().map(u32::from_be_bytes)?;
            let wasted = cut.array().map(u32::from_be_bytes)?;
            cut.0.is_empty().then_some(Self { bytes, wasted })
        };
        read().ok_or_else(|| {
            redb::Error::Corrupted("the waste of a pack is not as it was written".into())
        })
    }
}

/// The keys of packs that hold something in vain.
///
/// # Errors
/// Damage, or input or output.
pub(super) fn all_wasted(transaction: &ReadTransaction) -> Result<BTreeSet<u64>, redb::Error> {
    let waste = transaction.open_table(WASTE)?;
    if waste.len()? != transaction.open_table(PACKS)?.len()? {
        return Err(redb::Error::Corrupted("packs are missing".into()));
    }
    let mut keys = BTreeSet::new();
    for row in waste.iter()? {
        let (key, row) = row?;
        if Waste::read(key.value(), row.value())?.wasted > 0 {
            keys.insert(key.value());
        }
    }
    Ok(keys)
}

/// Bodies as one transaction reads them.
pub(super) struct Reading {
    alone: ReadOnlyTable<u64, &'static [u8]>,
    packs: ReadOnlyTable<u64, &'static [u8]>,
}

impl Reading {
    /// # Errors
    /// Damage, or input or output.
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, TableError> {
        Ok(Self {
            alone: transaction.open_table(BODIES)?,
            packs: transaction.open_table(PACKS)?,
        })
    }

    /// The body under `seq`, where it is as it was written.
    ///
    /// # Errors
    /// Damage of pages, or input or output.
    pub(super) fn body(&self, seq: u64) -> Result<Option<StoredBulletin>, redb::Error> {
        find(&self.alone, &self.packs, seq, |lying| lying.body())
    }

    /// Shows every body from number `first` on, in order, for as long as `visit` says so: also those that
    /// a pack holds in vain.
    ///
    /// # Errors
    /// Damage of pages, or input or output.
    pub(super) fn each(
        &self,
        first: u64,
        mut visit: impl FnMut(Lying<'_>) -> bool,
    ) -> Result<(), redb::Error> {
        let mut alone = self.alone.range(first..)?;
        let mut next = alone.next().transpose()?;
        let start = pack_of(&self.packs, first)?.map_or(first, |(key, _)| key);
        for pack in self.packs.range(start..)? {
            let (_, pack) = pack?;
            let entries = pack::entries(pack.value()).filter(|entry| entry.seq >= first);
            for entry in entries {
                let mut is_replaced = false;
                while let Some((seq, row)) = next.take_if(|(seq, _)| seq.value() <= entry.seq) {
                    is_replaced = seq.value() == entry.seq;
                    if !visit(Lying::Alone(seq.value(), row.value())) {
                        return Ok(());
                    }
                    next = alone.next().transpose()?;
                }
                if !is_replaced && !visit(Lying::Packed(entry)) {
                    return Ok(());
                }
            }
        }
        while let Some((seq, row)) = next {
            if !visit(Lying::Alone(seq.value(), row.value())) {
                return Ok(());
            }
            next = alone.next().transpose()?;
        }
        Ok(())
    }
}

/// Bodies as one transaction changes them.
pub(super) struct Bodies<'a> {
    alone: Table<'a, u64, &'static [u8]>,
    packs: Table<'a, u64, &'static [u8]>,
    waste: Table<'a, u64, &'static [u8]>,
    /// Packs that hold more in vain than before.
    wasted: BTreeSet<u64>,
}

impl<'a> Bodies<'a> {
    /// Opens the tables, creating them where there are none.
    ///
    /// # Errors
    /// Damage, or input or output.
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            alone: transaction.open_table(BODIES)?,
            packs: transaction.open_table(PACKS)?,
            waste: transaction.open_table(WASTE)?,
            wasted: BTreeSet::new(),
        })
    }

    /// Writes a body that came.
    ///
    /// # Errors
    /// Input or output.
    pub(super) fn put(&mut self, bulletin: &StoredBulletin) -> Result<(), redb::Error> {
        let len = rows::sealed_body_len(bulletin);
        let mut row = self.alone.insert_reserve(bulletin.seq, len)?;
        rows::write_sealed_body(bulletin, row.as_mut());
        Ok(())
    }

    /// Writes another body in the place of the one with its number.
    ///
    /// # Errors
    /// Damage, or input or output.
    pub(super) fn replace(&mut self, bulletin: &StoredBulletin) -> Result<(), redb::Error> {
        if self.alone.get(bulletin.seq)?.is_none() {
            self.give_up(bulletin.seq)?;
        }
        self.put(bulletin)
    }

    /// The body under `seq` without its bytes, where it is as it was written.
    ///
    /// # Errors
    /// Damage of pages, or input or output.
    pub(super) fn head(&self, seq: u64) -> Result<Option<StoredBulletin>, redb::Error> {
        find(&self.alone, &self.packs, seq, |lying| lying.head())
    }

    /// Takes away the body under `seq`, whole or not.
    ///
    /// # Errors
    /// Damage, or input or output.
    pub(super) fn remove(&mut self, seq: u64) -> Result<(), redb::Error> {
        if self.alone.remove(seq)?.is_none() {
            self.give_up(seq)?;
        }
        Ok(())
    }

    /// Packs that hold more in vain than before.
    pub(super) fn into_wasted(self) -> BTreeSet<u64> {
        self.wasted
    }

    /// Counts what a pack has under `seq` as held in vain.
    fn give_up(&mut self, seq: u64) -> Result<(), redb::Error> {
        let Some((key, pack)) = pack_of(&self.packs, seq)? else {
            return Ok(());
        };
        let entry = pack::entries(pack.value()).find(|entry| entry.seq == seq);
        let Some(more) = entry.and_then(|entry| u32::try_from(entry.bytes.len()).ok()) else {
            return Ok(());
        };
        let mut waste = match self.waste.get(key)? {
            Some(row) => Waste::read(key, row.value())?,
            None => Waste::none(pack.value().len()),
        };
        waste.wasted = waste.wasted.saturating_add(more);
        self.waste.insert(key, waste.row(key).as_slice())?;
        self.wasted.insert(key);
        Ok(())
    }
}
