//! `POST /v1/files` and `GET /v1/files/{id}`: large contents, as bytes.
//!
//! A content goes up as the body of one request, and comes down as it arrives at the node, chunk by chunk, from
//! any byte on.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bruit::{BulletinId, ContentId, File, FileError, Put, ValueAddress};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::OwnedSemaphorePermit;

use super::{App, Parameters, closed, duration};
use crate::error::ApiError;
use crate::guard::{self, FILE_BYTES_MAX};
use crate::text;
use crate::types::Kept;

/// Longest time a content may take to come up.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(2);
/// How long a chunk that does not come is waited for when the request does not say.
const GET_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest such wait.
const GET_TIMEOUT_MAX: Duration = Duration::from_mins(5);
/// The BLAKE3 hash of the whole content, in hexadecimal digits.
const HASH: HeaderName = HeaderName::from_static("x-bruit-hash");
/// How many chunks are at the node, and how many there are, as `5/64`.
const CHUNKS: HeaderName = HeaderName::from_static("x-bruit-chunks");
/// Bytes of each chunk but the last.
const CHUNK_BYTES: HeaderName = HeaderName::from_static("x-bruit-chunk-bytes");

/// Puts the body of the request: a content of up to 16 MiB.
pub(crate) async fn put(State(app): State<App>, request: Request) -> Result<Json<Kept>, ApiError> {
    let (mut parts, body) = request.into_parts();
    let known = [
        "name", "topic", "prev", "tag", "ttl", "if_seq", "author", "wait", "timeout", "max_work",
    ];
    let parameters = Parameters::read(&mut parts, &known).await?;
    let whole = tokio::time::timeout(UPLOAD_TIMEOUT, collect(body)).await;
    let whole = whole.map_err(|_| {
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            format!(
                "the content took longer than {} s",
                UPLOAD_TIMEOUT.as_secs()
            ),
            "send it at once",
        )
    })??;
    let put = draft(Put::new(whole), &parameters)?;
    let receipt = app.node.put_file(put).await?;
    Ok(Json(receipt.into()))
}

fn draft(mut put: Put, parameters: &Parameters) -> Result<Put, ApiError> {
    if let Some(name) = parameters.one("name")? {
        put = put.name(name);
    }
    if let Some(topic) = parameters.one("topic")? {
        super::bulletins::topic(&topic)?;
        put = put.topic(topic);
    }
    if let Some(prev) = parameters.one("prev")? {
        put = put.prev(id_of(&prev)?);
    }
    if let Some(tag) = parameters.one("tag")? {
        put = put.tag(tag);
    }
    if let Some(ttl) = parameters.duration("ttl")? {
        put = put.ttl(ttl);
    }
    if let Some(seq) = parameters.number("if_seq")? {
        put = put.if_seq(seq);
    }
    if let Some(author) = parameters.one("author")? {
        put = put.author(author);
    }
    if let Some(word) = parameters.one("wait")? {
        let wait = text::wait(&word);
        put = put.wait(wait.map_err(|error| {
            ApiError::bad_request(error.to_string(), "leave `wait` out for accepted")
        })?);
    }
    if let Some(timeout) = parameters.one("timeout")? {
        put = put.wait_timeout(duration("timeout", &timeout)?.min(GET_TIMEOUT_MAX));
    }
    if let Some(bits) = parameters.number("max_work")? {
        put = put.max_work(u8::try_from(bits).unwrap_or(u8::MAX));
    }
    Ok(put)
}

fn id_of(text: &str) -> Result<BulletinId, ApiError> {
    text.parse().map_err(|error: bruit::ParseIdError| {
        ApiError::bad_request(error.to_string(), "give the whole id")
    })
}

async fn collect(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, FILE_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(guard::file_too_long()),
        Err(_) => Err(ApiError::bad_request(
            "the content broke off",
            "send it whole, with its right Content-Length",
        )),
    }
}

/// The content of a manifest, or of any bulletin: from the byte on that `Range: bytes=FROM-` names.
pub(crate) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut parts = request.into_parts().0;
    let parameters = Parameters::read(&mut parts, &["timeout"]).await?;
    let timeout = parameters.duration("timeout")?.unwrap_or(GET_TIMEOUT);
    let timeout = timeout.min(GET_TIMEOUT_MAX);
    let address = ValueAddress::Id(id_of(&id)?);
    let found = app.node.get(&address, timeout).await;
    app.is_served()?;
    let found = found.map_err(|error| unreadable(&error.into()))?;
    let value = found.ok_or_else(|| {
        ApiError::not_found(
            format!("nobody had {address} within {timeout:?}"),
            "wait longer with ?timeout=, or see `bruit ls` for what is held here",
        )
    })?;
    let Some(file) = app.node.file(&value) else {
        let hash = ContentId::of(&value.body).to_string();
        let range = range(&parts.headers, value.body.len() as u64)?;
        let body = value.body.slice(to_usize(range.start)..to_usize(range.end));
        return Ok(range.answer(Body::from(body), &hash));
    };
    let chunks = file.progress().await.unwrap_or(0);
    let range = range(&parts.headers, file.bytes().into())?;
    let seat = app.stream_seat()?;
    let hash = file.hash().to_string();
    let (all, chunk_bytes) = (file.chunks(), file.chunk_bytes());
    let content = content(file, &range, timeout, app, seat);
    let mut response = range.answer(Body::from_stream(content), &hash);
    let headers = response.headers_mut();
    headers.insert(CHUNKS, plain(&format!("{chunks}/{all}")));
    headers.insert(CHUNK_BYTES, plain(&chunk_bytes.to_string()));
    Ok(response)
}

/// The chunks of a range as they come; an error where none does, so that nobody takes a part for the whole.
fn content(
    file: File,
    range: &Range,
    timeout: Duration,
    app: App,
    seat: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, FileError>> + use<> {
    let all = (file, range.start, range.end, timeout, app, seat);
    stream::unfold(Some(all), async |all| {
        let (file, at, end, timeout, app, seat) = all?;
        if at >= end {
            return None;
        }
        let chunk_bytes = u64::from(file.chunk_bytes());
        let index = u32::try_from(at / chunk_bytes).unwrap_or(u32::MAX);
        let chunk = tokio::select! {
            chunk = file.chunk(index, timeout) => chunk,
            () = closed(app.closing.clone()) => Err(FileError::Closed),
        };
        match chunk {
            Err(error) => Some((Err(error), None)),
            Ok(chunk) => {
                let skipped = to_usize(at % chunk_bytes);
                let most = to_usize(end - at);
                let part = chunk.slice(skipped..chunk.len().min(skipped.saturating_add(most)));
                let at = at + part.len() as u64;
                Some((Ok(part), Some((file, at, end, timeout, app, seat))))
            }
        }
    })
}

/// Which bytes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: u64,
    end: u64,
    total: u64,
    is_part: bool,
}

impl Range {
    fn answer(self, body: Body, hash: &str) -> Response {
        let mut response = body.into_response();
        if self.is_part {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let headers = response.headers_mut();
        let octets = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, octets);
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(
            header::CONTENT_LENGTH,
            plain(&(self.end - self.start).to_string()),
        );
        headers.insert(HASH, plain(hash));
        if self.is_part {
            let (first, last) = (self.start, self.end.saturating_sub(1));
            let range = format!("bytes {first}-{last}/{}", self.total);
            headers.insert(header::CONTENT_RANGE, plain(&range));
        }
        response
    }
}

/// The range a request names: `bytes=FROM-` or `bytes=FROM-LAST`; other forms ask for all.
fn range(headers: &axum::http::HeaderMap, total: u64) -> Result<Range, ApiError> {
    let whole = Range {
        start: 0,
        end: total,
        total,
        is_part: false,
    };
    let text = headers
        .get(header::RANGE)
        .and_then(|text| text.to_str().ok());
    let ends = text
        .and_then(|text| text.strip_prefix("bytes="))
        .and_then(|ends| ends.split_once('-'));
    let Some((first, last)) = ends else {
        return Ok(whole);
    };
    let (Ok(start), last) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return Ok(whole);
    };
    let end = last.map_or(total, |last| last.saturating_add(1).min(total));
    if start >= end {
        return Err(ApiError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "no_such_range",
            format!("it has {total} bytes, and the range begins at {start}"),
            "ask for all of it again",
        ));
    }
    Ok(Range {
        start,
        end,
        total,
        is_part: true,
    })
}

fn unreadable(error: &FileError) -> ApiError {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "store_failed",
        error.to_string(),
        "see the daemon's log, and restart it",
    )
}

fn plain(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits and letters")
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Range, ApiError> {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(text).unwrap());
        range(&headers, 100)
    }

    #[test]
    fn a_range_begins_where_it_says_and_never_goes_beyond_the_end() {
        let part = |start, end| Range {
            start,
            end,
            total: 100,
            is_part: true,
        };
        assert_eq!(asked("bytes=40-"), Ok(part(40, 100)));
        assert_eq!(asked("bytes=0-9"), Ok(part(0, 10)));
        assert_eq!(asked("bytes=99-1000"), Ok(part(99, 100)));
        assert_eq!(
            asked("bytes=100-").unwrap_err().status,
            StatusCode::RANGE_NOT_SATISFIABLE
        );
        assert_eq!(
            asked("bytes=9-8").unwrap_err().status,
            StatusCode::RANGE_NOT_SATISFIABLE
        );
        for other in ["bytes=-5", "lines=1-2", "bytes=1-2,5-6x", "bytes=x-"] {
            let all = asked(other).map(|range| range.is_part);
            assert!(all.is_ok(), "{other}");
        }
        assert_eq!(
            range(&axum::http::HeaderMap::new(), 7).map(|all| (all.start, all.end)),
            Ok((0, 7))
        );
    }
}
