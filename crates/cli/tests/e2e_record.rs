//! A daemon that records what it is told, and what becomes of the recording.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{Daemon, Done, bruit, run};

fn replay(file: &Path, args: &[&str]) -> Done {
    let mut command = bruit(file.parent().unwrap());
    command.args(["sim", "replay"]).arg(file).args(args);
    run(&mut command, "")
}

/// Two daemons, the first of which records; both publish.
fn recorded(file: &Path) -> (Daemon, Daemon) {
    let first = Daemon::start(&["--record", file.to_str().unwrap(), "--price", "0"]);
    let second = Daemon::start(&["--join", first.address(), "--price", "0"]);
    second.wait_for_links(1);
    let heard = first.api().subscribe("topic=news");
    for (number, daemon) in [&first, &second].into_iter().cycle().take(10).enumerate() {
        let body = format!("bulletin {number}");
        daemon.run(&["pub", "news", &body]).ok();
    }
    assert!(heard.wait(10, common::PATIENCE));
    (first, second)
}

/// Whether the ten bulletins were delivered; each node and each author may have published a letterbox.
fn has_ten_and_letterboxes(replayed: &serde_json::Value) -> bool {
    (10..=14).contains(&replayed["delivered"].as_u64().unwrap())
}

#[test]
fn what_a_daemon_was_told_leads_to_the_same_actions_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen.journal");
    let (mut first, _second) = recorded(&file);
    assert_eq!(first.stop(), 0);

    let replayed = replay(&file, &["--json"]).ok().json();
    assert_eq!(replayed["same"], true);
    assert_eq!(replayed["end"], "stopped");
    assert!(has_ten_and_letterboxes(&replayed), "{replayed}");
    assert_eq!(
        (&replayed["id"], &replayed["difference"]),
        (&first.id().into(), &serde_json::Value::Null)
    );
    assert_eq!(replayed["kinds"]["shutdown"], 1);
    let published = replayed["kinds"]["publish"].as_u64().unwrap();
    assert!(
        (5..=7).contains(&published),
        "five, and letterboxes: {replayed}"
    );
    for key in ["events", "seconds", "actions"] {
        assert!(replayed[key].as_f64().unwrap() > 0.0, "{key}: {replayed}");
    }
    let text = replay(&file, &[]).ok().out;
    assert!(
        text.contains(" bulletins") && text.trim_end().ends_with("the same actions"),
        "{text}"
    );

    let good = fs::read(&file).unwrap();
    let changed = folder.path().join("changed");
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    fs::write(&changed, bytes).unwrap();
    let done = replay(&changed, &["--json"]);
    assert_eq!((done.code, &done.error()["code"]), (1, &"damaged".into()));
    assert_eq!(
        (&done.json()["same"], &done.json()["end"]),
        (&false.into(), &"damaged".into())
    );

    fs::write(&changed, &good[..good.len() - 100]).unwrap();
    let cut = replay(&changed, &["--json"]).ok().json();
    assert_eq!((&cut["same"], &cut["end"]), (&true.into(), &"cut".into()));
    assert!(replay(&changed, &[]).ok().out.contains("breaks off"));

    // Read with the eyes of a later program, the same file is of an older one.
    let mut bytes = good;
    let format = bytes[9];
    bytes[9] += 1;
    fs::write(&changed, bytes).unwrap();
    let done = replay(&changed, &["--json"]);
    let error = done.error();
    assert_eq!((done.code, &error["code"]), (2, &"recording".into()));
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains(&format!("this program reads format {format}")),
        "{error}"
    );
}

#[test]
fn the_recording_of_a_daemon_that_is_killed_goes_as_far_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen.journal");
    let (mut first, _second) = recorded(&file);
    first.process.kill();
    let replayed = replay(&file, &["--json"]).ok().json();
    assert_eq!(
        (&replayed["same"], &replayed["end"]),
        (&true.into(), &"cut".into())
    );
    assert!(has_ten_and_letterboxes(&replayed), "{replayed}");
}

#[test]
fn no_file_is_written_over_and_what_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter");
    fs::write(&file, "dear reader").unwrap();
    let mut command = bruit(folder.path());
    command.args(["--json", "run", "--ephemeral", "--listen", "127.0.0.1:0"]);
    let done = run(command.arg("--record").arg(&file), "");
    assert_eq!((done.code, &done.error()["code"]), (2, &"record".into()));
    assert_eq!(fs::read(&file).unwrap(), b"dear reader");

    let done = replay(&file, &["--json"]);
    let error = done.error();
    assert_eq!((done.code, &error["code"]), (2, &"recording".into()));
    assert!(
        error["fix"]
            .as_str()
            .unwrap()
            .contains("bruit run --record"),
        "{error}"
    );
    let done = replay(&folder.path().join("nowhere"), &["--json"]);
    assert_eq!((done.code, &done.error()["code"]), (2, &"file".into()));
}
