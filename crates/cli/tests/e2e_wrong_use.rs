//! What is used wrongly is told, with the exit code and a fix, and harms nothing.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::{Daemon, bruit, run};

/// Arguments, the exit code, the error's code.
type Case<'a> = (&'a [&'a str], i32, &'a str);

fn check(cases: &[Case<'_>], start: impl Fn(&[&str]) -> std::process::Command) {
    for (args, code, word) in cases {
        let json = run(start(args).arg("--json"), "");
        assert_eq!(json.code, *code, "{args:?}: {json:?}");
        assert_eq!(json.error()["code"], *word, "{args:?}: {json:?}");
        assert_eq!(json.out, "", "{args:?}");
        let text = run(&mut start(args), "");
        assert_eq!(text.code, *code, "{args:?}: {text:?}");
        assert!(text.err.contains("error: "), "{args:?}: {text:?}");
    }
}

#[test]
fn usage_is_checked_before_anything_is_done() {
    let home = tempfile::tempdir().unwrap();
    let id = "07".repeat(32);
    let cases: &[Case<'_>] = &[
        (&["nonsense"], 2, "usage"),
        (&["run", "--nonsense"], 2, "usage"),
        (&["run", "--seeds", "x"], 2, "config"),
        (
            &["run", "--static", "--seeds", &format!("{id}@127.0.0.1:1")],
            2,
            "config",
        ),
        (
            &[
                "config",
                "check",
                "--static",
                "--seeds",
                &format!("{id}@127.0.0.1:1"),
            ],
            2,
            "config",
        ),
        (&["pub"], 2, "usage"),
        (&["pub", "news"], 2, "usage"),
        (&["pub", "", "x"], 2, "usage"),
        (&["pub", "news", "x", "--file", "y"], 2, "usage"),
        (&["pub", "news", "x", "--ttl", "5"], 2, "usage"),
        (&["pub", "news", "x", "--wait", "forever"], 2, "usage"),
        (&["pub", "news", "x", "--timeout", "1s"], 2, "usage"),
        (&["status", "--log", "loud"], 2, "usage"),
        (&["pub", "news", "x", "--mode", "fast"], 2, "usage"),
        (&["pub", "news", "--file", "/nonexistent"], 2, "file"),
        (&["sub"], 2, "usage"),
        (&["sub", "news", "--all"], 2, "usage"),
        (&["sub", "news", "--count", "0"], 2, "usage"),
        (
            &["sub", "news", "--since", "1h", "--cursor", "x"],
            2,
            "usage",
        ),
        (&["join"], 2, "usage"),
        (&["join", "localhost:7447"], 2, "usage"),
        (&["join", &format!("{id}@0.0.0.0:7447")], 2, "usage"),
        (&["drop"], 2, "usage"),
        (&["validate", "news"], 2, "usage"),
        (&["completions", "tcsh"], 2, "usage"),
        (&["demo", "--nodes", "1"], 2, "usage"),
        (&["id", "keys", "new", "../x"], 2, "key_name"),
        (&["id", "keys", "export", "nobody"], 1, "key_missing"),
        (&["id", "keys", "protect"], 2, "usage"),
        (&["id", "keys", "protect", "a", "--node"], 2, "usage"),
        (&["id", "keys", "protect", "nobody"], 1, "key_missing"),
        (&["id", "keys", "unlock", "a", "--for", "5"], 2, "usage"),
        (&["id", "keys", "new", "a", "--passphrase"], 2, "usage"),
        (
            &[
                "id",
                "keys",
                "new",
                "a",
                "--passphrase-file",
                "/nonexistent",
            ],
            2,
            "file",
        ),
        (
            &["id", "keys", "export", "a", "--words", "--file", "x"],
            2,
            "usage",
        ),
        (&["run", "--price", "-1"], 2, "usage"),
        (&["run", "--price", "cheap"], 2, "config"),
        (&["run", "--api", "0.0.0.0:7448"], 2, "config"),
        (&["run", "--listen", "7447"], 2, "config"),
        (&["run", "--join", "nobody"], 2, "config"),
        (&["run", "--config", "/nonexistent"], 2, "file"),
        (&["run", "--log", "loud"], 2, "config"),
        (&["config", "check", "--profile", "x"], 2, "config"),
    ];
    check(cases, |args| {
        let mut command = bruit(home.path());
        command.args(args);
        command
    });
}

/// Names of files are bytes: reading the arguments as text, to find --json, was a panic.
#[test]
fn what_is_no_text_is_told_like_everything_else() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = tempfile::tempdir().unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    let done = run(
        bruit(home.path()).args(["--json", "pub"]).arg(odd).arg("x"),
        "",
    );
    assert_eq!((done.code, &done.error()["code"]), (2, &"usage".into()));

    let config = home.path().join(odd);
    fs::write(&config, "").unwrap();
    let check = ["--json", "config", "check", "--config"];
    let checked = run(bruit(home.path()).args(check).arg(&config), "").ok();
    assert_eq!(checked.json()["ok"], true);
}

#[test]
fn without_a_daemon_every_command_that_needs_one_says_how_to_start_it() {
    let home = tempfile::tempdir().unwrap();
    let cases: &[Case<'_>] = &[
        (&["id"], 4, "unreachable"),
        (&["status"], 4, "unreachable"),
        (&["peers"], 4, "unreachable"),
        (&["members"], 4, "unreachable"),
        (&["topics"], 4, "unreachable"),
        (&["pub", "news", "x"], 4, "unreachable"),
        (&["sub", "news"], 4, "unreachable"),
        (&["validate", "news", "--exec", "true"], 4, "unreachable"),
        (&["drop", "0707070707"], 4, "unreachable"),
    ];
    check(cases, |args| {
        let mut command = bruit(home.path());
        command.args(args);
        command
    });
    let done = run(
        bruit(home.path()).args(["--json", "status", "--data", "/a b"]),
        "",
    );
    let fix = done.error()["fix"].as_str().unwrap().to_owned();
    assert!(fix.contains("bruit run --data '/a b'"), "{fix}");
}

#[test]
fn a_daemon_refuses_what_is_not_there_or_not_allowed() {
    let daemon = Daemon::start(&["--max-work", "10"]);
    let big = daemon.data().join("big");
    fs::write(&big, vec![b'x'; 70_000]).unwrap();
    let cases: &[Case<'_>] = &[
        (&["peers", "0707070707"], 1, "not_found"),
        (&["peers", "07"], 2, "bad_request"),
        (&["drop", "0707070707"], 1, "not_found"),
        (&["sub", "news", "--timeout", "100ms"], 3, "timeout"),
        (
            &["sub", "news", "--count", "2", "--timeout", "100ms"],
            3,
            "timeout",
        ),
        (
            &["pub", "news", "--file", big.to_str().unwrap()],
            6,
            "too_big",
        ),
        (&["pub", "news", "x"], 6, "price_too_low"),
    ];
    check(cases, |args| daemon.command(args));

    let nobody = format!("{}@127.0.0.1:9", "07".repeat(32));
    let done = daemon.run(&["--json", "join", &nobody, "--timeout", "200ms"]);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (1, &"not_linked".into())
    );
    assert_eq!(done.json()[0]["linked"], false);
    let done = daemon.run(&["--json", "pub", "news", "x", "--author", "nobody"]);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (1, &"unknown_author".into())
    );

    // The token is what opens the door.
    let token = daemon.data().join("token");
    fs::remove_file(&token).unwrap();
    let done = daemon.run(&["--json", "status"]);
    assert_eq!(done.code, 5);
    assert!(
        done.error()["fix"].as_str().unwrap().contains("restart"),
        "{done:?}"
    );
    fs::write(&token, "00".repeat(32)).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let done = daemon.run(&["--json", "status"]);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (5, &"unauthorized".into())
    );
}

#[test]
fn an_ephemeral_daemon_says_what_it_has_not() {
    let daemon = Daemon::start(&["--ephemeral", "--price", "0"]);
    let cases: &[Case<'_>] = &[
        (&["pub", "news", "x", "--wait", "stored"], 6, "store_failed"),
        (
            &["pub", "news", "x", "--author", "nobody"],
            1,
            "unknown_author",
        ),
    ];
    check(cases, |args| daemon.command(args));
    for (args, _, _) in cases {
        let done = daemon.run(&[&["--json"], *args].concat());
        let fix = done.error()["fix"].as_str().unwrap().to_owned();
        assert!(fix.contains("without --ephemeral"), "{fix}");
    }
}

#[test]
fn a_file_that_is_too_big_is_told_with_its_size() {
    let daemon = Daemon::start(&[]);
    let big = daemon.data().join("big");
    fs::write(&big, vec![b'x'; 3_000_000]).unwrap();
    let done = daemon.run(&["--json", "pub", "news", "--file", big.to_str().unwrap()]);
    assert_eq!((done.code, &done.error()["code"]), (6, &"too_big".into()));
    let message = done.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("3000000"), "{message}");
}

#[test]
fn a_daemon_that_cannot_start_says_why_and_changes_nothing() {
    let mut daemon = Daemon::start(&[]);
    let done = daemon.run(&["--json", "run", "--listen", "127.0.0.1:0"]);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (2, &"already_running".into())
    );

    let port = daemon.ready["listen"].as_str().unwrap();
    let home = tempfile::tempdir().unwrap();
    let done = run(
        bruit(home.path()).args(["--json", "run", "--listen", port]),
        "",
    );
    assert_eq!(done.code, 2, "{done:?}");
    let message = done.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(port), "{message}");

    assert_eq!(daemon.stop(), 0);
    let key = daemon.data().join("node.key");
    let contents = fs::read(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let done = daemon.run(&["--json", "run", "--listen", "127.0.0.1:0"]);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (2, &"key_too_open".into())
    );
    fs::write(&key, "short").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let done = daemon.run(&["--json", "run", "--listen", "127.0.0.1:0"]);
    assert_eq!(
        (done.code, &done.error()["code"]),
        (2, &"key_malformed".into())
    );
    assert_eq!(fs::read(&key).unwrap(), b"short", "nothing is overwritten");
    fs::write(&key, contents).unwrap();
    daemon.restart();
}

#[test]
fn a_folder_whose_path_is_longer_than_a_sockets_name_may_be_works() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("x".repeat(120)).join("y".repeat(120));
    let mut daemon = Daemon::start_in(home, data, &["--listen", "127.0.0.1:0"]);
    assert_eq!(daemon.json(&["status"])["id"], daemon.ready["id"]);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_configuration_is_written_checked_shown_and_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let bruit = |args: &[&str]| run(bruit(home.path()).args(args), "");
    let written = bruit(&["--json", "init", "--private"]).ok().json();
    let secret = written["secret_file"].as_str().unwrap();
    assert_eq!(
        fs::metadata(secret).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        bruit(&["--json", "config", "check"]).ok().json()["ok"],
        true
    );
    let shown = bruit(&["--json", "config", "show"]).ok().json();
    assert_eq!(shown["network"]["secret_file"], secret);
    let rows = bruit(&["--json", "config", "show", "--origin", "--network", "mine"])
        .ok()
        .json();
    let rows = rows.as_array().unwrap();
    let origin = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap()["origin"].clone();
    assert_eq!(origin("network.name"), "flag --network");
    assert_eq!(origin("network.price"), "default");
    assert!(
        origin("network.secret_file")
            .as_str()
            .unwrap()
            .starts_with("file ")
    );
    let again = bruit(&["--json", "init"]);
    assert_eq!((again.code, &again.error()["code"]), (2, &"usage".into()));
}

#[test]
fn a_running_daemon_reads_its_configuration_again() {
    let daemon = Daemon::start(&[]);
    let config = daemon.data().join("config.toml");
    fs::write(&config, "[log]\nlevel = 'debug'\n[network]\nprice = 5\n").unwrap();
    daemon.process.signal("HUP");
    let reloaded = daemon.process.json();
    assert_eq!(reloaded["event"], "reloaded");
    let changed = serde_json::json!([
        {"key": "network.price", "value": 5, "applied": false},
        {"key": "log.level", "value": "debug", "applied": true},
    ]);
    assert_eq!(reloaded["changed"], changed);

    fs::write(&config, "[log]\nlevel = 'loud'\n").unwrap();
    daemon.process.signal("HUP");
    let error = daemon.process.wait_for_error_line("{\"error\"");
    assert!(
        error.contains("log.level") && error.contains("line 2"),
        "{error}"
    );
    daemon.json(&["status"]);
}

#[test]
fn help_completions_and_manual_pages_are_there() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["--help"][..],
        &["help"],
        &["run", "--help"],
        &["id", "keys", "import", "--help"],
    ] {
        let done = run(bruit(home.path()).args(args), "").ok();
        assert!(done.out.contains("Examples:"), "{done:?}");
    }
    assert!(
        run(bruit(home.path()).arg("--version"), "")
            .ok()
            .out
            .starts_with("bruit ")
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = run(bruit(home.path()).args(["completions", shell]), "").ok();
        assert!(done.out.contains("validate"), "{shell}");
    }
    let pages = home.path().join("man1");
    let written = run(bruit(home.path()).args(["--json", "man"]).arg(&pages), "")
        .ok()
        .json();
    let there = fs::read_dir(&pages).unwrap().count();
    assert_eq!(written["pages"], there);
    assert!(pages.join("bruit-config-show.1").exists());
}
