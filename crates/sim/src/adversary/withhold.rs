//! Takes part in everything and passes nothing on: what it should relay is announced, as if others had been
//! pushed to, and never sent, asked for or not.

use bruit_core::engine::Actions;
use bruit_core::event::Action;
use bruit_core::wire::kind;
use bytes::Bytes;

use super::{Scene, Trick};

pub(super) struct Withhold;

/// Where a PUB frame says how many hops it has come.
const HOPS_AT: usize = 9;

/// Whether a frame is somebody else's bulletin, or a chunk of a large content.
pub(super) fn is_relayed(frame: &Bytes) -> bool {
    if frame.first() == Some(&kind::CHUNK) {
        return true;
    }
    frame.first() == Some(&kind::PUB) && frame.get(HOPS_AT).is_some_and(|hops| *hops > 0)
}

impl Trick for Withhold {
    fn meddle(&mut self, actions: &mut Actions, _scene: &mut Scene<'_>) {
        actions.retain(|action| match action {
            Action::Send { frame, .. } => !is_relayed(frame),
            _ => true,
        });
    }
}
