//! Seals: eight bytes at the end of every row that tell whether it is as it was written.
//!
//! The database checks its pages only when it repairs itself, so that a bit that turned over on the
//! disk would be read as if it had been written. A seal covers the table, the key and the row:
//! a row that lies under another key, or in another table, is as broken as one with other bytes.

/// Bytes of a seal.
pub(super) const SEAL_BYTES: usize = 8;

/// Which table a row belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sealed {
    Bodies,
    Packs,
    Waste,
    Seen,
    Versions,
    Meta,
    /// The numbers in the table that makes the file ours.
    Bruit,
}

impl Sealed {
    /// The seal of `row` under `key`: the first bytes of
    /// `BLAKE3(table: u8 ‖ length of key: u8 ‖ key ‖ row)`.
    pub(super) fn seal(self, key: &[u8], row: &[u8]) -> [u8; SEAL_BYTES] {
        let table = match self {
            Self::Bodies => 0,
            Self::Seen => 1,
            Self::Meta => 2,
            Self::Bruit => 3,
            Self::Versions => 4,
            Self::Packs => 5,
            Self::Waste => 6,
        };
        let length = u8::try_from(key.len()).expect("keys of ours are short");
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[table, length]).update(key).update(row);
        let mut seal = [0; SEAL_BYTES];
        hasher.finalize_xof().fill(&mut seal);
        seal
    }

    /// `row` with its seal behind it.
    pub(super) fn close(self, key: &[u8], row: &[u8]) -> Vec<u8> {
        [row, &self.seal(key, row)].concat()
    }

    /// The row in `sealed`; `None` when the seal is broken.
    pub(super) fn open<'a>(self, key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (row, seal) = sealed.split_last_chunk::<SEAL_BYTES>()?;
        (self.seal(key, row) == *seal).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_table_its_key_and_its_bytes_alone() {
        let sealed = Sealed::Seen.close(b"key", b"row");
        assert_eq!(Sealed::Seen.open(b"key", &sealed), Some(&b"row"[..]));
        assert_eq!(Sealed::Bodies.open(b"key", &sealed), None);
        assert_eq!(Sealed::Seen.open(b"kex", &sealed), None);
        assert_eq!(Sealed::Seen.open(b"", &sealed), None);
        for at in 0..sealed.len() * 8 {
            let mut broken = sealed.clone();
            broken[at / 8] ^= 1 << (at % 8);
            assert_eq!(Sealed::Seen.open(b"key", &broken), None, "bit {at}");
        }
        for length in 0..sealed.len() {
            assert_eq!(Sealed::Seen.open(b"key", &sealed[..length]), None);
        }
    }

    #[test]
    fn a_seal_is_what_the_description_says() {
        let text = [&[1, 3][..], b"key", b"row"].concat();
        let hash = blake3::hash(&text);
        assert_eq!(Sealed::Seen.seal(b"key", b"row"), hash.as_bytes()[..8]);
    }
}
