//! K98kurz/gossip: three foreign nodes and two gateways, what harms an original, gateways of two networks that have
//! nothing else in common, and load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bruit::{Draft, ForeignName, Node, Wanted};
use bruit_gateways::k98kurz::codec::{Bulletin, Message, Said, topic_id};
use bruit_gateways::k98kurz::config::Config;
use bruit_gateways::k98kurz::identity::{Address, Identity};
use bruit_gateways::k98kurz::socket::{self, topic};
use bruit_gateways::{Running, hex};
use tokio::net::UdpSocket;

use crate::common::{Foreign, SOON, gateways_meet, listen, next, node, nothing, until};
use crate::load::{Load, MADE};

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

/// A foreign node with key `n` and the handlers `gossip` or `words`.
fn foreign(n: u8, handlers: &str) -> Option<Foreign> {
    Foreign::start("k98kurz.py", &[handlers, &hex::encode(&[n; 32])])
}

/// Makes two foreign nodes know each other.
fn connect(one: &mut Foreign, two: &mut Foreign) {
    one.tell(&format!("know {}", two.address));
    two.tell(&format!("know {}", one.address));
}

/// How foreign nodes are told of a gateway.
fn at(gateway: &Running) -> String {
    let address = gateway.address().unwrap().strip_prefix("k98kurz:");
    format!("{}@{}", address.unwrap(), gateway.listen()[0])
}

/// What a gateway is told to join.
fn known(foreign: &Foreign) -> (Address, SocketAddr) {
    let (address, place) = foreign.address.split_once('@').unwrap();
    (
        hex::decode_exactly(address).unwrap(),
        place.parse().unwrap(),
    )
}

/// The text of the next bulletin that `foreign` hears.
fn hears(foreign: &mut Foreign) -> String {
    let heard = foreign.said("heard");
    heard.splitn(3, ' ').nth(2).unwrap().to_owned()
}

#[test]
fn the_foreign_program_makes_and_takes_the_bytes_of_the_original() {
    // It says nothing of the kind when a vector differs.
    let program = Foreign::start("k98kurz.py", &["vectors"]);
    assert!(program.is_none_or(|program| program.address.contains("as it was")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulletins_of_either_side_reach_everyone_and_cross_once() {
    let Some(mut first) = foreign(11, "gossip") else {
        return;
    };
    let mut second = foreign(12, "gossip").unwrap();
    let mut third = foreign(13, "gossip").unwrap();
    connect(&mut first, &mut second);
    connect(&mut second, &mut third);
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    let gate_a = gateway(&a, 1, &[known(&first)]).await;
    let gate_b = gateway(&b, 2, &[known(&third)]).await;
    first.tell(&format!("know {}", at(&gate_a)));
    third.tell(&format!("know {}", at(&gate_b)));
    gateways_meet("k98kurz", [&a, &b]).await;
    let topic_hex = hex::encode(&topic_id(TOPIC));
    let name = topic(&topic_id(TOPIC));
    let (mut at_a, mut at_b) = (listen(&a, &name), listen(&b, &name));

    second.tell(&format!("say {topic_hex} from a foreign node"));
    for subscription in [&mut at_a, &mut at_b] {
        let received = next(subscription).await;
        assert_eq!(&received.body[..], b"from a foreign node");
        assert!(received.tag.starts_with(b"k98:"));
        // Nobody signed it there, so a gateway has.
        let mut signers = [&a, &b].into_iter().flat_map(Node::authors);
        assert!(signers.any(|signer| signer.id == received.author));
    }
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(hears(foreign), "from a foreign node");
    }

    // Both gateways send it, and theirs know it for one: by its header, nonce and all.
    b.publish(Draft::new(&name, "from a node")).await.unwrap();
    for subscription in [&mut at_a, &mut at_b] {
        assert_eq!(&next(subscription).await.body[..], b"from a node");
    }
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(hears(foreign), "from a node");
    }
    let counts = [&gate_a, &gate_b].map(|gate| gate.counters().clone());
    until("both sent it", async || {
        let both = counts.iter().all(|count| count.get("crossed_out") == 1);
        both.then_some(())
    })
    .await;
    nothing(&mut at_a, Duration::from_secs(3)).await;
    nothing(&mut at_b, Duration::ZERO).await;
    for foreign in [&mut first, &mut second, &mut third] {
        assert_eq!(foreign.says("heard", Duration::from_millis(10)), None);
        assert!(foreign.lives());
    }

    // A gateway that is started again has not forgotten what crossed.
    gate_a.stop().await.unwrap();
    let gate_a = gateway(&a, 3, &[known(&first)]).await;
    first.tell(&format!("know {}", at(&gate_a)));
    first.said("did");
    second.tell(&format!("say {topic_hex} from a foreign node"));
    until("the new gateway has heard it", async || {
        (gate_a.counters().get("datagrams_in") > 0).then_some(())
    })
    .await;
    second.tell(&format!("say {topic_hex} another one"));
    for subscription in [&mut at_a, &mut at_b] {
        assert_eq!(&next(subscription).await.body[..], b"another one");
    }
}

#[test]
fn the_foreign_node_has_the_faults_of_the_original() {
    let Some(mut evil) = foreign(20, "gossip") else {
        return;
    };
    let mut n = 20;
    let mut tried = |what: &str, handlers: &str| {
        n += 1;
        let victim = foreign(n, handlers).unwrap();
        let address = victim.address.split_once('@').unwrap().0;
        evil.tell(&format!("know {}", victim.address));
        evil.tell(&format!("evil {what} {address} {}", hex::encode(&[7; 32])));
        victim
    };
    for (what, heard) in [
        ("forge", "forged"),
        ("future", "never to expire"),
        ("expired", "long expired"),
    ] {
        assert_eq!(hears(&mut tried(what, "words")), heard);
    }
    let mut victim = tried("replay", "words");
    for _ in 0..3 {
        assert!(victim.said("words").ends_with("again and again"));
    }
    let mut victim = tried("flood", "gossip");
    for _ in 0..5 {
        assert_eq!(hears(&mut victim), "the same");
    }
    for (what, why) in [
        ("unsealed", "CryptoError"),
        ("short", "error"),
        ("cut", "error"),
        ("operation", "ValueError"),
        ("empty", "IndexError"),
    ] {
        let died = tried(what, "gossip").dies();
        assert!(died.starts_with(why), "{what}: {died}");
    }
}

/// A gateway, a foreign node that it passes things on to, and one that does `evil` to it.
struct Scene {
    gate: Running,
    witness: Foreign,
    evil: Foreign,
}

impl Scene {
    async fn new(node: &Node, config: Config) -> Option<Self> {
        let witness = foreign(31, "gossip")?;
        let mut evil = foreign(32, "gossip")?;
        let config = Config {
            join: vec![known(&witness)],
            topics: vec![topic_id(TOPIC)],
            ..config
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let started = socket::start(Arc::new(node.clone()), listen, key(1), config);
        let gate = started.await.expect("it listens");
        evil.tell(&format!("know {}", at(&gate)));
        Some(Self {
            gate,
            witness,
            evil,
        })
    }

    /// Does evil, and waits until the gateway has counted `counts`.
    async fn evil(&mut self, what: &str, counts: &[(&str, u64)]) {
        let counters = self.gate.counters();
        let before: Vec<_> = counts.iter().map(|(name, _)| counters.get(name)).collect();
        let to = hex::encode(key(1).address());
        let topic = hex::encode(&topic_id(TOPIC));
        self.evil.tell(&format!("evil {what} {to} {topic}"));
        let end = std::time::Instant::now() + SOON;
        let is_counted =
            |((name, more), before): (&(&str, u64), &u64)| counters.get(name) == before + more;
        while !counts.iter().zip(&before).all(is_counted) {
            assert!(
                std::time::Instant::now() < end,
                "{what}: {:?}",
                counters.all()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The next words that the gateway is told.
    async fn words(&mut self) -> String {
        loop {
            let told = tokio::time::timeout(SOON, self.gate.told()).await;
            let told = told.expect("in time").expect("it runs");
            if told.event == "message" {
                return told.details["body"].to_string();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_or_misused_the_original_does_nothing_to_a_gateway() {
    let a = node(&[]).await;
    let Some(mut scene) = Scene::new(&a, Config::default()).await else {
        return;
    };
    let mut here = listen(&a, &topic(&topic_id(TOPIC)));

    scene.evil("forge", &[("dropped_forged", 1)]).await;
    scene.evil("replay", &[("dropped_again", 2)]).await;
    assert_eq!(scene.words().await, "again and again");
    let future = [("dropped_from_the_future", 1), ("dropped_expired", 1)];
    scene.evil("future", &future).await;
    scene.evil("expired", &[("dropped_expired", 1)]).await;
    scene
        .evil("unsealed", &[("dropped_not_sealed_to_us", 1)])
        .await;
    scene.evil("short", &[("dropped_malformed", 1)]).await;
    scene.evil("cut", &[("dropped_malformed", 1)]).await;
    scene.evil("nonce", &[("dropped_malformed", 2)]).await;
    scene.evil("empty", &[("dropped_malformed", 1)]).await;
    // No operation of theirs: words, if odd ones.
    scene.evil("operation", &[]).await;
    assert_eq!(scene.words().await, "\u{fffd}");
    let flood = [("duplicates", 4), ("crossed_in", 1)];
    scene.evil("flood", &flood).await;
    assert_eq!(&next(&mut here).await.body[..], b"the same");
    assert_eq!(hears(&mut scene.witness), "the same");
    scene.evil("long", &[("crossed_in", 1)]).await;
    assert_eq!(next(&mut here).await.body.len(), 65_250);
    assert_eq!(hears(&mut scene.witness).len(), 65_250);

    // It lives, passes on what is right, and nothing else came of all this.
    let topic_hex = hex::encode(&topic_id(TOPIC));
    scene.evil.tell(&format!("say {topic_hex} still there"));
    assert_eq!(&next(&mut here).await.body[..], b"still there");
    assert_eq!(hears(&mut scene.witness), "still there");
    assert!(scene.witness.lives() && scene.evil.lives());
    assert_eq!(scene.gate.counters().get("crossed_in"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_price_that_is_asked_is_asked_on_the_way_in() {
    let a = node(&[]).await;
    let dear = Config {
        message_difficulty: 3,
        bulletin_difficulty: 8,
        ..Config::default()
    };
    let Some(mut scene) = Scene::new(&a, dear).await else {
        return;
    };
    scene.evil("cheap", &[("dropped_cheap", 2)]).await;
    assert_eq!(scene.gate.counters().get("crossed_in"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_of_theirs_missed_is_given_to_it_when_it_asks() {
    let a = node(&[]).await;
    let Some(mut scene) = Scene::new(&a, Config::default()).await else {
        return;
    };
    let name = topic(&topic_id(TOPIC));
    a.publish(Draft::new(&name, "missed")).await.unwrap();
    assert_eq!(hears(&mut scene.witness), "missed");
    let (to, topic) = (hex::encode(key(1).address()), hex::encode(&topic_id(TOPIC)));
    let asker = &mut scene.evil;
    asker.tell(&format!("ask 2 {to} {topic}"));
    let headers = asker.said("got 3");
    assert!(
        headers.len() == 144 && headers.starts_with(&topic),
        "{headers}"
    );
    asker.tell(&format!("ask 4 {to} {}", &headers[..128]));
    let given = asker.said("got 5");
    assert_eq!(given, format!("{headers}{}", hex::encode(b"missed")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_letters_in_the_inbox_and_letters_are_words() {
    let Some(mut person) = foreign(41, "words") else {
        return;
    };
    let (a, gate_key) = (node(&[]).await, hex::encode(key(1).address()));
    let b = node(&[&a]).await;
    let gate = gateway(&a, 1, &[]).await;
    let name = format!("k98kurz:{}", person.address.split_once('@').unwrap().0);
    let to: ForeignName = name.parse().unwrap();
    // Nobody has heard of it.
    let unknown = a.send_foreign(to.clone(), "who are you").await;
    assert!(
        unknown
            .unwrap_err()
            .to_string()
            .contains("has not heard of that node")
    );

    person.tell(&format!("know {}", at(&gate)));
    person.tell(&format!("tell {gate_key} how do you do"));
    let mut mail = a.mail(true).await.unwrap();
    let letter = tokio::time::timeout(SOON, mail.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (letter.foreign.as_ref(), &letter.body[..]),
        (Some(&to), &b"how do you do"[..])
    );
    a.send_foreign(to.clone(), "very well").await.unwrap();
    assert_eq!(person.said("words"), format!("{gate_key} very well"));

    // It is between the two of them: other nodes have no way there, and hear nothing.
    let elsewhere = b.send_foreign(to.clone(), "psst").await.unwrap_err();
    assert_eq!(elsewhere.code(), "no_gateway");
    assert!(b.inbox().await.unwrap().is_empty());
    let everything = Wanted {
        limit: 99,
        ..Wanted::default()
    };
    for node in [&a, &b] {
        let held = node.export(&everything).await.unwrap().bulletins;
        let mut all = held.iter().flat_map(|bytes| bytes.windows(9));
        assert!(!all.any(|part| part == b"very well" || part == b"how do yo"));
    }
    let operation = a.send_foreign(to, vec![0; 80]).await.unwrap_err();
    assert_eq!(operation.code(), "not_taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_flood_of_words_a_few_are_delivered_and_the_rest_is_counted() {
    const WORDS: u64 = 300;
    let a = node(&[]).await;
    let gate = gateway(&a, 1, &[]).await;
    let wire = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for n in 0..WORDS {
        let words = Said::Words(format!("words {n}").into_bytes()).encode();
        let secret = [9; 32];
        let message = Message::make(&key(3), key(1).address(), &words, &secret, seconds(), 0, 1);
        let bytes = message.unwrap().encode();
        wire.send_to(&bytes, gate.listen()[0]).await.unwrap();
    }
    let count = |what| gate.counters().get(what);
    until("all are delivered or counted", async || {
        let ended = count("letters_in") + count("dropped_too_many_letters");
        (ended == WORDS).then_some(())
    })
    .await;
    let inbox = u64::try_from(a.inbox().await.unwrap().len()).unwrap();
    assert_eq!(inbox, count("letters_in"));
    assert!((1..WORDS / 2).contains(&inbox), "{inbox}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_bulletins_a_second_cross_or_are_counted_as_dropped() {
    let a = node(&[]).await;
    // What is measured is the gateway, not who pays.
    let config = Config {
        message_difficulty: 0,
        bulletin_difficulty: 0,
        topics: vec![topic_id(TOPIC)],
        ..Config::default()
    };
    let listen = "127.0.0.1:0".parse().unwrap();
    let gate = socket::start(Arc::new(a.clone()), listen, key(1), config);
    let gate = gate.await.expect("it listens");
    let (to, wire) = (
        gate.listen()[0],
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    );
    let load = Load::send("k98kurz", async |n| {
        let content = format!("bulletin {n}").into_bytes();
        let bulletin = Bulletin::make(topic_id(TOPIC), content, seconds(), 0, 0);
        let said = Said::Forward(bulletin).encode();
        let message = Message::make(&key(3), key(1).address(), &said, &[9; 32], seconds(), 0, 0);
        wire.send_to(&message.unwrap().encode(), to).await.unwrap();
    });
    let load = load.await;
    // On a busy machine it may not find the time for all of them, and says so.
    let ends = [&MADE[..], &["dropped_busy"]].concat();
    load.settles(gate.counters(), &ends).await;
    let count = |what| gate.counters().get(what);
    let heard = count("datagrams_in") + count("dropped_busy");
    assert_eq!(heard, load.sent, "none was lost");
    assert_eq!(count("crossed_in"), count("datagrams_in"));
}
