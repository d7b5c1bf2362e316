//! Packs bodies with the batch that brings them, and packs again what is left where much was given up: a
//! step at a time, each a transaction of its own that leaves every body where readers find it.
//!
//! Invariant: once there is nothing to do, [`RUN`] packs side by side would still be as many packed again, or
//! hold less than half a pack's bytes in vain.

use std::collections::{BTreeMap, BTreeSet};

use bruit_core::id::BulletinId;
use redb::{AccessGuard, ReadTransaction, ReadableTable, WriteTransaction};

use super::bodies::{BODIES, PACKS, WASTE, Waste, last_packed};
use super::pack::{self, Packed, Packer};
use super::{StoreOptions, rows};

/// Packs side by side that are packed again together, once that saves one: less than a sixteenth is wasted,
/// and fifteen are written for each that is gained. More would waste less and write more.
pub(super) const RUN: usize = 16;

/// When bodies are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bodies in rows of their own before they are packed.
    pub(super) rows: u64,
    /// Most bytes of a pack.
    pub(super) pack_bytes: usize,
}

impl Limits {
    pub(super) const fn of(options: &StoreOptions) -> Self {
        Self {
            rows: options.pack_rows,
            pack_bytes: options.pack_bytes_max,
        }
    }
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Pack bodies from this number on.
    Pack(u64),
    /// Pack again what these packs hold.
    Repack(Vec<u64>),
}

/// What there is to do; `wasted` names packs that hold something in vain, and loses those of which there is
/// too little.
///
/// # Errors
/// Damage, or input or output.
pub(super) fn plan(
    transaction: &ReadTransaction,
    wasted: &mut BTreeSet<u64>,
    limits: Limits,
) -> Result<Option<Step>, redb::Error> {
    let bodies = transaction.open_table(BODIES)?;
    let packs = transaction.open_table(PACKS)?;
    if let Some(first) = first_to_pack(&bodies, &packs, limits)? {
        return Ok(Some(Step::Pack(first)));
    }
    let waste = transaction.open_table(WASTE)?;
    while let Some(key) = wasted.first() {
        if let Some(run) = run(&waste, *key, limits)? {
            return Ok(Some(Step::Repack(run)));
        }
        wasted.pop_first();
    }
    Ok(None)
}

/// The first of the bodies that lie alone, where they are enough to fill a pack.
fn first_to_pack(
    bodies: &impl ReadableTable<u64, &'static [u8]>,
    packs: &impl ReadableTable<u64, &'static [u8]>,
    limits: Limits,
) -> Result<Option<u64>, redb::Error> {
    if bodies.len()? < limits.rows {
        return Ok(None);
    }
    let first = last_packed(packs)?.saturating_add(1);
    // Two at least, and twice the bytes: however short entries are beside rows, one pack gets full.
    let mut bytes = 0;
    for (count, row) in (1..).zip(bodies.range(first..)?) {
        bytes += row?.1.value().len();
        if bytes > 2 * limits.pack_bytes && count > 1 {
            return Ok(Some(first));
        }
    }
    Ok(None)
}

/// Packs what a batch has written, in its own transaction: pages that are given up in the transaction that
/// took them are free at once.
///
/// # Errors
/// Damage, or input or output: the transaction is good for nothing then.
pub(super) fn pack_batch(
    transaction: &WriteTransaction,
    limits: Limits,
) -> Result<(), redb::Error> {
    let first = first_to_pack(
        &transaction.open_table(BODIES)?,
        &transaction.open_table(PACKS)?,
        limits,
    )?;
    first.map_or(Ok(()), |first| pack_from(transaction, first, limits))
}

/// Packs side by side, with the one of `key` among them, that are one less when they are packed again.
fn run(
    waste: &impl ReadableTable<u64, &'static [u8]>,
    key: u64,
    limits: Limits,
) -> Result<Option<Vec<u64>>, redb::Error> {
    let before = waste.range(..key)?.rev().take(RUN - 1);
    let rows = before.chain(waste.range(key..)?.take(RUN));
    let read = |row: Result<(AccessGuard<'_, u64>, AccessGuard<'_, _>), _>| {
        let (key, row) = row?;
        let key = key.value();
        Ok((key, Waste::read(key, row.value())?))
    };
    let mut around = rows.map(read).collect::<Result<Vec<_>, redb::Error>>()?;
    around.sort_unstable_by_key(|(key, _)| *key);
    let wasted = |run: &[(u64, Waste)]| run.iter().map(|(_, waste)| usize(waste.wasted)).sum();
    let runs = around.windows(RUN.min(around.len()).max(1));
    let best = runs.max_by_key(|run| -> usize { wasted(run) });
    Ok(best
        .filter(|run| {
            let bytes: usize = run.iter().map(|(_, waste)| usize(waste.bytes)).sum();
            let wasted = wasted(run);
            let of_use = bytes.saturating_sub(wasted);
            // The rest of a pack has no room for another body as a rule.
            let room = (run.len() - 1) * (limits.pack_bytes - limits.pack_bytes / 64);
            wasted >= limits.pack_bytes / 2 && of_use <= room
        })
        .map(|run| run.iter().map(|(key, _)| *key).collect()))
}

fn usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Takes `step`; `is_held` tells whether a number is where the body of an id lies.
///
/// # Errors
/// Damage, or input or output: the transaction is good for nothing then.
pub(super) fn take(
    transaction: &WriteTransaction,
    step: &Step,
    limits: Limits,
    is_held: impl Fn(&BulletinId, u64) -> bool,
) -> Result<(), redb::Error> {
    match step {
        Step::Pack(first) => pack_from(transaction, *first, limits),
        Step::Repack(keys) => repack(transaction, keys, limits, is_held),
    }
}

/// Makes packs, [`RUN`] at most, of the bodies from number `first` on; what fills none stays.
fn pack_from(
    transaction: &WriteTransaction,
    first: u64,
    limits: Limits,
) -> Result<(), redb::Error> {
    let mut bodies = transaction.open_table(BODIES)?;
    let mut packer = Packer::new(limits.pack_bytes);
    let (mut full, mut broken) = (Vec::new(), Vec::new());
    for row in bodies.range(first..)? {
        let (seq, row) = row?;
        match rows::sealed_body(seq.value(), row.value()) {
            Some(body) => full.extend(packer.push(body.seq, &pack::entry(&body))),
            // Who asks for it is told that it is damaged, whether it is there or not.
            None => broken.push(seq.value()),
        }
        if full.len() >= RUN {
            break;
        }
    }
    for seq in full.iter().flat_map(|pack| &pack.seqs).chain(&broken) {
        bodies.remove(*seq)?;
    }
    write(transaction, full)
}

/// Packs again what the packs under `keys`, which lie side by side, hold of use, together with what has
/// replaced a part of it.
fn repack(
    transaction: &WriteTransaction,
    keys: &[u64],
    limits: Limits,
    is_held: impl Fn(&BulletinId, u64) -> bool,
) -> Result<(), redb::Error> {
    let mut entries = BTreeMap::new();
    let (mut packs, mut waste) = (
        transaction.open_table(PACKS)?,
        transaction.open_table(WASTE)?,
    );
    for key in keys {
        let pack = packs.remove(*key)?;
        let pack = pack.ok_or_else(|| redb::Error::Corrupted("a pack is missing".into()))?;
        for entry in pack::entries(pack.value()) {
            entries.insert(entry.seq, entry.bytes.to_vec());
        }
        waste.remove(*key)?;
    }
    drop((packs, waste));
    let mut bodies = transaction.open_table(BODIES)?;
    let ends = keys.first().zip(entries.last_key_value());
    let mut replaced = Vec::new();
    if let Some((first, (last, _))) = ends {
        for row in bodies.range(*first..=*last)? {
            let (seq, row) = row?;
            replaced.push((seq.value(), rows::sealed_body(seq.value(), row.value())));
        }
    }
    for (seq, body) in replaced {
        bodies.remove(seq)?;
        match body {
            Some(body) => entries.insert(seq, pack::entry(&body)),
            None => entries.remove(&seq),
        };
    }
    let mut packer = Packer::new(limits.pack_bytes);
    let mut full = Vec::new();
    for (seq, bytes) in &entries {
        let id = pack::entries(bytes).next().and_then(|entry| entry.id());
        if id.is_some_and(|id| is_held(&id, *seq)) {
            full.extend(packer.push(*seq, bytes));
        }
    }
    full.extend(packer.finish());
    write(transaction, full)
}

fn write(transaction: &WriteTransaction, packs: Vec<Packed>) -> Result<(), redb::Error> {
    let (mut table, mut waste) = (
        transaction.open_table(PACKS)?,
        transaction.open_table(WASTE)?,
    );
    for pack in packs {
        table.insert(pack.key(), pack.bytes.as_slice())?;
        let whole = Waste::none(pack.bytes.len());
        waste.insert(pack.key(), whole.row(pack.key()).as_slice())?;
    }
    Ok(())
}
