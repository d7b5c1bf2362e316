//! Signature checks, each done once: a check is a pure function, whose answer is remembered by its bytes.

use std::collections::BTreeMap;

use bruit_core::event::Check;

/// The answers so far.
#[derive(Debug, Default)]
pub(crate) struct Checks(BTreeMap<[u8; 32], bool>);

impl Checks {
    /// Answers that are remembered. A bulletin is checked by everybody within a second or so.
    const MAX: usize = 1 << 18;

    pub(crate) fn holds(&mut self, check: &Check) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&check.key).update(check.signature.as_bytes());
        hasher.update(&check.message);
        if let Some((content, hash)) = &check.content {
            hasher.update(hash).update(content);
        }
        let bytes = *hasher.finalize().as_bytes();
        if let Some(good) = self.0.get(&bytes) {
            return *good;
        }
        if self.0.len() >= Self::MAX {
            self.0.clear();
        }
        let good = check.holds();
        self.0.insert(bytes, good);
        good
    }
}
