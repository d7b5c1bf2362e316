//! What is fuzzed of the `VoidPhone` gateway: any bytes may come over TCP, in any pieces.
//!
//! The fuzz target calls this, and `crates/gateways/tests/corpus/` runs it over the corpus without a fuzzer.
//! Either has the gateway's codec at its root.

use crate::codec::{Decoder, Frame, FrameError};

/// Frames are read alike however their bytes come, and each that was read is written and read as itself.
///
/// `[bytes at a time: u8][stream]`
pub fn frames(data: &[u8]) {
    let Some((step, stream)) = data.split_first() else {
        return;
    };
    let (read, end) = read(stream, stream.len().max(1));
    let in_pieces = self::read(stream, usize::from(*step).max(1));
    assert_eq!(
        in_pieces,
        (read.clone(), end),
        "read {step} bytes at a time"
    );
    for frame in read {
        let bytes = frame.encode().expect("it came in a frame");
        let again = self::read(&bytes, bytes.len());
        assert_eq!(again, (vec![frame], None), "written as another");
    }
}

/// The frames in `stream`, fed `step` bytes at a time, and what ended it.
fn read(stream: &[u8], step: usize) -> (Vec<Frame>, Option<FrameError>) {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for piece in stream.chunks(step) {
        decoder.feed(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(
            decoder.held() < usize::from(u16::MAX),
            "it holds more than a frame"
        );
    }
    (frames, None)
}
