//! The checks of this repository: `cargo xtask test` is what a developer runs and what CI runs,
//! `cargo xtask nightly` what takes hours. `cargo xtask vendor` fetches what the dashboard is made of.
//!
//! Every step reports its result even after an earlier one failed, and what this machine could not
//! check is said to be skipped, never passed over.

mod cargo;
mod contract;
#[cfg(test)]
mod map;
mod nightly;
mod pages;
mod policy;
mod python;
#[cfg(test)]
mod reach;
mod report;
mod room;
mod spdx;
mod step;
mod test;
mod tools;
mod vendor;

use std::process::ExitCode;

const HELP: &str = "\
The checks of this repository.

Usage: cargo xtask <COMMAND>

Commands:
  test     Runs every check: formatting, lints, tests, documentation, licences
  nightly  Runs the long forms, some hours; `nightly --help` names them
  contract Holds a node, as the tests built it, to the description of its API
  pages    Looks at the dashboard in a browser, as `test` does
  vendor   Fetches the dashboard's libraries anew as `xtask/vendor.toml` names them; needs npm

Each ends with a table of the steps and exits with 1 when one of them failed.
It uses cargo-nextest and cargo-deny where they are installed, and does without where they are not.";

/// The exit code for a command line that means nothing here.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => told(|workspace| Ok(test::run(workspace))),
        [] | ["--help" | "-h" | "help"] | ["test", "--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        ["nightly", "--help" | "-h"] => {
            print!("{}", nightly::help());
            ExitCode::SUCCESS
        }
        ["contract"] => told(|workspace| Ok(test::contract(workspace))),
        ["pages"] => told(|workspace| Ok(test::dashboard(workspace))),
        ["vendor"] => told(vendor::run),
        ["nightly", ref steps @ ..] => told(|workspace| nightly::run(workspace, steps)),
        _ => {
            eprintln!("unknown command `{}`\n\n{HELP}", args.join(" "));
            ExitCode::from(USAGE)
        }
    }
}

/// Runs checks and prints what they came to.
fn told(checks: impl FnOnce(&cargo::Workspace) -> Result<report::Report, String>) -> ExitCode {
    let report = cargo::Workspace::find().and_then(|workspace| checks(&workspace));
    match report {
        Ok(report) => {
            print!("{report}");
            if report.failed() == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
