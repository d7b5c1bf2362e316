//! Where the database's bytes live, and how to look at them without touching them.
//!
//! The database refuses even reads after its first failed write. [`Frozen`] keeps the node reading:
//! it opens the same bytes a second time, with every write of that second life kept in memory. What
//! a failed write left half done is thus repaired in the view only, and the file stays evidence. What
//! cannot be read is zeros there: the database refuses everything after one failed read, too.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::keys::private_options;

/// What fills a new database.
pub(super) type Fill<'a> = dyn FnMut(&Database) -> Result<(), redb::Error> + 'a;

/// Where the database's bytes live.
pub(super) trait Medium: Send + Sync + Debug {
    /// The name for messages.
    fn file(&self) -> &Path;

    /// Opens the database, and creates an empty one where there is none.
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError>;

    /// Opens a view that cannot change the bytes.
    fn open_frozen(&self, builder: &Builder) -> Result<Database, DatabaseError>;

    /// Bytes of the file; 0 when there is none.
    fn len(&self) -> io::Result<u64>;

    /// The bytes of the file from `start` on, at most `max`.
    fn part(&self, start: u64, max: usize) -> io::Result<Vec<u8>>;

    /// Puts a new database that `fill` has filled in the place of this one, in one step, and keeps
    /// this one under another name, which is returned.
    fn begin_anew(&self, builder: &Builder, fill: &mut Fill<'_>) -> Result<PathBuf, redb::Error>;

    /// Whether `bytes` more would fit now. A guess that saves vain attempts.
    fn has_room(&self, bytes: u64) -> bool;
}

/// A file in the data folder.
#[derive(Debug)]
pub(super) struct FileMedium {
    file: PathBuf,
}

impl FileMedium {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Creates a database under another name, to be moved into place when it is whole: a power cut in
    /// between leaves no half-made file, which could not be told from a damaged one.
    fn make(&self, builder: &Builder, pour: &mut Fill<'_>) -> Result<PathBuf, redb::Error> {
        let new = self.file.with_extension("new");
        let file = private_options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&new)?;
        let database = builder.create_with_backend(FileBackend::new(file.try_clone()?)?)?;
        let filled = pour(&database);
        drop(database);
        if let Err(error) = filled.and_then(|()| Ok(file.sync_all()?)) {
            // It takes room that may be what is missing.
            std::fs::remove_file(&new).ok();
            return Err(error);
        }
        Ok(new)
    }

    fn put_in_place(&self, new: &Path) -> io::Result<()> {
        std::fs::rename(new, &self.file)?;
        sync_folder(self.file.parent().unwrap_or(Path::new(".")))
    }

    /// Gives the file a second name, so that it is there whatever takes its first one.
    fn keep_aside(&self) -> io::Result<PathBuf> {
        for number in 1_u32.. {
            let mut name = self.file.clone().into_os_string();
            name.push(format!(".damaged-{number}"));
            let aside = PathBuf::from(name);
            match std::fs::hard_link(&self.file, &aside) {
                Ok(()) => return Ok(aside),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // A file system without second names.
                Err(_) if !aside.try_exists()? => {
                    std::fs::copy(&self.file, &aside)?;
                    return Ok(aside);
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Writes `bytes` zeros to a new file beside the database and removes it again.
    fn probe(&self, bytes: u64) -> io::Result<()> {
        let path = self.file.with_extension("probe");
        let result = private_options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut probe| {
                let block = vec![0; 64 * 1024];
                for _ in 0..bytes.div_ceil(64 * 1024) {
                    probe.write_all(&block)?;
                }
                probe.sync_data()
            });
        std::fs::remove_file(&path).and(result)
    }
}

impl Medium for FileMedium {
    fn file(&self) -> &Path {
        &self.file
    }

    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        match std::fs::metadata(&self.file) {
            Ok(metadata) if metadata.len() > 0 => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(_) | Err(_) => {
                let new = self.make(builder, &mut |_| Ok(()));
                self.put_in_place(&new.map_err(storage_error)?)?;
            }
        }
        builder.open(&self.file)
    }

    fn open_frozen(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).open(&self.file)?;
        builder.create_with_backend(Frozen::new(FileBackend::new(file)?)?)
    }

    fn len(&self) -> io::Result<u64> {
        match std::fs::metadata(&self.file) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn part(&self, start: u64, max: usize) -> io::Result<Vec<u8>> {
        let mut part = Vec::new();
        let mut file = std::fs::File::open(&self.file)?;
        file.seek(io::SeekFrom::Start(start))?;
        file.take(max as u64).read_to_end(&mut part)?;
        Ok(part)
    }

    fn begin_anew(&self, builder: &Builder, fill: &mut Fill<'_>) -> Result<PathBuf, redb::Error> {
        let new = self.make(builder, fill)?;
        let aside = self.keep_aside()?;
        self.put_in_place(&new)?;
        Ok(aside)
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.probe(bytes).is_ok()
    }
}

/// The error of a database as that of its opening.
fn storage_error(error: redb::Error) -> DatabaseError {
    match error {
        redb::Error::Io(error) => error.into(),
        redb::Error::DatabaseAlreadyOpen => DatabaseError::DatabaseAlreadyOpen,
        error => io::Error::other(error.to_string()).into(),
    }
}

/// Makes the names in `folder` last.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Unit in which a frozen view copies what is written to it.
const CHUNK_BYTES: u64 = 4_096;

/// Bytes that read as `base` and keep writes to themselves.
#[derive(Debug)]
pub(super) struct Frozen<B> {
    base: B,
    base_len: u64,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    chunks: BTreeMap<u64, Vec<u8>>,
}

impl<B: StorageBackend> Frozen<B> {
    pub(super) fn new(base: B) -> io::Result<Self> {
        let base_len = base.len()?;
        let written = Mutex::new(Written {
            len: base_len,
            chunks: BTreeMap::new(),
        });
        Ok(Self {
            base,
            base_len,
            written,
        })
    }

    /// Chunk number `chunk` as the base has it, zeros behind its end and where it cannot be read.
    fn base_chunk(&self, chunk: u64) -> Vec<u8> {
        let start = chunk.saturating_mul(CHUNK_BYTES);
        let mut bytes = vec![0; to_usize(CHUNK_BYTES)];
        let len = to_usize(self.base_len.saturating_sub(start).min(CHUNK_BYTES));
        if len > 0 && self.base.read(start, &mut bytes[..len]).is_err() {
            bytes.fill(0);
        }
        bytes
    }

    /// Our copy of chunk number `chunk`, made on first use.
    fn own_chunk<'a>(&self, chunks: &'a mut BTreeMap<u64, Vec<u8>>, chunk: u64) -> &'a mut Vec<u8> {
        match chunks.entry(chunk) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.base_chunk(chunk)),
        }
    }

    /// Calls `visit` for each chunk that `offset..offset + len` touches, with the range within the
    /// chunk and the range within the request.
    fn each_chunk(
        offset: u64,
        len: usize,
        mut visit: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>),
    ) {
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let within = to_usize(at % CHUNK_BYTES);
            let count = (to_usize(CHUNK_BYTES) - within).min(len - done);
            visit(at / CHUNK_BYTES, within..within + count, done..done + count);
            done += count;
        }
    }
}

impl<B: StorageBackend> StorageBackend for Frozen<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // A damaged page may lead anywhere.
        let there = written.len.saturating_sub(offset).min(out.len() as u64);
        let (there, behind) = out.split_at_mut(usize::try_from(there).unwrap_or(usize::MAX));
        behind.fill(0);
        Self::each_chunk(offset, there.len(), |chunk, within, request| match written
            .chunks
            .get(&chunk)
        {
            Some(bytes) => there[request].copy_from_slice(&bytes[within]),
            None => there[request].copy_from_slice(&self.base_chunk(chunk)[within]),
        });
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if len < written.len {
            // What is cut off must read as zeros when the length grows again.
            let first_cut = len.div_ceil(CHUNK_BYTES);
            written.chunks.retain(|chunk, _| *chunk < first_cut);
            for chunk in first_cut..self.base_len.div_ceil(CHUNK_BYTES) {
                written.chunks.insert(chunk, vec![0; to_usize(CHUNK_BYTES)]);
            }
            let kept = to_usize(len % CHUNK_BYTES);
            if kept > 0 {
                self.own_chunk(&mut written.chunks, len / CHUNK_BYTES)[kept..].fill(0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        Self::each_chunk(offset, data.len(), |chunk, within, request| {
            self.own_chunk(&mut written.chunks, chunk)[within].copy_from_slice(&data[request]);
        });
        written.len = written.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.base.close()
    }
}

fn to_usize(small: u64) -> usize {
    usize::try_from(small).expect("at most a chunk")
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    #[test]
    fn frozen_view_takes_writes_and_leaves_the_base_alone() {
        let base = InMemoryBackend::new();
        base.set_len(10_000).unwrap();
        base.write(0, &[7; 10_000]).unwrap();
        let frozen = Frozen::new(base).unwrap();
        frozen.write(4_000, &[9; 200]).unwrap();
        let mut bytes = vec![0; 10_000];
        frozen.read(0, &mut bytes).unwrap();
        assert_eq!(bytes[3_999..4_001], [7, 9]);
        assert_eq!(bytes[4_199..4_201], [9, 7]);
        frozen.base.read(0, &mut bytes).unwrap();
        assert_eq!(bytes, vec![7; 10_000]);
    }

    #[test]
    fn frozen_view_reads_zeros_where_it_was_cut_and_grown_again() {
        let base = InMemoryBackend::new();
        base.set_len(20_000).unwrap();
        base.write(0, &vec![7; 20_000]).unwrap();
        let frozen = Frozen::new(base).unwrap();
        frozen.set_len(9_000).unwrap();
        frozen.set_len(30_000).unwrap();
        let mut bytes = vec![1; 30_000];
        frozen.read(0, &mut bytes).unwrap();
        assert_eq!(bytes[..9_000], vec![7; 9_000]);
        assert_eq!(bytes[9_000..], vec![0; 21_000]);
    }
}
