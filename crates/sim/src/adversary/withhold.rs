//! Takes part in everything and passes nothing on: what it should relay is announced, as if others had been
//! pushed to, and never sent, asked for or not.

use bruit_core::engine::Actions;
use bruit_core::event::{Action, Event};
use bruit_core::id::NodeId;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::kind;
use bytes::Bytes;

use super::{Scene, Trick};
use crate::behaviour::Behaviour;

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

/// Takes out what relays.
fn withhold(actions: &mut Actions) {
    actions.retain(|action| match action {
        Action::Send { frame, .. } => !is_relayed(frame),
        _ => true,
    });
}

impl Trick for Withhold {
    fn meddle(&mut self, actions: &mut Actions, _scene: &mut Scene<'_>) {
        withhold(actions);
    }
}

/// A comparator that does the same: it announces what its protocol has it announce, and sends its own alone.
pub(crate) struct Withholding {
    node: Box<dyn Behaviour>,
    /// When it begins to.
    from: Mono,
}

impl Withholding {
    /// `node`, which withholds from a moment on.
    pub(crate) const fn new(node: Box<dyn Behaviour>, from: Mono) -> Self {
        Self { node, from }
    }
}

impl Behaviour for Withholding {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        let mut actions = self.node.handle(event, now);
        if now.mono >= self.from {
            withhold(&mut actions);
        }
        actions
    }

    fn next_wakeup(&self) -> Option<Mono> {
        self.node.next_wakeup()
    }

    fn neighbours(&self) -> Vec<NodeId> {
        self.node.neighbours()
    }

    fn address_book(&self) -> Bytes {
        self.node.address_book()
    }
}
