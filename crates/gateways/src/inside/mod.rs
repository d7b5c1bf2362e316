//! The bruit side of a gateway: the little it needs of a node, wherever that runs.
//!
//! There are two of it: [`bruit::Node`] in the same process, and the daemon of a data folder through its
//! local API, in the command.

mod letters;
mod node;

use std::fmt;
use std::time::Duration;

use bruit::{
    AuthorId, BulletinId, PublishError, SendError, TopicId, Topics, ValueAddress, Verdict,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::wall;

pub use letters::{ForeignLetter, Posting};

/// What comes of asking the bruit side.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, InsideError>>;

/// Something to be published: a post, or a value where it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The topic.
    pub topic: String,
    /// The contents.
    pub body: Bytes,
    /// The label: text, at most 32 bytes; empty for none. The tag of a
    /// [`ForeignId`](crate::ForeignId) where it is made from a foreign item.
    pub tag: String,
    /// How long it is valid; none for what the node has as its default.
    pub ttl: Option<Duration>,
}

/// Something that came over bruit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The bulletin's id.
    pub id: BulletinId,
    /// The hash of its topic.
    pub topic: TopicId,
    /// Who signed it.
    pub author: AuthorId,
    /// Whether it was published at this node.
    pub is_own: bool,
    /// When its author says it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// Its label.
    pub tag: Vec<u8>,
    /// Its contents.
    pub body: Bytes,
}

impl Item {
    /// How long ago it was made, by its author's clock and ours.
    pub fn age(&self) -> Duration {
        wall::now().saturating_sub(Duration::from_millis(self.created_ms))
    }
}

/// What a subscription brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A bulletin.
    Item(Box<Item>),
    /// So many were missed; 0 when nobody knows.
    Gap(u64),
}

/// A bulletin that is not delivered or passed on before somebody has judged it, or the time is over.
pub struct Asked {
    /// The bulletin.
    pub item: Item,
    answer: Box<dyn FnOnce(Verdict) + Send>,
}

impl Asked {
    /// A question whose answer goes to `answer`, which returns at once.
    pub fn new(item: Item, answer: impl FnOnce(Verdict) + Send + 'static) -> Self {
        Self {
            item,
            answer: Box::new(answer),
        }
    }

    /// Says what is to become of the bulletin.
    pub fn answer(self, verdict: Verdict) {
        (self.answer)(verdict);
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// With what comes from now on.
    Now,
    /// With what the node holds that was made in this last time.
    Last(Duration),
}

/// What a gateway needs of bruit.
pub trait Inside: Send + Sync + 'static {
    /// Who signs what the gateway publishes.
    fn author(&self) -> Answer<'_, AuthorId>;

    /// Signs, pays for and publishes a post.
    fn publish(&self, post: Post) -> Answer<'_, BulletinId>;

    /// What comes on these topics. The stream ends with the node.
    fn subscribe(&self, topics: Topics, since: Since) -> Answer<'_, BoxStream<'static, Heard>>;

    /// What comes on `topic` before it is delivered or passed on, for as long as the stream is held. No
    /// answer within `timeout` drops a bulletin quietly. What is published at this node is not asked about.
    fn validate(&self, topic: String, timeout: Duration) -> Answer<'_, BoxStream<'static, Asked>>;

    /// Signs, pays for and puts a value, under no name; answers its id.
    fn put(&self, post: Post) -> Answer<'_, BulletinId>;

    /// The contents of the value at `address`, looked for within `timeout`; none when nobody had it.
    fn get(&self, address: ValueAddress, timeout: Duration) -> Answer<'_, Option<Bytes>>;

    /// Puts a letter from the foreign system into the node's inbox.
    fn deliver(&self, letter: ForeignLetter) -> Answer<'_, ()>;

    /// The letters that are sent from the node to somebody in `system`, for as long as the stream is held. It ends
    /// with the node.
    fn carry(&self, system: &'static str) -> Answer<'_, BoxStream<'static, Posting>>;
}

/// Why the bruit side did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InsideError {
    /// A word for programs, such as `queue_full`.
    pub code: String,
    /// The cause, with names and numbers.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl InsideError {
    /// The error of these parts.
    pub fn new(code: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// Whether the node has gone, so that nothing will succeed any more.
    pub fn is_gone(&self) -> bool {
        matches!(self.code.as_str(), "closed" | "unreachable")
    }

    /// Whether it may succeed a moment later: something is full, or used up.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.code.as_str(),
            "queue_full"
                | "no_descriptors"
                | "too_many_requests"
                | "too_many_connections"
                | "too_many_streams"
        )
    }
}

impl From<SendError> for InsideError {
    fn from(error: SendError) -> Self {
        Self::new(error.code(), error.to_string(), error.fix())
    }
}

impl From<PublishError> for InsideError {
    fn from(error: PublishError) -> Self {
        Self::new(error.code(), error.to_string(), error.fix())
    }
}
