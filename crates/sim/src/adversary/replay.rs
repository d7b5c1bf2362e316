//! Sends again, to everybody and for good, the first bulletins it saw, wrapped anew: another tree, other hops,
//! another stamp.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::bulletin::Bulletin;
use bruit_core::event::{Action, Event};
use bruit_core::id::BulletinId;
use bruit_core::wire::{Frame, kind};
use rand_core::Rng as _;

use super::{Scene, Trick};
use crate::behaviour::push;

#[derive(Default)]
pub(super) struct Replay {
    kept: BTreeMap<BulletinId, Bulletin>,
}

/// Bulletins it keeps.
const KEPT: usize = 32;
const PACE: Duration = Duration::from_secs(3);

impl Trick for Replay {
    fn hear(&mut self, event: &Event, scene: &mut Scene<'_>) -> bool {
        if let Event::Frame { frame, .. } = event
            && self.kept.len() < KEPT
            && frame.first() == Some(&kind::PUB)
            && let Ok(Frame::Pub { bulletin, .. }) = Frame::decode(frame, scene.network)
        {
            self.kept.insert(*bulletin.id(), *bulletin);
        }
        true
    }

    fn pace(&self) -> Option<Duration> {
        Some(PACE)
    }

    fn act(&mut self, scene: &mut Scene<'_>) {
        for bulletin in self.kept.values() {
            let mut bulletin = bulletin.clone();
            bulletin.stamp.nonce = scene.rng.next_u64();
            let frame = Frame::Pub {
                root_tag: scene.rng.next_u64(),
                hops: 1,
                bulletin: Box::new(bulletin),
            };
            let frame = frame.encode();
            let sent = scene.links.keys().map(|link| push(*link, frame.clone()));
            let sent: Vec<Action> = sent.collect();
            scene.own.extend(sent);
        }
    }
}
