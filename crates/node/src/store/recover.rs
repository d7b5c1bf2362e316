//! What a store knew, read back when it is opened.
//!
//! Every row of what is read here has to be whole: otherwise the store is mended first.

use std::collections::BTreeMap;

use bruit_core::id::BulletinId;
use redb::{Database, ReadableDatabase, ReadableTable};

use super::bodies;
use super::disk::{Index, META, SEEN, VERSIONS, begin};
use super::files::FileTables;
use super::lists::Listing;
use super::rows;
use super::seal::Sealed;
use super::{KnownFile, Recovered};

/// Reads back ids, index and the node's own notes.
///
/// # Errors
/// Damage, or input or output.
pub(super) fn recover(
    database: &Database,
    next_seq: u64,
) -> Result<(Recovered, Index), redb::Error> {
    let transaction = database.begin_read()?;
    let mut index = Index {
        wasted: bodies::all_wasted(&transaction)?,
        ..Index::default()
    };
    let mut seen = Vec::new();
    let versions = transaction.open_table(VERSIONS)?;
    for row in transaction.open_table(SEEN)?.iter()? {
        let (key, row) = row?;
        let value = Sealed::Seen.open(key.value(), row.value());
        let value = value.ok_or_else(|| broken("a known id"))?;
        let mut known = rows::known(key.value(), value).ok_or_else(|| broken("a known id"))?;
        if let Some(row) = versions.get(key.value())? {
            let version = Sealed::Versions.open(key.value(), row.value());
            let version = version.and_then(rows::version);
            known.version = Some(version.ok_or_else(|| broken("a version"))?);
        }
        if let Some(held) = &known.held {
            index.held.insert(known.id, held.seq);
            let listing = Listing::Add(held.topic, held.seq, known.created);
            index.lists.take(listing);
        }
        index
            .gone
            .extend(rows::gone_seq(value).map(|seq| (known.id, seq)));
        seen.push(known);
    }
    let mut meta = BTreeMap::new();
    for row in transaction.open_table(META)?.iter()? {
        let (key, row) = row?;
        let note = Sealed::Meta.open(key.value().as_bytes(), row.value());
        let note = note.ok_or_else(|| broken("a note of the node"))?;
        meta.insert(key.value().to_owned(), note.to_vec());
    }
    drop(versions);
    drop(transaction);
    let files = recover_files(database, &index)?;
    // A manifest counts as what it stands for.
    let total = |file: &KnownFile| (file.id, file.manifest.total_bytes());
    let totals: BTreeMap<BulletinId, u32> = files.iter().map(total).collect();
    for known in &mut seen {
        if let (Some(held), Some(total)) = (&mut known.held, totals.get(&known.id)) {
            held.size = *total;
        }
    }
    let recovered = Recovered {
        seen,
        next_seq,
        files,
        meta,
        mended: None,
    };
    Ok((recovered, index))
}

/// Reads back large contents, and takes away those whose manifests never came.
fn recover_files(database: &Database, index: &Index) -> Result<Vec<KnownFile>, redb::Error> {
    let transaction = begin(database)?;
    let files = FileTables::open(&transaction)?.recover(|id| index.held.contains_key(id))?;
    transaction.commit()?;
    Ok(files)
}

fn broken(what: &str) -> redb::Error {
    redb::Error::Corrupted(format!("the row of {what} is not as it was written"))
}
