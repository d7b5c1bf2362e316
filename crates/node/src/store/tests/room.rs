//! What a store takes on the disk, what it holds when it is full, and how soon it answers.

use std::collections::BTreeSet;
use std::time::Instant;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::id::NetworkId;
use bruit_core::identity::SecretKey;
use bruit_core::inventory::{Config, Fact, Inventory};
use bruit_core::limits::STORED_OVERHEAD_BYTES;
use bruit_core::wire::encode_to_bytes;

use super::*;

/// Values that fill the budget.
const FULL: u64 = 50_000;
/// What comes then: a fifth more.
const MORE: u64 = 10_000;
/// Bytes of each.
const SIZE: usize = 1_024;
/// The moment at which the youngest are made, in milliseconds.
const NOW_MS: u64 = 1_800_000_000_000;
/// Milliseconds of age that count as one.
const WEEK_MS: f64 = 7.0 * 24.0 * 3_600_000.0;

fn value(dice: &mut Dice, key: &SecretKey, number: u64) -> Bulletin {
    let size = SIZE - 64 + usize::try_from(dice.below(129)).unwrap();
    let mut content = vec![0; size];
    content[..8].copy_from_slice(&number.to_be_bytes());
    let age_ms = dice.below(14 * 24 * 3_600_000);
    let created = Wall::from_millis(NOW_MS - age_ms);
    let mut header = Header::post(TopicId::of("values"), key.author_id(), &content, created);
    header.ttl_s = 28 * 24 * 3_600;
    let network = NetworkId::from_bytes([1; 32]);
    let mut bulletin = Bulletin::sign(header, content.into(), &network, key);
    // Whether the work was done is not for the store to ask.
    bulletin.stamp.bits = u8::try_from(17 + dice.below(5)).unwrap();
    bulletin
}

/// The documented rank: log2(work) - log2(size + 64) - age / 7 d.
fn rank(bulletin: &Bulletin) -> f64 {
    let age_ms = u32::try_from(NOW_MS - bulletin.header.created.as_millis()).unwrap();
    let size = f64::from(bulletin.header.size_bytes) + 64.0;
    f64::from(bulletin.stamp.bits) - size.log2() - f64::from(age_ms) / WEEK_MS
}

#[test]
fn a_full_store_drops_the_lowest_ranks_answers_soon_and_takes_little_room() {
    let mut dice = Dice::new(11);
    let key = SecretKey::from_seed(&[1; 32]);
    let limit = FULL * (SIZE as u64 + STORED_OVERHEAD_BYTES);
    let config = Config {
        store_limit_bytes: limit,
        ..Config::default()
    };
    let mut inventory = Inventory::new(config, 1);
    let folder = tempfile::tempdir().unwrap();
    let (store, _, events) = open_with(
        &Place::Folder(folder.path().to_owned()),
        StoreOptions::default(),
    );
    let mut ranks = BTreeMap::new();
    let (mut first, mut boosted) = (Vec::new(), None);
    for seq in 1..=FULL + MORE {
        let value = value(&mut dice, &key, seq);
        if seq <= 100 {
            first.push(value.clone());
        }
        if seq == FULL {
            // Somebody does more work for the least of these, which would go.
            let least = first.iter().min_by(|a, b| rank(a).total_cmp(&rank(b)));
            let mut least = least.unwrap().clone();
            let before = rank(&least);
            least.stamp.bits += 12;
            let (id, stamp_bits) = (*least.id(), least.stamp.bits);
            assert!(inventory.restamp(&id.short(), stamp_bits));
            let bytes = encode_to_bytes(&least);
            let restamp = Write::Restamp {
                id,
                stamp_bits,
                bytes,
            };
            submit(&store, &restamp);
            ranks.insert(id, rank(&least));
            boosted = Some((id, before));
        }
        ranks.insert(*value.id(), rank(&value));
        let put = Write::Put(StoredBulletin {
            seq,
            id: *value.id(),
            topic: value.header.topic,
            created: value.header.created,
            expires: value.header.expires(),
            received: Wall::from_millis(NOW_MS),
            from: Some(NodeId::from_bytes([8; 32])),
            hops: 0,
            stamp_bits: value.stamp.bits,
            bytes: encode_to_bytes(&value),
        });
        submit(&store, &put);
        for fact in inventory.insert_held(&value) {
            if let Fact::Evict { id } = fact {
                submit(&store, &Write::Evict { id });
            }
        }
    }
    let ticket = store.submit(Write::Barrier(1)).unwrap();
    synced(&events, ticket);

    let held: BTreeSet<_> = store.with_prefix("").into_iter().collect();
    let mut order: Vec<_> = ranks.iter().map(|(id, rank)| (*rank, *id)).collect();
    order.sort_by(|one, other| one.0.total_cmp(&other.0));
    let gone = order.len() - held.len();
    let (threshold, _) = order[gone];
    println!(
        "{} held, {gone} gone, up to rank {threshold:.3}",
        held.len()
    );
    assert!(gone.abs_diff(usize::try_from(MORE).unwrap()) < 500);
    let (boosted, before) = boosted.unwrap();
    assert!(before < threshold - 0.001 && held.contains(&boosted));
    for (rank, id) in &order {
        // The rank is kept in whole numbers: what is that near may be either.
        if (rank - threshold).abs() > 0.001 {
            assert_eq!(held.contains(id), *rank > threshold, "rank {rank}");
        }
    }

    // The quickest of some rounds: what else the machine does is not the store's.
    let p99 = (0..5)
        .map(|round| p99(&store, held.iter().skip(round).step_by(100)))
        .min();
    let p99 = p99.unwrap();
    println!("get: p99 {p99:?}");
    assert!(p99 <= Duration::from_millis(5), "{p99:?}");
    store.shutdown().unwrap();
    let file = std::fs::metadata(folder.path().join(STORE_FILE))
        .unwrap()
        .len();
    println!(
        "{} KiB on disk for a budget of {} KiB",
        file >> 10,
        limit >> 10
    );
    assert!(file * 10 <= limit * 13, "{file} bytes for {limit}");
}

fn p99<'a>(store: &Store, ids: impl Iterator<Item = &'a BulletinId>) -> Duration {
    let get = |id: &BulletinId| {
        let start = Instant::now();
        assert!(block_on(store.get(*id)).unwrap().is_some());
        start.elapsed()
    };
    let mut took: Vec<_> = ids.map(get).collect();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

fn submit(store: &Store, write: &Write) {
    while let Err(error) = store.submit(write.clone()) {
        assert!(matches!(error, StoreError::Backlog { .. }), "{error}");
        std::thread::yield_now();
    }
}

/// A store that had been full kept its file for ever.
#[test]
fn room_that_is_free_is_given_back_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let file = folder.path().join(STORE_FILE);
    let len = || std::fs::metadata(&file).unwrap().len();
    let (store, _, _events) = open_with(&place, StoreOptions::default());
    for number in 1..=1_000 {
        submit(&store, &Write::Put(bulletin(number, number, 30_000)));
    }
    store.shutdown().unwrap();
    let full = len();
    let (store, _, _events) = open_with(&place, StoreOptions::default());
    for number in 1..=990 {
        submit(&store, &Write::Evict { id: id(number) });
    }
    store.shutdown().unwrap();
    let (store, recovered, events) = open_with(&place, StoreOptions::default());
    assert_eq!(recovered.seen.len(), 1_000);
    let ticket = store.submit(Write::Barrier(1)).unwrap();
    synced(&events, ticket);
    let begin = Instant::now();
    while len() >= full / 10 {
        assert!(begin.elapsed() < PATIENCE, "{} of {full} bytes", len());
        std::thread::sleep(Duration::from_millis(20));
    }
    let expected: Vec<_> = (991..=1_000)
        .map(|number| bulletin(number, number, 30_000))
        .collect();
    assert_eq!(read_all(&store, scan(None, 0, 0, 100)), expected);
}
