//! What went wrong among the exercise's originals, tried over sockets against a gateway, each at a time.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bruit::{Draft, Node};
use bruit_gateways::Running;
use bruit_gateways::p2p_messaging::config::{Config, Role};
use bruit_gateways::p2p_messaging::socket::{self, TOPIC};

use crate::common::{Foreign, SOON, listen, next, node, nothing, until};
use crate::p2p_messaging::{ask, gateway, port, quick};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A member by hand, which keeps what it is told and says nothing: whatever comes to it twice was sent twice.
struct Witness {
    address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    fn start() -> Self {
        Self::of(TcpListener::bind((HERE, 0)).unwrap())
    }

    fn of(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&said);
        // It ends with the test.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut text = String::new();
                stream.set_read_timeout(Some(SOON)).unwrap();
                if stream.read_to_string(&mut text).is_ok() && !text.is_empty() {
                    heard.lock().unwrap().push(text);
                }
            }
        });
        Self { address, said }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    /// The numbers that came, in order.
    fn numbers(&self) -> Vec<String> {
        let said = self.said.lock().unwrap();
        let is_number = |text: &&String| text.starts_with("1133:");
        said.iter().filter(is_number).cloned().collect()
    }

    /// Waits until `text` has come.
    async fn hears(&self, text: &str) {
        let heard = async || self.numbers().iter().any(|said| said == text).then_some(());
        until(text, heard).await;
    }
}

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

/// Says something to `to`, on a connection of its own.
fn say(to: SocketAddr, text: &str) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
}

/// A seed of ours that lists `ports`.
async fn seed(node: &Node, ports: &[u16]) -> Running {
    let config = Config {
        role: Role::Seed,
        ..quick(&["127.0.0.1:0"])
    };
    let seed = gateway(node, config).await;
    for port in ports {
        let answer = ask(&seed.listen()[0].to_string(), &format!("REGISTER:{port}"));
        assert!(answer.starts_with(port.to_string().as_bytes()));
    }
    seed
}

/// What a gateway is told that asks nobody whether it is there while the test runs.
fn patient(seeds: &[&str]) -> Config {
    Config {
        liveness: Duration::from_mins(10),
        ..quick(seeds)
    }
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

/// An original that was started again knew nothing of what it had passed on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_started_again_repeats_nothing_and_goes_on() {
    let a = node(&[]).await;
    let member = Witness::start();
    let seed = seed(&a, &[member.port()]).await;
    let config = patient(&[&seed.listen()[0].to_string()]);
    let mut here = listen(&a, TOPIC);
    let gate = gateway(&a, config.clone()).await;
    let at = gate.listen()[0];
    let number = |n: u64| format!("1133:8101:1795168660:{n}");
    a.publish(Draft::new(TOPIC, "a text of any length"))
        .await
        .unwrap();
    assert_eq!(next(&mut here).await.body, "a text of any length");
    until("it said a number for it", async || {
        (member.numbers().len() == 1).then_some(())
    })
    .await;
    say(at, &number(1));
    assert_eq!(next(&mut here).await.body, "8101:1795168660:1");
    member.hears(&number(1)).await;

    gate.stop().await.unwrap();
    // The moments of bulletins have milliseconds: this one is to be over.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let gate = socket::start(Arc::new(a.clone()), at, config).await;
    let gate = gate.expect("its port is free again");
    counts(&gate, "known_from_before", 2).await;
    a.publish(Draft::new(TOPIC, "after that")).await.unwrap();
    assert_eq!(next(&mut here).await.body, "after that");
    until("it said a number for that, too", async || {
        (member.numbers().len() == 3).then_some(())
    })
    .await;
    say(at, &number(1));
    counts(&gate, "duplicates", 1).await;
    say(at, &number(2));
    assert_eq!(next(&mut here).await.body, "8101:1795168660:2");
    member.hears(&number(2)).await;
    nothing(&mut here, Duration::from_millis(500)).await;
    let own = format!("1133:{}:", at.port());
    let numbers = member.numbers();
    let of_own = numbers.iter().filter(|text| text.starts_with(&own));
    assert_eq!(of_own.count(), 2, "{numbers:?}");
    assert_eq!(numbers.len(), 4, "{numbers:?}");
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
