//! A bundle: bulletins in a file, to be carried from one node to another by hand.
//!
//! ```text
//! "bruitbdl" | version: u16 = 1 | network id: [32] | length: u8 | network's name: [length]
//! | (length: u32 | bulletin: [length])* | 0: u32 | bulletins: u64 | BLAKE3 of all before: [32]
//! ```
//!
//! What is whole is good for something: bulletins are handed on as they are read, and the end tells
//! whether anything is missing. A bulletin proves itself, so that the hash at the end is there for
//! damage and not for trust.

use bytes::Bytes;

use crate::id::NetworkId;

pub use crate::limits::BULLETIN_BYTES_MAX;

/// How every bundle begins.
const MAGIC: &[u8; 8] = b"bruitbdl";
/// The layout described here.
const VERSION: u16 = 1;
/// Bytes before the network's name.
const HEAD_BYTES: usize = 8 + 2 + 32 + 1;
/// Bytes from the length that is 0 on.
const END_BYTES: usize = 4 + 8 + 32;

/// Whose bulletins a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The network.
    pub network: NetworkId,
    /// Its name, for messages.
    pub name: String,
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// They do not begin like one.
    #[error("it does not begin like a bundle")]
    Magic,
    /// A newer bruit wrote it.
    #[error("it has version {got}, this bruit reads {VERSION}")]
    Version {
        /// The version found.
        got: u16,
    },
    /// The network's name is no text.
    #[error("the network's name in it is no text")]
    Name,
    /// A bulletin would be longer than any.
    #[error("a bulletin of {got} bytes in it exceeds {max}")]
    TooLarge {
        /// Bytes it would have.
        got: u32,
        /// Most bytes a bulletin has.
        max: usize,
    },
    /// The hash at its end is another than that of what came before.
    #[error("its hash does not fit: it is damaged")]
    Hash,
    /// It says that it holds another number of bulletins.
    #[error("it says it holds {said} bulletins, and holds {found}")]
    Count {
        /// The number it says.
        said: u64,
        /// The number found.
        found: u64,
    },
    /// There are bytes after its end.
    #[error("there are bytes after its end")]
    Trailing,
}

/// Writes a bundle, piece by piece.
#[derive(Debug)]
pub struct Encoder {
    hasher: blake3::Hasher,
    count: u64,
}

impl Encoder {
    /// A bundle of the bulletins of a network. Returns its first bytes, too. A name of more than 255
    /// bytes is cut short: it is for messages only.
    pub fn new(head: &Head) -> (Self, Vec<u8>) {
        let mut end = head.name.len().min(usize::from(u8::MAX));
        while !head.name.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let name = head.name.get(..end).unwrap_or_default();
        let length = u8::try_from(name.len()).unwrap_or_default();
        let mut encoder = Self {
            hasher: blake3::Hasher::new(),
            count: 0,
        };
        let bytes = encoder.hashed(&[
            MAGIC,
            &VERSION.to_be_bytes(),
            head.network.as_bytes(),
            &[length],
            name.as_bytes(),
        ]);
        (encoder, bytes)
    }

    /// The bytes of one bulletin, as its canonical encoding.
    ///
    /// # Panics
    /// When it is empty or longer than any bulletin: our own mistake.
    pub fn bulletin(&mut self, encoded: &[u8]) -> Vec<u8> {
        assert!(
            (1..=BULLETIN_BYTES_MAX).contains(&encoded.len()),
            "a bulletin has its bounds"
        );
        self.count = self.count.saturating_add(1);
        let length = u32::try_from(encoded.len()).expect("bounded: checked above");
        self.hashed(&[&length.to_be_bytes(), encoded])
    }

    /// The last bytes.
    pub fn end(mut self) -> Vec<u8> {
        let count = self.count.to_be_bytes();
        let mut bytes = self.hashed(&[&[0; 4], &count]);
        bytes.extend_from_slice(self.hasher.finalize().as_bytes());
        bytes
    }

    fn hashed(&mut self, parts: &[&[u8]]) -> Vec<u8> {
        let bytes = parts.concat();
        self.hasher.update(&bytes);
        bytes
    }
}

/// A part of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What it begins with.
    Head(Head),
    /// One bulletin's canonical encoding, not yet looked at.
    Bulletin(Bytes),
    /// The end: everything was there.
    End,
}

/// Reads a bundle as its bytes come.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    count: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Bulletins,
    End,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            hasher: blake3::Hasher::new(),
            count: 0,
            state: State::Head,
        }
    }
}

impl Decoder {
    /// Takes the next bytes. Call [`Decoder::next_part`] until it has nothing more before the next.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next part; none before more bytes come, or after the end.
    ///
    /// # Errors
    /// Says what is wrong with the bytes; nothing more can be read then.
    pub fn next_part(&mut self) -> Result<Option<Part>, BundleError> {
        match self.state {
            State::Head => self.head(),
            State::Bulletins => self.bulletin(),
            State::End if self.buffer.is_empty() => Ok(None),
            State::End => Err(BundleError::Trailing),
        }
    }

    /// Whether all of it was there.
    pub fn is_whole(&self) -> bool {
        self.state == State::End && self.buffer.is_empty()
    }

    fn head(&mut self) -> Result<Option<Part>, BundleError> {
        let begun = self.buffer.len().min(MAGIC.len());
        if self.buffer.get(..begun) != MAGIC.get(..begun) {
            return Err(BundleError::Magic);
        }
        let Some((&fixed, rest)) = self.buffer.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let [_, _, _, _, _, _, _, _, high, low, network @ .., length] = fixed;
        let got = u16::from_be_bytes([high, low]);
        if got != VERSION {
            return Err(BundleError::Version { got });
        }
        let Some(name) = rest.get(..usize::from(length)) else {
            return Ok(None);
        };
        let name = str::from_utf8(name).map_err(|_| BundleError::Name)?;
        let head = Head {
            network: NetworkId::from_bytes(network),
            name: name.to_owned(),
        };
        self.take(HEAD_BYTES.saturating_add(usize::from(length)));
        self.state = State::Bulletins;
        Ok(Some(Part::Head(head)))
    }

    fn bulletin(&mut self) -> Result<Option<Part>, BundleError> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let got = u32::from_be_bytes(*length);
        if got == 0 {
            return self.end();
        }
        let max = BULLETIN_BYTES_MAX;
        let length = usize::try_from(got).unwrap_or(usize::MAX);
        if length > max {
            return Err(BundleError::TooLarge { got, max });
        }
        let Some(bulletin) = rest.get(..length) else {
            return Ok(None);
        };
        let bulletin = Bytes::copy_from_slice(bulletin);
        self.take(length.saturating_add(4));
        self.count = self.count.saturating_add(1);
        Ok(Some(Part::Bulletin(bulletin)))
    }

    fn end(&mut self) -> Result<Option<Part>, BundleError> {
        let Some((&end, _)) = self.buffer.split_first_chunk::<END_BYTES>() else {
            return Ok(None);
        };
        let (front, hash) = end.split_last_chunk::<32>().unwrap_or((&[], &[0; 32]));
        self.hasher.update(front);
        if self.hasher.finalize() != blake3::Hash::from_bytes(*hash) {
            return Err(BundleError::Hash);
        }
        let said = front.last_chunk::<8>().copied().unwrap_or_default();
        let (said, found) = (u64::from_be_bytes(said), self.count);
        if said != found {
            return Err(BundleError::Count { said, found });
        }
        self.buffer.drain(..END_BYTES);
        self.state = State::End;
        Ok(Some(Part::End))
    }

    fn take(&mut self, count: usize) {
        self.hasher
            .update(self.buffer.get(..count).unwrap_or_default());
        self.buffer.drain(..count.min(self.buffer.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(bulletins: &[&[u8]]) -> Vec<u8> {
        let (mut encoder, mut bytes) = Encoder::new(&Head {
            network: NetworkId::from_bytes([7; 32]),
            name: "main".to_owned(),
        });
        for bulletin in bulletins {
            bytes.extend(encoder.bulletin(bulletin));
        }
        bytes.extend(encoder.end());
        bytes
    }

    /// What there is in `bytes`, fed `step` at a time, and what ended it.
    fn read(bytes: &[u8], step: usize) -> (Vec<Part>, Option<BundleError>, bool) {
        let (mut decoder, mut parts) = (Decoder::default(), Vec::new());
        for bytes in bytes.chunks(step) {
            decoder.feed(bytes);
            loop {
                match decoder.next_part() {
                    Ok(Some(part)) => parts.push(part),
                    Ok(None) => break,
                    Err(error) => return (parts, Some(error), false),
                }
            }
        }
        let is_whole = decoder.is_whole();
        (parts, None, is_whole)
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written_however_it_comes() {
        let bytes = bundle(&[b"one", b"another"]);
        let head = Head {
            network: NetworkId::from_bytes([7; 32]),
            name: "main".to_owned(),
        };
        let expected = vec![
            Part::Head(head),
            Part::Bulletin(Bytes::from_static(b"one")),
            Part::Bulletin(Bytes::from_static(b"another")),
            Part::End,
        ];
        for step in [1, 2, 7, 1_000] {
            assert_eq!(
                read(&bytes, step),
                (expected.clone(), None, true),
                "{step} bytes at a time"
            );
        }
        assert_eq!(read(&bundle(&[]), 9).0.len(), 2);
    }

    #[test]
    fn a_bundle_is_laid_out_as_documented() {
        let front = [
            &b"bruitbdl\x00\x01"[..],
            &[7; 32],
            b"\x04main",
            b"\x00\x00\x00\x03one",
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0, 1],
        ]
        .concat();
        let hash = *blake3::hash(&front).as_bytes();
        assert_eq!(bundle(&[b"one"]), [&front[..], &hash].concat());
    }

    #[test]
    fn what_is_whole_of_a_bundle_that_ends_early_is_read() {
        let bytes = bundle(&[b"one", b"another"]);
        for length in 0..bytes.len() {
            let (parts, error, is_whole) = read(&bytes[..length], 5);
            assert_eq!((error, is_whole), (None, false), "{length} bytes");
            assert_eq!(
                parts.len(),
                usize::from(length >= 47) + usize::from(length >= 54) + usize::from(length >= 65)
            );
        }
        let trailing = [&bytes[..], b"x"].concat();
        assert_eq!(read(&trailing, 3).1, Some(BundleError::Trailing));
    }

    #[test]
    fn a_bundle_with_any_bit_turned_over_is_not_whole() {
        let bytes = bundle(&[b"one", b"another"]);
        for at in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[at / 8] ^= 1 << (at % 8);
            let (_, error, is_whole) = read(&broken, 11);
            assert!(!is_whole, "bit {at}: {error:?}");
        }
        let huge = [&bytes[..47], &[0xff; 4]].concat();
        assert!(matches!(
            read(&huge, 1_000).1,
            Some(BundleError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        let (_, bytes) = Encoder::new(&Head {
            network: NetworkId::from_bytes([7; 32]),
            name: "ü".repeat(200),
        });
        let (parts, error, _) = read(&bytes, 1_000);
        assert_eq!(error, None);
        let name = match &parts[..] {
            [Part::Head(head)] => head.name.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name, "ü".repeat(127));
    }
}
