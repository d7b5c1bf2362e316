//! One connection: a task that reads frames, and one that writes what waits.
//!
//! Invariant: what waits for a connection is bounded, and one that does not take it is cut off; what a
//! connection sends is read no faster than it can be worked off. Nobody else notices either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::codec::{Decoder, Frame, FrameError};
use super::events::ConnId;
use super::flow::{Gate, Queue, Room, Seat};

/// Longest time a write may take: who does not read for so long is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time the rest of a frame may take.
const REST_TIMEOUT: Duration = Duration::from_secs(30);
/// Frames of a peer that are read at once, and then each second.
const PEER_BURST: u32 = 1_000;
const PEER_FRAMES_PER_S: u32 = 200;
/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;

/// What a connection says to the gateway's loop.
#[derive(Debug)]
pub(crate) enum Said {
    /// A frame, and the seat it has until it is worked off.
    Frame(Frame, Seat),
    /// Its last word: it closed, or what it sent is no frame.
    End(Option<FrameError>),
    /// Its last word: it does not read.
    Stalled,
}

/// Who is at the other end: each is held back in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Module,
    Peer,
}

/// The loop's end of a connection. Dropped, the connection ends once what waits is written.
#[derive(Debug)]
pub(crate) struct Conn {
    outgoing: mpsc::UnboundedSender<Bytes>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) gate: Arc<Gate>,
    reader: AbortHandle,
    writer: AbortHandle,
}

impl Conn {
    /// Runs the connection `id` on `stream`; what it says goes to `said`.
    pub(crate) fn run(
        id: ConnId,
        stream: TcpStream,
        role: Role,
        said: mpsc::Sender<(ConnId, Said)>,
    ) -> Self {
        // Frames are small and somebody waits for each.
        stream.set_nodelay(true).ok();
        let (incoming, writing) = stream.into_split();
        let (outgoing, to_write) = mpsc::unbounded_channel();
        let (queue, gate) = (Arc::<Queue>::default(), Arc::<Gate>::default());
        let writer = tokio::spawn(write(
            writing,
            to_write,
            Arc::clone(&queue),
            id,
            said.clone(),
        ));
        let reader = tokio::spawn(read(incoming, role, Arc::clone(&gate), id, said));
        Self {
            outgoing,
            queue,
            gate,
            reader: reader.abort_handle(),
            writer: writer.abort_handle(),
        }
    }

    /// Sends these bytes, where there is room for them.
    pub(crate) fn send(&self, bytes: Bytes) -> Room {
        let room = self.queue.push(bytes.len());
        if room != Room::None {
            // A writer that is gone has said so.
            self.outgoing.send(bytes).ok();
        }
        room
    }

    /// Ends the connection without writing what waits.
    pub(crate) fn cut(&self) {
        self.writer.abort();
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.reader.abort();
        self.queue.end();
    }
}

async fn read(
    mut stream: OwnedReadHalf,
    role: Role,
    gate: Arc<Gate>,
    id: ConnId,
    said: mpsc::Sender<(ConnId, Said)>,
) {
    let end = read_frames(&mut stream, role, &gate, id, &said).await;
    // The loop is gone when the gateway has stopped.
    said.send((id, Said::End(end.err()))).await.ok();
}

async fn read_frames(
    stream: &mut OwnedReadHalf,
    role: Role,
    gate: &Arc<Gate>,
    id: ConnId,
    said: &mpsc::Sender<(ConnId, Said)>,
) -> Result<(), FrameError> {
    let (mut decoder, mut buffer) = (Decoder::default(), vec![0; READ_BYTES]);
    let mut pace = Pace::new(Instant::now());
    loop {
        let time = if decoder.is_within() {
            REST_TIMEOUT
        } else {
            Duration::MAX
        };
        let Ok(Ok(count @ 1..)) = tokio::time::timeout(time, stream.read(&mut buffer)).await else {
            return Ok(());
        };
        decoder.feed(&buffer[..count]);
        while let Some(frame) = decoder.next_frame()? {
            let seat = gate.seat(frame.data_len());
            if said.send((id, Said::Frame(frame, seat))).await.is_err() {
                return Ok(());
            }
            gate.is_open().await;
            if role == Role::Peer {
                tokio::time::sleep(pace.wait(Instant::now())).await;
            }
        }
    }
}

async fn write(
    mut stream: OwnedWriteHalf,
    mut outgoing: mpsc::UnboundedReceiver<Bytes>,
    queue: Arc<Queue>,
    id: ConnId,
    said: mpsc::Sender<(ConnId, Said)>,
) {
    while let Some(bytes) = outgoing.recv().await {
        let written = tokio::time::timeout(WRITE_TIMEOUT, stream.write_all(&bytes)).await;
        queue.pop(bytes.len());
        let last = match written {
            Ok(Ok(())) => continue,
            Ok(Err(_)) => Said::End(None),
            Err(_) => Said::Stalled,
        };
        said.send((id, last)).await.ok();
        return;
    }
    // Closed already, where the other side was quicker.
    stream.shutdown().await.ok();
}

/// How fast a peer is read: what it sends faster waits in its own socket.
#[derive(Debug)]
struct Pace {
    /// When all frames so far are worked off, at the steady rate.
    even: Instant,
}

impl Pace {
    const fn new(now: Instant) -> Self {
        Self { even: now }
    }

    /// Counts one frame; answers how long to wait before the next.
    fn wait(&mut self, now: Instant) -> Duration {
        let burst = Duration::from_secs(1) * PEER_BURST / PEER_FRAMES_PER_S;
        self.even = self.even.max(now) + Duration::from_secs(1) / PEER_FRAMES_PER_S;
        self.even
            .saturating_duration_since(now)
            .saturating_sub(burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_read_at_once_in_bursts_and_steadily_after_that() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..PEER_BURST {
            assert_eq!(pace.wait(now), Duration::ZERO);
        }
        assert_eq!(pace.wait(now), Duration::from_millis(5));
        let later = now + Duration::from_secs(1);
        for _ in 0..PEER_FRAMES_PER_S - 1 {
            assert_eq!(pace.wait(later), Duration::ZERO);
        }
        assert!(!pace.wait(later).is_zero());
    }
}
