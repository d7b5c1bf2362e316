//! What the store promises, over both kinds of it and over failing media.

mod damage;
mod files;
mod measure;
mod migration;
pub(super) mod model;
mod power_cut;
mod room;
mod tidy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, channel};

use bruit_core::id::{NodeId, ValueKey};
use bruit_core::time::Wall;
use bruit_core::values::Version;

use super::faults::Faulty;
use super::*;
use crate::networks::STORE_FILE;

/// Longest wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers from a seed: `SplitMix64` (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    /// Prints the seed, which `SEED=…` sets.
    fn new(default: u64) -> Self {
        let seed = std::env::var("SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or(default);
        println!("SEED={seed}");
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

/// What chooses: numbers from a seed, or bytes from outside.
trait Chance {
    fn roll(&mut self) -> u64;
    fn below(&mut self, end: u64) -> u64;
}

impl Chance for Dice {
    fn roll(&mut self) -> u64 {
        self.roll()
    }

    fn below(&mut self, end: u64) -> u64 {
        self.below(end)
    }
}

fn id(number: u64) -> BulletinId {
    let mut dice = Dice(number);
    let mut bytes = [0; 32];
    bytes
        .chunks_mut(8)
        .for_each(|part| part.copy_from_slice(&dice.roll().to_be_bytes()));
    BulletinId::from_bytes(bytes)
}

fn topic(number: u64) -> TopicId {
    TopicId::of(&format!("topic {number}"))
}

/// The bulletin number `number`, of topic `number % 4`, created at `number` seconds.
fn bulletin(number: u64, seq: u64, size: usize) -> StoredBulletin {
    StoredBulletin {
        seq,
        id: id(number),
        topic: topic(number % 4),
        created: Wall::from_millis(number * 1_000),
        expires: Wall::from_millis(number * 1_000 + 3_600_000 * (1 + number % 3)),
        received: Wall::from_millis(number * 1_000 + 20),
        from: number
            .is_multiple_of(2)
            .then(|| NodeId::from_bytes([8; 32])),
        hops: 3,
        stamp_bits: 17,
        bytes: vec![u8::try_from(number % 251).unwrap(); size].into(),
    }
}

/// A store that packs soon, and little at a time.
fn options() -> StoreOptions {
    StoreOptions {
        pack_rows: 8,
        pack_bytes_max: 2_000,
        full_retry: Duration::from_millis(10),
        ..StoreOptions::default()
    }
}

fn open(place: &Place) -> (Store, Recovered, Receiver<StoreEvent>) {
    open_with(place, options())
}

fn open_with(place: &Place, options: StoreOptions) -> (Store, Recovered, Receiver<StoreEvent>) {
    let (sender, events) = channel();
    let (store, recovered) =
        Store::open(place, options, move |event| drop(sender.send(event))).unwrap();
    (store, recovered, events)
}

fn open_faulty(faulty: &Faulty) -> (Store, Recovered, Receiver<StoreEvent>) {
    open_faulty_with(faulty, options())
}

fn open_faulty_with(
    faulty: &Faulty,
    options: StoreOptions,
) -> (Store, Recovered, Receiver<StoreEvent>) {
    let (sender, events) = channel();
    let sink = Arc::new(move |event| drop(sender.send(event)));
    let medium = Box::new(faulty.clone());
    let (store, recovered) = Store::open_medium(medium, None, options, sink).unwrap();
    (store, recovered, events)
}

fn next(events: &Receiver<StoreEvent>) -> StoreEvent {
    events.recv_timeout(PATIENCE).expect("the store answers")
}

/// Waits until write number `through` is on disk; returns the ids that were reported.
fn synced(events: &Receiver<StoreEvent>, through: u64) -> Vec<BulletinId> {
    let mut all = Vec::new();
    loop {
        match next(events) {
            StoreEvent::Synced {
                through: done, ids, ..
            } => {
                all.extend(ids);
                if done >= through {
                    return all;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn loaded(store: &Store, events: &Receiver<StoreEvent>, id: BulletinId) -> Option<Bytes> {
    store.load(vec![id]).unwrap();
    loop {
        if let StoreEvent::Loaded { id: found, bytes } = next(events) {
            assert_eq!(found, id);
            return bytes;
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn scan(topics: Option<Vec<TopicId>>, after_seq: u64, since: u64, limit: usize) -> Scan {
    Scan {
        topics,
        after_seq,
        since: Wall::from_millis(since),
        limit,
    }
}

/// Every page of `scan`, one after the other.
fn read_all(store: &Store, mut scan: Scan) -> Vec<StoredBulletin> {
    let mut rows = Vec::new();
    loop {
        let page = block_on(store.scan(scan.clone())).unwrap();
        assert!(page.rows.len() <= scan.limit);
        rows.extend(page.rows);
        match page.next {
            Some(next) => {
                assert!(next > scan.after_seq, "a page reads on");
                scan.after_seq = next;
            }
            None => return rows,
        }
    }
}

fn places() -> (tempfile::TempDir, [Place; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let places = [Place::Folder(folder.path().to_owned()), Place::Ephemeral];
    (folder, places)
}

#[test]
fn what_is_put_is_reported_and_found() {
    let (_folder, places) = places();
    for place in places {
        let (store, recovered, events) = open(&place);
        assert_eq!((recovered.next_seq, recovered.seen.len()), (1, 0));
        let bulletin = bulletin(1, 1, 100);
        let ticket = store.submit(Write::Put(bulletin.clone())).unwrap();
        assert_eq!(synced(&events, ticket), [bulletin.id]);
        assert_eq!(
            loaded(&store, &events, bulletin.id),
            Some(bulletin.bytes.clone())
        );
        assert_eq!(
            block_on(store.get(bulletin.id)).unwrap(),
            Some(bulletin.bytes.clone())
        );
        assert_eq!(block_on(store.get(id(2))).unwrap(), None);
        assert_eq!(read_all(&store, scan(None, 0, 0, 10)), [bulletin]);
        assert_eq!(store.stats().held, 1);
        store.shutdown().unwrap();
    }
}

/// A subscriber that comes back with the cursor of an evicted bulletin was set back to its creation,
/// and got what it had, or lost what had been made before and came after.
#[test]
fn an_arrival_is_known_until_the_id_is_purged_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bulletin = bulletin(1, 7, 100);
    let evict = Write::Evict { id: bulletin.id };
    let (id, expires) = (bulletin.id, bulletin.expires);
    let purge = Write::Purge {
        ids: vec![(id, expires)],
    };
    let seen = Write::Seen {
        id,
        created: bulletin.created,
        expires,
    };
    for place in [Place::Ephemeral, Place::Folder(folder.path().to_owned())] {
        let (store, _, events) = open(&place);
        for write in [Write::Put(bulletin.clone()), evict.clone(), seen.clone()] {
            store.submit(write).unwrap();
        }
        synced(&events, 3);
        assert_eq!(store.seq_of(&id), Some(7));
        assert_eq!(block_on(store.get(id)).unwrap(), None);
        assert_eq!(store.stats().held, 0);
        let store = if place == Place::Ephemeral {
            store
        } else {
            store.shutdown().unwrap();
            let (store, recovered, _) = open(&place);
            assert_eq!(recovered.seen[0].held, None);
            assert_eq!(store.seq_of(&id), Some(7));
            store
        };
        store.submit(purge.clone()).unwrap();
        while store.seq_of(&id).is_some() {
            std::thread::yield_now();
        }
        store.shutdown().unwrap();
    }
}

#[test]
fn bulletins_of_a_topic_are_counted_wherever_they_are() {
    let faulty = Faulty::default();
    let (store, _, events) = open_faulty(&faulty);
    for number in 1..=8 {
        store
            .submit(Write::Put(bulletin(number, number, 10)))
            .unwrap();
    }
    synced(&events, 8);
    let held = faulty.hold_syncs();
    store.submit(Write::Put(bulletin(9, 9, 10))).unwrap();
    assert_eq!(block_on(store.count(topic(1))).unwrap(), 3);
    assert_eq!(block_on(store.count(topic(7))).unwrap(), 0);
    drop(held);
    store.shutdown().unwrap();
}

#[test]
fn what_still_waits_for_the_disk_is_found() {
    let faulty = Faulty::default();
    let (store, _, events) = open_faulty(&faulty);
    let held = faulty.hold_syncs();
    let bulletin = bulletin(1, 1, 100);
    let ticket = store.submit(Write::Put(bulletin.clone())).unwrap();
    assert_eq!(
        loaded(&store, &events, bulletin.id),
        Some(bulletin.bytes.clone())
    );
    assert_eq!(read_all(&store, scan(None, 0, 0, 1)), [bulletin]);
    assert_eq!(
        events.try_iter().count(),
        0,
        "nothing is said before the sync"
    );
    drop(held);
    synced(&events, ticket);
}

#[test]
fn evicted_ids_stay_known_and_purged_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let (store, _, events) = open(&place);
    for number in 1..=4 {
        store
            .submit(Write::Put(bulletin(number, number, 100)))
            .unwrap();
    }
    let seen = bulletin(5, 5, 0);
    store
        .submit(Write::Seen {
            id: seen.id,
            created: seen.created,
            expires: seen.expires,
        })
        .unwrap();
    store.submit(Write::Evict { id: id(2) }).unwrap();
    let purged = [bulletin(3, 0, 0), bulletin(5, 0, 0)];
    let ids = purged
        .iter()
        .map(|bulletin| (bulletin.id, bulletin.expires))
        .collect();
    store.submit(Write::Purge { ids }).unwrap();
    store
        .submit(Write::Meta {
            key: "horizon",
            value: b"7".to_vec(),
        })
        .unwrap();
    let ticket = store.submit(Write::Barrier(9)).unwrap();
    let stored = synced(&events, ticket);
    assert!(stored.contains(&id(1)) && stored.contains(&id(4)));
    assert_eq!(block_on(store.get(id(2))).unwrap(), None);
    store.shutdown().unwrap();

    let (store, recovered, _events) = open(&place);
    let mut known: Vec<_> = recovered
        .seen
        .iter()
        .map(|known| (known.id, known.held.map(|held| held.seq)))
        .collect();
    known.sort_unstable();
    let mut expected = [(id(1), Some(1)), (id(2), None), (id(4), Some(4))];
    expected.sort_unstable();
    assert_eq!(known, expected);
    assert_eq!(
        recovered.meta,
        BTreeMap::from([("horizon".to_owned(), b"7".to_vec())])
    );
    let seqs: Vec<_> = read_all(&store, scan(None, 0, 0, 10))
        .iter()
        .map(|bulletin| bulletin.seq)
        .collect();
    assert_eq!(seqs, [1, 4]);
}

#[test]
fn versions_come_back_with_their_ids_and_go_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let version = |seq| Version {
        key: ValueKey::from_bytes([4; 16]),
        seq,
        clears: true,
    };
    let (held, seen, orphan) = (bulletin(1, 1, 10), bulletin(2, 2, 10), bulletin(3, 3, 10));
    let note = |bulletin: &StoredBulletin, seq| Write::Version {
        id: bulletin.id,
        expires: bulletin.expires,
        version: version(seq),
    };
    let (store, _, _events) = open(&place);
    store.submit(note(&held, 1)).unwrap();
    store.submit(Write::Put(held.clone())).unwrap();
    store.submit(note(&seen, 2)).unwrap();
    let id_alone = Write::Seen {
        id: seen.id,
        created: seen.created,
        expires: seen.expires,
    };
    store.submit(id_alone).unwrap();
    store.submit(note(&orphan, 3)).unwrap();
    store.submit(Write::Evict { id: held.id }).unwrap();
    store.shutdown().unwrap();

    let (store, recovered, _events) = open(&place);
    let versions: BTreeMap<_, _> = recovered
        .seen
        .iter()
        .filter_map(|known| Some((known.id, known.version?.seq)))
        .collect();
    assert_eq!(versions, BTreeMap::from([(held.id, 1), (seen.id, 2)]));
    let ids = vec![(held.id, held.expires), (seen.id, seen.expires)];
    store.submit(Write::Purge { ids }).unwrap();
    store.shutdown().unwrap();

    let (_store, recovered, _events) = open(&place);
    assert_eq!(recovered.seen, vec![]);
}

#[test]
fn restamped_bulletin_has_the_new_bytes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let (store, _, _events) = open(&place);
    store.submit(Write::Put(bulletin(1, 1, 100))).unwrap();
    let bytes = Bytes::from_static(b"better");
    store
        .submit(Write::Restamp {
            id: id(1),
            stamp_bits: 30,
            bytes: bytes.clone(),
        })
        .unwrap();
    store.shutdown().unwrap();
    let (store, recovered, _events) = open(&place);
    let held = recovered.seen[0].held.unwrap();
    assert_eq!((held.stamp_bits, held.size), (30, 6));
    let expected = StoredBulletin {
        stamp_bits: 30,
        bytes,
        ..bulletin(1, 1, 0)
    };
    assert_eq!(read_all(&store, scan(None, 0, 0, 10)), [expected]);
}

#[test]
fn arrival_numbers_rise_over_clean_and_unclean_restarts() {
    let faulty = Faulty::default();
    let (store, _, events) = open_faulty(&faulty);
    let ticket = store.submit(Write::Put(bulletin(1, 1, 100))).unwrap();
    synced(&events, ticket);
    let crashed = Faulty::with_bytes(faulty.bytes());
    store.shutdown().unwrap();

    let (_, recovered, _) = open_faulty(&faulty);
    assert_eq!(recovered.next_seq, 2, "a clean restart counts on");
    let (_, recovered, _) = open_faulty(&crashed);
    assert!(
        recovered.next_seq > 1_000_000,
        "a crash may have taken numbers with it"
    );
}

#[test]
fn scans_answer_alike_from_disk_and_from_memory() {
    let mut dice = Dice::new(1);
    let (_folder, places) = places();
    let [disk, memory] = places.map(|place| open(&place));
    for seq in 1..=400 {
        let write = match dice.below(4) {
            0 => Write::Evict {
                id: id(1 + dice.below(seq)),
            },
            _ => Write::Put(bulletin(1 + dice.below(300), seq, 20)),
        };
        disk.0.submit(write.clone()).unwrap();
        memory.0.submit(write).unwrap();
    }
    let ticket = disk.0.submit(Write::Barrier(1)).unwrap();
    synced(&disk.2, ticket);
    for _ in 0..100 {
        let topics =
            (dice.below(3) > 0).then(|| (0..dice.below(4)).map(|_| topic(dice.below(4))).collect());
        let limit = usize::try_from(1 + dice.below(50)).unwrap();
        let scan = scan(topics, dice.below(450), dice.below(300_000), limit);
        let (rows, expected) = (
            read_all(&disk.0, scan.clone()),
            read_all(&memory.0, scan.clone()),
        );
        assert_eq!(rows, expected, "{scan:?}");
        assert!(rows.iter().all(|bulletin| scan.matches(bulletin)));
        assert!(rows.is_sorted_by_key(|bulletin| bulletin.seq));
    }
}

#[test]
fn queue_is_bounded_by_bytes() {
    let faulty = Faulty::default();
    let sink: Events = Arc::new(|_| {});
    let options = StoreOptions {
        pending_bytes_max: 10_000,
        ..options()
    };
    let (store, _) = Store::open_medium(Box::new(faulty.clone()), None, options, sink).unwrap();
    let held = faulty.hold_syncs();
    let refused = (1..=100).find_map(|number| {
        store
            .submit(Write::Put(bulletin(number, number, 744)))
            .err()
            .map(|error| (number, error))
    });
    match refused {
        Some((
            11,
            StoreError::Backlog {
                pending: 10_000,
                max: 10_000,
            },
        )) => {}
        other => panic!("{other:?}"),
    }
    drop(held);
    store.shutdown().unwrap();
}

#[test]
fn shutdown_writes_what_waits_and_closes_every_handle() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let (store, _, _events) = open(&place);
    for number in 1..=1_000 {
        store
            .submit(Write::Put(bulletin(number, number, 100)))
            .unwrap();
    }
    let other = store.clone();
    store.shutdown().unwrap();
    assert!(matches!(
        other.submit(Write::Barrier(1)),
        Err(StoreError::Closed)
    ));
    assert!(matches!(
        block_on(other.get(id(1))),
        Err(StoreError::Closed)
    ));
    let (_store, recovered, _events) = open(&place);
    assert_eq!(recovered.seen.len(), 1_000);
}

/// A sync that failed once may have dropped the pages it was to write, and the next one
/// then succeeds without them ("fsyncgate", 2018). So nothing may be acknowledged after it.
#[test]
fn failed_sync_is_not_acknowledged_and_ends_writing_until_reopened() {
    let faulty = Faulty::default();
    let (store, _, events) = open_faulty(&faulty);
    let first = bulletin(1, 1, 100);
    let ticket = store.submit(Write::Put(first.clone())).unwrap();
    synced(&events, ticket);

    faulty.fail_next_sync();
    store.submit(Write::Put(bulletin(2, 2, 100))).unwrap();
    match next(&events) {
        StoreEvent::Failed {
            error: StoreError::Io { .. },
            lost,
        } => assert_eq!(lost, [id(2)]),
        other => panic!("{other:?}"),
    }
    let refused = store.submit(Write::Barrier(1));
    assert!(
        matches!(refused, Err(StoreError::Poisoned { .. })),
        "{refused:?}"
    );
    assert!(!store.stats().takes_writes);
    assert_eq!(
        loaded(&store, &events, first.id),
        Some(first.bytes.clone()),
        "reading goes on"
    );
    assert_eq!(loaded(&store, &events, id(2)), None);
    assert!(matches!(store.shutdown(), Err(StoreError::Io { .. })));

    let (store, recovered, events) = open_faulty(&faulty);
    assert!(recovered.seen.iter().any(|known| known.id == first.id));
    assert!(recovered.next_seq > 2);
    let ticket = store
        .submit(Write::Put(bulletin(3, recovered.next_seq, 100)))
        .unwrap();
    assert_eq!(synced(&events, ticket), [id(3)]);
}

#[test]
fn failed_read_ends_writing_and_not_reading() {
    let faulty = Faulty::default();
    let (store, _, _events) = open_faulty(&faulty);
    for number in 1..=100 {
        store
            .submit(Write::Put(bulletin(number, number, 50_000)))
            .unwrap();
    }
    store.shutdown().unwrap();

    let uncached = StoreOptions {
        cache_bytes: 0,
        ..options()
    };
    let (store, _, events) = open_faulty_with(&faulty, uncached);
    store.settle();
    faulty.fail_next_read();
    store.load(vec![id(50)]).unwrap();
    let mut failures = 0;
    while failures < 2 {
        match next(&events) {
            StoreEvent::Failed {
                error: StoreError::Io { .. },
                ..
            } => failures += 1,
            StoreEvent::Loaded { bytes: None, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let refused = store.submit(Write::Barrier(1));
    assert!(
        matches!(refused, Err(StoreError::Poisoned { .. })),
        "{refused:?}"
    );
    assert_eq!(block_on(store.get(id(50))).unwrap().unwrap().len(), 50_000);
}

#[test]
fn full_disk_keeps_what_waits_and_resumes_by_itself() {
    let faulty = Faulty::default();
    let (store, _, events) = open_faulty(&faulty);
    let first = bulletin(1, 1, 100);
    let ticket = store.submit(Write::Put(first.clone())).unwrap();
    synced(&events, ticket);

    faulty.fill_up();
    let mut number = 1;
    let dropped = loop {
        number += 1;
        match store.submit(Write::Put(bulletin(number, number, 60_000))) {
            Ok(ticket) => match next(&events) {
                StoreEvent::Synced { through, .. } => assert_eq!(through, ticket),
                StoreEvent::Failed { error, lost } => {
                    assert!(error.is_full(), "{error}");
                    break lost;
                }
                other => panic!("{other:?}"),
            },
            Err(error) => panic!("{error}"),
        }
        assert!(number < 1_000, "the disk fills up");
    };
    assert_eq!(dropped, [], "what waits is kept");
    let refused = store.submit(Write::Put(bulletin(5_000, 5_000, 10)));
    assert!(
        matches!(refused, Err(StoreError::Full { .. })),
        "{refused:?}"
    );
    let ticket = store.submit(Write::Barrier(77)).unwrap();
    assert_eq!(
        loaded(&store, &events, first.id),
        Some(first.bytes),
        "reading goes on"
    );
    assert_eq!(
        block_on(store.get(id(number))).unwrap().unwrap().len(),
        60_000
    );

    faulty.make_room();
    assert!(matches!(next(&events), StoreEvent::Recovered));
    assert_eq!(synced(&events, ticket), [id(number)]);
    store
        .submit(Write::Put(bulletin(number + 1, 5_001, 10)))
        .unwrap();
    store.shutdown().unwrap();
    let (_store, recovered, _events) = open_faulty(&faulty);
    assert_eq!(recovered.seen.len() as u64, number + 1);
    assert_eq!(
        recovered.next_seq, 5_002,
        "refused numbers are not given out again"
    );
}

#[test]
fn full_disk_at_shutdown_reports_what_is_lost() {
    let faulty = Faulty::default();
    let (store, _, events) = open_faulty(&faulty);
    faulty.fill_up();
    for number in 1..=100 {
        store
            .submit(Write::Put(bulletin(number, number, 60_000)))
            .ok();
    }
    while !matches!(
        next(&events),
        StoreEvent::Failed {
            error: StoreError::Full { .. },
            ..
        }
    ) {}
    assert!(matches!(store.shutdown(), Err(StoreError::Full { .. })));
    match events.try_iter().last() {
        Some(StoreEvent::Failed { lost, .. }) => assert!(!lost.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn second_store_on_a_folder_is_refused_with_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let (store, _, _events) = open(&place);
    match Store::open(&place, options(), |_| {}) {
        Err(
            error @ StoreError::AlreadyOpen {
                holder: Some(_), ..
            },
        ) => {
            let pid = std::process::id().to_string();
            assert!(error.to_string().contains(&pid) && error.fix().contains(&pid));
        }
        other => panic!("{other:?}"),
    }
    drop(store);
    open(&place);
}

/// What cannot be opened is named, with a fix, and stays as it was.
#[test]
fn what_is_not_our_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(STORE_FILE);
    let refusal = || match Store::open(&Place::Folder(folder.path().to_owned()), options(), |_| {})
    {
        Err(error) => {
            assert!(error.to_string().contains(STORE_FILE), "{error}");
            error
        }
        Ok(_) => panic!("opened"),
    };

    std::fs::write(&file, vec![7; 100_000]).unwrap();
    let error = refusal();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.fix().contains(".damaged"));
    assert_eq!(std::fs::read(&file).unwrap(), vec![7; 100_000]);

    std::fs::write(&file, b"short").unwrap();
    assert!(matches!(refusal(), StoreError::Corrupt { .. }));
    assert_eq!(std::fs::read(&file).unwrap(), b"short");

    std::fs::remove_file(&file).unwrap();
    let database = redb::Database::create(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    let other = redb::TableDefinition::<u64, u64>::new("other");
    transaction.open_table(other).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = refusal();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");

    std::fs::remove_file(&file).unwrap();
    let database = redb::Database::create(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    let later = schema::SCHEMA + 1;
    schema::note(&transaction, "schema", later).unwrap();
    transaction.commit().unwrap();
    drop(database);
    match refusal() {
        StoreError::NewerSchema {
            found, supported, ..
        } => {
            assert_eq!((found, supported), (schema::SCHEMA + 1, schema::SCHEMA));
        }
        other => panic!("{other:?}"),
    }

    let place = Place::Folder(file);
    let error = Store::open(&place, options(), |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::NotADirectory { .. }), "{error}");
}
