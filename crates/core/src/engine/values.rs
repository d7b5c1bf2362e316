//! Named values and lookups: which version counts, and who is asked for what is not held.

use super::Engine;
use crate::broadcast::Push;
use crate::bulletin::Bulletin;
use crate::event::{Action, Notice, Persist, Refusal};
use crate::id::{BulletinId, LinkId};
use crate::intake::Verified;
use crate::large::Manifest;
use crate::lookups::{Fact, Question, Target};
use crate::time::Now;
use crate::values::{Ruling, Version};
use crate::wire::{Frame, encode_pub, encode_to_bytes};

impl Engine {
    // Which version counts.

    /// Whether a later version stands in the place of this bulletin.
    pub(super) fn is_superseded(&self, bulletin: &Bulletin) -> bool {
        Version::of(&bulletin.header)
            .is_some_and(|version| self.values.judge(&version, bulletin.id()) == Ruling::Superseded)
    }

    /// Whether a version made here is later than every one known.
    pub(super) fn check_version(&self, bulletin: &Bulletin) -> Result<(), Refusal> {
        let head = Version::of(&bulletin.header).and_then(|version| self.values.head(&version.key));
        match head {
            Some(head) if head.seq >= bulletin.header.seq => {
                Err(Refusal::Superseded { seq: head.seq })
            }
            _ => Ok(()),
        }
    }

    /// Takes note of a version that is held from now on, and drops those it stands for.
    pub(super) fn note_version(&mut self, bulletin: &Bulletin, now: Now) {
        let Some(version) = Version::of(&bulletin.header) else {
            return;
        };
        let (id, expires) = (*bulletin.id(), bulletin.header.expires());
        let dropped = self.values.insert(&version, id, expires, true);
        self.drop_versions(dropped, id, now);
    }

    /// Drops versions for which `by` stands.
    pub(super) fn drop_versions(&mut self, dropped: Vec<BulletinId>, by: BulletinId, now: Now) {
        for id in dropped {
            if self.inventory.drop_held(&id.short()) {
                let facts = self.large.forget(&id, now.mono);
                self.carry_large(facts, now);
                self.actions.push(Action::Persist(Persist::Evict { id }));
            }
            self.actions
                .push(Action::Notice(Notice::Superseded { id, by }));
        }
    }

    // What is not held here.

    /// Links whose nodes may be asked.
    pub(super) fn askable(&self) -> Vec<LinkId> {
        self.peers
            .iter()
            .filter(|(_, peer)| peer.is_established && peer.is_open())
            .map(|(link, _)| *link)
            .collect()
    }

    pub(super) fn on_look_up(&mut self, number: u64, target: Target, now: Now) {
        let links = self.askable();
        let facts = self.lookups.begin(number, target, &links, now.mono);
        self.carry_lookups(facts, None, now);
    }

    pub(super) fn on_lookup_frame(&mut self, link: LinkId, frame: &Frame, now: Now) {
        let links = self.askable();
        let facts = match *frame {
            Frame::Lookup {
                lookup,
                hops,
                budget,
                target,
            } => {
                if let Some(id) = self.held(&target) {
                    let facts = self.broadcast.serve_anew(link, id, now.mono);
                    self.carry_broadcast(facts, now);
                    return;
                }
                let question = Question {
                    lookup,
                    hops,
                    budget,
                    target,
                };
                self.lookups.asked(link, question, &links, now.mono)
            }
            Frame::LookupDone { lookup } => self.lookups.done(link, lookup, &links, now.mono),
            _ => Vec::new(),
        };
        self.carry_lookups(facts, None, now);
    }

    /// The bulletin that answers `target`, where its body is held.
    fn held(&self, target: &Target) -> Option<BulletinId> {
        let id = match target {
            Target::Id(id) => *id,
            Target::Value(key) => self.values.head(key)?.id,
        };
        let seen = self.inventory.knows(&id.short())?;
        (seen.id == id && seen.is_held()).then_some(id)
    }

    /// Whether a lookup is under way for this bulletin.
    pub(super) fn is_looked_for(&self, bulletin: &Bulletin) -> bool {
        let value = || Version::of(&bulletin.header).map(|version| version.key);
        !self.lookups.is_empty() && self.lookups.wants(bulletin.id(), value().as_ref())
    }

    /// Hands a bulletin that passed every check to whoever looks for it.
    pub(super) fn answer_lookups(&mut self, bulletin: &Bulletin, now: Now) {
        if self.lookups.is_empty() {
            return;
        }
        let value = Version::of(&bulletin.header).map(|version| version.key);
        let facts = self.lookups.found(bulletin.id(), value.as_ref());
        self.carry_lookups(facts, Some(bulletin), now);
    }

    /// Keeps a bulletin that was known, and dropped or damaged here, because somebody looks for it.
    pub(super) fn found_again(&mut self, bulletin: Verified<Bulletin>, now: Now) {
        let bulletin = bulletin.into_inner();
        self.broadcast.landed(&bulletin.id().short());
        if self.is_superseded(&bulletin) {
            return;
        }
        self.answer_lookups(&bulletin, now);
        if self.validated.contains_key(&bulletin.header.topic) {
            // It may be what the validator did not accept.
            return;
        }
        let (id, manifest) = (*bulletin.id(), Manifest::of(&bulletin));
        let facts = self.inventory.revive(&bulletin);
        self.actions.push(Action::Keep {
            encoded: encode_to_bytes(&bulletin),
            bulletin: Box::new(bulletin),
        });
        self.carry_inventory(facts, now);
        if let Some(manifest) = manifest {
            self.fetch(id, manifest, None, now);
        }
    }

    pub(super) fn carry_lookups(&mut self, facts: Vec<Fact>, found: Option<&Bulletin>, now: Now) {
        for fact in facts {
            match (fact, found) {
                (Fact::Send { link, frame }, _) => self.send(link, &frame, now),
                (Fact::Pass { link }, Some(bulletin)) => self.pass_on(link, bulletin, now),
                (Fact::Found { number }, found) => self.looked_up(number, found.cloned()),
                (Fact::Missing { number }, _) => self.looked_up(number, None),
                (Fact::Pass { .. }, None) => {}
            }
        }
    }

    fn looked_up(&mut self, number: u64, bulletin: Option<Bulletin>) {
        self.actions.push(Action::Notice(Notice::LookedUp {
            number,
            bulletin: bulletin.map(Box::new),
        }));
    }

    /// Sends a bulletin back the way the question for it came.
    fn pass_on(&mut self, link: LinkId, bulletin: &Bulletin, now: Now) {
        let push = Push {
            link,
            id: bulletin.id().short(),
            root_tag: 0,
            density: bulletin.density(),
            own: false,
            frame: encode_pub(0, 1, bulletin),
        };
        let facts = self.outbox.push(push, now.mono);
        self.carry_outbox(facts, now);
    }
}
