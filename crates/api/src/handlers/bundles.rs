//! `GET /v1/bundle` and `POST /v1/bundle`: bulletins carried by hand, a page at a time.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bruit::Wanted;
use bytes::Bytes;

use super::{App, Json as Body, Parameters};
use crate::error::ApiError;
use crate::types::{Bring, Brought, Bundle};

/// Bulletins on a page, unless fewer are asked for.
const PAGE_MAX: u64 = 256;

pub(crate) async fn export(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Bundle>, ApiError> {
    let mut parts = request.into_parts().0;
    let known = ["since", "topic", "after", "limit"];
    let parameters = Parameters::read(&mut parts, &known).await?;
    let wanted = Wanted {
        since: parameters.duration("since")?,
        topic: parameters.one("topic")?,
        after: parameters.number("after")?.unwrap_or(0),
        limit: usize::try_from(
            parameters
                .number("limit")?
                .unwrap_or(PAGE_MAX)
                .clamp(1, PAGE_MAX),
        )
        .expect("a page is small"),
    };
    let page = app.node.export(&wanted).await?;
    let head = app.node.bundle_head();
    Ok(Json(Bundle {
        network: head.name,
        network_id: head.network.to_string(),
        bulletins: page
            .bulletins
            .iter()
            .map(|bytes| BASE64.encode(bytes))
            .collect(),
        next: page.next,
    }))
}

pub(crate) async fn import(
    State(app): State<App>,
    Body(body): Body<Bring>,
) -> Result<Json<Brought>, ApiError> {
    app.is_served()?;
    let head = app.node.bundle_head();
    if body.network_id != head.network.to_string() {
        let theirs = body.network.unwrap_or(body.network_id);
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "wrong_network",
            format!(
                "these are bulletins of the network `{}`, this node is of `{}`",
                theirs.escape_debug(),
                head.name.escape_debug()
            ),
            "bring them to a node with the same --network, --price and --secret",
        ));
    }
    let bulletins = body
        .bulletins
        .iter()
        .map(|text| BASE64.decode(text).map(Bytes::from));
    let bulletins: Vec<_> = bulletins.collect::<Result<_, _>>().map_err(|error| {
        ApiError::bad_request(
            format!("one of `bulletins` is not base64: {error}"),
            "send each bulletin's bytes in base64",
        )
    })?;
    Ok(Json(app.node.import(&bulletins).await.into()))
}
