//! Who received which message, and when: written by every node at once, without a lock.
//!
//! A payload is `[magic: u32][message: u32][random: 0..]`, little-endian.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use rand::RngCore;
use tokio::sync::Semaphore;

/// Begins every payload of ours.
const MAGIC: u32 = 0x5042_454e;
/// Stands for the message of a warm-up, which is not measured.
const WARMUP: u32 = u32::MAX;

/// The record of one run.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    nodes: usize,
    /// When each message was published, ns since the start; 0 for not yet.
    published: Vec<AtomicU64>,
    /// Latency per message and node, µs + 1; 0 for not yet.
    latency: Vec<AtomicU32>,
    /// Deliveries per message.
    count: Vec<AtomicU32>,
    /// Deliveries a message needs to be everywhere.
    need: AtomicU32,
    live: Vec<AtomicBool>,
    /// Messages that may still be published, when there is no rate.
    pub(crate) window: Option<Semaphore>,
    released: Vec<AtomicBool>,
    delivered: AtomicU64,
    duplicates: AtomicU64,
    warm: AtomicU64,
    last: AtomicU64,
}

/// What became of some messages; times in µs + 1, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Messages that were published.
    pub(crate) published: u64,
    /// One per delivery.
    pub(crate) latency: Vec<u32>,
    /// One per message that reached everybody: when the last one had it.
    pub(crate) coverage: Vec<u32>,
    /// Deliveries of the message that had fewest.
    pub(crate) worst: u32,
}

impl Recorder {
    /// An empty record; `window` is the number of messages that may be under way, if bounded.
    pub(crate) fn new(nodes: usize, messages: usize, window: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            nodes,
            published: zeroed(messages),
            latency: zeroed(messages * nodes),
            count: zeroed(messages),
            need: AtomicU32::new(nodes as u32 - 1),
            live: (0..nodes).map(|_| AtomicBool::new(true)).collect(),
            window: window.map(Semaphore::new),
            released: zeroed(messages),
            delivered: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            warm: AtomicU64::new(0),
            last: AtomicU64::new(0),
        })
    }

    /// Notes that a message goes out now; returns the time.
    pub(crate) fn publish(&self, message: usize) -> u64 {
        let now = self.now().max(1);
        self.published[message].store(now, Relaxed);
        now
    }

    /// Counts the nodes from `first_dead` on out.
    pub(crate) fn bury(&self, first_dead: usize) {
        self.live[first_dead..]
            .iter()
            .for_each(|live| live.store(false, Relaxed));
        self.need.store(first_dead as u32 - 1, Relaxed);
    }

    /// Gives a message's place in the window back, once.
    pub(crate) fn release(&self, message: usize) {
        if let Some(window) = &self.window
            && !self.released[message].swap(true, Relaxed)
        {
            window.add_permits(1);
        }
    }

    /// How many messages there are to publish, over all phases.
    pub(crate) fn messages(&self) -> usize {
        self.published.len()
    }

    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// When a message was published, if it was.
    pub(crate) fn published_at(&self, message: usize) -> Option<u64> {
        Some(self.published[message].load(Relaxed)).filter(|&time| time > 0)
    }

    /// Whether a message has reached everybody.
    pub(crate) fn everywhere(&self, message: usize) -> bool {
        self.count[message].load(Relaxed) >= self.need.load(Relaxed)
    }

    /// Deliveries a message needs to be everywhere.
    pub(crate) fn need(&self) -> u64 {
        self.need.load(Relaxed).into()
    }

    /// Deliveries so far, of messages that are measured.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Deliveries of what a node had already delivered.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates.load(Relaxed)
    }

    /// Deliveries of warm-up messages.
    pub(crate) fn warm(&self) -> u64 {
        self.warm.load(Relaxed)
    }

    /// The time of the last delivery.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Relaxed)
    }

    /// What became of a range of messages.
    pub(crate) fn stats(&self, messages: std::ops::Range<usize>) -> Stats {
        let mut stats = Stats {
            worst: u32::MAX,
            ..Stats::default()
        };
        for message in messages.filter(|&message| self.published_at(message).is_some()) {
            let row = &self.latency[message * self.nodes..][..self.nodes];
            let row: Vec<u32> = row
                .iter()
                .map(|us| us.load(Relaxed))
                .filter(|&us| us > 0)
                .collect();
            stats.published += 1;
            stats.worst = stats.worst.min(self.count[message].load(Relaxed));
            if self.everywhere(message) {
                stats.coverage.push(row.iter().copied().max().unwrap_or(1));
            }
            stats.latency.extend(row);
        }
        stats.worst = if stats.published == 0 { 0 } else { stats.worst };
        stats.latency.sort_unstable();
        stats.coverage.sort_unstable();
        stats
    }

    fn deliver(&self, node: usize, message: usize) {
        let (Some(count), true) = (self.count.get(message), self.live[node].load(Relaxed)) else {
            return;
        };
        let now = self.now();
        let waited = now.saturating_sub(self.published[message].load(Relaxed)) / 1000 + 1;
        let latency = &self.latency[message * self.nodes + node];
        let waited = waited.min(u32::MAX.into()) as u32;
        if latency
            .compare_exchange(0, waited, Relaxed, Relaxed)
            .is_err()
        {
            self.duplicates.fetch_add(1, Relaxed);
            return;
        }
        self.delivered.fetch_add(1, Relaxed);
        self.last.fetch_max(now, Relaxed);
        if count.fetch_add(1, Relaxed) + 1 == self.need.load(Relaxed) {
            self.release(message);
        }
    }
}

/// Where a node's application hands over what it received.
#[derive(Clone, Debug)]
pub struct Sink {
    recorder: Arc<Recorder>,
    node: usize,
}

impl Sink {
    pub(crate) fn new(recorder: Arc<Recorder>, node: usize) -> Self {
        Self { recorder, node }
    }

    /// The index of the node this belongs to.
    pub fn node(&self) -> usize {
        self.node
    }

    /// Takes one message; what is not of this benchmark is ignored.
    pub fn deliver(&self, data: &[u8]) {
        match decode(data) {
            None => {}
            Some(WARMUP) => _ = self.recorder.warm.fetch_add(1, Relaxed),
            Some(message) => self.recorder.deliver(self.node, message as usize),
        }
    }
}

/// The payload of a message, `bytes` long; `None` makes one that is not measured.
pub(crate) fn payload(bytes: usize, message: Option<usize>, rng: &mut impl RngCore) -> Vec<u8> {
    let mut data = vec![0u8; bytes];
    rng.fill_bytes(&mut data[8..]);
    let message = message.map_or(WARMUP, |message| message as u32);
    data[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    data[4..8].copy_from_slice(&message.to_le_bytes());
    data
}

fn decode(data: &[u8]) -> Option<u32> {
    let (magic, rest) = data.split_first_chunk()?;
    let (message, _) = rest.split_first_chunk()?;
    (u32::from_le_bytes(*magic) == MAGIC).then_some(u32::from_le_bytes(*message))
}

fn zeroed<T: Default>(count: usize) -> Vec<T> {
    (0..count).map(|_| T::default()).collect()
}
