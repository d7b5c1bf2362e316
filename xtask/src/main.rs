//! The checks of this repository: `cargo xtask test` is what a developer runs and what CI runs.
//!
//! Every step reports its result even after an earlier one failed, and what this machine could not
//! check is said to be skipped, never passed over.

mod cargo;
#[cfg(test)]
mod map;
mod policy;
#[cfg(test)]
mod reach;
mod report;
mod spdx;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
The checks of this repository.

Usage: cargo xtask <COMMAND>

Commands:
  test    Runs every check: formatting, lints, tests, documentation, licences

`cargo xtask test` ends with a table of the steps and exits with 1 when one of them failed.
It uses cargo-nextest and cargo-deny where they are installed, and does without where they are not.";

/// The exit code for a command line that means nothing here.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test(),
        [] | ["--help" | "-h" | "help"] | ["test", "--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("unknown command `{}`\n\n{HELP}", args.join(" "));
            ExitCode::from(USAGE)
        }
    }
}

fn test() -> ExitCode {
    let workspace = match cargo::Workspace::find() {
        Ok(workspace) => workspace,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let report = test::run(&workspace);
    print!("{report}");
    if report.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
