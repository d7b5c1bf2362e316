//! The simple gossip: three foreign nodes in a ring, two nodes of bruit in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bruit::{Draft, Node};
use bruit_gateways::Running;
use bruit_gateways::simple::codec::{Message, Stamp};
use bruit_gateways::simple::socket::{self, TOPIC};
use tokio::net::UdpSocket;

use crate::common::{Foreign, gateways_meet, listen, next, node, nothing};
use crate::load::{Load, MADE};

async fn gateway(node: &Node, neighbours: &[&str]) -> Running {
    let neighbours = neighbours.iter().map(|text| text.parse().unwrap());
    let listen = "127.0.0.1:0".parse().unwrap();
    let started = socket::start(Arc::new(node.clone()), listen, neighbours.collect());
    started.await.expect("it listens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_either_side_reach_everyone_and_cross_once() {
    let Some(mut first) = Foreign::start("simple.py", &[]) else {
        return;
    };
    let mut second = Foreign::start("simple.py", &[&first.address.clone()]).unwrap();
    let mut third = Foreign::start("simple.py", &[&second.address.clone()]).unwrap();
    first.tell(&format!("know {}", second.address));
    second.tell(&format!("know {}", third.address));
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    let gate_a = gateway(&a, &[&first.address]).await;
    let gate_b = gateway(&b, &[&third.address]).await;
    first.tell(&format!("know {}", gate_a.listen()[0]));
    third.tell(&format!("know {}", gate_b.listen()[0]));
    let mut at_a = listen(&a, TOPIC);
    let mut at_b = listen(&b, TOPIC);
    gateways_meet("simple", [&a, &b]).await;

    second.tell("say from a foreign node");
    for subscription in [&mut at_a, &mut at_b] {
        assert_eq!(&next(subscription).await.body[..], b"from a foreign node");
    }
    for foreign in [&mut first, &mut third] {
        assert_eq!(foreign.said("heard"), "from a foreign node");
    }

    b.publish(Draft::new(TOPIC, "from a node")).await.unwrap();
    for subscription in [&mut at_a, &mut at_b] {
        assert_eq!(&next(subscription).await.body[..], b"from a node");
    }
    for foreign in [&mut first, &mut second, &mut third] {
        while foreign.said("heard") != "from a node" {}
    }

    // What cannot be said in their network stays inside, and harms nobody.
    a.publish(Draft::new(TOPIC, "naïve")).await.unwrap();
    a.publish(Draft::new(TOPIC, vec![b'a'; 1_006]))
        .await
        .unwrap();
    for _ in 0..2 {
        next(&mut at_b).await;
        next(&mut at_a).await;
    }
    nothing(&mut at_a, Duration::from_secs(3)).await;
    nothing(&mut at_b, Duration::ZERO).await;
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(foreign.says("died", Duration::from_millis(10)), None);
        assert!(foreign.lives());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_a_second_cross_or_are_counted_as_dropped() {
    let neighbour = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own: SocketAddr = neighbour.local_addr().unwrap();
    let a = node(&[]).await;
    let gate = gateway(&a, &[&own.to_string()]).await;
    let to = gate.listen()[0];
    let load = Load::send("simple", async |n| {
        let stamp = Stamp::from_seconds(848_224_557);
        let message = Message::new(stamp, format!("message {n}").as_bytes()).unwrap();
        neighbour.send_to(&message.encode(), to).await.unwrap();
    });
    let load = load.await;
    load.settles(gate.counters(), &MADE).await;
    let heard = gate.counters().get("datagrams_in");
    assert_eq!(heard, load.sent, "none was lost");
}
