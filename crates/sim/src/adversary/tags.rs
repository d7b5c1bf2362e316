//! Hijacks and floods trees: what it relays goes along the tree of another bulletin or along one that does
//! not exist, and its neighbours are asked to push along trees that do not.

use std::time::Duration;

use bruit_core::engine::Actions;
use bruit_core::limits;
use bruit_core::wire::{Frame, kind};
use rand_core::Rng as _;

use super::{Scene, Trick, change_sent};

#[derive(Default)]
pub(super) struct Tags {
    /// The tree of the bulletin before.
    last: u64,
    count: u64,
}

const PACE: Duration = Duration::from_millis(500);

impl Trick for Tags {
    fn meddle(&mut self, actions: &mut Actions, scene: &mut Scene<'_>) {
        let (network, rng) = (scene.network, &mut *scene.rng);
        change_sent(actions, kind::PUB, network, |_, frame| {
            if let Frame::Pub { root_tag, hops, .. } = frame {
                let other = if self.count.is_multiple_of(2) {
                    self.last
                } else {
                    rng.next_u64()
                };
                self.count += 1;
                self.last = std::mem::replace(root_tag, other);
                // Near the root, as if it were the best parent there is.
                *hops = (*hops).min(1);
            }
        });
    }

    fn pace(&self) -> Option<Duration> {
        Some(PACE)
    }

    fn act(&mut self, scene: &mut Scene<'_>) {
        scene.tell_all(|rng| Frame::Graft {
            roots: (0..limits::GRAFT_ROOTS_MAX)
                .map(|_| rng.next_u64())
                .collect(),
            ids: Vec::new(),
        });
    }
}
