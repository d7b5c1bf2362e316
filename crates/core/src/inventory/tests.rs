//! The inventory against a naive model, and its figures.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "small numbers of our own"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::bulletin::Header;
use crate::id::{NetworkId, TopicId};
use crate::identity::SecretKey;
use crate::work::Stamp;

const START_MS: u64 = 1_700_000_000_000;

fn id(number: u64) -> BulletinId {
    BulletinId::from_bytes(*blake3::hash(&number.to_be_bytes()).as_bytes())
}

/// Which id this is, of those the operations use.
fn number_of(known: &BulletinId) -> u64 {
    (0..IDS).find(|n| id(*n) == *known).expect("one of ours")
}

/// Three topics in turn.
fn topic(number: u64) -> TopicId {
    TopicId::of(["ants", "bees", "wasps"][usize::try_from(number % 3).expect("small")])
}

fn at(ms: u64) -> Now {
    Now {
        mono: Mono::from_micros(ms * 1_000),
        wall: Wall::from_millis(START_MS + ms),
    }
}

fn old(number: u64, created_ms: u64, ttl_ms: u64, held: Option<(u32, u8)>) -> RestoredId {
    let created = Wall::from_millis(START_MS + created_ms);
    RestoredId {
        id: id(number),
        topic: Some(topic(number)),
        created,
        expires: created.plus(Duration::from_millis(ttl_ms)),
        held,
        version: None,
    }
}

/// As many ids as asked for, one each 100 ms, valid for an hour, all held.
fn filled(count: u64) -> Inventory {
    let config = Config {
        store_limit_bytes: u64::MAX,
        ..Config::default()
    };
    let mut inventory = Inventory::new(config, 7);
    let ids: Vec<_> = (0..count)
        .map(|n| old(n, n * 100, 3_600_000, Some((1_000, 20))))
        .collect();
    assert!(inventory.restore(&ids, Wall::default()).is_empty());
    inventory
}

/// Ids the operations use.
const IDS: u64 = 60;

#[derive(Debug, Clone)]
enum Op {
    Held {
        id: u64,
        age_ms: u64,
        ttl_ms: u64,
        size: u32,
        bits: u8,
    },
    Dropped {
        id: u64,
        age_ms: u64,
        ttl_ms: u64,
    },
    Drop {
        id: u64,
    },
    Restamp {
        id: u64,
        bits: u8,
    },
    Wait {
        ms: u64,
        trusted: bool,
    },
    StepBack {
        ms: u64,
    },
    Digest {
        minutes_ago: u64,
    },
}

fn ops() -> impl Strategy<Value = Op> {
    let number = 0..IDS;
    let ttl = prop_oneof![Just(0), 1..10_000_u64, 60_000..2_000_000_u64];
    let age = 0..400_000_u64;
    prop_oneof![
        6 => (number.clone(), age.clone(), ttl.clone(), 0..3_000_u32, 0..40_u8)
            .prop_map(|(id, age_ms, ttl_ms, size, bits)| Op::Held { id, age_ms, ttl_ms, size, bits }),
        3 => (number.clone(), age, ttl)
            .prop_map(|(id, age_ms, ttl_ms)| Op::Dropped { id, age_ms, ttl_ms }),
        1 => number.clone().prop_map(|id| Op::Drop { id }),
        1 => (number, 0..60_u8).prop_map(|(id, bits)| Op::Restamp { id, bits }),
        3 => (0..300_000_u64, any::<bool>()).prop_map(|(ms, trusted)| Op::Wait { ms, trusted }),
        1 => (0..600_000_u64).prop_map(|ms| Op::StepBack { ms }),
        2 => (0..5_u64).prop_map(|minutes_ago| Op::Digest { minutes_ago }),
    ]
}

/// Everything the inventory promises, kept the slow way.
#[derive(Default)]
struct Model {
    seen: BTreeMap<BulletinId, Seen>,
    purged: BTreeMap<BulletinId, Wall>,
    horizon: Wall,
}

impl Model {
    const LIMIT: u64 = 20_000;

    fn held_bytes(&self) -> u64 {
        self.seen
            .values()
            .filter(|s| s.is_held())
            .map(Seen::stored_bytes)
            .sum()
    }

    /// The rank of the protocol, in floating point, without the age all share.
    fn rank(seen: &Seen) -> f64 {
        let age = (START_MS as f64 - seen.created.as_millis() as f64) / 604_800_000.0;
        f64::from(seen.bits) - (f64::from(seen.size_bytes) + 64.0).log2() - age
    }

    fn insert(&mut self, seen: Seen, facts: &[Fact]) {
        let known = self.seen.contains_key(&seen.id);
        if !known {
            self.seen.insert(seen.id, seen);
        }
        for fact in facts {
            let Fact::Evict { id } = fact else {
                panic!("unexpected {fact:?}")
            };
            assert!(
                self.held_bytes() > Self::LIMIT,
                "nothing goes while there is room"
            );
            let gone = Self::rank(&self.seen[id]);
            let held = self.seen.values().filter(|s| s.is_held());
            let lowest = held.map(Self::rank).fold(f64::INFINITY, f64::min);
            assert!(gone < lowest + 1e-3, "evicted {gone}, lowest {lowest}");
            self.seen.get_mut(id).expect("known").status = Status::Dropped;
        }
        assert!(self.held_bytes() <= Self::LIMIT);
    }

    fn expire(&mut self, now: Now, trusted: bool, facts: &[Fact]) {
        let minute = now.wall.minute();
        let gone: Vec<Seen> = self
            .seen
            .values()
            .filter(|s| trusted && (s.expires.as_millis() + 120_000).div_ceil(60_000) <= minute)
            .copied()
            .collect();
        for seen in &gone {
            self.seen.remove(&seen.id);
            self.purged.insert(seen.id, seen.expires);
            self.horizon = self.horizon.max(seen.expires);
        }
        let mut ids: Vec<_> = facts
            .iter()
            .flat_map(|fact| match fact {
                Fact::Purge { ids } => ids.clone(),
                _ => Vec::new(),
            })
            .collect();
        ids.sort_unstable();
        let gone: Vec<_> = gone.iter().map(|s| (s.id, s.expires)).collect();
        assert_eq!(ids, gone);
    }

    fn digest(&self, minute: u64) -> [u8; 16] {
        let mut sum = Sum::default();
        for seen in self.seen.values() {
            let cut = Wall::from_millis(minute * 60_000);
            if seen.created < cut && seen.expires > cut {
                sum.add(&seen.id);
            }
        }
        sum.digest()
    }

    fn agrees_with(&self, inventory: &Inventory, now: Now) {
        let counts = inventory.counts();
        assert_eq!(counts.seen, self.seen.len());
        assert_eq!(
            counts.held,
            self.seen.values().filter(|s| s.is_held()).count()
        );
        assert_eq!(counts.held_bytes, self.held_bytes());
        assert_eq!(inventory.horizon(), self.horizon);
        for seen in self.seen.values() {
            assert_eq!(inventory.knows(&seen.id.short()), Some(seen));
        }
        for (id, expires) in &self.purged {
            if !self.seen.contains_key(id) {
                assert_eq!(inventory.knows(&id.short()), None);
                assert_eq!(
                    inventory.admits(*expires),
                    Err(Refusal::Expired),
                    "no replay"
                );
            }
        }
        let until = now.wall.minus(Duration::from_secs(30));
        let mut expected: Vec<Seen> = self
            .seen
            .values()
            .filter(|s| s.created <= until && s.expires > now.wall)
            .copied()
            .collect();
        expected.sort_by_key(|s| (u64::MAX - s.created.as_millis(), s.id));
        let listed: Vec<Seen> = inventory.newest_first(until, now.wall).copied().collect();
        assert_eq!(listed, expected);
        for asked in [vec![0], vec![1, 2]] {
            let topics: Vec<TopicId> = asked.iter().map(|number| topic(*number)).collect();
            let mut expected: Vec<Seen> = self
                .seen
                .values()
                .filter(|s| s.expires > now.wall)
                .filter(|s| asked.contains(&(number_of(&s.id) % 3)))
                .copied()
                .collect();
            expected.sort_by_key(|s| (u64::MAX - s.created.as_millis(), s.id));
            let listed = inventory.newest_first_of(&topics, now.wall);
            assert_eq!(listed, expected.iter().collect::<Vec<_>>());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn inventory_does_what_the_naive_model_does(
        ops in proptest::collection::vec(ops(), 1..120),
        salt: u64,
    ) {
        let config = Config { store_limit_bytes: Model::LIMIT, ..Config::default() };
        let mut inventory = Inventory::new(config, salt);
        let mut model = Model::default();
        let mut now = at(10_000_000);
        for op in ops {
            match op {
                Op::Held { id: n, age_ms, ttl_ms, size, bits } => {
                    let created = now.wall.minus(Duration::from_millis(age_ms));
                    let expires = created.plus(Duration::from_millis(ttl_ms));
                    if inventory.admits(expires).is_err() { continue; }
                    let seen = Seen {
                        id: id(n), created, expires, size_bytes: size, bits, status: Status::Held,
                    };
                    let facts = inventory.insert(seen, Some(&topic(n)));
                    model.insert(seen, &facts);
                }
                Op::Dropped { id: n, age_ms, ttl_ms } => {
                    let created = now.wall.minus(Duration::from_millis(age_ms));
                    let expires = created.plus(Duration::from_millis(ttl_ms));
                    if inventory.admits(expires).is_err() { continue; }
                    let facts = inventory.insert_dropped(id(n), &topic(n), created, expires);
                    let seen = Seen {
                        id: id(n), created, expires, size_bytes: 0, bits: 0, status: Status::Dropped,
                    };
                    model.insert(seen, &facts);
                }
                Op::Drop { id: n } => {
                    let known = model.seen.get_mut(&id(n)).filter(|s| s.is_held());
                    prop_assert_eq!(inventory.drop_held(&id(n).short()), known.is_some());
                    if let Some(seen) = known { seen.status = Status::Dropped; }
                }
                Op::Restamp { id: n, bits } => {
                    let known = model.seen.get_mut(&id(n)).filter(|s| s.is_held() && bits > s.bits);
                    prop_assert_eq!(inventory.restamp(&id(n).short(), bits), known.is_some());
                    if let Some(seen) = known { seen.bits = bits; }
                }
                Op::Wait { ms, trusted } => {
                    let passed = Duration::from_millis(ms);
                    now = Now { mono: now.mono.plus(passed), wall: now.wall.plus(passed) };
                    let facts = inventory.expire(now, trusted);
                    model.expire(now, trusted, &facts);
                }
                Op::StepBack { ms } => now.wall = now.wall.minus(Duration::from_millis(ms)),
                Op::Digest { minutes_ago } => {
                    let minute = now.wall.minute() - minutes_ago;
                    prop_assert_eq!(inventory.digest(minute), model.digest(minute));
                }
            }
            model.agrees_with(&inventory, now);
        }
    }

    #[test]
    fn table_finds_what_it_holds_and_nothing_else(
        ops in proptest::collection::vec((any::<bool>(), 0..200_u64), 1..2_000),
        salt: u64,
    ) {
        let mut table = Table::new(salt);
        let mut model: BTreeMap<ShortId, Slot> = BTreeMap::new();
        for (insert, number) in ops {
            let short = id(number).short();
            prop_assert_eq!(table.find(&short), model.get(&short).copied());
            if insert && !model.contains_key(&short) {
                let seen = Seen {
                    id: id(number), created: Wall::default(), expires: Wall::default(),
                    size_bytes: 0, bits: 0, status: Status::Dropped,
                };
                model.insert(short, table.insert(seen).expect("there is room"));
            } else if let Some(slot) = model.remove(&short) {
                prop_assert_eq!(table.remove(slot).map(|s| s.id), Some(id(number)));
            }
            prop_assert_eq!(table.len(), model.len());
        }
        for number in 0..200 {
            let short = id(number).short();
            prop_assert_eq!(table.find(&short), model.get(&short).copied());
        }
    }
}

#[test]
fn a_real_bulletin_is_held_with_its_stamp_and_times() {
    let key = SecretKey::from_seed(&[1; 32]);
    let created = at(0).wall;
    let header = Header::post(TopicId::of("t"), key.author_id(), b"hello", created);
    let network = NetworkId::from_bytes([2; 32]);
    let mut bulletin = Bulletin::sign(header, Bytes::from_static(b"hello"), &network, &key);
    bulletin.stamp = Stamp { bits: 9, nonce: 1 };
    let mut inventory = Inventory::new(Config::default(), 0);
    assert_eq!(inventory.insert_held(&bulletin), []);
    let seen = inventory
        .knows(&bulletin.id().short())
        .expect("just inserted");
    assert_eq!(
        (seen.created, seen.expires),
        (created, bulletin.header.expires())
    );
    assert_eq!(
        (seen.size_bytes, seen.bits, seen.status),
        (5, 9, Status::Held)
    );
    let known = inventory.insert_dropped(*bulletin.id(), &topic(0), created, created);
    assert_eq!(known, [], "an id already known stays as it is");
    assert!(
        inventory
            .knows(&bulletin.id().short())
            .expect("still")
            .is_held()
    );
}

#[test]
fn what_was_dropped_stays_dropped() {
    let mut inventory = Inventory::new(Config::default(), 0);
    inventory.restore(&[old(1, 0, 60_000, Some((10, 0)))], Wall::default());
    assert!(inventory.drop_held(&id(1).short()));
    inventory.restore(&[old(1, 0, 60_000, Some((10, 0)))], Wall::default());
    assert!(!inventory.knows(&id(1).short()).expect("known").is_held());
    assert_eq!(inventory.counts().held_bytes, 0);
}

#[test]
fn a_clock_that_jumps_neither_empties_the_store_nor_readmits_replays() {
    let mut inventory = filled(100);
    let year = at(365 * 24 * 3_600_000);
    assert_eq!(
        inventory.expire(year, false),
        [],
        "the clock is not trusted"
    );
    assert_eq!(inventory.counts().seen, 100);
    let facts = inventory.expire(at(3_600_000 + 180_000), true);
    assert!(
        matches!(facts.as_slice(), [Fact::Horizon(_), Fact::Purge { .. }]),
        "{facts:?}"
    );
    let gone = old(0, 0, 3_600_000, None);
    assert_eq!(inventory.admits(gone.expires), Err(Refusal::Expired));
    let young_and_long = at(0).wall.plus(Duration::from_hours(600));
    assert_eq!(
        inventory.admits(young_and_long),
        Ok(()),
        "what is still valid is not refused"
    );
    let mut after_restart = Inventory::new(Config::default(), 1);
    after_restart.restore(&[], inventory.horizon());
    assert_eq!(after_restart.admits(gone.expires), Err(Refusal::Expired));
}

#[test]
fn purges_go_in_batches_and_ask_to_be_called_again_soon() {
    let mut inventory = Inventory::new(Config::default(), 0);
    let many = u64::try_from(limits::PURGE_MAX * 2 + 5).expect("small");
    let ids: Vec<_> = (0..many).map(|n| old(n, n, 1_000, None)).collect();
    inventory.restore(&ids, Wall::default());
    let mut now = at(10 * 3_600_000);
    let mut purged = 0;
    let mut calls = 0;
    while inventory.counts().seen > 0 {
        for fact in inventory.expire(now, true) {
            if let Fact::Purge { ids } = fact {
                assert!(ids.len() <= limits::PURGE_MAX);
                purged += ids.len();
            }
        }
        calls += 1;
        if let Some(next) = inventory.next_wakeup() {
            assert!(next > now.mono && next.since(now.mono) < Duration::from_secs(1));
            now.mono = next;
        }
    }
    assert_eq!((purged, calls), (ids.len(), 3));
    assert_eq!(inventory.next_wakeup(), None);
    assert!(inventory.created.is_empty() && inventory.leaving.is_empty());
}

#[test]
fn a_full_memory_says_so_and_takes_no_more() {
    let config = Config {
        seen_max: 100,
        ..Config::default()
    };
    let mut inventory = Inventory::new(config, 0);
    let mut facts = Vec::new();
    for n in 0..100 {
        facts.extend(inventory.insert_dropped(id(n), &topic(n), at(n).wall, at(n + 60_000).wall));
    }
    assert_eq!(facts, [Fact::Crowded(true)]);
    assert_eq!(inventory.admits(at(9_999_999).wall), Err(Refusal::Busy));
    let facts = inventory.expire(at(600_000), true);
    assert_eq!(facts.last(), Some(&Fact::Crowded(false)));
    assert_eq!(inventory.admits(at(9_999_999).wall), Ok(()));
}

#[test]
fn digest_of_a_strangers_minute_costs_nothing() {
    let mut inventory = filled(10);
    let now = at(120_000);
    let minute = now.wall.minute();
    assert_eq!(inventory.digest_near(minute + 3, now), None);
    assert_eq!(inventory.digest_near(0, now), None);
    assert_eq!(
        inventory.digest_near(minute - 1, now),
        Some(inventory.digest(minute - 1))
    );
}

/// Prints the figures of the room's documentation: run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "measures real time"
)]
fn figures() {
    let count = 1_000_000_u64;
    let clock = std::time::Instant::now;
    let begin = clock();
    let inventory = filled(count);
    println!("insert: {:?} each", begin.elapsed() / 1_000_000);
    let per_id = inventory.footprint() / 1_000_000;
    println!("memory: {per_id} bytes an id, all held");
    let shorts: Vec<_> = (0..count)
        .map(|n| id(n * 7 % (2 * count)).short())
        .collect();
    let begin = clock();
    let known = shorts
        .iter()
        .filter(|id| inventory.knows(id).is_some())
        .count();
    println!(
        "knows: {:?} each, {known} known",
        begin.elapsed() / 1_000_000
    );
    let begin = clock();
    let listed = inventory
        .newest_first(Wall::from_millis(u64::MAX), Wall::default())
        .count();
    println!("list: {:?} for {listed}", begin.elapsed());
    // As it is in use: what has expired is purged, minute by minute.
    let mut inventory = inventory;
    let now = at(count * 100);
    while !inventory.expire(now, true).is_empty() {}
    println!("left after purging: {}", inventory.counts().seen);
    let begin = clock();
    inventory.digest(now.wall.minute());
    println!("digest of a new minute: {:?}", begin.elapsed());
}
