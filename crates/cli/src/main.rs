//! `bruit`: the one binary. Reads the command line, runs the command, and turns what went wrong
//! into an exit code and one error.

mod args;
mod client;
mod commands;
mod config;
mod descriptors;
mod exercise;
mod failure;
mod folder;
mod input;
mod logs;
mod memory;
mod output;
mod passphrase;
mod progress;
mod screen;
mod secrecy;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use args::{Cli, Command};
use failure::Failure;

/// How long a command that failed waits for its threads to end.
const LAST_WORDS: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    match &cli.command {
        Command::Sim(sim) if sim.reuses_its_memory() => memory::keep_freed_pages(),
        Command::Sim(_) => {}
        _ => memory::take_small_pages(),
    }
    if cli.command.is_daemon() || matches!(cli.command, Command::Id(_)) {
        secrecy::close();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(commands::run(cli));
            // What still runs says its last words before the error does, which is the last line. Reading
            // standard input blocks a thread that nothing ends: that is not waited for.
            runtime.shutdown_timeout(if done.is_ok() {
                Duration::ZERO
            } else {
                LAST_WORDS
            });
            done
        }
        Err(error) => Err(Failure::usage(
            format!("the system gives no threads: {error}"),
            "raise the limit of processes (ulimit -u)",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(json);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Prints help and version, or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|arg| arg == "--json");
    if !error.use_stderr() || !json {
        // Nowhere to print to is no reason for another error.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let message = message
        .trim_start_matches("error: ")
        .trim()
        .replace('\n', " ");
    let tip = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "));
    let fix = tip.unwrap_or("see `bruit --help`, or --help after the command");
    Failure::usage(message, fix).report(true);
    ExitCode::from(2)
}
