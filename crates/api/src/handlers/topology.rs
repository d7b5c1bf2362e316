//! `/v1/topology` and `/v1/traces`: who is linked to whom, and which way bulletins took.

use axum::Json;
use axum::extract::{Path, State};
use bruit::view;

use super::App;
use super::values::bulletin_id;
use crate::error::ApiError;

/// Bulletins listed at most.
const PASSAGES_MAX: usize = 200;

pub(crate) async fn topology(State(app): State<App>) -> Result<Json<view::Topology>, ApiError> {
    let topology = app.node.topology().await;
    // One that ended between two questions answers the rest with nothing.
    app.is_served()?;
    topology.map(Json).ok_or_else(ApiError::closed)
}

pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<view::Passage>>, ApiError> {
    let passages = app.node.passages(PASSAGES_MAX).await;
    app.is_served()?;
    Ok(Json(passages))
}

pub(crate) async fn trace(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<view::Trace>, ApiError> {
    let id = bulletin_id(&app, &id)?;
    let trace = app.node.trace(id).await;
    app.is_served()?;
    trace.map(Json).ok_or_else(|| {
        ApiError::not_found(
            format!("bulletin {id} did not come here, or long ago, and is not kept"),
            "`bruit ls` lists what is kept; a trace is there for that and for the last 2,048",
        )
    })
}
