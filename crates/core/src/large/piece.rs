//! A chunk with its proof, and the tree the proofs come from.
//!
//! BLAKE3 (§2.1 of its paper) is a binary tree over blocks of 1 KiB; a chunk of ours is one of its subtrees.
//! The proof of a chunk is the chaining values beside its way to the root, the lowest first. Taking neighbours
//! together level by level, an odd last one going up as it is, makes the same tree as the paper's rule that
//! the left side is the largest power of two.
//!
//! (`bao-tree` makes the same proofs as streams of ranges through readers, writers and an outboard; here one
//! chunk at a time comes and goes by itself, so `blake3::hazmat` is all it takes.)

use blake3::hazmat::{self, HasherExt as _, Mode};
use bytes::Bytes;

use super::Manifest;
use crate::limits;
use crate::wire::{DecodeError, Encode, Reader, encode_list};

/// A chaining value of BLAKE3.
type Value = [u8; 32];

/// One chunk and its proof: `[u16 ≤ 10][chaining value: 32][bytes: 1..=16384]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What stands beside the chunk's way to the root, the lowest first.
    pub proof: Vec<[u8; 32]>,
    /// The chunk.
    pub bytes: Bytes,
}

impl Piece {
    /// Most bytes of the encoding.
    pub const BYTES_MAX: usize = 2 + 32 * limits::PROOF_MAX + limits::CHUNK_BYTES_MAX;

    /// Takes the rest of `whole` behind `reader` as a piece. The chunk is not copied.
    pub(crate) fn take(whole: &Bytes, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let proof = reader.list("proof", limits::PROOF_MAX)?;
        let start = reader.position();
        match reader.rest().len() {
            0 => Err(DecodeError::Short { missing: 1 }),
            got if got > limits::CHUNK_BYTES_MAX => Err(DecodeError::TooLarge {
                what: "chunk",
                got,
                max: limits::CHUNK_BYTES_MAX,
            }),
            _ => Ok(Self {
                proof,
                bytes: whole.slice(start..),
            }),
        }
    }

    /// Reads a piece that was kept.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        Self::take(bytes, &mut Reader::new(bytes))
    }

    /// Whether this is chunk `index` of `manifest`: its length is right and its way leads to the root.
    /// About 10 µs for 16 KiB.
    pub fn holds(&self, manifest: &Manifest, index: u32) -> bool {
        let len = manifest.len_of(index);
        if len == 0 || u32::try_from(self.bytes.len()) != Ok(len) {
            return false;
        }
        let mut value = leaf(manifest.offset(index), &self.bytes);
        let (mut at, mut count) = (index, manifest.chunks());
        let mut proof = self.proof.iter();
        while count > 1 {
            if at ^ 1 < count {
                let Some(sibling) = proof.next() else {
                    return false;
                };
                let (left, right) = if at & 1 == 0 {
                    (&value, sibling)
                } else {
                    (sibling, &value)
                };
                value = merge(left, right, count == 2);
            }
            at >>= 1;
            count = count.div_ceil(2);
        }
        proof.next().is_none() && value == *manifest.root()
    }
}

impl Encode for Piece {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(&self.proof, out);
        out.extend_from_slice(&self.bytes);
    }
}

/// The tree over a whole content, made a chunk at a time: what its publisher takes the manifest and the proofs
/// from. 64 KiB of memory at most.
///
/// # Examples
/// ```
/// # use bruit_core::large::Outline;
/// let content = vec![7; 100_000];
/// let mut outline = Outline::new(100_000).expect("neither too short nor too long");
/// for chunk in content.chunks(outline.chunk_bytes()) {
///     outline.add(chunk);
/// }
/// let tree = outline.finish().expect("all chunks were added");
/// let first = tree.piece(0, content[..4_096].to_vec().into());
/// assert!(first.holds(tree.manifest(), 0));
/// assert_eq!(tree.manifest().root(), blake3::hash(&content).as_bytes());
/// ```
#[derive(Debug)]
pub struct Outline {
    total_bytes: u32,
    added_bytes: u32,
    leaves: Vec<Value>,
}

impl Outline {
    /// The tree of a content of `total_bytes`; none when it is too short or too long for a manifest.
    pub fn new(total_bytes: u32) -> Option<Self> {
        Manifest::new(total_bytes, [0; 32]).map(|_| Self {
            total_bytes,
            added_bytes: 0,
            leaves: Vec::new(),
        })
    }

    /// Bytes of every chunk but the last.
    pub fn chunk_bytes(&self) -> usize {
        usize::try_from(Manifest::chunk_bytes_of(self.total_bytes)).unwrap_or(usize::MAX)
    }

    /// Takes the next chunk.
    ///
    /// # Panics
    /// When it is empty or longer than a chunk: our own mistake.
    pub fn add(&mut self, chunk: &[u8]) {
        assert!(
            (1..=self.chunk_bytes()).contains(&chunk.len()),
            "a chunk is neither empty nor too long"
        );
        self.leaves.push(leaf(self.added_bytes, chunk));
        let bytes = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        self.added_bytes = self.added_bytes.saturating_add(bytes);
    }

    /// The tree; none when the chunks were not as long as was said.
    pub fn finish(self) -> Option<Tree> {
        let chunks = usize::try_from(Manifest::chunks_of(self.total_bytes)).ok()?;
        if self.added_bytes != self.total_bytes || self.leaves.len() != chunks {
            return None;
        }
        let mut levels = vec![self.leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let is_root = below.len() == 2;
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => merge(left, right, is_root),
                odd => odd.first().copied().unwrap_or_default(),
            });
            let above = above.collect();
            levels.push(above);
        }
        let root = levels.last().and_then(|level| level.first()).copied()?;
        Some(Tree {
            manifest: Manifest::new(self.total_bytes, root)?,
            levels,
        })
    }
}

/// The tree over a whole content.
#[derive(Debug)]
pub struct Tree {
    manifest: Manifest,
    /// The leaves, and what is above them, up to the root.
    levels: Vec<Vec<Value>>,
}

impl Tree {
    /// The manifest of the content.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Chunk `index`, which is `bytes`, with its proof. Whether they are what was added is for
    /// [`Piece::holds`] to say.
    pub fn piece(&self, index: u32, bytes: Bytes) -> Piece {
        let mut at = usize::try_from(index).unwrap_or(usize::MAX);
        let mut proof = Vec::with_capacity(limits::PROOF_MAX);
        for level in &self.levels {
            proof.extend(level.get(at ^ 1));
            at >>= 1;
        }
        Piece { proof, bytes }
    }
}

/// The chaining value of the chunk that begins at `offset`.
fn leaf(offset: u32, bytes: &[u8]) -> Value {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset.into());
    hasher.update(bytes).finalize_non_root()
}

fn merge(left: &Value, right: &Value, is_root: bool) -> Value {
    if is_root {
        *hazmat::merge_subtrees_root(left, right, Mode::Hash).as_bytes()
    } else {
        hazmat::merge_subtrees_non_root(left, right, Mode::Hash)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::encode_to_bytes;

    /// A content of so many bytes, and its tree.
    pub(crate) fn content(total: usize, salt: u8) -> (Vec<u8>, Tree) {
        let content: Vec<u8> = (0..total)
            .map(|at| u8::try_from(at % 251).expect("small") ^ salt)
            .collect();
        let mut outline = Outline::new(u32::try_from(total).expect("small")).expect("fits");
        for chunk in content.chunks(outline.chunk_bytes()) {
            outline.add(chunk);
        }
        let tree = outline.finish().expect("complete");
        (content, tree)
    }

    /// All pieces of a content.
    pub(crate) fn pieces(content: &[u8], tree: &Tree) -> Vec<Piece> {
        let chunk = usize::try_from(tree.manifest().chunk_bytes()).expect("small");
        let chunks = content.chunks(chunk).enumerate();
        chunks
            .map(|(index, bytes)| {
                let index = u32::try_from(index).expect("small");
                tree.piece(index, Bytes::copy_from_slice(bytes))
            })
            .collect()
    }

    #[test]
    fn every_chunk_of_every_shape_of_tree_proves_itself_under_the_plain_hash() {
        let counts = (4..=20).chain([31, 32, 33, 63, 64]);
        for total in counts.flat_map(|count| [count * 4_096, count * 4_096 - 4_095]) {
            if !(16_384..262_144).contains(&total) {
                continue;
            }
            let (content, tree) = content(total, 3);
            assert_eq!(
                tree.manifest().root(),
                blake3::hash(&content).as_bytes(),
                "{total}"
            );
            for (index, piece) in (0..).zip(pieces(&content, &tree)) {
                assert!(piece.holds(tree.manifest(), index), "{total} {index}");
                assert!(!piece.holds(tree.manifest(), index ^ 1), "{total} {index}");
                assert!(piece.proof.len() <= limits::PROOF_MAX);
            }
        }
    }

    #[test]
    fn the_longest_content_has_proofs_within_their_bound() {
        let (content, tree) = content(16 << 20, 0);
        let pieces = pieces(&content, &tree);
        assert_eq!(pieces.len(), limits::CHUNKS_MAX);
        for index in [0, 1, 511, 512, 1_023_u32] {
            let piece = &pieces[usize::try_from(index).expect("small")];
            assert!(piece.holds(tree.manifest(), index));
            assert_eq!(piece.proof.len(), limits::PROOF_MAX);
            assert_eq!(encode_to_bytes(piece).len(), Piece::BYTES_MAX);
        }
    }

    #[test]
    fn chunks_of_another_length_than_was_said_make_no_tree() {
        let mut outline = Outline::new(20_000).expect("fits");
        for _ in 0..4 {
            outline.add(&[0; 4_096]);
        }
        assert!(outline.finish().is_none());
    }

    proptest! {
        #[test]
        fn no_piece_that_was_changed_in_a_byte_holds(
            total in 16_384_usize..40_000,
            index in 0_usize..4,
            at in any::<prop::sample::Index>(),
            flip in 1_u8..,
        ) {
            let (content, tree) = content(total, 1);
            let good = pieces(&content, &tree).swap_remove(index);
            let number = u32::try_from(index).expect("small");
            let bytes = encode_to_bytes(&good);
            prop_assert_eq!(Piece::decode(&bytes), Ok(good));
            let mut bad = bytes.to_vec();
            let at = at.index(bad.len());
            bad[at] ^= flip;
            let holds = Piece::decode(&bad.into()).is_ok_and(|bad| bad.holds(tree.manifest(), number));
            prop_assert!(!holds);
        }
    }
}
