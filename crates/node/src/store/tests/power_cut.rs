//! A power cut at each operation of a script, against a model of what must be there afterwards.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::faults::{Faulty, Operation, Platter};
use super::*;

/// What a store holds.
#[derive(Debug, Clone, Default)]
struct Model {
    known: BTreeMap<BulletinId, (Wall, Wall)>,
    bodies: BTreeMap<u64, StoredBulletin>,
    meta: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn apply(&mut self, write: &Write) {
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
            Write::Version { .. } | Write::Barrier(_) => {}
        }
    }

    /// What is on a medium.
    fn read(image: Vec<u8>) -> Self {
        let medium = Box::new(Faulty::with_bytes(image));
        let (disk, recovered) = Disk::open(medium, 1 << 20).unwrap();
        let all = scan(None, 0, 0, usize::MAX);
        let page = disk
            .read(|transaction| scan::page(transaction, &all))
            .unwrap();
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
        let by_topic = scan(Some((0..4).map(topic).collect()), 0, 0, usize::MAX);
        let page = disk
            .read(|transaction| scan::page(transaction, &by_topic))
            .unwrap();
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

    fn digest(&self) -> u64 {
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

fn any_write(dice: &mut Dice, seq: u64) -> Write {
    let some = bulletin(1 + dice.below(120), seq, 0);
    match dice.below(20) {
        0..10 => {
            let size = [30, 700, 3_000, 20_000][usize::try_from(dice.below(4)).unwrap()];
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
            let other = bulletin(1 + dice.below(120), 0, 0);
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

/// TESTS.md D2, in small: whatever part of the unsynced sectors a power cut leaves, the store opens,
/// holds everything it called synced, and is exactly at the end of one of its transactions.
#[test]
fn power_cut_at_any_operation_loses_nothing_that_was_synced() {
    let mut dice = Dice::new(2);
    let (faulty, digests) = record(&mut dice, 300);
    let log = faulty.log();
    let said = |operation: &Operation| match operation {
        Operation::Said(through) => usize::try_from(*through).ok(),
        _ => None,
    };
    let mut platter = Platter::new(Faulty::created().bytes());
    let (mut synced, mut cuts) = (0, 0);
    for (at, operation) in log.iter().enumerate() {
        // Mostly a mixture; now and then all or nothing.
        let odds = [0, 1, 2, 3, 4][usize::try_from(dice.below(5)).unwrap()];
        let image = platter.cut(|| dice.below(4) < odds);
        let next = log[at..].iter().find_map(said).unwrap_or(synced);
        let found = Model::read(image).digest();
        assert!(
            found == digests[synced] || found == digests[next],
            "cut before operation {at} of {}: neither as after {synced} writes nor after {next}",
            log.len()
        );
        cuts += 1;
        platter.apply(operation);
        synced = said(operation).unwrap_or(synced);
    }
    assert_eq!(synced, 300);
    println!("{cuts} cuts");
}
