//! The corpus of the fuzz target `voidphone`, run without a fuzzer: what was found once stays found.
//!
//! With `BLESS=1` in the environment the seeds are written anew; what a fuzzer has added stays.

#[expect(
    unreachable_pub,
    reason = "the fuzz target calls it from its own crate"
)]
#[path = "../../../fuzz/src/voidphone.rs"]
mod fuzzed;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bruit_gateways::voidphone::codec;

/// Frames as the original's own packers make them, by name: of each type one, and the trace of a joiner.
const FRAMES: [(&str, &str); 14] = [
    ("announce", "001001f4040005396465616462656566"),
    ("notify", "000801f500000539"),
    ("notification", "001001f67f2805396465616462656566"),
    ("validation", "000801f77f280001"),
    ("peer_request", "000401f8"),
    ("peer_response", "001001f97f000001177b0a010203ffff"),
    ("verification_request", "000c01fad302dc5c87cc30f6"),
    (
        "verification_response",
        "001a01fbd302dc5c87cc30f60000000000b61a337f0000011b57",
    ),
    ("hello", "000a01fc7f0000011b57"),
    ("push", "000c01fd00057f000001177b"),
    ("ping", "000401fe"),
    (
        "peer_notification",
        "001501ff03004242053966726f6d2d666f72656967",
    ),
    ("reserved_bits", "000801f77f28ffff000801f5ffff0539"),
    (
        "joiner",
        "000a01fc7f0000011b57001a01fbd302dc5c87cc30f60000000000b61a337f0000011b57001501ff03004242053966726f6d2d666f72656967",
    ),
];

/// What is no frame.
const MISTAKES: [(&str, &str); 8] = [
    ("empty", ""),
    ("size_0", "000001f5"),
    ("size_3", "000301f5"),
    ("unknown_type", "000801f30000"),
    ("longer_than_its_type", "ffff01f500000539"),
    ("shorter_than_its_type", "000501f504"),
    ("addresses_cut", "000901f97f000001177b"),
    ("other_protocol", "474554202f20485454502f312e310d0a0d0a"),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/voidphone")
}

fn hex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("it is hexadecimal");
    digits.map(byte).collect()
}

/// Each alone, each after a good frame, and each cut; in pieces of one byte and of seven.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let good = hex("000801f500000539");
    let mut seeds = Vec::new();
    for (name, text) in FRAMES.into_iter().chain(MISTAKES) {
        let bytes = hex(text);
        seeds.push((name.to_owned(), [&[1][..], &bytes].concat()));
        seeds.push((format!("{name}_after"), [&[7][..], &good, &bytes].concat()));
        seeds.push((
            format!("{name}_cut"),
            [&[1][..], &bytes[..bytes.len() / 2]].concat(),
        ));
    }
    seeds
}

#[test]
fn every_file_of_the_corpus_keeps_every_promise() {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(folder()).expect("the folder can be made");
        for (name, bytes) in seeds() {
            std::fs::write(folder().join(name), bytes).expect("the seed can be written");
        }
    }
    let (begin, mut count) = (Instant::now(), 0);
    for file in std::fs::read_dir(folder()).expect("the corpus is there") {
        let path = file.expect("the folder can be read").path();
        fuzzed::frames(&std::fs::read(&path).expect("the file can be read"));
        count += 1;
    }
    assert!(count >= seeds().len(), "{count} files");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn every_seed_is_on_file() {
    for (name, bytes) in seeds() {
        let path = folder().join(name);
        let on_file = std::fs::read(&path).expect("the seed is there");
        assert_eq!(on_file, bytes, "{}", path.display());
    }
}

/// A property of any bytes, not of those somebody thought of.
#[test]
fn any_bytes_keep_every_promise() {
    use proptest::prelude::*;
    let kinds = prop_oneof![498_u16..514, any::<u16>()];
    let frame = (
        any::<u16>(),
        kinds,
        prop::collection::vec(any::<u8>(), 0..40),
        any::<bool>(),
    );
    let bytes = frame.prop_map(|(size, kind, body, is_honest)| {
        let honest = u16::try_from(body.len() + 4).expect("it is short");
        let size = if is_honest { honest } else { size };
        [&size.to_be_bytes()[..], &kind.to_be_bytes(), &body].concat()
    });
    let stream = (any::<u8>(), prop::collection::vec(bytes, 0..8));
    let stream = stream.prop_map(|(step, frames)| [vec![step], frames.concat()].concat());
    proptest!(|(data in stream)| fuzzed::frames(&data));
}
