//! The JSON bodies of letters and contacts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Body;

/// `POST /v1/letters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendLetter {
    /// Whom it is for: a node's id, an author's key, the beginning of one that is known here, a
    /// contact's name, or somebody in another system, such as `k98kurz:8a88e3dd…`.
    pub to: String,
    /// What it says, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What it says in base64, in place of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// How long it is kept for a recipient who is away, such as `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// The name of the author key that signs, in place of the node's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// `queued`, `published` or `acknowledged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// How long to wait for that, such as `1m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

impl SendLetter {
    /// A letter of `contents` to `to`, all else as the node has it.
    pub fn new(to: &str, contents: &[u8]) -> Self {
        let Body { body, body_base64 } = Body::of(contents);
        Self {
            to: to.to_owned(),
            body,
            body_base64,
            ..Self::default()
        }
    }
}

/// A letter of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentLetter {
    /// Its id, which its recipient sees as well.
    pub id: String,
    /// Whom it is for.
    pub to: String,
    /// Who of us wrote it.
    pub from: String,
    /// `queued`, `published`, `acknowledged` or `expired`.
    pub state: String,
    /// When it was written.
    pub created_ms: u64,
    /// When the sealing at hand expires, or the search for the recipient ends.
    pub expires_ms: u64,
    /// How often it was sealed.
    pub attempts: u32,
}

impl From<bruit::SentLetter> for SentLetter {
    fn from(letter: bruit::SentLetter) -> Self {
        Self {
            id: letter.id.to_string(),
            to: letter.to.to_string(),
            from: letter.from.to_string(),
            state: letter.state.as_str().to_owned(),
            created_ms: letter.created_ms,
            expires_ms: letter.expires_ms,
            attempts: letter.attempts,
        }
    }
}

impl From<bruit::SentForeign> for SentLetter {
    /// A gateway has put it on its way: nothing more will be known of it.
    fn from(letter: bruit::SentForeign) -> Self {
        Self {
            id: letter.id.to_string(),
            to: letter.to.to_string(),
            from: letter.from.to_string(),
            state: bruit::LetterState::Published.as_str().to_owned(),
            created_ms: letter.created_ms,
            expires_ms: letter.created_ms,
            attempts: 1,
        }
    }
}

/// A letter to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedLetter {
    /// Its id, which its sender sees as well.
    pub id: String,
    /// Who wrote it: a key, or somebody in another system, as a gateway at this node says.
    pub from: String,
    /// Whom of us it is for.
    pub to: String,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
    /// When it was written, by the sender's clock.
    pub created_ms: u64,
    /// When it came, by ours.
    pub received_ms: u64,
}

impl From<bruit::ReceivedLetter> for ReceivedLetter {
    fn from(letter: bruit::ReceivedLetter) -> Self {
        let from = letter.foreign.map(|name| name.to_string());
        Self {
            id: letter.id.to_string(),
            from: from.unwrap_or_else(|| letter.from.to_string()),
            to: letter.to.to_string(),
            body: Body::of(&letter.body),
            created_ms: letter.created_ms,
            received_ms: letter.received_ms,
        }
    }
}

/// `POST /v1/letters/rotate`: there is nothing to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {}

/// What rotating the delivery codes did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotated {
    /// Contacts that are told by letter.
    pub told: usize,
    /// How long the old codes are honoured, in seconds.
    pub honoured_s: u64,
}

/// Somebody whose letters are acknowledged. Also `POST /v1/letters/contacts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Their node's id, or their key as an author.
    pub id: String,
    /// What they are called here.
    #[serde(default)]
    pub name: Option<String>,
}

impl From<bruit::Contact> for Contact {
    fn from(contact: bruit::Contact) -> Self {
        Self {
            id: contact.id.to_string(),
            name: contact.name,
        }
    }
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Its id.
    pub id: String,
}
