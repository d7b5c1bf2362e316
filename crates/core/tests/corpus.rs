//! The corpus of the fuzz targets, replayed without a fuzzer: what was found once stays found.
//!
//! With `BLESS=1` in the environment the seeds are written anew from the fixed messages; what a
//! fuzzer has added stays.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests read files and look at the clock"
)]

#[expect(
    unreachable_pub,
    reason = "the fuzz targets call it from their own crate"
)]
#[path = "../../../fuzz/src/lib.rs"]
mod bruit_fuzz;
mod golden;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bruit_core::bundle::{Encoder, Head};
use bruit_core::identity::SecretKey;
use bruit_core::letters::LetterSecret;
use bruit_core::wire::{Frame, encode_to_bytes, kind};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target)
}

type Seeds = Vec<(String, Vec<u8>)>;

fn seed(seeds: &mut Seeds, name: &str, bytes: &[u8]) {
    seeds.push((name.to_owned(), bytes.to_vec()));
}

/// Every frame, and frames that promise more than they hold.
fn frame_seeds() -> Seeds {
    let mut seeds = Seeds::new();
    for (name, frame) in golden::frames() {
        let bytes = frame.encode();
        seed(&mut seeds, name, &bytes);
        if bytes.len() > 4 {
            seed(
                &mut seeds,
                &format!("{name}_cut"),
                &bytes[..bytes.len() * 2 / 3],
            );
        }
    }
    for (name, kind) in [
        ("peers", kind::PEERS),
        ("ihave", kind::IHAVE),
        ("graft", kind::GRAFT),
        ("stamp", kind::STAMP),
    ] {
        seed(
            &mut seeds,
            &format!("{name}_promises_all"),
            &[kind, 0xff, 0xff],
        );
        seed(&mut seeds, &format!("{name}_empty"), &[kind, 0, 0]);
    }
    let full = [&[kind::IHAVE, 1, 0][..], &[0; 256]].concat();
    seed(&mut seeds, "ihave_promises_256", &full);
    seed(&mut seeds, "empty", &[]);
    seed(&mut seeds, "unknown_kind", &[0x7f, 1, 2, 3]);
    seeds
}

fn bulletin_seeds() -> Seeds {
    let mut seeds = Seeds::new();
    let good = encode_to_bytes(&golden::bulletin()).to_vec();
    seed(&mut seeds, "good", &good);
    for (name, at, value) in [
        ("version", 0, 2),
        ("size", 123, 0xff),
        ("size_huge", 120, 0xff),
        ("name_too_long", 124, 65),
        ("tag_too_long", 125, 33),
        ("four_parents", 126, 4),
        ("reserved", 127, 1),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        seed(&mut seeds, name, &bytes);
    }
    let header = encode_to_bytes(&golden::bulletin().header);
    seed(&mut seeds, "header", &header);
    seed(&mut seeds, "without_content", &good[..header.len() + 74]);
    seed(
        &mut seeds,
        "stamp",
        &encode_to_bytes(&golden::bulletin().stamp),
    );
    seeds
}

/// A bundle of the fixed bulletin, twice: `good` is the fixture of the layout.
fn bundle_seeds() -> Seeds {
    let mut seeds = Seeds::new();
    let (mut encoder, mut good) = Encoder::new(&Head {
        network: *golden::network().id(),
        name: "golden".to_owned(),
    });
    let head = good.len();
    let bulletin = encode_to_bytes(&golden::bulletin());
    for _ in 0..2 {
        good.extend(encoder.bulletin(&bulletin));
    }
    let end = good.len();
    good.extend(encoder.end());
    seed(&mut seeds, "good", &good);
    seed(&mut seeds, "head", &good[..head]);
    seed(&mut seeds, "half", &good[..end / 2]);
    seed(&mut seeds, "without_end", &good[..end]);
    seed(&mut seeds, "trailing", &[&good[..], &[0]].concat());
    for (name, at, value) in [
        ("magic", 0, b'B'),
        ("version", 9, 2),
        ("name", 43, 0xff),
        ("name_longer", 42, 0xff),
        ("huge", head, 0xff),
        ("hash", good.len() - 1, good[good.len() - 1] ^ 1),
        ("count", end + 11, 3),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        seed(&mut seeds, name, &bytes);
    }
    seeds
}

fn record_seeds() -> Seeds {
    let mut seeds = Seeds::new();
    let good = encode_to_bytes(&golden::record()).to_vec();
    seed(&mut seeds, "good", &good);
    seed(&mut seeds, "bare", &encode_to_bytes(&golden::bare_record()));
    for (name, at, value) in [
        ("version", 0, 0),
        ("four_addresses", 50, 4),
        ("many_addresses", 49, 0xff),
        ("family", 51, 5),
        ("relay_too_long", 77, 0xff),
        ("relay_not_text", 80, 0xff),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        seed(&mut seeds, name, &bytes);
    }
    seed(&mut seeds, "body", &encode_to_bytes(&golden::record().body));
    seed(&mut seeds, "beacon", &encode_to_bytes(&golden::beacon()));
    seed(
        &mut seeds,
        "address_v4",
        &encode_to_bytes(&golden::address_v4()),
    );
    seed(
        &mut seeds,
        "address_v6",
        &encode_to_bytes(&golden::address_v6()),
    );
    seeds
}

/// A manifest or a chunk with its proof: see `bruit_fuzz::chunk`.
fn chunk_seeds() -> Seeds {
    let mut seeds = Seeds::new();
    let manifest = encode_to_bytes(golden::tree().1.manifest());
    let with = |index: u8, piece: &[u8]| [&[index][..], &manifest, piece].concat();
    for index in 0..5 {
        let piece = encode_to_bytes(&golden::piece(index.into()));
        let name = format!("good_{index}");
        seed(&mut seeds, &name, &with(index, &piece));
    }
    let piece = encode_to_bytes(&golden::piece(4));
    seed(&mut seeds, "another_index", &with(3, &piece));
    seed(&mut seeds, "no_such_index", &with(200, &piece));
    seed(&mut seeds, "no_proof", &with(4, &[0, 0, 7]));
    seed(&mut seeds, "promises_all", &with(4, &[0xff, 0xff]));
    seed(&mut seeds, "empty_chunk", &with(4, &[0, 0]));
    for (name, at, value) in [
        ("version", 1, 2),
        ("total_small", 4, 0),
        ("total_huge", 2, 0xff),
        ("chunk_length", 6, 14),
        ("root", 7, 0),
    ] {
        let mut bytes = with(4, &piece);
        bytes[at] = value;
        seed(&mut seeds, name, &bytes);
    }
    seeds
}

/// Scripts: what is said in between, and when. See `bruit_fuzz::handshake`.
fn handshake_seeds() -> Seeds {
    let said = |frames: &[&[u8]]| {
        let mut script = Vec::new();
        for frame in frames {
            script.push(u8::try_from(frame.len()).expect("scripts hold short frames"));
            script.extend_from_slice(frame);
        }
        script
    };
    let hello = golden::hello(None).encode();
    let proof = Frame::Proof { mac: [0; 32] }.encode();
    let mesh = Frame::Mesh { on: true }.encode();
    let early = Frame::Application {
        kind: 200,
        body: bytes::Bytes::from_static(b"early"),
    }
    .encode();
    let mut seeds = Seeds::new();
    for (name, script) in [
        ("alone", said(&[])),
        ("stranger", said(&[&hello])),
        ("forged_proof", said(&[&proof])),
        ("two_proofs", said(&[&proof, &proof])),
        ("speaks_first", said(&[&mesh])),
        ("early_bulletin", said(&[&early, &early, &early])),
        ("empty_frame", said(&[&[]])),
        ("unknown_kinds", said(&[&[0x7f], &[0x60, 1]])),
        ("malformed", said(&[&[kind::PING, 1, 2]])),
    ] {
        for (when, flags) in [
            ("open", 0),
            ("private", 1),
            ("private_late", 0x0b),
            ("open_late", 0x1e),
        ] {
            seed(
                &mut seeds,
                &format!("{name}_{when}"),
                &[&[flags], &script[..]].concat(),
            );
        }
    }
    seeds
}

/// What is inside a letter, built from its documented layout; an acknowledgement and a letterbox.
fn letter_seeds() -> Seeds {
    let sender = SecretKey::from_seed(&[3; 32]);
    let recipient = SecretKey::from_seed(&[1; 32]).author_id();
    let letterbox = [&[1][..], &[0x11; 32], &[0x22; 16], &[0]].concat();
    let inside = |acknowledgement: &[u8], body: &[u8]| {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_be_bytes();
        [
            &[1, 0][..],
            sender.author_id().as_bytes(),
            &[7; 32],
            &1_800_000_000_000_u64.to_be_bytes(),
            &1_800_000_600_000_u64.to_be_bytes(),
            &letterbox,
            &length(acknowledgement)[2..],
            acknowledgement,
            &length(body),
            body,
        ]
        .concat()
    };
    let signed = |inside: &[u8]| {
        let key = LetterSecret::derive(&[1; 32], &recipient).public();
        let network = [9; 32];
        let before: [&[u8]; 4] = [b"ltr1", &network, recipient.as_bytes(), key.as_bytes()];
        let text = [&before.concat(), inside].concat();
        [inside, sender.sign(&text).as_bytes()].concat()
    };
    let good = signed(&inside(&[0xac; 458], b"hello"));
    let mut seeds = Seeds::new();
    seed(&mut seeds, "good", &good);
    seed(&mut seeds, "short", &signed(&inside(b"", b"")));
    let unsigned = [&inside(b"", b"hello")[..], &[0; 64]].concat();
    seed(&mut seeds, "unsigned", &unsigned);
    for (name, at, value) in [
        ("version", 0, 2),
        ("moved", 1, 1),
        ("purpose", 1, 9),
        ("reply_bits", 131, 17),
        ("acknowledgement_too_long", 132, 0xff),
        ("body_too_long", 592, 0xff),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        seed(&mut seeds, name, &bytes);
    }
    seed(&mut seeds, "cut", &good[..300]);
    seed(&mut seeds, "padded", &[&good[..], &[0, 0, 1]].concat());
    seed(&mut seeds, "letterbox", &letterbox);
    seed(
        &mut seeds,
        "bulletin",
        &encode_to_bytes(&golden::bulletin()),
    );
    seeds
}

/// A target: its function and its seeds.
type Target = (&'static str, fn(&[u8]), fn() -> Seeds);

const TARGETS: [Target; 7] = [
    ("frame", bruit_fuzz::frame, frame_seeds),
    ("bulletin", bruit_fuzz::bulletin, bulletin_seeds),
    ("bundle", bruit_fuzz::bundle, bundle_seeds),
    ("record", bruit_fuzz::record, record_seeds),
    ("chunk", bruit_fuzz::chunk, chunk_seeds),
    ("handshake", bruit_fuzz::handshake, handshake_seeds),
    ("letter", bruit_fuzz::letter, letter_seeds),
];

#[test]
fn every_file_of_the_corpus_keeps_every_promise() {
    let begin = Instant::now();
    for (target, run, seeds) in TARGETS {
        let folder = folder(target);
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            for (name, bytes) in seeds() {
                std::fs::write(folder.join(name), bytes).expect("the seed can be written");
            }
        }
        let files = std::fs::read_dir(&folder).expect("the corpus is there");
        let mut count = 0;
        for file in files {
            let path = file.expect("the folder can be read").path();
            let bytes = std::fs::read(&path).expect("the file can be read");
            let begin = Instant::now();
            run(&bytes);
            assert!(
                begin.elapsed() < Duration::from_secs(1),
                "{} takes long",
                path.display()
            );
            count += 1;
        }
        println!("{target}: {count} files");
        assert!(count >= 10, "{target} has {count} files");
    }
    assert!(begin.elapsed() < Duration::from_mins(1));
}

#[test]
fn every_seed_is_on_file() {
    for (target, _, seeds) in TARGETS {
        for (name, bytes) in seeds() {
            let path = folder(target).join(&name);
            let on_file = std::fs::read(&path).expect("the seed is there");
            assert_eq!(on_file, bytes, "{}", path.display());
        }
    }
}
