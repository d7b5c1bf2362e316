//! What the guard and the server refuse, for every route of the table.

use axum::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::routes::{Access, RouteInfo, routes};
use crate::types::Scope;

/// A server of a node that is alone, on a port of its own.
struct Fixture {
    node: Node,
    server: Server,
    token: Token,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = bruit::Config {
            data: Some(folder.path().join("node")),
            ..config()
        };
        let node = Node::spawn(config).await.unwrap();
        let token = Token::load_or_create(folder.path()).unwrap();
        let logs = LogBook::default();
        logs.on_filter(|_| Ok(()));
        let mut gateways = GatewayCounts::default();
        gateways.add("simple", || [("in", 3), ("out", 4)].into());
        let options = Options {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            dashboard: None,
            token: token.clone(),
            tokens: Tokens::default(),
            logs,
            gateways,
            alone: true,
            limits,
        };
        let server = Server::start(node.clone(), options).await.unwrap();
        Self {
            node,
            server,
            token,
            _folder: folder,
        }
    }

    fn token_for(&self, scope: Scope) -> String {
        self.server.app.tokens.create(scope, None).unwrap().token
    }

    async fn connect(&self) -> TcpStream {
        let [Endpoint::Tcp(address)] = self.server.endpoints() else {
            panic!("one TCP endpoint");
        };
        TcpStream::connect(address).await.unwrap()
    }

    /// Sends `head` and `body`; returns what comes back, up to the end of the connection or of the
    /// first part of a stream.
    async fn exchange(&self, text: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A server that refuses early may close before it read everything.
        let _ = stream.write_all(text).await;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count) = stream.read(&mut buffer).await
            && count > 0
        {
            answer.extend_from_slice(&buffer[..count]);
            if String::from_utf8_lossy(&answer).contains("content-type: text/event-stream") {
                break;
            }
        }
        String::from_utf8(answer).unwrap()
    }

    /// The first event of a stream.
    async fn first_event(&self, request: &Request<'_>) -> String {
        let mut stream = self.connect().await;
        let text = request.text(&self.token);
        stream.write_all(text.as_bytes()).await.unwrap();
        let (mut answer, mut buffer) = (String::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the stream ended: {answer}");
            answer += str::from_utf8(&buffer[..count]).unwrap();
            if answer.contains("data: ") && answer.ends_with("\n\n\r\n") {
                return answer;
            }
        }
    }

    async fn status(&self, request: &Request<'_>) -> u16 {
        let answer = self.exchange(request.text(&self.token).as_bytes()).await;
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no status: {answer:?}"))
    }

    async fn stop(self) {
        self.server.stop(Duration::from_secs(1)).await;
        self.node.shutdown().await;
    }
}

fn config() -> bruit::Config {
    bruit::Config {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        price: 0,
        ..bruit::Config::default()
    }
}

/// The usual bounds, for a test that asks faster than they allow.
const LIMITS: Limits = Limits {
    connections: 1_024,
    streams: 960,
    requests_per_s: u32::MAX,
    ..Limits::DEFAULT
};

/// A request that is right in every point, and then made wrong in one.
#[derive(Clone)]
struct Request<'a> {
    method: Method,
    path: String,
    host: &'a str,
    token: Option<&'a str>,
    kind: &'a str,
    extra: String,
    body: String,
}

impl Request<'_> {
    fn good(route: &RouteInfo) -> Self {
        let id = "07".repeat(32);
        let path = route
            .path
            .replace("{id}", &id)
            .replace("{author}", &id)
            .replace("{*name}", "a/b")
            .replace("{*file}", "none.js")
            .replace("{question}", "1")
            .replace("{posting}", "1")
            .replace("{name}", "nobody");
        let body = match route.path {
            "/v1/bulletins" => r#"{"topic":"news","body":"hello"}"#.to_owned(),
            "/v1/letters" => format!(r#"{{"to":"{id}","body":"hello"}}"#),
            "/v1/letters/foreign" => r#"{"from":"k98kurz:8a88","body":"hello"}"#.to_owned(),
            "/v1/letters/foreign/{posting}"
            | "/v1/letters/rotate"
            | "/v1/keys/{name}/lock"
            | "/v1/sessions" => "{}".to_owned(),
            // Another than the one that is not there.
            "/v1/letters/contacts" => format!(r#"{{"id":"{}"}}"#, "08".repeat(32)),
            "/v1/values" => r#"{"name":"n","body":"hello"}"#.to_owned(),
            "/v1/bulletins/{id}/boost" => r#"{"bits":3}"#.to_owned(),
            "/v1/peers" => format!(r#"{{"addresses":["{id}@127.0.0.1:9"],"timeout":"10ms"}}"#),
            "/v1/keys/{name}/unlock" => r#"{"passphrase":"x"}"#.to_owned(),
            "/v1/tokens" => r#"{"scope":"read"}"#.to_owned(),
            "/v1/logs" => r#"{"filter":"info"}"#.to_owned(),
            "/v1/bundle" => {
                let network = config().network();
                format!(r#"{{"network_id":"{}","bulletins":[]}}"#, network.id())
            }
            _ => r#"{"verdict":"accept"}"#.to_owned(),
        };
        let query = match route.path {
            "/v1/subscribe" | "/v1/validate" => "?topic=news",
            "/v1/letters/foreign" if route.method == Method::GET => "?system=k98kurz",
            path if route.method == Method::GET && path.starts_with("/v1/values/") => {
                "?timeout=10ms"
            }
            "/v1/bulletins/{id}" | "/v1/files/{id}" => "?timeout=10ms",
            _ => "",
        };
        Self {
            method: route.method.clone(),
            path: path + query,
            host: "localhost",
            token: None,
            kind: match route.path {
                "/v1/files" => "application/octet-stream",
                _ => "application/json",
            },
            extra: String::new(),
            body: if [Method::POST, Method::PUT].contains(&route.method) {
                body
            } else {
                String::new()
            },
        }
    }

    fn text(&self, token: &Token) -> String {
        let authorization = match self.token {
            None => format!("Authorization: {}\r\n", token.bearer()),
            Some(other) => other.to_owned(),
        };
        let body = match self.body.as_str() {
            "" => String::new(),
            body => format!(
                "Content-Type: {}\r\nContent-Length: {}\r\n",
                self.kind,
                body.len()
            ),
        };
        format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{authorization}{body}{}\r\n{}",
            self.method, self.path, self.host, self.extra, self.body
        )
    }
}

#[tokio::test]
async fn every_route_answers_a_good_request_and_refuses_each_wrong_one() {
    let fixture = Fixture::start(LIMITS).await;
    for route in routes() {
        let good = Request::good(&route);
        let is_stream = route.path.starts_with("/v1/follow/");
        let is_about_one = route.path.contains('{') && !is_stream;
        let answer = match route.path {
            "/ui/login" => 403,
            "/v1/sessions" => 404,
            "/v1/ws" => 426,
            _ if is_about_one => 404,
            _ => 200,
        };
        let mut cases = vec![("a good request", good.clone(), answer)];
        let without = if route.access == Access::Open {
            answer
        } else {
            401
        };
        cases.extend(wrong_token(&good, without));
        cases.extend(wrong_head(&good));
        if !good.body.is_empty() {
            cases.extend(wrong_body(&good));
        }
        for (what, request, expected) in cases {
            let got = fixture.status(&request).await;
            let (method, path) = (&route.method, route.path);
            assert_eq!(got, expected, "{method} {path}: {what}");
        }
    }
    fixture.stop().await;
}

#[tokio::test]
async fn every_answer_is_as_the_description_says() {
    let fixture = Fixture::start(LIMITS).await;
    let document = crate::openapi::document();
    // So that lists are not empty.
    let put = bruit::Put::new("hello")
        .name("n")
        .tag("t")
        .wait(bruit::Wait::Stored);
    fixture.node.put(put).await.unwrap();
    let _subscription = fixture.node.subscribe(
        bruit::Topics::Named(vec!["news".to_owned()]),
        bruit::From::Now,
    );
    let mut checked = 0;
    for route in routes() {
        let good = Request::good(&route);
        let answer = fixture.exchange(good.text(&fixture.token).as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        let path = route.path.replace("{*", "{");
        let verb = route.method.as_str().to_ascii_lowercase();
        let described = &document["paths"][&path][&verb]["responses"][status];
        assert!(!described.is_null(), "{verb} {path} answers {status}");
        let schema = &described["content"]["application/json"]["schema"];
        if head.contains("content-type: application/json") && !schema.is_null() {
            let body = serde_json::from_str(body).unwrap();
            let fine = crate::openapi::check::check(&document, schema, &body);
            assert_eq!(fine, Ok(()), "{verb} {path} answers {body}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
    fixture.stop().await;
}

/// What is wrong, the request, the status it must get.
type Case<'a> = (&'static str, Request<'a>, u16);

fn wrong_token<'a>(good: &Request<'a>, expected: u16) -> Vec<Case<'a>> {
    let tokens = [
        "",
        "Authorization: Bearer 00\r\n",
        "Authorization: Basic YTpi\r\n",
    ];
    let case = |token| {
        let token = Some(token);
        let request = Request {
            token,
            ..good.clone()
        };
        ("no token, or a wrong one", request, expected)
    };
    tokens.into_iter().map(case).collect()
}

fn wrong_head<'a>(good: &Request<'a>) -> Vec<Case<'a>> {
    let extra = |text: &str| Request {
        extra: text.to_owned(),
        ..good.clone()
    };
    let mut cases = vec![
        ("two hosts", extra("Host: localhost\r\n"), 403),
        ("an origin", extra("Origin: http://localhost:1\r\n"), 403),
        (
            "another scheme",
            extra("Origin: https://localhost\r\n"),
            403,
        ),
        ("a null origin", extra("Origin: null\r\n"), 403),
        ("many headers", extra(&"X: y\r\n".repeat(70)), 431),
        (
            "a long header",
            extra(&format!("X: {}\r\n", "y".repeat(20_000))),
            431,
        ),
        (
            "another method",
            Request {
                method: Method::PATCH,
                ..good.clone()
            },
            405,
        ),
    ];
    let evil = [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
    ];
    for host in evil.into_iter().chain(["localhost:x", ""]) {
        cases.push((
            "a foreign host",
            Request {
                host,
                ..good.clone()
            },
            403,
        ));
    }
    let separator = if good.path.contains('?') { '&' } else { '?' };
    for name in ["token", "access_token", "Token"] {
        let path = format!("{}{separator}{name}=x", good.path);
        cases.push((
            "a token in the URL",
            Request {
                path,
                ..good.clone()
            },
            400,
        ));
    }
    cases
}

fn wrong_body<'a>(good: &Request<'a>) -> Vec<Case<'a>> {
    let body = |text: String| Request {
        body: text,
        ..good.clone()
    };
    let is_file = good.kind == "application/octet-stream";
    let mut cases = if is_file {
        let most = crate::guard::FILE_BYTES_MAX;
        vec![("a long content", body("x".repeat(most + 1)), 413)]
    } else {
        vec![
            ("a long body", body("x".repeat(BODY + 1)), 413),
            ("a broken body", body("{\"".into()), 400),
            ("a foreign body", body(r#"{"unknown":1}"#.into()), 400),
        ]
    };
    let forms = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ];
    let other = if is_file {
        "application/json"
    } else {
        "application/jsonp"
    };
    for kind in forms.into_iter().chain([other]) {
        cases.push((
            "a form",
            Request {
                kind,
                ..good.clone()
            },
            415,
        ));
    }
    cases
}

const BODY: usize = crate::guard::BODY_BYTES_MAX;

#[tokio::test]
async fn what_is_no_route_is_behind_the_guard_too() {
    let fixture = Fixture::start(LIMITS).await;
    let some = routes().next().unwrap();
    for path in [
        "/",
        "/v1",
        "/v1/../v1/status",
        "/v1/%2e%2e/status",
        "/etc/passwd",
        "//v1/status",
        "/v1/status/",
    ] {
        let method = Method::GET;
        let body = String::new();
        let request = Request {
            method,
            body,
            path: path.to_owned(),
            ..Request::good(&some)
        };
        assert_eq!(fixture.status(&request).await, 404, "{path}");
        let request = Request {
            token: Some(""),
            ..request
        };
        assert_eq!(fixture.status(&request).await, 401, "{path}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_end_is_cut_off_at_its_bound() {
    let fixture = Fixture::start(LIMITS).await;
    let request = Request {
        body: String::new(),
        ..Request::good(&routes().next().unwrap())
    };
    let head = request.text(&fixture.token);
    let head = head.trim_end().to_owned()
        + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536));
    let answer = fixture
        .exchange((head + &chunk.repeat(20)).as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    fixture.stop().await;
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let fixture = Fixture::start(LIMITS).await;
    let answer = fixture
        .exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    assert!(!answer.contains("200"), "{answer}");
    let upgrade = Request {
        extra: "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n".to_owned(),
        ..Request::good(&routes().find(|route| route.path == "/v1/status").unwrap())
    };
    assert_eq!(
        fixture.status(&upgrade).await,
        200,
        "the upgrade is passed over"
    );
    fixture.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off_in_time() {
    let head_timeout = Duration::from_millis(50);
    let fixture = Fixture::start(Limits {
        head_timeout,
        ..LIMITS
    })
    .await;
    let mut stream = fixture.connect().await;
    stream
        .write_all(b"GET /v1/status HTTP/1.1\r\nHost: local")
        .await
        .unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap()
        .unwrap();
    assert!(!answer.contains("200"), "{answer}");
    fixture.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_are_told_so_and_free_seats_are_used_again() {
    let fixture = Fixture::start(Limits {
        connections: 2,
        ..LIMITS
    })
    .await;
    let status = Request::good(&routes().find(|route| route.path == "/healthz").unwrap());
    let (first, second) = (fixture.connect().await, fixture.connect().await);
    while fixture.status(&status).await != 429 {
        tokio::task::yield_now().await; // the two are still being accepted
    }
    drop((first, second));
    while fixture.status(&status).await != 200 {
        tokio::task::yield_now().await;
    }
    fixture.stop().await;
}

/// A file that goes up comes down whole, and from any byte on.
#[tokio::test]
async fn a_content_comes_down_as_it_went_up_and_from_any_byte_on() {
    let fixture = Fixture::start(LIMITS).await;
    let route = |path: &str| routes().find(|route| route.path == path).unwrap();
    let content: String = (0..30_000)
        .map(|at| char::from(b'a' + u8::try_from(at % 26).unwrap()))
        .collect();
    let path = "/v1/files?name=letters&tag=t&ttl=1h&wait=stored".to_owned();
    let up = Request {
        path,
        body: content.clone(),
        ..Request::good(&route("/v1/files"))
    };
    let answer = fixture.exchange(up.text(&fixture.token).as_bytes()).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let kept: crate::types::Kept = serde_json::from_str(body).unwrap();
    assert_eq!((kept.seq, kept.result.as_str()), (1, "stored"));
    let down = Request {
        path: format!("/v1/files/{}", kept.id),
        ..Request::good(&route("/v1/files/{id}"))
    };
    for (range, status, from, to) in [
        ("", 200, 0, 30_000),
        ("Range: bytes=4095-\r\n", 206, 4_095, 30_000),
        ("Range: bytes=5000-20000\r\n", 206, 5_000, 20_001),
    ] {
        let request = Request {
            extra: range.to_owned(),
            ..down.clone()
        };
        let answer = fixture
            .exchange(request.text(&fixture.token).as_bytes())
            .await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert_eq!(body, &content[from..to], "{range}");
        let hash = bruit::ContentId::of(content.as_bytes());
        assert!(head.contains(&format!("x-bruit-hash: {hash}")), "{head}");
        assert!(head.contains("x-bruit-chunks: 8/8"), "{head}");
    }
    let beyond = Request {
        extra: "Range: bytes=30000-\r\n".to_owned(),
        ..down
    };
    assert_eq!(fixture.status(&beyond).await, 416);
    fixture.stop().await;
}

#[tokio::test]
async fn streams_leave_room_for_questions() {
    let fixture = Fixture::start(Limits {
        streams: 1,
        ..LIMITS
    })
    .await;
    let route = |path: &str| routes().find(|route| route.path == path).unwrap();
    let stream = Request::good(&route("/v1/subscribe"));
    let mut first = fixture.connect().await;
    let text = stream.text(&fixture.token);
    first.write_all(text.as_bytes()).await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    assert_eq!(fixture.status(&stream).await, 429);
    assert_eq!(
        fixture.status(&Request::good(&route("/v1/validate"))).await,
        429
    );
    assert_eq!(
        fixture.status(&Request::good(&route("/v1/status"))).await,
        200
    );
    drop(first);
    while fixture.status(&stream).await != 200 {
        tokio::task::yield_now().await;
    }
    fixture.stop().await;
}

/// A node that had broken off still listed no links and no members, as if it were alone.
#[tokio::test]
async fn a_node_that_has_ended_is_not_shown_as_an_empty_one() {
    let fixture = Fixture::start(LIMITS).await;
    fixture.node.shutdown().await;
    fixture.node.ended().await;
    for route in routes().filter(|route| route.method == Method::GET) {
        let is_live = [
            "/healthz",
            "/v1/identity",
            "/v1/subscribe",
            "/v1/validate",
            "/v1/tokens",
            "/v1/ws",
            "/v1/logs",
            "/openapi.json",
        ];
        if !is_live.contains(&route.path) && !route.path.starts_with("/ui/") {
            let status = fixture.status(&Request::good(&route)).await;
            assert_eq!(status, 503, "{}", route.path);
        }
    }
    fixture.stop().await;
}

#[tokio::test]
async fn error_answers_have_code_message_and_fix() {
    let fixture = Fixture::start(LIMITS).await;
    for route in routes().filter(|route| route.access != Access::Open) {
        let request = Request {
            token: Some(""),
            ..Request::good(&route)
        };
        let answer = fixture
            .exchange(request.text(&fixture.token).as_bytes())
            .await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: crate::types::ErrorBody = serde_json::from_str(body).unwrap();
        assert_eq!(body.error.code, "unauthorized");
        assert!(!body.error.message.is_empty() && !body.error.fix.is_empty());
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_after_the_last_event_it_had() {
    let fixture = Fixture::start(LIMITS).await;
    let publish = async |body: &str| {
        let draft = bruit::Draft::new("news", body.to_owned()).wait(bruit::Wait::Stored);
        fixture.node.publish(draft).await.unwrap();
    };
    let route = routes()
        .find(|route| route.path == "/v1/subscribe")
        .unwrap();
    let path = "/v1/subscribe?topic=news&since=1h".to_owned();
    let good = Request {
        path,
        ..Request::good(&route)
    };
    publish("one").await;
    let first = fixture.first_event(&good).await;
    assert!(first.contains(r#""body":"one""#), "{first}");
    let id = first
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();
    assert!(
        first.contains(&format!(r#""cursor":"{id}""#)),
        "the id is the cursor: {first}"
    );

    publish("two").await;
    let extra = format!("Last-Event-ID: {id}\r\n");
    let second = fixture
        .first_event(&Request {
            extra,
            ..good.clone()
        })
        .await;
    assert!(second.contains(r#""body":"two""#), "{second}");
    let extra = "Last-Event-ID: nonsense\r\n".to_owned();
    assert_eq!(fixture.status(&Request { extra, ..good }).await, 400);
    fixture.stop().await;
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let fixture = Fixture::start(LIMITS).await;
    let route = routes()
        .find(|route| route.path == "/v1/subscribe")
        .unwrap();
    let mut stream = fixture.connect().await;
    let request = Request::good(&route).text(&fixture.token);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    let patience = Duration::from_secs(5);
    tokio::time::timeout(patience, fixture.stop())
        .await
        .unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(patience, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the stream goes on");
}

#[tokio::test]
async fn a_token_does_what_it_is_for_and_no_more() {
    let fixture = Fixture::start(LIMITS).await;
    let scopes = [Scope::Read, Scope::Publish, Scope::Admin];
    for scope in scopes {
        let token = fixture.token_for(scope);
        let bearer = format!("Authorization: Bearer {token}\r\n");
        for route in routes() {
            let request = Request {
                token: Some(&bearer),
                ..Request::good(&route)
            };
            let may = route.access.scope().is_none_or(|needed| scope >= needed);
            let answer = fixture
                .exchange(request.text(&fixture.token).as_bytes())
                .await;
            let is_refused = answer.contains(r#""code":"scope""#);
            assert_eq!(
                is_refused, !may,
                "{scope:?}: {} {}: {answer}",
                route.method, route.path
            );
        }
    }
    fixture.stop().await;
}

#[tokio::test]
async fn who_asks_too_fast_is_told_so_and_served_again_after_a_while() {
    let fixture = Fixture::start(Limits {
        requests_per_s: 20,
        ..LIMITS
    })
    .await;
    let route = |path: &str| routes().find(|route| route.path == path).unwrap();
    let status = Request::good(&route("/v1/status"));
    let mut refused = None;
    for _ in 0..40 {
        let answer = fixture
            .exchange(status.text(&fixture.token).as_bytes())
            .await;
        refused = refused.or(answer.starts_with("HTTP/1.1 429").then_some(answer));
    }
    let refused = refused.expect("40 are more than 20");
    assert!(refused.contains("retry-after: 1"), "{refused}");
    assert!(refused.contains("too_many_requests"), "{refused}");
    // Each client for itself.
    let other = format!(
        "Authorization: Bearer {}\r\n",
        fixture.token_for(Scope::Read)
    );
    let other = Request {
        token: Some(&other),
        ..status.clone()
    };
    assert_eq!(fixture.status(&other).await, 200);
    let start = std::time::Instant::now();
    while fixture.status(&status).await == 429 {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_token_cannot_ask_without_end_either() {
    let fixture = Fixture::start(Limits {
        requests_per_s: 20,
        ..LIMITS
    })
    .await;
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40);
    let last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = fixture.exchange((request + last).as_bytes()).await;
    let served = answers.matches("HTTP/1.1 200").count();
    assert!((20..41).contains(&served), "{served}");
    assert!(answers.contains("HTTP/1.1 429"));
    fixture.stop().await;
}

#[tokio::test]
async fn the_log_is_told_from_what_is_kept_and_its_filter_is_set() {
    let fixture = Fixture::start(LIMITS).await;
    let line = |text: &str| crate::types::LogLine {
        at_ms: 1,
        level: "INFO".to_owned(),
        target: "here".to_owned(),
        text: text.to_owned(),
    };
    fixture.server.app.logs.write(line("one"));
    let route = |method, path: &str| {
        let mut all = routes();
        all.find(|route| route.path == path && route.method == method)
            .unwrap()
    };
    let logs = Request::good(&route(Method::GET, "/v1/logs"));
    let first = fixture.first_event(&logs).await;
    let expected = r#"{"at_ms":1,"level":"INFO","target":"here","text":"one"}"#;
    assert!(first.contains(expected), "{first}");
    let set = Request::good(&route(Method::PUT, "/v1/logs"));
    assert_eq!(fixture.status(&set).await, 200);
    fixture.stop().await;
}

#[tokio::test]
async fn what_is_counted_is_told_to_prometheus() {
    let fixture = Fixture::start(LIMITS).await;
    let draft = bruit::Draft::new("news", "hello").wait(bruit::Wait::Stored);
    fixture.node.publish(draft).await.unwrap();
    let route = routes().find(|route| route.path == "/metrics").unwrap();
    let text = Request::good(&route).text(&fixture.token);
    let answer = fixture.exchange(text.as_bytes()).await;
    for line in [
        "# HELP bruit_bulletins_published Bulletins made here",
        "# TYPE bruit_bulletins_published counter",
        "bruit_bulletins_published_total 1",
        "bruit_store_items 1",
        "bruit_store_failed{reason=\"none\"} 0",
        "bruit_links_up{direction=\"in\"} 0",
        "bruit_peer_states 0",
        "# TYPE bruit_node_tasks gauge",
        "bruit_table_limit{table=\"queued bytes\"}",
        "bruit_api_connections_limit 1024",
        "bruit_api_connections_used 1",
        "bruit_api_requests_refused_total 0",
        "# HELP bruit_gateway_events What the gateways within the daemon count, by gateway and event",
        "# TYPE bruit_gateway_events counter",
        "bruit_gateway_events_total{gateway=\"simple\",event=\"in\"} 3",
        "bruit_gateway_events_total{gateway=\"simple\",event=\"out\"} 4",
        "# EOF",
    ] {
        assert!(answer.contains(line), "{line} is not in {answer}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn the_charts_begin_with_the_server_and_have_every_name() {
    let fixture = Fixture::start(LIMITS).await;
    let route = routes().find(|route| route.path == "/v1/series").unwrap();
    let good = Request::good(&route);
    let read = async |query: &str| {
        let path = format!("/v1/series{query}");
        let request = Request {
            path,
            ..good.clone()
        };
        let answer = fixture
            .exchange(request.text(&fixture.token).as_bytes())
            .await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<crate::types::Series>(body).unwrap()
    };
    let start = std::time::Instant::now();
    let hour = loop {
        let hour = read("").await;
        if hour.series["links_in"].first() == Some(&Some(0.0)) {
            break hour;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{hour:?}");
        tokio::task::yield_now().await;
    };
    assert_eq!((hour.step_ms, hour.series.len()), (1_000, 16));
    let after = format!("?range=24h&after_ms={}", hour.begin_ms + 3_600_000);
    let day = read(&after).await;
    assert_eq!(day.step_ms, 10_000);
    assert!(day.series["links_in"].is_empty());
    let path = "/v1/series?range=2h".to_owned();
    assert_eq!(fixture.status(&Request { path, ..good }).await, 400);
    fixture.stop().await;
}
