//! Gossip-5: three foreign peers and two nodes with gateways, and one module that announces more than anybody should.
//! What modules and peers promise each other, frame by frame, is in `tests/voidphone/`.

use std::sync::Arc;
use std::time::Duration;

use bruit::{Draft, Incoming, Node};
use bruit_gateways::voidphone::{self, Config};
use bruit_gateways::{Running, hex};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::common::{Foreign, SOON, gateways_meet, listen, next, node, nothing, until};
use crate::load::Load;

/// How a seed begins, and is zeros from there on, of whose first puzzle challenge 4869 is the smallest solution.
const QUICK_SEED: [u8; 2] = [1, 129];

/// A foreign peer with the limits of the course's example, which gives up puzzles that take more than a moment.
fn foreign(bootstrapper: Option<&Foreign>) -> Option<Foreign> {
    let mut arguments = vec!["50", "30", "5", "50000"];
    arguments.extend(bootstrapper.map(|peer| &peer.address[..]));
    Foreign::start("voidphone.py", &arguments)
}

/// A gateway that joins by `bootstrapper` and has room for one more: it never links to another gateway.
async fn gateway(node: &Node, bootstrapper: &Foreign) -> Running {
    let config = Config {
        api: "127.0.0.1:0".into(),
        p2p: Some("127.0.0.1:0".into()),
        bootstrappers: vec![bootstrapper.address.clone()],
        cache_size: 2,
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..2].copy_from_slice(&QUICK_SEED);
    let started = voidphone::start_with_seed(Arc::new(node.clone()), config, seed);
    started.await.expect("it listens")
}

/// The next member of `gateway`.
async fn member(gateway: &mut Running) -> String {
    loop {
        let told = tokio::time::timeout(SOON, gateway.told()).await;
        let told = told.expect("a member in time").expect("it runs");
        if told.event == "member_joined" {
            return told.details["address"].to_string();
        }
    }
}

/// Waits until `foreign` has all of `others` in its view.
async fn knows(foreign: &mut Foreign, others: &[&str]) {
    until("the foreign peer knows the others", async || {
        foreign.tell("peers");
        let view = foreign.said("peers");
        let has = |other: &&str| view.split(' ').any(|address| address == *other);
        others.iter().all(has).then_some(())
    })
    .await;
}

#[test]
fn the_foreign_program_makes_and_takes_the_bytes_of_the_original() {
    // It says nothing of the kind when a vector differs.
    let program = Foreign::start("voidphone.py", &["vectors"]);
    assert!(program.is_none_or(|program| program.address.contains("as it was")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_of_either_side_reach_everyone_and_cross_once() {
    let Some(mut first) = foreign(None) else {
        return;
    };
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    // The gateway to `a` joins; it hears of the second peer by a PUSH, and that one of the gateway by a PEER RESPONSE.
    let mut gate_a = gateway(&a, &first).await;
    assert_eq!(member(&mut gate_a).await, first.address);
    let mut second = foreign(Some(&first)).unwrap();
    assert_eq!(member(&mut gate_a).await, second.address);
    let mut third = foreign(Some(&first)).unwrap();
    let peers = [&first, &second, &third].map(|peer| peer.address.clone());
    let at_gate_a = gate_a.listen()[1].to_string();
    knows(&mut first, &[&at_gate_a, &peers[1], &peers[2]]).await;
    knows(&mut second, &[&at_gate_a, &peers[0], &peers[2]]).await;
    knows(&mut third, &[&peers[0], &peers[1]]).await;
    // The gateway to `b` joins elsewhere, and finds one more peer, which is no gateway.
    let mut gate_b = gateway(&b, &third).await;
    assert_eq!(member(&mut gate_b).await, third.address);
    assert!(peers[..2].contains(&member(&mut gate_b).await));
    gateways_meet(voidphone::NAME, [&a, &b]).await;
    let mut at_a = listen(&a, "voidphone/7");
    let mut at_b = listen(&b, "voidphone/7");

    // From a foreign peer: both nodes have it, as one bulletin, and every foreign peer.
    let heard = |text: &str| format!("7 {}", hex::encode(text.as_bytes()));
    let announce = format!("announce 7 4 {}", hex::encode(b"from a foreign peer"));
    second.tell(&announce);
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(foreign.said("heard"), heard("from a foreign peer"));
    }
    let (received, same) = (next(&mut at_a).await, next(&mut at_b).await);
    assert_eq!(received.body, "from a foreign peer");
    assert!(received.tag.starts_with(b"vph:"), "{:?}", received.tag);
    assert_eq!(received.id, same.id);

    // From a node: the same, and what foreign peers send back is no second bulletin.
    let posted = b.publish(Draft::new("voidphone/7", "from a node")).await;
    let posted = posted.expect("published");
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(foreign.said("heard"), heard("from a node"));
    }
    for subscription in [&mut at_a, &mut at_b] {
        assert_eq!(next(subscription).await.id, posted.id);
    }
    nothing(&mut at_a, Duration::from_secs(3)).await;
    nothing(&mut at_b, Duration::ZERO).await;
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(foreign.says("heard", Duration::ZERO), None);
        assert!(foreign.lives());
    }
    for gate in [&gate_a, &gate_b] {
        let counters = gate.counters();
        assert_eq!(counters.get("member_joined"), 2, "{:?}", counters.all());
        assert!(counters.get("peer_word_known") > 0, "words came back");
        for event in ["bad_frame", "too_slow", "member_left", "stranger_notified"] {
            assert_eq!(counters.get(event), 0, "{event}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_announcements_a_second_cross_one_and_all() {
    let a = node(&[]).await;
    let config = Config {
        api: "127.0.0.1:0".into(),
        ..Config::default()
    };
    let gate = voidphone::start(Arc::new(a.clone()), config).await.unwrap();
    let mut came = listen(&a, "voidphone/7");
    let counting = tokio::spawn(async move {
        let mut count = 0_u64;
        while let Some(Incoming::Bulletin(received)) = came.next().await {
            count += 1;
            if &received.body[..] == b"the last" {
                break;
            }
        }
        count
    });
    let mut module = TcpStream::connect(gate.listen()[0]).await.unwrap();
    // ANNOUNCE with ttl 4 and type 7.
    let announce = |data: &str| {
        let size = u16::try_from(8 + data.len()).unwrap().to_be_bytes();
        [&size[..], &[1, 244, 4, 0, 0, 7], data.as_bytes()].concat()
    };
    let load = Load::send("voidphone", async |n| {
        let announce = announce(&format!("announcement {n}"));
        module.write_all(&announce).await.unwrap();
    });
    let load = load.await;
    load.settles(gate.counters(), &["published"]).await;
    module.write_all(&announce("the last")).await.unwrap();
    until("all came", async || counting.is_finished().then_some(())).await;
    assert_eq!(counting.await.unwrap(), load.sent + 1, "none was lost");
}
