//! The rejoin loop: as long as links are few and somebody is known, and when a beacon tells of
//! another part of the network.

use std::time::Duration;

use super::book::Table;
use super::dial::{ALONE_PAUSE, Purpose, backoff};
use super::{Fact, Membership, Timer};
use crate::draw;
use crate::id::NodeId;
use crate::time::Now;

/// Entries of `tried`, and lost peers, dialled by one rejoin besides the seeds.
const REJOIN_TRIED: usize = 8;
const REJOIN_LOST: usize = 4;

impl Membership {
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
        facts.push(Fact::Rejoin);
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
}
