//! The end of a node: quick, in order, and told to everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bruit::transport::MemoryNetwork;
use bruit::{Config, Draft, Node, Verdict};
use bruit_core::link::CloseReason;

use crate::attacker::{Attacker, Draws};
use crate::traffic::numbered;
use crate::world::{TOPIC, address, alone, live, local, spawn, star, stop};

/// Publishes as fast as `node` takes it until it has stopped or `is_over`.
fn load(node: &Node, numbers: &Arc<AtomicU64>) -> Vec<tokio::task::JoinHandle<&'static str>> {
    let publisher = |_| {
        let (node, numbers) = (node.clone(), Arc::clone(numbers));
        tokio::spawn(async move {
            loop {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                match node.publish(numbered(number, 500)).await {
                    Ok(_) => {}
                    Err(error) if error.code() == "queue_full" => tokio::task::yield_now().await,
                    Err(error) => return error.code(),
                }
            }
        })
    };
    (0..8).map(publisher).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_within_two_seconds_and_the_peers_are_told() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let others = star(2, 1, &local()).await;
    let kept = Config {
        data: Some(folder.path().to_owned()),
        ..local()
    };
    let node = spawn(&[&others[0]], kept.clone()).await;
    let mut peer = Attacker::new(90, local().network(), address(&node)).await;
    peer.enter().await;
    let numbers = Arc::new(AtomicU64::new(0));
    let mut publishers = load(&node, &numbers);
    for other in &others {
        publishers.extend(load(other, &numbers));
    }
    let (mut read, unread) = (live(&node), live(&node));
    let reader = tokio::spawn(async move { while read.next().await.is_some() {} });
    let mut validator = node.validate("another topic", Duration::from_secs(1));
    for _ in 0..100 {
        peer.turn(Duration::from_millis(10)).await;
    }

    let start = Instant::now();
    node.shutdown().await;
    let took = start.elapsed();
    println!(
        "shut down under load in {took:?}, {} published",
        numbers.load(Ordering::Relaxed)
    );
    assert!(took <= Duration::from_secs(2), "{took:?}");
    let second = Duration::from_secs(1);
    tokio::time::timeout(second, reader)
        .await
        .expect("subscriptions end")
        .expect("no panic");
    assert!(
        tokio::time::timeout(second, validator.next())
            .await
            .expect("ends")
            .is_none()
    );
    // One that was not read still gives what it holds, then ends.
    let mut unread = unread;
    let rest = async { while unread.next().await.is_some() {} };
    tokio::time::timeout(second, rest)
        .await
        .expect("unread subscriptions end");
    let start = Instant::now();
    while peer.end.is_none() && start.elapsed() < second {
        peer.turn(Duration::from_millis(10)).await;
    }
    assert_eq!(
        peer.end,
        Some((CloseReason::Quit, true)),
        "the peer was told"
    );
    peer.leave().await;

    // Nothing holds the folder, though handles and subscriptions are still there.
    let again = spawn(&[], kept).await;
    assert_eq!(again.id(), node.id());
    again.shutdown().await;
    after_the_end(&node).await;
    stop(others).await;
    for publisher in publishers {
        let ended = tokio::time::timeout(second, publisher)
            .await
            .expect("publishers are told");
        assert_eq!(ended.expect("no panic"), "closed");
    }
}

/// Whatever is asked of a node that has stopped is answered at once.
async fn after_the_end(node: &Node) {
    let answers = async {
        let published = node.publish(Draft::new(TOPIC, "late")).await;
        assert_eq!(published.expect_err("stopped").code(), "closed");
        assert!(live(node).next().await.is_none());
        assert!(
            node.validate(TOPIC, Duration::from_secs(1))
                .next()
                .await
                .is_none()
        );
        assert!(node.status().await.is_none());
        assert!(node.peers(true).await.is_empty());
        assert!(!node.unlink(node.id()).await);
        node.shutdown().await;
    };
    tokio::time::timeout(Duration::from_secs(2), answers)
        .await
        .expect("answered at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_last_handle_goes() {
    let _alone = alone();
    let node = spawn(&[], local()).await;
    let mut peer = Attacker::new(91, local().network(), address(&node)).await;
    peer.enter().await;
    let mut subscription = live(&node);
    let clone = node.clone();
    drop(node);
    clone
        .publish(Draft::new(TOPIC, "still there"))
        .await
        .expect("a handle is left");
    let start = Instant::now();
    drop(clone);
    crate::world::next(&mut subscription).await;
    let end = tokio::time::timeout(Duration::from_secs(2), subscription.next()).await;
    assert!(end.expect("ends").is_none());
    while peer.end.is_none() && start.elapsed() < Duration::from_secs(2) {
        peer.turn(Duration::from_millis(10)).await;
    }
    println!("stopped {:?} after the last handle went", start.elapsed());
    assert_eq!(peer.end, Some((CloseReason::Quit, true)));
    peer.leave().await;
}

/// Story: of two who asked for the end in the same moment, one was answered before it had come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_who_asks_for_the_end_is_answered_after_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        data: Some(folder.path().to_owned()),
        ..local()
    };
    for _ in 0..10 {
        let node = spawn(&[], config.clone()).await;
        let ends: Vec<_> = (0..8)
            .map(|_| {
                let node = node.clone();
                tokio::spawn(async move { node.shutdown().await })
            })
            .collect();
        let (first, _, rest) = futures_util::future::select_all(ends).await;
        first.expect("no panic");
        // The folder is free as soon as any of them is answered.
        let again = spawn(&[], config.clone()).await;
        again.shutdown().await;
        futures_util::future::join_all(rest).await;
    }
}

/// P4 for the node as a whole: handles of every kind come and go on several threads while the node
/// ends, at a moment drawn anew each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_any_moment_with_handles_of_every_kind_in_use() {
    let _alone = alone();
    let network = MemoryNetwork::new();
    let mut draws = Draws::new(41);
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..60 {
        let pair = [0, 1]
            .map(|_| Node::spawn_on(&local(), |id| Box::new(network.join(id))).expect("starts"));
        let join = vec![pair[1].address().expect("reachable")];
        pair[0].join(join, Duration::from_secs(5)).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let users: Vec<_> = (0..4).flat_map(|_| use_all(&pair[0], &is_over)).collect();
        tokio::time::sleep(Duration::from_micros(draws.next() % 20_000)).await;
        let asked = Instant::now();
        pair[0].shutdown().await;
        longest = longest.max(asked.elapsed());
        is_over.store(true, Ordering::Relaxed);
        for user in users {
            let ended = tokio::time::timeout(Duration::from_secs(5), user).await;
            ended.expect("nobody waits for ever").expect("no panic");
        }
        pair[1].shutdown().await;
    }
    println!("60 ends in {:?}, the longest {longest:?}", start.elapsed());
    assert!(longest <= Duration::from_secs(2));
}

/// Tasks that use `node` in every way until `is_over`; each returns soon after the node has stopped.
fn use_all(node: &Node, is_over: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<()>> {
    let numbers = Arc::new(AtomicU64::new(0));
    let publisher = load(node, &numbers).into_iter().map(|load| {
        tokio::spawn(async move {
            assert_eq!(load.await.expect("no panic"), "closed");
        })
    });
    let mut users: Vec<_> = publisher.take(1).collect();
    let (subscriber, over) = (node.clone(), Arc::clone(is_over));
    users.push(tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            let mut subscription = live(&subscriber);
            for _ in 0..20 {
                if subscription.next().await.is_none() {
                    return;
                }
            }
        }
    }));
    let (judge, over) = (node.clone(), Arc::clone(is_over));
    users.push(tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            let mut validator = judge.validate("strain", Duration::from_millis(50));
            match tokio::time::timeout(Duration::from_millis(1), validator.next()).await {
                Ok(Some(question)) => question.answer(Verdict::Accept),
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }));
    let (asker, over) = (node.clone(), Arc::clone(is_over));
    users.push(tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            if asker.status().await.is_none() {
                return;
            }
            asker.topics().await;
        }
    }));
    users
}
