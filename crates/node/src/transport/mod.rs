//! Links to other nodes, as the node's one driver task sees them.
//!
//! A [`Transport`] is polled, not spawned: the task that owns the engine also drives its links, so
//! a frame crosses no channel and wakes no task of ours on its way. [`IrohTransport`] speaks QUIC;
//! [`MemoryTransport`] is its twin inside one process, for tests.
//!
//! Invariant: nothing here grows without bound. What may be queued for a peer is its credit, what
//! may arrive unread is the QUIC window, and a frame longer than its class allows ends the link's
//! reading before it is buffered.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bruit_core::id::{LinkId, NodeId};
use bruit_core::limits;
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bytes::Bytes;

#[cfg(test)]
mod contract;
mod framing;
mod iroh;
mod memory;
mod outbox;

pub use framing::{FrameDecoder, FramingError};
pub use iroh::{ALPN, BindError, IrohConfig, IrohTransport};
pub use memory::{MemoryNetwork, MemoryTransport};

/// Longest time a dial or an incoming handshake may take, streams included.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest time [`Transport::shutdown`] takes.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Credit of both classes when a link comes up, in bytes on the wire: eight of the longest control
/// frames. [`Class::Bulletins`] is granted the rest of its window in the same batch of events.
pub const INITIAL_CREDIT_BYTES: u32 = 64 * 1024;

/// Most bytes of one class that wait in our buffer for a link. Bulletins have 256 KiB, three of
/// the longest frames, which keeps a link of 20 Mbit/s busy for 100 ms; control has 64 KiB.
pub const fn window_bytes(class: Class) -> u32 {
    match class {
        Class::Control => INITIAL_CREDIT_BYTES,
        Class::Bulletins => 256 * 1024,
    }
}

/// Most bytes of one frame of `class`, kind byte included, length prefix not.
pub const fn frame_bytes_max(class: Class) -> usize {
    match class {
        Class::Control => limits::CONTROL_FRAME_BYTES_MAX,
        Class::Bulletins => limits::DATA_FRAME_BYTES_MAX,
    }
}

/// What a frame of `frame_bytes` costs of its class's credit: its bytes and four, which is more than
/// any length prefix takes. Flat, so that whoever keeps the account needs not know the encoding; the
/// difference comes back with the next grant.
pub const fn frame_cost(frame_bytes: usize) -> usize {
    frame_bytes + 4
}

/// What a transport tells the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// A link came up: both streams are open and usable.
    LinkUp {
        /// Its number, never used again.
        link: LinkId,
        /// Who proved to be at the other end.
        peer: NodeId,
        /// Who dialled.
        direction: Direction,
        /// Where the peer is, unless it is reached through a relay.
        remote: Option<SocketAddr>,
        /// Bytes that may be sent at once, of each class. See [`Transport::send`].
        credit_bytes: u32,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Who was dialled.
        peer: NodeId,
        /// Why, for logs.
        error: String,
    },
    /// A frame arrived.
    ///
    /// `frame` is a slice of what the socket received and keeps up to 64 KiB of neighbouring
    /// packets alive: copy what is to be kept longer than its handling.
    Frame {
        /// The link it came over.
        link: LinkId,
        /// The stream it came over.
        class: Class,
        /// Kind byte and body.
        frame: Bytes,
    },
    /// The peer broke the framing. Nothing more is read from this link; the driver closes it.
    Malformed {
        /// The link.
        link: LinkId,
    },
    /// Bytes left our buffer, and as many may be sent again.
    Credit {
        /// The link.
        link: LinkId,
        /// The class.
        class: Class,
        /// How many, as [`frame_cost`] counts.
        bytes: u32,
    },
    /// A link is gone. Nothing more is said of it.
    LinkDown {
        /// The link.
        link: LinkId,
        /// Why: what the peer or we said, or [`CloseReason::Dead`] when nobody said anything.
        reason: CloseReason,
        /// Whether the peer closed it in words.
        by_peer: bool,
    },
}

/// How a link reaches its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathInfo {
    /// Where the peer is, unless it is reached through a relay.
    pub remote: Option<SocketAddr>,
    /// Whether packets go straight to the peer.
    pub direct: bool,
    /// Smoothed round-trip time.
    pub rtt: Duration,
}

/// Links to other nodes, polled by the one task that owns the engine.
///
/// No method blocks or waits. What [`send`](Self::send), [`dial`](Self::dial) and
/// [`close`](Self::close) ask for is done by the next [`poll`](Self::poll), so the driver polls
/// after handling events and before it sleeps.
pub trait Transport: fmt::Debug + Send + 'static {
    /// Starts to connect to `address`; ends in `LinkUp` or `DialFailed` within
    /// [`HANDSHAKE_TIMEOUT`].
    fn dial(&mut self, address: &PeerAddress);

    /// Queues one frame, kind byte and body; the length prefix is added here.
    ///
    /// Each frame costs [`frame_cost`] of its class's credit. `LinkUp` grants the first bytes,
    /// `Credit` the others; with everything written, what is left is always enough for the
    /// longest frame of the class. A frame for a link that is gone is dropped.
    ///
    /// # Panics
    /// When the frame is empty, longer than its class allows, or beyond the credit: those are
    /// faults of the caller.
    fn send(&mut self, link: LinkId, class: Class, frame: Bytes);

    /// Closes a link and tells the peer why. Queued frames are dropped; `LinkDown` follows. A link
    /// that is gone already is left alone.
    fn close(&mut self, link: LinkId, reason: CloseReason);

    /// Writes what was queued, control before bulletins, then reads what arrived and finishes
    /// what was begun; appends to `events` what happened. Ready exactly when `events` is not empty.
    fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<TransportEvent>) -> Poll<()>;

    /// Where peers can reach this node now.
    fn addresses(&self) -> Vec<SocketAddr>;

    /// How a link reaches its peer; none when the link is gone.
    fn path(&self, link: LinkId) -> Option<PathInfo>;

    /// Closes every link with [`CloseReason::Quit`] and stops. The future ends when the peers were
    /// told, at the latest after [`SHUTDOWN_TIMEOUT`]. Nothing happens after this call.
    fn shutdown(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Appends the events of a new link: it is up, and bulletins have their larger window.
fn link_up(
    link: LinkId,
    peer: NodeId,
    direction: Direction,
    remote: Option<SocketAddr>,
    events: &mut Vec<TransportEvent>,
) {
    let credit_bytes = INITIAL_CREDIT_BYTES;
    events.push(TransportEvent::LinkUp {
        link,
        peer,
        direction,
        remote,
        credit_bytes,
    });
    let class = Class::Bulletins;
    let bytes = window_bytes(class) - INITIAL_CREDIT_BYTES;
    events.push(TransportEvent::Credit { link, class, bytes });
}

/// Where the state of `class` lies in an array with one entry per class; also its byte on the wire.
const fn index(class: Class) -> usize {
    match class {
        Class::Control => 0,
        Class::Bulletins => 1,
    }
}

/// Both classes, the urgent one first.
const CLASSES: [Class; 2] = [Class::Control, Class::Bulletins];
