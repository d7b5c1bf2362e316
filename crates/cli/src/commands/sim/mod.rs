//! `bruit sim`: networks in virtual time, from a scenario to a report.

mod compare;
mod gates;
mod list;
mod replay;
mod scenario;
mod seeds;

use std::sync::Arc;

use bruit_sim::run::Meter;
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::progress;

/// Simulate a network: run a scenario, list those there are, compare two reports, run the recording of
/// a daemon again, hold the protocol to its figures. The nodes run what a daemon runs, in virtual time;
/// one seed decides everything. Exit code 1 when something that is promised did not hold.
#[derive(Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  bruit sim list\n  bruit sim first\n  bruit sim dissemination --runs 5 --out before\n  \
                  bruit sim mine.toml --seed 7 --json\n  bruit sim compare before after\n  bruit sim gates --quick\n  bruit sim seeds\n\n\
                  docs/simulation.md says how a scenario is written and what each column means."
)]
pub(crate) struct Sim {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Option<scenario::Run>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the scenarios that are built in
    #[command(after_help = "Examples:\n  bruit sim list\n  bruit sim list --json")]
    List,
    /// Compare two reports: cases by name, each column with the difference
    Compare(compare::Compare),
    /// Run the recording of a daemon again: exit code 1 when the engine answers something else
    Replay(replay::Replay),
    /// Hold the protocol to its figures: exit code 1 names those that fall short
    Gates(gates::Gates),
    /// Networks by chance: exit code 1 names the seeds of those in which a promise was not kept
    Seeds(seeds::Seeds),
}

/// Does `work` in a thread of its own; a terminal is told how far `meter` is.
async fn simulated<T: Send + 'static>(
    name: String,
    meter: Arc<Meter>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let told = move || format!("{name}: {} % simulated", meter.percent());
    let done = progress::told(told, tokio::task::spawn_blocking(work)).await;
    done.map_err(|error| {
        let message = format!("the simulation broke off: {error}");
        let fix = "report this, with the seed";
        Failure::new(Exit::Negative, "crashed", message, fix)
    })
}

impl Sim {
    /// Whether one network follows another, and not so many that what they leave behind in pieces adds up.
    pub(crate) fn reuses_its_memory(&self) -> bool {
        matches!(&self.command, Some(Command::Gates(gates)) if gates.is_quick())
    }

    pub(crate) async fn run(self, global: &Global) -> Result<(), Failure> {
        match (self.command, self.run) {
            (Some(Command::List), None) => list::print(global.json),
            (Some(Command::Compare(command)), None) => command.run(global.json),
            (Some(Command::Replay(command)), None) => command.run(global.json).await,
            (Some(Command::Gates(command)), None) => command.run(global.json).await,
            (Some(Command::Seeds(command)), None) => command.run(global.json).await,
            (None, Some(run)) => run.run(global.json).await,
            _ => Err(Failure::usage(
                "a scenario, or what is to be done without one: not both",
                "see `bruit sim --help`; a file called `list` is `./list`",
            )),
        }
    }
}
