//! The manifest of a large content: how long it is, how it is cut, and the hash all its chunks answer to.
//!
//! ```text
//! version: u8 = 1 | total: u32 | chunk_log2: u8 | root: 32
//! ```
//!
//! It is the content of a bulletin of kind [`Kind::MANIFEST`](crate::bulletin::Kind::MANIFEST), whose header
//! names the total as its size: so the price is that of the whole. The length of a chunk follows from the
//! total; it is written all the same, so that the manifest can be read by itself, and checked. The root is the
//! plain BLAKE3 hash of the whole content.
//!
//! Invariant: a manifest has at least two chunks, and at most [`limits::CHUNKS_MAX`].

use serde::{Deserialize, Serialize};

use crate::bulletin::{Bulletin, Kind};
use crate::limits;
use crate::wire::{Decode, DecodeError, Encode, Reader, decode_all};

/// What a large content is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    total_bytes: u32,
    root: [u8; 32],
}

impl Manifest {
    /// The only version there is.
    const VERSION: u8 = 1;
    /// Bytes of the encoding.
    pub const BYTES: usize = 1 + 4 + 1 + 32;
    /// From so many bytes on chunks are of the longer kind.
    const LONG_FROM_BYTES: u32 = 256 * 1_024;
    /// The logarithm of a short chunk's length, and of a long one's.
    const SHORT_LOG2: u8 = 12;
    const LONG_LOG2: u8 = 14;

    /// A content of `total_bytes` with the hash `root`; none when it is too short or too long for a manifest.
    pub fn new(total_bytes: u32, root: [u8; 32]) -> Option<Self> {
        (limits::FILE_BYTES_MIN..=limits::FILE_BYTES_MAX)
            .contains(&total_bytes)
            .then_some(Self { total_bytes, root })
    }

    /// Bytes of the whole content.
    pub const fn total_bytes(&self) -> u32 {
        self.total_bytes
    }

    /// The BLAKE3 hash of the whole content.
    pub const fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Bytes of every chunk but the last, for a content of `total_bytes`.
    pub const fn chunk_bytes_of(total_bytes: u32) -> u32 {
        1 << Self::log2_of(total_bytes)
    }

    /// Bytes of every chunk but the last.
    pub const fn chunk_bytes(&self) -> u32 {
        Self::chunk_bytes_of(self.total_bytes)
    }

    /// How many chunks a content of `total_bytes` has.
    pub const fn chunks_of(total_bytes: u32) -> u32 {
        total_bytes.div_ceil(Self::chunk_bytes_of(total_bytes))
    }

    /// How many chunks there are.
    pub const fn chunks(&self) -> u32 {
        Self::chunks_of(self.total_bytes)
    }

    /// Where chunk `index` begins in the content.
    pub const fn offset(&self, index: u32) -> u32 {
        index.saturating_mul(self.chunk_bytes())
    }

    /// Bytes of chunk `index`; 0 when there is none.
    pub fn len_of(&self, index: u32) -> u32 {
        let rest = self.total_bytes.saturating_sub(self.offset(index));
        rest.min(self.chunk_bytes())
    }

    const fn log2_of(total_bytes: u32) -> u8 {
        if total_bytes < Self::LONG_FROM_BYTES {
            Self::SHORT_LOG2
        } else {
            Self::LONG_LOG2
        }
    }

    /// The manifest in a bulletin, where there is one.
    pub fn of(bulletin: &Bulletin) -> Option<Self> {
        if bulletin.header.kind != Kind::MANIFEST {
            return None;
        }
        let read = Self::read(&bulletin.content, bulletin.header.size_bytes);
        read.ok().flatten()
    }

    /// Reads the content of a bulletin that says to be the manifest of `size_bytes`. Content of a version
    /// unknown here is none of ours: it travels, and nobody fetches anything for it.
    ///
    /// # Errors
    /// When it is empty, or of our version and not a manifest of so many bytes.
    pub fn read(content: &[u8], size_bytes: u32) -> Result<Option<Self>, DecodeError> {
        match content.first() {
            None => return Err(DecodeError::Short { missing: 1 }),
            Some(&Self::VERSION) => {}
            Some(_) => return Ok(None),
        }
        let manifest: Self = decode_all(content)?;
        if manifest.total_bytes != size_bytes {
            return Err(DecodeError::Invalid {
                what: "manifest total",
                got: manifest.total_bytes.into(),
            });
        }
        Ok(Some(manifest))
    }
}

impl Encode for Manifest {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.total_bytes.encode(out);
        Self::log2_of(self.total_bytes).encode(out);
        self.root.encode(out);
    }
}

impl Decode for Manifest {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let invalid = |what, got: u64| DecodeError::Invalid { what, got };
        let version = reader.u8()?;
        if version != Self::VERSION {
            return Err(invalid("manifest version", version.into()));
        }
        let total_bytes = reader.u32()?;
        let log2 = reader.u8()?;
        let manifest = Self::new(total_bytes, reader.array()?);
        let manifest = manifest.ok_or_else(|| invalid("manifest total", total_bytes.into()))?;
        if log2 != Self::log2_of(total_bytes) {
            return Err(invalid("chunk length", log2.into()));
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode_to_bytes;

    fn manifest(total_bytes: u32) -> Manifest {
        Manifest::new(total_bytes, [7; 32]).expect("within its bounds")
    }

    #[test]
    fn it_is_laid_out_as_documented() {
        let mut bytes = vec![1, 0, 0x10, 0, 0, 14];
        bytes.extend([7; 32]);
        assert_eq!(encode_to_bytes(&manifest(1 << 20)), bytes);
        assert_eq!(Manifest::read(&bytes, 1 << 20), Ok(Some(manifest(1 << 20))));
        assert_eq!(bytes.len(), Manifest::BYTES);
    }

    #[test]
    fn chunks_are_short_below_a_quarter_of_a_mebibyte_and_cover_the_content() {
        for (total, chunk, count, last) in [
            (16_384, 4_096, 4, 4_096),
            (16_385, 4_096, 5, 1),
            (262_143, 4_096, 64, 4_095),
            (262_144, 16_384, 16, 16_384),
            (16 << 20, 16_384, 1_024, 16_384),
        ] {
            let manifest = manifest(total);
            assert_eq!(manifest.chunk_bytes(), chunk, "{total}");
            assert_eq!(manifest.chunks(), count, "{total}");
            assert_eq!(manifest.len_of(count - 1), last, "{total}");
            assert_eq!(manifest.len_of(count), 0, "{total}");
            let sum: u32 = (0..count).map(|index| manifest.len_of(index)).sum();
            assert_eq!(sum, total);
        }
    }

    #[test]
    fn what_does_not_fit_its_header_is_refused_and_what_is_of_another_version_is_none_of_ours() {
        let bytes = encode_to_bytes(&manifest(1 << 20));
        assert!(Manifest::read(&bytes, (1 << 20) + 1).is_err());
        assert!(Manifest::read(&bytes[..37], 1 << 20).is_err());
        assert!(Manifest::read(&[], 1 << 20).is_err());
        let longer = [&bytes[..], &[0]].concat();
        assert!(Manifest::read(&longer, 1 << 20).is_err());
        let mut other = bytes.to_vec();
        other[5] = 12;
        assert!(
            Manifest::read(&other, 1 << 20).is_err(),
            "a chunk length of its own"
        );
        other[0] = 2;
        assert_eq!(Manifest::read(&other, 1 << 20), Ok(None));
        assert_eq!(Manifest::new(16_383, [0; 32]), None);
        assert_eq!(Manifest::new((16 << 20) + 1, [0; 32]), None);
    }
}
