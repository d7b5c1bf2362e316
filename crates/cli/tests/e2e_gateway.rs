//! Gateways beside and within daemons: the modules of `VoidPhone`, spoken to with bytes laid out by hand.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use common::measure::cpu_time;
use common::{Daemon, PATIENCE, Running, network};

/// NOTIFY for type 1337, and an ANNOUNCE of it with ttl 4, as the official client sends them.
const NOTIFY: [u8; 8] = [0, 8, 0x01, 0xf5, 0, 0, 0x05, 0x39];
const ANNOUNCE: &[u8] = b"\x00\x10\x01\xf4\x04\x00\x05\x39deadbeef";

/// Starts a gateway beside `daemon`; answers it and where modules connect.
#[track_caller]
fn gateway(daemon: &Daemon, args: &[&str]) -> (Running, String) {
    let all = [
        &["--json", "gateway", "voidphone", "--listen", "127.0.0.1:0"],
        args,
    ]
    .concat();
    let process = Running::start(&mut daemon.command(&all));
    let ready = process.json();
    assert_eq!(ready["event"], "ready");
    assert_eq!(ready["gateway"], "voidphone");
    let listen = ready["listen"].as_str().unwrap().to_owned();
    (process, listen)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A module subscribed to type 1337, once the daemon listens.
#[track_caller]
fn subscriber(daemon: &Daemon, address: &str) -> TcpStream {
    let mut module = connect(address);
    module.write_all(&NOTIFY).unwrap();
    let start = std::time::Instant::now();
    while !daemon
        .json(&["topics"])
        .to_string()
        .contains("voidphone/1337")
    {
        assert!(start.elapsed() < PATIENCE, "the daemon listens");
    }
    module
}

/// Reads a notification and votes for it; answers its data.
#[track_caller]
fn accept(module: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 8];
    module.read_exact(&mut head).unwrap();
    assert_eq!(
        (head[2..4].to_vec(), head[6..].to_vec()),
        (vec![0x01, 0xf6], vec![0x05, 0x39])
    );
    let mut data = vec![0; usize::from(u16::from_be_bytes([head[0], head[1]])) - 8];
    module.read_exact(&mut data).unwrap();
    module
        .write_all(&[0, 8, 0x01, 0xf7, head[4], head[5], 0, 1])
        .unwrap();
    data
}

#[test]
fn modules_beside_two_daemons_hear_each_other_and_bruit() {
    let daemons = network(2, 1);
    let (first, second) = (gateway(&daemons[0], &[]), gateway(&daemons[1], &[]));
    let mut there = subscriber(&daemons[1], &second.1);
    let mut here = connect(&first.1);
    here.write_all(ANNOUNCE).unwrap();
    assert_eq!(accept(&mut there), b"deadbeef");
    assert_eq!(first.0.json()["event"], "announced");

    daemons[0].json(&["pub", "voidphone/1337", "hello"]);
    assert_eq!(accept(&mut there), b"hello");

    let mut sub = daemons[1].command(&["--json", "sub", "voidphone/1337", "--count", "1"]);
    let sub = Running::start(&mut sub);
    sub.wait_for_error_line("subscribed");
    here.write_all(ANNOUNCE).unwrap();
    accept(&mut there);
    assert_eq!(sub.json()["body"], "deadbeef");
}

#[test]
fn a_gateway_takes_the_file_of_the_original_and_ends_as_it_should() {
    let mut daemon = Daemon::start(&["--price", "0"]);
    let file = daemon.data().join("voidphone.ini");
    let text = "hostkey = key.pem\n[gossip]\ncache_size = 10\ndegree = 3\nspeed = 9\n\
                p2p_address = 127.0.0.1:0\napi_address = 127.0.0.1:0\n";
    std::fs::write(&file, text).unwrap();
    let args = [
        "--json",
        "gateway",
        "voidphone",
        "-c",
        file.to_str().unwrap(),
        "-v",
        "60",
        "-s",
        "300",
    ];
    let mut first = Running::start(&mut daemon.command(&args));
    first.wait_for_error_line("line 5: there is no setting speed");
    let ready = first.json();
    assert!(
        ready["listen"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{ready}"
    );
    assert!(
        ready["peers"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{ready}"
    );
    first.signal("TERM");
    assert_eq!(first.wait(), 0);
    assert_eq!(first.json()["event"], "stopped");

    // It ends with its daemon, and says why.
    let (mut second, listen) = gateway(&daemon, &[]);
    let taken = daemon.run(&["--json", "gateway", "voidphone", "--listen", &listen]);
    assert_eq!(
        (taken.code, taken.error()["code"].as_str()),
        (2, Some("port_taken"))
    );
    let mut module = subscriber(&daemon, &listen);
    daemon.process.kill();
    assert_eq!(second.wait(), 4);
    let mut rest = Vec::new();
    assert!(matches!(module.read_to_end(&mut rest), Ok(0)), "{rest:?}");
    let without = daemon.run(&["--json", "gateway", "voidphone"]);
    assert_eq!(
        (without.code, without.error()["code"].as_str()),
        (4, Some("unreachable"))
    );
}

#[test]
fn a_daemon_runs_the_gateway_its_configuration_names() {
    let daemons = network(2, 1);
    let home = tempfile::tempdir().unwrap();
    let (data, file) = (
        home.path().join("data/bruit"),
        home.path().join("config.toml"),
    );
    let text = format!(
        "[network]\nprice = 0\n[node]\nlisten = \"127.0.0.1:0\"\nprofile = \"local\"\njoin = [{:?}]\n\
         [gateways.voidphone]\nlisten = \"127.0.0.1:0\"\n",
        daemons[0].address()
    );
    std::fs::write(&file, text).unwrap();
    let mut third = Daemon::start_in(home, data, &["--config", file.to_str().unwrap()]);
    let ready = third.process.json();
    assert_eq!(
        (ready["event"].as_str(), ready["gateway"].as_str()),
        (Some("ready"), Some("voidphone"))
    );
    third.wait_for_links(1);
    let mut module = subscriber(&third, ready["listen"].as_str().unwrap());
    daemons[1].json(&["pub", "voidphone/1337", "hello"]);
    assert_eq!(accept(&mut module), b"hello");
    third.process.signal("TERM");
    assert_eq!(third.process.wait(), 0);
    let mut rest = Vec::new();
    assert!(matches!(module.read_to_end(&mut rest), Ok(0)), "{rest:?}");
}

/// A folder whose configuration is a node's and `gateways`.
fn configured(gateways: &str) -> (tempfile::TempDir, std::path::PathBuf, String) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    let node = "[network]\nprice = 0\n[node]\nlisten = \"127.0.0.1:0\"\nprofile = \"local\"\n";
    std::fs::write(&file, format!("{node}{gateways}")).unwrap();
    let data = home.path().join("data/bruit");
    (home, data, file.to_str().unwrap().to_owned())
}

#[test]
fn a_daemon_runs_all_gateways_of_its_configuration_and_counts_what_crosses() {
    let neighbour = UdpSocket::bind("127.0.0.1:0").unwrap();
    neighbour.set_read_timeout(Some(PATIENCE)).unwrap();
    let (home, data, file) = configured(&format!(
        "[gateways.voidphone]\nlisten = '127.0.0.1:0'\n[gateways.dave]\nlisten = '127.0.0.1:0'\n\
         [gateways.k98kurz]\n[gateways.simple]\nlisten = '127.0.0.1:0'\njoin = ['{}']\n\
         [gateways.p2p-messaging]\nrole = 'both'\njoin = ['127.0.0.1:0']\nmessages = 0\n",
        neighbour.local_addr().unwrap()
    ));
    let mut daemon = Daemon::start_in(home, data, &["--config", &file]);
    let mut simple = String::new();
    for name in ["voidphone", "dave", "simple", "k98kurz", "p2p-messaging"] {
        let ready = daemon.process.json();
        assert_eq!(
            (ready["event"].as_str(), ready["gateway"].as_str()),
            (Some("ready"), Some(name))
        );
        let listen = ready["listen"].as_str().unwrap();
        assert!(listen.starts_with("127.0.0.1:"), "{ready}");
        assert!(!listen.ends_with(":0"), "{ready}");
        if name == "simple" {
            listen.clone_into(&mut simple);
        }
        assert_eq!(ready["peers"].is_string(), name == "p2p-messaging");
        assert_eq!(ready["address"].is_string(), name == "k98kurz");
    }

    let sub = daemon.subscribe(&["simple"]);
    neighbour
        .send_to(b"20/11/2026 09:55:57hello-one", &simple)
        .unwrap();
    assert_eq!(sub.json()["body"], "hello-one");
    daemon.json(&["pub", "simple", "hello-two"]);
    let mut buffer = [0; 2_000];
    let (length, _) = neighbour.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[19..length], b"hello-two");
    let metrics = daemon.api().metrics();
    for event in ["crossed_in", "crossed_out", "datagrams_in"] {
        let line =
            format!("bruit_gateway_events_total{{gateway=\"simple\",event=\"{event}\"}} 1\n");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }

    assert!(daemon.data().join("k98kurz.key").exists());
    daemon.process.signal("TERM");
    assert_eq!(daemon.process.wait(), 0);
}

#[test]
fn a_gateway_that_cannot_start_keeps_its_daemon_from_starting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let (home, data, file) = configured(&format!(
        "[gateways.k98kurz]\n[gateways.p2p-messaging]\nlisten = '{taken}'\njoin = ['127.0.0.1:1']\n"
    ));
    let data = data.to_str().unwrap();
    let run = |args: &[&str]| {
        let args = [&["--json", "--data", data], args, &["--config", &file]].concat();
        common::run(common::bruit(home.path()).args(args), "")
    };
    // What keeps nothing keeps no key either.
    let failed = run(&["run", "--ephemeral"]);
    let error = failed.error();
    assert_eq!(
        (failed.code, error["code"].as_str()),
        (2, Some("port_taken"))
    );
    assert!(failed.out.is_empty(), "it was not ready: {failed:?}");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("[gateways.p2p-messaging]") && message.contains(&taken.to_string()),
        "{message}"
    );
    assert!(!std::path::Path::new(data).join("k98kurz.key").exists());

    std::fs::write(&file, "[gateways.dave]\nfanout_sett = 3\n").unwrap();
    for args in [&["run"][..], &["config", "check"], &["config", "show"]] {
        let failed = run(args);
        let error = failed.error();
        assert_eq!((failed.code, error["code"].as_str()), (2, Some("config")));
        assert_eq!(error["fix"], "did you mean fanout_set?");
    }
    std::fs::write(&file, "[gateways.p2p-messaging]\n").unwrap();
    for args in [&["run"][..], &["config", "check"]] {
        let failed = run(args);
        let message = failed.error()["message"].to_string();
        assert_eq!(failed.code, 2);
        assert!(message.contains("[gateways.p2p-messaging]"), "{message}");
        assert!(message.contains("has seeds"), "{message}");
    }
    std::fs::write(&file, "[gateways.dave]\nfanout_set = 3\n").unwrap();
    run(&["config", "check"]).ok();
    let shown = run(&["config", "show"]).ok();
    assert!(shown.out.contains("fanout_set"), "{shown:?}");
}

/// `command`, which may have 64 descriptors.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// Connections to `address` that say nothing, until the gateway can take no more of them; it does not spin then.
#[track_caller]
fn crowd(gateway: &Running, address: &str) -> Vec<TcpStream> {
    let crowd = (0..100).map(|_| connect(address)).collect();
    gateway.wait_for_error_line("connections cannot be taken");
    let (before, start) = (cpu_time(gateway.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(1));
    let used = cpu_time(gateway.pid()).saturating_sub(before);
    let share = used.as_secs_f64() / start.elapsed().as_secs_f64();
    assert!(share < 0.3, "{share} of a core");
    crowd
}

/// The gateway took a pause from everything whenever a connection could not be taken, and ended when the daemon
/// could not be asked for want of a descriptor.
#[test]
fn modules_beyond_the_descriptors_hold_up_none_that_is_there() {
    let daemon = Daemon::start(&["--price", "0"]);
    let args = [
        "--json",
        "gateway",
        "voidphone",
        "--listen",
        "127.0.0.1:0",
        "-v",
        "60",
    ];
    let mut gateway = Running::start(&mut limited(&daemon.command(&args)));
    let listen = gateway.json()["listen"].as_str().unwrap().to_owned();
    let mut there = subscriber(&daemon, &listen);
    let (mut here, mut third) = (connect(&listen), connect(&listen));
    let sub = daemon.subscribe(&["voidphone/1337", "--count", "100"]);
    let crowd = crowd(&gateway, &listen);

    let mut notify = NOTIFY;
    notify[7] += 1;
    third.write_all(&notify).unwrap();
    let start = Instant::now();
    for number in 0..100_u8 {
        let data = format!("{number:02}");
        let head = [0, 10, 0x01, 0xf4, 4, 0, 0x05, 0x39];
        here.write_all(&[&head, data.as_bytes()].concat()).unwrap();
        assert_eq!(accept(&mut there), data.as_bytes());
    }
    let time = start.elapsed();
    assert!(time < Duration::from_secs(8), "{time:?} for 100");

    drop(crowd);
    for number in 0..100_u8 {
        assert_eq!(sub.json()["body"], format!("{number:02}"));
    }
    let start = Instant::now();
    while !daemon
        .json(&["topics"])
        .to_string()
        .contains("voidphone/1338")
    {
        assert!(start.elapsed() < PATIENCE, "the daemon listens");
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait(), 0);
}

#[test]
fn a_peer_of_the_exercise_without_descriptors_serves_again_when_it_has_some() {
    let daemon = Daemon::start(&["--price", "0"]);
    let args = [
        "--json",
        "gateway",
        "p2p-messaging",
        "--join",
        "127.0.0.1:1",
        "--messages",
        "0",
    ];
    let mut gateway = Running::start(&mut limited(&daemon.command(&args)));
    let listen = gateway.json()["listen"].as_str().unwrap().to_owned();
    let sub = daemon.subscribe(&["p2p-messaging"]);
    let crowd = crowd(&gateway, &listen);
    let mut peer = connect(&listen);
    peer.write_all(b"1133:8109:1795168660:1").unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(sub.json()["body"], "8109:1795168660:1");
    gateway.signal("TERM");
    assert_eq!(gateway.wait(), 0);
    let mut last = gateway.json();
    while last["event"] != "stopped" {
        last = gateway.json();
    }
    assert!(last["accept_failed"].as_u64() > Some(0), "{last}");
    drop(crowd);
}
