//! A daemon that may open few files: it turns away what it cannot hold and goes on.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::{Duration, Instant};

use common::api::{Api, Connection, assert_each_once};
use common::measure::{cpu_time, descriptors, metric};
use common::{Daemon, PATIENCE};

/// Peers of the daemon with few descriptors.
const PEERS: usize = 40;

/// The share of a core a process takes over this time, in percent.
fn share(pid: u32, time: Duration) -> f64 {
    let (before, start) = (cpu_time(pid), Instant::now());
    std::thread::sleep(time);
    let used = cpu_time(pid).saturating_sub(before);
    100.0 * used.as_secs_f64() / start.elapsed().as_secs_f64()
}

/// How many descriptors a process has open, for the reader of a test's output.
fn open(pid: u32) -> String {
    descriptors(pid).map_or("?".to_owned(), |count| count.to_string())
}

#[test]
fn with_64_descriptors_new_callers_are_refused_and_old_peers_served() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("bruit");
    let under = ["sh", "-c", "ulimit -n 64 && exec \"$@\"", "sh"];
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--price",
        "0",
        "--profile",
        "local",
    ];
    let small = Daemon::start_under(&under, home, data, &args);
    let join = [
        "--join",
        small.address(),
        "--static",
        "--ephemeral",
        "--price",
        "0",
    ];
    let peers: Vec<_> = (0..PEERS).map(|_| Daemon::start(&join)).collect();
    small.wait_for_links(PEERS);
    let inboxes: Vec<_> = peers
        .iter()
        .map(|peer| peer.api().subscribe("topic=news"))
        .collect();
    let api = small.api();
    let mut publisher = api.connect();
    let mut publish = |body: &str| assert_eq!(publisher.publish("news", body).0, 200);
    publish("before");
    let pid = small.process.pid();
    println!("{} descriptors with {PEERS} links", open(pid));

    // Callers of the API take what is left; further ones wait or are refused.
    let mut callers: Vec<Connection> = (0..80).map(|_| api.connect()).collect();
    let line = small.process.wait_for_error_line("accepting");
    assert!(line.contains("WARN"), "{line}");
    // Shorter than the 5 s after which the daemon closes a connection that asks nothing.
    let busy = share(pid, Duration::from_secs(3));
    println!(
        "{} descriptors and {busy:.1} % of a core while callers wait",
        open(pid)
    );
    assert!(busy < 20.0, "{busy} % of a core");
    let told = small.log().matches("accepting").count();
    assert!(told <= 10, "{told} lines of log");
    publish("meanwhile");
    // A new node finds its way in, or is told; it costs no descriptor either way.
    let late = Daemon::start(&join);
    late.wait_for_links(1);

    callers.clear();
    let start = Instant::now();
    while Api::of(&small)
        .connect()
        .try_ask("GET", "/v1/status", "")
        .is_err()
    {
        assert!(start.elapsed() < PATIENCE, "the API works again");
    }
    let failed = metric(&api.metrics(), "bruit_api_accepts_failed_total");
    assert!(failed > 0, "what failed is counted");
    publish("after");
    let bodies = ["before", "meanwhile", "after"].map(ToOwned::to_owned);
    assert_each_once(&inboxes, &bodies, PATIENCE);
    assert_eq!(api.peers().len(), PEERS + 1, "no peer was lost");
}
