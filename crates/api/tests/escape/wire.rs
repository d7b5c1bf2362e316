//! Requests as bytes, so that wrong ones can be sent as well.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A request, right until it is made wrong.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    pub(crate) path: String,
    host: String,
    headers: Vec<(String, String)>,
    token: Option<String>,
    body: String,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str, token: &str) -> Self {
        let is_upload = ["POST", "PUT"].contains(&method);
        let request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            host: "localhost".to_owned(),
            headers: Vec::new(),
            token: Some(token.to_owned()),
            body: String::new(),
        };
        if is_upload {
            request.body("application/json", "{}")
        } else {
            request
        }
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn no_token(mut self) -> Self {
        self.token = None;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, kind: &str, body: &str) -> Self {
        let length = body.len();
        body.clone_into(&mut self.body);
        self.declared(kind, length)
    }

    /// Says that so many bytes follow, whatever does.
    pub(crate) fn declared(mut self, kind: &str, length: usize) -> Self {
        let is_other = |(name, _): &(String, String)| !name.starts_with("Content-");
        self.headers.retain(is_other);
        if !kind.is_empty() {
            self = self.header("Content-Type", kind);
        }
        self.header("Content-Length", &length.to_string())
    }

    fn text(&self) -> String {
        let is_upgrade = self.headers.iter().any(|(name, _)| name == "Upgrade");
        let mut lines = vec![
            format!("{} {} HTTP/1.1", self.method, self.path),
            format!("Host: {}", self.host),
            format!(
                "Connection: {}",
                if is_upgrade { "Upgrade" } else { "close" }
            ),
        ];
        if let Some(token) = &self.token {
            lines.push(format!("Authorization: Bearer {token}"));
        }
        let headers = self.headers.iter();
        lines.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        lines.join("\r\n") + "\r\n\r\n" + &self.body
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends a request over a connection of its own; status 0 when nothing comes back.
pub(crate) fn ask(address: SocketAddr, request: &Request) -> Answer {
    let text = ask_raw(address, request.text().as_bytes());
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Answer {
        status: status.unwrap_or(0),
        body: body.to_owned(),
    }
}

/// Whether this is a whole answer, or the head of one that goes on for as long as it is read.
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|text| text.parse::<usize>().ok());
    head.contains("content-type: text/event-stream") || length.is_some_and(|all| body.len() >= all)
}

/// Sends bytes; answers what comes back up to the end, or to the head of a stream.
pub(crate) fn ask_raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    // A server that refuses early may close before it read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(count) = stream.read(&mut buffer)
        && count > 0
    {
        answer.extend_from_slice(&buffer[..count]);
        if is_whole(&String::from_utf8_lossy(&answer)) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    String::from_utf8_lossy(&answer).into_owned()
}
