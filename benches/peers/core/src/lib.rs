//! One workload and one way of measuring, for any peer: a command line in, one JSON line out.
//!
//! A peer implements [`Peer`], which starts nodes, and [`Node`], and calls [`Sink::deliver`] for
//! every message its application receives. All nodes live in this process, each on real sockets of
//! 127.0.0.1; with `--kill-mode sigkill` those that are going to die live in a child process.

mod args;
mod child;
mod drive;
mod machine;
mod publish;
mod recorder;
mod report;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

pub use args::Args;
use recorder::Recorder;
pub use recorder::Sink;

/// As bruit's binary has it, for every peer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the methods of a peer return where they have to wait.
pub type BoxFut<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A kind of node.
pub trait Peer: Send + Sync + 'static {
    /// The name in the results.
    fn name(&self) -> String;

    /// The versions in the results.
    fn version(&self) -> String;

    /// Neighbours a node needs before it counts as set up, in a network of `nodes`.
    fn min_mesh(&self, nodes: usize) -> usize;

    /// Starts node `index`; it joins nobody yet.
    fn spawn(&self, index: usize, args: &Args, sink: Sink) -> BoxFut<Result<Arc<dyn Node>>>;
}

/// One running node.
pub trait Node: Send + Sync + 'static {
    /// Where others reach it, also from another process; one word.
    fn addr(&self) -> String;

    /// Begins to join. `addrs[i]` is node i, and `dial` are random others to link to; a peer with
    /// a membership of its own uses `addrs[0]` alone.
    fn join(&self, addrs: Arc<Vec<String>>, dial: Vec<usize>);

    /// How many neighbours it has now.
    fn mesh(&self) -> usize;

    /// Publishes, as an application would.
    fn publish(&self, data: Vec<u8>) -> BoxFut<Result<()>>;

    /// Drops the node; it may say goodbye.
    fn kill(&self);

    /// Copies of messages received so far, duplicates included, where the library counts them.
    fn copies(&self) -> Option<u64> {
        None
    }

    /// Anything else worth a line.
    fn note(&self) -> Option<String> {
        None
    }
}

/// Runs what the command line asks for, and ends the process.
pub fn main<P: Peer>(peer: P) -> ! {
    let args = Args::parse(std::env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        std::process::exit(2);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads)
        .on_thread_start(machine::bind_workers(args.threads, args.unbound))
        .enable_all()
        .build()
        .expect("a runtime can be started");
    let ended = runtime.block_on(async {
        match args.child {
            Some((first, end)) => child::serve(peer, args, first..end).await,
            None => drive::drive(peer, args)
                .await
                .map(|json| println!("{json}")),
        }
    });
    let code = ended.map_or_else(
        |error| {
            eprintln!("error: {error:#}");
            1
        },
        |()| 0,
    );
    std::process::exit(code); // without taking down hundreds of nodes first
}

async fn spawn_range<P: Peer>(
    peer: &P,
    args: &Args,
    recorder: &Arc<Recorder>,
    range: std::ops::Range<usize>,
) -> Result<Vec<Arc<dyn Node>>> {
    let mut nodes = Vec::new();
    for index in range {
        let sink = Sink::new(recorder.clone(), index);
        let node = peer.spawn(index, args, sink).await;
        nodes.push(node.with_context(|| format!("node {index}"))?);
    }
    Ok(nodes)
}

/// Lets nodes join one after the other, node `first` being the first of them.
async fn join_all(nodes: &[Arc<dyn Node>], first: usize, addrs: &Arc<Vec<String>>, args: &Args) {
    for (offset, node) in nodes.iter().enumerate() {
        node.join(addrs.clone(), dial_set(args, first + offset));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until each node has `min` neighbours: whether that came, and the fewest any has.
async fn wait_mesh(nodes: &[Arc<dyn Node>], min: usize, limit: Duration) -> (bool, usize) {
    let start = Instant::now();
    loop {
        let low = nodes.iter().map(|node| node.mesh()).min().unwrap_or(0);
        if low >= min || start.elapsed() > limit {
            return (low >= min, low);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The others that node `index` is told to dial: the same on every run with this seed.
fn dial_set(args: &Args, index: usize) -> Vec<usize> {
    let seed = args.seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
    let mut rng = StdRng::seed_from_u64(seed);
    let want = args.degree.min(args.nodes - 1);
    let mut others = vec![];
    while others.len() < want {
        let other = (rng.next_u64() % args.nodes as u64) as usize;
        if other != index && !others.contains(&other) {
            others.push(other);
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
    use std::sync::{Mutex, OnceLock};

    /// A network without a network: whoever publishes hands every node its copy at once, except
    /// that every `lose_every`-th message misses the last node.
    struct Memory {
        sinks: Mutex<Vec<(Sink, Arc<AtomicBool>)>>,
        lose_every: u64,
        published: AtomicU64,
    }

    struct MemoryNode {
        index: usize,
        alive: Arc<AtomicBool>,
        addrs: OnceLock<usize>,
        net: Arc<Memory>,
    }

    impl Peer for Arc<Memory> {
        fn name(&self) -> String {
            "memory".into()
        }
        fn version(&self) -> String {
            "0".into()
        }
        fn min_mesh(&self, nodes: usize) -> usize {
            nodes - 1
        }
        fn spawn(&self, index: usize, _: &Args, sink: Sink) -> BoxFut<Result<Arc<dyn Node>>> {
            let (net, alive) = (self.clone(), Arc::new(AtomicBool::new(true)));
            Box::pin(async move {
                net.sinks.lock().unwrap().push((sink, alive.clone()));
                Ok(Arc::new(MemoryNode {
                    index,
                    alive,
                    addrs: OnceLock::new(),
                    net,
                }) as _)
            })
        }
    }

    impl Node for MemoryNode {
        fn addr(&self) -> String {
            self.index.to_string()
        }
        fn join(&self, addrs: Arc<Vec<String>>, _: Vec<usize>) {
            self.addrs.set(addrs.len()).unwrap();
        }
        fn mesh(&self) -> usize {
            self.addrs.get().map_or(0, |nodes| nodes - 1)
        }
        fn publish(&self, data: Vec<u8>) -> BoxFut<Result<()>> {
            let (net, index) = (self.net.clone(), self.index);
            Box::pin(async move {
                let sinks = net.sinks.lock().unwrap();
                let count = net.published.fetch_add(1, Relaxed) + 1;
                let lost = (count % net.lose_every == 0).then_some(sinks.len() - 1);
                for (at, (sink, alive)) in sinks.iter().enumerate() {
                    if at != index && Some(at) != lost && alive.load(Relaxed) {
                        sink.deliver(&data);
                    }
                }
                Ok(())
            })
        }
        fn kill(&self) {
            self.alive.store(false, Relaxed);
        }
        fn copies(&self) -> Option<u64> {
            Some(0)
        }
    }

    async fn run(lose_every: u64, line: &str) -> serde_json::Value {
        let args = Args::parse(line.split(' ').map(str::to_owned)).unwrap();
        let sinks = Mutex::default();
        let net = Arc::new(Memory {
            sinks,
            lose_every,
            published: AtomicU64::new(0),
        });
        drive::drive(net, args).await.unwrap()
    }

    #[tokio::test]
    async fn every_delivery_is_counted_once() {
        let line = "--nodes 4 --messages 20 --rate 1000 --publishers 2 --warmup 0 --settle 0";
        let json = run(u64::MAX, line).await;
        assert_eq!(json["messages"], 20);
        assert_eq!(json["delivered"], 60);
        assert_eq!(json["expected"], 60);
        assert_eq!(json["delivery_ratio"], 1.0);
        assert_eq!(json["full_coverage_msgs"], 20);
        assert_eq!(json["mesh_min"], 3);
        assert_eq!(json["app_duplicates"], 0);
    }

    #[tokio::test]
    async fn what_is_lost_is_missing_from_the_ratio() {
        let line = "--nodes 5 --messages 20 --rate 1000 --warmup 0 --settle 0 --drain 0.1";
        let json = run(10, line).await;
        assert_eq!(json["delivered"], 78);
        assert_eq!(json["expected"], 80);
        assert_eq!(json["delivery_ratio"], 0.975);
        assert_eq!(json["full_coverage_msgs"], 18);
        assert_eq!(json["worst_msg_deliveries"], 3);
    }

    #[tokio::test]
    async fn window_bounds_what_is_in_flight_and_ends_with_the_messages() {
        let line = "--nodes 3 --messages 50 --rate max --outstanding 2 --warmup 0 --settle 0";
        let json = run(u64::MAX, line).await;
        assert_eq!(json["delivered"], 100);
        assert_eq!(json["outstanding"], 2);
    }

    #[tokio::test]
    async fn nodes_that_are_killed_are_not_expected_to_deliver() {
        let line =
            "--nodes 4 --messages 10 --rate 1000 --warmup 0 --settle 0 --kill-frac 0.25 --gap 0";
        let json = run(u64::MAX, line).await;
        assert_eq!(json["killed"], 1);
        assert_eq!(json["expected"], 40);
        assert_eq!(json["delivered"], 40);
        assert_eq!(json["phase2"]["ratio"], 1.0);
    }

    #[test]
    fn dialled_peers_are_distinct_others_and_the_same_for_a_seed() {
        let args = Args {
            nodes: 6,
            degree: 9,
            ..Args::default()
        };
        let mut others = dial_set(&args, 2);
        assert_eq!(others, dial_set(&args, 2));
        others.sort_unstable();
        assert_eq!(others, [0, 1, 3, 4, 5]);
    }
}
