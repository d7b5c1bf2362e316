//! `bruit sim SCENARIO`: runs it, shows what came of it, and keeps that where it is told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bruit_sim::recording::{self, Recording};
use bruit_sim::report::{Report, plot, table};
use bruit_sim::run::{self, Meter};
use bruit_sim::scenario::{Problem, Scenario};
use clap::Args;

use crate::config::keys::nearest;
use crate::failure::{Exit, Failure};
use crate::output;

/// Where nothing else is said.
const SEED: u64 = 1;
/// Where nothing else is said.
const RUNS: u64 = 1;

/// What to run.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// A scenario's name (`bruit sim list`), or a file of yours
    scenario: String,
    /// The seed: it decides everything
    #[arg(long, value_name = "S", default_value_t = SEED)]
    seed: u64,
    /// Run with so many seeds, from --seed on, and report the median and the range
    #[arg(long, value_name = "N", default_value_t = RUNS, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    runs: u64,
    /// Write report.json, table.txt, plots (SVG) and a recording of the first run of each case into this
    /// folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Run {
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        let scenario = read(&self.scenario)?;
        if let Some(out) = &self.out {
            // Before the work, not after it.
            fs::create_dir_all(out).map_err(|error| Failure::file(out, &error))?;
        }
        let seeds: Vec<u64> = (0..self.runs)
            .map(|run| self.seed.wrapping_add(run))
            .collect();
        let (report, recordings) = simulate(scenario, seeds, self.out.is_some()).await?;
        let text = table::text(&report);
        output::line(&if json {
            output::json(&report)
        } else {
            output::escape_lines(&text)
        })?;
        match &self.out {
            Some(out) => {
                let files = write(out, &report, &text, &recordings)?.join(", ");
                if !json {
                    output::line(&format!("\nin {}: {files}", out.display()))?;
                }
            }
            None if !json => {
                let again = self.command("--out DIR");
                output::line(&format!(
                    "\nnothing was written; this keeps the report and draws the plots:\n  {again}"
                ))?;
            }
            None => {}
        }
        self.judged(&report)
    }

    /// Exit code 1 when a promise was not kept.
    fn judged(&self, report: &Report) -> Result<(), Failure> {
        let broken = report.broken();
        let first = report.cases.iter().find_map(|row| row.broken.first());
        let Some(first) = first else {
            return Ok(());
        };
        let (seed, what) = (first.seed, &first.broken.what);
        Err(Failure::new(
            Exit::Negative,
            "promise_broken",
            format!("{broken} times a promise was not kept; first, with seed {seed}: {what}"),
            format!(
                "see it again with `bruit sim {} --seed {seed}`",
                self.scenario
            ),
        ))
    }

    /// What was asked for, and `more`.
    fn command(&self, more: &str) -> String {
        let mut words = vec!["bruit sim".to_owned(), self.scenario.clone()];
        if self.seed != SEED {
            words.push(format!("--seed {}", self.seed));
        }
        if self.runs != RUNS {
            words.push(format!("--runs {}", self.runs));
        }
        words.push(more.to_owned());
        words.join(" ")
    }
}

async fn simulate(
    scenario: Scenario,
    seeds: Vec<u64>,
    is_recorded: bool,
) -> Result<(Report, Vec<Recording>), Failure> {
    let setups = scenario.cases.iter().map(|case| &case.setup);
    let meter = Arc::new(Meter::of(setups, seeds.len()));
    super::simulated(scenario.name.clone(), meter.clone(), move || {
        let run = if is_recorded { run::recorded } else { run::all };
        let mut outcomes = run(&scenario, &seeds, &meter);
        let report = Report::new(&scenario, &seeds, &outcomes);
        let all = outcomes.iter_mut().flatten();
        let recordings = all.filter_map(|outcome| outcome.recording.take());
        (report, recordings.collect())
    })
    .await
}

/// Answers the names of the files it wrote.
fn write(
    out: &Path,
    report: &Report,
    text: &str,
    recordings: &[Recording],
) -> Result<Vec<String>, Failure> {
    let json = output::json(report) + "\n";
    let mut files = vec![
        ("report.json".to_owned(), json.into_bytes()),
        ("table.txt".to_owned(), format!("{text}\n").into_bytes()),
    ];
    let drawings = plot::drawings(report).into_iter();
    files.extend(drawings.map(|drawing| (drawing.file, drawing.svg.into_bytes())));
    for (number, recording) in (1..).zip(recordings) {
        let mut packed = Vec::new();
        recording::write(recording, &mut packed)?;
        let name = recording::file_name(number, &recording.head.case);
        files.push((name, packed));
    }
    for (name, content) in &files {
        let path = out.join(name);
        fs::write(&path, content).map_err(|error| Failure::file(&path, &error))?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}

/// The scenario that is built in under this name, or the one in this file.
pub(super) fn read(name: &str) -> Result<Scenario, Failure> {
    if let Some(text) = Scenario::built_in(name) {
        return Scenario::parse(name, text).map_err(|problem| wrong(name, &problem));
    }
    let path = Path::new(name);
    let is_file = path.exists() || path.extension().is_some() || path.components().count() > 1;
    if !is_file {
        return Err(unknown(name));
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Scenario::parse(&stem, &text).map_err(|problem| wrong(name, &problem))
}

fn wrong(name: &str, problem: &Problem) -> Failure {
    let Problem {
        key,
        line,
        what,
        fix,
    } = problem;
    let message = format!("{key} ({name}, line {line}): {what}");
    Failure::new(Exit::Usage, "scenario", message, fix)
}

fn unknown(name: &str) -> Failure {
    let fix = match nearest(name, Scenario::names()) {
        Some(near) => format!("did you mean {near}? `bruit sim list` lists them all"),
        None => "see `bruit sim list`, or name a file that ends in .toml".to_owned(),
    };
    let message = format!("there is no scenario `{name}`");
    Failure::new(Exit::Usage, "unknown_scenario", message, fix)
}
