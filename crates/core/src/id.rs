//! Identifiers: 32-byte newtypes that cannot be mixed up, plus the short forms the wire uses.
//!
//! Every identifier prints in full with `Display` and as four bytes with `Debug`, so that logs stay
//! readable and outputs stay exact.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text has the wrong number of characters.
    #[error("an id has 64 hexadecimal characters, this text has {got}")]
    Length {
        /// Characters found.
        got: usize,
    },
    /// A character is not a hexadecimal digit.
    #[error("an id is hexadecimal, character {at} is not")]
    Digit {
        /// Position of the first wrong character, from 0.
        at: usize,
    },
}

/// Decodes `2 * N` hexadecimal characters.
fn bytes_from_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    if text.len() != N.saturating_mul(2) {
        return Err(ParseIdError::Length {
            got: text.chars().count(),
        });
    }
    let digit = |at: usize, byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
            .ok_or(ParseIdError::Digit { at })
    };
    let mut bytes = [0; N];
    for ((at, pair), byte) in text.as_bytes().chunks_exact(2).enumerate().zip(&mut bytes) {
        let &[high, low] = pair else { continue };
        let at = at.saturating_mul(2);
        *byte = digit(at, high)? << 4 | digit(at.saturating_add(1), low)?;
    }
    Ok(bytes)
}

/// Writes `name(07a1c3f2)`: enough to tell two apart in a log.
pub(crate) fn debug_hex(f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    write!(f, "{name}(")?;
    bytes
        .iter()
        .take(4)
        .try_for_each(|byte| write!(f, "{byte:02x}"))?;
    f.write_str(")")
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the 32 bytes as they are.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                debug_hex(f, stringify!($name), &self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                bytes_from_hex(text).map(Self)
            }
        }
    };
}

id! {
    /// A node: its Ed25519 public key, which is also its transport identity.
    NodeId
}
id! {
    /// Whoever signed a bulletin: an Ed25519 public key of its own, of which a node may hold many.
    AuthorId
}
id! {
    /// A bulletin: the hash of its network, signed header and signature.
    BulletinId
}
id! {
    /// A topic: the hash of its descriptor. Only hashes travel.
    TopicId
}
id! {
    /// The hash of a bulletin's content.
    ContentId
}
id! {
    /// A network: the hash of its name, its price and, where it has one, its secret.
    NetworkId
}

impl NodeId {
    /// The node as an author: its key signs bulletins of its own, such as where to write to it.
    pub const fn as_author(&self) -> AuthorId {
        AuthorId(self.0)
    }
}

impl TopicId {
    /// The topic whose exact descriptor is `descriptor`: `BLAKE3("topic" ‖ descriptor)`.
    ///
    /// # Examples
    /// ```
    /// # use bruit_core::id::TopicId;
    /// assert_ne!(TopicId::of("news"), TopicId::of("News"));
    /// ```
    pub fn of(descriptor: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"topic").update(descriptor.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }
}

impl ContentId {
    /// The id of `content`: its BLAKE3 hash.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

/// The first 16 bytes of a [`BulletinId`], as announcements carry it.
///
/// Two bulletins with the same short id would need 2⁶⁴ paid attempts by one author, and would hurt
/// that author alone: the second one is taken for the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShortId([u8; 16]);

impl ShortId {
    /// Takes the 16 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_hex(f, "ShortId", &self.0)
    }
}

impl BulletinId {
    /// The first half, as announcements carry it.
    pub fn short(&self) -> ShortId {
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(&self.0) {
            *to = *from;
        }
        ShortId(short)
    }
}

/// A named value: the first 16 bytes of `BLAKE3("val1" ‖ author ‖ name)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ValueKey([u8; 16]);

impl ValueKey {
    /// The value that `author` calls `name`.
    pub fn of(author: &AuthorId, name: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(b"val1")
            .update(author.as_bytes())
            .update(name);
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Self(key)
    }

    /// Takes the 16 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for ValueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_hex(f, "ValueKey", &self.0)
    }
}

/// One connection between two nodes, numbered by the transport and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkId(u64);

impl LinkId {
    /// The link of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_parse_are_inverse() {
        let id = NodeId::from_bytes(*blake3::hash(b"a").as_bytes());
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 64);
        assert_eq!(format!("{id:?}").len(), "NodeId(00000000)".len());
    }

    #[test]
    fn wrong_texts_say_what_is_wrong() {
        assert_eq!("ab".parse::<NodeId>(), Err(ParseIdError::Length { got: 2 }));
        let text = "0".repeat(62) + "g0";
        assert_eq!(text.parse::<NodeId>(), Err(ParseIdError::Digit { at: 62 }));
    }

    #[test]
    fn topic_id_is_the_documented_hash() {
        assert_eq!(
            TopicId::of("news").as_bytes(),
            blake3::hash(b"topicnews").as_bytes()
        );
    }
}
