//! A secret under a passphrase: how it is sealed and opened, and the text of its file.
//!
//! The text has two lines. The first says what it is, what a guess costs, and the public key, so that
//! keys can be listed without a passphrase; the second is hexadecimal:
//!
//! ```text
//! bruit-key-1 argon2id m=65536 t=3 p=1 PUBLIC
//! [salt: 16][nonce: 12][seed, sealed: 32][tag: 16]
//! ```
//!
//! Argon2id (RFC 9106) makes a key of passphrase and salt; ChaCha20-Poly1305 (RFC 8439) seals the seed
//! with it, and authenticates the first line. Who can write the file may ask for neither a cheap guess
//! nor all the memory of the machine: the costs have bounds, checked before any work is done.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use bruit_core::id::{AuthorId, NodeId};
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::hex;
use super::passphrase::Passphrase;
use super::secret::Secret;

/// The first word of the text: what it is, and its version.
pub(super) const MAGIC: &str = "bruit-key-1";
/// The name of the function that makes a key of a passphrase.
const FUNCTION: &str = "argon2id";
/// Most bytes of the text: both lines with the largest numbers, and room for other line ends.
pub(super) const TEXT_BYTES_MAX: usize = 320;

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const SEED_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const BOX_BYTES: usize = SALT_BYTES + NONCE_BYTES + SEED_BYTES + TAG_BYTES;

/// What one guess at a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Memory, in KiB.
    memory: u32,
    /// Passes over it.
    passes: u32,
    /// Lanes, which we fill one after the other.
    lanes: u32,
}

impl Cost {
    /// What new files get: the second choice of RFC 9106 (§4), with one lane for its four, because ours
    /// are not filled side by side. A fifth of a second of a core.
    pub(super) const DEFAULT: Self = Self {
        memory: 64 << 10,
        passes: 3,
        lanes: 1,
    };
    /// The least that is taken: the least OWASP's "Password Storage Cheat Sheet" advises.
    pub(super) const MIN: Self = Self {
        memory: 19 << 10,
        passes: 2,
        lanes: 1,
    };
    /// The most that is taken: some ten seconds, and a GiB.
    const MAX: Self = Self {
        memory: 1 << 20,
        passes: 16,
        lanes: 16,
    };

    fn is_taken(self) -> bool {
        (Self::MIN.memory..=Self::MAX.memory).contains(&self.memory)
            && (Self::MIN.passes..=Self::MAX.passes).contains(&self.passes)
            && (Self::MIN.lanes..=Self::MAX.lanes).contains(&self.lanes)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} t={} p={}", self.memory, self.passes, self.lanes)
    }
}

/// A secret under a passphrase. Whoever has it knows the public key, and nothing of the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    cost: Cost,
    public: [u8; 32],
    bytes: [u8; BOX_BYTES],
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(of {:?})", self.author_id())
    }
}

/// Why a text is no sealed secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSealedError {
    /// It is of a version this program does not know.
    #[error("it is of a version this program does not know")]
    Version,
    /// Its parts are not those of a sealed secret.
    #[error("it is damaged")]
    Damaged,
    /// A guess at its passphrase costs too little, or opening it too much.
    #[error("its costs ({cost}) are not within {} and {}", Cost::MIN, Cost::MAX)]
    Cost {
        /// What it says.
        cost: String,
    },
}

impl Sealed {
    /// Seals `secret`. Takes a fifth of a second, and 64 MiB for as long.
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn seal(secret: &Secret, passphrase: &Passphrase) -> Result<Self, KeyError> {
        Self::seal_at(Cost::DEFAULT, secret, passphrase)
    }

    pub(super) fn seal_at(
        cost: Cost,
        secret: &Secret,
        passphrase: &Passphrase,
    ) -> Result<Self, KeyError> {
        let mut bytes = [0; BOX_BYTES];
        getrandom::fill(&mut bytes[..SALT_BYTES + NONCE_BYTES]).map_err(|error| {
            KeyError::Randomness {
                what: error.to_string(),
            }
        })?;
        let public = *secret.author_id().as_bytes();
        let header = header(cost, &public);
        let (salt, rest) = bytes.split_at_mut(SALT_BYTES);
        let (nonce, rest) = rest.split_at_mut(NONCE_BYTES);
        let (seed, tag) = rest.split_at_mut(SEED_BYTES);
        seed.copy_from_slice(secret.expose());
        let nonce: &[u8; NONCE_BYTES] = (&*nonce).try_into().expect("cut to its length");
        let sealed = cipher(cost, passphrase, salt)
            .encrypt_inout_detached(nonce.into(), header.as_bytes(), seed.into())
            .expect("32 bytes are not too many for the cipher");
        tag.copy_from_slice(&sealed);
        Ok(Self {
            cost,
            public,
            bytes,
        })
    }

    /// The secret, or nothing when the passphrase is another one or the file was changed. Takes as long
    /// as sealing.
    pub fn open(&self, passphrase: &Passphrase) -> Option<Secret> {
        let (salt, rest) = self.bytes.split_at(SALT_BYTES);
        let (nonce, rest) = rest.split_at(NONCE_BYTES);
        let (sealed, tag) = rest.split_at(SEED_BYTES);
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        seed.copy_from_slice(sealed);
        let nonce: &[u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let tag: &[u8; BOX_BYTES - SALT_BYTES - NONCE_BYTES - SEED_BYTES] = tag.try_into().ok()?;
        cipher(self.cost, passphrase, salt)
            .decrypt_inout_detached(
                nonce.into(),
                header(self.cost, &self.public).as_bytes(),
                seed.as_mut_slice().into(),
                tag.into(),
            )
            .ok()?;
        let secret = Secret::from_bytes(*seed);
        (secret.author_id() == self.author_id()).then_some(secret)
    }

    /// The public key: its node's id.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(self.public)
    }

    /// The public key: its author's id.
    pub fn author_id(&self) -> AuthorId {
        AuthorId::from_bytes(self.public)
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let header = header(self.cost, &self.public);
        format!("{header}\n{}\n", *hex::encode(&self.bytes))
    }

    /// Reads the text of a file. That the secret is whole shows when it is opened.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ParseSealedError> {
        use ParseSealedError::{Damaged, Version};
        let mut words = text.split_ascii_whitespace();
        let mut next = || words.next().ok_or(Damaged);
        if (next()?, next()?) != (MAGIC, FUNCTION) {
            return Err(Version);
        }
        let mut number = |name| {
            let text = next()?.strip_prefix(name).ok_or(Damaged)?;
            // As it was written, for the header is authenticated to the letter.
            let number: u32 = text.parse().map_err(|_| Damaged)?;
            (number.to_string() == text)
                .then_some(number)
                .ok_or(Damaged)
        };
        let cost = Cost {
            memory: number("m=")?,
            passes: number("t=")?,
            lanes: number("p=")?,
        };
        if !cost.is_taken() {
            let cost = cost.to_string();
            return Err(ParseSealedError::Cost { cost });
        }
        let (mut public, mut bytes) = ([0; 32], [0; BOX_BYTES]);
        hex::decode(next()?.as_bytes(), &mut public).ok_or(Damaged)?;
        hex::decode(next()?.as_bytes(), &mut bytes).ok_or(Damaged)?;
        if next().is_ok() {
            return Err(Damaged);
        }
        Ok(Self {
            cost,
            public,
            bytes,
        })
    }
}

/// The first line of the text.
fn header(cost: Cost, public: &[u8; 32]) -> String {
    format!("{MAGIC} {FUNCTION} {cost} {}", *hex::encode(public))
}

/// The cipher whose key `passphrase` and `salt` make.
fn cipher(cost: Cost, passphrase: &Passphrase, salt: &[u8]) -> ChaCha20Poly1305 {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32))
        .expect("a cost within our bounds is within the function's");
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, key.as_mut())
        .expect("salt, passphrase and key have lengths the function takes");
    ChaCha20Poly1305::new((&*key).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    fn sealed() -> (Secret, Sealed) {
        let secret = Secret::from_bytes([0xab; 32]);
        let sealed = Sealed::seal_at(Cost::MIN, &secret, &passphrase("correct horse"));
        (secret, sealed.unwrap())
    }

    #[test]
    fn only_its_passphrase_opens_a_secret() {
        let (secret, sealed) = sealed();
        let text = sealed.to_text();
        assert!(text.len() <= TEXT_BYTES_MAX);
        assert!(!text.contains(&*secret.to_hex()));
        let read = Sealed::parse(&text).unwrap();
        assert_eq!(read, sealed);
        assert_eq!(read.author_id(), secret.author_id());
        assert_eq!(read.open(&passphrase("correct horse")), Some(secret));
        assert_eq!(read.open(&passphrase("correct horse ")), None);
    }

    /// The layout is a promise: a file made today is opened by every later version.
    #[test]
    fn a_file_of_version_one_is_opened() {
        let text = include_str!("sealed-1.key");
        let secret = Sealed::parse(text).unwrap().open(&passphrase("grüße"));
        assert_eq!(secret, Some(Secret::from_bytes([0xab; 32])));
    }

    #[test]
    fn a_file_that_was_changed_is_not_opened() {
        let (_, sealed) = sealed();
        let right = passphrase("correct horse");
        for change in [0, SALT_BYTES, SALT_BYTES + NONCE_BYTES, BOX_BYTES - 1] {
            let mut changed = sealed.clone();
            changed.bytes[change] ^= 1;
            assert_eq!(changed.open(&right), None, "byte {change}");
        }
        let mut other = sealed.clone();
        other.public[0] ^= 1;
        assert_eq!(other.open(&right), None, "another public key");
        let mut dearer = sealed;
        dearer.cost.passes += 1;
        assert_eq!(dearer.open(&right), None, "another cost");
    }

    #[test]
    fn texts_that_are_none_are_told_apart() {
        let text = sealed().1.to_text();
        let parse = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Sealed::parse(&text.replace(from, to)).unwrap_err()
        };
        assert_eq!(parse("key-1", "key-2"), ParseSealedError::Version);
        assert_eq!(parse("argon2id", "scrypt"), ParseSealedError::Version);
        for (from, to) in [
            ("p=1", "p=01"),
            ("p=1", "1"),
            ("p=1", "p=1 p=1"),
            ("\n", "\n0"),
        ] {
            assert_eq!(parse(from, to), ParseSealedError::Damaged, "{from} {to}");
        }
        for (from, to) in [
            ("m=19456", "m=19455"),
            ("m=19456", "m=4294967295"),
            ("t=2", "t=1"),
            ("t=2", "t=17"),
            ("p=1", "p=0"),
            ("p=1", "p=17"),
        ] {
            let error = parse(from, to);
            assert!(
                matches!(error, ParseSealedError::Cost { .. }),
                "{to}: {error}"
            );
        }
        for end in 0..text.trim_end().len() {
            assert!(Sealed::parse(&text[..end]).is_err(), "{end} bytes of it");
        }
    }
}
