//! Nodes that leave, come back and are cut off from each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bruit::transport::MemoryNetwork;
use bruit::{Config, Node};
use bruit_core::id::NodeId;

use crate::traffic::{Ledger, numbered};
use crate::world::{alone, linked, local, spawn, star, stop, until};

/// The sizes of the parts that links join together, largest first.
async fn components(nodes: &[Node]) -> Vec<usize> {
    let mut neighbours = BTreeMap::<NodeId, BTreeSet<NodeId>>::new();
    for node in nodes {
        for peer in node.peers(false).await {
            neighbours.entry(node.id()).or_default().insert(peer.id);
            neighbours.entry(peer.id).or_default().insert(node.id());
        }
    }
    let mut left: BTreeSet<NodeId> = nodes.iter().map(Node::id).collect();
    let mut sizes = Vec::new();
    while let Some(first) = left.pop_first() {
        let mut open = vec![first];
        let mut size = 1;
        while let Some(id) = open.pop() {
            for next in neighbours.get(&id).into_iter().flatten() {
                if left.remove(next) {
                    size += 1;
                    open.push(*next);
                }
            }
        }
        sizes.push(size);
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

/// F8. Each node keeps its folder; every other one keeps its port, too. Nobody is told where the
/// others are: the address book knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_sixteen() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let mut nodes = Vec::new();
    for number in 0..16 {
        let join: Vec<&Node> = nodes.first().into_iter().collect();
        nodes.push(spawn(&join, kept(folder.path(), number, None)).await);
    }
    linked(&nodes, 4).await;
    let ledgers = Ledger::of(&nodes);
    let mut times = Vec::new();
    for number in 0..16_usize {
        let port = (number % 2 == 0).then(|| nodes[number].addresses()[0]);
        nodes[number].shutdown().await;
        let config = kept(folder.path(), number, port);
        nodes[number] = spawn(&[], config).await;
        ledgers[number].keep(&nodes[number]);
        times.push(back_in_mesh(&nodes, &ledgers, number).await);
    }
    times.sort();
    println!(
        "back in the mesh: median {:?}, longest {:?}",
        times[8], times[15]
    );
    assert_eq!(components(&nodes).await, [16]);
    for ledger in &ledgers {
        assert_eq!(ledger.twice(), [0_u64; 0]);
    }
    stop(nodes).await;
}

fn kept(folder: &Path, number: usize, listen: Option<SocketAddr>) -> Config {
    let data = folder.join(number.to_string());
    Config {
        data: Some(data),
        listen: listen.or(local().listen),
        ..local()
    }
}

/// Waits until the node has links, is heard and hears; returns how long that took.
async fn back_in_mesh(nodes: &[Node], ledgers: &[Arc<Ledger>], back: usize) -> Duration {
    let start = Instant::now();
    let other = (back + 5) % nodes.len();
    let number = u64::try_from(back).expect("few") * 1_000;
    nodes[other]
        .publish(numbered(number, 100))
        .await
        .expect("published");
    nodes[back]
        .publish(numbered(number + 1, 100))
        .await
        .expect("published");
    until(Duration::from_secs(10), "back in the mesh", async || {
        nodes[back].peers(false).await.len() >= 4
            && ledgers
                .iter()
                .all(|ledger| ledger.has(number) && ledger.has(number + 1))
    })
    .await;
    start.elapsed()
}

/// F9. Story elsewhere: the creator of a topic leaves, later joiners see only some of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_creator_leaves_and_others_join_later() {
    let _alone = alone();
    let mut nodes = star(4, 3, &local()).await;
    let creator = nodes.remove(0);
    creator.publish(numbered(1, 100)).await.expect("published");
    creator.shutdown().await;
    drop(creator);
    for through in 0..3 {
        let joiner = spawn(&[&nodes[through]], local()).await;
        nodes.push(joiner);
    }
    linked(&nodes, 3).await;
    let ledgers = Ledger::of(&nodes);
    let start = Instant::now();
    for (number, node) in (100_u64..).zip(&nodes) {
        node.publish(numbered(number, 100))
            .await
            .expect("published");
    }
    until(
        Duration::from_secs(5),
        "everybody hears everybody",
        async || {
            ledgers
                .iter()
                .all(|ledger| (100..106).all(|number| ledger.has(number)))
        },
    )
    .await;
    println!(
        "six nodes without the creator: everything everywhere after {:?}",
        start.elapsed()
    );
    assert_eq!(components(&nodes).await, [6]);
    let mut views = BTreeSet::new();
    until(Duration::from_secs(20), "one view", async || {
        views.clear();
        for node in &nodes {
            let links = node.peers(false).await;
            let mut ids: Vec<NodeId> = links.iter().map(|peer| peer.id).collect();
            ids.push(node.id());
            ids.sort();
            views.insert(ids);
        }
        views.len() == 1
    })
    .await;
    for ledger in &ledgers {
        assert_eq!(ledger.twice(), [0_u64; 0]);
    }
    stop(nodes).await;
}

/// F3, in real time and over the memory transport; `crates/sim/tests/network.rs` has the full
/// minute in virtual time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_halves_cut_off_from_each_other() {
    const EACH: usize = 6;
    let _alone = alone();
    let network = MemoryNetwork::new();
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..2 * EACH {
        let join = nodes.first().and_then(Node::address).into_iter().collect();
        let config = Config { join, ..local() };
        let node = Node::spawn_on(&config, |id| Box::new(network.join(id)));
        nodes.push(node.expect("starts"));
    }
    linked(&nodes, 4).await;
    let ledgers = Ledger::of(&nodes);
    let (left, right) = nodes.split_at(EACH);
    let across = || {
        left.iter()
            .flat_map(|a| right.iter().map(|b| (a.id(), b.id())))
    };
    across().for_each(|(a, b)| network.cut(a, b));
    let mut number = 0;
    for _ in 0..40 {
        for half in [left, right] {
            let at = usize::try_from(number).expect("few") % EACH;
            half[at]
                .publish(numbered(number, 100))
                .await
                .expect("published");
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(
        components(&nodes).await,
        [EACH, EACH],
        "the halves are apart"
    );
    assert!(!ledgers[0].has(1), "nothing crossed");

    across().for_each(|(a, b)| network.heal(a, b));
    let one = until(Duration::from_secs(30), "one overlay", async || {
        components(&nodes).await == [2 * EACH]
    })
    .await;
    let everywhere = until(
        Duration::from_mins(1),
        "everything everywhere",
        async || {
            ledgers
                .iter()
                .all(|ledger| (0..number).all(|number| ledger.has(number)))
        },
    )
    .await;
    println!(
        "one overlay after {one:?}, everything everywhere after {:?}",
        one + everywhere
    );
    for ledger in &ledgers {
        assert_eq!(ledger.twice(), [0_u64; 0], "nothing comes twice");
    }
    stop(nodes).await;
}
