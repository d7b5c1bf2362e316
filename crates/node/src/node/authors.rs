//! Who signs: the author keys of a node, and their locks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bruit_core::id::AuthorId;
use bruit_core::identity::SecretKey;
use tracing::{info, warn};

use crate::draft::PublishError;
use crate::keys::{DEFAULT_AUTHOR, KeyError, KeyName, Passphrase};

use super::Node;

/// An author key of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorKey {
    /// The key's name here.
    pub name: String,
    /// Its public key.
    pub id: AuthorId,
    /// Whether its file is under a passphrase.
    pub protected: bool,
    /// Whether it is, and somebody unlocked it.
    pub unlocked: bool,
}

impl Node {
    /// The author keys of this node, by name.
    pub fn authors(&self) -> Vec<AuthorKey> {
        let kept = self.inner.data.as_ref();
        let (ring, now) = (&self.inner.keyring, Instant::now());
        match kept.and_then(|data| data.authors().ok()) {
            Some(kept) => kept
                .into_iter()
                .map(|author| AuthorKey {
                    unlocked: author.protected && ring.is_unlocked(&author.name, now),
                    name: author.name,
                    id: author.id,
                    protected: author.protected,
                })
                .collect(),
            None => ring
                .authors()
                .into_iter()
                .map(|(name, id)| AuthorKey {
                    protected: ring.is_unlocked(&name, now),
                    unlocked: ring.is_unlocked(&name, now),
                    name,
                    id,
                })
                .collect(),
        }
    }

    /// Opens the author key `name` with its passphrase and keeps it open for `time`, or until it is
    /// locked or the node ends. Guesses are tried one after the other, each a fifth of a second of a core.
    ///
    /// # Errors
    /// [`KeyError::WrongPassphrase`], `NotProtected`, `Missing`, `Ephemeral`, `TooManyOpen`, and as
    /// [`DataFolder::secret`](crate::keys::DataFolder::secret).
    ///
    /// # Examples
    /// ```
    /// # use bruit::keys::{DataFolder, KeyName, Passphrase};
    /// # use bruit::{Config, Draft, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let data = Some(folder.path().to_owned());
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let passphrase = Passphrase::new("correct horse battery staple")?;
    /// let keys = DataFolder::open(folder.path())?;
    /// keys.new_author("alice")?;
    /// keys.protect(&KeyName::Author("alice".into()), &passphrase)?;
    ///
    /// let node = Node::spawn(Config { data, listen, price: 0, ..Config::default() }).await?;
    /// let draft = Draft::new("news", "hello").author("alice");
    /// let locked = node.publish(draft.clone()).await.unwrap_err();
    /// assert_eq!(locked.code(), "key_locked");
    /// node.unlock("alice", passphrase, None).await?;
    /// node.publish(draft).await?;
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn unlock(
        &self,
        name: &str,
        passphrase: Passphrase,
        time: Option<Duration>,
    ) -> Result<AuthorId, KeyError> {
        let data = self.inner.data.clone().ok_or(KeyError::Ephemeral)?;
        let key = KeyName::Author(name.to_owned());
        // The runtime may end before the work begins.
        let ended = KeyError::Locked { key: key.clone() };
        let guess = self.inner.guesses.lock().await;
        let opened = tokio::task::spawn_blocking(move || {
            if !data.stored(&key)?.is_protected() {
                return Err(KeyError::NotProtected { key });
            }
            let secret = data.secret(&key, Some(&passphrase))?;
            Ok(SecretKey::from_seed(secret.expose()))
        });
        let opened = opened.await.unwrap_or(Err(ended));
        drop(guess);
        let key = opened.inspect_err(|error| warn!(name, %error, "a key stays locked"))?;
        let id = key.author_id();
        // A time that no clock can tell never ends.
        let until = time.and_then(|time| Instant::now().checked_add(time));
        self.inner.keyring.unlock(name, key, until)?;
        if let Some(until) = until {
            self.lock_at(until);
        }
        info!(name, %id, ?time, "a key is unlocked");
        Ok(id)
    }

    /// Forgets the author key `name` if it is open: the next signature reads its file again. Answers
    /// whether it was open.
    ///
    /// # Errors
    /// [`KeyError::Missing`], `Ephemeral`, and as
    /// [`DataFolder::stored`](crate::keys::DataFolder::stored).
    pub fn lock(&self, name: &str) -> Result<bool, KeyError> {
        let data = self.inner.data.as_ref().ok_or(KeyError::Ephemeral)?;
        data.stored(&KeyName::Author(name.to_owned()))?;
        let was_open = self.inner.keyring.lock(name);
        if was_open {
            info!(name, "a key is locked");
        }
        Ok(was_open)
    }

    /// Wipes what is over `until` then, though nobody asks for it any more.
    fn lock_at(&self, until: Instant) {
        let ring = Arc::downgrade(&self.inner.keyring);
        tokio::spawn(async move {
            tokio::time::sleep_until(until.into()).await;
            if let Some(ring) = ring.upgrade() {
                ring.lock_what_is_over(until);
            }
        });
    }

    /// The key that signs for `name`, or for nobody in particular.
    pub(super) fn author(&self, name: Option<&str>) -> Result<SecretKey, PublishError> {
        let name = name.unwrap_or(DEFAULT_AUTHOR);
        if let Some(key) = self.inner.keyring.get(name, Instant::now()) {
            return Ok(key);
        }
        // The key may have been made since the node started.
        let Some(data) = &self.inner.data else {
            return Err(PublishError::OneAuthor(name.to_owned()));
        };
        let key = data.author(name).map_err(|error| match error {
            KeyError::Missing { .. } => PublishError::UnknownAuthor(name.to_owned()),
            error => PublishError::Author(Arc::new(error)),
        })?;
        let key = SecretKey::from_seed(key.expose());
        self.inner.keyring.keep(name, key.clone());
        Ok(key)
    }
}
