//! The profile `assignment`: system 004's timing, its ten messages, and its log.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Daemon, PATIENCE};

/// Its intervals, shortened: 13 s to half a second, 5 s to a fifth of one.
const ARGS: [&str; 10] = [
    "--profile",
    "assignment",
    "--price",
    "0",
    "--probe-every",
    "500ms",
    "--chatter",
    "3",
    "--chatter-every",
    "200ms",
];

#[track_caller]
fn wait_for_log(daemon: &Daemon, patience: Duration, holds: impl Fn(&str) -> bool) -> String {
    let begin = Instant::now();
    loop {
        let log = daemon.log();
        if holds(&log) {
            return log;
        }
        assert!(begin.elapsed() < patience, "{log}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn lines<'a>(log: &'a str, parts: &[&str]) -> Vec<&'a str> {
    let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
    log.lines().filter(has_all).collect()
}

#[test]
fn the_log_has_messages_peers_three_misses_and_then_the_report_of_a_death() {
    let seeds: Vec<Daemon> = (0..2)
        .map(|_| {
            let args = [
                "--listen",
                "127.0.0.1:0",
                "--price",
                "0",
                "--profile",
                "assignment",
            ];
            Daemon::start_as("seed", &args)
        })
        .collect();
    let addresses = seeds.iter().map(Daemon::address);
    let with_seeds: Vec<&str> = ARGS
        .into_iter()
        .chain(std::iter::once("--seeds"))
        .chain(addresses)
        .collect();
    let mut peers: Vec<Daemon> = (0..3).map(|_| Daemon::start(&with_seeds)).collect();
    for peer in &peers {
        peer.wait_for_links(2);
    }
    // Three of its own, and each of the others' once linked: at least the last ones.
    let log = wait_for_log(&peers[0], PATIENCE, |log| {
        lines(log, &["sent a gossip message", ":127.0.0.1:3"]).len() == 1
            && !lines(log, &["received a message", "chatter"]).is_empty()
            && !lines(log, &["peer list", peers[1].id(), peers[2].id()]).is_empty()
    });
    assert!(!log.contains("values"), "posts alone: {log}");

    // kill -9: silence.
    let mut killed = peers.remove(1);
    let id = killed.id().to_owned();
    killed.process.kill();
    let begin = Instant::now();
    let log = wait_for_log(&peers[0], PATIENCE, |log| {
        !lines(log, &["reported a dead node", &id]).is_empty()
    });
    // Three times half a second, half a second for each answer, others asked, two seconds of suspicion.
    println!("reported after {:?}", begin.elapsed());
    assert!(begin.elapsed() <= Duration::from_secs(10), "{log}");
    let place = |parts: &[&str]| {
        log.lines()
            .position(|line| parts.iter().all(|part| line.contains(part)))
    };
    let misses = [1, 2, 3].map(|number| {
        let misses = format!("misses={number}");
        place(&["liveness request not answered", &id, &misses])
    });
    assert!(
        misses.iter().all(Option::is_some) && misses.is_sorted(),
        "{misses:?} {log}"
    );
    let dead = place(&["dead node: it does not answer", &id]);
    let report = place(&["reported a dead node", &id]);
    assert!(
        misses[2] < dead && dead < report,
        "{misses:?} {dead:?} {report:?} {log}"
    );

    // A clean stop: a word, and no waiting.
    let mut stopped = peers.remove(1);
    let id = stopped.id().to_owned();
    let begin = Instant::now();
    assert_eq!(stopped.stop(), 0);
    let log = wait_for_log(&peers[0], PATIENCE, |log| {
        !lines(log, &["dead node: it said goodbye", &id]).is_empty()
    });
    assert!(
        begin.elapsed() <= Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        lines(&log, &["liveness request not answered", &id]).is_empty(),
        "{log}"
    );
}
