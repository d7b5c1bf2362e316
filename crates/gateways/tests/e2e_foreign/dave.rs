//! Dave's network: three foreign peers, two nodes with gateways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bruit::{Draft, Node, Put};
use bruit_gateways::Running;
use bruit_gateways::dave::codec::{Dat, Message, Op, Work};
use bruit_gateways::dave::config::Config;
use bruit_gateways::dave::gateway::name;
use bruit_gateways::dave::socket::{self, TOPIC, TOPIC_OUT, TOPIC_WANT, body, read_body};
use bruit_gateways::dave::work::Search;
use bruit_gateways::hex;
use tokio::net::UdpSocket;

use crate::common::{Foreign, gateways_meet, listen, next, node, nothing, until};
use crate::load::{Load, MADE};

async fn gateway(node: &Node, join: &[&str], config: Config) -> Running {
    let join = join.iter().map(|text| text.parse().unwrap()).collect();
    let config = Config { join, ..config };
    let listen = "127.0.0.1:0".parse().unwrap();
    socket::start(Arc::new(node.clone()), listen, config)
        .await
        .expect("it listens")
}

/// Values cost two zero bytes here: a moment.
fn cheap() -> Config {
    Config {
        work_store: 2,
        ..Config::default()
    }
}

fn value(text: &str) -> (Work, Dat) {
    let mut dat = Dat {
        val: text.as_bytes().to_vec(),
        ..Dat::default()
    };
    assert!(Search::default().mine(&mut dat, 2, [1; 16], 2));
    (dat.work[..].try_into().unwrap(), dat)
}

/// Has `foreign` ask for a value until it gets it: its fan-out often goes to one peer twice.
async fn gets(foreign: &mut Foreign, work: &Work) -> String {
    until("the foreign peer gets the value", async || {
        foreign.tell(&format!("get {}", hex::encode(work)));
        let said = foreign.says("dat", Duration::from_millis(300))?;
        let value = said.strip_prefix(&hex::encode(work));
        value.map(|value| value.trim().to_owned())
    })
    .await
}

async fn has_peers(gateway: &mut Running, least: u64) {
    let mut count = 0;
    while count < least {
        let told = tokio::time::timeout(Duration::from_secs(20), gateway.told()).await;
        let told = told.expect("peers in time").expect("it runs");
        if told.event == "peers" {
            count = serde_json::to_value(&told).unwrap()["count"]
                .as_u64()
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_either_side_reach_everyone_and_cross_once() {
    let Some(mut first) = Foreign::start("dave.py", &["2", "2"]) else {
        return;
    };
    let join = ["2", "2", &first.address.clone()];
    let mut second = Foreign::start("dave.py", &join).unwrap();
    let mut third = Foreign::start("dave.py", &join).unwrap();
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    let mut gate_a = gateway(&a, &[&first.address], cheap()).await;
    let mut gate_b = gateway(&b, &[&second.address], cheap()).await;
    has_peers(&mut gate_a, 3).await;
    has_peers(&mut gate_b, 3).await;
    gateways_meet("dave", [&a, &b]).await;
    let mut at_a = listen(&a, TOPIC);
    let mut at_b = listen(&b, TOPIC);

    // From a foreign peer: every node has it, once, and every foreign peer too.
    let (work, dat) = value("from a foreign peer");
    let set = format!(
        "set {} {} {}",
        hex::encode(&dat.val),
        "",
        hex::encode(&dat.nonce)
    );
    first.tell(&set);
    for subscription in [&mut at_a, &mut at_b] {
        let received = next(subscription).await;
        assert_eq!(read_body(&received.body), Some(dat.clone()));
        assert_eq!(received.tag, name(&work).tag().into_bytes());
    }
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(gets(foreign, &work).await, hex::encode(&dat.val));
    }

    // From a node: every foreign peer has it, and it does not come back as another bulletin.
    let (work, dat) = value("from a node");
    let put = Put::new(body(&dat)).topic(TOPIC_OUT);
    b.put(put).await.expect("put");
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(gets(foreign, &work).await, hex::encode(&dat.val));
    }
    nothing(&mut at_a, Duration::from_secs(4)).await;
    nothing(&mut at_b, Duration::ZERO).await;
    assert!(first.lives() && second.lives() && third.lives());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_a_node_misses_is_asked_for_and_a_restarted_gateway_has_it_still() {
    let Some(mut foreign) = Foreign::start("dave.py", &["2", "2"]) else {
        return;
    };
    let (work, dat) = value("stored before any gateway was there");
    let mut other = Foreign::start("dave.py", &["2", "2", &foreign.address.clone()]).unwrap();
    until("the foreign peers know each other", async || {
        foreign.tell("peers");
        foreign.said("known").contains(&other.address).then_some(())
    })
    .await;
    let set = format!(
        "set {} {} {}",
        hex::encode(&dat.val),
        "",
        hex::encode(&dat.nonce)
    );
    other.tell(&set);
    assert_eq!(foreign.said("stored"), hex::encode(&work));

    let a = node(&[]).await;
    let b = node(&[&a]).await;
    let mut at_b = listen(&b, TOPIC);
    let gate = gateway(&a, &[&foreign.address], cheap()).await;
    b.publish(Draft::new(TOPIC_WANT, hex::encode(&work)))
        .await
        .expect("published");
    assert_eq!(read_body(&next(&mut at_b).await.body), Some(dat.clone()));
    gate.stop().await.expect("stops");

    // The foreign peers die with all they had; a new gateway answers with what bruit kept.
    drop((foreign, other));
    let mut newcomer = Foreign::start("dave.py", &["2", "2"]).unwrap();
    let mut gate = gateway(&a, &[&newcomer.address], cheap()).await;
    has_peers(&mut gate, 1).await;
    assert_eq!(gets(&mut newcomer, &work).await, hex::encode(&dat.val));
}

/// One of dave's network that says what it is told to say.
struct Bare {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl Bare {
    async fn new(gateway: &Running) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self {
            socket,
            gateway: gateway.listen()[0],
        }
    }

    async fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.gateway).await.unwrap();
    }

    async fn receive(&self, time: Duration) -> Option<Message> {
        let mut buffer = [0; 2_000];
        let received = tokio::time::timeout(time, self.socket.recv_from(&mut buffer)).await;
        let (length, _) = received.ok()?.unwrap();
        Some(Message::decode(&buffer[..length]).unwrap().message)
    }

    /// Answers the question whether it is there, and so becomes a peer.
    async fn join(&self) {
        self.send(&Message::of(Op::GetPeer).encode()).await;
        while self.receive(Duration::from_secs(5)).await.expect("asks").op != Op::GetPeer {}
        self.send(&Message::of(Op::Peer).encode()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_or_misused_the_original_does_nothing_to_a_gateway() {
    let a = node(&[]).await;
    let gate = gateway(&a, &[], cheap()).await;
    let evil = Bare::new(&gate).await;
    evil.join().await;
    evil.send(&[0xff; 3]).await;
    evil.send(&[0; 2_000]).await;
    let bad = [[8, 1, 0x12, 7].as_slice(), b"nothing"].concat();
    evil.send(&bad).await;

    let (work, dat) = value("to be reflected");
    let set = Message {
        dat,
        ..Message::of(Op::SetDat)
    };
    evil.send(&set.encode()).await;
    let victim = Bare::new(&gate).await;
    let named = victim.socket.local_addr().unwrap();
    let get = Message {
        peers: vec![named; 3],
        ..Message::get(&work)
    };
    for _ in 0..3 {
        evil.send(&get.encode()).await;
    }
    let mut to_victim = Vec::new();
    while let Some(message) = victim.receive(Duration::from_secs(2)).await {
        to_victim.push(message);
    }
    assert_eq!(to_victim, [Message::of(Op::GetPeer)], "one empty datagram");
    // It lives, and answers those who take part.
    let mut answered = false;
    while let Some(message) = evil.receive(Duration::from_millis(100)).await {
        answered |= message.op == Op::Dat;
    }
    assert!(answered);
    assert_eq!(gate.counters().get("dropped_malformed"), 2);
    assert_eq!(gate.counters().get("dropped_bad_address"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_values_a_second_are_kept_and_what_does_not_cross_is_counted() {
    let a = node(&[]).await;
    // Everything is paid for enough: what is measured is the gateway.
    let free = Config {
        work_store: 0,
        work_forward: 0,
        ..Config::default()
    };
    let mut gate = gateway(&a, &[], free).await;
    let peer = Bare::new(&gate).await;
    peer.join().await;
    has_peers(&mut gate, 1).await;
    let before = gate.counters().get("datagrams_in");
    let load = Load::send("dave", async |n| {
        let mut dat = Dat {
            val: format!("value {n}").into_bytes(),
            ..Dat::default()
        };
        assert!(Search::default().mine(&mut dat, 0, [0; 16], 1));
        let message = Message {
            dat,
            ..Message::of(Op::SetDat)
        };
        peer.send(&message.encode()).await;
    });
    let load = load.await;
    let counters = gate.counters();
    load.settles(counters, &MADE).await;
    // The peer answers nothing: what it says besides is nothing.
    let heard = counters.get("datagrams_in") - before;
    assert_eq!(heard, load.sent, "none was lost");
    assert_eq!(counters.get("crossed_in"), load.sent);
}
