//! The step that looks at the dashboard in a browser: a virtual environment with what its checks need, the checks
//! (`xtask/pages/check.py`), and a bound on the time of both.
//!
//! Invariant: a machine where the browser or the packages cannot be had skips the step and says why; where they are,
//! a check that does not hold fails it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cargo::Workspace;
use crate::report::Outcome;
use crate::step::{execute, within};
use crate::tools;

/// Programs of the checks, from the root.
const CHECKS: &str = "xtask/pages/check.py";
/// Packages of the checks, from the root.
const REQUIREMENTS: &str = "xtask/pages/requirements.txt";
/// Browsers the checks know.
const BROWSERS: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];
/// What installs the first of them, and letters for it to draw.
const BROWSER_PACKAGES: [&str; 2] = ["chromium", "fonts-dejavu-core"];
/// What Debian's Python needs besides for virtual environments.
const VENV_PACKAGES: [&str; 1] = ["python3-venv"];
/// Longest time for fetching packages.
const FETCH_TIMEOUT: Duration = Duration::from_mins(4);
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
    let python = match environment(workspace) {
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

/// The Python of an environment with the packages of [`REQUIREMENTS`], made where it is missing.
fn environment(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = workspace.target().join("xtask/venv");
    let python = folder.join("bin/python");
    let requirements = workspace.root().join(REQUIREMENTS);
    if has(&python) {
        return Ok(python);
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    quietly(&mut make, "python3 makes no virtual environment").or_else(|why| {
        if !tools::install(&VENV_PACKAGES) {
            return Err(why);
        }
        quietly(&mut make, "python3 makes no virtual environment")
    })?;
    let mut fetch = Command::new(&python);
    fetch
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(requirements);
    quietly(
        &mut fetch,
        "the packages of the page tests cannot be fetched",
    )?;
    if has(&python) {
        Ok(python)
    } else {
        Err("the packages of the page tests do not load".into())
    }
}

fn has(python: &Path) -> bool {
    let imports = "import playwright.sync_api, axe_playwright_python.sync_playwright";
    let mut ask = Command::new(python);
    ask.args(["-c", imports])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    ask.status().is_ok_and(|status| status.success())
}

fn quietly(command: &mut Command, otherwise: &str) -> Result<(), String> {
    println!("$ {command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    match within(command, FETCH_TIMEOUT) {
        Outcome::Ok(_) => Ok(()),
        Outcome::Failed(why) | Outcome::Skipped(why) => Err(format!("{otherwise}: {why}")),
    }
}
