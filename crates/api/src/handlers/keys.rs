//! `POST /v1/keys/{name}/unlock` and `POST /v1/keys/{name}/lock`.

use axum::Json;
use axum::extract::{Path, State};

use super::{App, Json as Body, duration};
use crate::error::ApiError;
use crate::types::{Lock, Unlock, Unlocked};

/// Opens a key that is under a passphrase, so that the node signs with it.
pub(crate) async fn unlock(
    State(app): State<App>,
    Path(name): Path<String>,
    Body(body): Body<Unlock>,
) -> Result<Json<Unlocked>, ApiError> {
    let time = body.time.map(|time| duration("for", &time)).transpose()?;
    app.node.unlock(&name, body.passphrase, time).await?;
    let unlocked = true;
    Ok(Json(Unlocked { name, unlocked }))
}

/// Forgets a key that is open. One that was not is no mistake: it is locked as was asked for.
pub(crate) async fn lock(
    State(app): State<App>,
    Path(name): Path<String>,
    Body(Lock {}): Body<Lock>,
) -> Result<Json<Unlocked>, ApiError> {
    app.node.lock(&name)?;
    let unlocked = false;
    Ok(Json(Unlocked { name, unlocked }))
}
