//! Large contents as applications get them: a chunk at a time, as they come.

use std::time::Duration;

use bruit_core::bulletin::Kind;
use bruit_core::id::{BulletinId, ContentId};
use bruit_core::large::{Manifest, Outline, Piece, Tree};
use bytes::Bytes;
use tokio::sync::watch;

use crate::driver::Order;
use crate::node::Node;
use crate::store::StoreError;
use crate::values::Value;

/// A content that is put by a manifest, and what proves its chunks.
#[derive(Debug)]
pub(crate) struct Contents {
    body: Bytes,
    tree: Tree,
}

impl Contents {
    /// `body` with its tree; none when it is too short or too long for a manifest. Hashes it once.
    pub(crate) fn new(body: Bytes) -> Option<Self> {
        let total = u32::try_from(body.len()).ok()?;
        let mut outline = Outline::new(total)?;
        for chunk in body.chunks(outline.chunk_bytes()) {
            outline.add(chunk);
        }
        let tree = outline.finish()?;
        Some(Self { body, tree })
    }

    pub(crate) const fn manifest(&self) -> &Manifest {
        self.tree.manifest()
    }

    /// All chunks with their proofs, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u32, Piece)> + '_ {
        (0..self.manifest().chunks()).map(|index| {
            let start = usize::try_from(self.manifest().offset(index)).unwrap_or(usize::MAX);
            let len = usize::try_from(self.manifest().len_of(index)).unwrap_or(0);
            let bytes = self.body.slice(start..start + len);
            (index, self.tree.piece(index, bytes))
        })
    }
}

/// Why a large content cannot be read on.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Nothing came for as long as was to be waited.
    #[error("{chunks} of {all} chunks of {id} are here, and no more came within {waited:?}")]
    Incomplete {
        /// The manifest's id.
        id: BulletinId,
        /// Chunks that are here.
        chunks: u32,
        /// Chunks there are.
        all: u32,
        /// How long was waited.
        waited: Duration,
    },
    /// Its manifest is not held here any more.
    #[error("{0} is not held here any more")]
    Gone(BulletinId),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has stopped.
    #[error("the node has stopped")]
    Closed,
}

/// A large content that is held here, or on its way here. Clones read by themselves.
///
/// # Examples
/// ```
/// # use bruit::{Config, Node, Put};
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listen = Some("127.0.0.1:0".parse()?);
/// let node = Node::spawn(Config { listen, price: 0, ..Config::default() }).await?;
/// let put = node.put_file(Put::new(vec![7; 100_000]).name("photo")).await?;
/// let value = node.get(&put.address(), Duration::from_secs(1)).await?.unwrap();
/// let file = node.file(&value).expect("it has a manifest");
/// let mut body = Vec::new();
/// for index in 0..file.chunks() {
///     body.extend(file.chunk(index, Duration::from_secs(5)).await?);
/// }
/// assert_eq!(body, vec![7; 100_000]);
/// # node.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct File {
    node: Node,
    id: BulletinId,
    manifest: Manifest,
    news: watch::Receiver<u64>,
}

impl File {
    /// The id of its manifest.
    pub const fn id(&self) -> BulletinId {
        self.id
    }

    /// Its bytes.
    pub const fn bytes(&self) -> u32 {
        self.manifest.total_bytes()
    }

    /// The hash of the whole.
    pub const fn hash(&self) -> ContentId {
        ContentId::from_bytes(*self.manifest.root())
    }

    /// How many chunks it has.
    pub const fn chunks(&self) -> u32 {
        self.manifest.chunks()
    }

    /// Bytes of each chunk but the last.
    pub const fn chunk_bytes(&self) -> u32 {
        self.manifest.chunk_bytes()
    }

    /// How many chunks are here; none when its manifest is not held here any more.
    pub async fn progress(&self) -> Option<u32> {
        let id = self.id;
        let look = self.node.look(move |looks| looks.engine.chunks(&id)).await;
        look.flatten().map(|(chunks, _)| chunks)
    }

    /// Waits until a chunk more is here, of this content or another, for at most `timeout`; whether one is.
    pub async fn changed(&mut self, timeout: Duration) -> bool {
        let changed = tokio::time::timeout(timeout, self.news.changed()).await;
        matches!(changed, Ok(Ok(())))
    }

    /// Chunk `index`, checked. When it is not here it is waited for, as long as others come: for at most
    /// `timeout` from one to the next.
    ///
    /// # Errors
    /// When no chunk came for that long, or never will.
    pub async fn chunk(&self, index: u32, timeout: Duration) -> Result<Bytes, FileError> {
        let mut own = self.clone();
        let mut before = None;
        let mut waited = Duration::ZERO;
        loop {
            own.news.mark_unchanged();
            if let Some(bytes) = self.read(index).await? {
                return Ok(bytes);
            }
            let chunks = self.progress().await.ok_or(FileError::Gone(self.id))?;
            if before != Some(chunks) {
                before = Some(chunks);
                waited = Duration::ZERO;
            }
            if waited >= timeout {
                let all = self.chunks();
                let id = self.id;
                return Err(FileError::Incomplete {
                    id,
                    chunks,
                    all,
                    waited,
                });
            }
            let began = std::time::Instant::now();
            own.changed(timeout.saturating_sub(waited)).await;
            waited += began.elapsed();
        }
    }

    /// Chunk `index` from this node's store, checked: what a disk gives back may be damaged, and is fetched
    /// again then.
    async fn read(&self, index: u32) -> Result<Option<Bytes>, FileError> {
        let Some(bytes) = self.node.stored_chunk(self.id, index).await? else {
            return Ok(None);
        };
        let piece = Piece::decode(&bytes).ok();
        if let Some(piece) = piece.filter(|piece| piece.holds(&self.manifest, index)) {
            return Ok(Some(piece.bytes));
        }
        self.node.order(Order::Damaged(self.id, index)).await;
        Ok(None)
    }
}

impl Node {
    /// The large content that `value` is the manifest of; none when it is a value of another kind.
    pub fn file(&self, value: &Value) -> Option<File> {
        if value.kind != Kind::MANIFEST {
            return None;
        }
        let manifest = Manifest::read(&value.body, value.size).ok()??;
        Some(File {
            node: self.clone(),
            id: value.id,
            manifest,
            news: self.chunk_news(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_fall_into_chunks_that_prove_themselves() {
        let body: Bytes = (0..100_001)
            .map(|at| u8::try_from(at % 256).unwrap())
            .collect();
        let contents = Contents::new(body.clone()).unwrap();
        let mut whole = Vec::new();
        for (index, piece) in contents.pieces() {
            assert!(piece.holds(contents.manifest(), index), "{index}");
            whole.extend(piece.bytes);
        }
        assert_eq!(whole, body);
        assert!(Contents::new(body.slice(..16_383)).is_none());
        assert!(Contents::new(vec![0; (16 << 20) + 1].into()).is_none());
    }
}
