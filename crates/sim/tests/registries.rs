//! Seeds: newcomers find the network by them, and none of them decides about anybody (F6, S23).

mod seed;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bruit_core::engine::{Actions, Engine};
use bruit_core::event::{Action, Command, Event, Notice};
use bruit_core::id::{LinkId, NetworkId, NodeId};
use bruit_core::identity::SecretKey;
use bruit_core::record::{Record, RecordBody};
use bruit_core::seeds::SeedState;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::{Frame, kind};
use bruit_sim::behaviour::Behaviour;
use bruit_sim::oracles;
use bruit_sim::world::{Birth, Settings, World};
use bytes::Bytes;
use seed::seed;

const SECOND: Duration = Duration::from_secs(1);
/// Registries in each of these worlds, the first nodes.
const SEEDS: usize = 4;

/// The engine of a node; the first ones are registries.
fn engine(birth: &Birth<'_>) -> Engine {
    let mut config = birth.settings.config.clone();
    config.seeds.registry = birth.number < SEEDS;
    let config = config.validate().expect("a valid configuration");
    Engine::new(birth.key.node_id(), config, birth.seed)
}

/// Tells a node of all seeds.
fn tell_of_seeds(world: &mut World, node: usize) {
    let seeds = (0..SEEDS).map(|seed| world.peer(seed)).collect();
    world.command(node, Command::Seeds(seeds));
}

/// Four seeds and so many peers, each told of the seeds alone, half a second after the one before.
fn with_seeds(
    peers: usize,
    seed: u64,
    maker: impl Fn(&Birth<'_>) -> Box<dyn Behaviour> + Send + Sync + 'static,
) -> World {
    let mut world = World::of(SEEDS + peers, seed, Settings::default(), maker);
    for node in SEEDS..SEEDS + peers {
        tell_of_seeds(&mut world, node);
        world.run(SECOND / 2);
    }
    world
}

fn honest(birth: &Birth<'_>) -> Box<dyn Behaviour> {
    Box::new(engine(birth))
}

/// The nodes that a seed keeps.
fn kept(world: &World, seed: usize) -> Vec<usize> {
    let engine = world.engine(seed).expect("an engine");
    let leases = engine.seeds().leases(world.clocks(seed));
    let numbers = leases.filter_map(|lease| world.number(&lease.address.id));
    numbers.collect()
}

/// With how many seeds a node is registered, as far as it knows.
fn registered(world: &World, node: usize) -> usize {
    let engine = world.engine(node).expect("an engine");
    let seeds = engine.seeds().seeds(world.clocks(node));
    seeds
        .filter(|seed| seed.state == SeedState::Registered)
        .count()
}

/// The size of the part of the network, seeds left out, that a peer is in.
fn parts(world: &World) -> Vec<usize> {
    world.components_of(|node| node >= SEEDS)
}

/// Publishes and looks that everybody alive has it within `time`.
#[track_caller]
fn assert_heard_by_all(world: &mut World, from: usize, time: Duration) {
    let bulletin = world.publish(from, b"does everybody hear this?");
    world.run(time);
    for node in world.alive() {
        let has = node == from || world.ledger().has(bulletin, node);
        assert!(has, "{node} did not get it");
    }
}

/// F6: half of the seeds die, then all; they come back empty.
#[test]
fn the_network_does_not_notice_that_its_seeds_die_and_they_learn_everything_again() {
    let mut world = with_seeds(20, seed(21), honest);
    let last = SEEDS + 20 - 1;
    world.run(SECOND * 20);
    assert_eq!(parts(&world), [20]);
    for peer in SEEDS..=last {
        assert_eq!(registered(&world, peer), 3, "⌊4/2⌋+1 of 4, of {peer}");
    }

    for seed in [0, 1] {
        world.kill(seed);
    }
    let joiner = world.add();
    tell_of_seeds(&mut world, joiner);
    world.run(SECOND * 10);
    assert!(!world.neighbours(joiner).is_empty(), "two seeds are enough");

    for seed in [2, 3] {
        world.kill(seed);
    }
    assert_heard_by_all(&mut world, SEEDS, SECOND * 2);
    // A peer with an address book comes back while there is no seed.
    world.kill(last);
    world.run(SECOND * 5);
    world.restart(last);
    tell_of_seeds(&mut world, last);
    world.run(SECOND * 10);
    assert!(world.neighbours(last).len() >= 3, "ten seconds");
    world.run(SECOND * 60);
    assert_eq!(parts(&world), [21]);
    assert_heard_by_all(&mut world, last, SECOND * 2);

    for seed in 0..SEEDS {
        world.restart(seed);
        assert!(kept(&world, seed).is_empty());
    }
    world.run(SECOND * 60);
    let all: usize = (0..SEEDS).map(|seed| kept(&world, seed).len()).sum();
    assert_eq!(all, 21 * 3, "each peer is kept by three again");
    assert_eq!(oracles::once(&world), []);
    assert_eq!(oracles::bounded(&world), []);
}

/// Who dies is reported by its neighbours, and dropped by every seed when its own probes have failed.
#[test]
fn a_dead_peer_leaves_all_seeds_within_a_minute_and_long_before_its_lease() {
    let mut world = with_seeds(10, seed(22), honest);
    world.run(SECOND * 20);
    let victim = SEEDS + 4;
    world.kill(victim);
    world.run(SECOND * 60);
    for seed in 0..SEEDS {
        assert!(!kept(&world, seed).contains(&victim), "seed {seed}");
    }
    let told = (SEEDS..SEEDS + 10).any(|peer| {
        let notices = world.notices(peer).iter();
        notices
            .filter(|notice| matches!(notice, Notice::Reported { .. }))
            .count()
            > 0
    });
    assert!(told, "somebody reported it");
}

/// What a lying seed knows of its accomplices.
type Gang = Arc<Mutex<Vec<(SecretKey, std::net::SocketAddr)>>>;

/// A seed that names its accomplices alone, or nobody else than who is gone, and registers others elsewhere.
struct Liar {
    engine: Engine,
    network: NetworkId,
    gang: Gang,
    /// Registrations it has heard, to be replayed.
    heard: BTreeMap<NodeId, Record>,
    links: Vec<LinkId>,
    due: Mono,
}

impl Liar {
    fn lie(&self, frame: &Bytes, now: Now) -> Option<Bytes> {
        if frame.first() != Some(&kind::LEASE) {
            return None;
        }
        let Ok(Frame::Lease {
            token,
            lease_s,
            renew_s,
            ..
        }) = Frame::decode(frame, &self.network)
        else {
            return None;
        };
        let gang = self.gang.lock().expect("no test panics with it");
        let record = |(key, address): &(SecretKey, std::net::SocketAddr)| {
            let body = RecordBody {
                node: key.node_id(),
                // Later than their own.
                seq: now.wall.as_millis() + 1_000_000,
                expires: now.wall.plus(Duration::from_hours(12)),
                addresses: vec![*address],
                relay: String::new(),
            };
            Record::sign(body, &self.network, key)
        };
        let gang = gang.iter().take(8).map(record);
        let records = gang.chain(self.heard.values().take(8).cloned()).collect();
        let lie = Frame::Lease {
            token,
            lease_s,
            renew_s,
            records,
        };
        Some(lie.encode())
    }
}

impl Behaviour for Liar {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        match &event {
            Event::LinkUp { link, .. } => self.links.push(*link),
            Event::LinkDown { link, .. } => self.links.retain(|known| known != link),
            Event::Frame { frame, .. } if frame.first() == Some(&kind::REGISTER) => {
                let frame = Frame::decode(frame, &self.network);
                if let Ok(Frame::Register {
                    record: Some(record),
                    ..
                }) = frame
                {
                    self.heard.insert(record.body.node, *record);
                }
            }
            _ => {}
        }
        let mut actions = self.engine.handle(event, now);
        for action in &mut actions {
            if let Action::Send { frame, .. } = action
                && let Some(lie) = self.lie(frame, now)
            {
                *frame = lie;
            }
        }
        if now.mono >= self.due {
            self.due = now.mono.plus(SECOND);
            // To whoever listens: everybody it ever heard of is dead.
            let nodes: Vec<NodeId> = self.heard.keys().copied().take(16).collect();
            let frame = Frame::Report { nodes };
            actions.extend(self.links.iter().map(|link| Action::Send {
                link: *link,
                class: frame.class(),
                frame: frame.encode(),
            }));
        }
        actions
    }

    fn next_wakeup(&self) -> Option<Mono> {
        self.engine.next_wakeup().map(|due| due.min(self.due))
    }

    fn neighbours(&self) -> Vec<NodeId> {
        Behaviour::neighbours(&self.engine)
    }

    fn address_book(&self) -> Bytes {
        Engine::address_book(&self.engine)
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }
}

/// Accomplices in a world of liars: the last nodes.
const GANG: usize = 8;
const HONEST: usize = 16;

/// Seed 0 lies; the last nodes are its accomplices. They are there, and register with nobody.
fn with_a_liar(seed: u64) -> World {
    let gang = Gang::default();
    let maker = move |birth: &Birth<'_>| -> Box<dyn Behaviour> {
        if birth.number >= SEEDS + HONEST && birth.number < SEEDS + HONEST + GANG {
            let mut gang = gang.lock().expect("no test panics with it");
            gang.push((birth.key.clone(), birth.address));
        }
        if birth.number > 0 {
            return honest(birth);
        }
        Box::new(Liar {
            engine: engine(birth),
            network: *birth.settings.config.network.id(),
            gang: Arc::clone(&gang),
            heard: BTreeMap::new(),
            links: Vec::new(),
            due: Mono::ZERO,
        })
    };
    let mut world = World::of(SEEDS + HONEST + GANG, seed, Settings::default(), maker);
    for node in SEEDS..SEEDS + HONEST {
        tell_of_seeds(&mut world, node);
        world.run(SECOND / 2);
    }
    world.run(SECOND * 10);
    world
}

/// S23: only attackers returned. Those whom one seed alone names are nobody's first neighbours.
#[test]
fn a_seed_that_names_only_its_accomplices_gives_a_newcomer_honest_neighbours() {
    let mut world = with_a_liar(seed(23));
    let newcomer = world.add();
    tell_of_seeds(&mut world, newcomer);
    world.run(SECOND * 5);
    let is_accomplice = |node: &usize| (SEEDS + HONEST..SEEDS + HONEST + GANG).contains(node);
    let neighbours = world.neighbours(newcomer);
    let evil = neighbours.iter().filter(|node| is_accomplice(node)).count();
    assert!(neighbours.len() >= 5, "{neighbours:?}");
    assert_eq!(evil, 0, "{neighbours:?}");
    assert_eq!(
        world.components_of(|node| node >= SEEDS && !is_accomplice(&node)),
        [HONEST + 1]
    );
}

/// S23: dead reports for the living. Each makes a seed look, and it sees that they live.
#[test]
fn reports_of_the_living_remove_nobody_from_any_seed() {
    let mut world = with_a_liar(seed(24));
    // The liar registers like a peer, or nobody would listen to it.
    let seeds = (1..SEEDS).map(|seed| world.peer(seed)).collect();
    world.command(0, Command::Seeds(seeds));
    for _ in 0..12 {
        world.run(SECOND * 10);
        // Links to be heard on: seeds are no neighbours of each other.
        for seed in 1..SEEDS {
            world.link(0, seed);
        }
        let all: usize = (1..SEEDS)
            .map(|seed| {
                let peers = kept(&world, seed).into_iter();
                peers
                    .filter(|node| (SEEDS..SEEDS + HONEST).contains(node))
                    .count()
            })
            .sum();
        // Three of four keep each; one of the three may be the liar.
        assert!(all >= HONEST * 2, "{all} leases at the honest seeds");
    }
    assert!((SEEDS..SEEDS + HONEST).all(|peer| registered(&world, peer) >= 3));
}

/// S23: replayed registrations. A seed that goes on naming who is gone convinces nobody, and a registration is
/// good on the link of its own node alone.
#[test]
fn a_registration_replayed_by_a_seed_brings_nobody_back() {
    let mut world = with_a_liar(seed(25));
    let gone = SEEDS + 3;
    let id = world.key(gone).node_id();
    world.kill(gone);
    world.run(SECOND * 60);
    assert!((1..SEEDS).all(|seed| !kept(&world, seed).contains(&gone)));
    let newcomer = world.add();
    tell_of_seeds(&mut world, newcomer);
    world.run(SECOND * 5);
    let engine = world.engine(newcomer).expect("an engine");
    let members = engine.membership().members(world.clocks(newcomer));
    assert!(
        members.iter().all(|member| member.id != id),
        "one seed's word for it"
    );
}
