//! Honest traffic: every bulletin carries its number and the moment it was published, every node
//! reports what it hears from the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use bruit::{Draft, Incoming, Node};
use tokio::sync::mpsc;

use crate::world::{TOPIC, live};

/// Bulletins a second, all nodes together.
pub(crate) const RATE: u32 = 50;

/// The moment times in bodies count from.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Debug)]
struct Heard {
    node: usize,
    number: u64,
    after: Duration,
}

/// Nodes that talk to each other.
pub(crate) struct Traffic {
    nodes: Vec<Node>,
    heard: mpsc::UnboundedReceiver<Heard>,
    next_number: u64,
    body_bytes: usize,
}

impl Traffic {
    pub(crate) fn new(nodes: &[Node], body_bytes: usize) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        for (number, node) in nodes.iter().enumerate() {
            listen(number, node, sender.clone());
        }
        Self {
            nodes: nodes.to_vec(),
            heard,
            next_number: 0,
            body_bytes,
        }
    }

    /// Publishes for `time`, in turn; returns how long each bulletin took to each other node.
    /// Everything must arrive, once.
    pub(crate) async fn exchange(&mut self, time: Duration) -> Vec<Duration> {
        let first = self.next_number;
        let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
        let end = Instant::now() + time;
        while Instant::now() < end {
            tick.tick().await;
            self.publish();
        }
        let others = u64::try_from(self.nodes.len() - 1).expect("few");
        let expected = (self.next_number - first) * others;
        let mut seen = BTreeSet::new();
        let mut times = Vec::new();
        while u64::try_from(times.len()).expect("few") < expected {
            let heard = tokio::time::timeout(Duration::from_secs(10), self.heard.recv()).await;
            let missing = expected - u64::try_from(times.len()).expect("few");
            let Ok(Some(heard)) = heard else {
                panic!("{missing} of {expected} did not arrive")
            };
            assert!(heard.number >= first, "late: {heard:?}");
            assert!(seen.insert((heard.node, heard.number)), "twice: {heard:?}");
            times.push(heard.after);
        }
        times
    }

    fn publish(&mut self) {
        let number = self.next_number;
        self.next_number += 1;
        let turn = usize::try_from(number).expect("few") % self.nodes.len();
        let node = self.nodes[turn].clone();
        let now = u64::try_from(EPOCH.elapsed().as_micros()).expect("short");
        let mut body = [number.to_be_bytes(), now.to_be_bytes()].concat();
        body.resize(self.body_bytes.max(16), 0);
        tokio::spawn(async move {
            node.publish(Draft::new(TOPIC, body))
                .await
                .expect("published");
        });
    }
}

fn listen(number: usize, node: &Node, sender: mpsc::UnboundedSender<Heard>) {
    let mut subscription = live(node);
    tokio::spawn(async move {
        while let Some(incoming) = subscription.next().await {
            if sender.is_closed() {
                return;
            }
            let Incoming::Bulletin(received) = incoming else {
                panic!("a gap: {incoming:?}")
            };
            if received.from.is_none() {
                continue;
            }
            let (head, rest) = received.body.split_first_chunk().expect("a number");
            let sent = u64::from_be_bytes(*rest.first_chunk().expect("a time"));
            let after = EPOCH.elapsed().saturating_sub(Duration::from_micros(sent));
            let heard = Heard {
                node: number,
                number: u64::from_be_bytes(*head),
                after,
            };
            if sender.send(heard).is_err() {
                return;
            }
        }
    });
}

/// What one subscriber got: how often each number, and how many it missed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    counts: Mutex<BTreeMap<u64, u32>>,
    missed: AtomicU64,
}

impl Ledger {
    /// Keeps the ledger of `node` until it stops. Bodies begin with a number.
    pub(crate) fn keep(self: &Arc<Self>, node: &Node) {
        let mut subscription = live(node);
        let ledger = Arc::clone(self);
        tokio::spawn(async move {
            while let Some(incoming) = subscription.next().await {
                match incoming {
                    Incoming::Gap { missed } => {
                        ledger.missed.fetch_add(missed, Ordering::Relaxed);
                    }
                    Incoming::Bulletin(received) => {
                        let number = received.body.first_chunk().expect("a number");
                        let mut counts = ledger.counts.lock().expect("nobody panics");
                        *counts.entry(u64::from_be_bytes(*number)).or_default() += 1;
                    }
                }
            }
        });
    }

    pub(crate) fn of(nodes: &[Node]) -> Vec<Arc<Self>> {
        let keep = |node| {
            let ledger = Arc::new(Self::default());
            ledger.keep(node);
            ledger
        };
        nodes.iter().map(keep).collect()
    }

    /// Bulletins that came, and those that were missed.
    pub(crate) fn total(&self) -> (u64, u64) {
        let counts = self.counts.lock().expect("nobody panics");
        let came = counts.values().map(|count| u64::from(*count)).sum();
        (came, self.missed.load(Ordering::Relaxed))
    }

    /// Numbers that came.
    pub(crate) fn numbers(&self) -> BTreeSet<u64> {
        self.counts
            .lock()
            .expect("nobody panics")
            .keys()
            .copied()
            .collect()
    }

    /// Numbers that came more than once.
    pub(crate) fn twice(&self) -> Vec<u64> {
        let counts = self.counts.lock().expect("nobody panics");
        counts
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(number, _)| *number)
            .collect()
    }
}

/// A draft whose body begins with `number`.
pub(crate) fn numbered(number: u64, body_bytes: usize) -> Draft {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(body_bytes.max(8), 0);
    Draft::new(TOPIC, body)
}
