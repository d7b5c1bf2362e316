//! A letter: what is inside the seal.
//!
//! The sender signs everything that matters, with the recipient's identity and letter key, which are
//! not sent along: whoever opens a letter puts their own there, so a letter that was re-addressed, or
//! sealed again to another, has a wrong signature. The same letter sealed anew (a retry) keeps its id.

use std::fmt;

use bytes::Bytes;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::id::{AuthorId, NetworkId, debug_hex};
use crate::identity::{Claim, SecretKey, Signature};
use crate::time::Wall;
use crate::wire::{Decode, DecodeError, Encode, Reader};

use super::sealed::{Context, SEALED_OVERHEAD, SEALED_SIZES, sealed_size};
use super::{DeliveryCode, LetterKey, LetterSecret, Letterbox};

/// A letter's id: 32 random bytes that only sender and recipient see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LetterId([u8; 32]);

impl LetterId {
    /// Takes the 32 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_hex(f, "LetterId", &self.0)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a letter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// For somebody to read.
    Message,
    /// For the recipient's node alone: the sender's letterbox is now the enclosed one.
    Moved,
}

impl Purpose {
    const fn byte(self) -> u8 {
        match self {
            Self::Message => 0,
            Self::Moved => 1,
        }
    }
}

/// A letter, as its sender wrote it.
///
/// ```text
/// ver: u8 = 1 | purpose: u8 | from: 32 | id: 32 | created_ms: u64 | expires_ms: u64 | reply: 50
/// | ack_len: u16 | ack: 0..=512 | body_len: u32 | body: 0..=64512 | signature: 64 | zeros
/// signature over "ltr1" ‖ network_id ‖ to: 32 ‖ recipient's letter key: 32 ‖ all before the signature
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is for.
    pub purpose: Purpose,
    /// Who wrote it: the key of a node or an author.
    pub from: AuthorId,
    /// Whom it is for. Not sent along: the recipient knows.
    pub to: AuthorId,
    /// Its id, the same however often it is sealed.
    pub id: LetterId,
    /// When it was written, by the sender's clock.
    pub created: Wall,
    /// When it is no longer worth reading.
    pub expires: Wall,
    /// Where to answer.
    pub reply: Letterbox,
    /// The bulletin to publish when it came, paid for already; empty when none is wanted.
    pub acknowledgement: Bytes,
    /// What it says.
    pub body: Bytes,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it says is nobody's business.
        f.debug_struct("Letter")
            .field("purpose", &self.purpose)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("id", &self.id)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why a letter cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The body is too long.
    #[error("a letter of {got} bytes exceeds {max}")]
    TooBig {
        /// Its bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
    /// Nobody has the secret of the recipient's letter key.
    #[error("the recipient's letter key is none")]
    Key,
}

/// Why a sealed letter is not one for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is sealed to another key, for another code, in another bulletin, or damaged.
    #[error("the seal is not for this letterbox")]
    Seal,
    /// What is inside is no letter.
    #[error("no letter inside: {0}")]
    Malformed(#[from] DecodeError),
    /// The signature is not that of whom it says it is from, to us.
    #[error("the signature inside is wrong")]
    Signature,
}

/// What opens letters to one identity under one delivery code.
#[derive(Debug, Clone, Copy)]
pub struct Opener<'a> {
    /// Our network.
    pub network: &'a NetworkId,
    /// To whom letters are addressed.
    pub identity: &'a AuthorId,
    /// The secret of the identity's letter key.
    pub secret: &'a LetterSecret,
    /// The delivery code.
    pub code: &'a DeliveryCode,
}

impl Letter {
    /// Most bytes of a body.
    pub const BODY_BYTES_MAX: usize = 64_512;
    /// Most bytes of an enclosed acknowledgement.
    pub const ACKNOWLEDGEMENT_BYTES_MAX: usize = 512;

    const VERSION: u8 = 1;

    /// Signs the letter with `key`, pads it, and seals it to `letterbox` for a bulletin by `author`.
    /// Returns the bulletin's content. About 150 µs.
    ///
    /// # Errors
    /// The sender's fault when the body is too long, the recipient's when their key is none.
    ///
    /// # Panics
    /// When `key` is not that of `from`: our own mistake.
    pub fn seal(
        &self,
        network: &NetworkId,
        letterbox: &Letterbox,
        key: &SecretKey,
        author: &AuthorId,
        rng: &mut impl CryptoRng,
    ) -> Result<Bytes, SealError> {
        assert_eq!(self.from, key.author_id(), "the sender signs");
        let (got, max) = (self.body.len(), Self::BODY_BYTES_MAX);
        if got > max {
            return Err(SealError::TooBig { got, max });
        }
        let mut plaintext = self.inside();
        let text = signed_text(network, &self.to, &letterbox.key, &plaintext);
        plaintext.extend_from_slice(key.sign(&text).as_bytes());
        let size =
            sealed_size(plaintext.len()).expect("body and enclosure are within their bounds");
        plaintext.resize(size.saturating_sub(SEALED_OVERHEAD), 0);
        let context = Context {
            network,
            code: &letterbox.code,
            author,
        };
        let sealed = context.seal(&letterbox.key, &plaintext, rng);
        sealed.map(Bytes::from).ok_or(SealError::Key)
    }

    /// Opens the `content` of a bulletin by `author`, and checks who wrote it. About 150 µs for a
    /// letter of ours, 50 µs for others.
    ///
    /// # Errors
    /// When it is not for this letterbox, or not from whom it says. All of it is the sender's fault or
    /// nobody's: the letter of somebody else does not open.
    pub fn open(opener: &Opener<'_>, author: &AuthorId, content: &[u8]) -> Result<Self, OpenError> {
        if !SEALED_SIZES.contains(&content.len()) {
            return Err(OpenError::Seal);
        }
        let sealed = Context {
            network: opener.network,
            code: opener.code,
            author,
        };
        let plaintext = sealed.open(opener.secret, content).ok_or(OpenError::Seal)?;
        let (letter, signature, inside) = Self::read(&plaintext, opener.identity)?;
        let key = opener.secret.public();
        let claim = Claim {
            key: letter.from.as_bytes(),
            message: &signed_text(opener.network, opener.identity, &key, inside),
            signature: &signature,
        };
        if claim.verify() {
            Ok(letter)
        } else {
            Err(OpenError::Signature)
        }
    }

    /// All that is inside but signature and padding.
    fn inside(&self) -> Vec<u8> {
        let (ack, body) = (&self.acknowledgement, &self.body);
        let mut out = Vec::with_capacity(body.len().saturating_add(1_024));
        [Self::VERSION, self.purpose.byte()].encode(&mut out);
        self.from.encode(&mut out);
        self.id.0.encode(&mut out);
        self.created.as_millis().encode(&mut out);
        self.expires.as_millis().encode(&mut out);
        self.reply.encode(&mut out);
        u16::try_from(ack.len())
            .expect("an acknowledgement is within its bound")
            .encode(&mut out);
        out.extend_from_slice(ack);
        u32::try_from(body.len())
            .expect("checked by the caller")
            .encode(&mut out);
        out.extend_from_slice(body);
        out
    }

    /// Reads what [`Letter::inside`] wrote, the signature after it, and zeros to the end. Returns what
    /// is signed as well.
    fn read<'a>(
        plaintext: &'a [u8],
        to: &AuthorId,
    ) -> Result<(Self, Signature, &'a [u8]), DecodeError> {
        let mut reader = Reader::new(plaintext);
        let letter = Self::decode(&mut reader, to)?;
        let inside = plaintext.get(..reader.position()).unwrap_or_default();
        let signature = Signature::from_bytes(reader.array()?);
        let used = reader.position();
        if let Some(other) = reader.rest().iter().find(|byte| **byte != 0) {
            return Err(DecodeError::Invalid {
                what: "padding",
                got: (*other).into(),
            });
        }
        let size = plaintext.len().saturating_add(SEALED_OVERHEAD);
        if sealed_size(used) != Some(size) {
            return Err(DecodeError::Invalid {
                what: "padded size",
                got: u64::try_from(size).unwrap_or(u64::MAX),
            });
        }
        Ok((letter, signature, inside))
    }

    fn decode(reader: &mut Reader<'_>, to: &AuthorId) -> Result<Self, DecodeError> {
        let invalid = |what, got: u8| DecodeError::Invalid {
            what,
            got: got.into(),
        };
        let version = reader.u8()?;
        if version != Self::VERSION {
            return Err(invalid("letter version", version));
        }
        let purpose = match reader.u8()? {
            0 => Purpose::Message,
            1 => Purpose::Moved,
            got => return Err(invalid("purpose", got)),
        };
        Ok(Self {
            purpose,
            from: AuthorId::decode(reader)?,
            to: *to,
            id: LetterId(reader.array()?),
            created: Wall::from_millis(reader.u64()?),
            expires: Wall::from_millis(reader.u64()?),
            reply: Letterbox::decode(reader)?,
            acknowledgement: {
                let got = reader.u16()?.into();
                bounded(
                    reader,
                    "acknowledgement",
                    got,
                    Self::ACKNOWLEDGEMENT_BYTES_MAX,
                )?
            },
            body: {
                let got = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
                bounded(reader, "body", got, Self::BODY_BYTES_MAX)?
            },
        })
    }
}

fn bounded(
    reader: &mut Reader<'_>,
    what: &'static str,
    got: usize,
    max: usize,
) -> Result<Bytes, DecodeError> {
    if got > max {
        return Err(DecodeError::TooLarge { what, got, max });
    }
    reader.take(got).map(Bytes::copy_from_slice)
}

/// What the sender signs.
fn signed_text(network: &NetworkId, to: &AuthorId, key: &LetterKey, inside: &[u8]) -> Vec<u8> {
    [
        b"ltr1".as_slice(),
        network.as_bytes(),
        to.as_bytes(),
        key.as_bytes(),
        inside,
    ]
    .concat()
}

#[cfg(test)]
mod tests;
