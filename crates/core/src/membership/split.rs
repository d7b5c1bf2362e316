//! What is done about the partition beacon: speaking, passing on, noticing another part.

use super::beacon::{Beacons, Relation};
use super::links::Role;
use super::{Fact, Membership, Timer};
use crate::id::LinkId;
use crate::intake::Verified;
use crate::limits;
use crate::link::Direction;
use crate::record::Beacon;
use crate::time::{Now, Wall};
use crate::wire::Frame;

/// Beacons are compared for this long after a link was established.
const COMPARED: std::time::Duration = std::time::Duration::from_secs(10);

impl Membership {
    /// A beacon arrived. Returns it when its signature is worth checking: for this or a
    /// neighbouring minute, among the first three of the link for it, and either lower than the best
    /// known or, on a new link, different.
    pub fn on_beacon(&mut self, id: LinkId, beacon: &Beacon, now: Now) -> Option<Beacon> {
        if !Beacons::is_current(beacon.minute, now) {
            return None;
        }
        let relation = self.beacons.relation(beacon);
        let link = self.links.get_mut(id)?;
        let fresh = now.mono.since(link.established?) < COMPARED;
        let tally = link.tally(beacon.minute);
        tally.received = tally.received.saturating_add(1);
        if tally.received > limits::BEACONS_PER_MINUTE_MAX {
            return None;
        }
        tally.holds = Some(beacon.node);
        match relation {
            Relation::First | Relation::Lower => Some(*beacon),
            Relation::Higher => (fresh && !link.differs).then_some(*beacon),
            Relation::Same => None,
        }
    }

    /// The signature of a beacon from [`Self::on_beacon`] holds.
    pub fn beacon_verified(&mut self, id: LinkId, beacon: Verified<Beacon>, now: Now) -> Vec<Fact> {
        let beacon = beacon.into_inner();
        let mut facts = Vec::new();
        if !Beacons::is_current(beacon.minute, now) {
            return facts;
        }
        let relation = self.beacons.relation(&beacon);
        let differs = matches!(relation, Relation::Higher | Relation::Lower);
        let delay = self.config.beacon_delay;
        if differs && self.beacons.is_settled(beacon.minute, delay, now) {
            self.notice_split(id, now, &mut facts);
        }
        if matches!(relation, Relation::First | Relation::Lower) {
            self.beacons.take(beacon, now);
            self.pass_on(beacon, &mut facts);
        }
        facts
    }

    /// The beacon asked for by [`Fact::SignBeacon`].
    pub fn signed_beacon(&mut self, beacon: Beacon, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        if self.beacons.should_speak(&self.me, beacon.minute) {
            self.beacons.take(beacon, now);
            self.pass_on(beacon, &mut facts);
        }
        facts
    }

    /// A new link leads to nodes that heard another beacon: keep it, reconcile over it, rejoin.
    fn notice_split(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let bridges = self
            .links
            .count(|link| matches!(link.role, Role::Bridge { .. }));
        let until = now.mono.plus(self.config.bridge_time);
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let fresh = link
            .established
            .is_some_and(|at| now.mono.since(at) < COMPARED);
        if !fresh || link.differs {
            return;
        }
        link.differs = true;
        let short = matches!(link.role, Role::Feeler | Role::Trial);
        let room = bridges < self.config.bridges_max;
        if link.direction == Direction::Out && link.role != Role::Courtesy && room {
            link.role = Role::Bridge { until };
            if short {
                self.timers.clear(Timer::Link(id));
                self.offer_mesh(id, facts);
            }
        }
        facts.push(Fact::Reconcile { link: id });
        self.alarm(now, facts);
    }

    /// Sends a beacon to every link that does not hold it, three a minute at most.
    fn pass_on(&mut self, beacon: Beacon, facts: &mut Vec<Fact>) {
        let links: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| link.established.is_some())
            .map(|(id, _)| id)
            .collect();
        for id in links {
            self.tell_beacon(id, beacon, facts);
        }
    }

    fn tell_beacon(&mut self, id: LinkId, beacon: Beacon, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let tally = link.tally(beacon.minute);
        if tally.sent < limits::BEACONS_PER_MINUTE_MAX && tally.holds != Some(beacon.node) {
            tally.sent = tally.sent.saturating_add(1);
            facts.push(Fact::Send {
                link: id,
                frame: Frame::Beacon(beacon),
            });
        }
    }

    /// Tells a new neighbour which beacons we hold for the last minute and this one.
    pub(super) fn tell_beacons(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let minute = now.wall.minute();
        for minute in [minute.saturating_sub(1), minute] {
            if let Some(beacon) = self.beacons.best(minute).copied() {
                self.tell_beacon(id, beacon, facts);
            }
        }
    }

    /// It is our turn to speak, unless a lower beacon came first or there is nobody to hear.
    pub(super) fn beacon_turn(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let minute = now.wall.minute();
        let linked = self.links.live() > 0;
        if linked && self.beacons.should_speak(&self.me, minute) {
            facts.push(Fact::SignBeacon { minute });
        }
        self.plan_beacon(now);
    }

    /// Sets our turn in the next minute.
    pub(super) fn plan_beacon(&mut self, now: Now) {
        let minute = now.wall.minute().saturating_add(1);
        let start = Wall::from_millis(minute.saturating_mul(60_000));
        let delay = Beacons::delay(&self.me, minute, self.config.beacon_delay);
        let pause = start.since(now.wall).saturating_add(delay);
        self.timers.set(Timer::Beacon, now.mono.plus(pause));
    }
}
