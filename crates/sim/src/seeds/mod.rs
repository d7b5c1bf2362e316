//! Seeds: each makes a small network of its own, with weather, faults and adversaries by chance, in which
//! everything that is promised must hold.

mod draw;

use std::panic::{self, AssertUnwindSafe};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::oracles::Broken;
use crate::run::{self, Meter};
use crate::scenario::Setup;

pub use draw::setup;

/// What is wrong with the network of a seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which seed: the same seed finds the same.
    pub seed: u64,
    /// How many nodes its network has.
    pub nodes: usize,
    /// Promises that were not kept.
    pub broken: Vec<Broken>,
    /// What the engine, or the world, stumbled over.
    pub panic: Option<String>,
}

/// Seeds that are run, the first and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl Range {
    /// All of them.
    pub fn seeds(self) -> impl Iterator<Item = u64> {
        (0..self.count).map(move |number| self.first.wrapping_add(number))
    }

    /// Tells how far they are.
    pub fn meter(self) -> Meter {
        Meter::over(self.seeds().map(|seed| {
            let setup = setup(seed);
            (setup.nodes, setup.length(), 1)
        }))
    }
}

/// Runs the networks of these seeds on all cores; answers those in which something is wrong.
///
/// # Panics
/// Never for what a network does: that is a finding.
pub fn run(range: Range, meter: &Meter) -> Vec<Finding> {
    let seeds: Vec<u64> = range.seeds().collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(seeds.len());
    let found = run::side_by_side(
        seeds.len(),
        threads,
        || (),
        |(), job| one(seeds[job], meter),
    );
    found.into_iter().flatten().collect()
}

/// Runs the network of one seed.
pub fn one(seed: u64, meter: &Meter) -> Option<Finding> {
    judge(&setup(seed), seed, meter)
}

/// Runs `setup` with `seed`; answers what is wrong, if anything is.
fn judge(setup: &Setup, seed: u64, meter: &Meter) -> Option<Finding> {
    // Nothing of a world that panicked is looked at again.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| run::one(setup, seed, meter)));
    let (broken, panic) = match outcome {
        Ok(outcome) => (outcome.broken, None),
        Err(cause) => (Vec::new(), Some(words(cause.as_ref()))),
    };
    let is_wrong = !broken.is_empty() || panic.is_some();
    is_wrong.then_some(Finding {
        seed,
        nodes: setup.nodes,
        broken,
        panic,
    })
}

fn words(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| cause.downcast_ref::<&str>().copied());
    text.unwrap_or("it did not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_seeds_network_written_down_and_read_again_is_the_same() {
        for seed in 0..500 {
            let setup = setup(seed);
            let text = setup.toml("what seed does");
            let read = Scenario::parse("seed", &text).unwrap_or_else(|problem| {
                panic!("seed {seed}: {problem}: {}\n{text}", problem.fix);
            });
            assert_eq!(read.cases[0].setup, setup, "seed {seed}\n{text}");
        }
    }

    #[test]
    fn a_panic_is_a_finding_and_says_why() {
        let broken = Setup {
            // Nobody: the engine's configuration is refused.
            node: crate::scenario::NodeConfig {
                outbound: Some(0),
                ..Default::default()
            },
            nodes: 2,
            ..Setup::default()
        };
        let found = judge(&broken, 1, &Meter::default()).expect("a finding");
        let why = found.panic.expect("it panicked");
        assert!(why.contains("a valid configuration"), "{why}");
    }

    /// Seed 1855: of two links between the same nodes, one was coming up, slowly, when both ends were first asked,
    /// and going five seconds later.
    #[test]
    fn a_link_that_has_been_there_in_between_is_not_one_sided() {
        assert_eq!(one(1855, &Meter::default()), None);
    }

    /// Seed 9607: a node that was cut off published while its disk was full, and died.
    #[test]
    fn what_nobody_knows_of_any_more_is_owed_by_nobody() {
        assert_eq!(one(9607, &Meter::default()), None);
    }
}
