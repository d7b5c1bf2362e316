//! The data folder and the secrets in it: node key, author keys, API token.
//!
//! A secret is a file of 64 hexadecimal characters and a newline that only its owner may read. It is
//! written whole under another name first and then given its own, so that no crash leaves half a key
//! and no existing key is ever replaced. What is wrong with a file is said with the command that
//! mends it, and never with a byte of the secret.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bruit_core::id::{AuthorId, NodeId};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use zeroize::{Zeroize, Zeroizing};

use crate::store::sync_folder;

/// Name of the node's key in the data folder.
const NODE_KEY_FILE: &str = "node.key";
/// Name of the token for the local API.
const TOKEN_FILE: &str = "token";
/// Folder of the author keys.
const AUTHORS_FOLDER: &str = "authors";
/// End of an author key's file name.
const KEY_SUFFIX: &str = ".key";
/// The author key that is made on first use.
pub const DEFAULT_AUTHOR: &str = "default";
/// Most bytes of an author key's name.
const NAME_BYTES_MAX: usize = 64;
/// Bytes of a secret's file: hexadecimal and a newline.
const SECRET_FILE_BYTES: usize = 65;

/// Tells apart the temporary files of threads that save the same secret.
static SAVES: AtomicU64 = AtomicU64::new(0);

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

    fn from_io(error: io::Error, path: &Path) -> Self {
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

/// 32 secret bytes, wiped from memory on drop and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Fresh random bytes from the operating system.
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|error| KeyError::Randomness {
            what: error.to_string(),
        })?;
        Ok(Self(bytes))
    }

    /// Takes the bytes as they are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes: whoever takes them keeps them out of logs and outputs.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes as 64 lower-case hexadecimal characters.
    pub fn to_hex(&self) -> Zeroizing<String> {
        // With room for the newline: a growing string would leave its old bytes behind.
        let mut text = Zeroizing::new(String::with_capacity(SECRET_FILE_BYTES));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        text
    }

    /// Reads 64 hexadecimal characters, white space around them allowed.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], which does not repeat the text.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let text = text.trim().as_bytes();
        let mut bytes = Zeroizing::new([0; 32]);
        let (pairs, rest) = text.as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(KeyError::NotAKey);
        }
        let digit = |byte: u8| {
            let digit = char::from(byte).to_digit(16).ok_or(KeyError::NotAKey)?;
            u8::try_from(digit).map_err(|_| KeyError::NotAKey)
        };
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }

    /// The Ed25519 key whose seed this is. The key is not wiped by itself: keep it in one place.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from(*self.0)
    }

    /// The public key: its node's id.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(self.public())
    }

    /// The public key: its author's id.
    pub fn author_id(&self) -> AuthorId {
        AuthorId::from_bytes(self.public())
    }

    fn public(&self) -> [u8; 32] {
        let mut key = self.signing_key();
        let public = VerificationKeyBytes::from(&key).into();
        key.zeroize();
        public
    }

    /// Reads the secret in the file `path`.
    ///
    /// # Errors
    /// What is wrong with the file: [`KeyError::Missing`], `TooOpen`, `Permission`, `NotAFile`,
    /// `Length`, `NotHex`, `Io`.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let wrong = |error| KeyError::from_io(error, path);
        // Looked at before it is opened: opening a pipe would wait for its writer.
        check_file(path, &fs::metadata(path).map_err(wrong)?)?;
        let mut file = OpenOptions::new().read(true).open(path).map_err(wrong)?;
        let metadata = file.metadata().map_err(wrong)?;
        check_file(path, &metadata)?;
        let mut text = Zeroizing::new([0; SECRET_FILE_BYTES + 1]);
        let mut got = 0;
        loop {
            match file.read(&mut text[got..]).map_err(wrong)? {
                0 => break,
                count => got += count,
            }
        }
        let length = || KeyError::Length {
            path: path.to_owned(),
            got: metadata.len(),
        };
        let text = text[..got].trim_ascii();
        if text.len() != 64 {
            return Err(length());
        }
        let not_hex = || KeyError::NotHex {
            path: path.to_owned(),
        };
        Self::from_hex(std::str::from_utf8(text).map_err(|_| not_hex())?).map_err(|_| not_hex())
    }

    /// Writes the secret to the new file `path`, which lasts when this returns.
    ///
    /// # Errors
    /// [`KeyError::Exists`], `Permission`, `ReadOnly`, `Full`, `Io`. There is then no such file, or
    /// the one that was there before.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (process, number) = (std::process::id(), SAVES.fetch_add(1, Ordering::Relaxed));
        let temporary = folder.join(format!(".{name}.{process}.{number}.new"));
        let written = self
            .write_new(&temporary)
            .and_then(|()| publish(&temporary, path));
        // Under its own name or not at all: the other name goes in both cases.
        fs::remove_file(&temporary).ok();
        written.and_then(|()| sync_folder(folder)).map_err(|error| {
            // Missing can only be the folder.
            let path = if error.kind() == io::ErrorKind::AlreadyExists {
                path
            } else {
                folder
            };
            KeyError::from_io(error, path)
        })
    }

    fn write_new(&self, path: &Path) -> io::Result<()> {
        // Left by a process of the same number that died half way.
        fs::remove_file(path).ok();
        let mut file = private_options().write(true).create_new(true).open(path)?;
        let mut text = self.to_hex();
        text.push('\n');
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// Reads the secret in `path`, or makes one there.
    fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Missing { .. }) => {}
            result => return result,
        }
        let secret = Self::random()?;
        match secret.save(path) {
            Ok(()) => Ok(secret),
            // Another process was quicker: its key it is.
            Err(KeyError::Exists { .. }) => Self::load(path),
            Err(error) => Err(error),
        }
    }
}

/// Gives `temporary` the name `path` unless that is taken: a link fails then, a renaming would not.
fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links.
            if path.try_exists()? {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(temporary, path)
        }
        result => result,
    }
}

/// Whether `metadata` is that of a file for its owner alone.
fn check_file(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyError> {
    if !metadata.is_file() {
        return Err(KeyError::NotAFile {
            path: path.to_owned(),
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::TooOpen {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(())
}

/// An author key in the data folder, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorEntry {
    /// The key's name here.
    pub name: String,
    /// Its public key.
    pub id: AuthorId,
}

/// The folder of `--data`.
///
/// # Examples
/// ```
/// use bruit::keys::DataFolder;
/// # let folder = tempfile::tempdir().unwrap();
/// let data = DataFolder::open(folder.path())?;
/// let id = data.node_key()?.node_id();
/// assert_eq!(data.node_key()?.node_id(), id);
/// # Ok::<(), bruit::keys::KeyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder {
    path: PathBuf,
}

impl DataFolder {
    /// Opens the folder; makes it, for its owner alone, where there is none. The permissions of an
    /// existing folder stay as they are.
    ///
    /// # Errors
    /// [`KeyError::NotADirectory`], `Permission`, `ReadOnly`, `Full`, `Io`.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyError> {
        let path = path.into();
        make_folder(&path)?;
        Ok(Self { path })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The node's key, made on first use.
    ///
    /// # Errors
    /// As [`Secret::load`] and [`Secret::save`]. A key that cannot be used is not replaced.
    pub fn node_key(&self) -> Result<Secret, KeyError> {
        Secret::load_or_create(&self.path.join(NODE_KEY_FILE))
    }

    /// The token of the local API, made on first use. Clients send its [`Secret::to_hex`].
    ///
    /// # Errors
    /// As [`DataFolder::node_key`].
    pub fn token(&self) -> Result<Secret, KeyError> {
        Secret::load_or_create(&self.path.join(TOKEN_FILE))
    }

    /// The author key `name`. [`DEFAULT_AUTHOR`] is made on first use.
    ///
    /// # Errors
    /// [`KeyError::BadName`], `Missing`, and as [`DataFolder::node_key`].
    pub fn author(&self, name: &str) -> Result<Secret, KeyError> {
        let path = self.author_file(name)?;
        if name == DEFAULT_AUTHOR {
            make_folder(&self.path.join(AUTHORS_FOLDER))?;
            return Secret::load_or_create(&path);
        }
        Secret::load(&path)
    }

    /// Makes the author key `name`.
    ///
    /// # Errors
    /// [`KeyError::Exists`], and as [`Secret::save`].
    pub fn new_author(&self, name: &str) -> Result<AuthorEntry, KeyError> {
        self.import_author(name, &Secret::random()?)
    }

    /// Keeps `secret` as author key `name`. An exported key is the file's text:
    /// [`DataFolder::author`] and [`Secret::to_hex`].
    ///
    /// # Errors
    /// [`KeyError::Exists`], and as [`Secret::save`].
    pub fn import_author(&self, name: &str, secret: &Secret) -> Result<AuthorEntry, KeyError> {
        let path = self.author_file(name)?;
        make_folder(&self.path.join(AUTHORS_FOLDER))?;
        secret.save(&path)?;
        Ok(AuthorEntry {
            name: name.to_owned(),
            id: secret.author_id(),
        })
    }

    /// The author keys, by name. Files whose names are no key's are passed over.
    ///
    /// # Errors
    /// As [`Secret::load`], for the first key that cannot be used.
    pub fn authors(&self) -> Result<Vec<AuthorEntry>, KeyError> {
        let folder = self.path.join(AUTHORS_FOLDER);
        let wrong = |error| KeyError::from_io(error, &folder);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(wrong)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(wrong)?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(KEY_SUFFIX));
            names.extend(
                name.filter(|name| check_name(name).is_ok())
                    .map(str::to_owned),
            );
        }
        names.sort_unstable();
        names
            .into_iter()
            .map(|name| {
                Ok(AuthorEntry {
                    id: self.author(&name)?.author_id(),
                    name,
                })
            })
            .collect()
    }

    fn author_file(&self, name: &str) -> Result<PathBuf, KeyError> {
        check_name(name)?;
        Ok(self
            .path
            .join(AUTHORS_FOLDER)
            .join(format!("{name}{KEY_SUFFIX}")))
    }
}

/// Whether `name` is safe as a file name everywhere.
fn check_name(name: &str) -> Result<(), KeyError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let good = (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(plain);
    good.then_some(()).ok_or_else(|| KeyError::BadName {
        name: name.to_owned(),
    })
}

/// Makes `folder`, and those above it, for their owner alone.
fn make_folder(folder: &Path) -> Result<(), KeyError> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => {
            return Err(KeyError::NotADirectory {
                path: folder.to_owned(),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(KeyError::from_io(error, folder)),
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(|error| KeyError::from_io(error, folder))
}

/// Options that create files only their owner may read.
pub(crate) fn private_options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(parent.path().join("data")).unwrap();
        (parent, folder)
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn secrets_are_made_once_and_kept() {
        let (_parent, folder) = folder();
        let (node, token) = (folder.node_key().unwrap(), folder.token().unwrap());
        assert_ne!(node, token);
        assert_eq!(folder.node_key().unwrap(), node);
        assert_eq!(folder.token().unwrap(), token);
        let text = fs::read_to_string(folder.path().join(NODE_KEY_FILE)).unwrap();
        assert_eq!(text, format!("{}\n", *node.to_hex()));
        assert_eq!(text.len(), SECRET_FILE_BYTES);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing temporary stays"
        );
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_for_their_owner_alone() {
        let (_parent, folder) = folder();
        folder.node_key().unwrap();
        folder.author(DEFAULT_AUTHOR).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join(AUTHORS_FOLDER)), 0o700);
        assert_eq!(mode(&folder.path().join(NODE_KEY_FILE)), 0o600);
        assert_eq!(mode(&folder.path().join("authors/default.key")), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn key_others_may_read_is_refused_with_the_command_that_mends_it() {
        let (_parent, folder) = folder();
        let key = folder.node_key().unwrap();
        let path = folder.path().join(NODE_KEY_FILE);
        for wide in [0o644, 0o640, 0o620, 0o601] {
            set_mode(&path, wide);
            let error = folder.node_key().unwrap_err();
            assert!(
                matches!(error, KeyError::TooOpen { mode, .. } if mode == wide),
                "{error}"
            );
            assert!(
                error
                    .fix()
                    .contains(&format!("chmod 600 {}", path.display()))
            );
        }
        set_mode(&path, 0o600);
        assert_eq!(folder.node_key().unwrap(), key, "nothing was overwritten");
    }

    #[test]
    fn damaged_key_is_refused_without_its_text_and_left_alone() {
        let (_parent, folder) = folder();
        let key = folder.node_key().unwrap();
        let path = folder.path().join(NODE_KEY_FILE);
        let (hex, bad) = (key.to_hex(), "z".repeat(64));
        for text in [
            "",
            "\n",
            &hex[..63],
            &format!("{}0", *hex),
            &bad,
            &"0".repeat(1_000),
        ] {
            fs::write(&path, text).unwrap();
            let error = folder.node_key().unwrap_err();
            let malformed = matches!(error, KeyError::Length { .. } | KeyError::NotHex { .. });
            assert!(malformed, "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let told = format!("{error} {error:?} {}", error.fix());
            assert!(
                !told.contains(&hex[..16]),
                "an error text holds part of a key"
            );
        }
    }

    #[test]
    fn path_that_is_no_file_is_refused() {
        let (parent, folder) = folder();
        fs::create_dir(folder.path().join(NODE_KEY_FILE)).unwrap();
        assert!(matches!(folder.node_key(), Err(KeyError::NotAFile { .. })));
        let file = parent.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(
            DataFolder::open(&file),
            Err(KeyError::NotADirectory { .. })
        ));
        assert!(DataFolder::open(file.join("below")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn folder_that_takes_no_files_is_named() {
        let (_parent, folder) = folder();
        set_mode(folder.path(), 0o500);
        // Root may write everywhere.
        if fs::write(folder.path().join("probe"), "x").is_err() {
            match folder.node_key() {
                Err(KeyError::Permission { path }) => assert_eq!(path, folder.path()),
                other => panic!("{other:?}"),
            }
        }
        set_mode(folder.path(), 0o700);
    }

    #[test]
    fn author_keys_are_made_listed_exported_and_imported() {
        let (_parent, first) = folder();
        let (_other, second) = folder();
        assert_eq!(first.authors().unwrap(), []);
        let default = first.author(DEFAULT_AUTHOR).unwrap().author_id();
        let alice = first.new_author("alice").unwrap();
        let expected = [
            alice.clone(),
            AuthorEntry {
                name: DEFAULT_AUTHOR.to_owned(),
                id: default,
            },
        ];
        assert_eq!(first.authors().unwrap(), expected);

        let text = first.author("alice").unwrap().to_hex();
        let imported = second
            .import_author("a.2", &Secret::from_hex(&text).unwrap())
            .unwrap();
        assert_eq!(imported.id, alice.id);
        assert!(matches!(
            second.new_author("a.2"),
            Err(KeyError::Exists { .. })
        ));
        assert_eq!(
            second.author("a.2").unwrap().author_id(),
            alice.id,
            "nothing was overwritten"
        );
        assert!(matches!(
            second.author("bob"),
            Err(KeyError::Missing { .. })
        ));
        for name in ["", ".", "..", "../node", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert!(
                matches!(second.new_author(name), Err(KeyError::BadName { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn secrets_survive_hexadecimal_and_are_never_printed() {
        let secret = Secret::from_bytes([0xab; 32]);
        assert_eq!(*secret.to_hex(), "ab".repeat(32));
        assert_eq!(
            Secret::from_hex(&format!(" {}\n", *secret.to_hex())).unwrap(),
            secret
        );
        for text in ["", "ab", &"ab".repeat(33), &"g".repeat(64)] {
            let error = Secret::from_hex(text).unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(&text.repeat(2)));
        }
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn node_id_is_the_public_key() {
        // RFC 8032, section 7.1, test 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let secret = Secret::from_hex(seed).unwrap();
        assert_eq!(secret.node_id().to_string(), public);
        assert_eq!(secret.author_id().to_string(), public);
    }
}
