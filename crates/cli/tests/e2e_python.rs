//! The Python client against two daemons: its tests, its README, and that its models are those of the API.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::path::Path;
use std::process::Command;

use common::Daemon;

const NAME: &str = "the_python_client_does_all_it_says_and_its_models_are_those_of_the_node";

#[test]
fn the_python_client_does_all_it_says_and_its_models_are_those_of_the_node() {
    let is_there = Command::new("python3")
        .args([
            "-c",
            "import asyncio, sys; sys.exit(sys.version_info < (3, 10))",
        ])
        .status()
        .is_ok_and(|status| status.success());
    if !is_there {
        return common::skip(NAME, "python3, at least 3.10, is not here");
    }
    let args = ["--price", "0", "--profile", "local"];
    let first = Daemon::start(&args);
    let second = Daemon::start(&[&["--join", first.address()], &args[..]].concat());
    second.wait_for_links(1);
    second.run(&["id", "keys", "new", "muted"]).ok();
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/python");
    let done = Command::new("python3")
        .arg(client.join("tests/test_client.py"))
        .env(
            "BRUIT_TEST_DATA",
            format!("{}:{}", first.data().display(), second.data().display()),
        )
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{text}");
    println!("{text}");
}
