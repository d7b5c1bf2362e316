//! Running cargo from a program that cargo itself started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

/// Where this repository is and where its builds go.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// In words for the terminal, when cargo cannot be started or does not answer.
    pub(crate) fn find() -> Result<Self, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let json = answer(cargo(here).args(["metadata", "--no-deps", "--format-version", "1"]))?;
        serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))
    }

    /// The folder of the root `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder builds go to.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A cargo command in the root folder.
    pub(crate) fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    /// Whether `cargo NAME` is there, as for `nextest`.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut command = self.cargo();
        command
            .args([name, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// Runs a command and returns what it printed.
///
/// # Errors
/// In words for the terminal, with what it wrote to standard error.
pub(crate) fn answer(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{command:?}: {}\n{}",
            output.status,
            why.trim_end()
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{command:?}: {error}"))
}

/// A cargo command in `folder` that sees what a shell would have given it.
///
/// `cargo run` tells its program which package it is, in variables that some build scripts watch
/// (`ring`'s among them): with these passed on, every `cargo xtask` would rebuild what `cargo build`
/// had just built, and the other way round.
pub(crate) fn cargo(folder: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_us(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

fn is_about_us(variable: &str) -> bool {
    let exact = [
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ];
    exact.contains(&variable)
        || ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|start| variable.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_is_the_one_this_crate_lives_in() {
        let workspace = Workspace::find().unwrap();
        assert!(workspace.root().join("xtask/src/cargo.rs").exists());
        assert!(workspace.has("fmt"));
        assert!(!workspace.has("no-such-subcommand"));
    }

    #[test]
    fn children_do_not_learn_which_package_started_them() {
        for variable in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_BIN_NAME"] {
            assert!(is_about_us(variable), "{variable}");
        }
        for variable in ["CARGO_TARGET_DIR", "CARGO_HOME", "RUSTFLAGS", "PATH"] {
            assert!(!is_about_us(variable), "{variable}");
        }
    }
}
