//! 32 secret bytes: where they come from, how they are written, whose public key is theirs.

use std::fmt;
use std::path::Path;

use bruit_core::id::{AuthorId, NodeId};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use zeroize::{Zeroize, Zeroizing};

use super::error::KeyError;
use super::{file, hex};

/// Bytes of a secret's file: hexadecimal and a newline.
pub(super) const SECRET_FILE_BYTES: usize = 65;

/// 32 secret bytes, wiped from memory on drop and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Fresh random bytes from the operating system.
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|error| KeyError::Randomness {
            what: error.to_string(),
        })?;
        Ok(Self(bytes))
    }

    /// Takes the bytes as they are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes: whoever takes them keeps them out of logs and outputs.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes as 64 lower-case hexadecimal characters.
    pub fn to_hex(&self) -> Zeroizing<String> {
        hex::encode(self.0.as_ref())
    }

    /// Reads 64 hexadecimal characters, white space around them allowed.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], which does not repeat the text.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        let text = text.trim().as_bytes();
        hex::decode(text, bytes.as_mut()).ok_or(KeyError::NotAKey)?;
        Ok(Self(bytes))
    }

    /// The Ed25519 key whose seed this is. The key is not wiped by itself: keep it in one place.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from(*self.0)
    }

    /// The public key: its node's id.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(self.public())
    }

    /// The public key: its author's id.
    pub fn author_id(&self) -> AuthorId {
        AuthorId::from_bytes(self.public())
    }

    fn public(&self) -> [u8; 32] {
        let mut key = self.signing_key();
        let public = VerificationKeyBytes::from(&key).into();
        key.zeroize();
        public
    }

    /// Reads the secret in the file `path`.
    ///
    /// # Errors
    /// What is wrong with the file: [`KeyError::Missing`], `TooOpen`, `Permission`, `NotAFile`,
    /// `Length`, `NotHex`, `Io`.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let (text, got) = file::read(path, SECRET_FILE_BYTES)?;
        Self::of_file(&text, got, path)
    }

    /// The secret in the `text` of the file `path`, which has `got` bytes.
    pub(super) fn of_file(text: &[u8], got: u64, path: &Path) -> Result<Self, KeyError> {
        let text = text.trim_ascii();
        if text.len() != 64 {
            return Err(KeyError::Length {
                path: path.to_owned(),
                got,
            });
        }
        let not_hex = || KeyError::NotHex {
            path: path.to_owned(),
        };
        Self::from_hex(std::str::from_utf8(text).map_err(|_| not_hex())?).map_err(|_| not_hex())
    }

    /// Writes the secret to the new file `path`, which lasts when this returns.
    ///
    /// # Errors
    /// [`KeyError::Exists`], `Permission`, `ReadOnly`, `Full`, `Io`. There is then no such file, or
    /// the one that was there before.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let mut text = self.to_hex();
        text.push('\n');
        file::write_new(path, &text)
    }
}
