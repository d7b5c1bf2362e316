//! A virtual environment of Python with what some checks need, made where it is missing.
//!
//! Invariant: nothing is installed beside it, and what cannot be had is said.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cargo::Workspace;
use crate::report::Outcome;
use crate::step::within;
use crate::tools;

/// Packages of the checks, from the root.
const REQUIREMENTS: &str = "xtask/requirements.txt";
/// What Debian's Python needs besides for virtual environments.
const VENV_PACKAGES: [&str; 1] = ["python3-venv"];
/// Longest time for fetching packages.
const FETCH_TIMEOUT: Duration = Duration::from_mins(4);

/// The Python of an environment with the packages of [`REQUIREMENTS`], made where it is missing.
pub(crate) fn environment(workspace: &Workspace) -> Result<PathBuf, String> {
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
    quietly(&mut fetch, "the packages of the checks cannot be fetched")?;
    if has(&python) {
        Ok(python)
    } else {
        Err("the packages of the checks do not load".into())
    }
}

fn has(python: &Path) -> bool {
    let imports = "import axe_playwright_python.sync_playwright, playwright.sync_api, schemathesis";
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
