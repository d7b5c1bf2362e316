//! What the driver says and anybody reads, the latest alone.

use std::sync::{Arc, PoisonError, RwLock};

/// Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Posted<T>(Arc<RwLock<T>>);

impl<T: Clone> Posted<T> {
    pub(crate) fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }

    pub(crate) fn get(&self) -> T {
        let value = self.0.read().unwrap_or_else(PoisonError::into_inner);
        value.clone()
    }
}
