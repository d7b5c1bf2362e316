//! What the desk keeps over restarts, one record each, and how far a letter has come.

use std::time::Duration;

use bruit_core::id::{AuthorId, BulletinId, NetworkId};
use bruit_core::letters::{BucketBits, DeliveryCode, LetterId, LetterKey, Letterbox, Purpose};
use bruit_core::time::Wall;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How far a letter has come. Each word is true when said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LetterState {
    /// Kept on this node's disk: the recipient's letterbox is looked for, or neighbours are.
    Queued,
    /// On the disks of two neighbours, or of all where there are fewer.
    Published,
    /// The recipient's node has opened it, and said so.
    Acknowledged,
    /// Given up: not acknowledged in time.
    Expired,
}

impl LetterState {
    /// The word in outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Published => "published",
            Self::Acknowledged => "acknowledged",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing more will become of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Expired)
    }
}

/// A letter of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    pub(crate) id: LetterId,
    pub(crate) purpose: Purpose,
    pub(crate) from: AuthorId,
    pub(crate) to: AuthorId,
    pub(crate) body: Bytes,
    pub(crate) created: Wall,
    /// How long the first sealing lives; each later one twice as long as the one before.
    pub(crate) ttl: Duration,
    /// How often it was sealed and handed to the network.
    pub(crate) attempts: u32,
    /// When the sealing at hand, or the search for the letterbox, ends.
    pub(crate) until: Wall,
    /// The letterbox it was last sealed to.
    pub(crate) sealed_to: Option<(LetterKey, DeliveryCode)>,
    /// The acknowledgements enclosed in its sealings.
    pub(crate) acknowledgements: Vec<BulletinId>,
    pub(crate) state: LetterState,
}

/// A letter to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incoming {
    /// Its place in the order of arrival.
    pub(crate) number: u64,
    pub(crate) id: LetterId,
    pub(crate) from: AuthorId,
    pub(crate) to: AuthorId,
    pub(crate) body: Bytes,
    pub(crate) created: Wall,
    pub(crate) received: Wall,
}

/// A letter of another system, to this node: its `from` is the node itself, whose gateway says who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Foreign {
    /// Who.
    pub(crate) name: String,
    pub(crate) letter: Incoming,
}

/// A letter that came: it is not delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) from: AuthorId,
    pub(crate) id: LetterId,
    /// When it need not be remembered any more: no sealing of it lives longer.
    pub(crate) until: Wall,
    /// Acknowledgements published for it.
    pub(crate) acknowledged: u32,
}

/// An acknowledgement to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owed {
    pub(crate) id: BulletinId,
    pub(crate) due: Wall,
    pub(crate) bytes: Bytes,
}

/// The letterboxes of one of our identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnBoxes {
    pub(crate) identity: AuthorId,
    /// The last is the one that is published, the others are honoured for a time.
    pub(crate) addresses: Vec<Address>,
    /// Where and when it was last published.
    pub(crate) published: Option<(NetworkId, Wall)>,
}

/// What, besides the key, letters to an identity are sealed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) code: DeliveryCode,
    pub(crate) bits: BucketBits,
    /// Letters made later are not opened; none for the present address.
    pub(crate) until: Option<Wall>,
}

/// The letterbox of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) identity: AuthorId,
    pub(crate) letterbox: Letterbox,
    /// When its owner said so.
    pub(crate) said: Wall,
}

/// One of them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    Out(Outgoing),
    In(Incoming),
    Seen(Seen),
    Owed(Owed),
    Own(OwnBoxes),
    Known(Known),
    Foreign(Foreign),
}

/// Where a record lies: its kind and what names it.
pub(crate) type Key = Vec<u8>;

impl Record {
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Out(out) => key(0, &[out.id.as_bytes()]),
            // Both are in the inbox, by their numbers.
            Self::In(letter) | Self::Foreign(Foreign { letter, .. }) => {
                key(1, &[&letter.number.to_be_bytes()])
            }
            Self::Seen(seen) => key(2, &[seen.from.as_bytes(), seen.id.as_bytes()]),
            Self::Owed(owed) => key(3, &[owed.id.as_bytes()]),
            Self::Own(own) => key(4, &[own.identity.as_bytes()]),
            Self::Known(known) => key(5, &[known.identity.as_bytes()]),
        }
    }
}

fn key(kind: u8, parts: &[&[u8]]) -> Key {
    [&[kind], parts.concat().as_slice()].concat()
}

/// A change to what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Put(Box<Record>),
    Drop(Key),
}

impl Change {
    pub(crate) fn put(record: Record) -> Self {
        Self::Put(Box::new(record))
    }

    pub(crate) fn drop(record: &Record) -> Self {
        Self::Drop(record.key())
    }
}
