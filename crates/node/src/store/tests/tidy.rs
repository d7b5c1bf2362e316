//! Packs: what is in them is found, and little of them is empty.

use redb::{ReadableDatabase as _, ReadableTable as _};

use super::super::faults::Faulty;
use super::super::{bodies, tidy};
use super::*;
use crate::store::disk::{Body, Disk};

fn disk(options: &StoreOptions) -> (Faulty, Disk) {
    let faulty = Faulty::created();
    let (disk, _) = Disk::open(Box::new(faulty.clone()), options).unwrap();
    (faulty, disk)
}

fn put(disk: &Disk, numbers: impl IntoIterator<Item = u64>, size: usize) {
    let all = numbers.into_iter();
    let batch: Vec<_> = all
        .map(|number| Write::Put(bulletin(number, number, size)))
        .collect();
    disk.apply(&batch, 10_000).unwrap();
}

/// Takes every step there is; answers how many.
fn tidied(disk: &Disk) -> usize {
    let steps = (0..10_000).take_while(|_| disk.tidy().unwrap()).count();
    assert!(steps < 10_000, "it comes to an end");
    steps
}

/// How many bodies lie alone, and what each pack takes.
fn layout(faulty: &Faulty) -> (usize, Vec<bodies::Waste>) {
    let medium = Faulty::with_bytes(faulty.bytes());
    let database = redb::Builder::new().create_with_backend(medium).unwrap();
    let transaction = database.begin_read().unwrap();
    let alone = transaction.open_table(bodies::BODIES).unwrap();
    let packs = transaction.open_table(bodies::PACKS).unwrap();
    let waste = transaction.open_table(bodies::WASTE).unwrap();
    let packs = packs.iter().unwrap().map(|row| {
        let (key, pack) = row.unwrap();
        let row = waste.get(key.value()).unwrap().unwrap();
        let waste = bodies::Waste::read(key.value(), row.value()).unwrap();
        assert_eq!(pack.value().len(), waste.bytes as usize);
        waste
    });
    (alone.iter().unwrap().count(), packs.collect())
}

#[test]
fn bodies_move_into_packs_that_are_full() {
    let options = StoreOptions::default();
    let (faulty, disk) = disk(&options);
    for hundred in 0..30 {
        put(&disk, hundred * 100 + 1..=hundred * 100 + 100, 1_024);
        tidied(&disk);
    }
    let (alone, packs) = layout(&faulty);
    assert!(alone < 128, "{alone} lie alone");
    // What is left of a pack had no room for another body.
    let least = u32::try_from(options.pack_bytes_max - 1_200).unwrap();
    assert!(
        packs
            .iter()
            .all(|pack| pack.bytes > least && pack.wasted == 0)
    );
    for number in [1, 2, 1_500, 2_999, 3_000] {
        let bytes = bulletin(number, number, 1_024).bytes;
        assert_eq!(disk.body(&id(number)).unwrap(), Body::Whole(bytes));
    }
    let page = disk.page(&scan(None, 1_234, 0, 9)).unwrap().page;
    let seqs: Vec<_> = page.rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1_235..1_244).collect::<Vec<_>>());
}

#[test]
fn among_sixteen_packs_little_more_than_one_is_held_in_vain() {
    let options = StoreOptions::default();
    let (faulty, disk) = disk(&options);
    put(&disk, 1..=4_000, 1_024);
    tidied(&disk);
    let (_, before) = layout(&faulty);
    let mut dice = Dice::new(16);
    let mut left: BTreeSet<_> = (1..=4_000).collect();
    for _ in 0..20 {
        let gone: BTreeSet<_> = (0..100).map(|_| 1 + dice.below(4_000)).collect();
        let batch: Vec<_> = gone
            .iter()
            .map(|number| Write::Evict { id: id(*number) })
            .collect();
        disk.apply(&batch, 10_000).unwrap();
        left.retain(|number| !gone.contains(number));
        tidied(&disk);
        let (_, packs) = layout(&faulty);
        for run in packs.windows(tidy::RUN) {
            let wasted: u32 = run.iter().map(|pack| pack.wasted).sum();
            let most = options.pack_bytes_max + options.pack_bytes_max / 4;
            assert!((wasted as usize) < most, "{run:?}");
        }
    }
    let (_, after) = layout(&faulty);
    assert!(after.len() * 4 < before.len() * 3, "{} packs", after.len());
    let read = disk.page(&scan(None, 0, 0, 5_000)).unwrap();
    let seqs: BTreeSet<_> = read.page.rows.iter().map(|row| row.seq).collect();
    assert_eq!((seqs, read.damaged), (left, vec![]));
}

/// A better stamp for a body in a pack: its row goes before the pack, and into it with the next.
#[test]
fn what_replaces_a_body_in_a_pack_is_found_and_packed_again() {
    let (faulty, disk) = disk(&options());
    put(&disk, 1..=40, 300);
    tidied(&disk);
    let restamp = |number: u64| Write::Restamp {
        id: id(number),
        stamp_bits: 30,
        bytes: vec![9; 300].into(),
    };
    let held = |disk: &Disk| disk.page(&scan(None, 0, 0, 100)).unwrap().page.rows;
    let mut expected = held(&disk);
    for number in 1..=20_u64 {
        disk.apply(&[restamp(number)], 10_000).unwrap();
        let row = &mut expected[usize::try_from(number).unwrap() - 1];
        (row.stamp_bits, row.bytes) = (30, vec![9; 300].into());
        assert_eq!(held(&disk), expected);
        tidied(&disk);
        assert_eq!(held(&disk), expected);
    }
    let (alone, _) = layout(&faulty);
    assert!(alone < 16, "{alone} lie alone");
}

/// One large body behind many that had been replaced filled no pack, and was tried for ever.
#[test]
fn a_large_body_behind_many_that_were_replaced_waits_for_others() {
    let (_, disk) = disk(&options());
    put(&disk, 1..=9, 500);
    tidied(&disk);
    let restamps: Vec<_> = (1..=9)
        .map(|number| Write::Restamp {
            id: id(number),
            stamp_bits: 30,
            bytes: vec![9].into(),
        })
        .collect();
    disk.apply(&restamps[..3], 10_000).unwrap();
    put(&disk, [20], 9_000);
    tidied(&disk);
    disk.apply(&restamps[3..], 10_000).unwrap();
    tidied(&disk);
    let bytes = bulletin(20, 20, 9_000).bytes;
    assert_eq!(disk.body(&id(20)).unwrap(), Body::Whole(bytes));
}
