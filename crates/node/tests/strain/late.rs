//! L12: who was away gets what it missed of much, for little more than that takes.

use std::path::Path;
use std::time::{Duration, Instant};

use bruit::store::{Place, Store, StoreOptions, StoredBulletin, Write};
use bruit::{Config, Node};
use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::id::TopicId;
use bruit_core::identity::SecretKey;
use bruit_core::time::Wall;
use bruit_core::wire::encode_to_bytes;
use bytes::Bytes;

use crate::world::{TOPIC, alone, live, local, spawn, until};

/// Bulletins that are retained.
const RETAINED: u64 = 100_000;
/// How many of them one node lacks.
const MISSING: u64 = 1_000;
const BODY_BYTES: usize = 1_024;

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.expect("after 1970").as_millis()).expect("before the end of time")
}

/// Bulletin `number`, one made every 20 ms until a minute ago.
fn bulletin(number: u64, key: &SecretKey, end_ms: u64) -> Bulletin {
    let mut body = vec![b'.'; BODY_BYTES];
    body[..8].copy_from_slice(&number.to_be_bytes());
    let created = Wall::from_millis(end_ms - (RETAINED - number) * 20);
    let mut header = Header::post(TopicId::of(TOPIC), key.author_id(), &body, created);
    header.ttl_s = 24 * 3_600;
    Bulletin::sign(header, Bytes::from(body), local().network().id(), key)
}

/// Fills the store of a node that does not run.
fn fill<'a>(folder: &Path, bulletins: impl Iterator<Item = (u64, &'a Bulletin)>) {
    let place = Place::Folder(folder.to_owned());
    let (store, _) = Store::open(&place, StoreOptions::default(), |_| {}).expect("opens");
    for (seq, bulletin) in bulletins {
        let header = &bulletin.header;
        let write = Write::Put(StoredBulletin {
            seq,
            id: *bulletin.id(),
            topic: header.topic,
            created: header.created,
            expires: header.expires(),
            received: header.created,
            from: None,
            hops: 1,
            stamp_bits: 0,
            bytes: encode_to_bytes(bulletin),
        });
        while store.submit(write.clone()).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    while store.stats().pending_bytes > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    store.shutdown().expect("syncs");
}

/// How many of the topic are retained; a subscription must be open.
async fn retained(node: &Node) -> u64 {
    let topics = node.topics().await;
    let topic = topics.iter().find(|topic| topic.topic == TOPIC);
    topic.expect("there is a subscriber").retained
}

/// Lets a node that lacks what `is_missing` says catch up with `whole`; answers the bytes it took.
async fn catch_up(
    whole: &Node,
    all: &[Bulletin],
    is_missing: impl Fn(u64) -> bool,
) -> (Duration, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = (1..).zip(all).filter(|(seq, _)| !is_missing(*seq - 1));
    fill(folder.path(), kept);
    let config = Config {
        data: Some(folder.path().to_owned()),
        ..local()
    };
    let started = Instant::now();
    let late = spawn(&[whole], config).await;
    let _subscription = live(&late);
    assert_eq!(retained(&late).await, RETAINED - MISSING);
    until(Duration::from_mins(1), "everything is there", async || {
        retained(&late).await == RETAINED
    })
    .await;
    let took = started.elapsed();
    let peers = late.peers(false).await;
    let bytes = peers
        .iter()
        .map(|peer| peer.bytes_in + peer.bytes_out)
        .sum();
    late.shutdown().await;
    (took, bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_node_gets_a_thousand_of_a_hundred_thousand_within_ten_seconds() {
    let _alone = alone();
    let (key, end_ms) = (SecretKey::from_seed(&[3; 32]), now_ms() - 60_000);
    let all: Vec<_> = (0..RETAINED)
        .map(|number| bulletin(number, &key, end_ms))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path(), (1..).zip(&all));
    let config = Config {
        data: Some(folder.path().to_owned()),
        ..local()
    };
    let whole = spawn(&[], config).await;
    let data = MISSING * u64::try_from(all[0].encoded_len()).expect("small");
    let latest = catch_up(&whole, &all, |number| number >= RETAINED - MISSING).await;
    let scattered = catch_up(&whole, &all, |number| number % (RETAINED / MISSING) == 7).await;
    for (what, (took, bytes)) in [("the latest", latest), ("scattered", scattered)] {
        println!("{MISSING} of {RETAINED}, {what}: {took:?}, {bytes} B for {data} B of bulletins");
        assert!(took < Duration::from_secs(10), "{what}: {took:?}");
        assert!(bytes <= 2 * data + 65_536, "{what}: {bytes} B for {data} B");
    }
    whole.shutdown().await;
}
