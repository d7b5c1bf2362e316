//! Nodes that were away, and nodes that others were told of.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use common::api::{Api, assert_each_once};
use common::{Daemon, PATIENCE, free_address, run};

/// Publishes `count` lines by one long-lived `pub --lines`; answers their texts.
fn publish_lines(daemon: &Daemon, name: &str, count: usize) -> Vec<String> {
    let lines: Vec<_> = (0..count)
        .map(|number| format!("{name} {number}"))
        .collect();
    let input = lines.iter().fold(String::new(), |mut all, line| {
        writeln!(all, "{line}").unwrap();
        all
    });
    let done = run(
        &mut daemon.command(&["--json", "pub", "log", "--lines", "-"]),
        &input,
    )
    .ok();
    assert_eq!(done.out.lines().count(), count);
    lines
}

#[test]
fn a_node_that_was_off_gets_what_it_missed_within_ten_seconds() {
    let first = Daemon::start(&["--price", "0"]);
    let mut second = Daemon::start(&["--price", "0", "--join", first.address()]);
    second.wait_for_links(1);
    assert_eq!(second.stop(), 0);
    let lines = publish_lines(&first, "missed", 1_000);

    let start = Instant::now();
    second.restart();
    let inbox = second.api().subscribe("topic=log&since=1h");
    assert_each_once([&inbox], &lines, Duration::from_secs(10));
    let took = start.elapsed();
    println!("1,000 missed bulletins were there {took:?} after the start");
    assert!(took < Duration::from_secs(10), "{took:?}");

    let args = [
        "--json",
        "sub",
        "log",
        "--since",
        "1h",
        "--count",
        "1000",
        "--timeout",
        "10s",
    ];
    let ids: BTreeSet<_> = second
        .run(&args)
        .ok()
        .json_lines()
        .iter()
        .map(|line| line["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1_000);
}

#[test]
fn a_clean_restart_delivers_nothing_twice() {
    let first = Daemon::start(&["--price", "0"]);
    let mut second = Daemon::start(&["--price", "0", "--join", first.address()]);
    second.wait_for_links(1);
    let inbox = second.api().subscribe("topic=log");
    let before = publish_lines(&first, "before", 200);
    assert_each_once([&inbox], &before, PATIENCE);
    let cursor = inbox.all().last().unwrap().value["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(second.stop(), 0);
    let meanwhile = publish_lines(&first, "meanwhile", 50);

    second.restart();
    // What was delivered before the restart does not come again to whoever listens anew.
    let (live, on) = (
        second.api().subscribe("topic=log"),
        second
            .api()
            .subscribe(&format!("topic=log&cursor={cursor}")),
    );
    second.wait_for_links(1);
    let after = publish_lines(&first, "after", 50);
    let new = [meanwhile, after].concat();
    assert_each_once([&on], &new, PATIENCE);
    std::thread::sleep(Duration::from_secs(1));
    assert_each_once([&on], &new, Duration::ZERO);
    let again: Vec<_> = live
        .bodies()
        .into_keys()
        .filter(|body| body.starts_with("before"))
        .collect();
    assert!(again.is_empty(), "{again:?}");
    let all = second.api().subscribe("topic=log&since=1h");
    assert_each_once([&all], &[before, new].concat(), PATIENCE);
}

#[test]
fn after_a_kill_what_comes_again_has_the_same_id_and_nothing_is_missing() {
    let first = Daemon::start(&["--price", "0"]);
    let mut second = Daemon::start(&["--price", "0", "--join", first.address()]);
    second.wait_for_links(1);
    let inbox = second.api().subscribe("topic=log");
    let mut lines = publish_lines(&first, "before", 300);
    assert!(inbox.wait(150, PATIENCE));
    second.process.kill();
    let mut seen: Vec<_> = inbox
        .all()
        .into_iter()
        .map(|arrival| arrival.value)
        .collect();
    second.restart();
    let later = second.api().subscribe("topic=log");
    second.wait_for_links(1);
    lines.extend(publish_lines(&first, "after", 100));
    let held = second.api().subscribe("topic=log&since=1h");
    assert_each_once([&held], &lines, PATIENCE);

    seen.extend(later.all().into_iter().map(|arrival| arrival.value));
    let same: BTreeSet<_> = seen
        .iter()
        .map(|one| ["body", "id", "cursor"].map(|key| one[key].to_string()))
        .collect();
    let bodies: BTreeSet<_> = seen.iter().map(|one| one["body"].to_string()).collect();
    println!(
        "{} deliveries of {} bulletins around a kill",
        seen.len(),
        bodies.len()
    );
    assert_eq!(
        same.len(),
        bodies.len(),
        "a bulletin keeps its id and cursor"
    );
}

#[test]
fn four_nodes_stay_one_network_without_the_one_they_were_told_of() {
    // A port of its own, so that it comes back where it was.
    let port = free_address();
    let mut first = Daemon::start_plain(&["--listen", &port, "--price", "0"]);
    let address = first.address().to_owned();
    let others: Vec<_> = (0..4)
        .map(|_| Daemon::start(&["--price", "0", "--join", &address]))
        .collect();
    let apis: Vec<Api> = others.iter().map(Daemon::api).collect();
    let start = Instant::now();
    while apis.iter().any(|api| api.peers().len() < 2) {
        assert!(start.elapsed() < PATIENCE, "they learn of each other");
        std::thread::sleep(Duration::from_millis(50));
    }
    first.process.kill();

    let inboxes: Vec<_> = apis.iter().map(|api| api.subscribe("topic=log")).collect();
    let lines = publish_lines(&others[0], "without the first", 50);
    assert_each_once(&inboxes, &lines, PATIENCE);

    first.restart();
    let start = Instant::now();
    let inbox = first.api().subscribe("topic=log&since=1h");
    assert_each_once([&inbox], &lines, PATIENCE);
    println!(
        "the first node had all again {:?} after its return",
        start.elapsed()
    );
    let more = publish_lines(&others[3], "with the first", 20);
    assert_each_once([&inbox], &[lines, more].concat(), PATIENCE);
}
