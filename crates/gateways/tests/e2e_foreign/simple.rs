//! The simple gossip: three foreign nodes in a ring, two nodes of bruit in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bruit::{Draft, Node, POST_TTL};
use bruit_gateways::simple::codec::{Message, Stamp};
use bruit_gateways::simple::socket::{self, TOPIC};
use bruit_gateways::{ForeignId, Running, System};
use tokio::net::UdpSocket;

use crate::common::{
    Foreign, SOON, gateways_meet, has_address, held, listen, next, node, nothing, until,
};
use crate::load::{Load, MADE};

async fn gateway(node: &Node, neighbours: &[&str]) -> Running {
    let neighbours = neighbours.iter().map(|text| text.parse().unwrap());
    let listen = "127.0.0.1:0".parse().unwrap();
    gateway_at(node, listen, neighbours.collect(), None).await
}

async fn gateway_at(
    node: &Node,
    at: SocketAddr,
    neighbours: Vec<SocketAddr>,
    data: Option<&Path>,
) -> Running {
    let started = socket::start(Arc::new(node.clone()), at, neighbours, data);
    started.await.expect("it listens")
}

/// A neighbour that says what it is told to say.
struct Bare {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Bare {
    async fn at(ip: &str) -> Self {
        let ip: IpAddr = ip.parse().unwrap();
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    async fn here() -> Self {
        Self::at("127.0.0.1").await
    }

    /// Sends to where a gateway listens: for one that listens everywhere, at the neighbour's own loopback address.
    async fn say(&self, text: &str, gateway: &Running) {
        let at = gateway.listen()[0];
        let loopback: IpAddr = match self.address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let ip = Some(at.ip()).filter(|ip| !ip.is_unspecified());
        let to = SocketAddr::new(ip.unwrap_or(loopback), at.port());
        self.socket.send_to(text.as_bytes(), to).await.unwrap();
    }

    /// The next datagram, stamp and all.
    async fn hears(&self) -> String {
        let heard = self.hears_within(SOON).await;
        heard.expect("something comes in time")
    }

    async fn hears_within(&self, time: Duration) -> Option<String> {
        let mut buffer = [0; 2_000];
        let received = tokio::time::timeout(time, self.socket.recv(&mut buffer)).await;
        let length = received.ok()?.unwrap();
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }
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

/// Nobody in the simple gossip signs, and a stamp is what its writer likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_message_is_no_more_than_a_post_that_the_gateway_signed() {
    let a = node(&[]).await;
    let (neighbour, stranger) = (Bare::here().await, Bare::here().await);
    let other = Bare::here().await;
    let neighbours = vec![neighbour.address, other.address];
    let at = "127.0.0.1:0".parse().unwrap();
    let gate = gateway_at(&a, at, neighbours, None).await;
    stranger
        .say("20/11/2026 09:55:57from a stranger", &gate)
        .await;
    let stamps = [
        "01/01/2000 00:00:00",
        "20/11/2026 09:55:57",
        "31/12/2135 23:59:59",
    ];
    let nonsense = [
        "99/99/9999 99:99:99",
        "-1/11/2026 09:55:57",
        "not a moment at all",
    ];
    for stamp in nonsense.iter().chain(&stamps) {
        neighbour
            .say(&format!("{stamp}by somebody else"), &gate)
            .await;
    }
    let posts = until("what has a stamp is published", async || {
        let posts = held(&a, TOPIC).await;
        (posts.len() >= stamps.len()).then_some(posts)
    })
    .await;
    assert_eq!(posts.len(), stamps.len());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = u64::try_from(now.unwrap().as_millis()).unwrap();
    for post in &posts {
        assert_eq!(&post.body[..], b"by somebody else");
        assert_eq!(post.author, a.authors()[0].id);
        assert!(ForeignId::of_tag(System::SIMPLE, &post.tag).is_some());
        // Its time is the gateway's, so that it lives and is ordered as any post.
        assert!(
            now.abs_diff(post.created_ms) < 60_000,
            "{}",
            post.created_ms
        );
        let lives = Duration::from_millis(post.expires_ms - post.created_ms);
        assert_eq!(lives, POST_TTL);
    }
    let counters = gate.counters();
    assert_eq!(counters.get("dropped_stranger"), 1);
    assert_eq!(counters.get("dropped_bad_stamp"), 3);
    // To the other neighbour they go as they came, and nothing else.
    for stamp in stamps {
        assert_eq!(other.hears().await, format!("{stamp}by somebody else"));
    }
    assert_eq!(counters.get("datagrams_out"), 3);
}

/// The original sleeps a second for each message and for each neighbour, and hears nothing meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_passes_a_message_on_to_eight_neighbours_at_once_and_hears_on() {
    const MESSAGES: usize = 20;
    let a = node(&[]).await;
    let mut neighbours = Vec::new();
    for _ in 0..9 {
        neighbours.push(Bare::here().await);
    }
    let addresses = neighbours.iter().map(|neighbour| neighbour.address);
    let at = "127.0.0.1:0".parse().unwrap();
    let gate = gateway_at(&a, at, addresses.collect(), None).await;
    let (from, others) = neighbours.split_first().unwrap();
    from.say("20/11/2026 09:55:57the first", &gate).await;
    for other in others {
        other.hears().await;
    }

    // One at a time, each until the last neighbour has it. That half of them are quick is enough: this machine may
    // be busy, the original never is so quick.
    let mut hops = Vec::new();
    for n in 0..MESSAGES {
        let text = format!("20/11/2026 09:55:57message {n}");
        let start = Instant::now();
        from.say(&text, &gate).await;
        for other in others {
            assert_eq!(other.hears().await, text);
        }
        hops.push(start.elapsed());
    }
    hops.sort();
    assert!(hops[MESSAGES / 2] < Duration::from_millis(200), "{hops:?}");

    // All at once, without waiting for any: none is missed.
    let start = Instant::now();
    for n in 0..MESSAGES {
        from.say(&format!("20/11/2026 09:55:58message {n}"), &gate)
            .await;
    }
    for other in others {
        for n in 0..MESSAGES {
            assert_eq!(
                other.hears().await,
                format!("20/11/2026 09:55:58message {n}")
            );
        }
    }
    // The original takes a second for each of 160 datagrams.
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

/// The original knows ports of one host, by a name that may stand for another address on the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_may_be_at_any_address() {
    let a = node(&[]).await;
    for (gateway, places) in [
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2"]),
        ("::", ["127.0.0.2", "::1"]),
    ] {
        if ![gateway, places[0], places[1]].into_iter().all(has_address) {
            continue;
        }
        let [one, two] = [Bare::at(places[0]).await, Bare::at(places[1]).await];
        let at = SocketAddr::new(gateway.parse().unwrap(), 0);
        let gate = gateway_at(&a, at, vec![one.address, two.address], None).await;
        for (from, to) in [(&one, &two), (&two, &one)] {
            let text = format!("20/11/2026 09:55:57{} over {gateway}", from.address);
            from.say(&text, &gate).await;
            assert_eq!(to.hears().await, text);
        }
        let counters = gate.counters();
        until("both are in bruit", async || {
            (counters.get("published") == 2).then_some(())
        })
        .await;
        assert_eq!(counters.get("dropped_stranger"), 0);
    }
}

/// An original that was down never gets what it missed, and floods what it had passed on before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_caught_up_on_and_a_restarted_gateway_repeats_nothing() {
    let data = tempfile::tempdir().unwrap();
    let a = node(&[]).await;
    let (one, two) = (Bare::here().await, Bare::here().await);
    let neighbours = vec![one.address, two.address];
    let at = "127.0.0.1:0".parse().unwrap();
    let gate = gateway_at(&a, at, neighbours.clone(), Some(data.path())).await;
    let at = gate.listen()[0];
    let said = "20/11/2026 09:55:57from a neighbour";
    one.say(said, &gate).await;
    assert_eq!(two.hears().await, said);
    a.publish(Draft::new(TOPIC, "from bruit")).await.unwrap();
    let sent = one.hears().await;
    assert!(sent.ends_with("from bruit"));
    assert_eq!(two.hears().await, sent);
    gate.stop().await.expect("stops");
    a.publish(Draft::new(TOPIC, "while it was away"))
        .await
        .unwrap();

    // Both are said again while it starts, before it can know what its node holds.
    let again = [said.to_owned(), sent.clone()];
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let repeating = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            for text in &again {
                one.socket.send_to(text.as_bytes(), at).await.ok();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        one
    });
    let gate = gateway_at(&a, at, neighbours, Some(data.path())).await;
    assert!(two.hears().await.ends_with("while it was away"));
    stop.send(()).unwrap();
    let one = repeating.await.unwrap();
    assert!(one.hears().await.ends_with("while it was away"));
    let counters = gate.counters();
    until("all that was repeated is known", async || {
        let (heard, known) = (counters.get("datagrams_in"), counters.get("duplicates"));
        (heard > 0 && known == heard).then_some(())
    })
    .await;
    assert_eq!(
        counters.get("datagrams_out"),
        2,
        "one message, to two neighbours"
    );
    assert_eq!(counters.get("crossed_in"), 0);
    assert_eq!(two.hears_within(Duration::ZERO).await, None);

    // A node that was not there has all of it, from the others.
    let b = node(&[&a]).await;
    let texts = until("the node has caught up", async || {
        let posts = held(&b, TOPIC).await;
        let texts = posts
            .iter()
            .map(|post| String::from_utf8_lossy(&post.body).into_owned());
        (posts.len() >= 3).then(|| texts.collect::<Vec<_>>())
    });
    let mut texts = texts.await;
    texts.sort();
    assert_eq!(
        texts,
        ["from a neighbour", "from bruit", "while it was away"]
    );
}
