//! `/v1/letters`: send, list, read, follow, rotate; `/v1/letters/contacts`.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use bruit::{AuthorId, ForeignName, LETTER_CODE_HONOURED, LetterDraft, LetterState, Mail};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;

use super::bulletins::{KEEP_ALIVE, WAIT_MAX, contents, json};
use super::{App, Json as Body, Parameters, closed, duration};
use crate::error::ApiError;
use crate::types::{Contact, ReceivedLetter, Removed, Rotate, Rotated, SendLetter, SentLetter};

/// Fewest characters of an id's beginning.
const PREFIX_CHARS_MIN: usize = 8;

pub(crate) async fn send(
    State(app): State<App>,
    Body(mut body): Body<SendLetter>,
) -> Result<Json<SentLetter>, ApiError> {
    let contents = contents(body.body.take(), body.body_base64.take())?;
    if let Ok(to) = body.to.parse()
        && !is_contact(&app, &body.to).await?
    {
        return send_foreign(&app, to, &body, contents).await;
    }
    let mut draft = LetterDraft::new(recipient(&app, &body.to).await?, contents);
    if let Some(ttl) = &body.ttl {
        draft = draft.ttl(duration("ttl", ttl)?);
    }
    if let Some(author) = body.author {
        draft = draft.author(author);
    }
    if let Some(word) = &body.wait {
        draft = draft.wait(wait(word)?);
    }
    if let Some(timeout) = &body.timeout {
        draft = draft.wait_timeout(duration("timeout", timeout)?.min(WAIT_MAX));
    }
    Ok(Json(app.node.send(draft).await?.into()))
}

/// Sends a letter by a gateway, which has no choices to make.
async fn send_foreign(
    app: &App,
    to: ForeignName,
    body: &SendLetter,
    contents: Bytes,
) -> Result<Json<SentLetter>, ApiError> {
    if body.ttl.is_some() || body.author.is_some() || body.wait.as_deref() == Some("acknowledged") {
        return Err(ApiError::bad_request(
            "a letter to another system has no life, author or acknowledgement",
            "leave out ttl, author and wait",
        ));
    }
    Ok(Json(app.node.send_foreign(to, contents).await?.into()))
}

fn wait(word: &str) -> Result<LetterState, ApiError> {
    use LetterState::{Acknowledged, Published, Queued};
    let known = [Queued, Published, Acknowledged];
    let found = known.into_iter().find(|state| state.as_str() == word);
    found.ok_or_else(|| {
        ApiError::bad_request(
            format!("`{}` is nothing to wait for", word.escape_debug()),
            "wait for queued, published or acknowledged",
        )
    })
}

pub(crate) async fn outbox(State(app): State<App>) -> Result<Json<Vec<SentLetter>>, ApiError> {
    let letters = app.node.outbox().await?.into_iter();
    Ok(Json(letters.map(SentLetter::from).collect()))
}

pub(crate) async fn sent(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<SentLetter>, ApiError> {
    let letters = app.node.outbox().await?;
    let ids = letters.iter().map(|letter| letter.id).collect();
    let id = one_of(&id, ids, "letter of yours", "`bruit outbox` lists them")?;
    let letter = letters.into_iter().find(|letter| letter.id == id);
    letter
        .map(|letter| Json(letter.into()))
        .ok_or_else(ApiError::closed)
}

pub(crate) async fn inbox(State(app): State<App>) -> Result<Json<Vec<ReceivedLetter>>, ApiError> {
    let letters = app.node.inbox().await?.into_iter();
    Ok(Json(letters.map(ReceivedLetter::from).collect()))
}

pub(crate) async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Removed>, ApiError> {
    let letters = app.node.inbox().await?;
    let ids = letters.iter().map(|letter| letter.id).collect();
    let id = one_of(&id, ids, "letter to you", "`bruit inbox` lists them")?;
    app.node.remove_letter(id).await?;
    Ok(Json(Removed { id: id.to_string() }))
}

/// Letters as server-sent events, as they come; with `all`, those that are there first.
pub(crate) async fn mail(
    State(app): State<App>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let parameters = Parameters::read(&mut request.into_parts().0, &["all"]).await?;
    let all = parameters.flag("all")?;
    let seat = app.stream_seat()?;
    let stream = letters(app.node.mail(all).await?, app, seat);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn letters(
    mail: Mail,
    app: App,
    seat: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((mail, app, seat), async |(mut mail, app, seat)| {
        let letter = tokio::select! {
            letter = mail.next() => letter?,
            () = closed(app.closing.clone()) => return None,
        };
        let event = json(&ReceivedLetter::from(letter));
        Some((Ok(event), (mail, app, seat)))
    })
}

pub(crate) async fn rotate(
    State(app): State<App>,
    Body(Rotate {}): Body<Rotate>,
) -> Result<Json<Rotated>, ApiError> {
    Ok(Json(Rotated {
        told: app.node.rotate().await?,
        honoured_s: LETTER_CODE_HONOURED.as_secs(),
    }))
}

pub(crate) async fn contacts(State(app): State<App>) -> Result<Json<Vec<Contact>>, ApiError> {
    let contacts = app.node.contacts().await?.into_iter();
    Ok(Json(contacts.map(Contact::from).collect()))
}

pub(crate) async fn add_contact(
    State(app): State<App>,
    Body(body): Body<Contact>,
) -> Result<Json<Contact>, ApiError> {
    let contact = bruit::Contact {
        id: recipient(&app, &body.id).await?,
        name: body.name,
    };
    app.node.add_contact(contact.clone()).await?;
    Ok(Json(contact.into()))
}

pub(crate) async fn remove_contact(
    State(app): State<App>,
    Path(text): Path<String>,
) -> Result<Json<Contact>, ApiError> {
    let contacts = app.node.contacts().await?;
    let named = |contact: &&bruit::Contact| contact.name.as_deref() == Some(&text);
    let contact = if let Some(contact) = contacts.iter().find(named) {
        contact.clone()
    } else {
        let ids = contacts.iter().map(|contact| contact.id).collect();
        let id = one_of(&text, ids, "contact", "`bruit contacts list` lists them")?;
        let mut found = contacts.into_iter().filter(|contact| contact.id == id);
        found.next().ok_or_else(ApiError::closed)?
    };
    app.node.remove_contact(contact.id).await?;
    Ok(Json(contact.into()))
}

/// Whether a contact is called so.
async fn is_contact(app: &App, text: &str) -> Result<bool, ApiError> {
    let contacts = app.node.contacts().await?;
    let mut names = contacts
        .iter()
        .filter_map(|contact| contact.name.as_deref());
    Ok(names.any(|name| name == text))
}

/// Whom a text means: a contact by name, a whole id, or the beginning of one that is known here.
async fn recipient(app: &App, text: &str) -> Result<AuthorId, ApiError> {
    let contacts = app.node.contacts().await?;
    let named = |contact: &&bruit::Contact| contact.name.as_deref() == Some(text);
    if let Some(contact) = contacts.iter().find(named) {
        return Ok(contact.id);
    }
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let members = app.node.members().await;
    let mut known: Vec<_> = contacts.iter().map(|contact| contact.id).collect();
    known.extend(members.iter().map(|member| member.id.as_author()));
    let inbox = app.node.inbox().await?;
    let inbox = inbox.iter().filter(|letter| letter.foreign.is_none());
    known.extend(inbox.map(|letter| letter.from));
    known.extend(app.node.authors().into_iter().map(|key| key.id));
    let fix = "give the whole id, or the name of a contact: `bruit contacts list`";
    one_of(text, known, "node, author or contact known here", fix)
}

/// The only one of `known` that begins with `text`.
fn one_of<T: Ord + Copy + std::fmt::Display>(
    text: &str,
    mut known: Vec<T>,
    what: &str,
    fix: &str,
) -> Result<T, ApiError> {
    known.sort_unstable();
    known.dedup();
    known.retain(|id| text.len() >= PREFIX_CHARS_MIN && id.to_string().starts_with(text));
    match known.as_slice() {
        [one] => Ok(*one),
        [] => Err(ApiError::not_found(
            format!("`{}` is no {what}", text.escape_debug()),
            fix,
        )),
        several => Err(ApiError::bad_request(
            format!("{} ids begin with {text}", several.len()),
            "give more characters",
        )),
    }
}
