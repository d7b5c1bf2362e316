//! The one check before every handler: who may ask, from where, and how much at a time.
//!
//! A browser on this machine is the attacker to think of: any page it shows can send requests to a
//! loopback port. So a request with an `Origin` other than this server's is refused, a `Host` that is
//! no name of this machine is refused (DNS rebinding), and everything but the health checks and the
//! dashboard's files needs the token, in a header that no page can set without asking first, or a
//! session's cookie. A cookie comes along with whatever any page on this machine asks for, so such a
//! request must also prove that a page of ours sent it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use tokio::sync::OwnedSemaphorePermit;

use crate::error::ApiError;
use crate::handlers::App;
use crate::rate::Bucket;
use crate::routes::{self, Access};
use crate::session;
use crate::types::Scope;

/// Most bytes of a request's body.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// Most bytes of a content that comes as it is.
pub(crate) const FILE_BYTES_MAX: usize = 16 << 20;
/// Where it comes, and how it is declared: as nothing a form of a web page can post without asking.
const FILES: &str = "/v1/files";
const FILE_TYPE: &str = "application/octet-stream";

/// Where verdicts come.
const ANSWERS: &str = "/v1/validate/{question}";

/// Names that can only mean this machine.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// Query parameters that look like a token in the URL, where logs and histories would keep it.
const TOKEN_PARAMETERS: [&str; 4] = ["token", "access_token", "api_key", "authorization"];

/// A connection: what it has left of its requests, and its seat, for who takes it over.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    bucket: Arc<Bucket>,
    _seat: Arc<OwnedSemaphorePermit>,
}

impl Connection {
    pub(crate) fn new(seat: OwnedSemaphorePermit) -> Self {
        Self {
            bucket: Arc::default(),
            _seat: Arc::new(seat),
        }
    }
}

/// Who asks, as far as it was asked: handlers find it among the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    /// What they may do.
    pub(crate) scope: Scope,
    /// What they have left of their requests.
    pub(crate) bucket: Arc<Bucket>,
}

impl Who {
    /// Takes one request out of what they have left.
    pub(crate) fn take(&self, app: &App) -> Result<(), ApiError> {
        take(app, &self.bucket)
    }

    /// That they may do what asks for `needed`.
    pub(crate) fn may(&self, needed: Scope) -> Result<(), ApiError> {
        if self.scope >= needed {
            return Ok(());
        }
        let (has, needed) = (self.scope.as_str(), needed.as_str());
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "scope",
            format!("the token is for `{has}`, and this takes one for `{needed}`"),
            format!("make one with `bruit token create --scope {needed}`"),
        ))
    }
}

/// Lets a request pass, or answers it with the first thing that is wrong with it.
pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match check(&app, &request) {
        Ok(who) => {
            if let Some(who) = who {
                request.extensions_mut().insert(who);
            }
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn check(app: &App, request: &Request) -> Result<Option<Who>, ApiError> {
    host(request)?;
    origin(request.headers())?;
    token_in_url(request.uri())?;
    let who = match access(request).scope() {
        None => None,
        Some(needed) => {
            let who = admit(app, request)?;
            who.may(needed)?;
            Some(who)
        }
    };
    if !is_answer(request) {
        rate(app, request, who.as_ref())?;
    }
    content_type(request)?;
    length(request)?;
    Ok(who)
}

/// What the route asks for; unknown paths and methods ask for a token, whichever.
fn access(request: &Request) -> Access {
    known(request).unwrap_or(Access::Read)
}

fn known(request: &Request) -> Option<Access> {
    let path = request.extensions().get::<MatchedPath>()?;
    routes::access(request.method(), path.as_str())
}

/// Whether it answers a question of ours: we asked no faster than bulletins came.
fn is_answer(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    request.method() == Method::POST && path.is_some_and(|path| path.as_str() == ANSWERS)
}

/// Requests in a second, over the connection and with the token.
fn rate(app: &App, request: &Request, who: Option<&Who>) -> Result<(), ApiError> {
    if let Some(Connection { bucket, .. }) = request.extensions().get() {
        take(app, bucket)?;
    }
    who.map_or(Ok(()), |who| who.take(app))
}

fn take(app: &App, bucket: &Bucket) -> Result<(), ApiError> {
    let per_s = app.limits.requests_per_s;
    bucket.take(per_s).map_err(|wait| {
        app.refused.requests.fetch_add(1, Ordering::Relaxed);
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            format!("there were more than {per_s} requests in a second"),
            format!(
                "go on in {} ms, or write more for requests_per_s under [api]",
                wait.as_millis() + 1
            ),
        )
    })
}

/// The one `Host` header, and the authority of an absolute URI where there is one, name this
/// machine.
fn host(request: &Request) -> Result<(), ApiError> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let header = headers.next().and_then(|value| value.to_str().ok());
    let authority = request.uri().authority();
    let one = headers.next().is_none();
    if one && header.is_some_and(is_local) && authority.is_none_or(|named| is_local(named.as_str()))
    {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "host_refused",
        "the Host header names another machine",
        "ask for http://localhost/ or http://127.0.0.1:PORT/",
    ))
}

/// Whether `host`, with or without port, can only mean this machine.
fn is_local(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let port = |rest: &str| {
        let port = rest.strip_prefix(':').map(str::parse::<u16>);
        rest.is_empty() || matches!(port, Some(Ok(_)))
    };
    HOSTS
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(port))
}

/// A page that asks is one of ours.
fn origin(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers
        .get_all(header::ORIGIN)
        .iter()
        .all(|origin| is_own(origin, headers))
    {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "origin_refused",
        "the request comes from a foreign page in a browser",
        "ask from a program, without an Origin header",
    ))
}

/// Whether `origin` is the server the request names as its own.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let named = origin.as_bytes().strip_prefix(b"http://");
    named.is_some() && named == host
}

/// Whether a request with a cookie was sent by a page of ours: browsers say so, and no page can make
/// them say otherwise.
fn is_from_own_page(request: &Request) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site") {
        let is_typed = site == "none" && request.method().is_safe();
        return site == "same-origin" || is_typed;
    }
    // An origin that is not ours was refused already.
    headers.contains_key(header::ORIGIN)
}

fn token_in_url(uri: &Uri) -> Result<(), ApiError> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut names = pairs.map(|pair| pair.split('=').next().unwrap_or_default());
    if !names.any(|name| TOKEN_PARAMETERS.contains(&name.to_ascii_lowercase().as_str())) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::BAD_REQUEST,
        "token_in_url",
        "the URL carries a token, and URLs end up in logs",
        "send the header `Authorization: Bearer TOKEN`, and make a new token if this one was real",
    ))
}

/// By its token, or as a browser's session.
fn admit(app: &App, request: &Request) -> Result<Who, ApiError> {
    let headers = request.headers();
    if headers.contains_key(header::AUTHORIZATION) || !session::is_offered(headers) {
        return token(app, headers);
    }
    if !is_from_own_page(request) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "origin_refused",
            "the request has a browser's cookie, and nothing shows that the dashboard sent it",
            "use the dashboard, or ask with a token in place of the cookie",
        ));
    }
    let scope = Scope::Admin;
    let session = app.doors.session(headers);
    session.map(|bucket| Who { scope, bucket }).ok_or_else(|| {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "session_over",
            "this browser's session is over, or the daemon was started again",
            "open the link that `bruit dashboard` prints",
        )
    })
}

fn token(app: &App, headers: &HeaderMap) -> Result<Who, ApiError> {
    let value = headers.get(header::AUTHORIZATION);
    let value = value.and_then(|value| value.to_str().ok());
    let offered = value.and_then(|value| value.split_once(' '));
    let bearer = offered.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let known = bearer.and_then(|(_, token)| app.who(token.trim()));
    known.ok_or_else(|| {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            match offered {
                Some(_) => "the token is not this node's, or its time is over",
                None => "the request has no token",
            },
            "send the header `Authorization: Bearer TOKEN` with the contents of the file `token` \
             in the node's data folder, or with a token of `bruit token create`",
        )
    })
}

/// A form of a web page can post without asking, but not JSON.
fn content_type(request: &Request) -> Result<(), ApiError> {
    if ![Method::POST, Method::PUT].contains(request.method()) {
        return Ok(());
    }
    let value = request.headers().get(header::CONTENT_TYPE);
    let value = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    if is_file(request) {
        if kind.eq_ignore_ascii_case(FILE_TYPE) {
            return Ok(());
        }
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_octets",
            format!("the content is declared as `{}`", kind.escape_debug()),
            "send the bytes with the header `Content-Type: application/octet-stream`",
        ));
    }
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        format!("the body is declared as `{}`", kind.escape_debug()),
        "send JSON with the header `Content-Type: application/json`",
    ))
}

/// Whether the request brings a content as it is.
fn is_file(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == FILES
}

fn length(request: &Request) -> Result<(), ApiError> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(got) if is_file(request) => {
            if got > FILE_BYTES_MAX as u64 {
                return Err(file_too_long());
            }
            Ok(())
        }
        Some(got) if got > BODY_BYTES_MAX as u64 => Err(too_long()),
        _ => Ok(()),
    }
}

/// The body goes on beyond its bound.
pub(crate) fn too_long() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_big",
        format!("the body has more than {BODY_BYTES_MAX} bytes"),
        "a bulletin carries at most 65536 bytes: publish less at a time",
    )
}

/// A content goes on beyond its bound.
pub(crate) fn file_too_long() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_big",
        format!("the content has more than {FILE_BYTES_MAX} bytes"),
        "cut it into parts of at most 16 MiB, and put each",
    )
}
