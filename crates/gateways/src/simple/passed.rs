//! Up to when bulletins have gone out, kept over a restart: what went out before must not go out again.
//!
//! The file `simple.passed` of the data folder holds one number, the latest moment at which a bulletin was made that
//! is in the simple network: 20 digits, in milliseconds since 1970, written in place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// The file's name.
const NAME: &str = "simple.passed";
/// Bytes of it that are read.
const BYTES_MAX: u64 = 64;

/// The number, and its file where there is a folder.
#[derive(Debug)]
pub(super) struct Passed {
    file: Option<File>,
    until_ms: u64,
}

impl Passed {
    /// Reads what is in `folder`. A file without a number says that nothing has gone out.
    ///
    /// # Errors
    /// When it cannot be opened; the file is named.
    pub(super) fn open(folder: Option<&Path>) -> io::Result<Self> {
        let mut passed = Self {
            file: None,
            until_ms: 0,
        };
        if let Some(folder) = folder {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let path = folder.join(NAME);
            let file = options.open(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
            let mut text = String::new();
            (&file).take(BYTES_MAX).read_to_string(&mut text).ok();
            passed.until_ms = text.trim().parse().unwrap_or(0);
            passed.file = Some(file);
        }
        Ok(passed)
    }

    /// Whether a bulletin made then has gone out.
    pub(super) const fn has(&self, created_ms: u64) -> bool {
        created_ms <= self.until_ms
    }

    /// A bulletin made then goes out. What cannot be written is forgotten at the next restart: the network matters
    /// more.
    pub(super) fn note(&mut self, created_ms: u64) {
        if self.has(created_ms) {
            return;
        }
        self.until_ms = created_ms;
        if let Some(file) = &mut self.file {
            let written = file.seek(SeekFrom::Start(0));
            written
                .and_then(|_| writeln!(file, "{created_ms:020}"))
                .ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_out_is_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Passed::open(Some(folder.path())).unwrap();
        let mut passed = open();
        assert!(!passed.has(1));
        for ms in [1_795_168_557_999, 1_795_168_557_000, 1_795_168_558_000] {
            passed.note(ms);
        }
        let passed = open();
        assert!(passed.has(1_795_168_558_000) && !passed.has(1_795_168_558_001));
    }

    #[test]
    fn a_file_of_something_else_says_that_nothing_went_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), [0xff; 100]).unwrap();
        let mut passed = Passed::open(Some(folder.path())).unwrap();
        assert!(!passed.has(1));
        passed.note(7);
        std::fs::remove_file(folder.path().join(NAME)).unwrap();
        let missing = folder.path().join("missing");
        let error = Passed::open(Some(&missing)).unwrap_err().to_string();
        assert!(error.contains("missing/simple.passed: "), "{error}");
        assert!(Passed::open(None).unwrap().file.is_none());
    }
}
