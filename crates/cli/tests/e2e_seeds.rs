//! Seeds as daemons: newcomers find the network by them, and it goes on without them (F6).
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{Daemon, PATIENCE, bruit, free_address, run};
use serde_json::Value;

/// What every node here is told besides.
const ALL: [&str; 5] = ["--profile", "local", "--price", "0", "--log=warn"];

/// A daemon that is a seed, at an address that it has again when it is started again.
fn seed() -> Daemon {
    Daemon::start_as("seed", &[&["--listen", &free_address()][..], &ALL].concat())
}

/// The seeds as flags.
fn seeds_of(seeds: &[Daemon]) -> Vec<String> {
    let addresses = seeds.iter().map(|seed| seed.address().to_owned());
    std::iter::once("--seeds".to_owned())
        .chain(addresses)
        .collect()
}

/// A peer told of the seeds alone.
fn peer(seeds: &[String], more: &[&str]) -> Daemon {
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    Daemon::start(&[&ALL[..], more, &seeds].concat())
}

fn leases(seed: &Daemon) -> Vec<Value> {
    seed.json(&["seed", "list"]).as_array().unwrap().clone()
}

/// How many nodes three seeds keep at least: a seed that answered too late keeps one that has gone to another.
fn registered(seeds: &[Daemon]) -> usize {
    let mut keep = BTreeMap::<String, usize>::new();
    for lease in seeds.iter().flat_map(leases) {
        let id = lease["id"].as_str().unwrap().to_owned();
        *keep.entry(id).or_default() += 1;
    }
    keep.values().filter(|seeds| **seeds >= 3).count()
}

/// Waits until `holds`; answers how long it took.
#[track_caller]
fn wait(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{what}: {:?}", begin.elapsed());
    begin.elapsed()
}

/// Publishes at one and waits until it is held by all.
#[track_caller]
fn assert_reaches_all(from: &Daemon, daemons: &[Daemon], body: &str) {
    let id = from.json(&["pub", "news", body])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut missing: Vec<&Daemon> = daemons.iter().collect();
    wait("a bulletin reaches all", Duration::from_secs(5), || {
        missing.retain(|daemon| {
            let (status, _) = daemon
                .api()
                .connect()
                .ask("GET", &format!("/v1/bulletins/{id}"), "");
            status != 200
        });
        missing.is_empty()
    });
}

#[test]
fn twenty_peers_find_each_other_by_four_seeds_and_do_not_miss_them_when_they_die() {
    let mut seeds: Vec<Daemon> = (0..4).map(|_| seed()).collect();
    let list = seeds_of(&seeds);
    let mut peers: Vec<Daemon> = (0..20).map(|_| peer(&list, &[])).collect();
    for peer in &peers {
        peer.wait_for_links(3);
    }
    // ⌊4/2⌋+1 of 4 keep each.
    wait("all are registered", PATIENCE, || registered(&seeds) == 20);
    let lease = &leases(&seeds[0])[0];
    assert_eq!(lease["state"], "alive", "{lease}");
    assert!(
        lease["address"].as_str().unwrap().contains("@127.0.0.1:"),
        "{lease}"
    );
    assert!(
        lease["lease_until_ms"].as_u64().unwrap() > 1_700_000_000_000,
        "{lease}"
    );

    for seed in &mut seeds[..2] {
        seed.process.kill();
    }
    let joiner = peer(&list, &[]);
    wait(
        "a joiner gets in by the two seeds left",
        Duration::from_secs(10),
        || !joiner.json(&["peers"]).as_array().unwrap().is_empty(),
    );
    peers.push(joiner);

    for seed in &mut seeds[2..] {
        seed.process.kill();
    }
    assert_reaches_all(&peers[0], &peers, "without any seed");
    // One with an address book comes back while there is no seed.
    assert_eq!(peers[7].stop(), 0);
    peers[7].restart();
    let took = wait(
        "a peer comes back by its address book",
        Duration::from_secs(10),
        || peers[7].json(&["peers"]).as_array().unwrap().len() >= 3,
    );
    assert!(took <= Duration::from_secs(10));
    assert_reaches_all(&peers[7], &peers, "back without any seed");

    for seed in &mut seeds {
        seed.restart();
    }
    let all = peers.len();
    wait(
        "the seeds learn everything again",
        Duration::from_mins(1),
        || registered(&seeds) == all,
    );
}

#[test]
fn who_dies_is_dropped_by_the_seeds_that_looked_for_it_themselves() {
    let seeds: Vec<Daemon> = (0..2).map(|_| seed()).collect();
    let list = seeds_of(&seeds);
    let probing = ["--probe-every", "300ms"];
    let mut peers: Vec<Daemon> = (0..4).map(|_| peer(&list, &probing)).collect();
    wait("all are registered", PATIENCE, || {
        seeds.iter().all(|seed| leases(seed).len() == 4)
    });
    let dead = peers.remove(1);
    let id = dead.id().to_owned();
    let mut dead = dead;
    dead.process.kill();
    wait("it is gone from both seeds", PATIENCE, || {
        let has = |seed: &Daemon| leases(seed).iter().any(|lease| lease["id"] == id.as_str());
        !seeds.iter().any(has)
    });
    assert!(seeds.iter().all(|seed| leases(seed).len() == 3));
}

#[test]
fn a_node_that_is_no_seed_says_so_and_too_many_seeds_are_refused() {
    let node = Daemon::start(&ALL);
    let refused = node.run(&["--json", "seed", "list"]);
    assert_eq!(
        (refused.code, &refused.error()["code"]),
        (1, &"no_seed".into())
    );
    let home = tempfile::tempdir().unwrap();
    let many = vec![node.address(); 17];
    let refused = run(
        bruit(home.path())
            .args(["--json", "run", "--ephemeral", "--seeds"])
            .args(many),
        "",
    );
    assert_eq!(refused.code, 2, "{refused:?}");
    let error = refused.error();
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("17 seeds are more than 16"),
        "{error}"
    );
}
