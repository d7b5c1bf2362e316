//! Why a secret cannot be used or made, and what to do about it. No text holds a byte of a secret.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::{KeyName, NAME_BYTES_MAX, TOKEN_FILE};
use super::passphrase::PASSPHRASE_BYTES_MAX;
use super::sealed::ParseSealedError;
use super::words::WORDS;

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
    /// The file claims to be a key under a passphrase, and is none.
    #[error("key file {} cannot be opened with any passphrase: {wrong}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: ParseSealedError,
    },
    /// A text to import is not a key.
    #[error("the text is not a key: a key has 64 hexadecimal characters")]
    NotAKey,
    /// The key is under a passphrase, and nobody has opened it.
    #[error("{key} is locked: it is protected by a passphrase")]
    Locked {
        /// Which key.
        key: KeyName,
    },
    /// The passphrase is another one.
    #[error("the passphrase does not open {key}")]
    WrongPassphrase {
        /// Which key.
        key: KeyName,
    },
    /// There is no passphrase to take off or to open the key with.
    #[error("{key} is not protected by a passphrase")]
    NotProtected {
        /// Which key.
        key: KeyName,
    },
    /// There is a passphrase already.
    #[error("{key} is protected by a passphrase already")]
    Protected {
        /// Which key.
        key: KeyName,
    },
    /// A text is no passphrase.
    #[error("a passphrase of {got} bytes is not within 1 and {PASSPHRASE_BYTES_MAX}")]
    BadPassphrase {
        /// Its bytes.
        got: usize,
    },
    /// Too many keys are open at a time.
    #[error("{max} keys are open already")]
    TooManyOpen {
        /// Most of them.
        max: usize,
    },
    /// The node has no folder, and so no keys to open.
    #[error("an ephemeral node keeps no keys")]
    Ephemeral,
    /// There are more or fewer backup words than a key has.
    #[error("there are {got} words, a key has {WORDS}")]
    WordCount {
        /// How many there are.
        got: usize,
    },
    /// A backup word is not in the list. The word itself is not repeated.
    #[error("word {position} is not in the list of BIP-39")]
    UnknownWord {
        /// Which one, from 1.
        position: usize,
        /// The word of the list that is most like it, if one is.
        nearest: Option<&'static str>,
    },
    /// All words are in the list, but do not belong together.
    #[error("the words do not belong together: one is another, or two have changed places")]
    WordsChecksum,
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
            Self::Length { .. } | Self::NotHex { .. } | Self::Sealed { .. } | Self::NotAKey => {
                "key_malformed"
            }
            Self::Locked { .. } => "key_locked",
            Self::WrongPassphrase { .. } => "wrong_passphrase",
            Self::NotProtected { .. } => "key_not_protected",
            Self::Protected { .. } => "key_protected",
            Self::BadPassphrase { .. } => "passphrase",
            Self::TooManyOpen { .. } => "too_many_keys",
            Self::Ephemeral => "ephemeral",
            Self::WordCount { .. } | Self::UnknownWord { .. } | Self::WordsChecksum => "key_words",
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
            Self::Sealed {
                path,
                wrong: ParseSealedError::Version,
            } => format!("open {} with a newer bruit", path.display()),
            Self::Sealed { path, .. } => format!("restore {} from a backup", path.display()),
            Self::Locked { key } => key.unlocking(),
            Self::WrongPassphrase { .. } => {
                "type it again, to the letter; without it the key is lost, unless there is a backup"
                    .to_owned()
            }
            Self::NotProtected { key } => {
                format!(
                    "use it as it is, or protect it: bruit id keys protect {}",
                    key.argument()
                )
            }
            Self::Protected { key } => format!(
                "to change the passphrase, take it off first: bruit id keys unprotect {}",
                key.argument()
            ),
            Self::BadPassphrase { .. } => {
                "choose several words nobody would put together".to_owned()
            }
            Self::TooManyOpen { .. } => "lock some: bruit id keys lock NAME".to_owned(),
            Self::Ephemeral => "run the daemon without --ephemeral".to_owned(),
            Self::WordCount { .. } => {
                "give the words that bruit id keys export NAME --words printed, in their order"
                    .to_owned()
            }
            Self::UnknownWord {
                nearest: Some(word),
                ..
            } => format!("look at the paper: it may be \"{word}\""),
            Self::UnknownWord { nearest: None, .. } | Self::WordsChecksum => {
                "compare each word and its place with the paper".to_owned()
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
