//! Surrounds its victims: links to them, tells everybody of its like alone, and neither relays nor announces
//! anything.

use std::time::Duration;

use bruit_core::engine::Actions;
use bruit_core::event::{Action, Event};
use bruit_core::id::LinkId;
use bruit_core::limits;
use bruit_core::record::Record;
use bruit_core::wire::{Frame, kind};

use super::withhold::is_relayed;
use super::{Scene, Swarm, Trick};
use crate::draw;

pub(super) struct Eclipse {
    swarm: Swarm,
}

const PACE: Duration = Duration::from_secs(1);

impl Eclipse {
    pub(super) const fn new(swarm: Swarm) -> Self {
        Self { swarm }
    }

    /// Tells of sixteen of the swarm by chance.
    fn recommend(&self, link: LinkId, scene: &mut Scene<'_>) {
        let all: Vec<usize> = (0..self.swarm.len()).collect();
        let chosen = draw::sample(scene.rng, all, limits::RECORDS_MAX).into_iter();
        let (now, network) = (scene.now.wall, *scene.network);
        let records: Vec<Record> = chosen
            .filter_map(|place| self.swarm.record(place, now, &network))
            .collect();
        scene.tell(link, &Frame::Peers { records });
    }
}

impl Trick for Eclipse {
    fn hear(&mut self, event: &Event, scene: &mut Scene<'_>) -> bool {
        match event {
            Event::Frame { link, frame } if frame.first() == Some(&kind::PEERS_REQ) => {
                self.recommend(*link, scene);
                false
            }
            _ => true,
        }
    }

    fn meddle(&mut self, actions: &mut Actions, _scene: &mut Scene<'_>) {
        actions.retain(|action| match action {
            Action::Send { frame, .. } => {
                !is_relayed(frame)
                    && ![Some(&kind::PEERS), Some(&kind::IHAVE)].contains(&frame.first())
            }
            _ => true,
        });
    }

    fn pace(&self) -> Option<Duration> {
        Some(PACE)
    }

    fn act(&mut self, scene: &mut Scene<'_>) {
        for victim in self.swarm.victims() {
            if !scene.links.values().any(|peer| *peer == victim.id) {
                scene.own.push(Action::Dial(victim));
            }
        }
    }
}
