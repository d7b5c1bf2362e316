//! The token that opens the API: a secret of the data folder.

use std::path::Path;

use bruit::keys::{DataFolder, KeyError, Secret};

/// Name of the token's file in the data folder.
const TOKEN_FILE: &str = "token";

/// A token. It is never printed, and wiped when dropped.
#[derive(Debug, Clone)]
pub struct Token(Secret);

impl Token {
    /// The token of the data folder `folder`, made when there is none yet.
    ///
    /// # Errors
    /// When the file cannot be read or made, is open to others, or is damaged.
    pub fn load_or_create(folder: &Path) -> Result<Self, KeyError> {
        DataFolder::open(folder)?.token().map(Self)
    }

    /// The token of the data folder `folder`.
    ///
    /// # Errors
    /// When the file cannot be read, is open to others, or is damaged.
    pub fn load(folder: &Path) -> Result<Self, KeyError> {
        Secret::load(&folder.join(TOKEN_FILE)).map(Self)
    }

    /// Whether `offered` is this token, in a time that does not depend on where they differ.
    pub fn matches(&self, offered: &str) -> bool {
        is_same(&self.0, offered)
    }

    /// The value of the `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", *self.0.to_hex())
    }
}

/// Whether `offered` is `own` in hexadecimal, in a time that does not depend on where they differ.
pub(crate) fn is_same(own: &Secret, offered: &str) -> bool {
    let own = own.to_hex();
    let pairs = own.bytes().zip(offered.bytes());
    let different = pairs.fold(0, |different, (a, b)| different | (a ^ b));
    own.len() == offered.len() && std::hint::black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_matches() {
        let folder = tempfile::tempdir().unwrap();
        let made = Token::load_or_create(folder.path()).unwrap();
        let own = made.0.to_hex();
        assert!(made.matches(&own));
        assert!(!made.matches(&own[1..]));
        assert!(!made.matches(&format!("{}0", *own)));
        assert!(!made.matches(&own.chars().rev().collect::<String>()));
        assert!(!made.matches(""));
        assert!(Token::load(folder.path()).unwrap().matches(&own));
        assert!(!format!("{made:?}").contains(&own[..8]));
    }
}
