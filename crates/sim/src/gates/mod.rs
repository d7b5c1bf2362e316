//! What the protocol is held to: figures that many networks show, beside their bounds.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::run::{Meter, Worked, worked_off};
use crate::stats::quantile;

mod sync;
mod trial;

use trial::{Spread, Trial, Upheaval};

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

/// Something to be done for a plan.
enum Job<'a> {
    /// A network settles, and has two futures then.
    Settle(u64),
    Spread(Trial<'a>),
    Upheaval(Trial<'a>),
    Formed(usize, u64),
    Sync,
}

/// What came of it.
enum Outcome {
    Spread(Box<Spread>),
    Upheaval(Upheaval),
    Formed(usize, usize),
    Sync(sync::Sessions),
}

/// Tries everything of `plan`, on all cores.
pub fn run(plan: &Plan, meter: &Meter) -> Vec<Gate> {
    // The last is done first, and the longest is to be.
    let mut jobs = vec![Job::Sync];
    for (nodes, count) in &plan.formed {
        let seeds = plan.formed_seeds(*nodes, *count);
        jobs.extend(seeds.map(|seed| Job::Formed(*nodes, seed)));
    }
    let seeds = plan.seed..plan.seed + plan.networks;
    jobs.extend(seeds.rev().map(Job::Settle));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let outcomes = worked_off(jobs, cores, |job| {
        Worked::Done(match job {
            Job::Settle(seed) => {
                let settled = Trial::settled(plan.nodes, seed, meter);
                return Worked::More(vec![Job::Spread(settled.fork()), Job::Upheaval(settled)]);
            }
            Job::Spread(trial) => Outcome::Spread(Box::new(trial::spread(trial, plan))),
            Job::Upheaval(trial) => Outcome::Upheaval(trial::upheaval(trial, plan)),
            Job::Formed(nodes, seed) => Outcome::Formed(nodes, trial::parts(nodes, seed, meter)),
            Job::Sync => Outcome::Sync(sync::sessions(plan.seed)),
        })
    });
    let mut gates = Vec::new();
    for (nodes, networks) in &plan.formed {
        let parts = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Formed(size, parts) if size == nodes => Some(*parts),
            _ => None,
        });
        let worst = parts.max().unwrap_or_default();
        gates.push(component(
            format!("component-{nodes}"),
            worst,
            *nodes,
            *networks,
        ));
    }
    let (mut spreads, mut upheavals): (Vec<&Spread>, Vec<&Upheaval>) = Default::default();
    for outcome in &outcomes {
        match outcome {
            Outcome::Spread(figures) => spreads.push(figures),
            Outcome::Upheaval(figures) => upheavals.push(figures),
            Outcome::Formed(..) | Outcome::Sync(_) => {}
        }
    }
    gates.extend(judged(plan, &spreads, &upheavals));
    for outcome in &outcomes {
        if let Outcome::Sync(sessions) = outcome {
            gates.extend(sync_gates(*sessions));
        }
    }
    gates
}

/// The gates of large networks: of shares and counts the worst one's; of delays the percentile over the
/// deliveries of all.
fn judged(plan: &Plan, spreads: &[&Spread], upheavals: &[&Upheaval]) -> Vec<Gate> {
    if spreads.is_empty() {
        return Vec::new();
    }
    let least = |shares: Vec<f64>| shares.into_iter().fold(f64::INFINITY, f64::min);
    let after =
        |share: fn(&Upheaval) -> f64| least(upheavals.iter().map(|one| share(one)).collect());
    let merged = upheavals.iter().map(|one| one.merged).max();
    let redundancy = spreads.iter().map(|one| one.redundancy).fold(0.0, f64::max);
    let slower = p99(spreads, |one| &one.warm_ms) / p99(spreads, |one| &one.flood_ms);
    let withheld = least(spreads.iter().map(|one| one.withheld).collect());
    let first = p99(spreads, |one| &one.withheld_first_ms);
    let parts = spreads
        .iter()
        .map(|one| one.parts)
        .max()
        .unwrap_or_default();
    let merged = merged.unwrap_or_default().as_secs_f64();
    let measured = [
        (
            "kill-30",
            after(|one| one.after_30),
            AT_LEAST,
            0.9999,
            "share",
        ),
        (
            "kill-80",
            after(|one| one.after_80),
            AT_LEAST,
            0.999,
            "share",
        ),
        ("merge", merged, AT_MOST, 30.0, "s"),
        ("warm-redundancy", redundancy, AT_MOST, 0.05, "copies"),
        ("warm-p99", slower, AT_MOST, 1.1, "of flooding"),
        ("withhold-delivery", withheld, AT_LEAST, 1.0, "share"),
        ("withhold-first", first, AT_MOST, 450.0, "ms"),
    ];
    let (nodes, networks) = (plan.nodes, plan.networks);
    let mut gates = vec![component("component".to_owned(), parts, nodes, networks)];
    gates.extend(measured.map(|(name, value, rule, bound, unit)| Gate {
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
        nodes,
        networks,
    }));
    gates
}

fn p99(all: &[&Spread], figure: fn(&Spread) -> &[f64]) -> f64 {
    let mut delays: Vec<f64> = all.iter().flat_map(|one| figure(one)).copied().collect();
    delays.sort_by(f64::total_cmp);
    quantile(&delays, 0.99).unwrap_or(f64::INFINITY)
}

const AT_MOST: &str = "at most";
const AT_LEAST: &str = "at least";

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn component(name: String, parts: usize, nodes: usize, networks: u64) -> Gate {
    Gate {
        name,
        value: parts as f64,
        bound: 1.0,
        pass: parts == 1,
        rule: AT_MOST,
        unit: "parts",
        nodes,
        networks,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn sync_gates(sessions: sync::Sessions) -> [Gate; 2] {
    let gate = |name: &str, bytes: u64, bound: f64| Gate {
        name: name.to_owned(),
        value: bytes as f64,
        bound,
        pass: bytes as f64 <= bound,
        rule: AT_MOST,
        unit: "bytes",
        nodes: 2,
        networks: 1,
    };
    let recent = 2_000.0 + 100.0 * sync::RECENT as f64;
    [
        gate("sync-equal", sessions.equal, 400.0),
        gate("sync-recent", sessions.recent, recent),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
