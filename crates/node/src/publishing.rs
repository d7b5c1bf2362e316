//! Publications under way: who waits for which word about which bulletin.

use std::collections::BTreeMap;
use std::sync::Arc;

use bruit_core::bulletin::Bulletin;
use bruit_core::event::{Published, Refusal};
use bruit_core::id::BulletinId;
use tokio::sync::{oneshot, watch};

use crate::draft::{Outcome, PublishError, Wait};
use crate::store::StoreError;

/// A signed and stamped bulletin, and who waits.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) bulletin: Box<Bulletin>,
    pub(crate) wait: Wait,
    pub(crate) answer: oneshot::Sender<Result<Progress, PublishError>>,
    /// Told of every step: what was reached when the waiting ends early.
    pub(crate) progress: watch::Sender<Progress>,
}

/// How far a bulletin has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) result: Outcome,
    pub(crate) neighbours: u32,
    pub(crate) spread: u32,
}

#[derive(Debug)]
struct Pending {
    wait: Wait,
    answer: oneshot::Sender<Result<Progress, PublishError>>,
    watch: watch::Sender<Progress>,
    progress: Progress,
    is_out: bool,
    is_stored: bool,
}

/// The table, bounded.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    pending: BTreeMap<BulletinId, Pending>,
}

impl Publishing {
    /// Publications under way at once; more are refused.
    const PENDING_MAX: usize = 4_096;

    /// Takes a request; returns the bulletin to hand to the engine, or answers at once.
    pub(crate) fn begin(&mut self, request: Request) -> Option<Box<Bulletin>> {
        if self.pending.len() >= Self::PENDING_MAX {
            self.pending
                .retain(|_, pending| !pending.answer.is_closed());
        }
        if self.pending.len() >= Self::PENDING_MAX {
            // Whoever asked may have gone.
            request.answer.send(Err(PublishError::QueueFull)).ok();
            return None;
        }
        let progress = Progress {
            result: Outcome::Queued,
            neighbours: 0,
            spread: 0,
        };
        let pending = Pending {
            wait: request.wait,
            answer: request.answer,
            watch: request.progress,
            progress,
            is_out: false,
            is_stored: false,
        };
        self.pending.insert(*request.bulletin.id(), pending);
        Some(request.bulletin)
    }

    /// Takes the engine's word.
    pub(crate) fn published(&mut self, id: &BulletinId, result: Published) {
        let error = match result {
            Published::Accepted { neighbours } => {
                self.advance(id, |pending| {
                    pending.is_out = true;
                    pending.progress.neighbours = neighbours;
                    pending.progress.result = pending.progress.result.max(Outcome::Accepted);
                });
                return;
            }
            Published::Queued | Published::Known => {
                self.advance(id, |pending| pending.is_out = true);
                return;
            }
            Published::Refused(Refusal::Busy) => PublishError::QueueFull,
            Published::Refused(refusal) => PublishError::Refused(refusal),
        };
        self.fail(id, error);
    }

    /// Notes that a bulletin is synced to this node's disk.
    pub(crate) fn stored(&mut self, id: &BulletinId) {
        self.advance(id, |pending| pending.is_stored = true);
    }

    /// Notes that a bulletin will not be on this node's disk.
    pub(crate) fn not_stored(&mut self, id: &BulletinId, error: &StoreError) {
        let waits = self
            .pending
            .get(id)
            .is_some_and(|pending| pending.wait != Wait::Accepted);
        if waits {
            let error = match error {
                StoreError::Full { .. } => PublishError::StoreFull { id: *id },
                error => PublishError::Store {
                    id: *id,
                    source: Arc::new(error.clone()),
                },
            };
            self.fail(id, error);
        }
    }

    /// Notes how many neighbours have synced a bulletin.
    pub(crate) fn spread(&mut self, id: &BulletinId, neighbours: u32) {
        self.advance(id, |pending| pending.progress.spread = neighbours);
    }

    fn fail(&mut self, id: &BulletinId, error: PublishError) {
        if let Some(pending) = self.pending.remove(id) {
            // Whoever asked may have gone.
            pending.answer.send(Err(error)).ok();
        }
    }

    /// Notes a step, and answers when it was the one waited for.
    fn advance(&mut self, id: &BulletinId, step: impl FnOnce(&mut Pending)) {
        let Some(pending) = self.pending.get_mut(id) else {
            return;
        };
        step(pending);
        if pending.is_stored && pending.wait != Wait::Accepted {
            pending.progress.result = pending.progress.result.max(Outcome::Stored);
        }
        let is_done = pending.is_out
            && match pending.wait {
                Wait::Accepted => true,
                Wait::Stored => pending.is_stored,
                Wait::Spread(wanted) => pending.is_stored && pending.progress.spread >= wanted,
            };
        if is_done && matches!(pending.wait, Wait::Spread(_)) {
            pending.progress.result = Outcome::Spread;
        }
        // Nobody may watch.
        pending.watch.send(pending.progress).ok();
        if is_done && let Some(pending) = self.pending.remove(id) {
            // Whoever asked may have gone.
            pending.answer.send(Ok(pending.progress)).ok();
        }
    }
}
