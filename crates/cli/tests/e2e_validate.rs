//! A program that judges what is delivered and passed on.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::{Duration, Instant};

use common::api::{Api, Inbox, assert_each_once};
use common::{Daemon, PATIENCE, Running};

/// A chain of three: the ends know the middle alone.
fn chain() -> [Daemon; 3] {
    let middle = Daemon::start(&["--price", "0"]);
    let end = || Daemon::start(&["--price", "0", "--static", "--join", middle.address()]);
    let (first, last) = (end(), end());
    middle.wait_for_links(2);
    first.wait_for_links(1);
    last.wait_for_links(1);
    [first, middle, last]
}

/// Starts `validate` with a program on `topic`; it judges when this returns.
fn validate(daemon: &Daemon, topic: &str, program: &str, timeout: &str) -> Running {
    let args = [
        "--json",
        "validate",
        topic,
        "--exec",
        program,
        "--timeout",
        timeout,
    ];
    let validator = Running::start(&mut daemon.command(&args));
    validator.wait_for_error_line("validating");
    validator
}

fn verdicts(validator: &Running, count: usize) -> Vec<String> {
    let verdict = |_| validator.json()["verdict"].as_str().unwrap().to_owned();
    (0..count).map(verdict).collect()
}

fn inboxes(daemons: &[Daemon], topic: &str) -> Vec<Inbox> {
    let subscribe = |daemon: &Daemon| daemon.api().subscribe(&format!("topic={topic}"));
    daemons.iter().map(subscribe).collect()
}

/// Bytes that have crossed a node's links.
fn bytes(api: &Api) -> u64 {
    let both = |peer: &serde_json::Value| {
        peer["bytes_in"].as_u64().unwrap() + peer["bytes_out"].as_u64().unwrap()
    };
    api.peers().iter().map(both).sum()
}

/// A shell that is killed leaves what it started behind, and that would go on for ever.
#[test]
fn a_program_that_takes_too_long_is_killed_with_all_it_started() {
    let there = Daemon::start(&["--price", "0"]);
    let here = Daemon::start(&["--price", "0", "--join", there.address()]);
    there.wait_for_links(1);
    let pid = here.data().join("pid");
    let program = format!("sleep 300 & echo $! > {}; wait", pid.display());
    let judge = validate(&here, "news", &program, "500ms");
    there.run(&["pub", "news", "hello"]).ok();
    assert_eq!(judge.json()["verdict"], "ignore");
    let pid = std::fs::read_to_string(pid).unwrap();
    let start = Instant::now();
    while std::path::Path::new("/proc").join(pid.trim()).exists() {
        assert!(start.elapsed() < PATIENCE, "{pid} still sleeps");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_a_program_rejects_goes_no_further_and_is_not_fetched_again() {
    let chain = chain();
    let validator = validate(&chain[1], "news", "! grep -q '\"body\":\"bad'", "5s");
    let got = inboxes(&chain, "news");
    // An author who was rejected is muted on the topic: the good and the bad have keys of their own.
    chain[0].json(&["id", "keys", "new", "crook"]);
    let filler = "x".repeat(20_000);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for number in 0..10 {
        good.push(format!("good {number}"));
        chain[0].json(&["pub", "news", &good[number]]);
        bad.push(format!("bad {number} {filler}"));
        chain[0].json(&["pub", "news", "--author", "crook", &bad[number]]);
    }
    let all = [good.clone(), bad.clone()].concat();
    assert_each_once([&got[0]], &all, PATIENCE);
    assert_each_once(&got[1..], &good, PATIENCE);
    let judged = verdicts(&validator, 11);
    assert_eq!(
        judged.iter().filter(|word| *word == "accept").count(),
        10,
        "{judged:?}"
    );
    assert!(judged.contains(&"reject".to_owned()), "{judged:?}");

    // Both ends reconcile meanwhile: what was rejected must not come again each time.
    let api = chain[1].api();
    let (before, start) = (bytes(&api), Instant::now());
    std::thread::sleep(Duration::from_mins(1));
    let crossed = bytes(&api) - before;
    println!(
        "{crossed} bytes in {:?} after 10 rejected bulletins of 20 kB",
        start.elapsed()
    );
    assert!(
        crossed < 20_000,
        "{crossed} bytes: a rejected bulletin was fetched again"
    );
    assert_each_once(&got[1..], &good, Duration::ZERO);
    let late = chain[2].api().subscribe("topic=news&since=1h");
    assert_each_once([&late], &good, PATIENCE);
}

#[test]
fn a_program_that_hangs_costs_its_own_topic_alone() {
    let chain = chain();
    let validator = validate(&chain[1], "slow", "sleep 30", "1s");
    let (slow, quick) = (inboxes(&chain, "slow"), inboxes(&chain, "quick"));
    chain[0].json(&["pub", "slow", "never judged"]);
    let start = Instant::now();
    let bodies: Vec<_> = (0..20).map(|number| format!("quick {number}")).collect();
    for body in &bodies {
        chain[0].json(&["pub", "quick", body]);
    }
    assert_each_once(&quick, &bodies, Duration::from_secs(5));
    println!("20 on another topic took {:?} meanwhile", start.elapsed());
    assert_eq!(verdicts(&validator, 1), ["ignore"]);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "it did not wait for the program"
    );
    assert_eq!(slow[1].len() + slow[2].len(), 0);

    // Whoever is ignored is not muted: the next one passes once the validator is gone.
    drop(validator);
    chain[0].json(&["pub", "slow", "nobody asks"]);
    assert!(slow[2].wait(1, PATIENCE));
}
