//! `/v1/series`, `/v1/defence`, `/v1/logs`, `/metrics`: how it has been going.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::bulletins::{KEEP_ALIVE, json};
use super::{App, Json as Body, Parameters, closed};
use crate::error::ApiError;
use crate::metrics;
use crate::series::Range;
use crate::types::{Defence, Discouraged, Gap, LogFilter, LogLine, Refused, Series};

/// Most peers of one list.
const DISCOURAGED_MAX: usize = 1_000;

/// What passed in the last hour, or the last day.
pub(crate) async fn series(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Series>, ApiError> {
    let mut parts = request.into_parts().0;
    let parameters = Parameters::read(&mut parts, &["range", "after_ms"]).await?;
    let range = match parameters.one("range")?.as_deref() {
        None | Some("1h") => Range::Hour,
        Some("24h") => Range::Day,
        Some(other) => {
            return Err(ApiError::bad_request(
                format!("there is no range {}", other.escape_debug()),
                "write range=1h or range=24h",
            ));
        }
    };
    let after_ms = parameters.number("after_ms")?.unwrap_or(0);
    app.is_served()?;
    Ok(Json(app.charts.read(range, after_ms)))
}

/// What was refused, and to whom.
pub(crate) async fn defence(State(app): State<App>) -> Result<Json<Defence>, ApiError> {
    let figures = app.node.figures().await.ok_or_else(ApiError::closed)?;
    let refused = figures.metrics.drops.into_iter();
    let discouraged = app.node.discouraged(DISCOURAGED_MAX).await;
    let discouraged = discouraged.ok_or_else(ApiError::closed)?.into_iter();
    Ok(Json(Defence {
        refused: refused.map(|(reason, n)| Refused { reason, n }).collect(),
        floor_log2: figures.status.price.floor_log2,
        challenges: None,
        discouraged: discouraged
            .map(|peer| Discouraged {
                id: Some(peer.id.to_string()),
                address: None,
                until_ms: peer.until_ms,
                reason: peer.reason,
            })
            .collect(),
    }))
}

/// Everything that is counted, for Prometheus.
pub(crate) async fn prometheus(State(app): State<App>) -> Result<Response, ApiError> {
    let figures = app.node.figures().await.ok_or_else(ApiError::closed)?;
    let text = metrics::text(figures, app.usage(), app.gateways.all());
    Ok(([(header::CONTENT_TYPE, metrics::KIND)], text).into_response())
}

/// The last lines of the log, and those to come.
pub(crate) async fn logs(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let seat = app.stream_seat()?;
    let (kept, to_come) = app.logs.listen();
    let kept = stream::iter(kept).map(|line| Ok(json(&*line)));
    let stream = kept.chain(lines(to_come, app, seat));
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn lines(
    to_come: Receiver<Arc<LogLine>>,
    app: App,
    seat: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((to_come, app, seat), async |(mut to_come, app, seat)| {
        let line = tokio::select! {
            line = to_come.recv() => line,
            () = closed(app.closing.clone()) => return None,
        };
        let event = match line {
            Ok(line) => json(&*line),
            Err(RecvError::Lagged(missed)) => json(&Gap::of(missed)).event("gap"),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), (to_come, app, seat)))
    })
}

/// Changes what is logged, until the next change or start.
pub(crate) async fn set_filter(
    State(app): State<App>,
    Body(body): Body<LogFilter>,
) -> Result<Json<LogFilter>, ApiError> {
    match app.logs.set(&body.filter) {
        Some(Ok(())) => {
            tracing::info!(filter = %body.filter, "api: the log has another filter");
            Ok(Json(body))
        }
        Some(Err(wrong)) => Err(ApiError::bad_request(wrong.what, wrong.fix)),
        None => Err(ApiError::new(
            StatusCode::CONFLICT,
            "no_log",
            "whoever runs this node logs in a way of their own",
            "change it there",
        )),
    }
}
