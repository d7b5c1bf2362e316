//! Values by the commands: put on one of ten daemons, got on each, followed, listed, deleted.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Daemon, Running, run};
use serde_json::Value;

/// A value that was put must be readable everywhere within this.
const EVERYWHERE: Duration = Duration::from_secs(2);

#[track_caller]
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[test]
fn ten_daemons_read_a_value_by_id_and_by_name_also_after_its_writer_is_gone() {
    let mut daemons = common::network(10, 3);
    let put = daemons[0].json(&["put", "--name", "a/b", "--tag", "t", "hello"]);
    assert_eq!(
        (&put["seq"], &put["result"]),
        (&1.into(), &"accepted".into()),
        "{put}"
    );
    let started = Instant::now();
    let id = text(&put, "id").to_owned();
    let name = format!("{}/a/b", text(&put, "author"));
    for address in [&id, &name] {
        for daemon in &daemons[1..] {
            let done = daemon.run(&["get", address]).ok();
            assert_eq!(done.out, "hello", "exactly its bytes");
        }
    }
    let each = started.elapsed() / 18;
    assert!(each < EVERYWHERE, "{each:?} a command");
    assert_eq!(daemons.remove(0).stop(), 0);
    let got = daemons[5].json(&["get", &name]);
    for (key, value) in [
        ("id", id.as_str()),
        ("name", "a/b"),
        ("tag", "t"),
        ("body", "hello"),
    ] {
        assert_eq!(got[key], value, "{got}");
    }
    assert_eq!(
        (&got["seq"], &got["size"], &got["prev"]),
        (&1.into(), &5.into(), &Value::Null)
    );
    // One that comes when the writer is gone.
    let join = [
        "--profile",
        "local",
        "--price",
        "0",
        "--join",
        daemons[0].address(),
    ];
    let late = Daemon::start(&join);
    assert_eq!(late.run(&["get", &name]).ok().out, "hello");
    assert_eq!(
        late.run(&["get", &id[..10]]).ok().out,
        "hello",
        "by the beginning of its id"
    );
}

#[test]
fn of_twenty_who_put_with_the_same_condition_one_wins_everywhere() {
    let daemons = common::network(5, 3);
    let key = daemons[0].json(&["id", "keys", "export", "default"]);
    for daemon in &daemons {
        let mut import = daemon.command(&["id", "keys", "import", "shared"]);
        run(&mut import, text(&key, "secret")).ok();
    }
    let mut address = String::new();
    for round in 0..2_u64 {
        let seq = round.to_string();
        let commands = (0..20).map(|writer| {
            let body = format!("{round} by {writer}");
            let put = [
                "put", "--author", "shared", "--name", "n", "--if-seq", &seq, &body,
            ];
            daemons[writer % 5].command(&[&put[..], &["--json"]].concat())
        });
        let writers: Vec<_> = commands
            .map(|mut command| std::thread::spawn(move || run(&mut command, "")))
            .collect();
        let results: Vec<_> = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect();
        let won: Vec<_> = results.iter().filter(|done| done.code == 0).collect();
        assert!(
            (1..=5).contains(&won.len()),
            "at most one a daemon: {}",
            won.len()
        );
        address = format!("{}/n", text(&won[0].json(), "author"));
        for lost in results.iter().filter(|done| done.code != 0) {
            assert_eq!(lost.code, 6, "{lost:?}");
            let code = lost.error()["code"].clone();
            assert!(code == "seq_conflict" || code == "superseded", "{lost:?}");
        }
        let patience = Instant::now() + Duration::from_secs(10);
        loop {
            let all: Vec<_> = daemons
                .iter()
                .map(|daemon| daemon.json(&["get", &address]))
                .collect();
            let is_one = all.iter().all(|value| value["id"] == all[0]["id"]);
            if is_one && all[0]["seq"] == round + 1 {
                break;
            }
            assert!(Instant::now() < patience, "{all:?}");
        }
    }
    let conflict = daemons[0].run(&[
        "put", "--author", "shared", "--name", "n", "--if-seq", "7", "x", "--json",
    ]);
    assert_eq!(
        (conflict.code, &conflict.error()["code"]),
        (6, &"seq_conflict".into())
    );
    let message = conflict.error()["message"].to_string();
    assert!(
        message.contains("seq 2"),
        "it says the present one: {message}"
    );
    assert!(!address.is_empty());
}

#[test]
fn a_chain_a_picture_a_list_and_the_end_of_a_value() {
    let daemon = Daemon::start(&["--price", "0"]);
    let mut prev = String::new();
    let mut whole = String::new();
    for number in 0..100 {
        let body = format!("part {number}\n");
        whole.push_str(&body);
        let link = if prev.is_empty() {
            vec![]
        } else {
            vec!["--prev", &prev]
        };
        let put = daemon.json(&[&["put", &body][..], &link].concat());
        prev = text(&put, "id").to_owned();
    }
    assert_eq!(daemon.run(&["get", &prev, "--chain"]).ok().out, whole);

    // A file of bytes that are no text, there and back.
    let picture: Vec<u8> = (0..60_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(60_000)
        .collect();
    let (there, back) = (
        daemon.data().join("cat.jpg"),
        daemon.data().join("back.jpg"),
    );
    std::fs::write(&there, &picture).unwrap();
    let put = daemon.json(&[
        "put",
        "--file",
        there.to_str().unwrap(),
        "--tag",
        "cats",
        "--name",
        "cat",
    ]);
    let out = back.to_str().unwrap();
    daemon.run(&["get", text(&put, "id"), "--out", out]).ok();
    assert_eq!(std::fs::read(&back).unwrap(), picture);

    let cats = daemon.json(&["ls", "--tag", "cats"]);
    let cats = cats.as_array().unwrap();
    assert_eq!(cats.len(), 1, "{cats:?}");
    for key in [
        "id",
        "kind",
        "topic",
        "author",
        "name",
        "tag",
        "seq",
        "size",
        "bits",
        "rank",
        "created_ms",
        "expires_ms",
    ] {
        assert!(!cats[0][key].is_null(), "no {key}: {}", cats[0]);
    }
    assert_eq!(
        (&cats[0]["kind"], &cats[0]["size"]),
        (&"manifest".into(), &60_000.into())
    );
    assert_eq!(
        daemon
            .json(&["ls", "--contains", "part 42"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        daemon.json(&["ls", "--mine"]).as_array().unwrap().len(),
        101
    );
    assert!(daemon.run(&["ls"]).ok().out.contains("RANK"));

    let paid = daemon.json(&["boost", text(&put, "id"), "--bits", "9"]);
    assert_eq!(paid["bits"], 9);
    assert_eq!(daemon.json(&["ls", "--name", "cat"])[0]["bits"], 9);

    let watch = Running::start(&mut daemon.command(&["watch", "default/cat", "--json"]));
    assert_eq!(watch.json()["seq"], 1);
    daemon.json(&["put", "--name", "cat", "gone soon"]);
    assert_eq!(watch.json()["body"], "gone soon");
    assert_eq!(daemon.json(&["del", "cat"])["seq"], 3);
    assert_eq!(watch.json()["event"], "deleted");
    let gone = daemon.run(&["get", "default/cat", "--timeout", "100ms", "--json"]);
    assert_eq!((gone.code, &gone.error()["code"]), (1, &"not_found".into()));
}

#[test]
fn what_cannot_be_put_or_got_says_why_with_its_exit_code() {
    let daemon = Daemon::start(&["--max-work", "12"]);
    let file = daemon.data().join("big");
    let big = std::fs::File::create(&file).unwrap();
    big.set_len((16 << 20) + 1).unwrap();
    let file = file.to_str().unwrap();
    let (id, long) = ("07".repeat(32), "n".repeat(65));
    let cases: &[(&[&str], i32, &str)] = &[
        (&["put", "--file", file], 6, "too_big"),
        (&["put", "x"], 6, "price_too_low"),
        (&["put", "--name", &long, "x"], 6, "too_big"),
        (&["put", "--if-seq", "1", "x"], 2, "usage"),
        (&["put", "--ttl", "29d", "x"], 2, "ttl"),
        (&["put"], 2, "usage"),
        (&["put", "--author", "nobody", "x"], 1, "unknown_author"),
        (&["get", &id, "--timeout", "50ms"], 1, "not_found"),
        (&["get", "07", "--timeout", "50ms"], 2, "bad_request"),
        (&["get", "07070707", "--timeout", "50ms"], 1, "not_found"),
        (
            &["get", "default/none", "--timeout", "50ms"],
            1,
            "not_found",
        ),
        (&["del", "none"], 1, "not_found"),
        (&["del", "x", "--author", "nobody"], 1, "not_found"),
        (&["boost", &id, "--bits", "3"], 1, "not_found"),
        (&["watch", &id], 2, "usage"),
        (&["watch", "default/"], 2, "usage"),
        (&["get", ""], 2, "usage"),
        (&["del", ""], 2, "usage"),
        (&["ls", "--author", "nobody"], 2, "bad_request"),
    ];
    for (args, code, word) in cases {
        let done = daemon.run(&[args, &["--json"][..]].concat());
        assert_eq!(done.code, *code, "{args:?}: {done:?}");
        assert_eq!(done.error()["code"], *word, "{args:?}: {done:?}");
    }
}
