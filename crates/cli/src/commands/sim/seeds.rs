//! `bruit sim seeds`: networks by chance, in each of which everything that is promised must hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bruit_sim::seeds::{self, Finding, Range};
use clap::Args;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output;

/// Make a small network of each seed, with weather, faults and adversaries by chance, and hold it to
/// everything that is promised. Exit code 1 names the seeds where something did not hold; each finds the same
/// again alone.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit sim seeds\n  bruit sim seeds --count 20000\n  bruit sim seeds --seed 7 --count 1 --out found"
)]
pub(super) struct Seeds {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Write the network of every seed that fails, and of the only one in any case, into this folder, as a
    /// scenario
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Answer {
    first: u64,
    count: u64,
    found: Vec<Finding>,
    /// Scenarios that were written.
    files: Vec<String>,
    seconds: u64,
}

/// Broken promises that are printed for each seed; the JSON has all.
const SHOWN: usize = 3;

impl Seeds {
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        if let Some(out) = &self.out {
            // Before the work, not after it.
            fs::create_dir_all(out).map_err(|error| Failure::file(out, &error))?;
        }
        let range = Range {
            first: self.seed,
            count: self.count,
        };
        let began = Instant::now();
        let meter = Arc::new(range.meter());
        let found = super::simulated("seeds".to_owned(), meter.clone(), move || {
            seeds::run(range, &meter)
        })
        .await?;
        let files = self.write(&found)?;
        let answer = Answer {
            first: self.seed,
            count: self.count,
            found,
            files,
            seconds: began.elapsed().as_secs(),
        };
        output::line(&if json {
            output::json(&answer)
        } else {
            output::escape_lines(&text(&answer))
        })?;
        judged(&answer)
    }

    fn write(&self, found: &[Finding]) -> Result<Vec<String>, Failure> {
        let Some(out) = &self.out else {
            return Ok(Vec::new());
        };
        let failed = found.iter().map(|finding| finding.seed);
        let only = (self.count == 1 && found.is_empty()).then_some(self.seed);
        failed.chain(only).map(|seed| write(out, seed)).collect()
    }
}

/// Writes the network of `seed` as a scenario; answers the file's name.
fn write(out: &Path, seed: u64) -> Result<String, Failure> {
    let path = out.join(format!("seed-{seed}.toml"));
    let text = seeds::setup(seed).toml(&format!("the network of seed {seed}"));
    fs::write(&path, text).map_err(|error| Failure::file(&path, &error))?;
    Ok(path.display().to_string())
}

fn text(answer: &Answer) -> String {
    let mut lines = Vec::new();
    for finding in &answer.found {
        lines.push(format!("seed {}, {} nodes:", finding.seed, finding.nodes));
        if let Some(panic) = &finding.panic {
            lines.push(format!("  it panicked: {panic}"));
        }
        for broken in finding.broken.iter().take(SHOWN) {
            lines.push(format!("  {} (at {:.1} s)", broken.what, broken.at_s));
        }
        let more = finding.broken.len().saturating_sub(SHOWN);
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
    }
    let failed = answer.found.len() as u64;
    let held = answer.count - failed;
    let took = output::span(answer.seconds);
    lines.push(format!(
        "{held} of {} networks held everything that is promised ({took})",
        answer.count
    ));
    if !answer.files.is_empty() {
        let files = answer.files.join(", ");
        lines.push(format!("see one with `bruit sim FILE --seed S`: {files}"));
    }
    lines.join("\n")
}

/// Exit code 1 when a network did not hold what is promised.
fn judged(answer: &Answer) -> Result<(), Failure> {
    let Some(first) = answer.found.first() else {
        return Ok(());
    };
    let (failed, seed) = (answer.found.len(), first.seed);
    Err(Failure::new(
        Exit::Negative,
        "promise_broken",
        format!(
            "{failed} of {} seeds broke a promise; the first is {seed}",
            answer.count
        ),
        format!("see it alone with `bruit sim seeds --seed {seed} --count 1 --out DIR`"),
    ))
}
