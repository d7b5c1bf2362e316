//! What others may see of the room.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Membership, links};
use crate::id::{LinkId, NodeId};
use crate::limits;
use crate::link::Direction;
use crate::time::{Mono, Now, Wall};

/// A link as others may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkView {
    /// Its number.
    pub link: LinkId,
    /// Who is there.
    pub peer: NodeId,
    /// Who opened it.
    pub direction: Direction,
    /// From where or to where, when known.
    pub remote: Option<SocketAddr>,
    /// When the connection came up.
    pub since: Mono,
    /// Whether the handshake is done.
    pub established: bool,
    /// Whether it is in the mesh of both sides.
    pub mesh: bool,
    /// The last round trip.
    pub rtt: Option<Duration>,
    /// Whether liveness suspects the peer.
    pub suspect: bool,
}

/// What is known of a node's being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// Linked with us.
    Linked,
    /// Linked, and silent.
    Suspect,
    /// Met not long ago.
    Alive,
    /// Lost, or not found when last dialled.
    Dead,
    /// Heard of.
    Known,
}

/// A known node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: NodeId,
    /// Where, best first.
    pub addresses: Vec<SocketAddr>,
    /// Whether it is there.
    pub state: MemberState,
    /// When it was last known to be there; none when it never was, now for those linked.
    pub last_seen: Option<Wall>,
}

/// Figures for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Established links we opened.
    pub outbound: usize,
    /// Established links others opened.
    pub inbound: usize,
    /// Links whose handshake is not done.
    pub pending: usize,
    /// Links in the mesh.
    pub mesh: usize,
    /// Links under suspicion.
    pub suspect: usize,
    /// Nodes in the address book.
    pub known: usize,
    /// Of these, dialled with success.
    pub tried: usize,
}

/// Sizes of every table, for the guard of bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Links of any kind.
    pub links: usize,
    /// Nodes heard of.
    pub book_new: usize,
    /// Nodes dialled with success.
    pub book_tried: usize,
    /// Tests of incumbents waiting.
    pub contests: usize,
    /// Samplers that hold an id.
    pub samplers: usize,
    /// Dials without an answer.
    pub dials: usize,
    /// Join addresses.
    pub seeds: usize,
    /// Lost peers.
    pub lost: usize,
    /// Peers discouraged or dropped.
    pub shunned: usize,
    /// Records being verified.
    pub checking: usize,
    /// Minutes of beacons.
    pub beacons: usize,
    /// Deadlines.
    pub timers: usize,
}

impl Footprint {
    /// Whether no size exceeds that of `bounds`.
    pub fn within(&self, bounds: &Self) -> bool {
        let sizes = |of: &Self| {
            [
                of.links,
                of.book_new,
                of.book_tried,
                of.contests,
                of.samplers,
                of.dials,
                of.seeds,
                of.lost,
                of.shunned,
                of.checking,
                of.beacons,
                of.timers,
            ]
        };
        sizes(self)
            .iter()
            .zip(sizes(bounds))
            .all(|(size, bound)| *size <= bound)
    }
}

impl Membership {
    /// Every link.
    pub fn links(&self) -> impl Iterator<Item = LinkView> + '_ {
        self.links.iter().map(|(id, link)| LinkView {
            link: id,
            peer: link.peer,
            direction: link.direction,
            remote: link.remote,
            since: link.since,
            established: link.established.is_some(),
            mesh: link.in_mesh(),
            rtt: link.rtt,
            suspect: link.suspect,
        })
    }

    /// The link with `peer`.
    pub fn link_of(&self, peer: &NodeId) -> Option<LinkId> {
        self.links.of_peer(peer)
    }

    /// The address group of a link: whom liveness asks for a second opinion.
    pub fn group_of(&self, link: LinkId) -> Option<super::Group> {
        self.links.get(link).map(|link| link.group)
    }

    /// Every known node, in the order of ids. Costs a pass over the address book.
    pub fn members(&self, now: Now) -> Vec<Member> {
        let mut members: BTreeMap<NodeId, Member> = BTreeMap::new();
        for (id, entry) in self.book.iter() {
            let state = if entry.is_responsive(self.config.responsive, now) {
                MemberState::Alive
            } else if entry.failures > 0 {
                MemberState::Dead
            } else {
                MemberState::Known
            };
            let last_seen = Some(entry.last_seen).filter(|seen| *seen > Wall::default());
            let addresses = entry.addresses().collect();
            members.insert(
                *id,
                Member {
                    id: *id,
                    addresses,
                    state,
                    last_seen,
                },
            );
        }
        for (_, link) in self
            .links
            .iter()
            .filter(|(_, link)| link.established.is_some())
        {
            let id = link.peer;
            let member = members.entry(id).or_insert_with(|| Member {
                id,
                addresses: self.address_of(&id).addresses,
                state: MemberState::Linked,
                last_seen: None,
            });
            member.state = if link.suspect {
                MemberState::Suspect
            } else {
                MemberState::Linked
            };
            if !link.suspect {
                member.last_seen = Some(now.wall);
            }
        }
        for member in members.values_mut() {
            if !self.links.is_linked(&member.id) && self.dials.is_lost(&member.id) {
                member.state = MemberState::Dead;
            }
        }
        members.into_values().collect()
    }

    /// Figures for metrics.
    pub fn counts(&self) -> Counts {
        let established = |direction: Direction| {
            self.links
                .count(|link| link.direction == direction && link.established.is_some())
        };
        Counts {
            outbound: established(Direction::Out),
            inbound: established(Direction::In),
            pending: self.links.count(|link| link.established.is_none()),
            mesh: self.links.count(links::Link::in_mesh),
            suspect: self.links.count(|link| link.suspect),
            known: self.book.len(),
            tried: self.book.tried(),
        }
    }

    /// Nodes in our part of the network: from the lowest beacons of the last minutes, and at least
    /// those we see.
    pub fn network_size_estimate(&self) -> usize {
        let seen = self
            .links
            .count(|link| link.established.is_some())
            .saturating_add(1);
        self.beacons.size().unwrap_or(seen).max(seen)
    }

    /// The node's own record in force.
    pub fn own_record(&self) -> Option<&crate::record::Record> {
        self.own.record.as_ref()
    }

    /// The sizes of every table.
    pub fn footprint(&self) -> Footprint {
        let (dials, seeds, lost) = self.dials.sizes();
        Footprint {
            links: self.links.len(),
            book_new: self.book.len().saturating_sub(self.book.tried()),
            book_tried: self.book.tried(),
            contests: self.book.contests(),
            samplers: self.samplers.len(),
            dials,
            seeds,
            lost,
            shunned: self.shunned.len(),
            checking: self.checking.len(),
            beacons: self.beacons.len(),
            timers: self.timers.len(),
        }
    }

    /// The bounds of [`Self::footprint`] under this room's configuration.
    pub fn bounds(&self) -> Footprint {
        let links = links::links_max(&self.config);
        Footprint {
            links,
            book_new: limits::BOOK_NEW_MAX,
            book_tried: limits::BOOK_TRIED_MAX,
            contests: limits::CONTESTS_MAX,
            samplers: limits::SAMPLERS,
            dials: limits::DIALS_MAX.saturating_add(limits::VISITS_MAX),
            seeds: limits::SEEDS_MAX,
            lost: limits::LOST_MAX,
            shunned: limits::SHUNNED_MAX,
            checking: limits::CHECKING_MAX,
            beacons: 20,
            timers: links.saturating_add(10),
        }
    }
}
