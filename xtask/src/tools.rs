//! Programs that some tests need and a fresh machine lacks: packages of the system, installed where
//! that can be done without asking anybody. Elsewhere those tests are skipped and say so.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::report::Outcome;
use crate::step::within;

/// A program and the package it comes with.
struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Longest time for one run of the package manager.
const INSTALL_TIMEOUT: Duration = Duration::from_mins(6);

/// The kernel's packet filter, namespaces, the decoder of the wire vectors, the tests of the Python client.
const TOOLS: [Tool; 3] = [
    Tool {
        program: "nft",
        package: "nftables",
    },
    Tool {
        program: "ip",
        package: "iproute2",
    },
    Tool {
        program: "python3",
        package: "python3",
    },
];

/// Installs what is missing; says what stays missing.
pub(crate) fn provide() -> Outcome {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !tool.is_there()).collect();
    if missing.is_empty() {
        return Outcome::Ok(String::new());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if !install(&packages) {
        return Outcome::Skipped(format!(
            "{} not here, and not to be installed",
            names(&missing)
        ));
    }
    let still: Vec<&Tool> = missing
        .iter()
        .copied()
        .filter(|tool| !tool.is_there())
        .collect();
    if still.is_empty() {
        Outcome::Ok(format!("installed {}", names(&missing)))
    } else {
        Outcome::Skipped(format!("{} not to be installed", names(&still)))
    }
}

fn names(tools: &[&Tool]) -> String {
    let names: Vec<&str> = tools.iter().map(|tool| tool.program).collect();
    names.join(", ")
}

impl Tool {
    fn is_there(&self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // An ordinary user's path often lacks it, and the tests call it by name as root only.
        let folders = std::env::split_paths(&path).chain([Path::new("/usr/sbin").into()]);
        folders
            .into_iter()
            .any(|folder| folder.join(self.program).is_file())
    }
}

/// With the package manager of Debian and its kin, for root alone: nobody is asked for a password.
pub(crate) fn install(packages: &[&str]) -> bool {
    if !is_root() {
        return false;
    }
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    install
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    println!("$ {install:?}");
    if run(&mut install) {
        return true;
    }
    // A machine that never fetched its lists knows no package.
    run(Command::new("apt-get").arg("update").stdin(Stdio::null())) && run(&mut install)
}

fn run(command: &mut Command) -> bool {
    matches!(
        within(command.stdout(Stdio::null()), INSTALL_TIMEOUT),
        Outcome::Ok(_)
    )
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_and_another_is_not() {
        let tool = |program| Tool {
            program,
            package: "",
        };
        assert!(tool("sh").is_there());
        assert!(!tool("no-such-program-anywhere").is_there());
    }
}
