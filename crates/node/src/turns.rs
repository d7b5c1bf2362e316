//! Work of which every piece gets its turn: workers take the first piece, put it last, and do one
//! step of it.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use crate::sync::{Condvar, Mutex};

/// The pieces, in the order of their turns.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    pieces: Mutex<VecDeque<Arc<T>>>,
    bell: Condvar,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            pieces: Mutex::new(VecDeque::new()),
            bell: Condvar::new(),
        }
    }
}

impl<T> Turns<T> {
    /// Adds a piece and wakes the workers.
    pub(crate) fn add(&self, piece: T) {
        self.pieces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(Arc::new(piece));
        self.bell.notify_all();
    }

    /// The piece whose turn it is; waits while there is none. Those that are no longer wanted are
    /// dropped.
    pub(crate) fn next(&self, is_wanted: impl Fn(&T) -> bool) -> Arc<T> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(piece) = pieces.pop_front() {
                if is_wanted(&piece) {
                    pieces.push_back(Arc::clone(&piece));
                    return piece;
                }
            }
            pieces = self
                .bell
                .wait(pieces)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
