//! Whom to dial: refilling, feelers, lost peers, the rejoin loop, rewiring.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::book::Table;
use super::group::{Group, group_of, is_dialable};
use super::links::{Link, Role};
use super::{Fact, Membership, Timer, draw};
use crate::id::{LinkId, NodeId};
use crate::limits;
use crate::link::{CloseReason, Direction, PeerAddress};
use crate::time::{Mono, Now};

/// Random draws for a candidate before the search goes on otherwise.
const DRAWS: usize = 16;
/// A book of at most this many entries is searched in full when draws find nobody.
const SMALL_BOOK: usize = 256;
/// While under the target and somebody might be had, we look again after this time.
const REFILL_PAUSE: Duration = Duration::from_secs(5);
/// Pause of the rejoin loop while there is no link at all.
const ALONE_PAUSE: Duration = Duration::from_secs(15);
/// Entries of `tried`, and lost peers, dialled by one rejoin besides the seeds.
const REJOIN_TRIED: usize = 8;
const REJOIN_LOST: usize = 4;
/// A rewired link must have been in place so long without the peer's `MESH on` to go first.
const MESH_PATIENCE: Duration = Duration::from_secs(30);
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
}

/// A join address.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    address: PeerAddress,
    failures: u32,
    retry_at: Mono,
    order: u64,
}

/// A neighbour that went without our doing.
#[derive(Debug, Clone)]
struct Lost {
    since: Mono,
    next: Mono,
    address: Option<PeerAddress>,
}

/// What is dialled and what is to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Dials {
    outstanding: BTreeMap<NodeId, (Purpose, Mono)>,
    seeds: BTreeMap<NodeId, Seed>,
    seeds_seen: u64,
    lost: BTreeMap<NodeId, Lost>,
    lost_next: Mono,
    rejoins: u32,
    /// Rejoins because of a beacon, and when the next may be.
    alarms: u32,
    alarm_next: Mono,
    rewire_near: bool,
    samplers_next: bool,
}

impl Dials {
    pub(super) fn take(&mut self, peer: &NodeId) -> Option<Purpose> {
        self.outstanding.remove(peer).map(|(purpose, _)| purpose)
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
        self.config
            .only
            .as_ref()
            .map_or(self.config.outbound, Vec::len)
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
        while held < target && self.dials.outstanding.len() < limits::DIALS_MAX {
            let Some(peer) = self.candidate(now) else {
                break;
            };
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
        if !self.may_dial(&peer) || self.dials.outstanding.len() >= limits::DIALS_MAX {
            return;
        }
        let address = self.address_of(&peer);
        if address.addresses.is_empty() {
            return;
        }
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

    /// The next node to link with: half the time a sampler's, half the time the book's; of another
    /// group than our links, and not from an answer that gave half of them, where there is a choice.
    fn candidate(&mut self, now: Now) -> Option<NodeId> {
        if self.config.only.is_none() {
            let slots = Slots::of(self);
            if let Some(found) = self
                .drawn(&slots, now)
                .or_else(|| self.searched(&slots, now))
            {
                return Some(found);
            }
        }
        let due = |id: &NodeId, seed: &Seed| seed.retry_at <= now.mono && self.may_dial(id);
        let seeds = self.dials.seeds.iter();
        seeds
            .filter(|(id, seed)| due(id, seed))
            .min_by_key(|(_, seed)| seed.retry_at)
            .map(|(id, _)| *id)
    }

    fn drawn(&mut self, slots: &Slots, now: Now) -> Option<NodeId> {
        let mut second: Option<(u8, NodeId)> = None;
        for turn in 0..DRAWS {
            self.dials.samplers_next = !self.dials.samplers_next;
            let table = if turn & 2 == 0 {
                Table::Tried
            } else {
                Table::New
            };
            let drawn = if self.dials.samplers_next {
                self.samplers.pick(&mut self.rng)
            } else {
                self.book.pick(table, &mut self.rng)
            };
            let Some(id) = drawn.filter(|id| self.is_due(id, now)) else {
                continue;
            };
            match slots.diversity(self, &id) {
                DIVERSE => return Some(id),
                less if second.is_none_or(|(best, _)| less > best) => second = Some((less, id)),
                _ => {}
            }
        }
        // In a large book somebody diverse would have turned up; a small one is searched.
        second
            .filter(|_| self.book.len() > SMALL_BOOK)
            .map(|(_, id)| id)
    }

    fn searched(&mut self, slots: &Slots, now: Now) -> Option<NodeId> {
        if self.book.len() > SMALL_BOOK {
            return None;
        }
        let due = self
            .book
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| self.is_due(id, now));
        let mut ranked: Vec<(u8, NodeId)> =
            due.map(|id| (slots.diversity(self, &id), id)).collect();
        let best = ranked.iter().map(|(diversity, _)| *diversity).max()?;
        ranked.retain(|(diversity, _)| *diversity == best);
        draw::pick(&mut self.rng, &ranked).map(|(_, id)| *id)
    }

    fn is_due(&self, id: &NodeId, now: Now) -> bool {
        self.may_dial(id)
            && self
                .book
                .get(id)
                .is_some_and(|entry| entry.retry_at <= now.mono)
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

    /// Fewer neighbours than we should have, and somebody who might help.
    pub(super) fn is_low(&self) -> bool {
        let enough = self.config.rejoin_below.min(self.target());
        self.links.live() < enough && self.has_candidates()
    }

    /// Keeps the rejoin loop going as long as it is needed.
    pub(super) fn check_rejoin(&mut self, now: Now) {
        if self.is_low() {
            let pause = self.rejoin_pause(self.dials.rejoins);
            self.timers.set_if_none(Timer::Rejoin, now.mono.plus(pause));
        } else {
            self.dials.rejoins = 0;
            self.timers.clear(Timer::Rejoin);
        }
    }

    /// `rejoin_min · 1.6ⁿ`, at most `rejoin_max`, ± 25 %.
    fn rejoin_pause(&mut self, attempts: u32) -> Duration {
        let alone = self.links.live() == 0;
        let longest = self.config.rejoin_max;
        let longest = if alone {
            longest.min(ALONE_PAUSE)
        } else {
            longest
        };
        let pause = backoff(self.config.rejoin_min, attempts, longest);
        draw::spread(&mut self.rng, pause, 25)
    }

    /// One turn of the rejoin loop.
    pub(super) fn rejoin_turn(&mut self, now: Now, facts: &mut Vec<Fact>) {
        if self.is_low() {
            self.rejoin(now, facts);
            self.dials.rejoins = self.dials.rejoins.saturating_add(1);
        }
        self.check_rejoin(now);
    }

    /// A beacon told of another part of the network: rejoin, but not more often than the back-off
    /// allows, or any stranger could keep us dialling.
    pub(super) fn alarm(&mut self, now: Now, facts: &mut Vec<Fact>) {
        if now.mono < self.dials.alarm_next {
            return;
        }
        let calm = self
            .dials
            .alarm_next
            .plus(self.config.rejoin_max.saturating_mul(2));
        if now.mono > calm {
            self.dials.alarms = 0;
        }
        let pause = backoff(
            self.config.rejoin_min,
            self.dials.alarms,
            self.config.rejoin_max,
        );
        self.dials.alarms = self.dials.alarms.saturating_add(1);
        self.dials.alarm_next = now.mono.plus(draw::spread(&mut self.rng, pause, 25));
        self.rejoin(now, facts);
    }

    /// Dials ⌊n/2⌋+1 of n seeds, the tried entries longest not seen, and some lost peers.
    fn rejoin(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let mut seeds: Vec<NodeId> = self.dials.seeds.keys().copied().collect();
        draw::shuffle(&mut self.rng, &mut seeds);
        let majority = (seeds.len() / 2).saturating_add(1);
        seeds.truncate(majority);
        let mut old: Vec<_> = self
            .book
            .iter()
            .filter(|(id, _)| self.may_dial(id))
            .map(|(id, entry)| {
                (
                    entry.place.0 == Table::New,
                    entry.failures,
                    entry.last_seen,
                    *id,
                )
            })
            .collect();
        old.sort_unstable();
        let old = old.into_iter().take(REJOIN_TRIED).map(|(.., id)| id);
        let mut lost: Vec<NodeId> = self.dials.lost.keys().copied().collect();
        draw::shuffle(&mut self.rng, &mut lost);
        lost.truncate(REJOIN_LOST);
        for peer in seeds.into_iter().chain(lost).chain(old) {
            self.dial(peer, Purpose::Rejoin, now, facts);
        }
    }

    /// Starts the replacement of one outbound link, or gives up one that is too many.
    pub(super) fn rewire(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let pause = draw::spread(&mut self.rng, self.config.rewire_interval, 50);
        self.timers.set(Timer::Rewire, now.mono.plus(pause));
        self.end_bridges(now);
        let held = self.links.outbound();
        if self.config.only.is_none() && held > self.target() {
            if let Some(worst) = self.worst_outbound(true, now) {
                self.close(worst, CloseReason::Full, now, facts);
                self.timers
                    .set(Timer::Rewire, now.mono.plus(self.config.exchange_interval));
            }
        } else if held == self.target()
            && let Some(candidate) = self.candidate(now)
        {
            self.dial(candidate, Purpose::Rewire, now, facts);
        }
    }

    fn end_bridges(&mut self, now: Now) {
        let over: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| matches!(link.role, Role::Bridge { until } if until <= now.mono))
            .map(|(id, _)| id)
            .collect();
        for id in over {
            if let Some(link) = self.links.get_mut(id) {
                link.role = Role::Regular;
            }
        }
    }

    /// Whether an outbound link has waited in vain for the peer to take it into its mesh.
    pub(super) fn has_useless_outbound(&self, now: Now) -> bool {
        self.links
            .iter()
            .any(|(_, link)| link.is_regular_out() && waits_in_vain(link, now))
    }

    /// The outbound link to give up: one the peer keeps out of its mesh; else in turn the one of the
    /// longest round trip, or any but the half with the shortest. Never an anchor.
    fn worst_outbound(&mut self, near: bool, now: Now) -> Option<LinkId> {
        let anchors: BTreeSet<LinkId> = self
            .links
            .anchors(self.config.anchors)
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        let mut links: Vec<(LinkId, &Link)> = self
            .links
            .iter()
            .filter(|(id, link)| link.is_regular_out() && !anchors.contains(id))
            .collect();
        if let Some((id, _)) = links.iter().find(|(_, link)| waits_in_vain(link, now)) {
            return Some(*id);
        }
        links.sort_by_key(|(id, link)| (link.rtt.is_none(), link.rtt, *id));
        if near {
            return links.last().map(|(id, _)| *id);
        }
        let kept = links.len() / 2;
        let far: Vec<LinkId> = links.into_iter().skip(kept).map(|(id, _)| id).collect();
        draw::pick(&mut self.rng, &far).copied()
    }

    /// Decides about a candidate for rewiring once its round trip is known.
    pub(super) fn settle_trial(&mut self, trial: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let full = self.links.outbound() >= self.target();
        self.dials.rewire_near = !self.dials.rewire_near;
        let near = self.dials.rewire_near;
        let victim = if full {
            self.worst_outbound(near, now)
        } else {
            None
        };
        let rtt = |links: &super::links::Links, id| links.get(id).and_then(|link: &Link| link.rtt);
        let better = match victim {
            None => !full,
            Some(id)
                if self
                    .links
                    .get(id)
                    .is_some_and(|link| waits_in_vain(link, now)) =>
            {
                true
            }
            Some(id) if near => match (rtt(&self.links, trial), rtt(&self.links, id)) {
                (Some(new), Some(old)) => new < old,
                (new, _) => new.is_some(),
            },
            Some(_) => true,
        };
        if !better {
            self.close(trial, CloseReason::Full, now, facts);
            return;
        }
        if let Some(victim) = victim {
            self.close(victim, CloseReason::Full, now, facts);
        }
        if let Some(link) = self.links.get_mut(trial) {
            link.role = Role::Regular;
        }
        self.offer_mesh(trial, facts);
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

fn waits_in_vain(link: &Link, now: Now) -> bool {
    let long = |at| now.mono.since(at) >= MESH_PATIENCE;
    !link.mesh_theirs && link.established.is_some_and(long)
}

/// `first · 1.6ⁿ`, at most `longest`.
fn backoff(first: Duration, times: u32, longest: Duration) -> Duration {
    let mut pause = first;
    for _ in 0..times {
        if pause >= longest {
            break;
        }
        pause = pause.saturating_mul(8).checked_div(5).unwrap_or(pause);
    }
    pause.min(longest)
}

/// Another group than all links have, and not from an answer that gave half of them.
const DIVERSE: u8 = 3;

/// What the outbound links already have enough of.
struct Slots {
    groups: BTreeSet<Group>,
    sources: BTreeMap<NodeId, usize>,
    per_source: usize,
}

impl Slots {
    fn of(rooms: &Membership) -> Self {
        let mut slots = Self {
            groups: BTreeSet::new(),
            sources: BTreeMap::new(),
            per_source: (rooms.target() / 2).max(1),
        };
        let linked = rooms.links.iter().filter(|(_, link)| link.is_regular_out());
        for (_, link) in linked {
            slots.groups.insert(link.group);
            slots.count_source(rooms, &link.peer);
        }
        for (peer, (purpose, _)) in &rooms.dials.outstanding {
            if matches!(purpose, Purpose::Fill | Purpose::Join) {
                slots.groups.insert(slots.group(rooms, peer));
                slots.count_source(rooms, peer);
            }
        }
        slots
    }

    fn count_source(&mut self, rooms: &Membership, peer: &NodeId) {
        if let Some(entry) = rooms.book.get(peer) {
            let count = self.sources.entry(entry.source).or_default();
            *count = count.saturating_add(1);
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the slots")]
    fn group(&self, rooms: &Membership, peer: &NodeId) -> Group {
        let seed = || {
            rooms
                .dials
                .seeds
                .get(peer)?
                .address
                .addresses
                .first()
                .copied()
        };
        let entry = rooms.book.get(peer).map(|entry| entry.group);
        entry.unwrap_or_else(|| group_of(seed(), peer, rooms.config.private_exempt))
    }

    /// Of another group than all links counts 2, from an answer that gave fewer than half of them 1.
    fn diversity(&self, rooms: &Membership, peer: &NodeId) -> u8 {
        let source = rooms.book.get(peer).map(|entry| entry.source);
        let from_one = source.and_then(|source| self.sources.get(&source)).copied();
        let fresh_group = !self.groups.contains(&self.group(rooms, peer));
        let fresh_source = from_one.unwrap_or(0) < self.per_source;
        u8::from(fresh_group) << 1 | u8::from(fresh_source)
    }
}
