//! bruit with the profile `local` and price 0: every bulletin is signed by its author and verified
//! by every node. Stores are ephemeral, as the others keep nothing either.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use bruit::{Config, Draft, From, Incoming, PeerSpec, Profile, Topics};
use peerbench_core::{Args, BoxFut, Node, Peer, Sink};

const TOPIC: &str = "bench";

struct BruitNode {
    addr: String,
    node: Mutex<Option<bruit::Node>>,
    mesh: Arc<AtomicUsize>,
    copies: Arc<AtomicU64>,
    counts_copies: bool,
    index: usize,
}

impl BruitNode {
    fn node(&self) -> Option<bruit::Node> {
        self.node.lock().expect("nobody panics with it").clone()
    }
}

impl Node for BruitNode {
    fn addr(&self) -> String {
        self.addr.clone()
    }

    fn join(&self, addrs: Arc<Vec<String>>, _dial: Vec<usize>) {
        if self.index == 0 {
            return;
        }
        if let Some(node) = self.node() {
            tokio::spawn(async move {
                let first: PeerSpec = addrs[0].parse().expect("an address");
                node.join(vec![first], Duration::from_secs(10)).await;
            });
        }
    }

    fn mesh(&self) -> usize {
        self.mesh.load(Ordering::Relaxed)
    }

    fn publish(&self, data: Vec<u8>) -> BoxFut<Result<()>> {
        let node = self.node();
        Box::pin(async move {
            let node = node.context("the node is gone")?;
            node.publish(Draft::new(TOPIC, data)).await?;
            Ok(())
        })
    }

    fn kill(&self) {
        if let Some(node) = self.node.lock().expect("nobody panics with it").take() {
            tokio::spawn(async move { node.shutdown().await });
        }
    }

    fn copies(&self) -> Option<u64> {
        self.counts_copies.then(|| self.copies.load(Ordering::Relaxed))
    }
}

struct Bruit;

impl Peer for Bruit {
    fn name(&self) -> String {
        "bruit".into()
    }

    fn version(&self) -> String {
        format!("bruit {}", env!("CARGO_PKG_VERSION"))
    }

    fn min_mesh(&self, nodes: usize) -> usize {
        5.min(nodes - 1)
    }

    fn spawn(&self, index: usize, args: &Args, sink: Sink) -> BoxFut<Result<Arc<dyn Node>>> {
        let counts_copies = args.metrics;
        Box::pin(async move {
            let listen: SocketAddr = "127.0.0.1:0".parse()?;
            let config = Config {
                listen: Some(listen),
                price: 0,
                profile: Profile::Local,
                ..Config::default()
            };
            let node = bruit::Node::spawn(config).await?;
            let mut bulletins = node.subscribe(Topics::Named(vec![TOPIC.into()]), From::Now)?;
            tokio::spawn(async move {
                while let Some(incoming) = bulletins.next().await {
                    match incoming {
                        // The publisher's own copy does not count.
                        Incoming::Bulletin(got) if got.from.is_some() => sink.deliver(&got.body),
                        _ => {}
                    }
                }
            });
            let (mesh, copies) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
            tokio::spawn(watch(node.clone(), Arc::clone(&mesh), Arc::clone(&copies)));
            let addr = node.address().context("reachable")?.to_string();
            let node = Mutex::new(Some(node));
            Ok(Arc::new(BruitNode { addr, node, mesh, copies, counts_copies, index })
                as Arc<dyn Node>)
        })
    }
}

/// Keeps what the harness asks for without waiting up to date: links while the network forms, then
/// the counters, once a second.
async fn watch(node: bruit::Node, mesh: Arc<AtomicUsize>, copies: Arc<AtomicU64>) {
    let mut pause = Duration::from_millis(250);
    while let Some(status) = node.status().await {
        let links = usize::try_from(status.links.inbound + status.links.outbound).unwrap_or(0);
        mesh.store(links, Ordering::Relaxed);
        copies.store(status.totals.received + status.totals.duplicates, Ordering::Relaxed);
        if links >= 5 {
            pause = Duration::from_secs(1);
        }
        tokio::time::sleep(pause).await;
    }
}

fn main() {
    peerbench_core::main(Bruit)
}
