//! What waits to be written to one stream, and the credit its writer has left.
//!
//! Invariant: what frames cost and was not granted again is at most the window, so a peer that does
//! not read costs a window and no more, and an idle link holds no buffer.

use std::collections::VecDeque;
use std::mem;
use std::task::Poll;

use bruit_core::link::Class;
use bytes::{Bytes, BytesMut};

use super::framing::{framed_bytes, put_length};
use super::{frame_bytes_max, frame_cost, window_bytes};

/// Longest frame that is copied next to its neighbours; a longer one is queued as it is, shared
/// with the other links it goes to. 1,452, where the QUIC library's own send buffer turns.
const COPIED_FRAME_BYTES_MAX: usize = 1_452;

/// Credit is granted when this much was written since the last grant: an eighth of the bulletins'
/// window, so that events stay rare and the writer does not run dry.
const GRANT_BYTES: u32 = 32 * 1024;

/// Credit is granted when the buffer is empty and at least this much was written. Less stays back,
/// or every small frame would cost an event.
const GRANT_BYTES_IDLE: u32 = 8 * 1024;

/// Segments an emptied queue keeps room for.
const KEPT_SEGMENTS: usize = 8;

/// The bytes queued for one stream.
#[derive(Debug)]
pub(super) struct Outbox {
    class: Class,
    segments: VecDeque<Bytes>,
    tail: BytesMut,
    queued_bytes: usize,
    ungranted_bytes: u32,
}

impl Outbox {
    pub(super) fn new(class: Class) -> Self {
        Self {
            class,
            segments: VecDeque::new(),
            tail: BytesMut::new(),
            queued_bytes: 0,
            ungranted_bytes: 0,
        }
    }

    /// Queues one frame behind its length prefix.
    ///
    /// # Panics
    /// When the frame is empty, longer than its class allows, or beyond the credit.
    pub(super) fn push(&mut self, frame: Bytes) {
        let max = frame_bytes_max(self.class);
        assert!(
            (1..=max).contains(&frame.len()),
            "a frame has 1..={max} bytes"
        );
        let framed = framed_bytes(frame.len());
        self.queued_bytes += framed;
        self.ungranted_bytes += narrowed(frame_cost(frame.len()) - framed);
        assert!(
            self.queued_bytes + widened(self.ungranted_bytes) <= widened(window_bytes(self.class)),
            "the engine sends within its credit"
        );
        if frame.len() > COPIED_FRAME_BYTES_MAX {
            put_length(frame.len(), &mut self.tail);
            self.seal_tail();
            self.segments.push_back(frame);
        } else {
            self.tail.reserve(framed);
            put_length(frame.len(), &mut self.tail);
            self.tail.extend_from_slice(&frame);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.queued_bytes == 0
    }

    /// Hands everything queued to `write` until it is written or `write` is not ready. `write`
    /// takes bytes off the front of the segments and returns how many.
    pub(super) fn write<E>(
        &mut self,
        mut write: impl FnMut(&mut [Bytes]) -> Poll<Result<usize, E>>,
    ) -> Poll<Result<(), E>> {
        self.seal_tail();
        while !self.is_empty() {
            let written = match write(self.segments.make_contiguous()) {
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            while self.segments.front().is_some_and(Bytes::is_empty) {
                self.segments.pop_front();
            }
            self.queued_bytes -= written;
            self.ungranted_bytes += narrowed(written);
        }
        self.segments.shrink_to(KEPT_SEGMENTS);
        Poll::Ready(Ok(()))
    }

    /// Credit to grant again now, gathered so that small frames do not each cost an event.
    pub(super) fn take_credit(&mut self) -> Option<u32> {
        let due = if self.is_empty() {
            GRANT_BYTES_IDLE
        } else {
            GRANT_BYTES
        };
        (self.ungranted_bytes >= due).then(|| mem::take(&mut self.ungranted_bytes))
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push_back(mem::take(&mut self.tail).freeze());
        }
    }
}

/// A count of bytes within a window, as granted.
fn narrowed(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a window is smaller than 4 GiB")
}

/// A count of bytes within a window, in memory.
fn widened(bytes: u32) -> usize {
    usize::try_from(bytes).expect("pointers have at least 32 bits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::FrameDecoder;

    /// Takes at most `limit` bytes, as a stream with that much room does.
    fn take(limit: usize, from: &mut [Bytes], into: &mut BytesMut) -> Poll<Result<usize, ()>> {
        let before = into.len();
        for segment in from {
            let part = segment.split_to(segment.len().min(before + limit - into.len()));
            into.extend_from_slice(&part);
        }
        let taken = into.len() - before;
        if taken == 0 {
            Poll::Pending
        } else {
            Poll::Ready(Ok(taken))
        }
    }

    proptest! {
        #[test]
        fn frames_leave_whole_and_the_longest_one_always_fits_after(
            lengths in prop::collection::vec(
                prop_oneof![1_usize..200, 1_000_usize..2_000, Just(66_560_usize)], 1..60
            ),
            room in prop::collection::vec(1_usize..50_000, 1..8),
        ) {
            let class = Class::Bulletins;
            let mut outbox = Outbox::new(class);
            let mut credit = window_bytes(class);
            let mut wire = BytesMut::new();
            let mut room = room.into_iter().cycle();
            for length in &lengths {
                let cost = narrowed(frame_cost(*length));
                while credit < cost {
                    let mut limit = room.next().expect("cycles");
                    let _ = outbox.write(|from| {
                        take(mem::take(&mut limit), from, &mut wire)
                    });
                    credit += outbox.take_credit().unwrap_or(0);
                }
                credit -= cost;
                outbox.push(Bytes::from(vec![1; *length]));
            }
            prop_assert_eq!(outbox.write(|from| take(100, from, &mut wire)), Poll::Ready(Ok(())));
            credit += outbox.take_credit().unwrap_or(0);
            prop_assert!(credit + GRANT_BYTES_IDLE > window_bytes(class));
            let mut got = Vec::new();
            let pushed = FrameDecoder::new(class).push(wire.freeze(), |frame| got.push(frame.len()));
            prop_assert_eq!((got, pushed), (lengths, Ok(())));
        }
    }

    #[test]
    fn credit_kept_back_leaves_room_for_the_longest_frame_of_either_class() {
        for class in [Class::Control, Class::Bulletins] {
            let kept = widened(window_bytes(class) - GRANT_BYTES_IDLE);
            assert!(kept >= frame_cost(frame_bytes_max(class)));
        }
    }

    #[test]
    fn emptied_outbox_holds_no_buffer() {
        let mut outbox = Outbox::new(Class::Bulletins);
        (0..200).for_each(|_| outbox.push(Bytes::from(vec![1; 1_000])));
        let mut wire = BytesMut::new();
        assert_eq!(
            outbox.write(|from| take(300_000, from, &mut wire)),
            Poll::Ready(Ok(()))
        );
        assert!(outbox.segments.capacity() <= 2 * KEPT_SEGMENTS);
        assert_eq!(outbox.tail.capacity(), 0);
    }

    #[test]
    #[should_panic(expected = "within its credit")]
    fn sending_beyond_the_credit_is_our_fault_and_says_so() {
        let mut outbox = Outbox::new(Class::Control);
        (0..9).for_each(|_| outbox.push(Bytes::from(vec![1; 8_192])));
    }
}
