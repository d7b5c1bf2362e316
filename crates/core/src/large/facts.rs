//! What the room for large contents wants done.

use bytes::Bytes;

use super::Piece;
use crate::id::{BulletinId, LinkId};
use crate::wire::Frame;

/// What the room wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Send a frame that steers.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Send a chunk, behind all bulletins. [`Large::sent`](super::Large::sent) is told when it has gone.
    Give {
        /// To whom.
        link: LinkId,
        /// The CHUNK frame.
        frame: Bytes,
    },
    /// Keep a chunk that was checked.
    Keep {
        /// Of which manifest.
        id: BulletinId,
        /// Which chunk.
        index: u32,
        /// The chunk and its proof.
        piece: Piece,
    },
    /// Fetch a chunk from the store and hand it to [`Large::loaded`](super::Large::loaded).
    Load {
        /// Of which manifest.
        id: BulletinId,
        /// Which chunk.
        index: u32,
    },
    /// A chunk came.
    Progress {
        /// Of which manifest.
        id: BulletinId,
        /// How many chunks are here.
        chunks: u32,
        /// How many there are.
        all: u32,
    },
    /// A chunk is known here already, or was never asked for.
    Unasked {
        /// Who sent it.
        link: LinkId,
    },
    /// A neighbour let us wait in vain.
    BrokenPromise {
        /// Who.
        link: LinkId,
    },
    /// A neighbour broke the protocol.
    Misbehaved {
        /// Who.
        link: LinkId,
        /// How.
        how: &'static str,
    },
}
