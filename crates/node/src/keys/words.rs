//! A secret as 24 English words, to be written on paper: BIP-39.
//!
//! The words are the 32 bytes themselves and 8 bits to check them. Wallets, for which the words were made,
//! make another secret of them: nothing of theirs fits here, and nothing of ours there.

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::secret::Secret;

/// Words of 32 bytes.
pub(super) const WORDS: usize = 24;
/// Most bytes of a word in the list, and the blank after it.
const WORD_BYTES_MAX: usize = 9;
/// Slips of the pen up to which a word of the list is proposed.
const SLIPS_MAX: usize = 2;

impl Secret {
    /// The secret as 24 words with a blank between them.
    ///
    /// # Examples
    /// ```
    /// use bruit::keys::Secret;
    /// let secret = Secret::from_bytes([0; 32]);
    /// assert!(secret.to_words().ends_with("abandon abandon art"));
    /// assert_eq!(Secret::from_words(&secret.to_words())?, secret);
    /// # Ok::<(), bruit::keys::KeyError>(())
    /// ```
    pub fn to_words(&self) -> Zeroizing<String> {
        let mnemonic = mnemonic(self);
        let mut text = Zeroizing::new(String::with_capacity(WORDS * WORD_BYTES_MAX));
        for (place, word) in mnemonic.words().enumerate() {
            if place > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// Reads 24 words, in capitals or not, white space between them.
    ///
    /// # Errors
    /// [`KeyError::WordCount`], `UnknownWord`, `WordsChecksum`. None repeats what was given.
    pub fn from_words(text: &str) -> Result<Self, KeyError> {
        let mut plain = Zeroizing::new(String::with_capacity(text.len() + WORDS));
        let (mut got, mut unknown) = (0, None);
        for word in text.split_whitespace() {
            let start = plain.len();
            plain.extend(word.chars().map(|c| c.to_ascii_lowercase()));
            let word = &plain[start..];
            got += 1;
            if unknown.is_none() && Language::English.find_word(word).is_none() {
                let nearest = nearest(word);
                unknown = Some(KeyError::UnknownWord {
                    position: got,
                    nearest,
                });
            }
            plain.push(' ');
        }
        if got != WORDS {
            return Err(KeyError::WordCount { got });
        }
        if let Some(unknown) = unknown {
            return Err(unknown);
        }
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, plain.trim_end())
            .map_err(|_| KeyError::WordsChecksum)?;
        let (bytes, length) = mnemonic.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        let seed = bytes[..length].try_into();
        seed.map(Self::from_bytes)
            .map_err(|_| KeyError::WordCount { got })
    }
}

fn mnemonic(secret: &Secret) -> Mnemonic {
    Mnemonic::from_entropy_in(Language::English, secret.expose())
        .expect("32 bytes are a length the words have")
}

/// The word of the list that `word` was probably meant to be.
fn nearest(word: &str) -> Option<&'static str> {
    let list = Language::English.word_list().iter();
    let slips = list.map(|known| (strsim::damerau_levenshtein(word, known), *known));
    let (slips, known) = slips.min_by_key(|(slips, _)| *slips)?;
    (slips <= SLIPS_MAX).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of BIP-39 (Trezor's `vectors.json`).
    const VECTORS: [(&str, &str); 3] = [
        (
            "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage \
             worth useful legal winner thank year wave sausage worth title",
        ),
        (
            "8080808080808080808080808080808080808080808080808080808080808080",
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount \
             doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless",
        ),
        (
            "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
            "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing \
             screen patrol group space point ten exist slush involve unfold",
        ),
    ];

    #[test]
    fn words_are_those_of_the_standard() {
        for (hex, words) in VECTORS {
            let secret = Secret::from_hex(hex).unwrap();
            assert_eq!(*secret.to_words(), words);
            assert_eq!(Secret::from_words(words).unwrap(), secret);
            let sloppy = format!("  {}\n", words.to_uppercase().replace(' ', "\n "));
            assert_eq!(Secret::from_words(&sloppy).unwrap(), secret);
        }
    }

    #[test]
    fn a_slip_is_told_by_its_place_with_the_nearest_word() {
        let words = VECTORS[2].1;
        let wrong = |from, to| Secret::from_words(&words.replace(from, to)).unwrap_err();
        let told = wrong("survey", "survei");
        let expected = |position, nearest| matches!(told, KeyError::UnknownWord { position: p, nearest: n } if (p, n) == (position, nearest));
        assert!(expected(6, Some("survey")), "{told:?}");
        assert!(told.to_string().contains("word 6"), "{told}");
        assert!(!told.to_string().contains("survei"), "{told}");
        assert!(told.fix().contains("survey"), "{}", told.fix());
        let told = wrong("void", "qqqqqqqqqq");
        assert!(
            matches!(
                told,
                KeyError::UnknownWord {
                    position: 1,
                    nearest: None
                }
            ),
            "{told:?}"
        );
    }

    #[test]
    fn words_too_few_or_in_another_order_are_refused() {
        let words = VECTORS[2].1;
        for (text, got) in [("", 0), ("void come", 2), (&format!("{words} void"), 25)] {
            let error = Secret::from_words(text).unwrap_err();
            assert!(
                matches!(error, KeyError::WordCount { got: g } if g == got),
                "{error:?}"
            );
        }
        let swapped = words.replace("void come", "come void");
        assert!(matches!(
            Secret::from_words(&swapped).unwrap_err(),
            KeyError::WordsChecksum
        ));
    }
}
