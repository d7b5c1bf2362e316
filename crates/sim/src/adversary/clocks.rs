//! Says that it is an hour later than it is.

use bruit_core::engine::Actions;
use bruit_core::wire::{Frame, kind};

use super::{Scene, Trick, change_sent};

pub(super) struct Clocks;

/// How much later, in milliseconds.
const AHEAD_MS: u64 = 3_600_000;

impl Trick for Clocks {
    fn meddle(&mut self, actions: &mut Actions, scene: &mut Scene<'_>) {
        for kind in [kind::HELLO, kind::PING, kind::PONG] {
            change_sent(actions, kind, scene.network, |_, frame| match frame {
                Frame::Hello { clock_ms, .. }
                | Frame::Ping { clock_ms, .. }
                | Frame::Pong { clock_ms, .. } => *clock_ms += AHEAD_MS,
                _ => {}
            });
        }
    }
}
