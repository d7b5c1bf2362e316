//! Tokens that were made beside the data folder's own: each for so much, and for so long.
//!
//! Invariant: a token's text is shown once, when it is made; kept is its hash, in `tokens.json` of the
//! data folder, which only its owner reads. There are never more than [`TOKENS_MAX`].

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use bruit::ContentId;
use bruit::keys::{DataFolder, KeyError, Secret};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::handlers::now_ms;
use crate::rate::Bucket;
use crate::types::{NewToken, Scope, TokenEntry};

/// Name of the file in the data folder.
const FILE: &str = "tokens.json";
/// Most bytes of that file.
const FILE_BYTES_MAX: usize = 64 << 10;
/// Most tokens.
pub(crate) const TOKENS_MAX: usize = 64;
/// Characters of a token's name: the beginning of its hash.
const ID_CHARS: usize = 16;

/// The tokens of a node.
#[derive(Debug, Default)]
pub struct Tokens {
    folder: Option<DataFolder>,
    made: Mutex<Vec<Made>>,
}

/// One token, without its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    hash: String,
    scope: Scope,
    created_ms: u64,
    expires_ms: Option<u64>,
}

#[derive(Debug)]
struct Made {
    kept: Kept,
    bucket: Arc<Bucket>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u8,
    tokens: Vec<Kept>,
}

/// Why the tokens cannot be read. The user's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyError),
    /// It is damaged, or of a later version.
    #[error("{path}: {source}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl TokensError {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::File(error) => error.fix(),
            Self::Damaged { path, .. } => {
                format!("move {path} away, and make the tokens again with `bruit token create`")
            }
        }
    }
}

impl Tokens {
    /// The tokens in the data folder `folder`.
    ///
    /// # Errors
    /// When the file cannot be read, is open to others, or is damaged.
    pub fn load(folder: &Path) -> Result<Self, TokensError> {
        let folder = DataFolder::open(folder)?;
        let kept = match folder.read_private(FILE, FILE_BYTES_MAX)? {
            None => Vec::new(),
            Some(text) => {
                let stored: Stored = serde_json::from_slice(&text).map_err(|source| {
                    let path = folder.path().join(FILE).display().to_string();
                    TokensError::Damaged { path, source }
                })?;
                stored.tokens
            }
        };
        let made = kept.into_iter().map(Made::new).collect();
        Ok(Self {
            folder: Some(folder),
            made: Mutex::new(made),
        })
    }

    /// What `offered` is for, and how much of it was used lately; none when it is no token of ours.
    pub(crate) fn find(&self, offered: &str) -> Option<(Scope, Arc<Bucket>)> {
        let hash = hash(&Secret::from_hex(offered).ok()?);
        let now_ms = now_ms();
        let made = self.made();
        let found = made
            .iter()
            .find(|made| made.kept.hash == hash && made.kept.is_valid(now_ms))?;
        Some((found.kept.scope, Arc::clone(&found.bucket)))
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When there are too many, or it cannot be kept.
    pub(crate) fn create(
        &self,
        scope: Scope,
        lasts: Option<Duration>,
    ) -> Result<NewToken, ApiError> {
        let token = Secret::random()?;
        let created_ms = now_ms();
        let lasts_ms = lasts.map(|lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        let kept = Kept {
            hash: hash(&token),
            scope,
            created_ms,
            expires_ms: lasts_ms.map(|lasts| created_ms.saturating_add(lasts)),
        };
        let new = NewToken {
            id: kept.id().to_owned(),
            token: token.to_hex().to_string(),
            scope,
            expires_ms: kept.expires_ms,
        };
        let mut made = self.made();
        let mut all: Vec<_> = made
            .iter()
            .map(|made| made.kept.clone())
            .filter(|kept| kept.is_valid(created_ms))
            .collect();
        if all.len() >= TOKENS_MAX {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "too_many_tokens",
                format!("there are {TOKENS_MAX} tokens already"),
                "end one that is not needed: `bruit token list`, `bruit token revoke ID`",
            ));
        }
        all.push(kept.clone());
        self.keep(all)?;
        made.retain(|made| made.kept.is_valid(created_ms));
        made.push(Made::new(kept));
        Ok(new)
    }

    /// The tokens that are valid, the oldest first.
    pub(crate) fn list(&self) -> Vec<TokenEntry> {
        let now_ms = now_ms();
        let made = self.made();
        let valid = made.iter().filter(|made| made.kept.is_valid(now_ms));
        valid.map(|made| made.kept.entry()).collect()
    }

    /// Ends the token `id`; none when there is no such token.
    ///
    /// # Errors
    /// When that cannot be kept: it is valid then as before.
    pub(crate) fn revoke(&self, id: &str) -> Result<Option<TokenEntry>, KeyError> {
        let mut made = self.made();
        let Some(at) = made.iter().position(|made| made.kept.id() == id) else {
            return Ok(None);
        };
        let mut all: Vec<_> = made.iter().map(|made| made.kept.clone()).collect();
        let ended = all.remove(at).entry();
        self.keep(all)?;
        made.remove(at);
        Ok(Some(ended))
    }

    fn keep(&self, tokens: Vec<Kept>) -> Result<(), KeyError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let stored = Stored { version: 1, tokens };
        let text = serde_json::to_string(&stored).expect("it has text keys");
        folder.write_private(FILE, &text)
    }

    fn made(&self) -> MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Made {
    fn new(kept: Kept) -> Self {
        Self {
            kept,
            bucket: Arc::default(),
        }
    }
}

impl Kept {
    fn id(&self) -> &str {
        self.hash.get(..ID_CHARS).unwrap_or(&self.hash)
    }

    fn is_valid(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|expires| now_ms < expires)
    }

    fn entry(&self) -> TokenEntry {
        TokenEntry {
            id: self.id().to_owned(),
            scope: self.scope,
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
        }
    }
}

/// What is kept of a token. It has 256 random bits: no hash of it can be guessed at.
fn hash(token: &Secret) -> String {
    ContentId::of(token.expose()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_what_it_was_made_for_also_after_a_restart_and_never_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::load(folder.path()).unwrap();
        let new = tokens.create(Scope::Publish, None).unwrap();
        assert_eq!(tokens.find(&new.token).unwrap().0, Scope::Publish);
        assert!(tokens.find("").is_none());
        assert!(tokens.find(&"0".repeat(64)).is_none());
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains(&new.token), "only its hash is kept");
        let again = Tokens::load(folder.path()).unwrap();
        assert_eq!(again.find(&new.token).unwrap().0, Scope::Publish);
        assert_eq!(again.revoke(&new.id).unwrap().unwrap().id, new.id);
        assert!(again.find(&new.token).is_none());
        assert!(again.revoke(&new.id).unwrap().is_none());
        assert!(Tokens::load(folder.path()).unwrap().list().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::load(folder.path()).unwrap();
        tokens.create(Scope::Read, None).unwrap();
        let path = folder.path().join(FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Tokens::load(folder.path()).is_err());
    }

    #[test]
    fn a_token_ends_with_its_time_and_makes_room_for_another() {
        let tokens = Tokens::default();
        for _ in 0..TOKENS_MAX {
            let short = tokens.create(Scope::Read, Some(Duration::ZERO)).unwrap();
            assert!(tokens.find(&short.token).is_none());
        }
        for _ in 0..TOKENS_MAX {
            tokens.create(Scope::Read, None).unwrap();
        }
        let error = tokens.create(Scope::Read, None).unwrap_err();
        assert_eq!(error.code, "too_many_tokens");
        assert_eq!(tokens.list().len(), TOKENS_MAX);
    }

    #[test]
    fn a_damaged_file_is_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        data.write_private(FILE, "{\"version\":1,\"tok").unwrap();
        assert!(matches!(
            Tokens::load(folder.path()),
            Err(TokensError::Damaged { .. })
        ));
    }
}
