//! The data folder and the secrets in it: node key, author keys, API token.
//!
//! A secret is a file of 64 hexadecimal characters and a newline that only its owner may read, or lies
//! under a passphrase. What is wrong with a file is said with the command that mends it, and never with a
//! byte of the secret.

mod error;
mod file;
mod folder;
mod hex;
mod passphrase;
mod sealed;
mod secret;
mod stored;
mod words;

pub use error::KeyError;
pub(crate) use file::private_options;
pub use folder::{AuthorEntry, DEFAULT_AUTHOR, DataFolder, KeyName};
pub use passphrase::Passphrase;
pub use sealed::{ParseSealedError, Sealed};
pub use secret::Secret;
pub use stored::Stored;

#[cfg(test)]
mod tests;
