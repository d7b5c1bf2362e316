//! The letterbox: what somebody publishes so that others can write to them.
//!
//! It is the content of a value named `bruit/letterbox`, signed by the key letters are addressed to.

use std::fmt;

use hpke::kem::{Kem as _, X25519HkdfSha256};
use hpke::{Deserializable as _, Serializable as _};
use serde::{Deserialize, Serialize};

use crate::id::{AuthorId, debug_hex};
use crate::wire::{Decode, DecodeError, Encode, Reader};

/// Key letters are sealed to: an X25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LetterKey([u8; 32]);

impl LetterKey {
    /// Takes the 32 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LetterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_hex(f, "LetterKey", &self.0)
    }
}

/// The private half of a [`LetterKey`]. It is never printed, and wiped when dropped.
#[derive(Clone)]
pub struct LetterSecret(pub(super) <X25519HkdfSha256 as hpke::Kem>::PrivateKey);

impl LetterSecret {
    /// The letter key of `identity` at a node whose letters' secret is `seed`.
    ///
    /// Each identity of a node has a key of its own, so that nobody can tell from their letterboxes
    /// that they belong together: `DeriveKeyPair(BLAKE3-keyed(seed, "ltk1" ‖ identity))`.
    pub fn derive(seed: &[u8; 32], identity: &AuthorId) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(seed);
        hasher.update(b"ltk1").update(identity.as_bytes());
        Self(X25519HkdfSha256::derive_keypair(hasher.finalize().as_bytes()).0)
    }

    /// The key of these 32 bytes.
    ///
    /// # Panics
    /// Never: every 32 bytes are an X25519 key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let key = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(bytes);
        Self(key.expect("every 32 bytes are a key"))
    }

    /// The public half.
    pub fn public(&self) -> LetterKey {
        LetterKey(X25519HkdfSha256::sk_to_pk(&self.0).to_bytes().into())
    }
}

impl fmt::Debug for LetterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LetterSecret(of {:?})", self.public())
    }
}

/// A delivery code: random, public, and changed to turn away who has the old one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryCode([u8; 16]);

impl DeliveryCode {
    /// Takes the 16 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for DeliveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_hex(f, "DeliveryCode", &self.0)
    }
}

impl fmt::Display for DeliveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How many leading bits of a delivery topic are told: letters go to one of `2^bits` buckets.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct BucketBits(u8);

impl BucketBits {
    /// Most bits: 65,536 buckets, for networks of eight million recipients.
    pub const MAX: u8 = 16;
    /// Recipients a bucket has on average, at least. Twice the 64 that are promised, since chance fills
    /// them unevenly: of buckets with 128 on average one in 10¹⁰ has fewer than 64.
    const SHARE: u64 = 128;

    /// As many bits as a network of `recipients` allows; none in small networks, where all share one
    /// bucket.
    pub fn for_network(recipients: u64) -> Self {
        let buckets = recipients.checked_div(Self::SHARE).unwrap_or(0);
        let bits = buckets.checked_ilog2().unwrap_or(0);
        Self(u8::try_from(bits).unwrap_or(Self::MAX).min(Self::MAX))
    }

    /// This many bits; none over [`BucketBits::MAX`].
    pub fn new(bits: u8) -> Option<Self> {
        (bits <= Self::MAX).then_some(Self(bits))
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Where and how to write to somebody.
///
/// ```text
/// ver: u8 = 1 | letter_key: 32 | code: 16 | bits: u8 ≤ 16
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Letterbox {
    /// The key to seal to.
    pub key: LetterKey,
    /// The delivery code.
    pub code: DeliveryCode,
    /// Bits of the bucket.
    pub bits: BucketBits,
}

impl Letterbox {
    /// The name of the value it is published as.
    pub const NAME: &'static str = "bruit/letterbox";
    /// Bytes of the encoding.
    pub const BYTES: usize = 50;

    const VERSION: u8 = 1;
}

impl Encode for Letterbox {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.key.0.encode(out);
        self.code.0.encode(out);
        self.bits.0.encode(out);
    }
}

impl Decode for Letterbox {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            Self::VERSION => {}
            got => {
                return Err(DecodeError::Invalid {
                    what: "letterbox version",
                    got: got.into(),
                });
            }
        }
        let (key, code) = (LetterKey(reader.array()?), DeliveryCode(reader.array()?));
        let bits = reader.u8()?;
        let bits = BucketBits::new(bits).ok_or(DecodeError::TooLarge {
            what: "bucket bits",
            got: bits.into(),
            max: BucketBits::MAX.into(),
        })?;
        Ok(Self { key, code, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode_all, encode_to_bytes};

    #[test]
    fn letterbox_has_the_documented_bytes() {
        let letterbox = Letterbox {
            key: LetterKey([0x11; 32]),
            code: DeliveryCode([0x22; 16]),
            bits: BucketBits(3),
        };
        let bytes = [&[1][..], &[0x11; 32], &[0x22; 16], &[3]].concat();
        assert_eq!(encode_to_bytes(&letterbox), bytes);
        assert_eq!(bytes.len(), Letterbox::BYTES);
        assert_eq!(decode_all(&bytes), Ok(letterbox));
        for (at, value) in [(0, 2), (49, 17)] {
            let mut wrong = bytes.clone();
            wrong[at] = value;
            assert!(decode_all::<Letterbox>(&wrong).is_err(), "byte {at}");
        }
        for cut in 0..bytes.len() {
            assert!(decode_all::<Letterbox>(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn small_networks_have_one_bucket_and_large_ones_buckets_of_128_or_more() {
        let bits = |recipients| BucketBits::for_network(recipients).get();
        assert_eq!([0, 1, 50, 255].map(bits), [0; 4]);
        assert_eq!([256, 511, 512, 10_000].map(bits), [1, 1, 2, 6]);
        assert_eq!(bits(u64::MAX), BucketBits::MAX);
        for recipients in (256..100_000).step_by(97) {
            assert!(recipients >> bits(recipients) >= 128, "{recipients}");
        }
    }

    #[test]
    fn keys_of_one_node_have_nothing_in_common_and_stay_the_same() {
        let [a, b] = [1, 2].map(|n| AuthorId::from_bytes([n; 32]));
        let key = |identity| LetterSecret::derive(&[7; 32], identity).public();
        assert_ne!(key(&a), key(&b));
        assert_eq!(key(&a), key(&a));
        assert_ne!(key(&a), LetterSecret::derive(&[8; 32], &a).public());
    }

    #[test]
    fn secret_is_not_printed() {
        let secret = LetterSecret::from_bytes(&[0xab; 32]);
        assert!(!format!("{secret:?}").contains("abab"));
    }
}
