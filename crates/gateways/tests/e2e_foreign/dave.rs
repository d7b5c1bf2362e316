//! Dave's network: three foreign peers, two nodes with gateways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bruit::{AuthorId, BulletinId, Draft, Node, Put, Topics, ValueAddress};
use bruit_gateways::dave::codec::{Dat, Message, Op, Work};
use bruit_gateways::dave::config::Config;
use bruit_gateways::dave::gateway::name;
use bruit_gateways::dave::socket::{self, TOPIC, TOPIC_OUT, TOPIC_WANT, body, read_body};
use bruit_gateways::dave::work::Search;
use bruit_gateways::hex;
use bruit_gateways::{Answer, Asked, ForeignLetter, Heard, Inside, Post, Posting, Running, Since};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::net::UdpSocket;

use crate::common::{
    Foreign, gateways_meet, has_address, held, listen, next, node, nothing, until,
};
use crate::load::{Load, MADE};

async fn gateway(node: &Node, join: &[&str], config: Config) -> Running {
    gateway_at(node, "127.0.0.1:0".parse().unwrap(), join, config).await
}

async fn gateway_at(node: &Node, at: SocketAddr, join: &[&str], config: Config) -> Running {
    let join = join.iter().map(|text| text.parse().unwrap()).collect();
    let config = Config { join, ..config };
    socket::start(Arc::new(node.clone()), at, config)
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

/// Everything is paid for enough: what is tried is the gateway.
fn free() -> Config {
    Config {
        work_store: 0,
        work_forward: 0,
        ..Config::default()
    }
}

/// A value of no zero bytes.
fn free_value(text: &str) -> (Work, Dat) {
    let mut dat = Dat {
        val: text.as_bytes().to_vec(),
        ..Dat::default()
    };
    assert!(Search::default().mine(&mut dat, 0, [0; 16], 1));
    (dat.work[..].try_into().unwrap(), dat)
}

fn set(dat: &Dat) -> Vec<u8> {
    let message = Message {
        dat: dat.clone(),
        ..Message::of(Op::SetDat)
    };
    message.encode()
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
        Self::at(gateway.listen()[0]).await
    }

    async fn at(gateway: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self { socket, gateway }
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
    evil.send(&set(&dat)).await;
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
    let mut gate = gateway(&a, &[], free()).await;
    let peer = Bare::new(&gate).await;
    peer.join().await;
    has_peers(&mut gate, 1).await;
    let before = gate.counters().get("datagrams_in");
    let load = Load::send("dave", async |n| {
        let (_, dat) = free_value(&format!("value {n}"));
        peer.send(&set(&dat)).await;
    });
    let load = load.await;
    let counters = gate.counters();
    load.settles(counters, &MADE).await;
    // The peer answers nothing: what it says besides is nothing.
    let heard = counters.get("datagrams_in") - before;
    assert_eq!(heard, load.sent, "none was lost");
    assert_eq!(counters.get("crossed_in"), load.sent);
}

/// A node with faults.
struct Odd {
    node: Node,
    /// It never gets round to keeping a value.
    is_full: bool,
    /// It is so long about what it holds.
    slow: Duration,
}

impl Inside for Odd {
    fn author(&self) -> Answer<'_, AuthorId> {
        Inside::author(&self.node)
    }

    fn publish(&self, post: Post) -> Answer<'_, BulletinId> {
        Inside::publish(&self.node, post)
    }

    fn subscribe(&self, topics: Topics, since: Since) -> Answer<'_, BoxStream<'static, Heard>> {
        let slow = self.slow;
        let heard = Inside::subscribe(&self.node, topics, since);
        let pause =
            stream::once(tokio::time::sleep(slow)).filter_map(|()| std::future::ready(None));
        Box::pin(async move { Ok(pause.chain(heard.await?).boxed()) })
    }

    fn validate(&self, topic: String, timeout: Duration) -> Answer<'_, BoxStream<'static, Asked>> {
        Inside::validate(&self.node, topic, timeout)
    }

    fn put(&self, post: Post) -> Answer<'_, BulletinId> {
        if self.is_full {
            return Box::pin(std::future::pending());
        }
        Inside::put(&self.node, post)
    }

    fn get(&self, address: ValueAddress, timeout: Duration) -> Answer<'_, Option<Bytes>> {
        Inside::get(&self.node, address, timeout)
    }

    fn deliver(&self, letter: ForeignLetter) -> Answer<'_, ()> {
        Inside::deliver(&self.node, letter)
    }

    fn carry(&self, system: &'static str) -> Answer<'_, BoxStream<'static, Posting>> {
        Inside::carry(&self.node, system)
    }
}

/// What was mined once can be put for ever: the original keeps no times, and forgets at a restart what it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_put_again_and_again_is_one_bulletin_also_after_a_restart() {
    const TIMES: u64 = 200;
    let a = node(&[]).await;
    let gate = gateway(&a, &[], cheap()).await;
    let at = gate.listen()[0];
    let evil = Bare::at(at).await;
    let (_, dat) = value("mined in advance");
    let counters = gate.counters().clone();
    until("it is heard many times, and published", async || {
        for _ in 0..50 {
            evil.send(&set(&dat)).await;
        }
        let is_over = counters.get("duplicates") >= TIMES && counters.get("published") >= 1;
        is_over.then_some(())
    })
    .await;
    gate.stop().await.expect("stops");

    // It is put while the gateway starts, before that can know what its node holds.
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let putting = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            // Nobody may listen yet.
            evil.socket.send_to(&set(&dat), evil.gateway).await.ok();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let slow = Odd {
        node: a.clone(),
        is_full: false,
        slow: Duration::from_millis(200),
    };
    let gate = socket::start(Arc::new(slow), at, cheap()).await;
    let gate = gate.expect("it listens");
    let counters = gate.counters().clone();
    until("all were heard", async || {
        (counters.get("datagrams_in") >= TIMES).then_some(())
    })
    .await;
    stop.send(()).unwrap();
    putting.await.unwrap();
    assert_eq!(counters.get("crossed_in"), 0);
    assert!(counters.get("duplicates") >= TIMES, "{:?}", counters.all());
    assert_eq!(held(&a, TOPIC).await.len(), 1);
}

/// The original listens on its own loopback address alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_is_a_peer_wherever_it_listens() {
    let a = node(&[]).await;
    for (gateway, foreign) in [
        ("127.0.0.2", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.2"),
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "127.0.0.1"),
    ] {
        if !has_address(gateway) || !has_address(foreign) {
            continue;
        }
        let Some(mut foreign) = Foreign::start("dave.py", &["2", "2", &format!("at={foreign}")])
        else {
            return;
        };
        let at = SocketAddr::new(gateway.parse().unwrap(), 0);
        let mut gate = gateway_at(&a, at, &[&foreign.address], cheap()).await;
        has_peers(&mut gate, 1).await;
        // A value comes from there, and is answered: both have the other's address.
        let (work, dat) = value(&format!("{gateway} from {}", foreign.address));
        let (val, nonce) = (hex::encode(&dat.val), hex::encode(&dat.nonce));
        foreign.tell(&format!("set {val}  {nonce}"));
        until("the value has come", async || {
            (gate.counters().get("published") == 1).then_some(())
        })
        .await;
        assert_eq!(gets(&mut foreign, &work).await, val);
        assert_eq!(gate.counters().get("dropped_unsent"), 0);
    }
}

/// The original hands each value to its application and stands still until that takes it; and a busy one asks nobody
/// whether he is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_values_nobody_takes_serves_its_peers() {
    const VALUES: u64 = 4_500;
    let a = node(&[]).await;
    let listen = "127.0.0.1:0".parse().unwrap();
    let full = Odd {
        node: a.clone(),
        is_full: true,
        slow: Duration::ZERO,
    };
    // Nobody reads what it tells, either.
    let config = Config {
        work_forward: 32,
        ..free()
    };
    let gate = socket::start(Arc::new(full), listen, config);
    let gate = gate.await.expect("it listens");
    let (silent, busy) = (Bare::new(&gate).await, Bare::new(&gate).await);
    silent.join().await;
    busy.join().await;
    let counters = gate.counters();
    for n in 1..=VALUES {
        let (_, dat) = free_value(&format!("value {n}"));
        busy.send(&set(&dat)).await;
        // No more at once than a socket holds.
        if n % 150 == 0 {
            let heard = async || (counters.get("crossed_in") >= n).then_some(());
            until("the values are heard", heard).await;
        }
    }
    assert_eq!(counters.get("crossed_in"), VALUES);
    // Four are being published, 4,096 wait, and one may be on its way between.
    let full = counters.get("dropped_publishing_full");
    assert!((VALUES - 4_101..=VALUES - 4_096).contains(&full), "{full}");
    let (work, dat) = free_value("value 1");
    busy.send(&Message::get(&work).encode()).await;
    let mut answer = busy.receive(Duration::from_secs(5)).await.expect("answers");
    while answer.op != Op::Dat {
        answer = busy.receive(Duration::from_secs(5)).await.expect("answers");
    }
    assert_eq!(answer.dat, dat);
    // The heart has asked the silent one meanwhile.
    while silent
        .receive(Duration::from_secs(5))
        .await
        .expect("asks")
        .op
        != Op::GetPeer
    {}
}
