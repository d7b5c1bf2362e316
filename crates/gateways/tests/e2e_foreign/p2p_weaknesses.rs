//! What went wrong among the exercise's originals, tried over sockets against a gateway, each at a time.

use std::time::Duration;

use bruit_gateways::Running;
use bruit_gateways::p2p_messaging::socket::TOPIC;

use crate::common::{Foreign, SOON, listen, next, node, until};
use crate::p2p_messaging::{gateway, port, quick};

/// Waits until `gate` has counted `count` of `what`.
async fn counts(gate: &Running, what: &str, count: u64) {
    let counted = async {
        while gate.counters().get(what) < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let told = tokio::time::timeout(SOON, counted).await;
    assert!(told.is_ok(), "{count} {what}: {:?}", gate.counters().all());
}

/// An original runs whatever the pickle of a seed says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_that_sends_an_evil_pickle_runs_nothing_and_the_other_seeds_serve() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evil");
    let Some(evil) = Foreign::start("p2p_messaging.py", &["evil", file.to_str().unwrap()]) else {
        return;
    };
    let peer = |seed: &Foreign| {
        let arguments = ["peer", "10", port(&seed.address)];
        Foreign::start("p2p_messaging.py", &arguments).unwrap()
    };
    let _victim = peer(&evil);
    until("an original does as it is told", async || {
        file.exists().then_some(())
    })
    .await;
    std::fs::remove_file(&file).unwrap();

    let good = Foreign::start("p2p_messaging.py", &["seed"]).unwrap();
    let a = node(&[]).await;
    let mut here = listen(&a, TOPIC);
    let gate = gateway(&a, quick(&[&evil.address, &good.address])).await;
    counts(&gate, "dropped_bad_list", 2).await;
    let honest = peer(&good);
    let number = next(&mut here).await;
    assert!(number.body.starts_with(port(&honest.address).as_bytes()));
    assert!(!file.exists());
}

/// A peer that was registered with seeds that died was unknown to all who came after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_seeds_have_died_registers_with_those_that_live() {
    let start = || Foreign::start("p2p_messaging.py", &["seed"]);
    let Some(first) = start() else {
        return;
    };
    let mut seeds = vec![first, start().unwrap(), start().unwrap()];
    let a = node(&[]).await;
    let addresses: Vec<_> = seeds.iter().map(|seed| seed.address.clone()).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let gate = gateway(&a, quick(&addresses)).await;
    let own = gate.listen()[0].port().to_string();
    let has = |seed: &mut Foreign| {
        seed.tell("list");
        seed.said("list").split(' ').any(|port| port == own)
    };
    until("two seeds have it", async || {
        let having = seeds.iter_mut().map(has);
        (having.filter(|has| *has).count() == 2).then_some(())
    })
    .await;
    let mut alive = None;
    for mut seed in seeds.drain(..) {
        if !has(&mut seed) {
            alive = Some(seed);
        }
    }
    let mut alive = alive.expect("one was not chosen");
    until("the one that lives has it", async || {
        has(&mut alive).then_some(())
    })
    .await;

    let mut newcomer =
        Foreign::start("p2p_messaging.py", &["peer", "10", port(&alive.address)]).unwrap();
    newcomer.tell("list");
    assert!(newcomer.said("list").split(' ').any(|port| port == own));
}
