//! The chunks of large contents.
//!
//! ```text
//! files    key [id: 32]            value [manifest: 38][bit for each chunk: 0..=128]
//! chunks   key [id: 32][index: 4]        value [chunk with its proof: 0..]
//!              [id: 32][2³¹ + index: 4]        [the rest of it]?
//! ```
//!
//! A row of the database takes 1, 2, 4 or 8 pages. A chunk with its proof is a little longer than one page or
//! four; what goes beyond lies apart, with the like of it.
//!
//! Unlike those of bulletins the keys do not rise with time: a chunk may be stored before its manifest is, and
//! next to 16 KiB of bytes a page more does not count. The chunks of one content lie side by side.
//!
//! Invariant: a bit is set only in the transaction that writes its chunk; a content goes with its manifest, and
//! one whose manifest never came is gone when the store is opened next.

use bruit_core::id::BulletinId;
use bruit_core::large::{Bitmap, Manifest};
use bruit_core::wire::{decode_all, encode_to_bytes};
use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

/// Bytes of a key of `chunks`.
const CHUNK_KEY_BYTES: usize = 36;

/// Bytes of a page of the database.
const PAGE_BYTES: usize = 4_096;
/// What the database needs of a row's pages for its key, its length, and what a page is (redb 4,
/// `docs/design.md`, "Leaf").
const ROW_OVERHEAD_BYTES: usize = CHUNK_KEY_BYTES + 8;
/// Added to the index of a chunk for the rest of it. A content has 1,024 chunks at most.
const REST: u32 = 1 << 31;

/// Contents by the id of their manifest.
const FILES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("files");
/// Chunks by content and index.
const CHUNKS: TableDefinition<'_, &[u8; CHUNK_KEY_BYTES], &[u8]> = TableDefinition::new("chunks");

/// A large content the store knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    /// The id of its manifest.
    pub id: BulletinId,
    /// Its manifest.
    pub manifest: Manifest,
    /// Which chunks are there.
    pub have: Bitmap,
}

/// The open tables of one transaction.
pub(super) struct FileTables<'a> {
    files: Table<'a, &'static [u8; 32], &'static [u8]>,
    chunks: Table<'a, &'static [u8; CHUNK_KEY_BYTES], &'static [u8]>,
}

impl<'a> FileTables<'a> {
    /// Opens the tables, creating them in a store of an older schema.
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            files: transaction.open_table(FILES)?,
            chunks: transaction.open_table(CHUNKS)?,
        })
    }

    /// Notes a content, unless it is known.
    pub(super) fn put_file(
        &mut self,
        id: &BulletinId,
        manifest: &Manifest,
    ) -> Result<(), redb::Error> {
        if self.files.get(id.as_bytes())?.is_none() {
            self.write_file(id, manifest, &Bitmap::none(manifest.chunks()))?;
        }
        Ok(())
    }

    /// Keeps a chunk of a content that is known.
    pub(super) fn put_chunk(
        &mut self,
        id: &BulletinId,
        index: u32,
        piece: &[u8],
    ) -> Result<(), redb::Error> {
        let Some(mut file) = self.read_file(id)? else {
            return Ok(());
        };
        let (first, rest) = piece.split_at(first_len(piece.len()));
        self.chunks.insert(&chunk_key(id, index), first)?;
        if rest.is_empty() {
            self.chunks.remove(&chunk_key(id, index | REST))?;
        } else {
            self.chunks.insert(&chunk_key(id, index | REST), rest)?;
        }
        if file.have.set(index) {
            self.write_file(id, &file.manifest, &file.have)?;
        }
        Ok(())
    }

    /// Takes away a content, if there is one of this manifest.
    pub(super) fn remove(&mut self, id: &BulletinId) -> Result<(), redb::Error> {
        if self.files.remove(id.as_bytes())?.is_none() {
            return Ok(());
        }
        let (first, last) = (chunk_key(id, 0), chunk_key(id, u32::MAX));
        let all = &first..=&last;
        self.chunks
            .retain_in::<&[u8; CHUNK_KEY_BYTES], _>(all, |_, _| false)?;
        Ok(())
    }

    /// Takes away every content whose manifest is not held; returns the others.
    pub(super) fn recover(
        &mut self,
        is_held: impl Fn(&BulletinId) -> bool,
    ) -> Result<Vec<KnownFile>, redb::Error> {
        let (mut held, mut orphans) = (Vec::new(), Vec::new());
        for row in self.files.iter()? {
            let (key, value) = row?;
            let id = BulletinId::from_bytes(*key.value());
            match known(id, value.value()) {
                Ok(file) if is_held(&id) => held.push(file),
                // A row that is damaged is none: what it told of is fetched again with its manifest.
                _ => orphans.push(id),
            }
        }
        for orphan in &orphans {
            self.remove(orphan)?;
        }
        Ok(held)
    }

    fn read_file(&self, id: &BulletinId) -> Result<Option<KnownFile>, redb::Error> {
        let row = self.files.get(id.as_bytes())?;
        row.map(|row| known(*id, row.value())).transpose()
    }

    fn write_file(
        &mut self,
        id: &BulletinId,
        manifest: &Manifest,
        have: &Bitmap,
    ) -> Result<(), redb::Error> {
        let mut row = encode_to_bytes(manifest).to_vec();
        row.extend_from_slice(have.as_bytes());
        self.files.insert(id.as_bytes(), row.as_slice())?;
        Ok(())
    }
}

/// A chunk with its proof, where it is on disk.
pub(super) fn piece(
    transaction: &ReadTransaction,
    id: &BulletinId,
    index: u32,
) -> Result<Option<Bytes>, redb::Error> {
    let chunks = transaction.open_table(CHUNKS)?;
    let Some(first) = chunks.get(&chunk_key(id, index))? else {
        return Ok(None);
    };
    let rest = chunks.get(&chunk_key(id, index | REST))?;
    let rest = rest.as_ref().map_or(&[][..], |rest| rest.value());
    Ok(Some([first.value(), rest].concat().into()))
}

/// How many of `len` bytes fill 1, 2, 4 or more pages; all where they do not fill one.
fn first_len(len: usize) -> usize {
    let filled = |pages: usize| pages * PAGE_BYTES - ROW_OVERHEAD_BYTES;
    let powers = (0..).map(|power| filled(1 << power));
    powers
        .take_while(|filled| *filled <= len)
        .last()
        .unwrap_or(len)
}

fn chunk_key(id: &BulletinId, index: u32) -> [u8; CHUNK_KEY_BYTES] {
    let mut key = [0; CHUNK_KEY_BYTES];
    key[..32].copy_from_slice(id.as_bytes());
    key[32..].copy_from_slice(&index.to_be_bytes());
    key
}

fn known(id: BulletinId, row: &[u8]) -> Result<KnownFile, redb::Error> {
    let read = || {
        let (manifest, bits) = row.split_at_checked(Manifest::BYTES)?;
        let manifest: Manifest = decode_all(manifest).ok()?;
        let have = Bitmap::read(bits, manifest.chunks())?;
        Some(KnownFile { id, manifest, have })
    };
    read().ok_or_else(|| redb::Error::Corrupted("a row of files is none".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fill_pages_lies_apart() {
        let lens = [0, 4_051, 4_052, 4_200, 8_147, 8_148, 16_339, 16_340, 16_900];
        let first = [0, 4_051, 4_052, 4_052, 4_052, 8_148, 8_148, 16_340, 16_340];
        assert_eq!(lens.map(first_len), first);
    }
}
