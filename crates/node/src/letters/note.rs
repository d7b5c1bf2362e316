//! Letters as applications see them: one to send, one that was sent, one that came.

use std::time::Duration;

use bruit_core::id::{AuthorId, NodeId};
use bruit_core::letters::LetterId;
use bytes::Bytes;

use super::LetterState;
use super::foreign::ForeignName;
use super::records::{Incoming, Outgoing};

/// How long a letter lives unless its draft says otherwise.
pub const LETTER_TTL: Duration = Duration::from_hours(7 * 24);

/// Bytes inside a letter besides its body: an upper bound, for the price.
pub(crate) const LETTER_OVERHEAD: usize = 234 + 458;

/// A letter to be sent: to whom, what it says, and what departs from the defaults.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use bruit::{AuthorId, LetterDraft, LetterState};
///
/// let to: AuthorId = "07".repeat(32).parse()?;
/// let letter = LetterDraft::new(to, "hello")
///     .ttl(Duration::from_secs(24 * 3_600))
///     .wait(LetterState::Published);
/// assert_eq!(letter.to(), to);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct LetterDraft {
    pub(crate) to: AuthorId,
    pub(crate) body: Bytes,
    pub(crate) ttl: Duration,
    pub(crate) author: Option<String>,
    pub(crate) wait: LetterState,
    pub(crate) wait_timeout: Duration,
}

impl std::fmt::Debug for LetterDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LetterDraft")
            .field("to", &self.to)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Whom a letter is for: a node or an author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient(AuthorId);

impl From<AuthorId> for Recipient {
    fn from(author: AuthorId) -> Self {
        Self(author)
    }
}

impl From<NodeId> for Recipient {
    fn from(node: NodeId) -> Self {
        Self(node.as_author())
    }
}

impl LetterDraft {
    /// A letter from this node to a node or an author, which lives for seven days.
    pub fn new(to: impl Into<Recipient>, body: impl Into<Bytes>) -> Self {
        Self {
            to: to.into().0,
            body: body.into(),
            ttl: LETTER_TTL,
            author: None,
            wait: LetterState::Queued,
            wait_timeout: Duration::from_mins(1),
        }
    }

    /// How long the network is to keep it for a recipient who is away, up to 14 days. When no
    /// acknowledgement came it is made again with twice that, twice at most.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Signs with the author key of this name instead of the node's key: answers go there.
    #[must_use]
    pub fn author(mut self, name: impl Into<String>) -> Self {
        self.author = Some(name.into());
        self
    }

    /// When it counts as sent; when it is kept here unless said otherwise.
    #[must_use]
    pub const fn wait(mut self, state: LetterState) -> Self {
        self.wait = state;
        self
    }

    /// How long to wait for that; a minute unless said otherwise.
    #[must_use]
    pub const fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }

    /// Whom it is for.
    pub const fn to(&self) -> AuthorId {
        self.to
    }
}

/// A letter of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentLetter {
    /// Its id, which its recipient sees as well.
    pub id: LetterId,
    /// Who of us wrote it.
    pub from: AuthorId,
    /// Whom it is for.
    pub to: AuthorId,
    /// How far it has come.
    pub state: LetterState,
    /// When it was written, in milliseconds since 1970.
    pub created_ms: u64,
    /// When the sealing at hand expires, or the search for the recipient ends.
    pub expires_ms: u64,
    /// How often it was sealed.
    pub attempts: u32,
}

impl SentLetter {
    pub(crate) fn of(out: &Outgoing) -> Self {
        Self {
            id: out.id,
            from: out.from,
            to: out.to,
            state: out.state,
            created_ms: out.created.as_millis(),
            expires_ms: out.until.as_millis(),
            attempts: out.attempts,
        }
    }
}

/// A letter to us.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedLetter {
    /// Its place in the order of arrival.
    pub number: u64,
    /// Its id, which its sender sees as well.
    pub id: LetterId,
    /// Who wrote it.
    pub from: AuthorId,
    /// Who wrote it in another system, by the word of a gateway at this node; `from` is the node then.
    pub foreign: Option<ForeignName>,
    /// Whom of us it is for.
    pub to: AuthorId,
    /// What it says.
    pub body: Bytes,
    /// When it was written, by the sender's clock, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it came, in milliseconds since 1970.
    pub received_ms: u64,
}

impl ReceivedLetter {
    pub(crate) fn of(letter: &Incoming, foreign: Option<&ForeignName>) -> Self {
        Self {
            number: letter.number,
            id: letter.id,
            from: letter.from,
            foreign: foreign.cloned(),
            to: letter.to,
            body: letter.body.clone(),
            created_ms: letter.created.as_millis(),
            received_ms: letter.received.as_millis(),
        }
    }
}

impl std::fmt::Debug for ReceivedLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceivedLetter")
            .field("id", &self.id)
            .field("from", &self.from)
            .field("foreign", &self.foreign)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
