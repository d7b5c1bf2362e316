//! D9: `accepted`, `stored` and `spread` are true when they are said, though the publisher dies of
//! kill -9 right after.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::{Duration, Instant};

use common::api::Api;
use common::{Daemon, PATIENCE};
use serde_json::json;

const DAEMONS: usize = 16;

/// Publishes ten bulletins that wait for `word`; answers their ids. The last answer is the last thing
/// the daemon does.
fn say(daemon: &mut Daemon, topic: &str, word: &str) -> Vec<String> {
    let mut connection = daemon.api().connect();
    let ids = (0..10).map(|number| {
        let body = json!({"topic": topic, "body": format!("{word} {number}"), "wait": word});
        let (status, answer) = connection.ask("POST", "/v1/bulletins", &body.to_string());
        let said = word.split(':').next().unwrap();
        assert_eq!((status, &answer["result"]), (200, &said.into()), "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    });
    let ids = ids.collect();
    daemon.process.kill();
    ids
}

/// Waits until `daemons` hold all of `ids`, asked for without asking others.
#[track_caller]
fn assert_held(daemons: &[&Daemon], ids: &[String]) {
    let start = Instant::now();
    for daemon in daemons {
        let mut connection = Api::of(daemon).connect();
        for id in ids {
            let path = format!("/v1/bulletins/{id}?timeout=0s");
            while connection.ask("GET", &path, "").0 != 200 {
                assert!(start.elapsed() < PATIENCE, "{id} is not at {}", daemon.id());
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

#[test]
fn each_word_is_true_when_its_sayer_dies_of_it() {
    let mut daemons = common::network(DAEMONS, 4);
    let mut publisher = daemons.remove(5);
    let others: Vec<&Daemon> = daemons.iter().collect();

    // Three have synced it: it needs the publisher no more.
    let spread = say(&mut publisher, "words", "spread:3");
    assert_held(&others, &spread);

    // It is on its disk: it comes back with it, and reaches the others at the latest then.
    publisher.restart();
    assert_held(&[&publisher], &spread);
    let stored = say(&mut publisher, "words", "stored");
    publisher.restart();
    assert_held(&[&publisher], &stored);
    assert_held(&others, &stored);

    // It passed every check and is in the queues to so many neighbours.
    publisher.wait_for_links(4);
    let mut connection = publisher.api().connect();
    let (status, answer) = connection.publish("words", "accepted");
    assert_eq!((status, &answer["result"]), (200, &"accepted".into()));
    assert!(answer["neighbours"].as_u64().unwrap() >= 1, "{answer}");
    assert_held(&others, &[answer["id"].as_str().unwrap().to_owned()]);
}
