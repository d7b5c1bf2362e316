//! Values as applications put and get them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Kind};
use bruit_core::id::{AuthorId, BulletinId, ParseIdError, TopicId};
use bruit_core::limits;
use bruit_core::time::Wall;
use bytes::Bytes;

use crate::draft::{Outcome, PublishError, Terms, Wait};

/// The topic of values unless another is named.
pub const VALUES_TOPIC: &str = "values";
/// How long a value is kept unless it says otherwise.
pub const VALUE_TTL: Duration = limits::TTL_MAX;

/// A value to be kept by the network: its contents, and what departs from the defaults.
///
/// # Examples
/// ```
/// use bruit::Put;
///
/// let put = Put::new("21 degrees").name("weather/today").if_seq(3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    pub(crate) body: Bytes,
    pub(crate) topic: String,
    pub(crate) name: String,
    pub(crate) prev: Option<BulletinId>,
    pub(crate) tag: Vec<u8>,
    pub(crate) ttl: Duration,
    pub(crate) author: Option<String>,
    pub(crate) if_seq: Option<u64>,
    pub(crate) terms: Terms,
}

impl Put {
    /// A value without a name, valid for 28 days, by the node's default author.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            topic: VALUES_TOPIC.to_owned(),
            name: String::new(),
            prev: None,
            tag: Vec::new(),
            ttl: VALUE_TTL,
            author: None,
            if_seq: None,
            terms: Terms::default(),
        }
    }

    /// Puts it under this name of its author, in place of what was there; at most 64 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Goes on from this value, which stays: a chain. With a name, what was there before stays too.
    #[must_use]
    pub const fn prev(mut self, prev: BulletinId) -> Self {
        self.prev = Some(prev);
        self
    }

    /// The application's own label, at most 32 bytes.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Vec<u8>>) -> Self {
        self.tag = tag.into();
        self
    }

    /// How long the network is to keep it. A version of a named value lives at least as long as
    /// those it stands for, so that none of them comes back.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Signs with the author key of this name instead of the default one.
    #[must_use]
    pub fn author(mut self, name: impl Into<String>) -> Self {
        self.author = Some(name.into());
        self
    }

    /// Puts it only if the named value is at this count now; 0 when there is to be none. Checked
    /// against what this node knows: one who puts elsewhere at the same time may win later.
    #[must_use]
    pub const fn if_seq(mut self, seq: u64) -> Self {
        self.if_seq = Some(seq);
        self
    }

    /// Whom it is for, besides those who know its name.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = topic.into();
        self
    }

    /// When it counts as put.
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

    /// Refuses to do more work than so many bits: each bit doubles it.
    #[must_use]
    pub const fn max_work(mut self, bits: u8) -> Self {
        self.terms.work.most = Some(bits);
        self
    }

    /// Checks what the network would refuse.
    pub(crate) fn check(&self) -> Result<(), PublishError> {
        crate::draft::check(self.body.len(), self.tag.len(), self.ttl)?;
        check_name(&self.name)?;
        if self.name.is_empty() && self.if_seq.is_some() {
            return Err(PublishError::NoName);
        }
        Ok(())
    }
}

/// Whether a name is short enough.
pub(crate) fn check_name(name: &str) -> Result<(), PublishError> {
    let (got, max) = (name.len(), limits::NAME_BYTES_MAX);
    if got > max {
        return Err(PublishError::NameTooBig { got, max });
    }
    Ok(())
}

/// What became of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutReceipt {
    /// The bulletin's id.
    pub id: BulletinId,
    /// Who signed it.
    pub author: AuthorId,
    /// Its name; empty when it has none.
    pub name: String,
    /// Its count among the versions of its name; 0 without one.
    pub seq: u64,
    /// Bits of work in its stamp.
    pub bits: u8,
    /// Milliseconds the work took.
    pub work_ms: u64,
    /// The strongest word that is true of it.
    pub result: Outcome,
    /// Neighbours that have synced it, as far as they told by now.
    pub spread: u32,
}

impl PutReceipt {
    /// Where it is to be had: by its name, where it has one.
    pub fn address(&self) -> ValueAddress {
        if self.name.is_empty() {
            return ValueAddress::Id(self.id);
        }
        ValueAddress::Name {
            author: self.author,
            name: self.name.clone(),
        }
    }
}

/// Where a value is to be had: `ID`, or `AUTHOR/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueAddress {
    /// This bulletin.
    Id(BulletinId),
    /// The latest version of what the author calls so.
    Name {
        /// Who signed it.
        author: AuthorId,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for ValueAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name { author, name } => write!(f, "{author}/{name}"),
        }
    }
}

impl FromStr for ValueAddress {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match text.split_once('/') {
            None => text.parse().map(Self::Id),
            Some((author, name)) => Ok(Self::Name {
                author: author.parse()?,
                name: name.to_owned(),
            }),
        }
    }
}

/// A bulletin as it is kept: its header and its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its id.
    pub id: BulletinId,
    /// What it is.
    pub kind: Kind,
    /// Its topic, where this node knows the descriptor.
    pub topic: Option<Arc<str>>,
    /// The hash of its topic.
    pub topic_id: TopicId,
    /// Who signed it.
    pub author: AuthorId,
    /// Its name; empty when it has none.
    pub name: String,
    /// Its count among the versions of its name.
    pub seq: u64,
    /// The application's label.
    pub tag: Vec<u8>,
    /// What it goes on from.
    pub prev: Option<BulletinId>,
    /// Bytes of its contents.
    pub size: u32,
    /// Bits of work in its stamp.
    pub bits: u8,
    /// When its author says it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ceases to be valid.
    pub expires_ms: u64,
    /// Its contents.
    pub body: Bytes,
}

impl Value {
    pub(crate) fn of(bulletin: &Bulletin, topic: Option<Arc<str>>) -> Self {
        let header = &bulletin.header;
        Self {
            id: *bulletin.id(),
            kind: header.kind,
            topic,
            topic_id: header.topic,
            author: header.author,
            name: String::from_utf8_lossy(&header.name).into_owned(),
            seq: header.seq,
            tag: header.tag.clone(),
            prev: header.parents.first().copied(),
            size: header.size_bytes,
            bits: bulletin.stamp.bits,
            created_ms: header.created.as_millis(),
            expires_ms: header.expires().as_millis(),
            body: bulletin.content.clone(),
        }
    }

    /// Its place in the order of eviction at `now`, as a number: bits of work, less the binary
    /// logarithm of its size and 64, less its age in weeks. The lowest goes first.
    pub fn rank(&self, now_ms: u64) -> f64 {
        let age = Duration::from_millis(now_ms.saturating_sub(self.created_ms));
        let weeks = age.as_secs_f64() / WEEK.as_secs_f64();
        f64::from(self.bits) - (f64::from(self.size) + 64.0).log2() - weeks
    }
}

/// What the names begin with of values that nodes keep for themselves.
const RESERVED: &str = "bruit/";

/// After it a bulletin is worth half as much.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Which of the bulletins held here to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Every kind; values and files otherwise, and all kinds of the topic when one is named. Values that
    /// nodes keep for themselves, whose names begin with `bruit/`, are listed with `all`, or by name.
    pub all: bool,
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of these authors; none for all.
    pub authors: Option<Vec<AuthorId>>,
    /// Only with this name, or with names that begin so when it ends in `*`.
    pub name: Option<String>,
    /// Only with this tag.
    pub tag: Option<Vec<u8>>,
    /// Only those made in this last time.
    pub since: Option<Duration>,
    /// Only with this text in their contents.
    pub contains: Option<String>,
}

impl Filter {
    /// Whether `value`, valid at `now`, is to be listed.
    pub(crate) fn admits(&self, value: &Value, now: Wall) -> bool {
        let kinds = [Kind::VALUE, Kind::MANIFEST];
        let is_kind = self.all || self.topic.is_some() || kinds.contains(&value.kind);
        let is_ours = self.all || self.name.is_some() || !value.name.starts_with(RESERVED);
        let is_author = |authors: &Vec<AuthorId>| authors.contains(&value.author);
        let is_name = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => value.name.starts_with(start),
            None => value.name == *pattern,
        };
        let is_since = |age: Duration| value.created_ms >= now.minus(age).as_millis();
        let holds = |text: &String| {
            let text = text.as_bytes();
            text.is_empty() || value.body.windows(text.len()).any(|part| part == text)
        };
        value.expires_ms > now.as_millis()
            && is_kind
            && is_ours
            && self.authors.as_ref().is_none_or(is_author)
            && self.name.as_ref().is_none_or(is_name)
            && self.tag.as_ref().is_none_or(|tag| *tag == value.tag)
            && self.since.is_none_or(is_since)
            && self.contains.as_ref().is_none_or(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);

    fn value(name: &str, body: &'static [u8]) -> Value {
        Value {
            id: BulletinId::from_bytes([1; 32]),
            kind: Kind::VALUE,
            topic: None,
            topic_id: TopicId::of(VALUES_TOPIC),
            author: AuthorId::from_bytes([2; 32]),
            name: name.to_owned(),
            seq: 1,
            tag: b"t".to_vec(),
            prev: None,
            size: 960,
            bits: 20,
            created_ms: NOW.as_millis() - 1_000,
            expires_ms: NOW.as_millis() + 1_000,
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn addresses_survive_their_text() {
        let author = AuthorId::from_bytes([7; 32]);
        let addresses = [
            ValueAddress::Id(BulletinId::from_bytes([1; 32])),
            ValueAddress::Name {
                author,
                name: "a/b".to_owned(),
            },
        ];
        for address in addresses {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert!("ab/c".parse::<ValueAddress>().is_err());
    }

    #[test]
    fn a_filter_admits_what_meets_every_condition() {
        let value = value("log/1", b"some words");
        let admits = |filter: Filter| filter.admits(&value, NOW);
        let some = Filter::default;
        assert!(admits(some()));
        let name = |name: &str| Filter {
            name: Some(name.to_owned()),
            ..some()
        };
        assert_eq!(
            ["log/*", "log/1", "log"].map(|n| admits(name(n))),
            [true, true, false]
        );
        let contains = |text: &str| Filter {
            contains: Some(text.to_owned()),
            ..some()
        };
        assert_eq!(
            ["", "word", "wort"].map(|t| admits(contains(t))),
            [true, true, false]
        );
        let since = |ms| Filter {
            since: Some(Duration::from_millis(ms)),
            ..some()
        };
        assert_eq!([1_000, 999].map(|ms| admits(since(ms))), [true, false]);
        let post = Value {
            kind: Kind::POST,
            ..value.clone()
        };
        assert!(!some().admits(&post, NOW));
        let letterbox = Value {
            name: "bruit/letterbox".to_owned(),
            ..value.clone()
        };
        assert!(!some().admits(&letterbox, NOW));
        assert!(name("bruit/*").admits(&letterbox, NOW));
        assert!(
            Filter {
                all: true,
                ..some()
            }
            .admits(&post, NOW)
        );
        assert!(!some().admits(&value, NOW.plus(Duration::from_secs(1))));
    }

    #[test]
    fn rank_is_work_less_size_less_age_in_weeks() {
        let value = value("", b"");
        let week_ms = 7 * 24 * 3_600 * 1_000;
        assert!((value.rank(value.created_ms) - 10.0).abs() < 1e-9);
        assert!((value.rank(value.created_ms + week_ms) - 9.0).abs() < 1e-9);
    }
}
