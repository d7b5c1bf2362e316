//! What is different at a node that compares chosen topics only.
//!
//! What neighbours announce outside trees they fetched or found missing here: catching up, of whatever
//! topic, which an announcement does not tell. Such a node leaves it be; its own comparisons bring what is
//! of its topics. As nobody compares other topics with it, it announces by itself what it published on
//! them while nobody was there.
//!
//! Invariant: at a node that compares all topics nothing is kept here and nothing is left out.

use std::collections::VecDeque;

use super::Engine;
use crate::id::{LinkId, ShortId};
use crate::inventory::Seen;
use crate::limits;
use crate::time::Now;
use crate::wire::IhaveEntry;

/// The latest bulletins that were published here, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Own(VecDeque<ShortId>);

impl Engine {
    /// Whether what an announcement tells of is not to be asked for.
    pub(super) fn is_left_out(&self, entry: &IhaveEntry) -> bool {
        entry.root_tag == 0 && self.reconcile.is_choosy()
    }

    /// Notes that a bulletin was published here.
    pub(super) fn note_own(&mut self, id: ShortId) {
        if !self.reconcile.is_choosy() {
            return;
        }
        if self.own.0.len() >= limits::SYNC_OWN_MAX {
            self.own.0.pop_front();
        }
        self.own.0.push_back(id);
    }

    /// Announces to a new neighbour what was published here and is still held.
    pub(super) fn offer_own(&mut self, link: LinkId, now: Now) {
        let is_held = |id: &ShortId| self.inventory.knows(id).is_some_and(Seen::is_held);
        let own: Vec<ShortId> = self.own.0.iter().copied().filter(is_held).collect();
        self.broadcast.offer(link, &own, now.mono);
    }
}
