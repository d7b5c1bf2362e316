//! The bytes of the store's rows, laid out by hand: big-endian, so that keys sort as numbers.
//!
//! Every key rises with time (`seq`, or the end of validity), so that writes append to their trees
//! instead of touching pages all over them.
//!
//! ```text
//! bodies   key [seq: 8]            value [id: 32][topic: 32][created: 8][expires: 8][received: 8]
//!                                        [hops: 1][stamp bits: 1][has from: 1][from: 32]?[bytes: 0..]
//! seen     key [expires: 8][id: 32] value [created: 8]                                   never had a body
//!                                         [created: 8][seq: 8]                           its body is gone
//!                                         [created: 8][seq: 8][size: 4][stamp bits: 1][topic: 32]
//! versions key [expires: 8][id: 32] value [value key: 16][seq: 8][clears: 1]
//! ```
//!
//! In `bodies`, `seen` and `versions` each value is followed by its seal, see `seal.rs`.

use bruit_core::id::{BulletinId, NodeId, TopicId, ValueKey};
use bruit_core::time::Wall;
use bruit_core::values::Version;
use bytes::Bytes;

use super::seal::{SEAL_BYTES, Sealed};
use super::{Held, Known, StoredBulletin};

/// Bytes of a key in `seen` and in `topics`.
pub(super) const LONG_KEY_BYTES: usize = 40;

/// Bytes of a body row before `from`.
const BODY_HEAD_BYTES: usize = 32 + 32 + 8 + 8 + 8 + 3;

/// Bytes of the value of a `seen` row whose body is gone.
const GONE_BYTES: usize = 8 + 8;

/// Bytes of the value of a `seen` row with a body.
const HELD_BYTES: usize = 8 + 8 + 4 + 1 + 32;

/// Bytes of the value of a `versions` row.
const VERSION_BYTES: usize = 16 + 8 + 1;

/// Takes a row apart from its front; `None` once it is too short.
pub(super) struct Cut<'a>(pub(super) &'a [u8]);

impl Cut<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn wall(&mut self) -> Option<Wall> {
        self.number().map(Wall::from_millis)
    }
}

/// Writes a row from its front into a slice of the right length.
pub(super) struct Fill<'a>(pub(super) &'a mut [u8]);

impl Fill<'_> {
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let row = std::mem::take(&mut self.0);
        let (head, rest) = row.split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        self.0 = rest;
    }
}

/// A key of two parts.
fn long_key(head: &[u8], tail: &[u8]) -> [u8; LONG_KEY_BYTES] {
    let mut key = [0; LONG_KEY_BYTES];
    let mut fill = Fill(&mut key);
    fill.put(head);
    fill.put(tail);
    key
}

/// The key of a known id.
pub(super) fn seen_key(expires: Wall, id: &BulletinId) -> [u8; LONG_KEY_BYTES] {
    long_key(&expires.as_millis().to_be_bytes(), id.as_bytes())
}

/// The value of a known id that has a body.
pub(super) fn held_value(created: Wall, held: &Held) -> [u8; HELD_BYTES] {
    let mut value = [0; HELD_BYTES];
    let mut fill = Fill(&mut value);
    fill.put(&created.as_millis().to_be_bytes());
    fill.put(&held.seq.to_be_bytes());
    fill.put(&held.size.to_be_bytes());
    fill.put(&[held.stamp_bits]);
    fill.put(held.topic.as_bytes());
    value
}

/// The value of a known id whose body is gone: its arrival stays, for the cursors that name it.
pub(super) fn gone_value(created: Wall, seq: u64) -> [u8; GONE_BYTES] {
    let mut value = [0; GONE_BYTES];
    let mut fill = Fill(&mut value);
    fill.put(&created.as_millis().to_be_bytes());
    fill.put(&seq.to_be_bytes());
    value
}

/// The value of a row of `versions`.
pub(super) fn version_value(version: &Version) -> [u8; VERSION_BYTES] {
    let mut value = [0; VERSION_BYTES];
    let mut fill = Fill(&mut value);
    fill.put(version.key.as_bytes());
    fill.put(&version.seq.to_be_bytes());
    fill.put(&[u8::from(version.clears)]);
    value
}

/// Reads the value of a row of `versions`; `None` when it is not one.
pub(super) fn version(value: &[u8]) -> Option<Version> {
    let mut cut = Cut(value);
    let version = Version {
        key: ValueKey::from_bytes(cut.array()?),
        seq: cut.number()?,
        clears: match cut.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        },
    };
    cut.0.is_empty().then_some(version)
}

/// The arrival of a known id whose body is gone.
pub(super) fn gone_seq(value: &[u8]) -> Option<u64> {
    let mut cut = Cut(value);
    (value.len() == GONE_BYTES).then_some(())?;
    cut.wall()?;
    cut.number()
}

/// Reads a row of `seen`; `None` when it is not one.
pub(super) fn known(key: &[u8; LONG_KEY_BYTES], value: &[u8]) -> Option<Known> {
    let mut cut = Cut(key);
    let (expires, id) = (cut.wall()?, BulletinId::from_bytes(cut.array()?));
    let mut cut = Cut(value);
    let created = cut.wall()?;
    if cut.0.is_empty() || value.len() == GONE_BYTES {
        return Some(Known {
            id,
            created,
            expires,
            held: None,
            version: None,
        });
    }
    let held = Held {
        seq: cut.number()?,
        size: cut.array().map(u32::from_be_bytes)?,
        stamp_bits: cut.byte()?,
        topic: TopicId::from_bytes(cut.array()?),
    };
    cut.0.is_empty().then_some(Known {
        id,
        created,
        expires,
        held: Some(held),
        version: None,
    })
}

/// Length of the body row of `bulletin`.
pub(super) fn body_len(bulletin: &StoredBulletin) -> usize {
    BODY_HEAD_BYTES + bulletin.from.map_or(0, |_| 32) + bulletin.bytes.len()
}

/// Writes the body row of `bulletin` into `row`, which has [`body_len`] bytes.
pub(super) fn write_body(bulletin: &StoredBulletin, row: &mut [u8]) {
    let mut fill = Fill(row);
    fill.put(bulletin.id.as_bytes());
    fill.put(bulletin.topic.as_bytes());
    fill.put(&bulletin.created.as_millis().to_be_bytes());
    fill.put(&bulletin.expires.as_millis().to_be_bytes());
    fill.put(&bulletin.received.as_millis().to_be_bytes());
    fill.put(&[
        bulletin.hops,
        bulletin.stamp_bits,
        u8::from(bulletin.from.is_some()),
    ]);
    if let Some(from) = bulletin.from {
        fill.put(from.as_bytes());
    }
    fill.put(&bulletin.bytes);
}

/// Reads the body row of number `seq`; `None` when it is not one. Copies the bytes.
pub(super) fn body(seq: u64, row: &[u8]) -> Option<StoredBulletin> {
    let (mut bulletin, bytes) = body_head(seq, row)?;
    bulletin.bytes = Bytes::copy_from_slice(bytes);
    Some(bulletin)
}

/// Reads a body row but leaves the bytes where they are.
pub(super) fn body_head(seq: u64, row: &[u8]) -> Option<(StoredBulletin, &[u8])> {
    let mut cut = Cut(row);
    let mut bulletin = StoredBulletin {
        seq,
        id: BulletinId::from_bytes(cut.array()?),
        topic: TopicId::from_bytes(cut.array()?),
        created: cut.wall()?,
        expires: cut.wall()?,
        received: cut.wall()?,
        hops: cut.byte()?,
        stamp_bits: cut.byte()?,
        from: None,
        bytes: Bytes::new(),
    };
    bulletin.from = match cut.byte()? {
        0 => None,
        1 => Some(NodeId::from_bytes(cut.array()?)),
        _ => return None,
    };
    Some((bulletin, cut.0))
}

// With their seals.

/// Length of the body row of `bulletin` with its seal.
pub(super) fn sealed_body_len(bulletin: &StoredBulletin) -> usize {
    body_len(bulletin) + SEAL_BYTES
}

/// Writes the body row of `bulletin` into `row`, which has [`sealed_body_len`] bytes.
pub(super) fn write_sealed_body(bulletin: &StoredBulletin, row: &mut [u8]) {
    let (body, seal) = row.split_at_mut(body_len(bulletin));
    write_body(bulletin, body);
    seal.copy_from_slice(&Sealed::Bodies.seal(&bulletin.seq.to_be_bytes(), body));
}

/// Reads the body row of number `seq`; `None` when it is not as it was written. Copies the bytes.
pub(super) fn sealed_body(seq: u64, row: &[u8]) -> Option<StoredBulletin> {
    body(seq, Sealed::Bodies.open(&seq.to_be_bytes(), row)?)
}

/// Reads a body row but leaves the bytes where they are; `None` when it is not as it was written.
pub(super) fn sealed_head(seq: u64, row: &[u8]) -> Option<(StoredBulletin, &[u8])> {
    body_head(seq, Sealed::Bodies.open(&seq.to_be_bytes(), row)?)
}

/// Reads a row of `seen`; `None` when it is not as it was written.
pub(super) fn sealed_known(key: &[u8; LONG_KEY_BYTES], row: &[u8]) -> Option<Known> {
    known(key, Sealed::Seen.open(key, row)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulletin(from: Option<NodeId>) -> StoredBulletin {
        StoredBulletin {
            seq: 7,
            id: BulletinId::from_bytes([1; 32]),
            topic: TopicId::from_bytes([2; 32]),
            created: Wall::from_millis(3),
            expires: Wall::from_millis(4),
            received: Wall::from_millis(5),
            from,
            hops: 6,
            stamp_bits: 8,
            bytes: Bytes::from_static(b"content"),
        }
    }

    #[test]
    fn body_rows_are_laid_out_as_documented() {
        let bulletin = bulletin(Some(NodeId::from_bytes([9; 32])));
        let mut row = vec![0; body_len(&bulletin)];
        write_body(&bulletin, &mut row);
        let expected = [
            &[1; 32][..],
            &[2; 32],
            &[0, 0, 0, 0, 0, 0, 0, 3],
            &[0, 0, 0, 0, 0, 0, 0, 4],
            &[0, 0, 0, 0, 0, 0, 0, 5],
            &[6, 8, 1],
            &[9; 32],
            b"content",
        ]
        .concat();
        assert_eq!(row, expected);
    }

    #[test]
    fn body_rows_survive_writing_and_reading() {
        for from in [None, Some(NodeId::from_bytes([9; 32]))] {
            let bulletin = bulletin(from);
            let mut row = vec![0; body_len(&bulletin)];
            write_body(&bulletin, &mut row);
            assert_eq!(body(7, &row), Some(bulletin));
            for len in 0..BODY_HEAD_BYTES {
                assert_eq!(body(7, &row[..len]), None, "a row of {len} bytes");
            }
        }
    }

    #[test]
    fn seen_rows_survive_writing_and_reading() {
        let id = BulletinId::from_bytes([1; 32]);
        let (created, expires) = (Wall::from_millis(3), Wall::from_millis(4));
        let key = seen_key(expires, &id);
        let held = Held {
            seq: 5,
            size: 6,
            stamp_bits: 7,
            topic: TopicId::from_bytes([2; 32]),
        };
        let value = held_value(created, &held);
        assert_eq!(
            known(&key, &value),
            Some(Known {
                id,
                created,
                expires,
                held: Some(held),
                version: None,
            })
        );
        let bare = Some(Known {
            id,
            created,
            expires,
            held: None,
            version: None,
        });
        let never = created.as_millis().to_be_bytes();
        let gone = gone_value(created, 5);
        assert_eq!((known(&key, &never), gone_seq(&never)), (bare, None));
        assert_eq!((known(&key, &gone), gone_seq(&gone)), (bare, Some(5)));
        assert_eq!(gone_seq(&value), None);
        assert_eq!(known(&key, &value[..HELD_BYTES - 1]), None);
    }

    #[test]
    fn version_rows_survive_writing_and_reading() {
        for clears in [false, true] {
            let one = Version {
                key: ValueKey::from_bytes([3; 16]),
                seq: 7,
                clears,
            };
            let value = version_value(&one);
            assert_eq!(version(&value), Some(one));
            assert_eq!(version(&value[..VERSION_BYTES - 1]), None);
        }
        assert_eq!(version(&[2; VERSION_BYTES]), None);
    }
}
