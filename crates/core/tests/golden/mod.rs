//! One fixed value of every wire type, grown from fixed seeds, and a small JSON to write them in.
#![allow(
    dead_code,
    reason = "every test file that takes this in uses its part of it"
)]

use std::fmt::Write as _;
use std::net::SocketAddr;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::id::{BulletinId, NodeId, ShortId, TopicId, ValueKey};
use bruit_core::identity::SecretKey;
use bruit_core::large::{Outline, Piece, Tree};
use bruit_core::lookups::Target;
use bruit_core::network::{LinkEnd, Network};
use bruit_core::reconcile::Topics;
use bruit_core::record::{Beacon, Record, RecordBody};
use bruit_core::time::Wall;
use bruit_core::wire::{Encode, Frame, IhaveEntry, StampEntry, encode_to_bytes};
use bruit_core::work::{Price, Search};
use bytes::Bytes;

/// The moment at which every fixed value is good: 2027-01-15 08:00 UTC.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// The network of all fixed values: open, and cheap enough to pay for in a test.
pub(crate) fn network() -> Network {
    Network::new("golden", Price::new(1), None)
}

/// The secret key grown from 32 bytes of `number`.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// The address of the fixed records, IPv4.
pub(crate) fn address_v4() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 7_447))
}

/// The address of the fixed records, IPv6.
pub(crate) fn address_v6() -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], 65_535))
}

/// A bulletin that uses every field of its header, with work that pays for it.
pub(crate) fn bulletin() -> Bulletin {
    let key = key(1);
    let content = Bytes::from_static(b"every field of this bulletin is in use");
    let topic = TopicId::of("golden topic");
    let header = Header {
        flags: 0x0102,
        seq: 0x0102_0304_0506_0708,
        name: b"name".to_vec(),
        tag: b"tag".to_vec(),
        parents: vec![
            BulletinId::from_bytes([0xa1; 32]),
            BulletinId::from_bytes([0xa2; 32]),
        ],
        ..Header::post(topic, key.author_id(), &content, Wall::from_millis(NOW_MS))
    };
    paid(
        Bulletin::sign(header, content, network().id(), &key),
        &network(),
    )
}

/// `bulletin` with the least work `network` takes.
pub(crate) fn paid(mut bulletin: Bulletin, network: &Network) -> Bulletin {
    let header = &bulletin.header;
    let bits = network.price().bits_min(header.size_bytes, header.ttl());
    let mut search = Search::new(*bulletin.id(), bits, 0);
    bulletin.stamp = search.step(u32::MAX).expect("2³² trials find a few bits");
    bulletin
}

/// A record with an address of each family and a relay.
pub(crate) fn record() -> Record {
    let key = key(2);
    let body = RecordBody {
        node: key.node_id(),
        seq: 0x1112_1314_1516_1718,
        expires: Wall::from_millis(NOW_MS + 43_200_000),
        addresses: vec![address_v4(), address_v6()],
        relay: "https://relay.example".to_owned(),
    };
    Record::sign(body, network().id(), &key)
}

/// A record of a node that cannot be dialled.
pub(crate) fn bare_record() -> Record {
    let key = key(3);
    let body = RecordBody {
        node: key.node_id(),
        seq: 1,
        expires: Wall::from_millis(NOW_MS + 60_000),
        addresses: Vec::new(),
        relay: String::new(),
    };
    Record::sign(body, network().id(), &key)
}

/// A beacon of this minute.
pub(crate) fn beacon() -> Beacon {
    let (key, minute) = (key(4), NOW_MS / 60_000);
    let node = key.node_id();
    let signature = key.sign(&Beacon::signed_text(&node, minute, network().id()));
    Beacon {
        node,
        minute,
        signature,
    }
}

/// Both ends of the link whose proof is a fixed value.
pub(crate) fn ends() -> [LinkEnd; 2] {
    let end = |number: u8| LinkEnd {
        id: key(number).node_id(),
        nonce: [0xc0 | number; 32],
    };
    [end(1), end(2)]
}

/// The private twin of [`network`].
pub(crate) fn private_network() -> Network {
    Network::new("golden", Price::new(1), Some(b"golden secret"))
}

/// What a node of [`network`] greets with.
pub(crate) fn hello(observed: Option<SocketAddr>) -> Frame {
    let network = network();
    Frame::Hello {
        version: 1,
        features: 0,
        name_hash: network.name_hash(),
        price: network.price().get(),
        private: network.is_private(),
        network: *network.id(),
        wants_kept: true,
        nonce: [0xc1; 32],
        clock_ms: NOW_MS,
        observed,
    }
}

/// The tree over a content of 16,400 bytes: four chunks of 4 KiB, and one of 16 bytes.
pub(crate) fn tree() -> (Vec<u8>, Tree) {
    let content: Vec<u8> = (0..16_400_u32)
        .map(|at| u8::try_from(at % 251).expect("less than 256"))
        .collect();
    let mut outline = Outline::new(16_400).expect("neither too short nor too long");
    content.chunks(4_096).for_each(|chunk| outline.add(chunk));
    (content, outline.finish().expect("all chunks were added"))
}

/// Chunk `index` of that content.
pub(crate) fn piece(index: u32) -> Piece {
    let (content, tree) = tree();
    let at = usize::try_from(index).expect("small");
    let bytes = content.chunks(4_096).nth(at).expect("it has five");
    tree.piece(index, Bytes::copy_from_slice(bytes))
}

/// The bulletin of its manifest.
pub(crate) fn manifest_bulletin() -> Bulletin {
    let (key, manifest) = (key(1), *tree().1.manifest());
    let topic = TopicId::of("golden topic");
    let now = Wall::from_millis(NOW_MS);
    let header = Header::manifest(topic, key.author_id(), &manifest, now);
    let content = encode_to_bytes(&manifest);
    paid(
        Bulletin::sign(header, content, network().id(), &key),
        &network(),
    )
}

/// The value the bulletin's author calls "golden name".
pub(crate) fn value_key() -> ValueKey {
    ValueKey::of(&bulletin().header.author, b"golden name")
}

fn short(number: u8) -> ShortId {
    ShortId::from_bytes([number; 16])
}

/// One frame of every kind, HELLO in its three forms.
pub(crate) fn frames() -> Vec<(&'static str, Frame)> {
    let mut frames = links();
    frames.extend(bulletins());
    frames.extend(comparisons_and_chunks());
    frames
}

fn links() -> Vec<(&'static str, Frame)> {
    let [a, b] = ends();
    let mac = private_network()
        .proof(&a, &b)
        .expect("the network is private");
    vec![
        ("hello", hello(None)),
        ("hello_seen_at_v4", hello(Some(address_v4()))),
        ("hello_seen_at_v6", hello(Some(address_v6()))),
        ("proof", Frame::Proof { mac }),
        (
            "ping",
            Frame::Ping {
                seq: 0x0102_0304,
                clock_ms: NOW_MS,
                floor_log2: 3,
                minute: NOW_MS / 60_000,
                digest: [0xd1; 16],
            },
        ),
        (
            "pong",
            Frame::Pong {
                seq: 0x0102_0304,
                clock_ms: NOW_MS + 1,
            },
        ),
        (
            "probe",
            Frame::Probe {
                seq: 7,
                target: NodeId::from_bytes([0xb1; 32]),
            },
        ),
        (
            "probed",
            Frame::Probed {
                seq: 7,
                alive: true,
            },
        ),
        ("peers_req", Frame::PeersReq),
        (
            "peers",
            Frame::Peers {
                records: vec![record(), bare_record()],
            },
        ),
        ("beacon", Frame::Beacon(beacon())),
        ("mesh", Frame::Mesh { on: true }),
        (
            "register",
            Frame::Register {
                token: [0x71; 16],
                record: Some(Box::new(record())),
            },
        ),
        (
            "register_asks",
            Frame::Register {
                token: [0x72; 16],
                record: None,
            },
        ),
        (
            "lease",
            Frame::Lease {
                token: [0x71; 16],
                lease_s: 900,
                renew_s: 30,
                records: vec![record(), bare_record()],
            },
        ),
        (
            "report",
            Frame::Report {
                nodes: vec![record().body.node],
            },
        ),
    ]
}

fn bulletins() -> Vec<(&'static str, Frame)> {
    let bulletin = bulletin();
    let entries = vec![
        IhaveEntry {
            id: bulletin.id().short(),
            root_tag: 0x2122_2324_2526_2728,
        },
        IhaveEntry {
            id: short(0xe2),
            root_tag: 0,
        },
    ];
    let stamps = vec![StampEntry {
        id: *bulletin.id(),
        stamp: bulletin.stamp,
    }];
    let ids = vec![short(0xe1), short(0xe2), short(0xe3)];
    let roots = vec![0x2122_2324_2526_2728, u64::MAX];
    let (id, value) = (*bulletin.id(), value_key());
    vec![
        (
            "pub",
            Frame::Pub {
                root_tag: 0x2122_2324_2526_2728,
                hops: 5,
                bulletin: Box::new(bulletin),
            },
        ),
        (
            "pub_manifest",
            Frame::Pub {
                root_tag: 0,
                hops: 1,
                bulletin: Box::new(manifest_bulletin()),
            },
        ),
        ("ihave", Frame::Ihave { entries }),
        ("iwant", Frame::Iwant { ids: ids.clone() }),
        (
            "graft",
            Frame::Graft {
                roots: roots.clone(),
                ids: ids.clone(),
            },
        ),
        ("choke", Frame::Choke { roots }),
        (
            "nack",
            Frame::Nack {
                dropped: true,
                ids: ids.clone(),
            },
        ),
        ("kept", Frame::Kept { ids }),
        ("stamp", Frame::Stamp { entries: stamps }),
        (
            "lookup_id",
            Frame::Lookup {
                lookup: 0x3132_3334_3536_3738,
                hops: 3,
                budget: 4,
                target: Target::Id(id),
            },
        ),
        (
            "lookup_value",
            Frame::Lookup {
                lookup: 0x3132_3334_3536_3738,
                hops: 6,
                budget: 14,
                target: Target::Value(value),
            },
        ),
        (
            "lookup_done",
            Frame::LookupDone {
                lookup: 0x3132_3334_3536_3738,
            },
        ),
    ]
}

fn comparisons_and_chunks() -> Vec<(&'static str, Frame)> {
    vec![
        (
            "sync_open",
            Frame::SyncOpen {
                session: 9,
                created_until_ms: NOW_MS - 30_000,
                expiry_cutoff_ms: NOW_MS,
                resume_ms: u64::MAX,
                topics: Topics::ALL,
                // Version, then one range to the end of all: an empty list of ids.
                message: Bytes::from_static(&[0x61, 0, 0, 2, 0]),
            },
        ),
        (
            "sync_open_topics",
            Frame::SyncOpen {
                session: 11,
                created_until_ms: NOW_MS,
                expiry_cutoff_ms: NOW_MS,
                resume_ms: u64::MAX,
                topics: Topics::new(["news", "weather"].map(TopicId::of).to_vec())
                    .expect("two are few"),
                message: Bytes::from_static(&[0x61, 0, 0, 2, 0]),
            },
        ),
        (
            "sync_msg",
            Frame::SyncMsg {
                session: 9,
                message: Bytes::from_static(&[0x61]),
            },
        ),
        ("sync_done", Frame::SyncDone { session: 9 }),
        (
            "want_chunks",
            Frame::WantChunks {
                id: short(0xe4),
                urgent: true,
                chunks: vec![0, 3, 1_023],
            },
        ),
        (
            "chunk",
            Frame::Chunk {
                id: short(0xe4),
                index: 4,
                piece: piece(4),
            },
        ),
        (
            "have_chunks",
            Frame::HaveChunks {
                id: short(0xe4),
                busy: true,
                seeking: false,
                bitmap: Bytes::from_static(&[0b1001_0000]),
            },
        ),
        (
            "have_no_chunks",
            Frame::HaveChunks {
                id: short(0xe4),
                busy: false,
                seeking: true,
                bitmap: Bytes::new(),
            },
        ),
        (
            "application",
            Frame::Application {
                kind: 192,
                body: Bytes::from_static(b"anything"),
            },
        ),
    ]
}

/// A value of JSON.
pub(crate) enum Json {
    /// `null`
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Number(u64),
    /// A text without characters to escape.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object, in this order.
    Object(Vec<(&'static str, Json)>),
}

/// The encoding of `value` in hexadecimal digits.
pub(crate) fn hex_of(value: &impl Encode) -> Json {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    hex(&bytes)
}

/// `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> Json {
    let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a String takes everything");
        digits
    });
    Json::Text(digits)
}

impl Json {
    /// A list of what `each` makes of `values`.
    pub(crate) fn list<T>(values: &[T], each: impl Fn(&T) -> Self) -> Self {
        Self::List(values.iter().map(each).collect())
    }

    /// The text: two spaces a level, short lists on one line.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, level: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) => out.push_str(&value.to_string()),
            Self::Text(value) => {
                assert!(!value.contains(['"', '\\']), "nothing is escaped here");
                out.push('"');
                out.push_str(value);
                out.push('"');
            }
            Self::List(values) if values.is_empty() => out.push_str("[]"),
            Self::List(values) => {
                Self::wrap(out, level, '[', ']', values, |value, out| {
                    value.write(out, level + 1);
                });
            }
            Self::Object(fields) => Self::wrap(out, level, '{', '}', fields, |field, out| {
                out.push('"');
                out.push_str(field.0);
                out.push_str("\": ");
                field.1.write(out, level + 1);
            }),
        }
    }

    fn wrap<T>(
        out: &mut String,
        level: usize,
        open: char,
        close: char,
        entries: &[T],
        each: impl Fn(&T, &mut String),
    ) {
        let line = |out: &mut String, level: usize| {
            out.push('\n');
            out.push_str(&"  ".repeat(level));
        };
        out.push(open);
        for (at, entry) in entries.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            line(out, level + 1);
            each(entry, out);
        }
        line(out, level);
        out.push(close);
    }
}
