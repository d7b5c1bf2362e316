//! `/v1/status`, `/v1/topics`, `/v1/identity`, `/healthz`, `/readyz`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bruit::view;

use super::App;
use crate::error::ApiError;
use crate::types::{Health, Identity};

pub(crate) async fn status(State(app): State<App>) -> Result<Json<view::Status>, ApiError> {
    app.node
        .status()
        .await
        .map(Json)
        .ok_or_else(ApiError::closed)
}

pub(crate) async fn topics(State(app): State<App>) -> Result<Json<Vec<view::Topic>>, ApiError> {
    let topics = app.node.topics().await;
    app.is_served()?;
    Ok(Json(topics))
}

pub(crate) async fn identity(State(app): State<App>) -> Json<Identity> {
    app.node.refresh_addresses().await;
    Json(Identity::of(&app.node))
}

/// Answers while the process lives.
pub(crate) async fn healthy() -> Json<Health> {
    health("ok")
}

/// Answers 200 when the node has links, or is alone by configuration.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let linked = match app.node.status().await {
        Some(status) => app.alone || status.links.inbound + status.links.outbound > 0,
        None => false,
    };
    if linked {
        (StatusCode::OK, health("ok"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, health("no links"))
    }
}

fn health(status: &str) -> Json<Health> {
    let status = status.to_owned();
    Json(Health { status })
}
