//! How the gateway is among peers; and what went wrong in the original does not here.

use rand_core::SeedableRng as _;

use super::*;

const NONCE: u64 = 0x0102_0304_0506_0708;
const CHALLENGE: u64 = 45_058;

fn v4(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

fn rules(bootstrappers: &[u16], cache_size: usize) -> Rules {
    Rules {
        listen: v4(6001),
        bootstrappers: bootstrappers.iter().map(|port| v4(*port)).collect(),
        cache_size,
        degree: 30,
        p2p_ttl: 5,
    }
}

/// Peers, and the time and chance they are given.
struct World {
    peers: Peers,
    chance: ChaCha8Rng,
    now: Instant,
}

impl World {
    fn new(rules: Rules) -> Self {
        let now = Instant::now();
        Self {
            peers: Peers::new(rules, now),
            chance: ChaCha8Rng::from_seed([7; 32]),
            now,
        }
    }

    fn inbound(&mut self, conn: u64) -> Vec<Deed> {
        let (remote, local) = (SocketAddr::V4(v4(40_000)), SocketAddr::V4(v4(6001)));
        self.peers.on_inbound(ConnId(conn), remote, local, self.now);
        self.peers.take_deeds()
    }

    fn say(&mut self, conn: u64, frame: &Frame) -> Vec<Deed> {
        self.peers
            .on_frame(ConnId(conn), frame, &mut self.chance, self.now);
        self.peers.take_deeds()
    }

    fn later(&mut self, time: Duration) -> Vec<Deed> {
        self.now += time;
        self.peers.on_wakeup(self.now);
        self.peers.take_deeds()
    }

    /// Has `conn` say HELLO; answers the nonce of its puzzle.
    fn hello(&mut self, conn: u64, port: u16) -> u64 {
        match self
            .say(conn, &Frame::Hello { address: v4(port) })
            .as_slice()
        {
            [Deed::Send(to, Frame::VerificationRequest { nonce })] if *to == ConnId(conn) => *nonce,
            deeds => panic!("{deeds:?}"),
        }
    }

    /// Has `conn` connect and become a member that listens at `port`; answers what follows. Its puzzle is
    /// one whose solution is known.
    fn join(&mut self, conn: u64, port: u16) -> Vec<Deed> {
        self.inbound(conn);
        self.hello(conn, port);
        self.peers.conns.get_mut(&ConnId(conn)).unwrap().state = State::Solves(NONCE);
        self.say(conn, &solution(port))
    }

    /// Joins by a bootstrapper at `port`, over `conn`.
    fn dial(&mut self, conn: u64, port: u16) {
        assert!(self.later(Duration::ZERO).contains(&Deed::Dial(v4(port))));
        let local = SocketAddr::V4(v4(41_000));
        self.peers
            .on_outbound(ConnId(conn), v4(port), local, self.now);
        let hello = Frame::Hello { address: v4(6001) };
        assert_eq!(self.peers.take_deeds(), [Deed::Send(ConnId(conn), hello)]);
        let puzzle = Frame::VerificationRequest { nonce: NONCE };
        assert_eq!(self.say(conn, &puzzle), [Deed::Solve(ConnId(conn), NONCE)]);
        self.peers
            .on_solved(ConnId(conn), Some(CHALLENGE), self.now);
        assert_eq!(
            self.peers.take_deeds(),
            [Deed::Send(ConnId(conn), solution(6001))]
        );
    }
}

fn solution(port: u16) -> Frame {
    Frame::VerificationResponse {
        nonce: NONCE,
        challenge: CHALLENGE,
        address: v4(port),
    }
}

fn pushes(deeds: &[Deed]) -> usize {
    deeds
        .iter()
        .filter(|deed| matches!(deed, Deed::Send(_, Frame::Push { .. })))
        .count()
}

fn is_closed(deeds: &[Deed], conn: u64) -> bool {
    deeds
        .iter()
        .any(|deed| matches!(deed, Deed::Close(closed, _) if *closed == ConnId(conn)))
}

#[test]
fn a_joiner_that_solves_its_puzzle_gets_the_view_and_the_others_hear_of_it() {
    let mut world = World::new(rules(&[], 10));
    assert_eq!(
        world.join(1, 6011),
        [
            Deed::Member(v4(6011), true),
            Deed::Send(ConnId(1), Frame::PeerResponse(Vec::new())),
        ]
    );
    let push = Frame::Push {
        ttl: 5,
        address: v4(6012),
    };
    assert_eq!(
        world.join(2, 6012),
        [
            Deed::Member(v4(6012), true),
            Deed::Send(ConnId(2), Frame::PeerResponse(vec![v4(6011)])),
            Deed::Send(ConnId(1), push),
        ]
    );
    assert_eq!(world.peers.view(None), [v4(6011), v4(6012)]);
}

#[test]
fn a_joiner_solves_the_puzzle_of_the_code_and_meets_whom_it_is_told_of() {
    let mut world = World::new(rules(&[6000], 10));
    world.dial(1, 6000);
    assert!(world.peers.is_believed(ConnId(1)));
    let view = vec![v4(6011), v4(6012), v4(6001)];
    let mut deeds = world.say(1, &Frame::PeerResponse(view));
    assert_eq!(deeds.remove(0), Deed::Member(v4(6000), true));
    assert!(deeds.contains(&Deed::Dial(v4(6011))) && deeds.contains(&Deed::Dial(v4(6012))));
    assert_eq!(deeds.len(), 2, "it does not dial itself: {deeds:?}");
    assert_eq!(world.later(Duration::from_secs(30)), []);
}

#[test]
fn a_wrong_solution_ends_the_connection_and_three_zero_bytes_are_a_right_one() {
    for (nonce, challenge, is_good) in [
        (137, 24_845, true),
        (NONCE, CHALLENGE, true),
        (NONCE, 1, false),
    ] {
        let mut world = World::new(rules(&[], 10));
        world.inbound(1);
        world.hello(1, 6011);
        world.peers.conns.get_mut(&ConnId(1)).unwrap().state = State::Solves(nonce);
        let solution = Frame::VerificationResponse {
            nonce,
            challenge,
            address: v4(6011),
        };
        let deeds = world.say(1, &solution);
        assert_eq!(is_closed(&deeds, 1), !is_good, "{deeds:?}");
        assert_eq!(world.peers.is_believed(ConnId(1)), is_good);
    }
    // Nor is a solution of another puzzle, or one nobody asked for.
    let mut world = World::new(rules(&[], 10));
    world.inbound(1);
    let unasked = solution(6011);
    assert!(is_closed(&world.say(1, &unasked), 1));
    world.inbound(2);
    assert_ne!(world.hello(2, 6012), NONCE);
    assert!(is_closed(&world.say(2, &unasked), 2));
}

/// One join in a view of five with ttl 5 made 91 PUSH frames to the newcomer alone.
#[test]
fn one_join_makes_one_push_to_each_member_and_none_to_the_newcomer() {
    let mut world = World::new(rules(&[], 50));
    for n in 1..=5 {
        world.join(n.into(), 6010 + n);
    }
    let deeds = world.join(6, 6016);
    assert_eq!(pushes(&deeds), 5, "{deeds:?}");
    assert!(
        !deeds
            .iter()
            .any(|deed| matches!(deed, Deed::Send(ConnId(6), Frame::Push { .. })))
    );
}

#[test]
fn a_push_is_passed_on_once_never_back_and_with_fewer_hops() {
    let mut world = World::new(rules(&[6000], 50));
    for n in 1..=4 {
        world.join(n.into(), 6010 + n);
    }
    let push = |ttl, port| Frame::Push {
        ttl,
        address: v4(port),
    };
    let deeds = world.say(1, &push(5, 7000));
    assert!(deeds.contains(&Deed::Dial(v4(7000))));
    let expected: Vec<_> = (2..=4)
        .map(|conn| Deed::Send(ConnId(conn), push(4, 7000)))
        .collect();
    assert!(
        expected.iter().all(|deed| deeds.contains(deed)) && pushes(&deeds) == 3,
        "{deeds:?}"
    );
    for conn in 1..=4 {
        assert_eq!(world.say(conn, &push(5, 7000)), [Deed::Count("push_known")]);
    }
    // At 0 it goes no further; and nobody makes it live longer than our own do.
    assert_eq!(pushes(&world.say(1, &push(0, 7001))), 0);
    let deeds = world.say(1, &push(u16::MAX, 7002));
    assert!(
        deeds.contains(&Deed::Send(ConnId(2), push(5, 7002))),
        "{deeds:?}"
    );
}

/// After a newcomer left, 125 attempts to connect to it were refused.
#[test]
fn an_address_is_not_dialled_again_and_again() {
    let mut world = World::new(rules(&[6000], 50));
    world.join(1, 6011);
    let push = Frame::Push {
        ttl: 0,
        address: v4(7000),
    };
    assert_eq!(world.say(1, &push), [Deed::Dial(v4(7000))]);
    world.peers.on_undialled(v4(7000));
    world.peers.take_deeds();
    for _ in 0..100 {
        assert_eq!(world.say(1, &push), [Deed::Count("push_known")]);
    }
    world.peers.on_request(ConnId(1), world.now);
    world.peers.take_deeds();
    assert_eq!(world.peers.footprint(), (1, 0));
}

/// Strangers who held connections took the places of everybody a member told of, for minutes.
#[test]
fn who_only_connects_takes_no_place_from_those_whom_members_name() {
    let mut world = World::new(rules(&[], 4));
    world.join(1, 6011);
    for conn in 2..10 {
        world.inbound(conn);
    }
    world.hello(2, 6012);
    let push = Frame::Push {
        ttl: 0,
        address: v4(7000),
    };
    assert_eq!(world.say(1, &push), [Deed::Dial(v4(7000))]);
}

/// Whoever said HELLO in another's name kept that one from being met until the time for the puzzle was over.
#[test]
fn who_only_claims_an_address_keeps_nobody_from_being_met_there() {
    let mut world = World::new(rules(&[6000], 10));
    world.join(1, 6011);
    world.inbound(2);
    world.hello(2, 7000);
    let push = Frame::Push {
        ttl: 0,
        address: v4(7000),
    };
    assert_eq!(world.say(1, &push), [Deed::Dial(v4(7000))]);

    // Nor from being joined by.
    let mut world = World::new(rules(&[6000], 10));
    world.inbound(1);
    world.hello(1, 6000);
    assert_eq!(world.later(Duration::ZERO), [Deed::Dial(v4(6000))]);
}

/// A solved puzzle buys a place, and not the place of another.
#[test]
fn a_member_that_names_an_address_of_others_gets_nothing_that_is_for_them() {
    let mut world = World::new(rules(&[6000], 10));
    world.join(1, 6011);
    let far: SocketAddr = "198.51.100.7:4000".parse().unwrap();
    world
        .peers
        .on_inbound(ConnId(9), far, SocketAddr::V4(v4(6001)), world.now);
    world.hello(9, 7000);
    world.peers.conns.get_mut(&ConnId(9)).unwrap().state = State::Solves(NONCE);
    world.say(9, &solution(7000));
    assert!(world.peers.is_believed(ConnId(9)));

    let push = Frame::Push {
        ttl: 0,
        address: v4(7000),
    };
    assert_eq!(world.say(1, &push), [Deed::Dial(v4(7000))]);
    let local = SocketAddr::V4(v4(41_000));
    world
        .peers
        .on_outbound(ConnId(3), v4(7000), local, world.now);
    world.say(3, &Frame::VerificationRequest { nonce: NONCE });
    world.peers.on_solved(ConnId(3), Some(CHALLENGE), world.now);
    world.say(3, &Frame::PeerResponse(Vec::new()));
    let targets = world.peers.targets(None, &mut world.chance, world.now);
    let targets: std::collections::BTreeSet<_> = targets.into_iter().collect();
    assert_eq!(targets, [ConnId(1), ConnId(3)].into());
}

#[test]
fn who_is_not_a_member_is_not_believed_and_not_answered() {
    let mut world = World::new(rules(&[], 10));
    world.join(1, 6011);
    world.inbound(2);
    let push = Frame::Push {
        ttl: 5,
        address: v4(7000),
    };
    assert_eq!(
        world.say(2, &Frame::PeerRequest),
        [Deed::Count("stranger_asked")]
    );
    assert_eq!(world.say(2, &push), [Deed::Count("stranger_pushed")]);
    assert_eq!(
        world.say(2, &Frame::PeerResponse(vec![v4(7000)])),
        [Deed::Count("view_unasked")]
    );
    assert!(!world.peers.is_believed(ConnId(2)));
    assert_eq!(
        world.say(1, &Frame::PeerResponse(vec![v4(7000)])),
        [Deed::Count("view_unasked")]
    );
}

/// Five HELLOs in a row all got nonces, and none was ever forgotten.
#[test]
fn a_handshake_that_is_not_gone_on_with_is_cut_off_and_forgotten() {
    let mut world = World::new(rules(&[], 10));
    world.inbound(1);
    world.inbound(2);
    world.hello(2, 6012);
    for _ in 0..4 {
        assert_eq!(
            world.say(2, &Frame::Hello { address: v4(6012) }),
            [Deed::Count("hello_ignored")]
        );
    }
    assert!(is_closed(&world.later(HELLO_TIMEOUT), 1));
    assert!(is_closed(&world.later(SOLVE_TIMEOUT), 2));
    assert_eq!(world.peers.footprint(), (0, 0));
}

#[test]
fn connections_that_are_no_members_have_a_bound() {
    let mut world = World::new(rules(&[], 10));
    for conn in 0..300 {
        world.inbound(conn);
    }
    assert_eq!(world.peers.footprint().0, UNVERIFIED_MAX);
    // And fewer from one address that is not this machine's.
    let mut world = World::new(rules(&[], 10));
    let far: SocketAddr = "198.51.100.7:4000".parse().unwrap();
    for conn in 0..20 {
        world
            .peers
            .on_inbound(ConnId(conn), far, SocketAddr::V4(v4(6001)), world.now);
    }
    assert_eq!(world.peers.footprint().0, UNVERIFIED_OF_ONE_MAX);
}

#[test]
fn a_full_view_gives_up_one_that_came_and_never_one_that_was_chosen() {
    let mut world = World::new(rules(&[6000], 3));
    world.dial(1, 6000);
    world.say(1, &Frame::PeerResponse(Vec::new()));
    for n in 2..20 {
        world.join(n, 6010 + u16::try_from(n).unwrap());
        assert!(world.peers.view(None).len() <= 3);
        assert!(world.peers.view(None).contains(&v4(6000)));
    }
    assert_eq!(world.peers.footprint().0, 3);
}

#[test]
fn one_that_started_again_takes_its_own_place_and_nobody_elses() {
    let mut world = World::new(rules(&[], 10));
    world.join(1, 6011);
    let deeds = world.join(2, 6011);
    assert!(
        is_closed(&deeds, 1) && world.peers.is_believed(ConnId(2)),
        "{deeds:?}"
    );

    let far: SocketAddr = "198.51.100.7:4000".parse().unwrap();
    world
        .peers
        .on_inbound(ConnId(3), far, SocketAddr::V4(v4(6001)), world.now);
    world.hello(3, 6011);
    world.peers.conns.get_mut(&ConnId(3)).unwrap().state = State::Solves(NONCE);
    let deeds = world.say(3, &solution(6011));
    assert!(
        is_closed(&deeds, 3) && world.peers.is_believed(ConnId(2)),
        "{deeds:?}"
    );
}

#[test]
fn nobody_is_sent_to_an_address_that_is_not_that_of_who_names_it() {
    let mut world = World::new(rules(&[], 10));
    world.join(1, 6011);
    world.inbound(2);
    world.hello(2, 6012);
    world.peers.conns.get_mut(&ConnId(2)).unwrap().state = State::Solves(NONCE);
    let address = "198.51.100.7:80".parse().unwrap();
    let lie = Frame::VerificationResponse {
        nonce: NONCE,
        challenge: CHALLENGE,
        address,
    };
    assert_eq!(pushes(&world.say(2, &lie)), 0);
}

#[test]
fn a_node_that_lost_everybody_joins_again_with_growing_pauses() {
    let mut world = World::new(rules(&[6000], 10));
    world.dial(1, 6000);
    world.say(1, &Frame::PeerResponse(Vec::new()));
    world.peers.on_closed(ConnId(1), world.now);
    assert_eq!(world.peers.take_deeds(), [Deed::Member(v4(6000), false)]);
    let mut dials = 0;
    for _ in 0..120 {
        for deed in world.later(Duration::from_secs(1)) {
            assert_eq!(deed, Deed::Dial(v4(6000)));
            world.peers.on_undialled(v4(6000));
            world.peers.take_deeds();
            dials += 1;
        }
    }
    assert!((5..=9).contains(&dials), "{dials} dials in two minutes");
}

#[test]
fn a_spread_that_finds_too_few_asks_a_member_for_more_but_not_each_time() {
    let mut world = World::new(rules(&[], 10));
    world.join(1, 6011);
    let targets = |world: &mut World| {
        let targets = world.peers.targets(None, &mut world.chance, world.now);
        (targets, world.peers.take_deeds())
    };
    let (told, deeds) = targets(&mut world);
    assert_eq!(
        (told, deeds),
        (
            vec![ConnId(1)],
            vec![Deed::Send(ConnId(1), Frame::PeerRequest)]
        )
    );
    assert_eq!(targets(&mut world).1, []);
    let deeds = world.say(1, &Frame::PeerResponse(vec![v4(7000)]));
    assert_eq!(deeds, [Deed::Dial(v4(7000))]);
    assert_eq!(
        world
            .peers
            .targets(Some(ConnId(1)), &mut world.chance, world.now),
        []
    );
}

#[test]
fn a_view_is_told_to_a_member_at_most_every_few_seconds() {
    let mut world = World::new(rules(&[], 10));
    world.join(1, 6011);
    world.join(2, 6012);
    let view = Deed::Send(ConnId(1), Frame::PeerResponse(vec![v4(6012)]));
    assert_eq!(
        world.say(1, &Frame::PeerRequest),
        std::slice::from_ref(&view)
    );
    assert_eq!(
        world.say(1, &Frame::PeerRequest),
        [Deed::Count("asked_too_often")]
    );
    world.later(VIEW_EVERY);
    assert_eq!(world.say(1, &Frame::PeerRequest), [view]);
}

#[test]
fn frames_of_modules_have_no_business_at_the_port_of_peers() {
    let mut world = World::new(rules(&[], 10));
    world.join(1, 6011);
    assert!(is_closed(&world.say(1, &Frame::Notify { data_type: 1 }), 1));
}

#[test]
fn a_member_is_pinged_each_minute() {
    let mut world = World::new(rules(&[], 10));
    world.join(1, 6011);
    assert_eq!(
        world.later(PING_EVERY),
        [Deed::Send(ConnId(1), Frame::Ping)]
    );
    assert_eq!(world.say(1, &Frame::Ping), []);
    assert_eq!(world.peers.next_wakeup(), Some(world.now + PING_EVERY));
}
