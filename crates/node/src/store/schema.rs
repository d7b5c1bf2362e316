//! The schema of a store: told from other files, brought up to date a step at a time.
//!
//! Each step is one transaction that ends by noting the schema it leads to, so that a store is at the
//! end of some step whatever interrupted it, and is opened by this program only at the end of the last.

use redb::{
    AccessGuard, Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, Table,
    TableDefinition, TableError, TableHandle, WriteTransaction,
};

use super::bodies::{self, BODIES, Bodies};
use super::disk::{META, SEEN, VERSIONS, begin};
use super::files::FileTables;
use super::rows::LONG_KEY_BYTES;
use super::seal::{SEAL_BYTES, Sealed};

/// What makes the file a store of ours: the table's name, and in it the schema and the first free
/// arrival number.
const BRUIT: TableDefinition<'_, &str, u64> = TableDefinition::new("bruit");

/// One step: what leads from a schema to the next.
type Step = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The steps, from schema 1 on.
///
/// 2: an evicted bulletin's row keeps its arrival; what 1 wrote is read as it is.
/// 3: the table of versions, which 2 had no use for.
/// 4: every row has a seal; the tables of large contents are made where there are none.
/// 5: packs; bodies move there by and by. The lists of topics are in memory.
const STEPS: [Step; 4] = [|_| Ok(()), |_| Ok(()), seal_rows, drop_lists];

/// What had the lists of topics before schema 5.
const TOPICS: TableDefinition<'_, &[u8; LONG_KEY_BYTES], u64> = TableDefinition::new("topics");

/// The schema this program writes, and the newest it reads.
pub(super) const SCHEMA: u64 = 1 + STEPS.len() as u64;
/// The first schema whose rows have seals.
const SEALED_FROM: u64 = 4;

/// Name of the schema in `BRUIT`.
const SCHEMA_NOTE: &str = "schema";
/// Name of the first arrival number that was certainly never given out.
const NEXT_SEQ_NOTE: &str = "next_seq";

/// Arrival numbers set aside on disk before they are given out, so that none is given out twice
/// even when a crash takes the bulletins that bore them.
pub(super) const SEQ_RESERVE: u64 = 1 << 24;

/// What a database turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A new one.
    Empty,
    /// A store of this schema.
    Store(u64),
    /// The database of another program.
    Foreign,
}

impl Found {
    /// Whether its rows have seals.
    pub(super) fn is_sealed(self) -> bool {
        matches!(self, Self::Store(schema) if schema >= SEALED_FROM)
    }
}

/// What `database` is.
///
/// # Errors
/// Damage, or input or output.
pub(super) fn found(database: &Database) -> Result<Found, redb::Error> {
    let transaction = database.begin_read()?;
    let tables: Vec<_> = transaction.list_tables()?.collect();
    if tables.is_empty() {
        return Ok(Found::Empty);
    }
    match transaction.open_table(BRUIT) {
        Ok(bruit) => match noted(&bruit, SCHEMA_NOTE)? {
            Some(schema) => Ok(Found::Store(schema)),
            None => Err(redb::Error::Corrupted("it names no schema".to_owned())),
        },
        Err(TableError::TableDoesNotExist(_)) => {
            let is_ours = tables.iter().any(|table| table.name() == BODIES.name());
            let lost = || redb::Error::Corrupted("a table is lost".to_owned());
            if is_ours {
                Err(lost())
            } else {
                Ok(Found::Foreign)
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Creates what is missing, takes the steps that are left, and sets arrival numbers aside. Returns
/// the first one to give out.
///
/// # Errors
/// Input or output, or damage: the store is at the end of one of the steps.
pub(super) fn prepare(database: &Database, found: Found) -> Result<u64, redb::Error> {
    if let Found::Store(schema) = found {
        for (step, before) in STEPS
            .iter()
            .zip(1..)
            .filter(|(_, before)| *before >= schema)
        {
            let transaction = begin(database)?;
            step(&transaction)?;
            note(&transaction, SCHEMA_NOTE, before + 1)?;
            transaction.commit()?;
        }
    }
    let transaction = begin(database)?;
    if found == Found::Empty {
        note(&transaction, SCHEMA_NOTE, SCHEMA)?;
    }
    let last = {
        transaction.open_table(META)?;
        Bodies::open(&transaction)?;
        FileTables::open(&transaction)?;
        // A crash left them without their ids.
        let seen = transaction.open_table(SEEN)?;
        let mut versions = transaction.open_table(VERSIONS)?;
        versions.retain(|key, _| matches!(seen.get(key), Ok(Some(_)) | Err(_)))?;
        bodies::last_seq(&transaction)?
    };
    let next_seq = noted_in(&transaction, NEXT_SEQ_NOTE)?
        .unwrap_or(1)
        .max(last + 1);
    reserve(&transaction, next_seq)?;
    transaction.commit()?;
    Ok(next_seq)
}

/// Sets arrival numbers from `next_seq` on aside. Returns the first that is not.
pub(super) fn reserve(transaction: &WriteTransaction, next_seq: u64) -> Result<u64, redb::Error> {
    let reserved = next_seq.saturating_add(SEQ_RESERVE);
    note(transaction, NEXT_SEQ_NOTE, reserved)?;
    Ok(reserved)
}

/// Gives back the arrival numbers set aside from `next_seq` on.
pub(super) fn give_back(transaction: &WriteTransaction, next_seq: u64) -> Result<(), redb::Error> {
    note(transaction, NEXT_SEQ_NOTE, next_seq)
}

/// The first arrival number that was certainly never given out, where that can be read.
pub(super) fn next_seq(transaction: &ReadTransaction) -> Result<Option<u64>, redb::Error> {
    noted(&transaction.open_table(BRUIT)?, NEXT_SEQ_NOTE)
}

/// Makes a database with our tables a store, whose first arrival is to have the number `next_seq`.
pub(super) fn create(transaction: &WriteTransaction, next_seq: u64) -> Result<(), redb::Error> {
    note(transaction, SCHEMA_NOTE, SCHEMA)?;
    give_back(transaction, next_seq)
}

fn noted_in(transaction: &WriteTransaction, name: &str) -> Result<Option<u64>, redb::Error> {
    noted(&transaction.open_table(BRUIT)?, name)
}

/// Notes a number that tells whether it is as it was written.
pub(super) fn note(
    transaction: &WriteTransaction,
    name: &str,
    number: u64,
) -> Result<(), redb::Error> {
    let mut bruit = transaction.open_table(BRUIT)?;
    bruit.insert(name, number)?;
    bruit.insert(seal_note(name).as_str(), seal_of(name, number))?;
    Ok(())
}

/// A number and what tells whether it is as it was written. Older schemas had no seals, so that a
/// schema without one must be older, and one with must not.
fn noted(
    bruit: &impl ReadableTable<&'static str, u64>,
    name: &str,
) -> Result<Option<u64>, redb::Error> {
    let Some(number) = bruit.get(name)?.map(|number| number.value()) else {
        return Ok(None);
    };
    let seal = bruit
        .get(seal_note(name).as_str())?
        .map(|seal| seal.value());
    let is_old = match bruit.get(SCHEMA_NOTE)? {
        Some(schema) => schema.value() < SEALED_FROM,
        None => false,
    };
    let is_whole = match seal {
        Some(seal) => seal == seal_of(name, number),
        None => is_old,
    };
    if is_whole {
        Ok(Some(number))
    } else {
        Err(redb::Error::Corrupted(format!(
            "the note `{name}` has a broken seal"
        )))
    }
}

fn seal_note(name: &str) -> String {
    format!("{name} seal")
}

fn seal_of(name: &str, number: u64) -> u64 {
    let seal: [u8; SEAL_BYTES] = Sealed::Bruit.seal(name.as_bytes(), &number.to_be_bytes());
    u64::from_be_bytes(seal)
}

// The steps.

/// To schema 4.
fn seal_rows(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    if let Some(next_seq) = noted_in(transaction, NEXT_SEQ_NOTE)? {
        note(transaction, NEXT_SEQ_NOTE, next_seq)?;
    }
    let mut bodies = transaction.open_table(BODIES)?;
    for seq in keys(&bodies, |seq| seq)? {
        let sealed = sealed(bodies.get(seq)?, Sealed::Bodies, &seq.to_be_bytes());
        bodies.insert(seq, sealed.as_slice())?;
    }
    let mut seen = transaction.open_table(SEEN)?;
    for key in keys(&seen, |key| *key)? {
        let sealed = sealed(seen.get(&key)?, Sealed::Seen, &key);
        seen.insert(&key, sealed.as_slice())?;
    }
    let mut versions = transaction.open_table(VERSIONS)?;
    for key in keys(&versions, |key| *key)? {
        let sealed = sealed(versions.get(&key)?, Sealed::Versions, &key);
        versions.insert(&key, sealed.as_slice())?;
    }
    let mut meta = transaction.open_table(META)?;
    for key in keys(&meta, str::to_owned)? {
        let sealed = sealed(meta.get(key.as_str())?, Sealed::Meta, key.as_bytes());
        meta.insert(key.as_str(), sealed.as_slice())?;
    }
    Ok(())
}

/// To schema 5.
fn drop_lists(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.delete_table(TOPICS)?;
    Ok(())
}

/// The keys of a table, which cannot be changed while it is walked.
fn keys<K: Key + 'static, O>(
    table: &Table<'_, K, &'static [u8]>,
    own: impl Fn(K::SelfType<'_>) -> O,
) -> Result<Vec<O>, redb::Error> {
    let rows = table.iter()?;
    let own = |(key, _): (AccessGuard<'_, K>, _)| own(key.value());
    Ok(rows.map(|row| row.map(own)).collect::<Result<_, _>>()?)
}

fn sealed(row: Option<AccessGuard<'_, &'static [u8]>>, table: Sealed, key: &[u8]) -> Vec<u8> {
    row.map_or_else(Vec::new, |row| table.close(key, row.value()))
}
