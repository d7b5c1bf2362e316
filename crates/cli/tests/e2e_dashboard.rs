//! The dashboard's door, with a daemon and plain HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use common::{Daemon, Running, bruit};

/// Asks `place` for `path` with these further header lines; answers status, head and body.
fn ask(place: &str, method: &str, path: &str, headers: &[&str]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(place).unwrap();
    let headers = headers.join("\r\n") + if headers.is_empty() { "" } else { "\r\n" };
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

/// The place and the path of a link.
fn link(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split_at(rest.find('/').unwrap())
}

#[test]
fn a_link_opens_the_dashboard_once_and_only_its_own_pages_may_ask() {
    let daemon = Daemon::start(&["--dashboard", "127.0.0.1:0", "--price", "0"]);
    let url = daemon.ready["dashboard"].as_str().unwrap().to_owned();
    let (place, path) = link(&url);
    let origin = format!("Origin: http://{place}");
    let own = "Sec-Fetch-Site: same-origin";

    assert_eq!(ask(place, "GET", "/ui/", &[]).0, 200);
    assert_eq!(ask(place, "GET", "/v1/status", &[]).0, 401);
    let (status, head, _) = ask(place, "GET", path, &[]);
    assert_eq!(status, 303, "{head}");
    assert!(head.contains("location: /ui/"), "{head}");
    let cookie = head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap();
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"),
        "{cookie}"
    );
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(ask(place, "GET", path, &[]).0, 403, "a code opens once");

    let cases: [(&str, &[&str], u16); 9] = [
        ("GET", &[&cookie, own], 200),
        ("GET", &[&cookie, &origin], 200),
        ("GET", &[&cookie, "Sec-Fetch-Site: none"], 200),
        ("GET", &[&cookie], 403),
        ("GET", &[&cookie, "Sec-Fetch-Site: same-site"], 403),
        ("GET", &[&cookie, "Sec-Fetch-Site: cross-site"], 403),
        ("GET", &[&cookie, "Origin: http://127.0.0.1:1"], 403),
        ("GET", &[&cookie, "Origin: null", own], 403),
        ("GET", &["Cookie: bruit_session=00", own], 401),
    ];
    for (method, headers, expected) in cases {
        let (status, head, _) = ask(place, method, "/v1/status", headers);
        assert_eq!(status, expected, "{headers:?}: {head}");
    }
    let typed = [&*cookie, "Sec-Fetch-Site: none"];
    assert_eq!(ask(place, "DELETE", "/v1/peers/00000000", &typed).0, 403);
    let ours = [&*cookie, &origin, own];
    assert_eq!(ask(place, "DELETE", "/v1/peers/00000000", &ours).0, 404);
}

#[test]
fn a_dashboard_takes_the_next_free_port_and_the_port_of_the_api_where_there_is_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let refused = common::run(
        bruit(home.path())
            .arg("--data")
            .arg(&data)
            .args(["--json", "run", "--listen"])
            .args(["127.0.0.1:0", "--dashboard", &port]),
        "",
    );
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.error()["fix"]
            .as_str()
            .unwrap()
            .contains("127.0.0.1:PORT")
    );

    let mut run = bruit(home.path());
    run.env("BRUIT__DASHBOARD__ENABLED", "true");
    run.arg("--data")
        .arg(&data)
        .args(["--json", "run", "--listen", "127.0.0.1:0"]);
    let usual = Running::start(&mut run).json();
    let (place, _) = link(usual["dashboard"].as_str().unwrap());
    assert!(place.starts_with("127.0.0.1:7"), "{place}");

    let both = Daemon::start(&["--api", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]);
    let url = both.ready["dashboard"].as_str().unwrap();
    assert_eq!(both.ready["api_extra"], link(url).0);
    assert!(Daemon::start(&[]).ready["dashboard"].is_null());
}

#[test]
fn a_lost_link_is_replaced_by_a_command_and_a_token_does_what_it_is_for() {
    let daemon = Daemon::start(&["--dashboard", "127.0.0.1:0", "--price", "0"]);
    let link_of = |value: &serde_json::Value| value["url"].as_str().unwrap().to_owned();
    let url = link_of(&daemon.json(&["dashboard"]));
    let (place, path) = link(&url);
    assert_eq!(ask(place, "GET", path, &[]).0, 303);
    assert!(
        daemon
            .run(&["dashboard"])
            .ok()
            .out
            .starts_with("http://127.0.0.1:")
    );

    let made = daemon.json(&["token", "create", "--scope", "read", "--for", "1h"]);
    let token = made["token"].as_str().unwrap();
    assert!(made["expires_ms"].is_u64(), "{made}");
    let bearer = format!("Authorization: Bearer {token}");
    assert_eq!(ask(place, "GET", "/v1/status", &[&bearer]).0, 200);
    let (status, _, body) = ask(place, "DELETE", "/v1/peers/00000000", &[&bearer]);
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("bruit token create --scope admin"), "{body}");
    let list = daemon.json(&["token", "list"]);
    assert_eq!(
        (&list[0]["id"], &list[0]["scope"]),
        (&made["id"], &"read".into())
    );
    assert!(!list.to_string().contains(token));
    daemon
        .run(&["token", "revoke", made["id"].as_str().unwrap()])
        .ok();
    assert_eq!(ask(place, "GET", "/v1/status", &[&bearer]).0, 401);
    assert_eq!(daemon.run(&["token", "revoke", "00"]).code, 1);
}

#[test]
fn what_is_logged_changes_without_a_restart() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.json(&["logs", "set", "debug"])["filter"], "debug");
    daemon.run(&["pub", "news", "hello"]).ok();
    let wrong = daemon.run(&["--json", "logs", "set", "loud"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.error()["message"].as_str().unwrap().contains("loud"));
    daemon.process.wait_for_error_line("DEBUG");
}
