//! The peer of dave's against what brought the original down, and in a network of its kind.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bruit::AuthorId;

use super::codec::{Dat, Message, Op, Work};
use super::config::Config;
use super::gateway::{Action, Event, Gateway};
use super::work::{self, Search};

/// So many milliseconds after the beginning.
fn at(ms: u64) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(|| Instant::now() + Duration::from_hours(1)) + Duration::from_millis(ms)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Values cost one zero byte in these tests, so that they can be mined on the spot.
fn cheap() -> Config {
    Config {
        work_store: 1,
        work_forward: 1,
        ..Config::default()
    }
}

fn gateway(config: Config) -> Gateway {
    Gateway::new(config, AuthorId::from_bytes([1; 32]), 7, at(0))
}

fn value(text: &str, zeros: usize) -> Dat {
    let mut dat = Dat {
        val: text.as_bytes().to_vec(),
        tag: b"tag".to_vec(),
        ..Dat::default()
    };
    assert!(Search::default().mine(&mut dat, zeros, [0; 16], 1));
    dat
}

fn work_of(dat: &Dat) -> Work {
    dat.work[..].try_into().unwrap()
}

fn message(op: Op, dat: &Dat, peers: &[SocketAddr]) -> Message {
    Message {
        op,
        peers: peers.to_vec(),
        dat: dat.clone(),
    }
}

/// The bulletin of another gateway.
fn held(dat: &Dat) -> Event {
    Event::Held {
        dat: dat.clone(),
        by: AuthorId::from_bytes([2; 32]),
        age: Duration::ZERO,
    }
}

impl Gateway {
    fn hear(
        &mut self,
        from: SocketAddr,
        message: &Message,
        now: Instant,
    ) -> Vec<(SocketAddr, Message)> {
        let bytes = message.encode();
        sent(self.handle(Event::Datagram { from, bytes }, now))
    }

    /// Makes a peer of `from`, as one that asks and answers.
    fn befriend(&mut self, from: SocketAddr, now: Instant) {
        let out = self.hear(from, &Message::of(Op::GetPeer), now);
        assert!(out.contains(&(from, Message::of(Op::GetPeer))));
        self.hear(from, &Message::of(Op::Peer), now);
    }
}

fn sent(actions: Vec<Action>) -> Vec<(SocketAddr, Message)> {
    let sent = actions.into_iter().filter_map(|action| match action {
        Action::Send { to, bytes } => Some((to, Message::decode(&bytes).unwrap().message)),
        _ => None,
    });
    sent.collect()
}

fn of(op: Op, sent: &[(SocketAddr, Message)]) -> Vec<SocketAddr> {
    let of = sent.iter().filter(|(_, message)| message.op == op);
    of.map(|(to, _)| *to).collect()
}

#[test]
fn a_peer_asks_answers_and_tells_of_those_that_have_answered() {
    let mut peer = gateway(Config {
        join: vec![address(1)],
        ..Config::default()
    });
    assert_eq!(
        sent(peer.wake(at(1))),
        [(address(1), Message::of(Op::GetPeer))]
    );
    let told = Message {
        peers: vec![address(2), address(3)],
        ..Message::of(Op::Peer)
    };
    let out = peer.hear(address(1), &told, at(2));
    assert_eq!(of(Op::GetPeer, &out), [address(2), address(3)]);
    peer.hear(address(3), &Message::of(Op::Peer), at(3));

    let out = peer.hear(address(9), &Message::of(Op::GetPeer), at(4));
    let (_, answer) = out.iter().find(|(_, m)| m.op == Op::Peer).unwrap();
    let mut peers = answer.peers.clone();
    peers.sort();
    assert_eq!(peers, [address(1), address(3)], "2 has not answered");
}

#[test]
fn a_value_is_kept_passed_on_once_and_answered() {
    let mut peer = gateway(cheap());
    (1..=4).for_each(|port| peer.befriend(address(port), at(0)));
    let dat = value("a value", 1);
    let set = message(Op::SetDat, &dat, &[address(2)]);
    let from = address(1);
    let bytes = set.encode();
    let actions = peer.handle(Event::Datagram { from, bytes }, at(1));
    assert!(actions.contains(&Action::Publish(dat.clone())));
    let out = sent(actions);
    let mut to = of(Op::SetDat, &out);
    to.sort();
    assert_eq!(to, [address(3), address(4)], "not to those that have it");
    for (_, passed) in &out {
        assert_eq!(passed.peers, [address(2), address(1)]);
    }
    assert!(peer.hear(address(4), &set, at(2)).is_empty(), "once");

    let get = Message::get(&work_of(&dat));
    let out = peer.hear(address(3), &get, at(3));
    assert_eq!(out, [(address(3), message(Op::Dat, &dat, &[]))]);
}

#[test]
fn a_question_is_passed_on_with_the_address_it_came_from() {
    let mut peer = gateway(cheap());
    (1..=3).for_each(|port| peer.befriend(address(port), at(0)));
    let get = Message::get(&[7; 32]);
    let out = peer.hear(address(1), &get, at(1));
    assert_eq!(of(Op::GetDat, &out).len(), 2);
    assert!(out.iter().all(|(_, passed)| passed.peers == [address(1)]));
    let seven: Vec<_> = (11..18).map(address).collect();
    let far = message(Op::GetDat, &get.dat, &seven);
    assert!(peer.hear(address(1), &far, at(2)).is_empty());
}

#[test]
fn a_value_of_bruit_goes_to_different_peers_and_not_back_into_bruit() {
    let mut peer = gateway(cheap());
    let dat = value("from bruit", 1);
    let put = Event::Put {
        dat: dat.clone(),
        age: Duration::ZERO,
    };
    assert!(peer.handle(put, at(0)).is_empty());
    (1..=5).for_each(|port| peer.befriend(address(port), at(100)));
    let mut told = Vec::new();
    let mut spread = Vec::new();
    for ms in [1_000, 2_000, 6_000] {
        let actions = peer.wake(at(ms));
        let is_spread = |action: &&Action| matches!(action, Action::Spread { .. });
        spread.extend(actions.iter().filter(is_spread).cloned());
        told.extend(of(Op::SetDat, &sent(actions)));
    }
    told.sort();
    assert_eq!(told, (1..=5).map(address).collect::<Vec<_>>());
    let (work, peers) = (work_of(&dat), 5);
    assert_eq!(spread, [Action::Spread { work, peers }]);
    // One of them passes it on to us, as it does.
    peer.hear(
        address(1),
        &message(Op::SetDat, &dat, &[address(2)]),
        at(7_000),
    );
    let actions = peer.wake(at(60_000));
    assert!(!actions.iter().any(|a| matches!(a, Action::Publish(_))));
}

#[test]
fn what_bruit_asks_for_is_asked_again_until_it_comes() {
    let mut peer = gateway(cheap());
    peer.befriend(address(1), at(0));
    peer.befriend(address(2), at(0));
    let dat = value("wanted", 1);
    let work = work_of(&dat);
    let out = sent(peer.handle(Event::Want(work), at(1)));
    assert_eq!(of(Op::GetDat, &out).len(), 2);
    assert_eq!(of(Op::GetDat, &sent(peer.wake(at(1_100)))).len(), 2);
    let bytes = message(Op::Dat, &dat, &[]).encode();
    let from = address(2);
    let actions = peer.handle(Event::Datagram { from, bytes }, at(1_200));
    assert_eq!(actions, [Action::Publish(dat)]);
    assert!(of(Op::GetDat, &sent(peer.wake(at(9_000)))).is_empty());
}

#[test]
fn a_silent_peer_is_not_told_of_and_then_given_up() {
    let mut peer = gateway(Config::default());
    peer.befriend(address(1), at(0));
    let mut asked = 0;
    let mut gone = None;
    for beat in 1..400 {
        let now = at(beat * 128);
        asked += of(Op::GetPeer, &sent(peer.wake(now))).len();
        if beat == 12 {
            let told = peer.hear(address(5), &Message::of(Op::GetPeer), now);
            assert!(told.iter().all(|(_, message)| message.peers.is_empty()));
        }
        if peer.peers() == 0 {
            gone.get_or_insert(beat);
        }
    }
    assert!(gone.is_some(), "it stays for ever");
    assert!((27..35).contains(&asked), "{asked}");
}

// Each of the original's weaknesses, tried.

#[test]
fn malformed_datagrams_and_bad_addresses_do_no_harm() {
    let mut peer = gateway(cheap());
    peer.befriend(address(1), at(0));
    for bytes in [vec![0xff; 3], vec![0; 2_000], vec![0x12, 1, 0xff]] {
        let from = address(1);
        assert!(
            peer.handle(Event::Datagram { from, bytes }, at(1))
                .is_empty()
        );
    }
    let bad = [[0x08, 3, 0x12, 7].as_slice(), b"nothing"].concat();
    peer.handle(
        Event::Datagram {
            from: address(1),
            bytes: bad,
        },
        at(2),
    );
    assert_eq!(peer.counters().get("dropped_malformed"), 3);
    assert_eq!(peer.counters().get("dropped_bad_address"), 1);
    assert_eq!(peer.peers(), 1);
}

#[test]
fn a_victim_that_is_named_three_times_gets_one_empty_datagram() {
    let mut peer = gateway(cheap());
    let dat = value("large", 1);
    peer.befriend(address(1), at(0));
    peer.hear(address(1), &message(Op::SetDat, &dat, &[]), at(1));
    let victim = address(99);
    let mut to_victim = Vec::new();
    for ms in [10, 20, 30] {
        let get = message(Op::GetDat, &Message::get(&work_of(&dat)).dat, &[victim; 3]);
        let out = peer.hear(address(1), &get, at(ms));
        to_victim.extend(out.into_iter().filter(|(to, _)| *to == victim));
    }
    for beat in 0..100 {
        let out = sent(peer.wake(at(100 + beat * 128)));
        to_victim.extend(out.into_iter().filter(|(to, _)| *to == victim));
    }
    assert_eq!(to_victim, [(victim, Message::of(Op::GetPeer))]);
}

#[test]
fn a_stranger_gets_its_value_when_it_has_answered_and_once() {
    let mut peer = gateway(cheap());
    let dat = value("a value", 1);
    peer.handle(held(&dat), at(0));
    let get = Message::get(&work_of(&dat));
    let asker = address(5);
    let out = peer.hear(asker, &get, at(1));
    assert_eq!(out, [(asker, Message::of(Op::GetPeer))]);
    peer.hear(asker, &get, at(2));
    let out = peer.hear(asker, &Message::of(Op::Peer), at(3));
    assert_eq!(of(Op::Dat, &out), [asker]);
}

#[test]
fn a_small_question_does_not_send_the_value_again_and_again() {
    let mut peer = gateway(cheap());
    let dat = value("a value", 1);
    peer.handle(held(&dat), at(0));
    peer.befriend(address(1), at(0));
    let get = message(
        Op::GetDat,
        &Message::get(&work_of(&dat)).dat,
        &[address(1); 7],
    );
    let given: usize = (0..100)
        .map(|ms| of(Op::Dat, &peer.hear(address(1), &get, at(ms))).len())
        .sum();
    assert_eq!(given, 1);
}

#[test]
fn addresses_nobody_asked_for_do_not_enter_the_table() {
    let mut peer = gateway(cheap());
    let told = Message {
        peers: (1..50).map(address).collect(),
        ..Message::of(Op::Peer)
    };
    assert!(peer.hear(address(77), &told, at(0)).is_empty());
    peer.befriend(address(1), at(1));
    assert!(peer.hear(address(1), &told, at(2)).is_empty());
    assert_eq!(peer.peers(), 1);
    assert_eq!(peer.counters().get("dropped_unasked_peer"), 2);
}

#[test]
fn sources_do_not_fill_the_table() {
    let mut peer = gateway(cheap());
    for port in 1..5_000 {
        peer.hear(
            address(port),
            &Message::of(Op::GetPeer),
            at(u64::from(port)),
        );
    }
    assert_eq!(peer.peers(), 0);
    assert!(peer.table_strangers() <= super::peers::STRANGERS_MAX);
    let of_one_ip = |port| SocketAddr::from(([198, 51, 100, 7], port));
    for port in 1..100 {
        peer.befriend(of_one_ip(port), at(6_000));
    }
    assert_eq!(peer.peers(), super::peers::PEERS_PER_IP_MAX);
}

#[test]
fn values_not_worth_keeping_are_passed_on_at_a_bounded_rate() {
    let mut peer = gateway(Config {
        work_store: 2,
        work_forward: 1,
        ..Config::default()
    });
    peer.befriend(address(1), at(0));
    peer.befriend(address(2), at(0));
    let mut passed = 0;
    for n in 0..100 {
        let set = message(Op::SetDat, &value(&n.to_string(), 1), &[]);
        passed += of(Op::SetDat, &peer.hear(address(1), &set, at(1))).len();
    }
    // A lucky one may have two zero bytes.
    assert!((64..68).contains(&passed), "{passed}");
    assert!(peer.counters().get("dropped_cheap_forward") > 30);
}

#[test]
fn the_heart_beats_however_busy_it_is() {
    let mut peer = gateway(cheap());
    peer.befriend(address(1), at(0));
    let mut asked = 0;
    for ms in 1..3_000 {
        let now = at(ms);
        peer.hear(address(2), &Message::get(&[3; 32]), now);
        if peer.next_wake() <= now {
            let out = sent(peer.wake(now));
            asked += out.iter().filter(|(to, _)| *to == address(1)).count();
        }
    }
    assert!(asked >= 3, "{asked}");
}

#[test]
fn our_own_address_is_no_peer() {
    let own = address(1_618);
    let mut peer = gateway(Config {
        own: vec![own],
        join: vec![own],
        ..cheap()
    });
    assert!(peer.wake(at(0)).is_empty());
    assert!(peer.hear(own, &Message::of(Op::GetPeer), at(1)).is_empty());
    peer.befriend(address(1), at(2));
    assert_eq!(peer.peers(), 1);
}

const DAY_MS: u64 = 86_400_000;

/// The original keeps no times: what was mined once may be put for ever.
#[test]
fn a_value_that_is_put_for_ever_is_published_once_in_28_days() {
    let mut peer = gateway(cheap());
    peer.befriend(address(1), at(0));
    peer.befriend(address(2), at(0));
    let dat = value("mined in advance", 1);
    let set = message(Op::SetDat, &dat, &[]);
    let (mut published, mut passed) = (Vec::new(), 0);
    for day in 0..60 {
        for ms in 0..20 {
            let now = at(day * DAY_MS + ms);
            let (from, bytes) = (address(1), set.encode());
            let actions = peer.handle(Event::Datagram { from, bytes }, now);
            if actions.contains(&Action::Publish(dat.clone())) {
                published.push(day);
            }
            passed += of(Op::SetDat, &sent(actions)).len();
        }
    }
    assert_eq!(published, [0, 28, 56], "as often as a bulletin expires");
    assert_eq!(passed, 60, "once in ten minutes to the one other peer");
    assert_eq!(peer.counters().get("duplicates"), 60 * 20 - 1);
}

#[test]
fn a_value_goes_when_its_bulletin_expires() {
    let mut peer = gateway(cheap());
    let dat = value("for 28 days", 1);
    peer.handle(held(&dat), at(0));
    peer.wake(at(28 * DAY_MS - 1));
    assert!(peer.value(&work_of(&dat)).is_some());
    peer.wake(at(28 * DAY_MS));
    assert_eq!(peer.values(), 0);
}

/// Whoever asked for a value whose bulletin had been pushed out never got it.
#[test]
fn a_value_that_crossed_before_is_published_again_when_it_is_asked_for_once_an_hour() {
    const HOUR_MS: u64 = 3_600_000;
    let mut peer = gateway(cheap());
    let dat = value("pushed out", 1);
    let work = work_of(&dat);
    peer.handle(held(&dat), at(0));
    let mut wants = |ms| peer.handle(Event::Want(work), at(ms));
    assert!(wants(HOUR_MS / 2).is_empty(), "its bulletin is under way");
    assert_eq!(wants(HOUR_MS), [Action::Publish(dat.clone())]);
    for minute in 1..60 {
        assert!(wants(HOUR_MS + minute * 60_000).is_empty());
    }
    assert_eq!(wants(2 * HOUR_MS), [Action::Publish(dat)]);
}

/// The same when it has been pushed out of the gateway's table, too, and a peer has it still.
#[test]
fn a_wanted_value_is_published_when_it_comes_even_if_it_crossed_before() {
    let mut peer = gateway(cheap());
    peer.befriend(address(1), at(0));
    let dat = value("pushed out", 1);
    let (from, bytes) = (address(1), message(Op::SetDat, &dat, &[]).encode());
    let event = Event::Datagram { from, bytes };
    assert_eq!(peer.handle(event, at(0)).len(), 1);
    peer.forget_values();
    peer.handle(Event::Want(work_of(&dat)), at(4_000_000));
    let bytes = message(Op::Dat, &dat, &[]).encode();
    let event = Event::Datagram { from, bytes };
    assert_eq!(peer.handle(event, at(4_000_100)), [Action::Publish(dat)]);
}

/// The original keeps all it is sent.
#[test]
fn a_flood_of_values_is_kept_within_the_bound_and_the_oldest_go_first() {
    // Everything is paid for enough: what is tried is the table.
    let mut peer = gateway(Config {
        work_store: 0,
        work_forward: 0,
        ..Config::default()
    });
    let value = |n: u32| {
        let mut dat = Dat {
            val: [n.to_be_bytes().as_slice(), &[0; 1_276]].concat(),
            ..Dat::default()
        };
        let load = work::load(&[], &dat.val, &[]);
        dat.work = work::work(&load, &[]).to_vec();
        dat
    };
    let flood = 25_000;
    let mut published = 0;
    for (ms, n) in (0..flood).chain(0..100).enumerate() {
        let now = at(u64::try_from(ms).unwrap());
        let (from, bytes) = (address(1), message(Op::SetDat, &value(n), &[]).encode());
        let actions = peer.handle(Event::Datagram { from, bytes }, now);
        published += actions
            .iter()
            .filter(|a| matches!(a, Action::Publish(_)))
            .count();
    }
    assert_eq!(
        published, 25_000,
        "those that were pushed out and came again are not news"
    );
    assert!(peer.values() * 1_280 <= super::values::VALUES_BYTES_MAX);
    assert!(peer.values() >= 20_000);
    let has = |n| peer.value(&work_of(&value(n))).is_some();
    assert!(has(flood - 1) && has(99) && !has(100) && !has(1_000));
}

/// A network of peers and what is under way in it.
struct Network {
    peers: BTreeMap<SocketAddr, Gateway>,
    wires: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    published: Vec<(SocketAddr, Dat)>,
}

impl Network {
    fn run(&mut self, ms: std::ops::Range<u64>) {
        for ms in ms.step_by(20) {
            let addresses: Vec<_> = self.peers.keys().copied().collect();
            for address in addresses {
                let peer = self.peers.get_mut(&address).unwrap();
                let actions = peer.wake(at(ms));
                self.act(address, actions);
            }
            while let Some((from, to, bytes)) = self.wires.pop_front() {
                if let Some(peer) = self.peers.get_mut(&to) {
                    let actions = peer.handle(Event::Datagram { from, bytes }, at(ms));
                    self.act(to, actions);
                }
            }
        }
    }

    fn act(&mut self, of: SocketAddr, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, bytes } => self.wires.push_back((of, to, bytes)),
                Action::Publish(dat) => {
                    self.published.push((of, dat.clone()));
                    // Every other gateway hears of the bulletin.
                    for (address, peer) in &mut self.peers {
                        if *address != of {
                            peer.handle(held(&dat), at(0));
                        }
                    }
                }
                Action::Spread { .. } => {}
            }
        }
    }
}

#[test]
fn in_a_network_of_gateways_everyone_has_each_value_and_it_crosses_once() {
    let author = |port: u16| AuthorId::from_bytes([u8::try_from(port).unwrap(); 32]);
    let peer = |port: u16| {
        let config = Config {
            join: vec![address(1)],
            own: vec![address(port)],
            ..cheap()
        };
        let mut peer = Gateway::new(config, author(port), port.into(), at(0));
        (1..=6).for_each(|other| drop(peer.handle(Event::Present(author(other)), at(0))));
        (address(port), peer)
    };
    let mut network = Network {
        peers: (1..=6).map(peer).collect(),
        wires: VecDeque::new(),
        published: Vec::new(),
    };
    network.run(0..5_000);
    for peer in network.peers.values() {
        assert!(peer.peers() >= 3, "{}", peer.peers());
    }
    let dat = value("from outside", 1);
    let bytes = message(Op::SetDat, &dat, &[]).encode();
    network.wires.push_back((address(99), address(4), bytes));
    network.run(5_000..40_000);
    assert_eq!(network.published.len(), 1);
    let work = work_of(&dat);
    assert!(network.peers.values().all(|p| p.value(&work).is_some()));
    assert_eq!(work::check(&dat).map(|zeros| zeros >= 1), Ok(true));
    assert!(Duration::from_millis(1) < Config::default().period);
}
