//! Speaks for a part of the network that does not exist: drops a link, opens it again, and tells beacons of
//! identities made for it, of the lowest rank among many.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::event::{Action, Event};
use bruit_core::id::NodeId;
use bruit_core::identity::SecretKey;
use bruit_core::link::{CloseReason, PeerAddress};
use bruit_core::record::Beacon;
use bruit_core::wire::Frame;
use rand_core::Rng as _;

use super::{Scene, Trick};

#[derive(Default)]
pub(super) struct Beacons {
    /// Everybody it ever met.
    met: BTreeMap<NodeId, PeerAddress>,
    beacon: Option<Beacon>,
}

/// Identities tried for each minute.
const TRIED: usize = 1_000;
const PACE: Duration = Duration::from_secs(5);

impl Trick for Beacons {
    fn hear(&mut self, event: &Event, _scene: &mut Scene<'_>) -> bool {
        if let Event::LinkUp {
            peer,
            remote: Some(remote),
            ..
        } = event
        {
            let address = PeerAddress {
                id: *peer,
                addresses: vec![*remote],
            };
            self.met.insert(*peer, address);
        }
        true
    }

    fn pace(&self) -> Option<Duration> {
        Some(PACE)
    }

    fn act(&mut self, scene: &mut Scene<'_>) {
        let minute = scene.now.wall.minute();
        if self.beacon.is_none_or(|beacon| beacon.minute != minute) {
            self.beacon = Some(lowest(minute, scene));
        }
        let beacons: Vec<Beacon> = self.beacon.into_iter().collect();
        for beacon in beacons {
            scene.tell_all(|_| Frame::Beacon(beacon));
        }
        // One link less, and one anew: beacons are compared on new ones.
        if let Some((link, peer)) = scene.links.iter().next() {
            let reason = CloseReason::Quit;
            scene.own.push(Action::Close {
                link: *link,
                reason,
            });
            if let Some(address) = self.met.get(peer) {
                scene.own.push(Action::Dial(address.clone()));
            }
        }
    }
}

/// The beacon of the lowest rank among those of many identities.
fn lowest(minute: u64, scene: &mut Scene<'_>) -> Beacon {
    let mut lowest: Option<(SecretKey, [u8; 32])> = None;
    for _ in 0..TRIED {
        let mut seed = [0; 32];
        scene.rng.fill_bytes(&mut seed);
        let key = SecretKey::from_seed(&seed);
        let rank = Beacon::rank_of(&key.node_id(), minute);
        if lowest.as_ref().is_none_or(|(_, best)| rank < *best) {
            lowest = Some((key, rank));
        }
    }
    let key = lowest.map_or_else(|| scene.key.clone(), |(key, _)| key);
    let node = key.node_id();
    let text = Beacon::signed_text(&node, minute, scene.network);
    Beacon {
        node,
        minute,
        signature: key.sign(&text),
    }
}
