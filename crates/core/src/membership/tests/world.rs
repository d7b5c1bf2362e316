//! Many rooms, a queue of events with latency, no engine: signatures are taken for good, the
//! handshake is one more round trip, and what liveness would find out takes ten seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::{at, seed, unsigned};
use crate::id::{LinkId, NodeId};
use crate::identity::Signature;
use crate::intake::Verified;
use crate::link::{CloseReason, Direction, PeerAddress};
use crate::membership::{Config, Fact, Membership};
use crate::record::Beacon;
use crate::time::{Mono, Now};
use crate::wire::Frame;

/// A dial to nobody fails after this time.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// A dead neighbour is noticed after this time.
const DEATH_TIME: Duration = Duration::from_secs(8);

#[derive(Debug)]
enum Event {
    Arrive {
        to: usize,
        peer: usize,
        link: LinkId,
        direction: Direction,
    },
    Established {
        node: usize,
        link: LinkId,
    },
    Frame {
        to: usize,
        link: LinkId,
        frame: Frame,
    },
    Down {
        to: usize,
        link: LinkId,
        reason: CloseReason,
        by_peer: bool,
    },
    DialFailed {
        node: usize,
        peer: NodeId,
    },
    Wakeup {
        node: usize,
    },
}

struct World {
    rooms: Vec<Option<Membership>>,
    index: BTreeMap<NodeId, usize>,
    queue: BTreeMap<(Mono, u64), Event>,
    ends: BTreeMap<LinkId, [usize; 2]>,
    planned: Vec<Option<Mono>>,
    /// Side of the split each node is on.
    side: Vec<u8>,
    address: fn(u32) -> SocketAddr,
    config: Config,
    now: Duration,
    count: u64,
    rng: ChaCha8Rng,
    trace: Option<blake3::Hasher>,
    verified: usize,
    reconciled: u64,
    mesh: BTreeSet<(usize, LinkId)>,
}

fn loopback(number: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4000 + u16::try_from(number).unwrap()))
}

/// The one that stands for the component of `node`.
fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}

impl World {
    fn new(nodes: u32, config: &Config, address: fn(u32) -> SocketAddr, seed: u64) -> Self {
        let mut world = Self {
            rooms: Vec::new(),
            index: BTreeMap::new(),
            queue: BTreeMap::new(),
            ends: BTreeMap::new(),
            planned: Vec::new(),
            side: Vec::new(),
            address,
            config: config.clone(),
            now: Duration::ZERO,
            count: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            trace: None,
            verified: 0,
            reconciled: 0,
            mesh: BTreeSet::new(),
        };
        for number in 0..nodes {
            world.rooms.push(None);
            world.planned.push(None);
            world.side.push(0);
            world
                .index
                .insert(super::node(number), usize::try_from(number).unwrap());
        }
        world
    }

    /// Everybody starts at once and knows node 0.
    fn started(nodes: u32, config: &Config, address: fn(u32) -> SocketAddr, seed: u64) -> Self {
        let mut world = Self::new(nodes, config, address, seed);
        for number in 0..nodes {
            world.start(number, &[0]);
        }
        world
    }

    fn at(&self) -> Now {
        at(self.now)
    }

    fn address_of(&self, node: usize) -> SocketAddr {
        (self.address)(u32::try_from(node).unwrap())
    }

    fn start(&mut self, number: u32, knows: &[u32]) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let rng = ChaCha8Rng::from_seed(seed);
        let node = usize::try_from(number).unwrap();
        self.rooms[node] = Some(Membership::new(
            super::node(number),
            self.config.clone(),
            rng,
        ));
        let listen = vec![self.address_of(node)];
        self.act(node, |room, now| room.set_addresses(listen, now));
        let seeds = knows.iter().filter(|other| **other != number);
        let seeds: Vec<PeerAddress> = seeds
            .map(|other| PeerAddress {
                id: super::node(*other),
                addresses: vec![(self.address)(*other)],
            })
            .collect();
        self.act(node, |room, now| room.join(seeds, now));
    }

    /// The node vanishes without a word.
    fn kill(&mut self, node: usize) {
        let Some(room) = self.rooms[node].take() else {
            return;
        };
        for view in room.links() {
            self.end(node, view.link, CloseReason::Dead, DEATH_TIME, false);
        }
        self.mesh.retain(|(owner, _)| *owner != node);
    }

    fn split(&mut self, side: impl Fn(usize) -> u8) {
        for node in 0..self.rooms.len() {
            self.side[node] = side(node);
        }
        let cut: Vec<LinkId> = self
            .ends
            .iter()
            .filter(|(_, [a, b])| self.side[*a] != self.side[*b])
            .map(|(link, _)| *link)
            .collect();
        for link in cut {
            let Some(ends) = self.ends.remove(&link) else {
                continue;
            };
            for to in ends {
                self.push(
                    DEATH_TIME,
                    Event::Down {
                        to,
                        link,
                        reason: CloseReason::Dead,
                        by_peer: false,
                    },
                );
            }
        }
    }

    fn push(&mut self, pause: Duration, event: Event) {
        self.count += 1;
        self.queue
            .insert((self.at().mono.plus(pause), self.count), event);
    }

    /// 5 to 40 ms, always the same between the same two.
    fn latency(a: usize, b: usize) -> Duration {
        let (low, high) = (a.min(b), a.max(b));
        let hash = blake3::hash(&[low.to_be_bytes(), high.to_be_bytes()].concat());
        Duration::from_millis(5 + u64::from(hash.as_bytes()[0] % 36))
    }

    fn other_end(&self, node: usize, link: LinkId) -> Option<usize> {
        let [a, b] = *self.ends.get(&link)?;
        Some(if a == node { b } else { a })
    }

    fn end(
        &mut self,
        node: usize,
        link: LinkId,
        reason: CloseReason,
        pause: Duration,
        by_peer: bool,
    ) {
        if let Some(to) = self.other_end(node, link) {
            self.ends.remove(&link);
            let pause = pause + Self::latency(node, to);
            self.push(
                pause,
                Event::Down {
                    to,
                    link,
                    reason,
                    by_peer,
                },
            );
        }
    }

    fn act(&mut self, node: usize, step: impl FnOnce(&mut Membership, Now) -> Vec<Fact>) {
        let now = self.at();
        let Some(room) = &mut self.rooms[node] else {
            return;
        };
        let mut facts: std::collections::VecDeque<Fact> = step(room, now).into();
        while let Some(fact) = facts.pop_front() {
            if let Some(trace) = &mut self.trace {
                trace.update(format!("{now:?} {node} {fact:?}").as_bytes());
            }
            let room = self.rooms[node].as_mut().unwrap();
            match fact {
                Fact::SignRecord(body) => facts.extend(room.signed_record(unsigned(body), now)),
                Fact::SignBeacon { minute } => {
                    let beacon = Beacon {
                        node: super::node(u32::try_from(node).unwrap()),
                        minute,
                        signature: Signature::from_bytes([0; 64]),
                    };
                    facts.extend(room.signed_beacon(beacon, now));
                }
                Fact::Dial(peer) => self.dial(node, &peer),
                Fact::Close { link, reason } => {
                    self.end(node, link, reason, Duration::ZERO, true);
                    self.mesh.remove(&(node, link));
                }
                Fact::Send { link, frame } => {
                    if let Some(to) = self.other_end(node, link) {
                        let pause = Self::latency(node, to);
                        self.push(pause, Event::Frame { to, link, frame });
                    }
                }
                Fact::MeshUp { link } => assert!(self.mesh.insert((node, link))),
                Fact::MeshDown { link } => assert!(self.mesh.remove(&(node, link))),
                Fact::Reconcile { .. } => self.reconciled += 1,
                Fact::Rejoin => {}
            }
        }
        let next = self.rooms[node].as_ref().and_then(Membership::next_wakeup);
        if let Some(next) = next.filter(|next| self.planned[node].is_none_or(|at| *next < at)) {
            self.planned[node] = Some(next);
            let pause = next.since(now.mono);
            self.push(pause, Event::Wakeup { node });
        }
    }

    fn dial(&mut self, node: usize, peer: &PeerAddress) {
        let to = self.index[&peer.id];
        let right = peer.addresses.contains(&self.address_of(to));
        if self.rooms[to].is_none() || self.side[to] != self.side[node] || !right {
            self.push(
                DIAL_TIMEOUT,
                Event::DialFailed {
                    node,
                    peer: peer.id,
                },
            );
            return;
        }
        self.count += 1;
        let link = LinkId::new(self.count);
        self.ends.insert(link, [node, to]);
        let way = Self::latency(node, to);
        self.push(
            way * 2,
            Event::Arrive {
                to: node,
                peer: to,
                link,
                direction: Direction::Out,
            },
        );
        self.push(
            way,
            Event::Arrive {
                to,
                peer: node,
                link,
                direction: Direction::In,
            },
        );
        self.push(way * 3, Event::Established { node, link });
        self.push(way * 3, Event::Established { node: to, link });
    }

    fn step(&mut self, event: Event) {
        match event {
            // Whoever dialled sees the link come up before it sees that it was closed at once.
            Event::Arrive {
                to,
                peer,
                link,
                direction,
            } => {
                let remote = Some(self.address_of(peer));
                let peer = super::node(u32::try_from(peer).unwrap());
                self.act(to, |room, now| {
                    room.link_up(link, peer, direction, remote, now)
                });
            }
            Event::Established { node, link } => {
                let Some(other) = self.other_end(node, link) else {
                    return;
                };
                let rtt = Self::latency(node, other) * 2;
                self.act(node, |room, now| {
                    room.rtt(link, rtt);
                    room.established(link, now)
                });
            }
            Event::Frame { to, link, frame } => self.frame(to, link, frame),
            Event::Down {
                to,
                link,
                reason,
                by_peer,
            } => {
                self.mesh.remove(&(to, link));
                self.act(to, |room, now| {
                    let mut facts = room.link_down(link, reason, by_peer, now);
                    facts.retain(|fact| *fact != Fact::MeshDown { link });
                    facts
                });
            }
            Event::DialFailed { node, peer } => {
                self.act(node, |room, now| room.dial_failed(peer, now));
            }
            Event::Wakeup { node } => {
                let due = self.planned[node] == Some(self.at().mono);
                if due {
                    self.planned[node] = None;
                    self.act(node, Membership::wakeup);
                }
            }
        }
    }

    fn frame(&mut self, to: usize, link: LinkId, frame: Frame) {
        let mut verified = 0;
        self.act(to, |room, now| match frame {
            Frame::Peers { records } => {
                let news = room.on_peers(link, records, now);
                verified = news.len();
                let facts = news.into_iter();
                facts
                    .flat_map(|news| room.on_record(link, Verified::for_test(news), now))
                    .collect()
            }
            Frame::PeersReq => room.on_peers_req(link, now),
            Frame::Mesh { on } => room.on_mesh(link, on, now),
            Frame::Beacon(beacon) => match room.on_beacon(link, &beacon, now) {
                Some(beacon) => room.beacon_verified(link, Verified::for_test(beacon), now),
                None => Vec::new(),
            },
            other => panic!("{other:?}"),
        });
        self.verified += verified;
    }

    fn run_until(&mut self, until: Duration) {
        while let Some(((time, _), _)) = self.queue.first_key_value() {
            if *time > at(until).mono {
                break;
            }
            let ((time, _), event) = self.queue.pop_first().unwrap();
            self.now = time.since(Mono::ZERO);
            self.step(event);
        }
        self.now = until;
    }

    fn run(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Runs until the mesh of the living is one component; when that was.
    fn run_until_one(&mut self, limit: Duration) -> Duration {
        let start = self.now;
        while self.components() != 1 {
            assert!(
                self.now < start + limit,
                "{} components after {limit:?}",
                self.components()
            );
            self.run(Duration::from_millis(100));
        }
        self.at().mono.since(at(start).mono)
    }

    /// Components of the living under links that are in the mesh of both ends.
    fn components(&self) -> usize {
        let mut parent: Vec<usize> = (0..self.rooms.len()).collect();
        for (node, link) in &self.mesh {
            if let Some(other) = self.other_end(*node, *link)
                && self.mesh.contains(&(other, *link))
            {
                let (a, b) = (root(&mut parent, *node), root(&mut parent, other));
                parent[a] = b;
            }
        }
        let living = (0..self.rooms.len()).filter(|node| self.rooms[*node].is_some());
        let roots: BTreeSet<usize> = living
            .collect::<Vec<_>>()
            .into_iter()
            .map(|node| root(&mut parent, node))
            .collect();
        roots.len()
    }

    fn links(&self, node: usize) -> usize {
        let room = self.rooms[node].as_ref().unwrap();
        room.links().filter(|link| link.established).count()
    }

    fn alive(&self) -> Vec<usize> {
        (0..self.rooms.len())
            .filter(|node| self.rooms[*node].is_some())
            .collect()
    }

    fn report(&self, what: &str) {
        let alive = self.alive();
        let links: usize = alive.iter().map(|node| self.links(*node)).sum();
        let each = |sum: usize| {
            let tenths = sum * 10 / alive.len();
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        let estimate = self.rooms[alive[0]].as_ref().unwrap();
        println!(
            "{what}: {} nodes at {:?}: {} components, {} links, {} of them in the mesh, \
             {} records verified, size estimate {}, {} reconciles in all",
            alive.len(),
            self.now,
            self.components(),
            each(links),
            each(self.mesh.len()),
            each(self.verified),
            estimate.network_size_estimate(),
            self.reconciled,
        );
    }

    fn check_bounds(&self) {
        for room in self.rooms.iter().flatten() {
            let (footprint, bounds) = (room.footprint(), room.bounds());
            assert!(
                footprint.within(&bounds),
                "{footprint:?} exceeds {bounds:?}"
            );
            let outbound = room
                .links()
                .filter(|link| link.direction == Direction::Out)
                .count();
            assert!(outbound <= 6 + 4 + 12, "{outbound} outbound links");
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn two_nodes_link_and_so_do_three_to_a_triangle_within_a_second() {
    for nodes in [2, 3] {
        for run in 0..20 {
            let seed = seed(run);
            let mut world = World::started(nodes, &Config::default(), loopback, seed);
            world.run(SECOND);
            for node in world.alive() {
                assert_eq!(
                    world.links(node),
                    world.rooms.len() - 1,
                    "{nodes} nodes, node {node}"
                );
            }
            assert_eq!(world.components(), 1);
            world.run(10 * MINUTE);
            for node in world.alive() {
                assert_eq!(
                    world.links(node),
                    world.rooms.len() - 1,
                    "{nodes} nodes, node {node}"
                );
            }
        }
    }
}

#[test]
fn up_to_seven_nodes_all_link_to_all() {
    for nodes in 4..=7 {
        let mut world = World::started(nodes, &Config::default(), loopback, seed(u64::from(nodes)));
        world.run(5 * SECOND);
        world.report("small");
        for node in world.alive() {
            assert_eq!(
                world.links(node),
                world.rooms.len() - 1,
                "{nodes} nodes, node {node}"
            );
        }
    }
}

#[test]
fn a_network_forms_within_seconds_when_everybody_knows_one_node() {
    for (nodes, limit) in [(50, 3), (200, 6), (1_000, 20)] {
        let seed = seed(u64::from(nodes));
        let mut world = World::started(nodes, &Config::default(), super::address, seed);
        let time = world.run_until_one(limit * SECOND);
        println!("{nodes} nodes are one component after {time:?}");
        world.report("formed");
        world.run(30 * SECOND);
        world.report("settled");
        world.check_bounds();
        assert_eq!(world.components(), 1);
        let thin = world
            .alive()
            .into_iter()
            .filter(|node| world.links(*node) < 5)
            .count();
        assert_eq!(thin, 0, "nodes with fewer than 5 links");
    }
}

#[test]
fn fifty_nodes_on_one_machine_form_a_network_under_the_default_profile() {
    let mut world = World::started(50, &Config::default(), loopback, seed(1));
    let time = world.run_until_one(3 * SECOND);
    println!("one component after {time:?}");
    world.run(MINUTE);
    world.report("one machine");
    assert!(world.alive().into_iter().all(|node| world.links(node) >= 6));
}

#[test]
fn three_tenths_killed_at_once_leave_one_component_within_two_rounds() {
    for nodes in [50, 200] {
        let mut world = World::started(nodes, &Config::default(), super::address, seed(3));
        world.run(2 * MINUTE);
        for node in 0..world.rooms.len() {
            if node % 10 < 3 {
                world.kill(node);
            }
        }
        world.run(DEATH_TIME + 2 * Config::default().exchange_interval);
        world.report("after the kill");
        assert_eq!(world.components(), 1);
        let thin = world
            .alive()
            .into_iter()
            .filter(|node| world.links(*node) < 6)
            .count();
        assert_eq!(thin, 0, "nodes with fewer than 6 links");
    }
}

#[test]
fn the_only_bootstrap_node_dies_and_comes_back_empty_and_is_found() {
    for nodes in [2_u32, 3, 50] {
        let mut world = World::started(nodes, &Config::default(), super::address, seed(4));
        world.run(2 * MINUTE);
        world.kill(0);
        world.run(DEATH_TIME + 20 * SECOND);
        assert_eq!(world.components(), 1, "the rest must not split");
        world.run(5 * MINUTE);
        world.start(0, &[]);
        let time = world.run_until_one(40 * SECOND);
        println!("{nodes} nodes: found again after {time:?}");
        world.run(MINUTE);
        world.report("restarted");
        assert!(world.links(0) >= 6.min(world.rooms.len() - 1));
    }
}

#[test]
fn a_quick_restart_is_not_taken_for_a_duplicate() {
    let mut world = World::started(2, &Config::default(), loopback, seed(5));
    world.run(2 * SECOND);
    world.kill(1);
    world.start(1, &[0]);
    world.run(8 * SECOND);
    assert_eq!(
        (world.links(0), world.links(1), world.components()),
        (1, 1, 1)
    );
}

#[test]
fn two_halves_find_each_other_within_thirty_seconds_after_ten_minutes() {
    for nodes in [2, 4, 10, 50, 100] {
        let mut world = World::started(nodes, &Config::default(), super::address, seed(6));
        world.run(2 * MINUTE);
        world.split(|node| u8::from(node % 2 == 0));
        world.run(10 * MINUTE);
        assert_eq!(world.components(), 2);
        let before = world.reconciled;
        world.split(|_| 0);
        let time = world.run_until_one(30 * SECOND);
        world.run(30 * SECOND);
        println!("{nodes} nodes: healed after {time:?}");
        world.report("healed");
        assert!(
            nodes == 2 || world.reconciled > before,
            "data must be compared over a new link"
        );
        world.check_bounds();
        world.run(20 * MINUTE);
        assert_eq!(world.components(), 1, "bridges end, the network stays one");
    }
}

#[test]
fn a_whole_network_does_not_alarm_itself() {
    let mut world = World::started(100, &Config::default(), super::address, seed(7));
    world.run(3 * MINUTE);
    let before = world.reconciled;
    world.run(20 * MINUTE);
    world.report("twenty minutes");
    assert_eq!(world.reconciled, before);
}

#[test]
fn same_seed_same_facts() {
    let hash = |seed| {
        let mut world = World::new(30, &Config::default(), super::address, seed);
        world.trace = Some(blake3::Hasher::new());
        (0..30).for_each(|number| world.start(number, &[0]));
        world.run(5 * MINUTE);
        world.kill(3);
        world.run(2 * MINUTE);
        world.trace.unwrap().finalize()
    };
    assert_eq!(hash(8), hash(8));
    assert_ne!(hash(8), hash(9));
}
