//! Announces what does not exist, and answers nobody who asks for anything.

use std::time::Duration;

use bruit_core::engine::Actions;
use bruit_core::event::Action;
use bruit_core::id::ShortId;
use bruit_core::wire::{Frame, IhaveEntry, kind};
use rand_core::Rng as _;

use super::withhold::Withhold;
use super::{Scene, Trick};

pub(super) struct Lie;

/// Ids announced at a time.
const IDS: usize = 20;
const PACE: Duration = Duration::from_secs(1);

impl Trick for Lie {
    fn meddle(&mut self, actions: &mut Actions, scene: &mut Scene<'_>) {
        Withhold.meddle(actions, scene);
        actions.retain(|action| match action {
            Action::Send { frame, .. } => frame.first() != Some(&kind::NACK),
            _ => true,
        });
    }

    fn pace(&self) -> Option<Duration> {
        Some(PACE)
    }

    fn act(&mut self, scene: &mut Scene<'_>) {
        let mut entries = Vec::new();
        for _ in 0..IDS {
            let mut id = [0; 16];
            scene.rng.fill_bytes(&mut id);
            entries.push(IhaveEntry {
                id: ShortId::from_bytes(id),
                root_tag: scene.rng.next_u64(),
            });
        }
        // The same to all: each of them has several announcers.
        scene.tell_all(|_| Frame::Ihave {
            entries: entries.clone(),
        });
    }
}
