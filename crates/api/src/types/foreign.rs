//! The JSON bodies of letters that gateways bring and take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Body;

/// `POST /v1/letters/foreign`: a letter that a gateway brings from its system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliverLetter {
    /// Who wrote it: the system, a colon, and how they are called there.
    pub from: String,
    /// What it says, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What it says in base64, in place of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

impl DeliverLetter {
    /// A letter of `contents` from `from`.
    pub fn new(from: &str, contents: &[u8]) -> Self {
        let Body { body, body_base64 } = Body::of(contents);
        Self {
            from: from.to_owned(),
            body,
            body_base64,
        }
    }
}

/// A letter that is in the inbox now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveredLetter {
    /// Its id.
    pub id: String,
}

/// A letter that a gateway is to take to its system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Posting {
    /// The number to answer to.
    pub posting: u64,
    /// Whom it is for: the system, a colon, and how they are called there.
    pub to: String,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// `POST /v1/letters/foreign/{posting}`: what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Posted {
    /// Why it was not taken; none when it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}
