//! The author keys a running node has open: those that lie in their files as they are, once they were
//! used, and those under a passphrase for as long as somebody unlocked them.
//!
//! Invariant: a key under a passphrase is here only between its unlocking and its locking or the end of
//! its time, and is wiped then whether or not anybody asks for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bruit_core::id::AuthorId;
use bruit_core::identity::SecretKey;

use crate::keys::KeyError;

/// Most keys that are open at a time.
const OPEN_MAX: usize = 1_024;

/// The open keys, by name.
#[derive(Debug, Default)]
pub(crate) struct Keyring(Mutex<BTreeMap<String, Opened>>);

#[derive(Debug)]
struct Opened {
    key: SecretKey,
    /// Whether somebody unlocked it.
    protected: bool,
    until: Option<Instant>,
}

impl Opened {
    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Keyring {
    /// Keeps a key that lies in its file as it is. Where there is no room it is read again the next time.
    pub(crate) fn keep(&self, name: &str, key: SecretKey) {
        let mut open = self.open();
        if open.len() < OPEN_MAX {
            let opened = Opened {
                key,
                protected: false,
                until: None,
            };
            open.insert(name.to_owned(), opened);
        }
    }

    /// Keeps a key that was under a passphrase, `until` then or until it is locked.
    pub(crate) fn unlock(
        &self,
        name: &str,
        key: SecretKey,
        until: Option<Instant>,
    ) -> Result<(), KeyError> {
        let mut open = self.open();
        if open.len() >= OPEN_MAX && !open.contains_key(name) {
            return Err(KeyError::TooManyOpen { max: OPEN_MAX });
        }
        let opened = Opened {
            key,
            protected: true,
            until,
        };
        open.insert(name.to_owned(), opened);
        Ok(())
    }

    /// The key `name`, where it is open at `now`.
    pub(crate) fn get(&self, name: &str, now: Instant) -> Option<SecretKey> {
        let open = self.open();
        let opened = open.get(name).filter(|opened| !opened.is_over(now))?;
        Some(opened.key.clone())
    }

    /// Forgets the key `name`; answers whether it was open.
    pub(crate) fn lock(&self, name: &str) -> bool {
        self.open().remove(name).is_some()
    }

    /// Forgets the keys whose time is over at `now`.
    pub(crate) fn lock_what_is_over(&self, now: Instant) {
        self.open().retain(|_, opened| !opened.is_over(now));
    }

    /// Whether somebody has unlocked the key `name`, and it is open at `now`.
    pub(crate) fn is_unlocked(&self, name: &str, now: Instant) -> bool {
        let open = self.open();
        open.get(name)
            .is_some_and(|opened| opened.protected && !opened.is_over(now))
    }

    /// The names of the open keys, and whose they are.
    pub(crate) fn authors(&self) -> Vec<(String, AuthorId)> {
        let open = self.open();
        open.iter()
            .map(|(name, opened)| (name.clone(), opened.key.author_id()))
            .collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Opened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed(&[seed; 32])
    }

    #[test]
    fn a_key_is_open_for_its_time_and_gone_after_it() {
        let (ring, start) = (Keyring::default(), Instant::now());
        let end = start + Duration::from_mins(1);
        ring.keep("plain", key(1));
        ring.unlock("hour", key(2), Some(end)).unwrap();
        ring.unlock("ever", key(3), None).unwrap();
        let before = end.checked_sub(Duration::from_millis(1)).unwrap();
        assert!(ring.get("hour", before).is_some());
        assert!(ring.is_unlocked("hour", before) && !ring.is_unlocked("plain", before));
        assert!(ring.get("hour", end).is_none());
        assert!(!ring.is_unlocked("hour", end));
        ring.lock_what_is_over(end);
        let names: Vec<_> = ring.authors().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["ever", "plain"]);
        assert!(ring.lock("ever") && !ring.lock("ever"));
        assert!(ring.get("ever", start).is_none());
    }

    #[test]
    fn a_full_ring_takes_no_more() {
        let (ring, now) = (Keyring::default(), Instant::now());
        for number in 0..OPEN_MAX {
            ring.unlock(&number.to_string(), key(1), None).unwrap();
        }
        ring.keep("plain", key(2));
        assert!(ring.get("plain", now).is_none());
        let refused = ring.unlock("another", key(2), None);
        assert!(matches!(
            refused,
            Err(KeyError::TooManyOpen { max: OPEN_MAX })
        ));
        ring.unlock("7", key(2), None).expect("it has its place");
        assert_eq!(ring.authors().len(), OPEN_MAX);
    }
}
