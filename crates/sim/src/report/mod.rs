//! What a scenario came to, as it is written to a file, printed and drawn.
//!
//! Same scenario, same seeds: same report, but for the columns about this machine
//! ([`column::Column::is_local`]).

pub mod column;
pub mod compare;
mod kind;
pub mod plot;
pub mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::oracles::Broken;
use crate::run::{Outcome, Outcomes};
use crate::scenario::{Case, Scenario};
use crate::stats::{Spread, quantile_of};
use column::COLUMNS;

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of bruit that made it; empty in those that did not say.
    #[serde(default)]
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub title: String,
    /// Which question it answers.
    pub about: String,
    /// The seeds it was run with.
    pub seeds: Vec<u64>,
    /// A row for each case.
    pub cases: Vec<Row>,
    /// What is to be drawn over what.
    pub plot: Option<Axes>,
}

/// What is drawn over what, by keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axes {
    /// The swept key of the scenario.
    pub x: String,
    /// The columns.
    pub y: Vec<String>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What its nodes did.
    pub protocol: String,
    /// How many they were.
    pub nodes: usize,
    /// Where it lies on the axis of the sweep, if there is one.
    pub x: Option<f64>,
    /// Each column by its key, over all seeds; a column without a value in any of them is not there.
    pub columns: BTreeMap<String, Spread>,
    /// Bytes by kind of frame, over all seeds; nothing where a run has none of a kind.
    pub bytes_by_kind: BTreeMap<String, Spread>,
    /// Delays in milliseconds at each of [`shares`] of what was due, the median over all seeds; it ends at the
    /// first share that half of the seeds did not deliver.
    pub delays_ms: Vec<f64>,
    /// For each seed a hash over every frame, dial and delivery and its moment, in hexadecimal digits.
    #[serde(default)]
    pub traces: Vec<String>,
    /// How often a promise was not kept, in all seeds together.
    pub broken_count: usize,
    /// The first of these, with their seeds.
    pub broken: Vec<Failed>,
}

/// A promise that was not kept, and the seed with which it is seen again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// What happened.
    #[serde(flatten)]
    pub broken: Broken,
}

/// Broken promises that a row tells of.
const BROKEN_MAX: usize = 20;

/// The shares of all deliveries that are due at which delays are kept: each hundredth, and the end more closely.
pub fn shares() -> Vec<f64> {
    let hundredths = (1..100_u32).map(|share| f64::from(share) / 100.0);
    hundredths.chain([0.995, 0.999, 0.9999, 1.0]).collect()
}

impl Report {
    /// Of `scenario`, run with `seeds`.
    pub fn new(scenario: &Scenario, seeds: &[u64], outcomes: &Outcomes) -> Self {
        let cases = scenario.cases.iter().zip(outcomes);
        let x = scenario.plot.as_ref().map(|plot| plot.x);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            about: scenario.about.clone(),
            seeds: seeds.to_vec(),
            cases: cases
                .map(|(case, outcomes)| row(case, x, seeds, outcomes))
                .collect(),
            plot: scenario.plot.as_ref().map(|plot| Axes {
                x: plot.x.to_owned(),
                y: plot.y.iter().map(|key| (*key).to_owned()).collect(),
            }),
        }
    }

    /// How often a promise was not kept.
    pub fn broken(&self) -> usize {
        self.cases.iter().map(|row| row.broken_count).sum()
    }
}

fn row(case: &Case, x: Option<&str>, seeds: &[u64], outcomes: &[Outcome]) -> Row {
    let columns = COLUMNS.iter().filter_map(|column| {
        let spread = Spread::of(outcomes.iter().map(column.of))?;
        Some((column.key.to_owned(), spread))
    });
    let broken = seeds.iter().zip(outcomes).flat_map(|(seed, outcome)| {
        let broken = outcome.broken.iter().cloned();
        broken.map(|broken| Failed {
            seed: *seed,
            broken,
        })
    });
    Row {
        name: case.name.clone(),
        protocol: case.setup.protocol.as_str().to_owned(),
        nodes: case.setup.nodes,
        x: x.and_then(|key| case.setup.number(key)),
        columns: columns.collect(),
        bytes_by_kind: bytes_by_kind(outcomes),
        delays_ms: delays_ms(outcomes),
        traces: outcomes
            .iter()
            .map(|outcome| outcome.trace.clone())
            .collect(),
        broken_count: outcomes.iter().map(|outcome| outcome.broken.len()).sum(),
        broken: broken.take(BROKEN_MAX).collect(),
    }
}

fn bytes_by_kind(outcomes: &[Outcome]) -> BTreeMap<String, Spread> {
    let kinds = outcomes
        .iter()
        .flat_map(|outcome| outcome.bytes_by_kind.keys());
    let kinds: BTreeSet<u8> = kinds.copied().collect();
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    let bytes = |kind: u8| {
        let runs = outcomes.iter();
        Spread::of(
            runs.map(|run| Some(run.bytes_by_kind.get(&kind).map_or(0.0, |all| *all as f64))),
        )
    };
    kinds
        .into_iter()
        .filter_map(|kind| Some((kind::word(kind), bytes(kind)?)))
        .collect()
}

fn delays_ms(outcomes: &[Outcome]) -> Vec<f64> {
    let at = |share: f64| {
        let runs = outcomes.iter();
        // Never is later than everything.
        let delays = runs.map(|run| {
            let delay = quantile_of(&run.delays_ms, share, run.due);
            Some(delay.unwrap_or(f64::INFINITY))
        });
        let median = Spread::of(delays)?.median;
        median.is_finite().then_some(median)
    };
    shares().into_iter().map_while(at).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::Totals;

    /// A run in which so many of a hundred deliveries came, one each millisecond.
    fn outcome(came: u32, repaired: Option<u64>, kinds: &[(u8, u64)]) -> Outcome {
        Outcome {
            nodes: 100,
            virtual_time: Duration::ZERO,
            delivery_ratio: Some(f64::from(came) / 100.0),
            delays_ms: (1..=came).map(f64::from).collect(),
            due: 100,
            totals: Totals::default(),
            bytes_by_kind: kinds.iter().copied().collect(),
            last_hop: 0.0,
            overlay: None,
            formed: None,
            repaired: repaired.map(Duration::from_secs),
            broken: Vec::new(),
            wall_time: Duration::ZERO,
            memory_kb: None,
            trace: String::new(),
            recording: None,
        }
    }

    fn report(outcomes: Vec<Outcome>) -> Report {
        let scenario = Scenario::parse("test", "nodes = 100\nabout = 'why'").expect("a scenario");
        let seeds: Vec<u64> = (1..).take(outcomes.len()).collect();
        Report::new(&scenario, &seeds, &vec![outcomes])
    }

    #[test]
    fn what_some_runs_never_came_to_is_told_beside_what_others_did() {
        let repaired = [None, Some(12), None, None, Some(14)];
        let report = report(repaired.map(|time| outcome(100, time, &[])).to_vec());
        let spread = report.cases[0].columns["repair_s"];
        assert_eq!((spread.median, spread.missing), (13.0, 3));
        assert!(!report.cases[0].columns.contains_key("formed_s"));
        let text = table::text(&report);
        for shown in ["13.0 (2/5)", "test: test", "\nwhy\n"] {
            assert!(text.contains(shown), "{text}");
        }
        let most = text.lines().find(|line| line.starts_with("  most"));
        assert!(most.is_some_and(|line| !line.contains("14.0")), "{text}");
        assert!(!report.version.is_empty());
    }

    #[test]
    fn the_curve_of_delays_is_of_what_was_due_and_ends_where_it_never_came() {
        let delays = |came: &[u32]| {
            let outcomes = came.iter().map(|came| outcome(*came, None, &[]));
            report(outcomes.collect()).cases[0].delays_ms.clone()
        };
        assert_eq!(delays(&[60]).len(), 60);
        assert!(
            (delays(&[60])[49] - 50.0).abs() < 1e-9,
            "half of what was due"
        );
        assert_eq!(delays(&[100]).len(), shares().len());
        assert_eq!(delays(&[10, 90, 90]).len(), 90);
        assert_eq!(delays(&[10, 10, 90]).len(), 10);
    }

    #[test]
    fn a_run_without_a_kind_of_frame_counts_as_nothing_of_it() {
        let kind = bruit_core::wire::kind::LOOKUP;
        let report = report(vec![outcome(1, None, &[(kind, 8)]), outcome(1, None, &[])]);
        let bytes = report.cases[0].bytes_by_kind["lookup"];
        assert_eq!((bytes.least, bytes.most, bytes.missing), (0.0, 8.0, 0));
    }
}
