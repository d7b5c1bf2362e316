//! The JSON messages of the WebSocket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Bulletin, ErrorDetail, Word};

/// What a client sends over `GET /v1/ws`. Besides these it has the keys of its `op`: `publish` those of
/// `POST /v1/bulletins`; `subscribe` and `validate`, `unsubscribe` and `answer` those of [`Subscribe`],
/// [`Validate`], [`Unsubscribe`] and [`Verdict`]; `ping` none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    /// What the client calls it, a short text or number: the answer and its events have it, too.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Value>,
    /// What is asked for.
    pub op: Op,
    /// The keys of the `op`.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What can be asked for over a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Publish a bulletin.
    Publish,
    /// Bulletins as they come.
    Subscribe,
    /// Questions about the bulletins of a topic.
    Validate,
    /// No more of a subscription, or of questions.
    Unsubscribe,
    /// A verdict.
    Answer,
    /// Nothing but an answer.
    Ping,
}

/// `"op": "subscribe"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// To these topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// To everything, in place of topics.
    #[serde(default)]
    pub all: bool,
    /// First what is held that was made in this last time, such as `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Go on after the bulletin this came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `"op": "validate"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// Whose bulletins are to be judged.
    pub topic: String,
    /// How long a verdict may take, such as `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// `"op": "unsubscribe"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// The `ref` of what is to end.
    pub subscription: Value,
}

/// `"op": "answer"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The question's number.
    pub question: u64,
    /// The verdict.
    pub verdict: Word,
}

/// What the node sends: an answer, which has `result` or `error`, or something that came, which has
/// `event`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// The `ref` of what was asked for.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Value>,
    /// What became of it: of a publication what `POST /v1/bulletins` answers, else nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetail>,
    /// `bulletin`, `gap`, `question`, or `end`: nothing more comes of this subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Of `bulletin` and `question`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulletin: Option<Bulletin>,
    /// Of `gap`: how many bulletins were not read in time; 0 when nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    /// Of `question`: the number to answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<u64>,
}
