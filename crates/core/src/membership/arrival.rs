//! What becomes of a connection that opens: whether it stays, and what it is for.

use std::net::SocketAddr;
use std::time::Duration;

use super::dial::Purpose;
use super::links::{self, Admission, Caller, Link, Role};
use super::{Fact, Membership, Timer};
use crate::id::{LinkId, NodeId};
use crate::link::{CloseReason, Direction};
use crate::time::Now;
use crate::wire::Frame;

/// Two connections between the same nodes opened within this time are one meeting.
const SAME_MEETING: Duration = Duration::from_secs(5);
/// A link that was to be a neighbour's replacement is judged after this time.
const TRIAL_TIME: Duration = Duration::from_secs(5);
/// A link beyond our slots that asks nothing is closed after this time.
const COURTESY_LONGEST: Duration = Duration::from_secs(3);

impl Membership {
    /// A connection is open. Decides whether it stays; the handshake follows.
    pub fn link_up(
        &mut self,
        id: LinkId,
        peer: NodeId,
        direction: Direction,
        remote: Option<SocketAddr>,
        now: Now,
    ) -> Vec<Fact> {
        self.start(now);
        let mut facts = Vec::new();
        let purpose = match direction {
            Direction::Out => self.dials.take(&peer),
            Direction::In => None,
        };
        if let Some(reason) = self.refusal(&peer, direction, now) {
            return vec![Fact::Close { link: id, reason }];
        }
        let mut replaces = false;
        if let Some(older) = self.links.of_peer(&peer) {
            if self.older_stays(older, direction, now) {
                return vec![Fact::Close {
                    link: id,
                    reason: CloseReason::Duplicate,
                }];
            }
            replaces = self.links.get(older).is_some_and(Link::is_neighbour);
            self.close(older, CloseReason::Duplicate, now, &mut facts);
        }
        let role = match direction {
            Direction::Out => Some(self.role_of(purpose)),
            Direction::In if replaces => Some(Role::Regular),
            Direction::In => self.admitted(&peer, remote, now, &mut facts),
        };
        let Some(role) = role else {
            let reason = CloseReason::Full;
            facts.push(Fact::Close { link: id, reason });
            return facts;
        };
        let mut link = Link::new(
            peer,
            direction,
            remote,
            role,
            self.config.private_exempt,
            now,
        );
        link.rejoined = purpose == Some(Purpose::Rejoin);
        link.is_visit = purpose == Some(Purpose::Visit);
        self.links.insert(id, link);
        let timeout = now.mono.plus(self.config.handshake_timeout);
        self.timers.set(Timer::Link(id), timeout);
        self.fill_mesh(&mut facts);
        facts
    }

    /// The handshake on a link is done: the other side belongs to our network.
    pub fn established(&mut self, id: LinkId, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Some(link) = self
            .links
            .get_mut(id)
            .filter(|link| link.established.is_none())
        else {
            return facts;
        };
        link.established = Some(now.mono);
        let (peer, role, direction) = (link.peer, link.role, link.direction);
        let (rejoined, is_visit) = (link.rejoined, link.is_visit);
        let short = match role {
            Role::Feeler => Some(self.config.feeler_time),
            Role::Trial => Some(TRIAL_TIME),
            Role::Courtesy => Some(COURTESY_LONGEST),
            Role::Regular | Role::Bridge { .. } => None,
        };
        match short {
            Some(time) => self.timers.set(Timer::Link(id), now.mono.plus(time)),
            None => self.timers.clear(Timer::Link(id)),
        }
        self.dials.forget_lost(&peer);
        self.book.alive(&peer, now);
        if direction == Direction::Out {
            self.book.good(&peer, now);
            self.book.settle(&peer, true, now);
            self.seed_answered(&peer, true, now);
        }
        if let Some(record) = self.own.record.clone() {
            facts.push(Fact::Send {
                link: id,
                frame: Frame::Peers {
                    records: vec![record],
                },
            });
        }
        self.offer_mesh(id, &mut facts);
        if role != Role::Courtesy && !is_visit {
            self.ask(id, now, &mut facts);
        }
        self.tell_beacons(id, now, &mut facts);
        if rejoined {
            facts.push(Fact::Reconcile { link: id });
        }
        self.check_rejoin(now);
        facts
    }

    /// As what somebody who calls us is let in; makes room for them where another has to go.
    fn admitted(
        &mut self,
        peer: &NodeId,
        remote: Option<SocketAddr>,
        now: Now,
        facts: &mut Vec<Fact>,
    ) -> Option<Role> {
        let caller = self.caller(peer, remote, now);
        let (role, leaves) = match self.links.admit(&caller, &self.config, now) {
            Admission::Slot => (Role::Regular, None),
            Admission::Evict(victim) => (Role::Regular, Some(victim)),
            Admission::Courtesy => (Role::Courtesy, None),
            Admission::CourtesyFor(told) => (Role::Courtesy, Some(told)),
            Admission::Full => return None,
        };
        if let Some(link) = leaves {
            self.close(link, CloseReason::Full, now, facts);
        }
        Some(role)
    }

    fn refusal(&self, peer: &NodeId, direction: Direction, now: Now) -> Option<CloseReason> {
        let shun = self.shunned.get(peer).filter(|shun| shun.until > now.mono);
        match shun {
            _ if *peer == self.me => Some(CloseReason::Duplicate),
            Some(shun) if shun.barred => Some(CloseReason::Quit),
            _ if direction == Direction::Out
                && self.links.len() >= links::links_max(&self.config) =>
            {
                Some(CloseReason::Full)
            }
            _ => None,
        }
    }

    /// What is known of a peer that links up with us.
    pub(super) fn caller<'a>(
        &self,
        peer: &'a NodeId,
        remote: Option<SocketAddr>,
        now: Now,
    ) -> Caller<'a> {
        let shun = self.shunned.get(peer);
        Caller {
            peer,
            remote,
            ours: self.own.is_ours(remote),
            discouraged: shun.is_some_and(|shun| shun.until > now.mono),
        }
    }

    /// Of two connections opened within five seconds the one dialled by the lower id stays, so that
    /// both ends keep the same; later the newer one, as whoever dials again has lost the older.
    fn older_stays(&self, older: LinkId, newer: Direction, now: Now) -> bool {
        let Some(link) = self.links.get(older) else {
            return false;
        };
        let dialler = match link.direction {
            Direction::Out => self.me,
            Direction::In => link.peer,
        };
        link.direction != newer
            && now.mono.since(link.since) < SAME_MEETING
            && dialler == self.me.min(link.peer)
    }

    fn role_of(&self, purpose: Option<Purpose>) -> Role {
        let room = self.links.outbound() < self.target();
        match purpose {
            Some(Purpose::Join) | None => Role::Regular,
            Some(Purpose::Fill | Purpose::Lost | Purpose::Rejoin) if room => Role::Regular,
            Some(Purpose::Rewire) => Role::Trial,
            Some(_) => Role::Feeler,
        }
    }
}
