//! Nodes that are restarted one after the other, and a network whose first node is gone.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use common::api::{Api, Inbox, assert_each_once};
use common::overlay::reached;
use common::{Daemon, PATIENCE, free_address};

const PRICELESS: [&str; 4] = ["--profile", "local", "--price", "0"];

/// A daemon that is told of nobody when it starts again: `join` is a command of today.
fn start(listen: &str, join: Option<&str>) -> Daemon {
    let daemon = Daemon::start_plain(&[&["--listen", listen][..], &PRICELESS].concat());
    if let Some(address) = join {
        daemon.run(&["join", address]).ok();
    }
    daemon
}

/// Waits until `holds`; answers how long after `start` that was.
#[track_caller]
fn until(start: Instant, within: Duration, what: &str, holds: impl Fn() -> bool) -> Duration {
    while !holds() {
        assert!(start.elapsed() < within, "{what} within {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

fn publish(api: &Api, body: &str) {
    let (status, answer) = api.connect().publish("news", body);
    assert_eq!(status, 200, "{answer}");
}

/// The nodes by their ids, with their APIs.
fn apis(daemons: &[Daemon]) -> BTreeMap<String, Api> {
    let api = |daemon: &Daemon| (daemon.id().to_owned(), daemon.api());
    daemons.iter().map(api).collect()
}

/// Every other one keeps its port, all keep their folders. Where the others are, their address books know.
#[test]
fn of_sixteen_restarted_one_after_the_other_each_is_back_within_ten_seconds() {
    const NODES: usize = 16;
    let first = start(&free_address(), None);
    let address = first.address().to_owned();
    let mut daemons = vec![first];
    for number in 1..NODES {
        let listen = match number % 2 {
            0 => free_address(),
            _ => "127.0.0.1:0".to_owned(),
        };
        daemons.push(start(&listen, Some(&address)));
    }
    for daemon in &daemons {
        daemon.wait_for_links(4);
    }
    let mut inboxes = inboxes_of(&daemons, "topic=news");
    let mut bodies: Vec<Vec<String>> = vec![Vec::new(); NODES];
    let mut times = Vec::new();
    for number in 0..NODES {
        assert_eq!(daemons[number].stop(), 0);
        let begun = Instant::now();
        daemons[number].restart();
        let (back, other) = (daemons[number].api(), daemons[(number + 5) % NODES].api());
        inboxes[number] = back.subscribe("topic=news");
        bodies[number].clear();
        let words = [format!("{number} hears"), format!("{number} is heard")];
        publish(&other, &words[0]);
        publish(&back, &words[1]);
        for bodies in &mut bodies {
            bodies.extend(words.clone());
        }
        let within = Duration::from_secs(10);
        times.push(until(begun, within, "back in the mesh", || {
            let mut everywhere = inboxes.iter().zip(&bodies);
            back.peers().len() >= 4 && everywhere.all(|(inbox, all)| inbox.len() >= all.len())
        }));
    }
    times.sort();
    println!(
        "back in the mesh: median {:?}, longest {:?}",
        times[NODES / 2],
        times[NODES - 1]
    );
    for (inbox, bodies) in inboxes.iter().zip(&bodies) {
        assert_each_once([inbox], bodies, Duration::ZERO);
    }
    assert_eq!(reached(&apis(&daemons)), NODES);
}

fn inboxes_of(daemons: &[Daemon], query: &str) -> Vec<Inbox> {
    let inbox = |daemon: &Daemon| daemon.api().subscribe(query);
    daemons.iter().map(inbox).collect()
}

/// Story elsewhere: whoever created a topic leaves, and later joiners see only some of the others.
#[test]
fn six_nodes_whose_first_is_gone_see_each_other_and_hear_everything() {
    let mut first = start("127.0.0.1:0", None);
    let address = first.address().to_owned();
    let mut daemons: Vec<_> = (0..3)
        .map(|_| start("127.0.0.1:0", Some(&address)))
        .collect();
    for daemon in &daemons {
        daemon.wait_for_links(3);
    }
    publish(&first.api(), "the topic begins");
    assert_eq!(first.stop(), 0);
    for through in 0..3 {
        let address = daemons[through].address().to_owned();
        daemons.push(start("127.0.0.1:0", Some(&address)));
    }
    for daemon in &daemons {
        daemon.wait_for_links(3);
    }
    let inboxes = inboxes_of(&daemons, "topic=news&since=1h");
    let mut bodies: Vec<_> = (0..6).map(|number| format!("hello of {number}")).collect();
    let begun = Instant::now();
    for (daemon, body) in daemons.iter().zip(&bodies) {
        publish(&daemon.api(), body);
    }
    bodies.push("the topic begins".to_owned());
    until(
        begun,
        Duration::from_secs(5),
        "everybody hears everybody",
        || inboxes.iter().all(|inbox| inbox.len() >= bodies.len()),
    );
    println!("everything everywhere after {:?}", begun.elapsed());
    assert_each_once(&inboxes, &bodies, Duration::ZERO);

    let nodes = apis(&daemons);
    until(begun, PATIENCE, "one view", || {
        let views = common::overlay::links(&nodes)
            .into_iter()
            .map(|(id, links)| {
                let peers = links.into_iter().map(|(peer, _)| peer);
                peers.chain([id]).collect::<BTreeSet<_>>()
            });
        views.collect::<BTreeSet<_>>().len() == 1
    });
}
