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

/// For whoever looks at how far a bulletin has come, and stops by themselves: whether this node's disk has it
/// as well makes no difference to them.
pub(crate) const WATCHED: Wait = Wait::Spread(u32::MAX);

/// How far a bulletin has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) result: Outcome,
    pub(crate) neighbours: u32,
    pub(crate) spread: u32,
}

/// Who waits for which word.
#[derive(Debug)]
struct Waiter {
    wait: Wait,
    answer: oneshot::Sender<Result<Progress, PublishError>>,
    watch: watch::Sender<Progress>,
}

/// A bulletin on its way. Several may wait for one: a clock that is set back may make the same
/// bulletin twice.
#[derive(Debug)]
struct Pending {
    waiters: Vec<Waiter>,
    progress: Progress,
    is_out: bool,
    is_stored: bool,
}

/// The table, bounded.
#[derive(Debug)]
pub(crate) struct Publishing {
    /// Whether anything here ever gets to a disk.
    keeps: bool,
    pending: BTreeMap<BulletinId, Pending>,
}

impl Publishing {
    /// Publications under way at once; more are refused.
    const PENDING_MAX: usize = 4_096;

    pub(crate) const fn new(keeps: bool) -> Self {
        Self {
            keeps,
            pending: BTreeMap::new(),
        }
    }

    /// Takes a request; returns the bulletin to hand to the engine, or none when it is under way
    /// already or the table is full.
    pub(crate) fn begin(&mut self, request: Request) -> Option<Box<Bulletin>> {
        let Request {
            bulletin,
            wait,
            answer,
            progress,
        } = request;
        let waiter = Waiter {
            wait,
            answer,
            watch: progress,
        };
        if let Some(pending) = self.pending.get_mut(bulletin.id()) {
            pending.waiters.push(waiter);
            self.advance(bulletin.id(), |_| {});
            return None;
        }
        if self.pending.len() >= Self::PENDING_MAX {
            self.pending.retain(|_, pending| pending.is_awaited());
        }
        if self.pending.len() >= Self::PENDING_MAX {
            // Whoever asked may have gone.
            waiter.answer.send(Err(PublishError::QueueFull)).ok();
            return None;
        }
        let progress = Progress {
            result: Outcome::Queued,
            neighbours: 0,
            spread: 0,
        };
        let pending = Pending {
            waiters: vec![waiter],
            progress,
            is_out: false,
            is_stored: false,
        };
        self.pending.insert(*bulletin.id(), pending);
        Some(bulletin)
    }

    /// Takes the engine's word.
    pub(crate) fn published(&mut self, id: &BulletinId, result: Published) {
        match result {
            Published::Accepted { neighbours } => self.advance(id, |pending| {
                pending.is_out = true;
                pending.progress.neighbours = neighbours;
                pending.progress.result = pending.progress.result.max(Outcome::Accepted);
            }),
            Published::Queued | Published::Known => {
                self.advance(id, |pending| pending.is_out = true);
            }
            Published::Refused(Refusal::Busy) => self.refuse(id, || PublishError::QueueFull),
            Published::Refused(refusal) => self.refuse(id, || PublishError::Refused(refusal)),
        }
    }

    /// Notes that a bulletin is synced to this node's disk.
    pub(crate) fn stored(&mut self, id: &BulletinId) {
        self.advance(id, |pending| pending.is_stored = true);
    }

    /// Notes that a bulletin will not be on this node's disk.
    pub(crate) fn not_stored(&mut self, id: &BulletinId, error: &StoreError) {
        self.fail(id, || match error {
            StoreError::Full { .. } => PublishError::StoreFull { id: *id },
            error => PublishError::Store {
                id: *id,
                source: Arc::new(error.clone()),
            },
        });
    }

    /// Answers those who wait for more than that a bulletin is out.
    fn fail(&mut self, id: &BulletinId, error: impl Fn() -> PublishError) {
        let Some(pending) = self.pending.get_mut(id) else {
            return;
        };
        for waiter in pending.waiters.extract_if(.., |waiter| {
            !matches!(waiter.wait, Wait::Accepted | WATCHED)
        }) {
            // Whoever asked may have gone.
            waiter.answer.send(Err(error())).ok();
        }
        if pending.waiters.is_empty() {
            self.pending.remove(id);
        }
    }

    /// Notes that a bulletin has to go from this node's store, perhaps before it was there.
    pub(crate) fn evicted(&mut self, id: &BulletinId) {
        if self
            .pending
            .get(id)
            .is_some_and(|pending| !pending.is_stored)
        {
            self.fail(id, || PublishError::Outranked { id: *id });
        }
    }

    /// Notes that what waits for this node's disk waits for longer than anybody wants to.
    pub(crate) fn none_stored(&mut self, error: &StoreError) {
        let waiting = self
            .pending
            .iter()
            .filter(|(_, pending)| !pending.is_stored);
        let ids: Vec<_> = waiting.map(|(id, _)| *id).collect();
        for id in &ids {
            self.not_stored(id, error);
        }
    }

    /// Notes that another version stands in the place of one made here.
    pub(crate) fn superseded(&mut self, id: &BulletinId, by: BulletinId) {
        self.refuse(id, || PublishError::Superseded { id: *id, by });
    }

    /// Notes how many neighbours have synced a bulletin.
    pub(crate) fn spread(&mut self, id: &BulletinId, neighbours: u32) {
        self.advance(id, |pending| pending.progress.spread = neighbours);
    }

    fn refuse(&mut self, id: &BulletinId, error: impl Fn() -> PublishError) {
        for waiter in self
            .pending
            .remove(id)
            .into_iter()
            .flat_map(|pending| pending.waiters)
        {
            // Whoever asked may have gone.
            waiter.answer.send(Err(error())).ok();
        }
    }

    /// Notes a step, and answers those who waited for it.
    fn advance(&mut self, id: &BulletinId, step: impl FnOnce(&mut Pending)) {
        let Some(pending) = self.pending.get_mut(id) else {
            return;
        };
        step(pending);
        let keeps = self.keeps;
        let waiters = std::mem::take(&mut pending.waiters);
        let waiting = waiters
            .into_iter()
            .filter_map(|waiter| pending.answer(waiter, keeps))
            .collect();
        pending.waiters = waiting;
        if pending.waiters.is_empty() {
            self.pending.remove(id);
        }
    }
}

impl Pending {
    fn is_awaited(&self) -> bool {
        self.waiters.iter().any(|waiter| !waiter.answer.is_closed())
    }

    /// Tells `waiter` how far things are; gives it back unless that is what it waited for.
    fn answer(&self, waiter: Waiter, keeps: bool) -> Option<Waiter> {
        let mut progress = self.progress;
        if self.is_stored && waiter.wait != Wait::Accepted {
            progress.result = progress.result.max(Outcome::Stored);
        }
        let is_done = self.is_out
            && match waiter.wait {
                Wait::Accepted => true,
                Wait::Stored => self.is_stored,
                Wait::Spread(wanted) => (self.is_stored || !keeps) && progress.spread >= wanted,
            };
        if is_done && matches!(waiter.wait, Wait::Spread(_)) {
            progress.result = Outcome::Spread;
        }
        // Nobody may watch.
        waiter.watch.send(progress).ok();
        if !is_done {
            return Some(waiter);
        }
        // Whoever asked may have gone.
        waiter.answer.send(Ok(progress)).ok();
        None
    }
}

#[cfg(test)]
mod tests {
    use bruit_core::bulletin::Header;
    use bruit_core::id::{NetworkId, TopicId};
    use bruit_core::identity::SecretKey;
    use bruit_core::time::Wall;
    use bytes::Bytes;

    use super::*;

    type Answer = oneshot::Receiver<Result<Progress, PublishError>>;

    /// A bulletin that is out, and who waits for more: for the disk, for two neighbours, and somebody who watches.
    fn out() -> (Publishing, BulletinId, [Answer; 3]) {
        let mut publishing = Publishing::new(true);
        let key = SecretKey::from_seed(&[1; 32]);
        let (topic, body) = (TopicId::of("news"), Bytes::from_static(b"hello"));
        let header = Header::post(topic, key.author_id(), &body, Wall::from_millis(1));
        let network = NetworkId::from_bytes([1; 32]);
        let bulletin = Bulletin::sign(header, body, &network, &key);
        let answers = [Wait::Stored, Wait::Spread(2), WATCHED].map(|wait| {
            let (answer, answered) = oneshot::channel();
            let progress = watch::channel(Progress {
                result: Outcome::Queued,
                neighbours: 0,
                spread: 0,
            });
            publishing.begin(Request {
                bulletin: Box::new(bulletin.clone()),
                wait,
                answer,
                progress: progress.0,
            });
            answered
        });
        let id = *bulletin.id();
        publishing.published(&id, Published::Accepted { neighbours: 3 });
        (publishing, id, answers)
    }

    fn codes(answers: [Answer; 3]) -> [Option<&'static str>; 3] {
        answers.map(|mut answer| {
            let answer = answer.try_recv().ok()?;
            Some(answer.map_or_else(|error| error.code(), |_| "ok"))
        })
    }

    #[test]
    fn who_waits_for_the_disk_is_told_at_once_that_it_has_no_room() {
        let (mut publishing, id, answers) = out();
        let file = std::path::PathBuf::from("store.redb");
        publishing.not_stored(&id, &StoreError::Full { file });
        assert_eq!(
            codes(answers),
            [Some("store_full"), Some("store_full"), None]
        );
    }

    #[test]
    fn who_waits_for_the_disk_is_told_at_once_that_others_rank_higher() {
        let (mut publishing, id, answers) = out();
        publishing.evicted(&id);
        assert_eq!(
            codes(answers),
            [Some("store_full"), Some("store_full"), None]
        );
    }

    #[test]
    fn what_goes_after_it_was_stored_still_spreads() {
        let (mut publishing, id, answers) = out();
        publishing.stored(&id);
        publishing.evicted(&id);
        publishing.spread(&id, 2);
        assert_eq!(codes(answers), [Some("ok"), Some("ok"), None]);
    }
}
