//! The token that opens the API: 32 random bytes in hexadecimal, in a file only its owner reads.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::text;

/// Name of the token's file in the data folder.
const TOKEN_FILE: &str = "token";
/// Characters of a token.
const TOKEN_CHARS: usize = 64;

/// A token. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("token {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Others than the owner may read the file.
    #[error("token {} can be read by others (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("token {} is damaged: it should be {TOKEN_CHARS} hexadecimal characters", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl TokenError {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::Io { path, .. } => {
                let folder = path.parent().unwrap_or(path).display();
                format!("make {folder} readable and writable for this user, or name it with --data")
            }
            Self::Exposed { path, .. } | Self::Damaged { path } => format!(
                "remove it (rm {}): the daemon makes a new one when it starts",
                path.display()
            ),
        }
    }
}

impl Token {
    /// The token of the data folder `folder`, made when there is none yet.
    ///
    /// # Errors
    /// When the file cannot be read or made, is open to others, or is damaged.
    pub fn load_or_create(folder: &Path) -> Result<Self, TokenError> {
        let path = folder.join(TOKEN_FILE);
        match Self::load(folder) {
            Err(TokenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let token = Self::random().map_err(|source| TokenError::Io {
                    path: path.clone(),
                    source,
                })?;
                token.write(&path).map_err(|source| TokenError::Io { path, source })?;
                Ok(token)
            }
            loaded => loaded,
        }
    }

    /// The token of the data folder `folder`.
    ///
    /// # Errors
    /// When the file cannot be read, is open to others, or is damaged.
    pub fn load(folder: &Path) -> Result<Self, TokenError> {
        let path = folder.join(TOKEN_FILE);
        let io = |source| TokenError::Io {
            path: path.clone(),
            source,
        };
        let text = fs::read_to_string(&path).map_err(io)?;
        let mode = permissions(&path).map_err(io)?;
        if mode & 0o077 != 0 {
            return Err(TokenError::Exposed { path, mode });
        }
        let text = text.trim_end();
        if text.len() != TOKEN_CHARS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenError::Damaged { path });
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether `offered` is this token, in a time that does not depend on where they differ.
    pub fn matches(&self, offered: &str) -> bool {
        let pairs = self.0.bytes().zip(offered.bytes());
        let different = pairs.fold(0, |different, (a, b)| different | (a ^ b));
        self.0.len() == offered.len() && std::hint::black_box(different) == 0
    }

    /// The value of the `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    fn random() -> io::Result<Self> {
        let mut bytes = [0; TOKEN_CHARS / 2];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(text::hex(&bytes)))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = private().write(true).create_new(true).open(path)?;
        writeln!(file, "{}", self.0)?;
        file.sync_all()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
fn permissions(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// Elsewhere the folder's access list decides.
#[cfg(not(unix))]
fn permissions(_path: &Path) -> io::Result<u32> {
    Ok(0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let made = Token::load_or_create(folder.path()).unwrap();
        assert_eq!(Token::load_or_create(folder.path()).unwrap(), made);
        assert!(made.matches(&made.0));
        assert!(!made.matches(&made.0[1..]));
        assert!(!made.matches(&made.0.replace(['0', '1'], "f").replace('e', "0")));
        assert!(!made.matches(""));
        assert!(!format!("{made:?}").contains(&made.0));
    }

    #[cfg(unix)]
    #[test]
    fn token_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        Token::load_or_create(folder.path()).unwrap();
        assert_eq!(permissions(&path).unwrap(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Token::load_or_create(folder.path()).unwrap_err();
        assert!(matches!(error, TokenError::Exposed { mode: 0o644, .. }), "{error}");
    }

    #[test]
    fn damaged_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        private().write(true).create_new(true).open(&path).unwrap();
        let error = Token::load(folder.path()).unwrap_err();
        assert!(matches!(error, TokenError::Damaged { .. }), "{error}");
    }
}
