//! The table of links: who may have a slot, who must give one up, who is in the mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::config::Config;
use super::group::{Group, Subnet, group_of, subnet_of};
use crate::id::{LinkId, NodeId};
use crate::limits;
use crate::link::Direction;
use crate::link_map::LinkMap;
use crate::time::{Mono, Now};

/// Inbound links of each of the first three kinds that eviction spares.
const SPARED: usize = 4;
/// Distinct groups of which eviction spares one link each.
const SPARED_GROUPS: usize = 8;
/// A younger link is never evicted.
const SPARED_AGE: Duration = Duration::from_mins(1);

/// A link kept only for an answer may go this long after it.
const TOLD_AGE: Duration = Duration::from_millis(100);

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A neighbour.
    Regular,
    /// A neighbour beyond the usual number, as it leads to the other side of a split.
    Bridge {
        /// From then on it counts as regular.
        until: Mono,
    },
    /// May replace a neighbour once its round trip is known.
    Trial,
    /// Only tries the address.
    Feeler,
    /// Beyond our inbound slots: is told addresses and closed.
    Courtesy,
}

/// Beacons passed over a link in one minute.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) received: u8,
    pub(super) sent: u8,
    /// Whose beacon the peer is known to hold.
    pub(super) holds: Option<NodeId>,
}

/// One link. All that is remembered of a peer's conduct here dies with it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, none excludes another"
)]
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) peer: NodeId,
    pub(super) direction: Direction,
    pub(super) remote: Option<SocketAddr>,
    pub(super) group: Group,
    subnet: Option<Subnet>,
    pub(super) role: Role,
    pub(super) since: Mono,
    pub(super) established: Option<Mono>,
    /// Established by a rejoin: reconcile at once.
    pub(super) rejoined: bool,
    /// Opened to speak with a seed, which tells of others in its own way: it is not asked.
    pub(super) is_visit: bool,
    pub(super) mesh_ours: bool,
    pub(super) mesh_theirs: bool,
    pub(super) rtt: Option<Duration>,
    pub(super) suspect: bool,
    firsts: u64,
    /// When we last asked for addresses, and how many records of the answer are still to come.
    pub(super) asked: Option<Mono>,
    pub(super) expected: usize,
    /// When we last answered, and how many records of the answer we may still send.
    pub(super) answered: Option<Mono>,
    pub(super) owed: usize,
    /// Records it may still have verified, in thousandths, as of a moment.
    pub(super) allowance: (u64, Mono),
    pub(super) beacons: BTreeMap<u64, Tally>,
    /// Whether a beacon of another part of the network was noticed on it.
    pub(super) differs: bool,
    /// Where the peer sees us.
    pub(super) observed: Option<SocketAddr>,
}

impl Link {
    pub(super) fn new(
        peer: NodeId,
        direction: Direction,
        remote: Option<SocketAddr>,
        role: Role,
        private_exempt: bool,
        now: Now,
    ) -> Self {
        Self {
            peer,
            direction,
            remote,
            group: group_of(remote, &peer, private_exempt),
            subnet: subnet_of(remote, private_exempt),
            role,
            since: now.mono,
            established: None,
            rejoined: false,
            is_visit: false,
            mesh_ours: false,
            mesh_theirs: false,
            rtt: None,
            suspect: false,
            firsts: 0,
            asked: None,
            expected: 0,
            answered: None,
            owed: 0,
            allowance: (super::exchange::BURST, now.mono),
            beacons: BTreeMap::new(),
            differs: false,
            observed: None,
        }
    }

    pub(super) const fn in_mesh(&self) -> bool {
        self.mesh_ours && self.mesh_theirs
    }

    /// A neighbour to count on.
    pub(super) const fn is_live(&self) -> bool {
        self.established.is_some() && !self.suspect && self.is_neighbour()
    }

    pub(super) const fn is_neighbour(&self) -> bool {
        matches!(self.role, Role::Regular | Role::Bridge { .. })
    }

    /// An outbound link that fills one of the usual slots.
    pub(super) fn is_regular_out(&self) -> bool {
        self.direction == Direction::Out && self.role == Role::Regular
    }

    fn is_slot_in(&self) -> bool {
        self.direction == Direction::In && self.role != Role::Courtesy
    }

    /// The tally of `minute`; those of minutes long gone are dropped.
    pub(super) fn tally(&mut self, minute: u64) -> &mut Tally {
        self.beacons.retain(|old, _| old.saturating_add(3) > minute);
        self.beacons.entry(minute).or_default()
    }
}

/// All links.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    by_id: LinkMap<Link>,
    by_peer: BTreeMap<NodeId, LinkId>,
}

impl Links {
    pub(super) fn insert(&mut self, id: LinkId, link: Link) {
        self.by_peer.insert(link.peer, id);
        self.by_id.insert(id, link);
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.by_id.remove(&id)?;
        if self.by_peer.get(&link.peer) == Some(&id) {
            self.by_peer.remove(&link.peer);
        }
        Some(link)
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn of_peer(&self, peer: &NodeId) -> Option<LinkId> {
        self.by_peer.get(peer).copied()
    }

    pub(super) fn is_linked(&self, peer: &NodeId) -> bool {
        self.by_peer.contains_key(peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_id.iter().map(|(id, link)| (*id, link))
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn count(&self, which: impl Fn(&Link) -> bool) -> usize {
        self.by_id.values().filter(|link| which(link)).count()
    }

    /// Links that fill an outbound slot. A suspected one does not: it is replaced before it is dead.
    pub(super) fn outbound(&self) -> usize {
        self.count(|link| link.is_regular_out() && !link.suspect)
    }

    /// Neighbours to count on.
    pub(super) fn live(&self) -> usize {
        self.count(Link::is_live)
    }

    /// The inbound slot for a peer that is to be a neighbour, if it may have one.
    pub(super) fn slot(&self, caller: &Caller<'_>, config: &Config, now: Now) -> Option<Slot> {
        let taken = self.count(Link::is_slot_in);
        let crowded = taken >= config.inbound_max / 4;
        let subnet = subnet_of(caller.remote, config.private_exempt).filter(|_| !caller.ours);
        let neighbours =
            self.count(|link| link.is_slot_in() && subnet.is_some() && link.subnet == subnet);
        let refused = (crowded && neighbours >= config.inbound_per_subnet)
            || (caller.discouraged && taken >= config.inbound_max / 2);
        if refused {
            return None;
        }
        if taken < config.inbound_max {
            return Some(Slot::Free);
        }
        let group = group_of(caller.remote, caller.peer, config.private_exempt);
        let victim = self.victim(group, now).filter(|_| !caller.discouraged);
        victim.map(Slot::Of)
    }

    /// Decides what becomes of a new inbound link. Where no slot is free nobody has to go for it yet: most
    /// who come only try the address, and those that stay say so by MESH.
    pub(super) fn admit(&self, caller: &Caller<'_>, config: &Config, now: Now) -> Admission {
        let slot = self.slot(caller, config, now);
        if slot == Some(Slot::Free) {
            return Admission::Slot;
        }
        if self.count(|link| link.role == Role::Courtesy) < config.courtesy_max {
            return Admission::Courtesy;
        }
        if let Some(Slot::Of(victim)) = slot {
            return Admission::Evict(victim);
        }
        let told = |link: &Link| link.answered.filter(|at| now.mono.since(*at) >= TOLD_AGE);
        let courtesy = self.iter().filter(|(_, link)| link.role == Role::Courtesy);
        let oldest = courtesy
            .filter_map(|(id, link)| Some((told(link)?, id)))
            .min();
        oldest.map_or(Admission::Full, |(_, id)| Admission::CourtesyFor(id))
    }

    /// The inbound link to give up for one more: never a young one, nor any that earned its place by
    /// round trip, age, first deliveries or a group of its own. Suspected ones go first, then the
    /// youngest of the largest group.
    fn victim(&self, newcomer: Group, now: Now) -> Option<LinkId> {
        let old = |link: &Link| now.mono.since(link.since) >= SPARED_AGE;
        let mut all: Vec<(LinkId, &Link)> = self
            .iter()
            .filter(|(_, link)| link.is_slot_in() && old(link))
            .collect();
        if let Some((id, _)) = all.iter().find(|(_, link)| link.suspect) {
            return Some(*id);
        }
        // Each reason spares others than the one before: twenty links in all.
        let mut spared = BTreeSet::new();
        let mut spare = |all: &[(LinkId, &Link)]| {
            let others = all.iter().filter(|(id, _)| !spared.contains(id));
            let chosen: Vec<LinkId> = others.take(SPARED).map(|(id, _)| *id).collect();
            spared.extend(chosen);
        };
        all.sort_by_key(|(id, link)| (link.rtt.is_none(), link.rtt, *id));
        spare(&all);
        all.sort_by_key(|(id, link)| (std::cmp::Reverse(link.firsts), *id));
        spare(&all);
        all.sort_by_key(|(id, link)| (link.since, *id));
        spare(&all);
        let mut groups = BTreeSet::new();
        for (id, link) in &all {
            let is_new = !spared.contains(id) && !groups.contains(&link.group);
            if is_new && groups.len() < SPARED_GROUPS {
                groups.insert(link.group);
                spared.insert(*id);
            }
        }
        let mut sizes: BTreeMap<Group, usize> = BTreeMap::new();
        for group in all.iter().map(|(_, link)| link.group).chain([newcomer]) {
            let size = sizes.entry(group).or_default();
            *size = size.saturating_add(1);
        }
        all.iter()
            .filter(|(id, _)| !spared.contains(id))
            .max_by_key(|(id, link)| (sizes.get(&link.group).copied(), link.since, *id))
            .map(|(id, _)| *id)
    }

    /// Outbound links that have lasted longest.
    pub(super) fn anchors(&self, count: usize) -> Vec<(LinkId, NodeId)> {
        let mut oldest: Vec<_> = self
            .iter()
            .filter(|(_, link)| link.is_regular_out() && link.established.is_some())
            .collect();
        oldest.sort_by_key(|(id, link)| (link.since, *id));
        oldest
            .iter()
            .take(count)
            .map(|(id, link)| (*id, link.peer))
            .collect()
    }

    /// Inbound links on which we said that they are in our mesh.
    pub(super) fn mesh_inbound(&self) -> usize {
        self.count(|link| link.direction == Direction::In && link.mesh_ours)
    }

    /// The oldest inbound neighbour that waits for a place in our mesh.
    pub(super) fn mesh_waiting(&self) -> Option<LinkId> {
        self.iter()
            .filter(|(_, link)| {
                link.direction == Direction::In && link.is_live() && !link.mesh_ours
            })
            .min_by_key(|(id, link)| (!link.mesh_theirs, link.since, *id))
            .map(|(id, _)| id)
    }

    /// Counts a first delivery.
    pub(super) fn first_delivery(&mut self, id: LinkId) {
        if let Some(link) = self.by_id.get_mut(&id) {
            link.firsts = link.firsts.saturating_add(1);
        }
    }
}

/// Who links up with us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) peer: &'a NodeId,
    pub(super) remote: Option<SocketAddr>,
    /// Whether it comes from an address of ours.
    pub(super) ours: bool,
    /// Whether it broke the protocol not long ago.
    pub(super) discouraged: bool,
}

/// An inbound slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A free one.
    Free,
    /// That of this link.
    Of(LinkId),
}

/// What becomes of a new inbound link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// A free slot.
    Slot,
    /// The slot of this link.
    Evict(LinkId),
    /// No slot, but an answer.
    Courtesy,
    /// An answer, in place of this link that has had its own.
    CourtesyFor(LinkId),
    /// Nothing.
    Full,
}

/// The most links there can be under `config`.
pub(super) fn links_max(config: &Config) -> usize {
    let outbound = config.only.as_ref().map_or(config.outbound, Vec::len);
    [
        outbound.saturating_mul(2),
        limits::SEEDS_MAX,
        limits::DIALS_MAX,
        config.bridges_max,
        config.inbound_max,
        config.courtesy_max,
    ]
    .into_iter()
    .fold(0, usize::saturating_add)
}
