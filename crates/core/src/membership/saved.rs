//! The address book on disk: `[version: u8][own_seq: u64][key: 32][neighbours: [u16 ≤ 64][id: 32]]
//! [count: u32][entry]`, neighbours with the anchors first, entries in the order of ids.
//!
//! One entry: `[table: u8][bucket: u8][reach: u8][failures: u8][source: 32][last_seen_ms: u64]
//! [first_failure_ms: u64][record]`. What is saved was verified when it was learned.

use bytes::Bytes;

use super::book::{Book, Entry, Table};
use super::group::{Reach, group_of};
use crate::id::NodeId;
use crate::limits;
use crate::record::Record;
use crate::time::{Mono, Wall};
use crate::wire::{Decode, DecodeError, Encode, Reader, encode_list};

const VERSION: u8 = 1;

/// What a node remembers over a restart.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) own_seq: u64,
    /// Anchors first.
    pub(super) neighbours: Vec<NodeId>,
    pub(super) book: Book,
}

/// The bytes to keep.
pub(super) fn encode(own_seq: u64, neighbours: &[NodeId], book: &Book) -> Bytes {
    let mut out = Vec::with_capacity(book.len().saturating_mul(256).saturating_add(64));
    out.push(VERSION);
    own_seq.encode(&mut out);
    book.key().encode(&mut out);
    encode_list(neighbours, &mut out);
    u32::try_from(book.len())
        .expect("bounded by its buckets")
        .encode(&mut out);
    for (_, entry) in book.iter() {
        encode_entry(entry, &mut out);
    }
    out.into()
}

fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    let (table, bucket) = entry.place;
    out.push(match table {
        Table::New => 0,
        Table::Tried => 1,
    });
    out.push(bucket);
    out.push(match entry.reach {
        Reach::Machine => 0,
        Reach::Site => 1,
        Reach::World => 2,
    });
    out.push(entry.failures);
    entry.source.encode(out);
    entry.last_seen.as_millis().encode(out);
    entry.first_failure.as_millis().encode(out);
    entry.record.encode(out);
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// Says what is wrong with the bytes.
pub(super) fn decode(
    bytes: &[u8],
    private_exempt: bool,
    bucket_entries: usize,
) -> Result<Saved, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(DecodeError::Invalid {
            what: "address book version",
            got: version.into(),
        });
    }
    let own_seq = reader.u64()?;
    let key = reader.array()?;
    let neighbours = reader.list("neighbours", limits::SAVED_NEIGHBOURS_MAX)?;
    let mut book = Book::new(key, private_exempt, bucket_entries);
    for _ in 0..reader.u32()? {
        book.restore(decode_entry(&mut reader, private_exempt)?);
    }
    reader.finish()?;
    Ok(Saved {
        own_seq,
        neighbours,
        book,
    })
}

fn decode_entry(reader: &mut Reader<'_>, private_exempt: bool) -> Result<Entry, DecodeError> {
    let table = if reader.bool("table")? {
        Table::Tried
    } else {
        Table::New
    };
    let bucket = reader.u8()?;
    if table == Table::Tried && bucket >= limits::TRIED_BUCKETS {
        return Err(DecodeError::Invalid {
            what: "bucket",
            got: bucket.into(),
        });
    }
    let reach = match reader.u8()? {
        0 => Reach::Machine,
        1 => Reach::Site,
        2 => Reach::World,
        got => {
            return Err(DecodeError::Invalid {
                what: "reach",
                got: got.into(),
            });
        }
    };
    let failures = reader.u8()?;
    let source = NodeId::decode(reader)?;
    let last_seen = Wall::from_millis(reader.u64()?);
    let first_failure = Wall::from_millis(reader.u64()?);
    let record = Record::decode(reader)?;
    let address = super::book::usable(&record, reach).next();
    Ok(Entry {
        group: group_of(address, &record.body.node, private_exempt),
        record,
        place: (table, bucket),
        source,
        reach,
        last_seen,
        alive_at: None,
        failures,
        first_failure,
        retry_at: Mono::ZERO,
    })
}
