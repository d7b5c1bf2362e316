use super::*;

const OWN: u16 = 8_200;

fn author(n: u8) -> AuthorId {
    AuthorId::from_bytes([n; 32])
}

struct Bench {
    gateway: Gateway,
    start: Instant,
}

impl Bench {
    fn new(config: Config) -> Self {
        let start = Instant::now();
        let ip = "127.0.0.1".to_owned();
        Self {
            gateway: Gateway::new(config, ip, OWN, author(1), 3, start),
            start,
        }
    }

    /// One that a seed has told of 8101, 8102 and 8103.
    fn with_three() -> Self {
        let mut bench = Self::new(Config::default());
        let ports = vec![OWN, 8_101, 8_102, 8_103];
        bench.at(0, Event::Listed { seed: 0, ports });
        bench
    }

    fn now(&self, s: u64) -> Now {
        Now {
            at: self.start + Duration::from_secs(s),
            seconds: 1_795_168_660 + s,
        }
    }

    fn at(&mut self, s: u64, event: Event) -> Vec<Action> {
        let now = self.now(s);
        self.gateway.handle(event, now)
    }

    fn hear(&mut self, s: u64, text: &str) -> Vec<Action> {
        let message = Message::decode(text.as_bytes(), 500).unwrap();
        self.at(s, Event::Message(message))
    }

    fn wake(&mut self, s: u64) -> Vec<Action> {
        let now = self.now(s);
        self.gateway.wake(now)
    }
}

fn sent(actions: &[Action]) -> Vec<(u16, String)> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send { port, message } => Some((*port, message.to_string())),
        _ => None,
    });
    sent.collect()
}

fn to_seeds(actions: &[Action]) -> Vec<(usize, String)> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Seed { seed, message } => Some((*seed, message.to_string())),
        _ => None,
    });
    sent.collect()
}

#[test]
fn it_registers_with_more_than_half_of_the_seeds_and_asks_all_of_them() {
    let seeds = (1..=4).map(|n| std::net::SocketAddr::from(([127, 0, 0, 1], 6_100 + n)));
    let mut bench = Bench::new(Config {
        seeds: seeds.collect(),
        ..Config::default()
    });
    let asked = to_seeds(&bench.wake(0));
    let count = |text: &str| asked.iter().filter(|(_, said)| said == text).count();
    assert_eq!((count("REGISTER:8200"), count("PEERLIST_REQUEST")), (3, 4));
    // A seed that has forgotten is told again, and no other.
    let chosen = asked[0].0;
    let ports = vec![8_101];
    let again = bench.at(
        1,
        Event::Listed {
            seed: chosen,
            ports,
        },
    );
    assert_eq!(to_seeds(&again), [(chosen, "REGISTER:8200".to_owned())]);
    let ports = vec![8_101, OWN];
    let again = bench.at(
        1,
        Event::Listed {
            seed: chosen,
            ports,
        },
    );
    assert_eq!(to_seeds(&again), []);
}

#[test]
fn gossip_goes_to_all_but_its_origin_and_into_bruit_once() {
    let mut bench = Bench::with_three();
    let actions = bench.hear(1, "1155:8101:1795168660:1");
    let text = "1133:8101:1795168660:1".to_owned();
    assert_eq!(sent(&actions), [(8_102, text.clone()), (8_103, text)]);
    let gossip = Gossip {
        origin: 8_101,
        seconds: 1_795_168_660,
        count: 1,
    };
    let id = name(&gossip);
    assert!(actions.contains(&Action::Publish { id, gossip }));
    assert!(bench.hear(2, "1133:8101:1795168660:1").is_empty());
}

#[test]
fn a_bulletin_goes_out_as_the_next_number() {
    let mut bench = Bench::new(Config::default());
    let id = BulletinId::from_bytes([5; 32]);
    let age = Duration::ZERO;
    assert!(
        bench
            .at(
                0,
                Event::Native {
                    id,
                    age,
                    is_past: false,
                }
            )
            .is_empty()
    );
    let ports = vec![8_101];
    let actions = bench.at(1, Event::Listed { seed: 0, ports });
    assert_eq!(
        sent(&actions),
        [(8_101, "1133:8200:1795168661:1".to_owned())]
    );
    let ours = "1133:8200:1795168661:1";
    assert!(bench.hear(2, ours).is_empty(), "it does not come back");
}

#[test]
fn ten_numbers_are_said_as_the_original_does_and_bulletins_go_on_counting() {
    let mut bench = Bench::with_three();
    let mut said = Vec::new();
    for s in 1..200 {
        let actions = bench.wake(s);
        said.extend(actions.into_iter().filter_map(|action| match action {
            Action::Sent(gossip) => Some((s, gossip.count)),
            _ => None,
        }));
        for port in 8_101..=8_103 {
            let seconds = 1_795_168_660 + s;
            bench.hear(s, &format!("1144:{seconds}:{OWN}:{port}"));
        }
    }
    assert_eq!(said, (1..=10).map(|n| (n * 5, n)).collect::<Vec<_>>());
    let id = BulletinId::from_bytes([5; 32]);
    let age = Duration::ZERO;
    let actions = bench.at(
        200,
        Event::Native {
            id,
            age,
            is_past: false,
        },
    );
    assert!(sent(&actions)[0].1.ends_with(":11"));
}

#[test]
fn what_another_gateway_says_is_passed_on_and_not_carried_in() {
    let mut bench = Bench::with_three();
    let (author, port) = (author(2), Some(8_101));
    bench.at(0, Event::Present { author, port });
    let actions = bench.hear(1, "1133:8101:1795168660:1");
    assert_eq!(sent(&actions).len(), 2);
    assert!(!actions.iter().any(|a| matches!(a, Action::Publish { .. })));
}

#[test]
fn a_peer_is_dead_when_three_questions_went_without_an_answer() {
    let mut bench = Bench::with_three();
    bench.gateway.config.messages = 0;
    bench.gateway.chosen = Chosen::new(2, &mut bench.gateway.rng);
    for s in [13, 26, 39] {
        let asked = sent(&bench.wake(s));
        assert_eq!(asked.len(), 3, "{s}");
        let seconds = 1_795_168_660 + s;
        assert_eq!(asked[0].1, format!("1122:{seconds}:8200:"));
        for port in [8_101, 8_102] {
            bench.hear(s + 1, &format!("1144:{seconds}:{OWN}:{port}"));
        }
    }
    // The third was not answered in time: it is dead when the fourth is due, not before.
    let actions = bench.wake(52);
    assert!(actions.contains(&Action::Died(8_103)));
    assert!(actions.contains(&Action::Peers(vec![8_101, 8_102])));
    let dead = "DEAD:127.0.0.1:8103:1795168712:8200".to_owned();
    let told: Vec<_> = to_seeds(&actions)
        .into_iter()
        .filter(|(_, text)| *text == dead)
        .collect();
    assert_eq!(told.len(), 2);
}

// Each of the original's weaknesses, tried.

#[test]
fn a_port_that_a_message_names_is_no_member_before_it_has_answered() {
    let mut bench = Bench::with_three();
    let actions = bench.hear(1, "1133:7777:1795168660:1");
    let asked: Vec<_> = sent(&actions)
        .into_iter()
        .filter(|(port, _)| *port == 7_777)
        .collect();
    assert_eq!(asked, [(7_777, "1122:1795168661:8200:".to_owned())]);
    assert!(!bench.gateway.members.has(7_777));
    bench.hear(2, "1144:1795168000:8200:7777");
    assert!(
        !bench.gateway.members.has(7_777),
        "another question's answer"
    );
    bench.hear(2, "1144:1795168661:8200:7777");
    assert!(bench.gateway.members.has(7_777));
}

#[test]
fn an_answer_that_nobody_asked_for_keeps_no_dead_peer_alive() {
    let mut bench = Bench::with_three();
    for s in [13, 26, 39, 52] {
        bench.wake(s);
        bench.hear(s, "1144:1:8200:8103");
        bench.hear(s, "1144:1:8200:9999");
    }
    assert!(bench.gateway.members.is_empty());
    assert_eq!(bench.gateway.counters().get("dropped_unasked_reply"), 8);
    // Gossip that comes late does not bring it back.
    bench.hear(53, "1133:8103:1795168660:9");
    assert!(bench.gateway.members.is_empty());
}

/// A peer that was started again had no history, and passed on again what it had passed on.
#[test]
fn what_bruit_heard_before_the_gateway_began_is_not_said_again() {
    let mut bench = Bench::with_three();
    let gossip = Gossip {
        origin: 8_101,
        seconds: 1_795_168_600,
        count: 1,
    };
    let crossed = |count: u64, is_past: bool| {
        let gossip = Gossip { count, ..gossip };
        Event::Crossed {
            id: name(&gossip),
            body: gossip.to_string().into_bytes(),
            by: author(1),
            is_past,
        }
    };
    let native = |id: u8, is_past: bool| Event::Native {
        id: BulletinId::from_bytes([id; 32]),
        age: Duration::from_secs(5),
        is_past,
    };
    for event in [crossed(1, true), native(1, true), crossed(2, false)] {
        assert_eq!(bench.at(1, event), []);
    }
    assert_eq!(bench.hear(2, "1133:8101:1795168600:1"), []);
    // Of what is new each gateway passes on what it hears, whichever brought it in.
    let passed = bench.hear(2, "1133:8101:1795168600:2");
    assert_eq!(sent(&passed).len(), 2);
    assert_eq!(sent(&bench.at(2, native(2, false))).len(), 3);
    assert_eq!(bench.gateway.counters().get("known_from_before"), 2);
}

/// The list of hashes only ever grew.
#[test]
fn numbers_are_remembered_within_a_bound() {
    let mut bench = Bench::new(Config::default());
    let count = u64::try_from(SEEN_MAX).unwrap() + 500;
    for n in 0..count {
        let gossip = Gossip {
            origin: 8_101,
            seconds: 1,
            count: n,
        };
        bench.at(1, Event::Message(Message::Gossip(gossip)));
    }
    assert_eq!(bench.gateway.seen.len(), SEEN_MAX);
    let last = format!("1133:8101:1:{}", count - 1);
    assert_eq!(bench.hear(1, &last), []);
}

#[test]
fn whoever_names_ports_does_not_make_us_call_all_of_them() {
    let mut bench = Bench::with_three();
    let mut called = 0;
    for port in 1..2_000 {
        called += sent(&bench.hear(1, &format!("1122:1:{port}:"))).len();
        let gossip = bench.hear(1, &format!("1133:{}:1:1", port + 20_000));
        called += sent(&gossip).iter().filter(|(to, _)| *to > 20_000).count();
    }
    assert!(called <= 32, "{called}");
}
