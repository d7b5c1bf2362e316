//! What seeds and those who register say, carried to the room and from it.

use std::time::Duration;

use super::Engine;
use crate::event::{Action, Notice};
use crate::id::{LinkId, NodeId};
use crate::intake::Verified;
use crate::link::PeerAddress;
use crate::record::Record;
use crate::seeds::Fact;
use crate::time::Now;
use crate::wire::Frame;

impl Engine {
    pub(super) fn on_seed_frame(&mut self, link: LinkId, peer: NodeId, frame: Frame, now: Now) {
        let Some(teller) = self.membership.teller(link) else {
            return;
        };
        let facts = match frame {
            Frame::Register { token, record } => {
                let record = record.map(|record| *record);
                let addresses = record
                    .as_ref()
                    .map_or_else(Vec::new, |record| self.membership.dialable(record, teller));
                let Some(group) = self.membership.group_of(link) else {
                    return;
                };
                self.seeds
                    .on_register((link, peer, group), token, record, addresses, now)
            }
            Frame::Lease {
                token,
                lease_s,
                renew_s,
                records,
            } => {
                let seconds = |seconds: u32| Duration::from_secs(seconds.into());
                let answer = (token, seconds(lease_s), seconds(renew_s));
                let membership = &self.membership;
                let is_news = |record: &Record| membership.would_learn(record, teller, now);
                let news = records.into_iter().filter(is_news).collect();
                self.seeds
                    .on_lease((link, peer), answer, (news, teller), now)
            }
            Frame::Report { nodes } => self.seeds.on_report(&peer, &nodes, now),
            _ => Vec::new(),
        };
        self.carry_seeds(facts, now);
    }

    /// A record holds: it goes to who asked for it.
    pub(super) fn on_good_record(&mut self, link: LinkId, record: Verified<Record>, now: Now) {
        match self.seeds.on_record(link, Box::new(record), now) {
            Ok(facts) => self.carry_seeds(facts, now),
            Err(record) => {
                let facts = self.membership.on_record(link, *record, now);
                self.carry_membership(facts, now);
            }
        }
    }

    /// A link is established: whoever is there is there, and may be a seed that was to be visited.
    pub(super) fn on_met(&mut self, link: LinkId, peer: &NodeId, now: Now) {
        self.seeds.alive(peer);
        let own = self.membership.own_record().cloned();
        let facts = self.seeds.linked(link, peer, own.as_ref());
        self.carry_seeds(facts, now);
    }

    pub(super) fn wake_seeds(&mut self, now: Now) {
        if self.seeds.next_wakeup().is_none_or(|due| due > now.mono) {
            return;
        }
        let is_alone = !self
            .membership
            .links()
            .any(|link| link.established && !self.seeds.is_seed(&link.peer));
        let facts = self.seeds.wakeup(is_alone, now);
        self.carry_seeds(facts, now);
    }

    pub(super) fn carry_seeds(&mut self, facts: Vec<Fact>, now: Now) {
        for fact in facts {
            match fact {
                Fact::Visit(address) => self.visit_seed(address, now),
                Fact::Probe(address) => self.probe_registered(address, now),
                Fact::Send { link, frame } => self.send(link, &frame, now),
                Fact::Verify { link, record } => {
                    let job = self.intake.begin_record(link, record);
                    self.verify(job);
                }
                Fact::Learn(record, teller) => {
                    let facts = self.membership.learn(*record, teller, now);
                    self.carry_membership(facts, now);
                }
                Fact::Dropped(peer) => {
                    self.actions.push(Action::Notice(Notice::Dropped { peer }));
                }
                Fact::Reported { seed, nodes } => {
                    let notice = Notice::Reported { seed, nodes };
                    self.actions.push(Action::Notice(notice));
                }
                Fact::Misbehaved { link, how } => self.misbehaved(link, how, now),
            }
        }
    }

    fn visit_seed(&mut self, address: PeerAddress, now: Now) {
        let established = self.established_with(&address.id);
        if let Some(link) = established {
            let own = self.membership.own_record().cloned();
            let facts = self.seeds.linked(link, &address.id, own.as_ref());
            self.carry_seeds(facts, now);
        } else {
            let facts = self.membership.visit(address, now);
            self.carry_membership(facts, now);
        }
    }

    /// A neighbour that liveness does not suspect is there; another is dialled.
    fn probe_registered(&mut self, address: PeerAddress, now: Now) {
        let link = self
            .membership
            .links()
            .find(|link| link.peer == address.id && link.established);
        match link.map(|link| link.suspect) {
            Some(false) => self.seeds.alive(&address.id),
            Some(true) => {}
            None => {
                let facts = self.membership.visit(address, now);
                self.carry_membership(facts, now);
            }
        }
    }

    fn established_with(&self, peer: &NodeId) -> Option<LinkId> {
        let link = self.membership.link_of(peer)?;
        let is_open = |known: &&super::Peer| known.is_established && known.is_open();
        self.peers.get(&link).filter(is_open).map(|_| link)
    }
}
