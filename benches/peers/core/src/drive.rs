//! One run: start, join, rest, warm up, kill, publish, drain, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::child::Doomed;
use crate::publish::{Tally, publish_phase};
use crate::recorder::{Recorder, payload};
use crate::report::{self, Outcome};
use crate::{Args, Node, Peer, join_all, machine, spawn_range, wait_mesh};

/// The longest a warm-up message may take to publish; what happens to it is not measured.
const WARMUP_LIMIT: Duration = Duration::from_secs(5);

/// What the network looked like before anything was published.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    /// From the first node to the last one's neighbours.
    pub(crate) seconds: f64,
    /// Whether every node had its neighbours in time.
    pub(crate) ready: bool,
    /// The fewest neighbours of any node.
    pub(crate) mesh_min: usize,
    /// Neighbours of a node of this process, on average.
    pub(crate) mesh_avg: f64,
    /// Memory before the first node and after all, MiB.
    pub(crate) rss_base_mb: f64,
    /// See above.
    pub(crate) rss_idle_mb: f64,
    /// Nodes in this process.
    pub(crate) nodes_here: usize,
}

/// What doing nothing costs, per node and second.
#[derive(Debug)]
pub(crate) struct Idle {
    /// CPU time.
    pub(crate) cpu_ms: f64,
    /// Bytes sent.
    pub(crate) wire_bytes: f64,
}

/// The counters that are read before and after.
#[derive(Debug)]
pub(crate) struct Sample {
    /// CPU time so far.
    pub(crate) cpu_seconds: f64,
    /// Bytes and packets on the loopback device so far.
    pub(crate) wire: (u64, u64),
    /// Copies of messages received so far by the nodes that live, where they count them.
    pub(crate) copies: Option<u64>,
    /// Nanoseconds since the start.
    pub(crate) at: u64,
}

struct Network {
    args: Args,
    recorder: Arc<Recorder>,
    nodes: Vec<Arc<dyn Node>>,
    doomed: Option<Doomed>,
    first_dead: usize,
    setup: Setup,
}

/// Runs the workload and returns the results.
pub(crate) async fn drive<P: Peer>(peer: P, args: Args) -> Result<Value> {
    let phases = if args.kill_frac > 0.0 { 2 } else { 1 };
    let mut network = Network::start(&peer, args, phases).await?;
    let idle = network.idle().await;
    network.warm_up().await;

    let warm = network.recorder.warm();
    let before = network.sample();
    network.kill()?;
    let (tally, starts) = network.publish(phases).await;
    network.drain().await;
    let after = network.sample();

    let notes = network
        .nodes
        .iter()
        .filter_map(|node| node.note())
        .take(5)
        .collect();
    let Network {
        args,
        recorder,
        setup,
        first_dead,
        ..
    } = network;
    let outcome = Outcome {
        args: &args,
        recorder: &recorder,
        setup,
        idle,
        warm,
        before,
        after,
        tally: &tally,
        publishers: args.publishers.min(first_dead),
        killed: args.nodes - first_dead,
        phase_starts: starts,
        notes,
    };
    Ok(report::json(&peer.name(), &peer.version(), &outcome))
}

impl Network {
    async fn start<P: Peer>(peer: &P, args: Args, phases: usize) -> Result<Self> {
        let rss_base_mb = machine::rss_mb();
        let start = Instant::now();
        let window = args.rate.is_none().then_some(args.outstanding);
        let recorder = Recorder::new(args.nodes, args.messages * phases, window);
        let deaths = (args.nodes as f64 * args.kill_frac).round() as usize;
        let first_dead = args.nodes - deaths;
        let apart = deaths > 0 && args.kill_mode == "sigkill";
        let nodes_here = if apart { first_dead } else { args.nodes };

        let nodes = spawn_range(peer, &args, &recorder, 0..nodes_here).await?;
        let mut addrs: Vec<String> = nodes.iter().map(|node| node.addr()).collect();
        let doomed = match apart {
            true => Some(Doomed::start(first_dead..args.nodes, &mut addrs)?),
            false => None,
        };
        let mut network = Self {
            args,
            recorder,
            nodes,
            doomed,
            first_dead,
            setup: Setup::default(),
        };
        network.join(addrs, peer).await?;
        network.setup.seconds = start.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_secs_f64(network.args.settle)).await;
        network.setup.rss_base_mb = rss_base_mb;
        network.setup.rss_idle_mb = machine::rss_mb();
        network.setup.nodes_here = nodes_here;
        let neighbours: usize = network.nodes.iter().map(|node| node.mesh()).sum();
        network.setup.mesh_avg = neighbours as f64 / nodes_here as f64;
        Ok(network)
    }

    async fn join<P: Peer>(&mut self, addrs: Vec<String>, peer: &P) -> Result<()> {
        join_all(&self.nodes, 0, &Arc::new(addrs), &self.args).await;
        let limit = Duration::from_secs_f64(self.args.mesh_wait);
        let min = peer.min_mesh(self.args.nodes);
        (self.setup.ready, self.setup.mesh_min) = wait_mesh(&self.nodes, min, limit).await;
        if let Some(doomed) = self.doomed.take() {
            let (doomed, ready, low) = doomed.ready().await?;
            self.doomed = Some(doomed);
            self.setup.ready &= ready;
            self.setup.mesh_min = self.setup.mesh_min.min(low);
        }
        Ok(())
    }

    async fn idle(&self) -> Option<Idle> {
        let seconds = self.args.idle_secs;
        if seconds <= 0.0 {
            return None;
        }
        let (cpu, wire) = (machine::cpu_seconds(), machine::loopback_sent().0);
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        let per_node_second = 1.0 / seconds / self.args.nodes as f64;
        Some(Idle {
            cpu_ms: (machine::cpu_seconds() - cpu) * 1000.0 * per_node_second,
            wire_bytes: (machine::loopback_sent().0 - wire) as f64 * per_node_second,
        })
    }

    /// Lets trees settle and buffers be allocated.
    async fn warm_up(&self) {
        if self.args.messages == 0 || self.args.warmup == 0 {
            return;
        }
        let mut rng = StdRng::seed_from_u64(self.args.seed);
        for _ in 0..self.args.warmup {
            for node in self.publishers() {
                let data = payload(self.args.msg_size, None, &mut rng);
                tokio::time::timeout(WARMUP_LIMIT, node.publish(data))
                    .await
                    .ok();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }

    fn kill(&mut self) -> Result<()> {
        if self.first_dead == self.args.nodes {
            return Ok(());
        }
        self.recorder.bury(self.first_dead);
        match self.doomed.take() {
            Some(doomed) => doomed.kill()?,
            None => self.nodes[self.first_dead..]
                .iter()
                .for_each(|node| node.kill()),
        }
        Ok(())
    }

    /// Publishes all phases; returns what the publishers met and when each phase began.
    async fn publish(&self, phases: usize) -> (Arc<Tally>, Vec<u64>) {
        let tally = Arc::new(Tally::default());
        let mut starts = vec![];
        for phase in 0..phases {
            if phase > 0 {
                tokio::time::sleep(Duration::from_secs_f64(self.args.gap)).await;
            }
            starts.push(self.recorder.now());
            publish_phase(self.publishers(), &self.args, &self.recorder, &tally, phase).await;
        }
        (tally, starts)
    }

    /// Waits for what is still under way.
    async fn drain(&self) {
        let start = Instant::now();
        let all = self.recorder.stats(0..self.recorder.messages()).published * self.recorder.need();
        let limit = Duration::from_secs_f64(self.args.drain);
        while self.recorder.delivered() < all && start.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn publishers(&self) -> &[Arc<dyn Node>] {
        &self.nodes[..self.args.publishers.min(self.first_dead)]
    }

    fn sample(&self) -> Sample {
        Sample {
            cpu_seconds: machine::cpu_seconds(),
            wire: machine::loopback_sent(),
            copies: self.nodes[..self.first_dead]
                .iter()
                .map(|node| node.copies())
                .sum(),
            at: self.recorder.now(),
        }
    }
}
