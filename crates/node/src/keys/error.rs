//! Why a secret cannot be used or made, and what to do about it. No text holds a byte of a secret.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::{NAME_BYTES_MAX, TOKEN_FILE};

/// Why a secret cannot be used or made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such file.
    #[error("there is no key file {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("key file {} may be used by others than its owner (mode {mode:04o})", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The operating system forbids the access.
    #[error("access to {} is denied", path.display())]
    Permission {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file system takes no writes.
    #[error("{} is on a read-only file system", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// The path leads to something that is not a file.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The path leads to something that is not a folder.
    #[error("{} is not a folder", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The file's length is not that of a key.
    #[error("key file {} has {got} bytes, a key has 64 hexadecimal characters", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        got: u64,
    },
    /// A character of the file is not hexadecimal.
    #[error("key file {} is not hexadecimal", path.display())]
    NotHex {
        /// The file.
        path: PathBuf,
    },
    /// A text to import is not a key.
    #[error("the text is not a key: a key has 64 hexadecimal characters")]
    NotAKey,
    /// There is a key of that name.
    #[error("there is already a key file {}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The name cannot be a file's.
    #[error("\"{}\" is no name for a key", name.escape_debug())]
    BadName {
        /// The name.
        name: String,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {what}")]
    Randomness {
        /// What it said.
        what: String,
    },
    /// No space is left.
    #[error("no space is left for {}", path.display())]
    Full {
        /// The file or folder.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("input or output failed at {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
}

impl KeyError {
    /// A word for programs, stable over versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "key_missing",
            Self::TooOpen { .. } => "key_too_open",
            Self::Permission { .. } => "permission_denied",
            Self::ReadOnly { .. } => "read_only",
            Self::NotAFile { .. } => "not_a_file",
            Self::NotADirectory { .. } => "not_a_folder",
            Self::Length { .. } | Self::NotHex { .. } | Self::NotAKey => "key_malformed",
            Self::Exists { .. } => "key_exists",
            Self::BadName { .. } => "key_name",
            Self::Randomness { .. } => "no_randomness",
            Self::Full { .. } => "disk_full",
            Self::Io { .. } => "disk_error",
        }
    }

    /// What to do about it, as a sentence.
    pub fn fix(&self) -> String {
        match self {
            Self::Missing { path } if path.file_name().is_some_and(|name| name == TOKEN_FILE) => {
                "restart the daemon: it makes a new one".to_owned()
            }
            Self::Missing { .. } => {
                "list the keys with: bruit id keys list; make one with: bruit id keys new NAME"
                    .to_owned()
            }
            Self::TooOpen { path, .. } => {
                let path = path.display();
                format!(
                    "if nobody else has read it: chmod 600 {path}; otherwise move it away for a new one"
                )
            }
            Self::Permission { path } => format!(
                "make {} readable and writable for this user (chown, chmod), or choose another folder with --data",
                path.display()
            ),
            Self::ReadOnly { .. } | Self::Full { .. } => {
                "make the disk writable or free space, or choose another folder with --data"
                    .to_owned()
            }
            Self::NotAFile { path } | Self::NotADirectory { path } => {
                format!(
                    "move {} away, or choose another folder with --data",
                    path.display()
                )
            }
            Self::Length { path, .. } | Self::NotHex { path } => {
                let path = path.display();
                format!(
                    "restore {path} from a backup, or move it away for a new one (a new identity)"
                )
            }
            Self::NotAKey => "give the text that bruit id keys export printed".to_owned(),
            Self::Exists { path } => {
                format!("choose another name, or move {} away first", path.display())
            }
            Self::BadName { .. } => format!(
                "use at most {NAME_BYTES_MAX} letters, digits, '-', '_' and '.', not starting with '.'"
            ),
            Self::Randomness { .. } => "check that getrandom or /dev/urandom works".to_owned(),
            Self::Io { .. } => "check the disk (dmesg, smartctl)".to_owned(),
        }
    }

    pub(super) fn from_io(error: io::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::PermissionDenied => Self::Permission { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io {
                path,
                source: Arc::new(error),
            },
        }
    }
}
