//! The exercise: foreign peers and seeds, gateways as peers and as seeds.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bruit::{Draft, Node};
use bruit_gateways::Running;
use bruit_gateways::p2p_messaging::config::{Config, Role};
use bruit_gateways::p2p_messaging::pickle;
use bruit_gateways::p2p_messaging::socket::{self, TOPIC};
use tokio::io::AsyncWriteExt as _;

use crate::common::{Foreign, gateways_meet, listen, next, node, until};
use crate::load::{Load, MADE};

pub(crate) fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

pub(crate) async fn gateway(node: &Node, config: Config) -> Running {
    let listen = "127.0.0.1:0".parse().unwrap();
    let started = socket::start(Arc::new(node.clone()), listen, config);
    started.await.expect("it listens")
}

pub(crate) fn quick(seeds: &[&str]) -> Config {
    Config {
        seeds: seeds.iter().map(|seed| seed.parse().unwrap()).collect(),
        liveness: Duration::from_secs(1),
        messages: 0,
        ..Config::default()
    }
}

/// What came to `foreign`, and how often: what it says until it is silent for `time`.
fn frames(foreign: &mut Foreign, time: Duration) -> BTreeMap<String, usize> {
    let mut frames = BTreeMap::new();
    while let Some(text) = foreign.says("frame", time) {
        *frames.entry(text).or_default() += 1;
    }
    frames
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_either_side_reach_everyone_and_cross_once() {
    let Some(first_seed) = Foreign::start("p2p_messaging.py", &["seed"]) else {
        return;
    };
    let second_seed = Foreign::start("p2p_messaging.py", &["seed"]).unwrap();
    let seeds = [&first_seed.address[..], &second_seed.address[..]];
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        output: Some(folder.path().to_owned()),
        ..quick(&seeds)
    };
    let gate_a = gateway(&a, config.clone()).await;
    let gate_b = gateway(&b, config).await;
    let gates = [&gate_a, &gate_b].map(|gate| gate.listen()[0].port());
    let output = |gate: u16| {
        let path = folder.path().join(format!("output_{gate}.txt"));
        std::fs::read_to_string(path).unwrap()
    };
    gateways_meet(TOPIC, [&a, &b]).await;
    let mut at_a = listen(&a, TOPIC);
    let mut at_b = listen(&b, TOPIC);
    let peer = |speed| {
        let arguments = ["peer", speed, port(seeds[0]), port(seeds[1])];
        Foreign::start("p2p_messaging.py", &arguments).unwrap()
    };
    let mut foreign = [peer("10"), peer("10"), peer("10")];

    // A bulletin is a number out there, of one of the gateways, and its text stays inside.
    until("the gateways know the foreign peers", async || {
        let knows = |gate| {
            let output = output(gate);
            let peers = output.lines().rfind(|line| line.starts_with("peers"))?;
            let is_there = |peer: &Foreign| peers.contains(port(&peer.address));
            foreign.iter().all(is_there).then_some(())
        };
        gates.map(knows).iter().all(Option::is_some).then_some(())
    })
    .await;
    let posted = b.publish(Draft::new(TOPIC, "a text")).await.unwrap();
    let mut bodies = [Vec::new(), Vec::new()];
    for (subscription, bodies) in [&mut at_a, &mut at_b].into_iter().zip(&mut bodies) {
        // Three peers with ten numbers each, and ours.
        while bodies.len() < 31 {
            let received = next(subscription).await;
            if received.id != posted.id {
                assert_eq!(received.tag.len(), 32);
            }
            bodies.push(String::from_utf8(received.body.to_vec()).unwrap());
        }
        bodies.sort();
    }
    assert_eq!(bodies[0], bodies[1]);
    let mut once = bodies[0].clone();
    once.dedup();
    assert_eq!(once.len(), 31, "each once");
    assert!(once.contains(&"a text".to_owned()));
    for peer in &mut foreign {
        let frames = frames(peer, Duration::from_millis(500));
        let of_gateways = frames.keys().filter(|text| {
            let is_of = |gate: &u16| text.starts_with(&format!("1133:{gate}:"));
            gates.iter().any(is_of)
        });
        assert_eq!(of_gateways.count(), 1, "{frames:?}");
        assert!(!frames.keys().any(|text| text.contains("text")));
        // The others' twenty, but for what was said before this one was there, and ours. Of each at most one from
        // each of the four other members, and nothing goes back to its maker.
        assert!((15..=21).contains(&frames.len()), "{frames:?}");
        assert!(frames.values().all(|times| *times <= 4), "{frames:?}");
        let own = format!("1133:{}:", port(&peer.address));
        assert!(!frames.keys().any(|text| text.starts_with(&own)));
    }
    let output = output(gates[0]);
    assert!(output.matches("received 1133:").count() >= 30);
    assert!(output.contains("peers ["));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_serves_originals_and_a_peer_that_dies_is_found_dead() {
    let a = node(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        role: Role::Both,
        output: Some(folder.path().to_owned()),
        ..quick(&["127.0.0.1:0"])
    };
    // The peer's own seed is told its port only when it listens: here it stands beside it.
    let seed = gateway(
        &a,
        Config {
            role: Role::Seed,
            ..config.clone()
        },
    )
    .await;
    let at_seed = seed.listen()[0].to_string();
    let gate = gateway(
        &a,
        Config {
            role: Role::Peer,
            ..quick(&[&at_seed])
        },
    )
    .await;
    let Some(mut first) = Foreign::start("p2p_messaging.py", &["peer", "10", port(&at_seed)])
    else {
        return;
    };
    let mut second = Foreign::start("p2p_messaging.py", &["peer", "10", port(&at_seed)]).unwrap();
    let list = || ask(&at_seed, "PEERLIST_REQUEST");
    until("all are listed", async || {
        (pickle::decode(&list()).unwrap().len() == 3).then_some(())
    })
    .await;
    assert!(second.said("gossip").starts_with("1133:"));

    // A report alone removes nobody.
    let own: i32 = port(&second.address).parse().unwrap();
    first.tell(&format!("dead {own}"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(pickle::decode(&list()).unwrap().contains(&own));

    drop(second);
    until("the dead one is removed", async || {
        let listed = pickle::decode(&list()).unwrap();
        (!listed.contains(&own) && listed.len() == 2).then_some(())
    })
    .await;
    assert!(gate.counters().get("died") >= 1);
    let output = std::fs::read_to_string(folder.path().join("output_seed.txt")).unwrap();
    assert!(output.contains(&format!("dead {own}")), "{output}");
    first.tell("list");
    first.said("list");
}

/// Says something on a connection of its own and reads the answer.
pub(crate) fn ask(to: &str, text: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_said_ends_a_gateway_or_holds_it_up() {
    let a = node(&[]).await;
    let seed = gateway(
        &a,
        Config {
            role: Role::Seed,
            ..quick(&["127.0.0.1:0"])
        },
    )
    .await;
    let at_seed = seed.listen()[0].to_string();
    let gate = gateway(&a, quick(&[&at_seed])).await;
    let at_gate = gate.listen()[0].to_string();
    let mut held = Vec::new();
    for address in [&at_gate, &at_seed] {
        for text in [
            "REGISTER:x",
            "nonsense",
            "1133:1:1:11133:2:2:2",
            &"1".repeat(2_000),
        ] {
            ask_quietly(address, text.as_bytes());
        }
        ask_quietly(address, &[0xff; 3]);
        // Connections that say nothing.
        held.extend((0..100).map(|_| TcpStream::connect(address).unwrap()));
    }
    let answer = ask(&at_seed, "REGISTER:8109");
    assert!(answer.starts_with(b"8109 Registered"));
    assert!(gate.counters().get("dropped_malformed") >= 4);
    drop(held);
}

/// Says something that is refused: the connection may be cut.
fn ask_quietly(to: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(bytes).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_numbers_a_second_cross_or_are_counted_as_dropped() {
    let a = node(&[]).await;
    let gate = gateway(&a, quick(&[])).await;
    let to = gate.listen()[0];
    let load = Load::send("p2p-messaging", async |n| {
        let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
        let said = format!("1133:8101:1795168660:{n}");
        stream.write_all(said.as_bytes()).await.unwrap();
    });
    let load = load.await;
    load.settles(gate.counters(), &MADE).await;
    let heard = gate.counters().get("messages_in");
    assert_eq!(heard, load.sent, "none was lost");
}
