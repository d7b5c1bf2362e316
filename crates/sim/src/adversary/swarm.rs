//! What adversaries of one kind know of each other and of their victims.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bruit_core::id::{AuthorId, NetworkId};
use bruit_core::identity::SecretKey;
use bruit_core::link::PeerAddress;
use bruit_core::record::{Record, RecordBody};
use bruit_core::time::Wall;

use crate::world::Birth;

/// How long what they say of themselves is valid.
const VALID: Duration = Duration::from_hours(12);

/// Shared by all of them.
#[derive(Debug, Clone, Default)]
pub struct Swarm(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Keys and addresses, by number.
    members: BTreeMap<usize, (SecretKey, PeerAddress)>,
    victims: BTreeMap<usize, (AuthorId, PeerAddress)>,
}

impl Swarm {
    fn with<T>(&self, read: impl FnOnce(&mut Known) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in the node of `birth`.
    pub fn join(&self, birth: &Birth<'_>) {
        let member = (birth.key.clone(), peer(birth));
        self.with(|known| known.members.insert(birth.number, member));
    }

    /// Has the node of `birth` be a victim.
    pub fn aim(&self, birth: &Birth<'_>) {
        let victim = (birth.key.author_id(), peer(birth));
        self.with(|known| known.victims.insert(birth.number, victim));
    }

    /// Where its victims are dialled.
    pub(super) fn victims(&self) -> Vec<PeerAddress> {
        self.with(|known| {
            let victims = known.victims.values();
            victims.map(|(_, peer)| peer.clone()).collect()
        })
    }

    pub(super) fn is_author(&self, author: &AuthorId) -> bool {
        self.with(|known| known.victims.values().any(|(known, _)| known == author))
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.with(|known| known.members.len())
    }

    /// What the member at `place`, in the order of their numbers, says of itself.
    pub(super) fn record(&self, place: usize, now: Wall, network: &NetworkId) -> Option<Record> {
        self.with(|known| {
            let (key, peer) = known.members.values().nth(place)?;
            // Newer each minute.
            let seq = u64::MAX / 2 + now.minute();
            let body = RecordBody {
                node: peer.id,
                seq,
                expires: Wall::from_millis(now.minute() * 60_000).plus(VALID),
                addresses: peer.addresses.clone(),
                relay: String::new(),
            };
            Some(Record::sign(body, network, key))
        })
    }
}

fn peer(birth: &Birth<'_>) -> PeerAddress {
    PeerAddress {
        id: birth.key.node_id(),
        addresses: vec![birth.address],
    }
}
