//! A node that thousands link to, beside a bare transport that as many connect to.
//!
//! What is compared lives in processes of its own, as do the callers, a quarter of them in each; all of them run
//! this program again, as [`hub`] or [`callers`].
//!
//! A link is idle that carries what two nodes tell each other when nobody publishes. So the callers have no
//! letterboxes: a new node publishes its own, and 2,000 of them at once would have every link carry 2,000
//! bulletins. The hub is a node as it is.

use std::future::poll_fn;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bruit_core::limits;
use bruit_core::link::PeerAddress;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::*;
use crate::transport::TransportEvent;

const CONNECTIONS: u64 = 2_000;
/// Callers of one process: each has some descriptors.
const CALLERS: u64 = 500;
/// Longest wait for all of them.
const PATIENCE: Duration = Duration::from_mins(5);
/// Tell the other processes what they are.
const KIND: &str = "BRUIT_TEST_CROWD";
const HUB: &str = "BRUIT_TEST_HUB";
const FIRST: &str = "BRUIT_TEST_FIRST";
/// What an answer begins with: the test harness has words of its own.
const ANSWER: &str = "crowd: ";

/// What is linked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A transport, and nothing else.
    Bare,
    /// A node as it is.
    Node,
    /// A node that takes as many links as can be configured.
    Large,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Bare, Self::Node, Self::Large];

    fn of_this_process() -> Self {
        let name = std::env::var(KIND).expect("set");
        let kind = Self::ALL.iter().find(|kind| format!("{kind:?}") == name);
        *kind.expect("one of them")
    }
}

/// Another process, and what it answers.
struct Part {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(role: &str, kind: Kind, hub: &str, first: u64) -> Self {
        let role = format!("node::start::crowd::{role}");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([&role, "--exact", "--ignored", "--nocapture"])
            .env(KIND, format!("{kind:?}"))
            .env(HUB, hub)
            .env(FIRST, first.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdin = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self {
            child,
            stdin,
            lines,
        }
    }

    /// The next thing it says.
    fn answer(&mut self) -> String {
        let mut said = self.lines.by_ref().map(|line| line.expect("text"));
        let answer = said.find_map(|line| Some(line.split_once(ANSWER)?.1.to_owned()));
        answer.expect("it lives")
    }

    /// Asks how many links there are.
    fn links(&mut self) -> u64 {
        writeln!(self.stdin).expect("it reads");
        self.answer().parse().expect("a number")
    }

    fn resident_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("it lives");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = rss.expect("Linux says so").trim().trim_end_matches(" kB");
        kib.parse().expect("a number")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // One that has ended needs no more.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Tells what it is asked for: a line for a line.
fn told(answer: impl std::fmt::Display) {
    println!("\n{ANSWER}{answer}");
}

/// Lines of standard input, as long as there are any.
fn asked() -> UnboundedReceiver<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines() {
            sender.send(()).ok();
        }
    });
    receiver
}

async fn bind_bare(number: u64) -> IrohTransport {
    let mut secret_key = [7; 32];
    secret_key[..8].copy_from_slice(&number.to_be_bytes());
    let listen = vec!["127.0.0.1:0".parse().expect("an address")];
    let transport = IrohTransport::bind(IrohConfig { secret_key, listen }).await;
    transport.expect("it listens")
}

/// Counts the links of a transport: one more, one less.
async fn run(mut transport: IrohTransport, changes: UnboundedSender<i64>) {
    let mut events = Vec::new();
    loop {
        poll_fn(|cx| transport.poll(cx, &mut events)).await;
        for event in events.drain(..) {
            match event {
                TransportEvent::LinkUp { .. } => changes.send(1).ok(),
                TransportEvent::LinkDown { .. } => changes.send(-1).ok(),
                _ => None,
            };
        }
    }
}

/// The clerk of a node without a letterbox.
fn without_letterbox(config: &Config, id: NodeId) -> (Clerk, Letters) {
    let (cabinet, records) = Cabinet::open(None).expect("nothing is opened");
    let secret = Secret::random().expect("it is drawn");
    let rng = secret_rng().expect("it is drawn");
    let network = Arc::new(config.network());
    let (me, rules) = (id.as_author(), config.letters());
    let desk = Desk::new(me, *secret.expose(), network, rules, records);
    Clerk::new(desk, Contacts::new(None), cabinet, rng)
}

/// Starts a node that takes so many links of others, or what it takes by itself.
async fn node(join: Vec<crate::PeerSpec>, inbound_max: Option<usize>) -> Node {
    let config = Config {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        price: 0,
        static_peers: !join.is_empty(),
        join,
        ..Config::default()
    };
    let mut core = config.core().expect("valid").into_inner();
    if let Some(most) = inbound_max {
        core.membership.inbound_max = most;
    }
    let mut parts = Parts::open(&config).expect("it opens");
    if config.static_peers {
        parts.clerk = Some(without_letterbox(&config, parts.key.node_id()));
    }
    let transport = bind(config.listen, &parts.key).await.expect("it listens");
    let core = core.validate().expect("valid");
    let node = Node::start_with(&config, core, &mut parts, Box::new(transport));
    node.expect("it starts")
}

/// Calls at `hub` once; who is not linked a while later goes.
async fn visit(hub: crate::PeerSpec) -> Option<Node> {
    let caller = node(vec![hub.clone()], None).await;
    caller.join(vec![hub], Duration::from_secs(10)).await;
    sleep(Duration::from_secs(2)).await;
    if caller.peers(false).await.is_empty() {
        caller.shutdown().await;
        return None;
    }
    Some(caller)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of others"]
async fn hub() {
    let mut asked = asked();
    let kind = Kind::of_this_process();
    if kind == Kind::Bare {
        let transport = bind_bare(u64::MAX).await;
        let mut secret_key = [7; 32];
        secret_key[..8].copy_from_slice(&u64::MAX.to_be_bytes());
        let id = SecretKey::from_seed(&secret_key).node_id();
        told(format!("{id}@{}", transport.addresses()[0]));
        let (sender, mut changes) = mpsc::unbounded_channel();
        tokio::spawn(run(transport, sender));
        let mut links = 0;
        while asked.recv().await.is_some() {
            while let Ok(change) = changes.try_recv() {
                links += change;
            }
            told(links);
        }
    } else {
        let most = (kind == Kind::Large).then_some(limits::INBOUND_MAX);
        let node = node(Vec::new(), most).await;
        told(node.address().expect("it listens"));
        while asked.recv().await.is_some() {
            told(node.peers(false).await.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of others"]
async fn callers() {
    let mut asked = asked();
    let hub: crate::PeerSpec = std::env::var(HUB).expect("set").parse().expect("a place");
    let first = std::env::var(FIRST).expect("set");
    let first: u64 = first.parse().expect("a number");
    if Kind::of_this_process() == Kind::Bare {
        let place = std::env::var(HUB).expect("set");
        let (_, at) = place.split_once('@').expect("id and address");
        let place = PeerAddress {
            id: hub.id(),
            addresses: vec![at.parse().expect("an address")],
        };
        let (sender, mut changes) = mpsc::unbounded_channel();
        for number in first..first + CALLERS {
            let mut transport = bind_bare(number).await;
            transport.dial(&place);
            tokio::spawn(run(transport, sender.clone()));
            // One after the other: what is asked for is that they are there, not that they come at once.
            assert_eq!(changes.recv().await, Some(1), "caller {number}");
        }
        told("all are there");
        asked.recv().await;
    } else {
        let mut nodes = Vec::new();
        if Kind::of_this_process() == Kind::Large {
            for number in first..first + CALLERS {
                let caller = node(vec![hub.clone()], None).await;
                let joined = caller.join(vec![hub.clone()], PATIENCE).await;
                assert!(joined[0].1, "caller {number}");
                nodes.push(caller);
            }
        } else {
            let mut visits = tokio::task::JoinSet::new();
            for _ in 0..CALLERS {
                visits.spawn(visit(hub.clone()));
                sleep(Duration::from_millis(50)).await;
            }
            nodes.extend(visits.join_all().await.into_iter().flatten());
        }
        told("all are there");
        asked.recv().await;
    }
}

/// Lets 2,000 call something of `kind`, and waits for `least` links. Returns the links it holds then, and how
/// many KiB it has grown.
fn crowd(kind: Kind, least: u64) -> (u64, u64) {
    let mut hub = Part::start("hub", kind, "", 0);
    let place = hub.answer();
    std::thread::sleep(Duration::from_secs(2));
    let before = hub.resident_kib();
    let firsts = (0..CONNECTIONS).step_by(CALLERS.try_into().expect("few"));
    let parts = firsts.map(|first| Part::start("callers", kind, &place, first));
    let mut parts: Vec<_> = parts.collect();
    for part in &mut parts {
        part.answer();
    }
    let begun = Instant::now();
    while hub.links() < least {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {least} links",
            hub.links()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    // What linking left to do is done.
    std::thread::sleep(Duration::from_secs(20));
    let (links, grown) = (hub.links(), hub.resident_kib() - before);
    println!(
        "{kind:?}: {links} links, grown by {grown} KiB to {} KiB",
        hub.resident_kib()
    );
    (links, grown)
}

#[test]
#[ignore = "minutes: cargo xtask nightly connections"]
fn an_idle_link_of_two_thousand_takes_at_most_half_more_than_a_bare_connection() {
    let (bare_links, bare) = crowd(Kind::Bare, CONNECTIONS);
    let (links, large) = crowd(Kind::Large, CONNECTIONS);
    assert_eq!((bare_links, links), (CONNECTIONS, CONNECTIONS));
    let each = |kib: u64| kib * 10 / CONNECTIONS;
    let (bare, large) = (each(bare), each(large));
    println!("a tenth of a KiB a connection: {bare} bare, {large} with a node");
    assert!(large * 2 <= bare * 3, "{large} beside {bare}");

    // A node as it is takes 48, and some for as long as it takes to tell them of others, who then go.
    let (links, grown) = crowd(Kind::Node, 48);
    assert!(links <= 48 + 32 + 20, "{links} links");
    assert!(grown <= 64 << 10, "grown by {grown} KiB");
}
