//! The step that holds a node to the description of its API (`xtask/contract/check.py`).
//!
//! Invariant: a machine where the packages cannot be had skips the step and says why; where they are, an answer
//! that is not described fails it.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cargo::Workspace;
use crate::python;
use crate::report::Outcome;
use crate::step::within;

/// The check, from the root.
const CHECK: &str = "xtask/contract/check.py";
/// Longest time for it.
const TIMEOUT: Duration = Duration::from_mins(4);

/// Asks the program that the tests were built with everything its description names.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let python = match python::environment(workspace) {
        Ok(python) => python,
        Err(why) => return Outcome::Skipped(why),
    };
    println!("$ {CHECK}");
    let mut check = Command::new(python);
    check.arg(workspace.root().join(CHECK));
    check.arg(workspace.target().join("debug/bruit"));
    within(check.stdin(Stdio::null()), TIMEOUT)
}
