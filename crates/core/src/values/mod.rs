//! Values by author and name: which version of each is the one.
//!
//! A named bulletin of kind value, manifest or tombstone is a version of the value that its author
//! and its name address. The highest `seq` wins; of equal ones the lower id. A version without a
//! parent stands for the value from then on: it clears all that is lower, as a tombstone always
//! does. A version with a parent goes on from what was there, which stays to be had by its id: so a
//! log grows without losing its beginning.
//!
//! What is known of a value is a join semilattice (head, what is cleared, until when: each a
//! maximum), so that nodes that saw the same versions agree, whatever the order and however often
//! (Shapiro et al., "Conflict-free Replicated Data Types", 2011, section 2).
//!
//! Invariant: which version is the head is remembered until the last version seen has expired, even
//! when the bulletin itself is dropped, so that nothing older comes back.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bulletin::{Header, Kind};
use crate::id::{BulletinId, ValueKey};
use crate::limits;
use crate::time::Wall;

/// Which version of which value a bulletin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The value.
    pub key: ValueKey,
    /// The author's count.
    pub seq: u64,
    /// Whether it drops what is lower.
    pub clears: bool,
}

impl Version {
    /// The version that a bulletin with this header is; none for what has no name.
    pub fn of(header: &Header) -> Option<Self> {
        let is_kind = matches!(header.kind, Kind::VALUE | Kind::MANIFEST | Kind::TOMBSTONE);
        (is_kind && !header.name.is_empty()).then(|| Self {
            key: ValueKey::of(&header.author, &header.name),
            seq: header.seq,
            clears: header.kind == Kind::TOMBSTONE || header.parents.is_empty(),
        })
    }
}

/// The place of a version among those of its value: the higher wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    seq: u64,
    /// Of equal counts the lower id wins.
    id: Reverse<BulletinId>,
}

impl Place {
    const fn of(version: &Version, id: BulletinId) -> Self {
        Self {
            seq: version.seq,
            id: Reverse(id),
        }
    }
}

/// The version of a value that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The author's count.
    pub seq: u64,
    /// Which bulletin.
    pub id: BulletinId,
    /// The latest end of validity of any version seen: what replaces it must live as long.
    pub until: Wall,
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    head: Place,
    /// The highest version that drops what is lower.
    cleared: Option<Place>,
    until: Wall,
}

/// What becomes of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It counts from now on.
    Newest,
    /// It is older than the one that counts, and stays to be had by its id.
    Earlier,
    /// A later version stands in its place.
    Superseded,
}

/// The values of a network, as far as they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    entries: BTreeMap<ValueKey, Entry>,
    /// Values by the moment at which nothing seen of them is valid any more.
    ending: BTreeSet<(Wall, ValueKey)>,
    /// Versions that are held, or were until they were evicted.
    versions: BTreeSet<(ValueKey, Place)>,
}

impl Values {
    /// How long a value is remembered beyond its last version, as ids are.
    const GRACE: Duration = limits::FUTURE_MAX.saturating_mul(2);

    /// What would become of version `id` now.
    pub fn judge(&self, version: &Version, id: &BulletinId) -> Ruling {
        let place = Place::of(version, *id);
        match self.entries.get(&version.key) {
            Some(entry) if entry.cleared.is_some_and(|cleared| place < cleared) => {
                Ruling::Superseded
            }
            Some(entry) if place < entry.head => Ruling::Earlier,
            _ => Ruling::Newest,
        }
    }

    /// Takes note of version `id`, valid until `expires`, and of its bulletin when that is held.
    /// Returns the versions it drops, lowest first.
    pub fn insert(
        &mut self,
        version: &Version,
        id: BulletinId,
        expires: Wall,
        is_held: bool,
    ) -> Vec<BulletinId> {
        let place = Place::of(version, id);
        let clears = version.clears.then_some(place);
        let before = self.entries.get(&version.key).copied();
        let entry = before.map_or(
            Entry {
                head: place,
                cleared: clears,
                until: expires,
            },
            |entry| Entry {
                head: entry.head.max(place),
                cleared: entry.cleared.max(clears),
                until: entry.until.max(expires),
            },
        );
        if let Some(before) = before {
            self.ending.remove(&(before.until, version.key));
        }
        self.ending.insert((entry.until, version.key));
        self.entries.insert(version.key, entry);
        if is_held {
            self.versions.insert((version.key, place));
        }
        entry
            .cleared
            .map_or_else(Vec::new, |cleared| self.drop_below(version.key, cleared))
    }

    /// The version of a value that counts.
    pub fn head(&self, key: &ValueKey) -> Option<Head> {
        self.entries.get(key).map(|entry| Head {
            seq: entry.head.seq,
            id: entry.head.id.0,
            until: entry.until,
        })
    }

    /// Forgets the values of which nothing was valid any more some minutes before `now`.
    pub fn expire(&mut self, now: Wall) {
        let over = now.minus(Self::GRACE);
        while let Some((until, key)) = self
            .ending
            .first()
            .copied()
            .filter(|(until, _)| *until <= over)
        {
            self.ending.remove(&(until, key));
            self.entries.remove(&key);
            let versions = first_of(key)..=last_of(key);
            let gone: Vec<_> = self.versions.range(versions).copied().collect();
            for version in gone {
                self.versions.remove(&version);
            }
        }
    }

    /// Values known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn drop_below(&mut self, key: ValueKey, cleared: Place) -> Vec<BulletinId> {
        let lower = first_of(key)..(key, cleared);
        let lower: Vec<_> = self.versions.range(lower).copied().collect();
        for version in &lower {
            self.versions.remove(version);
        }
        lower.into_iter().map(|(_, place)| place.id.0).collect()
    }
}

/// The lowest place a version of `key` may have.
const fn first_of(key: ValueKey) -> (ValueKey, Place) {
    let id = Reverse(BulletinId::from_bytes([0xff; 32]));
    (key, Place { seq: 0, id })
}

/// The highest.
const fn last_of(key: ValueKey) -> (ValueKey, Place) {
    let id = Reverse(BulletinId::from_bytes([0; 32]));
    (key, Place { seq: u64::MAX, id })
}
