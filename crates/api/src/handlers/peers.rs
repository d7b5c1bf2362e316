//! `/v1/peers` and `/v1/members`: who is there, linking and unlinking.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use bruit::{NodeId, ParseAddressError, PeerSpec, view};

use super::{App, Json as Body, Parameters, duration};
use crate::error::ApiError;
use crate::types::{Join, Linked};

/// How long linking is tried when the request does not say.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time linking is tried.
const JOIN_TIMEOUT_MAX: Duration = Duration::from_mins(5);
/// Most nodes linked to in one request.
const JOIN_MAX: usize = 64;
/// Fewest characters of an id's beginning.
const PREFIX_CHARS_MIN: usize = 8;

pub(crate) async fn list(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Vec<view::Peer>>, ApiError> {
    let mut parts = request.into_parts().0;
    let parameters = Parameters::read(&mut parts, &["all"]).await?;
    let peers = app.node.peers(parameters.flag("all")?).await;
    app.is_served()?;
    Ok(Json(peers))
}

pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<view::Peer>, ApiError> {
    let mut peers = app.node.peers(true).await;
    app.is_served()?;
    let at = position(&peers, &id)?;
    Ok(Json(peers.swap_remove(at)))
}

pub(crate) async fn drop(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Linked>, ApiError> {
    let peers = app.node.peers(true).await;
    app.is_served()?;
    let id = peers[position(&peers, &id)?].id;
    if !app.node.unlink(id).await {
        return Err(no_link(&id.to_string()));
    }
    Ok(Json(linked(id, false)))
}

pub(crate) async fn join(
    State(app): State<App>,
    Body(body): Body<Join>,
) -> Result<Json<Vec<Linked>>, ApiError> {
    let timeout = match body.timeout {
        Some(text) => duration("timeout", &text)?.min(JOIN_TIMEOUT_MAX),
        None => JOIN_TIMEOUT,
    };
    if body.addresses.is_empty() || body.addresses.len() > JOIN_MAX {
        let message = format!(
            "{} addresses, from 1 to {JOIN_MAX} are taken",
            body.addresses.len()
        );
        return Err(ApiError::bad_request(
            message,
            "send them in several requests",
        ));
    }
    let specs = body.addresses.iter().map(|text| spec(text));
    let specs = specs.collect::<Result<Vec<_>, _>>()?;
    let joined = app.node.join(specs, timeout).await.into_iter();
    Ok(Json(joined.map(|(id, up)| linked(id, up)).collect()))
}

pub(crate) async fn members(State(app): State<App>) -> Result<Json<Vec<view::Member>>, ApiError> {
    let members = app.node.members().await;
    app.is_served()?;
    Ok(Json(members))
}

pub(crate) async fn seeds(State(app): State<App>) -> Result<Json<view::Seeds>, ApiError> {
    let seeds = app.node.seeds().await;
    seeds.map(Json).ok_or_else(ApiError::closed)
}

fn spec(text: &str) -> Result<PeerSpec, ApiError> {
    text.parse().map_err(|error: ParseAddressError| {
        let message = format!("address `{}`: {error}", text.escape_debug());
        ApiError::bad_request(message, ParseAddressError::FIX)
    })
}

fn linked(id: NodeId, linked: bool) -> Linked {
    let id = id.to_string();
    Linked { id, linked }
}

/// The one peer whose id begins with `prefix`.
fn position(peers: &[view::Peer], prefix: &str) -> Result<usize, ApiError> {
    let lower = prefix.to_ascii_lowercase();
    let hex = lower.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hex || !(PREFIX_CHARS_MIN..=64).contains(&lower.len()) {
        return Err(ApiError::bad_request(
            format!(
                "`{}` is no id and no beginning of one",
                prefix.escape_debug()
            ),
            "give the 64 hexadecimal characters, or at least the first 8",
        ));
    }
    let mut found = (0..peers.len()).filter(|at| peers[*at].id.to_string().starts_with(&lower));
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (None, _) => Err(no_link(&lower)),
        (Some(_), Some(_)) => Err(ApiError::bad_request(
            format!("several ids begin with {lower}"),
            "give more of it",
        )),
    }
}

fn no_link(id: &str) -> ApiError {
    ApiError::not_found(
        format!("there is no link to {id}"),
        "`bruit peers --all` lists the links, `bruit join ADDRESS` makes one",
    )
}
