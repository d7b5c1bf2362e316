//! The steps of `cargo xtask test`, in order.
//!
//! Everything that is compiled to be run is compiled once: unit tests, integration tests and doc
//! tests share the dev profile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::Workspace;
use crate::contract;
use crate::pages::{self, Build};
use crate::policy::{Policy, Tree};
use crate::report::{Outcome, Report, Row};
use crate::room;
use crate::step::{execute, timed, with_note};
use crate::tools;

/// Names the file to which a test that cannot run on this machine adds a line `NAME: why`.
pub(crate) const SKIPS: &str = "BRUIT_SKIPS";

/// Runs every step, whatever the steps before it came to.
pub(crate) fn run(workspace: &Workspace) -> Report {
    let steps = Steps {
        workspace,
        skips: workspace.target().join("xtask/skips.txt"),
    };
    let mut report = Report::default();
    report.push(timed("room", || room::check(workspace)));
    report.push(timed("fmt", || steps.fmt()));
    report.push(timed("clippy", || steps.clippy()));
    steps.forget_skips();
    report.push(timed("tools", tools::provide));
    report.push(timed("tests", || steps.tests()));
    report.push(timed("dashboard", || {
        pages::check(workspace, Build::Missing)
    }));
    report.push(timed("API contract", || contract::check(workspace)));
    report.push(timed("doc tests", || steps.doc_tests()));
    report.push(timed("rustdoc", || steps.rustdoc()));
    report.push(timed("licences, bans, sources", || steps.dependencies()));
    steps.skipped().into_iter().for_each(|row| report.push(row));
    report
}

/// Looks at the dashboard alone.
pub(crate) fn dashboard(workspace: &Workspace) -> Report {
    let mut report = Report::default();
    report.push(timed("dashboard", || {
        pages::check(workspace, Build::Always)
    }));
    report
}

/// Holds a node, as the tests built it, to the description of its API alone.
pub(crate) fn contract(workspace: &Workspace) -> Report {
    let mut report = Report::default();
    report.push(timed("API contract", || contract::check(workspace)));
    report
}

struct Steps<'a> {
    workspace: &'a Workspace,
    /// What [`SKIPS`] names.
    skips: PathBuf,
}

impl Steps<'_> {
    fn fmt(&self) -> Outcome {
        self.cargo("fmt --all --check")
    }

    fn clippy(&self) -> Outcome {
        self.cargo("clippy --workspace --all-targets --locked -- -D warnings")
    }

    fn tests(&self) -> Outcome {
        let run = |arguments| {
            // What a failed test says is not to drown in where it said it.
            execute(self.command(arguments).env("RUST_BACKTRACE", "0"))
        };
        if self.workspace.has("nextest") {
            return run("nextest run --workspace --lib --bins --tests --locked");
        }
        let outcome = run("test --workspace --lib --bins --tests --locked --no-fail-fast");
        with_note(outcome, "with cargo test: cargo-nextest is not installed")
    }

    fn doc_tests(&self) -> Outcome {
        self.cargo("test --workspace --doc --locked")
    }

    fn rustdoc(&self) -> Outcome {
        let mut command = self.command("doc --workspace --no-deps --locked");
        execute(command.env("RUSTDOCFLAGS", "-D warnings"))
    }

    fn dependencies(&self) -> Outcome {
        if self.workspace.has("deny") {
            return self.cargo("deny --locked check licenses bans sources");
        }
        println!("$ reading deny.toml and cargo metadata");
        let outcome = self.own_check().unwrap_or_else(|error| {
            eprintln!("{error}");
            Outcome::Failed("see above".into())
        });
        with_note(outcome, "own check: cargo-deny is not installed")
    }

    fn own_check(&self) -> Result<Outcome, String> {
        let policy = Policy::read(self.workspace)?;
        let (tree, limits) = Tree::resolve(self.workspace, &policy)?;
        for name in policy.idle_skips(&tree) {
            println!("note: nothing needs the skip entry for {name} any more");
        }
        let findings = policy.findings(&tree);
        for finding in &findings {
            eprintln!("{finding}");
        }
        Ok(match findings.len() {
            0 => Outcome::Ok(limits),
            count => Outcome::Failed(format!("{count} findings")),
        })
    }

    fn cargo(&self, args: &str) -> Outcome {
        execute(&mut self.command(args))
    }

    fn command(&self, args: &str) -> Command {
        println!("$ cargo {args}");
        let mut command = self.workspace.cargo();
        command.args(args.split(' ')).env(SKIPS, &self.skips);
        command
    }

    /// Starts a run with an empty list. That the file is missing already is well; that it cannot be
    /// removed shows as stale rows, which is better than no run.
    fn forget_skips(&self) {
        if let Some(folder) = self.skips.parent() {
            fs::create_dir_all(folder).ok();
        }
        fs::remove_file(&self.skips).ok();
    }

    fn skipped(&self) -> Vec<Row> {
        skipped(&self.skips).unwrap_or_else(|error| {
            let outcome = Outcome::Failed(format!("{}: {error}", self.skips.display()));
            vec![Row {
                name: "list of skipped tests".into(),
                outcome,
                took: None,
            }]
        })
    }
}

/// The rows of a list of skipped tests, each line once and in order; none when there is no list.
fn skipped(list: &Path) -> io::Result<Vec<Row>> {
    let text = match fs::read_to_string(list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.into_iter().map(skipped_row).collect())
}

fn skipped_row(line: &str) -> Row {
    let (name, why) = line
        .split_once(": ")
        .unwrap_or((line, "it does not say why"));
    Row {
        name: name.trim().into(),
        outcome: Outcome::Skipped(why.trim().into()),
        took: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_skipped_test_is_one_row_with_its_reason() {
        let list = std::env::temp_dir().join(format!("xtask-skips-{}", std::process::id()));
        fs::write(
            &list,
            "no_packets: needs root\n\ndisk: no tmpfs: none\nno_packets: needs root\n",
        )
        .unwrap();
        let rows = skipped(&list).unwrap();
        fs::remove_file(&list).unwrap();

        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.name.as_str(), &row.outcome))
            .collect();
        assert_eq!(
            rows,
            [
                ("disk", &Outcome::Skipped("no tmpfs: none".into())),
                ("no_packets", &Outcome::Skipped("needs root".into())),
            ]
        );
    }

    #[test]
    fn no_list_means_that_nothing_was_skipped() {
        assert!(
            skipped(Path::new("/nonexistent/skips.txt"))
                .unwrap()
                .is_empty()
        );
    }
}
