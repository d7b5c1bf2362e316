//! A bulletin to be published, and what became of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bruit_core::event::Refusal;
use bruit_core::id::BulletinId;
use bruit_core::limits;
use bytes::Bytes;

use crate::keys::KeyError;
use crate::letters::{LetterDraft, Recipient};
use crate::store::StoreError;

/// How long a post is kept unless its draft says otherwise.
pub const POST_TTL: Duration = Duration::from_hours(1);

/// Where a bulletin begins.
#[derive(Debug)]
pub enum Bulletin {}

impl Bulletin {
    /// A post of `body` on `topic`, valid for an hour, by the node's default author. The same as [`Draft::new`].
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use bruit::Bulletin;
    ///
    /// // Signed by the author key `work`, and paid for with a million trials at least.
    /// let draft = Bulletin::draft("news", "hello")
    ///     .ttl(Duration::from_secs(600))
    ///     .sign("work")
    ///     .price(20);
    /// assert_eq!(draft.topic(), "news");
    /// ```
    pub fn draft(topic: impl Into<String>, body: impl Into<Bytes>) -> Draft {
        Draft::new(topic, body)
    }
}

/// What to publish: a topic, a body, and what departs from the defaults.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use bruit::{Draft, Wait};
///
/// let draft = Draft::new("news", "hello").ttl(Duration::from_secs(600)).wait(Wait::Stored);
/// assert_eq!(draft.topic(), "news");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub(crate) topic: String,
    pub(crate) body: Bytes,
    pub(crate) ttl: Duration,
    pub(crate) author: Option<String>,
    pub(crate) tag: Vec<u8>,
    pub(crate) terms: Terms,
}

/// What a publication may cost, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) wait: Wait,
    pub(crate) wait_timeout: Duration,
    pub(crate) work: Work,
}

/// Bits of work that are done for it, beside what the network asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Work {
    /// So many at least.
    pub(crate) least: u8,
    /// So many at most; none: the node's own bound.
    pub(crate) most: Option<u8>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            wait: Wait::Accepted,
            wait_timeout: Duration::from_secs(10),
            work: Work::default(),
        }
    }
}

/// How much must have happened before a publication counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Checked, and in the queues to the neighbours.
    #[default]
    Accepted,
    /// Synced to this node's disk as well. An ephemeral node has none, and refuses.
    Stored,
    /// Synced on the disks of so many neighbours, and on this node's where it has one.
    Spread(u32),
}

impl Wait {
    /// How many neighbours must say that they keep it.
    pub(crate) const fn least(self) -> Option<u32> {
        match self {
            Self::Accepted | Self::Stored => None,
            Self::Spread(least) => Some(least),
        }
    }
}

impl Draft {
    /// A post of `body` on `topic`, valid for an hour, by the node's default author.
    pub fn new(topic: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            body: body.into(),
            ttl: POST_TTL,
            author: None,
            tag: Vec::new(),
            terms: Terms::default(),
        }
    }

    /// How long the network is to keep it: whole seconds, at most 28 days. Longer costs more work.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Signs with the author key of this name instead of the default one.
    #[must_use]
    pub fn author(mut self, name: impl Into<String>) -> Self {
        self.author = Some(name.into());
        self
    }

    /// The same as [`author`](Self::author).
    #[must_use]
    pub fn sign(self, name: impl Into<String>) -> Self {
        self.author(name)
    }

    /// A letter of the same body, which only `to` can read: it is sent with [`Node::send`](crate::Node::send), has no
    /// topic, and lives as long and has the same author as the draft.
    ///
    /// # Examples
    /// ```
    /// # fn letter(to: bruit::NodeId) -> bruit::LetterDraft {
    /// bruit::Bulletin::draft("", "for your eyes only").sign("work").seal(to)
    /// # }
    /// ```
    pub fn seal(self, to: impl Into<Recipient>) -> LetterDraft {
        let letter = LetterDraft::new(to, self.body).ttl(self.ttl);
        match self.author {
            Some(name) => letter.author(name),
            None => letter,
        }
    }

    /// The application's own label, at most 32 bytes.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Vec<u8>>) -> Self {
        self.tag = tag.into();
        self
    }

    /// When the publication counts as done.
    #[must_use]
    pub const fn wait(mut self, wait: Wait) -> Self {
        self.terms.wait = wait;
        self
    }

    /// How long to wait for that; 10 s unless said otherwise.
    #[must_use]
    pub const fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.terms.wait_timeout = timeout;
        self
    }

    /// Pays so many bits of work at least, also where the network asks for less: each bit doubles it. What was paid
    /// more for goes first where much is said, and stays longer where there is little room.
    #[must_use]
    pub const fn price(mut self, bits: u8) -> Self {
        self.terms.work.least = bits;
        self
    }

    /// Refuses to do more work than so many bits: each bit doubles it.
    #[must_use]
    pub const fn max_work(mut self, bits: u8) -> Self {
        self.terms.work.most = Some(bits);
        self
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Checks what the network would refuse.
    pub(crate) fn check(&self) -> Result<(), PublishError> {
        check(self.body.len(), self.tag.len(), self.ttl)
    }
}

/// Checks sizes and validity of what is to be published.
pub(crate) fn check(
    body_bytes: usize,
    tag_bytes: usize,
    ttl: Duration,
) -> Result<(), PublishError> {
    let max = limits::CONTENT_BYTES_MAX;
    if body_bytes > max {
        let got = body_bytes;
        return Err(PublishError::TooBig { got, max });
    }
    let max = limits::TAG_BYTES_MAX;
    if tag_bytes > max {
        let got = tag_bytes;
        return Err(PublishError::TagTooBig { got, max });
    }
    if ttl > limits::TTL_MAX || ttl.as_secs() == 0 {
        return Err(PublishError::Ttl { got: ttl });
    }
    Ok(())
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The bulletin's id.
    pub id: BulletinId,
    /// Its topic.
    pub topic: String,
    /// The strongest word that is true of it.
    pub result: Outcome,
    /// Bits of work in its stamp.
    pub bits: u8,
    /// Milliseconds the work took.
    pub work_ms: u64,
    /// Neighbours it went to at once.
    pub neighbours: u32,
    /// Neighbours that have synced it, as far as they told by now.
    pub spread: u32,
}

/// The words for what became of a draft, each true when said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// No neighbour yet; it goes out with the first link.
    Queued,
    /// Checked and in the queues to the neighbours.
    Accepted,
    /// Synced to this node's disk.
    Stored,
    /// Synced to the disks of as many neighbours as were asked for.
    Spread,
}

impl Outcome {
    /// The word in outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Accepted => "accepted",
            Self::Stored => "stored",
            Self::Spread => "spread",
        }
    }
}

/// Why nothing was published, or not as far as was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The body is too long.
    #[error("a body of {got} bytes exceeds {max}")]
    TooBig {
        /// Its bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
    /// The tag is too long.
    #[error("a tag of {got} bytes exceeds {max}")]
    TagTooBig {
        /// Its bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
    /// The validity is out of range.
    #[error("a validity of {} s is not within 1 s to 28 days", .got.as_secs())]
    Ttl {
        /// What was asked for.
        got: Duration,
    },
    /// The work exceeds what the user allows.
    #[error("this bulletin needs {need} bits of work, and {max} are allowed")]
    PriceTooLow {
        /// Bits the network asks for now.
        need: u8,
        /// Bits allowed.
        max: u8,
    },
    /// No such author key.
    #[error("there is no author key named {0:?}")]
    UnknownAuthor(String),
    /// No such author key, and nowhere to make it.
    #[error("there is no author key named {0:?}, and an ephemeral node has its first one alone")]
    OneAuthor(String),
    /// The author key cannot be used.
    #[error(transparent)]
    Author(Arc<KeyError>),
    /// Nothing is ever stored here.
    #[error("an ephemeral node stores nothing on disk")]
    Ephemeral,
    /// The name is too long.
    #[error("the name has {got} bytes, the most is {max}")]
    NameTooBig {
        /// Its bytes.
        got: usize,
        /// The most.
        max: usize,
    },
    /// A condition on the count of something that has no name.
    #[error("a value without a name has no count to compare")]
    NoName,
    /// The value is at another count than the condition says.
    #[error("the value is at seq {present}")]
    Conflict {
        /// Its count; 0 when there is none.
        present: u64,
    },
    /// Another version, put elsewhere at the same time, stands in its place.
    #[error("the bulletin {id} lost against {by}, which was put elsewhere at the same time")]
    Superseded {
        /// The bulletin.
        id: BulletinId,
        /// What stands in its place.
        by: BulletinId,
    },
    /// No such value here.
    #[error("there is no value {0} at this node")]
    UnknownValue(String),
    /// It has as much work already.
    #[error("it has {present} bits of work already")]
    PaidAlready {
        /// Its bits.
        present: u8,
    },
    /// This node's store does not take a large content, which therefore did not go out.
    #[error("the content cannot be kept here, and did not go out: {0}")]
    NotKept(Arc<StoreError>),
    /// Too much waits to be sent or checked.
    #[error("too much waits to be sent already")]
    QueueFull,
    /// The disk is full: the bulletin spreads, but is not stored here.
    #[error("the disk is full: the bulletin {id} went out, but is not stored here")]
    StoreFull {
        /// The bulletin.
        id: BulletinId,
    },
    /// The store is full of what ranks higher: the bulletin spreads, but is not stored here.
    #[error(
        "the store is full of bulletins that rank higher: {id} went out, but is not stored here"
    )]
    Outranked {
        /// The bulletin.
        id: BulletinId,
    },
    /// The store failed: the bulletin spreads, but is not stored here.
    #[error("the bulletin {id} went out, but is not stored here: {source}")]
    Store {
        /// The bulletin.
        id: BulletinId,
        /// What failed.
        source: std::sync::Arc<StoreError>,
    },
    /// The wait was over before the word was true. The bulletin is out.
    #[error("the bulletin {id} is {}, but not more within {waited:?}", .reached.as_str())]
    Timeout {
        /// The bulletin.
        id: BulletinId,
        /// What is true of it so far.
        reached: Outcome,
        /// How long was waited.
        waited: Duration,
    },
    /// The engine refused it.
    #[error("the bulletin is refused: {0}")]
    Refused(Refusal),
    /// The node has stopped.
    #[error("the node has stopped")]
    Closed,
}

impl PublishError {
    /// The code in outputs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooBig { .. } | Self::TagTooBig { .. } | Self::NameTooBig { .. } => "too_big",
            Self::NoName => "no_name",
            Self::Conflict { .. } => "seq_conflict",
            Self::Superseded { .. } | Self::Refused(Refusal::Superseded { .. }) => "superseded",
            Self::UnknownValue(_) => "not_found",
            Self::PaidAlready { .. } => "paid_already",
            Self::Ttl { .. } => "ttl",
            Self::PriceTooLow { .. } => "price_too_low",
            Self::UnknownAuthor(_) | Self::OneAuthor(_) => "unknown_author",
            Self::Author(error) => error.code(),
            Self::QueueFull | Self::Refused(Refusal::Busy) => "queue_full",
            Self::NotKept(error) if matches!(**error, StoreError::Full { .. }) => "store_full",
            Self::StoreFull { .. } | Self::Outranked { .. } => "store_full",
            Self::NotKept(_) | Self::Store { .. } | Self::Ephemeral => "store_failed",
            Self::Timeout { .. } => "timeout",
            Self::Refused(Refusal::Expired) => "expired",
            Self::Refused(_) => "refused",
            Self::Closed => "closed",
        }
    }

    /// What mends it.
    pub fn fix(&self) -> Cow<'static, str> {
        let fix = match self {
            Self::Author(error) => return error.fix().into(),
            Self::OneAuthor(_) => "publish without --author, or run the daemon without --ephemeral",
            Self::Ephemeral => {
                "run the daemon without --ephemeral, or wait for accepted or spread:K"
            }
            Self::TooBig { max, .. } if *max > limits::CONTENT_BYTES_MAX => {
                "cut it into parts of at most 16 MiB, and put each"
            }
            Self::TooBig { .. } => "publish at most 65,536 bytes at a time",
            Self::TagTooBig { .. } => "shorten the tag to 32 bytes",
            Self::NameTooBig { .. } => "shorten the name to 64 bytes",
            Self::NoName => "give the value a name, or leave the condition out",
            Self::Conflict { .. } => "get the present version, and put again with its seq",
            Self::Superseded { .. } | Self::Refused(Refusal::Superseded { .. }) => {
                "get the present version, and put again"
            }
            Self::UnknownValue(_) => "see `bruit ls` for what is held here",
            Self::PaidAlready { .. } => "ask for more bits than it has",
            Self::Ttl { .. } => "choose a validity from 1 s to 28 days",
            Self::PriceTooLow { .. } => {
                "start the daemon with a higher `bruit run --max-work`, or publish a smaller body or a \
                 shorter validity"
            }
            Self::UnknownAuthor(_) => {
                "see `bruit id keys list`, or make it: `bruit id keys new NAME`"
            }
            Self::QueueFull | Self::Refused(Refusal::Busy) => {
                "wait a moment and publish again, more slowly"
            }
            Self::NotKept(error) => return error.fix().into(),
            Self::StoreFull { .. } => "make room on the disk of the data folder",
            Self::Outranked { .. } => "pay more for it, or raise the store limit",
            Self::Store { .. } => "see the daemon's log, and restart it",
            Self::Timeout { .. } => "wait longer, or ask for fewer neighbours",
            Self::Refused(Refusal::Expired | Refusal::Future(_)) => {
                "set this machine's clock right"
            }
            Self::Refused(_) => "see the daemon's log",
            Self::Closed => "start the node again",
        };
        fix.into()
    }
}
