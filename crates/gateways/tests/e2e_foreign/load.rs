//! A thousand items a second, for three seconds; `BRUIT_LOAD_SECONDS=30` makes them thirty.
//!
//! What is held to: each item that was sent is published or counted under a name, and memory has a bound.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bruit::Draft;
use bruit_gateways::Counters;

use crate::common::{node, until};

/// What an item is counted as in the end, where a bridge publishes it.
pub(crate) const MADE: [&str; 3] = ["published", "refused_inside", "dropped_publishing_full"];

/// Items in a tick of ten milliseconds.
const PER_TICK: u64 = 10;
const TICK: Duration = Duration::from_millis(10);
/// The first look at memory is after this time, or half of the run.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// What the process may grow by from there to the end, for each item: what a node keeps of a bulletin while it lives
/// (see [`a_node_without_a_gateway`]) and what a gateway remembers of it, which has an end.
const GROWTH_PER_ITEM_MAX: u64 = 3 << 10;

/// A run.
pub(crate) struct Load {
    gateway: &'static str,
    /// Items that were sent.
    pub(crate) sent: u64,
    time: Duration,
    early: Option<u64>,
}

impl Load {
    /// Sends items, each by its number.
    pub(crate) async fn send(gateway: &'static str, mut one: impl AsyncFnMut(u64)) -> Self {
        let seconds = std::env::var("BRUIT_LOAD_SECONDS");
        let seconds = seconds.map_or(3, |text| text.parse().expect("a number of seconds"));
        let whole = Duration::from_secs(seconds);
        let look = FIRST_LOOK.min(whole / 2);
        let start = Instant::now();
        let (mut sent, mut early) = (0, None);
        for tick in 1.. {
            for _ in 0..PER_TICK {
                one(sent).await;
                sent += 1;
            }
            let due = TICK * tick;
            tokio::time::sleep_until((start + due).into()).await;
            if due >= look && early.is_none() {
                early = memory();
            }
            if due >= whole {
                break;
            }
        }
        Self {
            gateway,
            sent,
            time: start.elapsed(),
            early,
        }
    }

    /// Waits until each item is counted under one of `ends`; then says and checks what came of it.
    pub(crate) async fn settles(&self, counters: &Counters, ends: &[&str]) {
        let late = memory();
        let sent = self.sent;
        until("every item is published or counted", async || {
            let ended: u64 = ends.iter().map(|end| counters.get(end)).sum();
            (ended >= sent).then_some(())
        })
        .await;
        let all = counters.all().into_iter();
        let dropped: BTreeMap<_, _> = all
            .filter(|(what, count)| *count > 0 && what.starts_with("dropped_"))
            .collect();
        let mib = |bytes: Option<u64>| bytes.unwrap_or_default() >> 20;
        println!(
            "{}: {sent} sent in {:.1} s, {} published, dropped {dropped:?}, memory {} MiB, then {} MiB",
            self.gateway,
            self.time.as_secs_f64(),
            counters.get("published"),
            mib(self.early),
            mib(late),
        );
        assert!(
            counters.get("published") >= sent / 2,
            "{:?}",
            counters.all()
        );
        if let (Some(early), Some(late)) = (self.early, late) {
            assert!(
                late.saturating_sub(early) <= GROWTH_PER_ITEM_MAX * sent,
                "{early}, then {late} bytes"
            );
        }
    }
}

/// Bytes of this process in memory, where the system says so.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// What the figures of the gateways are to be compared with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a comparison, which holds nothing to anything"]
async fn a_node_without_a_gateway() {
    let node = node(&[]).await;
    let counters = Counters::default();
    let load = Load::send("no gateway", async |n| {
        let draft = Draft::new("simple", format!("message {n}")).tag("smp:0123456789abcdef");
        node.publish(draft).await.unwrap();
        counters.count("published");
    });
    load.await.settles(&counters, &MADE).await;
}
