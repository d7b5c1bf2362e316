//! A link and its sessions: how each begins, what it found, where it goes on.

use std::collections::BTreeSet;

use negentropy::Id;

use super::budget::Budget;
use super::config::Config;
use super::fact::Fact;
use super::session::Step;
use super::snapshot::created;
use super::topics::Topics;
use crate::id::{BulletinId, LinkId, ShortId};
use crate::inventory::{Inventory, Seen};
use crate::limits;
use crate::link::Direction;
use crate::time::{Mono, Wall};

/// Which part of the set a session is about.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) created_until: Wall,
    pub(super) expiry_cutoff: Wall,
    pub(super) topics: Topics,
}

/// A session we opened.
#[derive(Debug, Clone)]
pub(super) struct Ours {
    pub(super) session: u32,
    pub(super) scope: Scope,
    /// Whether it goes on where another stopped.
    pub(super) resumed: bool,
    /// Whether it takes in everything up to now.
    pub(super) fresh: bool,
    pub(super) rounds: u32,
    pub(super) last: Mono,
    /// All that was created after this is settled.
    pub(super) position: Wall,
    /// What was created at or before this was left unread.
    pub(super) unread: Option<Wall>,
    pub(super) offers_left: usize,
    pub(super) differs: bool,
}

/// A session the peer opened.
#[derive(Debug, Clone)]
pub(super) struct Theirs {
    pub(super) session: u32,
    pub(super) scope: Scope,
    pub(super) rounds: u32,
    pub(super) last: Mono,
}

/// A session to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) at: Mono,
    pub(super) fresh: bool,
}

/// A link and the sessions on it.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) direction: Direction,
    pub(super) opened: u32,
    pub(super) due: Option<Due>,
    pub(super) ours: Option<Ours>,
    pub(super) theirs: Option<Theirs>,
    /// Where the last session stopped.
    pub(super) resume: Option<Wall>,
    /// Sessions since the last one that was complete.
    pub(super) cut: u32,
    /// When our digests were last seen to be equal.
    pub(super) agreed: Option<Mono>,
    /// What the peer said it has dropped: known to it, not to be had from it.
    pub(super) dropped: BTreeSet<ShortId>,
    /// Whether the peer compares some topics alone: it gets no session of ours over everything.
    pub(super) is_choosy: bool,
    pub(super) opens: Budget,
    pub(super) visits: Budget,
}

impl Link {
    /// Whether `session` is a number of ours.
    pub(super) fn is_ours(&self, session: u32) -> bool {
        let even = session & 1 == 0;
        even == (self.direction == Direction::Out)
    }

    /// The next number of ours.
    pub(super) fn number(&mut self) -> u32 {
        let side = u32::from(self.direction == Direction::In);
        let number = self.opened.wrapping_mul(2) | side;
        self.opened = self.opened.wrapping_add(1);
        number
    }
}

impl Link {
    /// What a step tells of the differences, filtered by what we know by now.
    pub(super) fn differences(
        &self,
        link: LinkId,
        ours: &mut Ours,
        step: &Step,
        inventory: &Inventory,
    ) -> Vec<Fact> {
        ours.differs |= !step.have.is_empty() || !step.need.is_empty();
        ours.offers_left = ours.offers_left.saturating_sub(step.have.len());
        ours.unread = ours.unread.max(step.cut.map(created));
        let wanted: Vec<ShortId> = step
            .need
            .iter()
            .map(short)
            .filter(|id| inventory.knows(id).is_none() && !self.dropped.contains(id))
            .collect();
        let offered: Vec<ShortId> = step
            .have
            .iter()
            .map(short)
            .filter(|id| inventory.knows(id).is_some_and(Seen::is_held))
            .collect();
        let want = Fact::Want { link, ids: wanted };
        let offer = Fact::Offer { link, ids: offered };
        [want, offer]
            .into_iter()
            .filter(|fact| {
                !matches!(fact, Fact::Want { ids, .. } | Fact::Offer { ids, .. } if ids.is_empty())
            })
            .collect()
    }

    /// Ends a session of ours that has nothing left to ask.
    pub(super) fn complete(
        &mut self,
        link: LinkId,
        ours: &Ours,
        config: &Config,
        now: Mono,
    ) -> Option<Fact> {
        if let Some(unread) = ours.unread {
            self.go_on_at(unread, ours, config, now);
            return None;
        }
        self.resume = None;
        self.cut = 0;
        (!ours.differs && !ours.resumed).then_some(Fact::Agreed { link })
    }

    /// Ends a session of ours that has used up its rounds; another goes on after a pause.
    pub(super) fn go_on(&mut self, ours: &Ours, config: &Config, now: Mono) {
        let position = ours
            .unread
            .map_or(ours.position, |unread| unread.max(ours.position));
        self.go_on_at(position, ours, config, now);
    }

    /// Goes on at `position` after a pause. One that got nowhere begins again with the newest, at the
    /// next periodic session: by then what it found is fetched. A peer whose differences never end
    /// gets a session an interval.
    fn go_on_at(&mut self, position: Wall, ours: &Ours, config: &Config, now: Mono) {
        if position >= ours.scope.created_until {
            self.resume = None;
            return;
        }
        self.resume = Some(position);
        self.cut = self.cut.saturating_add(1);
        let wait = if self.cut > limits::SYNC_CUT_MAX {
            config.interval
        } else {
            config.pause
        };
        self.due.get_or_insert(Due {
            at: now.plus(wait),
            fresh: ours.fresh,
        });
    }

    /// Remembers how far a session of ours got that the peer no longer answers.
    pub(super) fn stop(&mut self, ours: &Ours) {
        let position = ours
            .unread
            .map_or(ours.position, |unread| unread.max(ours.position));
        let progress = position < ours.scope.created_until;
        self.resume = (progress || ours.resumed).then_some(position);
    }
}

fn short(id: &Id) -> ShortId {
    BulletinId::from_bytes(*id.as_bytes()).short()
}
