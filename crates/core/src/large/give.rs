//! The side that is asked: who is given what, and in which order.
//!
//! What a neighbour wants waits in its queue until the chunk is here and the link has room; a few chunks are in
//! hand for each link, the others stay in the store. A content goes to few neighbours at a time, so that each
//! gets it quickly and gives it on; who was let down by another is given to all the same.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Bitmap, Fact, File, Large, Neighbour, Piece};
use crate::id::{BulletinId, LinkId, ShortId};
use crate::limits;
use crate::time::Mono;
use crate::wire::Frame;

/// A place is free again when nothing was asked or given for so long.
const IDLE: Duration = Duration::from_secs(1);
/// Contents of which is remembered what a link was given.
const GIVEN_MAX: usize = 64;
/// What a link was given it is given again after this time.
const GIVEN_AGAIN: Duration = Duration::from_mins(1);
/// Neighbours that are told when a place is free.
const REFUSED_MAX: usize = 64;

/// What one link is given.
#[derive(Debug, Clone, Default)]
pub(super) struct Giving {
    queue: VecDeque<(ShortId, u32)>,
    in_hand: usize,
    given: BTreeMap<ShortId, (Mono, Bitmap)>,
}

impl Giving {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Takes the first thing that `is_here`.
    fn next(&mut self, is_here: impl Fn(&ShortId, u32) -> bool) -> Option<(ShortId, u32)> {
        let at = self
            .queue
            .iter()
            .position(|(id, index)| is_here(id, *index))?;
        self.queue.remove(at)
    }

    /// Queues a chunk, unless it waits or was given already. Whether it did.
    fn want(&mut self, id: ShortId, index: u32, chunks: u32, now: Mono) -> bool {
        let (since, given) = self
            .given
            .entry(id)
            .or_insert_with(|| (now, Bitmap::none(chunks)));
        if now.since(*since) > GIVEN_AGAIN {
            (*since, *given) = (now, Bitmap::none(chunks));
        }
        if self.queue.len() >= limits::CHUNKS_QUEUED_MAX || !given.set(index) {
            return false;
        }
        self.queue.push_back((id, index));
        if self.given.len() > GIVEN_MAX {
            let oldest = self.given.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.given.remove(&oldest);
            }
        }
        true
    }

    /// Whether anything of a content waits that is not here: who waits for us brings us nothing.
    pub(super) fn waits_for(&self, id: &ShortId, have: &Bitmap) -> bool {
        let waits = |(other, index): &(ShortId, u32)| other == id && !have.has(*index);
        self.queue.iter().any(waits)
    }
}

/// Whom a content is given to.
#[derive(Debug, Clone, Default)]
pub(super) struct Children {
    /// Each with the moment it asked or was given something last.
    places: Vec<(LinkId, Mono)>,
    max: usize,
    /// Who found no place.
    refused: Vec<LinkId>,
}

impl Children {
    pub(super) const fn is_empty(&self) -> bool {
        self.places.is_empty() && self.refused.is_empty()
    }

    /// Whether `link` has a place, or there is one free.
    pub(super) fn admits(&self, link: LinkId) -> bool {
        // Before anybody was given a place none can be taken.
        self.places.is_empty()
            || self.places.len() < self.max
            || self.places.iter().any(|(other, _)| *other == link)
    }

    /// Gives `link` a place, when there is one; who was given nothing lately makes room.
    fn enter(&mut self, link: LinkId, max: usize, now: Mono) -> bool {
        self.max = max;
        if self.touch(link, now) {
            return true;
        }
        self.places.retain(|(_, at)| now.since(*at) <= IDLE);
        if self.places.len() < max {
            self.places.push((link, now));
            self.refused.retain(|other| *other != link);
            return true;
        }
        if self.refused.len() < REFUSED_MAX && !self.refused.contains(&link) {
            self.refused.push(link);
        }
        false
    }

    /// Notes that `link` was given something; whether it has a place.
    fn touch(&mut self, link: LinkId, now: Mono) -> bool {
        let place = self.places.iter_mut().find(|(other, _)| *other == link);
        place.map(|(_, at)| *at = now).is_some()
    }

    /// Takes the place of `link` back. Those who are to be told that one is free.
    fn leave(&mut self, link: LinkId) -> Vec<LinkId> {
        let before = self.places.len();
        self.places.retain(|(other, _)| *other != link);
        self.refused.retain(|other| *other != link);
        if self.places.len() < before {
            std::mem::take(&mut self.refused)
        } else {
            Vec::new()
        }
    }
}

impl File {
    /// Takes the place of `link` back, and tells those who wait for one.
    pub(super) fn leave(&mut self, link: LinkId) -> Vec<Fact> {
        let refused = self.children.leave(link);
        let told = refused
            .into_iter()
            .map(|other| self.have_fact(other, false));
        told.collect()
    }
}

impl Large {
    /// Takes a WANT of `link`.
    pub fn on_want(
        &mut self,
        link: LinkId,
        id: ShortId,
        urgent: bool,
        chunks: &[u32],
        now: Mono,
    ) -> Vec<Fact> {
        let Some(neighbour) = self.links.get_mut(&link) else {
            return Vec::new();
        };
        let Some(file) = self.files.get_mut(&id) else {
            let frame = Frame::HaveChunks {
                id,
                busy: true,
                seeking: false,
                bitmap: bytes::Bytes::new(),
            };
            return vec![Fact::Send { link, frame }];
        };
        let all = file.manifest.chunks();
        if chunks.iter().any(|index| *index >= all) {
            let how = "asked for a chunk that does not exist";
            return vec![Fact::Misbehaved { link, how }];
        }
        if !urgent {
            let max = self.config.children_max;
            if !file.children.enter(link, max, now) {
                return vec![file.have_fact(link, false)];
            }
        }
        for index in chunks {
            // An urgent request is for what is here: nobody waits for it a second time.
            if !urgent || file.have.has(*index) {
                neighbour.giving.want(id, *index, all, now);
            }
        }
        self.pump(link, None, now)
    }

    /// Puts what `link` waits for in hand, as far as there is room; `fresh` has come just now.
    pub(super) fn pump(
        &mut self,
        link: LinkId,
        fresh: Option<(ShortId, u32, &Piece)>,
        now: Mono,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Self {
            links,
            files,
            loading,
            ..
        } = self;
        let Some(Neighbour { giving, .. }) = links.get_mut(&link) else {
            return facts;
        };
        giving.queue.retain(|(id, _)| files.contains_key(id));
        let is_here = |id: &ShortId, index| files.get(id).is_some_and(|file| file.have.has(index));
        let mut next = Vec::new();
        while giving.in_hand < limits::CHUNKS_IN_HAND_MAX
            && let Some(wanted) = giving.next(is_here)
        {
            giving.in_hand = giving.in_hand.saturating_add(1);
            next.push(wanted);
        }
        for (id, index) in next {
            let Some(file) = files.get_mut(&id) else {
                continue;
            };
            file.children.touch(link, now);
            match fresh {
                Some((fresh_id, fresh_index, piece)) if (fresh_id, fresh_index) == (id, index) => {
                    facts.push(give(link, id, index, piece.clone()));
                }
                _ => {
                    let waiters = loading.entry((id, index)).or_default();
                    if waiters.is_empty() {
                        let id = file.id;
                        facts.push(Fact::Load { id, index });
                    }
                    waiters.push(link);
                }
            }
        }
        facts
    }

    /// Takes a chunk that the store was asked for; none when it is not there. It is checked once more: disks
    /// err, and nobody else is to pay for it.
    pub fn loaded(
        &mut self,
        id: &BulletinId,
        index: u32,
        piece: Option<Piece>,
        now: Mono,
    ) -> Vec<Fact> {
        let short = id.short();
        let links = self.loading.remove(&(short, index)).unwrap_or_default();
        let manifest = self.files.get(&short).map(|file| file.manifest);
        let good =
            manifest.and_then(|manifest| piece.filter(|piece| piece.holds(&manifest, index)));
        if let Some(piece) = good {
            let give = |link: &LinkId| give(*link, short, index, piece.clone());
            return links.iter().map(give).collect();
        }
        let mut facts = self.lost(&short, index, now);
        for link in links {
            facts.extend(self.sent(link, now));
        }
        facts
    }

    /// Notes that a chunk in hand has gone to `link`.
    pub fn sent(&mut self, link: LinkId, now: Mono) -> Vec<Fact> {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.giving.in_hand = neighbour.giving.in_hand.saturating_sub(1);
        }
        self.pump(link, None, now)
    }

    /// Fetches again a chunk that the store has lost.
    fn lost(&mut self, id: &ShortId, index: u32, now: Mono) -> Vec<Fact> {
        let Some(file) = self.files.get_mut(id) else {
            return Vec::new();
        };
        let was_whole = file.have.is_full();
        file.have.clear(index);
        if was_whole && !file.have.is_full() {
            self.waiting.push_back(*id);
        }
        self.go_on(now)
    }
}

fn give(link: LinkId, id: ShortId, index: u32, piece: Piece) -> Fact {
    let frame = Frame::Chunk { id, index, piece }.encode();
    Fact::Give { link, frame }
}
