//! Which ids are of which topic: a chain through the slots of each topic.
//!
//! Reconciliation over chosen topics must cost what they hold, not what the table holds. A topic is told
//! apart by 64 bits of a hash keyed with the table's salt, so nobody can make two that look alike. An
//! id whose topic is not known is in no chain: one that was dropped before a restart.
//!
//! Invariant: a slot is in the chain of its tag and in no other, once, until it is taken out.
//!
//! Memory: 16 bytes an id, and about 24 a topic.

use std::collections::BTreeMap;

use super::table::Slot;
use crate::id::TopicId;

/// Links of one piece: they grow by pieces, so that growing copies nothing.
const CHUNK_LEN: usize = 256;
/// No slot.
const NONE: Slot = Slot::MAX;

/// A topic, as it is told apart here; 0 stands for none.
type Tag = u64;

/// The place of a slot in its chain.
#[derive(Debug, Clone, Copy)]
struct Place {
    tag: Tag,
    before: Slot,
    after: Slot,
}

const UNPLACED: Place = Place {
    tag: 0,
    before: NONE,
    after: NONE,
};

/// The chains of all topics.
#[derive(Debug, Clone)]
pub(super) struct Chains {
    salt: u64,
    first: BTreeMap<Tag, Slot>,
    places: Vec<Vec<Place>>,
}

impl Chains {
    /// No chains. Topics are told apart by a hash keyed with `salt`.
    pub(super) const fn new(salt: u64) -> Self {
        Self {
            salt,
            first: BTreeMap::new(),
            places: Vec::new(),
        }
    }

    /// Puts `slot` into the chain of `topic`, unless it is in one.
    pub(super) fn add(&mut self, slot: Slot, topic: &TopicId) {
        if self.place(slot).tag != 0 {
            return;
        }
        let tag = self.tag(topic);
        let after = self.first.insert(tag, slot).unwrap_or(NONE);
        if let Some(after) = self.place_mut(after) {
            after.before = slot;
        }
        self.make_room(slot);
        if let Some(place) = self.place_mut(slot) {
            *place = Place {
                tag,
                before: NONE,
                after,
            };
        }
    }

    /// Takes `slot` out of its chain, if it is in one.
    pub(super) fn remove(&mut self, slot: Slot) {
        let Place { tag, before, after } = self.place(slot);
        if tag == 0 {
            return;
        }
        match self.place_mut(before) {
            Some(before) => before.after = after,
            None if after == NONE => {
                self.first.remove(&tag);
            }
            None => {
                self.first.insert(tag, after);
            }
        }
        if let Some(after) = self.place_mut(after) {
            after.before = before;
        }
        if let Some(place) = self.place_mut(slot) {
            *place = UNPLACED;
        }
    }

    /// The slots of a topic, in no order that means anything.
    pub(super) fn of(&self, topic: &TopicId) -> impl Iterator<Item = Slot> {
        let first = self.first.get(&self.tag(topic)).copied();
        std::iter::successors(first, |slot| {
            Some(self.place(*slot).after).filter(|after| *after != NONE)
        })
    }

    /// Bytes of memory taken, about.
    pub(super) fn footprint(&self) -> usize {
        let chunk = CHUNK_LEN
            .saturating_mul(size_of::<Place>())
            .saturating_add(24);
        self.places
            .len()
            .saturating_mul(chunk)
            .saturating_add(self.first.len().saturating_mul(24))
    }

    fn tag(&self, topic: &TopicId) -> Tag {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.salt.to_be_bytes());
        hasher.update(topic.as_bytes());
        let hash = hasher.finalize();
        let tag = hash.as_bytes().first_chunk().copied();
        tag.map_or(1, Tag::from_be_bytes).max(1)
    }

    fn place(&self, slot: Slot) -> Place {
        let (chunk, at) = position(slot);
        let place = self.places.get(chunk).and_then(|chunk| chunk.get(at));
        place.copied().unwrap_or(UNPLACED)
    }

    fn place_mut(&mut self, slot: Slot) -> Option<&mut Place> {
        let (chunk, at) = position(slot);
        self.places.get_mut(chunk)?.get_mut(at)
    }

    fn make_room(&mut self, slot: Slot) {
        let (chunk, _) = position(slot);
        while self.places.len() <= chunk {
            self.places.push(vec![UNPLACED; CHUNK_LEN]);
        }
    }
}

/// The piece of a slot, and its place there.
fn position(slot: Slot) -> (usize, usize) {
    let slot = usize::try_from(slot).unwrap_or(usize::MAX);
    (slot / CHUNK_LEN, slot % CHUNK_LEN)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn topic(number: u8) -> TopicId {
        TopicId::from_bytes([number; 32])
    }

    proptest! {
        #[test]
        fn chains_hold_what_was_put_in_and_not_taken_out(
            steps in proptest::collection::vec((any::<bool>(), 0..700_u32, 0..4_u8), 0..600),
        ) {
            let mut chains = Chains::new(7);
            let mut model: BTreeMap<Slot, u8> = BTreeMap::new();
            for (adds, slot, number) in steps {
                if adds {
                    chains.add(slot, &topic(number));
                    model.entry(slot).or_insert(number);
                } else {
                    chains.remove(slot);
                    model.remove(&slot);
                }
            }
            for number in 0..4 {
                let listed: Vec<Slot> = chains.of(&topic(number)).collect();
                let found: BTreeSet<Slot> = listed.iter().copied().collect();
                prop_assert_eq!(found.len(), listed.len());
                let expected = model.iter().filter(|(_, of)| **of == number);
                prop_assert_eq!(found, expected.map(|(slot, _)| *slot).collect::<BTreeSet<_>>());
            }
            prop_assert_eq!(chains.first.len(), model.values().collect::<BTreeSet<_>>().len());
        }
    }
}
