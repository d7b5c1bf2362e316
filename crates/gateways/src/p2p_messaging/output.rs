//! The files that the originals write: a line for each thing that happened.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Bytes after which a file is not written on: it is for people to look at, not an archive.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A file of lines, or none.
#[derive(Debug)]
pub(super) struct Output {
    file: Option<File>,
    left: u64,
}

impl Output {
    /// The file `name` in `folder`, which goes on from what is there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(folder: Option<&Path>, name: &str) -> io::Result<Self> {
        let Some(folder) = folder else {
            let (file, left) = (None, 0);
            return Ok(Self { file, left });
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join(name))?;
        let left = FILE_BYTES_MAX.saturating_sub(file.metadata()?.len());
        let file = Some(file);
        Ok(Self { file, left })
    }

    /// Adds a line. One that cannot be written is lost: the network matters more.
    pub(super) fn line(&mut self, line: &str) {
        let bytes = u64::try_from(line.len() + 1).unwrap_or(u64::MAX);
        if let Some(file) = self.file.as_mut().filter(|_| self.left >= bytes) {
            self.left -= bytes;
            writeln!(file, "{line}").ok();
        }
    }
}
