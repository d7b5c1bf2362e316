//! Damage of every kind: nobody gets a wrong value, nothing ends the process, the original is kept.

use std::collections::BTreeMap;

use super::super::faults::Faulty;
use super::*;
use crate::store::disk::{Body, Disk};

/// What was written before the damage.
struct Truth {
    /// Every body there ever was: one that was evicted may be found where it lay.
    ever: BTreeMap<u64, StoredBulletin>,
    /// Those that were held at the end.
    bodies: BTreeMap<u64, StoredBulletin>,
    known: BTreeMap<BulletinId, Known>,
    meta: BTreeMap<String, Vec<u8>>,
    next_seq: u64,
}

/// What came of a damaged store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Fate {
    refused: usize,
    mended: usize,
    /// Bodies that were told to be lost.
    told: usize,
    /// Stores of which nothing was lost.
    whole: usize,
}

impl Fate {
    fn add(&mut self, other: Self) {
        self.refused += other.refused;
        self.mended += other.mended;
        self.told += other.told;
        self.whole += other.whole;
    }
}

fn size(number: u64) -> usize {
    [30, 700, 1_300, 5_000][usize::try_from(number % 4).unwrap()]
}

/// A store of some bulletins of all sizes, closed.
fn written() -> (Vec<u8>, Truth) {
    let faulty = Faulty::created();
    let (store, _, events) = open_faulty(&faulty);
    for number in 1..=80 {
        let body = bulletin(number, number, size(number));
        store.submit(Write::Put(body)).unwrap();
        if number % 9 == 0 {
            store.submit(Write::Evict { id: id(number - 3) }).unwrap();
        }
        if number % 7 == 0 {
            let (id, created, expires) = (
                id(1_000 + number),
                Wall::from_millis(7),
                Wall::from_millis(number),
            );
            store
                .submit(Write::Seen {
                    id,
                    created,
                    expires,
                })
                .unwrap();
        }
        if number % 20 == 0 {
            let ticket = store.submit(Write::Barrier(number)).unwrap();
            synced(&events, ticket);
        }
    }
    for (key, value) in [
        ("address_book", vec![5; 3_000]),
        ("horizon", vec![0, 0, 0, 0, 0, 0, 0, 9]),
    ] {
        store.submit(Write::Meta { key, value }).unwrap();
    }
    let bodies = read_all(&store, scan(None, 0, 0, 1_000));
    store.shutdown().unwrap();
    let (disk, recovered) = open_disk(&faulty, true).unwrap();
    drop(disk);
    let truth = Truth {
        ever: (1..=80)
            .map(|number| (number, bulletin(number, number, size(number))))
            .collect(),
        bodies: bodies.into_iter().map(|body| (body.seq, body)).collect(),
        known: recovered
            .seen
            .into_iter()
            .map(|known| (known.id, known))
            .collect(),
        meta: recovered.meta,
        next_seq: recovered.next_seq,
    };
    (faulty.bytes(), truth)
}

fn open_disk(faulty: &Faulty, is_checked: bool) -> Result<(Disk, Recovered), StoreError> {
    let options = StoreOptions {
        check_bytes_max: if is_checked { u64::MAX } else { 0 },
        ..options()
    };
    Disk::open(Box::new(faulty.clone()), &options)
}

impl Truth {
    /// Opens what is left of the store and reads all of it; with `writes` also after a write and
    /// another start.
    fn hold(&self, image: &[u8], is_checked: bool, what: &str) -> Fate {
        let faulty = Faulty::with_bytes(image.to_vec());
        let (disk, recovered) = match open_disk(&faulty, is_checked) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(
                    matches!(error, StoreError::Corrupt { .. }),
                    "{what}: {error}"
                );
                assert!(error.fix().contains("aside"), "{}", error.fix());
                assert_eq!(
                    faulty.bytes(),
                    image,
                    "{what}: what is refused is left alone"
                );
                return Fate {
                    refused: 1,
                    ..Fate::default()
                };
            }
        };
        let mut is_mended = recovered.mended.is_some();
        let (mut told, mut lost) = self.read(&disk, &recovered, what);
        // Damage does not spread when something is written over it.
        let new = bulletin(500, recovered.next_seq + 1, 700);
        let batch = [
            Write::Put(new.clone()),
            Write::Lost {
                bodies: lost.clone(),
            },
        ];
        if let Err(error) = disk.apply(&batch, new.seq) {
            assert!(
                matches!(error, StoreError::Corrupt { .. }),
                "{what}: {error}"
            );
            disk.mend().expect(what);
            is_mended = true;
            disk.apply(&batch, new.seq).expect(what);
        }
        assert_eq!(
            disk.body(&new.id).expect(what),
            Body::Whole(new.bytes.clone()),
            "{what}"
        );
        if let Err(error) = disk.close(new.seq) {
            assert!(
                matches!(error, StoreError::Corrupt { .. }),
                "{what}: {error}"
            );
        }
        drop(disk);
        if is_mended {
            assert!(!faulty.aside().is_empty(), "{what}");
        }
        let (disk, mut recovered) = open_disk(&faulty, is_checked).expect(what);
        recovered.seen.retain(|known| known.id != new.id);
        let (told_again, lost_again) = self.read(&disk, &recovered, what);
        if !is_mended {
            assert_eq!(
                lost_again,
                [],
                "{what}: what was given up is not held any more"
            );
        }
        told = told.max(told_again);
        lost.extend(lost_again);
        let held = self.bodies.len();
        Fate {
            mended: usize::from(is_mended),
            told,
            whole: usize::from(told == 0 && disk.held() == held + 1),
            refused: 0,
        }
    }

    /// Asserts that nothing `disk` says is wrong. Returns how many bodies it says are lost, and
    /// those that it found to be damaged.
    fn read(
        &self,
        disk: &Disk,
        recovered: &Recovered,
        what: &str,
    ) -> (usize, Vec<(BulletinId, u64)>) {
        assert!(
            recovered.next_seq >= self.next_seq.min(self.bodies.len() as u64),
            "{what}"
        );
        for known in &recovered.seen {
            let truth = self
                .known
                .get(&known.id)
                .unwrap_or_else(|| panic!("{what}: {known:?} was never known"));
            assert_eq!(
                (known.created, known.expires),
                (truth.created, truth.expires),
                "{what}"
            );
            if let Some(held) = known.held {
                let body = &self.ever[&held.seq];
                assert_eq!((body.id, Held::of(body)), (known.id, held), "{what}");
            }
        }
        for (key, value) in &recovered.meta {
            assert_eq!(self.meta.get(key), Some(value), "{what}: {key}");
        }
        let mut damaged = Vec::new();
        for body in self.ever.values() {
            match disk.body(&body.id) {
                Ok(Body::Whole(bytes)) => assert_eq!(bytes, body.bytes, "{what}"),
                Ok(Body::Damaged(seq)) => damaged.push((body.id, seq)),
                Ok(Body::None) => assert_eq!(disk.seq_of(&body.id), None, "{what}"),
                Err(error) => {
                    let is_damage = matches!(error, StoreError::Corrupt { .. });
                    assert!(is_damage, "{what}: {error}");
                    // The database refuses everything from here on.
                    return (1, Vec::new());
                }
            }
        }
        let topics = Some((0..4).map(topic).collect());
        for wanted in [scan(None, 0, 0, 1_000), scan(topics, 0, 0, 1_000)] {
            if let Ok(read) = disk.page(&wanted) {
                for row in read.page.rows.iter().filter(|row| row.id != id(500)) {
                    assert_eq!(Some(row), self.ever.get(&row.seq), "{what}");
                }
            }
        }
        let missing = self
            .bodies
            .len()
            .saturating_sub(disk.held() - usize::from(disk.seq_of(&id(500)).is_some()));
        (missing + damaged.len(), damaged)
    }
}

thread_local! {
    /// What is caught in this thread is not printed.
    static IS_QUIET: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Keeps panics that are caught, thousands of them, off the screen.
fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", |at| at.file());
            if !IS_QUIET.get() || file.ends_with("damage.rs") {
                loud(panic);
            }
        }));
    });
    IS_QUIET.set(true);
}

/// Asserts it for `count` images, on two threads; prints what came of them.
fn hold_all(truth: &Truth, count: u64, image: impl Fn(u64) -> (Vec<u8>, String) + Sync) -> Fate {
    let half = |first: u64| {
        hush();
        let mut fate = Fate::default();
        for number in (first..count).step_by(2) {
            let (image, what) = image(number);
            fate.add(truth.hold(&image, number % 4 < 2, &what));
        }
        fate
    };
    let fate = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut fate = half(0);
        fate.add(other.join().unwrap());
        fate
    });
    println!("{count} damaged stores: {fate:?}");
    fate
}

fn flips(count: u64) -> Fate {
    let (image, truth) = written();
    println!("{} bytes", image.len());
    let seed = Dice::new(5).0;
    hold_all(&truth, count, |number| {
        let mut dice = Dice(seed.wrapping_add(number));
        let bit = dice.below(image.len() as u64 * 8);
        let mut image = image.clone();
        image[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        (image, format!("bit {bit}"))
    })
}

fn cuts(count: u64) -> Fate {
    let (image, truth) = written();
    hold_all(&truth, count, |number| {
        let len = image.len() as u64 * (number + 1) / (count + 1);
        let image = image[..usize::try_from(len).unwrap()].to_vec();
        (image, format!("{len} bytes"))
    })
}

#[test]
fn one_flipped_bit_anywhere_gives_no_wrong_value() {
    let fate = flips(1_000);
    assert!(fate.told > 0 && fate.mended > 0, "{fate:?}");
    assert!(fate.whole > 400 && fate.refused < 5, "{fate:?}");
}

#[test]
fn a_store_cut_short_anywhere_gives_no_wrong_value() {
    let fate = cuts(100);
    assert!(fate.mended > 90, "{fate:?}");
}

/// The long form of both.
#[test]
#[ignore = "a minute: cargo xtask nightly damage"]
fn ten_thousand_flipped_bits_and_a_thousand_cuts_give_no_wrong_value() {
    flips(10_000);
    cuts(1_000);
}

#[test]
fn a_lost_page_or_beginning_gives_no_wrong_value() {
    let (image, truth) = written();
    let pages = image.len() as u64 / 4_096;
    hold_all(&truth, pages * 2, |number| {
        let mut image = image.clone();
        let start = usize::try_from(number / 2 * 4_096).unwrap();
        let len = if number % 2 == 0 { 512 } else { 4_096 };
        image[start..start + len].fill(0);
        (image, format!("{len} bytes at {start}"))
    });
}

/// Whoever puts an old copy in the place of a store gets what was true then.
#[test]
fn an_old_copy_in_the_place_of_the_store_says_what_was_true_then() {
    let (old, truth) = written();
    let faulty = Faulty::with_bytes(old.clone());
    let (store, recovered, events) = open_faulty(&faulty);
    for number in 1..=40 {
        store.submit(Write::Evict { id: id(number) }).unwrap();
        let new = bulletin(900 + number, recovered.next_seq + number, 700);
        store.submit(Write::Put(new)).unwrap();
    }
    let ticket = store.submit(Write::Barrier(1)).unwrap();
    synced(&events, ticket);
    store.shutdown().unwrap();
    assert_ne!(faulty.bytes(), old);
    let fate = truth.hold(&old, true, "an old copy");
    assert_eq!((fate.whole, fate.mended), (1, 0), "{fate:?}");
}

/// What was read was not what had been put there, and was handed on: with a network to check it
/// against, nobody gets it, whoever changed the file and however well.
#[test]
fn a_body_that_is_no_bulletin_of_the_network_is_not_handed_on() {
    let faulty = Faulty::created();
    let (store, _, events) = open_faulty(&faulty);
    let ticket = store.submit(Write::Put(bulletin(1, 1, 700))).unwrap();
    synced(&events, ticket);
    store.shutdown().unwrap();
    let options = StoreOptions {
        network: Some(bruit_core::id::NetworkId::from_bytes([1; 32])),
        ..options()
    };
    for _ in 0..2 {
        let (store, _, events) = open_faulty_with(&faulty, options.clone());
        let is_there = store
            .seq_of(&id(1))
            .is_some_and(|_| store.stats().held == 1);
        assert_eq!(read_all(&store, scan(None, 0, 0, 10)), []);
        assert_eq!(block_on(store.get(id(1))).unwrap(), None);
        let told = events
            .try_iter()
            .any(|event| matches!(event, StoreEvent::Damaged { ids } if ids == [id(1)]));
        assert_eq!(told, is_there, "it is told once");
        store.shutdown().unwrap();
    }
}

/// A body on a bad sector: whoever holds it is told to fetch it again, and it can come again.
#[test]
fn a_damaged_body_is_told_given_up_and_can_be_put_again() {
    let faulty = Faulty::created();
    let (store, _, _events) = open_faulty(&faulty);
    for number in 1..=3 {
        store
            .submit(Write::Put(bulletin(number, number, 9_000)))
            .unwrap();
    }
    store.shutdown().unwrap();
    let mut image = faulty.bytes();
    let body = bulletin(2, 2, 9_000).bytes;
    let at = image
        .windows(body.len())
        .position(|part| part == &body[..])
        .unwrap();
    image[at + 4_500] ^= 4;
    let faulty = Faulty::with_bytes(image);
    let options = StoreOptions {
        check_bytes_max: 0,
        ..options()
    };
    let (store, recovered, events) = open_faulty_with(&faulty, options);
    assert_eq!((recovered.seen.len(), recovered.mended), (3, None));
    assert_eq!(
        loaded(&store, &events, id(1)),
        Some(bulletin(1, 1, 9_000).bytes)
    );
    store.load(vec![id(2)]).unwrap();
    let (mut is_told, mut is_answered) = (false, false);
    while !(is_told && is_answered) {
        match next(&events) {
            StoreEvent::Damaged { ids } => is_told = ids == [id(2)],
            StoreEvent::Loaded { bytes: None, .. } => is_answered = true,
            StoreEvent::Synced { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let ticket = store.submit(Write::Barrier(1)).unwrap();
    synced(&events, ticket);
    assert_eq!((store.stats().held, store.seq_of(&id(2))), (2, Some(2)));
    let seqs = |rows: Vec<StoredBulletin>| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
    assert_eq!(seqs(read_all(&store, scan(None, 0, 0, 10))), [1, 3]);

    let again = bulletin(2, recovered.next_seq, 9_000);
    let ticket = store.submit(Write::Put(again.clone())).unwrap();
    assert_eq!(synced(&events, ticket), [id(2)]);
    assert_eq!(loaded(&store, &events, id(2)), Some(again.bytes));
    store.shutdown().unwrap();
    let (store, recovered, _events) = open_faulty(&faulty);
    assert_eq!((recovered.seen.len(), recovered.mended), (3, None));
    assert_eq!(store.stats().held, 3);
}

/// A file that was damaged while the node ran: the store mends itself and goes on.
#[test]
fn a_damaged_database_in_a_folder_is_kept_aside_and_a_new_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let (store, _, _events) = open(&place);
    for number in 1..=50 {
        store
            .submit(Write::Put(bulletin(number, number, 700)))
            .unwrap();
    }
    store.shutdown().unwrap();
    let file = folder.path().join(STORE_FILE);
    for round in 1..=2 {
        let mut image = std::fs::read(&file).unwrap();
        image[..512].fill(0);
        std::fs::write(&file, &image).unwrap();
        let (store, recovered, events) = open(&place);
        let mended = recovered.mended.unwrap();
        let aside = folder.path().join(format!("{STORE_FILE}.damaged-{round}"));
        assert_eq!((mended.saved, &mended.aside), (50, &aside));
        assert_eq!(
            std::fs::read(&aside).unwrap(),
            image,
            "it is kept as it was"
        );
        assert!(recovered.next_seq > 50);
        let expected: Vec<_> = (1..=50)
            .map(|number| bulletin(number, number, 700))
            .collect();
        assert_eq!(read_all(&store, scan(None, 0, 0, 100)), expected);
        let ticket = store.submit(Write::Barrier(1)).unwrap();
        synced(&events, ticket);
        store.shutdown().unwrap();
    }
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: std::collections::BTreeSet<_> = names.collect();
    let expected = [
        "lock",
        STORE_FILE,
        "store.redb.damaged-1",
        "store.redb.damaged-2",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
}
