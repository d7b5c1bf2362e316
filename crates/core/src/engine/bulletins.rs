//! The way of a bulletin: arrival or publication, checks, judgement, spreading, keeping.

use std::time::Duration;

use bytes::Bytes;

use super::{Engine, conduct};
use crate::broadcast::Copy;
use crate::bulletin::Bulletin;
use crate::event::{Action, Check, JobId, Notice, Persist, Published, Refusal, Verdict};
use crate::id::{BulletinId, LinkId, NodeId, ShortId, TopicId};
use crate::intake::{Finished, Intake, Verified};
use crate::inventory::Status;
use crate::large::Manifest;
use crate::limits;
use crate::time::{Now, Wall};
use crate::values::Version;
use crate::wire::{Frame, IhaveEntry};
use crate::work::Stamp;

impl Engine {
    /// Before a bulletin is asked for again that could not be checked for want of room.
    const BUSY_PAUSE: Duration = Duration::from_millis(500);
    /// What comes earlier before its time is not waited for: somebody's clock is wrong.
    const EARLY_MAX: Duration = Duration::from_mins(5);
    /// Clocks are told in milliseconds.
    const CLOCK_GRAIN: Duration = Duration::from_millis(1);

    // Arrival.

    pub(super) fn on_pub(
        &mut self,
        link: LinkId,
        root_tag: u64,
        hops: u8,
        bulletin: Bulletin,
        now: Now,
    ) {
        let copy = Copy {
            link,
            root_tag,
            hops,
            at: now.mono,
        };
        let short = bulletin.id().short();
        if let Err(refusal) = Intake::check_time(&bulletin, now.wall) {
            self.refused(link, &short, refusal, now);
            return;
        }
        let is_known = self.inventory.knows(&short).is_some();
        if is_known && (!self.is_looked_for(&bulletin) || self.is_superseded(&bulletin)) {
            self.metrics.duplicates = self.metrics.duplicates.saturating_add(1);
            if self.broadcast.is_repeated(link, &short) && !self.charge(link, conduct::REPEAT, now)
            {
                return;
            }
            self.broadcast.landed(&short);
            let facts = self.broadcast.duplicate(copy, &short, now.mono);
            self.carry_broadcast(facts, now);
            return;
        }
        if self.intake.another_copy(&short, copy) {
            self.metrics.duplicates = self.metrics.duplicates.saturating_add(1);
            return;
        }
        let gist = Gist::of(&bulletin);
        let checked = self
            .inventory
            .admits(gist.expires)
            .and_then(|()| self.intake.check_work(&bulletin));
        if let Err(refusal) = checked {
            self.refused(link, &short, refusal, now);
            return;
        }
        match self.intake.begin(bulletin, Some(copy)) {
            Ok(job) => self.verify(Some(job)),
            Err(refusal) => {
                if refusal == Refusal::Muted {
                    self.forgo(gist, now);
                }
                self.refused(link, &short, refusal, now);
            }
        }
    }

    /// Counts a refusal; blames the sender for what it must have known.
    fn refused(&mut self, link: LinkId, id: &ShortId, refusal: Refusal, now: Now) {
        match refusal {
            // Full for longer than a moment: reconciliation brings it when there is room.
            Refusal::Busy if self.inventory.is_full() => self.broadcast.landed(id),
            Refusal::Busy => self
                .broadcast
                .want_again(link, *id, now.mono, Self::BUSY_PAUSE),
            Refusal::Future(ahead_ms) => self.too_early(link, *id, ahead_ms, now),
            _ => self.broadcast.landed(id),
        }
        self.metrics.dropped(refusal_word(refusal));
        if matches!(
            refusal,
            Refusal::Shape | Refusal::Price { .. } | Refusal::Work
        ) {
            self.misbehaved(link, &format!("sent a bad bulletin: {refusal}"), now);
        }
    }

    /// Asks again, of the same neighbour alone, when the time of a bulletin comes, if that is soon.
    fn too_early(&mut self, link: LinkId, id: ShortId, ahead_ms: u64, now: Now) {
        let ahead = Duration::from_millis(ahead_ms);
        let early = ahead
            .saturating_sub(limits::FUTURE_MAX)
            .saturating_add(Self::CLOCK_GRAIN);
        self.broadcast.landed(&id);
        if early <= Self::EARLY_MAX {
            self.broadcast.want_later(link, id, early, now.mono);
        }
        self.intake.note_early(id, early, now);
    }

    pub(super) fn verify(&mut self, job: Option<(JobId, Check)>) {
        if let Some((job, check)) = job {
            self.metrics.checks = self.metrics.checks.saturating_add(1);
            let check = Box::new(check);
            self.actions.push(Action::Verify { job, check });
        }
    }

    pub(super) fn on_verified(&mut self, job: JobId, good: bool, now: Now) {
        match self.intake.finish(job, good) {
            None => {}
            Some(Finished::Bulletin(bulletin, copies)) => self.on_good(bulletin, copies, now),
            Some(Finished::BadBulletin(arrived)) => {
                let id = arrived.bulletin.id().short();
                if self.is_import(arrived.bulletin.id()) {
                    self.bad_import(&arrived, now);
                    return;
                }
                let mut copies = arrived.copies.into_iter();
                match copies.next() {
                    None => self.published(*arrived.bulletin.id(), Refusal::Signature),
                    Some(first) => {
                        self.metrics.dropped(refusal_word(Refusal::Signature));
                        self.misbehaved(first.link, "sent a bulletin with a bad signature", now);
                        for other in copies {
                            self.broadcast.want(other.link, &[id], now.mono);
                        }
                    }
                }
            }
            Some(Finished::Record(link, record)) => self.on_good_record(link, record, now),
            Some(Finished::Beacon(link, beacon)) => {
                let facts = self.membership.beacon_verified(link, beacon, now);
                self.carry_membership(facts, now);
            }
            Some(Finished::Forged(link)) => self.misbehaved(link, "sent a forged record", now),
        }
    }

    fn on_good(&mut self, bulletin: Verified<Bulletin>, copies: Vec<Copy>, now: Now) {
        let is_import = self.is_import(bulletin.get().id());
        let Some(first) = copies.first() else {
            if is_import {
                self.on_good_import(bulletin, now);
            } else {
                self.publish(bulletin, now);
            }
            return;
        };
        if is_import {
            // A neighbour's copy came while it was checked.
            self.imported(*bulletin.get().id(), Published::Known);
        }
        if self.inventory.knows(&bulletin.get().id().short()).is_some() {
            self.found_again(bulletin, now);
            return;
        }
        let Some(timeout) = self.validated.get(&bulletin.get().header.topic).copied() else {
            self.accept(bulletin, &copies, now);
            return;
        };
        let ask = Action::AskValidator {
            bulletin: Box::new(bulletin.get().clone()),
            from: self.peers.get(&first.link).map(|peer| peer.node),
            hops: first.hops.saturating_add(1),
        };
        let gist = Gist::of(bulletin.get());
        if self.intake.judge(bulletin, copies, now.mono.plus(timeout)) {
            self.actions.push(ask);
        } else {
            self.metrics.dropped("validator_busy");
            self.forgo(gist, now);
        }
    }

    pub(super) fn on_verdict(&mut self, id: &BulletinId, verdict: Verdict, now: Now) {
        let Some((bulletin, copies)) = self.intake.verdict(id, verdict, now) else {
            return;
        };
        match verdict {
            Verdict::Accept => self.accept(bulletin, &copies, now),
            Verdict::Reject | Verdict::Ignore => {
                let word = if verdict == Verdict::Reject {
                    "rejected"
                } else {
                    "ignored"
                };
                self.metrics.dropped(word);
                self.forgo(Gist::of(bulletin.get()), now);
            }
        }
    }

    /// Remembers an id without its bulletin, so that nobody is asked for it again.
    fn forgo(&mut self, gist: Gist, now: Now) {
        let Gist {
            id,
            topic,
            created,
            expires,
            version,
        } = gist;
        self.broadcast.landed(&id.short());
        if let Some(version) = &version {
            self.values.insert(version, id, expires, false);
        }
        let facts = self.inventory.insert_dropped(id, &topic, created, expires);
        self.actions.push(Action::Persist(Persist::Seen {
            id,
            created,
            expires,
            version,
        }));
        self.carry_inventory(facts, now);
    }

    pub(super) fn forgo_superseded(&mut self, bulletin: &Bulletin, now: Now) {
        self.forgo(Gist::with_version(bulletin), now);
    }

    /// Delivers, relays and keeps a bulletin that passed every check.
    fn accept(&mut self, bulletin: Verified<Bulletin>, copies: &[Copy], now: Now) {
        let Some((first, others)) = copies.split_first() else {
            self.accept_import(bulletin, now);
            return;
        };
        if self.is_superseded(bulletin.get()) {
            self.metrics.dropped("superseded");
            self.forgo_superseded(bulletin.get(), now);
            return;
        }
        let from = self.peers.get(&first.link).map(|peer| peer.node);
        let (density, ttl) = (bulletin.get().density(), bulletin.get().header.ttl());
        let below_floor = !self.floor.admits(density, ttl);
        self.membership.first_delivery(first.link);
        let (facts, encoded) =
            self.broadcast
                .first(*first, others, &bulletin, below_floor, now.mono);
        self.carry_broadcast(facts, now);
        let manifest = Manifest::of(bulletin.get());
        let id = *bulletin.get().id();
        self.keep(bulletin, encoded, from, first.hops.saturating_add(1), now);
        if let Some(manifest) = manifest {
            self.fetch(id, manifest, Some(first.link), now);
        }
    }

    pub(super) fn keep(
        &mut self,
        bulletin: Verified<Bulletin>,
        encoded: Bytes,
        from: Option<NodeId>,
        hops: u8,
        now: Now,
    ) {
        self.metrics.delivered = self.metrics.delivered.saturating_add(1);
        self.answer_lookups(bulletin.get(), now);
        let facts = self.inventory.insert_held(bulletin.get());
        self.note_version(bulletin.get(), now);
        let bulletin = Box::new(bulletin.into_inner());
        self.actions.push(Action::Deliver {
            bulletin,
            encoded,
            from,
            hops,
        });
        self.carry_inventory(facts, now);
    }

    // Publication.

    pub(super) fn on_publish(&mut self, bulletin: Bulletin, now: Now) {
        let id = *bulletin.id();
        let short = id.short();
        if self.inventory.knows(&short).is_some() || self.intake.is_in_work(&short) {
            let notice = Notice::Published {
                id,
                result: Published::Known,
            };
            self.actions.push(Action::Notice(notice));
            return;
        }
        let checked = Intake::check_time(&bulletin, now.wall)
            .and_then(|()| self.inventory.admits(bulletin.header.expires()))
            .and_then(|()| self.intake.check_work(&bulletin))
            .and_then(|()| self.check_version(&bulletin))
            .and_then(|()| {
                if self.outbox.is_backed_up() {
                    Err(Refusal::Busy)
                } else {
                    Ok(())
                }
            })
            .and_then(|()| self.intake.begin(bulletin, None));
        match checked {
            Ok(job) => self.verify(Some(job)),
            Err(refusal) => self.published(id, refusal),
        }
    }

    fn published(&mut self, id: BulletinId, refusal: Refusal) {
        self.metrics.dropped(refusal_word(refusal));
        let notice = Notice::Published {
            id,
            result: Published::Refused(refusal),
        };
        self.actions.push(Action::Notice(notice));
    }

    fn publish(&mut self, bulletin: Verified<Bulletin>, now: Now) {
        let id = *bulletin.get().id();
        // Another version may have come while this one was being checked.
        if let Err(refusal) = self.check_version(bulletin.get()) {
            self.published(id, refusal);
            return;
        }
        let (facts, encoded, neighbours) = self.broadcast.publish(&bulletin, now.mono);
        self.carry_broadcast(facts, now);
        self.metrics.published = self.metrics.published.saturating_add(1);
        if let Some(manifest) = Manifest::of(bulletin.get()) {
            self.large.published(id, manifest);
        }
        self.note_own(id.short());
        self.keep(bulletin, encoded, None, 0, now);
        let result = match neighbours {
            0 => Published::Queued,
            neighbours => Published::Accepted { neighbours },
        };
        self.actions
            .push(Action::Notice(Notice::Published { id, result }));
    }

    // What neighbours say about bulletins.

    pub(super) fn on_ihave(&mut self, link: LinkId, entries: &[IhaveEntry], now: Now) {
        for entry in entries {
            if self.inventory.knows(&entry.id).is_some() {
                self.broadcast.announced_known(link, &entry.id);
            } else if !self.is_left_out(entry) && !self.intake.is_busy_with(&entry.id, now) {
                self.broadcast.announced_missing(link, *entry, now.mono);
            }
        }
    }

    pub(super) fn on_iwant(&mut self, link: LinkId, ids: &[ShortId], along_tree: bool, now: Now) {
        let (mut held, mut dropped, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            match self.inventory.knows(id).map(|seen| (seen.id, seen.status)) {
                Some((id, Status::Held)) => held.push(id),
                Some((_, Status::Dropped)) => dropped.push(*id),
                None => unknown.push(*id),
            }
        }
        let facts = self.broadcast.serve(link, &held, along_tree, now.mono);
        self.carry_broadcast(facts, now);
        for (dropped, ids) in [(true, dropped), (false, unknown)] {
            for ids in ids.chunks(limits::NACK_MAX) {
                self.send(
                    link,
                    &Frame::Nack {
                        dropped,
                        ids: ids.to_vec(),
                    },
                    now,
                );
            }
        }
    }

    pub(super) fn on_loaded(&mut self, id: &BulletinId, bytes: Option<Bytes>, now: Now) {
        let bulletin = bytes.and_then(|bytes| Bulletin::decode(&bytes, self.network.id()).ok());
        let facts = self.broadcast.loaded(id, bulletin.as_ref());
        self.carry_broadcast(facts, now);
    }

    /// Takes a better stamp for a known bulletin, from a neighbour or from this node's application.
    pub(super) fn on_stamp(
        &mut self,
        from: Option<LinkId>,
        id: BulletinId,
        stamp: Stamp,
        now: Now,
    ) {
        let is_better = self
            .inventory
            .knows(&id.short())
            .is_some_and(|seen| seen.status == Status::Held && stamp.bits > seen.bits);
        if !is_better {
            return;
        }
        if !stamp.verify(&id) {
            if let Some(link) = from {
                self.misbehaved(link, "sent a stamp without its work", now);
            }
            return;
        }
        self.inventory.restamp(&id.short(), stamp.bits);
        self.actions
            .push(Action::Persist(Persist::Restamp { id, stamp }));
        let facts = self.broadcast.restamp(from, id, stamp, now.mono);
        self.carry_broadcast(facts, now);
    }
}

/// What is remembered of a bulletin that is not kept.
#[derive(Debug, Clone, Copy)]
struct Gist {
    id: BulletinId,
    topic: TopicId,
    created: Wall,
    expires: Wall,
    /// None when it must not count: it was refused, and says nothing about its value.
    version: Option<Version>,
}

impl Gist {
    fn of(bulletin: &Bulletin) -> Self {
        Self {
            id: *bulletin.id(),
            topic: bulletin.header.topic,
            created: bulletin.header.created,
            expires: bulletin.header.expires(),
            version: None,
        }
    }

    fn with_version(bulletin: &Bulletin) -> Self {
        Self {
            version: Version::of(&bulletin.header),
            ..Self::of(bulletin)
        }
    }
}

/// The label a refusal is counted under.
fn refusal_word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Shape => "shape",
        Refusal::Expired => "expired",
        Refusal::Future(_) => "future",
        Refusal::Price { .. } => "price",
        Refusal::Work => "work",
        Refusal::Signature => "signature",
        Refusal::Muted => "muted",
        Refusal::Busy => "busy",
        Refusal::Superseded { .. } => "superseded",
    }
}
