//! The wire, byte by byte: `vectors/wire.json` holds one fixed value of every type, and what it is
//! made of. A change of one byte here is a change of the protocol.
//!
//! With `BLESS=1` in the environment the file is written anew; the difference is then to be read.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests read files, start a program and count small things"
)]

mod golden;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::id::{ContentId, TopicId};
use bruit_core::lookups::Target;
use bruit_core::network::Network;
use bruit_core::record::{Beacon, Record, RecordBody};
use bruit_core::wire::{Decode, Encode, Frame, decode_all, encode_pub, encode_to_bytes};
use bruit_core::work::{Price, Stamp};
use bytes::Bytes;
use golden::{Json, hex, hex_of};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn header_fields(header: &Header) -> Json {
    Json::Object(vec![
        ("version", Json::Number(1)),
        ("kind", Json::Number(header.kind.0.into())),
        ("flags", Json::Number(header.flags.into())),
        ("ttl_s", Json::Number(header.ttl_s.into())),
        ("created_ms", Json::Number(header.created.as_millis())),
        ("topic", hex_of(&header.topic)),
        ("content_id", hex_of(&header.content_id)),
        ("author", hex_of(&header.author)),
        ("seq", Json::Number(header.seq)),
        ("size", Json::Number(header.size_bytes.into())),
        ("name", hex(&header.name)),
        ("tag", hex(&header.tag)),
        ("parents", Json::list(&header.parents, hex_of)),
    ])
}

fn stamp_fields(stamp: &Stamp) -> Json {
    Json::Object(vec![
        ("algo", Json::Number(0)),
        ("bits", Json::Number(stamp.bits.into())),
        ("nonce", Json::Number(stamp.nonce)),
    ])
}

fn bulletin_fields(bulletin: &Bulletin) -> Json {
    Json::Object(vec![
        ("header", header_fields(&bulletin.header)),
        ("signature", hex(bulletin.signature.as_bytes())),
        ("stamp", stamp_fields(&bulletin.stamp)),
        ("content", hex(&bulletin.content)),
    ])
}

fn body_fields(body: &RecordBody) -> Json {
    Json::Object(vec![
        ("version", Json::Number(1)),
        ("node", hex_of(&body.node)),
        ("seq", Json::Number(body.seq)),
        ("expires_ms", Json::Number(body.expires.as_millis())),
        (
            "addresses",
            Json::list(&body.addresses, |address| text(&address.to_string())),
        ),
        ("relay", text(&body.relay)),
    ])
}

fn record_fields(record: &Record) -> Json {
    Json::Object(vec![
        ("body", body_fields(&record.body)),
        ("signature", hex(record.signature.as_bytes())),
    ])
}

fn beacon_fields(beacon: &Beacon) -> Json {
    Json::Object(vec![
        ("node", hex_of(&beacon.node)),
        ("minute", Json::Number(beacon.minute)),
        ("signature", hex(beacon.signature.as_bytes())),
    ])
}

/// What a frame says, field by field in the order of its bytes.
fn frame_fields(frame: &Frame) -> Json {
    let mut fields = match frame {
        Frame::Hello { .. } | Frame::Proof { .. } => greeting_fields(frame),
        Frame::Ping { .. } | Frame::Pong { .. } | Frame::Probe { .. } | Frame::Probed { .. } => {
            probe_fields(frame)
        }
        Frame::PeersReq => Vec::new(),
        Frame::Peers { records } => vec![("records", Json::list(records, record_fields))],
        Frame::Beacon(beacon) => vec![("beacon", beacon_fields(beacon))],
        Frame::Mesh { on } => vec![("on", Json::Bool(*on))],
        Frame::SyncOpen { .. } | Frame::SyncMsg { .. } | Frame::SyncDone { .. } => {
            sync_fields(frame)
        }
        Frame::WantChunks { .. } | Frame::Chunk { .. } | Frame::HaveChunks { .. } => {
            chunk_fields(frame)
        }
        Frame::Register { .. } | Frame::Lease { .. } | Frame::Report { .. } => seed_fields(frame),
        Frame::Application { body, .. } => vec![("body", hex(body))],
        _ => bulletin_frame_fields(frame),
    };
    fields.insert(0, ("kind", Json::Number(frame.kind().into())));
    Json::Object(fields)
}

fn greeting_fields(frame: &Frame) -> Vec<(&'static str, Json)> {
    match frame {
        Frame::Hello {
            version,
            features,
            name_hash,
            price,
            private,
            network,
            wants_kept,
            nonce,
            clock_ms,
            observed,
        } => vec![
            ("version", Json::Number((*version).into())),
            ("features", Json::Number((*features).into())),
            ("name_hash", hex(name_hash)),
            ("price", Json::Number((*price).into())),
            ("private", Json::Bool(*private)),
            ("network_id", hex_of(network)),
            ("wants_kept", Json::Bool(*wants_kept)),
            ("nonce", hex(nonce)),
            ("clock_ms", Json::Number(*clock_ms)),
            (
                "observed",
                observed.map_or(Json::Null, |at| text(&at.to_string())),
            ),
        ],
        Frame::Proof { mac } => vec![("mac", hex(mac))],
        _ => unreachable!("the caller chose"),
    }
}

fn probe_fields(frame: &Frame) -> Vec<(&'static str, Json)> {
    match frame {
        Frame::Ping {
            seq,
            clock_ms,
            floor_log2,
            minute,
            digest,
        } => vec![
            ("seq", Json::Number((*seq).into())),
            ("clock_ms", Json::Number(*clock_ms)),
            ("floor_log2", Json::Number((*floor_log2).into())),
            ("minute", Json::Number(*minute)),
            ("digest", hex(digest)),
        ],
        Frame::Pong { seq, clock_ms } => vec![
            ("seq", Json::Number((*seq).into())),
            ("clock_ms", Json::Number(*clock_ms)),
        ],
        Frame::Probe { seq, target } => {
            vec![
                ("seq", Json::Number((*seq).into())),
                ("target", hex_of(target)),
            ]
        }
        Frame::Probed { seq, alive } => {
            vec![
                ("seq", Json::Number((*seq).into())),
                ("alive", Json::Bool(*alive)),
            ]
        }
        _ => unreachable!("the caller chose"),
    }
}

fn seed_fields(frame: &Frame) -> Vec<(&'static str, Json)> {
    match frame {
        Frame::Register { token, record } => vec![
            ("token", hex(token)),
            (
                "record",
                record.as_deref().map_or(Json::Null, record_fields),
            ),
        ],
        Frame::Lease {
            token,
            lease_s,
            renew_s,
            records,
        } => vec![
            ("token", hex(token)),
            ("lease_s", Json::Number((*lease_s).into())),
            ("renew_s", Json::Number((*renew_s).into())),
            ("records", Json::list(records, record_fields)),
        ],
        Frame::Report { nodes } => vec![("nodes", Json::list(nodes, hex_of))],
        _ => unreachable!("the caller chose"),
    }
}

fn bulletin_frame_fields(frame: &Frame) -> Vec<(&'static str, Json)> {
    let numbers = |values: &[u64]| Json::list(values, |value| Json::Number(*value));
    match frame {
        Frame::Pub {
            root_tag,
            hops,
            bulletin,
        } => vec![
            ("root_tag", Json::Number(*root_tag)),
            ("hops", Json::Number((*hops).into())),
            ("bulletin", bulletin_fields(bulletin)),
        ],
        Frame::Ihave { entries } => {
            let entry = |entry: &bruit_core::wire::IhaveEntry| {
                let tag = Json::Number(entry.root_tag);
                Json::Object(vec![("id", hex_of(&entry.id)), ("root_tag", tag)])
            };
            vec![("entries", Json::list(entries, entry))]
        }
        Frame::Iwant { ids } | Frame::Kept { ids } => vec![("ids", Json::list(ids, hex_of))],
        Frame::Graft { roots, ids } => {
            vec![("roots", numbers(roots)), ("ids", Json::list(ids, hex_of))]
        }
        Frame::Choke { roots } => vec![("roots", numbers(roots))],
        Frame::Nack { dropped, ids } => {
            vec![
                ("dropped", Json::Bool(*dropped)),
                ("ids", Json::list(ids, hex_of)),
            ]
        }
        Frame::Stamp { entries } => {
            let entry = |entry: &bruit_core::wire::StampEntry| {
                Json::Object(vec![
                    ("id", hex_of(&entry.id)),
                    ("stamp", stamp_fields(&entry.stamp)),
                ])
            };
            vec![("entries", Json::list(entries, entry))]
        }
        Frame::Lookup {
            lookup,
            hops,
            budget,
            target,
        } => vec![
            ("lookup", Json::Number(*lookup)),
            ("hops", Json::Number((*hops).into())),
            ("budget", Json::Number((*budget).into())),
            match target {
                Target::Id(id) => ("id", hex_of(id)),
                Target::Value(key) => ("value", hex_of(key)),
            },
        ],
        Frame::LookupDone { lookup } => vec![("lookup", Json::Number(*lookup))],
        other => unreachable!("{other:?} has no fields written here"),
    }
}

fn sync_fields(frame: &Frame) -> Vec<(&'static str, Json)> {
    match frame {
        Frame::SyncOpen {
            session,
            created_until_ms,
            expiry_cutoff_ms,
            resume_ms,
            topics,
            message,
        } => {
            vec![
                ("session", Json::Number((*session).into())),
                ("created_until_ms", Json::Number(*created_until_ms)),
                ("expiry_cutoff_ms", Json::Number(*expiry_cutoff_ms)),
                ("resume_ms", Json::Number(*resume_ms)),
                ("topics", Json::list(topics.as_slice(), hex_of)),
                ("message", hex(message)),
            ]
        }
        Frame::SyncMsg { session, message } => {
            vec![
                ("session", Json::Number((*session).into())),
                ("message", hex(message)),
            ]
        }
        Frame::SyncDone { session } => vec![("session", Json::Number((*session).into()))],
        _ => unreachable!("the caller chose"),
    }
}

fn chunk_fields(frame: &Frame) -> Vec<(&'static str, Json)> {
    match frame {
        Frame::WantChunks { id, urgent, chunks } => vec![
            ("id", hex_of(id)),
            ("urgent", Json::Bool(*urgent)),
            (
                "chunks",
                Json::list(chunks, |index| Json::Number((*index).into())),
            ),
        ],
        Frame::Chunk { id, index, piece } => vec![
            ("id", hex_of(id)),
            ("index", Json::Number((*index).into())),
            ("proof", Json::list(&piece.proof, |value| hex(value))),
            ("bytes", hex(&piece.bytes)),
        ],
        Frame::HaveChunks {
            id,
            busy,
            seeking,
            bitmap,
        } => vec![
            ("id", hex_of(id)),
            ("busy", Json::Bool(*busy)),
            ("seeking", Json::Bool(*seeking)),
            ("bitmap", hex(bitmap)),
        ],
        _ => unreachable!("the caller chose"),
    }
}

/// One entry of the file: name, type, bytes, fields.
fn entry(name: &str, kind: &str, bytes: &[u8], fields: Json) -> Json {
    Json::Object(vec![
        ("name", text(name)),
        ("type", text(kind)),
        ("hex", hex(bytes)),
        ("fields", fields),
    ])
}

fn typed(name: &str, kind: &str, value: &impl Encode, fields: Json) -> Json {
    entry(name, kind, &encode_to_bytes(value), fields)
}

fn wire() -> Json {
    let (bulletin, record, beacon) = (golden::bulletin(), golden::record(), golden::beacon());
    let (v4, v6) = (golden::address_v4(), golden::address_v6());
    let mut entries = vec![
        typed("address_v4", "address", &v4, text(&v4.to_string())),
        typed("address_v6", "address", &v6, text(&v6.to_string())),
        typed(
            "header",
            "header",
            &bulletin.header,
            header_fields(&bulletin.header),
        ),
        typed(
            "stamp",
            "stamp",
            &bulletin.stamp,
            stamp_fields(&bulletin.stamp),
        ),
        typed(
            "bulletin",
            "bulletin",
            &bulletin,
            bulletin_fields(&bulletin),
        ),
        typed(
            "record_body",
            "record_body",
            &record.body,
            body_fields(&record.body),
        ),
        typed("record", "record", &record, record_fields(&record)),
        typed("beacon", "beacon", &beacon, beacon_fields(&beacon)),
    ];
    for (name, frame) in golden::frames() {
        entries.push(entry(
            &format!("frame_{name}"),
            "frame",
            &frame.encode(),
            frame_fields(&frame),
        ));
    }
    Json::List(entries)
}

/// A text and what it hashes to: by our functions on the right, by `BLAKE3(text)` in the test.
struct Hash {
    name: &'static str,
    text: Vec<u8>,
    digest: Vec<u8>,
}

fn concat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Every id and hash of the protocol that is a plain BLAKE3, as the bytes hashed and the outcome.
fn hashes() -> Vec<Hash> {
    let (open, private) = (golden::network(), golden::private_network());
    let (bulletin, beacon) = (golden::bulletin(), golden::beacon());
    let header = encode_to_bytes(&bulletin.header);
    let length = 6_u64.to_be_bytes();
    let net = concat(&[b"net", &length, b"golden", &1_u32.to_be_bytes()]);
    let id = bulletin.id().as_bytes();
    let signature = bulletin.signature.as_bytes();
    let minute = beacon.minute.to_be_bytes();
    let work = concat(&[
        b"pow1",
        id,
        &[0, bulletin.stamp.bits],
        &bulletin.stamp.nonce.to_be_bytes(),
    ]);
    let hash = |name, text: Vec<u8>, hash: &[u8]| Hash {
        name,
        text,
        digest: hash.to_vec(),
    };
    vec![
        hash("network id, open", net.clone(), open.id().as_bytes()),
        hash(
            "network id, private",
            concat(&[&net, b"golden secret"]),
            private.id().as_bytes(),
        ),
        hash(
            "name hash (first 16 bytes)",
            b"golden".to_vec(),
            &open.name_hash(),
        ),
        hash(
            "topic id",
            b"topicgolden topic".to_vec(),
            TopicId::of("golden topic").as_bytes(),
        ),
        hash(
            "content id",
            bulletin.content.to_vec(),
            bulletin.header.content_id.as_bytes(),
        ),
        hash(
            "bulletin id",
            concat(&[b"bid1", open.id().as_bytes(), &header, signature]),
            id,
        ),
        hash(
            "value key (first 16 bytes)",
            concat(&[b"val1", bulletin.header.author.as_bytes(), b"golden name"]),
            golden::value_key().as_bytes(),
        ),
        hash("work", work.clone(), blake3::hash(&work).as_bytes()),
        hash(
            "beacon rank",
            concat(&[beacon.node.as_bytes(), &minute]),
            &beacon.rank(),
        ),
    ]
}

fn hash_entries() -> Json {
    Json::list(&hashes(), |hash| {
        Json::Object(vec![
            ("name", text(hash.name)),
            ("text", hex(&hash.text)),
            ("hash", hex(&hash.digest)),
        ])
    })
}

/// Seed, public key, signed text, signature.
fn signatures() -> Json {
    let network = golden::network();
    let (bulletin, record, beacon) = (golden::bulletin(), golden::record(), golden::beacon());
    let signed = |name: &str, number: u8, message: Vec<u8>, signature: &[u8]| {
        assert_eq!(
            golden::key(number).sign(&message).as_bytes(),
            signature,
            "{name}"
        );
        Json::Object(vec![
            ("name", text(name)),
            ("seed", hex(&[number; 32])),
            ("key", hex_of(&golden::key(number).node_id())),
            ("text", hex(&message)),
            ("signature", hex(signature)),
        ])
    };
    let text_of_beacon = Beacon::signed_text(&beacon.node, beacon.minute, network.id());
    Json::List(vec![
        signed(
            "bulletin",
            1,
            bulletin.header.signed_text(network.id()),
            bulletin.signature.as_bytes(),
        ),
        signed(
            "record",
            2,
            record.body.signed_text(network.id()),
            record.signature.as_bytes(),
        ),
        signed("beacon", 4, text_of_beacon, beacon.signature.as_bytes()),
    ])
}

/// Both sides' nonces and ids, and the proof of the first.
fn proof() -> Json {
    let [a, b] = golden::ends();
    let mac = golden::private_network()
        .proof(&a, &b)
        .expect("the network is private");
    Json::Object(vec![
        ("secret", hex(b"golden secret")),
        ("prover", hex_of(&a.id)),
        ("prover_nonce", hex(&a.nonce)),
        ("verifier", hex_of(&b.id)),
        ("verifier_nonce", hex(&b.nonce)),
        ("mac", hex(&mac)),
    ])
}

/// The price formula at its corners.
fn prices() -> Json {
    let rows: [(u32, u32, u32); 12] = [
        (0, 65_536, 2_419_200),
        (1, 0, 0),
        (1, 24, 300),
        (1, 65_536, 2_419_200),
        (128, 0, 300),
        (128, 1_024, 299),
        (128, 1_024, 300),
        (128, 1_024, 3_600),
        (128, 1_024, 65_536),
        (128, 1_024, 2_419_200),
        (128, 65_536, 2_419_200),
        (u32::MAX, 65_536, 2_419_200),
    ];
    Json::list(&rows, |(w, size, ttl_s)| {
        let bits = Price::new(*w).bits_min(*size, Duration::from_secs((*ttl_s).into()));
        Json::Object(vec![
            ("w", Json::Number((*w).into())),
            ("size", Json::Number((*size).into())),
            ("ttl_s", Json::Number((*ttl_s).into())),
            ("bits", Json::Number(bits.into())),
        ])
    })
}

#[test]
fn every_wire_type_has_exactly_the_bytes_on_file() {
    let now = Json::Object(vec![
        ("wire", wire()),
        ("hashes", hash_entries()),
        ("proof", proof()),
        ("signatures", signatures()),
        ("prices", prices()),
    ])
    .render();
    let path = folder().join("wire.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).expect("the file can be written");
    }
    let on_file = std::fs::read_to_string(&path).expect("the file is there");
    for (at, (now, on_file)) in now.lines().zip(on_file.lines()).enumerate() {
        assert_eq!(now, on_file, "line {}", at + 1);
    }
    assert_eq!(now.lines().count(), on_file.lines().count());
}

#[test]
fn every_frame_on_file_decodes_to_what_it_was_made_of() {
    let network = golden::network();
    let frames = golden::frames();
    for (name, frame) in &frames {
        assert_eq!(
            Frame::decode(&frame.encode(), network.id()).as_ref(),
            Ok(frame),
            "{name}"
        );
    }
    let mut kinds: Vec<u8> = frames.iter().map(|(_, frame)| frame.kind()).collect();
    kinds.dedup();
    let all = [
        1, 2, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 48,
        49, 50, 56, 57, 58, 192,
    ];
    assert_eq!(kinds, all, "one vector for every kind");
}

#[test]
fn every_type_on_file_decodes_to_what_it_was_made_of() {
    fn there_and_back<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: &T) {
        assert_eq!(decode_all::<T>(&encode_to_bytes(value)).as_ref(), Ok(value));
    }
    let bulletin = golden::bulletin();
    there_and_back(&bulletin.header);
    there_and_back(&bulletin.stamp);
    there_and_back(&golden::record());
    there_and_back(&golden::record().body);
    there_and_back(&golden::beacon());
    there_and_back(&golden::address_v4());
    there_and_back(&golden::address_v6());
    let bytes = encode_to_bytes(&bulletin);
    assert_eq!(bytes.len(), bulletin.encoded_len());
    assert_eq!(
        Bulletin::decode(&bytes, golden::network().id()),
        Ok(bulletin.clone())
    );
    let frame = Frame::Pub {
        root_tag: 7,
        hops: 3,
        bulletin: Box::new(bulletin.clone()),
    };
    assert_eq!(
        encode_pub(7, 3, &bulletin),
        frame.encode(),
        "both ways to make a PUB agree"
    );
}

#[test]
fn every_hash_on_file_is_the_documented_one() {
    for Hash { name, text, digest } in hashes() {
        assert_eq!(
            &blake3::hash(&text).as_bytes()[..digest.len()],
            digest,
            "{name}"
        );
    }
    let [a, b] = golden::ends();
    let secret = b"golden secret".as_slice();
    let key = *blake3::hash(&concat(&[b"proof", secret])).as_bytes();
    let both = concat(&[a.id.as_bytes(), &a.nonce, b.id.as_bytes(), &b.nonce]);
    let mac = *blake3::keyed_hash(&key, &both).as_bytes();
    let private = Network::new("golden", Price::new(1), Some(secret));
    assert_eq!(private.proof(&a, &b), Some(mac));
    let bulletin = golden::bulletin();
    assert!(bulletin.stamp.verify(bulletin.id()));
    assert_eq!(bulletin.header.content_id, ContentId::of(&bulletin.content));
}

/// The decoder in Python shares no line with ours, so a mistake made twice would have to be made
/// by two.
#[test]
fn an_independent_decoder_reads_the_same_fields() {
    let decoder = Command::new("python3")
        .arg(folder().join("decode.py"))
        .output();
    let Ok(output) = decoder else {
        skip("wire_vectors_python: python3 is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    print!("{said}");
}

/// Says that something could not be checked here, also to whoever collects such lines.
fn skip(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("BRUIT_SKIPS") {
        let mut skips = std::fs::OpenOptions::new();
        let file = skips.create(true).append(true).open(path);
        writeln!(file.expect("the list of skips can be written"), "{line}")
            .expect("it takes a line");
    }
}

#[test]
fn bytes_of_a_bulletin_are_shared_not_copied() {
    let bulletin = golden::bulletin();
    let bytes = Bytes::from(encode_to_bytes(&bulletin).to_vec());
    let decoded = Bulletin::decode(&bytes, golden::network().id()).expect("it is good");
    let place = |bytes: &[u8]| bytes.as_ptr().addr();
    assert_eq!(
        place(&decoded.content),
        place(&bytes) + bytes.len() - decoded.content.len()
    );
}
