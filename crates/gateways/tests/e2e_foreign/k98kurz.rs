//! K98kurz/gossip: gateways of two networks that have nothing else in common, and words by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bruit::{Draft, Node};
use bruit_gateways::k98kurz::codec::{Bulletin, Message, Said, topic_id};
use bruit_gateways::k98kurz::config::Config;
use bruit_gateways::k98kurz::identity::{Address, Identity};
use bruit_gateways::k98kurz::socket::{self, topic};
use bruit_gateways::{Running, hex};
use tokio::net::UdpSocket;

use crate::common::{SOON, listen, next, node, nothing};

const TOPIC: &[u8] = b"test channel";

fn key(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

async fn gateway(node: &Node, n: u8, join: &[(Address, SocketAddr)]) -> Running {
    let config = Config {
        join: join.to_vec(),
        topics: vec![topic_id(TOPIC)],
        ..Config::default()
    };
    let listen = "127.0.0.1:0".parse().unwrap();
    let started = socket::start(Arc::new(node.clone()), listen, key(n), config);
    started.await.expect("it listens")
}

fn seconds() -> u32 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u32::try_from(now.unwrap().as_secs()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulletins_reach_another_network_and_come_from_nodes_of_theirs() {
    let (a, b) = (node(&[]).await, node(&[]).await);
    let gate_a = gateway(&a, 1, &[]).await;
    let at_a = (*key(1).address(), gate_a.listen()[0]);
    assert_eq!(
        gate_a.address(),
        Some(format!("k98kurz:{}", hex::encode(&at_a.0)).as_str())
    );
    let gate_b = gateway(&b, 2, &[at_a]).await;
    let name = topic(&topic_id(TOPIC));
    let (mut here, mut there) = (listen(&a, &name), listen(&b, &name));

    // B has made itself known by its question for what it missed.
    b.publish(Draft::new(&name, "over the hop")).await.unwrap();
    let received = next(&mut here).await;
    assert_eq!(&received.body[..], b"over the hop");
    assert!(received.tag.starts_with(b"k98:"));
    assert_eq!(&next(&mut there).await.body[..], b"over the hop");

    // A node of theirs, by hand: a bulletin goes to both, and an answer comes back to it.
    let wire = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let bulletin = Bulletin::make(topic_id(TOPIC), b"by hand".to_vec(), seconds(), 0, 7);
    let said = Said::Forward(bulletin).encode();
    let message = Message::make(&key(3), &at_a.0, &said, &[9; 32], seconds(), 0, 1).unwrap();
    for _ in 0..3 {
        wire.send_to(&message.encode(), at_a.1).await.unwrap();
    }
    assert_eq!(&next(&mut here).await.body[..], b"by hand");
    assert_eq!(&next(&mut there).await.body[..], b"by hand");
    a.publish(Draft::new(&name, "to all")).await.unwrap();
    let mut buffer = vec![0; 65_536];
    let received = tokio::time::timeout(SOON, wire.recv_from(&mut buffer)).await;
    let (length, _) = received.unwrap().unwrap();
    let message = Message::decode(&buffer[..length]).unwrap();
    let opened = key(3).open(&message.body).unwrap();
    let Said::Forward(bulletin) = Said::decode(&opened).unwrap() else {
        panic!("not a bulletin");
    };
    assert_eq!(bulletin.content, b"to all");

    for text in [&b"to all"[..]] {
        assert_eq!(&next(&mut here).await.body[..], text);
        assert_eq!(&next(&mut there).await.body[..], text);
    }
    nothing(&mut here, Duration::from_secs(2)).await;
    nothing(&mut there, Duration::ZERO).await;
    assert_eq!(gate_a.counters().get("dropped_again"), 2);
    gate_b.stop().await.unwrap();
}
