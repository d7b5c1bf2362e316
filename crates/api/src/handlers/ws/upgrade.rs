//! The handshake of a WebSocket (RFC 6455, §4.2).

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest;

use crate::error::ApiError;

/// What is hashed with the client's key (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes of a client's key.
const KEY_BYTES: usize = 16;

/// The answer that turns a connection into a socket.
pub(super) fn answer(asked: &HeaderMap) -> Result<Response, ApiError> {
    let has = |name: HeaderName, word: &str| {
        let lines = asked
            .get_all(name)
            .iter()
            .filter_map(|line| line.to_str().ok());
        lines
            .flat_map(|line| line.split(','))
            .any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(refusal("the request asks for no WebSocket"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(refusal("the request is not of version 13 of the protocol"));
    }
    let key = asked
        .get(header::SEC_WEBSOCKET_KEY)
        .map(HeaderValue::as_bytes);
    let key = key.filter(|key| BASE64.decode(key).is_ok_and(|key| key.len() == KEY_BYTES));
    let key = key.ok_or_else(|| refusal("the request has no Sec-WebSocket-Key of 16 bytes"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept(key));
    Ok(response)
}

fn accept(key: &[u8]) -> HeaderValue {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    HeaderValue::from_str(&BASE64.encode(hash.finish())).expect("base64 is plain text")
}

fn refusal(what: &str) -> ApiError {
    ApiError::new(
        StatusCode::UPGRADE_REQUIRED,
        "no_websocket",
        what,
        "open ws://HOST/v1/ws with a WebSocket client",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard.
    #[test]
    fn the_answer_is_the_one_of_the_standard() {
        let accepted = accept(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let with = |left_out: &str| {
            let kept = good.iter().filter(|(name, _)| *name != left_out);
            let pairs = kept.map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            answer(&pairs.collect())
        };
        assert!(with("").is_ok());
        for (name, _) in good {
            assert_eq!(
                with(name).unwrap_err().status,
                StatusCode::UPGRADE_REQUIRED,
                "{name}"
            );
        }
    }
}
