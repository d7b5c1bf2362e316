//! `POST /v1/bulletins` and `GET /v1/subscribe`.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use bruit::{Draft, From as Start, Incoming, Subscription, Topics, Wait};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;

use super::{App, Json as Body, Parameters, closed, duration};
use crate::error::ApiError;
use crate::text;
use crate::types::{Body as Contents, Bulletin, Gap, Publish, Published, Subscribe};

/// How often a silent stream says that it lives.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest time a publication waits for its word to come true.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(5);
/// Most bytes of a topic's descriptor.
const TOPIC_BYTES_MAX: usize = 1_024;
/// The topic that gateways to the simple gossip carry out, and the most bytes of a message there.
const SIMPLE_TOPIC: &str = "simple";
const SIMPLE_BYTES_MAX: usize = 1_005;
/// Most topics of one subscription.
const TOPICS_MAX: usize = 256;

pub(crate) async fn publish(
    State(app): State<App>,
    Body(body): Body<Publish>,
) -> Result<Json<Published>, ApiError> {
    let receipt = app.node.publish(draft(body)?).await?;
    Ok(Json(receipt.into()))
}

/// The bulletin a request describes.
pub(crate) fn draft(mut body: Publish) -> Result<Draft, ApiError> {
    let contents = contents(body.body.take(), body.body_base64.take())?;
    topic(&body.topic)?;
    sayable(&body.topic, &contents)?;
    let mut draft = Draft::new(&body.topic, contents);
    if let Some(ttl) = &body.ttl {
        draft = draft.ttl(duration("ttl", ttl)?);
    }
    if let Some(author) = &body.author {
        draft = draft.author(author);
    }
    if let Some(tag) = body.tag {
        draft = draft.tag(tag);
    }
    if let Some(word) = &body.wait {
        draft = draft.wait(wait(word)?);
    }
    if let Some(timeout) = &body.timeout {
        draft = draft.wait_timeout(duration("timeout", timeout)?.min(WAIT_MAX));
    }
    if let Some(bits) = body.max_work {
        draft = draft.max_work(bits);
    }
    Ok(draft)
}

/// The contents of a request, in whichever form they came.
pub(crate) fn contents(
    body: Option<String>,
    body_base64: Option<String>,
) -> Result<Bytes, ApiError> {
    let body = Contents { body, body_base64 };
    body.contents().map_err(|error| {
        ApiError::bad_request(
            error.to_string(),
            "send `body` for text, `body_base64` for the rest",
        )
    })
}

/// The word a publication waits for.
pub(crate) fn wait(word: &str) -> Result<Wait, ApiError> {
    text::wait(word)
        .map_err(|error| ApiError::bad_request(error.to_string(), "leave `wait` out for accepted"))
}

pub(crate) fn topic(topic: &str) -> Result<(), ApiError> {
    if (1..=TOPIC_BYTES_MAX).contains(&topic.len()) {
        return Ok(());
    }
    Err(ApiError::bad_request(
        format!(
            "a topic of {} bytes, from 1 to {TOPIC_BYTES_MAX} are taken",
            topic.len()
        ),
        "choose a shorter name, such as news",
    ))
}

/// Whether `contents` can be said where the topic leads: the simple gossip cuts what is longer than its
/// datagrams, and goes deaf at a byte that is not ASCII.
fn sayable(topic: &str, contents: &[u8]) -> Result<(), ApiError> {
    if topic != SIMPLE_TOPIC {
        return Ok(());
    }
    let (got, max) = (contents.len(), SIMPLE_BYTES_MAX);
    if got > max {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_big",
            format!("a message of {got} bytes exceeds the {max} of the simple gossip"),
            "shorten it, or publish it on another topic",
        ));
    }
    if !contents.is_ascii() {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not_ascii",
            "the simple gossip takes ASCII alone",
            "leave out other characters, or publish it on another topic",
        ));
    }
    Ok(())
}

/// Bulletins as server-sent events. Each event's id is the cursor after it, so that a client that
/// reconnects with `Last-Event-ID` goes on where it was; `gap` events count what it was too slow
/// for. The subscription stands when the answer's head arrives.
pub(crate) async fn subscribe(
    State(app): State<App>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let (topics, start) = wanted(request.into_parts().0).await?;
    let seat = app.stream_seat()?;
    let subscription = app.node.subscribe(topics, start)?;
    let stream = events(subscription, app, seat);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

async fn wanted(mut parts: Parts) -> Result<(Topics, Start), ApiError> {
    let parameters = Parameters::read(&mut parts, &["topic", "all", "since", "cursor"]).await?;
    let last = parts.headers.get("last-event-id");
    let last = last.and_then(|value| value.to_str().ok());
    let (cursor, since) = (parameters.one("cursor")?, parameters.one("since")?);
    chosen(Subscribe {
        topics: parameters.all("topic"),
        all: parameters.flag("all")?,
        // A reader that comes back asks as it did at first, and says where it was.
        since: since.filter(|_| last.is_none()),
        cursor: last.map(str::to_owned).or(cursor),
    })
}

/// What a subscription is to bring, and where it begins.
pub(crate) fn chosen(wish: Subscribe) -> Result<(Topics, Start), ApiError> {
    wish.topics.iter().try_for_each(|name| topic(name))?;
    let topics = match (wish.all, wish.topics.len()) {
        (true, 0) => Topics::All,
        (false, 1..=TOPICS_MAX) => Topics::Named(wish.topics),
        _ => {
            return Err(ApiError::bad_request(
                format!("a subscription takes from 1 to {TOPICS_MAX} topics, or all of them"),
                "name one: /v1/subscribe?topic=news",
            ));
        }
    };
    let since = wish
        .since
        .map(|text| duration("since", &text))
        .transpose()?;
    let start = match (wish.cursor, since) {
        (Some(cursor), None) => Ok(Start::Cursor(cursor)),
        (None, Some(since)) => Ok(Start::Since(since)),
        (None, None) => Ok(Start::Now),
        (Some(_), Some(_)) => Err(ApiError::bad_request(
            "`cursor` and `since` both say where to begin",
            "give one of them",
        )),
    };
    Ok((topics, start?))
}

fn events(
    subscription: Subscription,
    app: App,
    seat: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let all = (subscription, app, seat);
    stream::unfold(all, async |(mut subscription, app, seat)| {
        let incoming = tokio::select! {
            incoming = subscription.next() => incoming?,
            () = closed(app.closing.clone()) => return None,
        };
        Some((Ok(event(incoming)), (subscription, app, seat)))
    })
}

fn event(incoming: Incoming) -> Event {
    match incoming {
        Incoming::Bulletin(received) => {
            let cursor = received.cursor();
            json(&Bulletin::from(*received)).id(cursor)
        }
        Incoming::Gap { missed } => json(&Gap::of(missed)).event("gap"),
    }
}

/// An event with the JSON of `data`.
pub(crate) fn json(data: &impl serde::Serialize) -> Event {
    let text = serde_json::to_string(data).expect("our bodies have text keys and finite numbers");
    Event::default().data(text)
}
