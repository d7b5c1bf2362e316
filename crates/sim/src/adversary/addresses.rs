//! Fills address books: tells its victims of nodes that do not exist, sixteen for each question, and opens
//! its links to them again and again, since each new one is asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bruit_core::engine::Actions;
use bruit_core::event::{Action, Event};
use bruit_core::identity::SecretKey;
use bruit_core::limits;
use bruit_core::link::CloseReason;
use bruit_core::record::{Record, RecordBody};
use bruit_core::wire::{Frame, kind};
use rand_core::Rng as _;

use super::{Scene, Swarm, Trick};

pub(super) struct Addresses {
    swarm: Swarm,
}

const PACE: Duration = Duration::from_millis(500);
/// How long what it tells is valid.
const VALID: Duration = Duration::from_hours(12);

impl Addresses {
    pub(super) const fn new(swarm: Swarm) -> Self {
        Self { swarm }
    }
}

impl Trick for Addresses {
    fn hear(&mut self, event: &Event, scene: &mut Scene<'_>) -> bool {
        let Event::Frame { link, frame } = event else {
            return true;
        };
        if frame.first() != Some(&kind::PEERS_REQ) {
            return true;
        }
        let records = (0..limits::RECORDS_MAX).map(|_| made_up(scene)).collect();
        scene.tell(*link, &Frame::Peers { records });
        false
    }

    fn meddle(&mut self, actions: &mut Actions, _scene: &mut Scene<'_>) {
        // Nothing true.
        actions.retain(|action| match action {
            Action::Send { frame, .. } => frame.first() != Some(&kind::PEERS),
            _ => true,
        });
    }

    fn pace(&self) -> Option<Duration> {
        Some(PACE)
    }

    fn act(&mut self, scene: &mut Scene<'_>) {
        let me = scene.key.node_id();
        for victim in self.swarm.victims() {
            let links = scene.links.iter().filter(|(_, peer)| **peer == victim.id);
            for (link, _) in links {
                let (link, reason) = (*link, CloseReason::Quit);
                scene.own.push(Action::Close { link, reason });
            }
            if victim.id != me {
                scene.own.push(Action::Dial(victim));
            }
        }
    }
}

/// The signed record of a node that does not exist, somewhere.
fn made_up(scene: &mut Scene<'_>) -> Record {
    let mut seed = [0; 32];
    scene.rng.fill_bytes(&mut seed);
    let key = SecretKey::from_seed(&seed);
    let [a, b, c, d, ..] = seed;
    // 104.0.0.0 to 111.255.255.255: public addresses.
    let address = Ipv4Addr::new(104 + a % 8, b, c, d);
    let body = RecordBody {
        node: key.node_id(),
        seq: 1,
        expires: scene.now.wall.plus(VALID),
        addresses: vec![SocketAddr::from((address, 7_447))],
        relay: String::new(),
    };
    Record::sign(body, scene.network, &key)
}
