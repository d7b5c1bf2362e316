//! The room alone: what a seed keeps and drops, and whom a node believes.

use std::net::SocketAddr;
use std::time::Duration;

use rand_core::SeedableRng as _;

use super::*;
use crate::identity::SecretKey;
use crate::link::Direction;
use crate::membership::{self, Membership};
use crate::network::Network;
use crate::record::RecordBody;
use crate::time::Wall;
use crate::work::Price;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Now {
    Now {
        mono: Mono::ZERO.plus(SECOND * u32::try_from(seconds).unwrap()),
        wall: Wall::from_millis(1_800_000_000_000 + seconds * 1_000),
    }
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn place(number: u8) -> SocketAddr {
    SocketAddr::from(([11, number, 0, 1], 7_447))
}

fn record(number: u8, seq: u64) -> Record {
    let body = RecordBody {
        node: key(number).node_id(),
        seq,
        expires: at(0).wall.plus(Duration::from_hours(12)),
        addresses: vec![place(number)],
        relay: String::new(),
    };
    Record::sign(
        body,
        Network::new("test", Price::FREE, None).id(),
        &key(number),
    )
}

fn group(number: u8) -> Group {
    Group::V4([11, number])
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn room(registry: bool) -> Seeds {
    let config = Config {
        registry,
        ..Config::default()
    };
    Seeds::new(config, rng())
}

const LINK: LinkId = LinkId::new(1);
const TOKEN: [u8; 16] = [3; 16];

/// What a seed answers to the registration of node `number`, its signature checked.
fn register(seed: &mut Seeds, number: u8, seq: u64, now: Now) -> (u32, Vec<NodeId>) {
    let record = record(number, seq);
    let peer = record.body.node;
    let from = (LINK, peer, group(number));
    let addresses = vec![place(number)];
    let mut facts = seed.on_register(from, TOKEN, Some(record), addresses, now);
    if let Some(Fact::Verify { link, record }) = facts.first().cloned() {
        facts = seed
            .on_record(link, Box::new(Verified::for_test(record)), now)
            .expect("it asked for it");
    }
    match facts.as_slice() {
        [
            Fact::Send {
                frame: Frame::Lease {
                    lease_s, records, ..
                },
                ..
            },
        ] => {
            let nodes = records.iter().map(|record| record.body.node);
            (*lease_s, nodes.collect())
        }
        other => panic!("{other:?}"),
    }
}

fn id(number: u8) -> NodeId {
    key(number).node_id()
}

fn leases(seed: &Seeds, now: Now) -> Vec<NodeId> {
    seed.leases(now).map(|lease| lease.address.id).collect()
}

fn probes(facts: &[Fact]) -> Vec<NodeId> {
    let probe = |fact: &Fact| match fact {
        Fact::Probe(address) => Some(address.id),
        _ => None,
    };
    facts.iter().filter_map(probe).collect()
}

// A seed.

#[test]
fn a_seed_keeps_who_registers_for_the_lease_and_tells_others_of_it() {
    let mut seed = room(true);
    assert_eq!(register(&mut seed, 1, 1, at(0)), (900, vec![]));
    assert_eq!(register(&mut seed, 2, 1, at(0)), (900, vec![id(1)]));
    assert_eq!(
        register(&mut seed, 1, 1, at(600)),
        (900, vec![id(2)]),
        "renewed by the same record, which is not checked again"
    );
    seed.wakeup(false, at(905));
    assert_eq!(leases(&seed, at(905)), [id(1)]);
}

#[test]
fn who_is_no_seed_keeps_nobody_and_says_so() {
    let mut node = room(false);
    assert_eq!(register(&mut node, 1, 1, at(0)), (0, vec![]));
    assert_eq!(node.footprint(), Footprint::default());
}

#[test]
fn a_registration_over_the_link_of_another_is_misbehaviour_and_an_older_one_is_refused() {
    let mut seed = room(true);
    let from = (LINK, id(9), group(9));
    let facts = seed.on_register(from, TOKEN, Some(record(1, 1)), vec![place(1)], at(0));
    assert!(
        matches!(facts.as_slice(), [Fact::Misbehaved { .. }]),
        "{facts:?}"
    );
    register(&mut seed, 1, 5, at(0));
    assert_eq!(register(&mut seed, 1, 4, at(1)).0, 0);
    assert_eq!(register(&mut seed, 1, 6, at(1)).0, 900);
}

#[test]
fn what_cannot_be_dialled_is_not_kept() {
    let mut seed = room(true);
    let from = (LINK, id(1), group(1));
    seed.on_register(from, TOKEN, Some(record(1, 1)), vec![], at(0));
    assert_eq!(leases(&seed, at(0)), []);
}

#[test]
fn a_report_alone_removes_nobody_and_three_own_probes_that_fail_do() {
    let mut seed = room(true);
    for number in 1..=3 {
        register(&mut seed, number, 1, at(0));
    }
    let facts = seed.on_report(&id(1), &[id(2)], at(10));
    assert_eq!(probes(&facts), [id(2)]);
    assert_eq!(leases(&seed, at(10)).len(), 3);
    assert!(register(&mut seed, 3, 1, at(10)).1.contains(&id(2)));

    assert_eq!(probes(&seed.wakeup(false, at(15))), [id(2)]);
    assert!(
        !register(&mut seed, 3, 1, at(15)).1.contains(&id(2)),
        "not told of, but kept"
    );
    assert_eq!(leases(&seed, at(15)).len(), 3);
    assert_eq!(probes(&seed.wakeup(false, at(20))), [id(2)]);
    let facts = seed.wakeup(false, at(25));
    assert!(
        matches!(facts.as_slice(), [Fact::Dropped(node)] if *node == id(2)),
        "{facts:?}"
    );
    assert_eq!(leases(&seed, at(25)).len(), 2);
}

#[test]
fn a_reported_node_that_answers_stays_and_is_not_probed_for_reports_again_at_once() {
    let mut seed = room(true);
    for number in 1..=3 {
        register(&mut seed, number, 1, at(0));
    }
    seed.on_report(&id(1), &[id(2)], at(10));
    seed.wakeup(false, at(15));
    seed.alive(&id(2));
    assert!(seed.wakeup(false, at(40)).is_empty());
    assert!(register(&mut seed, 3, 1, at(20)).1.contains(&id(2)));
    assert_eq!(probes(&seed.on_report(&id(3), &[id(2)], at(39))), []);
    assert_eq!(probes(&seed.on_report(&id(3), &[id(2)], at(40))), [id(2)]);
}

/// Story: a seed that was linked with a node took a report of it for wrong, lost the link a moment later,
/// and kept the dead node until its lease ended.
#[test]
fn a_seed_that_loses_its_own_link_probes_whatever_it_has_just_made_of_a_report() {
    let mut seed = room(true);
    register(&mut seed, 1, 1, at(0));
    register(&mut seed, 2, 1, at(0));
    seed.on_report(&id(1), &[id(2)], at(10));
    seed.alive(&id(2));
    assert_eq!(probes(&seed.died(id(2), at(12))), [id(2)]);
    for second in [17, 22, 27] {
        seed.wakeup(false, at(second));
    }
    assert_eq!(leases(&seed, at(27)), [id(1)]);
}

#[test]
fn who_is_not_registered_is_not_listened_to_and_nobody_reports_itself() {
    let mut seed = room(true);
    register(&mut seed, 1, 1, at(0));
    assert_eq!(probes(&seed.on_report(&id(7), &[id(1)], at(1))), []);
    assert_eq!(probes(&seed.on_report(&id(1), &[id(1), id(8)], at(1))), []);
}

#[test]
fn once_half_full_a_seed_leaves_no_group_more_than_its_part() {
    let config = Config {
        registry: true,
        leases_max: 128,
        ..Config::default()
    };
    let mut seed = Seeds::new(config, rng());
    let one_group = |seed: &mut Seeds, number: u8| {
        let from = (LINK, id(number), group(1));
        let facts = seed.on_register(from, TOKEN, Some(record(number, 1)), vec![place(1)], at(0));
        if let Some(Fact::Verify { link, record }) = facts.first().cloned() {
            let record = Box::new(Verified::for_test(record));
            seed.on_record(link, record, at(0))
                .expect("it asked for it");
        }
    };
    for number in 0..100 {
        one_group(&mut seed, number);
    }
    assert_eq!(leases(&seed, at(0)).len(), 64);
    for number in 100..102 {
        assert_eq!(
            register(&mut seed, number, 1, at(0)).0,
            900,
            "another group"
        );
    }
}

#[test]
fn the_more_a_seed_keeps_the_later_it_wants_to_be_visited_again() {
    let config = Config::default();
    let mut registry = Registry::default();
    assert_eq!(registry.renew_after(&config), SECOND * 30);
    let config = Config {
        registry: true,
        visits_per_s: 1,
        renew_min: SECOND * 10,
        ..config
    };
    for number in 0..40 {
        registry.insert(record(number, 1), (group(number), vec![]), &config, at(0));
    }
    assert_eq!(registry.renew_after(&config), SECOND * 40);
}

// Honest seeds tell one asker of the same nodes, and which those are nobody can choose beforehand.
#[test]
fn two_seeds_tell_of_the_same_nodes_for_one_token_and_of_others_for_another() {
    let mut seeds = [room(true), room(true)];
    for number in 0..100 {
        for seed in &mut seeds {
            register(seed, number, 1, at(0));
        }
    }
    let told = |seed: &Seeds, token: [u8; 16]| -> Vec<NodeId> {
        let records = seed.registry.answer(&id(200), &token, at(1));
        records.iter().map(|record| record.body.node).collect()
    };
    assert_eq!(told(&seeds[0], TOKEN).len(), limits::RECORDS_MAX);
    assert_eq!(told(&seeds[0], TOKEN), told(&seeds[1], TOKEN));
    assert_ne!(told(&seeds[0], TOKEN), told(&seeds[0], [4; 16]));
}

// A node that has seeds.

/// A node with a list of seeds, each on a link of its own.
struct Node {
    room: Seeds,
    membership: Membership,
    seeds: Vec<u8>,
}

impl Node {
    fn of(seeds: &[u8]) -> Self {
        let mut node = Self {
            room: room(false),
            membership: Membership::new(id(0), membership::Config::default(), rng()),
            seeds: seeds.to_vec(),
        };
        for seed in seeds {
            let link = LinkId::new((*seed).into());
            let remote = Some(place(*seed));
            node.membership
                .link_up(link, id(*seed), Direction::Out, remote, at(0));
        }
        let list = seeds.iter().map(|seed| record(*seed, 1).address());
        node.room.set(list.collect(), at(0));
        node
    }

    /// Who is visited now.
    fn visited(&mut self, now: Now) -> Vec<NodeId> {
        let visit = |fact: Fact| match fact {
            Fact::Visit(address) => Some(address.id),
            _ => None,
        };
        self.room
            .wakeup(true, now)
            .into_iter()
            .filter_map(visit)
            .collect()
    }

    /// What it says to a seed: the token, and whether it registers.
    fn says(&mut self, seed: u8) -> Option<([u8; 16], bool)> {
        let link = LinkId::new(seed.into());
        let own = record(0, 1);
        self.room
            .linked(link, &id(seed), Some(&own))
            .into_iter()
            .find_map(|fact| match fact {
                Fact::Send {
                    frame: Frame::Register { token, record },
                    ..
                } => Some((token, record.is_some())),
                _ => None,
            })
    }

    /// A seed answers and names nodes; who is believed for it.
    fn answer(&mut self, seed: u8, named: &[u8], now: Now) -> Vec<NodeId> {
        let Some((token, registers)) = self.says(seed) else {
            panic!("{seed} was not asked")
        };
        let link = LinkId::new(seed.into());
        let lease = if registers {
            SECOND * 900
        } else {
            Duration::ZERO
        };
        let records = named.iter().map(|number| record(*number, 1)).collect();
        let teller = self.membership.teller(link).expect("it is linked");
        let (from, answer) = ((link, id(seed)), (token, lease, SECOND * 30));
        let facts = self.room.on_lease(from, answer, (records, teller), now);
        let mut believed = Vec::new();
        for fact in facts {
            let Fact::Verify { link, record } = fact else {
                panic!("{fact:?}")
            };
            let record = Box::new(Verified::for_test(record));
            let facts = self.room.on_record(link, record, now).expect("asked for");
            believed.extend(learned(facts));
        }
        believed
    }

    fn registered(&self, now: Now) -> usize {
        let is_registered = |seed: &SeedView| seed.state == SeedState::Registered;
        self.room.seeds(now).filter(is_registered).count()
    }
}

fn learned(facts: Vec<Fact>) -> Vec<NodeId> {
    let node = |fact| match fact {
        Fact::Learn(record, _) => Some(record.get().body.node),
        _ => None,
    };
    facts.into_iter().filter_map(node).collect()
}

#[test]
fn of_n_seeds_all_are_asked_and_more_than_half_registered_with() {
    for (seeds, majority) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
        let list: Vec<u8> = (1..=seeds).collect();
        let mut node = Node::of(&list);
        assert_eq!(node.visited(at(0)).len(), list.len());
        for seed in &list {
            node.answer(*seed, &[], at(0));
        }
        assert_eq!(node.registered(at(0)), majority, "{seeds} seeds");
    }
}

#[test]
fn who_is_named_by_two_seeds_is_believed_and_who_is_named_by_one_is_not() {
    let mut node = Node::of(&[1, 2, 3]);
    node.visited(at(0));
    assert_eq!(node.answer(1, &[10, 11, 66], at(0)), []);
    assert_eq!(node.answer(2, &[10, 12], at(0)), [id(10)]);
    assert_eq!(node.answer(3, &[11, 12], at(0)), [id(11), id(12)]);
    // Linked to others: the one whom one seed alone named stays outside.
    assert_eq!(learned(node.room.wakeup(false, at(4))), []);
}

#[test]
fn who_is_alone_believes_one_seed_when_the_others_had_their_time() {
    let mut node = Node::of(&[1, 2]);
    node.visited(at(0));
    assert_eq!(node.answer(1, &[10], at(0)), []);
    assert_eq!(learned(node.room.wakeup(true, at(2))), []);
    assert_eq!(learned(node.room.wakeup(true, at(3))), [id(10)]);
    let mut node = Node::of(&[1]);
    node.visited(at(0));
    assert_eq!(
        node.answer(1, &[10], at(0)),
        [id(10)],
        "the only seed there is"
    );
}

#[test]
fn a_seed_that_names_the_same_twice_is_one_seed_and_answers_nobody_asked_for_are_ignored() {
    let mut node = Node::of(&[1, 2]);
    node.visited(at(0));
    node.answer(1, &[10], at(0));
    assert_eq!(node.says(1), None, "it has answered");
    let teller = node
        .membership
        .teller(LinkId::new(1))
        .expect("it is linked");
    let again = (TOKEN, SECOND * 900, SECOND * 30);
    let facts = node.room.on_lease(
        (LinkId::new(1), id(1)),
        again,
        (vec![record(11, 1)], teller),
        at(0),
    );
    assert!(facts.is_empty());
    assert!(
        node.room
            .named
            .insert(id(1), Verified::for_test(record(10, 1)), teller, false)
            .is_none()
    );
}

#[test]
fn another_takes_the_place_of_a_seed_that_fails_and_the_failed_one_is_tried_on() {
    let mut node = Node::of(&[1, 2, 3, 4]);
    node.visited(at(0));
    let mut down = None;
    for seed in node.seeds.clone() {
        let Some((_, registers)) = node.says(seed) else {
            // It took the place of the failed one, and is asked again.
            continue;
        };
        if registers && down.is_none() {
            down = Some(id(seed));
            node.room.unreachable(&id(seed), at(0));
        } else {
            node.answer(seed, &[], at(0));
        }
    }
    for seed in node.seeds.clone() {
        node.visited(at(0));
        if node.says(seed).is_some() {
            node.answer(seed, &[], at(0));
        }
    }
    assert_eq!(node.registered(at(0)), 3);
    let mut tries = 0;
    for second in 1..=60 {
        for tried in node.visited(at(second)) {
            if Some(tried) == down {
                tries += 1;
                node.room.unreachable(&tried, at(second));
            }
        }
    }
    assert!(
        (4..12).contains(&tries),
        "{tries} tries of a dead seed in a minute"
    );
}

#[test]
fn seeds_are_visited_again_when_they_want_to_be_with_another_token() {
    let mut node = Node::of(&[1, 2]);
    node.visited(at(0));
    let (first, _) = node.says(1).expect("asked");
    node.answer(1, &[], at(0));
    node.answer(2, &[], at(0));
    assert_eq!(node.visited(at(20)), []);
    assert_eq!(node.visited(at(40)).len(), 2);
    let (second, _) = node.says(1).expect("asked again");
    assert_ne!(first, second);
}

#[test]
fn a_death_is_told_to_the_seeds_that_keep_our_record_within_two_seconds() {
    let mut node = Node::of(&[1, 2, 3]);
    node.visited(at(0));
    for seed in [1, 2, 3] {
        node.answer(seed, &[], at(0));
    }
    node.room.died(id(50), at(1));
    assert_eq!(node.visited(at(3)).len(), 2, "those that keep our record");
    let facts: Vec<Fact> = [1, 2, 3]
        .into_iter()
        .flat_map(|seed| node.room.linked(LinkId::new(seed.into()), &id(seed), None))
        .collect();
    let reports = facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Reported { nodes, .. } if *nodes == [id(50)]));
    assert_eq!(reports.count(), 2);
}

#[test]
fn every_table_has_its_bound() {
    let mut node = Node::of(&(1..=40).collect::<Vec<u8>>());
    assert_eq!(node.room.footprint().listed, limits::SEEDS_LISTED_MAX);
    let teller = node
        .membership
        .teller(LinkId::new(1))
        .expect("it is linked");
    for number in 0..=u16::MAX {
        let [high, low] = number.to_be_bytes();
        if number > 400 {
            break;
        }
        let mut body = record(1, 1).body;
        body.node = NodeId::from_bytes([[high; 16], [low; 16]].concat().try_into().unwrap());
        let record = Record {
            body,
            signature: record(1, 1).signature,
        };
        node.room
            .named
            .insert(id(1), Verified::for_test(record), teller, false);
    }
    assert_eq!(node.room.footprint().named, limits::NAMED_MAX);
    for node_number in 0..100 {
        node.room
            .visits
            .died(id(node_number), &Config::default(), &mut rng(), Mono::ZERO);
    }
    assert!(node.room.footprint().reports <= limits::REPORTS_WAITING_MAX);
}
