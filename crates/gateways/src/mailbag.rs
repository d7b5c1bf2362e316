//! Letters between this node and somebody in a foreign system, off the gateway's loop.
//!
//! Invariant: what foreign peers write takes a bounded place: a few a second are delivered, the rest is counted.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::budget::Budget;
use crate::counters::Counters;
use crate::inside::{ForeignLetter, Inside, InsideError, Posting};

/// Letters that are delivered each second, and at once.
const PER_SECOND: u32 = 10;
const AT_ONCE: u32 = 50;
/// Letters that wait to be delivered.
const WAITING_MAX: usize = 64;

/// The letters of one gateway. Dropped, it ends.
pub(crate) struct Mailbag {
    waiting: mpsc::Sender<ForeignLetter>,
    budget: Budget,
    postings: BoxStream<'static, Posting>,
    counters: Counters,
    task: JoinHandle<()>,
}

impl Mailbag {
    /// Takes the letters to `system`, and delivers those from there.
    ///
    /// # Errors
    /// When the bruit side has gone, or has too many gateways.
    pub(crate) async fn open(
        inside: Arc<dyn Inside>,
        system: &'static str,
        counters: Counters,
    ) -> Result<Self, InsideError> {
        let postings = inside.carry(system).await?;
        let (waiting, letters) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(deliver(inside, letters, counters.clone()));
        Ok(Self {
            waiting,
            budget: Budget::new(PER_SECOND, AT_ONCE),
            postings,
            counters,
            task,
        })
    }

    /// Has a letter delivered, when there is room for it.
    pub(crate) fn deliver(&mut self, letter: ForeignLetter) {
        let is_in_budget = self.budget.take(Instant::now());
        if !is_in_budget || self.waiting.try_send(letter).is_err() {
            self.counters.count("dropped_too_many_letters");
        }
    }

    /// The next letter to be taken there; none when the bruit side has ended. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Posting> {
        self.postings.next().await
    }
}

impl Drop for Mailbag {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn deliver(
    inside: Arc<dyn Inside>,
    mut letters: mpsc::Receiver<ForeignLetter>,
    counters: Counters,
) {
    while let Some(letter) = letters.recv().await {
        match inside.deliver(letter).await {
            Ok(()) => counters.count("letters_in"),
            Err(error) => {
                tracing::warn!(%error, "a letter from another system is not delivered");
                counters.count("dropped_letter_refused");
            }
        }
    }
}
