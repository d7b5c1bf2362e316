//! What the room says and is told: facts, misbehaviour, the fields of an opening.

use bytes::Bytes;

use super::topics::Topics;
use crate::id::{LinkId, ShortId};
use crate::wire::{DecodeError, Frame};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A frame is to be sent.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// The peer has these and we know nothing of them: at most 1,920 at once, in order of their bytes.
    Want {
        /// Who has them.
        link: LinkId,
        /// Which.
        ids: Vec<ShortId>,
    },
    /// We hold these and the peer knows nothing of them: newest first.
    Offer {
        /// Who lacks them.
        link: LinkId,
        /// Which.
        ids: Vec<ShortId>,
    },
    /// A whole comparison found no difference.
    Agreed {
        /// With whom.
        link: LinkId,
    },
    /// The peer broke the protocol.
    Misbehaved {
        /// Who.
        link: LinkId,
        /// How.
        how: Misbehaviour,
    },
}

/// How a peer can break the protocol here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A message is not what it claims to be.
    #[error("malformed reconciliation message: {0}")]
    Malformed(DecodeError),
    /// A session was opened with a number of our side.
    #[error("opened session {0}, a number of the other side")]
    ForeignSession(u32),
}

/// The fields of a `SYNC_OPEN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The opener's number: even when it dialled the link, odd when not.
    pub session: u32,
    /// Later bulletins are left out.
    pub created_until_ms: u64,
    /// Bulletins that expire at or before this are left out.
    pub expiry_cutoff_ms: u64,
    /// Bulletins created after this are left out: an earlier session got so far.
    pub resume_ms: u64,
    /// Bulletins of other topics are left out.
    pub topics: Topics,
    /// The first message.
    pub message: Bytes,
}
