//! Real nodes over real QUIC on loopback, in one process.
#![allow(missing_docs, reason = "tests")]

use std::time::{Duration, Instant};

use bruit::{
    Config, Draft, From, Incoming, Node, Outcome, Profile, Subscription, Topics, Verdict, Wait,
};

fn local() -> Config {
    Config {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        price: 0,
        ..Config::default()
    }
}

async fn node(join: &[&Node]) -> Node {
    let join = join
        .iter()
        .map(|node| node.address().expect("reachable"))
        .collect();
    Node::spawn(Config { join, ..local() })
        .await
        .expect("starts")
}

fn news(node: &Node) -> Subscription {
    node.subscribe(Topics::Named(vec!["news".into()]), From::Now)
        .expect("no cursor")
}

async fn next_body(subscription: &mut Subscription) -> Vec<u8> {
    let next = tokio::time::timeout(Duration::from_secs(10), subscription.next());
    match next.await {
        Ok(Some(Incoming::Bulletin(received))) => received.body.to_vec(),
        other => panic!("{other:?}"),
    }
}

async fn linked(nodes: &[&Node], links: usize) {
    let start = Instant::now();
    loop {
        let mut least = usize::MAX;
        for node in nodes {
            least = least.min(node.peers(false).await.len());
        }
        if least >= links {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{least} links after 20 s"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_told_of_the_first_alone_deliver_each_body_once() {
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    let c = node(&[&a]).await;
    linked(&[&a, &b, &c], 2).await;
    let mut subscriptions = [news(&a), news(&b), news(&c)];
    let mut times = Vec::new();
    for round in 0..50_u8 {
        for (number, from) in [&a, &b, &c].into_iter().enumerate() {
            let body = vec![round, u8::try_from(number).expect("three")];
            let start = Instant::now();
            from.publish(Draft::new("news", body.clone()))
                .await
                .expect("published");
            for subscription in &mut subscriptions {
                assert_eq!(next_body(subscription).await, body);
            }
            times.push(start.elapsed());
        }
    }
    times.sort();
    println!(
        "p50 {:?} p99 {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
    for subscription in &mut subscriptions {
        let more = tokio::time::timeout(Duration::from_millis(300), subscription.next()).await;
        assert!(more.is_err(), "nothing comes twice: {more:?}");
    }
    for node in [a, b, c] {
        node.shutdown().await;
    }
}

/// A node with a disk.
async fn keeper(folder: &tempfile::TempDir, join: &[&Node]) -> Node {
    let join = join
        .iter()
        .map(|node| node.address().expect("reachable"))
        .collect();
    let data = Some(folder.path().to_owned());
    Node::spawn(Config {
        data,
        join,
        ..local()
    })
    .await
    .expect("starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spread_and_stored_come_true_and_without_company_a_bulletin_is_queued() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let a = keeper(&folders[0], &[]).await;
    let alone = a
        .publish(Draft::new("news", "alone"))
        .await
        .expect("published");
    assert_eq!(alone.result, Outcome::Queued);
    let b = keeper(&folders[1], &[&a]).await;
    linked(&[&a, &b], 1).await;
    let stored = a
        .publish(Draft::new("news", "stored").wait(Wait::Stored))
        .await;
    assert_eq!(stored.expect("published").result, Outcome::Stored);
    let spread = a
        .publish(Draft::new("news", "spread").wait(Wait::Spread(1)))
        .await;
    let spread = spread.expect("published");
    assert_eq!((spread.result, spread.spread), (Outcome::Spread, 1));
    // What was queued came with the first link.
    let mut held = b
        .subscribe(
            Topics::Named(vec!["news".into()]),
            From::Since(Duration::from_mins(1)),
        )
        .expect("fine");
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(next_body(&mut held).await);
    }
    assert!(bodies.contains(&b"alone".to_vec()), "{bodies:?}");
    for node in [a, b] {
        node.shutdown().await;
    }
}

/// Memory is no disk: an ephemeral node answered `stored`, and told its neighbours so, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ephemeral_node_never_says_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = keeper(&folder, &[]).await;
    let b = node(&[&a]).await;
    linked(&[&a, &b], 1).await;
    let refused = b.publish(Draft::new("news", "x").wait(Wait::Stored)).await;
    assert_eq!(refused.expect_err("no disk").code(), "store_failed");
    let to_memory = Draft::new("news", "y")
        .wait(Wait::Spread(1))
        .wait_timeout(Duration::from_secs(1));
    let refused = a.publish(to_memory).await;
    assert_eq!(
        refused.expect_err("its neighbour has no disk").code(),
        "timeout"
    );
    let to_disk = b.publish(Draft::new("news", "z").wait(Wait::Spread(1)));
    assert_eq!(to_disk.await.expect("published").result, Outcome::Spread);
    for node in [a, b] {
        node.shutdown().await;
    }
}

/// Equal headers made within a millisecond had one id, and all but the first were lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_bulletins_published_at_once_are_several() {
    let a = node(&[]).await;
    let mut subscription = news(&a);
    let publish = (0..50).map(|_| a.publish(Draft::new("news", "tick")));
    let receipts = futures_util::future::join_all(publish).await;
    let ids: std::collections::BTreeSet<_> = receipts
        .into_iter()
        .map(|receipt| receipt.expect("published").id)
        .collect();
    assert_eq!(ids.len(), 50);
    for _ in 0..50 {
        assert_eq!(next_body(&mut subscription).await, b"tick");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_nobody_knows_is_told_as_a_gap_and_what_expired_is_not_replayed() {
    let a = node(&[]).await;
    let short = Draft::new("news", "short").ttl(Duration::from_secs(1));
    a.publish(short).await.expect("published");
    a.publish(Draft::new("news", "long"))
        .await
        .expect("published");
    let topics = || Topics::Named(vec!["news".into()]);
    let lost = From::Cursor(format!("0-{}", "07".repeat(32)));
    let mut since = a.subscribe(topics(), lost).expect("a cursor");
    assert_eq!(since.next().await, Some(Incoming::Gap { missed: 0 }));
    assert_eq!(next_body(&mut since).await, b"short");
    assert_eq!(next_body(&mut since).await, b"long");

    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let mut later = a
        .subscribe(topics(), From::Since(Duration::from_mins(1)))
        .expect("no cursor");
    assert_eq!(next_body(&mut later).await, b"long");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_operator_denies_is_unlinked() {
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    linked(&[&a, &b], 1).await;
    let deny = [b.id().to_string()];
    a.set_access(&[], &deny).await.expect("an id");
    let start = Instant::now();
    while !a.peers(false).await.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "still linked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_default_price_the_work_is_done_at_publish() {
    let a = Node::spawn(Config {
        price: 128,
        ..local()
    })
    .await
    .expect("starts");
    let receipt = a
        .publish(Draft::new("news", vec![1; 1_000]))
        .await
        .expect("published");
    assert!(receipt.bits >= 18);
    let refused = a
        .publish(Draft::new("news", vec![1; 1_000]).max_work(5))
        .await;
    assert_eq!(refused.expect_err("too little").code(), "price_too_low");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_decides_what_is_delivered_and_passed_on() {
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    linked(&[&a, &b], 1).await;
    let mut validator = b.validate("news", Duration::from_secs(5));
    let mut subscription = news(&b);
    tokio::spawn(async move {
        while let Some(question) = validator.next().await {
            let good = question.received.body.starts_with(b"good");
            question.answer(if good {
                Verdict::Accept
            } else {
                Verdict::Ignore
            });
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    for body in ["bad 1", "good 2", "bad 3", "good 4"] {
        a.publish(Draft::new("news", body))
            .await
            .expect("published");
    }
    assert_eq!(next_body(&mut subscription).await, b"good 2");
    assert_eq!(next_body(&mut subscription).await, b"good 4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_frames_reach_a_neighbour() {
    let a = node(&[]).await;
    let b = node(&[&a]).await;
    linked(&[&a, &b], 1).await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    b.on_frame(200, move |from, kind, body| {
        sender.send((from, kind, body)).expect("the test listens");
    });
    a.send_frame(b.id(), 200, "hello".into()).expect("sent");
    let got = tokio::time::timeout(Duration::from_secs(5), receiver.recv()).await;
    assert_eq!(got.expect("in time"), Some((a.id(), 200, "hello".into())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_catches_up_and_delivers_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = |join: &Node| Config {
        data: Some(folder.path().to_owned()),
        join: vec![join.address().expect("reachable")],
        profile: Profile::Local,
        ..local()
    };
    let a = node(&[]).await;
    let b = Node::spawn(config(&a)).await.expect("starts");
    linked(&[&a, &b], 1).await;
    let mut subscription = news(&b);
    for number in 0..20_u8 {
        a.publish(Draft::new("news", vec![number]))
            .await
            .expect("published");
        assert_eq!(next_body(&mut subscription).await, [number]);
    }
    b.shutdown().await;
    drop((b, subscription));
    for number in 20..1_020_u32 {
        a.publish(Draft::new("news", number.to_be_bytes().to_vec()))
            .await
            .expect("published");
    }
    let start = Instant::now();
    let b = Node::spawn(config(&a)).await.expect("starts again");
    let mut live = news(&b);
    let mut bodies = std::collections::BTreeSet::new();
    while bodies.len() < 1_000 {
        assert!(
            bodies.insert(next_body(&mut live).await),
            "nothing comes twice"
        );
    }
    println!("caught up in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10));
    let mut since = b.subscribe(
        Topics::Named(vec!["news".into()]),
        From::Since(Duration::from_mins(5)),
    );
    let since = since.as_mut().expect("fine");
    for _ in 0..1_020 {
        next_body(since).await;
    }
    let more = tokio::time::timeout(Duration::from_millis(300), since.next()).await;
    assert!(more.is_err());
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_sync_topics_catches_up_on_them_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = |join: &Node| Config {
        data: Some(folder.path().to_owned()),
        join: vec![join.address().expect("reachable")],
        sync_topics: vec!["news".into(), "weather".into()],
        ..local()
    };
    let other = |node: &Node, from| {
        let topics = Topics::Named(vec!["other".into()]);
        node.subscribe(topics, from).expect("no cursor")
    };
    let a = node(&[]).await;
    let b = Node::spawn(config(&a)).await.expect("starts");
    linked(&[&a, &b], 1).await;
    let mut subscription = news(&b);
    a.publish(Draft::new("news", "there"))
        .await
        .expect("published");
    assert_eq!(next_body(&mut subscription).await, b"there");
    b.shutdown().await;
    drop((b, subscription));
    for number in 0..200_u8 {
        let topic = if number % 10 == 0 { "news" } else { "other" };
        a.publish(Draft::new(topic, vec![number]))
            .await
            .expect("published");
    }
    let b = Node::spawn(config(&a)).await.expect("starts again");
    let (mut news, mut live) = (news(&b), other(&b, From::Now));
    let mut bodies = std::collections::BTreeSet::new();
    while bodies.len() < 20 {
        assert!(bodies.insert(next_body(&mut news).await), "once each");
    }
    a.publish(Draft::new("other", "live"))
        .await
        .expect("published");
    assert_eq!(next_body(&mut live).await, b"live");
    let mut held = other(&b, From::Since(Duration::from_mins(5)));
    assert_eq!(next_body(&mut held).await, b"live", "nothing was before it");
    b.shutdown().await;
}

/// Story: a node that was restarted found its own port still taken, as its earlier run had not quite let
/// go of it.
#[tokio::test]
async fn a_port_that_is_about_to_be_free_is_waited_for() {
    let earlier = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let listen = earlier.local_addr().expect("an address");
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(earlier);
    });
    let config = Config {
        listen: Some(listen),
        ..local()
    };
    let node = Node::spawn(config).await.expect("starts");
    assert_eq!(node.addresses(), [listen]);
    release.await.expect("ends");
    node.shutdown().await;
}
