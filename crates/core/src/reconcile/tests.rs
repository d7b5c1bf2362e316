//! Two nodes compare; strangers send bytes; figures.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers of our own")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::event::RestoredId;
use crate::id::{BulletinId, NetworkId, TopicId};
use crate::inventory::{self, Fact as Stock};
use crate::time::micros;

mod topics;

const LINK: LinkId = LinkId::new(1);
const NETWORK: NetworkId = NetworkId::from_bytes([0; 32]);
const START: Wall = Wall::from_millis(1_700_000_000_000);
const HOUR_MS: u64 = 3_600_000;

fn start() -> Now {
    Now {
        mono: Mono::from_micros(1_000_000),
        wall: START,
    }
}

/// Everything there was at the start.
fn whole() -> Scope {
    Scope {
        created_until: START,
        expiry_cutoff: START,
        topics: Topics::ALL,
    }
}

fn after(now: Now, passed: Duration) -> Now {
    Now {
        mono: now.mono.plus(passed),
        wall: now.wall.plus(passed),
    }
}

/// An id made `age_ms` before the start, valid for long.
fn item(number: u64, age_ms: u64) -> RestoredId {
    let created = Wall::from_millis(START.as_millis() - age_ms);
    RestoredId {
        id: BulletinId::from_bytes(*blake3::hash(&number.to_be_bytes()).as_bytes()),
        topic: Some(TopicId::from_bytes([0; 32])),
        created,
        expires: created.plus(Duration::from_hours(100)),
        held: Some((1_000, 20)),
        version: None,
    }
}

/// Ids two seconds apart, none of them recent.
fn items(numbers: impl IntoIterator<Item = u64>) -> Vec<RestoredId> {
    numbers
        .into_iter()
        .map(|n| item(n, 60_000 + n * 2_000))
        .collect()
}

fn inventory_of(ids: &[RestoredId]) -> Inventory {
    let config = inventory::Config {
        store_limit_bytes: u64::MAX,
        ..Default::default()
    };
    let mut inventory = Inventory::new(config, 3);
    assert!(inventory.restore(ids, Wall::default()).is_empty());
    inventory
}

/// What went over the link.
#[derive(Debug, Default, Clone, PartialEq)]
struct Traffic {
    bytes: usize,
    messages: usize,
    sessions: usize,
    largest: usize,
    wanted: Vec<ShortId>,
    offered: Vec<ShortId>,
    agreed: usize,
}

/// Two nodes and the link between them; `a` dialled.
struct Pair {
    now: Now,
    a: Reconcile,
    b: Reconcile,
    a_has: Inventory,
    b_has: Inventory,
    /// What both know of every id.
    all: BTreeMap<ShortId, RestoredId>,
    /// Whether what is wanted and offered arrives.
    fetch: bool,
    traffic: Traffic,
}

impl Pair {
    fn new(a: &[RestoredId], b: &[RestoredId], config: &Config) -> Self {
        Self::differing((a, config), (b, config))
    }

    fn differing(
        (a, a_config): (&[RestoredId], &Config),
        (b, b_config): (&[RestoredId], &Config),
    ) -> Self {
        let now = start();
        let mut pair = Self {
            now,
            a: Reconcile::new(a_config.clone(), [1; 32]),
            b: Reconcile::new(b_config.clone(), [2; 32]),
            a_has: inventory_of(a),
            b_has: inventory_of(b),
            all: a
                .iter()
                .chain(b)
                .map(|old| (old.id.short(), *old))
                .collect(),
            fetch: true,
            traffic: Traffic::default(),
        };
        pair.a.link_up(LINK, Direction::Out, now);
        pair.b.link_up(LINK, Direction::In, now);
        pair
    }

    /// Wakes both and delivers frames until nothing moves.
    fn settle(&mut self) {
        let mut from_a = self.a.wakeup(self.now, &self.a_has);
        let mut from_b = self.b.wakeup(self.now, &self.b_has);
        while !from_a.is_empty() || !from_b.is_empty() {
            let to_b = self.carry(from_a, true);
            let to_a = self.carry(from_b, false);
            from_b = to_b
                .iter()
                .flat_map(|frame| deliver(&mut self.b, &self.b_has, frame, self.now))
                .collect();
            from_a = to_a
                .iter()
                .flat_map(|frame| deliver(&mut self.a, &self.a_has, frame, self.now))
                .collect();
            assert!(self.a.sessions(LINK) <= 2 && self.b.sessions(LINK) <= 2);
        }
    }

    fn carry(&mut self, facts: Vec<Fact>, from_a: bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        for fact in facts {
            match fact {
                Fact::Send { frame, .. } => {
                    let bytes = frame.encode();
                    assert!(bytes.len() <= limits::DATA_FRAME_BYTES_MAX);
                    self.traffic.bytes += bytes.len();
                    self.traffic.messages += 1;
                    self.traffic.largest = self.traffic.largest.max(bytes.len());
                    if let Frame::SyncOpen { .. } = frame {
                        self.traffic.sessions += 1;
                    }
                    frames.push(Frame::decode(&bytes, &NETWORK).expect("what we encode decodes"));
                }
                Fact::Want { ids, .. } => {
                    self.give(&ids, from_a);
                    self.traffic.wanted.extend(ids);
                }
                Fact::Offer { ids, .. } => {
                    let to = if from_a { &self.b } else { &self.a };
                    if !to.is_choosy() {
                        self.give(&ids, !from_a);
                    }
                    self.traffic.offered.extend(ids);
                }
                Fact::Agreed { .. } => self.traffic.agreed += 1,
                Fact::Misbehaved { how, .. } => panic!("{how}"),
            }
        }
        frames
    }

    fn give(&mut self, ids: &[ShortId], to_a: bool) {
        if self.fetch {
            let given: Vec<_> = ids.iter().map(|id| self.all[id]).collect();
            let to = if to_a {
                &mut self.a_has
            } else {
                &mut self.b_has
            };
            to.restore(&given, Wall::default());
        }
    }

    /// Jumps from wakeup to wakeup for `span`.
    fn run(&mut self, span: Duration) {
        let end = self.now.mono.plus(span);
        self.settle();
        while let Some(next) = [self.a.next_wakeup(), self.b.next_wakeup()]
            .into_iter()
            .flatten()
            .min()
        {
            assert!(next > self.now.mono, "nothing due is left behind");
            if next > end {
                break;
            }
            self.now = after(self.now, next.since(self.now.mono));
            self.settle();
        }
    }

    fn ids(inventory: &Inventory) -> BTreeSet<ShortId> {
        let all = inventory.newest_first(Wall::from_millis(u64::MAX), Wall::default());
        all.map(|seen| seen.id.short()).collect()
    }

    fn equal(&self) -> bool {
        Self::ids(&self.a_has) == Self::ids(&self.b_has)
    }
}

fn deliver(to: &mut Reconcile, has: &Inventory, frame: &Frame, now: Now) -> Vec<Fact> {
    match frame.clone() {
        Frame::SyncOpen {
            session,
            created_until_ms,
            expiry_cutoff_ms,
            resume_ms,
            topics,
            message,
        } => {
            let open = Open {
                session,
                created_until_ms,
                expiry_cutoff_ms,
                resume_ms,
                topics,
                message,
            };
            to.on_open(LINK, &open, has, now)
        }
        Frame::SyncMsg { session, message } => to.on_msg(LINK, session, &message, has, now),
        Frame::SyncDone { session } => {
            to.on_done(LINK, session, now);
            Vec::new()
        }
        other => panic!("not ours: {other:?}"),
    }
}

const SET: u64 = 100_000;

#[test]
fn equal_sets_of_a_hundred_thousand_cost_400_bytes() {
    let ids = items(0..SET);
    let mut pair = Pair::new(&ids, &ids, &Config::default());
    pair.settle();
    println!(
        "equal: {} B in {} messages",
        pair.traffic.bytes, pair.traffic.messages
    );
    assert!(pair.traffic.bytes <= 400, "{:?}", pair.traffic);
    assert_eq!((pair.traffic.messages, pair.traffic.agreed), (3, 1));
}

#[test]
fn ten_recent_differences_cost_three_thousand_bytes() {
    // Ten differences among the newest thousand ids, five on each side.
    let common = items((0..SET).filter(|n| n % 100 != 50 || *n > 1_000));
    let mine = items([50, 250, 450, 650, 850]);
    let theirs = items([150, 350, 550, 750, 950]);
    let a = [common.clone(), mine].concat();
    let b = [common, theirs].concat();
    let mut pair = Pair::new(&a, &b, &Config::default());
    pair.settle();
    let scattered = pair.traffic.clone();
    assert!(pair.equal());
    // The ten newest of all.
    let (a, b) = (items(0..SET), items(10..SET));
    let mut pair = Pair::new(&a, &b, &Config::default());
    pair.settle();
    for (what, traffic) in [("among 1,000", &scattered), ("the newest", &pair.traffic)] {
        let (bytes, messages) = (traffic.bytes, traffic.messages);
        println!("ten recent differences, {what}: {bytes} B in {messages} messages");
    }
    assert!(
        pair.traffic.bytes <= 2_048 + 1_000,
        "{}",
        pair.traffic.bytes
    );
    assert_eq!(
        (pair.traffic.offered.len(), pair.traffic.wanted.len()),
        (10, 0)
    );
    assert!(pair.equal());
}

#[test]
fn a_latest_thousand_that_one_side_lacks_is_known_after_three_round_trips() {
    let (all, late) = (items(0..SET), items(1_000..SET));
    for (opener, other) in [(&all, &late), (&late, &all)] {
        let mut pair = Pair::new(opener, other, &Config::default());
        pair.settle();
        let Traffic {
            bytes, messages, ..
        } = pair.traffic;
        println!("the newest 1,000: {bytes} B in {messages} messages");
        // Three there and three back, and that it is done.
        assert!(messages <= 7, "{messages}");
        assert!(bytes <= 40_000, "{bytes}");
        let told = pair.traffic.offered.len() + pair.traffic.wanted.len();
        assert_eq!(told, 1_000);
        assert!(pair.equal());
    }
}

#[test]
fn a_thousand_scattered_differences_cost_about_a_megabyte() {
    let a = items((0..SET).filter(|n| n % 200 != 0));
    let b = items((0..SET).filter(|n| n % 200 != 100));
    let mut pair = Pair::new(&a, &b, &Config::default());
    pair.run(Duration::from_secs(10));
    let Traffic {
        bytes,
        messages,
        sessions,
        ..
    } = pair.traffic;
    println!("1,000 scattered: {bytes} B in {messages} messages, {sessions} sessions");
    assert!(
        bytes <= 1_300_000 && messages <= 40 + 3 * sessions,
        "{bytes} {messages}"
    );
    assert_eq!(
        (pair.traffic.wanted.len(), pair.traffic.offered.len()),
        (500, 500)
    );
    assert!(pair.equal());
}

#[test]
fn a_fresh_node_gets_a_hundred_thousand_ids_in_a_few_sessions() {
    let mut pair = Pair::new(&[], &items(0..SET), &Config::default());
    pair.run(Duration::from_secs(20));
    let Traffic {
        bytes,
        messages,
        sessions,
        largest,
        ..
    } = pair.traffic;
    println!("100,000 missing: {bytes} B in {messages} messages, {sessions} sessions");
    assert!(pair.equal());
    assert!(largest <= limits::SYNC_MESSAGE_BYTES_MAX + 31);
    assert_eq!(
        pair.traffic.wanted.len(),
        100_000,
        "none is asked for twice"
    );
}

#[test]
fn what_a_fresh_peer_lacks_is_offered_in_parts_newest_first() {
    let config = Config::default();
    let mut pair = Pair::new(&items(0..20_000), &[], &config);
    pair.settle();
    let offered = pair.traffic.offered.clone();
    assert_eq!(offered.len(), config.offers_max);
    let newest: Vec<_> = items(0..8_192).iter().map(|old| old.id.short()).collect();
    assert_eq!(offered, newest);
    pair.run(Duration::from_secs(10));
    assert!(pair.equal());
    assert_eq!(pair.traffic.sessions, 3);
}

#[test]
fn a_new_link_brings_what_was_published_just_now_and_a_periodic_session_does_not() {
    let ids = items(0..10);
    let young: Vec<_> = [100, 5_000, 28_000]
        .map(|age| item(1_000_000 + age, age))
        .into();
    let mut ahead = item(9_000_000, 0);
    ahead.created = START.plus(Duration::from_secs(90));
    let b = [ids.clone(), young.clone(), vec![ahead]].concat();
    let mut pair = Pair::new(&ids, &b, &Config::default());
    pair.fetch = false;
    pair.settle();
    assert_eq!(pair.traffic.wanted.len(), 4);
    pair.traffic = Traffic::default();
    pair.now = after(pair.now, Duration::from_secs(1));
    pair.a.periodic_at = pair.now.mono;
    pair.a.reschedule();
    pair.settle();
    assert_eq!((pair.traffic.sessions, pair.traffic.wanted.len()), (1, 0));
    pair.a.now_with(LINK, pair.now);
    pair.settle();
    assert_eq!(pair.traffic.wanted.len(), 4);
}

#[test]
fn the_side_that_dialled_opens_and_numbers_are_told_apart() {
    let ids = items(0..5);
    let has = inventory_of(&ids);
    let mut out = Reconcile::new(Config::default(), [0; 32]);
    out.link_up(LINK, Direction::Out, start());
    let mut into = Reconcile::new(Config::default(), [0; 32]);
    into.link_up(LINK, Direction::In, start());
    assert_eq!(into.wakeup(start(), &has), []);
    let facts = out.wakeup(start(), &has);
    let [
        Fact::Send {
            frame: frame @ Frame::SyncOpen { session: 0, .. },
            ..
        },
    ] = facts.as_slice()
    else {
        panic!("{facts:?}")
    };
    let facts = deliver(&mut out, &has, frame, start());
    let how = Misbehaviour::ForeignSession(0);
    assert_eq!(facts, [Fact::Misbehaved { link: LINK, how }]);
    into.now_with(LINK, start());
    let facts = into.wakeup(start(), &has);
    assert!(
        matches!(
            facts.as_slice(),
            [Fact::Send {
                frame: Frame::SyncOpen { session: 1, .. },
                ..
            }]
        ),
        "{facts:?}"
    );
}

#[test]
fn equal_digests_spare_the_periodic_session() {
    let ids = items(0..5);
    let mut pair = Pair::new(&ids, &ids, &Config::default());
    pair.settle();
    assert_eq!(pair.traffic.sessions, 1);
    for _ in 0..60 {
        pair.run(Duration::from_secs(5));
        pair.a.on_digest(LINK, [1; 16], Some([1; 16]), pair.now);
        pair.b.on_digest(LINK, [1; 16], Some([1; 16]), pair.now);
    }
    assert_eq!(pair.traffic.sessions, 1);
    pair.a.on_digest(LINK, [1; 16], Some([2; 16]), pair.now);
    pair.run(Duration::from_secs(40));
    assert_eq!(pair.traffic.sessions, 2);
}

#[test]
fn periodic_sessions_come_every_half_minute_with_a_random_neighbour() {
    let has = inventory_of(&[]);
    let mut reconcile = Reconcile::new(Config::default(), [5; 32]);
    let mut now = start();
    for number in 0..4 {
        reconcile.link_up(LinkId::new(number), Direction::In, now);
    }
    let mut opened = BTreeMap::new();
    let mut gaps = Vec::new();
    let mut last = now.mono;
    while opened.values().sum::<u32>() < 200 {
        let next = reconcile.next_wakeup().expect("there are links");
        now = after(now, next.since(now.mono));
        for fact in reconcile.wakeup(now, &has) {
            let Fact::Send {
                link,
                frame: Frame::SyncOpen { session, .. },
            } = fact
            else {
                continue;
            };
            reconcile.on_msg(link, session, &Bytes::from_static(&[0x61]), &has, now);
            *opened.entry(link).or_insert(0) += 1;
            gaps.push(now.mono.since(last));
            last = now.mono;
        }
    }
    assert_eq!(opened.len(), 4);
    assert!(opened.values().all(|count| *count > 25), "{opened:?}");
    assert!(
        gaps.iter()
            .all(|gap| (21_000..=39_000).contains(&gap.as_millis())),
        "{gaps:?}"
    );
}

#[test]
fn a_silent_peer_blocks_nothing_and_is_given_up_after_half_a_minute() {
    let has = inventory_of(&[]);
    let config = Config::default();
    let mut reconcile = Reconcile::new(config.clone(), [5; 32]);
    let mut now = start();
    for number in 0..6 {
        reconcile.link_up(LinkId::new(number), Direction::Out, now);
    }
    assert_eq!(reconcile.wakeup(now, &has).len(), config.opened_max);
    let next = reconcile.next_wakeup().expect("two are waiting");
    assert_eq!(next.since(now.mono), QUIET);
    now = after(now, QUIET);
    assert_eq!(reconcile.wakeup(now, &has).len(), 2);
    now = after(now, config.stall);
    reconcile.wakeup(now, &has);
    let open: usize = (0..6).map(|n| reconcile.sessions(LinkId::new(n))).sum();
    assert!(open <= 1, "only a periodic one may be open");
}

#[test]
fn a_peer_may_open_so_many_sessions_a_minute_and_no_more() {
    let has = inventory_of(&items(0..1_000));
    let mut reconcile = Reconcile::new(Config::default(), [5; 32]);
    reconcile.link_up(LINK, Direction::In, start());
    let first = Bytes::from(session::open(&[], 60_000));
    let mut answered = 0;
    for round in 0..1_000_u64 {
        let now = after(start(), Duration::from_millis(round * 60));
        let open = Open {
            session: u32::try_from(round * 2).expect("small"),
            created_until_ms: u64::MAX,
            expiry_cutoff_ms: START.as_millis() + round * 60_000,
            resume_ms: u64::MAX,
            topics: Topics::ALL,
            message: first.clone(),
        };
        let facts = reconcile.on_open(LINK, &open, &has, now);
        match facts.as_slice() {
            [
                Fact::Send {
                    frame: Frame::SyncMsg { .. },
                    ..
                },
            ] => answered += 1,
            [
                Fact::Send {
                    frame: Frame::SyncDone { .. },
                    ..
                },
            ] => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answered, 15 + 30 - 1);
    assert!(reconcile.footprint() < 2 * 1_000 * 40 + 10_000);
}

#[test]
fn looking_at_too_much_ends_a_session_until_time_has_paid() {
    let has = inventory_of(&items(0..1_000));
    let config = Config {
        visits_per_second: 1_100,
        ..Config::default()
    };
    let mut reconcile = Reconcile::new(config, [5; 32]);
    reconcile.link_up(LINK, Direction::In, start());
    let open = |session| Open {
        session,
        created_until_ms: u64::MAX,
        expiry_cutoff_ms: START.as_millis(),
        resume_ms: u64::MAX,
        topics: Topics::ALL,
        message: session::open(&[], 60_000).into(),
    };
    let is_reply = |facts: &[Fact]| {
        matches!(
            facts,
            [Fact::Send {
                frame: Frame::SyncMsg { .. },
                ..
            }]
        )
    };
    assert!(is_reply(&reconcile.on_open(LINK, &open(0), &has, start())));
    let message = open(0).message;
    let rounds = (0..100)
        .take_while(|_| is_reply(&reconcile.on_msg(LINK, 0, &message, &has, start())))
        .count();
    assert_eq!(
        rounds, 1,
        "of 11,000 visits 8,000 built the list, each answer takes 2,000"
    );
    assert_eq!(reconcile.sessions(LINK), 0);
    assert!(!is_reply(&reconcile.on_open(LINK, &open(2), &has, start())));
    let later = after(start(), Duration::from_secs(3));
    assert!(is_reply(&reconcile.on_open(LINK, &open(4), &has, later)));
}

#[test]
fn what_was_dropped_here_or_there_is_not_wanted_again() {
    let (a, mut b) = (items(0..50), items(50..100));
    let mut a = a;
    a.extend(
        b.iter()
            .take(10)
            .map(|old| RestoredId { held: None, ..*old }),
    );
    b.extend(
        a.iter()
            .take(5)
            .map(|old| RestoredId { held: None, ..*old }),
    );
    let mut pair = Pair::new(&a, &b, &Config::default());
    pair.fetch = false;
    pair.settle();
    assert_eq!(
        (pair.traffic.wanted.len(), pair.traffic.offered.len()),
        (40, 45)
    );
    let refused: Vec<_> = pair.traffic.wanted.iter().take(30).copied().collect();
    pair.a.on_dropped(LINK, &refused);
    pair.traffic = Traffic::default();
    pair.a.now_with(LINK, pair.now);
    pair.settle();
    assert_eq!(pair.traffic.wanted.len(), 10);
    assert!(pair.traffic.wanted.iter().all(|id| !refused.contains(id)));
}

#[test]
fn what_only_one_side_dropped_is_never_offered() {
    let ids: Vec<_> = items(0..50)
        .iter()
        .map(|old| RestoredId { held: None, ..*old })
        .collect();
    let mut pair = Pair::new(&ids, &[], &Config::default());
    pair.settle();
    assert_eq!(pair.traffic.offered, []);
}

#[test]
fn a_cut_session_goes_on_where_it_stopped() {
    let config = Config {
        message_bytes_max: 4_096,
        rounds_max: 3,
        ..Config::default()
    };
    let mut pair = Pair::new(&[], &items(0..3_000), &config);
    pair.settle();
    let first = pair.traffic.wanted.len();
    assert!((300..400).contains(&first), "{first}");
    pair.fetch = false;
    pair.run(config.pause);
    let again: BTreeSet<_> = pair.traffic.wanted.iter().collect();
    assert_eq!(
        again.len(),
        pair.traffic.wanted.len(),
        "nothing is listed twice"
    );
    pair.fetch = true;
    pair.run(Duration::from_mins(2));
    assert!(pair.equal());
}

#[test]
fn a_peer_that_refuses_is_asked_again_later() {
    let ids = items(0..10);
    let has = inventory_of(&ids);
    let mut reconcile = Reconcile::new(Config::default(), [5; 32]);
    reconcile.link_up(LINK, Direction::Out, start());
    assert_eq!(reconcile.wakeup(start(), &has).len(), 1);
    reconcile.on_done(LINK, 0, start());
    assert_eq!(reconcile.sessions(LINK), 0);
    let next = reconcile.next_wakeup().expect("due again");
    assert!(next.since(start().mono) >= Duration::from_secs(21));
}

#[test]
fn a_wrong_clock_costs_nothing_and_still_compares() {
    for skew in [-3_600_000_i64, -60_000, 60_000, 3_600_000] {
        let mut pair = Pair::new(&items(0..100), &items(50..150), &Config::default());
        let wall = START
            .as_millis()
            .checked_add_signed(skew)
            .expect("in range");
        let now = Now {
            wall: Wall::from_millis(wall),
            ..pair.now
        };
        let mut facts = pair.a.wakeup(now, &pair.a_has);
        while !facts.is_empty() {
            let answers: Vec<_> = pair
                .carry(facts, true)
                .iter()
                .flat_map(|frame| deliver(&mut pair.b, &pair.b_has, frame, pair.now))
                .collect();
            facts = pair
                .carry(answers, false)
                .iter()
                .flat_map(|frame| deliver(&mut pair.a, &pair.a_has, frame, now))
                .collect();
        }
        let wanted = pair.traffic.wanted.len();
        // An hour behind, all of it lies in a future that intake refuses.
        assert_eq!(
            wanted,
            if skew < -1_000_000 { 0 } else { 50 },
            "skew {skew}"
        );
    }
}

/// One of the two sets a property test compares: numbers, with a few shared moments.
fn sets() -> impl Strategy<Value = (Vec<RestoredId>, Vec<RestoredId>)> {
    let spread = prop_oneof![Just(1_u64), Just(7), Just(1_000), Just(HOUR_MS)];
    (0..3_000_u64, 0..100_u64, 0..100_u64, spread, any::<u64>()).prop_map(
        |(count, a_lacks, b_lacks, spread, salt)| {
            let all = (0..count).map(|n| {
                let number = salt.wrapping_add(n);
                item(
                    number,
                    200_000 + number.wrapping_mul(0x9e37_79b9) % (spread * 10),
                )
            });
            let draw =
                |old: &RestoredId, byte: usize| u64::from(old.id.as_bytes()[byte]) * 100 / 256;
            let all: Vec<_> = all.collect();
            let a = all
                .iter()
                .filter(|old| draw(old, 30) >= a_lacks)
                .copied()
                .collect();
            let b = all
                .iter()
                .filter(|old| draw(old, 31) >= b_lacks)
                .copied()
                .collect();
            (a, b)
        },
    )
}

/// Bytes that are nearly a message.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        Just(vec![0_u8]),
        Just(vec![1]),
        Just(vec![2]),
        Just(vec![32]),
        Just(vec![0xff; 9]),
        Just(vec![
            0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f
        ]),
        Just(vec![0xff, 0xff, 0xff, 0x7f]),
        proptest::collection::vec(any::<u8>(), 1..3),
    ];
    let part = prop_oneof![
        number,
        proptest::collection::vec(any::<u8>(), 16),
        proptest::collection::vec(any::<u8>(), 32),
        Just([vec![0, 0, 2, 0]].concat()),
        Just([vec![0, 0, 1], vec![7; 16]].concat()),
        Just([vec![2, 0, 1], vec![7; 16]].concat()),
        Just(vec![1, 0, 0]),
    ];
    let parts = proptest::collection::vec(part, 0..400);
    (prop_oneof![9 => Just(0x61_u8), 1 => any::<u8>()], parts).prop_map(|(version, parts)| {
        let mut bytes = vec![version];
        bytes.extend(parts.concat());
        bytes.truncate(limits::SYNC_MESSAGE_BYTES_MAX);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_random_sets_become_equal_within_few_rounds_and_resuming(
        (a, b) in sets(),
        rounds_max in 2..13_u32,
        message_bytes_max in prop_oneof![Just(4_096_usize), Just(16_384), Just(61_440)],
        offers_max in prop_oneof![Just(50_usize), Just(8_192)],
    ) {
        let config = Config { rounds_max, message_bytes_max, offers_max, ..Config::default() };
        let mut pair = Pair::new(&a, &b, &config);
        for _ in 0..40 {
            pair.run(Duration::from_mins(1));
            if pair.equal() { break; }
        }
        prop_assert!(pair.equal(), "{} and {}, {:?}", pair.a_has.counts().seen,
            pair.b_has.counts().seen, pair.traffic.sessions);
        prop_assert!(pair.traffic.largest <= message_bytes_max + 31);
    }

    #[test]
    fn same_seed_and_events_give_the_same_facts((a, b) in sets()) {
        let run = || {
            let mut pair = Pair::new(&a, &b, &Config::default());
            pair.run(Duration::from_mins(2));
            pair.traffic
        };
        prop_assert_eq!(run(), run());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn hostile_bytes_are_refused_or_answered_within_bounds(
        bytes in hostile(),
        count in prop_oneof![Just(0_u64), Just(1), Just(40), Just(3_000)],
        session in 0..3_u32,
        times in any::<[u64; 3]>(),
    ) {
        let has = inventory_of(&items(0..count));
        let config = Config { offers_max: 100, ..Config::default() };
        let mut reconcile = Reconcile::new(config, [5; 32]);
        reconcile.link_up(LINK, Direction::Out, start());
        prop_assert_eq!(reconcile.wakeup(start(), &has).len(), 1);
        let message = Bytes::from(bytes);
        let open = Open {
            session: 1,
            created_until_ms: times[0] | times[1],
            expiry_cutoff_ms: times[1] & times[2],
            resume_ms: times[0] | times[2],
            topics: Topics::ALL,
            message: message.clone(),
        };
        let listed = message.len() / 32;
        let mut facts = reconcile.on_open(LINK, &open, &has, start());
        facts.extend(reconcile.on_msg(LINK, session, &message, &has, start()));
        for fact in facts {
            match fact {
                Fact::Send { frame, .. } => {
                    prop_assert!(frame.encode().len() <= limits::SYNC_MESSAGE_BYTES_MAX + 31);
                }
                Fact::Want { ids, .. } => {
                    prop_assert!(ids.len() <= listed);
                    prop_assert!(ids.iter().all(|id| has.knows(id).is_none()));
                }
                Fact::Offer { ids, .. } => prop_assert!(ids.len() <= 100 + listed),
                Fact::Agreed { .. } | Fact::Misbehaved { .. } => {}
            }
        }
    }

    #[test]
    fn the_walk_and_the_crate_agree_on_what_a_message_is(
        numbers in proptest::collection::btree_set(0..500_u64, 0..200),
        flips in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..3),
    ) {
        let has = inventory_of(&items(0..400));
        let mut lists = Snapshots::default();
        lists.prepare(&whole(), true, &has, Mono::ZERO);
        let ours = lists.items(&whole());
        let other = inventory_of(&items(numbers));
        let mut lists = Snapshots::default();
        lists.prepare(&whole(), true, &other, Mono::ZERO);
        let mut message = session::open(lists.items(&whole()), 61_440);
        for (at, with) in flips {
            let at = usize::from(at) % message.len();
            message[at] ^= with;
        }
        let view = snapshot::View::new(ours);
        let crate_reads = negentropy::Negentropy::borrowed(&view, 61_440)
            .expect("above the minimum")
            .reconcile(&message);
        if session::respond(ours, &message, 61_440).is_ok() {
            prop_assert!(crate_reads.is_ok());
        }
    }
}

#[test]
fn an_empty_list_for_everything_lists_no_more_than_may_be_offered() {
    let has = inventory_of(&items(0..50_000));
    let mut lists = Snapshots::default();
    lists.prepare(&whole(), true, &has, Mono::ZERO);
    let ours = lists.items(&whole());
    let everything_missing = [0x61, 0, 0, 2, 0];
    let step = session::advance(ours, &everything_missing, 1_000, 61_440).expect("well-formed");
    assert_eq!((step.have.len(), step.need.len()), (1_000, 0));
    assert_eq!(step.cut, Some(ours[1_000].timestamp));
    assert_eq!(step.message, None);
}

#[test]
fn lists_are_shared_and_let_go_when_unused() {
    let has = inventory_of(&items(0..100));
    let mut reconcile = Reconcile::new(Config::default(), [5; 32]);
    for number in 0..4 {
        reconcile.link_up(LinkId::new(number), Direction::Out, start());
    }
    assert_eq!(reconcile.wakeup(start(), &has).len(), 4);
    let links = reconcile.links.len() * size_of::<Link>();
    assert_eq!(reconcile.footprint() - links, 100 * 40);
    for number in 0..4 {
        reconcile.link_down(LinkId::new(number));
    }
    let next = reconcile.next_wakeup().expect("the list is to be let go");
    reconcile.wakeup(after(start(), next.since(start().mono)), &has);
    assert_eq!((reconcile.footprint(), reconcile.next_wakeup()), (0, None));
}

#[test]
fn an_evicted_bulletin_stays_in_the_set() {
    let config = inventory::Config {
        store_limit_bytes: 3_000,
        ..Default::default()
    };
    let mut inventory = Inventory::new(config, 0);
    let facts = inventory.restore(&items(0..5), Wall::default());
    assert!(facts.iter().all(|fact| matches!(fact, Stock::Evict { .. })));
    assert_eq!((inventory.counts().seen, inventory.counts().held), (5, 2));
    assert_eq!(micros(QUIET), 2_000_000);
}

/// Prints what a comparison costs: run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "measures real time"
)]
fn figures() {
    let clock = std::time::Instant::now;
    for count in [SET, 1_000_000] {
        let has = inventory_of(&items(0..count));
        let mut lists = Snapshots::default();
        let begin = clock();
        lists.prepare(&whole(), true, &has, Mono::ZERO);
        println!("{count}: list built in {:?}", begin.elapsed());
        let ours = lists.items(&whole());
        let begin = clock();
        let first = session::open(ours, 61_440);
        println!("{count}: first message in {:?}", begin.elapsed());
        let begin = clock();
        let reply = session::respond(ours, &first, 61_440).expect("well-formed");
        println!(
            "{count}: equal, answered in {:?}, {} visits",
            begin.elapsed(),
            reply.visits
        );
        let begin = clock();
        let reply = session::respond(
            ours,
            &[[0x61, 0, 0, 1].as_slice(), &[7; 16]].concat(),
            61_440,
        )
        .expect("well-formed");
        println!(
            "{count}: different, answered in {:?}, {} visits",
            begin.elapsed(),
            reply.visits
        );
    }
}
