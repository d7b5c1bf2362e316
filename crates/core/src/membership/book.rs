//! The address book: signed node records in two tables of buckets, so that whoever controls few
//! address groups controls few entries.
//!
//! After Bitcoin's address manager with the countermeasures of Heilman et al., "Eclipse Attacks on
//! Bitcoin's Peer-to-Peer Network" (2015, §7): keyed buckets, test before evict, feelers, anchors.
//! Three departures. An entry stands in one bucket of `new`, not in up to eight. Buckets are lists
//! that refuse when full of good entries, not slots, so that a network of seven nodes never loses
//! one to a collision. The bucket in `tried` depends on the node's own group and id alone, as there
//! is no source once we have met it ourselves. Tables are sparse: an empty bucket costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::group::{Group, Reach, group_of, hash_group, is_dialable, reach_of};
use crate::draw;
use crate::id::NodeId;
use crate::limits;
use crate::link::PeerAddress;
use crate::record::Record;
use crate::time::{Mono, Now, Wall};

/// Buckets of `new` that entries from one source group can reach.
const NEW_BUCKETS_PER_SOURCE: u8 = 8;
/// Buckets of `tried` that entries of one address group can reach.
const TRIED_BUCKETS_PER_GROUP: u8 = 8;
/// Failures after which an entry may be forgotten.
const FAILURES_MAX: u8 = 10;
/// Time these failures must be spread over.
const FAILURES_SPREAD: Duration = Duration::from_hours(24);
/// Failures of an entry never met that make it the first to go from a full bucket.
const FAILURES_POOR: u8 = 3;
/// Pause after the first failure, doubled by each next, up to an hour.
const RETRY_MIN: Duration = Duration::from_secs(15);
const RETRY_MAX: Duration = Duration::from_hours(1);

/// Which table an entry stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// Heard of.
    New,
    /// Dialled with success.
    Tried,
}

/// Where an entry stands.
pub(super) type Place = (Table, u8);

/// A known node.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) place: Place,
    /// Whose answer first named it.
    pub(super) source: NodeId,
    /// How near its addresses may lie: those of a stranger must not point into our network.
    pub(super) reach: Reach,
    pub(super) group: Group,
    /// When it was last known to be there, over restarts too.
    pub(super) last_seen: Wall,
    /// The same on our own clock, in this run.
    pub(super) alive_at: Option<Mono>,
    pub(super) failures: u8,
    pub(super) first_failure: Wall,
    /// Not to be dialled before.
    pub(super) retry_at: Mono,
}

impl Entry {
    /// Where it may be dialled, best first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = std::net::SocketAddr> + '_ {
        usable(&self.record, self.reach)
    }

    /// What to dial.
    pub(super) fn peer_address(&self) -> PeerAddress {
        PeerAddress {
            id: self.record.body.node,
            addresses: self.addresses().collect(),
        }
    }

    /// Whether it was there within `span` and has not failed since.
    pub(super) fn is_responsive(&self, span: Duration, now: Now) -> bool {
        self.failures == 0 && self.alive_at.is_some_and(|at| now.mono.since(at) <= span)
    }

    /// Whether it may make room for another.
    fn is_poor(&self, now: Now) -> bool {
        self.record.body.expires <= now.wall
            || (self.alive_at.is_none() && self.failures >= FAILURES_POOR)
    }
}

/// The addresses of `record` that do not lie nearer than `reach`.
pub(super) fn usable(
    record: &Record,
    reach: Reach,
) -> impl Iterator<Item = std::net::SocketAddr> + '_ {
    let addresses = record.body.addresses.iter().copied();
    addresses.filter(move |address| is_dialable(address) && reach_of(address.ip()) >= reach)
}

/// How a record reached us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) source: NodeId,
    pub(super) source_group: Group,
    pub(super) reach: Reach,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    /// A node not known before.
    New,
    /// A newer record of a known one.
    Updated,
    /// Old news, no address to use, or a bucket full of better ones.
    Refused,
}

/// All nodes known by a record.
#[derive(Debug, Clone)]
pub(super) struct Book {
    key: [u8; 32],
    private_exempt: bool,
    bucket_entries: usize,
    /// Boxed: a tree leaves a third of its nodes empty, and moves what lies in them to make room.
    entries: BTreeMap<NodeId, Box<Entry>>,
    buckets: BTreeMap<Place, Vec<NodeId>>,
    tried: usize,
    /// Who was there in this run: of a large book a few, and only they are told of.
    met: BTreeSet<NodeId>,
    /// Incumbents of full buckets of `tried`, to be tested, each with who waits for its place.
    contests: BTreeMap<NodeId, NodeId>,
}

impl Book {
    /// An empty book whose buckets nobody without `key` can foresee.
    pub(super) const fn new(key: [u8; 32], private_exempt: bool, bucket_entries: usize) -> Self {
        Self {
            key,
            private_exempt,
            bucket_entries,
            entries: BTreeMap::new(),
            buckets: BTreeMap::new(),
            tried: 0,
            met: BTreeSet::new(),
            contests: BTreeMap::new(),
        }
    }

    /// Takes a verified record.
    pub(super) fn insert(&mut self, record: Record, told: Told, now: Now) -> Inserted {
        let id = record.body.node;
        if let Some(entry) = self.entries.get_mut(&id) {
            let reach = entry.reach.min(told.reach);
            let Some(address) = usable(&record, reach).next() else {
                return Inserted::Refused;
            };
            if record.body.seq <= entry.record.body.seq {
                return Inserted::Refused;
            }
            entry.group = group_of(Some(address), &id, self.private_exempt);
            entry.reach = reach;
            entry.record = record;
            entry.retry_at = Mono::ZERO;
            return Inserted::Updated;
        }
        let Some(address) = usable(&record, told.reach).next() else {
            return Inserted::Refused;
        };
        let group = group_of(Some(address), &id, self.private_exempt);
        let place = self.new_place(group, told.source_group);
        if !self.make_room(place, now) {
            return Inserted::Refused;
        }
        self.put(Entry {
            record,
            place,
            source: told.source,
            reach: told.reach,
            group,
            last_seen: Wall::default(),
            alive_at: None,
            failures: 0,
            first_failure: Wall::default(),
            retry_at: Mono::ZERO,
        });
        Inserted::New
    }

    /// Puts an entry of an earlier run where it stood; drops it where there is no room.
    pub(super) fn restore(&mut self, entry: Entry) {
        let id = entry.record.body.node;
        let full = self.bucket(entry.place).len() >= self.bucket_entries;
        if !full && !self.entries.contains_key(&id) {
            self.put(entry);
        }
    }

    /// Notes that `id` is there.
    pub(super) fn alive(&mut self, id: &NodeId, now: Now) {
        if let Some(entry) = self.entries.get_mut(id) {
            if entry.alive_at.replace(now.mono).is_none() {
                self.met.insert(*id);
            }
            entry.last_seen = now.wall;
            entry.failures = 0;
            entry.retry_at = Mono::ZERO;
        }
    }

    /// Notes that we dialled `id` with success: it moves to `tried`, or waits there for the test of
    /// an incumbent.
    pub(super) fn good(&mut self, id: &NodeId, now: Now) {
        self.alive(id, now);
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        if entry.place.0 == Table::Tried {
            return;
        }
        let place = self.tried_place(id, entry.group);
        if self.bucket(place).len() < self.bucket_entries {
            self.shift(id, place);
        } else if self.contests.len() < limits::CONTESTS_MAX {
            let bucket = self.bucket(place).iter();
            let oldest = bucket.min_by_key(|id| self.entries.get(id).map(|entry| entry.last_seen));
            if let Some(incumbent) = oldest.copied() {
                self.contests.entry(incumbent).or_insert(*id);
            }
        }
    }

    /// Notes that dialling `id` failed; whether that made the book forget it. Failures of an hour
    /// without any link do not count: they are ours.
    pub(super) fn failed(&mut self, id: &NodeId, counts: bool, now: Now) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        entry.retry_at = now.mono.plus(RETRY_MIN);
        if !counts {
            return false;
        }
        if entry.failures == 0 {
            entry.first_failure = now.wall;
        }
        let doubled = 1_u32.checked_shl(entry.failures.into()).unwrap_or(u32::MAX);
        let pause = RETRY_MIN.saturating_mul(doubled).min(RETRY_MAX);
        entry.retry_at = now.mono.plus(pause);
        entry.failures = entry.failures.saturating_add(1);
        let forget = entry.failures >= FAILURES_MAX
            && now.wall.since(entry.first_failure) >= FAILURES_SPREAD;
        if forget {
            self.forget(id);
        }
        forget
    }

    /// Leaves `id` alone until `until`; it is there, but full.
    pub(super) fn busy(&mut self, id: &NodeId, until: Mono) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.retry_at = until;
        }
    }

    /// Removes `id`.
    pub(super) fn forget(&mut self, id: &NodeId) {
        self.contests.remove(id);
        self.met.remove(id);
        if let Some(entry) = self.entries.remove(id) {
            self.leave(id, entry.place);
        }
    }

    /// The incumbent to be tested next.
    pub(super) fn contest(&self) -> Option<NodeId> {
        self.contests.keys().next().copied()
    }

    /// Ends the test of `incumbent`: it stays if it answered, or makes room for who waits.
    pub(super) fn settle(&mut self, incumbent: &NodeId, answered: bool, now: Now) {
        let Some(challenger) = self.contests.remove(incumbent) else {
            return;
        };
        if answered {
            return;
        }
        if let Some(entry) = self.entries.get(incumbent) {
            let place = self.new_place(entry.group, entry.group);
            if self.make_room(place, now) {
                self.shift(incumbent, place);
            } else {
                self.forget(incumbent);
            }
        }
        if let Some(entry) = self.entries.get(&challenger) {
            let place = self.tried_place(&challenger, entry.group);
            if entry.place.0 == Table::New && self.bucket(place).len() < self.bucket_entries {
                self.shift(&challenger, place);
            }
        }
    }

    /// The entry of `id`.
    pub(super) fn get(&self, id: &NodeId) -> Option<&Entry> {
        self.entries.get(id).map(Box::as_ref)
    }

    /// Whether a record of `id` with this number would be old news.
    pub(super) fn knows(&self, id: &NodeId, seq: u64) -> bool {
        let entry = self.entries.get(id);
        entry.is_some_and(|entry| seq <= entry.record.body.seq)
    }

    /// Every entry, in the order of ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Entry)> {
        self.entries.iter().map(|(id, entry)| (id, entry.as_ref()))
    }

    /// Those who were there in this run, in the order of ids.
    pub(super) fn met(&self) -> impl Iterator<Item = &NodeId> {
        self.met.iter()
    }

    /// A random entry of a random bucket of `table`.
    pub(super) fn pick(&self, table: Table, rng: &mut ChaCha8Rng) -> Option<NodeId> {
        let buckets = || self.buckets.range((table, 0)..=(table, u8::MAX));
        let (_, bucket) = buckets().nth(draw::below(rng, buckets().count()))?;
        draw::pick(rng, bucket).copied()
    }

    /// Entries in all.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries of `tried`.
    pub(super) const fn tried(&self) -> usize {
        self.tried
    }

    /// Tests waiting.
    pub(super) fn contests(&self) -> usize {
        self.contests.len()
    }

    /// The key of the buckets, to be kept over restarts.
    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    fn new_place(&self, group: Group, source: Group) -> Place {
        let choice = self.hash(b"choice", &[group, source]) % NEW_BUCKETS_PER_SOURCE;
        (Table::New, self.hash(&[b'n', choice], &[source]))
    }

    fn tried_place(&self, id: &NodeId, group: Group) -> Place {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(b"own").update(id.as_bytes());
        let [own, ..] = *hasher.finalize().as_bytes();
        let choice = own % TRIED_BUCKETS_PER_GROUP;
        let bucket = self.hash(&[b't', choice], &[group]) % limits::TRIED_BUCKETS;
        (Table::Tried, bucket)
    }

    fn hash(&self, label: &[u8], groups: &[Group]) -> u8 {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(label);
        for group in groups {
            hash_group(&mut hasher, *group);
        }
        let [first, ..] = *hasher.finalize().as_bytes();
        first
    }

    fn bucket(&self, place: Place) -> &[NodeId] {
        self.buckets.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Whether `place` has room, if need be after its first poor entry has gone.
    fn make_room(&mut self, place: Place, now: Now) -> bool {
        if self.bucket(place).len() < self.bucket_entries {
            return true;
        }
        let is_poor = |id: &&NodeId| self.entries.get(id).is_none_or(|entry| entry.is_poor(now));
        let Some(poor) = self.bucket(place).iter().find(is_poor).copied() else {
            return false;
        };
        self.forget(&poor);
        true
    }

    fn put(&mut self, entry: Entry) {
        let (id, place) = (entry.record.body.node, entry.place);
        self.enter(id, place);
        self.entries.insert(id, Box::new(entry));
    }

    fn shift(&mut self, id: &NodeId, place: Place) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut entry.place, place);
        self.leave(id, before);
        self.enter(*id, place);
    }

    fn enter(&mut self, id: NodeId, place: Place) {
        self.buckets.entry(place).or_default().push(id);
        if place.0 == Table::Tried {
            self.tried = self.tried.saturating_add(1);
        }
    }

    fn leave(&mut self, id: &NodeId, place: Place) {
        if place.0 == Table::Tried {
            self.tried = self.tried.saturating_sub(1);
        }
        if let Some(bucket) = self.buckets.get_mut(&place) {
            bucket.retain(|held| held != id);
            if bucket.is_empty() {
                self.buckets.remove(&place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Signature;
    use crate::record::RecordBody;

    fn record(number: u32, address: &str) -> Record {
        let body = RecordBody {
            node: NodeId::from_bytes(*blake3::hash(&number.to_be_bytes()).as_bytes()),
            seq: 1,
            expires: Wall::from_millis(3_600_000),
            addresses: vec![address.parse().unwrap()],
            relay: String::new(),
        };
        Record {
            body,
            signature: Signature::from_bytes([0; 64]),
        }
    }

    fn told(source: u8) -> Told {
        Told {
            source: NodeId::from_bytes([source; 32]),
            source_group: Group::V4([source, 0]),
            reach: Reach::World,
        }
    }

    fn book() -> Book {
        Book::new([9; 32], false, limits::BUCKET_ENTRIES)
    }

    fn at(hours: u64) -> Now {
        Now {
            mono: Mono::ZERO.plus(Duration::from_hours(hours)),
            wall: Wall::from_millis(0).plus(Duration::from_hours(hours)),
        }
    }

    #[test]
    fn one_source_group_reaches_eight_buckets_whatever_it_tells() {
        let mut book = book();
        for number in 0..20_000_u32 {
            let [_, _, c, d] = number.to_be_bytes();
            book.insert(
                record(number, &format!("{}.{d}.1.1:9", 30 + c % 90)),
                told(1),
                at(0),
            );
        }
        let buckets = book.buckets.len();
        assert!(buckets <= usize::from(NEW_BUCKETS_PER_SOURCE), "{buckets}");
        assert!(book.len() <= 256);
        let before = book.len();
        book.insert(record(20_001, "8.8.8.8:9"), told(2), at(0));
        assert_eq!(book.len(), before + 1, "another source finds other buckets");
    }

    #[test]
    fn one_address_group_reaches_eight_buckets_of_tried() {
        let mut book = book();
        for number in 0..4_000_u32 {
            let [_, _, c, d] = number.to_be_bytes();
            let record = record(number, &format!("8.8.{c}.{d}:9"));
            let id = record.body.node;
            book.insert(record, told(u8::try_from(number % 250).unwrap()), at(0));
            book.good(&id, at(0));
        }
        assert!(
            book.tried() <= 8 * limits::BUCKET_ENTRIES,
            "{}",
            book.tried()
        );
        assert!(book.contests() <= limits::CONTESTS_MAX);
    }

    #[test]
    fn an_incumbent_that_answers_stays_and_a_dead_one_makes_room() {
        for answered in [true, false] {
            let mut book = Book::new([9; 32], false, 1);
            let (mut number, first) = (0, record(0, "8.8.1.1:9"));
            let incumbent = first.body.node;
            book.insert(first, told(0), at(0));
            book.good(&incumbent, at(0));
            while book.contests() == 0 {
                number += 1;
                let record = record(number, "8.8.1.1:9");
                let id = record.body.node;
                book.insert(record, told(u8::try_from(number).unwrap()), at(0));
                book.good(&id, at(1));
            }
            let tested = book.contest().unwrap();
            let challenger = book.contests[&tested];
            book.settle(&tested, answered, at(2));
            let table = |book: &Book, id| book.get(&id).map(|entry| entry.place.0);
            let stays = table(&book, tested) == Some(Table::Tried);
            let comes = table(&book, challenger) == Some(Table::Tried);
            assert_eq!((stays, comes), (answered, !answered));
        }
    }

    #[test]
    fn ten_failures_count_only_over_a_day_and_only_while_linked() {
        let mut book = book();
        let record = record(1, "8.8.8.8:9");
        let id = record.body.node;
        book.insert(record, told(1), at(0));
        assert!(
            (0..100).all(|hour| !book.failed(&id, false, at(hour))),
            "we were offline"
        );
        assert!(
            (0..30).all(|_| !book.failed(&id, true, at(100))),
            "all in one hour"
        );
        assert!(!book.failed(&id, true, at(123)));
        assert!(book.failed(&id, true, at(124)));
        assert!(book.get(&id).is_none());
    }

    #[test]
    fn addresses_of_our_own_network_are_not_believed_from_afar() {
        let mut book = book();
        for address in [
            "127.0.0.1:22",
            "192.168.0.1:80",
            "169.254.169.254:80",
            "[fe80::1]:5",
        ] {
            assert_eq!(
                book.insert(record(1, address), told(1), at(0)),
                Inserted::Refused
            );
        }
        let near = Told {
            reach: Reach::Machine,
            ..told(1)
        };
        assert_eq!(
            book.insert(record(1, "127.0.0.1:22"), near, at(0)),
            Inserted::New
        );
    }

    #[test]
    fn a_full_bucket_gives_up_the_expired_first() {
        let mut book = Book::new([9; 32], false, 1);
        let old = record(1, "8.8.8.8:9");
        let id = old.body.node;
        assert_eq!(book.insert(old, told(1), at(0)), Inserted::New);
        assert_eq!(
            book.insert(record(2, "8.8.8.8:9"), told(1), at(0)),
            Inserted::Refused
        );
        let mut fresh = record(2, "8.8.8.8:9");
        fresh.body.expires = at(9).wall;
        assert_eq!(book.insert(fresh, told(1), at(2)), Inserted::New);
        assert!(book.get(&id).is_none());
    }
}
