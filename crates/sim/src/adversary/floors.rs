//! Says that it is under the heaviest load, so that its neighbours' bulletins cost more.

use bruit_core::engine::Actions;
use bruit_core::wire::{Frame, kind};

use super::{Scene, Trick, change_sent};

pub(super) struct Floors;

impl Trick for Floors {
    fn meddle(&mut self, actions: &mut Actions, scene: &mut Scene<'_>) {
        change_sent(actions, kind::PING, scene.network, |_, frame| {
            if let Frame::Ping { floor_log2, .. } = frame {
                *floor_log2 = u8::MAX;
            }
        });
    }
}
