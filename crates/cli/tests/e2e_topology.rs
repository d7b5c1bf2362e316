//! `topology` and `trace` on three daemons: the whole network where it is shared, one's own links where not.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::Instant;

use common::{Daemon, PATIENCE};
use serde_json::Value;

/// Three daemons in a line.
fn line(args: &[&str]) -> Vec<Daemon> {
    let args = [&["--static", "--price", "0"], args].concat();
    let first = Daemon::start(&args);
    let second = Daemon::start(&[&["--join", first.address()], &args[..]].concat());
    let third = Daemon::start(&[&["--join", second.address()], &args[..]].concat());
    second.wait_for_links(2);
    vec![first, second, third]
}

fn links(topology: &Value) -> usize {
    topology["links"].as_array().unwrap().len()
}

#[test]
fn the_ends_of_a_line_see_all_of_it_and_the_way_of_a_bulletin_through_it() {
    let daemons = line(&["--profile", "local"]);
    let topology = daemons[0].json(&["topology"]);
    assert_eq!(
        (topology["shared"].as_bool(), links(&topology)),
        (Some(true), 2)
    );
    let nodes = topology["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for key in ["id", "label", "state"] {
        assert!(nodes.iter().all(|node| node[key].is_string()), "{topology}");
    }
    let link = &topology["links"][0];
    assert!(
        link["from"].is_string() && link["to"].is_string(),
        "{topology}"
    );

    let id = daemons[0].json(&["pub", "news", "hello"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let start = Instant::now();
    let trace = loop {
        let done = daemons[2].run(&["trace", &id[..12], "--json"]);
        let trace = if done.code == 0 {
            done.json()
        } else {
            Value::Null
        };
        if trace["deliveries"]
            .as_array()
            .is_some_and(|all| all.len() == 3)
        {
            break trace;
        }
        assert!(start.elapsed() < PATIENCE, "{trace}");
    };
    let way: Vec<_> = trace["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| &at["node"])
        .collect();
    let expected: Vec<Value> = daemons.iter().map(|daemon| daemon.id().into()).collect();
    assert_eq!(
        way,
        expected.iter().collect::<Vec<_>>(),
        "each had it from the one before"
    );
    assert_eq!(trace["given_to"], Value::Array(Vec::new()), "{trace}");

    let dot = daemons[1].run(&["topology", "--dot"]).ok();
    assert_eq!(dot.out.matches(" -> ").count(), 2, "{}", dot.out);
    let file = daemons[1].data().join("network.svg");
    daemons[1]
        .run(&["topology", "--svg", file.to_str().unwrap()])
        .ok();
    assert_eq!(
        std::fs::read_to_string(file)
            .unwrap()
            .matches("<line ")
            .count(),
        2
    );
    let unknown = daemons[1].run(&["trace", &"9".repeat(64)]);
    assert_eq!(unknown.code, 1, "{}", unknown.err);
}

#[test]
fn with_the_rules_of_the_internet_a_node_shows_its_own_links_alone_and_says_so() {
    let daemons = line(&[]);
    let topology = daemons[0].json(&["topology"]);
    assert_eq!(
        (topology["shared"].as_bool(), links(&topology)),
        (Some(false), 1)
    );
    let text = daemons[0].run(&["topology"]).ok();
    assert!(text.out.contains("share = true"), "{}", text.out);
}
