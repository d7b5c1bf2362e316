//! The one transaction that changes the tables.
//!
//! Whatever a batch does can be done again over its own result, so that a batch whose commit failed
//! may be repeated. A row that cannot be read is no obstacle to replacing or removing it.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use bruit_core::id::{BulletinId, TopicId};
use bruit_core::time::Wall;
use bytes::Bytes;
use redb::{ReadableTable, Table, TableError, WriteTransaction};

use super::bodies::Bodies;
use super::disk::{Index, META, SEEN, VERSIONS};
use super::files::FileTables;
use super::lists::Listing;
use super::rows::{self, LONG_KEY_BYTES};
use super::seal::Sealed;
use super::{Held, StoredBulletin, Write};

/// What a batch made of an id.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// Its body is on disk, under this number.
    Held(u64),
    /// Its body came under this number, and was evicted.
    Gone(u64),
    Forgotten,
}

/// What a batch changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) ids: BTreeMap<BulletinId, Change>,
    /// Of the lists of topics, in order.
    pub(super) lists: Vec<Listing>,
    /// Packs that hold more in vain.
    pub(super) wasted: BTreeSet<u64>,
}

/// What is known of a body without reading it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    seq: u64,
    topic: TopicId,
    created: Wall,
    expires: Wall,
}

/// Applies `batch` within `transaction`; `index` is where the bodies were before it.
///
/// # Errors
/// Damage, or input or output: the transaction is good for nothing then.
pub(super) fn apply(
    transaction: &WriteTransaction,
    index: &Index,
    batch: &[Write],
) -> Result<Changes, redb::Error> {
    let mut tables = Tables::open(transaction, index)?;
    tables.note_lost(batch)?;
    batch.iter().try_for_each(|write| tables.apply(write))?;
    let mut changes = mem::take(&mut tables.changes);
    changes.wasted = tables.bodies.into_wasted();
    Ok(changes)
}

/// The open tables of one transaction.
struct Tables<'a> {
    bodies: Bodies<'a>,
    seen: Table<'a, &'static [u8; LONG_KEY_BYTES], &'static [u8]>,
    versions: Table<'a, &'static [u8; LONG_KEY_BYTES], &'static [u8]>,
    meta: Table<'a, &'static str, &'static [u8]>,
    files: FileTables<'a>,
    index: &'a Index,
    changes: Changes,
    /// Of bodies that cannot be read.
    lost: BTreeMap<BulletinId, Entry>,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction, index: &'a Index) -> Result<Self, TableError> {
        Ok(Self {
            bodies: Bodies::open(transaction)?,
            seen: transaction.open_table(SEEN)?,
            versions: transaction.open_table(VERSIONS)?,
            meta: transaction.open_table(META)?,
            files: FileTables::open(transaction)?,
            index,
            changes: Changes::default(),
            lost: BTreeMap::new(),
        })
    }

    fn apply(&mut self, write: &Write) -> Result<(), redb::Error> {
        match write {
            Write::Put(bulletin) => self.put(bulletin),
            Write::Seen {
                id,
                created,
                expires,
            } => self.see(id, *created, *expires),
            Write::Version {
                id,
                expires,
                version,
            } => {
                let key = rows::seen_key(*expires, id);
                let value = Sealed::Versions.close(&key, &rows::version_value(version));
                self.versions.insert(&key, value.as_slice())?;
                Ok(())
            }
            Write::Restamp {
                id,
                stamp_bits,
                bytes,
            } => self.restamp(id, *stamp_bits, bytes),
            Write::Evict { id } => self.evict(id),
            Write::Purge { ids } => ids
                .iter()
                .try_for_each(|(id, expires)| self.purge(id, *expires)),
            Write::Meta { key, value } => {
                let value = Sealed::Meta.close(key.as_bytes(), value);
                self.meta.insert(*key, value.as_slice())?;
                Ok(())
            }
            Write::Lost { bodies } => bodies.iter().try_for_each(|(id, seq)| self.lose(id, *seq)),
            Write::File { id, manifest } => self.files.put_file(id, manifest),
            Write::Chunk { id, index, piece } => self.files.put_chunk(id, *index, piece),
            Write::Barrier(_) => Ok(()),
        }
    }

    /// Arrival number of the body of `id`, as this batch has left it.
    fn seq(&self, id: &BulletinId) -> Option<u64> {
        match self.changes.ids.get(id) {
            Some(Change::Held(seq)) => Some(*seq),
            Some(Change::Gone(_) | Change::Forgotten) => None,
            None => self.index.held.get(id).copied(),
        }
    }

    /// Whether `id` arrived once, as this batch has left it.
    fn has_arrived(&self, id: &BulletinId) -> bool {
        match self.changes.ids.get(id) {
            Some(change) => !matches!(change, Change::Forgotten),
            None => self.index.arrival(id).is_some(),
        }
    }

    fn put(&mut self, bulletin: &StoredBulletin) -> Result<(), redb::Error> {
        if self
            .seq(&bulletin.id)
            .is_some_and(|seq| seq != bulletin.seq)
        {
            self.remove_body(&bulletin.id)?;
        }
        self.bodies.put(bulletin)?;
        self.write_held(bulletin)?;
        let listing = Listing::Add(bulletin.topic, bulletin.seq, bulletin.created);
        self.changes.lists.push(listing);
        let change = Change::Held(bulletin.seq);
        self.changes.ids.insert(bulletin.id, change);
        Ok(())
    }

    /// Writes the row of an id whose body is there.
    fn write_held(&mut self, bulletin: &StoredBulletin) -> Result<(), redb::Error> {
        let value = rows::held_value(bulletin.created, &Held::of(bulletin));
        self.write_seen(bulletin.expires, &bulletin.id, &value)
    }

    fn write_seen(
        &mut self,
        expires: Wall,
        id: &BulletinId,
        value: &[u8],
    ) -> Result<(), redb::Error> {
        let key = rows::seen_key(expires, id);
        let sealed = Sealed::Seen.close(&key, value);
        self.seen.insert(&key, sealed.as_slice())?;
        Ok(())
    }

    fn see(&mut self, id: &BulletinId, created: Wall, expires: Wall) -> Result<(), redb::Error> {
        if !self.has_arrived(id) {
            self.write_seen(expires, id, &created.as_millis().to_be_bytes())?;
        }
        Ok(())
    }

    fn restamp(
        &mut self,
        id: &BulletinId,
        stamp_bits: u8,
        bytes: &Bytes,
    ) -> Result<(), redb::Error> {
        let Some(head) = self
            .seq(id)
            .map(|seq| self.bodies.head(seq))
            .transpose()?
            .flatten()
        else {
            return Ok(());
        };
        let bulletin = StoredBulletin {
            stamp_bits,
            bytes: bytes.clone(),
            ..head
        };
        self.bodies.replace(&bulletin)?;
        self.write_held(&bulletin)
    }

    fn evict(&mut self, id: &BulletinId) -> Result<(), redb::Error> {
        self.files.remove(id)?;
        if let Some(body) = self.remove_body(id)? {
            let gone = rows::gone_value(body.created, body.seq);
            self.write_seen(body.expires, id, &gone)?;
            self.changes.ids.insert(*id, Change::Gone(body.seq));
        }
        Ok(())
    }

    fn purge(&mut self, id: &BulletinId, expires: Wall) -> Result<(), redb::Error> {
        self.files.remove(id)?;
        let expires = self.remove_body(id)?.map_or(expires, |body| body.expires);
        let key = rows::seen_key(expires, id);
        self.seen.remove(&key)?;
        self.versions.remove(&key)?;
        self.changes.ids.insert(*id, Change::Forgotten);
        Ok(())
    }

    /// Gives up the body of `id` that lies under `seq`, unless a good one has come since.
    fn lose(&mut self, id: &BulletinId, seq: u64) -> Result<(), redb::Error> {
        if self.seq(id) == Some(seq) {
            self.evict(id)?;
        }
        Ok(())
    }

    /// Takes away the body of `id` and its place in the topic's list. Returns what it was.
    fn remove_body(&mut self, id: &BulletinId) -> Result<Option<Entry>, redb::Error> {
        let Some(seq) = self.seq(id) else {
            return Ok(None);
        };
        self.changes.ids.insert(*id, Change::Forgotten);
        let entry = self.entry(id, seq)?;
        self.bodies.remove(seq)?;
        if let Some(entry) = &entry {
            self.changes.lists.push(Listing::Remove(entry.topic, seq));
        }
        Ok(entry)
    }

    fn entry(&self, id: &BulletinId, seq: u64) -> Result<Option<Entry>, redb::Error> {
        if let Some(head) = self.bodies.head(seq)?.filter(|head| head.id == *id) {
            return Ok(Some(Entry {
                seq,
                topic: head.topic,
                created: head.created,
                expires: head.expires,
            }));
        }
        if let Some(entry) = self.lost.get(id).filter(|entry| entry.seq == seq) {
            return Ok(Some(*entry));
        }
        let found = self.walk(&BTreeSet::from([*id]))?;
        Ok(found.get(id).copied())
    }

    /// Looks up what `batch` gives up, all in one walk: the row of an id lies under the end of its
    /// validity, which only the body knew.
    fn note_lost(&mut self, batch: &[Write]) -> Result<(), redb::Error> {
        let lost = batch.iter().flat_map(|write| match write {
            Write::Lost { bodies } => bodies.as_slice(),
            _ => &[],
        });
        let ids: BTreeSet<_> = lost.map(|(id, _)| *id).collect();
        if !ids.is_empty() {
            self.lost = self.walk(&ids)?;
        }
        Ok(())
    }

    fn walk(&self, ids: &BTreeSet<BulletinId>) -> Result<BTreeMap<BulletinId, Entry>, redb::Error> {
        let mut found = BTreeMap::new();
        for row in self.seen.iter()? {
            let (key, row) = row?;
            let known = rows::sealed_known(key.value(), row.value());
            let Some(known) = known.filter(|known| ids.contains(&known.id)) else {
                continue;
            };
            if let Some(held) = known.held {
                let entry = Entry {
                    seq: held.seq,
                    topic: held.topic,
                    created: known.created,
                    expires: known.expires,
                };
                found.insert(known.id, entry);
            }
        }
        Ok(found)
    }
}
