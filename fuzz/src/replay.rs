//! What is fuzzed of the simulator: any bytes may be called the recording of a daemon.
//!
//! The fuzz target calls this, and `crates/sim/tests/corpus.rs` runs it over the corpus without a fuzzer.

use bruit_core::journal::{FRAMING_BYTES, Framing, HEAD_BYTES};
use bruit_sim::replay::{Replayed, replay};

/// Nothing that is called a recording makes the replay panic, be it damaged or forged.
///
/// A fuzzer does not guess hashes: the same bytes are run once more with every check made right.
pub fn replayed(data: &[u8]) {
    let _: Option<Replayed> = replay(data).ok();
    let _: Option<Replayed> = replay(&mended(data)[..]).ok();
}

/// The same entries, as somebody would have written them who meant them so.
fn mended(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    let mut at = HEAD_BYTES;
    while let Some(framing) = data.get(at..).and_then(<[u8]>::first_chunk) {
        let framing: [u8; FRAMING_BYTES] = *framing;
        let [l0, l1, l2, l3, ..] = framing;
        let begin = at + FRAMING_BYTES;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let end = begin.saturating_add(length).min(data.len());
        let framing = Framing::of(&data[begin..end]).encode();
        data[at..begin].copy_from_slice(&framing);
        at = end;
    }
    data
}
