//! What the API answers when it does not do what was asked: a status, a word for programs, the
//! cause, and what to do about it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bruit::keys::KeyError;
use bruit::store::StoreError;
use bruit::{ContactsError, PublishError, SendError, SubscribeError};

use crate::types::{ErrorBody, ErrorDetail};

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// A word for programs, stable over versions.
    pub code: &'static str,
    /// The cause, with names and numbers.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl ApiError {
    /// The error of these parts.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// The request says something that has no meaning.
    pub(crate) fn bad_request(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, fix)
    }

    /// The node stops.
    pub(crate) fn closed() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "closed",
            "the node has stopped",
            "start it again: bruit run",
        )
    }

    /// The request names something that is not there.
    pub(crate) fn not_found(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message, fix)
    }
}

impl From<SubscribeError> for ApiError {
    fn from(error: SubscribeError) -> Self {
        let message = error.to_string();
        match error {
            SubscribeError::Cursor(_) => {
                Self::bad_request(message, "take it from the last bulletin you have")
            }
            SubscribeError::Topics => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_topics",
                message,
                "end a subscription, or subscribe to all topics and choose among what comes",
            ),
        }
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        if let PublishError::Author(error) = &error {
            return Self::from(KeyError::clone(error));
        }
        let code = error.code();
        let status = match code {
            "too_big" => StatusCode::PAYLOAD_TOO_LARGE,
            "ttl" | "no_name" => StatusCode::BAD_REQUEST,
            "seq_conflict" | "superseded" | "paid_already" => StatusCode::CONFLICT,
            "unknown_author" | "not_found" => StatusCode::NOT_FOUND,
            "price_too_low" => StatusCode::PAYMENT_REQUIRED,
            "queue_full" => StatusCode::TOO_MANY_REQUESTS,
            "store_full" => StatusCode::INSUFFICIENT_STORAGE,
            "store_failed" => StatusCode::INTERNAL_SERVER_ERROR,
            "timeout" => StatusCode::GATEWAY_TIMEOUT,
            "closed" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, code, error.to_string(), error.fix())
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        Self::from(&error)
    }
}

impl From<&KeyError> for ApiError {
    fn from(error: &KeyError) -> Self {
        let status = match error {
            KeyError::BadName { .. } | KeyError::NotProtected { .. } => StatusCode::BAD_REQUEST,
            KeyError::Missing { .. } => StatusCode::NOT_FOUND,
            KeyError::Locked { .. } => StatusCode::LOCKED,
            KeyError::WrongPassphrase { .. } => StatusCode::FORBIDDEN,
            KeyError::Randomness { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.code(), error.to_string(), error.fix())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Closed => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::ReadBacklog { .. } => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code(), error.to_string(), error.fix())
    }
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        let error = match error {
            SendError::Author(error) => return (*error).into(),
            error => error,
        };
        let code = error.code();
        let status = match code {
            "too_big" => StatusCode::PAYLOAD_TOO_LARGE,
            "ttl" => StatusCode::BAD_REQUEST,
            "price_too_low" => StatusCode::PAYMENT_REQUIRED,
            "queue_full" | "too_many_gateways" => StatusCode::TOO_MANY_REQUESTS,
            "store_failed" => StatusCode::INTERNAL_SERVER_ERROR,
            "timeout" => StatusCode::GATEWAY_TIMEOUT,
            "closed" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, code, error.to_string(), error.fix())
    }
}

impl From<ContactsError> for ApiError {
    fn from(error: ContactsError) -> Self {
        let code = error.code();
        let status = match code {
            "contact_exists" => StatusCode::CONFLICT,
            "queue_full" => StatusCode::TOO_MANY_REQUESTS,
            "disk_error" => StatusCode::INTERNAL_SERVER_ERROR,
            "closed" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, code, error.to_string(), error.fix())
    }
}

impl From<ApiError> for ErrorDetail {
    fn from(error: ApiError) -> Self {
        Self {
            code: error.code.to_owned(),
            message: error.message,
            fix: error.fix,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status;
        let error = self.into();
        let mut response = (status, Json(ErrorBody { error })).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
