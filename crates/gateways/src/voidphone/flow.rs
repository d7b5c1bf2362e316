//! What keeps a quick sender from drowning a slow reader: bounds that make the one wait for the other.
//!
//! Invariant: a connection is read no further while it has [`AHEAD_FRAMES_MAX`] frames or
//! [`AHEAD_BYTES_MAX`] bytes that are not worked off (handled, and published where they are), or while one
//! that it fills the queue of has not read on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Frames of a module that are read and not worked off.
pub(crate) const AHEAD_FRAMES_MAX: usize = 128;
/// Bytes of them.
pub(crate) const AHEAD_BYTES_MAX: usize = 1 << 20;
/// Bytes that wait for a connection before others wait for it, and until they do.
const CROWDED_BYTES: usize = 1 << 20;
/// Bytes that may wait for a connection; with more it is cut off.
pub(crate) const WAITING_BYTES_MAX: usize = 16 << 20;

/// How much waits to be written to a connection.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    bytes: AtomicUsize,
    is_over: AtomicBool,
    drained: Notify,
}

/// What became of bytes for a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// They wait with a few others.
    Plenty,
    /// They wait with many: whoever sends should wait as well.
    Little,
    /// There is none for them.
    None,
}

impl Queue {
    /// Counts `len` more bytes, where there is room.
    pub(crate) fn push(&self, len: usize) -> Room {
        let bytes = self.bytes.load(Ordering::Relaxed).saturating_add(len);
        if bytes > WAITING_BYTES_MAX {
            return Room::None;
        }
        self.bytes.fetch_add(len, Ordering::Relaxed);
        if bytes > CROWDED_BYTES {
            Room::Little
        } else {
            Room::Plenty
        }
    }

    /// So many bytes are written.
    pub(crate) fn pop(&self, len: usize) {
        let before = self.bytes.fetch_sub(len, Ordering::Relaxed);
        if before.saturating_sub(len) <= CROWDED_BYTES {
            self.drained.notify_waiters();
        }
    }

    /// The connection is gone.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.drained.notify_waiters();
    }

    /// Waits until it is not crowded any more, or over.
    async fn is_eased(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            // From here on a word of it is not missed.
            drained.as_mut().enable();
            let is_crowded = self.bytes.load(Ordering::Relaxed) > CROWDED_BYTES;
            if !is_crowded || self.is_over.load(Ordering::Relaxed) {
                return;
            }
            drained.await;
        }
    }
}

/// How far a module is read ahead of what is worked off.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    frames: AtomicUsize,
    bytes: AtomicUsize,
    eased: Notify,
    crowded: Mutex<Vec<Arc<Queue>>>,
}

/// A frame of `len` bytes that is not worked off until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    gate: Arc<Gate>,
    len: usize,
}

impl Gate {
    /// One more frame is to be worked off.
    pub(crate) fn seat(self: &Arc<Self>, len: usize) -> Seat {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(len, Ordering::Relaxed);
        Seat {
            gate: Arc::clone(self),
            len,
        }
    }

    /// What the module sent crowds `queue`.
    pub(crate) fn wait_for(&self, queue: &Arc<Queue>) {
        let mut crowded = self.crowded.lock().unwrap_or_else(PoisonError::into_inner);
        if !crowded.iter().any(|other| Arc::ptr_eq(other, queue)) {
            crowded.push(Arc::clone(queue));
        }
    }

    /// Waits until the module may be read on. It has one waiter, whom a word reaches that was given before
    /// it waited.
    pub(crate) async fn is_open(&self) {
        loop {
            let frames = self.frames.load(Ordering::Relaxed);
            let bytes = self.bytes.load(Ordering::Relaxed);
            if frames >= AHEAD_FRAMES_MAX || bytes >= AHEAD_BYTES_MAX {
                self.eased.notified().await;
                continue;
            }
            let Some(queue) = self
                .crowded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()
            else {
                return;
            };
            queue.is_eased().await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gate.frames.fetch_sub(1, Ordering::Relaxed);
        self.gate.bytes.fetch_sub(self.len, Ordering::Relaxed);
        self.gate.eased.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_waiting(gate: &Arc<Gate>) -> tokio::task::JoinHandle<()> {
        let gate = Arc::clone(gate);
        let waiting = tokio::spawn(async move { gate.is_open().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        waiting
    }

    #[tokio::test]
    async fn a_module_waits_until_its_frames_are_worked_off() {
        let gate = Arc::<Gate>::default();
        let mut seats: Vec<_> = (0..AHEAD_FRAMES_MAX).map(|_| gate.seat(1)).collect();
        let waiting = is_waiting(&gate).await;
        seats.pop();
        waiting.await.unwrap();
        let large = gate.seat(AHEAD_BYTES_MAX);
        let waiting = is_waiting(&gate).await;
        drop(large);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_module_waits_for_the_reader_it_crowds_and_for_nobody_who_is_gone() {
        let (gate, queue) = (Arc::<Gate>::default(), Arc::<Queue>::default());
        assert_eq!(queue.push(CROWDED_BYTES), Room::Plenty);
        assert_eq!(queue.push(1), Room::Little);
        gate.wait_for(&queue);
        let waiting = is_waiting(&gate).await;
        queue.pop(1);
        waiting.await.unwrap();
        assert_eq!(queue.push(WAITING_BYTES_MAX), Room::None);

        assert_eq!(queue.push(1), Room::Little);
        gate.wait_for(&queue);
        let waiting = is_waiting(&gate).await;
        queue.end();
        waiting.await.unwrap();
    }
}
