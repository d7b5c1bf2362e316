//! A bulletin as an application gets it, and the cursor that names its place.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bruit_core::bulletin::{Bulletin, Kind};
use bruit_core::id::{AuthorId, BulletinId, NodeId, TopicId};
use bruit_core::time::Wall;
use bytes::Bytes;

/// A bulletin that passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub id: BulletinId,
    /// Its topic, where this node knows the descriptor; only hashes travel.
    pub topic: Option<Arc<str>>,
    /// The hash of its topic.
    pub topic_id: TopicId,
    /// Who signed it.
    pub author: AuthorId,
    /// Which neighbour delivered it; none when it was published here.
    pub from: Option<NodeId>,
    /// When its author says it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it came, in milliseconds since 1970.
    pub received_ms: u64,
    /// Links it had passed.
    pub hops: u8,
    /// Bytes of its body.
    pub size: u32,
    /// Its body.
    pub body: Bytes,
    /// The application's label.
    pub tag: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// The name of a value; empty when it has none.
    pub name: Vec<u8>,
    /// Its count among the versions of its name.
    pub seq: u64,
}

impl Received {
    pub(crate) fn new(
        bulletin: &Bulletin,
        body: Bytes,
        topic: Option<Arc<str>>,
        from: Option<NodeId>,
        hops: u8,
        received: Wall,
    ) -> Self {
        let header = &bulletin.header;
        Self {
            id: *bulletin.id(),
            topic,
            topic_id: header.topic,
            author: header.author,
            from,
            created_ms: header.created.as_millis(),
            received_ms: received.as_millis(),
            hops,
            size: header.size_bytes,
            body,
            tag: header.tag.clone(),
            kind: header.kind,
            name: header.name.clone(),
            seq: header.seq,
        }
    }

    /// Where to go on after it: [`From::Cursor`](crate::From::Cursor).
    pub fn cursor(&self) -> String {
        let cursor = Cursor {
            created: Wall::from_millis(self.created_ms),
            id: self.id,
        };
        cursor.to_string()
    }
}

/// A place in the stream of bulletins: `CREATED_MS-ID`.
///
/// It is made of the bulletin alone, so a bulletin that comes again after a crash has the cursor it
/// had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When the bulletin was made: where to begin when this node no longer holds it.
    pub created: Wall,
    /// The bulletin.
    pub id: BulletinId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.created.as_millis(), self.id)
    }
}

/// A text is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no cursor: take it from the `cursor` of a received bulletin")]
pub struct ParseCursorError(String);

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let parse = || {
            let (created, id) = text.split_once('-')?;
            let created = Wall::from_millis(created.parse().ok()?);
            Some(Self {
                created,
                id: id.parse().ok()?,
            })
        };
        parse().ok_or_else(|| ParseCursorError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = Cursor {
            created: Wall::from_millis(17),
            id: BulletinId::from_bytes([5; 32]),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("17".parse::<Cursor>().is_err());
        assert!("x-00".parse::<Cursor>().is_err());
    }
}
