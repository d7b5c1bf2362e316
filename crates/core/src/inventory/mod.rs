//! Inventory: every id seen and unexpired, what of it is held, what goes when space is short.
//!
//! An id stays here until its bulletin could not be accepted any more, whether the bulletin is held
//! or was dropped (superseded, evicted, rejected, ignored): so nothing is delivered twice and nothing
//! dropped is fetched again. This is the set that reconciliation compares and the digest sums up.
//!
//! Invariants: an id that was purged is refused for ever, by [`Inventory::horizon`]; what is held
//! takes at most `store_limit_bytes`, and what goes has the lowest rank of all.
//!
//! Memory at a million ids: 94 bytes for each, 16 to 32 more while its bulletin is held, twice that after much
//! coming and going. Asking for one takes a quarter of a microsecond.

mod digest;
mod rank;
mod ranks;
mod seen;
mod table;
#[cfg(test)]
mod tests;
mod topics;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::digest::{Cuts, Sum};
use self::ranks::Ranks;
pub use self::seen::{Seen, Status};
use self::table::{Slot, Table};
use self::topics::Chains;
use crate::bulletin::Bulletin;
use crate::event::{Refusal, RestoredId};
use crate::id::{BulletinId, ShortId, TopicId};
use crate::limits;
use crate::time::{Mono, Now, Wall};

/// Milliseconds of a minute: the grain in which ids are kept by age.
const MINUTE_MS: u64 = 60_000;
/// How long an id outlives its bulletin, in milliseconds: nobody's clock may be that far behind.
const GRACE_MS: u64 = 120_000;
/// Full minutes in which an id that expired at minute `m` goes: `m + 2`.
const GRACE_MINUTES: u64 = GRACE_MS / MINUTE_MS;
/// Wait between two looks for what has expired.
const EXPIRE_EVERY: Duration = Duration::from_secs(30);
/// Wait between two batches when more has expired than one purge takes.
const EXPIRE_SOON: Duration = Duration::from_millis(20);
/// Furthest a digest's minute may lie from ours for us to compute it.
const DIGEST_MINUTES_MAX: u64 = 2;

/// How much to hold and to remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Most bytes of held bulletins, each counted as its content and
    /// [`limits::STORED_OVERHEAD_BYTES`]. Over it the lowest rank goes. More keeps what others have
    /// dropped; the disk is the price. Default 1 GiB.
    pub store_limit_bytes: u64,
    /// Most ids remembered, at about 120 bytes of memory each. Over it nothing new is accepted until
    /// ids expire, for a forgotten id could be replayed; above three quarters
    /// [`Fact::Crowded`] says so. Default 4,000,000: 1.6 new ids a second at the longest validity,
    /// 1,100 at the default of an hour. At most [`limits::SEEN_MAX`].
    pub seen_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store_limit_bytes: 1 << 30,
            seen_max: 4_000_000,
        }
    }
}

/// What follows from a change; mostly for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The bulletin goes, its id stays.
    Evict {
        /// Which bulletin. It may be the one that was just inserted.
        id: BulletinId,
    },
    /// The bulletins and their ids go: the horizon refuses them from now on.
    Purge {
        /// Which bulletins and when each expired, at most [`limits::PURGE_MAX`].
        ids: Vec<(BulletinId, Wall)>,
    },
    /// Nothing whose validity ends at or before this moment is accepted any more. To be persisted
    /// before the purge that follows it.
    Horizon(Wall),
    /// More than three quarters of the ids that can be remembered are in use, or no more: long validity has its
    /// price then (see [`crate::floor`]).
    Crowded(bool),
}

/// How full the inventory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Ids seen and unexpired.
    pub seen: usize,
    /// Most ids remembered.
    pub seen_max: usize,
    /// Bulletins held.
    pub held: usize,
    /// Bytes they count for.
    pub held_bytes: u64,
    /// Most bytes they may count for.
    pub store_limit_bytes: u64,
}

/// What was seen and what is held.
#[derive(Debug, Clone)]
pub struct Inventory {
    config: Config,
    table: Table,
    /// Ids by the minute they were created in.
    created: BTreeMap<u64, Vec<Slot>>,
    /// Ids by the minute they leave in.
    leaving: BTreeMap<u64, Vec<Slot>>,
    /// Ids by their topics.
    topics: Chains,
    /// What is held, lowest rank first.
    ranks: Ranks,
    held_bytes: u64,
    total: Sum,
    cuts: Cuts,
    generation: u64,
    horizon: Wall,
    crowded: bool,
    look_at: Mono,
}

impl Inventory {
    /// An empty inventory. `salt` is random and secret to this node: it keeps authors from grinding
    /// ids that are slow to find; what the inventory answers does not depend on it.
    pub fn new(mut config: Config, salt: u64) -> Self {
        config.seen_max = config.seen_max.min(limits::SEEN_MAX);
        Self {
            config,
            table: Table::new(salt),
            created: BTreeMap::new(),
            leaving: BTreeMap::new(),
            topics: Chains::new(salt),
            ranks: Ranks::default(),
            held_bytes: 0,
            total: Sum::default(),
            cuts: Cuts::default(),
            generation: 0,
            horizon: Wall::default(),
            crowded: false,
            look_at: Mono::ZERO,
        }
    }

    /// Takes back what an earlier run left: its ids and its horizon. Evicts what a lower limit no
    /// longer has room for.
    pub fn restore(&mut self, ids: &[RestoredId], horizon: Wall) -> Vec<Fact> {
        self.horizon = self.horizon.max(horizon);
        self.table.reserve(ids.len().min(self.entries_max()));
        ids.iter()
            .flat_map(|old| {
                let (size_bytes, bits) = old.held.unwrap_or_default();
                let seen = Seen {
                    id: old.id,
                    created: old.created,
                    expires: old.expires,
                    size_bytes,
                    bits,
                    status: old.held.map_or(Status::Dropped, |_| Status::Held),
                };
                self.insert(seen, old.topic.as_ref())
            })
            .collect()
    }

    /// Remembers a bulletin that is held from now on. Returns what goes to make room, lowest rank
    /// first. An id already known stays as it is: what was dropped stays dropped.
    pub fn insert_held(&mut self, bulletin: &Bulletin) -> Vec<Fact> {
        let seen = Seen {
            id: *bulletin.id(),
            created: bulletin.header.created,
            expires: bulletin.header.expires(),
            size_bytes: bulletin.header.size_bytes,
            bits: bulletin.stamp.bits,
            status: Status::Held,
        };
        self.insert(seen, Some(&bulletin.header.topic))
    }

    /// Remembers the id of a bulletin that is not kept. An id already known stays as it is.
    pub fn insert_dropped(
        &mut self,
        id: BulletinId,
        topic: &TopicId,
        created: Wall,
        expires: Wall,
    ) -> Vec<Fact> {
        let seen = Seen {
            id,
            created,
            expires,
            size_bytes: 0,
            bits: 0,
            status: Status::Dropped,
        };
        self.insert(seen, Some(topic))
    }

    /// Drops a held bulletin, its id stays. Whether it was held.
    pub fn drop_held(&mut self, id: &ShortId) -> bool {
        self.table.find(id).is_some_and(|slot| self.drop_slot(slot))
    }

    /// Holds again a bulletin that was dropped, or is held already. Returns what goes to make room,
    /// lowest rank first, and it may be this one.
    pub fn revive(&mut self, bulletin: &Bulletin) -> Vec<Fact> {
        let Some(slot) = self.table.find(&bulletin.id().short()) else {
            return self.insert_held(bulletin);
        };
        self.drop_slot(slot);
        self.topics.add(slot, &bulletin.header.topic);
        let Some(seen) = self.table.get_mut(slot) else {
            return Vec::new();
        };
        seen.status = Status::Held;
        seen.size_bytes = bulletin.header.size_bytes;
        seen.bits = seen.bits.max(bulletin.stamp.bits);
        let (rank, bytes) = (seen.rank(), seen.stored_bytes());
        self.ranks.add(rank, slot);
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        self.evict()
    }

    /// Takes note of a better stamp. Whether it is better and the bulletin held.
    pub fn restamp(&mut self, id: &ShortId, bits: u8) -> bool {
        let Some(slot) = self.table.find(id) else {
            return false;
        };
        let Some(seen) = self.table.get_mut(slot) else {
            return false;
        };
        if !seen.is_held() || bits <= seen.bits {
            return false;
        }
        seen.bits = bits;
        let rank = seen.rank();
        self.ranks.change(rank, slot, &self.table);
        true
    }

    /// Purges ids whose bulletins expired more than 120 s ago, in whole minutes and at most
    /// [`limits::PURGE_MAX`] at once; only while `clock_trusted`, so that a clock that jumps ahead
    /// neither empties the store nor forgets what it has seen.
    ///
    /// The horizon is the latest expiry of anything purged. Intake refuses whatever expires at or
    /// before it, so no purged id comes back however far the clock steps back; and as what is purged
    /// has expired, nothing valid is refused while the clock is right. (A horizon on `created` would
    /// refuse old bulletins of long validity as soon as one young bulletin of short validity is
    /// gone.)
    pub fn expire(&mut self, now: Now, clock_trusted: bool) -> Vec<Fact> {
        self.look_at = now.mono.plus(EXPIRE_EVERY);
        if !clock_trusted {
            return Vec::new();
        }
        let slots = self.take_leaving(now);
        let gone: Vec<Seen> = slots.iter().filter_map(|slot| self.forget(*slot)).collect();
        if gone.is_empty() {
            return Vec::new();
        }
        self.forget_created(&gone, slots);
        self.generation = self.generation.wrapping_add(1);
        let mut facts = Vec::new();
        let latest = gone.iter().map(|seen| seen.expires).max();
        if let Some(latest) = latest.filter(|latest| *latest > self.horizon) {
            self.horizon = latest;
            facts.push(Fact::Horizon(latest));
        }
        facts.push(Fact::Purge {
            ids: gone.iter().map(|seen| (seen.id, seen.expires)).collect(),
        });
        facts.extend(self.crowding());
        facts
    }

    /// What is known of an id. About 0.25 µs at a million ids.
    pub fn knows(&self, id: &ShortId) -> Option<&Seen> {
        self.table.find(id).and_then(|slot| self.table.get(slot))
    }

    /// Whether a bulletin not yet known may be taken in.
    ///
    /// # Errors
    /// [`Refusal::Expired`] when its validity ended before the horizon, [`Refusal::Busy`] while no
    /// more ids can be remembered.
    pub fn admits(&self, expires: Wall) -> Result<(), Refusal> {
        if expires <= self.horizon {
            return Err(Refusal::Expired);
        }
        if self.is_full() {
            return Err(Refusal::Busy);
        }
        Ok(())
    }

    /// Whether no more ids can be remembered.
    pub fn is_full(&self) -> bool {
        self.table.len() >= self.config.seen_max
    }

    /// Nothing whose validity ends at or before this moment is accepted.
    pub const fn horizon(&self) -> Wall {
        self.horizon
    }

    /// When to call [`Inventory::expire`] again.
    pub fn next_wakeup(&self) -> Option<Mono> {
        (self.table.len() > 0).then_some(self.look_at)
    }

    /// How full it is.
    pub fn counts(&self) -> Counts {
        Counts {
            seen: self.table.len(),
            seen_max: self.config.seen_max,
            held: self.ranks.held(),
            held_bytes: self.held_bytes,
            store_limit_bytes: self.config.store_limit_bytes,
        }
    }

    /// Bytes of memory taken, about.
    pub fn footprint(&self) -> usize {
        let buckets = |buckets: &BTreeMap<u64, Vec<Slot>>| {
            buckets
                .values()
                .map(|slots| slots.capacity().saturating_mul(4).saturating_add(48))
                .fold(0, usize::saturating_add)
        };
        [
            self.table.footprint(),
            buckets(&self.created),
            buckets(&self.leaving),
            self.topics.footprint(),
            self.ranks.footprint(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// Changes whenever the set of ids does.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The digest of all ids with `created < minute` and `expires > minute`, both full minutes since
    /// the epoch. Once a minute it costs a look at what is younger or has expired, then nothing.
    pub fn digest(&mut self, minute: u64) -> [u8; 16] {
        if let Some(digest) = self.cuts.digest(minute) {
            return digest;
        }
        let mut sum = self.total;
        let younger = self.created.range(minute..).flat_map(|(_, slots)| slots);
        // Leaving up to minute m + 2 is having expired by the full minute m.
        let leaves = minute.saturating_add(GRACE_MINUTES);
        let expired = self.leaving.range(..=leaves).flat_map(|(_, slots)| slots);
        let expired = expired
            .filter_map(|slot| self.table.get(*slot))
            .filter(|seen| seen.created.minute() < minute);
        for seen in younger
            .filter_map(|slot| self.table.get(*slot))
            .chain(expired)
        {
            sum.remove(&seen.id);
        }
        self.cuts.put(minute, sum)
    }

    /// The digest a neighbour's minute asks for; nothing when that is so far from ours that the
    /// comparison says nothing, or the neighbour wants us to work.
    pub fn digest_near(&mut self, minute: u64, now: Now) -> Option<[u8; 16]> {
        (minute.abs_diff(now.wall.minute()) <= DIGEST_MINUTES_MAX).then(|| self.digest(minute))
    }

    /// Ids created at or before `created_until` that expire after `expiry_cutoff`, held or dropped,
    /// in the order of reconciliation: newest first, equal moments by id.
    pub fn newest_first(
        &self,
        created_until: Wall,
        expiry_cutoff: Wall,
    ) -> impl Iterator<Item = &Seen> {
        self.created
            .range(..=created_until.minute())
            .rev()
            .flat_map(move |(_, slots)| {
                let mut minute: Vec<&Seen> = slots
                    .iter()
                    .filter_map(|slot| self.table.get(*slot))
                    .filter(|seen| seen.created <= created_until && seen.expires > expiry_cutoff)
                    .collect();
                minute.sort_unstable_by(|a, b| newer_first(a, b));
                minute
            })
    }

    /// Ids of these topics that expire after `expiry_cutoff`, held or dropped, in the order of
    /// reconciliation. Costs what the topics hold.
    pub fn newest_first_of(&self, topics: &[TopicId], expiry_cutoff: Wall) -> Vec<&Seen> {
        let slots = topics.iter().flat_map(|topic| self.topics.of(topic));
        let mut seen: Vec<&Seen> = slots
            .filter_map(|slot| self.table.get(slot))
            .filter(|seen| seen.expires > expiry_cutoff)
            .collect();
        seen.sort_unstable_by(|a, b| newer_first(a, b));
        seen
    }

    /// Ids beyond `seen_max` that still find room: what was being checked when `admits` said no.
    fn entries_max(&self) -> usize {
        self.config
            .seen_max
            .saturating_add(limits::SEEN_SLACK)
            .min(table::ENTRIES_MAX)
    }

    fn insert(&mut self, seen: Seen, topic: Option<&TopicId>) -> Vec<Fact> {
        if self.table.find(&seen.id.short()).is_some() {
            return Vec::new();
        }
        let free = self.table.len() < self.entries_max();
        let Some(slot) = free.then(|| self.table.insert(seen)).flatten() else {
            // No room to remember it, so it must not be kept either.
            let evict = Fact::Evict { id: seen.id };
            return seen.is_held().then_some(evict).into_iter().collect();
        };
        let minute = seen.created.minute();
        self.created.entry(minute).or_default().push(slot);
        self.leaving.entry(seen.leaves()).or_default().push(slot);
        if let Some(topic) = topic {
            self.topics.add(slot, topic);
        }
        self.total.add(&seen.id);
        self.cuts.add(&seen.id, |minute| seen.counts_at(minute));
        self.generation = self.generation.wrapping_add(1);
        if seen.is_held() {
            self.ranks.add(seen.rank(), slot);
            self.held_bytes = self.held_bytes.saturating_add(seen.stored_bytes());
        }
        let mut facts = self.evict();
        facts.extend(self.crowding());
        facts
    }

    /// Drops the lowest ranks until what is held fits its limit.
    fn evict(&mut self) -> Vec<Fact> {
        let mut facts = Vec::new();
        while self.held_bytes > self.config.store_limit_bytes {
            let Some(slot) = self.ranks.lowest(&self.table) else {
                break;
            };
            facts.extend(self.table.get(slot).map(|seen| Fact::Evict { id: seen.id }));
            if !self.drop_slot(slot) {
                break;
            }
        }
        facts
    }

    fn drop_slot(&mut self, slot: Slot) -> bool {
        let Some(seen) = self.table.get_mut(slot).filter(|seen| seen.is_held()) else {
            return false;
        };
        seen.status = Status::Dropped;
        let bytes = seen.stored_bytes();
        self.ranks.take(&self.table);
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        true
    }

    /// Takes the next batch of what may leave at `now` off its list.
    fn take_leaving(&mut self, now: Now) -> Vec<Slot> {
        let minute = now.wall.minute();
        let mut slots = Vec::new();
        while let Some(mut bucket) = self.leaving.first_entry().filter(|b| *b.key() <= minute) {
            let room = limits::PURGE_MAX.saturating_sub(slots.len());
            if room == 0 {
                self.look_at = now.mono.plus(EXPIRE_SOON);
                break;
            }
            let stay = bucket.get().len().saturating_sub(room);
            slots.append(&mut bucket.get_mut().split_off(stay));
            if stay == 0 {
                bucket.remove();
            }
        }
        slots
    }

    /// Forgets an id everywhere but in the list of its minute.
    fn forget(&mut self, slot: Slot) -> Option<Seen> {
        self.drop_slot(slot);
        self.topics.remove(slot);
        let seen = self.table.remove(slot)?;
        self.total.remove(&seen.id);
        self.cuts.remove(&seen.id, |minute| seen.counts_at(minute));
        Some(seen)
    }

    /// Takes `slots`, which were those of `gone`, off the lists of their minutes: each list is gone
    /// through once a purge, however many go.
    fn forget_created(&mut self, gone: &[Seen], mut slots: Vec<Slot>) {
        slots.sort_unstable();
        let minutes: BTreeSet<u64> = gone.iter().map(|seen| seen.created.minute()).collect();
        for minute in minutes {
            if let Some(bucket) = self.created.get_mut(&minute) {
                bucket.retain(|slot| slots.binary_search(slot).is_err());
                if bucket.is_empty() {
                    self.created.remove(&minute);
                }
            }
        }
    }

    /// Says when the ids in use pass three quarters of their bound, or fall below 70 % again.
    fn crowding(&mut self) -> Option<Fact> {
        let percent = if self.crowded { 70 } else { 75 };
        let used = self.table.len().saturating_mul(100);
        let crowded = used > self.config.seen_max.saturating_mul(percent);
        (crowded != self.crowded).then(|| {
            self.crowded = crowded;
            Fact::Crowded(crowded)
        })
    }
}

/// The order of reconciliation: newest first, equal moments by id.
fn newer_first(a: &Seen, b: &Seen) -> Ordering {
    b.created.cmp(&a.created).then(a.id.cmp(&b.id))
}

const _: () = assert!(limits::FUTURE_MAX.as_millis() == 120_000 && GRACE_MS == 120_000);
