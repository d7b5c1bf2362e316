//! Bulletins that somebody brings in a file: checked like those of neighbours, and announced, not
//! pushed, like those that reconciliation finds. They were published once, by somebody else.

use super::Engine;
use crate::bulletin::Bulletin;
use crate::event::{Action, Notice, Published, Refusal};
use crate::id::BulletinId;
use crate::intake::{Arrived, Intake, Verified};
use crate::inventory::Status;
use crate::large::Manifest;
use crate::time::Now;

impl Engine {
    pub(super) fn on_import(&mut self, bulletin: Bulletin, now: Now) {
        let id = *bulletin.id();
        let short = id.short();
        let seen = self.inventory.knows(&short);
        let is_held = seen.is_some_and(|seen| seen.status == Status::Held);
        if is_held || self.intake.is_in_work(&short) {
            self.imported(id, Published::Known);
            return;
        }
        let checked = Intake::check_time(&bulletin, now.wall)
            .and_then(|()| self.inventory.admits(bulletin.header.expires()))
            .and_then(|()| self.intake.check_work(&bulletin))
            .and_then(|()| self.intake.begin(bulletin, None));
        match checked {
            Ok(job) => {
                // One for each job under way: bounded as they are.
                self.importing.insert(id);
                self.verify(Some(job));
            }
            Err(refusal) => self.imported(id, Published::Refused(refusal)),
        }
    }

    /// Whether what was checked, made or brought here, is brought.
    pub(super) fn is_import(&mut self, id: &BulletinId) -> bool {
        self.importing.remove(id)
    }

    /// Takes a bulletin that was brought and passed every check; one that was dropped before is kept
    /// again, and not delivered.
    pub(super) fn on_good_import(&mut self, bulletin: Verified<Bulletin>, now: Now) {
        let id = *bulletin.get().id();
        if self.inventory.knows(&id.short()).is_some() {
            self.found_again(bulletin, now);
            self.imported(id, Published::Known);
            return;
        }
        let Some(timeout) = self.validated.get(&bulletin.get().header.topic).copied() else {
            self.accept_import(bulletin, now);
            return;
        };
        let ask = Action::AskValidator {
            bulletin: Box::new(bulletin.get().clone()),
            from: None,
            hops: 0,
        };
        if self
            .intake
            .judge(bulletin, Vec::new(), now.mono.plus(timeout))
        {
            self.actions.push(ask);
            // What the validator says later is between the two of them.
            self.imported(id, Published::Queued);
        } else {
            self.metrics.dropped("validator_busy");
            self.imported(id, Published::Refused(Refusal::Busy));
        }
    }

    /// Takes note that what was brought is bad. Neighbours that sent a copy meanwhile may have a good one.
    pub(super) fn bad_import(&mut self, arrived: &Arrived, now: Now) {
        let id = *arrived.bulletin.id();
        for copy in &arrived.copies {
            self.broadcast.want(copy.link, &[id.short()], now.mono);
        }
        self.imported(id, Published::Refused(Refusal::Signature));
    }

    /// Delivers, announces and keeps a bulletin that was brought.
    pub(super) fn accept_import(&mut self, bulletin: Verified<Bulletin>, now: Now) {
        let id = *bulletin.get().id();
        if self.is_superseded(bulletin.get()) {
            self.metrics.dropped("superseded");
            self.forgo_superseded(bulletin.get(), now);
            self.imported(id, Published::Known);
            return;
        }
        let (facts, encoded, neighbours) = self.broadcast.imported(&bulletin, now.mono);
        self.carry_broadcast(facts, now);
        let manifest = Manifest::of(bulletin.get());
        self.keep(bulletin, encoded, None, 0, now);
        if let Some(manifest) = manifest {
            self.fetch(id, manifest, None, now);
        }
        self.imported(id, Published::Accepted { neighbours });
    }

    pub(super) fn imported(&mut self, id: BulletinId, result: Published) {
        self.actions
            .push(Action::Notice(Notice::Imported { id, result }));
    }
}
