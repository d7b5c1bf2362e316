//! Relays everything but what its victims publish. Its engine never hears of that, so it is neither pushed,
//! announced nor found by a comparison; whoever pushes it there believes it passed on.

use bruit_core::event::Event;
use bruit_core::wire::{Frame, kind};

use super::{Scene, Swarm, Trick};

pub(super) struct Censor {
    swarm: Swarm,
}

impl Censor {
    pub(super) const fn new(swarm: Swarm) -> Self {
        Self { swarm }
    }
}

impl Trick for Censor {
    fn hear(&mut self, event: &Event, scene: &mut Scene<'_>) -> bool {
        let Event::Frame { frame, .. } = event else {
            return true;
        };
        if frame.first() != Some(&kind::PUB) {
            return true;
        }
        match Frame::decode(frame, scene.network) {
            Ok(Frame::Pub { bulletin, .. }) => !self.swarm.is_author(&bulletin.header.author),
            _ => true,
        }
    }
}
