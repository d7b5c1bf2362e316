//! The JSON bodies of the API, and of every command's `--json`: keys are promises.

mod figures;
mod foreign;
mod letters;
mod socket;
mod tokens;
mod values;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bruit::bundle::{BULLETIN_BYTES_MAX, Head};
use bruit::keys::{AuthorEntry, Passphrase};
use bruit::{AuthorKey, PeerSpec, Receipt, Received, Verdict};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text;

pub use self::figures::{Defence, Discouraged, LogFilter, LogLine, Refused, Series};
pub use self::foreign::{DeliverLetter, DeliveredLetter, Posted, Posting};
pub use self::letters::{
    Contact, ReceivedLetter, Removed, Rotate, Rotated, SendLetter, SentLetter,
};
pub use self::socket::{Ask, Op, Subscribe, Told, Unsubscribe, Validate, Verdict as SocketVerdict};
pub use self::tokens::{Link, MakeToken, NewLink, NewToken, ParseScopeError, Scope, TokenEntry};
pub use self::values::{Boost, Deleted, Kept, Listed, Paid, PutValue, WholeValue};

/// `POST /v1/bulletins`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The topic's exact descriptor.
    pub topic: String,
    /// The contents as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The contents in base64, in place of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// How long it is valid, such as `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// The name of the author key that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The application's label, at most 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// `accepted`, `stored` or `spread:K`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// How long to wait for that, such as `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Most bits of work to do for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_work: Option<u8>,
}

impl Publish {
    /// A publication of `contents` on `topic`, all else as the node has it.
    pub fn new(topic: &str, contents: &[u8]) -> Self {
        let Body { body, body_base64 } = Body::of(contents);
        Self {
            topic: topic.to_owned(),
            body,
            body_base64,
            ..Self::default()
        }
    }
}

/// Contents: `body` where they are UTF-8, `body_base64` otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Body {
    /// The contents as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The contents in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// Why a body has no contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Neither or both forms are there.
    #[error("a bulletin needs exactly one of `body` and `body_base64`")]
    NotOne,
    /// The base64 form is damaged.
    #[error("`body_base64` is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
}

impl Body {
    /// The body of these contents, as text where they are UTF-8.
    pub fn of(contents: &[u8]) -> Self {
        match str::from_utf8(contents) {
            Ok(text) => Self {
                body: Some(text.to_owned()),
                body_base64: None,
            },
            Err(_) => Self {
                body: None,
                body_base64: Some(BASE64.encode(contents)),
            },
        }
    }

    /// The contents.
    ///
    /// # Errors
    /// When neither or both forms are there, or the base64 form is damaged.
    pub fn contents(self) -> Result<Bytes, BodyError> {
        match (self.body, self.body_base64) {
            (Some(text), None) => Ok(text.into()),
            (None, Some(text)) => Ok(BASE64.decode(text)?.into()),
            _ => Err(BodyError::NotOne),
        }
    }
}

/// What became of a bulletin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// `accepted`, `queued`, `stored` or `spread`.
    pub result: String,
    /// Bits of work its stamp has.
    pub bits: u8,
    /// How long the work took, in milliseconds.
    pub work_ms: u64,
    /// Neighbours it was pushed or announced to.
    pub neighbours: u32,
    /// Neighbours that confirmed it.
    pub spread: u32,
}

impl From<Receipt> for Published {
    fn from(receipt: Receipt) -> Self {
        Self {
            id: receipt.id.to_string(),
            topic: receipt.topic,
            result: receipt.result.as_str().to_owned(),
            bits: receipt.bits,
            work_ms: receipt.work_ms,
            neighbours: receipt.neighbours,
            spread: receipt.spread,
        }
    }
}

/// One bulletin, as a subscriber gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bulletin {
    /// Its id.
    pub id: String,
    /// Its topic; the topic's id in hexadecimal where the descriptor is unknown here.
    pub topic: String,
    /// Who signed it.
    pub author: String,
    /// The neighbour it came from; none when it was published here.
    pub from: Option<String>,
    /// When it was made, by the author's clock.
    pub created_ms: u64,
    /// When it came, by ours.
    pub received_ms: u64,
    /// Links it crossed.
    pub hops: u8,
    /// Bytes of content.
    pub size: u32,
    /// Its content.
    #[serde(flatten)]
    pub body: Body,
    /// The application's label, where there is one; text that is not UTF-8 in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where to go on after it.
    pub cursor: String,
}

impl From<Received> for Bulletin {
    fn from(received: Received) -> Self {
        let topic_id = received.topic_id;
        let cursor = received.cursor();
        Self {
            id: received.id.to_string(),
            topic: received
                .topic
                .map_or_else(|| topic_id.to_string(), |topic| topic.to_string()),
            author: received.author.to_string(),
            from: received.from.map(|from| from.to_string()),
            created_ms: received.created_ms,
            received_ms: received.received_ms,
            hops: received.hops,
            size: received.size,
            body: Body::of(&received.body),
            tag: tag_text(received.tag),
            cursor,
        }
    }
}

pub(crate) fn tag_text(tag: Vec<u8>) -> Option<String> {
    if tag.is_empty() {
        return None;
    }
    Some(String::from_utf8(tag).unwrap_or_else(|error| text::hex(error.as_bytes())))
}

/// Bulletins that may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Always `gap`.
    pub event: String,
    /// How many; 0 when nobody knows, because the subscription began at a cursor the node no longer
    /// knows: some may be missing there, or come again.
    pub missed: u64,
}

impl Gap {
    /// The gap of so many bulletins.
    pub fn of(missed: u64) -> Self {
        Self {
            event: "gap".to_owned(),
            missed,
        }
    }
}

/// `GET /v1/bundle`: a page of what a node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bundle {
    /// The network's name.
    pub network: String,
    /// The network's id.
    pub network_id: String,
    /// Bulletins in their canonical encoding, in base64.
    pub bulletins: Vec<String>,
    /// The `after` of the next page; none at the end. A page may be empty and not the last.
    pub next: Option<u64>,
}

/// Why what the other side sent cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleTextError {
    /// A bulletin is damaged.
    #[error("a bulletin is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// A bulletin is empty or longer than any.
    #[error("a bulletin has {0} bytes")]
    Length(usize),
    /// The network's id is damaged.
    #[error("the network's id is not one: {0}")]
    Network(String),
}

impl Bundle {
    /// Whose bulletins these are.
    ///
    /// # Errors
    /// When the network's id is damaged.
    pub fn head(&self) -> Result<Head, BundleTextError> {
        let network = self.network_id.parse();
        let network = network.map_err(|_| BundleTextError::Network(self.network_id.clone()))?;
        Ok(Head {
            network,
            name: self.network.clone(),
        })
    }

    /// The bulletins' bytes.
    ///
    /// # Errors
    /// When one is damaged.
    pub fn encodings(&self) -> Result<Vec<Bytes>, BundleTextError> {
        let decoded = self.bulletins.iter().map(|text| {
            let bytes = BASE64.decode(text)?;
            match bytes.len() {
                1..=BULLETIN_BYTES_MAX => Ok(bytes.into()),
                length => Err(BundleTextError::Length(length)),
            }
        });
        decoded.collect()
    }
}

impl Bring {
    /// These bulletins, of the network of `head`.
    pub fn of(head: &Head, bulletins: &[Bytes]) -> Self {
        Self {
            network_id: head.network.to_string(),
            network: Some(head.name.clone()),
            bulletins: bulletins.iter().map(|bytes| BASE64.encode(bytes)).collect(),
        }
    }
}

impl Brought {
    /// Adds what became of others.
    pub fn add(&mut self, other: &Self) {
        self.imported += other.imported;
        self.known += other.known;
        for (reason, count) in &other.refused {
            *self.refused.entry(reason.clone()).or_default() += count;
        }
    }
}

/// `POST /v1/bundle`: bulletins that somebody brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bring {
    /// The id of their network.
    pub network_id: String,
    /// Its name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Bulletins in their canonical encoding, in base64.
    pub bulletins: Vec<String>,
}

/// What became of bulletins that were brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Brought {
    /// Those that were new, delivered and announced.
    pub imported: u64,
    /// Those that were known already.
    pub known: u64,
    /// Those that were not taken, by reason.
    pub refused: std::collections::BTreeMap<String, u64>,
}

impl From<bruit::Imported> for Brought {
    fn from(imported: bruit::Imported) -> Self {
        Self {
            imported: imported.imported,
            known: imported.known,
            refused: imported.refused,
        }
    }
}

/// A bulletin to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// What to answer to: `POST /v1/validate/{question}`.
    pub question: u64,
    /// The bulletin.
    #[serde(flatten)]
    pub bulletin: Bulletin,
}

/// `POST /v1/validate/{question}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The verdict.
    pub verdict: Word,
}

/// A verdict as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Deliver and relay it.
    Accept,
    /// Drop it and mute its author on this topic.
    Reject,
    /// Drop it quietly.
    Ignore,
}

impl From<Word> for Verdict {
    fn from(word: Word) -> Self {
        match word {
            Word::Accept => Self::Accept,
            Word::Reject => Self::Reject,
            Word::Ignore => Self::Ignore,
        }
    }
}

/// `POST /v1/peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Whom to link to: `NODEID@HOST:PORT` or tickets.
    pub addresses: Vec<String>,
    /// How long to try, such as `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// Whether a link is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Linked {
    /// To whom.
    pub id: String,
    /// Whether it is.
    pub linked: bool,
}

/// Who a node is and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// Where it can be dialled, best first, each complete.
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<PeerSpec>,
    /// The same as one ticket; none while there is no address.
    pub ticket: Option<String>,
    /// Its author keys.
    pub authors: Vec<Author>,
}

impl Identity {
    /// What `node` says of itself.
    pub fn of(node: &bruit::Node) -> Self {
        let id = node.id();
        let addresses = node.addresses();
        let each = addresses.iter().filter_map(|one| PeerSpec::at(id, &[*one]));
        let authors = node.authors().into_iter();
        Self {
            id: id.to_string(),
            addresses: each.collect(),
            ticket: node.address().map(|spec| spec.ticket()),
            authors: authors.map(Author::from).collect(),
        }
    }
}

/// A key that signs bulletins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Author {
    /// Its name on this machine.
    pub name: String,
    /// Its public half.
    pub id: String,
    /// Whether its file is under a passphrase.
    #[serde(default)]
    pub protected: bool,
    /// Whether somebody unlocked it for the daemon; said of protected keys by a daemon alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<bool>,
}

impl From<AuthorKey> for Author {
    fn from(key: AuthorKey) -> Self {
        Self {
            name: key.name,
            id: key.id.to_string(),
            protected: key.protected,
            unlocked: key.protected.then_some(key.unlocked),
        }
    }
}

/// A key as it lies on disk.
impl From<AuthorEntry> for Author {
    fn from(entry: AuthorEntry) -> Self {
        Self {
            name: entry.name,
            id: entry.id.to_string(),
            protected: entry.protected,
            unlocked: None,
        }
    }
}

/// `POST /v1/keys/{name}/unlock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// What opens the key.
    #[schemars(with = "String")]
    pub passphrase: Passphrase,
    /// How long it stays open, such as `1h`; without, until it is locked or the daemon ends.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// `POST /v1/keys/{name}/lock`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {}

/// Whether a key is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unlocked {
    /// The key's name.
    pub name: String,
    /// Whether the daemon can sign with it without being asked again.
    pub unlocked: bool,
}

/// Whether a node works: `/healthz` and `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok` or `no links`.
    pub status: String,
}

/// Every error: `{"error": {"code", "message", "fix"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetail {
    /// A word for programs, stable over versions.
    pub code: String,
    /// The cause, with names and numbers.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_survive_in_both_forms() {
        for contents in [b"hello".as_slice(), b"", &[0xff, 0]] {
            let body = Body::of(contents);
            assert_eq!(body.body.is_some(), str::from_utf8(contents).is_ok());
            assert_eq!(body.contents().as_deref(), Ok(contents));
        }
        assert_eq!(Body::default().contents(), Err(BodyError::NotOne));
    }

    #[test]
    fn a_publication_takes_no_unknown_key() {
        let good = r#"{"topic":"a","body":"b","ttl":"1h"}"#;
        assert!(serde_json::from_str::<Publish>(good).is_ok());
        let wrong = r#"{"topic":"a","body":"b","tll":"1h"}"#;
        let error = serde_json::from_str::<Publish>(wrong).unwrap_err();
        assert!(error.to_string().contains("tll"), "{error}");
    }
}
