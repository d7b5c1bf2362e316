//! What nodes share of links and of the ways of bulletins, on real nodes over real QUIC on loopback.
#![allow(missing_docs, reason = "tests")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bruit::view::{How, Topology};
use bruit::{Config, Draft, Node, Profile};

fn local() -> Config {
    Config {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        price: 0,
        profile: Profile::Local,
        static_peers: true,
        ..Config::default()
    }
}

/// A line of nodes, each linked to the one before it.
async fn line(configs: Vec<Config>) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for config in configs {
        let join = nodes.last().map(|node| node.address().expect("reachable"));
        let join = join.into_iter().collect();
        let node = Node::spawn(Config { join, ..config })
            .await
            .expect("starts");
        nodes.push(node);
    }
    for (at, node) in nodes.iter().enumerate() {
        let links = if at == 0 || at + 1 == nodes.len() {
            1
        } else {
            2
        };
        until("linked", async || node.peers(false).await.len() == links).await;
    }
    nodes
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "not within 20 s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn topology(node: &Node) -> Topology {
    node.topology().await.expect("it runs")
}

/// Each link as its two ends.
fn pairs(topology: &Topology) -> BTreeSet<[bruit::NodeId; 2]> {
    let ends = |link: &bruit::view::TopologyLink| {
        let mut ends = [link.from, link.to];
        ends.sort_unstable();
        ends
    };
    topology.links.iter().map(ends).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_line_of_six_each_sees_every_link_and_the_whole_way_of_a_bulletin() {
    let nodes = line((0..6).map(|_| local()).collect()).await;
    let first = topology(&nodes[0]).await;
    assert!(first.shared);
    assert_eq!((first.nodes.len(), first.links.len()), (6, 5), "{first:?}");
    for node in &nodes {
        assert_eq!(pairs(&topology(node).await), pairs(&first));
    }
    // Who opened it is named first: each node joined the one before it.
    for pair in nodes.windows(2) {
        let is_it = |link: &&bruit::view::TopologyLink| {
            link.from == pair[1].id() && link.to == pair[0].id()
        };
        assert_eq!(first.links.iter().filter(is_it).count(), 1);
    }

    let receipt = nodes[0]
        .publish(Draft::new("news", "hello"))
        .await
        .expect("it goes");
    let id = receipt.id;
    until("the whole way is known", async || {
        let trace = nodes[0].trace(id).await;
        trace.is_some_and(|trace| trace.deliveries.len() == 6)
    })
    .await;
    let trace = nodes[0].trace(id).await.expect("it came");
    let way: Vec<_> = trace
        .deliveries
        .iter()
        .map(|at| (at.node, at.from, at.hops))
        .collect();
    for (at, node) in nodes.iter().enumerate() {
        let from = at.checked_sub(1).map(|before| nodes[before].id());
        let hops = u8::try_from(at).expect("few");
        assert!(way.contains(&(node.id(), from, hops)), "{at}: {way:?}");
    }
    assert!(
        trace
            .deliveries
            .is_sorted_by(|one, other| one.at_ms <= other.at_ms)
    );
    let given: Vec<_> = trace
        .given_to
        .iter()
        .map(|given| (given.id, given.how))
        .collect();
    assert_eq!(given, [(nodes[1].id(), How::First)]);
    // Letterboxes come as well.
    let reached = async || {
        let passages = nodes[5].passages(100).await;
        let found = passages.into_iter().find(|passage| passage.id == id);
        found.map(|passage| passage.reached)
    };
    until("all are known to have it", async || {
        reached().await == Some(6)
    })
    .await;
    for node in nodes {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_share_is_neither_asked_nor_shown_and_passes_nothing_on() {
    let keep = |share| Config {
        share_topology: Some(share),
        ..local()
    };
    let nodes = line(vec![keep(true), keep(true), keep(false), keep(true)]).await;
    let seen = topology(&nodes[0]).await;
    // The link to it is the other end's as well; what lies behind it is not seen.
    let link = |one: &Node, other: &Node| {
        let mut ends = [one.id(), other.id()];
        ends.sort_unstable();
        ends
    };
    let expected = BTreeSet::from([link(&nodes[0], &nodes[1]), link(&nodes[1], &nodes[2])]);
    assert_eq!(pairs(&seen), expected);

    let closed = topology(&nodes[2]).await;
    assert!(!closed.shared);
    let own = BTreeSet::from([link(&nodes[1], &nodes[2]), link(&nodes[2], &nodes[3])]);
    assert_eq!(pairs(&closed), own, "its own links alone");

    let id = nodes[3]
        .publish(Draft::new("news", "hello"))
        .await
        .expect("it goes")
        .id;
    until("it came", async || nodes[0].trace(id).await.is_some()).await;
    let trace = nodes[0].trace(id).await.expect("it came");
    let shown = trace
        .deliveries
        .iter()
        .any(|at| at.node == nodes[2].id() || at.node == nodes[3].id());
    assert!(!shown, "{trace:?}");
    assert!(
        nodes[0]
            .trace(bruit::BulletinId::from_bytes([9; 32]))
            .await
            .is_none()
    );
    for node in nodes {
        node.shutdown().await;
    }
}
