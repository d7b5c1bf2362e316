//! The registry of a seed: records that their nodes asked to be kept, each for as long as it is renewed.
//!
//! After the seeds of system 004, with three departures. A record is registered over a link of its own
//! node alone, so that nobody registers another or replays an old registration. A report of death removes
//! nothing: it makes the seed probe the node itself, and only probes that fail one after another count. And
//! whom a seed tells of is drawn by a token of who asks, so that honest seeds tell of the same nodes and
//! nobody can be there first.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Config;
use crate::id::NodeId;
use crate::limits;
use crate::link::PeerAddress;
use crate::membership::Group;
use crate::record::Record;
use crate::time::{Mono, Now, earliest, fraction};

/// Between two looks for leases that have ended.
const SWEEP: Duration = Duration::from_secs(5);
/// The part of all leases that one group of addresses may hold once half of them are taken.
const GROUP_PART: usize = 64;

/// What becomes of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// The record is kept already: its lease begins anew.
    Renewed,
    /// To be kept once its signature was checked.
    Check,
    /// Not kept: this is no seed, there is no room, or it is old news.
    Refused,
}

/// A record that is kept.
#[derive(Debug, Clone)]
struct Lease {
    record: Record,
    addresses: Vec<SocketAddr>,
    group: Group,
    until: Mono,
    /// When it was last probed for a report.
    probed: Option<Mono>,
}

impl Lease {
    fn address(&self) -> PeerAddress {
        PeerAddress {
            id: self.record.body.node,
            addresses: self.addresses.clone(),
        }
    }
}

/// A node that was reported.
#[derive(Debug, Clone, Copy)]
struct Probe {
    failures: u32,
    due: Mono,
}

/// What the registry wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Errand {
    /// Find out whether this node is there; [`Registry::alive`] says that it is.
    Probe(PeerAddress),
    /// It was not there, several times: its record was dropped.
    Dropped(NodeId),
}

/// A record that a seed keeps, as others may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// Whose.
    pub address: PeerAddress,
    /// For how long it is kept if it is not renewed.
    pub left: Duration,
    /// Whether its node is being probed, because it was reported dead.
    pub is_probed: bool,
}

/// The registry.
#[derive(Debug, Clone, Default)]
pub(super) struct Registry {
    leases: BTreeMap<NodeId, Lease>,
    groups: BTreeMap<Group, usize>,
    probes: BTreeMap<NodeId, Probe>,
    sweep: Option<Mono>,
}

impl Registry {
    /// What becomes of `record`, which its own node brought.
    pub(super) fn admit(
        &mut self,
        record: &Record,
        group: Group,
        config: &Config,
        now: Now,
    ) -> Admission {
        let body = &record.body;
        if !config.registry || body.expires <= now.wall {
            return Admission::Refused;
        }
        if let Some(lease) = self.leases.get_mut(&body.node) {
            if lease.record == *record {
                lease.until = now.mono.plus(config.lease);
                return Admission::Renewed;
            }
            return if body.seq > lease.record.body.seq {
                Admission::Check
            } else {
                Admission::Refused
            };
        }
        if self.has_room(group, config) {
            Admission::Check
        } else {
            Admission::Refused
        }
    }

    /// Whether a node of `group` may still come: once half of the leases are taken no group has more than
    /// a small part of them.
    fn has_room(&self, group: Group, config: &Config) -> bool {
        let held = self.groups.get(&group).copied().unwrap_or(0);
        let part = (config.leases_max / GROUP_PART).max(1);
        self.leases.len() < config.leases_max
            && (self.leases.len() < config.leases_max / 2 || held < part)
    }

    /// Keeps a record whose signature was checked, and that may be dialled at `addresses`; answers whether there was room.
    pub(super) fn insert(
        &mut self,
        record: Record,
        (group, addresses): (Group, Vec<SocketAddr>),
        config: &Config,
        now: Now,
    ) -> bool {
        let id = record.body.node;
        let probed = match self.leases.get(&id) {
            Some(old) if old.record.body.seq >= record.body.seq => return false,
            Some(old) => old.probed,
            None if !self.has_room(group, config) => return false,
            None => None,
        };
        self.remove(&id);
        let held = self.groups.entry(group).or_default();
        *held = held.saturating_add(1);
        let until = now.mono.plus(config.lease);
        self.leases.insert(
            id,
            Lease {
                record,
                addresses,
                group,
                until,
                probed,
            },
        );
        self.sweep.get_or_insert(now.mono.plus(SWEEP));
        true
    }

    /// After how long a node is to come again, so that not too many come at once.
    pub(super) fn renew_after(&self, config: &Config) -> Duration {
        let leases = u32::try_from(self.leases.len()).unwrap_or(u32::MAX);
        let spread = fraction(Duration::from_secs(1), leases, config.visits_per_s);
        // A configuration may have the two the other way round.
        spread.min(config.renew_max).max(config.renew_min)
    }

    /// Some of those kept, for `asker`: the same at every seed for one token, as far as it keeps them. A node
    /// under probe is not told of once it has missed one.
    pub(super) fn answer(&self, asker: &NodeId, token: &[u8; 16], now: Now) -> Vec<Record> {
        let rank = |id: &NodeId| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(token).update(id.as_bytes());
            *hasher.finalize().as_bytes()
        };
        let is_told = |id: &NodeId, lease: &Lease| {
            let missed = self.probes.get(id).is_some_and(|probe| probe.failures > 0);
            id != asker && !missed && lease.until > now.mono && lease.record.body.expires > now.wall
        };
        let told = self.leases.iter().filter(|(id, lease)| is_told(id, lease));
        let mut ranked: Vec<([u8; 32], &Record)> =
            told.map(|(id, lease)| (rank(id), &lease.record)).collect();
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        let first = ranked.into_iter().take(limits::RECORDS_MAX);
        first.map(|(_, record)| record.clone()).collect()
    }

    /// `reporter` takes `node` for dead. Who is not registered here is not listened to.
    pub(super) fn reported(
        &mut self,
        reporter: &NodeId,
        node: &NodeId,
        config: &Config,
        now: Now,
    ) -> Option<Errand> {
        let is_heard = reporter != node && self.leases.contains_key(reporter);
        let probed = self.leases.get(node)?.probed;
        let is_rested = |at: Mono| now.mono.since(at) >= config.probe_pause;
        if !is_heard || !probed.is_none_or(is_rested) {
            return None;
        }
        self.probe(node, config, now)
    }

    /// Probes `node`, if it is kept and not probed already: we have lost a link with it ourselves.
    pub(super) fn probe(&mut self, node: &NodeId, config: &Config, now: Now) -> Option<Errand> {
        let is_busy = self.probes.contains_key(node);
        if is_busy || self.probes.len() >= limits::LEASE_PROBES_MAX {
            return None;
        }
        let lease = self.leases.get_mut(node)?;
        lease.probed = Some(now.mono);
        let due = now.mono.plus(config.probe);
        self.probes.insert(*node, Probe { failures: 0, due });
        Some(Errand::Probe(lease.address()))
    }

    /// `node` is there: whoever reported it was wrong.
    pub(super) fn alive(&mut self, node: &NodeId) {
        self.probes.remove(node);
    }

    /// Counts probes that came to nothing, and forgets leases that have ended.
    pub(super) fn wakeup(&mut self, config: &Config, now: Now) -> Vec<Errand> {
        if self.sweep.is_some_and(|due| due <= now.mono) {
            self.end_leases(now);
        }
        let is_due = |(_, probe): &(&NodeId, &Probe)| probe.due <= now.mono;
        let due: Vec<NodeId> = self
            .probes
            .iter()
            .filter(is_due)
            .map(|(id, _)| *id)
            .collect();
        due.into_iter()
            .filter_map(|node| self.missed(node, config, now))
            .collect()
    }

    fn missed(&mut self, node: NodeId, config: &Config, now: Now) -> Option<Errand> {
        let probe = self.probes.get_mut(&node)?;
        probe.failures = probe.failures.saturating_add(1);
        probe.due = now.mono.plus(config.probe);
        if probe.failures < config.probes {
            let lease = self.leases.get(&node)?;
            return Some(Errand::Probe(lease.address()));
        }
        self.remove(&node);
        Some(Errand::Dropped(node))
    }

    fn end_leases(&mut self, now: Now) {
        let is_over =
            |lease: &Lease| lease.until <= now.mono || lease.record.body.expires <= now.wall;
        let over = self.leases.iter().filter(|(_, lease)| is_over(lease));
        let over: Vec<NodeId> = over.map(|(id, _)| *id).collect();
        for id in over {
            self.remove(&id);
        }
        self.sweep = (!self.leases.is_empty()).then(|| now.mono.plus(SWEEP));
    }

    /// Forgets a record and what is known of its node.
    fn remove(&mut self, id: &NodeId) {
        self.probes.remove(id);
        let Some(lease) = self.leases.remove(id) else {
            return;
        };
        if let Some(held) = self.groups.get_mut(&lease.group) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.groups.remove(&lease.group);
            }
        }
    }

    /// When [`Self::wakeup`] is due.
    pub(super) fn next_wakeup(&self) -> Option<Mono> {
        let probe = self.probes.values().map(|probe| probe.due).min();
        earliest([probe, self.sweep])
    }

    /// Every lease, in the order of ids.
    pub(super) fn views(&self, now: Now) -> impl Iterator<Item = LeaseView> + '_ {
        self.leases.iter().map(move |(id, lease)| LeaseView {
            address: lease.address(),
            left: lease.until.since(now.mono),
            is_probed: self.probes.contains_key(id),
        })
    }

    /// Leases and probes.
    pub(super) fn footprint(&self) -> (usize, usize) {
        (self.leases.len(), self.probes.len())
    }
}
