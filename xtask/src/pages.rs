//! The step that looks at the dashboard in a browser (`xtask/pages/check.py`), with a bound on its time.
//!
//! Invariant: a machine where the browser or the packages cannot be had skips the step and says why; where they are,
//! a check that does not hold fails it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cargo::Workspace;
use crate::python;
use crate::report::Outcome;
use crate::step::{execute, within};
use crate::tools;

/// Programs of the checks, from the root.
const CHECKS: &str = "xtask/pages/check.py";
/// Browsers the checks know.
const BROWSERS: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];
/// What installs the first of them, and letters for it to draw.
const BROWSER_PACKAGES: [&str; 2] = ["chromium", "fonts-dejavu-core"];
/// Longest time for the checks.
const CHECKS_TIMEOUT: Duration = Duration::from_mins(5);

/// Whether a program is built that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// It is: its dashboard may be of yesterday.
    Always,
    /// It is not: the tests were just built, and built it as well, with features of their own.
    Missing,
}

/// Looks at the dashboard of the program the tests were built with, or of one built for it.
pub(crate) fn check(workspace: &Workspace, build: Build) -> Outcome {
    if !has_browser() {
        return Outcome::Skipped("no Chromium here, and not to be installed".into());
    }
    let python = match python::environment(workspace) {
        Ok(python) => python,
        Err(why) => return Outcome::Skipped(why),
    };
    let program = workspace.target().join("debug/bruit");
    if build == Build::Missing && program.exists() {
        return run(workspace, &python, &program);
    }
    // All of the workspace, as the tests are built: for one package alone its dependencies would be made anew.
    let build = "build --quiet --workspace --bins --locked";
    println!("$ cargo {build}");
    match execute(workspace.cargo().args(build.split(' '))) {
        Outcome::Ok(_) => run(workspace, &python, &program),
        other => other,
    }
}

fn has_browser() -> bool {
    let is_there = || BROWSERS.iter().any(|path| Path::new(path).exists());
    is_there() || (tools::install(&BROWSER_PACKAGES) && is_there())
}

fn run(workspace: &Workspace, python: &Path, program: &Path) -> Outcome {
    let scratch = workspace.target().join("xtask/pages");
    println!("$ {CHECKS}");
    let mut checks = Command::new(python);
    checks.arg(workspace.root().join(CHECKS));
    checks.arg(program).arg(scratch).stdin(Stdio::null());
    within(&mut checks, CHECKS_TIMEOUT)
}
