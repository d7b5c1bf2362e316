//! Letters between real daemons: recipients that are away, codes that change, and what leaks.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use common::{Daemon, PATIENCE};
use serde_json::Value;

/// A daemon of a network without price, which answers quickly.
fn daemon(join: Option<&str>, more: &[&str]) -> Daemon {
    let join = join.map_or(Vec::new(), |address| vec!["--join", address]);
    Daemon::start(&[&["--price", "0", "--profile", "local"], &join[..], more].concat())
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn state(daemon: &Daemon, id: &str) -> String {
    let outbox = daemon.json(&["outbox"]);
    let letters = outbox.as_array().unwrap();
    let letter = letters.iter().find(|letter| letter["id"] == id).unwrap();
    letter["state"].as_str().unwrap().to_owned()
}

/// What Carol, who relays it, sees: all letters of the network, as they are held by her.
fn outsides(carol: &Daemon) -> Vec<Value> {
    let listed = carol.json(&["ls", "--all"]);
    let held = listed.as_array().unwrap().iter();
    held.filter(|held| held["kind"] == "letter")
        .cloned()
        .collect()
}

#[test]
fn letter_reaches_a_recipient_who_was_away_for_all_of_the_sending() {
    let carol = daemon(None, &[]);
    let address = carol.address().to_owned();
    let alice = daemon(Some(&address), &[]);
    let mut bob = daemon(Some(&address), &[]);
    let bob_id = bob.id().to_owned();
    alice.wait_for_links(1);
    bob.wait_for_links(1);
    // The letterbox has gone round: Bob may leave.
    wait_until("bob's letterbox is known", || {
        let get = carol.run(&[
            "get",
            &format!("{bob_id}/bruit/letterbox"),
            "--timeout",
            "1s",
        ]);
        get.code == 0
    });
    assert_eq!(bob.stop(), 0);

    let sent = alice.json(&["send", &bob_id, "see you at eight", "--wait", "published"]);
    let id = sent["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&sent["to"], &sent["state"]),
        (&Value::from(&*bob_id), &Value::from("published"))
    );
    assert_eq!(id.len(), 64);
    assert_eq!(state(&alice, &id), "published");
    let waited = alice.run(&[
        "--json",
        "send",
        &bob_id,
        "and bring cake",
        "--wait",
        "acknowledged",
        "--timeout",
        "300ms",
    ]);
    assert_eq!(waited.code, 3, "{waited:?}");
    assert_eq!(waited.error()["code"], "timeout");

    bob.restart();
    wait_until("both are acknowledged", || {
        state(&alice, &id) == "acknowledged"
    });
    let inbox = bob.json(&["inbox"]);
    let letters = inbox.as_array().unwrap();
    let texts: BTreeSet<_> = letters
        .iter()
        .map(|l| l["body"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        BTreeSet::from(["see you at eight", "and bring cake"])
    );
    for letter in letters {
        assert_eq!(letter["from"], alice.id());
        assert!(letter["received_ms"].as_u64() > Some(1_700_000_000_000));
    }
    assert!(letters.iter().any(|letter| letter["id"] == *id));
    let outbox = alice.json(&["outbox"]);
    let week_ms = 7 * 24 * 3_600 * 1_000;
    for letter in outbox.as_array().unwrap() {
        let ms = |key: &str| letter[key].as_u64().unwrap();
        let life = ms("expires_ms") - ms("created_ms");
        assert!((week_ms..week_ms + 60_000).contains(&life), "{letter}");
    }

    // Carol relayed all of it, and can tell neither.
    wait_until("carol holds all", || outsides(&carol).len() >= 4);
    let seen = outsides(&carol);
    let authors: BTreeSet<_> = seen.iter().map(|l| l["author"].to_string()).collect();
    assert_eq!(authors.len(), seen.len(), "an author for each");
    let topics: BTreeSet<_> = seen.iter().map(|l| l["topic"].to_string()).collect();
    assert_eq!(topics.len(), 1, "one bucket in a small network");
    let sizes: BTreeSet<_> = seen.iter().map(|l| l["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, BTreeSet::from([256, 1_024]));
    let text = Value::from(seen).to_string();
    for told in [alice.id(), &bob_id, "eight", &id] {
        assert!(!text.contains(told), "{told}");
    }
    assert_eq!(carol.json(&["inbox"]), Value::from(Vec::<Value>::new()));
}

#[test]
fn recipient_nobody_has_heard_of_gets_the_letter_when_it_comes() {
    let alice = daemon(None, &[]);
    let mut bob = daemon(None, &[]);
    let bob_id = bob.id().to_owned();
    assert_eq!(bob.stop(), 0);
    let sent = alice.json(&["send", &bob_id, "welcome"]);
    let id = sent["id"].as_str().unwrap();
    assert_eq!(sent["state"], "queued");

    let mut bob = Daemon::start_in(
        tempfile::tempdir().unwrap(),
        bob.data().to_owned(),
        &[
            "--listen",
            "127.0.0.1:0",
            "--price",
            "0",
            "--profile",
            "local",
            "--join",
            alice.address(),
        ],
    );
    let letter = bob.run(&[
        "--json",
        "inbox",
        "--watch",
        "--count",
        "1",
        "--timeout",
        "20s",
    ]);
    assert_eq!(letter.ok().json()["body"], "welcome");
    wait_until("it is acknowledged", || state(&alice, id) == "acknowledged");

    // Contacts have names, and what was answered is there after kill -9.
    let contact = bob.json(&["contacts", "add", alice.id(), "alice"]);
    assert_eq!(
        (&contact["id"], &contact["name"]),
        (&Value::from(alice.id()), &Value::from("alice"))
    );
    let answer = bob.json(&["send", "alice", "thanks", "--wait", "acknowledged"]);
    assert_eq!(answer["state"], "acknowledged");
    let rotated = bob.json(&["inbox", "rotate"]);
    assert_eq!(rotated["told"], 1);
    bob.process.kill();
    bob.restart();
    assert_eq!(bob.json(&["inbox"])[0]["body"], "welcome");
    assert_eq!(bob.json(&["contacts", "list"])[0]["name"], "alice");
    bob.wait_for_links(1);
    let again = alice.json(&[
        "send",
        &bob_id[..12],
        "to the new code",
        "--wait",
        "acknowledged",
    ]);
    assert_eq!(again["state"], "acknowledged");
    assert_eq!(bob.json(&["inbox"]).as_array().unwrap().len(), 2);
    bob.json(&["contacts", "rm", "alice"]);
    assert_eq!(
        bob.json(&["contacts", "list"]),
        Value::from(Vec::<Value>::new())
    );
}

#[test]
fn letters_that_cannot_be_sent_are_refused_and_those_nobody_opens_expire() {
    let alice = daemon(None, &[]);
    let nobody = "07".repeat(32);
    let long = "x".repeat(64_513);
    let refused = common::run(&mut alice.command(&["--json", "send", &nobody, "-"]), &long);
    assert_eq!(
        (refused.code, &refused.error()["code"]),
        (6, &Value::from("too_big"))
    );
    let unknown = alice.run(&["--json", "send", "nobody", "hello"]);
    assert_eq!(
        (unknown.code, &unknown.error()["code"]),
        (1, &Value::from("not_found"))
    );
    let far = alice.run(&["--json", "send", &nobody, "hello", "--ttl", "15d"]);
    assert_eq!((far.code, &far.error()["code"]), (2, &Value::from("ttl")));
    let wait = [
        "--json",
        "send",
        &nobody,
        "hello",
        "--ttl",
        "1s",
        "--wait",
        "acknowledged",
    ];
    let expired = alice.run(&wait);
    assert_eq!(
        (expired.code, &expired.error()["code"]),
        (6, &Value::from("expired"))
    );
    assert_eq!(alice.json(&["outbox"])[0]["state"], "expired");
    assert_eq!(alice.run(&["--json", "inbox", "rm", "0123456789"]).code, 1);
    let taken = alice.run(&["--json", "contacts", "add", &nobody, "two words"]);
    assert_eq!(
        (taken.code, &taken.error()["code"]),
        (2, &Value::from("contact_name"))
    );
}

/// An author is written to by the key that signs posts; the node behind it answers as the author.
#[test]
fn authors_have_letterboxes_of_their_own() {
    let bob = daemon(None, &[]);
    let alice = daemon(Some(bob.address()), &[]);
    alice.wait_for_links(1);
    let author = bob.json(&["id"])["authors"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(author, bob.id());
    let args = [
        "send",
        &author,
        "i read your post",
        "--wait",
        "acknowledged",
        "--author",
        "default",
    ];
    let sent = alice.json(&args);
    assert_eq!(sent["state"], "acknowledged");
    let inbox = bob.json(&["inbox"]);
    assert_eq!(inbox[0]["to"], *author);
    let from = inbox[0]["from"].as_str().unwrap().to_owned();
    assert_ne!(from, alice.id());
    let answer = bob.json(&[
        "send",
        &from,
        "thank you",
        "--author",
        "default",
        "--wait",
        "acknowledged",
    ]);
    assert_eq!(answer["state"], "acknowledged");
    assert_eq!(alice.json(&["inbox"])[0]["from"], *author);
    // Nothing in the two letterboxes says that they belong together.
    let key = |id: &str| bob.run(&["get", &format!("{id}/bruit/letterbox")]).ok().out;
    assert_ne!(key(bob.id()), key(&author));
}

/// S18 for letters: files for their owner alone, and no byte of a key or a letter in what is logged.
#[test]
fn neither_keys_nor_letters_are_readable_by_others_or_logged() {
    let alice = daemon(None, &["--log", "trace"]);
    let bob = daemon(Some(alice.address()), &["--log", "trace"]);
    bob.wait_for_links(1);
    let secret = "the treasure is under the tree";
    alice.json(&["send", bob.id(), secret, "--wait", "acknowledged"]);
    bob.json(&["inbox", "rotate"]);
    for daemon in [&alice, &bob] {
        daemon.json(&["contacts", "add", &"07".repeat(32)]);
        for file in ["letter.key", "letters.redb", "contacts"] {
            let metadata = std::fs::metadata(daemon.data().join(file)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file}");
        }
        let key = std::fs::read_to_string(daemon.data().join("letter.key")).unwrap();
        let log = std::fs::read_to_string(daemon.data().join("run.log")).unwrap();
        assert!(log.len() > 10_000, "trace says much");
        for told in [&key.trim()[..16], secret, "treasure"] {
            assert!(!log.contains(told), "the log holds what it must not");
        }
    }
    std::fs::write(alice.data().join("letter.key"), "nonsense").unwrap();
    let mut alice = alice;
    assert_eq!(alice.stop(), 0);
    let run = alice.run(&["--json", "run", "--listen", "127.0.0.1:0", "--price", "0"]);
    assert_eq!(
        (run.code, &run.error()["code"]),
        (2, &Value::from("key_malformed"))
    );
    assert!(!format!("{run:?}").contains("nonsense"));
}
