//! Who judges bulletins before they are delivered or relayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bruit_core::event::Verdict;
use bruit_core::id::TopicId;
use tokio::sync::mpsc;

use crate::hub::{Asking, Hub};
use crate::received::Received;

/// The right to judge the bulletins of a topic before they are delivered or relayed. Dropped, it
/// gives that right back.
#[derive(Debug)]
pub struct Validator {
    pub(crate) hub: Hub,
    pub(crate) topic: TopicId,
    pub(crate) number: u64,
    pub(crate) questions: mpsc::Receiver<Question>,
}

impl Validator {
    /// Waits for the next bulletin to judge; none once the node has stopped.
    pub async fn next(&mut self) -> Option<Question> {
        self.questions.recv().await
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        self.hub.unvalidate(self.topic, self.number);
    }
}

/// A bulletin to be judged. Without an answer in time it is ignored.
#[derive(Debug)]
pub struct Question {
    /// The bulletin.
    pub received: Received,
    pub(crate) decided: Arc<AtomicBool>,
    pub(crate) asking: mpsc::UnboundedSender<Asking>,
}

impl Question {
    /// Says what is to become of the bulletin. The first of several validators decides.
    pub fn answer(self, verdict: Verdict) {
        if !self.decided.swap(true, Ordering::Relaxed) {
            // The driver is gone when the node has stopped.
            self.asking
                .send(Asking::Verdict(self.received.id, verdict))
                .ok();
        }
    }
}
