//! S7: a bulletin is delivered once, however often and by whomever it is sent again.

use std::time::Duration;

use bruit::{Config, From, Node, Topics};
use bruit_core::identity::SecretKey;
use bruit_core::link::Class;
use bruit_core::network::Network;
use bruit_core::wire::encode_pub;
use bytes::Bytes;

use crate::attacker::{Attacker, bulletin};
use crate::world::{TOPIC, address, alone, live, local, next, spawn, star, stop};

/// Long enough for anything on loopback.
const PAUSE: Duration = Duration::from_millis(300);

/// Sends `frames` to `victim` as a member of `network`.
async fn send(seed: u8, network: &Network, victim: &Node, frames: &[Bytes]) {
    let mut attacker = Attacker::new(seed, network.clone(), address(victim)).await;
    attacker.enter().await;
    for frame in frames {
        while !attacker.say(Class::Bulletins, frame.clone()) && attacker.is_in() {
            attacker.turn(Duration::from_millis(5)).await;
        }
        attacker.turn(Duration::from_millis(20)).await;
    }
    attacker.turn(PAUSE).await;
    attacker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulletin_again_in_every_wrapping() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let kept = || Config {
        data: Some(folder.path().to_owned()),
        ..local()
    };
    let network = local().network();
    let mut nodes = star(2, 1, &local()).await;
    nodes.push(spawn(&[&nodes[0]], kept()).await);
    crate::world::linked(&nodes, 2).await;
    let mut subscriptions: Vec<_> = nodes.iter().map(live).collect();

    let key = SecretKey::from_seed(&[8; 32]);
    let bulletin = bulletin(TOPIC, b"once", &key, &network);
    // Tree, hops and no tree at all: none of it is signed.
    let wrapped = |tag, hops| encode_pub(tag, hops, &bulletin);
    let wrappings = [
        wrapped(7, 0),
        wrapped(7, 0),
        wrapped(8, 3),
        wrapped(9, 255),
        wrapped(0, 0),
    ];
    // Whoever sends it first sends it five times.
    send(60, &network, &nodes[2], &wrappings).await;
    for subscription in &mut subscriptions {
        assert_eq!(next(subscription).await.id, *bulletin.id());
    }
    // Again, later, from others, to everybody.
    for (seed, node) in (61..).zip(&nodes) {
        send(seed, &network, node, &wrappings).await;
    }
    // Again after a clean restart.
    nodes[2].shutdown().await;
    drop(nodes.pop());
    subscriptions.pop();
    nodes.push(spawn(&[&nodes[0]], kept()).await);
    subscriptions.push(live(&nodes[2]));
    crate::world::linked(&nodes, 2).await;
    for (seed, node) in (70..).zip(&nodes) {
        send(seed, &network, node, &wrappings).await;
    }
    for subscription in &mut subscriptions {
        let again = tokio::time::timeout(PAUSE, subscription.next()).await;
        assert!(again.is_err(), "a replay was delivered: {again:?}");
    }
    // What is held is held once.
    let topic = Topics::Named(vec![TOPIC.into()]);
    let mut held = nodes[2]
        .subscribe(topic, From::Since(Duration::from_mins(5)))
        .expect("no cursor");
    assert_eq!(next(&mut held).await.id, *bulletin.id());
    assert!(tokio::time::timeout(PAUSE, held.next()).await.is_err());
    stop(nodes).await;
}

/// The id, the signature and the work are of one network: elsewhere a bulletin proves nothing, and
/// who brings it there is cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulletin_of_another_network() {
    let _alone = alone();
    let elsewhere = Config {
        network: "elsewhere".into(),
        ..local()
    };
    let nodes = star(2, 1, &elsewhere).await;
    let mut subscription = live(&nodes[0]);
    let key = SecretKey::from_seed(&[8; 32]);
    let bulletin = bulletin(TOPIC, b"once", &key, &local().network());
    send(
        80,
        &elsewhere.network(),
        &nodes[0],
        &[encode_pub(7, 0, &bulletin)],
    )
    .await;
    let delivered = tokio::time::timeout(PAUSE, subscription.next()).await;
    assert!(delivered.is_err(), "{delivered:?}");
    assert_eq!(nodes[0].metrics().await.expect("runs").misbehaved, 1);
    stop(nodes).await;
}
