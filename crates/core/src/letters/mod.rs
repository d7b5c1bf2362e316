//! Letters: sealed messages to one node or author, in bulletins like all others.
//!
//! A recipient publishes a [`Letterbox`]: a key to seal to and a delivery code. A [`Letter`] is signed
//! by its sender, padded, and sealed to that key with HPKE (RFC 9180); what the network sees is a
//! bulletin by an author that exists for this one bulletin, on a topic shared by many recipients. It
//! encloses a bulletin that is paid for already, which the recipient merely publishes to say that the
//! letter came (Bitmessage's acknowledgement).
//!
//! Invariants: the outside of a letter holds nothing of sender and recipient but the bucket its topic
//! names; nothing about an opened letter is believed before its signature is checked ([`Letter::open`]
//! is the only way to one); the same letter, however often it is sealed, keeps its id.

mod acknowledgement;
mod delivery;
mod letter;
mod letterbox;
mod outside;
mod sealed;

pub use acknowledgement::{AcknowledgementError, acknowledgement, check_acknowledgement};
pub use delivery::{topic, week};
pub use letter::{Letter, LetterId, OpenError, Opener, Purpose, SealError};
pub use letterbox::{BucketBits, DeliveryCode, LetterKey, LetterSecret, Letterbox};
pub use outside::{OutsideError, TTL_MIN, check_outside, outside, ttl_for};
pub use sealed::{SEALED_SIZES, sealed_size};
