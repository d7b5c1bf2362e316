//! Saves what can be read of a damaged store into a new one, and keeps the damaged one aside.
//!
//! Nothing is written to the damaged file: it is read through a view that keeps every write in memory,
//! and where that leads nowhere, page by page. A row is saved only when its seal is whole, so that what
//! was saved is what was written.

use std::collections::{BTreeMap, BTreeSet};

use bruit_core::id::BulletinId;
use bruit_core::time::Wall;
use redb::{
    Builder, Database, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table,
    TableDefinition, Value, WriteTransaction,
};

use super::bodies::{BODIES, Bodies as BodyTables, PACKS};
use super::carve::{Row, carve};
use super::disk::{META, Open, SEEN, VERSIONS, begin, builder, guarded};
use super::medium::Medium;
use super::pack;
use super::rows::{self, LONG_KEY_BYTES};
use super::schema::{self, Found, SCHEMA, SEQ_RESERVE};
use super::seal::Sealed;
use super::{Held, Known, Mended, StoreError, StoredBulletin};

/// How a file of ours begins: with the database's mark, or with nothing, where a disk lost a sector.
const MARK: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// Whether the whole database in `medium` is as it was written.
pub(super) fn is_sound(medium: &dyn Medium, cache_bytes: usize) -> bool {
    let Some(mut database) = open_frozen(medium, &builder(cache_bytes)) else {
        return false;
    };
    let checked = guarded(|| Ok(database.get_mut()?.check_integrity()?));
    matches!(checked, Ok(true))
}

/// Whether the file in `medium` was a database once.
pub(super) fn is_ours(medium: &dyn Medium) -> bool {
    medium.part(0, 512).is_ok_and(|head| {
        head.starts_with(MARK) || (head.len() == 512 && head.iter().all(|byte| *byte == 0))
    })
}

/// Puts a new store in the place of the damaged one in `medium`, with all of it that can be read.
///
/// # Errors
/// When the damaged one is not of a schema we know, or the disk does not take a new one: it is left
/// as it is then.
pub(super) fn mend(medium: &dyn Medium, cache_bytes: usize) -> Result<Mended, StoreError> {
    let builder = builder(cache_bytes);
    let old = open_frozen(medium, &builder);
    let found = old
        .as_ref()
        .and_then(|old| guarded(|| schema::found(old.get()?)).ok());
    match found {
        Some(Found::Store(schema)) if schema > SCHEMA => {
            return Err(StoreError::NewerSchema {
                file: medium.file().to_owned(),
                found: schema,
                supported: SCHEMA,
            });
        }
        Some(Found::Foreign) => return Err(StoreError::foreign(medium.file())),
        _ => {}
    }
    // A store that does not say what it is was the newest.
    let is_sealed = found.is_none_or(Found::is_sealed);
    let old = old
        .as_ref()
        .and_then(|old| guarded(|| Old::open(old.get()?, is_sealed)).ok());
    let mut saved = Saved::default();
    let aside = medium
        .begin_anew(&builder, &mut |new| {
            saved = Saved::default();
            let transaction = begin(new)?;
            Pour::open(&transaction)?.all(old.as_ref(), medium, &mut saved)?;
            let last = saved.seqs.last().map_or(0, |seq| *seq);
            let next_seq = old.as_ref().and_then(Old::next_seq);
            let next_seq = next_seq.unwrap_or(last + 2 * SEQ_RESERVE).max(last + 1);
            schema::create(&transaction, next_seq)?;
            Ok(transaction.commit()?)
        })
        .map_err(|error| StoreError::from_redb(error, medium.file()))?;
    Ok(Mended {
        aside,
        saved: saved.seqs.len(),
        lost: saved.lost,
    })
}

fn open_frozen(medium: &dyn Medium, builder: &Builder) -> Option<Open> {
    guarded(|| Ok(medium.open_frozen(builder)?))
        .ok()
        .map(Open::new)
}

/// A damaged store.
struct Old {
    transaction: ReadTransaction,
    is_sealed: bool,
}

impl Old {
    fn open(database: &Database, is_sealed: bool) -> Result<Self, redb::Error> {
        Ok(Self {
            transaction: database.begin_read()?,
            is_sealed,
        })
    }

    fn next_seq(&self) -> Option<u64> {
        guarded(|| schema::next_seq(&self.transaction))
            .ok()
            .flatten()
    }

    /// The row in `row`, where it is as it was written.
    fn row<'a>(&self, table: Sealed, key: &[u8], row: &'a [u8]) -> Option<&'a [u8]> {
        if self.is_sealed {
            table.open(key, row)
        } else {
            Some(row)
        }
    }

    fn body(&self, seq: u64, row: &[u8]) -> Option<StoredBulletin> {
        rows::body(seq, self.row(Sealed::Bodies, &seq.to_be_bytes(), row)?)
    }

    /// Shows every row of `table` that can be read, some of them twice: from the front up to the
    /// first damage, then from the back. Answers whether that was all.
    fn each<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
        mut visit: impl FnMut(K::SelfType<'_>, V::SelfType<'_>),
    ) -> bool {
        let mut walk = |is_backwards: bool| {
            guarded(|| {
                let table: ReadOnlyTable<K, V> = self.transaction.open_table(table)?;
                let mut rows = table.iter()?;
                loop {
                    let row = if is_backwards {
                        rows.next_back()
                    } else {
                        rows.next()
                    };
                    let Some(row) = row else { return Ok(()) };
                    let (key, value) = row?;
                    visit(key.value(), value.value());
                }
            })
        };
        if walk(false).is_ok() {
            return true;
        }
        // The rest of the rest is found without the database.
        walk(true).ok();
        false
    }
}

/// What was saved.
#[derive(Debug, Default)]
struct Saved {
    /// Of bodies.
    seqs: BTreeSet<u64>,
    /// Ids that are known and whose bodies are lost.
    lost: Vec<BulletinId>,
}

/// A row of a known id.
#[derive(Debug)]
struct SeenRow {
    key: [u8; LONG_KEY_BYTES],
    value: Vec<u8>,
    created: Wall,
    held: Option<u64>,
}

impl SeenRow {
    fn of(known: &Known, key: [u8; LONG_KEY_BYTES], value: &[u8]) -> Self {
        Self {
            key,
            value: value.to_vec(),
            created: known.created,
            held: known.held.map(|held| held.seq),
        }
    }
}

/// The known ids.
#[derive(Debug, Default)]
struct Seen {
    rows: BTreeMap<BulletinId, SeenRow>,
    /// That they are all there.
    is_whole: bool,
}

impl Seen {
    /// Reads what can be read through `old`; answers whether that was all.
    fn read(&mut self, old: &Old) -> bool {
        let mut is_whole = true;
        let is_walked = old.each(SEEN, |key, row| {
            let value = old.row(Sealed::Seen, key, row);
            match value.and_then(|value| Some((rows::known(key, value)?, value))) {
                Some((known, value)) => {
                    self.rows.insert(known.id, SeenRow::of(&known, *key, value));
                }
                None => is_whole = false,
            }
        });
        is_whole && is_walked
    }
}

/// Bodies on their way into a new store.
struct Bodies<'a, 'b> {
    pour: &'a mut Pour<'b>,
    seen: &'a BTreeMap<BulletinId, SeenRow>,
    /// An id that is not among `seen` was purged.
    is_closed: bool,
    saved: &'a mut Saved,
    /// Ids whose rows are lost and whose bodies are saved.
    strays: BTreeSet<BulletinId>,
    failed: Result<(), redb::Error>,
}

impl Bodies<'_, '_> {
    /// Saves `body`, unless it is there: where the id is known, the one under the number it is known by.
    fn save(&mut self, body: &StoredBulletin) {
        let is_wanted = match self.seen.get(&body.id) {
            Some(known) => known.held == Some(body.seq),
            None => !self.is_closed && !self.strays.contains(&body.id),
        };
        if !is_wanted || self.failed.is_err() || !self.saved.seqs.insert(body.seq) {
            return;
        }
        if !self.seen.contains_key(&body.id) {
            self.strays.insert(body.id);
        }
        self.failed = self.pour.body(body);
    }
}

/// The tables of a new store.
struct Pour<'a> {
    bodies: BodyTables<'a>,
    seen: Table<'a, &'static [u8; LONG_KEY_BYTES], &'static [u8]>,
    versions: Table<'a, &'static [u8; LONG_KEY_BYTES], &'static [u8]>,
    meta: Table<'a, &'static str, &'static [u8]>,
}

impl<'a> Pour<'a> {
    fn open(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            bodies: BodyTables::open(transaction)?,
            seen: transaction.open_table(SEEN)?,
            versions: transaction.open_table(VERSIONS)?,
            meta: transaction.open_table(META)?,
        })
    }

    /// Saves what can be read through `old`, and what is in `medium` without it.
    fn all(
        mut self,
        old: Option<&Old>,
        medium: &dyn Medium,
        saved: &mut Saved,
    ) -> Result<(), redb::Error> {
        if let Some(old) = old {
            self.notes(old)?;
        }
        let mut seen = Seen::default();
        seen.is_whole = old.is_some_and(|old| seen.read(old));
        let mut bodies = Bodies {
            pour: &mut self,
            seen: &seen.rows,
            is_closed: seen.is_whole,
            saved,
            strays: BTreeSet::new(),
            failed: Ok(()),
        };
        if let Some(old) = old {
            // A row of its own goes before one in a pack.
            old.each(BODIES, |seq, row| {
                if let Some(body) = old.body(seq, row) {
                    bodies.save(&body);
                }
            });
            old.each(PACKS, |_, pack| {
                for body in pack::entries(pack).filter_map(|entry| entry.body()) {
                    bodies.save(&body);
                }
            });
        }
        let (mut found, mut versions) = (Vec::new(), BTreeMap::new());
        carve(medium, |row| match row {
            Row::Body(body) => bodies.save(&body),
            Row::Seen(known, key, value) if !seen.is_whole => found.push((known, key, value)),
            Row::Seen(..) => {}
            Row::Version(key, value) => {
                versions.insert(key, value);
            }
        })?;
        let (failed, strays) = (bodies.failed, bodies.strays);
        failed?;
        for (known, key, value) in found {
            if !strays.contains(&known.id) {
                seen.rows
                    .entry(known.id)
                    .or_insert_with(|| SeenRow::of(&known, key, &value));
            }
        }
        if let Some(old) = old {
            old.each(VERSIONS, |key, row| {
                if let Some(value) = old.row(Sealed::Versions, key, row) {
                    versions.insert(*key, value.to_vec());
                }
            });
        }
        for (key, value) in versions {
            let sealed = Sealed::Versions.close(&key, &value);
            self.versions.insert(&key, sealed.as_slice())?;
        }
        for (id, row) in &seen.rows {
            self.known_id(id, row, saved)?;
        }
        Ok(())
    }

    fn notes(&mut self, old: &Old) -> Result<(), redb::Error> {
        let mut notes = BTreeMap::new();
        old.each(META, |key, row| {
            if let Some(note) = old.row(Sealed::Meta, key.as_bytes(), row) {
                notes.insert(key.to_owned(), note.to_vec());
            }
        });
        for (key, note) in notes {
            let sealed = Sealed::Meta.close(key.as_bytes(), &note);
            self.meta.insert(key.as_str(), sealed.as_slice())?;
        }
        Ok(())
    }

    fn known_id(
        &mut self,
        id: &BulletinId,
        row: &SeenRow,
        saved: &mut Saved,
    ) -> Result<(), redb::Error> {
        match row.held {
            Some(seq) if saved.seqs.contains(&seq) => Ok(()),
            Some(seq) => {
                saved.lost.push(*id);
                self.seen(&row.key, &rows::gone_value(row.created, seq))
            }
            None => self.seen(&row.key, &row.value),
        }
    }

    fn body(&mut self, body: &StoredBulletin) -> Result<(), redb::Error> {
        self.bodies.put(body)?;
        let value = rows::held_value(body.created, &Held::of(body));
        self.seen(&rows::seen_key(body.expires, &body.id), &value)
    }

    fn seen(&mut self, key: &[u8; LONG_KEY_BYTES], value: &[u8]) -> Result<(), redb::Error> {
        let sealed = Sealed::Seen.close(key, value);
        self.seen.insert(key, sealed.as_slice())?;
        Ok(())
    }
}
