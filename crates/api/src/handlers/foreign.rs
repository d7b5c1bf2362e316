//! `/v1/letters/foreign`: what gateways beside the daemon bring into the inbox, and what they take.
//!
//! Invariant: a letter is taken by the gateway whose stream it was told on, or not at all; what a stream left
//! unanswered ends with it, and counts as not taken.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use bruit::{Courier, ForeignName, Posting as Told};
use futures_util::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;

use super::bulletins::{KEEP_ALIVE, contents, json};
use super::{App, Json as Body, Parameters, closed};
use crate::error::ApiError;
use crate::types::{DeliverLetter, DeliveredLetter, Posted, Posting};

/// Most letters without an answer; more are not taken.
const POSTINGS_MAX: usize = 1_024;

/// Letters that a gateway was told of and has not answered for, by number.
#[derive(Default)]
pub(crate) struct Postings(Mutex<Open>);

#[derive(Default)]
struct Open {
    last: u64,
    /// With the number of their stream.
    told: BTreeMap<u64, (u64, Told)>,
}

impl Postings {
    fn next(&self) -> u64 {
        let mut open = self.open();
        open.last += 1;
        open.last
    }

    /// Puts a letter on the list; answers its number, or none when the list is full.
    fn tell(&self, stream: u64, told: Told) -> Option<u64> {
        let number = self.next();
        let mut open = self.open();
        if open.told.len() >= POSTINGS_MAX {
            return None;
        }
        open.told.insert(number, (stream, told));
        Some(number)
    }

    fn take(&self, number: u64) -> Option<Told> {
        self.open().told.remove(&number).map(|(_, told)| told)
    }

    fn forget(&self, stream: u64) {
        self.open().told.retain(|_, (of, _)| *of != stream);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Postings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Postings({})", self.open().told.len())
    }
}

/// Somebody in another system.
fn name(text: &str) -> Result<ForeignName, ApiError> {
    text.parse().map_err(|_| {
        ApiError::bad_request(
            format!("`{}` is nobody in another system", text.escape_debug()),
            "write the system, a colon and the name there, such as k98kurz:8a88e3dd…",
        )
    })
}

pub(crate) async fn deliver(
    State(app): State<App>,
    Body(body): Body<DeliverLetter>,
) -> Result<Json<DeliveredLetter>, ApiError> {
    let from = name(&body.from)?;
    let contents = contents(body.body, body.body_base64)?;
    let id = app.node.deliver(from, contents).await?;
    Ok(Json(DeliveredLetter { id: id.to_string() }))
}

/// One stream of letters; what it left unanswered is forgotten with it.
struct Carrying {
    courier: Courier,
    number: u64,
    app: App,
    _seat: OwnedSemaphorePermit,
}

impl Drop for Carrying {
    fn drop(&mut self) {
        self.app.postings.forget(self.number);
    }
}

/// Letters to a system as server-sent events, each with the number to answer to.
pub(crate) async fn postings(
    State(app): State<App>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let parameters = Parameters::read(&mut request.into_parts().0, &["system"]).await?;
    let system = parameters.one("system")?.unwrap_or_default();
    name(&format!("{system}:anybody"))?;
    let carrying = Carrying {
        _seat: app.stream_seat()?,
        courier: app.node.carry(&system)?,
        number: app.postings.next(),
        app,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events(carrying)).keep_alive(keep_alive))
}

fn events(carrying: Carrying) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(carrying, async |mut carrying| {
        let posting = carrying.next().await?;
        Some((Ok(json(&posting).event("letter")), carrying))
    })
}

impl Carrying {
    /// The next letter; none once the node or the server has stopped.
    async fn next(&mut self) -> Option<Posting> {
        loop {
            let told = tokio::select! {
                told = self.courier.next() => told?,
                () = closed(self.app.closing.clone()) => return None,
            };
            let (to, body) = (told.to.to_string(), crate::types::Body::of(&told.body));
            if let Some(posting) = self.app.postings.tell(self.number, told) {
                return Some(Posting { posting, to, body });
            }
        }
    }
}

pub(crate) async fn posted(
    State(app): State<App>,
    Path(posting): Path<String>,
    Body(posted): Body<Posted>,
) -> Result<Json<Posted>, ApiError> {
    // What is no number is the number of no letter.
    let number = posting.parse().unwrap_or(0);
    let told = app.postings.take(number).ok_or_else(|| {
        ApiError::not_found(
            format!("letter {number} does not wait for an answer"),
            "answer each letter once, while its stream is read",
        )
    })?;
    told.answer(posted.refused.clone().map_or(Ok(()), Err));
    Ok(Json(posted))
}
