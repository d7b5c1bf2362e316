//! Honest traffic: every bulletin carries its number and the moment it was published, every node
//! reports what it hears from the others.

use std::collections::BTreeSet;
use std::sync::LazyLock;
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
            let Incoming::Bulletin(received) = incoming else {
                panic!("a gap: {incoming:?}")
            };
            // What attackers publish is on another topic.
            if received.from.is_none() || received.topic.as_deref() != Some(TOPIC) {
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
