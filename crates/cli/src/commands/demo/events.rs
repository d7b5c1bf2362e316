//! What the demo tells: one line of JSON each, or a line of text.

use std::time::Duration;

use serde::Serialize;

use super::world::Said;
use crate::output;

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    /// A node runs.
    Node {
        node: usize,
        id: String,
        address: String,
        joins: Vec<usize>,
    },
    /// A browser may look on.
    Dashboard {
        /// Opens the dashboard once.
        dashboard: String,
    },
    /// All nodes found each other.
    Formed { nodes: usize, links: usize, ms: f64 },
    /// A node as `l` shows it.
    Listed {
        node: usize,
        id: String,
        live: bool,
        links: usize,
    },
    /// A message went out.
    Published {
        node: usize,
        id: String,
        message: String,
        bits: u8,
        work_ms: u64,
    },
    /// A message reached everybody it can reach, or was given up.
    Wave(Wave),
    /// A node died.
    Killed { node: usize },
    /// A node came back.
    Restarted { node: usize, ms: f64 },
    /// The last one.
    Summary(Summary),
}

/// How one message spread over the nodes that were live when it was published.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Wave {
    pub(super) id: String,
    pub(super) message: String,
    pub(super) from: usize,
    pub(super) reached: usize,
    pub(super) of: usize,
    pub(super) p50_ms: f64,
    pub(super) max_ms: f64,
    pub(super) arrivals: Vec<Reached>,
}

/// A node that got a message from another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Reached {
    pub(super) node: usize,
    pub(super) hops: u8,
    pub(super) ms: f64,
}

/// What the run came to. Its keys are promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) nodes: usize,
    pub(super) published: usize,
    /// Messages times nodes that live at the end.
    pub(super) expected: usize,
    /// How many of those came about.
    pub(super) delivered: usize,
    pub(super) delivery_ratio: f64,
    /// From the end of the work to another node's subscriber; what a node caught up with after it was
    /// away does not count.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Copies beyond the first, for each first one.
    pub(super) redundancy: f64,
    pub(super) killed: usize,
    pub(super) restarted: usize,
    /// Deliveries a node caught up with after it was away.
    pub(super) caught_up: usize,
}

impl Event {
    pub(super) fn formed(nodes: usize, links: usize, took: Duration) -> Self {
        let ms = millis(took);
        Self::Formed { nodes, links, ms }
    }

    pub(super) fn published(said: &Said) -> Self {
        Self::Published {
            node: said.node,
            id: said.id.to_string(),
            message: said.text.clone(),
            bits: said.bits,
            work_ms: said.work_ms,
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Node {
                node,
                id,
                address,
                joins,
            } => {
                let joins: Vec<_> = joins.iter().map(ToString::to_string).collect();
                let whom = if joins.is_empty() {
                    "alone".into()
                } else {
                    format!("joins {}", joins.join(", "))
                };
                format!("node {node:<3} {} at {address}, {whom}", output::short(id))
            }
            Self::Dashboard { dashboard } => {
                format!("watch    {dashboard} (opens once, within 10 min)")
            }
            Self::Formed { nodes, links, ms } => {
                format!("formed   {nodes} nodes, {links} links, {ms:.0} ms after the first start")
            }
            Self::Listed {
                node,
                id,
                live,
                links,
            } => {
                let state = if *live {
                    format!("{links} links")
                } else {
                    "dead".to_owned()
                };
                format!("node {node:<3} {} {state}", output::short(id))
            }
            Self::Published {
                node,
                message,
                bits,
                work_ms,
                ..
            } => {
                let message = output::escape(message);
                format!("publish  {message:?} by node {node}, {bits} bits of work in {work_ms} ms")
            }
            Self::Wave(wave) => wave.text(),
            Self::Killed { node } => format!("kill     node {node}: it dies without a word"),
            Self::Restarted { node, ms } => {
                format!("restart  node {node} with the key and store it had, ready in {ms:.0} ms")
            }
            Self::Summary(summary) => summary.text(),
        }
    }
}

impl Wave {
    /// The head, and a line for each number of hops.
    fn text(&self) -> String {
        let Self {
            from,
            reached,
            of,
            p50_ms,
            max_ms,
            ..
        } = self;
        let message = output::escape(&self.message);
        let mut lines = vec![format!(
            "wave     {message:?} from node {from}: {reached} of {of}, half in {p50_ms:.1} ms, the last in {max_ms:.1} ms"
        )];
        let most = self.arrivals.iter().map(|arrival| arrival.hops).max();
        for hops in 0..=most.unwrap_or_default() {
            let there = self.arrivals.iter().filter(|arrival| arrival.hops == hops);
            let there: Vec<_> = there
                .map(|arrival| format!("{} ({:.1} ms)", arrival.node, arrival.ms))
                .collect();
            if !there.is_empty() {
                lines.push(format!("  hop {hops}: {}", there.join("  ")));
            }
        }
        lines.join("\n")
    }
}

impl Summary {
    fn text(&self) -> String {
        format!(
            "\nsummary  {} nodes, {} messages, {} killed, {} restarted\n  delivered    {} of {} ({:.2} %), \
             {} of them caught up after a restart\n  delay        half within {:.1} ms, 99 % within {:.1} ms\n  \
             redundancy   {:.2} copies beyond the first",
            self.nodes,
            self.published,
            self.killed,
            self.restarted,
            self.delivered,
            self.expected,
            self.delivery_ratio * 100.0,
            self.caught_up,
            self.p50_ms,
            self.p99_ms,
            self.redundancy
        )
    }
}

/// Milliseconds with their fraction, to the microsecond.
pub(super) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
