//! The journal of an engine: what it was made of, everything it was told and when, and a hash of
//! what it answered each time.
//!
//! The engine reads no clock and draws from one seed, so another engine that is told the same
//! answers the same: a journal of a daemon is run again in `crates/sim`. A journal is
//! `[magic: 8][format: u16][protocol: u16]`, then entries, each
//! `[length: u32][length inverted: u32][check: 4][entry: length]`: numbers big-endian, `check` the
//! first bytes of the BLAKE3 hash of the entry, the entry an [`Entry`] in postcard's encoding. The
//! length stands there twice so that a damaged one is not taken for the end of a journal that was
//! cut.
//!
//! A journal holds everything that went over the links, the seed, and of a private network the key
//! derived from its secret. No key of the node is in it, as none is in the engine.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::event::{Action, Event};
use crate::handshake;
use crate::id::NodeId;
use crate::time::Now;

/// The version of everything described here, and of the layout of events and configurations.
pub const FORMAT: u16 = 4;
/// What every journal begins with.
const MAGIC: [u8; 8] = *b"BRUITJNL";
/// Bytes before the first entry.
pub const HEAD_BYTES: usize = 12;
/// Bytes before each entry.
pub const FRAMING_BYTES: usize = 12;
/// Longest entry: an engine may be told of a million bulletins that an earlier run left.
pub const ENTRY_BYTES_MAX: u32 = 1 << 28;

/// One entry. The first is the origin, the last, where there was time for it, the end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Entry {
    /// What the engine was made of.
    Origin(Box<Origin>),
    /// The engine was told something.
    Told(Box<Told>),
    /// Nothing more was written.
    End(End),
}

/// What an engine was made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// The version of the program that wrote the journal.
    pub program: String,
    /// Whose engine.
    pub me: NodeId,
    /// Its configuration, which was valid.
    pub config: Config,
    /// Where its randomness grew from.
    pub seed: [u8; 32],
}

/// Something the engine was told, and what it answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub now: Now,
    /// What.
    pub event: Event,
    /// What came of it.
    pub answer: Answer,
}

/// What an engine answered, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How many actions.
    pub actions: u32,
    /// The first bytes of the BLAKE3 hash of the actions in postcard's encoding.
    pub hash: [u8; 8],
}

/// Why nothing more was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The node ended.
    Stopped,
    /// The node was told more than could be written in time; it went on without a journal.
    Overrun,
    /// The file took no more; the node went on without a journal.
    Failed,
}

/// Why something is no journal, or none for this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// It begins differently.
    #[error("it does not begin as a recording of a daemon does")]
    Foreign,
    /// Another version of the layout.
    #[error("it is written in format {got}, and this program reads format {FORMAT}")]
    Format {
        /// Its version.
        got: u16,
    },
    /// Another version of the protocol.
    #[error("it is of protocol version {got}, and this program speaks version {ours}")]
    Protocol {
        /// Its version.
        got: u16,
        /// Ours.
        ours: u16,
    },
}

/// An entry is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry is not what was written")]
pub struct Damaged;

/// An entry exceeds [`ENTRY_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {got} bytes exceeds {ENTRY_BYTES_MAX}")]
pub struct TooLong {
    /// Its length.
    pub got: usize,
}

/// What a journal begins with.
pub fn head() -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let format = FORMAT.to_be_bytes();
    let protocol = handshake::VERSION.to_be_bytes();
    let bytes = MAGIC.iter().chain(&format).chain(&protocol);
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    head
}

/// Whether what begins with `head` can be read.
///
/// # Errors
/// When it is no journal, or of a version that is not ours.
pub fn check_head(head: &[u8; HEAD_BYTES]) -> Result<(), HeadError> {
    let [magic @ .., f0, f1, p0, p1] = *head;
    if magic != MAGIC {
        return Err(HeadError::Foreign);
    }
    let (format, protocol) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([p0, p1]));
    let ours = handshake::VERSION;
    match () {
        () if format != FORMAT => Err(HeadError::Format { got: format }),
        () if protocol != ours => Err(HeadError::Protocol {
            got: protocol,
            ours,
        }),
        () => Ok(()),
    }
}

impl Entry {
    /// Appends the entry and what stands before it to `out`.
    ///
    /// # Errors
    /// When it is too long; `out` is as it was.
    ///
    /// # Panics
    /// Never: no part of an entry is of a kind that has no encoding.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let bytes = postcard::to_allocvec(self).expect("the encoding of an entry cannot fail");
        let framing = Framing::of(&bytes);
        if bytes.len() > usize::try_from(ENTRY_BYTES_MAX).unwrap_or(usize::MAX) {
            return Err(TooLong { got: bytes.len() });
        }
        out.extend_from_slice(&framing.encode());
        out.extend_from_slice(&bytes);
        Ok(())
    }
}

/// What stands before an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// How long the entry is, at most [`ENTRY_BYTES_MAX`].
    pub length: u32,
    check: [u8; 4],
}

impl Framing {
    /// What stands before an entry of these bytes.
    pub fn of(entry: &[u8]) -> Self {
        let hash = blake3::hash(entry);
        Self {
            length: u32::try_from(entry.len()).unwrap_or(u32::MAX),
            check: hash.as_bytes().first_chunk().copied().unwrap_or_default(),
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> [u8; FRAMING_BYTES] {
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        let [i0, i1, i2, i3] = (!self.length).to_be_bytes();
        let [c0, c1, c2, c3] = self.check;
        [l0, l1, l2, l3, i0, i1, i2, i3, c0, c1, c2, c3]
    }

    /// Reads what stands before an entry.
    ///
    /// # Errors
    /// When it was not written so.
    pub fn decode(bytes: &[u8; FRAMING_BYTES]) -> Result<Self, Damaged> {
        let [l0, l1, l2, l3, i0, i1, i2, i3, check @ ..] = *bytes;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let inverted = u32::from_be_bytes([i0, i1, i2, i3]);
        if length != !inverted || length > ENTRY_BYTES_MAX {
            return Err(Damaged);
        }
        Ok(Self { length, check })
    }

    /// Reads the entry itself.
    ///
    /// # Errors
    /// When it was not written so.
    pub fn entry(&self, bytes: &[u8]) -> Result<Entry, Damaged> {
        if Self::of(bytes) != *self {
            return Err(Damaged);
        }
        match postcard::take_from_bytes(bytes) {
            Ok((entry, [])) => Ok(entry),
            _ => Err(Damaged),
        }
    }
}

impl Answer {
    /// Of these actions.
    ///
    /// # Panics
    /// Never: no part of an action is of a kind that has no encoding.
    pub fn of(actions: &[Action]) -> Self {
        let bytes = postcard::to_allocvec(actions).expect("the encoding of actions cannot fail");
        let hash = blake3::hash(&bytes);
        Self {
            actions: u32::try_from(actions.len()).unwrap_or(u32::MAX),
            hash: hash.as_bytes().first_chunk().copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LinkId;
    use crate::link::CloseReason;
    use crate::network::Network;
    use crate::time::{Mono, Wall};
    use crate::work::Price;

    fn told() -> Entry {
        let event = Event::LinkDown {
            link: LinkId::new(7),
            reason: CloseReason::Quit,
            by_peer: true,
        };
        let now = Now {
            mono: Mono::from_micros(1_000),
            wall: Wall::from_millis(1_800_000_000_000),
        };
        let answer = Answer::of(&[]);
        Entry::Told(Box::new(Told { now, event, answer }))
    }

    fn encoded(entry: &Entry) -> Vec<u8> {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes).expect("short enough");
        bytes
    }

    fn decoded(bytes: &[u8]) -> Result<Entry, Damaged> {
        let (framing, entry) = bytes.split_first_chunk().expect("framing");
        Framing::decode(framing)?.entry(entry)
    }

    #[test]
    fn what_was_written_is_read() {
        let origin = Entry::Origin(Box::new(Origin {
            program: "1.2.3".to_owned(),
            me: NodeId::from_bytes([1; 32]),
            config: Config::new(Network::new("main", Price::DEFAULT, Some(b"secret"))),
            seed: [2; 32],
        }));
        for entry in [origin, told(), Entry::End(End::Overrun)] {
            let bytes = encoded(&entry);
            let again = decoded(&bytes).expect("what was written");
            assert_eq!(format!("{again:?}"), format!("{entry:?}"));
            assert_eq!(encoded(&again), bytes);
        }
        assert_eq!(check_head(&head()), Ok(()));
    }

    #[test]
    fn an_entry_is_laid_out_as_it_always_was() {
        let body = [
            1, // told
            0xe8, 0x07, // 1,000 µs
            0x80, 0xa0, 0xf1, 0xc2, 0xb1, 0x34, // the wall clock
            4, 7, 3, 1, // the link is down: number, reason, by the peer
            0, // no action, and the hash of none
            0x2d, 0x3a, 0xde, 0xdf, 0xf1, 0x1b, 0x61, 0xf1,
        ];
        let bytes = encoded(&told());
        assert_eq!(bytes.get(FRAMING_BYTES..), Some(&body[..]));
        assert_eq!(bytes.get(..8), Some(&[0, 0, 0, 22, 255, 255, 255, 233][..]));
    }

    #[test]
    fn every_flipped_bit_of_an_entry_is_found() {
        let good = encoded(&told());
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
                assert_eq!(decoded(&bytes).err(), Some(Damaged), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn another_file_and_other_versions_are_told_apart() {
        let mut other = head();
        other[9] = 9;
        assert_eq!(check_head(&other), Err(HeadError::Format { got: 9 }));
        other = head();
        other[11] = 9;
        let ours = handshake::VERSION;
        assert_eq!(
            check_head(&other),
            Err(HeadError::Protocol { got: 9, ours })
        );
        assert_eq!(check_head(b"BRUITJNX\0\x01\0\x01"), Err(HeadError::Foreign));
    }

    #[test]
    fn other_actions_have_another_hash() {
        let close = |reason| Action::Close {
            link: LinkId::new(1),
            reason,
        };
        let (quit, full) = (close(CloseReason::Quit), close(CloseReason::Full));
        let of = |actions: &[Action]| Answer::of(actions).hash;
        let one = std::slice::from_ref;
        assert_ne!(of(one(&quit)), of(one(&full)));
        assert_ne!(of(&[quit.clone(), full.clone()]), of(&[full, quit]));
    }
}
