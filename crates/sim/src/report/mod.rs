//! What a scenario came to, as it is written to a file, printed and drawn.
//!
//! Same scenario, same seeds: same report, but for the columns about this machine
//! ([`column::Column::is_local`]).

pub mod column;
pub mod compare;
mod kind;
pub mod plot;
pub mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oracles::Broken;
use crate::run::{Outcome, Outcomes};
use crate::scenario::{Case, Scenario};
use crate::stats::{Spread, quantile};
use column::COLUMNS;

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
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
    /// Each column by its key, over all seeds; a column without a value is not there.
    pub columns: BTreeMap<String, Spread>,
    /// Bytes by kind of frame, over all seeds.
    pub bytes_by_kind: BTreeMap<String, Spread>,
    /// Delays in milliseconds at each of [`shares`], the median over all seeds.
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

/// The shares of all deliveries at which delays are kept: each hundredth, and the end more closely.
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
    let values = |of: fn(&Outcome) -> Option<f64>| outcomes.iter().filter_map(of).collect();
    let columns = COLUMNS.iter().filter_map(|column| {
        let spread = Spread::of(values(column.of))?;
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
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for outcome in outcomes {
        for (kind, bytes) in &outcome.bytes_by_kind {
            #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
            values
                .entry(kind::word(*kind))
                .or_default()
                .push(*bytes as f64);
        }
    }
    let spreads = values.into_iter();
    spreads
        .filter_map(|(kind, values)| Some((kind, Spread::of(values)?)))
        .collect()
}

fn delays_ms(outcomes: &[Outcome]) -> Vec<f64> {
    let at = |share: f64| {
        let delays = outcomes.iter();
        let delays = delays.filter_map(|outcome| quantile(&outcome.delays_ms, share));
        Some(Spread::of(delays.collect())?.median)
    };
    shares().into_iter().filter_map(at).collect()
}
