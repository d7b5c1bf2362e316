//! Listeners and connections: how many, how long, and how they end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::{Extension, Router};
use bruit::Node;
use bruit::keys::KeyError;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::endpoint::Endpoint;
use crate::gateways::GatewayCounts;
use crate::guard::Connection;
use crate::handlers::{App, Keys, closed};
use crate::logbook::LogBook;
use crate::routes;
use crate::token::Token;
use crate::tokens::Tokens;

/// How long accepting rests after it failed, for want of file descriptors mostly.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How long one that has no seat may take to ask, and to read that it has none.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(100);
/// Connections that are being told so; more are closed without a word.
const REFUSALS_MAX: usize = 64;
/// How often the log says that accepting fails.
const FAILURES_TOLD_EVERY: Duration = Duration::from_mins(1);

/// What a server is started with.
#[derive(Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: Vec<Endpoint>,
    /// Where the dashboard is opened, if it is to be.
    pub dashboard: Option<Dashboard>,
    /// What opens all of it.
    pub token: Token,
    /// What opens some of it.
    pub tokens: Tokens,
    /// The log it shows, and lets change.
    pub logs: LogBook,
    /// What the node's gateways count.
    pub gateways: GatewayCounts,
    /// Whether the node's configuration names nobody to link to: then it is ready without links.
    pub alone: bool,
    /// Its bounds.
    pub limits: Limits,
}

/// Where the dashboard is opened: browsers speak TCP only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dashboard {
    /// The address; one of [`Options::listen`] is used for both.
    pub listen: SocketAddr,
    /// Whether another will not do: otherwise the next free port is taken, and where there is none the
    /// server goes without.
    pub is_exact: bool,
}

impl Dashboard {
    /// The usual place: 127.0.0.1:7448, or the next free port.
    pub const DEFAULT: Self = Self {
        listen: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7_448)),
        is_exact: false,
    };
    /// Ports that are tried from the wished one on.
    const TRIES: u16 = 64;

    fn tries(self) -> impl Iterator<Item = SocketAddr> {
        let most = if self.is_exact { 1 } else { Self::TRIES };
        let ports = (0..most).map_while(move |offset| self.listen.port().checked_add(offset));
        ports.map(move |port| SocketAddr::new(self.listen.ip(), port))
    }

    /// A listener of its own.
    async fn bind(self) -> Result<Option<Listener>, ServeError> {
        let mut failed = None;
        for endpoint in self.tries().map(Endpoint::Tcp) {
            match Listener::bind(&endpoint).await {
                Ok(listener) => return Ok(Some(listener)),
                Err(source) => failed = Some(ServeError::Bind { endpoint, source }),
            }
        }
        match failed {
            Some(error) if self.is_exact => Err(error),
            Some(error) => {
                tracing::warn!(%error, "api: there is no dashboard");
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

/// Bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; more are answered 429. Default 64.
    pub connections: usize,
    /// How many of them may be streams of events; more are answered 429, so that there is always room
    /// for a question. Default 60.
    pub streams: usize,
    /// Requests in a second over one connection, and with one token; more are answered 429. A second's
    /// worth may come at once. Default 100.
    pub requests_per_s: u32,
    /// Bytes of a request's head; more are answered 431. Default 16 KiB.
    pub head_bytes: usize,
    /// Headers of a request; more are answered 431. Default 64.
    pub headers: usize,
    /// Longest time a request's head may take. Default 5 s.
    pub head_timeout: Duration,
}

impl Limits {
    /// The usual ones.
    pub const DEFAULT: Self = Self {
        connections: 64,
        streams: 60,
        requests_per_s: 100,
        head_bytes: 16 * 1024,
        headers: 64,
        head_timeout: Duration::from_secs(5),
    };

    /// Limits with so many connections, one in sixteen of which is kept free of streams.
    #[must_use]
    pub const fn with_connections(self, connections: usize) -> Self {
        let streams = connections.saturating_sub(connections.div_ceil(16));
        Self {
            connections,
            streams,
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a server does not start. The user's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("the API cannot listen on {endpoint}: {source}")]
    Bind {
        /// The address.
        endpoint: Endpoint,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl ServeError {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::Bind {
                endpoint: Endpoint::Tcp(_),
                ..
            } => "choose another port, with --api or --dashboard 127.0.0.1:PORT, or 0 for any free one".to_owned(),
            Self::Bind {
                endpoint: Endpoint::Unix(path),
                ..
            } => format!(
                "stop what uses {}, make its folder writable, or choose another folder with --data",
                path.display()
            ),
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    app: App,
    endpoints: Vec<Endpoint>,
    closing: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Serves `node` until [`stop`](Self::stop).
    ///
    /// # Errors
    /// When an address cannot be listened on; then nothing is.
    pub async fn start(node: Node, options: Options) -> Result<Self, ServeError> {
        let (closing, closing_seen) = watch::channel(false);
        let is_shared =
            |wish: &Dashboard, endpoint: &Endpoint| *endpoint == Endpoint::Tcp(wish.listen);
        let wish = options.dashboard;
        let shared =
            wish.and_then(|wish| options.listen.iter().position(|one| is_shared(&wish, one)));
        let mut listeners = Vec::new();
        for endpoint in options.listen {
            let listener = Listener::bind(&endpoint).await;
            listeners.push(listener.map_err(|source| ServeError::Bind { endpoint, source })?);
        }
        let endpoints: Vec<_> = listeners.iter().map(Listener::endpoint).collect();
        let dashboard = match (shared, wish) {
            (Some(at), _) => endpoints[at].tcp(),
            (None, Some(wish)) => {
                let own = wish.bind().await?;
                let address = own.as_ref().and_then(|own| own.endpoint().tcp());
                listeners.extend(own);
                address
            }
            (None, None) => None,
        };
        let keys = Keys {
            token: options.token,
            tokens: options.tokens,
            dashboard,
            logs: options.logs,
            gateways: options.gateways,
            alone: options.alone,
        };
        let app = App::new(node, keys, options.limits, closing_seen.clone());
        let hall = Hall {
            router: routes::router(app.clone()),
            limits: options.limits,
            app: app.clone(),
            standing: Arc::new(Semaphore::new(REFUSALS_MAX)),
            closing: closing_seen,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(app.clone().watch());
        for listener in listeners {
            tasks.spawn(hall.clone().receive(listener));
        }
        Ok(Self {
            app,
            endpoints,
            closing,
            tasks,
        })
    }

    /// Where it listens, with the ports that were chosen.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// A link that opens the dashboard once, within ten minutes; none when it is not served.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn dashboard_link(&self) -> Result<Option<String>, KeyError> {
        self.app.dashboard_link()
    }

    /// Ends streams, lets requests finish for at most `patience`, and closes.
    pub async fn stop(mut self, patience: Duration) {
        // Nobody listening any more is what we want.
        let _ = self.closing.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::debug!("api: requests were cut off");
        }
    }
}

enum Listener {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, std::path::PathBuf),
}

impl Listener {
    async fn bind(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                Ok(Self::Tcp(listener, address))
            }
            #[cfg(unix)]
            Endpoint::Unix(path) => {
                let listener = crate::endpoint::bind_unix(path).await?;
                Ok(Self::Unix(listener, path.clone()))
            }
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Tcp(_, address) => Endpoint::Tcp(*address),
            #[cfg(unix)]
            Self::Unix(_, path) => Endpoint::Unix(path.clone()),
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener, _) => Ok(Box::new(listener.accept().await?.0)),
            #[cfg(unix)]
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Self::Unix(_, path) = self {
            // A socket that is left is replaced by the next daemon.
            let _ = std::fs::remove_file(path);
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where connections are received.
#[derive(Clone)]
struct Hall {
    router: Router,
    limits: Limits,
    app: App,
    /// Places of those who are told that there is no seat.
    standing: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Hall {
    async fn receive(self, listener: Listener) {
        let mut connections = JoinSet::new();
        let mut failures = Failures::default();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = closed(self.closing.clone()) => break,
            };
            match (accepted, self.app.seats.clone().try_acquire_owned()) {
                (Ok(stream), Ok(seat)) => {
                    connections.spawn(self.clone().serve(stream, seat));
                }
                (Ok(stream), Err(_)) => {
                    let refused = &self.app.refused.connections;
                    refused.fetch_add(1, Ordering::Relaxed);
                    if let Ok(place) = self.standing.clone().try_acquire_owned() {
                        let head_bytes = self.limits.head_bytes;
                        connections.spawn(async move {
                            refuse(stream, head_bytes).await;
                            drop(place);
                        });
                    }
                }
                (Err(error), _) => {
                    failures.note(&error);
                    self.app.refused.accepts.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    /// Serves a connection; its seat is free when it is over, and the socket that came of it, too.
    async fn serve(self, stream: Box<dyn Stream>, seat: OwnedSemaphorePermit) {
        // What the connection has left of its requests goes with each of them.
        let router = self.router.layer(Extension(Connection::new(seat)));
        let service = TowerToHyperService::new(router);
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.head_timeout)
                .max_headers(self.limits.headers)
                .max_header_size(self.limits.head_bytes)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = closed(self.closing) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "api: connection ended");
        }
    }
}

/// Accepting that fails: want of file descriptors lasts, and fails ten times a second.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    told: Option<Instant>,
}

impl Failures {
    /// Counts a failure; the log has one line in [`FAILURES_TOLD_EVERY`] for all of them.
    fn note(&mut self, error: &io::Error) {
        self.count += 1;
        if self
            .told
            .is_none_or(|told| told.elapsed() >= FAILURES_TOLD_EVERY)
        {
            tracing::warn!(%error, count = self.count, "api: accepting failed: new callers wait");
            *self = Self {
                count: 0,
                told: Some(Instant::now()),
            };
        }
    }
}

/// Answers a connection that has no seat, once it has asked: an answer nobody waits for yet may be
/// lost, or taken for the one to another question.
async fn refuse(mut stream: Box<dyn Stream>, head_bytes: usize) {
    const BODY: &str = r#"{"error":{"code":"too_many_connections","message":"all connections of the API are in use","fix":"close some, or try again"}}"#;
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 1\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    // Whoever does not ask or does not read is not served either way.
    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, read_head(&mut stream, head_bytes)).await;
    let telling = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closed over what was not read, the connection would be reset, and the answer lost.
        tokio::io::copy(&mut stream.take(head_bytes as u64), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, telling).await;
}

/// Reads up to the end of a request's head, or of what one may be.
async fn read_head(stream: &mut Box<dyn Stream>, bytes_max: usize) -> io::Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1_024]);
    while head.len() < bytes_max && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => head.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
