//! The nodes of the demo.
//!
//! Each has a runtime of its own, so that killing one is what it is for a process: its tasks are
//! gone between two steps, nobody says goodbye, nothing is synced any more.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bruit::view::{Peer, Totals};
use bruit::{
    BulletinId, Config, Draft, From, Incoming, Node, PeerSpec, Profile, Subscription, Topics,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::events::{Event, millis};
use crate::failure::Failure;

/// The topic everything happens on.
const TOPIC: &str = "demo";
/// The network, so that nobody else's node is met.
const NETWORK: &str = "demo";
/// Nodes a new one is told of.
const JOINS: usize = 3;
/// Nodes that publish.
const TALKING: usize = 3;
/// How long the folder of a killed node may stay locked.
const UNLOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long nodes may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A message came to a node.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) node: usize,
    pub(super) id: BulletinId,
    pub(super) hops: u8,
    pub(super) at: Instant,
}

/// A message went out.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) node: usize,
    pub(super) id: BulletinId,
    pub(super) text: String,
    pub(super) bits: u8,
    pub(super) work_ms: u64,
    /// When the work was done, at the latest: the wave's clock starts here.
    pub(super) at: Instant,
}

/// The nodes, numbered from 1.
pub(super) struct World {
    folder: TempDir,
    slots: Vec<Slot>,
    arrived: UnboundedSender<Arrival>,
    /// What killed nodes had counted.
    past: Totals,
    turn: usize,
    pub(super) killed: usize,
    pub(super) restarted: usize,
}

struct Slot {
    life: Option<Life>,
    id: String,
    joins: Vec<PeerSpec>,
    address: Option<PeerSpec>,
}

struct Life {
    runtime: Runtime,
    node: Node,
}

impl World {
    pub(super) fn new(arrived: UnboundedSender<Arrival>) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("bruit-demo").tempdir();
        let folder = folder.map_err(|error| Failure::file(&std::env::temp_dir(), &error))?;
        Ok(Self {
            folder,
            slots: Vec::new(),
            arrived,
            past: Totals::default(),
            turn: 0,
            killed: 0,
            restarted: 0,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    /// The numbers of the nodes that live.
    pub(super) fn live(&self) -> Vec<usize> {
        (1..=self.slots.len())
            .filter(|number| self.life(*number).is_some())
            .collect()
    }

    /// A node to be killed, none when there is only one: the last, which talks only where all do, so
    /// that nothing dies with it that nobody else has heard.
    pub(super) fn quiet_one(&self) -> Option<usize> {
        let live = self.live();
        live.last().copied().filter(|_| live.len() > 1)
    }

    /// Starts one more node.
    pub(super) async fn add(&mut self) -> Result<Event, Failure> {
        let number = self.slots.len() + 1;
        let numbers = joins(number);
        let specs = numbers
            .iter()
            .filter_map(|other| self.slots[other - 1].address.clone());
        let specs: Vec<_> = specs.collect();
        let life = self.start(number, specs.clone(), From::Now).await?;
        let (id, address) = (life.node.id().to_string(), life.node.address());
        let shown = address
            .as_ref()
            .map_or_else(String::new, |spec| spec.hosts()[0].to_string());
        self.slots.push(Slot {
            life: Some(life),
            id: id.clone(),
            joins: specs,
            address,
        });
        Ok(Event::Node {
            node: number,
            id,
            address: shown,
            joins: numbers,
        })
    }

    async fn start(&self, number: usize, join: Vec<PeerSpec>, from: From) -> Result<Life, Failure> {
        let config = Config {
            data: Some(self.path(number)),
            listen: Some(([127, 0, 0, 1], 0).into()),
            join,
            network: NETWORK.to_owned(),
            profile: Profile::Local,
            ..Config::default()
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| {
            Failure::usage(
                format!("the system gives no more threads: {error}"),
                "use fewer --nodes",
            )
        })?;
        let arrived = self.arrived.clone();
        let started = runtime.spawn(async move {
            let node = Node::spawn(config).await?;
            let subscription = node.subscribe(Topics::Named(vec![TOPIC.to_owned()]), from);
            // Only a cursor can be wrong, and there is none.
            if let Ok(subscription) = subscription {
                tokio::spawn(listen(subscription, number, arrived));
            }
            Ok(node)
        });
        let crashed = |error| {
            Err(Failure::usage(
                format!("node {number}: {error}"),
                "report this",
            ))
        };
        match started.await.unwrap_or_else(crashed) {
            Ok(node) => Ok(Life { runtime, node }),
            Err(failure) => {
                runtime.shutdown_background();
                Err(failure)
            }
        }
    }

    /// Kills a node; answers whether it lived.
    pub(super) async fn kill(&mut self, number: usize) -> bool {
        let totals = match self.life(number) {
            Some(life) => totals(&life.node).await,
            None => return false,
        };
        let Some(life) = self.slots[number - 1].life.take() else {
            return false;
        };
        self.past = sum(self.past, totals);
        self.killed += 1;
        life.runtime.shutdown_background();
        true
    }

    /// Starts a killed node again, with what its folder holds; none when it lives.
    pub(super) async fn restart(&mut self, number: usize) -> Result<Option<Event>, Failure> {
        let start = Instant::now();
        let slot = number.checked_sub(1).and_then(|at| self.slots.get(at));
        let Some(Slot {
            life: None, joins, ..
        }) = slot
        else {
            return Ok(None);
        };
        let mut joins = joins.clone();
        // Those it was told of may be dead or at another port by now; a live one is not.
        joins.extend(
            self.live()
                .first()
                .and_then(|other| self.slots[other - 1].address.clone()),
        );
        let life = loop {
            // What it had before it died counts already; a subscriber only wants the rest, and
            // having some of it twice is harmless.
            let since = From::Since(Duration::from_hours(1));
            match self.start(number, joins.clone(), since).await {
                Err(failure)
                    if failure.code == "already_running" && start.elapsed() < UNLOCK_TIMEOUT =>
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                started => break started?,
            }
        };
        let slot = &mut self.slots[number - 1];
        slot.address = life.node.address();
        slot.life = Some(life);
        self.restarted += 1;
        let ms = millis(start.elapsed());
        Ok(Some(Event::Restarted { node: number, ms }))
    }

    /// Lets the next node in turn publish `text`.
    pub(super) fn say(
        &mut self,
        text: String,
    ) -> Option<impl Future<Output = Option<Said>> + Send + use<>> {
        let live = self.live();
        self.turn += 1;
        // Few do the talking: a message's way is learnt for each publisher, and used by its next one.
        let talking = &live[..live.len().min(TALKING)];
        let number = *talking.get(self.turn % talking.len().max(1))?;
        let Life { runtime, node } = self.life(number)?;
        let (node, draft) = (node.clone(), Draft::new(TOPIC, text.clone().into_bytes()));
        let start = Instant::now();
        let publishing = runtime.spawn(async move { node.publish(draft).await });
        Some(async move {
            // A node that is killed meanwhile has said nothing.
            let receipt = publishing.await.ok()?.ok()?;
            Some(Said {
                node: number,
                id: receipt.id,
                text,
                bits: receipt.bits,
                work_ms: receipt.work_ms,
                at: start + Duration::from_millis(receipt.work_ms),
            })
        })
    }

    /// Whether every live node can reach every other one over links.
    pub(super) async fn is_connected(&self) -> bool {
        let graph = self.graph().await;
        let Some(first) = graph.keys().next() else {
            return true;
        };
        let (mut reached, mut waiting) = (vec![first.clone()], vec![first.clone()]);
        while let Some(id) = waiting.pop() {
            for other in graph.get(&id).into_iter().flatten() {
                if !reached.contains(other) {
                    reached.push(other.clone());
                    waiting.push(other.clone());
                }
            }
        }
        graph.keys().all(|id| reached.contains(id)) && graph.values().all(|links| !links.is_empty())
    }

    /// Links, each counted once.
    pub(super) async fn links(&self) -> usize {
        self.graph().await.values().map(Vec::len).sum::<usize>() / 2
    }

    async fn graph(&self) -> BTreeMap<String, Vec<String>> {
        let mut graph = BTreeMap::new();
        for life in self.slots.iter().filter_map(|slot| slot.life.as_ref()) {
            let peers = life.node.peers(false).await.into_iter();
            let peers = peers.map(|peer: Peer| peer.id.to_string());
            graph.insert(life.node.id().to_string(), peers.collect());
        }
        graph
    }

    pub(super) async fn list(&self) -> Vec<Event> {
        let graph = self.graph().await;
        let listed = |(at, slot): (usize, &Slot)| Event::Listed {
            node: at + 1,
            id: slot.id.clone(),
            live: slot.life.is_some(),
            links: graph.get(&slot.id).map_or(0, Vec::len),
        };
        self.slots.iter().enumerate().map(listed).collect()
    }

    /// What all nodes counted, dead ones included.
    pub(super) async fn totals(&self) -> Totals {
        let mut all = self.past;
        for life in self.slots.iter().filter_map(|slot| slot.life.as_ref()) {
            all = sum(all, totals(&life.node).await);
        }
        all
    }

    /// Ends all nodes.
    pub(super) async fn stop(&mut self) {
        let mut ending = JoinSet::new();
        let lives: Vec<_> = self
            .slots
            .iter_mut()
            .filter_map(|slot| slot.life.take())
            .collect();
        for life in &lives {
            let node = life.node.clone();
            ending.spawn_on(async move { node.shutdown().await }, life.runtime.handle());
        }
        let all = async { while ending.join_next().await.is_some() {} };
        // Whatever is not done by then is cut off: the folder goes anyway.
        let _ = tokio::time::timeout(STOP_TIMEOUT, all).await;
        for life in lives {
            life.runtime.shutdown_background();
        }
    }

    fn life(&self, number: usize) -> Option<&Life> {
        let slot = self.slots.get(number.checked_sub(1)?)?;
        slot.life.as_ref()
    }

    /// The node `number` where it lives, and its folder.
    pub(super) fn node(&self, number: usize) -> Option<(Node, PathBuf)> {
        let life = self.life(number)?;
        Some((life.node.clone(), self.path(number)))
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("node-{number}"))
    }
}

/// Whom node `number` is told of: its predecessor and two further back.
fn joins(number: usize) -> Vec<usize> {
    let mut earlier: Vec<_> = [number - 1, number / 2, number / 3]
        .into_iter()
        .filter(|other| *other > 0)
        .collect();
    earlier.sort_unstable();
    earlier.dedup();
    earlier.truncate(JOINS);
    earlier.retain(|other| *other < number);
    earlier
}

/// Hands on what comes to a node.
async fn listen(mut subscription: Subscription, number: usize, arrived: UnboundedSender<Arrival>) {
    while let Some(incoming) = subscription.next().await {
        if let Incoming::Bulletin(received) = incoming {
            let arrival = Arrival {
                node: number,
                id: received.id,
                hops: received.hops,
                at: Instant::now(),
            };
            if arrived.send(arrival).is_err() {
                return;
            }
        }
    }
}

async fn totals(node: &Node) -> Totals {
    let status = node.status().await;
    status.map(|status| status.totals).unwrap_or_default()
}

fn sum(a: Totals, b: Totals) -> Totals {
    Totals {
        published: a.published + b.published,
        received: a.received + b.received,
        duplicates: a.duplicates + b.duplicates,
        sent: a.sent + b.sent,
    }
}
