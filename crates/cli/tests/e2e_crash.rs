//! What was answered `stored` is there after a kill at any instant; a disk that is full, read-only
//! or no disk at all is told, and costs nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::api::{Connection, Inbox};
use common::{Daemon, PATIENCE, bruit, run, skip};
use serde_json::json;

/// Kills of the crash test.
const KILLS: u64 = 100;
/// Connections that publish when it dies.
const PUBLISHERS: usize = 4;

/// Publishes on `topic` until the daemon breaks off or `until` is set; answers the ids it called
/// stored.
fn publish_until(
    mut connection: Connection,
    topic: &str,
    name: usize,
    until: &AtomicBool,
) -> Vec<String> {
    let mut stored = Vec::new();
    for number in 0_u64.. {
        let body = format!(
            "{name} {number} {}",
            "x".repeat((number as usize * 997) % 4_000)
        );
        let request = json!({"topic": topic, "body": body, "wait": "stored"}).to_string();
        match connection.try_ask("POST", "/v1/bulletins", &request) {
            Ok((200, answer)) => {
                assert_eq!(answer["result"], "stored");
                stored.push(answer["id"].as_str().unwrap().to_owned());
            }
            Ok((status, answer)) => panic!("{status} {answer}"),
            Err(_) => break,
        }
        if until.load(Ordering::Relaxed) {
            break;
        }
    }
    stored
}

/// Publishes, kills `daemon` after `time`; answers the ids it called stored.
fn crash(daemon: &mut Daemon, topic: &str, time: Duration) -> Vec<String> {
    let api = daemon.api();
    let connections: Vec<_> = (0..PUBLISHERS).map(|_| api.connect()).collect();
    let killed = AtomicBool::new(false);
    let flag = &killed;
    std::thread::scope(|scope| {
        let publish =
            |(name, connection)| scope.spawn(move || publish_until(connection, topic, name, flag));
        let publishers: Vec<_> = connections.into_iter().enumerate().map(publish).collect();
        std::thread::sleep(time);
        daemon.process.kill();
        killed.store(true, Ordering::Relaxed);
        publishers
            .into_iter()
            .flat_map(|publisher| publisher.join().unwrap())
            .collect()
    })
}

fn ids(inbox: &Inbox) -> BTreeSet<String> {
    let id =
        |arrival: common::api::Arrival| arrival.value["id"].as_str().unwrap_or_default().to_owned();
    inbox.all().into_iter().map(id).collect()
}

/// Asserts that everything of `stored` is held, whatever else is.
#[track_caller]
fn assert_held(daemon: &Daemon, query: &str, stored: &[String]) {
    let inbox = daemon.api().subscribe(&format!("{query}&since=1h"));
    let start = Instant::now();
    loop {
        let held = ids(&inbox);
        let lost: Vec<_> = stored.iter().filter(|id| !held.contains(*id)).collect();
        if lost.is_empty() {
            return;
        }
        let of = stored.len();
        assert!(
            start.elapsed() < PATIENCE,
            "{} of {of} that were stored are lost: {lost:?}",
            lost.len()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_was_stored_survives_a_hundred_kills_at_random_instants() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(common::api::now_us);
    println!("SEED={seed}");
    let mut daemon = Daemon::start(&["--price", "0"]);
    let (mut stored, mut slowest) = (Vec::new(), Duration::ZERO);
    let mut random = seed;
    for kill in 0..KILLS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let time = Duration::from_micros((random >> 33) % 150_000);
        let topic = format!("crash-{kill}");
        let new = crash(&mut daemon, &topic, time);
        let start = Instant::now();
        daemon.restart();
        slowest = slowest.max(start.elapsed());
        assert_held(&daemon, &format!("topic={topic}"), &new);
        stored.extend(new);
    }
    println!(
        "{} stored bulletins survived {KILLS} kills; slowest restart {slowest:?}",
        stored.len()
    );
    assert!(stored.len() > KILLS as usize, "it had little to lose");
    assert!(slowest <= Duration::from_secs(2), "{slowest:?}");
    assert_held(&daemon, "all=true", &stored);
}

/// Every file below a folder, with its contents.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            all.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    all.sort();
    all
}

/// Starts a daemon that must not start; answers the error.
#[track_caller]
fn refused(home: &Path, data: &Path) -> serde_json::Value {
    let done = run(
        bruit(home)
            .args(["--json", "run", "--listen", "127.0.0.1:0"])
            .args(["--price", "0", "--data"])
            .arg(data),
        "",
    );
    assert_eq!(done.code, 2, "{done:?}");
    assert_eq!(done.out, "", "{done:?}");
    let path = data.to_str().unwrap();
    assert!(
        done.error()["message"].as_str().unwrap().contains(path),
        "{done:?}"
    );
    done.error()
}

#[test]
fn a_file_where_the_folder_should_be_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("file");
    fs::write(&data, "mine").unwrap();
    println!("{}", refused(home.path(), &data));
    println!("{}", refused(home.path(), &data.join("below")));
    assert_eq!(fs::read(&data).unwrap(), b"mine");
}

#[test]
fn a_store_that_is_none_is_kept_as_it_is() {
    let mut daemon = Daemon::start(&["--price", "0"]);
    assert_eq!(daemon.stop(), 0);
    for file in ["store.redb", "letters.redb"] {
        let file = daemon.data().join(file);
        let good = fs::read(&file).unwrap();
        let before = b"no database, but somebody's only copy of something";
        fs::write(&file, before).unwrap();
        println!(
            "{}",
            refused(daemon.data().parent().unwrap(), daemon.data())
        );
        assert_eq!(fs::read(&file).unwrap(), before);
        fs::write(&file, good).unwrap();
    }
}

/// A file system of its own in memory; gone with its handle.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None where this user may not mount.
    fn mount(options: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "bruit-test"])
            .arg(folder.path())
            .output()
            .map_err(|error| format!("mount: {error}"))?;
        if mount.status.success() {
            Ok(Self(folder))
        } else {
            Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned())
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what still runs there keeps it until its end.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_read_only_disk_is_told_and_left_alone() {
    let name = "a_read_only_disk_is_told_and_left_alone";
    let disk = match Disk::mount("size=16m") {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    let home = tempfile::tempdir().unwrap();
    let data = disk.path().join("data");
    let mut daemon = Daemon::start_in(home, data.clone(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(daemon.stop(), 0);
    let before = files(&data);
    let remount = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(disk.path())
        .status()
        .unwrap();
    assert!(remount.success());
    let home = tempfile::tempdir().unwrap();
    let error = refused(home.path(), &data);
    println!("{error}");
    assert!(
        error["fix"].as_str().unwrap().contains("writable"),
        "{error}"
    );
    println!("{}", refused(home.path(), &disk.path().join("new")));
    assert_eq!(files(&data), before);
}

#[test]
fn a_full_disk_costs_only_what_it_cannot_hold() {
    let name = "a_full_disk_costs_only_what_it_cannot_hold";
    let disk = match Disk::mount("size=16m") {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    let home = tempfile::tempdir().unwrap();
    let args = ["--listen", "127.0.0.1:0", "--price", "0"];
    let full = Daemon::start_in(home, disk.path().join("data"), &args);
    let end = || Daemon::start(&["--price", "0", "--static", "--join", full.address()]);
    let (left, right) = (end(), end());
    full.wait_for_links(2);
    left.wait_for_links(1);
    right.wait_for_links(1);
    let inbox = right.api().subscribe("topic=news");

    let body = format!("{}{}", "x".repeat(60_000), "y");
    let file = left.data().join("body");
    fs::write(&file, &body).unwrap();
    let publish = || {
        full.run(&[
            "--json",
            "pub",
            "news",
            "--wait",
            "stored",
            "--file",
            file.to_str().unwrap(),
        ])
    };
    let mut published = 0;
    let refused = loop {
        let done = publish();
        published += 1;
        if done.code != 0 {
            break done;
        }
        assert!(published < 500, "16 MiB hold no 30 MB");
    };
    println!(
        "full after {published} bulletins of 60 kB: {}",
        refused.err.trim()
    );
    assert_eq!(
        (refused.code, &refused.error()["code"]),
        (6, &"store_full".into())
    );
    assert!(
        inbox.wait(published, PATIENCE),
        "what is not kept is passed on all the same"
    );

    // It lives and relays, and says what is the matter.
    left.json(&["pub", "news", "through the full one"]);
    assert!(inbox.wait(published + 1, PATIENCE));
    let status = full.json(&["status"]);
    println!("{}", status["warnings"]);
    assert!(
        status["warnings"][0]["text"]
            .as_str()
            .unwrap()
            .contains("not kept"),
        "{status}"
    );

    let grow = Command::new("mount")
        .args(["-o", "remount,size=32m"])
        .arg(disk.path())
        .status()
        .unwrap();
    assert!(grow.success());
    let start = Instant::now();
    while publish().code != 0 {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "there is room, and it stores nothing"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("stored again {:?} after there was room", start.elapsed());
    assert_eq!(full.json(&["status"])["warnings"], json!([]));
}
