//! The set in the order of reconciliation, kept between sessions.
//!
//! All sessions of a node whose expiry cutoff and topics are the same share one list. Sessions hold no
//! list of their own: between two messages the list may be replaced, which shows as differences that
//! the engine knows already. So memory is bounded by [`limits::SYNC_SNAPSHOTS_MAX`] lists of 40 bytes an
//! id, however many links there are, and as many again for sessions over chosen topics: those never
//! push out the lists of everything, which cost more to build.

use std::cell::Cell;
use std::time::Duration;

use negentropy::{Bound, Error, Id, Item, NegentropyStorageBase};

use super::neighbour::Scope;
use super::topics::Topics;
use crate::inventory::{Inventory, Seen};
use crate::limits;
use crate::time::{Mono, Wall};

/// A list nobody asked for in this time is let go.
const UNUSED_MAX: Duration = Duration::from_mins(1);

/// Visits that building a list costs for each id: finding it, copying it, sorting its minute.
const BUILD_VISITS: u64 = 8;

/// One list: ids of `topics` that expire after `cutoff`.
#[derive(Debug, Clone)]
struct Snapshot {
    cutoff: Wall,
    topics: Topics,
    generation: u64,
    used: Mono,
    items: Vec<Item>,
}

impl Snapshot {
    fn is_of(&self, scope: &Scope) -> bool {
        self.cutoff == scope.expiry_cutoff && self.topics == scope.topics
    }
}

/// The lists in use.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshots(Vec<Snapshot>);

impl Snapshots {
    /// Sees to it that there is a list for `scope`, and that it is up to date when it is to be
    /// `fresh`. Returns what that cost, in visits of an item.
    pub(super) fn prepare(
        &mut self,
        scope: &Scope,
        fresh: bool,
        inventory: &Inventory,
        now: Mono,
    ) -> u64 {
        let generation = inventory.generation();
        if let Some(found) = self.0.iter_mut().find(|found| found.is_of(scope)) {
            found.used = now;
            if !fresh || found.generation == generation {
                return 0;
            }
        }
        self.0.retain(|old| !old.is_of(scope));
        let is_alike = |old: &Snapshot| old.topics.is_all() == scope.topics.is_all();
        let alike = self.0.iter().filter(|old| is_alike(old));
        if alike.clone().count() >= limits::SYNC_SNAPSHOTS_MAX {
            let oldest = alike.map(|old| old.used).min();
            self.0
                .retain(|old| !is_alike(old) || Some(old.used) != oldest);
        }
        let items = list(inventory, scope);
        let cost = u64::try_from(items.len())
            .unwrap_or(u64::MAX)
            .saturating_mul(BUILD_VISITS);
        self.0.push(Snapshot {
            cutoff: scope.expiry_cutoff,
            topics: scope.topics.clone(),
            generation,
            used: now,
            items,
        });
        cost
    }

    /// The ids of `scope`.
    pub(super) fn items(&self, scope: &Scope) -> &[Item] {
        let newest = timestamp(scope.created_until);
        self.0
            .iter()
            .find(|found| found.is_of(scope))
            .and_then(|found| {
                let later = found.items.partition_point(|item| item.timestamp < newest);
                found.items.get(later..)
            })
            .unwrap_or_default()
    }

    /// Lets go of lists long unused.
    pub(super) fn tidy(&mut self, now: Mono) {
        self.0.retain(|old| now.since(old.used) < UNUSED_MAX);
    }

    /// When to tidy next.
    pub(super) fn next_wakeup(&self) -> Option<Mono> {
        self.0.iter().map(|old| old.used.plus(UNUSED_MAX)).min()
    }

    /// Bytes of memory taken.
    pub(super) fn footprint(&self) -> usize {
        self.0
            .iter()
            .map(|list| list.items.capacity().saturating_mul(size_of::<Item>()))
            .fold(0, usize::saturating_add)
    }
}

fn list(inventory: &Inventory, scope: &Scope) -> Vec<Item> {
    let cutoff = scope.expiry_cutoff;
    if !scope.topics.is_all() {
        let seen = inventory.newest_first_of(scope.topics.as_slice(), cutoff);
        return seen.into_iter().map(item).collect();
    }
    let mut items = Vec::with_capacity(inventory.counts().seen);
    let seen = inventory.newest_first(Wall::from_millis(u64::MAX), cutoff);
    items.extend(seen.map(item));
    items
}

fn item(seen: &Seen) -> Item {
    let id = Id::from_byte_array(*seen.id.as_bytes());
    Item::with_timestamp_and_id(timestamp(seen.created), id)
}

/// The order of reconciliation as a timestamp: newest first.
pub(super) fn timestamp(created: Wall) -> u64 {
    u64::MAX.saturating_sub(created.as_millis())
}

/// The moment a timestamp stands for.
pub(super) fn created(timestamp: u64) -> Wall {
    Wall::from_millis(u64::MAX.saturating_sub(timestamp))
}

/// A part of a list as the crate's storage, counting what the crate looks at.
#[derive(Debug)]
pub(super) struct View<'a> {
    items: &'a [Item],
    visits: Cell<u64>,
}

impl<'a> View<'a> {
    /// Sees `items`, which are in order and without duplicates.
    pub(super) const fn new(items: &'a [Item]) -> Self {
        Self {
            items,
            visits: Cell::new(0),
        }
    }

    /// Items looked at so far.
    pub(super) const fn visits(&self) -> u64 {
        self.visits.get()
    }

    fn visit(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.visits.set(self.visits.get().saturating_add(count));
    }
}

impl NegentropyStorageBase for View<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.items.len())
    }

    fn get_item(&self, at: usize) -> Result<Option<Item>, Error> {
        Ok(self.items.get(at).copied())
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        callback: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let range = self.items.get(begin..end).ok_or(Error::BadRange)?;
        self.visit(range.len());
        for (item, at) in range.iter().zip(begin..) {
            if !callback(*item, at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        let range = self.items.get(first..last).unwrap_or_default();
        let before = range.partition_point(|item| *item < value.item);
        self.visit(1);
        first.saturating_add(before)
    }
}
