//! The data folder: which secrets it holds, and under which names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bruit_core::id::AuthorId;

use super::error::KeyError;
use super::file::make_folder;
use super::secret::Secret;

/// Name of the node's key in the data folder.
pub(super) const NODE_KEY_FILE: &str = "node.key";
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
