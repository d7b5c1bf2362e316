//! Rewiring: every few minutes another neighbour, half of them near, half of them random.

use std::collections::BTreeSet;
use std::time::Duration;

use super::dial::Purpose;
use super::links::{Link, Role};
use super::{Fact, Membership, Timer};
use crate::draw;
use crate::id::LinkId;
use crate::link::CloseReason;
use crate::time::Now;

/// A rewired link must have been in place so long without the peer's `MESH on` to go first.
const MESH_PATIENCE: Duration = Duration::from_secs(30);

impl Membership {
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
        links.sort_by_key(|(id, link)| (link.suspect, link.rtt.is_none(), link.rtt, *id));
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
}

fn waits_in_vain(link: &Link, now: Now) -> bool {
    let long = |at| now.mono.since(at) >= MESH_PATIENCE;
    !link.mesh_theirs && link.established.is_some_and(long)
}
