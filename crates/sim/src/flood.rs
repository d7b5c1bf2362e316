//! Flooding, to compare with: whoever hears something new sends it to all others. Nothing is quicker on
//! the same links, and nothing costs more.

use std::collections::{BTreeMap, BTreeSet};

use bruit_core::bulletin::Bulletin;
use bruit_core::engine::Actions;
use bruit_core::event::{Command, Event};
use bruit_core::id::{BulletinId, LinkId, NodeId};
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::{Frame, encode_pub};
use bytes::Bytes;

use crate::behaviour::{Behaviour, deliver, push};

/// A node that floods.
#[derive(Debug)]
pub struct Flood {
    network: Network,
    links: BTreeMap<LinkId, NodeId>,
    seen: BTreeSet<BulletinId>,
}

impl Flood {
    /// A node of `network` without links.
    pub const fn new(network: Network) -> Self {
        Self {
            network,
            links: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    fn spread(&mut self, bulletin: Bulletin, from: Option<LinkId>, hops: u8) -> Actions {
        if !self.seen.insert(*bulletin.id()) {
            return Actions::new();
        }
        let frame = encode_pub(0, hops, &bulletin);
        let others = self.links.keys().filter(|link| Some(**link) != from);
        let mut actions: Actions = others.map(|link| push(*link, frame.clone())).collect();
        let from = from.and_then(|link| self.links.get(&link).copied());
        actions.push(deliver(bulletin, from, hops));
        actions
    }
}

impl Behaviour for Flood {
    fn handle(&mut self, event: Event, _: Now) -> Actions {
        match event {
            Event::LinkUp { link, peer, .. } => {
                self.links.insert(link, peer);
                Actions::new()
            }
            Event::LinkDown { link, .. } => {
                self.links.remove(&link);
                Actions::new()
            }
            Event::Command(Command::Publish(bulletin)) => self.spread(*bulletin, None, 0),
            Event::Frame { link, frame } => match Frame::decode(&frame, self.network.id()) {
                Ok(Frame::Pub { hops, bulletin, .. }) => {
                    self.spread(*bulletin, Some(link), hops.saturating_add(1))
                }
                _ => Actions::new(),
            },
            _ => Actions::new(),
        }
    }

    fn next_wakeup(&self) -> Option<Mono> {
        None
    }

    fn neighbours(&self) -> Vec<NodeId> {
        self.links.values().copied().collect()
    }

    fn address_book(&self) -> Bytes {
        Bytes::new()
    }
}
