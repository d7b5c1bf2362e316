//! Finds rows in a damaged file without the database: page by page, whatever leads there.
//!
//! The database keeps rows in leaves that begin at multiples of 4,096 bytes (redb 4, `docs/design.md`,
//! "Leaf"):
//!
//! ```text
//! 1: u8 | 0: u8 | rows: u16 | end of each row: rows × u32 | keys: rows × [8 or 40] | the rows, one after the other
//! ```
//!
//! with numbers that have their lowest byte first. A page that was given up may still hold rows as they
//! were once. What makes a row is its seal, so that nothing else is ever taken for one.

use std::io;

use super::medium::Medium;
use super::pack;
use super::rows::{self, LONG_KEY_BYTES};
use super::seal::Sealed;
use super::{Known, StoredBulletin};

/// Where leaves begin.
const PAGE_BYTES: u64 = 4_096;
/// The first byte of a leaf.
const LEAF: u8 = 1;
/// Most bytes looked at for a leaf: a bulletin has room in half of it.
const LEAF_BYTES_MAX: usize = 128 << 10;
/// Bytes of a key of `bodies`.
const SHORT_KEY_BYTES: usize = 8;

/// A row that was found.
#[derive(Debug)]
pub(super) enum Row {
    Body(StoredBulletin),
    /// A known id, as it is in its key and its value.
    Seen(Known, [u8; LONG_KEY_BYTES], Vec<u8>),
    /// The version a known id is, as it is in its key and its value.
    Version([u8; LONG_KEY_BYTES], Vec<u8>),
}

/// Shows every row with a whole seal in the file of `medium`, older versions of some included.
pub(super) fn carve(medium: &dyn Medium, mut visit: impl FnMut(Row)) -> io::Result<()> {
    let len = medium.len()?;
    let page = usize::try_from(PAGE_BYTES).expect("small");
    for start in (PAGE_BYTES..len).step_by(page) {
        // What cannot be read holds no row.
        let Ok(mut leaf) = medium.part(start, page) else {
            continue;
        };
        if leaf.first() != Some(&LEAF) {
            continue;
        }
        let whole = ends(&leaf).max().unwrap_or(0);
        if whole > page
            && let Ok(more) = medium.part(start, whole.min(LEAF_BYTES_MAX))
        {
            leaf = more;
        }
        bodies(&leaf, &mut visit);
        known_ids(&leaf, &mut visit);
    }
    Ok(())
}

/// Where the rows of `leaf` end.
fn ends(leaf: &[u8]) -> impl Iterator<Item = usize> {
    let count = leaf.get(2..4).and_then(|count| count.try_into().ok());
    let count = usize::from(u16::from_le_bytes(count.unwrap_or_default()));
    let ends = leaf
        .get(4..4 + count * size_of::<u32>())
        .unwrap_or_default();
    let ends = ends.as_chunks::<4>().0.iter();
    ends.map(|end| usize::try_from(u32::from_le_bytes(*end)).unwrap_or(usize::MAX))
}

fn bodies(leaf: &[u8], visit: &mut impl FnMut(Row)) {
    each_row::<SHORT_KEY_BYTES>(leaf, |key, row| {
        let seq = u64::from_le_bytes(*key);
        if let Some(body) = rows::sealed_body(seq, row) {
            visit(Row::Body(body));
            return;
        }
        for body in pack::entries(row).filter_map(|entry| entry.body()) {
            visit(Row::Body(body));
        }
    });
}

fn known_ids(leaf: &[u8], visit: &mut impl FnMut(Row)) {
    each_row::<LONG_KEY_BYTES>(leaf, |key, row| {
        let value = Sealed::Seen.open(key, row);
        let known = value.and_then(|value| Some((rows::known(key, value)?, value)));
        if let Some((known, value)) = known {
            visit(Row::Seen(known, *key, value.to_vec()));
        }
        let version = Sealed::Versions.open(key, row);
        if let Some(value) = version.filter(|value| rows::version(value).is_some()) {
            visit(Row::Version(*key, value.to_vec()));
        }
    });
}

/// Shows what would be the rows of `leaf` if its keys had `KEY` bytes; where their ends make no sense,
/// those around are left out.
fn each_row<const KEY: usize>(leaf: &[u8], mut visit: impl FnMut(&[u8; KEY], &[u8])) {
    let count = ends(leaf).count();
    let keys_start = 4 + count * size_of::<u32>();
    let mut start = keys_start + count * KEY;
    let keys = leaf.get(keys_start..start).unwrap_or_default();
    for (end, key) in ends(leaf).zip(keys.as_chunks::<KEY>().0) {
        if let Some(row) = leaf.get(start..end) {
            visit(key, row);
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_leaf_are_found_beside_those_whose_ends_make_no_sense() {
        let mut leaf = vec![LEAF, 0, 3, 0];
        for end in [43_u32, 900, 46] {
            leaf.extend(end.to_le_bytes());
        }
        for key in 1..=3_u64 {
            leaf.extend(key.to_le_bytes());
        }
        leaf.extend(b"row");
        let mut found = Vec::new();
        each_row::<8>(&leaf, |key, row| found.push((key[0], row.to_vec())));
        assert_eq!(found, [(1, b"row".to_vec())]);
        for len in 0..leaf.len() {
            each_row::<8>(&leaf[..len], |_, row| assert!(row.len() < 3));
        }
    }
}
