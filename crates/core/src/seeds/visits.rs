//! The seeds of a list, and when to visit which.
//!
//! After system 004 a node registers with ⌊n/2⌋+1 of n seeds, drawn by chance, and asks all of them, as that
//! system's programs do: so whoever registered is named by two seeds at least. Unlike there, a seed that
//! fails is replaced by one that answers, every seed is visited again and again, and one that comes back
//! empty has everything back after a round.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::Config;
use crate::draw;
use crate::id::NodeId;
use crate::limits;
use crate::link::PeerAddress;
use crate::membership::backoff;
use crate::record::Record;
use crate::time::{Mono, fraction};
use crate::wire::Frame;

/// How this node stands with a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeedState {
    /// It keeps our record.
    Registered,
    /// It answers; others keep our record.
    Asked,
    /// It answers, and does not keep our record.
    Refused,
    /// It has not answered yet.
    Waiting,
    /// It did not answer when it was last tried.
    Failed,
}

/// A seed of the list, as others may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedView {
    /// Which, and where.
    pub address: PeerAddress,
    /// How we stand with it.
    pub state: SeedState,
    /// For how long it keeps our record if that is not renewed.
    pub left: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Seed {
    address: PeerAddress,
    /// Whether we register with it.
    is_chosen: bool,
    /// Whether it has ever answered.
    has_answered: bool,
    until: Option<Mono>,
    failures: u32,
    /// Whether it is being visited; then `due` is when that has failed.
    is_asked: bool,
    due: Option<Mono>,
    /// Deaths it is to be told of.
    reports: BTreeSet<NodeId>,
}

impl Seed {
    fn is_good(&self, now: Mono) -> bool {
        self.failures == 0 && self.until.is_some_and(|until| until > now)
    }

    fn state(&self, now: Mono) -> SeedState {
        match () {
            () if self.failures > 0 => SeedState::Failed,
            () if self.is_good(now) => SeedState::Registered,
            () if !self.has_answered => SeedState::Waiting,
            () if self.is_chosen => SeedState::Refused,
            () => SeedState::Asked,
        }
    }
}

/// The list.
#[derive(Debug, Clone, Default)]
pub(super) struct Visits {
    seeds: BTreeMap<NodeId, Seed>,
    token: [u8; 16],
    round: Option<Mono>,
}

impl Visits {
    /// Takes a list, or more addresses of those on it; everybody on it is visited at once.
    pub(super) fn set(&mut self, seeds: Vec<PeerAddress>, rng: &mut ChaCha8Rng, now: Mono) {
        for mut address in seeds {
            address.addresses.truncate(limits::ADDRESSES_MAX);
            let full = self.seeds.len() >= limits::SEEDS_LISTED_MAX;
            match self.seeds.get_mut(&address.id) {
                Some(known) => known.address = address,
                None if full => {}
                None => {
                    let seed = Seed {
                        address,
                        is_chosen: false,
                        has_answered: false,
                        until: None,
                        failures: 0,
                        is_asked: false,
                        due: None,
                        reports: BTreeSet::new(),
                    };
                    self.seeds.insert(seed.address.id, seed);
                }
            }
        }
        self.choose(rng);
        self.round = Some(now);
    }

    /// Draws who is registered with, up to ⌊n/2⌋+1 of n.
    fn choose(&mut self, rng: &mut ChaCha8Rng) {
        let majority = (self.seeds.len() / 2).saturating_add(1);
        let chosen = self.seeds.values().filter(|seed| seed.is_chosen).count();
        let free = self.seeds.values().filter(|seed| !seed.is_chosen);
        let free: Vec<NodeId> = free.map(|seed| seed.address.id).collect();
        for id in draw::some(rng, &free, majority.saturating_sub(chosen)) {
            if let Some(seed) = self.seeds.get_mut(&id) {
                seed.is_chosen = true;
            }
        }
    }

    /// Visits everybody soon: who we count on may be gone.
    pub(super) fn hurry(&mut self, now: Mono) {
        if !self.seeds.is_empty() {
            self.round = Some(self.round.map_or(now, |round| round.min(now)));
        }
    }

    /// Whether a round begins now: then what the last one brought is forgotten.
    pub(super) fn begins(&mut self, config: &Config, rng: &mut ChaCha8Rng, now: Mono) -> bool {
        if self.round.is_none_or(|round| round > now) {
            return false;
        }
        rng.fill_bytes(&mut self.token);
        self.round = (!self.seeds.is_empty()).then(|| now.plus(config.renew_max));
        for seed in self.seeds.values_mut() {
            if seed.failures == 0 {
                seed.is_asked = false;
                seed.due = Some(now);
            }
        }
        true
    }

    /// Whom to visit now; who was visited in vain has failed.
    pub(super) fn due(
        &mut self,
        config: &Config,
        rng: &mut ChaCha8Rng,
        now: Mono,
    ) -> Vec<PeerAddress> {
        let is_due = |seed: &Seed| seed.due.is_some_and(|due| due <= now);
        let overdue = self
            .seeds
            .iter()
            .filter(|(_, seed)| is_due(seed) && seed.is_asked);
        let overdue: Vec<NodeId> = overdue.map(|(id, _)| *id).collect();
        for id in overdue {
            self.failed(&id, config, rng, now);
        }
        let due = self.seeds.values_mut().filter(|seed| is_due(seed));
        due.map(|seed| {
            seed.is_asked = true;
            seed.due = Some(now.plus(config.answer));
            seed.address.clone()
        })
        .collect()
    }

    /// A visit came to nothing. Another seed takes the place of one that was to keep our record.
    pub(super) fn failed(&mut self, id: &NodeId, config: &Config, rng: &mut ChaCha8Rng, now: Mono) {
        let Some(seed) = self.seeds.get_mut(id).filter(|seed| seed.is_asked) else {
            return;
        };
        let pause = backoff(config.retry_min, seed.failures, config.retry_max);
        seed.is_asked = false;
        seed.failures = seed.failures.saturating_add(1);
        seed.due = Some(now.plus(draw::spread(rng, pause, 25)));
        self.replace(id, rng, now);
    }

    /// Registers with another seed than `id`, if one that answers is left.
    fn replace(&mut self, id: &NodeId, rng: &mut ChaCha8Rng, now: Mono) {
        let free = |seed: &&Seed| !seed.is_chosen && seed.failures == 0;
        let others = self.seeds.values().filter(free);
        let others: Vec<NodeId> = others.map(|seed| seed.address.id).collect();
        let (Some(seed), Some(other)) = (self.seeds.get_mut(id), draw::pick(rng, &others)) else {
            return;
        };
        if !std::mem::replace(&mut seed.is_chosen, false) {
            return;
        }
        if let Some(other) = self.seeds.get_mut(other) {
            other.is_chosen = true;
            // One that is being asked already is asked again, to be registered with.
            other.is_asked = false;
            other.due = Some(now);
        }
    }

    /// What to say to `peer` now that it is linked: nothing, unless it is visited.
    pub(super) fn greet(&mut self, peer: &NodeId, own: Option<&Record>) -> Vec<Frame> {
        let Some(seed) = self.seeds.get_mut(peer).filter(|seed| seed.is_asked) else {
            return Vec::new();
        };
        let mut frames = Vec::new();
        let nodes: Vec<NodeId> = seed.reports.iter().copied().collect();
        for nodes in nodes.chunks(limits::REPORTS_MAX) {
            let nodes = nodes.to_vec();
            frames.push(Frame::Report { nodes });
        }
        seed.reports.clear();
        let record = own.filter(|_| seed.is_chosen).cloned().map(Box::new);
        let token = self.token;
        frames.push(Frame::Register { token, record });
        frames
    }

    /// A seed answers. Whether it was asked just that: what else it says is not listened to.
    pub(super) fn answered(
        &mut self,
        peer: &NodeId,
        token: &[u8; 16],
        (lease, renew): (Duration, Duration),
        config: &Config,
        rng: &mut ChaCha8Rng,
        now: Mono,
    ) -> bool {
        let seed = self.seeds.get_mut(peer);
        let Some(seed) = seed.filter(|seed| seed.is_asked && self.token == *token) else {
            return false;
        };
        (seed.is_asked, seed.due) = (false, None);
        (seed.failures, seed.has_answered) = (0, true);
        let lease = lease.min(limits::RECORD_TTL_MAX);
        let is_kept = seed.is_chosen && !lease.is_zero();
        seed.until = is_kept.then(|| now.plus(lease));
        let is_refused = seed.is_chosen && !is_kept;
        let soonest = config.renew_min;
        let renew = renew.min(config.renew_max).max(soonest);
        let next = now.plus(draw::spread(rng, renew, 20));
        self.round = Some(self.round.map_or(next, |round| round.min(next)));
        if is_refused {
            self.replace(peer, rng, now);
        }
        true
    }

    /// A neighbour is dead: the seeds that keep our record are to be told, within a moment.
    pub(super) fn died(&mut self, node: NodeId, config: &Config, rng: &mut ChaCha8Rng, now: Mono) {
        let registered = self.seeds.values_mut().filter(|seed| seed.is_good(now));
        for seed in registered {
            if seed.address.id == node || seed.reports.len() >= limits::REPORTS_WAITING_MAX {
                continue;
            }
            seed.reports.insert(node);
            if !seed.is_asked {
                let half = fraction(config.report_spread, 1, 2);
                let pause = draw::spread(rng, half, 100);
                let due = now.plus(pause);
                seed.due = Some(seed.due.map_or(due, |before| before.min(due)));
            }
        }
    }

    /// Whether `peer` is on the list.
    pub(super) fn is_seed(&self, peer: &NodeId) -> bool {
        self.seeds.contains_key(peer)
    }

    /// Whether the list has one seed only: there is no second opinion.
    pub(super) fn is_single(&self) -> bool {
        self.seeds.len() == 1
    }

    /// When there is somebody to visit.
    pub(super) fn next_wakeup(&self) -> Option<Mono> {
        let due = self.seeds.values().filter_map(|seed| seed.due);
        due.chain(self.round).min()
    }

    /// Every seed, in the order of ids.
    pub(super) fn views(&self, now: Mono) -> impl Iterator<Item = SeedView> + '_ {
        self.seeds.values().map(move |seed| SeedView {
            address: seed.address.clone(),
            state: seed.state(now),
            left: seed.until.map(|until| until.since(now)),
        })
    }

    /// How many seeds there are, and the most deaths that wait for one of them.
    pub(super) fn footprint(&self) -> (usize, usize) {
        let waiting = self.seeds.values().map(|seed| seed.reports.len()).max();
        (self.seeds.len(), waiting.unwrap_or(0))
    }
}
