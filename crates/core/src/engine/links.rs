//! The life of a link: up, handshake, frames, down.

use std::net::SocketAddr;

use bytes::Bytes;

use super::conduct::{self, Budget};
use super::{Engine, Peer, Signing};
use crate::event::{Action, Notice};
use crate::event::{Difference, JobId};
use crate::handshake::{Greeting, Step};
use crate::id::{LinkId, NodeId};
use crate::identity::Signature;
use crate::link::{Class, CloseReason, Direction};
use crate::reconcile::Open;
use crate::record::{Beacon, Record};
use crate::time::Now;
use crate::wire::{DecodeError, Frame};

impl Engine {
    pub(super) fn on_link_up(
        &mut self,
        link: LinkId,
        peer: NodeId,
        direction: Direction,
        remote: Option<SocketAddr>,
        now: Now,
    ) {
        self.peers.insert(
            link,
            Peer {
                node: peer,
                direction,
                is_established: false,
                closing: None,
                budget: Budget::new(now.mono),
            },
        );
        if direction == Direction::In && self.reputation.is_discouraged(&peer, now.mono) {
            self.close(link, CloseReason::Score);
            return;
        }
        let facts = self.membership.link_up(link, peer, direction, remote, now);
        self.carry_membership(facts, now);
        if self.peers.get(&link).is_some_and(Peer::is_open) {
            let hello = self.handshakes.begin(link, peer, remote, now);
            self.send(link, &hello, now);
        }
    }

    pub(super) fn on_link_down(
        &mut self,
        link: LinkId,
        reason: CloseReason,
        by_peer: bool,
        now: Now,
    ) {
        let Some(peer) = self.peers.remove(&link) else {
            return;
        };
        self.left.insert(link, peer.node);
        self.handshakes.end(link);
        self.outbox.link_down(link);
        self.floor.link_down(link);
        self.seeds.link_down(link);
        self.liveness.link_down(link);
        let facts = self.broadcast.link_down(link, now.mono);
        self.carry_broadcast(facts, now);
        let facts = self.large.link_down(link, now.mono);
        self.carry_large(facts, now);
        self.reconcile.link_down(link);
        let facts = self.lookups.link_down(link, &self.askable(), now.mono);
        self.carry_lookups(facts, None, now);
        let facts = self.membership.link_down(link, reason, by_peer, now);
        self.carry_membership(facts, now);
        if self.membership.link_of(&peer.node).is_none() {
            self.seeds.unreachable(&peer.node, now);
            if peer.is_established && reason == CloseReason::Dead && !by_peer {
                let facts = self.seeds.died(peer.node, now);
                self.carry_seeds(facts, now);
            }
        }
        if peer.is_established {
            let notice = Notice::Unlinked {
                link,
                peer: peer.node,
                reason,
            };
            self.actions.push(Action::Notice(notice));
        }
    }

    pub(super) fn on_frame(&mut self, link: LinkId, bytes: &Bytes, now: Now) {
        let Some(peer) = self.peers.get(&link).copied().filter(Peer::is_open) else {
            return;
        };
        let frame = match Frame::decode(bytes, self.network.id()) {
            Ok(frame) => frame,
            Err(DecodeError::UnknownKind(_)) => {
                self.metrics.unknown_frames = self.metrics.unknown_frames.saturating_add(1);
                self.charge(link, conduct::UNKNOWN, now);
                return;
            }
            Err(error) => {
                self.misbehaved(link, &format!("sent a malformed frame: {error}"), now);
                return;
            }
        };
        if peer.is_established {
            if !self.charge(link, conduct::price(&frame), now) {
                return;
            }
            if let Some(fact) = self.liveness.heard(link, now) {
                self.carry_liveness(vec![fact], now);
            }
            self.on_established_frame(link, peer.node, frame, bytes.len(), now);
            return;
        }
        if frame.class() == Class::Bulletins {
            if !self.handshakes.hold(link, bytes) {
                self.misbehaved(link, "sent too much before its handshake", now);
            }
            return;
        }
        match self.handshakes.on_frame(link, &frame) {
            Step::Wait => {}
            Step::Send(frame) => self.send(link, &frame, now),
            Step::Done(greeting, proof, early) => {
                if let Some(proof) = proof {
                    self.send(link, &proof, now);
                }
                self.on_established(link, greeting, now);
                for frame in early {
                    self.on_frame(link, &frame, now);
                }
            }
            Step::Stranger(peer, difference) => self.on_stranger(link, peer, difference),
            Step::Misbehaved(how) => self.misbehaved(link, how, now),
        }
    }

    fn on_stranger(&mut self, link: LinkId, peer: NodeId, difference: Difference) {
        self.actions
            .push(Action::Notice(Notice::Stranger { peer, difference }));
        self.close(link, CloseReason::WrongNetwork);
    }

    fn on_established(&mut self, link: LinkId, greeting: Greeting, now: Now) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        peer.is_established = true;
        let (peer, direction) = (peer.node, peer.direction);
        self.actions
            .push(Action::Notice(Notice::Linked { link, peer }));
        self.broadcast.link_up(link, greeting.wants_kept, now.mono);
        self.large.link_up(link);
        self.reconcile.link_up(link, direction, now);
        self.offer_own(link, now);
        if let Some(observed) = greeting.observed {
            let facts = self.membership.observed(link, observed, now);
            self.carry_membership(facts, now);
        }
        let facts = self.membership.established(link, now);
        self.carry_membership(facts, now);
        let group = self.membership.group_of(link);
        let facts = self.liveness.link_up(link, peer, group, now);
        self.liveness.clock_sample(link, greeting.clock_ms, now);
        self.carry_liveness(facts, now);
        self.liveness.size(self.membership.network_size_estimate());
        self.on_met(link, &peer, now);
    }

    fn on_established_frame(
        &mut self,
        link: LinkId,
        peer: NodeId,
        frame: Frame,
        bytes: usize,
        now: Now,
    ) {
        match frame {
            Frame::Pub {
                root_tag,
                hops,
                bulletin,
            } => {
                self.floor.count(bytes, now.mono);
                self.on_pub(link, root_tag, hops, *bulletin, now);
            }
            Frame::Ihave { entries } => self.on_ihave(link, &entries, now),
            Frame::Iwant { ids } => self.on_iwant(link, &ids, false, now),
            Frame::Graft { roots, ids } => {
                self.broadcast.grafted(link, &roots);
                self.on_iwant(link, &ids, true, now);
            }
            Frame::Choke { roots } => self.broadcast.choked(link, &roots, now.mono),
            Frame::Nack { dropped, ids } => {
                if dropped {
                    self.reconcile.on_dropped(link, &ids);
                }
                self.broadcast.nacked(link, &ids, dropped, now.mono);
            }
            Frame::Kept { ids } => {
                let facts = self.broadcast.kept(peer, &ids, now.mono);
                self.carry_broadcast(facts, now);
            }
            Frame::Stamp { entries } => {
                for entry in entries {
                    self.on_stamp(Some(link), entry.id, entry.stamp, now);
                }
            }
            Frame::Ping { .. }
            | Frame::Pong { .. }
            | Frame::Probe { .. }
            | Frame::Probed { .. } => self.on_liveness_frame(link, &frame, now),
            Frame::PeersReq | Frame::Peers { .. } | Frame::Beacon(_) | Frame::Mesh { .. } => {
                self.on_membership_frame(link, frame, now);
            }
            Frame::Register { .. } | Frame::Lease { .. } | Frame::Report { .. } => {
                self.on_seed_frame(link, peer, frame, now);
            }
            Frame::Lookup { .. } | Frame::LookupDone { .. } => {
                self.on_lookup_frame(link, &frame, now);
            }
            Frame::SyncOpen { .. } | Frame::SyncMsg { .. } | Frame::SyncDone { .. } => {
                self.on_sync_frame(link, frame, now);
            }
            Frame::WantChunks { .. } | Frame::Chunk { .. } | Frame::HaveChunks { .. } => {
                self.on_large_frame(link, frame, now);
            }
            Frame::Application { kind, body } => {
                self.actions
                    .push(Action::Notice(Notice::Application { peer, kind, body }));
            }
            Frame::Hello { .. } | Frame::Proof { .. } => {
                self.misbehaved(link, "greeted twice", now);
            }
        }
    }

    fn on_sync_frame(&mut self, link: LinkId, frame: Frame, now: Now) {
        let facts = match frame {
            Frame::SyncOpen {
                session,
                created_until_ms,
                expiry_cutoff_ms,
                resume_ms,
                topics,
                message,
            } => {
                let open = Open {
                    session,
                    created_until_ms,
                    expiry_cutoff_ms,
                    resume_ms,
                    topics,
                    message,
                };
                self.reconcile.on_open(link, &open, &self.inventory, now)
            }
            Frame::SyncMsg { session, message } => {
                self.reconcile
                    .on_msg(link, session, &message, &self.inventory, now)
            }
            Frame::SyncDone { session } => {
                self.reconcile.on_done(link, session, now);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.carry_reconcile(facts, now);
    }

    fn on_liveness_frame(&mut self, link: LinkId, frame: &Frame, now: Now) {
        let facts = match *frame {
            Frame::Ping {
                seq,
                clock_ms,
                floor_log2,
                minute,
                digest,
            } => {
                self.floor.neighbour(link, floor_log2);
                self.liveness.clock_sample(link, clock_ms, now);
                let ours = self.inventory.digest_near(minute, now);
                self.reconcile.on_digest(link, digest, ours, now);
                self.liveness.on_ping(link, seq, now)
            }
            Frame::Pong { seq, clock_ms } => self.liveness.on_pong(link, seq, clock_ms, now),
            Frame::Probe { seq, target } => self.liveness.on_probe(link, seq, &target, now),
            Frame::Probed { seq, alive } => self.liveness.on_probed(link, seq, alive, now),
            _ => Vec::new(),
        };
        self.carry_liveness(facts, now);
    }

    fn on_membership_frame(&mut self, link: LinkId, frame: Frame, now: Now) {
        match frame {
            Frame::PeersReq => {
                let facts = self.membership.on_peers_req(link, now);
                self.carry_membership(facts, now);
            }
            Frame::Peers { records } => {
                for record in self.membership.on_peers(link, records, now) {
                    let job = self.intake.begin_record(link, record);
                    self.verify(job);
                }
            }
            Frame::Beacon(beacon) => {
                if let Some(beacon) = self.membership.on_beacon(link, &beacon, now) {
                    let job = self.intake.begin_beacon(link, beacon);
                    self.verify(job);
                }
            }
            Frame::Mesh { on } => {
                let facts = self.membership.on_mesh(link, on, now);
                self.carry_membership(facts, now);
            }
            _ => {}
        }
    }

    pub(super) fn on_signed(&mut self, job: JobId, signature: Signature, now: Now) {
        let facts = match self.signing.remove(&job) {
            None => return,
            Some(Signing::Record(body)) => self
                .membership
                .signed_record(Record { body, signature }, now),
            Some(Signing::Beacon(minute)) => {
                let beacon = Beacon {
                    node: self.me,
                    minute,
                    signature,
                };
                self.membership.signed_beacon(beacon, now)
            }
        };
        self.carry_membership(facts, now);
    }

    pub(super) fn on_send_frame(&mut self, peer: NodeId, kind: u8, body: Bytes, now: Now) {
        let link = self
            .peers
            .iter()
            .find(|(_, known)| known.node == peer && known.is_established && known.is_open());
        if let Some(link) = link.map(|(link, _)| *link) {
            self.send(link, &Frame::Application { kind, body }, now);
        }
    }

    /// Takes from the link's budget; cuts off a flood. Answers whether the link may go on.
    pub(super) fn charge(&mut self, link: LinkId, points: u64, now: Now) -> bool {
        let peer = self.peers.get_mut(&link);
        let is_fine = peer.is_none_or(|peer| peer.budget.spend(points, now.mono));
        if !is_fine {
            self.misbehaved(link, "said far more than bulletins pass", now);
        }
        is_fine
    }

    /// Cuts off a peer that broke the protocol and discourages it, also when it has just left.
    pub(super) fn misbehaved(&mut self, link: LinkId, how: &str, now: Now) {
        let peer = match self.peers.get(&link) {
            Some(peer) => peer.is_open().then_some(peer.node),
            None => self.left.remove(&link),
        };
        let Some(peer) = peer else {
            return;
        };
        let until = self.reputation.offend(peer, how, now.mono);
        self.membership.discourage(peer, until);
        self.metrics.misbehaved = self.metrics.misbehaved.saturating_add(1);
        self.actions.push(Action::Notice(Notice::Misbehaved {
            peer,
            how: how.to_owned(),
        }));
        self.close(link, CloseReason::Score);
    }
}
