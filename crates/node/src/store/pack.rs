//! A pack: many bodies in one row, one after the other, so that no page has room left over.
//!
//! ```text
//! pack  entry ‖ entry ‖ …, by arrival
//! entry [length of what follows the number: 4][seq: 8]
//!       [flags: 1][id: 32][received: 8][hops: 1][stamp bits: 1]
//!       [topic: 32]?[created: 8]?[expires: 8]?[from: 32]?[bytes: 0..][seal: 8]
//! ```
//!
//! What the bytes say themselves is not written twice: a bulletin begins with how long it is valid, when it
//! was made, and its topic (`docs/wire-format.md`). Where a length is not as it was written, the next entry is found by its seal.

use bruit_core::id::{BulletinId, NodeId, TopicId};
use bruit_core::time::Wall;
use bytes::Bytes;

use super::StoredBulletin;
use super::rows::{Cut, Fill};
use super::seal::{SEAL_BYTES, Sealed};

/// Bytes of an entry before its row.
const HEAD_BYTES: usize = 4 + 8;
/// Bytes of the part of a row that is always there.
const FIXED_BYTES: usize = 1 + 32 + 8 + 1 + 1;
/// Least bytes of a row with its seal.
const ROW_BYTES_MIN: usize = FIXED_BYTES + SEAL_BYTES;

/// The row names who delivered it.
const HAS_FROM: u8 = 1;
/// The row names its topic: its bytes do not.
const HAS_TOPIC: u8 = 2;
/// The row names its moment: its bytes do not.
const HAS_CREATED: u8 = 4;

/// The row names the end of its validity: its bytes do not.
const HAS_EXPIRES: u8 = 8;

/// Where a bulletin has its seconds, its moment and its topic.
const TTL_AT: usize = 4;
const CREATED_AT: usize = 8;
const TOPIC_AT: usize = 16;

/// One body in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) seq: u64,
    /// All of it, with its head.
    pub(super) bytes: &'a [u8],
}

impl Entry<'_> {
    /// Whose body it seems to be: the seal is not looked at.
    pub(super) fn id(&self) -> Option<BulletinId> {
        let id = self.bytes.get(HEAD_BYTES + 1..)?.first_chunk::<32>()?;
        Some(BulletinId::from_bytes(*id))
    }

    /// Reads the body without its bytes, which come beside it; `None` when it is not as it was written.
    pub(super) fn head(&self) -> Option<(StoredBulletin, &[u8])> {
        let sealed = self.bytes.get(HEAD_BYTES..)?;
        let row = Sealed::Packs.open(&self.seq.to_be_bytes(), sealed)?;
        let mut cut = Cut(row);
        let flags = cut.byte().filter(|flags| *flags < 16)?;
        let mut head = StoredBulletin {
            seq: self.seq,
            id: BulletinId::from_bytes(cut.array()?),
            received: cut.wall()?,
            hops: cut.byte()?,
            stamp_bits: cut.byte()?,
            topic: TopicId::from_bytes([0; 32]),
            created: Wall::from_millis(0),
            expires: Wall::from_millis(0),
            from: None,
            bytes: Bytes::new(),
        };
        let topic = (flags & HAS_TOPIC != 0).then(|| cut.array());
        let created = (flags & HAS_CREATED != 0).then(|| cut.wall());
        let expires = (flags & HAS_EXPIRES != 0).then(|| cut.wall());
        if flags & HAS_FROM != 0 {
            head.from = Some(NodeId::from_bytes(cut.array()?));
        }
        let bytes = cut.0;
        let topic = topic.unwrap_or_else(|| said(bytes, TOPIC_AT))?;
        head.topic = TopicId::from_bytes(topic);
        head.created = created.unwrap_or_else(|| said_created(bytes))?;
        head.expires = expires.unwrap_or_else(|| said_expires(bytes))?;
        Some((head, bytes))
    }

    /// Reads the body; `None` when it is not as it was written. Copies the bytes.
    pub(super) fn body(&self) -> Option<StoredBulletin> {
        let (head, bytes) = self.head()?;
        Some(StoredBulletin {
            bytes: Bytes::copy_from_slice(bytes),
            ..head
        })
    }
}

/// What `bytes` have at `at`.
fn said<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn said_created(bytes: &[u8]) -> Option<Wall> {
    said(bytes, CREATED_AT).map(|ms| Wall::from_millis(u64::from_be_bytes(ms)))
}

fn said_expires(bytes: &[u8]) -> Option<Wall> {
    let ttl_s = said(bytes, TTL_AT).map(u32::from_be_bytes)?;
    let created_ms = said_created(bytes)?.as_millis();
    let expires_ms = created_ms.saturating_add(u64::from(ttl_s).saturating_mul(1_000));
    Some(Wall::from_millis(expires_ms))
}

/// The entry of `bulletin`.
pub(super) fn entry(bulletin: &StoredBulletin) -> Vec<u8> {
    let topic = bulletin.topic.as_bytes();
    let says_topic = said(&bulletin.bytes, TOPIC_AT).as_ref() == Some(topic);
    let says_created = said_created(&bulletin.bytes) == Some(bulletin.created);
    let says_expires = said_expires(&bulletin.bytes) == Some(bulletin.expires);
    let from = bulletin.from.as_ref().map(NodeId::as_bytes);
    let flag = |flag, is_set| if is_set { flag } else { 0 };
    let flags = flag(HAS_FROM, from.is_some())
        | flag(HAS_TOPIC, !says_topic)
        | flag(HAS_CREATED, !says_created)
        | flag(HAS_EXPIRES, !says_expires);
    let optional = flag(32, from.is_some())
        + flag(32, !says_topic)
        + flag(8, !says_created)
        + flag(8, !says_expires);
    let row_len = FIXED_BYTES + usize::from(optional) + bulletin.bytes.len();
    let mut entry = vec![0; HEAD_BYTES + row_len + SEAL_BYTES];
    let (head, sealed) = entry.split_at_mut(HEAD_BYTES);
    let length = u32::try_from(sealed.len()).expect("a bulletin is not that long");
    let mut fill = Fill(head);
    fill.put(&length.to_be_bytes());
    fill.put(&bulletin.seq.to_be_bytes());
    let (row, seal) = sealed.split_at_mut(row_len);
    let mut fill = Fill(row);
    fill.put(&[flags]);
    fill.put(bulletin.id.as_bytes());
    fill.put(&bulletin.received.as_millis().to_be_bytes());
    fill.put(&[bulletin.hops, bulletin.stamp_bits]);
    if !says_topic {
        fill.put(topic);
    }
    if !says_created {
        fill.put(&bulletin.created.as_millis().to_be_bytes());
    }
    if !says_expires {
        fill.put(&bulletin.expires.as_millis().to_be_bytes());
    }
    if let Some(from) = from {
        fill.put(from);
    }
    fill.put(&bulletin.bytes);
    seal.copy_from_slice(&Sealed::Packs.seal(&bulletin.seq.to_be_bytes(), row));
    entry
}

/// The entries of `pack`, in order.
pub(super) fn entries(pack: &[u8]) -> Entries<'_> {
    Entries {
        rest: pack,
        last: 0,
    }
}

/// See [`entries`].
#[derive(Debug, Clone)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
    /// Number of the entry before.
    last: u64,
}

impl<'a> Entries<'a> {
    /// What would be the entry at the front of `bytes`.
    fn front(&self, bytes: &'a [u8]) -> Option<Entry<'a>> {
        let mut cut = Cut(bytes);
        let length = usize::try_from(u32::from_be_bytes(cut.array()?)).ok()?;
        let seq = cut.number()?;
        let bytes = bytes.get(..HEAD_BYTES.checked_add(length)?)?;
        (length >= ROW_BYTES_MIN && seq > self.last).then_some(Entry { seq, bytes })
    }

    /// Whether what follows `entry` can be an entry, or is the end.
    fn leads_on(&self, entry: &Entry<'a>) -> bool {
        let rest = &self.rest[entry.bytes.len()..];
        let after = Self {
            rest,
            last: entry.seq,
        };
        rest.is_empty() || after.front(rest).is_some()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let found = self.front(self.rest).filter(|entry| self.leads_on(entry));
        let found = found.map(|entry| (0, entry)).or_else(|| {
            (0..self.rest.len()).find_map(|at| {
                let entry = self.front(&self.rest[at..])?;
                entry.head().is_some().then_some((at, entry))
            })
        });
        let Some((at, entry)) = found else {
            self.rest = &[];
            return None;
        };
        self.rest = &self.rest[at + entry.bytes.len()..];
        self.last = entry.seq;
        Some(entry)
    }
}

/// Puts entries into packs of at most so many bytes; one that is larger has a pack of its own.
#[derive(Debug)]
pub(super) struct Packer {
    bytes_max: usize,
    open: Vec<u8>,
    seqs: Vec<u64>,
}

/// A pack that is ready, and the numbers of what is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) seqs: Vec<u64>,
    pub(super) bytes: Vec<u8>,
}

impl Packed {
    /// The key of the pack: the first number in it.
    pub(super) fn key(&self) -> u64 {
        self.seqs.first().copied().unwrap_or(0)
    }
}

impl Packer {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            open: Vec::with_capacity(bytes_max),
            seqs: Vec::new(),
        }
    }

    /// Adds an entry; answers the pack that had no room for it.
    pub(super) fn push(&mut self, seq: u64, entry: &[u8]) -> Option<Packed> {
        let is_full = self.open.len().saturating_add(entry.len()) > self.bytes_max;
        let packed = if is_full { self.finish() } else { None };
        self.open.extend_from_slice(entry);
        self.seqs.push(seq);
        packed
    }

    /// What is in it, unless it is empty.
    pub(super) fn finish(&mut self) -> Option<Packed> {
        let (seqs, bytes) = (
            std::mem::take(&mut self.seqs),
            std::mem::take(&mut self.open),
        );
        (!seqs.is_empty()).then_some(Packed { seqs, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulletin(seq: u64, size: usize) -> StoredBulletin {
        StoredBulletin {
            seq,
            id: BulletinId::from_bytes([u8::try_from(seq).unwrap(); 32]),
            topic: TopicId::from_bytes([2; 32]),
            created: Wall::from_millis(3),
            expires: Wall::from_millis(4),
            received: Wall::from_millis(5),
            from: Some(NodeId::from_bytes([9; 32])),
            hops: 6,
            stamp_bits: 7,
            bytes: vec![8; size].into(),
        }
    }

    fn pack(seqs: &[u64]) -> Vec<u8> {
        seqs.iter()
            .flat_map(|seq| entry(&bulletin(*seq, 40)))
            .collect()
    }

    fn read(pack: &[u8]) -> Vec<StoredBulletin> {
        entries(pack).filter_map(|entry| entry.body()).collect()
    }

    #[test]
    fn an_entry_is_laid_out_as_documented() {
        let row = [
            &[1 | 2 | 4 | 8][..],
            &[7; 32],
            &[0, 0, 0, 0, 0, 0, 0, 5],
            &[6, 7],
            &[2; 32],
            &[0, 0, 0, 0, 0, 0, 0, 3],
            &[0, 0, 0, 0, 0, 0, 0, 4],
            &[9; 32],
            &[8, 8],
        ]
        .concat();
        let seq = [0, 0, 0, 0, 0, 0, 0, 7];
        let seal = Sealed::Packs.seal(&seq, &row);
        let expected = [&[0, 0, 0, 133][..], &seq, &row, &seal].concat();
        assert_eq!(entry(&bulletin(7, 2)), expected);
    }

    #[test]
    fn what_the_bytes_say_is_not_written_twice() {
        let plain = bulletin(7, 48);
        let mut bytes = plain.bytes.to_vec();
        bytes[4..8].copy_from_slice(&2_u32.to_be_bytes());
        bytes[8..16].copy_from_slice(&3_u64.to_be_bytes());
        bytes[16..].copy_from_slice(&[2; 32]);
        let telling = StoredBulletin {
            bytes: bytes.into(),
            expires: Wall::from_millis(2_003),
            ..plain.clone()
        };
        assert_eq!(entry(&plain).len(), entry(&telling).len() + 48);
        for one in [plain, telling] {
            assert_eq!(read(&entry(&one)), std::slice::from_ref(&one));
            let alone = StoredBulletin { from: None, ..one };
            assert_eq!(read(&entry(&alone)), [alone]);
        }
    }

    #[test]
    fn a_pack_gives_back_its_entries_in_order() {
        let all: Vec<_> = [1, 5, 6].map(|seq| bulletin(seq, 40)).to_vec();
        assert_eq!(read(&pack(&[1, 5, 6])), all);
        assert_eq!(read(&[]), []);
    }

    /// Whatever bit turns over, one entry is lost at most, and nobody gets a wrong one.
    #[test]
    fn a_bit_that_turns_over_takes_one_entry_with_it() {
        let (whole, all) = (pack(&[1, 5, 6]), read(&pack(&[1, 5, 6])));
        for bit in 0..whole.len() * 8 {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let found = read(&broken);
            assert!(found.len() >= 2, "bit {bit}: {} are left", found.len());
            assert!(found.iter().all(|one| all.contains(one)), "bit {bit}");
        }
        for len in 0..whole.len() {
            let found = read(&whole[..len]);
            assert_eq!(found, all[..found.len()], "{len} bytes");
        }
    }

    #[test]
    fn a_packer_fills_packs_and_gives_large_entries_their_own() {
        let mut packer = Packer::new(10);
        let mut packs = Vec::new();
        for (seq, len) in [(1, 4), (2, 6), (3, 1), (4, 30), (5, 10)] {
            packs.extend(packer.push(seq, &vec![0; len]));
        }
        packs.extend(packer.finish());
        let found: Vec<_> = packs
            .iter()
            .map(|pack| (pack.key(), pack.seqs.len(), pack.bytes.len()))
            .collect();
        assert_eq!(found, [(1, 2, 10), (3, 1, 1), (4, 1, 30), (5, 1, 10)]);
        assert_eq!(packer.finish(), None);
    }
}
