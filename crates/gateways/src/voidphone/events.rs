//! What the gateway is told, and what it says is to be done.

use std::net::{SocketAddr, SocketAddrV4};

use bruit::{AuthorId, Verdict};
use bytes::Bytes;

use super::codec::Frame;
use crate::foreign::ForeignId;
use crate::inside::{Item, Post};
use crate::running::Told;

/// A connection, of a module or of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(crate) u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A module connected.
    Module(ConnId),
    /// A peer connected.
    Inbound {
        conn: ConnId,
        remote: SocketAddr,
        local: SocketAddr,
    },
    /// A dial came through.
    Outbound {
        conn: ConnId,
        address: SocketAddrV4,
        local: SocketAddr,
    },
    /// A dial did not.
    Undialled(SocketAddrV4),
    /// A connection said this.
    Frame(ConnId, Frame),
    /// A connection has gone.
    Closed(ConnId),
    /// The search for a solution has ended.
    Solved(ConnId, Option<u64>),
    /// A bulletin of this type was delivered; `is_past` when that was before the gateway began.
    Heard {
        item: Item,
        data_type: u16,
        is_past: bool,
    },
    /// The node asks under this number what is to become of a bulletin of this type.
    Asked {
        question: u64,
        item: Item,
        data_type: u16,
    },
    /// Another gateway says that it is there.
    Present(AuthorId),
    /// A post could not be published.
    Unpublished(ForeignId),
    /// It may be time for something.
    Wakeup,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send these bytes.
    Send(ConnId, Bytes),
    /// Close a connection.
    Close(ConnId),
    /// Connect to a peer.
    Dial(SocketAddrV4),
    /// Solve a puzzle.
    Solve(ConnId, u64),
    /// Listen to bulletins of this type, and judge them.
    Listen(u16),
    /// Do not any more.
    Unlisten(u16),
    /// Answer a question of the node.
    Answer(u64, Verdict),
    /// Publish a post, which this connection sent: it is read no further while many of its posts wait.
    Publish {
        post: Post,
        name: ForeignId,
        sender: Option<ConnId>,
    },
    /// Tell whoever watches.
    Tell(Told),
}
