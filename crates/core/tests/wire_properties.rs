//! Every wire type has one encoding of each value, and each accepted byte string one value.
#![expect(
    clippy::indexing_slicing,
    reason = "a position is drawn from the bytes it points into"
)]

use std::net::SocketAddr;

use bruit_core::bulletin::{Bulletin, Header, Kind};
use bruit_core::id::{
    AuthorId, BulletinId, ContentId, NetworkId, NodeId, ShortId, TopicId, ValueKey,
};
use bruit_core::identity::{SecretKey, Signature};
use bruit_core::large::{Manifest, Piece};
use bruit_core::limits;
use bruit_core::lookups::Target;
use bruit_core::reconcile::Topics;
use bruit_core::record::{Beacon, Record, RecordBody};
use bruit_core::time::Wall;
use bruit_core::wire::{
    Decode, Encode, Frame, IhaveEntry, StampEntry, decode_all, encode_to_bytes,
};
use bruit_core::work::Stamp;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

const NETWORK: NetworkId = NetworkId::from_bytes([9; 32]);

// Any value of each type.

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from),
    ]
}

fn stamp() -> impl Strategy<Value = Stamp> {
    any::<(u8, u64)>().prop_map(|(bits, nonce)| Stamp { bits, nonce })
}

fn signature() -> impl Strategy<Value = Signature> {
    any::<[u8; 64]>().prop_map(Signature::from_bytes)
}

fn short() -> impl Strategy<Value = ShortId> {
    any::<[u8; 16]>().prop_map(ShortId::from_bytes)
}

fn header() -> impl Strategy<Value = Header> {
    let numbers = any::<(u8, u16, u32, u64, u64, u32)>();
    let ids = any::<([u8; 32], [u8; 32], [u8; 32])>();
    let name = vec(any::<u8>(), 0..=limits::NAME_BYTES_MAX);
    let tag = vec(any::<u8>(), 0..=limits::TAG_BYTES_MAX);
    let parents = vec(any::<[u8; 32]>(), 0..=limits::PARENTS_MAX);
    (numbers, ids, name, tag, parents).prop_map(|(numbers, ids, name, tag, parents)| Header {
        kind: Kind(numbers.0),
        flags: numbers.1,
        ttl_s: numbers.2,
        created: Wall::from_millis(numbers.3),
        topic: TopicId::from_bytes(ids.0),
        content_id: ContentId::from_bytes(ids.1),
        author: AuthorId::from_bytes(ids.2),
        seq: numbers.4,
        size_bytes: numbers.5,
        name,
        tag,
        parents: parents.into_iter().map(BulletinId::from_bytes).collect(),
    })
}

/// A signed bulletin: only signing makes one.
fn bulletin() -> impl Strategy<Value = Bulletin> {
    (
        header(),
        vec(any::<u8>(), 0..2_000),
        any::<[u8; 32]>(),
        stamp(),
    )
        .prop_map(|(header, content, seed, stamp)| {
            let key = SecretKey::from_seed(&seed);
            let named = Header::post(header.topic, key.author_id(), &content, header.created);
            let (content_id, author, size_bytes) =
                (named.content_id, named.author, named.size_bytes);
            let kind = match header.kind {
                // Its content is no arbitrary text.
                Kind::MANIFEST => Kind::VALUE,
                other => other,
            };
            let header = Header {
                kind,
                content_id,
                author,
                size_bytes,
                ..header
            };
            let mut bulletin = Bulletin::sign(header, content.into(), &NETWORK, &key);
            bulletin.stamp = stamp;
            bulletin
        })
}

fn record() -> impl Strategy<Value = Record> {
    let addresses = vec(address(), 0..=limits::ADDRESSES_MAX);
    // At most 255 bytes: 63 characters of up to four.
    let relay = "\\PC{0,63}";
    (any::<([u8; 32], u64, u64)>(), addresses, relay, signature()).prop_map(
        |((node, seq, expires), addresses, relay, signature)| Record {
            body: RecordBody {
                node: NodeId::from_bytes(node),
                seq,
                expires: Wall::from_millis(expires),
                addresses,
                relay,
            },
            signature,
        },
    )
}

fn beacon() -> impl Strategy<Value = Beacon> {
    (any::<([u8; 32], u64)>(), signature()).prop_map(|((node, minute), signature)| Beacon {
        node: NodeId::from_bytes(node),
        minute,
        signature,
    })
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        greeting_frame(),
        probe_frame(),
        peer_frame(),
        seed_frame(),
        bulletin_frame(),
        sync_frame(),
        chunk_frame()
    ]
}

fn greeting_frame() -> impl Strategy<Value = Frame> {
    let hashes = any::<([u8; 16], [u8; 32], [u8; 32])>();
    let numbers = any::<(u16, u32, u32, u64)>();
    let hello = (
        hashes,
        numbers,
        any::<(bool, bool)>(),
        proptest::option::of(address()),
    );
    prop_oneof![
        any::<[u8; 32]>().prop_map(|mac| Frame::Proof { mac }),
        hello.prop_map(|(hashes, numbers, bits, observed)| Frame::Hello {
            version: numbers.0,
            features: numbers.1,
            name_hash: hashes.0,
            price: numbers.2,
            private: bits.0,
            network: NetworkId::from_bytes(hashes.1),
            wants_kept: bits.1,
            nonce: hashes.2,
            clock_ms: numbers.3,
            observed,
        }),
    ]
}

fn probe_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        any::<(u32, u64, u8, u64, [u8; 16])>().prop_map(
            |(seq, clock_ms, floor_log2, minute, digest)| Frame::Ping {
                seq,
                clock_ms,
                floor_log2,
                minute,
                digest,
            }
        ),
        any::<(u32, u64)>().prop_map(|(seq, clock_ms)| Frame::Pong { seq, clock_ms }),
        any::<(u32, [u8; 32])>().prop_map(|(seq, id)| Frame::Probe {
            seq,
            target: NodeId::from_bytes(id)
        }),
        any::<(u32, bool)>().prop_map(|(seq, alive)| Frame::Probed { seq, alive }),
    ]
}

fn peer_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        Just(Frame::PeersReq),
        vec(record(), 0..=limits::RECORDS_MAX).prop_map(|records| Frame::Peers { records }),
        beacon().prop_map(Frame::Beacon),
        any::<bool>().prop_map(|on| Frame::Mesh { on }),
    ]
}

fn seed_frame() -> impl Strategy<Value = Frame> {
    let own = proptest::option::of(record());
    let nodes = vec(any::<[u8; 32]>(), 0..=limits::REPORTS_MAX);
    prop_oneof![
        (any::<[u8; 16]>(), own).prop_map(|(token, record)| Frame::Register {
            token,
            record: record.map(Box::new),
        }),
        (
            any::<([u8; 16], u32, u32)>(),
            vec(record(), 0..=limits::RECORDS_MAX)
        )
            .prop_map(|((token, lease_s, renew_s), records)| Frame::Lease {
                token,
                lease_s,
                renew_s,
                records,
            }),
        nodes.prop_map(|nodes| Frame::Report {
            nodes: nodes.into_iter().map(NodeId::from_bytes).collect(),
        }),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|id| Target::Id(BulletinId::from_bytes(id))),
        any::<[u8; 16]>().prop_map(|key| Target::Value(ValueKey::from_bytes(key))),
    ]
}

fn bulletin_frame() -> impl Strategy<Value = Frame> {
    let ihave = (short(), any::<u64>()).prop_map(|(id, root_tag)| IhaveEntry { id, root_tag });
    let stamp = (any::<[u8; 32]>(), stamp()).prop_map(|(id, stamp)| StampEntry {
        id: BulletinId::from_bytes(id),
        stamp,
    });
    prop_oneof![
        (any::<(u64, u8)>(), bulletin()).prop_map(|((root_tag, hops), bulletin)| Frame::Pub {
            root_tag,
            hops,
            bulletin: Box::new(bulletin),
        }),
        vec(ihave, 0..=limits::IHAVE_MAX).prop_map(|entries| Frame::Ihave { entries }),
        vec(short(), 0..=limits::IWANT_MAX).prop_map(|ids| Frame::Iwant { ids }),
        (
            vec(any::<u64>(), 0..=limits::GRAFT_ROOTS_MAX),
            vec(short(), 0..=limits::GRAFT_IDS_MAX)
        )
            .prop_map(|(roots, ids)| Frame::Graft { roots, ids }),
        vec(any::<u64>(), 0..=limits::CHOKE_MAX).prop_map(|roots| Frame::Choke { roots }),
        (any::<bool>(), vec(short(), 0..=limits::NACK_MAX))
            .prop_map(|(dropped, ids)| Frame::Nack { dropped, ids }),
        vec(short(), 0..=limits::KEPT_MAX).prop_map(|ids| Frame::Kept { ids }),
        vec(stamp, 0..=limits::STAMP_MAX).prop_map(|entries| Frame::Stamp { entries }),
        (any::<(u64, u8)>(), 1..=limits::LOOKUP_HOPS_MAX, target()).prop_map(
            |((lookup, budget), hops, target)| Frame::Lookup {
                lookup,
                hops,
                budget,
                target,
            }
        ),
        any::<u64>().prop_map(|lookup| Frame::LookupDone { lookup }),
    ]
}

fn sync_frame() -> impl Strategy<Value = Frame> {
    let message = || vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    let topics = vec(any::<[u8; 32]>(), 0..=limits::SYNC_TOPICS_MAX)
        .prop_map(|topics| topics.into_iter().map(TopicId::from_bytes).collect())
        .prop_map(|topics| Topics::new(topics).expect("within the bound"));
    prop_oneof![
        (any::<(u32, u64, u64, u64)>(), topics, message()).prop_map(
            |(numbers, topics, message)| {
                Frame::SyncOpen {
                    session: numbers.0,
                    created_until_ms: numbers.1,
                    expiry_cutoff_ms: numbers.2,
                    resume_ms: numbers.3,
                    topics,
                    message,
                }
            }
        ),
        (any::<u32>(), message())
            .prop_map(|(session, message)| Frame::SyncMsg { session, message }),
        any::<u32>().prop_map(|session| Frame::SyncDone { session }),
        (192..=u8::MAX, message()).prop_map(|(kind, body)| Frame::Application { kind, body }),
    ]
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let totals = limits::FILE_BYTES_MIN..=limits::FILE_BYTES_MAX;
    (totals, any::<[u8; 32]>())
        .prop_map(|(total, root)| Manifest::new(total, root).expect("within its bounds"))
}

/// A manifest's bulletin, or one of a version to come.
fn manifest_bulletin() -> impl Strategy<Value = Bulletin> {
    let later = vec(any::<u8>(), 1..=limits::MANIFEST_BYTES_MAX);
    (manifest(), proptest::option::of(later)).prop_map(|(manifest, later)| {
        let key = SecretKey::from_seed(&[5; 32]);
        let topic = TopicId::of("files");
        let header = Header::manifest(topic, key.author_id(), &manifest, Wall::from_millis(1));
        let content = match later {
            None => encode_to_bytes(&manifest),
            Some(mut bytes) => {
                if bytes.first() == Some(&1) {
                    bytes[0] = 2;
                }
                bytes.into()
            }
        };
        let header = Header {
            content_id: ContentId::of(&content),
            ..header
        };
        Bulletin::sign(header, content, &NETWORK, &key)
    })
}

fn chunk_frame() -> impl Strategy<Value = Frame> {
    let proof = vec(any::<[u8; 32]>(), 0..=limits::PROOF_MAX);
    let bytes = vec(any::<u8>(), 1..300).prop_map(Bytes::from);
    let bitmap = vec(any::<u8>(), 0..=limits::CHUNKS_MAX / 8).prop_map(Bytes::from);
    prop_oneof![
        (
            short(),
            any::<bool>(),
            vec(any::<u32>(), 0..=limits::CHUNK_WANTS_MAX)
        )
            .prop_map(|(id, urgent, chunks)| Frame::WantChunks { id, urgent, chunks }),
        (short(), any::<u32>(), proof, bytes).prop_map(|(id, index, proof, bytes)| {
            let piece = Piece { proof, bytes };
            Frame::Chunk { id, index, piece }
        }),
        (short(), any::<bool>(), any::<bool>(), bitmap).prop_map(|(id, busy, seeking, bitmap)| {
            Frame::HaveChunks {
                id,
                busy,
                seeking,
                bitmap,
            }
        }),
        manifest_bulletin().prop_map(|bulletin| Frame::Pub {
            root_tag: 1,
            hops: 2,
            bulletin: Box::new(bulletin),
        }),
    ]
}

// There and back.

/// `decode(encode(x)) = x`
fn there_and_back<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: &T) {
    assert_eq!(decode_all::<T>(&encode_to_bytes(value)).as_ref(), Ok(value));
}

/// `encode(decode(b)) = b`, for whatever decodes.
fn back_and_there<T: Encode + Decode>(bytes: &[u8]) {
    if let Ok(value) = decode_all::<T>(bytes) {
        assert_eq!(encode_to_bytes(&value), bytes);
    }
}

fn every_type_back_and_there(bytes: &[u8]) {
    back_and_there::<SocketAddr>(bytes);
    back_and_there::<Stamp>(bytes);
    back_and_there::<Header>(bytes);
    back_and_there::<RecordBody>(bytes);
    back_and_there::<Record>(bytes);
    back_and_there::<Beacon>(bytes);
    back_and_there::<IhaveEntry>(bytes);
    back_and_there::<StampEntry>(bytes);
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(bulletin) = Bulletin::decode(&bytes, &NETWORK) {
        assert_eq!(encode_to_bytes(&bulletin), bytes);
        assert_eq!(bulletin.encoded_len(), bytes.len());
    }
    if let Ok(frame) = Frame::decode(&bytes, &NETWORK) {
        assert_eq!(frame.encode(), bytes);
    }
}

/// Bytes with some of them changed, taken out or doubled.
fn bent(mut bytes: Vec<u8>, bends: &[(Index, u8)]) -> Vec<u8> {
    for (at, value) in bends {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match value {
            0..=39 => {
                bytes.remove(at);
            }
            40..=79 => bytes.insert(at, *value),
            80..=119 => bytes[at] = bytes[at].wrapping_add(1),
            120..=159 => bytes[at] = bytes[at].wrapping_sub(1),
            _ => bytes[at] = *value,
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_come_back_from_their_bytes(
        address in address(), stamp in stamp(), header in header(), record in record(), beacon in beacon(),
    ) {
        there_and_back(&address);
        there_and_back(&stamp);
        there_and_back(&header);
        there_and_back(&record.body);
        there_and_back(&record);
        there_and_back(&beacon);
    }

    #[test]
    fn bulletins_come_back_from_their_bytes_with_their_id(bulletin in bulletin()) {
        let bytes = encode_to_bytes(&bulletin);
        prop_assert_eq!(bytes.len(), bulletin.encoded_len());
        prop_assert_eq!(Bulletin::decode(&bytes, &NETWORK), Ok(bulletin));
    }

    #[test]
    fn frames_come_back_from_their_bytes(frame in frame()) {
        let bytes = frame.encode();
        prop_assert_eq!(bytes.first().copied(), Some(frame.kind()));
        prop_assert_eq!(Frame::decode(&bytes, &NETWORK), Ok(frame));
    }

    #[test]
    fn bytes_come_back_from_their_values(bytes in vec(any::<u8>(), 0..600)) {
        every_type_back_and_there(&bytes);
    }

    #[test]
    fn bytes_of_bent_frames_come_back_from_their_values(
        frame in frame(), bends in vec(any::<(Index, u8)>(), 1..4),
    ) {
        every_type_back_and_there(&bent(frame.encode().to_vec(), &bends));
    }

    #[test]
    fn bytes_of_bent_values_come_back_from_their_values(
        bulletin in bulletin(), record in record(), bends in vec(any::<(Index, u8)>(), 1..4),
    ) {
        every_type_back_and_there(&bent(encode_to_bytes(&bulletin).to_vec(), &bends));
        every_type_back_and_there(&bent(encode_to_bytes(&record).to_vec(), &bends));
    }
}
