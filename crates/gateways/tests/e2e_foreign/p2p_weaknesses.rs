//! What went wrong among the exercise's originals, tried over sockets against a gateway, each at a time.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bruit::{Draft, Node};
use bruit_gateways::Running;
use bruit_gateways::p2p_messaging::config::{Config, Role};
use bruit_gateways::p2p_messaging::pickle;
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

/// An original keeps a spinning thread and an open descriptor for each connection it ever took.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_has_ended_leaves_nothing_behind() {
    const CONNECTIONS: u64 = 500;
    let entries = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let state = || (entries("/proc/self/fd"), entries("/proc/self/task"));
    let a = node(&[]).await;
    let gate = gateway(&a, patient(&[])).await;
    let to = gate.listen()[0];
    say(to, "1122:1:8101:");
    counts(&gate, "messages_in", 1).await;
    let before = state();
    for n in 0..CONNECTIONS {
        // A number that was heard already: nothing else follows from it.
        say(to, &format!("1133:{}:1:1", to.port()));
        if n % 2 == 0 {
            let mut stream = TcpStream::connect(to).unwrap();
            stream.write_all(b"nonsense").unwrap();
        }
    }
    until("all were heard, and all have gone", async || {
        let counters = gate.counters();
        let heard = counters.get("duplicates") + counters.get("dropped_malformed");
        let (descriptors, threads) = state();
        let is_as_before = descriptors <= before.0 && threads <= before.1;
        (heard == CONNECTIONS * 3 / 2 && is_as_before).then_some(())
    })
    .await;
    // Nothing goes round: a second takes next to nothing of the processor.
    let used = processor_ticks();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = processor_ticks() - used;
    assert!(used <= 30, "{used} hundredths of a second");
}

/// What this process has used of the processor, in hundredths of a second.
#[cfg(target_os = "linux")]
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name, in brackets, may have anything in it.
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split(' ').collect();
    [fields[12], fields[13]]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum()
}

/// A REGISTER without a number ended an original's thread, and the connection stayed open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_closes_the_connection_of_whoever_registers_nothing() {
    let a = node(&[]).await;
    let seed = seed(&a, &[]).await;
    let at_seed = seed.listen()[0].to_string();
    for (n, text) in [
        "REGISTER:x",
        "REGISTER:",
        "REGISTER:70000",
        "REGISTER:-1",
        "PEERS",
    ]
    .into_iter()
    .enumerate()
    {
        // Our end stays open: what ends the reading is that the seed closes.
        assert_eq!(ask(&at_seed, text), b"", "{text}");
        let refused = u64::try_from(n).unwrap() + 1;
        assert_eq!(seed.counters().get("dropped_malformed"), refused);
    }
    assert!(ask(&at_seed, "REGISTER:8109").starts_with(b"8109 Registered"));
}

/// Each message came three times to each of three originals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_goes_to_each_member_once_and_never_to_its_maker() {
    let a = node(&[]).await;
    let members = [Witness::start(), Witness::start(), Witness::start()];
    let ports: Vec<_> = members.iter().map(Witness::port).collect();
    let seed = seed(&a, &ports).await;
    let gate = gateway(&a, patient(&[&seed.listen()[0].to_string()])).await;
    let to = gate.listen()[0];
    a.publish(Draft::new(TOPIC, "known")).await.unwrap();
    until("it knows the members", async || {
        members
            .iter()
            .all(|member| member.numbers().len() == 1)
            .then_some(())
    })
    .await;

    let number = |origin: u16, n: u64| format!("1133:{origin}:1795168660:{n}");
    for n in 0..20 {
        // From all that have it, as in a flood.
        for _ in 0..3 {
            say(to, &number(ports[0], n));
        }
    }
    // What was sent last comes last, or all of it has come.
    counts(&gate, "messages_in", 60).await;
    assert_eq!(gate.counters().get("duplicates"), 40);
    for member in &members[1..] {
        for n in 0..20 {
            member.hears(&number(ports[0], n)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for member in &members {
        let mut times = BTreeMap::<_, u32>::new();
        for text in member.numbers() {
            *times.entry(text).or_default() += 1;
        }
        let is_maker = member.port() == ports[0];
        assert_eq!(times.len(), if is_maker { 1 } else { 21 }, "{times:?}");
        assert!(times.values().all(|times| *times == 1), "{times:?}");
    }
}

/// A peer of the originals is a port, whoever is behind it on whichever machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_ports_of_the_gateways_own_address_and_of_no_other() {
    const BESIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    // One port at two addresses.
    let (beside, here) = loop {
        let Ok(beside) = TcpListener::bind((BESIDE, 0)) else {
            // Not every system has more than one address of its own.
            return;
        };
        let port = beside.local_addr().unwrap().port();
        if let Ok(here) = TcpListener::bind((HERE, port)) {
            break (Witness::of(beside), Witness::of(here));
        }
    };
    let a = node(&[]).await;
    let seed = seed(&a, &[here.port()]).await;
    let at_seed = seed.listen()[0].to_string();
    let config = patient(&[&at_seed]);
    let listen = SocketAddr::new(BESIDE, 0);
    let gate = socket::start(Arc::new(a.clone()), listen, config).await;
    let gate = gate.expect("it listens");
    a.publish(Draft::new(TOPIC, "for those beside"))
        .await
        .unwrap();
    until("the number is out", async || {
        (beside.numbers().len() == 1).then_some(())
    })
    .await;
    assert_eq!(here.numbers(), [""; 0]);

    // A death somewhere else is none here: the seed calls at its own address, and somebody takes the call.
    let elsewhere = format!("DEAD:10.1.2.3:{}:1795168738:8101", here.port());
    say(seed.listen()[0], &elsewhere);
    counts(&seed, "seed_messages_in", 4).await;
    // And one that nobody else can reach is found dead, not kept: the gateway beside is no port of the seed's address.
    let own = gate.listen()[0].port();
    say(
        seed.listen()[0],
        &format!("DEAD:127.0.0.2:{own}:1795168738:8101"),
    );
    counts(&seed, "seed_removed", 1).await;
    let known = pickle::decode(&ask(&at_seed, "PEERLIST_REQUEST")).unwrap();
    assert_eq!(known, [i32::from(here.port())]);
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
