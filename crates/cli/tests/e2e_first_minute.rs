//! What somebody does in the first minute, with the binary itself.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::time::Duration;

use common::{Daemon, bruit, run};

#[test]
fn a_message_goes_from_one_terminal_to_another_with_nothing_configured() {
    let daemon = Daemon::start_plain(&[]);
    // As the README says it: no --data, no address, the default folder.
    let home = daemon.data().ancestors().nth(2).unwrap();
    let sub = common::Running::start(bruit(home).args(["sub", "news"]));
    sub.wait_for_error_line("subscribed to news");
    let done = run(bruit(home).args(["pub", "news", "hello"]), "").ok();
    assert!(
        done.out.starts_with("queued "),
        "nobody else is there: {done:?}"
    );
    assert!(sub.line().ends_with(": hello"));
}

#[test]
fn two_daemons_with_default_settings_exchange_messages_both_ways() {
    let first = Daemon::start_plain(&[]);
    for key in ["id", "address", "listen", "ticket", "api"] {
        assert!(first.ready[key].is_string(), "{key}: {}", first.ready);
    }
    let api = format!("unix:{}", first.data().join("api.sock").display());
    assert_eq!(first.ready["api"], api);
    let second = Daemon::start_plain(&["--join", first.address()]);
    second.wait_for_links(1);

    let (here, there) = (first.subscribe(&["news"]), second.subscribe(&["news"]));
    let published = first.json(&["pub", "news", "hello"]);
    assert_eq!(published["result"], "accepted");
    assert_eq!(published["topic"], "news");
    let (own, got) = (here.json(), there.json());
    for key in [
        "id",
        "topic",
        "author",
        "created_ms",
        "received_ms",
        "hops",
        "size",
        "body",
        "cursor",
    ] {
        assert!(!got[key].is_null(), "{key}: {got}");
    }
    assert_eq!(
        (&own["id"], &got["id"]),
        (&published["id"], &published["id"])
    );
    assert_eq!((&got["body"], &got["size"]), (&"hello".into(), &5.into()));
    assert_eq!((&own["hops"], &got["hops"]), (&0.into(), &1.into()));
    assert_eq!(
        (&own["from"], &got["from"]),
        (&serde_json::Value::Null, &first.ready["id"])
    );

    let published = second.json(&["pub", "news", "hello yourself"]);
    assert_eq!(here.json()["id"], published["id"]);
    assert_eq!(there.json()["id"], published["id"]);
    assert!(
        here.is_silent_for(Duration::from_millis(300)),
        "each comes once"
    );
}

#[test]
fn lists_status_and_identity_are_json_of_their_kind() {
    let first = Daemon::start(&[]);
    let second = Daemon::start(&["--join", first.ready["ticket"].as_str().unwrap()]);
    second.wait_for_links(1);
    let _sub = first.subscribe(&["news"]);

    let peers = first.json(&["peers"]);
    assert_eq!(peers[0]["id"], second.ready["id"]);
    assert_eq!(
        (&peers[0]["direction"], &peers[0]["state"]),
        (&"in".into(), &"up".into())
    );
    let prefix: String = second.id().chars().take(8).collect();
    assert_eq!(first.json(&["peers", &prefix])["id"], second.ready["id"]);
    assert_eq!(first.json(&["members"])[0]["state"], "linked");
    assert_eq!(first.json(&["topics"])[0]["topic"], "news");
    let status = first.json(&["status"]);
    assert_eq!(status["links"], serde_json::json!({"in": 1, "out": 0}));
    assert_eq!(status["id"], first.ready["id"]);
    let identity = first.json(&["id"]);
    assert_eq!(
        (&identity["id"], &identity["ticket"]),
        (&first.ready["id"], &first.ready["ticket"])
    );
    assert_eq!(
        first.run(&["id", "--ticket"]).ok().out.trim(),
        first.ready["ticket"]
    );

    assert_eq!(first.json(&["drop", &prefix])["linked"], false);
    let joined = first.json(&["join", second.address()]);
    assert_eq!(
        joined,
        serde_json::json!([{"id": second.id(), "linked": true}])
    );
}

#[test]
fn a_daemon_ends_within_two_seconds_and_starts_again_as_itself() {
    let mut daemon = Daemon::start(&[]);
    let id = daemon.id().to_owned();
    daemon.json(&["pub", "news", "kept", "--wait", "stored"]);
    let start = std::time::Instant::now();
    // As Ctrl-C does.
    daemon.process.signal("INT");
    assert_eq!(daemon.process.wait(), 0);
    let took = start.elapsed();
    assert!(took <= Duration::from_secs(2), "{took:?}");
    assert!(!daemon.data().join("api.sock").exists());

    daemon.restart();
    assert_eq!(daemon.id(), id);
    let held = daemon.run(&[
        "--json",
        "sub",
        "news",
        "--since",
        "1h",
        "--count",
        "1",
        "--timeout",
        "10s",
    ]);
    assert_eq!(held.ok().json()["body"], "kept");
    daemon.process.signal("INT");
    assert_eq!(daemon.process.wait(), 0);
}

#[test]
fn what_comes_from_the_network_cannot_steer_a_terminal() {
    let daemon = Daemon::start(&[]);
    let topic = "a\u{1b}[2J\u{202e}b";
    let nasty = "x\u{1b}]0;y\u{7}\n\u{9b}1mz\u{2066}";
    daemon.json(&["pub", topic, nasty]);
    let args = [
        "sub",
        topic,
        "--since",
        "1h",
        "--count",
        "1",
        "--timeout",
        "10s",
    ];
    let text = daemon.run(&args).ok();
    let json = daemon.run(&[&["--json"], &args[..]].concat()).ok();
    let shown = text.out.clone() + &text.err + &json.out + &json.err;
    let unsafe_chars = ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{2066}'];
    assert!(!shown.contains(unsafe_chars), "{shown:?}");
    assert_eq!(text.out.lines().count(), 1);
    assert_eq!(json.json()["body"], nasty);
}

#[test]
fn a_program_judges_what_comes_from_others() {
    let judging = Daemon::start(&[]);
    let other = Daemon::start(&["--join", judging.address()]);
    other.wait_for_links(1);
    // grep ends with 1 for what does not match, and with 2 when its pattern is broken.
    let judge = |args: &[&str]| common::Running::start(&mut judging.command(args));
    let good = judge(&[
        "--json",
        "validate",
        "news",
        "--exec",
        "grep -q '\"body\":\"good'",
    ]);
    good.wait_for_error_line("validating news");
    let broken = judge(&["--json", "validate", "weather", "--exec", "grep -q '\\('"]);
    broken.wait_for_error_line("validating weather");
    let sub = judging.subscribe(&["news", "weather"]);

    for (topic, body) in [
        ("weather", "rain"),
        ("news", "good day"),
        ("news", "bad day"),
    ] {
        other.json(&["pub", topic, body]);
    }
    assert_eq!(sub.json()["body"], "good day");
    assert_eq!(broken.json()["verdict"], "ignore");
    assert_eq!(good.json()["verdict"], "accept");
    assert_eq!(good.json()["verdict"], "reject");
    assert!(sub.is_silent_for(std::time::Duration::from_millis(300)));
}

#[test]
fn every_line_becomes_a_bulletin_in_order() {
    let daemon = Daemon::start(&["--price", "0"]);
    let sub = daemon.subscribe(&["log"]);
    let lines: Vec<_> = (0..50).map(|number| format!("line {number}")).collect();
    let input = lines.join("\n") + "\n\n";
    let done = run(
        &mut daemon.command(&["--json", "pub", "log", "--lines"]),
        &input,
    )
    .ok();
    assert_eq!(done.json_lines().len(), lines.len());
    let bodies: Vec<_> = lines
        .iter()
        .map(|_| sub.json()["body"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(bodies, lines);
}

#[test]
fn lines_may_be_any_bytes_and_one_that_is_refused_is_named() {
    let daemon = Daemon::start(&["--price", "0"]);
    let sub = daemon.subscribe(&["log"]);
    let path = daemon.data().join("lines");
    std::fs::write(
        &path,
        [b"\xff\r\n\n", &vec![b'x'; 70_000][..], b"\nlast"].concat(),
    )
    .unwrap();
    let done = daemon.run(&[
        "--json",
        "pub",
        "log",
        "--lines",
        "--file",
        path.to_str().unwrap(),
    ]);
    assert_eq!((done.code, &done.error()["code"]), (6, &"too_big".into()));
    let message = done.error()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("line 3: "), "{message}");
    assert_eq!(done.json()["result"], "queued", "the receipt of the first");
    assert_eq!(sub.json()["body_base64"], "/w==");
}

/// `yes | head` closes the output early and wants everything published all the same.
#[test]
fn an_output_nobody_reads_does_not_stop_the_lines() {
    let daemon = Daemon::start(&["--price", "0"]);
    let sub = daemon.subscribe(&["log"]);
    let lines: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    let path = daemon.data().join("lines");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut child = daemon
        .command(&["pub", "log", "--lines", "--file", path.to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    for line in lines {
        assert_eq!(sub.json()["body"], *line);
    }
}

/// A node started by the command it printed was a stranger where the network was not the default one.
#[test]
fn the_command_for_another_machine_names_the_network() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("bruit");
    let mut command = common::bruit(home.path());
    command
        .args([
            "run",
            "--listen",
            "127.0.0.1:0",
            "--price",
            "0",
            "--network",
            "my net",
        ])
        .arg("--data")
        .arg(&data)
        .arg("--api")
        .arg(format!("unix:{}", data.join("api.sock").display()));
    let daemon = common::Running::start(&mut command);
    let line = std::iter::repeat_with(|| daemon.line()).find(|line| line.contains("--join"));
    let line = line.unwrap();
    assert!(line.ends_with(" --network 'my net' --price 0"), "{line}");
    let mut ticket = common::bruit(home.path());
    ticket
        .args(["--json", "id", "--ticket", "--data"])
        .arg(&data);
    let ticket = run(&mut ticket, "").ok().json();
    assert!(
        ticket["ticket"].as_str().unwrap().starts_with("bruit1"),
        "{ticket}"
    );
}

#[test]
fn what_runs_on_ends_well_when_it_is_asked_to() {
    let daemon = Daemon::start(&[]);
    let mut sub = daemon.subscribe(&["news"]);
    sub.signal("INT");
    assert_eq!(sub.wait(), 0);
    let mut watch = common::Running::start(&mut daemon.command(&["--json", "status", "--watch"]));
    watch.json();
    watch.signal("INT");
    assert_eq!(watch.wait(), 0);
}
