//! The hash over everything that happens in a world, by which two runs are compared.

/// Bytes that gather before they are hashed. A power of two of BLAKE3's chunks: those of one piece are hashed
/// side by side, several times as fast as what comes in frame by frame.
const PIECE_BYTES: usize = 64 * 1024;

/// What has happened so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    hasher: blake3::Hasher,
    piece: Vec<u8>,
}

impl Trace {
    /// Adds what comes next.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while self.piece.len() + bytes.len() >= PIECE_BYTES {
            let (now, later) = bytes.split_at(PIECE_BYTES - self.piece.len());
            self.piece.extend_from_slice(now);
            self.hasher.update(&self.piece);
            self.piece.clear();
            bytes = later;
        }
        self.piece.extend_from_slice(bytes);
    }

    /// The hash of all of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hasher = self.hasher.clone();
        *hasher.update(&self.piece).finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hash_of_all_bytes_however_they_came() {
        let bytes: Vec<u8> = (0..1_000_000_u32)
            .map(|number| number.to_le_bytes()[1])
            .collect();
        let mut trace = Trace::default();
        let mut left = bytes.as_slice();
        for size in [1, 70_000, 3, 64 * 1024, 500_000, 1_200]
            .into_iter()
            .cycle()
        {
            let (part, rest) = left.split_at(size.min(left.len()));
            trace.update(part);
            left = rest;
            if left.is_empty() {
                break;
            }
        }
        assert_eq!(trace.hash(), *blake3::hash(&bytes).as_bytes());
    }
}
