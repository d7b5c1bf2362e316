//! What the engine tells the application: words for the log, answers for those who wait.

use bruit_core::event::{Difference, Notice};
use bruit_core::link::CloseReason;
use tracing::{debug, info, warn};

use crate::driver::Driver;

impl Driver {
    pub(crate) fn on_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Published { id, result } => self.publishing.published(&id, result),
            Notice::Imported { id, result } => self.imported(&id, result),
            Notice::Spread { id, neighbours } => self.publishing.spread(&id, neighbours),
            Notice::Superseded { id, by } => self.publishing.superseded(&id, by),
            Notice::LookedUp { number, bulletin } => self.looked_up(number, bulletin),
            Notice::Linked { peer, .. } => {
                debug!(peer = %peer, "linked");
                self.hub.linked();
                self.on_linked(&peer);
            }
            Notice::Unlinked {
                peer,
                reason: CloseReason::Dead,
                ..
            } if self.is_telling => {
                info!(peer = %peer, "dead node: it does not answer");
            }
            Notice::Unlinked {
                peer,
                reason: CloseReason::Quit,
                ..
            } if self.is_telling => {
                info!(peer = %peer, "dead node: it said goodbye");
            }
            Notice::Unlinked { peer, reason, .. } => debug!(peer = %peer, %reason, "unlinked"),
            Notice::Missed { peer, misses } if self.is_telling => {
                info!(peer = %peer, misses, "liveness request not answered");
            }
            Notice::Missed { peer, misses } => debug!(peer = %peer, misses, "a ping was missed"),
            Notice::Suspected { peer } => info!(peer = %peer, "suspected: nobody hears of it"),
            Notice::Reported { seed, nodes } => {
                for peer in nodes {
                    info!(peer = %peer, seed = %seed, "reported a dead node to a seed");
                }
            }
            Notice::Dropped { peer } => {
                info!(peer = %peer, "dropped a registration: the node does not answer");
            }
            Notice::Stranger { peer, difference } => {
                let ours = self.engine.network();
                let (what, fix) = explain(difference, ours.name());
                warn!(peer = %peer, difference = what, fix, "a node of another network");
            }
            Notice::Misbehaved { peer, how } => {
                info!(peer = %peer, how, "cut off a peer that broke the protocol");
            }
            Notice::Application { peer, kind, body } => {
                let listeners = self
                    .listeners
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let listener = listeners.get(&kind).cloned();
                drop(listeners);
                if let Some(listener) = listener {
                    listener(peer, kind, body);
                }
            }
            Notice::Chunk { .. } => self.chunk_news.send_modify(|count| *count += 1),
            other => debug!(?other, "a notice"),
        }
    }
}

/// What differs between two networks, and what makes them one.
fn explain(difference: Difference, name: &str) -> (String, &'static str) {
    match difference {
        Difference::Version { ours, theirs } => (
            format!("protocol version: {ours} here, {theirs} there"),
            "run the same version of bruit on both",
        ),
        Difference::Name => (
            format!("network name: `{name}` here, another there"),
            "start both with the same --network",
        ),
        Difference::Price { ours, theirs } => (
            format!("price: {ours} here, {theirs} there"),
            "start both with the same --price",
        ),
        Difference::Private { ours: true } => (
            "secret: there is one here, none there".to_owned(),
            "start the other with the same --secret",
        ),
        Difference::Private { ours: false } => (
            "secret: there is none here, one there".to_owned(),
            "start this node with the other's --secret",
        ),
        Difference::Secret => (
            "secret: another here than there".to_owned(),
            "start both with the same --secret",
        ),
    }
}
