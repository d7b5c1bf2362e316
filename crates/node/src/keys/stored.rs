//! A key as it lies in its file: open to whoever reads the file, or under a passphrase.

use std::path::Path;

use bruit_core::id::{AuthorId, NodeId};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::file;
use super::passphrase::Passphrase;
use super::sealed::{MAGIC, Sealed, TEXT_BYTES_MAX};
use super::secret::Secret;

/// A key as it lies in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Whoever reads the file has the secret.
    Plain(Secret),
    /// The secret is under a passphrase.
    Sealed(Sealed),
}

impl Stored {
    /// The secret, under a passphrase where there is one. Takes a fifth of a second then.
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn new(secret: Secret, passphrase: Option<&Passphrase>) -> Result<Self, KeyError> {
        Ok(match passphrase {
            None => Self::Plain(secret),
            Some(passphrase) => Self::Sealed(Sealed::seal(&secret, passphrase)?),
        })
    }

    /// Reads the key in the file `path`.
    ///
    /// # Errors
    /// As [`Secret::load`], and [`KeyError::Sealed`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let (text, got) = file::read(path, TEXT_BYTES_MAX)?;
        Self::of_file(&text, got, path)
    }

    /// Reads the text of a key's file, as it is kept or exported; `path` is where it is from, for errors.
    ///
    /// # Errors
    /// As [`Secret::load`], and [`KeyError::Sealed`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, KeyError> {
        Self::of_file(text.as_bytes(), text.len() as u64, path)
    }

    fn of_file(text: &[u8], got: u64, path: &Path) -> Result<Self, KeyError> {
        if !text.trim_ascii_start().starts_with(MAGIC_BEGINNING) {
            return Secret::of_file(text, got, path).map(Self::Plain);
        }
        let parsed = Sealed::parse(&String::from_utf8_lossy(text));
        parsed.map(Self::Sealed).map_err(|wrong| KeyError::Sealed {
            path: path.to_owned(),
            wrong,
        })
    }

    /// Writes the key to the new file `path`, which lasts when this returns.
    ///
    /// # Errors
    /// As [`Secret::save`].
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        file::write_new(path, &self.to_text())
    }

    /// Writes the key in the place of what the file `path` has.
    pub(super) fn replace(&self, path: &Path) -> Result<(), KeyError> {
        file::replace(path, &self.to_text())
    }

    /// The text of its file.
    pub fn to_text(&self) -> Zeroizing<String> {
        match self {
            Self::Plain(secret) => {
                let mut text = secret.to_hex();
                text.push('\n');
                text
            }
            Self::Sealed(sealed) => Zeroizing::new(sealed.to_text()),
        }
    }

    /// Whether it is under a passphrase.
    pub const fn is_protected(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }

    /// The public key: its node's id.
    pub fn node_id(&self) -> NodeId {
        match self {
            Self::Plain(secret) => secret.node_id(),
            Self::Sealed(sealed) => sealed.node_id(),
        }
    }

    /// The public key: its author's id.
    pub fn author_id(&self) -> AuthorId {
        match self {
            Self::Plain(secret) => secret.author_id(),
            Self::Sealed(sealed) => sealed.author_id(),
        }
    }
}

impl From<Secret> for Stored {
    fn from(secret: Secret) -> Self {
        Self::Plain(secret)
    }
}

/// How every version of the text begins.
const MAGIC_BEGINNING: &[u8] = {
    let magic = MAGIC.as_bytes();
    magic.split_at(magic.len() - 1).0
};
