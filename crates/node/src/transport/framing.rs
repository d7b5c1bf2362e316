//! Frames on a stream: `[length: varint][kind: 1][body: 0..]`, length counting kind and body.
//!
//! The length is LEB128 in its shortest form, so every frame has one encoding. Pure: bytes in,
//! frames out, whatever the cuts between chunks.
//!
//! Invariant: the decoder holds at most one frame of its class, and allocates in step with what
//! has arrived, not with what was announced.

use std::mem;

use bruit_core::link::Class;
use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::frame_bytes_max;

/// Most bytes of a length prefix: three digits of seven bits exceed the longest frame.
const LENGTH_BYTES_MAX: u32 = 3;

/// How a peer broke the framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// A length was not in its shortest form.
    #[error("length prefix is not in its shortest form")]
    Overlong,
    /// A frame had no kind byte.
    #[error("frame is empty")]
    Empty,
    /// A frame was longer than its class allows.
    #[error("frame of {got} bytes exceeds {max}")]
    TooLong {
        /// Bytes announced, at least.
        got: usize,
        /// Most bytes of this class.
        max: usize,
    },
}

/// Bytes a frame of `frame_bytes` takes on the wire, length prefix included.
pub(super) const fn framed_bytes(frame_bytes: usize) -> usize {
    let mut length = frame_bytes;
    let mut bytes = frame_bytes + 1;
    while length >= 0x80 {
        length >>= 7;
        bytes += 1;
    }
    bytes
}

/// Appends the length prefix of a frame of `frame_bytes`.
pub(super) fn put_length(frame_bytes: usize, out: &mut BytesMut) {
    let mut length = frame_bytes;
    while length >= 0x80 {
        out.put_u8(0x80 | low_digit(length));
        length >>= 7;
    }
    out.put_u8(low_digit(length));
}

/// The lowest seven bits of `value`.
fn low_digit(value: usize) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits fit a byte")
}

/// Cuts one stream into frames.
#[derive(Debug)]
pub struct FrameDecoder {
    max: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Within a length prefix.
    Length { value: usize, digits: u32 },
    /// Within a frame that did not arrive in one chunk.
    Body { bytes: Vec<u8>, length: usize },
    /// Past the first error: nothing more is decoded.
    Broken(FramingError),
}

const START: State = State::Length {
    value: 0,
    digits: 0,
};

impl FrameDecoder {
    /// A decoder at the start of a stream of `class`.
    pub const fn new(class: Class) -> Self {
        Self {
            max: frame_bytes_max(class),
            state: START,
        }
    }

    /// Takes the next bytes of the stream and hands every frame they complete to `deliver`.
    ///
    /// A frame that lies within `chunk` is a slice of it; one that began earlier is copied.
    ///
    /// # Errors
    /// [`FramingError`] when the peer broke the framing, then and ever after. Frames before the
    /// error have been delivered.
    pub fn push(
        &mut self,
        mut chunk: Bytes,
        mut deliver: impl FnMut(Bytes),
    ) -> Result<(), FramingError> {
        while !chunk.is_empty() {
            match &mut self.state {
                State::Length { value, digits } => {
                    let (value, digits) = (*value, *digits);
                    self.state = match next_digit(value, digits, chunk.get_u8(), self.max) {
                        Ok(Length::Unfinished(value)) => State::Length {
                            value,
                            digits: digits + 1,
                        },
                        Ok(Length::Whole(length)) if length <= chunk.len() => {
                            deliver(chunk.split_to(length));
                            START
                        }
                        Ok(Length::Whole(length)) => State::Body {
                            bytes: Vec::new(),
                            length,
                        },
                        Err(error) => State::Broken(error),
                    };
                }
                State::Body { bytes, length } => {
                    let taken = chunk.len().min(*length - bytes.len());
                    append(bytes, &chunk.split_to(taken), *length);
                    if bytes.len() == *length {
                        deliver(Bytes::from(mem::take(bytes)));
                        self.state = START;
                    }
                }
                State::Broken(_) => break,
            }
        }
        match self.state {
            State::Broken(error) => Err(error),
            State::Length { .. } | State::Body { .. } => Ok(()),
        }
    }
}

/// A length prefix after one more byte.
enum Length {
    Unfinished(usize),
    Whole(usize),
}

/// Adds `byte` to a prefix that has `value` in `digits` bytes so far.
fn next_digit(value: usize, digits: u32, byte: u8, max: usize) -> Result<Length, FramingError> {
    let value = value | usize::from(byte & 0x7f) << (7 * digits);
    if value > max {
        return Err(FramingError::TooLong { got: value, max });
    }
    if byte & 0x80 != 0 {
        return if digits + 1 == LENGTH_BYTES_MAX {
            Err(FramingError::TooLong { got: max + 1, max })
        } else {
            Ok(Length::Unfinished(value))
        };
    }
    match (value, byte, digits) {
        (_, 0, 1..) => Err(FramingError::Overlong),
        (0, _, _) => Err(FramingError::Empty),
        _ => Ok(Length::Whole(value)),
    }
}

/// Appends `part` to a frame that will have `length` bytes, doubling the space up to exactly that.
fn append(bytes: &mut Vec<u8>, part: &[u8], length: usize) {
    let needed = bytes.len() + part.len();
    if bytes.capacity() < needed {
        let space = needed.max(2 * bytes.len()).min(length);
        bytes.reserve_exact(space - bytes.len());
    }
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(frames: &[Vec<u8>]) -> Bytes {
        let mut out = BytesMut::new();
        for frame in frames {
            put_length(frame.len(), &mut out);
            out.put_slice(frame);
        }
        out.freeze()
    }

    fn decode(class: Class, chunks: &[Bytes]) -> (Vec<Bytes>, Result<(), FramingError>) {
        let mut decoder = FrameDecoder::new(class);
        let mut frames = Vec::new();
        let mut result = Ok(());
        for chunk in chunks {
            result = decoder.push(chunk.clone(), |frame| frames.push(frame));
        }
        (frames, result)
    }

    /// Bytes the decoder holds and has allocated.
    fn held(decoder: &FrameDecoder) -> (usize, usize) {
        match &decoder.state {
            State::Body { bytes, .. } => (bytes.len(), bytes.capacity()),
            State::Length { .. } | State::Broken(_) => (0, 0),
        }
    }

    fn segments(bytes: &Bytes, cuts: &[usize]) -> Vec<Bytes> {
        let mut rest = bytes.clone();
        let mut chunks = Vec::new();
        for cut in cuts {
            chunks.push(rest.split_to((*cut).min(rest.len())));
        }
        chunks.push(rest);
        chunks
    }

    #[test]
    fn lengths_at_every_boundary_have_the_documented_encoding() {
        for (length, prefix) in [
            (1, &[0x01][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (66_560, &[0x80, 0x88, 0x04]),
        ] {
            let bytes = encode(&[vec![7; length]]);
            assert_eq!(bytes[..prefix.len()], *prefix);
            assert_eq!(bytes.len(), framed_bytes(length));
            let (frames, result) = decode(Class::Bulletins, &[bytes]);
            assert_eq!((frames[0].len(), result), (length, Ok(())));
        }
    }

    #[test]
    fn broken_lengths_say_how_and_stay_broken() {
        let max = frame_bytes_max(Class::Control);
        for (bytes, error) in [
            (&[0x00][..], FramingError::Empty),
            (&[0x80, 0x00], FramingError::Overlong),
            (&[0x81, 0x00], FramingError::Overlong),
            (&[0x81, 0x80, 0x00], FramingError::Overlong),
            (
                &[0x81, 0x80, 0x80],
                FramingError::TooLong { got: max + 1, max },
            ),
            (&[0x81, 0x40], FramingError::TooLong { got: 8_193, max }),
        ] {
            let (_, result) = decode(Class::Control, &[Bytes::from_static(bytes)]);
            assert_eq!(result, Err(error), "{bytes:?}");
            let good = encode(&[vec![1]]);
            let (frames, result) = decode(Class::Control, &[Bytes::from_static(bytes), good]);
            assert_eq!((frames, result), (vec![], Err(error)));
        }
    }

    #[test]
    fn frame_within_one_chunk_is_not_copied() {
        let bytes = encode(&[vec![1; 10], vec![2; 300]]);
        let (frames, _) = decode(Class::Control, std::slice::from_ref(&bytes));
        assert_eq!(frames[0].as_ptr(), bytes[1..].as_ptr());
        assert_eq!(frames[1].as_ptr(), bytes[13..].as_ptr());
    }

    #[test]
    fn announcing_a_long_frame_allocates_nothing() {
        let mut decoder = FrameDecoder::new(Class::Bulletins);
        let announced = encode(&[vec![0; 66_000]]).slice(..4);
        assert_eq!(
            decoder.push(announced, |_| panic!("no frame is whole")),
            Ok(())
        );
        assert!(held(&decoder).1 <= 8);
    }

    proptest! {
        #[test]
        fn any_segmentation_gives_the_same_frames(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3_000), 0..12),
            cuts in prop::collection::vec(0_usize..2_000, 0..40),
        ) {
            let bytes = encode(&frames);
            let (got, result) = decode(Class::Control, &segments(&bytes, &cuts));
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(got, frames);
        }

        #[test]
        fn any_bytes_neither_panic_nor_pile_up(
            bytes in prop::collection::vec(any::<u8>(), 0..20_000),
            cuts in prop::collection::vec(0_usize..2_000, 0..40),
        ) {
            let bytes = Bytes::from(bytes);
            let mut decoder = FrameDecoder::new(Class::Control);
            let mut delivered = 0;
            for chunk in segments(&bytes, &cuts) {
                let _ = decoder.push(chunk, |frame| delivered += framed_bytes(frame.len()));
                let (held, allocated) = held(&decoder);
                prop_assert!(held <= allocated && allocated <= frame_bytes_max(Class::Control));
            }
            prop_assert!(delivered <= bytes.len());
        }

        #[test]
        fn prefixes_are_canonical(length in 1_usize..=66_560) {
            let mut prefix = BytesMut::new();
            put_length(length, &mut prefix);
            prop_assert_eq!(prefix.len() + length, framed_bytes(length));
            prop_assert_ne!(prefix.last(), Some(&0));
        }
    }
}
