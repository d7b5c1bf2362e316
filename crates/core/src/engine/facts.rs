//! What rooms say, turned into actions or carried to other rooms.

use super::{Engine, Signing};
use crate::event::{Action, JobId, Notice, Persist};
use crate::link::CloseReason;
use crate::record::Beacon;
use crate::time::Now;
use crate::wire::Frame;
use crate::{broadcast, inventory, liveness, membership, outbox, reconcile};

impl Engine {
    pub(super) fn carry_membership(&mut self, facts: Vec<membership::Fact>, now: Now) {
        for fact in facts {
            match fact {
                membership::Fact::Dial(address) => self.actions.push(Action::Dial(address)),
                membership::Fact::Close { link, reason } => self.close(link, reason),
                membership::Fact::Send { link, frame } => self.send(link, &frame, now),
                membership::Fact::MeshUp { link } => {
                    self.broadcast.mesh_up(link, now.mono);
                    let facts = self.large.mesh_up(link);
                    self.carry_large(facts, now);
                }
                membership::Fact::MeshDown { link } => {
                    self.large.mesh_down(link);
                    let facts = self.broadcast.mesh_down(link);
                    self.carry_broadcast(facts, now);
                }
                membership::Fact::SignRecord(body) => {
                    let message = body.signed_text(self.network.id());
                    self.sign(Signing::Record(body), message);
                }
                membership::Fact::SignBeacon { minute } => {
                    let message = Beacon::signed_text(&self.me, minute, self.network.id());
                    self.sign(Signing::Beacon(minute), message);
                }
                membership::Fact::Rejoin => self.seeds.hurry(now),
                membership::Fact::Reconcile { link } => self.reconcile.now_with(link, now),
            }
        }
    }

    fn sign(&mut self, what: Signing, message: Vec<u8>) {
        let job = JobId(self.next_signing);
        self.next_signing = self.next_signing.wrapping_add(1);
        self.signing.insert(job, what);
        self.actions.push(Action::Sign {
            job,
            message: message.into(),
        });
    }

    pub(super) fn carry_liveness(&mut self, facts: Vec<liveness::Fact>, now: Now) {
        for fact in facts {
            match fact {
                liveness::Fact::Ping { link, seq } => {
                    let minute = now.wall.minute();
                    let ping = Frame::Ping {
                        seq,
                        clock_ms: now.wall.as_millis(),
                        floor_log2: self.floor.log2(),
                        minute,
                        digest: self.inventory.digest(minute),
                    };
                    self.send(link, &ping, now);
                }
                liveness::Fact::Send { link, frame } => self.send(link, &frame, now),
                liveness::Fact::Rtt { link, rtt } => {
                    self.broadcast.rtt(link, rtt);
                    self.large.rtt(link, rtt);
                    self.membership.rtt(link, rtt);
                }
                liveness::Fact::Missed { link, misses } => {
                    if let Some(peer) = self.peers.get(&link) {
                        let peer = peer.node;
                        let notice = Notice::Missed { peer, misses };
                        self.actions.push(Action::Notice(notice));
                    }
                }
                liveness::Fact::Suspect { link } => {
                    if let Some(peer) = self.peers.get(&link) {
                        let peer = peer.node;
                        self.actions
                            .push(Action::Notice(Notice::Suspected { peer }));
                    }
                    let facts = self.membership.suspect(link, now);
                    self.carry_membership(facts, now);
                    let facts = self.broadcast.suspect(link);
                    self.carry_broadcast(facts, now);
                }
                liveness::Fact::Alive { link } => {
                    self.membership.alive(link, now);
                }
                liveness::Fact::Dead { link } => self.close(link, CloseReason::Dead),
            }
        }
    }

    pub(super) fn carry_broadcast(&mut self, facts: Vec<broadcast::Fact>, now: Now) {
        for fact in facts {
            match fact {
                broadcast::Fact::Push(push) => {
                    self.metrics.pushed = self.metrics.pushed.saturating_add(1);
                    let facts = self.outbox.push(push, now.mono);
                    self.carry_outbox(facts, now);
                }
                broadcast::Fact::Send { link, frame } => {
                    if let Frame::Iwant { ids } | Frame::Graft { ids, .. } = &frame {
                        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
                        self.metrics.requested = self.metrics.requested.saturating_add(count);
                    }
                    self.send(link, &frame, now);
                }
                broadcast::Fact::Load { id } => self.actions.push(Action::Load { id }),
                broadcast::Fact::BrokenPromise { .. } => {
                    self.metrics.broken_promises = self.metrics.broken_promises.saturating_add(1);
                }
                broadcast::Fact::Spread { id, neighbours } => {
                    self.actions
                        .push(Action::Notice(Notice::Spread { id, neighbours }));
                }
            }
        }
    }

    pub(super) fn carry_reconcile(&mut self, facts: Vec<reconcile::Fact>, now: Now) {
        for fact in facts {
            match fact {
                reconcile::Fact::Send { link, frame } => self.send(link, &frame, now),
                reconcile::Fact::Want { link, ids } => {
                    let missing: Vec<_> = ids
                        .into_iter()
                        .filter(|id| !self.intake.is_busy_with(id, now))
                        .collect();
                    self.broadcast.want(link, &missing, now.mono);
                }
                reconcile::Fact::Offer { link, ids } => {
                    self.broadcast.offer(link, &ids, now.mono);
                }
                reconcile::Fact::Agreed { .. } => {}
                reconcile::Fact::Misbehaved { link, how } => {
                    self.misbehaved(link, &how.to_string(), now);
                }
            }
        }
    }

    pub(super) fn carry_inventory(&mut self, facts: Vec<inventory::Fact>, now: Now) {
        for fact in facts {
            let persist = match fact {
                inventory::Fact::Crowded(is_crowded) => {
                    self.floor.crowd(is_crowded);
                    continue;
                }
                inventory::Fact::Evict { id } => {
                    self.metrics.dropped("evicted");
                    let facts = self.large.forget(&id, now.mono);
                    self.carry_large(facts, now);
                    Persist::Evict { id }
                }
                inventory::Fact::Purge { ids } => {
                    self.broadcast.forget(ids.iter().map(|(id, _)| id.short()));
                    for (id, _) in &ids {
                        let facts = self.large.forget(id, now.mono);
                        self.carry_large(facts, now);
                    }
                    Persist::Purge { ids }
                }
                inventory::Fact::Horizon(wall) => Persist::Horizon(wall),
            };
            self.actions.push(Action::Persist(persist));
        }
    }

    pub(super) fn carry_outbox(&mut self, facts: impl IntoIterator<Item = outbox::Fact>, now: Now) {
        for fact in facts {
            match fact {
                outbox::Fact::Send { link, class, frame } => {
                    if self.peers.get(&link).is_some_and(super::Peer::is_open) {
                        self.actions.push(Action::Send { link, class, frame });
                    }
                }
                outbox::Fact::Dropped { link, id, root_tag } => {
                    self.metrics.dropped("queue_full");
                    self.broadcast.not_pushed(link, id, root_tag, now.mono);
                }
                outbox::Fact::Slow { link, is_slow } => self.broadcast.slow(link, is_slow),
                outbox::Fact::BulkSent { link } => {
                    let facts = self.large.sent(link, now.mono);
                    self.carry_large(facts, now);
                }
                outbox::Fact::Overflow { link } => self.close(link, CloseReason::Slow),
            }
        }
    }
}
