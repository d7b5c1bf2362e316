//! How much memory decoding takes: at most four times the input and 4 KiB, whatever the input says.
//!
//! One test only: allocations are counted for the whole process.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a test reads files and counts"
)]

use bruit_core::id::NetworkId;
use bruit_core::wire::Frame;
use bytes::Bytes;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The most memory decoding `bytes` held at once beyond the input.
fn peak(bytes: &Bytes) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let frame = Frame::decode(bytes, &NetworkId::from_bytes([9; 32]));
    drop(frame);
    MEMORY.peak_usage() - before
}

fn check(bytes: Vec<u8>) -> usize {
    let bytes = Bytes::from(bytes);
    let peak = peak(&bytes);
    let bound = 4 * bytes.len() + 4_096;
    assert!(
        peak <= bound,
        "{peak} bytes for {} of kind {}",
        bytes.len(),
        bytes.first().unwrap_or(&0)
    );
    peak
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/frame");
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    files
        .map(|file| std::fs::read(file.expect("it can be read").path()).expect("a file"))
        .collect()
}

#[test]
fn decoding_takes_at_most_four_times_the_input_and_four_kib() {
    let mut most = 0;
    for good in corpus() {
        most = most.max(check(good.clone()));
        for length in 0..good.len() {
            check(good[..length].to_vec());
        }
        for at in 0..good.len() {
            for value in 0..=u8::MAX {
                let mut bytes = good.clone();
                bytes[at] = value;
                check(bytes);
            }
        }
        // Every two bytes may be a count.
        for at in 0..good.len().saturating_sub(1) {
            for count in [
                0, 1, 15, 16, 17, 31, 32, 63, 64, 255, 256, 511, 512, 513, 0x7fff, 0xffff_u16,
            ] {
                let mut bytes = good.clone();
                bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
                check(bytes);
            }
        }
    }
    // The longest list a count may promise, cut anywhere.
    for kind in 0..=u8::MAX {
        for count in [3, 16, 32, 64, 256, 512_u16] {
            for length in (0..9_000).step_by(61) {
                let mut bytes = vec![0; length + 3];
                bytes[0] = kind;
                bytes[1..3].copy_from_slice(&count.to_be_bytes());
                most = most.max(check(bytes));
            }
        }
    }
    println!("at most {most} bytes at once");
}
