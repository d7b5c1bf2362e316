//! Nodes on loopback, and waiting for what is to become of them.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use bruit::{Config, From, Incoming, Node, Received, Subscription, Topics};
use bruit_core::link::PeerAddress;

/// The only topic of these tests.
pub(crate) const TOPIC: &str = "strain";

/// Waits until no other test under strain runs, in this process or another one: they measure time
/// and memory. The file is let go when it is dropped.
pub(crate) fn alone() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strain.lock");
    let file = File::create(path).expect("the build folder can be written");
    file.lock().expect("files can be locked");
    file
}

pub(crate) fn local() -> Config {
    Config {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        price: 0,
        ..Config::default()
    }
}

pub(crate) async fn spawn(join: &[&Node], config: Config) -> Node {
    let join = join
        .iter()
        .map(|node| node.address().expect("reachable"))
        .collect();
    Node::spawn(Config { join, ..config })
        .await
        .expect("starts")
}

/// Nodes that were told of the first one alone, each linked to `links` others at least.
pub(crate) async fn star(count: usize, links: usize, config: &Config) -> Vec<Node> {
    let mut nodes = vec![spawn(&[], config.clone()).await];
    for _ in 1..count {
        nodes.push(spawn(&[&nodes[0]], config.clone()).await);
    }
    linked(&nodes, links).await;
    nodes
}

/// Waits until each node has `links` links.
pub(crate) async fn linked(nodes: &[Node], links: usize) {
    until(Duration::from_secs(20), "everybody is linked", async || {
        for node in nodes {
            if node.peers(false).await.len() < links {
                return false;
            }
        }
        true
    })
    .await;
}

/// Waits until `condition` holds; returns how long that took.
pub(crate) async fn until(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

/// What comes from now on.
pub(crate) fn live(node: &Node) -> Subscription {
    node.subscribe(Topics::Named(vec![TOPIC.into()]), From::Now)
        .expect("no cursor")
}

/// The next bulletin within ten seconds; a gap or the end is a failure.
pub(crate) async fn next(subscription: &mut Subscription) -> Received {
    match tokio::time::timeout(Duration::from_secs(10), subscription.next()).await {
        Ok(Some(Incoming::Bulletin(received))) => *received,
        other => panic!("no bulletin: {other:?}"),
    }
}

/// Where a stranger finds `node`.
pub(crate) fn address(node: &Node) -> PeerAddress {
    PeerAddress {
        id: node.id(),
        addresses: node.addresses(),
    }
}

pub(crate) async fn stop(nodes: Vec<Node>) {
    let ends = nodes
        .into_iter()
        .map(|node| async move { node.shutdown().await });
    ends.collect::<tokio::task::JoinSet<()>>().join_all().await;
}
