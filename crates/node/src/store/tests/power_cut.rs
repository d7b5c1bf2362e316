//! A power cut at each operation of a script, against a model of what must be there afterwards.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::faults::{Faulty, Operation, Platter};
use super::*;

/// What a store holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    known: BTreeMap<BulletinId, (Wall, Wall)>,
    pub(super) bodies: BTreeMap<u64, StoredBulletin>,
    meta: BTreeMap<String, Vec<u8>>,
}

impl Model {
    pub(super) fn apply(&mut self, write: &Write) {
        match write {
            Write::Put(bulletin) => {
                self.bodies.retain(|_, held| held.id != bulletin.id);
                self.known
                    .insert(bulletin.id, (bulletin.created, bulletin.expires));
                self.bodies.insert(bulletin.seq, bulletin.clone());
            }
            Write::Seen {
                id,
                created,
                expires,
            } => {
                self.known.insert(*id, (*created, *expires));
            }
            Write::Restamp {
                id,
                stamp_bits,
                bytes,
            } => {
                for held in self.bodies.values_mut().filter(|held| held.id == *id) {
                    held.stamp_bits = *stamp_bits;
                    held.bytes = bytes.clone();
                }
            }
            Write::Evict { id } => self.bodies.retain(|_, held| held.id != *id),
            Write::Purge { ids } => {
                for (id, _) in ids {
                    self.known.remove(id);
                    self.bodies.retain(|_, held| held.id != *id);
                }
            }
            Write::Meta { key, value } => {
                self.meta.insert((*key).to_owned(), value.clone());
            }
            Write::Version { .. }
            | Write::Lost { .. }
            | Write::File { .. }
            | Write::Chunk { .. }
            | Write::Barrier(_) => {}
        }
    }

    pub(super) fn apply_all(&mut self, batch: &[Write]) {
        for write in batch {
            self.apply(write);
        }
    }

    /// What is on a medium.
    pub(super) fn read(image: Vec<u8>, is_checked: bool) -> Self {
        let options = StoreOptions {
            check_bytes_max: if is_checked { u64::MAX } else { 0 },
            ..options()
        };
        let medium = Box::new(Faulty::with_bytes(image));
        let (disk, recovered) = Disk::open(medium, &options).unwrap();
        assert_eq!(recovered.mended, None, "a power cut is no damage");
        let all = |scan| {
            let read = disk.page(&scan).unwrap();
            assert_eq!((read.page.next, read.damaged), (None, vec![]));
            read.page
        };
        let page = all(scan(None, 0, 0, usize::MAX));
        let held: BTreeMap<_, _> = recovered
            .seen
            .iter()
            .filter_map(|known| Some((known.held?.seq, known.id)))
            .collect();
        let bodies: BTreeMap<_, _> = page.rows.into_iter().map(|row| (row.seq, row)).collect();
        assert!(
            held.iter().eq(bodies
                .iter()
                .map(|(seq, row)| (seq, &row.id))
                .collect::<Vec<_>>())
        );
        assert!(
            bodies
                .last_key_value()
                .is_none_or(|(seq, _)| *seq < recovered.next_seq)
        );
        let page = all(scan(Some((0..4).map(topic).collect()), 0, 0, usize::MAX));
        assert!(
            page.rows.iter().eq(bodies.values()),
            "lists of topics lead to every body"
        );
        let known = recovered.seen.into_iter();
        let known = known
            .map(|known| (known.id, (known.created, known.expires)))
            .collect();
        Self {
            known,
            bodies,
            meta: recovered.meta,
        }
    }

    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.known.hash(&mut hasher);
        self.meta.hash(&mut hasher);
        for held in self.bodies.values() {
            (held.seq, held.id, held.topic, held.created, held.expires).hash(&mut hasher);
            (held.received, held.from, held.hops, held.stamp_bits).hash(&mut hasher);
            held.bytes.hash(&mut hasher);
        }
        hasher.finish()
    }
}

pub(super) fn any_write(dice: &mut impl Chance, seq: u64) -> Write {
    let some = bulletin(1 + dice.below(60), seq, 0);
    match dice.below(20) {
        0..10 => {
            let size = match dice.below(16) {
                0 => 20_000,
                n => [30, 300, 700, 2_000][usize::try_from(n % 4).unwrap()],
            };
            Write::Put(StoredBulletin {
                bytes: vec![1; size].into(),
                ..some
            })
        }
        10..12 => Write::Seen {
            id: some.id,
            created: some.created,
            expires: some.expires,
        },
        12..14 => {
            let bytes = dice.roll().to_be_bytes().to_vec().into();
            Write::Restamp {
                id: some.id,
                stamp_bits: 30,
                bytes,
            }
        }
        14..17 => Write::Evict { id: some.id },
        17..19 => {
            let other = bulletin(1 + dice.below(60), 0, 0);
            Write::Purge {
                ids: vec![(some.id, some.expires), (other.id, other.expires)],
            }
        }
        _ => Write::Meta {
            key: "horizon",
            value: dice.roll().to_be_bytes().to_vec(),
        },
    }
}

/// Runs a script of `count` writes in batches of any size. Returns the medium with its log, and the
/// digest of what must be there after each number of writes.
fn record(dice: &mut Dice, count: u64) -> (Faulty, Vec<u64>) {
    let faulty = Faulty::created();
    let (sender, events) = channel();
    let said = faulty.clone();
    let sink: Events = Arc::new(move |event| {
        if let StoreEvent::Synced { through, .. } = &event {
            said.say(*through);
        }
        sender.send(event).ok();
    });
    let medium = Box::new(faulty.clone());
    let (store, _) = Store::open_medium(medium, None, options(), sink).unwrap();
    let mut model = Model::default();
    let mut digests = vec![model.digest()];
    for seq in 1..=count {
        let write = any_write(dice, seq);
        model.apply(&write);
        digests.push(model.digest());
        let ticket = store.submit(write).unwrap();
        if dice.below(3) == 0 {
            synced(&events, ticket);
        }
    }
    store.shutdown().unwrap();
    (faulty, digests)
}

/// Cuts the power before each operation of the log of `faulty`, and asserts that whatever part of the
/// unsynced sectors is left, the store opens, holds everything it called synced, and is exactly at the
/// end of one of its transactions. `digests` is what must be there after each number of writes.
fn cut_everywhere(dice: &mut Dice, faulty: &Faulty, digests: &[u64]) -> usize {
    let log = faulty.log();
    let said = |operation: &Operation| match operation {
        Operation::Said(through) => usize::try_from(*through).ok(),
        _ => None,
    };
    let mut nexts: Vec<_> = log.iter().map(said).collect();
    let mut next = None;
    for said in nexts.iter_mut().rev() {
        next = said.or(next);
        *said = next;
    }
    let mut platter = Platter::new(Faulty::created().bytes());
    let mut synced = 0;
    for (at, (operation, next)) in log.iter().zip(nexts).enumerate() {
        // Mostly a mixture; now and then all or nothing.
        let odds = [0, 1, 2, 3, 4][usize::try_from(dice.below(5)).unwrap()];
        let image = platter.cut(|| dice.below(4) < odds);
        let is_checked = dice.below(16) == 0;
        let found = Model::read(image, is_checked).digest();
        let next = next.unwrap_or(synced);
        assert!(
            found == digests[synced] || found == digests[next],
            "cut before operation {at} of {}: neither as after {synced} writes nor after {next}",
            log.len()
        );
        platter.apply(operation);
        synced = said(operation).unwrap_or(synced);
    }
    assert_eq!(synced + 1, digests.len(), "all was synced at the end");
    log.len()
}

#[test]
fn power_cut_at_any_operation_loses_nothing_that_was_synced() {
    let mut dice = Dice::new(2);
    let (faulty, digests) = record(&mut dice, 2_000);
    let cuts = cut_everywhere(&mut dice, &faulty, &digests);
    println!("{cuts} cuts");
    assert!(cuts > 2_000);
}

/// The long form: `SEEDS` scripts (10,000 unless it says otherwise) from `SEED` on.
#[test]
#[ignore = "hours: cargo xtask nightly power-cuts"]
fn power_cut_at_any_operation_of_ten_thousand_scripts_loses_nothing_that_was_synced() {
    let seeds = std::env::var("SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok());
    let first = Dice::new(1).0;
    let mut cuts = 0;
    for seed in (first..).take(seeds.unwrap_or(10_000)) {
        let mut dice = Dice(seed);
        println!("SEED={seed}");
        let count = 20 + dice.below(60);
        let (faulty, digests) = record(&mut dice, count);
        cuts += cut_everywhere(&mut dice, &faulty, &digests);
    }
    println!("{cuts} cuts");
}
