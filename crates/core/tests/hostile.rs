//! Hostile bytes: every change of one byte, every cut and every wrong length of a good message is
//! refused, or means what it says; every number may stand at its edges. Nothing panics, and what is
//! refused changes nothing but the link it came over.
//!
//! How much memory a decoder may take is measured in `fuzz/tests/allocation.rs`: an allocator that
//! counts needs code this crate forbids.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests index what they made, count small things and look at the clock"
)]

mod golden;
mod solo;

use std::time::{Duration, Instant};

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::event::{Action, Command, Event, JobId, Notice, Restored, RestoredId};
use bruit_core::id::{BulletinId, LinkId, NodeId, ShortId, TopicId};
use bruit_core::identity::Signature;
use bruit_core::large::Piece;
use bruit_core::limits;
use bruit_core::link::{Class, CloseReason, Direction};
use bruit_core::network::Network;
use bruit_core::reconcile::Topics;
use bruit_core::record::{Beacon, Record, RecordBody};
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::wire::{DecodeError, Frame, IhaveEntry, StampEntry, kind};
use bruit_core::work::{Price, Stamp};
use bytes::Bytes;
use golden::NOW_MS;
use solo::{Solo, closes};

// One message changed.

/// What a refused message must leave as it was.
fn state(solo: &Solo) -> impl PartialEq + std::fmt::Debug + use<> {
    let engine = &solo.engine;
    let inventory = engine.inventory();
    let counts = (
        inventory.counts().seen,
        inventory.generation(),
        inventory.horizon(),
    );
    (
        engine.outlook(solo.now),
        counts,
        engine.address_book(),
        engine.next_wakeup(),
    )
}

/// An engine with a link, renewed when it has taken too much.
struct Victim {
    solo: Solo,
    link: LinkId,
    taken: u32,
    refused: u32,
    accepted: u32,
}

impl Victim {
    fn new() -> Self {
        let mut solo = Solo::new(&golden::network(), NOW_MS);
        let link = solo.link();
        Self {
            solo,
            link,
            taken: 0,
            refused: 0,
            accepted: 0,
        }
    }

    fn renew(&mut self) {
        let (refused, accepted) = (self.refused, self.accepted);
        *self = Self {
            refused,
            accepted,
            ..Self::new()
        };
    }

    /// Feeds one message and checks that it is refused, or means what it says.
    fn suffer(&mut self, bytes: &Bytes, originals: &[BulletinId]) {
        self.taken += 1;
        // Time for the link to earn what its words cost.
        self.solo.now.mono = self.solo.now.mono.plus(Duration::from_millis(11));
        match Frame::decode(bytes, golden::network().id()) {
            Ok(frame) => {
                assert_eq!(&frame.encode(), bytes, "two encodings of one meaning");
                self.accept(bytes, &frame, originals);
            }
            Err(DecodeError::UnknownKind(_)) => {
                let before = state(&self.solo);
                assert_eq!(
                    self.solo.frame(self.link, bytes),
                    [],
                    "an unknown kind is ignored"
                );
                assert_eq!(state(&self.solo), before);
            }
            Err(error) => self.refuse(bytes, error),
        }
        if self.taken > 4_000 {
            self.renew();
        }
    }

    fn refuse(&mut self, bytes: &Bytes, error: DecodeError) {
        self.refused += 1;
        let before = state(&self.solo);
        let actions = self.solo.frame(self.link, bytes);
        let [Action::Notice(Notice::Misbehaved { how, .. }), close] = &actions[..] else {
            panic!("{error}: {actions:?}");
        };
        assert_eq!(how, &format!("sent a malformed frame: {error}"));
        assert_eq!(
            close,
            &Action::Close {
                link: self.link,
                reason: CloseReason::Score
            }
        );
        assert_eq!(state(&self.solo), before, "{error}");
        assert_eq!(
            self.solo.frame(self.link, bytes),
            [],
            "a closing link is not heard"
        );
        let engine = &self.solo.engine;
        let mut links = engine.all_links();
        let (_, closing) = links
            .find(|(view, _)| view.link == self.link)
            .expect("it is shown until it is gone");
        assert_eq!(closing, Some(CloseReason::Score));
        assert!(engine.links().iter().all(|view| view.link != self.link));
        drop(links);
        self.relink();
    }

    fn relink(&mut self) {
        self.solo.unlink(self.link);
        if self.refused.is_multiple_of(64) {
            self.renew();
        } else {
            self.link = self.solo.link();
        }
    }

    fn accept(&mut self, bytes: &Bytes, frame: &Frame, originals: &[BulletinId]) {
        self.accepted += 1;
        let seen = self.solo.engine.inventory().counts();
        let actions = self.solo.frame(self.link, bytes);
        let mut delivered = false;
        for action in &actions {
            if let Action::Deliver { bulletin, .. } = action {
                assert!(
                    originals.contains(bulletin.id()),
                    "what was signed is unchanged"
                );
                assert!(matches!(frame, Frame::Pub { .. }));
                delivered = true;
            }
        }
        if delivered {
            self.renew();
        } else {
            assert_eq!(self.solo.engine.inventory().counts(), seen, "{frame:?}");
            if closes(&actions) {
                self.relink();
            }
        }
    }
}

/// The bulletins among the fixed messages.
fn originals() -> [BulletinId; 2] {
    [golden::bulletin(), golden::manifest_bulletin()].map(|bulletin| *bulletin.id())
}

#[test]
fn every_change_of_one_byte_is_refused_or_means_what_it_says() {
    let originals = originals();
    let mut victim = Victim::new();
    for (_, frame) in golden::frames() {
        let good = frame.encode();
        for at in 0..good.len() {
            for value in (0..=u8::MAX).filter(|value| *value != good[at]) {
                let mut bytes = good.to_vec();
                bytes[at] = value;
                victim.suffer(&bytes.into(), &originals);
            }
        }
    }
    println!(
        "{} changes: {} refused, {} accepted",
        victim.refused + victim.accepted,
        victim.refused,
        victim.accepted
    );
    assert!(victim.refused + victim.accepted > 200_000);
}

#[test]
fn every_truncation_and_every_byte_too_many_is_refused() {
    let originals = originals();
    let mut victim = Victim::new();
    for (name, frame) in golden::frames() {
        let good = frame.encode();
        for length in 0..good.len() {
            let cut = good.slice(..length);
            let decoded = Frame::decode(&cut, golden::network().id());
            let open_ended = matches!(
                frame.kind(),
                kind::SYNC_OPEN | kind::SYNC_MSG | kind::CHUNK | kind::HAVE_CHUNKS | 192..
            );
            assert!(
                decoded.is_err() || open_ended,
                "{name} cut to {length} bytes"
            );
            victim.suffer(&cut, &originals);
        }
        let longer = [&good[..], &[0]].concat();
        victim.suffer(&longer.into(), &originals);
    }
    let longest = limits::SYNC_MESSAGE_BYTES_MAX;
    for (extra, good) in [(0, true), (1, false)] {
        let bytes = [
            &[kind::SYNC_MSG, 0, 0, 0, 1][..],
            &vec![0x61; longest + extra],
        ]
        .concat();
        assert_eq!(
            Frame::decode(&bytes.into(), golden::network().id()).is_ok(),
            good
        );
    }
}

/// Where the lengths of the fixed messages stand, and how wide they are.
fn lengths(frame: &Frame, bytes: &[u8]) -> Vec<(usize, usize)> {
    match frame {
        // First record: version, node, seq, expires; then two addresses and the relay's length.
        Frame::Peers { .. } => vec![(1, 2), (52, 2), (52 + 2 + 7 + 19, 1)],
        Frame::Ihave { .. }
        | Frame::Iwant { .. }
        | Frame::Choke { .. }
        | Frame::Kept { .. }
        | Frame::Stamp { .. } => vec![(1, 2)],
        Frame::Graft { roots, .. } => vec![(1, 2), (3 + 8 * roots.len(), 2)],
        Frame::Nack { .. } => vec![(2, 2)],
        Frame::SyncOpen { .. } => vec![(29, 2)],
        Frame::WantChunks { .. } => vec![(18, 2)],
        Frame::Chunk { .. } => vec![(21, 2)],
        // Content size, name, tag, parents.
        Frame::Pub { .. } => vec![(10 + 120, 4), (10 + 124, 1), (10 + 125, 1), (10 + 126, 1)],
        Frame::Hello { .. } => vec![(1 + 2 + 4 + 16 + 4 + 1 + 32 + 1 + 32 + 8, 1)],
        _ => vec![(0, usize::from(!bytes.is_empty()))],
    }
}

#[test]
fn every_wrong_length_is_refused_or_means_what_it_says() {
    let originals = originals();
    let mut victim = Victim::new();
    for (_, frame) in golden::frames() {
        let good = frame.encode();
        for (at, width) in lengths(&frame, &good) {
            let field = good[at..at + width]
                .iter()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            let max = u64::MAX >> (64 - 8 * width);
            for value in [
                0,
                1,
                field.saturating_sub(1),
                field + 1,
                max / 2,
                max / 2 + 1,
                max - 1,
                max,
            ] {
                let mut bytes = good.to_vec();
                bytes[at..at + width].copy_from_slice(&value.to_be_bytes()[8 - width..]);
                victim.suffer(&bytes.into(), &originals);
            }
        }
    }
    assert!(victim.refused > 50, "{}", victim.refused);
}

#[test]
fn topics_out_of_order_repeated_or_too_many_close_the_link() {
    let open = |topics: &[u8]| {
        let head = [&[kind::SYNC_OPEN, 0, 0, 0, 0][..], &[0xff; 24]].concat();
        let count = u16::try_from(topics.len()).expect("few").to_be_bytes();
        let topics: Vec<u8> = topics.iter().flat_map(|topic| [*topic; 32]).collect();
        let message = [0x61, 0, 0, 2, 0];
        Bytes::from([&head[..], &count, &topics, &message].concat())
    };
    let sixteen: Vec<u8> = (0..16).collect();
    let seventeen: Vec<u8> = (0..17).collect();
    for (topics, is_good) in [
        (&[][..], true),
        (&[1, 2, 3], true),
        (&sixteen, true),
        (&seventeen, false),
        (&[2, 1, 3], false),
        (&[1, 1], false),
        (&[1, 2, 2], false),
    ] {
        let mut solo = Solo::new(&free(), NOW_MS);
        let link = solo.link();
        let actions = solo.frame(link, &open(topics));
        assert_eq!(closes(&actions), !is_good, "{topics:?}: {actions:?}");
    }
}

/// Makes a frame whose list has so many entries.
type Make<'a> = Box<dyn Fn(usize) -> Frame + 'a>;

#[test]
fn every_list_takes_its_bound_and_not_one_entry_more() {
    let ids = |count: usize| vec![ShortId::from_bytes([1; 16]); count];
    let entry = IhaveEntry {
        id: ShortId::from_bytes([1; 16]),
        root_tag: 1,
    };
    let stamp = StampEntry {
        id: BulletinId::from_bytes([1; 32]),
        stamp: Stamp::default(),
    };
    let lists: Vec<(usize, Make<'_>)> = vec![
        (
            16,
            Box::new(|n| Frame::Peers {
                records: vec![golden::record(); n],
            }),
        ),
        (
            256,
            Box::new(|n| Frame::Ihave {
                entries: vec![entry; n],
            }),
        ),
        (64, Box::new(|n| Frame::Iwant { ids: ids(n) })),
        (
            512,
            Box::new(|n| Frame::Graft {
                roots: vec![1; n],
                ids: ids(1),
            }),
        ),
        (
            64,
            Box::new(|n| Frame::Graft {
                roots: vec![1],
                ids: ids(n),
            }),
        ),
        (512, Box::new(|n| Frame::Choke { roots: vec![1; n] })),
        (
            64,
            Box::new(|n| Frame::Nack {
                dropped: false,
                ids: ids(n),
            }),
        ),
        (64, Box::new(|n| Frame::Kept { ids: ids(n) })),
        (
            64,
            Box::new(|n| Frame::WantChunks {
                id: ids(1)[0],
                urgent: false,
                chunks: vec![1; n],
            }),
        ),
        (
            10,
            Box::new(|n| Frame::Chunk {
                id: ids(1)[0],
                index: 1,
                piece: Piece {
                    proof: vec![[1; 32]; n],
                    bytes: Bytes::from_static(b"chunk"),
                },
            }),
        ),
        (
            128,
            Box::new(|n| Frame::HaveChunks {
                id: ids(1)[0],
                busy: false,
                seeking: false,
                bitmap: vec![0; n].into(),
            }),
        ),
        (
            32,
            Box::new(|n| Frame::Stamp {
                entries: vec![stamp; n],
            }),
        ),
    ];
    for (max, make) in lists {
        let longest = make(max).encode();
        assert!(
            longest.len() <= limits::CONTROL_FRAME_BYTES_MAX,
            "{} bytes",
            longest.len()
        );
        assert_eq!(
            Frame::decode(&longest, golden::network().id()),
            Ok(make(max))
        );
        let error = Frame::decode(&make(max + 1).encode(), golden::network().id());
        assert!(
            matches!(error, Err(DecodeError::TooLarge { got, max: bound, .. }) if got == max + 1 && bound == max),
            "{error:?}"
        );
    }
}

/// Nothing nests and nothing is compressed: whatever decodes encodes to the bytes it came from, so
/// no message grows by being read, and a message costs time in step with its length.
#[test]
fn sixty_four_kib_of_any_byte_decode_in_bounded_time_as_any_kind() {
    let network = golden::network();
    let mut slowest = Duration::ZERO;
    for kind in 0..=u8::MAX {
        for filling in 0..=u8::MAX {
            let mut bytes = vec![filling; 65_536];
            bytes[0] = kind;
            let bytes = Bytes::from(bytes);
            let begin = Instant::now();
            let decoded = Frame::decode(&bytes, network.id());
            slowest = slowest.max(begin.elapsed());
            if let Ok(frame) = decoded {
                assert_eq!(frame.encode(), bytes);
            }
        }
    }
    println!("slowest of 65,536: {slowest:?}");
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
}

// Numbers at their edges.

const U8S: [u8; 6] = [0, 1, 127, 128, 254, 255];
const U16S: [u16; 6] = [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff];
const U32S: [u32; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
const U64S: [u64; 6] = [
    0,
    1,
    i64::MAX.unsigned_abs(),
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// Moments at the edges of the clock and around `now` by `skews`, each one millisecond off.
fn times(now: u64, skews: &[Duration]) -> Vec<u64> {
    let mut times = U64S.to_vec();
    for skew in skews {
        let skew = u64::try_from(skew.as_millis()).expect("a few weeks");
        for middle in [now.saturating_sub(skew), now.saturating_add(skew)] {
            times.extend([middle.saturating_sub(1), middle, middle.saturating_add(1)]);
        }
    }
    times
}

/// Frames with one number after the other at its edges.
fn edge_frames(now: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    let clocks = times(now, &[Duration::ZERO, Duration::from_mins(10)]);
    let minutes = [
        now / 60_000,
        now / 60_000 + 1,
        now / 60_000 + 2,
        now / 60_000 + 3,
    ];
    let minutes = || {
        minutes
            .into_iter()
            .chain(minutes.map(|m| m.saturating_sub(2)))
            .chain(U64S)
    };
    let ping = |seq, clock_ms, floor_log2, minute| Frame::Ping {
        seq,
        clock_ms,
        floor_log2,
        minute,
        digest: [1; 16],
    };
    frames.extend(U32S.map(|seq| ping(seq, now, 0, now / 60_000)));
    frames.extend(clocks.iter().map(|clock| ping(1, *clock, 0, now / 60_000)));
    frames.extend(U8S.map(|floor| ping(1, now, floor, now / 60_000)));
    frames.extend(minutes().map(|minute| ping(1, now, 0, minute)));
    for seq in U32S {
        frames.extend(clocks.iter().map(|clock| Frame::Pong {
            seq,
            clock_ms: *clock,
        }));
        frames.push(Frame::Probe {
            seq,
            target: NodeId::from_bytes([0; 32]),
        });
        frames.push(Frame::Probed { seq, alive: false });
        frames.push(Frame::SyncDone { session: seq });
    }
    for tag in U64S {
        let entry = IhaveEntry {
            id: ShortId::from_bytes([0xff; 16]),
            root_tag: tag,
        };
        frames.push(Frame::Ihave {
            entries: vec![entry],
        });
        frames.push(Frame::Graft {
            roots: vec![tag; 2],
            ids: Vec::new(),
        });
        frames.push(Frame::Choke {
            roots: vec![tag; 2],
        });
    }
    frames.extend(minutes().map(signed_beacon));
    frames
}

fn edge_syncs(now: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    let moments = times(now, &[Duration::ZERO, Duration::from_secs(30)]);
    let varints: [&[u8]; 5] = [
        &[0],
        &[1],
        &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
    ];
    for index in U32S {
        for id in [
            golden::manifest_bulletin().id().short(),
            ShortId::from_bytes([9; 16]),
        ] {
            let piece = golden::piece(4);
            frames.push(Frame::WantChunks {
                id,
                urgent: index % 2 == 0,
                chunks: vec![0, index],
            });
            frames.push(Frame::Chunk { id, index, piece });
            frames.push(Frame::HaveChunks {
                id,
                busy: false,
                seeking: true,
                bitmap: index.to_be_bytes().to_vec().into(),
            });
        }
    }
    for session in U32S {
        for time in varints {
            for count in varints {
                let message = [&[0x61], time, &[0, 2], count].concat().into();
                frames.push(Frame::SyncMsg { session, message });
            }
        }
        for moment in &moments {
            for other in [0, now, u64::MAX] {
                let topics = if session == 0 {
                    Topics::ALL
                } else {
                    let highest = TopicId::from_bytes([0xff; 32]);
                    Topics::new(vec![highest]).expect("one is few")
                };
                let of = |created_until_ms, expiry_cutoff_ms, resume_ms| Frame::SyncOpen {
                    session,
                    created_until_ms,
                    expiry_cutoff_ms,
                    resume_ms,
                    topics: topics.clone(),
                    message: Bytes::from_static(&[0x61, 0, 0, 2, 0]),
                };
                frames.push(of(*moment, other, other));
                frames.push(of(other, *moment, other));
                frames.push(of(other, other, *moment));
            }
        }
    }
    frames
}

fn signed_beacon(minute: u64) -> Frame {
    let key = golden::key(4);
    let node = key.node_id();
    let signature = key.sign(&Beacon::signed_text(&node, minute, free().id()));
    Frame::Beacon(Beacon {
        node,
        minute,
        signature,
    })
}

fn free() -> Network {
    Network::new("free", Price::FREE, None)
}

/// Bulletins signed with one number of the header at its edges, root tag and hops too.
fn edge_bulletins(now: u64) -> Vec<Frame> {
    let key = golden::key(1);
    let content = Bytes::from_static(b"edge");
    let header = Header::post(
        TopicId::of("edge"),
        key.author_id(),
        &content,
        Wall::from_millis(now),
    );
    let mut headers = Vec::new();
    let skews = [
        Duration::ZERO,
        limits::FUTURE_MAX,
        header.ttl(),
        limits::TTL_MAX,
    ];
    for created in times(now, &skews).into_iter().map(Wall::from_millis) {
        for ttl_s in [3_600, 2_419_199, 2_419_200, 2_419_201]
            .into_iter()
            .chain(U32S)
        {
            headers.push(Header {
                created,
                ttl_s,
                ..header.clone()
            });
        }
    }
    headers.extend(U64S.map(|seq| Header {
        seq,
        ..header.clone()
    }));
    headers.extend(U16S.map(|flags| Header {
        flags,
        ..header.clone()
    }));
    headers.extend(U8S.map(|kind| Header {
        kind: bruit_core::bulletin::Kind(kind),
        ..header.clone()
    }));
    let mut frames = Vec::new();
    for (header, hops) in headers.into_iter().zip(U8S.into_iter().cycle()) {
        let root_tag = U64S[usize::from(hops) % 6];
        let signed = Bulletin::sign(header, content.clone(), free().id(), &key);
        let mut bulletin = Box::new(signed);
        bulletin.stamp = Stamp {
            bits: 0,
            nonce: root_tag,
        };
        frames.push(Frame::Pub {
            root_tag,
            hops,
            bulletin,
        });
    }
    frames
}

/// Records signed with one number at its edges.
fn edge_records(now: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    let bodies = times(now, &[Duration::ZERO, limits::RECORD_TTL_MAX]);
    let mut number = 10;
    for expires in bodies {
        for seq in U64S {
            number = if number == 200 { 10 } else { number + 1 };
            let key = golden::key(number);
            let body = RecordBody {
                node: key.node_id(),
                seq,
                expires: Wall::from_millis(expires),
                addresses: vec![golden::address_v4()],
                relay: "r".repeat(usize::from(number)),
            };
            let record = Record::sign(body, free().id(), &key);
            frames.push(Frame::Peers {
                records: vec![record],
            });
        }
    }
    frames
}

/// Hellos with one number at its edges; to be said on a new connection.
fn edge_hellos(now: u64) -> Vec<Frame> {
    let network = free();
    let greet = |version, features, price, clock_ms| Frame::Hello {
        version,
        features,
        name_hash: network.name_hash(),
        price,
        private: false,
        network: *network.id(),
        wants_kept: true,
        nonce: [0xff; 32],
        clock_ms,
        observed: Some(golden::address_v6()),
    };
    let mut frames: Vec<Frame> = U16S.map(|version| greet(version, 0, 0, now)).into();
    frames.extend(U32S.map(|features| greet(1, features, 0, now)));
    frames.extend(U32S.map(|price| greet(1, 0, price, now)));
    let clocks = times(now, &[Duration::ZERO, Duration::from_mins(10)]);
    frames.extend(clocks.into_iter().map(|clock| greet(1, 0, 0, clock)));
    frames
}

/// The clocks at which the edges are tried. The wall clock may be set to anything; the other one is
/// counted from the start of a program and gets to a hundred thousand years here.
fn clocks() -> [Now; 4] {
    let at = |mono, wall| Now {
        mono: Mono::from_micros(mono),
        wall: Wall::from_millis(wall),
    };
    [
        at(0, 0),
        at(1_000_000, NOW_MS),
        at(1 << 61, u64::MAX - 1),
        at(1 << 61, u64::MAX),
    ]
}

/// Feeds `frames` one by one, each link used until it is closed, with wakeups in between.
fn endure(now: Now, frames: &[Frame]) -> usize {
    let mut solo = Solo::new(&free(), now.wall.as_millis());
    solo.now = now;
    let mut link = solo.link();
    let mut delivered = 0;
    for (number, frame) in frames.iter().enumerate() {
        let actions = solo.frame(link, &frame.encode());
        delivered += actions
            .iter()
            .filter(|a| matches!(a, Action::Deliver { .. }))
            .count();
        if closes(&actions) {
            solo.unlink(link);
            link = solo.link();
        }
        if number.is_multiple_of(16) {
            solo.now.mono = solo.now.mono.plus(Duration::from_millis(500));
            if closes(&solo.feed(Event::Wakeup)) {
                solo.unlink(link);
                link = solo.link();
            }
        }
        if number.is_multiple_of(512) {
            solo = Solo::new(&free(), now.wall.as_millis());
            solo.now = now;
            link = solo.link();
        }
    }
    delivered
}

#[test]
fn every_number_of_every_frame_may_stand_at_its_edges() {
    for now in clocks() {
        let wall = now.wall.as_millis();
        let mut frames = edge_frames(wall);
        frames.extend(edge_syncs(wall));
        frames.extend(edge_records(wall));
        let bulletins = edge_bulletins(wall);
        println!(
            "{now:?}: {} frames, {} bulletins",
            frames.len(),
            bulletins.len()
        );
        endure(now, &frames);
        let delivered = endure(now, &bulletins);
        assert!(
            delivered > 0 || wall > u64::MAX - 2,
            "some of them are good: {now:?}"
        );
    }
}

#[test]
fn every_number_of_a_greeting_may_stand_at_its_edges() {
    for now in clocks() {
        for hello in edge_hellos(now.wall.as_millis()) {
            let mut solo = Solo::new(&free(), now.wall.as_millis());
            solo.now = now;
            let link = solo.connect();
            solo.frame(link, &hello.encode());
            solo.now.mono = solo.now.mono.plus(Duration::from_mins(1));
            solo.feed(Event::Wakeup);
        }
    }
}

#[test]
fn every_number_of_every_other_event_may_stand_at_its_edges() {
    for now in clocks() {
        let mut solo = Solo::new(&free(), now.wall.as_millis());
        solo.now = now;
        solo.link();
        let id = BulletinId::from_bytes([0xff; 32]);
        for number in U64S {
            let wall = Wall::from_millis(number);
            let seen = U64S.map(|other| RestoredId {
                id: BulletinId::from_bytes([u8::try_from(number >> 56).expect("a byte"); 32]),
                topic: Some(TopicId::from_bytes([0xff; 32])),
                created: wall,
                expires: Wall::from_millis(other),
                held: Some((u32::MAX, u8::MAX)),
                version: None,
            });
            let book = Bytes::copy_from_slice(&number.to_be_bytes());
            let restored = Restored {
                files: Vec::new(),
                seen: seen.into(),
                address_book: book,
                horizon: Wall::default(),
            };
            solo.feed(Event::Restored(Box::new(restored)));
            solo.feed(Event::Verified {
                job: JobId(number),
                good: true,
            });
            let signature = Signature::from_bytes([0xff; 64]);
            solo.feed(Event::Signed {
                job: JobId(number),
                signature,
            });
            solo.feed(Event::LinkDown {
                link: LinkId::new(number),
                reason: CloseReason::Dead,
                by_peer: true,
            });
            solo.feed(Event::Malformed {
                link: LinkId::new(number),
            });
            solo.feed(Event::Loaded {
                id,
                bytes: Some(Bytes::new()),
            });
        }
        for (number, bytes) in U32S.into_iter().enumerate() {
            let number = 1_000 + u64::try_from(number).expect("small");
            solo.feed(Event::LinkUp {
                link: LinkId::new(number),
                peer: NodeId::from_bytes([0xff; 32]),
                direction: Direction::Out,
                remote: None,
                control_credit: bytes,
                bulletins_credit: bytes,
            });
            for class in [Class::Control, Class::Bulletins] {
                solo.feed(Event::Credit {
                    link: LinkId::new(number),
                    class,
                    bytes,
                });
                solo.feed(Event::Credit {
                    link: LinkId::new(number),
                    class,
                    bytes: u32::MAX,
                });
            }
        }
        for bits in U8S {
            let stamp = Stamp {
                bits,
                nonce: u64::MAX,
            };
            solo.feed(Event::Command(Command::Boost { id, stamp }));
        }
        let validate = Command::Validate {
            topic: TopicId::of("edge"),
            timeout: Some(Duration::MAX),
        };
        solo.feed(Event::Command(validate));
        for frame in edge_bulletins(now.wall.as_millis()).into_iter().take(20) {
            let link = solo.link();
            solo.frame(link, &frame.encode());
        }
        solo.feed(Event::Wakeup);
        solo.feed(Event::Command(Command::Shutdown));
    }
}
