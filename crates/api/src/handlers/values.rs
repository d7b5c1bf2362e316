//! `/v1/values`: put, get, list, delete, follow; `POST /v1/bulletins/{id}/boost`.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use bruit::store::StoreError;
use bruit::{AuthorId, BulletinId, Filter, Followed, Following, Put, Value, ValueAddress};
use futures_util::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;

use super::bulletins::{KEEP_ALIVE, WAIT_MAX, contents, json, topic, wait};
use super::{App, Json as Body, Parameters, closed, duration, now_ms};
use crate::error::ApiError;
use crate::types::{Boost, Deleted, Kept, Listed, Paid, PutValue, WholeValue};

/// How long a value is looked for when the request does not say.
const GET_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bulletins of one list: the latest.
const LISTED_MAX: usize = 100_000;
/// Fewest characters of an id's beginning.
const PREFIX_CHARS_MIN: usize = 8;
/// Characters of a whole id.
const ID_CHARS: usize = 64;

pub(crate) async fn put(
    State(app): State<App>,
    Body(mut body): Body<PutValue>,
) -> Result<Json<Kept>, ApiError> {
    let contents = contents(body.body.take(), body.body_base64.take())?;
    let mut put = body.put(contents);
    if let Some(name) = &body.topic {
        topic(name)?;
    }
    if let Some(prev) = &body.prev {
        put = put.prev(bulletin_id(&app, prev)?);
    }
    if let Some(ttl) = &body.ttl {
        put = put.ttl(duration("ttl", ttl)?);
    }
    if let Some(word) = &body.wait {
        put = put.wait(wait(word)?);
    }
    if let Some(timeout) = &body.timeout {
        put = put.wait_timeout(duration("timeout", timeout)?.min(WAIT_MAX));
    }
    Ok(Json(app.node.put(put).await?.into()))
}

pub(crate) async fn list(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Vec<Listed>>, ApiError> {
    let mut parts = request.into_parts().0;
    let known = [
        "all", "topic", "author", "name", "tag", "since", "contains", "mine",
    ];
    let parameters = Parameters::read(&mut parts, &known).await?;
    let authors = match (parameters.one("author")?, parameters.flag("mine")?) {
        (None, false) => None,
        (None, true) => Some(app.node.authors().into_iter().map(|key| key.id).collect()),
        (Some(author), false) => Some(authors(&app, &author, None).await?),
        (Some(_), true) => {
            return Err(ApiError::bad_request(
                "`author` and `mine` both say whose",
                "give one of them",
            ));
        }
    };
    let filter = Filter {
        all: parameters.flag("all")?,
        topic: parameters.one("topic")?,
        authors,
        name: parameters.one("name")?,
        tag: parameters.one("tag")?.map(String::into_bytes),
        since: parameters.duration("since")?,
        contains: parameters.one("contains")?,
    };
    app.is_served()?;
    let listed = app
        .node
        .list(&filter, LISTED_MAX)
        .await
        .map_err(|error| unreadable(&error))?;
    app.is_served()?;
    let now_ms = now_ms();
    let listed = listed.into_iter().map(|value| Listed::of(value, now_ms));
    Ok(Json(listed.collect()))
}

/// Any bulletin by its id.
pub(crate) async fn by_id(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<WholeValue>, ApiError> {
    let address = ValueAddress::Id(bulletin_id(&app, &id)?);
    get(&app, &[address], request.into_parts().0).await
}

/// The latest version of a name.
pub(crate) async fn by_name(
    State(app): State<App>,
    Path((author, name)): Path<(String, String)>,
    request: Request,
) -> Result<Json<WholeValue>, ApiError> {
    let authors = authors(&app, &author, Some(&name)).await?;
    let address = |author| ValueAddress::Name {
        author,
        name: name.clone(),
    };
    let addresses: Vec<_> = authors.into_iter().map(address).collect();
    get(&app, &addresses, request.into_parts().0).await
}

/// The only one of `addresses`, from here or from others.
async fn get(
    app: &App,
    addresses: &[ValueAddress],
    mut parts: Parts,
) -> Result<Json<WholeValue>, ApiError> {
    let parameters = Parameters::read(&mut parts, &["timeout"]).await?;
    let timeout = parameters.duration("timeout")?.unwrap_or(GET_TIMEOUT);
    app.is_served()?;
    let address = only(addresses)?;
    let found = app.node.get(address, timeout.min(WAIT_MAX)).await;
    let found = found.map_err(|error| unreadable(&error))?;
    app.is_served()?;
    let value: Value = found.ok_or_else(|| {
        ApiError::not_found(
            format!("nobody had {address} within {timeout:?}"),
            "see `bruit ls` for what is held here, or wait longer with --timeout",
        )
    })?;
    Ok(Json(value.into()))
}

pub(crate) async fn delete(
    State(app): State<App>,
    Path((author, name)): Path<(String, String)>,
) -> Result<Json<Kept>, ApiError> {
    let ours = app.node.authors();
    let key = ours
        .iter()
        .find(|key| key.name == author || key.id.to_string() == author);
    let Some(key) = key else {
        return Err(ApiError::not_found(
            format!("no author key here is {}", author.escape_debug()),
            "only the author can delete a value: `bruit id keys list` shows yours",
        ));
    };
    let like = Put::new("").author(&key.name);
    Ok(Json(app.node.delete(&name, like).await?.into()))
}

pub(crate) async fn boost(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(body): Body<Boost>,
) -> Result<Json<Paid>, ApiError> {
    let id = bulletin_id(&app, &id)?;
    Ok(Json(app.node.boost(id, body.bits).await?.into()))
}

/// The versions of a name as server-sent events: the present one, then each later one; `deleted`
/// when it ends.
pub(crate) async fn follow(
    State(app): State<App>,
    Path((author, name)): Path<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    app.is_served()?;
    let authors = authors(&app, &author, Some(&name)).await?;
    let author = *only(&authors)?;
    let seat = app.stream_seat()?;
    let following = app.node.follow(author, &name)?;
    let stream = versions(following, app, seat);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn versions(
    following: Following,
    app: App,
    seat: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let all = (following, app, seat);
    stream::unfold(all, async |(mut following, app, seat)| {
        let followed = tokio::select! {
            followed = following.next() => followed?,
            () = closed(app.closing.clone()) => return None,
        };
        let event = match followed {
            Followed::Value(value) => json(&WholeValue::from(*value)),
            Followed::Deleted { id, seq } => {
                let deleted = Deleted {
                    event: "deleted".to_owned(),
                    id: id.to_string(),
                    seq,
                };
                json(&deleted).event("deleted")
            }
        };
        Some((Ok(event), (following, app, seat)))
    })
}

/// The bulletin a text means: a whole id, or the beginning of one that is held here.
pub(crate) fn bulletin_id(app: &App, text: &str) -> Result<BulletinId, ApiError> {
    if text.len() >= ID_CHARS || text.len() < PREFIX_CHARS_MIN {
        return text.parse().map_err(|error: bruit::ParseIdError| {
            ApiError::bad_request(
                error.to_string(),
                format!("give the whole id, or at least {PREFIX_CHARS_MIN} characters of it"),
            )
        });
    }
    let held = app.node.with_prefix(text);
    match held.as_slice() {
        [id] => Ok(*id),
        [] => Err(ApiError::not_found(
            format!("nothing held here begins with {}", text.escape_debug()),
            "give the whole id, or see `bruit ls`",
        )),
        several => Err(ApiError::bad_request(
            format!("{} ids begin with {text}", several.len()),
            "give more characters",
        )),
    }
}

/// The authors a text means: a key of this node by name, a whole id, or the beginning of one of which
/// something is held, with this name when one is given.
async fn authors(app: &App, text: &str, name: Option<&str>) -> Result<Vec<AuthorId>, ApiError> {
    let ours = app.node.authors();
    if let Some(key) = ours.iter().find(|key| key.name == text) {
        return Ok(vec![key.id]);
    }
    if let Ok(id) = text.parse() {
        return Ok(vec![id]);
    }
    if text.len() < PREFIX_CHARS_MIN {
        return Err(ApiError::bad_request(
            format!("{} is no author", text.escape_debug()),
            "give an author's id, at least 8 characters of it, or the name of a key of yours",
        ));
    }
    let filter = Filter {
        all: true,
        name: name.map(str::to_owned),
        ..Filter::default()
    };
    app.is_served()?;
    let held = app
        .node
        .list(&filter, LISTED_MAX)
        .await
        .map_err(|error| unreadable(&error))?;
    let mut found: Vec<_> = held
        .into_iter()
        .map(|value| value.author)
        .chain(ours.into_iter().map(|key| key.id))
        .filter(|id| id.to_string().starts_with(text))
        .collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(ApiError::not_found(
            format!("nothing held here is by an author {}", text.escape_debug()),
            "give the author's whole id",
        ));
    }
    Ok(found)
}

fn only<T>(found: &[T]) -> Result<&T, ApiError> {
    match found {
        [one] => Ok(one),
        several => Err(ApiError::bad_request(
            format!("{} authors begin so", several.len()),
            "give more characters",
        )),
    }
}

fn unreadable(error: &StoreError) -> ApiError {
    ApiError::new(
        axum::http::StatusCode::INTERNAL_SERVER_ERROR,
        "store_failed",
        error.to_string(),
        "see the daemon's log, and restart it",
    )
}
