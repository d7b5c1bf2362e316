//! `/v1/tokens` and `/v1/sessions`: who else may ask, and the way in for browsers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};

use super::{App, Json as Body};
use crate::error::ApiError;
use crate::session::CODE_LIFE;
use crate::types::{Link, MakeToken, NewLink, NewToken, TokenEntry};

/// Makes a token. Its text is in the answer, and nowhere else.
pub(crate) async fn create(
    State(app): State<App>,
    Body(body): Body<MakeToken>,
) -> Result<Json<NewToken>, ApiError> {
    let lasts = body.for_ms.map(Duration::from_millis);
    let made = app.tokens.create(body.scope, lasts);
    if made.is_err() {
        app.refused.tokens.fetch_add(1, Ordering::Relaxed);
    }
    made.map(Json)
}

pub(crate) async fn list(State(app): State<App>) -> Json<Vec<TokenEntry>> {
    Json(app.tokens.list())
}

pub(crate) async fn revoke(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<TokenEntry>, ApiError> {
    let ended = app.tokens.revoke(&id)?;
    ended.map(Json).ok_or_else(|| {
        ApiError::not_found(
            format!("there is no token {}", id.escape_debug()),
            "`bruit token list` shows them, each with its id",
        )
    })
}

/// Makes a link that opens the dashboard once.
pub(crate) async fn link(
    State(app): State<App>,
    Body(NewLink {}): Body<NewLink>,
) -> Result<Json<Link>, ApiError> {
    let url = app.dashboard_link()?.ok_or_else(|| {
        ApiError::not_found(
            "this daemon serves no dashboard",
            "start it without --no-dashboard, and with enabled = true under [dashboard]",
        )
    })?;
    let for_ms = u64::try_from(CODE_LIFE.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(Link { url, for_ms }))
}
