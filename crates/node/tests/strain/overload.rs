//! More than a node can do: every call ends in words, nothing accepted is lost, and it passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bruit::{Config, Draft, Incoming, Node, Subscription};

use crate::figures::{mebibytes, quantile, resident_bytes};
use crate::traffic::{Ledger, Traffic, numbered};
use crate::world::{TOPIC, alone, live, local, next, star, stop, until};

/// Calls that may be under way at once: what the node's own queues hold, and as many again.
const CALLS_MAX: usize = 10_000;

/// What became of the calls.
#[derive(Debug, Default)]
struct Calls {
    under_way: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// Bulletins a second that three nodes deliver to each other when publishers wait for the word.
async fn capacity(node: &Node, ledgers: &[Arc<Ledger>], numbers: &Arc<AtomicU64>) -> u64 {
    let start = Instant::now();
    let publishers = (0..16).map(|_| {
        let (node, numbers) = (node.clone(), Arc::clone(numbers));
        tokio::spawn(async move {
            let mut published = 0_u64;
            while start.elapsed() < Duration::from_secs(2) {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let accepted = node.publish(numbered(number, 200)).await;
                accepted.expect("sixteen at a time are no overload");
                published += 1;
            }
            published
        })
    });
    let mut published = 0;
    for publisher in publishers.collect::<Vec<_>>() {
        published += publisher.await.expect("no panic");
    }
    drained(ledgers, published).await;
    let millis = u64::try_from(start.elapsed().as_millis()).expect("short");
    published * 1_000 / millis
}

/// Waits until every ledger knows of `count` bulletins. What no announcement told of comes with a comparison, one
/// in half a minute with one neighbour.
async fn drained(ledgers: &[Arc<Ledger>], count: u64) -> Duration {
    let start = Instant::now();
    loop {
        let known: Vec<_> = ledgers.iter().map(|ledger| ledger.total()).collect();
        if known.iter().all(|(came, missed)| came + missed >= count) {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < Duration::from_mins(2),
            "of {count} accepted these came and were missed: {known:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_capacity() {
    let _alone = alone();
    let config = Config {
        store_limit_bytes: 32 << 20,
        ..local()
    };
    let nodes = star(3, 2, &config).await;
    let quiet = quantile(
        &Traffic::new(&nodes, 200)
            .exchange(Duration::from_secs(1))
            .await,
        990,
    );
    let ledgers = Ledger::of(&nodes);
    let numbers = Arc::new(AtomicU64::new(0));
    let capacity = capacity(&nodes[0], &ledgers, &numbers).await;
    println!("quiet {quiet:?}, capacity {capacity}/s");
    let before = ledgers[0].total().0;

    let memory = resident_bytes();
    let calls = Arc::new(Calls::default());
    let (offered, peak) = offer(&nodes[0], &calls, &numbers, capacity * 10).await;
    until(Duration::from_secs(12), "every call ends", async || {
        calls.under_way.load(Ordering::Relaxed) == 0
    })
    .await;
    println!("{calls:?} of {offered} offered");
    let calm = recovery(&nodes, &numbers, quiet).await;
    let accepted = calls.accepted.load(Ordering::Relaxed);
    let drain = drained(&ledgers, before + accepted).await;
    println!(
        "capacity {capacity}/s; offered {offered}: {accepted} accepted, {} refused; p99 quiet \
         {quiet:?}, as before {calm:?} after the load, drained {drain:?} later; +{} MiB at most",
        calls.refused.load(Ordering::Relaxed),
        mebibytes(peak.saturating_sub(memory)),
    );
    assert!(
        calls.refused.load(Ordering::Relaxed) > 0,
        "this was no overload"
    );
    check(&ledgers);
    // All three nodes know every id until it expires, in some 120 bytes.
    let ids = ledgers[0].total().0 * 3 * 128;
    let grown = peak.saturating_sub(memory);
    assert!(
        grown <= (224 << 20) + ids,
        "+{} MiB, and {} for ids",
        mebibytes(grown),
        mebibytes(ids)
    );
    stop(nodes).await;
}

/// Offers `rate` bulletins a second for half a minute, whatever becomes of them. Returns how many that
/// were, and the most memory in use meanwhile.
async fn offer(node: &Node, calls: &Arc<Calls>, numbers: &Arc<AtomicU64>, rate: u64) -> (u64, u64) {
    let tick = Duration::from_millis(5);
    let start = Instant::now();
    let (mut offered, mut peak) = (0, 0);
    while start.elapsed() < Duration::from_secs(30) {
        for _ in 0..rate / 200 {
            if calls.under_way.load(Ordering::Relaxed) >= CALLS_MAX {
                break;
            }
            offered += 1;
            call(node, calls, numbers);
        }
        peak = peak.max(resident_bytes());
        tokio::time::sleep(tick).await;
    }
    (offered, peak)
}

fn call(node: &Node, calls: &Arc<Calls>, numbers: &Arc<AtomicU64>) {
    let (node, calls) = (node.clone(), Arc::clone(calls));
    let number = numbers.fetch_add(1, Ordering::Relaxed);
    calls.under_way.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(async move {
        match node.publish(numbered(number, 200)).await {
            Ok(_) => calls.accepted.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                assert_eq!(error.code(), "queue_full", "{error}");
                calls.refused.fetch_add(1, Ordering::Relaxed)
            }
        };
        calls.under_way.fetch_sub(1, Ordering::Relaxed);
    });
}

/// How long until a bulletin takes no longer than before the load.
async fn recovery(nodes: &[Node], numbers: &Arc<AtomicU64>, quiet: Duration) -> Duration {
    let mut subscription = live(&nodes[2]);
    let start = Instant::now();
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed) | 1 << 63;
        let sent = Instant::now();
        if nodes[0].publish(numbered(number, 200)).await.is_ok() {
            found(&mut subscription, number).await;
            if sent.elapsed() <= quiet * 2 + Duration::from_millis(5) {
                return start.elapsed();
            }
        }
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "not calm within 5 s"
        );
    }
}

async fn found(subscription: &mut Subscription, number: u64) {
    let found = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(incoming) = subscription.next().await {
            if let Incoming::Bulletin(received) = incoming
                && received.body.starts_with(&number.to_be_bytes())
            {
                return;
            }
        }
    });
    found.await.expect("it arrives within 5 s");
}

/// Nothing twice, and whoever missed nothing has what the others have.
fn check(ledgers: &[Arc<Ledger>]) {
    let union: std::collections::BTreeSet<u64> =
        ledgers.iter().flat_map(|ledger| ledger.numbers()).collect();
    let all = u64::try_from(union.len()).expect("few");
    for ledger in ledgers {
        assert_eq!(ledger.twice(), [0_u64; 0], "nothing comes twice");
        let (came, missed) = ledger.total();
        println!("{came} came, {missed} missed and counted");
        assert_eq!(came + missed, all, "gaps are counted exactly");
    }
}

/// One subscriber that never reads gets its first bulletins, then the exact gap; the others, at the
/// same node and elsewhere, lose nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_does_not_read() {
    let _alone = alone();
    let nodes = star(2, 1, &local()).await;
    let mut sleeper = live(&nodes[1]);
    let mut others = [live(&nodes[0]), live(&nodes[1]), live(&nodes[1])];
    for number in 0..3_000 {
        nodes[0]
            .publish(numbered(number, 100))
            .await
            .expect("published");
        for other in &mut others {
            assert_eq!(next(other).await.body[..8], number.to_be_bytes());
        }
    }
    for number in 0..24_u64 {
        assert_eq!(next(&mut sleeper).await.body[..8], number.to_be_bytes());
    }
    // There is room again: what was missed is told in its place.
    for number in 3_000..3_005 {
        nodes[0]
            .publish(numbered(number, 100))
            .await
            .expect("published");
        for other in &mut others {
            next(other).await;
        }
    }
    for number in 24..1_024_u64 {
        assert_eq!(next(&mut sleeper).await.body[..8], number.to_be_bytes());
    }
    assert_eq!(
        sleeper.next().await,
        Some(Incoming::Gap {
            missed: 3_000 - 1_024
        })
    );
    for number in 3_000..3_005_u64 {
        assert_eq!(next(&mut sleeper).await.body[..8], number.to_be_bytes());
    }
    stop(nodes).await;
    assert_eq!(sleeper.next().await, None, "nothing more, then the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_does_not_read_large_bulletins() {
    let _alone = alone();
    let nodes = star(2, 1, &local()).await;
    let (mut sleeper, mut reader) = (live(&nodes[1]), live(&nodes[1]));
    for number in 0..70_u64 {
        nodes[0]
            .publish(numbered(number, 65_536))
            .await
            .expect("published");
        next(&mut reader).await;
    }
    for number in 0..64_u64 {
        assert_eq!(next(&mut sleeper).await.body[..8], number.to_be_bytes());
    }
    assert_eq!(sleeper.next().await, Some(Incoming::Gap { missed: 6 }));
    stop(nodes).await;
}

/// Story: the same body published twice within a millisecond is one bulletin, and the first of the
/// two callers was told that the node had stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_body_at_the_same_time_is_accepted_for_everybody() {
    let _alone = alone();
    let nodes = star(2, 1, &local()).await;
    for _ in 0..50 {
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let node = nodes[0].clone();
                tokio::spawn(async move { node.publish(Draft::new(TOPIC, "tick")).await })
            })
            .collect();
        for call in calls {
            call.await.expect("no panic").expect("accepted");
        }
    }
    stop(nodes).await;
}
