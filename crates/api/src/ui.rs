//! The dashboard: the files of `dashboard/`, embedded, and the door to them.
//!
//! Invariant: only what is in the table of embedded files is ever served, so no path leads anywhere
//! else; and no page of ours may load or send anything beyond this server (the CSP below).

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::{Embed, EmbeddedFile};

use crate::error::ApiError;
use crate::handlers::{App, Parameters};
use crate::session;

/// Where it begins.
pub(crate) const ROOT: &str = "/ui/";
/// The page of [`ROOT`].
const INDEX: &str = "index.html";
/// What pages may do: use what came from here, talk to this server, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// Said with every file.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

#[derive(Embed)]
#[folder = "../../dashboard"]
struct Files;

/// The first page.
pub(crate) async fn index(headers: HeaderMap) -> Result<Response, ApiError> {
    serve(INDEX, &headers)
}

/// A file by its name.
pub(crate) async fn file(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    serve(&name, &headers)
}

/// Takes the code of a one-time link, and opens the dashboard for the browser that brings it.
pub(crate) async fn login(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let mut parts = request.into_parts().0;
    let parameters = Parameters::read(&mut parts, &["once"]).await?;
    let code = parameters.one("once")?.unwrap_or_default();
    let session = app
        .doors
        .enter(&code)
        .map_err(|error| ApiError::from(&error))?;
    let session = session.ok_or_else(|| {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "used_or_old",
            "this link was used already, or is older than ten minutes",
            "`bruit dashboard` prints a new one",
        )
    })?;
    let cookie = session::cookie(&session, &parts.headers);
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, ROOT)]).into_response();
    guard_headers(response.headers_mut());
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

fn serve(name: &str, asked: &HeaderMap) -> Result<Response, ApiError> {
    let file = Files::get(name).ok_or_else(|| {
        ApiError::not_found(
            format!("the dashboard has no file {}", name.escape_debug()),
            "begin at /ui/",
        )
    })?;
    let tag = tag(&file);
    let is_known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.data.into_owned().into_response()
    };
    let headers = response.headers_mut();
    guard_headers(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    let tag = HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes");
    headers.insert(header::ETAG, tag);
    Ok(response)
}

fn guard_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The file's version: the hash of its contents.
fn tag(file: &EmbeddedFile) -> String {
    format!("\"{}\"", crate::text::hex(&file.metadata.sha256_hash()))
}

/// The type of a file by the end of its name.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_a_browser_accepts() {
        let names: Vec<_> = Files::iter().collect();
        assert!(names.iter().any(|name| name == INDEX));
        for name in names {
            assert_ne!(kind(&name), "application/octet-stream", "{name}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for name in [
            "../Cargo.toml",
            "..",
            "/etc/passwd",
            "a/../index.html",
            "./index.html",
            "",
            "index.html/",
            "..\\Cargo.toml",
            "index.html\0",
        ] {
            let answer = serve(name, &HeaderMap::new());
            assert_eq!(
                answer.map(drop).unwrap_err().status,
                StatusCode::NOT_FOUND,
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_file_the_browser_has_is_not_sent_again() {
        let first = serve(INDEX, &HeaderMap::new()).unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let second = serve(INDEX, &asked).unwrap();
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"00\""));
        assert_eq!(serve(INDEX, &asked).unwrap().status(), StatusCode::OK);
    }
}
