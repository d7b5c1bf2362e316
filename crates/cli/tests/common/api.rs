//! The local API without a process for each question: requests, and subscriptions that note when
//! every bulletin came.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::{Daemon, PATIENCE};

/// Microseconds since 1970.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_micros()).unwrap()
}

/// Where a daemon's API is, and what opens it.
#[derive(Debug, Clone)]
pub struct Api {
    socket: PathBuf,
    token: String,
}

impl Api {
    /// The API of `daemon`.
    #[track_caller]
    pub fn of(daemon: &Daemon) -> Self {
        let token = std::fs::read_to_string(daemon.data().join("token")).unwrap();
        Self {
            socket: daemon.data().join("api.sock"),
            token: token.trim().to_owned(),
        }
    }

    /// Opens a connection for one request after the other.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection {
            reader: BufReader::new(stream),
            token: self.token.clone(),
        }
    }

    /// Asks for `path`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, answer) = self.connect().ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Everything that is counted, as Prometheus gets it.
    #[track_caller]
    pub fn metrics(&self) -> String {
        let answer = self.connect().exchange("GET", "/metrics", "");
        let (status, text) = answer.expect("the daemon answers");
        assert_eq!(status, 200);
        String::from_utf8(text).unwrap()
    }

    /// The links.
    #[track_caller]
    pub fn peers(&self) -> Vec<Value> {
        let Value::Array(peers) = self.get("/v1/peers") else {
            panic!("peers are a list")
        };
        peers
    }

    /// Opens a subscription with `query`, which stands when this returns and ends with what is returned.
    #[track_caller]
    pub fn visit(&self, query: &str) -> BufReader<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let token = &self.token;
        write!(
            stream,
            "GET /v1/subscribe?{query} HTTP/1.0\r\nhost: localhost\r\n\
             authorization: Bearer {token}\r\n\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        reader
    }

    /// Subscribes with `query`, such as `topic=news`; the subscription stands when this returns.
    #[track_caller]
    pub fn subscribe(&self, query: &str) -> Inbox {
        let reader = self.visit(query);
        let arrived = Arc::<Mutex<Vec<Arrival>>>::default();
        let shared = Arc::clone(&arrived);
        std::thread::spawn(move || {
            for line in reader.lines() {
                let Ok(line) = line else { return };
                if let Some(data) = line.strip_prefix("data:") {
                    let at_us = now_us();
                    let value = serde_json::from_str(data).unwrap();
                    shared.lock().unwrap().push(Arrival { at_us, value });
                }
            }
        });
        Inbox { arrived }
    }
}

/// One connection to the API.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<UnixStream>,
    token: String,
}

impl Connection {
    /// Asks once; answers status and body.
    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.try_ask(method, path, body)
            .expect("the daemon answers")
    }

    /// Publishes `body` on `topic`; answers status and answer.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, body: &str) -> (u16, Value) {
        let request = json!({"topic": topic, "body": body}).to_string();
        self.ask("POST", "/v1/bulletins", &request)
    }

    /// As [`ask`](Self::ask), with a daemon that may break off.
    pub fn try_ask(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> std::io::Result<(u16, Value)> {
        let (status, body) = self.exchange(method, path, body)?;
        Ok((status, serde_json::from_slice(&body).unwrap()))
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let mut length = 0;
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(text) = lower.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, body))
    }
}

/// A bulletin or gap, and when its last byte was here.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Microseconds since 1970.
    pub at_us: u64,
    /// What came.
    pub value: Value,
}

/// What came on a subscription so far; dropped or not, it lasts as long as its daemon.
#[derive(Debug, Clone)]
pub struct Inbox {
    arrived: Arc<Mutex<Vec<Arrival>>>,
}

impl Inbox {
    /// How many have come.
    pub fn len(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }

    /// Waits for `count` or the end of `patience`; answers whether they came.
    pub fn wait(&self, count: usize, patience: Duration) -> bool {
        let start = Instant::now();
        while self.len() < count {
            if start.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// What came so far.
    pub fn all(&self) -> Vec<Arrival> {
        self.arrived.lock().unwrap().clone()
    }

    /// How often each body came, by its text.
    pub fn bodies(&self) -> BTreeMap<String, usize> {
        let mut bodies = BTreeMap::new();
        for arrival in self.all() {
            let body = arrival.value["body"].as_str();
            let body = body.map_or_else(|| arrival.value.to_string(), ToOwned::to_owned);
            *bodies.entry(body).or_default() += 1;
        }
        bodies
    }

    /// Forgets what came.
    pub fn clear(&self) {
        self.arrived.lock().unwrap().clear();
    }
}

/// Asserts that every inbox holds each of `bodies` once and nothing else; waits for them.
#[track_caller]
pub fn assert_each_once<'a>(
    inboxes: impl IntoIterator<Item = &'a Inbox>,
    bodies: &[String],
    patience: Duration,
) {
    let start = Instant::now();
    for (number, inbox) in inboxes.into_iter().enumerate() {
        inbox.wait(bodies.len(), patience.saturating_sub(start.elapsed()));
        let mut got = inbox.bodies();
        let missing: Vec<_> = bodies
            .iter()
            .filter(|body| got.remove(*body) != Some(1))
            .collect();
        let of = bodies.len();
        assert!(
            missing.is_empty() && got.is_empty(),
            "inbox {number}: {} of {of} did not come once, such as {:?}; besides {:?}",
            missing.len(),
            missing
                .first()
                .map(|body| body.chars().take(60).collect::<String>()),
            got.iter().take(3).collect::<Vec<_>>(),
        );
    }
}
