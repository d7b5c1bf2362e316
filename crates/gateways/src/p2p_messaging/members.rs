//! Who is in the network, by port, and who does not answer any more.
//!
//! The original takes every port that a message names into its list; here one must be listed by a seed, or
//! have answered a question of ours. An answer counts when it answers what was asked.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;

use crate::draw;
use crate::recent::Recent;

/// Members at once.
pub(super) const MEMBERS_MAX: usize = 1_024;
/// Ports that were named and asked, and have not answered.
pub(super) const NAMED_MAX: usize = 256;
/// A port that was named is asked again after this time.
const NAMED_AGAIN: Duration = Duration::from_mins(1);
/// One that died is taken from a seed's list again after this time.
const DEAD_FOR: Duration = Duration::from_mins(5);

#[derive(Debug, Default)]
struct Member {
    /// The seconds in the questions that it has not answered.
    asked: VecDeque<u64>,
}

#[derive(Debug)]
pub(super) struct Members {
    own: u16,
    listed: BTreeMap<u16, Member>,
    named: Recent<u16, u64>,
    dead: Recent<u16>,
}

impl Members {
    pub(super) fn new(own: u16) -> Self {
        Self {
            own,
            listed: BTreeMap::new(),
            named: Recent::new(NAMED_AGAIN, NAMED_MAX),
            dead: Recent::new(DEAD_FOR, MEMBERS_MAX),
        }
    }

    pub(super) fn ports(&self) -> Vec<u16> {
        self.listed.keys().copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(super) fn has(&self, port: u16) -> bool {
        self.listed.contains_key(&port)
    }

    /// A seed lists a port.
    pub(super) fn list(&mut self, port: u16, now: Instant) {
        if !self.dead.contains(&port, now) {
            self.admit(port);
        }
    }

    fn admit(&mut self, port: u16) {
        if port != self.own && self.listed.len() < MEMBERS_MAX {
            self.listed.entry(port).or_default();
        }
    }

    /// A message names a port that nobody listed: whether it is to be asked.
    pub(super) fn name(&mut self, port: u16, seconds: u64, now: Instant) -> bool {
        let is_known = port == self.own || self.has(port) || self.named.contains(&port, now);
        !is_known && self.named.insert(port, seconds, now)
    }

    /// An answer: whether it answers something.
    pub(super) fn answered(&mut self, port: u16, seconds: u64, now: Instant) -> bool {
        if let Some(member) = self.listed.get_mut(&port) {
            let is_asked = member.asked.contains(&seconds);
            if is_asked {
                member.asked.clear();
            }
            return is_asked;
        }
        let is_asked = self.named.get(&port, now).is_some_and(|at| *at == seconds);
        if is_asked {
            self.named.remove(&port);
            self.dead.remove(&port);
            self.admit(port);
        }
        is_asked
    }

    /// A round of questions: whom to ask, and who has died: so many questions were without an answer when the
    /// next one was due.
    pub(super) fn round(
        &mut self,
        seconds: u64,
        misses: u32,
        now: Instant,
    ) -> (Vec<u16>, Vec<u16>) {
        let most = usize::try_from(misses).unwrap_or(usize::MAX).max(1);
        let is_dead = |member: &Member| member.asked.len() >= most;
        let dead: Vec<_> = self
            .listed
            .iter()
            .filter(|(_, member)| is_dead(member))
            .map(|(port, _)| *port)
            .collect();
        for port in &dead {
            self.listed.remove(port);
            self.dead.insert(*port, (), now);
        }
        for member in self.listed.values_mut() {
            member.asked.push_back(seconds);
        }
        (self.ports(), dead)
    }

    /// Up to `most` of them.
    pub(super) fn some(&self, rng: &mut ChaCha8Rng, most: usize) -> Vec<u16> {
        draw::some(rng, self.ports(), most)
    }
}
