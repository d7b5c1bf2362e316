//! Whom to link with next: half the time a sampler's choice, half the time the book's, and diverse.

use std::collections::{BTreeMap, BTreeSet};

use super::Membership;
use super::book::Table;
use super::dial::{DRAWS, Purpose, Seed};
use super::group::{Group, group_of};
use crate::draw;
use crate::id::NodeId;
use crate::time::Now;

/// A book of at most this many entries is searched in full when draws find nobody.
const SMALL_BOOK: usize = 256;

impl Membership {
    /// The next node to link with: half the time a sampler's, half the time the book's; of another
    /// group than our links, and not from an answer that gave half of them, where there is a choice.
    pub(super) fn candidate(&mut self, now: Now) -> Option<NodeId> {
        if self.config.only.is_none() {
            let slots = Slots::of(self);
            if let Some(found) = self
                .drawn(&slots, now)
                .or_else(|| self.searched(&slots, now))
            {
                return Some(found);
            }
        }
        let due = |id: &NodeId, seed: &Seed| seed.retry_at <= now.mono && self.may_dial(id);
        let seeds = self.dials.seeds.iter();
        seeds
            .filter(|(id, seed)| due(id, seed))
            .min_by_key(|(_, seed)| seed.retry_at)
            .map(|(id, _)| *id)
    }

    fn drawn(&mut self, slots: &Slots, now: Now) -> Option<NodeId> {
        let mut second: Option<(u8, NodeId)> = None;
        for turn in 0..DRAWS {
            self.dials.samplers_next = !self.dials.samplers_next;
            let table = if turn & 2 == 0 {
                Table::Tried
            } else {
                Table::New
            };
            let drawn = if self.dials.samplers_next {
                self.samplers.pick(&mut self.rng)
            } else {
                self.book.pick(table, &mut self.rng)
            };
            let Some(id) = drawn.filter(|id| self.is_due(id, now)) else {
                continue;
            };
            match slots.diversity(self, &id) {
                DIVERSE => return Some(id),
                less if second.is_none_or(|(best, _)| less > best) => second = Some((less, id)),
                _ => {}
            }
        }
        // In a large book somebody diverse would have turned up; a small one is searched.
        second
            .filter(|_| self.book.len() > SMALL_BOOK)
            .map(|(_, id)| id)
    }

    fn searched(&mut self, slots: &Slots, now: Now) -> Option<NodeId> {
        if self.book.len() > SMALL_BOOK {
            return None;
        }
        let due = self
            .book
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| self.is_due(id, now));
        let mut ranked: Vec<(u8, NodeId)> =
            due.map(|id| (slots.diversity(self, &id), id)).collect();
        let best = ranked.iter().map(|(diversity, _)| *diversity).max()?;
        ranked.retain(|(diversity, _)| *diversity == best);
        draw::pick(&mut self.rng, &ranked).map(|(_, id)| *id)
    }

    pub(super) fn is_due(&self, id: &NodeId, now: Now) -> bool {
        self.may_dial(id)
            && self
                .book
                .get(id)
                .is_some_and(|entry| entry.retry_at <= now.mono)
    }
}

/// Another group than all links have, and not from an answer that gave half of them.
const DIVERSE: u8 = 3;

/// What the outbound links already have enough of.
struct Slots {
    groups: BTreeSet<Group>,
    sources: BTreeMap<NodeId, usize>,
    per_source: usize,
}

impl Slots {
    fn of(rooms: &Membership) -> Self {
        let mut slots = Self {
            groups: BTreeSet::new(),
            sources: BTreeMap::new(),
            per_source: (rooms.target() / 2).max(1),
        };
        let linked = rooms.links.iter().filter(|(_, link)| link.is_regular_out());
        for (_, link) in linked {
            slots.groups.insert(link.group);
            slots.count_source(rooms, &link.peer);
        }
        for (peer, (purpose, _)) in &rooms.dials.outstanding {
            if matches!(purpose, Purpose::Fill | Purpose::Join) {
                slots.groups.insert(slots.group(rooms, peer));
                slots.count_source(rooms, peer);
            }
        }
        slots
    }

    fn count_source(&mut self, rooms: &Membership, peer: &NodeId) {
        if let Some(entry) = rooms.book.get(peer) {
            let count = self.sources.entry(entry.source).or_default();
            *count = count.saturating_add(1);
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the slots")]
    fn group(&self, rooms: &Membership, peer: &NodeId) -> Group {
        let seed = || {
            rooms
                .dials
                .seeds
                .get(peer)?
                .address
                .addresses
                .first()
                .copied()
        };
        let entry = rooms.book.get(peer).map(|entry| entry.group);
        entry.unwrap_or_else(|| group_of(seed(), peer, rooms.config.private_exempt))
    }

    /// Of another group than all links counts 2, from an answer that gave fewer than half of them 1.
    fn diversity(&self, rooms: &Membership, peer: &NodeId) -> u8 {
        let source = rooms.book.get(peer).map(|entry| entry.source);
        let from_one = source.and_then(|source| self.sources.get(&source)).copied();
        let fresh_group = !self.groups.contains(&self.group(rooms, peer));
        let fresh_source = from_one.unwrap_or(0) < self.per_source;
        u8::from(fresh_group) << 1 | u8::from(fresh_source)
    }
}
