//! The protocol crate cannot reach what it must not use, because nothing it depends on can.

use crate::cargo::{self, Workspace};

/// Runtimes, sockets, clocks and the operating system's randomness, by the crates that bring them.
const OUT_OF_REACH: [&str; 7] = [
    "async-std",
    "chrono",
    "fastrand",
    "getrandom",
    "mio",
    "socket2",
    "tokio",
];

#[test]
fn core_reaches_no_runtime_no_socket_and_no_os_randomness() {
    let workspace = Workspace::find().unwrap();
    let mut command = workspace.cargo();
    command.args("tree --package bruit-core --edges normal --prefix none --locked".split(' '));
    let tree = cargo::answer(&mut command).unwrap();

    assert!(tree.starts_with("bruit-core "), "{tree}");
    assert_eq!(reached(&tree), [""; 0], "{tree}");
}

fn reached(tree: &str) -> Vec<&str> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| OUT_OF_REACH.contains(name)).collect()
}

#[test]
fn a_forbidden_crate_is_found_by_its_name_alone() {
    let tree = "bruit-core v0.1.0\nrand_core v0.9.3\ngetrandom v0.3.4\ntokio-stream v0.1.0";
    assert_eq!(reached(tree), ["getrandom"]);
}
