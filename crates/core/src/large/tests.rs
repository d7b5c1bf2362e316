use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::piece::tests::{content, pieces};
use super::*;
use crate::wire::kind;

const WAY: Duration = Duration::from_millis(20);
const CHUNK: usize = 4_096;

fn id(number: u8) -> BulletinId {
    BulletinId::from_bytes([number; 32])
}

fn link(number: u64) -> LinkId {
    LinkId::new(number)
}

fn at(millis: u64) -> Mono {
    Mono::ZERO.plus(Duration::from_millis(millis))
}

fn room(links: u64) -> Large {
    let mut large = Large::new(Config::default());
    for number in 1..=links {
        large.link_up(link(number));
        large.mesh_up(link(number));
    }
    large
}

/// What is asked of whom.
fn wants(facts: &[Fact]) -> Vec<(u64, bool, Vec<u32>)> {
    let want = |fact: &Fact| match fact {
        Fact::Send {
            link,
            frame: Frame::WantChunks { urgent, chunks, .. },
        } => Some((link.number(), *urgent, chunks.clone())),
        _ => None,
    };
    facts.iter().filter_map(want).collect()
}

/// Lets a room run until `end`.
fn run(large: &mut Large, end: Mono) -> Vec<Fact> {
    let mut facts = Vec::new();
    while let Some(due) = large.next_wakeup().filter(|due| *due <= end) {
        facts.extend(large.wakeup(due));
    }
    facts
}

#[test]
fn who_brought_the_manifest_is_asked_first_and_for_a_window() {
    let mut large = room(3);
    let (_, tree) = content(100 * CHUNK / 2, 0);
    let facts = large.accepted(id(1), *tree.manifest(), Some(link(2)), at(0));
    assert_eq!(wants(&facts), [(2, false, (0..50).collect())]);
    let (content, tree) = content(1 << 20, 0);
    let facts = large.accepted(id(2), *tree.manifest(), Some(link(3)), at(0));
    assert_eq!(wants(&facts), [(3, false, (0..16).collect())]);
    // Half of the window has come before more is asked for, in one frame.
    for (index, piece) in (0..).zip(pieces(&content, &tree)).take(8) {
        let facts = large.on_chunk(link(3), id(2).short(), index, &piece, at(10));
        let expected = if index == 7 {
            vec![(3, false, (16..24).collect())]
        } else {
            vec![]
        };
        assert_eq!(wants(&facts), expected, "{index}");
    }
    assert_eq!(large.progress(&id(2).short()), Some((8, 64)));
}

#[test]
fn a_chunk_is_checked_before_it_is_kept_and_who_sends_a_bad_one_is_to_blame() {
    let mut large = room(2);
    let (content, tree) = content(5 * CHUNK, 0);
    large.accepted(id(1), *tree.manifest(), Some(link(1)), at(0));
    let pieces = pieces(&content, &tree);
    let facts = large.on_chunk(link(1), id(1).short(), 1, &pieces[0], at(1));
    assert!(
        matches!(facts.as_slice(), [Fact::Misbehaved { link: who, .. }] if *who == link(1)),
        "{facts:?}"
    );
    assert_eq!(large.progress(&id(1).short()), Some((0, 5)));
    let facts = large.on_chunk(link(1), id(1).short(), 0, &pieces[0], at(1));
    let kept = Fact::Keep {
        id: id(1),
        index: 0,
        piece: pieces[0].clone(),
    };
    assert!(facts.contains(&kept), "{facts:?}");
    // The same again tells nothing, and one of a content nobody knows neither.
    for other in [1, 9] {
        let facts = large.on_chunk(link(1), id(other).short(), 0, &pieces[0], at(2));
        assert_eq!(facts, [Fact::Unasked { link: link(1) }]);
    }
}

#[test]
fn who_brings_nothing_is_let_rest_and_what_was_asked_of_it_is_asked_of_others_urgently() {
    let mut large = room(2);
    let (_, tree) = content(5 * CHUNK, 0);
    let facts = large.accepted(id(1), *tree.manifest(), Some(link(1)), at(0));
    assert_eq!(wants(&facts), [(1, false, (0..5).collect())]);
    let all = Bitmap::all(5).to_bytes();
    let facts = large.on_have(link(2), id(1).short(), true, false, &all, at(100));
    assert_eq!(wants(&facts), [], "everything is asked for already");
    let facts = run(&mut large, at(700));
    assert!(facts.contains(&Fact::BrokenPromise { link: link(1) }));
    // Though it had no place for us.
    assert_eq!(wants(&facts), [(2, true, (0..5).collect())]);
}

#[test]
fn the_rarest_chunk_is_asked_for_first() {
    let mut large = room(4);
    let (_, tree) = content(5 * CHUNK, 0);
    large.accepted(id(1), *tree.manifest(), Some(link(4)), at(0));
    let busy = |large: &mut Large| large.on_have(link(4), id(1).short(), true, false, &[], at(10));
    busy(&mut large);
    let tell = |large: &mut Large, who, chunks: &[u32], busy| {
        let mut have = Bitmap::none(5);
        for index in chunks {
            have.set(*index);
        }
        large.on_have(
            link(who),
            id(1).short(),
            busy,
            false,
            have.as_bytes(),
            at(20),
        )
    };
    tell(&mut large, 1, &[0, 1, 2], true);
    tell(&mut large, 2, &[0, 2], true);
    let facts = tell(&mut large, 3, &[0, 1, 2], false);
    // 1 has two holders, 0 and 2 have three; 3 and 4 it will have.
    assert_eq!(wants(&facts), [(3, false, vec![1, 0, 2, 3, 4])]);
}

#[test]
fn two_neighbours_are_given_a_content_and_a_third_is_told_when_there_is_a_place() {
    let mut large = room(3);
    let (_, tree) = content(5 * CHUNK, 0);
    large.published(id(1), *tree.manifest());
    for number in [1, 2] {
        let facts = large.on_want(link(number), id(1).short(), false, &[0], at(0));
        let load = Fact::Load {
            id: id(1),
            index: 0,
        };
        // It is read once for both.
        assert_eq!(facts, if number == 1 { vec![load] } else { vec![] });
    }
    let told = |facts: &[Fact], number, is_busy| {
        matches!(facts, [Fact::Send { link: to, frame: Frame::HaveChunks { busy, .. } }]
            if *to == link(number) && *busy == is_busy)
    };
    let facts = large.on_want(link(3), id(1).short(), false, &[0], at(0));
    assert!(told(&facts, 3, true), "{facts:?}");
    // Urgently it gets it all the same.
    let facts = large.on_want(link(3), id(1).short(), true, &[1], at(0));
    assert_eq!(
        facts,
        [Fact::Load {
            id: id(1),
            index: 1
        }]
    );
    let all = Bitmap::all(5).to_bytes();
    let facts = large.on_have(link(1), id(1).short(), false, false, &all, at(5));
    assert!(told(&facts, 3, false), "{facts:?}");
}

#[test]
fn what_is_given_waits_until_it_is_here_and_few_chunks_are_in_hand() {
    let mut large = room(2);
    let (content, tree) = content(8 * CHUNK, 0);
    let short = id(1).short();
    large.accepted(id(1), *tree.manifest(), Some(link(1)), at(0));
    let all: Vec<u32> = (0..8).collect();
    assert_eq!(large.on_want(link(2), short, false, &all, at(0)), []);
    let pieces = pieces(&content, &tree);
    let given = |facts: &[Fact]| -> Vec<u64> {
        let give = |fact: &Fact| match fact {
            Fact::Give { link, frame } if frame[0] == kind::CHUNK => Some(link.number()),
            _ => None,
        };
        facts.iter().filter_map(give).collect()
    };
    for (index, piece) in (0..).zip(&pieces).take(5) {
        let facts = large.on_chunk(link(1), short, index, piece, at(1));
        let expected: &[u64] = if index < 3 { &[2] } else { &[] };
        assert_eq!(given(&facts), expected, "{index}");
    }
    // One has gone: the next one is read.
    assert_eq!(
        large.sent(link(2), at(2)),
        [Fact::Load {
            id: id(1),
            index: 3
        }]
    );
    let piece = Some(pieces[3].clone());
    assert_eq!(given(&large.loaded(&id(1), 3, piece, at(3))), [2]);
    // What the disk spoiled is not passed on, but fetched again.
    large.sent(link(2), at(3));
    large.loaded(&id(1), 4, Some(pieces[3].clone()), at(4));
    assert_eq!(large.progress(&short), Some((4, 8)));
}

#[test]
fn what_an_earlier_run_left_is_gone_on_with() {
    let (_, tree) = content(9 * CHUNK, 0);
    let mut have = Bitmap::all(9);
    have.clear(4);
    let mut large = Large::new(Config::default());
    let old = |number, have: Bitmap| RestoredFile {
        id: id(number),
        manifest: *tree.manifest(),
        have: have.to_bytes(),
    };
    large.restore(&[old(1, have), old(2, Bitmap::all(9))], at(0));
    assert_eq!(large.footprint().1, 1, "only what is not whole is fetched");
    large.link_up(link(1));
    let facts = large.mesh_up(link(1));
    let seeks = |fact: &Fact| {
        matches!(
            fact,
            Fact::Send {
                frame: Frame::HaveChunks { seeking: true, .. },
                ..
            }
        )
    };
    assert!(facts.iter().any(seeks), "{facts:?}");
    let all = Bitmap::all(9).to_bytes();
    let facts = large.on_have(link(1), id(1).short(), false, false, &all, at(10));
    assert_eq!(wants(&facts), [(1, false, vec![4])]);
}

#[test]
fn what_does_not_exist_is_neither_asked_for_nor_told_of() {
    let mut large = room(1);
    let (_, tree) = content(5 * CHUNK, 0);
    large.published(id(1), *tree.manifest());
    let is_blamed = |facts: &[Fact]| matches!(facts, [Fact::Misbehaved { .. }]);
    assert!(is_blamed(&large.on_want(
        link(1),
        id(1).short(),
        false,
        &[5],
        at(0)
    )));
    assert!(is_blamed(&large.on_have(
        link(1),
        id(1).short(),
        false,
        false,
        &[0xff],
        at(0)
    )));
    assert!(is_blamed(&large.on_have(
        link(1),
        id(1).short(),
        false,
        false,
        &[0; 2],
        at(0)
    )));
    assert_eq!(
        large.on_have(link(1), id(2).short(), false, false, &[0; 2], at(0)),
        []
    );
}

#[test]
fn queues_fetches_and_reads_stay_within_their_bounds() {
    let mut large = room(2);
    let (_, tree) = content(1 << 20, 0);
    for number in 0..100 {
        large.accepted(id(number), *tree.manifest(), Some(link(1)), at(0));
    }
    for number in 100..120 {
        large.published(id(number), *tree.manifest());
        let all: Vec<u32> = (0..64).collect();
        large.on_want(link(2), id(number).short(), false, &all, at(0));
        // The same again is not queued again.
        large.on_want(link(2), id(number).short(), true, &all, at(0));
    }
    let (files, fetches, queued, loading) = large.footprint();
    assert_eq!((files, fetches), (120, limits::FETCHES_MAX));
    assert!(queued <= limits::CHUNKS_QUEUED_MAX, "{queued}");
    assert!(loading <= limits::CHUNKS_IN_HAND_MAX, "{loading}");
    let in_flight = large.links.get(&link(1)).map(|link| link.in_flight_bytes);
    assert!(in_flight <= Some(Config::default().window_bytes));
    large.link_down(link(1), at(1));
    large.link_down(link(2), at(1));
    assert_eq!(large.footprint().2, 0);
    for number in 0..120 {
        large.forget(&id(number), at(2));
    }
    assert_eq!(large.footprint().0, 0);
    assert_eq!(large.footprint().1, 0);
}

#[test]
fn a_content_that_does_not_move_leaves_its_turn_to_one_that_waits() {
    let mut large = room(1);
    let (_, tree) = content(5 * CHUNK, 0);
    for number in 0..=32 {
        large.accepted(id(number), *tree.manifest(), Some(link(1)), at(0));
    }
    assert!(!large.fetching.contains(&id(32).short()));
    run(&mut large, at(40_000));
    assert!(large.fetching.contains(&id(32).short()));
}

/// Rooms with links between them, each frame under way for as long.
struct Ring {
    rooms: Vec<Large>,
    stores: Vec<BTreeMap<u32, Piece>>,
    /// By when it arrives: to whom, from whom, what.
    wire: BTreeMap<Mono, VecDeque<(usize, usize, Frame)>>,
    chunks: u32,
    repeats: u32,
    /// Who sends no chunks.
    mute: BTreeSet<usize>,
}

#[expect(clippy::arithmetic_side_effects, reason = "tests count small things")]
impl Ring {
    /// `count` rooms, each linked with the next three.
    fn new(count: usize) -> Self {
        let mut rooms: Vec<Large> = (0..count).map(|_| Large::new(Config::default())).collect();
        for (node, room) in rooms.iter_mut().enumerate() {
            for step in 1..=3 {
                for other in [(node + step) % count, (node + count - step) % count] {
                    let other = link(u64::try_from(other).expect("small"));
                    room.link_up(other);
                    room.mesh_up(other);
                }
            }
        }
        Self {
            stores: vec![BTreeMap::new(); count],
            rooms,
            wire: BTreeMap::new(),
            chunks: 0,
            repeats: 0,
            mute: BTreeSet::new(),
        }
    }

    fn carry(&mut self, node: usize, facts: Vec<Fact>, now: Mono) {
        let mut facts = VecDeque::from(facts);
        while let Some(fact) = facts.pop_front() {
            let room = &mut self.rooms[node];
            match fact {
                Fact::Send { link, frame } => self.send(node, link, frame, now),
                Fact::Give { link, frame } => {
                    facts.extend(room.sent(link, now));
                    let network = crate::id::NetworkId::from_bytes([0; 32]);
                    let frame = Frame::decode(&frame, &network).expect("well formed");
                    if !self.mute.contains(&node) {
                        self.send(node, link, frame, now);
                    }
                }
                Fact::Keep { index, piece, .. } => {
                    self.chunks += 1;
                    self.stores[node].insert(index, piece);
                }
                Fact::Load { id, index } => {
                    let piece = self.stores[node].get(&index).cloned();
                    facts.extend(room.loaded(&id, index, piece, now));
                }
                Fact::Unasked { .. } => self.repeats += 1,
                Fact::Progress { .. } | Fact::BrokenPromise { .. } => {}
                Fact::Misbehaved { how, .. } => panic!("{how}"),
            }
        }
    }

    fn send(&mut self, node: usize, to: LinkId, frame: Frame, now: Mono) {
        let to = usize::try_from(to.number()).expect("small");
        let arrives = self.wire.entry(now.plus(WAY)).or_default();
        arrives.push_back((to, node, frame));
    }

    /// Lets all run until `end`; returns when the last chunk came.
    fn run(&mut self, end: Mono) -> Mono {
        let mut last = Mono::ZERO;
        loop {
            let due = self.rooms.iter().enumerate();
            let due = due
                .filter_map(|(node, room)| Some((room.next_wakeup()?, node)))
                .min();
            let arrives = self.wire.first_key_value().map(|(at, _)| *at);
            let Some(now) = due.map(|(at, _)| at).into_iter().chain(arrives).min() else {
                break;
            };
            if now > end {
                break;
            }
            let before = self.chunks;
            if let Some(frames) = self.wire.remove(&now) {
                for (to, from, frame) in frames {
                    let from = link(u64::try_from(from).expect("small"));
                    let room = &mut self.rooms[to];
                    let facts = match frame {
                        Frame::WantChunks { id, urgent, chunks } => {
                            room.on_want(from, id, urgent, &chunks, now)
                        }
                        Frame::Chunk { id, index, piece } => {
                            room.on_chunk(from, id, index, &piece, now)
                        }
                        Frame::HaveChunks {
                            id,
                            busy,
                            seeking,
                            bitmap,
                        } => room.on_have(from, id, busy, seeking, &bitmap, now),
                        _ => Vec::new(),
                    };
                    self.carry(to, facts, now);
                }
            } else if let Some((_, node)) = due {
                let facts = self.rooms[node].wakeup(now);
                self.carry(node, facts, now);
            }
            if self.chunks > before {
                last = now;
            }
        }
        last
    }

    /// Has the first publish a content, and everybody get the manifest from the one before.
    fn publish(&mut self, total: usize) -> u32 {
        let (content, tree) = content(total, 9);
        let manifest = *tree.manifest();
        self.stores[0] = (0..).zip(pieces(&content, &tree)).collect();
        self.rooms[0].published(id(1), manifest);
        for node in 1..self.rooms.len() {
            let from = link(u64::try_from(node - 1).expect("small"));
            let facts = self.rooms[node].accepted(id(1), manifest, Some(from), at(0));
            self.carry(node, facts, at(0));
        }
        manifest.chunks()
    }
}

#[test]
fn a_content_reaches_twenty_nodes_and_nothing_comes_twice() {
    let mut ring = Ring::new(20);
    let chunks = ring.publish(200_000);
    let last = ring.run(at(20_000));
    assert_eq!((ring.chunks, ring.repeats), (19 * chunks, 0));
    assert!(last <= at(2_000), "{last:?}");
}

#[test]
fn a_content_reaches_all_though_some_give_nothing_of_what_they_have() {
    let mut ring = Ring::new(20);
    ring.mute = [3, 4, 11].into();
    let chunks = ring.publish(200_000);
    let last = ring.run(at(60_000));
    assert_eq!(ring.chunks, 19 * chunks);
    assert!(last <= at(15_000), "{last:?}");
}
