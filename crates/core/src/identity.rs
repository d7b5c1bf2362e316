//! Keys, signatures, and one rule for which signatures are good.
//!
//! Ed25519 under the rules of ZIP 215: batch and single verification accept exactly the same set,
//! so no node can be tricked into relaying what its neighbour, checking one by one, rejects.

use std::fmt;

use ed25519_zebra::{SigningKey, VerificationKeyBytes, batch};
use rand_core::CryptoRng;

use crate::id::{AuthorId, NodeId, debug_hex};

/// An Ed25519 signature as it travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_hex(f, "Signature", &self.0)
    }
}

impl serde::Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = bytes::Bytes::deserialize(deserializer)?;
        let array = <[u8; 64]>::try_from(bytes.as_ref())
            .map_err(|_| serde::de::Error::invalid_length(bytes.len(), &"64 bytes"))?;
        Ok(Self(array))
    }
}

/// A private key. It signs and tells its public half; it is never printed and wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key grown from 32 secret random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from(*seed))
    }

    /// The public half, as a node.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(VerificationKeyBytes::from(&self.0).into())
    }

    /// The public half, as an author.
    pub fn author_id(&self) -> AuthorId {
        AuthorId::from_bytes(VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs `message`. About 10 µs.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.node_id())
    }
}

/// One signature to check.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The public key that is said to have signed.
    pub key: &'a [u8; 32],
    /// What is said to have been signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

impl Claim<'_> {
    fn item(&self) -> batch::Item {
        let key = VerificationKeyBytes::from(*self.key);
        let signature = ed25519_zebra::Signature::from_bytes(&self.signature.0);
        batch::Item::from((key, signature, self.message))
    }

    /// Whether the signature is good. About 40 µs.
    pub fn verify(&self) -> bool {
        self.item().verify_single().is_ok()
    }
}

/// Checks `claims` together, about 18 µs each in a large batch, and one by one when the batch
/// fails. Returns the verdict of each in order.
pub fn verify_batch(claims: &[Claim<'_>], rng: &mut impl CryptoRng) -> Vec<bool> {
    if claims.len() > 1 {
        let mut verifier = batch::Verifier::new();
        for claim in claims {
            verifier.queue(claim.item());
        }
        if verifier.verify(rng).is_ok() {
            return vec![true; claims.len()];
        }
    }
    claims.iter().map(Claim::verify).collect()
}
