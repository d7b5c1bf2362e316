//! Which chunks of a content are there: a bit for each, the first one the highest of the first byte.
//!
//! Invariant: bits beyond the last chunk are 0, and there are as many bytes as the chunks need.

use bytes::Bytes;

/// A bit for each chunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bitmap {
    bytes: Vec<u8>,
    chunks: u32,
    count: u32,
}

impl Bitmap {
    /// None of `chunks`.
    pub fn none(chunks: u32) -> Self {
        let bytes = usize::try_from(chunks.div_ceil(8)).unwrap_or(0);
        Self {
            bytes: vec![0; bytes],
            chunks,
            count: 0,
        }
    }

    /// All of `chunks`.
    pub fn all(chunks: u32) -> Self {
        let mut all = Self::none(chunks);
        for index in 0..chunks {
            all.set(index);
        }
        all
    }

    /// Reads what a neighbour or the store says of `chunks`; no bytes at all say none. None when it is of
    /// another length or has bits where there are no chunks.
    pub fn read(bytes: &[u8], chunks: u32) -> Option<Self> {
        let mut read = Self::none(chunks);
        if bytes.is_empty() {
            return Some(read);
        }
        if bytes.len() != read.bytes.len() {
            return None;
        }
        read.bytes.copy_from_slice(bytes);
        read.count = bytes
            .iter()
            .map(|byte| byte.count_ones())
            .fold(0, u32::saturating_add);
        let within = (0..chunks).filter(|index| read.has(*index)).count();
        (u32::try_from(within) == Ok(read.count)).then_some(read)
    }

    /// Sets the bit of `index`; whether it was not set.
    pub fn set(&mut self, index: u32) -> bool {
        let is_new = index < self.chunks && !self.has(index);
        if is_new && let Some((byte, bit)) = self.place(index) {
            if let Some(byte) = self.bytes.get_mut(byte) {
                *byte |= bit;
            }
            self.count = self.count.saturating_add(1);
        }
        is_new
    }

    /// Clears the bit of `index`; whether it was set.
    pub fn clear(&mut self, index: u32) -> bool {
        let was_set = self.has(index);
        if was_set && let Some((byte, bit)) = self.place(index) {
            if let Some(byte) = self.bytes.get_mut(byte) {
                *byte &= !bit;
            }
            self.count = self.count.saturating_sub(1);
        }
        was_set
    }

    /// Whether the chunk is there.
    pub fn has(&self, index: u32) -> bool {
        self.place(index)
            .and_then(|(byte, bit)| self.bytes.get(byte).map(|byte| byte & bit != 0))
            .unwrap_or(false)
    }

    /// How many are there.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many there may be.
    pub const fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Whether all are there.
    pub const fn is_full(&self) -> bool {
        self.count == self.chunks
    }

    /// Those that are not there, in order.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.chunks).filter(|index| !self.has(*index))
    }

    /// The bits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bits, to be sent.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.bytes)
    }

    fn place(&self, index: u32) -> Option<(usize, u8)> {
        if index >= self.chunks {
            return None;
        }
        Some((usize::try_from(index / 8).ok()?, 0x80 >> (index % 8)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_it_stands_for(
            chunks in 1_u32..70,
            steps in prop::collection::vec((any::<bool>(), 0_u32..80), 0..100),
        ) {
            let (mut bitmap, mut set) = (Bitmap::none(chunks), BTreeSet::new());
            for (sets, index) in steps {
                if sets {
                    prop_assert_eq!(bitmap.set(index), index < chunks && set.insert(index));
                } else {
                    prop_assert_eq!(bitmap.clear(index), set.remove(&index));
                }
            }
            prop_assert_eq!(bitmap.count(), u32::try_from(set.len()).expect("small"));
            prop_assert!(bitmap.missing().all(|index| !set.contains(&index)));
            prop_assert_eq!(bitmap.is_full(), bitmap.missing().next().is_none());
            prop_assert_eq!(Bitmap::read(bitmap.as_bytes(), chunks), Some(bitmap));
        }
    }

    #[test]
    fn bits_beyond_the_last_chunk_and_other_lengths_are_refused() {
        assert_eq!(Bitmap::read(&[0xfe], 7), Some(Bitmap::all(7)));
        assert_eq!(Bitmap::read(&[0xff], 7), None);
        assert_eq!(Bitmap::read(&[0xff, 0], 7), None);
        assert_eq!(Bitmap::read(&[], 7), Some(Bitmap::none(7)));
    }
}
