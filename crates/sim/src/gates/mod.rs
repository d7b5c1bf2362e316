//! What the protocol is held to: figures that many networks show, beside their bounds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::run::{Meter, worked_off};
use crate::stats::quantile;

mod step;
mod sync;
mod trial;

use step::{Figure, Step};
use sync::Sessions;

/// How much is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Nodes of the networks that go through everything.
    pub nodes: usize,
    /// How many such networks, each of a seed of its own.
    pub networks: u64,
    /// Rounds in which each publisher publishes once: while trees grow, and while they are measured.
    pub rounds: (usize, usize),
    /// How long they are split in halves. Connections die after half a minute of silence.
    pub apart: Duration,
    /// Networks that only form: their nodes, and how many of them. Those as large as the ones that go through
    /// everything come on top of these.
    pub formed: Vec<(usize, u64)>,
    /// The first seed.
    pub seed: u64,
}

impl Plan {
    /// Some ten minutes on two cores.
    pub fn quick() -> Self {
        Self {
            nodes: 10_000,
            networks: 5,
            rounds: (8, 5),
            apart: Duration::from_secs(32),
            formed: vec![(100, 100), (1_000, 5)],
            seed: 1,
        }
    }

    /// Some hours. With those that go through everything a hundred networks of each size form.
    pub fn full() -> Self {
        Self {
            nodes: 10_000,
            networks: 10,
            rounds: (10, 10),
            apart: Duration::from_mins(10),
            formed: vec![(100, 100), (1_000, 100), (10_000, 90)],
            seed: 1,
        }
    }

    /// The seeds of `count` networks of `nodes` that only form. What goes through everything forms too, and
    /// is the same network with the same seed: as large ones get the seeds after those.
    fn formed_seeds(&self, nodes: usize, count: u64) -> Range<u64> {
        let taken = if nodes == self.nodes {
            self.networks
        } else {
            0
        };
        let first = self.seed + taken;
        first..first + count
    }

    /// What is done for it at first, the last first: the longest, so that the shortest keep all `cores` busy at the end.
    fn steps(&self, cores: usize) -> Vec<Step<'_>> {
        let mut steps = vec![Step::Sync];
        for (nodes, count) in &self.formed {
            let seeds = self.formed_seeds(*nodes, *count);
            steps.extend(seeds.map(|seed| Step::Form(*nodes, seed)));
        }
        let stride = cores as u64;
        let first = self.seeds().take(cores);
        steps.extend(first.map(|seed| Step::Settle { seed, stride }));
        steps
    }

    /// Those of the networks that go through everything.
    fn seeds(&self) -> Range<u64> {
        self.seed..self.seed + self.networks
    }

    /// What tells how far [`run`] has come.
    pub fn meter(&self) -> Meter {
        let whole = (self.nodes, trial::length(self), self.networks);
        let formed = self.formed.iter();
        let formed = formed.map(|(nodes, count)| (*nodes, trial::formation(), *count));
        Meter::over(formed.chain([whole]))
    }
}

/// A figure and its bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// What it is held to.
    pub bound: f64,
    /// Whether it holds.
    pub pass: bool,
    /// `at most` or `at least`: how it is held to its bound.
    pub rule: &'static str,
    /// What value and bound are counted in.
    pub unit: &'static str,
    /// Nodes of each network that was tried.
    pub nodes: usize,
    /// How many networks were.
    pub networks: u64,
}

/// Tries everything of `plan`, on all cores.
pub fn run(plan: &Plan, meter: &Meter) -> Vec<Gate> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut shown = Shown::default();
    for figure in worked_off(plan.steps(cores), cores, |step| step.done(plan, meter)) {
        shown.add(figure);
    }
    shown.judged(plan)
}

/// What networks showed: of shares, counts and times the worst, which is not a number until something is shown and
/// holds to nothing; of delays all.
struct Shown {
    /// By the number of nodes of those that only formed.
    formed: BTreeMap<usize, f64>,
    parts: f64,
    redundancy: f64,
    warm: f64,
    warm_ms: Vec<f64>,
    flood_ms: Vec<f64>,
    withheld: f64,
    withheld_first_ms: Vec<f64>,
    merged_s: f64,
    merged: f64,
    after_30: f64,
    after_80: f64,
    synced: Option<Sessions>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            formed: BTreeMap::new(),
            parts: f64::NAN,
            redundancy: f64::NAN,
            warm: f64::NAN,
            warm_ms: Vec::new(),
            flood_ms: Vec::new(),
            withheld: f64::NAN,
            withheld_first_ms: Vec::new(),
            merged_s: f64::NAN,
            merged: f64::NAN,
            after_30: f64::NAN,
            after_80: f64::NAN,
            synced: None,
        }
    }
}

impl Shown {
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn add(&mut self, figure: Figure) {
        match figure {
            Figure::Formed(nodes, parts) => {
                let worst = self.formed.entry(nodes).or_insert(f64::NAN);
                *worst = worst.max(parts as f64);
            }
            Figure::Settled(parts) => self.parts = self.parts.max(parts as f64),
            Figure::Warm(redundancy, delays) => {
                self.redundancy = self.redundancy.max(redundancy);
                self.warm = self.warm.min(came(&delays));
                self.warm_ms.extend(delays);
            }
            Figure::Flooded(delays) => self.flood_ms.extend(delays),
            Figure::Withheld(share, first) => {
                self.withheld = self.withheld.min(share);
                self.withheld_first_ms.extend(first);
            }
            Figure::Merged(time, share) => {
                self.merged_s = self.merged_s.max(time.as_secs_f64());
                self.merged = self.merged.min(share);
            }
            Figure::Killed30(share) => self.after_30 = self.after_30.min(share),
            Figure::Killed80(share) => self.after_80 = self.after_80.min(share),
            Figure::Synced(sessions) => self.synced = Some(sessions),
        }
    }

    fn judged(self, plan: &Plan) -> Vec<Gate> {
        let (synced, mut gates) = (self.synced, Vec::new());
        for (nodes, networks) in &plan.formed {
            let parts = self.formed.get(nodes).copied().unwrap_or(f64::NAN);
            let gate = Gate::of(&format!("component-{nodes}"), parts, AT_MOST, 1.0, "parts");
            gates.push(gate.over(*nodes, *networks));
        }
        if plan.networks > 0 {
            let whole = self.whole().into_iter();
            gates.extend(whole.map(|gate| gate.over(plan.nodes, plan.networks)));
        }
        gates.extend(synced.into_iter().flat_map(sync_gates));
        gates
    }

    /// The gates of what goes through everything.
    fn whole(self) -> [Gate; 10] {
        let warm = p99(self.warm_ms) / p99(self.flood_ms);
        let first = p99(self.withheld_first_ms);
        [
            Gate::of("component", self.parts, AT_MOST, 1.0, "parts"),
            Gate::of("kill-30", self.after_30, AT_LEAST, 0.9999, "share"),
            Gate::of("kill-80", self.after_80, AT_LEAST, 0.999, "share"),
            Gate::of("merge", self.merged_s, AT_MOST, 30.0, "s"),
            Gate::of("merge-delivery", self.merged, AT_LEAST, 1.0, "share"),
            Gate::of("warm-delivery", self.warm, AT_LEAST, 1.0, "share"),
            Gate::of("warm-redundancy", self.redundancy, AT_MOST, 0.05, "copies"),
            Gate::of("warm-p99", warm, AT_MOST, 1.1, "of flooding"),
            Gate::of("withhold-delivery", self.withheld, AT_LEAST, 1.0, "share"),
            Gate::of("withhold-first", first, AT_MOST, 450.0, "ms"),
        ]
    }
}

impl Gate {
    fn of(name: &str, value: f64, rule: &'static str, bound: f64, unit: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            bound,
            pass: if rule == AT_MOST {
                value <= bound
            } else {
                value >= bound
            },
            rule,
            unit,
            nodes: 0,
            networks: 0,
        }
    }

    /// So many networks of so many nodes were tried.
    fn over(self, nodes: usize, networks: u64) -> Self {
        Self {
            nodes,
            networks,
            ..self
        }
    }
}

/// The share of deliveries that came about.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn came(delays: &[f64]) -> f64 {
    let came = delays.iter().filter(|delay| delay.is_finite());
    came.count() as f64 / delays.len() as f64
}

/// Of no delays infinity.
fn p99(mut delays: Vec<f64>) -> f64 {
    delays.sort_by(f64::total_cmp);
    quantile(&delays, 0.99).unwrap_or(f64::INFINITY)
}

const AT_MOST: &str = "at most";
const AT_LEAST: &str = "at least";

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn sync_gates(sessions: Sessions) -> [Gate; 2] {
    let recent = 2_000.0 + 100.0 * sync::RECENT as f64;
    let gates = [
        Gate::of("sync-equal", sessions.equal, AT_MOST, 400.0, "bytes"),
        Gate::of("sync-recent", sessions.recent, AT_MOST, recent, "bytes"),
    ];
    gates.map(|gate| gate.over(2, 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_nobody_showed_passes_no_gate() {
        let gates = Shown::default().judged(&Plan::full());
        assert!(gates.iter().all(|gate| !gate.pass), "{gates:?}");
        assert_eq!(gates.len(), 13);
    }

    #[test]
    fn trees_that_lose_one_delivery_in_a_hundred_fall_short_of_it_and_not_of_their_delay() {
        let mut shown = Shown::default();
        let mut delays = vec![100.0; 99];
        shown.add(Figure::Flooded(delays.clone()));
        delays.push(f64::INFINITY);
        shown.add(Figure::Warm(0.0, delays));
        let gates = shown.whole();
        let gate = |name| gates.iter().find(|gate| gate.name == name).expect("is one");
        let (delivery, p99) = (gate("warm-delivery"), gate("warm-p99"));
        assert!(
            (delivery.value - 0.99).abs() < 1e-9 && !delivery.pass,
            "{delivery:?}"
        );
        assert!(p99.value.is_finite() && p99.pass, "{p99:?}");
    }

    #[test]
    fn a_hundred_networks_of_each_size_have_a_hundred_seeds() {
        let plan = Plan::full();
        for (nodes, count) in &plan.formed {
            let mut seeds: BTreeSet<u64> = plan.formed_seeds(*nodes, *count).collect();
            if *nodes == plan.nodes {
                seeds.extend(plan.seed..plan.seed + plan.networks);
            }
            assert_eq!(seeds.len(), 100, "{nodes} nodes");
        }
    }
}
