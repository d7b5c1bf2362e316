//! Dials: what is outstanding, refilling slots, feelers, lost peers, join addresses.

use std::collections::BTreeMap;
use std::time::Duration;

use super::book::Table;
use super::group::is_dialable;
use super::links::Link;
use super::{Fact, Membership, Timer};
use crate::draw;
use crate::id::NodeId;
use crate::limits;
use crate::link::{Direction, PeerAddress};
use crate::time::{Mono, Now};

/// Random draws for a candidate before the search goes on otherwise.
pub(super) const DRAWS: usize = 16;
/// Dials to fill slots that may follow each other at once, and the pause that earns one more.
const FILLS_MAX: u32 = 24;
const FILL_PAUSE_MICROS: u64 = 125_000;
/// While under the target and somebody might be had, we look again after this time.
const REFILL_PAUSE: Duration = Duration::from_secs(5);
/// Pause of the rejoin loop while there is no link at all.
pub(super) const ALONE_PAUSE: Duration = Duration::from_secs(15);
/// So many links more are opened at a time where others open too few.
const EXTRA_STEP: usize = 2;
/// After an hour lost peers are tried this many times more rarely.
const LOST_SLOWER: u32 = 4;

/// Why somebody is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To fill a slot.
    Fill,
    /// The application asked for it.
    Join,
    /// It was a neighbour once.
    Lost,
    /// The network may be split, or we may have lost it.
    Rejoin,
    /// To try an address, a sampler's head or an incumbent.
    Feeler,
    /// To replace a neighbour.
    Rewire,
    /// To speak with a seed, or to see for a registry whether the node is there.
    Visit,
}

/// A join address.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) address: PeerAddress,
    pub(super) failures: u32,
    pub(super) retry_at: Mono,
    pub(super) order: u64,
}

/// A neighbour that went without our doing.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) since: Mono,
    pub(super) next: Mono,
    pub(super) address: Option<PeerAddress>,
}

/// What is dialled and what is to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Dials {
    pub(super) outstanding: BTreeMap<NodeId, (Purpose, Mono)>,
    pub(super) seeds: BTreeMap<NodeId, Seed>,
    pub(super) seeds_seen: u64,
    pub(super) lost: BTreeMap<NodeId, Lost>,
    pub(super) lost_next: Mono,
    pub(super) rejoins: u32,
    /// Rejoins because of a beacon, and when the next may be.
    pub(super) alarms: u32,
    pub(super) alarm_next: Mono,
    /// Dials to fill slots that may still be made, as of a moment.
    pub(super) fills: u32,
    pub(super) fills_at: Mono,
    /// Outbound links beyond the usual number, as others open too few.
    pub(super) extra: usize,
    pub(super) rewire_near: bool,
    pub(super) samplers_next: bool,
}

impl Dials {
    pub(super) fn take(&mut self, peer: &NodeId) -> Option<Purpose> {
        self.outstanding.remove(peer).map(|(purpose, _)| purpose)
    }

    /// Dials under way, but for visits, which have a bound of their own.
    pub(super) fn outstanding(&self) -> usize {
        let purposes = self.outstanding.values().map(|(purpose, _)| purpose);
        purposes
            .filter(|purpose| **purpose != Purpose::Visit)
            .count()
    }

    pub(super) fn is_dialling(&self, peer: &NodeId) -> bool {
        self.outstanding.contains_key(peer)
    }

    /// Remembers a join address; beyond the bound the one longest known goes.
    pub(super) fn remember_seed(&mut self, address: PeerAddress) {
        self.seeds_seen = self.seeds_seen.saturating_add(1);
        let (id, order) = (address.id, self.seeds_seen);
        let seed = Seed {
            address,
            failures: 0,
            retry_at: Mono::ZERO,
            order,
        };
        self.seeds.insert(id, seed);
        while self.seeds.len() > limits::SEEDS_MAX {
            let oldest = self.seeds.iter().min_by_key(|(_, seed)| seed.order);
            let Some(id) = oldest.map(|(id, _)| *id) else {
                break;
            };
            self.seeds.remove(&id);
        }
    }

    /// Whether a slot may be filled now: where every dial fails at once, as without a network, the
    /// whole book would be dialled in a moment.
    fn may_fill(&mut self, now: Now) -> bool {
        let pauses = crate::time::micros(now.mono.since(self.fills_at)) / FILL_PAUSE_MICROS;
        let gained = u32::try_from(pauses).unwrap_or(u32::MAX);
        if gained > 0 || self.fills_at == Mono::ZERO {
            let first = if self.fills_at == Mono::ZERO {
                FILLS_MAX
            } else {
                gained
            };
            self.fills = self.fills.saturating_add(first).min(FILLS_MAX);
            self.fills_at = now.mono;
        }
        self.fills > 0
    }

    pub(super) fn forget_lost(&mut self, peer: &NodeId) {
        self.lost.remove(peer);
    }

    pub(super) fn is_lost(&self, peer: &NodeId) -> bool {
        self.lost.contains_key(peer)
    }

    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.outstanding.len(), self.seeds.len(), self.lost.len())
    }
}

impl Membership {
    /// Remembers a neighbour that went, to be tried again after `pause`.
    pub(super) fn remember_lost(&mut self, peer: NodeId, link: &Link, pause: Duration, now: Now) {
        let ttl = limits::LOST_TTL;
        self.dials
            .lost
            .retain(|_, lost| now.mono.since(lost.since) < ttl);
        let remote = link.remote.filter(|_| link.direction == Direction::Out);
        let address = remote.map(|remote| PeerAddress {
            id: peer,
            addresses: vec![remote],
        });
        let next = now.mono.plus(draw::spread(&mut self.rng, pause, 50));
        self.dials.lost.insert(
            peer,
            Lost {
                since: now.mono,
                next,
                address,
            },
        );
        while self.dials.lost.len() > limits::LOST_MAX {
            let oldest = self
                .dials
                .lost
                .iter()
                .min_by_key(|(id, lost)| (lost.since, **id));
            let Some(id) = oldest.map(|(id, _)| *id) else {
                break;
            };
            self.dials.lost.remove(&id);
        }
        self.timers
            .set_earlier(Timer::Lost, next.max(self.dials.lost_next));
    }

    /// Tries the lost peer whose turn it is; one each `lost_interval`.
    pub(super) fn try_lost(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let interval = self.config.lost_interval;
        let ttl = limits::LOST_TTL;
        self.dials
            .lost
            .retain(|_, lost| now.mono.since(lost.since) < ttl);
        let turn = self
            .dials
            .lost
            .iter()
            .filter(|(id, _)| self.may_dial(id))
            .min_by_key(|(id, lost)| (lost.next, **id))
            .map(|(id, lost)| (*id, lost.next));
        let Some((peer, due)) = turn else {
            if !self.dials.lost.is_empty() {
                self.timers.set(Timer::Lost, now.mono.plus(interval));
            }
            return;
        };
        if due > now.mono {
            self.timers.set(Timer::Lost, due);
            return;
        }
        if let Some(lost) = self.dials.lost.get_mut(&peer) {
            let old = now.mono.since(lost.since) > Duration::from_hours(1);
            let slower = if old { LOST_SLOWER } else { 1 };
            lost.next = now.mono.plus(interval.saturating_mul(slower));
        }
        self.dials.lost_next = now.mono.plus(interval);
        self.timers.set(Timer::Lost, self.dials.lost_next);
        self.dial(peer, Purpose::Lost, now, facts);
    }

    /// Links to fill.
    pub(super) fn target(&self) -> usize {
        let usual = self.config.outbound.saturating_add(self.dials.extra);
        self.config.only.as_ref().map_or(usual, Vec::len)
    }

    /// Opens more links where others open too few to us, and fewer when they no longer do.
    pub(super) fn balance(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let (live, enough) = (self.links.live(), self.config.links_min);
        if live < enough {
            let most = self.config.outbound.min(enough);
            self.dials.extra = self.dials.extra.saturating_add(EXTRA_STEP).min(most);
            self.refill(now, facts);
        } else if live > enough.saturating_add(EXTRA_STEP) {
            self.dials.extra = self.dials.extra.saturating_sub(1);
        }
    }

    /// Dials until enough neighbours are linked or on their way.
    pub(super) fn refill(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let target = self.target();
        let patience = self.config.dial_patience;
        let mut held = self.links.outbound();
        if held >= target {
            self.timers.clear(Timer::Refill);
            return;
        }
        let mut overdue = None;
        for (purpose, since) in self.dials.outstanding.values() {
            let fills = matches!(purpose, Purpose::Fill | Purpose::Join | Purpose::Lost);
            if fills && now.mono.since(*since) < patience {
                held = held.saturating_add(1);
                overdue = Some(overdue.map_or(*since, |first: Mono| first.min(*since)));
            }
        }
        while held < target && self.dials.outstanding() < limits::DIALS_MAX {
            if !self.dials.may_fill(now) {
                self.timers.set_earlier(
                    Timer::Refill,
                    now.mono.plus(Duration::from_micros(FILL_PAUSE_MICROS)),
                );
                break;
            }
            let Some(peer) = self.candidate(now) else {
                break;
            };
            self.dials.fills = self.dials.fills.saturating_sub(1);
            self.dial(peer, Purpose::Fill, now, facts);
            overdue = Some(overdue.unwrap_or(now.mono));
            held = held.saturating_add(1);
        }
        match overdue {
            Some(since) => self.timers.set_earlier(Timer::Refill, since.plus(patience)),
            None if self.has_candidates() => {
                self.timers
                    .set_if_none(Timer::Refill, now.mono.plus(REFILL_PAUSE));
            }
            None => {}
        }
    }

    /// Opens a connection to `peer` where the rules and its addresses allow.
    pub(super) fn dial(&mut self, peer: NodeId, purpose: Purpose, now: Now, facts: &mut Vec<Fact>) {
        if !self.may_dial(&peer) || self.dials.outstanding() >= limits::DIALS_MAX {
            return;
        }
        let address = self.address_of(&peer);
        self.dial_at(address, purpose, now, facts);
    }

    /// Links for a moment to where somebody is said to be, to speak with it or to see that it is there.
    pub fn visit(&mut self, mut address: PeerAddress, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        let known = self.address_of(&address.id).addresses;
        address.addresses.retain(is_dialable);
        for other in known {
            if !address.addresses.contains(&other) {
                address.addresses.push(other);
            }
        }
        address.addresses.truncate(limits::ADDRESSES_MAX);
        let visits = self.dials.outstanding.values();
        let visits = visits.filter(|(purpose, _)| *purpose == Purpose::Visit);
        if self.may_dial(&address.id) && visits.count() < limits::VISITS_MAX {
            self.dial_at(address, Purpose::Visit, now, &mut facts);
        }
        facts
    }

    fn dial_at(&mut self, address: PeerAddress, purpose: Purpose, now: Now, facts: &mut Vec<Fact>) {
        if address.addresses.is_empty() {
            return;
        }
        let peer = address.id;
        self.dials.outstanding.insert(peer, (purpose, now.mono));
        let timeout = now.mono.plus(self.config.dial_timeout);
        self.timers.set_if_none(Timer::Dials, timeout);
        facts.push(Fact::Dial(address));
    }

    /// Every place `peer` may be found at: as the user said, as it says, as we saw it.
    pub(super) fn address_of(&self, peer: &NodeId) -> PeerAddress {
        let seed = self
            .dials
            .seeds
            .get(peer)
            .map(|seed| seed.address.addresses.clone());
        let entry = self
            .book
            .get(peer)
            .map(|entry| entry.peer_address().addresses);
        let lost = self
            .dials
            .lost
            .get(peer)
            .and_then(|lost| lost.address.clone());
        let mut addresses = Vec::new();
        for address in [seed, entry, lost.map(|lost| lost.addresses)]
            .into_iter()
            .flatten()
            .flatten()
        {
            if is_dialable(&address) && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses.truncate(limits::ADDRESSES_MAX);
        PeerAddress {
            id: *peer,
            addresses,
        }
    }

    /// Whether nothing speaks against dialling `peer` at all. The discouraged are better than nobody.
    pub(super) fn may_dial(&self, peer: &NodeId) -> bool {
        let allowed = self
            .config
            .only
            .as_ref()
            .is_none_or(|only| only.contains(peer));
        allowed
            && *peer != self.me
            && !self.links.is_linked(peer)
            && !self.dials.is_dialling(peer)
            && self
                .shunned
                .get(peer)
                .is_none_or(|shun| !shun.barred && self.links.live() == 0)
    }

    /// Whether anybody is known whom we are not linked with.
    pub(super) fn has_candidates(&self) -> bool {
        let mut known = self
            .dials
            .seeds
            .keys()
            .chain(self.book.iter().map(|(id, _)| id));
        known.any(|id| self.may_dial(id) || self.dials.is_dialling(id))
    }

    /// Tries an address: an incumbent of `tried` that another waits to replace, or one of `new`.
    pub(super) fn feel(&mut self, now: Now, facts: &mut Vec<Fact>) {
        if let Some(incumbent) = self.book.contest() {
            if self.links.is_linked(&incumbent) {
                self.book.settle(&incumbent, true, now);
            } else {
                self.dial(incumbent, Purpose::Feeler, now, facts);
                return;
            }
        }
        for _ in 0..DRAWS {
            let drawn = self.book.pick(Table::New, &mut self.rng);
            if let Some(id) = drawn.filter(|id| self.is_due(id, now)) {
                self.dial(id, Purpose::Feeler, now, facts);
                return;
            }
        }
    }

    /// From one sampler's probe to the next one's.
    pub(super) fn sampler_turn(&self) -> Duration {
        let samplers = u32::try_from(limits::SAMPLERS).unwrap_or(1);
        let interval = self.config.sampler_interval;
        interval.checked_div(samplers).unwrap_or(interval)
    }

    /// Probes the next sampler's head, unless we know it to be there.
    pub(super) fn probe_sampler(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let interval = self.config.sampler_interval;
        let Some(head) = self.samplers.next_head() else {
            return;
        };
        match self.book.get(&head) {
            None => self.reset_samplers(&head),
            Some(entry) if entry.is_responsive(interval, now) || entry.retry_at > now.mono => {}
            Some(_) => self.dial(head, Purpose::Feeler, now, facts),
        }
    }

    /// Empties the samplers that hold `id`, and shows them everybody known who did not fail.
    pub(super) fn reset_samplers(&mut self, id: &NodeId) {
        if self.samplers.reset(id) {
            for (id, entry) in self.book.iter() {
                if entry.failures == 0 {
                    self.samplers.feed(*id);
                }
            }
        }
    }

    /// Notes for a seed whether it answered.
    pub(super) fn seed_answered(&mut self, peer: &NodeId, answered: bool, now: Now) {
        let (shortest, longest) = (self.config.rejoin_min, self.config.rejoin_max);
        if let Some(seed) = self.dials.seeds.get_mut(peer) {
            let pause = backoff(shortest, seed.failures, longest.min(ALONE_PAUSE));
            seed.failures = if answered {
                0
            } else {
                seed.failures.saturating_add(1)
            };
            seed.retry_at = now.mono.plus(pause);
        }
    }

    /// Dials without an answer count as failed.
    pub(super) fn expire_dials(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let timeout = self.config.dial_timeout;
        let dead: Vec<NodeId> = self
            .dials
            .outstanding
            .iter()
            .filter(|(_, (_, since))| now.mono.since(*since) >= timeout)
            .map(|(id, _)| *id)
            .collect();
        for peer in dead {
            facts.extend(self.dial_failed(peer, now));
        }
        let first = self
            .dials
            .outstanding
            .values()
            .map(|(_, since)| *since)
            .min();
        if let Some(since) = first {
            self.timers.set(Timer::Dials, since.plus(timeout));
        }
    }
}

/// `first · 1.6ⁿ`, at most `longest`.
pub(crate) fn backoff(first: Duration, times: u32, longest: Duration) -> Duration {
    let mut pause = first;
    for _ in 0..times {
        if pause >= longest {
            break;
        }
        pause = pause.saturating_mul(8).checked_div(5).unwrap_or(pause);
    }
    pause.min(longest)
}
