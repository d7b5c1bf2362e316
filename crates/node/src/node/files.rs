//! Large contents: put by a manifest, saved to a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bruit_core::bulletin::Header;
use bruit_core::id::{BulletinId, TopicId};
use bruit_core::limits;
use bruit_core::wire::encode_to_bytes;
use bytes::Bytes;
use tokio::sync::watch;

use super::Node;
use crate::draft::PublishError;
use crate::files::{Contents, File, FileError};
use crate::store::{StoreError, Write};
use crate::values::{Put, PutReceipt};
use crate::wall::wall_now;

/// Pause before a chunk is handed to a store again that has too much to write.
const STORE_PAUSE: Duration = Duration::from_millis(20);
/// How often that is tried: ten seconds.
const STORE_TRIES: u32 = 500;

/// Why a large content is not saved to a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// It cannot be read on.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl Node {
    /// Puts a value of up to 16 MiB: from 16 KiB on by a manifest, whose chunks are in this node's store before
    /// anybody hears of it. The price is that of the whole.
    ///
    /// # Errors
    /// As [`Node::put`]; [`PublishError::NotKept`] when this node's store does not take it.
    pub async fn put_file(&self, put: Put) -> Result<PutReceipt, PublishError> {
        let got = put.body.len();
        let max = usize::try_from(limits::FILE_BYTES_MAX).unwrap_or(usize::MAX);
        if got > max {
            return Err(PublishError::TooBig { got, max });
        }
        let body = put.body.clone();
        let contents = tokio::task::spawn_blocking(move || Contents::new(body));
        let Ok(contents) = contents.await else {
            return Err(PublishError::Closed);
        };
        let Some(contents) = contents else {
            return self.put(put).await;
        };
        let put = Put {
            body: encode_to_bytes(contents.manifest()),
            ..put
        };
        put.check()?;
        let author = self.author(put.author.as_deref())?.author_id();
        let topic = TopicId::of(&put.topic);
        let mut header = Header::manifest(topic, author, contents.manifest(), wall_now());
        header.name = put.name.clone().into_bytes();
        header.tag.clone_from(&put.tag);
        header.parents = put.prev.into_iter().collect();
        header.ttl_s = u32::try_from(put.ttl.as_secs()).unwrap_or(u32::MAX);
        self.inner.hub.learn(&put.topic);
        self.put_version(header, &put, Some(&contents)).await
    }

    /// Has the store take all chunks of a content, before its manifest goes out.
    pub(super) async fn keep_contents(
        &self,
        id: BulletinId,
        contents: &Contents,
    ) -> Result<(), PublishError> {
        let manifest = *contents.manifest();
        let mut kept = self.keep_write(Write::File { id, manifest }).await;
        for (index, piece) in contents.pieces() {
            if kept.is_err() {
                break;
            }
            let piece = encode_to_bytes(&piece);
            kept = self.keep_write(Write::Chunk { id, index, piece }).await;
        }
        kept.map_err(|error| {
            self.forgo_contents(id);
            PublishError::NotKept(Arc::new(error))
        })
    }

    /// Lets the chunks go of a content whose manifest did not go out.
    pub(super) fn forgo_contents(&self, id: BulletinId) {
        // What a store keeps that takes no more writes is gone when it is opened next.
        self.inner.store.submit(Write::Evict { id }).ok();
    }

    async fn keep_write(&self, write: Write) -> Result<(), StoreError> {
        for _ in 0..STORE_TRIES {
            match self.inner.store.submit(write.clone()) {
                Err(StoreError::Backlog { .. }) => tokio::time::sleep(STORE_PAUSE).await,
                other => return other.map(drop),
            }
        }
        self.inner.store.submit(write).map(drop)
    }

    /// A chunk with its proof, as it lies in the store.
    pub(crate) async fn stored_chunk(
        &self,
        id: BulletinId,
        index: u32,
    ) -> Result<Option<Bytes>, StoreError> {
        self.inner.store.chunk(id, index).await
    }

    /// Changes whenever a chunk comes.
    pub(crate) fn chunk_news(&self) -> watch::Receiver<u64> {
        self.inner.chunk_news.clone()
    }

    /// Saves a large content at `path`, which it replaces once all is there. What an earlier call left beside
    /// it in a file with `.part` added to its name is compared, and gone on with. `progress` hears how many
    /// bytes are saved; `timeout` bounds the wait from one chunk that comes to the next.
    ///
    /// # Errors
    /// What keeps it from being read or written; what is saved by then stays for the next call.
    pub async fn save_file(
        &self,
        file: &File,
        path: &Path,
        timeout: Duration,
        mut progress: impl FnMut(u64),
    ) -> Result<(), SaveError> {
        let part = part_of(path);
        let explain = |error| SaveError::Write {
            path: part.clone(),
            error,
        };
        let mut saved = Part::open(&part).map_err(explain)?;
        for index in 0..file.chunks() {
            let chunk = file.chunk(index, timeout).await?;
            saved.put(&chunk).map_err(explain)?;
            progress(saved.bytes);
        }
        saved.finish(path).map_err(explain)
    }
}

/// Where a content is gathered that is to be at `path`.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// A file being written from its front; what is there already is compared with what is to be there.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: std::fs::File,
    bytes: u64,
    /// Whether what follows may be right already.
    compares: bool,
}

impl Part {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false);
        Ok(Self {
            path: path.to_owned(),
            file: file.open(path)?,
            bytes: 0,
            compares: true,
        })
    }

    fn put(&mut self, chunk: &[u8]) -> io::Result<()> {
        use std::io::{Read as _, Seek as _, Write as _};
        if self.compares {
            let mut there = Vec::with_capacity(chunk.len());
            let len = chunk.len() as u64;
            (&self.file).take(len).read_to_end(&mut there)?;
            if there != chunk {
                self.compares = false;
                self.file.set_len(self.bytes)?;
                self.file.seek(io::SeekFrom::Start(self.bytes))?;
            }
        }
        if !self.compares {
            self.file.write_all(chunk)?;
        }
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    fn finish(self, path: &Path) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.sync_all()?;
        std::fs::rename(&self.path, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_already_stays_and_what_is_wrong_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.jpg");
        let part = part_of(&path);
        assert_eq!(part, folder.path().join("photo.jpg.part"));
        for left in [
            &b""[..],
            b"one",
            b"onetw",
            b"oneXXX",
            b"onetwothree and more",
        ] {
            std::fs::write(&part, left).unwrap();
            let mut saved = Part::open(&part).unwrap();
            for chunk in [b"one", b"two"] {
                saved.put(chunk).unwrap();
            }
            saved.finish(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"onetwo");
            assert!(!part.exists());
        }
    }
}
