//! The JSON bodies of values.

use bruit::{Boosted, Kind, Put, PutReceipt, Value};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Body, tag_text};

/// `POST /v1/values`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutValue {
    /// The contents as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The contents in base64, in place of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// The name it is put under, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of the value it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// The application's label, at most 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The topic; `values` unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// How long it is valid, such as `28d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// The count the name must be at; 0 when there is to be no such value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_seq: Option<u64>,
    /// The name of the author key that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
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

impl PutValue {
    /// A value of `contents`, all else as the node has it.
    pub fn new(contents: &[u8]) -> Self {
        let Body { body, body_base64 } = Body::of(contents);
        Self {
            body,
            body_base64,
            ..Self::default()
        }
    }

    pub(crate) fn put(&self, contents: Bytes) -> Put {
        let mut put = Put::new(contents);
        if let Some(name) = &self.name {
            put = put.name(name);
        }
        if let Some(tag) = &self.tag {
            put = put.tag(tag.as_bytes());
        }
        if let Some(topic) = &self.topic {
            put = put.topic(topic);
        }
        if let Some(seq) = self.if_seq {
            put = put.if_seq(seq);
        }
        if let Some(author) = &self.author {
            put = put.author(author);
        }
        if let Some(bits) = self.max_work {
            put = put.max_work(bits);
        }
        put
    }
}

/// What became of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// The bulletin's id.
    pub id: String,
    /// Who signed it.
    pub author: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its count among the versions of its name; 0 without one.
    pub seq: u64,
    /// Bits of work in its stamp.
    pub bits: u8,
    /// Milliseconds the work took.
    pub work_ms: u64,
    /// `queued`, `accepted`, `stored` or `spread`.
    pub result: String,
    /// Neighbours that have synced it, as far as they told by now.
    pub spread: u32,
}

impl From<PutReceipt> for Kept {
    fn from(receipt: PutReceipt) -> Self {
        Self {
            id: receipt.id.to_string(),
            author: receipt.author.to_string(),
            name: some(receipt.name),
            seq: receipt.seq,
            bits: receipt.bits,
            work_ms: receipt.work_ms,
            result: receipt.result.as_str().to_owned(),
            spread: receipt.spread,
        }
    }
}

/// A value with its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WholeValue {
    /// Its id.
    pub id: String,
    /// Who signed it.
    pub author: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its count among the versions of its name.
    pub seq: u64,
    /// The application's label, where there is one; text that is not UTF-8 in hexadecimal.
    pub tag: Option<String>,
    /// The value it goes on from.
    pub prev: Option<String>,
    /// Bytes of its contents.
    pub size: u32,
    /// When it was made, by the author's clock.
    pub created_ms: u64,
    /// When it ceases to be valid.
    pub expires_ms: u64,
    /// Its contents.
    #[serde(flatten)]
    pub body: Body,
}

impl From<Value> for WholeValue {
    fn from(value: Value) -> Self {
        Self {
            id: value.id.to_string(),
            author: value.author.to_string(),
            name: some(value.name),
            seq: value.seq,
            tag: tag_text(value.tag),
            prev: value.prev.map(|id| id.to_string()),
            size: value.size,
            created_ms: value.created_ms,
            expires_ms: value.expires_ms,
            body: Body::of(&value.body),
        }
    }
}

/// A bulletin in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// `post`, `value`, `letter`, `manifest`, `tombstone`, or the number of another kind.
    pub kind: String,
    /// Its topic; the topic's id in hexadecimal where the descriptor is unknown here.
    pub topic: String,
    /// Who signed it.
    pub author: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The application's label, where there is one.
    pub tag: Option<String>,
    /// Its count among the versions of its name.
    pub seq: u64,
    /// Bytes of its contents.
    pub size: u32,
    /// Bits of work in its stamp.
    pub bits: u8,
    /// Its place in the order of eviction now: the lowest goes first.
    pub rank: f64,
    /// When it was made, by the author's clock.
    pub created_ms: u64,
    /// When it ceases to be valid.
    pub expires_ms: u64,
}

impl Listed {
    /// What a list says of `value` at `now_ms`.
    pub fn of(value: Value, now_ms: u64) -> Self {
        let topic_id = value.topic_id;
        let rank = value.rank(now_ms);
        Self {
            id: value.id.to_string(),
            kind: kind_word(value.kind),
            topic: value
                .topic
                .map_or_else(|| topic_id.to_string(), |topic| topic.to_string()),
            author: value.author.to_string(),
            name: some(value.name),
            tag: tag_text(value.tag),
            seq: value.seq,
            size: value.size,
            bits: value.bits,
            rank: (rank * 1_000.0).round() / 1_000.0,
            created_ms: value.created_ms,
            expires_ms: value.expires_ms,
        }
    }
}

fn kind_word(kind: Kind) -> String {
    let word = match kind {
        Kind::POST => "post",
        Kind::VALUE => "value",
        Kind::LETTER => "letter",
        Kind::MANIFEST => "manifest",
        Kind::TOMBSTONE => "tombstone",
        Kind(other) => return other.to_string(),
    };
    word.to_owned()
}

fn some(name: String) -> Option<String> {
    (!name.is_empty()).then_some(name)
}

/// The end of a value that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// Always `deleted`.
    pub event: String,
    /// The tombstone's id.
    pub id: String,
    /// Its count.
    pub seq: u64,
}

/// `POST /v1/bulletins/{id}/boost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Boost {
    /// Bits of work to do.
    pub bits: u8,
}

/// A better stamp that was bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paid {
    /// For which bulletin.
    pub id: String,
    /// Bits of work in it.
    pub bits: u8,
    /// Milliseconds the work took.
    pub work_ms: u64,
}

impl From<Boosted> for Paid {
    fn from(boosted: Boosted) -> Self {
        Self {
            id: boosted.id.to_string(),
            bits: boosted.bits,
            work_ms: boosted.work_ms,
        }
    }
}
