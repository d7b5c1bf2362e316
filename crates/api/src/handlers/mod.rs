//! What the routes do, by subject, and what their handlers share.

pub(crate) mod bulletins;
pub(crate) mod bundles;
pub(crate) mod figures;
pub(crate) mod files;
pub(crate) mod foreign;
pub(crate) mod keys;
pub(crate) mod letters;
pub(crate) mod peers;
pub(crate) mod state;
pub(crate) mod tokens;
pub(crate) mod topology;
pub(crate) mod validate;
pub(crate) mod values;
pub(crate) mod ws;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::extract::{FromRequest, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bruit::Node;
use bruit::keys::KeyError;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::MissedTickBehavior;

use crate::error::ApiError;
use crate::gateways::GatewayCounts;
use crate::guard::{self, BODY_BYTES_MAX, Who};
use crate::logbook::LogBook;
use crate::metrics::{Bounded, Usage};
use crate::rate::Bucket;
use crate::series::Charts;
use crate::server::Limits;
use crate::session::Doors;
use crate::text;
use crate::token::Token;
use crate::tokens::{TOKENS_MAX, Tokens};
use crate::types::Scope;

/// Longest time a request's body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the charts get a number.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// What every handler works with.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) node: Node,
    token: Token,
    /// What the node's own token has left of its requests.
    bucket: Arc<Bucket>,
    /// Tokens that were made besides.
    pub(crate) tokens: Tokens,
    /// The way in for browsers.
    pub(crate) doors: Doors,
    /// Where the dashboard is.
    pub(crate) dashboard: Option<SocketAddr>,
    pub(crate) limits: Limits,
    /// What is logged.
    pub(crate) logs: LogBook,
    /// What gateways count.
    pub(crate) gateways: GatewayCounts,
    /// What passed in the last hours.
    pub(crate) charts: Charts,
    /// Seats for connections.
    pub(crate) seats: Arc<Semaphore>,
    pub(crate) refused: Refusals,
    /// Whether the configuration names nobody to link to.
    pub(crate) alone: bool,
    pub(crate) questions: validate::Questions,
    pub(crate) postings: foreign::Postings,
    /// Seats for streams of events.
    streams: Arc<Semaphore>,
    /// Turns true when the server stops: streams end then.
    pub(crate) closing: watch::Receiver<bool>,
}

/// What opens a server, and where a browser comes in.
pub(crate) struct Keys {
    pub(crate) token: Token,
    pub(crate) tokens: Tokens,
    pub(crate) dashboard: Option<SocketAddr>,
    pub(crate) logs: LogBook,
    pub(crate) gateways: GatewayCounts,
    pub(crate) alone: bool,
}

/// How often each bound refused somebody.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    pub(crate) connections: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) tokens: AtomicU64,
    /// Callers that the system did not let in.
    pub(crate) accepts: AtomicU64,
}

impl App {
    /// What serves `node` as `keys` and `limits` allow.
    pub(crate) fn new(
        node: Node,
        keys: Keys,
        limits: Limits,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Shared {
            node,
            token: keys.token,
            bucket: Arc::default(),
            tokens: keys.tokens,
            doors: Doors::default(),
            dashboard: keys.dashboard,
            limits,
            logs: keys.logs,
            gateways: keys.gateways,
            charts: Charts::default(),
            seats: Arc::new(Semaphore::new(limits.connections)),
            refused: Refusals::default(),
            alone: keys.alone,
            questions: validate::Questions::default(),
            postings: foreign::Postings::default(),
            streams: Arc::new(Semaphore::new(limits.streams)),
            closing,
        }))
    }

    /// Whose token `offered` is: the node's own is for everything.
    pub(crate) fn who(&self, offered: &str) -> Option<Who> {
        if self.token.matches(offered) {
            let bucket = Arc::clone(&self.bucket);
            let scope = Scope::Admin;
            return Some(Who { scope, bucket });
        }
        let (scope, bucket) = self.tokens.find(offered)?;
        Some(Who { scope, bucket })
    }

    /// A link that opens the dashboard once; none when it is not served.
    pub(crate) fn dashboard_link(&self) -> Result<Option<String>, KeyError> {
        let link = |address| {
            let code = self.doors.code()?.to_hex();
            Ok(format!("http://{address}/ui/login?once={}", *code))
        };
        self.dashboard.map(link).transpose()
    }

    /// A seat for a stream, kept until it ends.
    pub(crate) fn stream_seat(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.streams.clone().try_acquire_owned().map_err(|_| {
            self.refused.streams.fetch_add(1, Ordering::Relaxed);
            ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                "all streams of the API are in use",
                "end a subscription, or take several topics in one",
            )
        })
    }

    /// What the API itself counts.
    pub(crate) fn usage(&self) -> Usage {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let bounded = |limit: usize, used: usize, refused: &AtomicU64| Bounded {
            limit: count(limit),
            used: count(used),
            refused: refused.load(Ordering::Relaxed),
        };
        let (limits, refused) = (&self.limits, &self.refused);
        let taken = |most: usize, left: &Semaphore| most.saturating_sub(left.available_permits());
        Usage {
            connections: bounded(
                limits.connections,
                taken(limits.connections, &self.seats),
                &refused.connections,
            ),
            streams: bounded(
                limits.streams,
                taken(limits.streams, &self.streams),
                &refused.streams,
            ),
            tokens: bounded(TOKENS_MAX, self.tokens.list().len(), &refused.tokens),
            requests_per_s: limits.requests_per_s,
            requests_refused: refused.requests.load(Ordering::Relaxed),
            accepts_failed: refused.accepts.load(Ordering::Relaxed),
            tasks: count(
                tokio::runtime::Handle::current()
                    .metrics()
                    .num_alive_tasks(),
            ),
        }
    }

    /// Keeps what the node counts, once a second, for the charts.
    pub(crate) async fn watch(self) {
        let mut tick = tokio::time::interval(SAMPLE_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = closed(self.closing.clone()) => return,
            }
            // One that has ended counts nothing, and the charts have a gap.
            if let Some(figures) = self.node.figures().await {
                self.charts.note(&figures, now_ms());
            }
        }
    }

    /// That the node runs: what one that has ended answers is empty, and not true.
    pub(crate) fn is_served(&self) -> Result<(), ApiError> {
        if self.node.has_ended() {
            Err(ApiError::closed())
        } else {
            Ok(())
        }
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Resolves when the server stops.
pub(crate) async fn closed(mut closing: watch::Receiver<bool>) {
    // A sender that is gone has stopped, too.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// A JSON body, bounded in bytes and time.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = tokio::time::timeout(BODY_TIMEOUT, collect(request.into_body()))
            .await
            .map_err(|_| too_slow())??;
        serde_json::from_slice(&bytes).map(Json).map_err(|error| {
            ApiError::bad_request(
                format!("the body is not the JSON expected here: {error}"),
                "compare it with the request's description: keys, types, commas",
            )
        })
    }
}

async fn collect(body: Body) -> Result<bytes::Bytes, ApiError> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(guard::too_long()),
        Err(_) => Err(ApiError::bad_request(
            "the body broke off",
            "send it whole, with its right Content-Length",
        )),
    }
}

fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "too_slow",
        format!("the body took longer than {} s", BODY_TIMEOUT.as_secs()),
        "send it at once",
    )
}

/// The query's parameters in order. A name no route reads is an error, so that none is mistyped.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) async fn read(parts: &mut Parts, known: &[&str]) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, &())
            .await
            .map_err(|error| ApiError::bad_request(error.to_string(), "encode it as a query"))?;
        match pairs
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            None => Ok(Self(pairs)),
            Some((name, _)) => Err(ApiError::bad_request(
                format!("there is no parameter `{}` here", name.escape_debug()),
                match known {
                    [] => "leave it out".to_owned(),
                    known => format!("use {}", known.join(", ")),
                },
            )),
        }
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let named = self.0.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn one(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.all(name).as_mut_slice() {
            [] => Ok(None),
            [value] => Ok(Some(std::mem::take(value))),
            _ => Err(ApiError::bad_request(
                format!("`{name}` stands there more than once"),
                "give it once",
            )),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.one(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(other) => Err(ApiError::bad_request(
                format!("`{name}` is `{}`", other.escape_debug()),
                format!("write {name}=true or {name}=false"),
            )),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |text: String| {
            text.parse().map_err(|_| {
                ApiError::bad_request(
                    format!("`{name}` is no number: {}", text.escape_debug()),
                    format!("write {name} as a number, or leave it out"),
                )
            })
        };
        self.one(name)?.map(parse).transpose()
    }

    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        self.one(name)?
            .map(|text| duration(name, &text))
            .transpose()
    }
}

/// The duration `text` of the field `name`.
pub(crate) fn duration(name: &str, text: &str) -> Result<Duration, ApiError> {
    text::duration(text).map_err(|error| {
        ApiError::bad_request(
            format!("{name}: {error}"),
            format!("write {name} like 10s or 1h"),
        )
    })
}

/// This machine's wall clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
