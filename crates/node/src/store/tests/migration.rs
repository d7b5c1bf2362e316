//! Stores of older schemas: migration finishes, or has not begun; it is never half done.

use redb::{Builder, TableDefinition};

use super::super::faults::{Faulty, Operation, Platter};
use super::*;
use crate::store::disk::Disk;
use crate::store::seal::Sealed;

const BRUIT: TableDefinition<'_, &str, u64> = TableDefinition::new("bruit");
const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
const SEEN: TableDefinition<'_, &[u8; 40], &[u8]> = TableDefinition::new("seen");
const TOPICS: TableDefinition<'_, &[u8; 40], u64> = TableDefinition::new("topics");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

const VERSIONS: TableDefinition<'_, &[u8; 40], &[u8]> = TableDefinition::new("versions");

const VERSION: Version = Version {
    key: ValueKey::from_bytes([4; 16]),
    seq: 5,
    clears: true,
};

/// Bodies of an old store.
const BODIES_N: u64 = 40;

/// A store as the program of an older schema wrote it: with lists of topics and without packs; before 4,
/// rows without seals; before 3, nothing had a version; before 2, what was evicted had no arrival.
fn old_store(schema: u64) -> Faulty {
    let faulty = Faulty::default();
    let database = Builder::new().create_with_backend(faulty.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    let close = |table: Sealed, key: &[u8], value: &[u8]| match schema {
        1..4 => value.to_vec(),
        _ => table.close(key, value),
    };
    for (name, number) in [("schema", schema), ("next_seq", 77)] {
        if schema < 4 {
            let mut bruit = transaction.open_table(BRUIT).unwrap();
            bruit.insert(name, number).unwrap();
        } else {
            schema::note(&transaction, name, number).unwrap();
        }
    }
    {
        let mut bodies = transaction.open_table(BODIES).unwrap();
        let mut seen = transaction.open_table(SEEN).unwrap();
        let mut topics = transaction.open_table(TOPICS).unwrap();
        for number in 1..=BODIES_N {
            let body = bulletin(number, number, 300);
            let mut row = vec![0; rows::body_len(&body)];
            rows::write_body(&body, &mut row);
            let row = close(Sealed::Bodies, &number.to_be_bytes(), &row);
            bodies.insert(number, row.as_slice()).unwrap();
            let value = rows::held_value(body.created, &Held::of(&body));
            let key = rows::seen_key(body.expires, &body.id);
            let value = close(Sealed::Seen, &key, &value);
            seen.insert(&key, value.as_slice()).unwrap();
            let mut key = [0; 40];
            key[..32].copy_from_slice(body.topic.as_bytes());
            key[32..].copy_from_slice(&number.to_be_bytes());
            topics.insert(&key, body.created.as_millis()).unwrap();
        }
        let gone = bulletin(50, 50, 0);
        let created = gone.created.as_millis().to_be_bytes().to_vec();
        let value = match schema {
            1 => created,
            _ => rows::gone_value(gone.created, gone.seq).to_vec(),
        };
        let key = rows::seen_key(gone.expires, &gone.id);
        let value = close(Sealed::Seen, &key, &value);
        seen.insert(&key, value.as_slice()).unwrap();
        if schema > 2 {
            let mut versions = transaction.open_table(VERSIONS).unwrap();
            let value = close(Sealed::Versions, &key, &rows::version_value(&VERSION));
            versions.insert(&key, value.as_slice()).unwrap();
        }
        let mut meta = transaction.open_table(META).unwrap();
        let value = close(Sealed::Meta, b"horizon", &[0, 0, 0, 0, 0, 0, 0, 9]);
        meta.insert("horizon", value.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    Faulty::with_bytes(faulty.bytes())
}

fn try_open(faulty: &Faulty) -> Result<(Disk, Recovered), StoreError> {
    Disk::open(Box::new(faulty.clone()), &options())
}

/// Asserts that all of an old store is there, in the schema of today.
fn assert_whole(faulty: &Faulty, schema: u64, what: &str) {
    let (disk, recovered) = try_open(faulty).expect(what);
    assert_eq!(recovered.mended, None, "{what}");
    assert!(recovered.next_seq >= 77, "{what}");
    assert_eq!(recovered.seen.len() as u64, BODIES_N + 1, "{what}");
    assert_eq!(
        recovered.meta["horizon"],
        [0, 0, 0, 0, 0, 0, 0, 9],
        "{what}"
    );
    let versions: Vec<_> = recovered
        .seen
        .iter()
        .filter_map(|known| known.version)
        .collect();
    let expected = if schema > 2 { vec![VERSION] } else { vec![] };
    assert_eq!(versions, expected, "{what}");
    let arrival = (schema > 1).then_some(50);
    assert_eq!(disk.arrival_of(&id(50)), arrival, "{what}");
    let read = disk.page(&scan(None, 0, 0, 100)).expect(what);
    let expected: Vec<_> = (1..=BODIES_N)
        .map(|number| bulletin(number, number, 300))
        .collect();
    assert_eq!((read.page.rows, read.damaged), (expected, vec![]), "{what}");
    disk.close(100).expect(what);
    let bytes = faulty.bytes();
    drop(disk);
    let again = Faulty::with_bytes(bytes);
    let (_, recovered) = try_open(&again).expect(what);
    assert_eq!(
        recovered.next_seq, 101,
        "{what}: it is closed as one of today"
    );
}

#[test]
fn stores_of_every_older_schema_are_read_whole() {
    for old in 1..schema::SCHEMA {
        assert_whole(&old_store(old), old, &format!("schema {old}"));
    }
}

#[test]
fn a_migration_that_loses_its_power_anywhere_is_finished_by_the_next_start() {
    let mut dice = Dice::new(7);
    for old in 1..schema::SCHEMA {
        let faulty = old_store(old);
        let mut platter = Platter::new(faulty.bytes());
        drop(try_open(&faulty).unwrap());
        let log = faulty.log();
        assert!(
            log.iter()
                .filter(|operation| matches!(operation, Operation::Sync))
                .count()
                > 2
        );
        for (at, operation) in log.iter().enumerate() {
            for odds in [0, 2, 4] {
                let image = platter.cut(|| dice.below(4) < odds);
                let what = format!("schema {old}, cut before operation {at} of {}", log.len());
                assert_whole(&Faulty::with_bytes(image), old, &what);
            }
            platter.apply(operation);
        }
    }
}

#[test]
fn a_migration_whose_disk_fails_anywhere_is_refused_and_finished_later() {
    for old in 1..schema::SCHEMA {
        let faulty = old_store(old);
        for luck in 0.. {
            let faulty = Faulty::with_bytes(faulty.bytes());
            faulty.fail_after(luck);
            let opened = try_open(&faulty);
            faulty.fail_after(u64::MAX);
            let what = format!("schema {old}, {luck} operations");
            match opened {
                Ok(_) => {
                    assert!(luck > 10, "{what}");
                    break;
                }
                Err(error) => assert!(matches!(error, StoreError::Io { .. }), "{what}: {error}"),
            }
            assert_whole(&Faulty::with_bytes(faulty.bytes()), old, &what);
        }
    }
}

/// A flipped bit in the number of the schema must not have rows sealed twice, or none.
#[test]
fn a_schema_that_contradicts_itself_is_damage() {
    let faulty = Faulty::created();
    let (store, _, _events) = open_faulty(&faulty);
    store.submit(Write::Put(bulletin(1, 1, 300))).unwrap();
    store.shutdown().unwrap();
    for wrong in [1, 3, schema::SCHEMA + 1] {
        let faulty = Faulty::with_bytes(faulty.bytes());
        let database = Builder::new().create_with_backend(faulty.clone()).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(BRUIT)
            .unwrap()
            .insert("schema", wrong)
            .unwrap();
        transaction.commit().unwrap();
        drop(database);
        let faulty = Faulty::with_bytes(faulty.bytes());
        let (disk, recovered) = try_open(&faulty).unwrap();
        assert_eq!(
            recovered.mended.map(|mended| mended.saved),
            Some(1),
            "schema {wrong}"
        );
        assert_eq!(disk.held(), 1);
    }
}
