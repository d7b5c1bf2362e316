//! The bytes of k98kurz/gossip: messages, the bulletins in them, and what a message's first byte says.
//!
//! ```text
//! message:  dst: 32 | src: 32 | ts: i32 | nonce: i32 | signature: 64 | body, sealed to dst
//! bulletin: topic: 32 | content id: 32 | ts: i32 | nonce: i32 | content
//! ```
//! All numbers are big-endian. Signed are src, dst and body; paid for are src, dst, ts, nonce and body of a
//! message, and the first 72 bytes of a bulletin. There is no length and no version: a datagram is a message.

use sha2::{Digest as _, Sha256};

use super::identity::{self, Address, Identity, SIGNATURE_BYTES};
use super::tapehash::{CODE_BYTES, leading_zeros, tapehash1};

/// Bytes before the body of a message.
pub const MESSAGE_HEADER_BYTES: usize = 136;
/// Bytes before the content of a bulletin.
pub const BULLETIN_HEADER_BYTES: usize = 72;
/// Bytes of the longest datagram that is read.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;
/// The largest number that both counts can carry: they are signed on the wire.
const NUMBER_MAX: u32 = i32::MAX.unsigned_abs();

/// Bytes are no message, or no bulletin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Too short for its header.
    #[error("{what} of {got} bytes is shorter than its header of {min}")]
    TooShort {
        /// What.
        what: &'static str,
        /// Its bytes.
        got: usize,
        /// The least.
        min: usize,
    },
    /// A number below zero.
    #[error("{what} has a negative time or nonce")]
    Negative {
        /// What.
        what: &'static str,
    },
    /// Nothing at all in a body.
    #[error("a body without an operation")]
    Empty,
}

/// A message from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// To whom.
    pub dst: Address,
    /// From whom.
    pub src: Address,
    /// When it was paid for, in seconds since 1970. Not signed.
    pub ts: u32,
    /// What was found to make the payment good.
    pub nonce: u32,
    /// The sender's signature.
    pub signature: [u8; SIGNATURE_BYTES],
    /// The body, sealed.
    pub body: Vec<u8>,
}

impl Message {
    /// Seals, signs and pays for a text to `dst`, from nonce `start` on; none when `dst` is no key. Costs
    /// 2 to the power of `bits` tapehashes on average.
    pub fn make(
        from: &Identity,
        dst: &Address,
        text: &[u8],
        ephemeral: &[u8; 32],
        ts: u32,
        start: u32,
        bits: u32,
    ) -> Option<Self> {
        let body = identity::seal(dst, text, ephemeral)?;
        let mut message = Self {
            dst: *dst,
            src: *from.address(),
            ts: ts.min(NUMBER_MAX),
            nonce: 0,
            signature: [0; SIGNATURE_BYTES],
            body,
        };
        message.signature = from.sign(&message.signed_text());
        message.pay(start, bits);
        Some(message)
    }

    /// Finds the first nonce from `start` on that pays for it.
    pub fn pay(&mut self, start: u32, bits: u32) {
        self.nonce = start & NUMBER_MAX;
        while self.difficulty() < bits {
            self.nonce = self.nonce.wrapping_add(1) & NUMBER_MAX;
        }
    }

    /// Zero bits that were paid.
    pub fn difficulty(&self) -> u32 {
        let text = [
            &self.src[..],
            &self.dst,
            &self.ts.to_be_bytes(),
            &self.nonce.to_be_bytes(),
            &self.body,
        ]
        .concat();
        leading_zeros(&tapehash1(&text, CODE_BYTES))
    }

    /// Whether the sender signed it.
    pub fn is_signed(&self) -> bool {
        identity::is_signed(&self.src, &self.signed_text(), &self.signature)
    }

    /// What is signed. The same in every copy that is paid for anew.
    pub fn signed_text(&self) -> Vec<u8> {
        [&self.src[..], &self.dst, &self.body].concat()
    }

    /// The bytes of the datagram.
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.dst[..],
            &self.src,
            &self.ts.to_be_bytes(),
            &self.nonce.to_be_bytes(),
            &self.signature,
            &self.body,
        ]
        .concat()
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is none: the sender's fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader {
            what: "message",
            got: bytes.len(),
            min: MESSAGE_HEADER_BYTES,
            rest: bytes,
        };
        Ok(Self {
            dst: reader.take()?,
            src: reader.take()?,
            ts: reader.number()?,
            nonce: reader.number()?,
            signature: reader.take()?,
            body: reader.rest.to_vec(),
        })
    }
}

/// Something that is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulletin {
    /// The hash of the topic's name.
    pub topic: [u8; 32],
    /// The hash of the content.
    pub content_id: [u8; 32],
    /// When it was paid for, in seconds since 1970.
    pub ts: u32,
    /// What was found to make the payment good.
    pub nonce: u32,
    /// The content.
    pub content: Vec<u8>,
}

impl Bulletin {
    /// Pays for a content on a topic, from nonce `start` on. Costs 2 to the power of `bits` tapehashes on
    /// average.
    pub fn make(topic: [u8; 32], content: Vec<u8>, ts: u32, start: u32, bits: u32) -> Self {
        let mut bulletin = Self {
            topic,
            content_id: content_id(&content),
            ts: ts.min(NUMBER_MAX),
            nonce: start & NUMBER_MAX,
            content,
        };
        while bulletin.difficulty() < bits {
            bulletin.nonce = bulletin.nonce.wrapping_add(1) & NUMBER_MAX;
        }
        bulletin
    }

    /// Zero bits that were paid: for the header alone, so that [`Bulletin::is_whole`] is to be asked as well.
    pub fn difficulty(&self) -> u32 {
        leading_zeros(&tapehash1(&self.header(), CODE_BYTES))
    }

    /// Whether the content is the one that was paid for. The original does not ask.
    pub fn is_whole(&self) -> bool {
        content_id(&self.content) == self.content_id
    }

    /// What is paid for.
    pub fn header(&self) -> [u8; BULLETIN_HEADER_BYTES] {
        let mut header = [0; BULLETIN_HEADER_BYTES];
        header[..32].copy_from_slice(&self.topic);
        header[32..64].copy_from_slice(&self.content_id);
        header[64..68].copy_from_slice(&self.ts.to_be_bytes());
        header[68..].copy_from_slice(&self.nonce.to_be_bytes());
        header
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        [&self.header()[..], &self.content].concat()
    }

    /// Reads a bulletin.
    ///
    /// # Errors
    /// When it is none: the sender's fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader {
            what: "bulletin",
            got: bytes.len(),
            min: BULLETIN_HEADER_BYTES,
            rest: bytes,
        };
        Ok(Self {
            topic: reader.take()?,
            content_id: reader.take()?,
            ts: reader.number()?,
            nonce: reader.number()?,
            content: reader.rest.to_vec(),
        })
    }
}

/// The name of a content.
pub fn content_id(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// The name of a topic: the hash of its descriptor.
pub fn topic_id(descriptor: &[u8]) -> [u8; 32] {
    Sha256::digest(descriptor).into()
}

/// What an opened body says, by its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// 0: keep it and pass it on.
    Forward(Bulletin),
    /// 1: keep it.
    Deliver(Bulletin),
    /// 2: which bulletins are there on a topic?
    AskHeaders {
        /// The topic.
        topic: [u8; 32],
    },
    /// 3: these.
    Headers(Vec<[u8; BULLETIN_HEADER_BYTES]>),
    /// 4: give me this content of a topic.
    AskContent {
        /// The topic.
        topic: [u8; 32],
        /// The content's name.
        content_id: [u8; 32],
    },
    /// 5: here it is.
    Content(Bulletin),
    /// 6 to 10, which do nothing in the original either.
    Unused(u8),
    /// No operation: words for the one who opened it.
    Words(Vec<u8>),
}

impl Said {
    /// Reads an opened body.
    ///
    /// # Errors
    /// When it is cut: the sender's fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (op, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
        let mut reader = Reader {
            what: "question",
            got: rest.len(),
            min: 32,
            rest,
        };
        Ok(match op {
            0 => Self::Forward(Bulletin::decode(rest)?),
            1 => Self::Deliver(Bulletin::decode(rest)?),
            // The original may add a content to its question, which says nothing that we need.
            2 => Self::AskHeaders {
                topic: reader.take()?,
            },
            3 => Self::Headers(rest.as_chunks().0.to_vec()),
            4 => {
                reader.min = 64;
                Self::AskContent {
                    topic: reader.take()?,
                    content_id: reader.take()?,
                }
            }
            5 => Self::Content(Bulletin::decode(rest)?),
            6..=10 => Self::Unused(*op),
            _ => Self::Words(bytes.to_vec()),
        })
    }

    /// The body before it is sealed.
    pub fn encode(&self) -> Vec<u8> {
        let with = |op: u8, rest: &[u8]| [&[op], rest].concat();
        match self {
            Self::Forward(bulletin) => with(0, &bulletin.encode()),
            Self::Deliver(bulletin) => with(1, &bulletin.encode()),
            Self::AskHeaders { topic } => with(2, topic),
            Self::Headers(headers) => with(3, headers.as_flattened()),
            Self::AskContent { topic, content_id } => with(4, &[*topic, *content_id].concat()),
            Self::Content(bulletin) => with(5, &bulletin.encode()),
            Self::Unused(op) => vec![*op],
            Self::Words(words) => words.clone(),
        }
    }
}

struct Reader<'a> {
    what: &'static str,
    got: usize,
    min: usize,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (what, got, min) = (self.what, self.got, self.min);
        let short = CodecError::TooShort { what, got, min };
        let (taken, rest) = self.rest.split_first_chunk().ok_or(short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u32, CodecError> {
        let what = self.what;
        let number = i32::from_be_bytes(self.take()?);
        u32::try_from(number).map_err(|_| CodecError::Negative { what })
    }
}

#[cfg(test)]
mod tests;
