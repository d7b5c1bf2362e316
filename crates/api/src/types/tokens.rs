//! The JSON bodies of tokens and of the dashboard's links.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a token is for. Each is for what stands before it, too.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To see what the node holds and how it is doing.
    Read,
    /// To speak in the node's name, and to judge what it passes on.
    Publish,
    /// To decide over links, keys, tokens and the log.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Publish, Self::Admin];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Admin => "admin",
        }
    }
}

/// Why a word is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of read, publish, admin")]
pub struct ParseScopeError(String);

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(word: &str) -> Result<Self, ParseScopeError> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == word);
        found.ok_or_else(|| ParseScopeError(word.escape_debug().to_string()))
    }
}

/// `POST /v1/tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeToken {
    /// What it is for.
    pub scope: Scope,
    /// How long it is valid, in milliseconds; without, until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewToken {
    /// What it is called in lists.
    pub id: String,
    /// The token itself; it is not shown again.
    pub token: String,
    /// What it is for.
    pub scope: Scope,
    /// When it ceases to be valid.
    pub expires_ms: Option<u64>,
}

/// A token in a list, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenEntry {
    /// What it is called: the beginning of its hash.
    pub id: String,
    /// What it is for.
    pub scope: Scope,
    /// When it was made.
    pub created_ms: u64,
    /// When it ceases to be valid.
    pub expires_ms: Option<u64>,
}

/// `POST /v1/sessions`: there is nothing to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {}

/// A link that opens the dashboard once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// What to open in a browser.
    pub url: String,
    /// For how long it can be used, in milliseconds.
    pub for_ms: u64,
}
