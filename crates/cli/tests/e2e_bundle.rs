//! What one node holds gets to another in a file, though the two never met.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs;
use std::process::Stdio;

use common::{Daemon, PATIENCE, run};
use serde_json::json;

fn import(daemon: &Daemon, file: &std::path::Path) -> common::Done {
    daemon.run(&["--json", "import", file.to_str().unwrap()])
}

#[test]
fn what_one_node_holds_gets_to_another_that_never_met_it() {
    let args = ["--price", "0"];
    let (here, there) = (Daemon::start(&args), Daemon::start(&args));
    for number in 0..40 {
        here.json(&["pub", "news", &format!("news {number}")]);
        here.json(&["pub", "other", "of another topic"]);
    }
    there.json(&["pub", "news", "known there"]);
    let file = here.data().join("news.bundle");
    let path = file.to_str().unwrap();
    let exported = here.json(&["export", "--since", "1d", "--topic", "news", path]);
    assert_eq!(exported["bulletins"], 40);
    assert_eq!(exported["bytes"], fs::metadata(&file).unwrap().len());

    let inbox = there.api().subscribe("topic=news");
    let imported = import(&there, &file).ok().json();
    assert_eq!(imported, json!({"imported": 40, "known": 0, "refused": {}}));
    assert!(inbox.wait(40, PATIENCE));
    let again = import(&there, &file).ok().json();
    assert_eq!(again, json!({"imported": 0, "known": 40, "refused": {}}));
    assert_eq!(inbox.all().len(), 40, "nothing comes twice");

    // What was brought is held, goes on to neighbours, and comes back through a pipe.
    let third = Daemon::start(&["--price", "0", "--join", there.address()]);
    let told = third.api().subscribe("topic=news&since=1h");
    assert!(told.wait(41, PATIENCE));
    let export = there
        .command(&["export", "--topic", "news", "-"])
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(export.status.success());
    fs::write(&file, &export.stdout).unwrap();
    let home = import(&here, &file).ok().json();
    assert_eq!(
        (&home["imported"], &home["known"]),
        (&json!(1), &json!(40)),
        "{home}"
    );
}

#[test]
fn a_bundle_that_is_cut_damaged_or_of_another_network_is_told() {
    let (here, there) = (
        Daemon::start(&["--price", "0"]),
        Daemon::start(&["--price", "0"]),
    );
    for number in 0..10 {
        here.json(&["pub", "news", &format!("news {number}")]);
    }
    let file = here.data().join("bundle");
    here.json(&["export", file.to_str().unwrap()]);
    let whole = fs::read(&file).unwrap();

    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let done = import(&there, &file);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (1, &"bundle_truncated".into()),
        "{done:?}"
    );
    let some = done.json()["imported"].as_u64().unwrap();
    assert!((1..10).contains(&some), "{done:?}");

    // The last content of it: a bulletin that is not what was signed, and a hash that does not fit.
    let mut broken = whole.clone();
    let at = broken
        .windows(6)
        .rposition(|part| part == b"news 9")
        .unwrap();
    broken[at] ^= 1;
    fs::write(&file, &broken).unwrap();
    let done = import(&there, &file);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (1, &"bundle_damaged".into()),
        "{done:?}"
    );
    let answer = done.json();
    assert_eq!(answer["known"], some, "{answer}");
    assert_eq!(answer["imported"], 9 - some, "{answer}");
    assert_eq!(answer["refused"], json!({"signature": 1}), "{answer}");

    fs::write(&file, &whole).unwrap();
    let other = Daemon::start(&["--price", "0", "--network", "elsewhere"]);
    let done = import(&other, &file);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (6, &"wrong_network".into()),
        "{done:?}"
    );
    let message = done.error()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("`main`") && message.contains("`elsewhere`"),
        "{message}"
    );

    fs::write(&file, "no bundle").unwrap();
    assert_eq!(import(&there, &file).code, 2);
    let missing = here.data().join("missing");
    assert_eq!(import(&there, &missing).code, 2);
    let nowhere = here.data().join("missing/below");
    let done = here.run(&["--json", "export", nowhere.to_str().unwrap()]);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (2, &"file".into()),
        "{done:?}"
    );
    let piped = run(&mut there.command(&["--json", "import", "-"]), "no bundle");
    assert_eq!(piped.code, 2, "{piped:?}");
}
