//! The data folder: which secrets it holds, and under which names.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bruit_core::id::AuthorId;

use super::error::KeyError;
use super::file::{self, make_folder};
use super::passphrase::Passphrase;
use super::secret::Secret;
use super::stored::Stored;

/// Name of the node's key in the data folder.
pub(super) const NODE_KEY_FILE: &str = "node.key";
/// Name of the secret that letter keys grow from.
pub(super) const LETTER_KEY_FILE: &str = "letter.key";
/// Name of the token for the local API.
pub(super) const TOKEN_FILE: &str = "token";
/// Folder of the author keys.
pub(super) const AUTHORS_FOLDER: &str = "authors";
/// End of an author key's file name.
const KEY_SUFFIX: &str = ".key";
/// The author key that is made on first use.
pub const DEFAULT_AUTHOR: &str = "default";
/// Most bytes of an author key's name.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// One of the keys in a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyName {
    /// The node's own.
    Node,
    /// An author's, by its name.
    Author(String),
}

impl KeyName {
    /// What commands take for it.
    pub(super) fn argument(&self) -> &str {
        match self {
            Self::Node => "--node",
            Self::Author(name) => name,
        }
    }

    /// What opens it.
    pub(super) fn unlocking(&self) -> String {
        match self {
            Self::Node => {
                "start the daemon on a terminal, or with a file: bruit run --passphrase-file FILE"
                    .to_owned()
            }
            Self::Author(name) => format!("unlock it for the daemon: bruit id keys unlock {name}"),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("the node's key"),
            Self::Author(name) => write!(f, "the author key \"{}\"", name.escape_debug()),
        }
    }
}

/// An author key in the data folder, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorEntry {
    /// The key's name here.
    pub name: String,
    /// Its public key.
    pub id: AuthorId,
    /// Whether it is under a passphrase.
    pub protected: bool,
}

impl AuthorEntry {
    fn of(name: &str, key: &Stored) -> Self {
        Self {
            name: name.to_owned(),
            id: key.author_id(),
            protected: key.is_protected(),
        }
    }
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

    /// The secret that the letter keys of this node grow from, made on first use.
    ///
    /// # Errors
    /// As [`DataFolder::token`].
    pub fn letter_key(&self) -> Result<Secret, KeyError> {
        load_or_create(&self.path.join(LETTER_KEY_FILE), Secret::load)
    }

    /// The token of the local API, made on first use. Clients send its [`Secret::to_hex`].
    ///
    /// # Errors
    /// As [`Secret::load`] and [`Secret::save`]. One that cannot be used is not replaced.
    pub fn token(&self) -> Result<Secret, KeyError> {
        let path = self.path.join(TOKEN_FILE);
        load_or_create(&path, Secret::load)
    }

    /// What is in the file `name` of this folder, which only its owner may read; none when there is no
    /// such file.
    ///
    /// # Errors
    /// [`KeyError::Length`] when it has more than `bytes_max` bytes, and as [`Secret::load`].
    pub fn read_private(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, KeyError> {
        let path = self.path.join(name);
        match file::read(&path, bytes_max) {
            Ok((_, got)) if got > bytes_max as u64 => Err(KeyError::Length { path, got }),
            Ok((text, _)) => Ok(Some(text.to_vec())),
            Err(KeyError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes `text` in the place of what the file `name` of this folder has, for its owner alone. It
    /// lasts when this returns; a crash leaves either.
    ///
    /// # Errors
    /// As [`Secret::save`]. The file is then what it was.
    pub fn write_private(&self, name: &str, text: &str) -> Result<(), KeyError> {
        file::replace(&self.path.join(name), text)
    }

    /// The key as it lies in its file. The node's and [`DEFAULT_AUTHOR`] are made on first use.
    ///
    /// # Errors
    /// [`KeyError::BadName`], `Missing`, and as [`Stored::load`] and [`Secret::save`]. A key that
    /// cannot be used is not replaced.
    pub fn stored(&self, key: &KeyName) -> Result<Stored, KeyError> {
        let path = self.file(key)?;
        match key {
            KeyName::Author(name) if name != DEFAULT_AUTHOR => return Stored::load(&path),
            KeyName::Author(_) => make_folder(&self.path.join(AUTHORS_FOLDER))?,
            KeyName::Node => {}
        }
        load_or_create(&path, Stored::load)
    }

    /// The secret of a key, opened with `passphrase` where it is under one. Takes a fifth of a second
    /// then.
    ///
    /// # Errors
    /// [`KeyError::Locked`] when it needs a passphrase and has none, `WrongPassphrase`, and as
    /// [`DataFolder::stored`].
    pub fn secret(
        &self,
        key: &KeyName,
        passphrase: Option<&Passphrase>,
    ) -> Result<Secret, KeyError> {
        let key = || key.clone();
        match (self.stored(&key())?, passphrase) {
            (Stored::Plain(secret), _) => Ok(secret),
            (Stored::Sealed(_), None) => Err(KeyError::Locked { key: key() }),
            (Stored::Sealed(sealed), Some(passphrase)) => sealed
                .open(passphrase)
                .ok_or_else(|| KeyError::WrongPassphrase { key: key() }),
        }
    }

    /// The node's key, made on first use.
    ///
    /// # Errors
    /// As [`DataFolder::secret`] without a passphrase.
    pub fn node_key(&self) -> Result<Secret, KeyError> {
        self.secret(&KeyName::Node, None)
    }

    /// The author key `name`. [`DEFAULT_AUTHOR`] is made on first use.
    ///
    /// # Errors
    /// As [`DataFolder::secret`] without a passphrase.
    pub fn author(&self, name: &str) -> Result<Secret, KeyError> {
        self.secret(&KeyName::Author(name.to_owned()), None)
    }

    /// Puts a key under `passphrase`. What was in the file may still be found on the disk until
    /// something else is written there.
    ///
    /// # Errors
    /// [`KeyError::Protected`], and as [`DataFolder::stored`].
    pub fn protect(&self, key: &KeyName, passphrase: &Passphrase) -> Result<(), KeyError> {
        let path = self.file(key)?;
        let Stored::Plain(secret) = Stored::load(&path)? else {
            return Err(KeyError::Protected { key: key.clone() });
        };
        Stored::new(secret, Some(passphrase))?.replace(&path)
    }

    /// Takes the passphrase off a key.
    ///
    /// # Errors
    /// [`KeyError::NotProtected`], `WrongPassphrase`, and as [`DataFolder::stored`].
    pub fn unprotect(&self, key: &KeyName, passphrase: &Passphrase) -> Result<(), KeyError> {
        let path = self.file(key)?;
        let Stored::Sealed(sealed) = Stored::load(&path)? else {
            return Err(KeyError::NotProtected { key: key.clone() });
        };
        let secret = sealed.open(passphrase);
        let secret = secret.ok_or_else(|| KeyError::WrongPassphrase { key: key.clone() })?;
        Stored::Plain(secret).replace(&path)
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
        self.keep_author(name, &Stored::Plain(secret.clone()))
    }

    /// Keeps `key` as author key `name`, under its passphrase where it has one.
    ///
    /// # Errors
    /// [`KeyError::Exists`], and as [`Secret::save`].
    pub fn keep_author(&self, name: &str, key: &Stored) -> Result<AuthorEntry, KeyError> {
        let path = self.author_file(name)?;
        make_folder(&self.path.join(AUTHORS_FOLDER))?;
        key.save(&path)?;
        Ok(AuthorEntry::of(name, key))
    }

    /// The author keys, by name. Files whose names are no key's are passed over.
    ///
    /// # Errors
    /// As [`Stored::load`], for the first key that cannot be used.
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
        let entry = |name: String| {
            let key = Stored::load(&self.author_file(&name)?)?;
            Ok(AuthorEntry::of(&name, &key))
        };
        names.into_iter().map(entry).collect()
    }

    fn file(&self, key: &KeyName) -> Result<PathBuf, KeyError> {
        match key {
            KeyName::Node => Ok(self.path.join(NODE_KEY_FILE)),
            KeyName::Author(name) => self.author_file(name),
        }
    }

    fn author_file(&self, name: &str) -> Result<PathBuf, KeyError> {
        check_name(name)?;
        Ok(self
            .path
            .join(AUTHORS_FOLDER)
            .join(format!("{name}{KEY_SUFFIX}")))
    }
}

/// Reads what is in `path`, or makes a secret there.
fn load_or_create<T: From<Secret>>(
    path: &Path,
    load: impl Fn(&Path) -> Result<T, KeyError>,
) -> Result<T, KeyError> {
    match load(path) {
        Err(KeyError::Missing { .. }) => {}
        result => return result,
    }
    let secret = Secret::random()?;
    match secret.save(path) {
        Ok(()) => Ok(secret.into()),
        // Another process was quicker: its key it is.
        Err(KeyError::Exists { .. }) => load(path),
        Err(error) => Err(error),
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
