//! What a person types to open a key.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::error::KeyError;

/// Most bytes of a passphrase.
pub(super) const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// A passphrase, taken to the byte; wiped from memory on drop and never printed. It is serialised to be
/// sent to the daemon that asks for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

impl Passphrase {
    /// Takes the text as it is.
    ///
    /// # Errors
    /// [`KeyError::BadPassphrase`] when it is empty or too long.
    pub fn new(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = Zeroizing::new(text.into());
        match text.len() {
            1..=PASSPHRASE_BYTES_MAX => Ok(Self(text)),
            got => Err(KeyError::BadPassphrase { got }),
        }
    }

    /// The text: whoever takes it keeps it out of logs and outputs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for Passphrase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Passphrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_has_a_length_and_is_never_printed() {
        for wrong in [0, PASSPHRASE_BYTES_MAX + 1] {
            assert!(Passphrase::new("x".repeat(wrong)).is_err(), "{wrong}");
        }
        let passphrase = Passphrase::new("hunter2").unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
        let json = serde_json::to_string(&passphrase).unwrap();
        assert_eq!(
            serde_json::from_str::<Passphrase>(&json).unwrap(),
            passphrase
        );
        assert!(serde_json::from_str::<Passphrase>("\"\"").is_err());
    }
}
