//! The corpora of the fuzz targets of the gateways, run without a fuzzer: what was found once stays found.
//!
//! With `BLESS=1` in the environment the seeds are written anew; what a fuzzer has added stays.

#[expect(
    unreachable_pub,
    reason = "the fuzz targets call it from their own crates"
)]
#[path = "../../../../fuzz/src/foreign.rs"]
mod foreign;
#[expect(
    unreachable_pub,
    reason = "the fuzz target calls it from its own crate"
)]
#[path = "../../../../fuzz/src/voidphone.rs"]
mod fuzzed;
mod seeds;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bruit_gateways::voidphone::codec;
use seeds::Seeds;

/// A target, what it fuzzes, and its seeds.
type Target = (&'static str, fn(&[u8]), fn() -> Seeds);

const TARGETS: [Target; 5] = [
    ("dave", foreign::dave, seeds::dave),
    ("k98kurz", foreign::k98kurz, seeds::k98kurz),
    (
        "p2p_messaging",
        foreign::p2p_messaging,
        seeds::p2p_messaging,
    ),
    ("simple", foreign::simple, seeds::simple),
    ("voidphone", fuzzed::frames, seeds::voidphone),
];

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target)
}

#[test]
fn every_file_of_the_corpus_keeps_every_promise() {
    let begin = Instant::now();
    for (target, run, seeds) in TARGETS {
        let seeds = seeds();
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(folder(target)).expect("the folder can be made");
            for (name, bytes) in &seeds {
                std::fs::write(folder(target).join(name), bytes).expect("it can be written");
            }
        }
        let mut count = 0;
        for file in std::fs::read_dir(folder(target)).expect("the corpus is there") {
            let path = file.expect("the folder can be read").path();
            run(&std::fs::read(&path).expect("the file can be read"));
            count += 1;
        }
        assert!(count >= seeds.len(), "{target}: {count} files");
    }
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn every_seed_is_on_file() {
    for (target, _, seeds) in TARGETS {
        for (name, bytes) in seeds() {
            let path = folder(target).join(name);
            let on_file = std::fs::read(&path).expect("the seed is there");
            assert_eq!(on_file, bytes, "{}", path.display());
        }
    }
}

/// A property of any frames, not of those somebody thought of.
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
