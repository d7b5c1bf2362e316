//! The demo, short.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use common::{Running, bruit, run};

#[test]
fn a_demo_that_is_asked_to_end_cleans_up() {
    let home = tempfile::tempdir().unwrap();
    let args = ["--json", "demo", "--nodes", "3"];
    let mut demo = Running::start(bruit(home.path()).env("TMPDIR", home.path()).args(args));
    let mut dashboard = serde_json::Value::Null;
    loop {
        let event = demo.json();
        match event["event"].as_str().unwrap() {
            "dashboard" => dashboard = event["dashboard"].clone(),
            "formed" => break,
            _ => {}
        }
    }
    let url = dashboard.as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    demo.signal("TERM");
    assert_eq!(demo.wait(), 0);
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_live_node_gets_every_message_although_one_is_killed_and_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let args = ["--json", "demo", "--nodes", "5", "--seconds", "6"];
    let done = run(bruit(home.path()).args(args), "").ok();
    let events = done.json_lines();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("node"), count("formed")), (5, 1));
    assert_eq!((count("killed"), count("restarted")), (1, 1));
    assert_eq!(count("wave"), count("published"));

    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["nodes"], 5);
    assert_eq!(summary["published"], count("published"));
    assert_eq!(summary["expected"], 5 * count("published"));
    assert_eq!(summary["delivered"], summary["expected"]);
    assert_eq!(summary["delivery_ratio"], 1.0);
    assert_eq!(
        (&summary["killed"], &summary["restarted"]),
        (&1.into(), &1.into())
    );
    for key in ["p50_ms", "p99_ms", "redundancy"] {
        assert!(summary[key].is_number(), "{key}: {summary}");
    }
}
