//! The daemon of a data folder, asked over its socket: HTTP/1.1, a connection per request, or one
//! for many that follow each other.

use std::io;
use std::time::Duration;

use bruit::keys::KeyError;
#[cfg(not(unix))]
use bruit_api::Endpoint;
use bruit_api::Token;
use bruit_api::types::ErrorBody;
use bruit_gateways::is_out_of_descriptors;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::failure::{Exit, Failure};
use crate::folder::Folder;

/// Longest time until the daemon takes a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one that asks too fast waits at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Longest event of a stream.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// A daemon, by its data folder.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    folder: Folder,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection.
type Connection = http1::SendRequest<Full<Bytes>>;

impl Client {
    pub(crate) fn new(folder: &Folder) -> Self {
        Self {
            folder: folder.clone(),
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        read(self.send(Method::GET, path, Bytes::new()).await?).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        read(self.send(Method::DELETE, path, Bytes::new()).await?).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        read(self.send(Method::POST, path, bytes_of(body)).await?).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        read(self.send(Method::PUT, path, bytes_of(body)).await?).await
    }

    /// Sends a content as it is.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        content: Bytes,
    ) -> Result<T, Failure> {
        let mut connection = self.dial().await?;
        let mut request = self.request(Method::POST, path, content)?;
        let octets = HeaderValue::from_static("application/octet-stream");
        request.headers_mut().insert(CONTENT_TYPE, octets);
        let response = connection.send_request(request).await;
        let response = response.map_err(|error| self.lost(&error.to_string()))?;
        read(accepted(response).await?).await
    }

    /// Asks for a content from byte `start` on; what comes may begin at 0 all the same.
    pub(crate) async fn download(&self, path: &str, start: u64) -> Result<Download, Failure> {
        let mut connection = self.dial().await?;
        let mut request = self.request(Method::GET, path, Bytes::new())?;
        if start > 0 {
            let range = HeaderValue::from_str(&format!("bytes={start}-"));
            let range = range.expect("digits and letters");
            request.headers_mut().insert(RANGE, range);
        }
        let response = connection.send_request(request).await;
        let response = response.map_err(|error| self.lost(&error.to_string()))?;
        if start > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Box::pin(self.download(path, 0)).await;
        }
        let response = accepted(response).await?;
        let header = |name: &str| {
            let value = response.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        let start = if is_part { start } else { 0 };
        let length = header("content-length").and_then(|text| text.parse::<u64>().ok());
        Ok(Download {
            start,
            total: start + length.unwrap_or(0),
            hash: header("x-bruit-hash").unwrap_or_default(),
            body: response.into_body(),
        })
    }

    /// Requests that follow each other over one connection.
    pub(crate) const fn session(&self) -> Session<'_> {
        Session {
            client: self,
            connection: None,
        }
    }

    /// Opens a stream of events; it stands when this returns.
    pub(crate) async fn events(&self, path: &str) -> Result<Events, Failure> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        Ok(Events {
            body: response.into_body(),
            buffer: Vec::new(),
        })
    }

    /// That somebody answers at the socket.
    pub(crate) async fn check_reachable(&self) -> Result<(), Failure> {
        self.connect().await.map(drop)
    }

    /// Whether somebody answers at the socket.
    pub(crate) async fn is_reachable(&self) -> bool {
        self.connect().await.is_ok()
    }

    /// Sends one request; an error status is a failure.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        // Whether somebody is there is said before what is wrong with the token.
        let mut connection = self.dial().await?;
        let request = self.request(method, path, body)?;
        let response = connection.send_request(request).await;
        accepted(response.map_err(|error| self.lost(&error.to_string()))?).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let token = Token::load(self.folder.path()).map_err(|error| match &error {
            KeyError::Io { source, .. } if is_out_of_descriptors(source) => {
                self.unreachable(source)
            }
            _ => Failure::new(
                Exit::Unauthorised,
                "no_token",
                error.to_string(),
                error.fix(),
            ),
        })?;
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(AUTHORIZATION, token.bearer())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Failure::usage(error.to_string(), "leave out odd characters"))
    }

    async fn dial(&self) -> Result<Connection, Failure> {
        let stream = TokioIo::new(self.connect().await?);
        let shaken = http1::handshake(stream).await;
        let (sender, connection) = shaken.map_err(|error| self.lost(&error.to_string()))?;
        // It ends with the sender and the answer's body; what goes wrong shows in those.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(self.unreachable(&io::ErrorKind::TimedOut.into())),
        }
    }

    #[cfg(unix)]
    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let stream = bruit_api::endpoint::connect_unix(&self.folder.socket()).await?;
        Ok(Box::new(stream))
    }

    #[cfg(not(unix))]
    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let text = std::fs::read_to_string(self.folder.port_file())?;
        match text.trim().parse() {
            Ok(Endpoint::Tcp(address)) => {
                Ok(Box::new(tokio::net::TcpStream::connect(address).await?))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let folder = self.folder.path().display();
        let flag = self.folder.flag();
        match error.kind() {
            io::ErrorKind::PermissionDenied => Failure::new(
                Exit::Unauthorised,
                "permission_denied",
                format!("this user may not use the socket in {folder}"),
                "run the command as the daemon's user, or name your own folder with --data",
            ),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::new(
                Exit::Unreachable,
                "unreachable",
                format!("no daemon runs in {folder}"),
                format!(
                    "start one with `bruit run{flag}`, or name the folder of another with --data"
                ),
            ),
            _ if is_out_of_descriptors(error) => Failure::new(
                Exit::Negative,
                "no_descriptors",
                format!("this program may open no more files: {error}"),
                "allow it more: `ulimit -n 4096`",
            ),
            _ => Failure::new(
                Exit::Unreachable,
                "unreachable",
                format!("the daemon in {folder} does not answer: {error}"),
                format!("restart it: `bruit run{flag}`"),
            ),
        }
    }

    fn lost(&self, cause: &str) -> Failure {
        Failure::new(
            Exit::Unreachable,
            "unreachable",
            format!(
                "the daemon in {} broke off: {cause}",
                self.folder.path().display()
            ),
            format!(
                "see whether it still runs, or start it: `bruit run{}`",
                self.folder.flag()
            ),
        )
    }
}

/// A content that comes.
#[derive(Debug)]
pub(crate) struct Download {
    /// The byte it begins at.
    pub(crate) start: u64,
    /// Bytes of the whole.
    pub(crate) total: u64,
    /// The BLAKE3 hash of the whole.
    pub(crate) hash: String,
    pub(crate) body: Incoming,
}

/// Requests over one connection, each sent when the one before it is answered.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    client: &'a Client,
    connection: Option<Connection>,
}

impl Session<'_> {
    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let bytes = bytes_of(body);
        let mut pause = PAUSE_MIN;
        loop {
            let request = self.client.request(Method::POST, path, bytes.clone())?;
            match accepted(self.send(request).await?).await {
                // Nothing was done yet: asked too fast, it is asked again.
                Err(failure) if failure.code == "too_many_requests" && pause <= PAUSE_MAX => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => return read(answer?).await,
            }
        }
    }

    /// The daemon closes what was silent for a while: a request that was never sent goes over a new
    /// connection. One that may have been is not repeated, for it may have been obeyed.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let lost = |error: &hyper::Error| self.client.lost(&error.to_string());
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.client.dial().await?,
        };
        // One that is closed says so to the request, and gives it back.
        let _ = connection.ready().await;
        let response = match connection.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                let request = error.take_message().ok_or_else(|| lost(error.error()))?;
                connection = self.client.dial().await?;
                let response = connection.send_request(request).await;
                response.map_err(|error| lost(&error))?
            }
        };
        self.connection = Some(connection);
        Ok(response)
    }
}

fn bytes_of(body: &impl Serialize) -> Bytes {
    let bytes = serde_json::to_vec(body).expect("our requests have text keys");
    bytes.into()
}

/// The answer, unless its status is an error's.
async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    if response.status().is_success() {
        Ok(response)
    } else {
        Err(refusal(response).await)
    }
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Failure> {
    let odd = |what: String| {
        Failure::new(
            Exit::Unreachable,
            "odd_answer",
            what,
            "use the bruit the daemon runs with",
        )
    };
    let whole = response.into_body().collect().await;
    let whole = whole.map_err(|error| odd(format!("the daemon's answer broke off: {error}")))?;
    serde_json::from_slice(&whole.to_bytes()).map_err(|error| {
        odd(format!(
            "the daemon's answer is not the one expected: {error}"
        ))
    })
}

/// The failure an error answer means.
async fn refusal(response: Response<Incoming>) -> Failure {
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let detail = body
        .ok()
        .and_then(|body| serde_json::from_slice::<ErrorBody>(&body).ok());
    match detail.map(|body| body.error) {
        Some(error) => Failure::new(exit(status), &error.code, error.message, error.fix),
        None => Failure::new(
            exit(status),
            "odd_answer",
            format!("the daemon answers {status}"),
            "use the bruit the daemon runs with",
        ),
    }
}

/// The exit code of a status.
fn exit(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::LOCKED => Exit::Unauthorised,
        StatusCode::NOT_FOUND => Exit::Negative,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Exit::Timeout,
        StatusCode::SERVICE_UNAVAILABLE => Exit::Unreachable,
        StatusCode::PAYMENT_REQUIRED
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::INSUFFICIENT_STORAGE
        | StatusCode::INTERNAL_SERVER_ERROR => Exit::Refused,
        _ => Exit::Usage,
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; empty for the usual kind.
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Events {
    /// The next event; none when the daemon ended the stream. A dropped future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(block) = self.block() {
                let event = parse(&block);
                if !event.data.is_empty() {
                    return Some(event);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
            if self.buffer.len() > EVENT_BYTES_MAX {
                return None;
            }
        }
    }

    /// The next whole block of lines, up to an empty one.
    fn block(&mut self) -> Option<String> {
        let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
        let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&block).into_owned())
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        match line.split_once(':') {
            Some(("event", name)) => name.trim_start().clone_into(&mut event.name),
            Some(("data", data)) => {
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
            _ => {} // comments, ids: the cursor stands in the data
        }
    }
    event
}

/// `value` as it may stand in a URL.
pub(crate) fn encode(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    value.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_the_standard_says() {
        let event = parse("event: gap\nid: 7\n: comment\ndata: {\"a\":\ndata:1}\n\n");
        let expected = Event {
            name: "gap".into(),
            data: "{\"a\":\n1}".into(),
        };
        assert_eq!(event, expected);
        assert_eq!(parse(": keep-alive\n\n"), Event::default());
    }

    #[test]
    fn values_are_encoded_byte_by_byte() {
        assert_eq!(encode("a b/ü&?=~"), "a%20b%2F%C3%BC%26%3F%3D~");
    }

    #[test]
    fn every_kind_of_refusal_has_its_exit_code() {
        assert_eq!(exit(StatusCode::UNAUTHORIZED), Exit::Unauthorised);
        assert_eq!(exit(StatusCode::LOCKED), Exit::Unauthorised);
        assert_eq!(exit(StatusCode::NOT_FOUND), Exit::Negative);
        assert_eq!(exit(StatusCode::GATEWAY_TIMEOUT), Exit::Timeout);
        assert_eq!(exit(StatusCode::PAYLOAD_TOO_LARGE), Exit::Refused);
        assert_eq!(exit(StatusCode::BAD_REQUEST), Exit::Usage);
    }
}
