//! What can go wrong with the store, grouped by who can mend it.
//!
//! Every error has a stable code for outputs, a text that names the cause, and a fix.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the store does not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    // The operator's: explained once, at start.
    /// Another process holds this data folder.
    #[error("data folder {} is in use{}", folder.display(), holder_text(*holder))]
    AlreadyOpen {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, where it said so.
        holder: Option<u32>,
    },
    /// A newer bruit wrote this store.
    #[error("store {} has schema {found}, this bruit knows schemas up to {supported}", file.display())]
    NewerSchema {
        /// The store's file.
        file: PathBuf,
        /// Schema found in the file.
        found: u64,
        /// Newest schema this program reads.
        supported: u64,
    },
    /// The data folder's path leads to something else.
    #[error("{} is not a folder", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The operating system forbids the access.
    #[error("access to {} is denied", path.display())]
    Permission {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file system takes no writes at all.
    #[error("{} is on a read-only file system", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file is the database of another program.
    #[error("{} is the database of another program", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The file is not a store, or its contents contradict themselves.
    #[error("store {} is damaged: {what}", file.display())]
    Corrupt {
        /// The store's file.
        file: PathBuf,
        /// What was found.
        what: String,
    },

    // The machine's: the node lives on, with less.
    /// The disk, or a quota on it, is used up. The store tries again by itself.
    #[error("no space is left for store {}", file.display())]
    Full {
        /// The store's file.
        file: PathBuf,
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
    /// An earlier failure left it unknown what the disk holds: nothing is written until the store
    /// is opened anew.
    #[error("the store takes no writes since it failed: {cause}")]
    Poisoned {
        /// That failure.
        cause: Box<StoreError>,
    },

    // The caller's.
    /// More is waiting to be written than is allowed to wait.
    #[error("{pending} bytes are waiting for the disk, at most {max} may")]
    Backlog {
        /// Bytes waiting.
        pending: usize,
        /// Most bytes that may wait.
        max: usize,
    },
    /// More reads are waiting than may wait.
    #[error("{max} reads are waiting for the disk already")]
    ReadBacklog {
        /// Most reads that may wait.
        max: usize,
    },
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
    /// The last writes did not reach the disk within the time a shutdown has.
    #[error("the store did not finish its writes within {waited_ms} ms")]
    Unfinished {
        /// Time waited, in milliseconds.
        waited_ms: u64,
    },
}

impl StoreError {
    /// A word for programs, stable over versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyOpen { .. } => "already_running",
            Self::NewerSchema { .. } => "store_newer",
            Self::NotADirectory { .. } => "not_a_folder",
            Self::Permission { .. } => "permission_denied",
            Self::ReadOnly { .. } => "read_only",
            Self::Foreign { .. } => "not_a_store",
            Self::Corrupt { .. } => "store_damaged",
            Self::Full { .. } => "disk_full",
            Self::Io { .. } => "disk_error",
            Self::Poisoned { .. } => "store_read_only",
            Self::Backlog { .. } | Self::ReadBacklog { .. } | Self::Unfinished { .. } => {
                "disk_slow"
            }
            Self::Closed => "store_closed",
        }
    }

    /// What to do about it, as a sentence.
    pub fn fix(&self) -> String {
        match self {
            Self::AlreadyOpen {
                holder: Some(pid), ..
            } => {
                format!("stop process {pid} first, or choose another folder with --data")
            }
            Self::AlreadyOpen { holder: None, .. } => {
                "stop the other bruit first, or choose another folder with --data".to_owned()
            }
            Self::NewerSchema { .. } => {
                "run the newer bruit that wrote it, or choose another folder with --data".to_owned()
            }
            Self::NotADirectory { path } => {
                format!("name a folder with --data, or move {} away", path.display())
            }
            Self::Permission { path } => {
                format!(
                    "make {} readable and writable for this user (chown, chmod u+rw), or choose another folder with --data",
                    path.display()
                )
            }
            Self::ReadOnly { .. } => {
                "remount it writable, choose another folder with --data, or run with --ephemeral"
                    .to_owned()
            }
            Self::Foreign { file } => format!(
                "move {} away, or choose another folder with --data",
                file.display()
            ),
            Self::Corrupt { file, .. } => {
                format!(
                    "move {0} aside (mv {0} {0}.damaged) and start again: bulletins come back from peers",
                    file.display()
                )
            }
            Self::Full { .. } => "free space on that disk: the store goes on by itself".to_owned(),
            Self::Io { .. } | Self::Poisoned { .. } => {
                "check the disk (dmesg, smartctl), then restart the node".to_owned()
            }
            Self::Backlog { .. } | Self::ReadBacklog { .. } | Self::Unfinished { .. } => {
                "the disk is too slow for this load: lower the load or use a faster disk".to_owned()
            }
            Self::Closed => "the node is stopping: start it again".to_owned(),
        }
    }

    /// True when waiting for space is the cure.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// `file` is the database of another program.
    pub(super) fn foreign(file: &Path) -> Self {
        Self::Foreign {
            file: file.to_owned(),
        }
    }

    /// What `error` at `path` means.
    pub(crate) fn from_io(error: io::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { file: path },
            io::ErrorKind::PermissionDenied => Self::Permission { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            _ => Self::Io {
                path,
                source: Arc::new(error),
            },
        }
    }

    /// What `error` of the database in `file` means.
    pub(crate) fn from_redb(error: redb::Error, file: &Path) -> Self {
        match error {
            redb::Error::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::Corrupt {
                    file: file.to_owned(),
                    what: error.to_string(),
                }
            }
            redb::Error::Io(error) => Self::from_io(error, file),
            redb::Error::PreviousIo => {
                let error = io::Error::other("an earlier input or output failed");
                Self::Io {
                    path: file.to_owned(),
                    source: Arc::new(error),
                }
            }
            redb::Error::DatabaseAlreadyOpen => Self::AlreadyOpen {
                folder: file.parent().unwrap_or(file).to_owned(),
                holder: None,
            },
            redb::Error::DatabaseClosed => Self::Closed,
            other => Self::Corrupt {
                file: file.to_owned(),
                what: other.to_string(),
            },
        }
    }
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" by process {pid}"))
}
