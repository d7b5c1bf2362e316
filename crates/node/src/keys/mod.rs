//! The data folder and the secrets in it: node key, author keys, API token.
//!
//! A secret is a file of 64 hexadecimal characters and a newline that only its owner may read. What is
//! wrong with a file is said with the command that mends it, and never with a byte of the secret.

mod error;
mod file;
mod folder;
mod secret;

pub use error::KeyError;
pub(crate) use file::private_options;
pub use folder::{AuthorEntry, DEFAULT_AUTHOR, DataFolder};
pub use secret::Secret;

#[cfg(test)]
mod tests;
