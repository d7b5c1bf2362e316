//! Values on real nodes over real QUIC on loopback: put, got, listed, followed, deleted, looked up.
#![allow(missing_docs, reason = "tests")]

use std::time::{Duration, Instant};

use bruit::keys::{DataFolder, Secret};
use bruit::{
    AuthorId, BulletinId, Config, Draft, Filter, Followed, Node, PublishError, Put, ValueAddress,
    Wait,
};

const SOON: Duration = Duration::from_secs(2);

fn local() -> Config {
    Config {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        price: 0,
        ..Config::default()
    }
}

async fn node(join: &[&Node], config: Config) -> Node {
    let join = join
        .iter()
        .map(|node| node.address().expect("reachable"))
        .collect();
    Node::spawn(Config { join, ..config })
        .await
        .expect("starts")
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "not within 20 s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn linked(node: &Node, links: usize) {
    until("linked", async || node.peers(false).await.len() >= links).await;
}

fn named(author: AuthorId, name: &str) -> ValueAddress {
    ValueAddress::Name {
        author,
        name: name.to_owned(),
    }
}

async fn body(node: &Node, address: &ValueAddress) -> Option<Vec<u8>> {
    let value = node
        .get(address, SOON)
        .await
        .expect("the store can be read");
    value.map(|value| value.body.to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_had_by_id_and_by_name_everywhere_also_after_its_writer_is_gone() {
    let a = node(&[], local()).await;
    let b = node(&[&a], local()).await;
    let c = node(&[&a, &b], local()).await;
    linked(&c, 2).await;
    let first = a.put(Put::new("one").name("n")).await.expect("put");
    assert_eq!(first.seq, 1);
    let name = named(first.author, "n");
    for node in [&a, &b, &c] {
        assert_eq!(body(node, &name).await, Some(b"one".to_vec()));
        assert_eq!(
            body(node, &ValueAddress::Id(first.id)).await,
            Some(b"one".to_vec())
        );
    }
    let second = a
        .put(Put::new("two").name("n").tag("t"))
        .await
        .expect("put");
    assert_eq!(second.seq, 2);
    for node in [&b, &c] {
        until("the second version", async || {
            body(node, &name).await == Some(b"two".to_vec())
        })
        .await;
        assert_eq!(
            body(node, &ValueAddress::Id(first.id)).await,
            None,
            "it was replaced"
        );
    }
    a.shutdown().await;
    let late = node(&[&b], local()).await;
    let value = late.get(&name, Duration::from_secs(5)).await.expect("read");
    let value = value.expect("it outlives its writer");
    assert_eq!((value.seq, value.tag.as_slice()), (2, b"t".as_slice()));
    for node in [b, c, late] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_on_the_count_holds_against_what_is_known() {
    let a = node(&[], local()).await;
    let put = |seq| a.put(Put::new("x").name("n").if_seq(seq));
    assert!(matches!(
        put(1).await,
        Err(PublishError::Conflict { present: 0 })
    ));
    assert_eq!(put(0).await.expect("put").seq, 1);
    assert!(matches!(
        put(0).await,
        Err(PublishError::Conflict { present: 1 })
    ));
    let all = futures_util::future::join_all((0..20).map(|_| put(1))).await;
    let won: Vec<_> = all.into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "one of twenty at once");
    assert_eq!(won[0].seq, 2);
    let without = a.put(Put::new("x").if_seq(1)).await;
    assert!(matches!(without, Err(PublishError::NoName)));
    let long = a.put(Put::new("x").name("n".repeat(65))).await;
    assert!(matches!(
        long,
        Err(PublishError::NameTooBig { got: 65, max: 64 })
    ));
    a.shutdown().await;
}

/// The name at `node`, whoever holds it.
async fn winner(node: &Node, name: &ValueAddress) -> Option<(u64, BulletinId)> {
    let value = node.get(name, SOON).await.expect("read")?;
    Some((value.seq, value.id))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_writers_of_one_name_leave_the_same_winner_everywhere() {
    let shared = Secret::from_bytes([9; 32]);
    let folders: Vec<_> = (0..4)
        .map(|_| tempfile::tempdir().expect("a folder"))
        .collect();
    let mut nodes: Vec<Node> = Vec::new();
    for folder in &folders {
        let data = DataFolder::open(folder.path()).expect("opens");
        data.import_author("shared", &shared).expect("imported");
        let config = Config {
            data: Some(folder.path().to_owned()),
            ..local()
        };
        let others: Vec<_> = nodes.iter().collect();
        nodes.push(node(&others, config).await);
    }
    for node in &nodes {
        linked(node, 3).await;
    }
    let name = named(shared.author_id(), "n");
    for round in 0..3_u64 {
        let writers = (0..20_usize).map(|writer| {
            let put = Put::new(format!("{round} by {writer}")).name("n");
            nodes[writer % 4].put(put.author("shared").if_seq(round))
        });
        let results = futures_util::future::join_all(writers).await;
        let won = results.iter().flatten().count();
        assert!((1..=4).contains(&won), "at most one a node: {won}");
        for result in results.into_iter().filter_map(Result::err) {
            let is_told = matches!(
                result,
                PublishError::Conflict { .. } | PublishError::Superseded { .. }
            );
            assert!(is_told, "{result}");
        }
        until("the same winner everywhere", async || {
            let first = winner(&nodes[0], &name).await;
            let mut is_same = first.is_some_and(|(seq, _)| seq == round + 1);
            for node in &nodes[1..] {
                is_same &= winner(node, &name).await == first;
            }
            is_same
        })
        .await;
    }
    for node in nodes {
        node.shutdown().await;
    }
}

/// A node started with another network on the same folder took the bulletins of the first for damage,
/// and gave them up one by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_stays_with_its_network_and_loses_nothing_to_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let of = |network: &str, price| Config {
        data: Some(folder.path().to_owned()),
        network: network.to_owned(),
        price,
        ..local()
    };
    let a = node(&[], of("one", 0)).await;
    let put = Put::new("kept").wait(Wait::Stored);
    let id = ValueAddress::Id(a.put(put).await.expect("put").id);
    a.shutdown().await;
    for (network, price) in [("two", 0), ("one", 5)] {
        let other = node(&[], of(network, price)).await;
        let nothing = other.get(&id, Duration::ZERO).await.expect("read");
        assert_eq!(nothing, None, "it is no bulletin of {network} at {price}");
        other.shutdown().await;
    }
    let a = node(&[], of("one", 0)).await;
    assert_eq!(body(&a, &id).await, Some(b"kept".to_vec()));
    a.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_is_gone_everywhere_and_may_be_put_again() {
    let a = node(&[], local()).await;
    let b = node(&[&a], local()).await;
    linked(&b, 1).await;
    let put = a.put(Put::new("one").name("n")).await.expect("put");
    let name = named(put.author, "n");
    assert_eq!(body(&b, &name).await, Some(b"one".to_vec()));
    let tombstone = a.delete("n", Put::new("")).await.expect("deleted");
    assert_eq!(tombstone.seq, 2);
    until("it is gone", async || body(&b, &name).await.is_none()).await;
    assert_eq!(body(&b, &ValueAddress::Id(put.id)).await, None);
    let again = a.delete("n", Put::new("")).await;
    assert!(
        matches!(again, Err(PublishError::UnknownValue(_))),
        "{again:?}"
    );
    assert_eq!(a.put(Put::new("new").name("n")).await.expect("put").seq, 3);
    until("it is back", async || body(&b, &name).await.is_some()).await;
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_followed_brings_each_later_version_once() {
    let a = node(&[], local()).await;
    let b = node(&[&a], local()).await;
    linked(&b, 1).await;
    let author = a.put(Put::new("1").name("n")).await.expect("put").author;
    let name = named(author, "n");
    until("it came", async || body(&b, &name).await.is_some()).await;
    let mut following = b.follow(author, "n").expect("a short name");
    let mut seen = Vec::new();
    for text in ["2", "3"] {
        if let Some(Followed::Value(value)) = following.next().await {
            seen.push((value.seq, value.body.to_vec()));
        }
        a.put(Put::new(text).name("n")).await.expect("put");
        a.put(Put::new("other").name("m")).await.expect("put");
    }
    if let Some(Followed::Value(value)) = following.next().await {
        seen.push((value.seq, value.body.to_vec()));
    }
    assert_eq!(
        seen,
        [(1, b"1".to_vec()), (2, b"2".to_vec()), (3, b"3".to_vec())]
    );
    a.delete("n", Put::new("")).await.expect("deleted");
    let end = following.next().await;
    assert!(
        matches!(end, Some(Followed::Deleted { seq: 4, .. })),
        "{end:?}"
    );
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_by_prev_keeps_all_its_links_under_one_name() {
    let a = node(&[], local()).await;
    let mut last = a.put(Put::new("0").name("log")).await.expect("put");
    let mut ids = vec![last.id];
    for number in 1..100_u8 {
        let next = Put::new(number.to_string()).name("log").prev(last.id);
        last = a.put(next).await.expect("put");
        ids.push(last.id);
    }
    let mut address = named(last.author, "log");
    let mut bodies = Vec::new();
    while let Some(value) = a.get(&address, SOON).await.expect("read") {
        bodies.push(String::from_utf8(value.body.to_vec()).expect("digits"));
        match value.prev {
            Some(prev) => address = ValueAddress::Id(prev),
            None => break,
        }
    }
    bodies.reverse();
    let expected: Vec<_> = (0..100).map(|number: u8| number.to_string()).collect();
    assert_eq!(bodies, expected);
    a.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_listed_ranked_and_saved_by_more_work() {
    let config = Config {
        store_limit_bytes: 20_000,
        ..local()
    };
    let a = node(&[], config).await;
    let kept = a
        .put(Put::new(vec![b'k'; 1_000]).tag("keep"))
        .await
        .expect("put");
    let boosted = a.boost(kept.id, 12).await.expect("paid");
    assert_eq!(boosted.bits, 12);
    let again = a.boost(kept.id, 12).await;
    assert!(matches!(
        again,
        Err(PublishError::PaidAlready { present: 12 })
    ));
    for number in 0..40_u8 {
        let put = Put::new(vec![number; 1_000]).name(format!("n{number}"));
        a.put(put).await.expect("put");
    }
    let all = a.list(&Filter::default(), 1_000).await.expect("read");
    assert!(
        all.iter().any(|value| value.id == kept.id),
        "its work saved it"
    );
    assert!(
        all.len() < 20,
        "the oldest of equal work went: {}",
        all.len()
    );
    let late = Filter {
        name: Some("n3*".to_owned()),
        ..Filter::default()
    };
    let late = a.list(&late, 1_000).await.expect("read");
    assert!(!late.is_empty() && late.iter().all(|value| value.name.starts_with("n3")));
    let text = kept.id.to_string();
    assert_eq!(a.with_prefix(&text[..8]), [kept.id]);
    a.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_dropped_here_is_found_at_others_by_lookup() {
    let small = Config {
        store_limit_bytes: 30_000,
        ..local()
    };
    let a = node(&[], local()).await;
    // A line, so that the question must be passed on.
    let fixed = |config: &Config| Config {
        static_peers: true,
        ..config.clone()
    };
    let b = node(&[&a], fixed(&small)).await;
    let c = node(&[&b], fixed(&small)).await;
    linked(&b, 2).await;
    linked(&c, 1).await;
    let put = a
        .put(Put::new(vec![b'x'; 20_000]).name("n"))
        .await
        .expect("put");
    let id = ValueAddress::Id(put.id);
    until("it came", async || body(&c, &id).await.is_some()).await;
    for number in 0..40_u8 {
        let post = Draft::new("news", vec![number; 1_000]).wait(Wait::Accepted);
        a.publish(post).await.expect("published");
    }
    for node in [&b, &c] {
        until("it was dropped", async || {
            let held = node.list(&Filter::default(), 10).await.expect("read");
            held.is_empty()
        })
        .await;
    }
    let started = Instant::now();
    for address in [&id, &named(put.author, "n")] {
        let value = c.get(address, Duration::from_secs(5)).await.expect("read");
        assert_eq!(value.expect("it is found").body.len(), 20_000);
    }
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    let nobody = ValueAddress::Id(BulletinId::from_bytes([1; 32]));
    let missing = c.get(&nobody, Duration::from_secs(1)).await.expect("read");
    assert_eq!(missing, None);
    for node in [a, b, c] {
        node.shutdown().await;
    }
}
