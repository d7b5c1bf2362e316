//! Gateways beside daemons in networks of foreign programs, as people run them.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bruit_gateways::dave::codec::Dat;
use bruit_gateways::dave::work::Search;
use bruit_gateways::hex;
use common::{Daemon, PATIENCE, Running, network};

/// A value that an original of dave's mined, and how it is called.
const MINED: &str = "6d696e65642076616c7565 746167 \
                     9214510fd78557be229c9e4400ccf76c3ee015764d43a9d6982b6022c6e7b534";
const MINED_ID: &str = "dave:0000005b42a861613e6179c49517331265e1b9fbdc007c6737bdd13d0bb9b3cd";

/// A foreign program of the gateways' tests.
struct Foreign {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    address: String,
}

impl Foreign {
    fn start(script: &str, args: &[&str]) -> Option<Self> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateways/tests/foreign");
        let child = Command::new("python3")
            .arg(format!("{folder}/{script}"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            common::skip("e2e_foreign", "python3 is not installed");
            return None;
        };
        let stdin = child.stdin.take().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                said.send(line).ok();
            }
        });
        let mut foreign = Self {
            child,
            stdin,
            lines,
            address: String::new(),
        };
        foreign.address = foreign.says("listen", PATIENCE).unwrap();
        Some(foreign)
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    fn says(&mut self, word: &str, time: Duration) -> Option<String> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok()?;
            assert!(!line.starts_with("died"), "a foreign program {line}");
            if let Some(rest) = line.strip_prefix(word) {
                return Some(rest.trim().to_owned());
            }
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts a gateway beside `daemon`; answers it and where it listens.
#[track_caller]
fn gateway(daemon: &Daemon, name: &str, args: &[&str]) -> (Running, String) {
    let all = [&["--json", "gateway", name], args].concat();
    let process = Running::start(&mut daemon.command(&all));
    let ready = process.json();
    assert_eq!(
        (&ready["event"], &ready["gateway"]),
        (&"ready".into(), &name.into())
    );
    let listen = ready["listen"].as_str().unwrap().to_owned();
    (process, listen)
}

#[test]
fn values_go_to_dave_and_come_from_there() {
    let daemons = network(2, 1);
    let (with, without) = (&daemons[0], &daemons[1]);
    let Some(mut first) = Foreign::start("dave.py", &["3", "2"]) else {
        return;
    };
    let address = first.address.clone();
    let (gate, _listen) = gateway(
        with,
        "dave",
        &["--listen", "127.0.0.1:0", "--join", &address],
    );
    while gate.json()["event"] != "peers" {}

    // A node without a gateway puts, another program of theirs gets.
    let put = without.json(&["put", "--via", "dave", "--tag", "t", "from bruit"]);
    let id = put["id"].as_str().unwrap().to_owned();
    let work = id.strip_prefix("dave:").unwrap();
    assert!(work.starts_with("000000"), "{id}");
    let end = Instant::now() + PATIENCE;
    let got = loop {
        first.tell(&format!("get {work}"));
        if let Some(got) = first.says("dat", Duration::from_millis(300)) {
            break got;
        }
        assert!(Instant::now() < end, "the foreign peer gets the value");
    };
    assert!(got.ends_with(&"66726f6d206272756974"));

    // A chain, whole and in order, at the other node; what a foreign peer mined, at both.
    let put = with.json(&["put", "--via", "dave", "--prev", &id, ", and more"]);
    let head = put["id"].as_str().unwrap();
    let file = without.data().join("chain");
    let out = file.to_str().unwrap();
    without.run(&["get", head, "--chain", "--out", out]).ok();
    assert_eq!(std::fs::read(&file).unwrap(), b"from bruit, and more");
    let value = without.json(&["get", &id]);
    assert_eq!(
        (&value["id"], &value["tag"]),
        (&id.as_str().into(), &"t".into())
    );

    first.tell(&format!("set {MINED}"));
    let reads = |daemon: &Daemon| {
        let value = daemon.json(&["get", MINED_ID, "--timeout", "15s"]);
        assert_eq!(
            (&value["body"], &value["tag"]),
            (&"mined value".into(), &"tag".into())
        );
    };
    reads(with);
    // The foreign network is gone, and the gateway with it: the value stays.
    drop((first, gate));
    reads(without);
    let missing = without.run(&[
        "--json",
        "get",
        &MINED_ID.replace('5', "6"),
        "--timeout",
        "1s",
    ]);
    assert_eq!(
        (missing.code, &missing.error()["code"]),
        (1, &"not_found".into())
    );
    let wrong = without.run(&["--json", "get", "dave:12"]);
    assert_eq!(wrong.code, 2);
    let long = "x".repeat(1_281);
    let long = without.run(&["--json", "put", "--via", "dave", &long]);
    assert_eq!((long.code, &long.error()["code"]), (6, &"too_big".into()));
}

/// A value of one zero byte that goes on from `prev`: its work and what the foreign program is told of it.
fn cheap(text: &str, prev: &str) -> (String, String) {
    let mut dat = Dat {
        prev: hex::decode(prev).unwrap(),
        val: text.as_bytes().to_vec(),
        ..Dat::default()
    };
    assert!(Search::default().mine(&mut dat, 1, [0; 16], 1));
    let told = [&dat.val[..], &[], &dat.nonce, &dat.prev].map(hex::encode);
    (hex::encode(&dat.work), told.join(" "))
}

/// The original asks for each part of a file once: where an answer is lost it waits for ever.
#[test]
fn a_file_of_dave_comes_whole_though_answers_get_lost_or_fails_in_time() {
    let daemon = Daemon::start(&["--price", "0"]);
    let Some(mut foreign) = Foreign::start("dave.py", &["1", "1"]) else {
        return;
    };
    let mut head = String::new();
    for text in ["one, ", "two, ", "three"] {
        let (work, told) = cheap(text, &head);
        foreign.tell(&format!("hold {told}"));
        assert_eq!(foreign.says("stored", PATIENCE).unwrap(), work);
        // Of each part the first answer.
        foreign.tell(&format!("lose {work} 1"));
        head = work;
    }
    let address = foreign.address.clone();
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--join",
        &address,
        "--work-store",
        "1",
    ];
    let (gate, _listen) = gateway(&daemon, "dave", &args);
    while gate.json()["event"] != "peers" {}
    let file = daemon.data().join("file");
    let out = file.to_str().unwrap();
    let get = |head: &str, timeout: &str| {
        let id = format!("dave:{head}");
        daemon.run(&[
            "--json",
            "get",
            &id,
            "--chain",
            "--out",
            out,
            "--timeout",
            timeout,
        ])
    };
    get(&head, "15s").ok();
    assert_eq!(std::fs::read(&file).unwrap(), b"one, two, three");
    for _ in 0..3 {
        foreign.says("lost", PATIENCE).unwrap();
    }

    // One part never comes: there is an error in time, and no half of a file.
    std::fs::remove_file(&file).unwrap();
    let (lost, _) = cheap("never heard of", "");
    let (head, told) = cheap("the end", &lost);
    foreign.tell(&format!("hold {told}"));
    let start = Instant::now();
    let failed = get(&head, "2s");
    assert_eq!(
        (failed.code, &failed.error()["code"]),
        (1, &"not_found".into())
    );
    assert!(failed.err.contains(&lost), "{}", failed.err);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    assert!(!file.exists());
}

#[test]
fn the_simple_gossip_says_what_it_can_and_refuses_the_rest() {
    let daemon = Daemon::start(&["--price", "0"]);
    let neighbour = UdpSocket::bind("127.0.0.1:0").unwrap();
    neighbour.set_read_timeout(Some(PATIENCE)).unwrap();
    let own = neighbour.local_addr().unwrap().to_string();
    // Its standard input has ended before it begins, which ends the thread of the original that reads it.
    let (_gate, listen) = gateway(
        &daemon,
        "simple",
        &["--listen", "127.0.0.1:0", "--join", &own],
    );
    let sub = daemon.subscribe(&["simple"]);
    neighbour
        .send_to(b"20/11/2026 09:55:57hello-one", &listen)
        .unwrap();
    assert_eq!(sub.json()["body"], "hello-one");

    daemon.json(&["pub", "simple", "hello-two"]);
    let mut buffer = [0; 2_000];
    let (length, _) = neighbour.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[19..length], b"hello-two");
    let long = "x".repeat(1_006);
    for (text, code) in [("naïve", "not_ascii"), (long.as_str(), "too_big")] {
        let refused = daemon.run(&["--json", "pub", "simple", text]);
        assert_eq!((refused.code, &refused.error()["code"]), (6, &code.into()));
    }
}

#[test]
fn seeds_and_peers_take_the_file_of_the_original() {
    let daemon = Daemon::start(&["--price", "0"]);
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let file = daemon.data().join("config.json");
    let text = format!(r#"{{"seed_ips": ["127.0.0.1"], "seed_ports": [{port}]}}"#);
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let (_seed, at_seed) = gateway(&daemon, "p2p-messaging", &["-c", file, "--role", "seed"]);
    assert_eq!(at_seed, format!("127.0.0.1:{port}"));
    let (_peer, at_peer) = gateway(&daemon, "p2p-messaging", &["-c", file, "--messages", "0"]);
    let own = at_peer.rsplit_once(':').unwrap().1;

    let end = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(daemon.data().join("output_seed.txt"))
        .unwrap()
        .contains(&format!("REGISTER:{own}"))
    {
        assert!(Instant::now() < end, "the peer registers");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut asked = TcpStream::connect(&at_seed).unwrap();
    asked.write_all(b"REGISTER:8109").unwrap();
    let mut answer = String::new();
    asked.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, format!("8109 Registered successfully to {port}"));

    let sub = daemon.subscribe(&["p2p-messaging"]);
    let mut peer = TcpStream::connect(&at_peer).unwrap();
    peer.write_all(b"1155:8109:1795168660:1").unwrap();
    drop(peer);
    assert_eq!(sub.json()["body"], "8109:1795168660:1");
    let output = daemon.data().join(format!("output_{own}.txt"));
    let output = std::fs::read_to_string(output).unwrap();
    assert!(
        output.contains("received 1133:8109:1795168660:1"),
        "{output}"
    );
}

/// A gateway to k98kurz/gossip beside `daemon`: it, its address there, and where it listens.
#[track_caller]
fn k98kurz(daemon: &Daemon, args: &[&str]) -> (Running, String, String) {
    let all = ["--json", "gateway", "k98kurz", "--listen", "127.0.0.1:0"];
    let process = Running::start(&mut daemon.command(&[&all[..], args].concat()));
    let ready = process.json();
    assert_eq!(
        (&ready["event"], &ready["gateway"]),
        (&"ready".into(), &"k98kurz".into())
    );
    let text = |key: &str| ready[key].as_str().unwrap().to_owned();
    let address = text("address").strip_prefix("k98kurz:").unwrap().to_owned();
    assert_eq!(address.len(), 64);
    let listen = text("listen");
    (process, address, listen)
}

/// The next event of a gateway by this name.
#[track_caller]
fn event(gate: &Running, name: &str) -> serde_json::Value {
    loop {
        let event = gate.json();
        if event["event"] == name {
            return event;
        }
    }
}

#[test]
fn bulletins_and_letters_go_to_k98kurz_and_come_from_there() {
    let mut daemon = Daemon::start(&["--price", "0"]);
    let seed = "2a".repeat(32);
    let Some(mut person) = Foreign::start("k98kurz.py", &["words", &seed]) else {
        return;
    };
    let name = format!("k98kurz:{}", person.address.split_once('@').unwrap().0);
    let join = person.address.clone();
    let (mut gate, address, listen) =
        k98kurz(&daemon, &["--join", &join, "--topic", "test channel"]);
    person.tell(&format!("know {address}@{listen}"));

    // The hash of "test channel".
    let theirs = "a1b22f49b878ed38e3a9f0ab3dab5b5dda30bc7dfe1d9502b32393f53aac74a0";
    let topic = format!("k98kurz/{theirs}");
    let sub = daemon.subscribe(&[&topic]);
    person.tell(&format!("say {theirs} from there"));
    assert_eq!(sub.json()["body"], "from there");
    assert_eq!(event(&gate, "in")["topic"], topic);
    daemon.json(&["pub", &topic, "from here"]);
    assert_eq!(event(&gate, "out")["peers"], 1);
    person.says("heard", PATIENCE).unwrap();
    assert!(
        person
            .says("heard", PATIENCE)
            .unwrap()
            .ends_with("from here")
    );

    person.tell(&format!("tell {address} how do you do"));
    let watch = ["--json", "inbox", "--watch", "--count", "1"];
    let letter = daemon.run(&watch).ok().json();
    assert_eq!(
        (&letter["from"], &letter["body"]),
        (&name.as_str().into(), &"how do you do".into())
    );
    let told = event(&gate, "message");
    assert_eq!(
        (&told["from"], &told["body"]),
        (&letter["from"], &letter["body"])
    );
    let sent = daemon.json(&["send", &name, "very well"]);
    assert_eq!(
        (&sent["to"], &sent["state"]),
        (&letter["from"], &"published".into())
    );
    assert_eq!(
        person.says("words", PATIENCE).unwrap(),
        format!("{address} very well")
    );

    // What cannot be sent is said.
    let refused = |to: &str, args: &[&str], code: &str| {
        let done = daemon.run(&[&["--json", "send", to, "hello"], args].concat());
        assert_eq!(done.error()["code"], code, "{done:?}");
        done.code
    };
    assert_eq!(
        refused(&format!("k98kurz:{}", "8a".repeat(32)), &[], "not_taken"),
        6
    );
    assert_eq!(refused("k98kurz:short", &[], "not_taken"), 6);
    assert_eq!(refused("dave:somebody", &[], "no_gateway"), 6);
    assert_eq!(refused(&name, &["--ttl", "1h"], "bad_request"), 2);
    assert!(daemon.run(&["inbox"]).ok().out.contains(&name[..16]));

    // Its key and the letter are there after both were started again.
    gate.signal("TERM");
    assert_eq!(gate.wait(), 0);
    let end = Instant::now() + PATIENCE;
    while daemon.run(&["--json", "send", &name, "hello"]).error()["code"] != "no_gateway" {
        assert!(
            Instant::now() < end,
            "the daemon knows that the gateway has ended"
        );
    }
    assert_eq!(daemon.stop(), 0);
    daemon.restart();
    let (_gate, again, _) = k98kurz(&daemon, &["--join", &join]);
    assert_eq!(again, address);
    let inbox = daemon.json(&["inbox"]);
    assert_eq!(inbox[0]["from"], name);
    daemon.json(&["send", &name, "still here"]);
    while !person
        .says("words", PATIENCE)
        .unwrap()
        .ends_with("still here")
    {}
    daemon.json(&["inbox", "rm", inbox[0]["id"].as_str().unwrap()]);
    assert_eq!(daemon.json(&["inbox"]), serde_json::json!([]));
}
