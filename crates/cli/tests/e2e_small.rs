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
use common::namespace::{Namespace, device};
use common::{Daemon, PATIENCE, skip};

/// Starts so many daemons; all but the first are told of the first alone.
fn network(count: usize, args: &[&str]) -> Vec<Daemon> {
    network_by(count, args, Daemon::start)
}

/// Starts so many daemons by `start`.
fn network_by(count: usize, args: &[&str], start: impl Fn(&[&str]) -> Daemon) -> Vec<Daemon> {
    let first = start(args);
    let address = first.address().to_owned();
    let others = (1..count).map(|_| start(&[&["--join", &address], args].concat()));
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
    let (mut bodies, mut work_ms) = (Vec::new(), 0);
    for (number, daemon) in daemons.iter().enumerate() {
        let body = format!("paid {number}");
        let published = daemon.json(&["pub", "news", &body]);
        println!(
            "bits {} work {} ms",
            published["bits"], published["work_ms"]
        );
        work_ms += published["work_ms"].as_u64().unwrap();
        assert!(published["bits"].as_u64().unwrap() >= 17, "{published}");
        bodies.push(body);
    }
    assert!(work_ms > 0, "it was paid for");
    assert_each_once(&inboxes, &bodies, PATIENCE);
}

/// What an idle node takes of a core in `time`, in percent.
fn idle(hub: &Daemon, time: Duration) -> f64 {
    let (before, start) = (cpu_time(hub.process.pid()), Instant::now());
    std::thread::sleep(time);
    let used = cpu_time(hub.process.pid()).saturating_sub(before);
    100.0 * used.as_secs_f64() / start.elapsed().as_secs_f64()
}

#[test]
fn a_node_with_eight_idle_neighbours_takes_almost_no_processor() {
    let daemons = network(9, &["--ephemeral"]);
    let hub = &daemons[0];
    hub.wait_for_links(8);
    // What linking left to do is done.
    std::thread::sleep(Duration::from_secs(5));
    let share = idle(hub, Duration::from_secs(20));
    let rss = rss_mib(hub.process.pid());
    println!("idle with 8 neighbours: {share:.2} % of a core, {rss:.1} MiB");
    // The claim is 0.5 %; a tick of the clock and code that is not optimised add to it.
    assert!(share <= 1.0, "{share} %");
}

/// Bytes and packets that nodes of a namespace sent each other.
fn carried(hub: &Daemon) -> (u64, u64) {
    let devices = std::fs::read_to_string(format!("/proc/{}/net/dev", hub.process.pid())).unwrap();
    (device(&devices, "lo", 8), device(&devices, "lo", 9))
}

#[test]
#[ignore = "eleven minutes: cargo xtask nightly idle"]
fn a_node_with_eight_idle_neighbours_takes_half_a_percent_and_200_bytes_a_second_for_each() {
    const NAME: &str = "e2e_small: bytes of idle links";
    let time = Duration::from_mins(10);
    let args = ["--ephemeral"];
    let village = Namespace::new();
    let daemons = match &village {
        Ok(village) => network_by(9, &args, |args| {
            village.start(&[&["--listen", "127.0.0.1:0"], args].concat())
        }),
        Err(error) => {
            skip(NAME, error);
            network(9, &args)
        }
    };
    for daemon in &daemons {
        daemon.wait_for_links(8);
    }
    // What linking left to do is done.
    std::thread::sleep(Duration::from_secs(30));
    let (hub, before) = (&daemons[0], carried(&daemons[0]));
    let share = idle(hub, time);
    let (bytes, packets) = carried(hub);
    let rss = rss_mib(hub.process.pid());
    println!("idle with 8 neighbours: {share:.2} % of a core, {rss:.1} MiB");
    let links: usize = daemons
        .iter()
        .map(|daemon| daemon.api().peers().len())
        .sum();
    assert_eq!(links, 9 * 8, "everybody is linked to everybody");
    if village.is_ok() {
        // Loopback carries a packet once, whichever of the two ends sent it.
        let per_s = |count: u64| count as f64 / (links / 2) as f64 / time.as_secs_f64();
        let (bytes, packets) = (per_s(bytes - before.0), per_s(packets - before.1));
        println!(
            "a link: {bytes:.0} bytes and {packets:.2} packets a second, of both ends, with IP and UDP"
        );
        assert!(bytes <= 200.0, "{bytes} bytes a second");
    }
    assert!(share <= 0.5, "{share} %");
}
