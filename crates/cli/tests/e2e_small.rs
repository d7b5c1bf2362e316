//! Networks of one, two and three nodes: the rules made for thousands serve them as well.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::{Duration, Instant};

use common::api::{Api, Inbox, assert_each_once, now_us};
use common::measure::{cpu_time, percentile, rss_mib, spread_ms};
use common::{Daemon, PATIENCE};

/// Starts so many daemons; all but the first are told of the first alone.
fn network(count: usize, args: &[&str]) -> Vec<Daemon> {
    let first = Daemon::start(args);
    let address = first.address().to_owned();
    let others = (1..count).map(|_| Daemon::start(&[&["--join", &address], args].concat()));
    let daemons: Vec<_> = std::iter::once(first)
        .chain(others.collect::<Vec<_>>())
        .collect();
    for daemon in &daemons {
        daemon.wait_for_links(1);
    }
    daemons
}

/// Publishes 30 on each and waits until each came once everywhere; answers the 99th percentile of
/// the milliseconds from the call to the last arrival.
fn exchange(daemons: &[Daemon]) -> f64 {
    let apis: Vec<Api> = daemons.iter().map(Daemon::api).collect();
    let inboxes: Vec<Inbox> = apis.iter().map(|api| api.subscribe("topic=news")).collect();
    let mut bodies = Vec::new();
    let mut connections: Vec<_> = apis.iter().map(Api::connect).collect();
    for round in 0..30 {
        for (number, connection) in connections.iter_mut().enumerate() {
            let body = format!("{} {number} {round}", now_us());
            let (status, answer) = connection.publish("news", &body);
            assert_eq!(
                (status, &answer["result"]),
                (200, &"accepted".into()),
                "{answer}"
            );
            bodies.push(body);
        }
    }
    assert_each_once(&inboxes, &bodies, PATIENCE);
    std::thread::sleep(Duration::from_millis(500));
    assert_each_once(&inboxes, &bodies, Duration::ZERO);
    percentile(&mut spread_ms(&inboxes), 99.0)
}

#[test]
fn three_nodes_of_which_one_is_known_exchange_everything_within_a_tenth_of_a_second() {
    let p99 = exchange(&network(3, &["--price", "0"]));
    println!("3 nodes: p99 of the last arrival {p99:.1} ms");
    assert!(p99 < 100.0, "{p99} ms");
}

#[test]
fn two_nodes_exchange_everything_within_a_tenth_of_a_second() {
    let p99 = exchange(&network(2, &["--price", "0"]));
    println!("2 nodes: p99 of the last arrival {p99:.1} ms");
    assert!(p99 < 100.0, "{p99} ms");
}

#[test]
fn with_the_default_price_each_bulletin_is_paid_for_and_comes() {
    let daemons = network(3, &[]);
    let inboxes: Vec<_> = daemons
        .iter()
        .map(|daemon| daemon.api().subscribe("topic=news"))
        .collect();
    let mut bodies = Vec::new();
    for (number, daemon) in daemons.iter().enumerate() {
        let body = format!("paid {number}");
        let published = daemon.json(&["pub", "news", &body]);
        println!(
            "bits {} work {} ms",
            published["bits"], published["work_ms"]
        );
        assert!(published["work_ms"].is_u64(), "{published}");
        assert!(published["bits"].as_u64().unwrap() >= 17, "{published}");
        bodies.push(body);
    }
    assert_each_once(&inboxes, &bodies, PATIENCE);
}

#[test]
fn a_node_with_eight_idle_neighbours_takes_almost_no_processor() {
    let daemons = network(9, &["--ephemeral"]);
    let hub = &daemons[0];
    hub.wait_for_links(8);
    // What linking left to do is done.
    std::thread::sleep(Duration::from_secs(5));
    let (before, start) = (cpu_time(hub.process.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(20));
    let used = cpu_time(hub.process.pid())
        .saturating_sub(before)
        .as_secs_f64();
    let share = 100.0 * used / start.elapsed().as_secs_f64();
    let rss = rss_mib(hub.process.pid());
    println!("idle with 8 neighbours: {share:.2} % of a core, {rss:.1} MiB");
    // The claim is 0.5 %; a tick of the clock and code that is not optimised add to it.
    assert!(share <= 1.0, "{share} %");
}
