//! What one subscriber reads: what is held first, then what its queue has.

use std::future::poll_fn;
use std::sync::Arc;

use tracing::warn;

use crate::hub::{Hub, Incoming};
use crate::mailbox::{Mailbox, Taken};
use crate::received::Received;
use crate::replay::Replay;

/// A stream of bulletins. Ends when the node stops, or cannot read what it holds; dropped, it frees
/// its queue.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) hub: Hub,
    pub(crate) number: u64,
    pub(crate) mailbox: Arc<Mailbox<Box<Received>>>,
    /// To be told before anything else.
    pub(crate) has_gap: bool,
    /// The store failed while it was read: going on would leave out what it holds.
    pub(crate) is_broken: bool,
    pub(crate) replay: Option<Replay>,
}

impl Subscription {
    /// Waits for the next bulletin or gap; none at the end. When that came because the store failed
    /// (the log says so), a new subscription goes on after the last cursor.
    ///
    /// Cancel safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Option<Incoming> {
        if std::mem::take(&mut self.has_gap) {
            return Some(Incoming::Gap { missed: 0 });
        }
        while let Some(replay) = &mut self.replay {
            match replay.next().await {
                Ok(Some(row)) => {
                    if let Some(received) = self.hub.restore(&row) {
                        return Some(Incoming::Bulletin(Box::new(received)));
                    }
                }
                Ok(None) => self.replay = None,
                Err(error) => {
                    warn!(%error, "a subscription ends: what is held cannot be read");
                    self.is_broken = true;
                    self.replay = None;
                }
            }
        }
        if self.is_broken {
            return None;
        }
        let taken = poll_fn(|cx| self.mailbox.poll_take(cx)).await?;
        Some(match taken {
            Taken::Item(received) => Incoming::Bulletin(received),
            Taken::Missed(missed) => Incoming::Gap { missed },
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(self.number);
    }
}
