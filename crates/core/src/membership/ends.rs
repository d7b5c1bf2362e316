//! The end of a link, and what is learned from it about the peer.

use std::time::Duration;

use super::links::Link;
use super::{DROPPED_TIME, Fact, Membership, Shun, Timer};
use crate::id::{LinkId, NodeId};
use crate::limits;
use crate::link::{CloseReason, Direction};
use crate::time::Now;

/// A node that was full is left alone for this long.
const FULL_PAUSE: Duration = Duration::from_mins(1);
/// A lost peer is first tried again after about this time.
const LOST_FIRST: Duration = Duration::from_secs(1);
/// A peer that closed our only link as a duplicate still holds one we have lost.
const DUPLICATE_PAUSE: Duration = Duration::from_secs(4);

impl Membership {
    /// Closes a link and forgets it.
    pub(super) fn close(
        &mut self,
        id: LinkId,
        reason: CloseReason,
        now: Now,
        facts: &mut Vec<Fact>,
    ) {
        if self.forget_link(id, now, facts).is_some() {
            facts.push(Fact::Close { link: id, reason });
        }
    }

    pub(super) fn forget_link(
        &mut self,
        id: LinkId,
        now: Now,
        facts: &mut Vec<Fact>,
    ) -> Option<Link> {
        let link = self.links.remove(id)?;
        self.timers.clear(Timer::Link(id));
        if link.in_mesh() {
            facts.push(Fact::MeshDown { link: id });
        }
        if link.established.is_some() && !link.suspect {
            self.book.alive(&link.peer, now);
        }
        Some(link)
    }

    /// Learns from the end of a link what to do about the peer.
    pub(super) fn note_end(&mut self, link: &Link, reason: CloseReason, by_peer: bool, now: Now) {
        let peer = link.peer;
        let pause = |pause: Duration| now.mono.plus(pause);
        if self.links.is_linked(&peer) {
            return;
        }
        let mute = matches!(reason, CloseReason::Dead | CloseReason::Slow);
        if mute && link.established.is_none() {
            if link.direction == Direction::Out {
                self.note_failure(&peer, false, now);
            }
            return;
        }
        if link.direction == Direction::Out {
            self.seed_answered(&peer, false, now);
        }
        match reason {
            CloseReason::Full => self.book.busy(&peer, pause(FULL_PAUSE)),
            CloseReason::Score => self.book.busy(&peer, pause(DROPPED_TIME)),
            CloseReason::Duplicate => {
                self.book.busy(&peer, pause(DUPLICATE_PAUSE));
                self.remember_lost(peer, link, DUPLICATE_PAUSE, now);
            }
            CloseReason::WrongNetwork => {
                self.book.forget(&peer);
                self.samplers.reset(&peer);
                let until = pause(DROPPED_TIME);
                let barred = false;
                self.shun(peer, Shun { until, barred });
            }
            CloseReason::Quit if link.established.is_none() => {
                self.dials.forget_lost(&peer);
                self.book.busy(&peer, pause(DROPPED_TIME));
            }
            CloseReason::Quit if !by_peer => {}
            CloseReason::Dead | CloseReason::Quit | CloseReason::Slow => {
                self.remember_lost(peer, link, LOST_FIRST, now);
                self.book.busy(&peer, pause(LOST_FIRST));
            }
        }
    }

    /// Notes that `peer` could not be reached.
    pub(super) fn note_failure(&mut self, peer: &NodeId, probed: bool, now: Now) {
        let counts = self.links.live() > 0;
        self.book.failed(peer, counts, now);
        self.book.settle(peer, false, now);
        self.seed_answered(peer, false, now);
        let dead = self.book.get(peer).is_none_or(|entry| entry.failures >= 2);
        if counts && (probed || dead) {
            self.reset_samplers(peer);
        }
    }

    /// Refills at once after any loss.
    pub(super) fn after_loss(&mut self, now: Now, facts: &mut Vec<Fact>) {
        self.fill_mesh(facts);
        self.refill(now, facts);
        self.check_rejoin(now);
    }

    pub(super) fn shun(&mut self, peer: NodeId, shun: Shun) {
        self.shunned.insert(peer, shun);
        if self.shunned.len() > limits::SHUNNED_MAX {
            let first = self
                .shunned
                .iter()
                .min_by_key(|(id, shun)| (shun.until, **id));
            if let Some(id) = first.map(|(id, _)| *id) {
                self.shunned.remove(&id);
            }
        }
    }

    pub(super) fn end_shunning(&mut self, now: Now) {
        self.shunned.retain(|_, shun| shun.until > now.mono);
    }
}
