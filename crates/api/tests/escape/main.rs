//! No route escapes the guard: every one the description names is asked in every wrong way there is.
//!
//! The list of routes is the description's, so a new route is asked without anybody thinking of it; and
//! the second test sees to it that one which was forgotten would be found.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod wire;

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use bruit::Node;
use bruit_api::openapi::document;
use bruit_api::{Endpoint, GatewayCounts, Limits, Options, Server, Token, Tokens};
use serde_json::{Value, json};

use wire::{Answer, Request, ask, ask_raw};

/// One operation of the description.
struct Operation {
    method: String,
    path: String,
    scope: Option<String>,
    has_body: bool,
    /// Whether it asks others when it does not find something here.
    looks_around: bool,
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap();
    let operation = |path: &str, method: &str, whole: &Value| Operation {
        method: method.to_ascii_uppercase(),
        path: sample(path),
        scope: whole["x-scope"].as_str().map(str::to_owned),
        has_body: !whole["requestBody"].is_null(),
        looks_around: whole["parameters"].to_string().contains(r#""timeout""#),
    };
    let each = paths.iter().flat_map(|(path, verbs)| {
        let verbs = verbs.as_object().unwrap().iter();
        verbs.map(move |(method, whole)| operation(path, method, whole))
    });
    each.collect()
}

/// The path with something in the place of each parameter.
fn sample(path: &str) -> String {
    let id = "07".repeat(32);
    let parts = path.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { &id } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Tokens of each scope.
struct Tokens3 {
    admin: String,
    publish: String,
    read: String,
}

/// What is wrong with `address`, which serves what `document` describes: nothing, hopefully.
fn escapes(address: SocketAddr, document: &Value, tokens: &Tokens3) -> Vec<String> {
    let mut found = Vec::new();
    for operation in operations(document) {
        for (what, request, expected) in wrong(&operation, tokens) {
            let answer = ask(address, &request);
            if !expected.contains(&answer.status) {
                let Operation { method, path, .. } = &operation;
                found.push(format!(
                    "{method} {path}: {what}: {} in place of {expected:?}",
                    answer.status
                ));
            }
        }
    }
    found
}

/// Every wrong way to ask for an operation, and the only statuses it may get.
fn wrong(operation: &Operation, tokens: &Tokens3) -> Vec<(&'static str, Request, Vec<u16>)> {
    let good = Request::new(&operation.method, &operation.path, &tokens.admin);
    let mut all = wrong_tokens(operation, &good, tokens);
    all.extend(wrong_places(operation, &good));
    all.extend(too_much(&good));
    if operation.has_body {
        for form in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ] {
            all.push(("a form", good.clone().body(form, "a=b"), vec![415]));
        }
    }
    all
}

fn wrong_tokens(
    operation: &Operation,
    good: &Request,
    tokens: &Tokens3,
) -> Vec<(&'static str, Request, Vec<u16>)> {
    let with = |token: &str| good.clone().token(token);
    let mut all = vec![(
        "a token in the URL",
        good.clone()
            .path(&format!("{}?token={}", good.path, tokens.admin)),
        vec![400],
    )];
    let Some(scope) = &operation.scope else {
        return all;
    };
    all.push(("no token", good.clone().no_token(), vec![401]));
    all.push(("another node's token", with(&"0".repeat(64)), vec![401]));
    let forged = good.clone().no_token();
    let forged = forged.header("Cookie", &format!("bruit_session={}", "0".repeat(64)));
    all.push((
        "a forged session",
        forged.header("Sec-Fetch-Site", "same-origin"),
        vec![401],
    ));
    if scope != "read" {
        all.push(("a token to read", with(&tokens.read), vec![403]));
    }
    if scope == "admin" {
        all.push(("a token to publish", with(&tokens.publish), vec![403]));
    }
    all
}

fn wrong_places(operation: &Operation, good: &Request) -> Vec<(&'static str, Request, Vec<u16>)> {
    let mut all = Vec::new();
    for host in [
        "evil.example",
        "localhost.evil.example",
        "10.0.0.1:7448",
        "",
    ] {
        all.push(("a foreign host", good.clone().host(host), vec![403]));
    }
    for origin in [
        "http://evil.example",
        "https://localhost",
        "http://localhost:1",
        "null",
    ] {
        let request = good.clone().header("Origin", origin);
        all.push(("a foreign origin", request, vec![403]));
        let socket = good.clone().header("Origin", origin);
        let socket = socket
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        all.push(("a foreign page's socket", socket, vec![403]));
    }
    let refused = vec![400, 401, 403, 404, 405, 413, 415];
    let query = if operation.looks_around {
        "?timeout=1ms"
    } else {
        ""
    };
    for beyond in [
        "/../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
    ] {
        let path = format!("{}{beyond}{query}", operation.path.trim_end_matches('/'));
        let request = good.clone().method("GET").path(&path);
        all.push(("a path that climbs", request, refused.clone()));
    }
    all
}

fn too_much(good: &Request) -> Vec<(&'static str, Request, Vec<u16>)> {
    let mut many = good.clone();
    for number in 0..70 {
        many = many.header(&format!("X-{number}"), "y");
    }
    vec![
        (
            "100 MB",
            good.clone().declared("application/json", 100_000_000),
            vec![413, 415],
        ),
        ("many headers", many, vec![431]),
        (
            "a long header",
            good.clone().header("X", &"y".repeat(20_000)),
            vec![431],
        ),
    ]
}

fn limits() -> Limits {
    Limits {
        requests_per_s: u32::MAX,
        ..Limits::default().with_connections(1_024)
    }
}

async fn server() -> (Server, SocketAddr, Tokens3, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = bruit::Config {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        price: 0,
        ..bruit::Config::default()
    };
    let node = Node::spawn(config).await.unwrap();
    let token = Token::load_or_create(folder.path()).unwrap();
    let admin = token.bearer().trim_start_matches("Bearer ").to_owned();
    let options = Options {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        dashboard: None,
        token,
        tokens: Tokens::default(),
        logs: bruit_api::LogBook::default(),
        gateways: GatewayCounts::default(),
        alone: true,
        limits: limits(),
    };
    let server = Server::start(node, options).await.unwrap();
    let Some(address) = server.endpoints().iter().find_map(Endpoint::tcp) else {
        panic!("it listens on a port");
    };
    let made = admin.clone();
    let (read, publish) = tokio::task::spawn_blocking(move || {
        (
            token_for(address, &made, "read"),
            token_for(address, &made, "publish"),
        )
    })
    .await
    .unwrap();
    let tokens = Tokens3 {
        admin,
        publish,
        read,
    };
    (server, address, tokens, folder)
}

fn token_for(address: SocketAddr, admin: &str, scope: &str) -> String {
    let body = json!({"scope": scope}).to_string();
    let request = Request::new("POST", "/v1/tokens", admin).body("application/json", &body);
    let Answer { status, body } = ask(address, &request);
    assert_eq!(status, 200, "{body}");
    let made: Value = serde_json::from_str(&body).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_description_refuses_every_wrong_request() {
    let (_server, address, tokens, _folder) = server().await;
    let described = document();
    assert!(operations(&described).len() > 40);
    let found = tokio::task::spawn_blocking(move || escapes(address, &described, &tokens));
    let found = found.await.unwrap();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_the_guard_would_be_found() {
    let (_server, _, tokens, _folder) = server().await;
    // As if somebody added it beside the table: it answers whoever asks.
    let hole = Router::new().route("/v1/hole", get(async || "{}"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, hole).await });
    let described = json!({"paths": {"/v1/hole": {"get": {"x-scope": "admin"}}}});
    let found = tokio::task::spawn_blocking(move || escapes(address, &described, &tokens));
    let found = found.await.unwrap().join("\n");
    for what in [
        "no token",
        "another node's token",
        "a forged session",
        "a token to read",
        "a token to publish",
        "a token in the URL",
        "a foreign host",
        "a foreign origin",
        "a foreign page's socket",
        "100 MB",
    ] {
        assert!(found.contains(what), "{what} is not among {found}");
    }
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preface_of_http_2_gets_no_answer_of_a_route() {
    let (_server, address, _, _folder) = server().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let answer = tokio::task::spawn_blocking(move || ask_raw(address, preface));
    let answer = answer.await.unwrap();
    assert!(!answer.contains(" 200 "), "{answer}");
}

/// A parameter the description leaves out, or makes up, is found by what the route says it knows.
#[tokio::test(flavor = "multi_thread")]
async fn the_description_has_the_query_parameters_a_route_knows() {
    let (_server, address, tokens, _folder) = server().await;
    let described = document();
    let check = move || {
        let mut checked = 0;
        for (path, verbs) in described["paths"].as_object().unwrap() {
            for (method, whole) in verbs.as_object().unwrap() {
                let parameters = whole["parameters"].as_array().unwrap().iter();
                let named: Vec<_> = parameters
                    .filter(|parameter| parameter["in"] == "query")
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                if named.is_empty() {
                    continue;
                }
                let asked = format!("{}?no_such=1", sample(path));
                let kind = match whole["requestBody"]["content"].as_object() {
                    Some(content) => content.keys().next().unwrap(),
                    None => "",
                };
                let request = Request::new(&method.to_ascii_uppercase(), &asked, &tokens.admin);
                let answer = ask(address, &request.body(kind, ""));
                assert_eq!(answer.status, 400, "{path}: {}", answer.body);
                let error: Value = serde_json::from_str(&answer.body).unwrap();
                let fix = format!("use {}", named.join(", "));
                assert_eq!(error["error"]["fix"], fix, "{path}");
                checked += 1;
            }
        }
        assert!(checked >= 10, "{checked}");
    };
    tokio::task::spawn_blocking(check).await.unwrap();
}
