//! Networks are closed to each other: no link, no bulletin, and a log that says why.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use common::{Daemon, PATIENCE};

/// Starts two daemons, the second told of the first, and asserts that they stay strangers.
#[track_caller]
fn assert_strangers(ours: &[&str], theirs: &[&str], words: &[&str], fix: &str) {
    let first = Daemon::start(ours);
    let second = Daemon::start(&[&["--join", first.address()], theirs].concat());
    let heard = [&first, &second].map(|daemon| daemon.api().subscribe("all=true"));
    std::thread::sleep(Duration::from_secs(2));
    first.json(&["pub", "news", "for ours alone"]);
    second.json(&["pub", "news", "for theirs alone"]);
    std::thread::sleep(Duration::from_secs(3));
    for (daemon, inbox) in [&first, &second].into_iter().zip(heard) {
        assert_eq!(daemon.json(&["peers"]), serde_json::json!([]), "{words:?}");
        let bodies: Vec<_> = inbox.bodies().into_keys().collect();
        assert_eq!(bodies.len(), 1, "only its own: {bodies:?}");
        let line = daemon.process.wait_for_error_line("another network");
        assert!(
            words.iter().all(|word| line.contains(word)),
            "{words:?}: {line}"
        );
        assert!(line.contains(fix), "{fix}: {line}");
        let told = daemon.log().matches("another network").count();
        assert!(told <= 10, "{told} lines of log in 5 s");
    }
}

fn secret(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn networks_of_other_names_are_strangers() {
    assert_strangers(
        &[],
        &["--network", "mine"],
        &["network name", "`m"],
        "--network",
    );
}

#[test]
fn networks_of_other_prices_are_strangers() {
    assert_strangers(
        &["--price", "0"],
        &["--price", "7"],
        &["price", "0", "7"],
        "--price",
    );
}

#[test]
fn networks_of_other_secrets_are_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let one = secret(folder.path(), "one", "open sesame, but longer than that");
    let other = secret(folder.path(), "other", "close sesame, and longer than that");
    assert_strangers(
        &["--secret", &one],
        &["--secret", &other],
        &["secret"],
        "--secret",
    );
}

#[test]
fn an_open_and_a_private_network_are_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let one = secret(folder.path(), "one", "open sesame, but longer than that");
    assert_strangers(&["--secret", &one], &[], &["secret", "none"], "--secret");
}

#[test]
fn nodes_with_the_same_name_secret_and_price_are_no_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let one = secret(folder.path(), "one", "open sesame, but longer than that");
    let same = ["--network", "mine", "--secret", &one, "--price", "0"];
    let first = Daemon::start(&same);
    let second = Daemon::start(&[&["--join", first.address()], &same[..]].concat());
    second.wait_for_links(1);
    let inbox = first.api().subscribe("topic=news");
    second.json(&["pub", "news", "hello"]);
    assert!(inbox.wait(1, PATIENCE));
}
