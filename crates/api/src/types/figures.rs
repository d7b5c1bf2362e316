//! The JSON bodies of charts, of the log and of what is refused.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /v1/series`: what passed, in even steps, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// When the first step begins.
    pub begin_ms: u64,
    /// How long a step is.
    pub step_ms: u64,
    /// A number for each step, by name, all of one length; null where the node was not running.
    pub series: BTreeMap<String, Vec<Option<f32>>>,
}

/// `GET /v1/defence`: what was refused, and to whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Defence {
    /// Bulletins that were refused or let go since the start, by reason.
    pub refused: Vec<Refused>,
    /// What is asked for at the moment, as a power of two over the network's price.
    pub floor_log2: u8,
    /// Callers that had to prove their address; null where that is not counted.
    pub challenges: Option<u64>,
    /// Who is not linked with for a while.
    pub discouraged: Vec<Discouraged>,
}

/// How often something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// For what reason.
    pub reason: String,
    /// How often.
    pub n: u64,
}

/// Who is not linked with for a while: a node by its `id`, or a place by its `address`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discouraged {
    /// The node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Until when.
    pub until_ms: u64,
    /// For what.
    pub reason: String,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When.
    pub at_ms: u64,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// The part of the program that says it.
    pub target: String,
    /// What it says.
    pub text: String,
}

/// `PUT /v1/logs`, and what holds after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFilter {
    /// What is logged, such as `info,bruit=debug`.
    pub filter: String,
}
