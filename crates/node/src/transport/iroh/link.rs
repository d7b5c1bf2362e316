//! One link: a QUIC connection and its two streams.
//!
//! Reading and writing go as far as they can without waiting and leave a waker where they stopped.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bruit_core::id::LinkId;
use bruit_core::link::{Class, CloseReason};
use bytes::Bytes;
use iroh::TransportAddr;
use iroh::endpoint::{
    Connection, ConnectionError, Path, ReadError, RecvStream, SendStream, VarInt, WriteError,
};
use tokio::time::timeout;

use super::wakeups::{Part, Wakeups};
use crate::transport::outbox::Outbox;
use crate::transport::{CLASSES, FrameDecoder, PathInfo, TransportEvent, index};

/// Chunks taken from a stream under one lock of its connection.
const CHUNKS_PER_READ: usize = 16;

/// The sending and receiving halves of both streams, in the order of [`CLASSES`].
pub(super) type Streams = [(SendStream, RecvStream); 2];

/// A link that is up.
#[derive(Debug)]
pub(super) struct Link {
    number: LinkId,
    connection: Connection,
    streams: [Stream; 2],
    write_waker: Waker,
    /// Whether frames were queued since the last flush.
    pub(super) dirty: bool,
    /// Whether the peer broke the framing, so that nothing is read any more.
    malformed: bool,
}

#[derive(Debug)]
struct Stream {
    send: SendStream,
    recv: RecvStream,
    read_waker: Waker,
    outbox: Outbox,
    decoder: FrameDecoder,
}

/// How reading a stream ended.
#[derive(Debug)]
pub(super) enum Reading {
    /// Nothing more has arrived; the waker is left.
    Drained,
    /// The budget is spent and more may be there; no waker is left.
    Unfinished,
    /// The peer broke the framing just now.
    Malformed,
    /// The link is lost.
    Lost(Loss),
}

/// Why a link is lost.
#[derive(Debug)]
pub(super) enum Loss {
    /// The connection ended.
    Connection(ConnectionError),
    /// The peer ended or reset one stream, which both live as long as the link.
    Stream,
}

impl Link {
    pub(super) fn new(
        number: LinkId,
        connection: Connection,
        streams: Streams,
        wakeups: &Arc<Wakeups>,
    ) -> Self {
        let mut class = CLASSES.into_iter();
        let streams = streams.map(|(send, recv)| {
            let class = class.next().expect("as many streams as classes");
            Stream {
                send,
                recv,
                read_waker: wakeups.waker(Part::Read(number, class)),
                outbox: Outbox::new(class),
                decoder: FrameDecoder::new(class),
            }
        });
        let write_waker = wakeups.waker(Part::Write(number));
        // Both streams may hold what arrived behind their class byte.
        for stream in &streams {
            stream.read_waker.wake_by_ref();
        }
        Self {
            number,
            connection,
            streams,
            write_waker,
            dirty: false,
            malformed: false,
        }
    }

    pub(super) fn queue(&mut self, class: Class, frame: Bytes) {
        self.streams[index(class)].outbox.push(frame);
    }

    /// Writes what is queued, in one go per stream, and grants what credit came free.
    pub(super) fn flush(&mut self, events: &mut Vec<TransportEvent>) -> Result<(), Loss> {
        self.dirty = false;
        let mut cx = Context::from_waker(&self.write_waker);
        for (class, stream) in CLASSES.into_iter().zip(&mut self.streams) {
            let Stream { send, outbox, .. } = stream;
            let written = outbox
                .write(|mut segments| pin!(send.write_many_chunks(&mut segments)).poll(&mut cx));
            match written {
                Poll::Pending | Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(WriteError::ConnectionLost(error))) => {
                    return Err(Loss::Connection(error));
                }
                Poll::Ready(Err(_)) => return Err(Loss::Stream),
            }
            if let Some(bytes) = outbox.take_credit() {
                events.push(TransportEvent::Credit {
                    link: self.number,
                    class,
                    bytes,
                });
            }
        }
        Ok(())
    }

    /// Reads frames of `class` while `chunks_left` lasts.
    pub(super) fn read(
        &mut self,
        class: Class,
        chunks_left: &mut usize,
        events: &mut Vec<TransportEvent>,
    ) -> Reading {
        if self.malformed {
            return Reading::Drained;
        }
        let link = self.number;
        let Stream {
            recv,
            read_waker,
            decoder,
            ..
        } = &mut self.streams[index(class)];
        let mut cx = Context::from_waker(read_waker);
        while *chunks_left > 0 {
            let mut chunks: [Bytes; CHUNKS_PER_READ] = Default::default();
            let room = &mut chunks[..CHUNKS_PER_READ.min(*chunks_left)];
            let count = match pin!(recv.read_many_chunks(room)).poll(&mut cx) {
                Poll::Pending => return Reading::Drained,
                Poll::Ready(Ok(Some(count))) => count,
                Poll::Ready(Err(ReadError::ConnectionLost(error))) => {
                    return Reading::Lost(Loss::Connection(error));
                }
                Poll::Ready(Ok(None) | Err(_)) => return Reading::Lost(Loss::Stream),
            };
            *chunks_left -= count;
            for chunk in chunks.into_iter().take(count) {
                let deliver = |frame| events.push(TransportEvent::Frame { link, class, frame });
                if decoder.push(chunk, deliver).is_err() {
                    self.malformed = true;
                    events.push(TransportEvent::Malformed { link });
                    return Reading::Malformed;
                }
            }
        }
        Reading::Unfinished
    }

    /// Reads what arrived before the connection ended: at most a receive window.
    pub(super) fn read_rest(&mut self, events: &mut Vec<TransportEvent>) {
        let mut chunks_left = usize::MAX;
        for class in CLASSES {
            self.read(class, &mut chunks_left, events);
        }
    }

    pub(super) fn close(&self, reason: CloseReason) {
        close(&self.connection, reason);
    }

    /// Closes when the peer has had time to take what it was sent, or closes itself: a close alone
    /// overtakes what is on its way.
    pub(super) fn close_after(
        mut self,
        reason: CloseReason,
        time: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        // What cannot be written now is lost with the link.
        let _ = self.flush(&mut Vec::new());
        async move {
            // Either end will do.
            let _ = timeout(time, self.closed()).await;
            self.close(reason);
        }
    }

    /// Resolves when the connection ends: for a link whose streams are not read any more.
    pub(super) fn closed(&self) -> impl Future<Output = ConnectionError> + Send + use<> {
        let connection = self.connection.clone();
        async move { connection.closed().await }
    }

    pub(super) fn path(&self) -> Option<PathInfo> {
        path(&self.connection)
    }
}

/// Closes `connection` and tells the peer why.
pub(super) fn close(connection: &Connection, reason: CloseReason) {
    connection.close(VarInt::from(u32::from(reason.code())), b"");
}

/// The path that carries `connection`, or the first one while none is selected.
pub(super) fn path(connection: &Connection) -> Option<PathInfo> {
    let paths = connection.paths();
    let path = paths
        .iter()
        .find(Path::is_selected)
        .or_else(|| paths.iter().next())?;
    let remote = match path.remote_addr() {
        TransportAddr::Ip(address) => Some(*address),
        _ => None,
    };
    let rtt: Duration = path.rtt();
    Some(PathInfo {
        remote,
        direct: path.is_ip(),
        rtt,
    })
}

/// What the peer said when it ended the connection, if it said anything.
pub(super) fn reason(error: &ConnectionError) -> (CloseReason, bool) {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            (CloseReason::from_code(close.error_code.into_inner()), true)
        }
        _ => (CloseReason::Dead, false),
    }
}
