//! Nodes, foreign programs, and waiting for both.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bruit::{Config, Filter, From, Incoming, Node, Received, Subscription, Topics, Value};

/// Nothing that is tested takes longer.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A node on loopback, without prices, linked to `join`.
pub(crate) async fn node(join: &[&Node]) -> Node {
    let join: Vec<_> = join
        .iter()
        .map(|node| node.address().expect("reachable"))
        .collect();
    let links = join.len();
    let node = Node::spawn(Config {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        price: 0,
        join,
        ..Config::default()
    });
    let node = node.await.expect("starts");
    let linked = async || (node.peers(false).await.len() >= links).then_some(());
    until("linked", linked).await;
    node
}

/// Waits until `found` finds something.
pub(crate) async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(start.elapsed() < SOON, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the gateways to `system` at two nodes know of each other: before that each brings in what it hears.
pub(crate) async fn gateways_meet(system: &str, nodes: [&Node; 2]) {
    let present = Filter {
        topic: Some(bruit_gateways::crossing::topic(system)),
        ..Filter::default()
    };
    for node in nodes {
        until("the gateways know of each other", async || {
            let posts = node.list(&present, 9).await.unwrap();
            (posts.len() == 2).then_some(())
        })
        .await;
    }
}

/// What a node holds of a topic, the oldest arrival first.
pub(crate) async fn held(node: &Node, topic: &str) -> Vec<Value> {
    let filter = Filter {
        topic: Some(topic.to_owned()),
        ..Filter::default()
    };
    node.list(&filter, 1_000).await.expect("it can be read")
}

/// Whether this machine has the address; that it has not is said to whoever collects what was skipped.
pub(crate) fn has_address(ip: &str) -> bool {
    let ip: std::net::IpAddr = ip.parse().expect("an address");
    let has = std::net::UdpSocket::bind((ip, 0)).is_ok();
    if !has {
        skip(&format!("e2e_foreign: this machine has no {ip}"));
    }
    has
}

/// What comes on a topic from now on.
pub(crate) fn listen(node: &Node, topic: &str) -> Subscription {
    let topics = Topics::Named(vec![topic.to_owned()]);
    node.subscribe(topics, From::Now).expect("no cursor")
}

/// The next bulletin.
pub(crate) async fn next(subscription: &mut Subscription) -> Received {
    let next = tokio::time::timeout(SOON, subscription.next()).await;
    match next.expect("something comes in time") {
        Some(Incoming::Bulletin(received)) => *received,
        other => panic!("{other:?} instead of a bulletin"),
    }
}

/// That nothing comes for `time`.
pub(crate) async fn nothing(subscription: &mut Subscription, time: Duration) {
    if let Ok(came) = tokio::time::timeout(time, subscription.next()).await {
        panic!("came: {came:?}");
    }
}

/// A foreign program: lines in, lines out.
pub(crate) struct Foreign {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// What the program says of where it listens.
    pub(crate) address: String,
}

impl Foreign {
    /// Starts `script` of the folder `tests/foreign`; none where there is no Python, which is said to whoever
    /// collects what was skipped.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
        let child = Command::new("python3")
            .arg(folder.join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            skip("e2e_foreign: python3 is not installed");
            return None;
        };
        let stdin = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        let mut foreign = Self {
            child,
            stdin,
            lines,
            address: String::new(),
        };
        foreign.address = foreign.said("listen");
        Some(foreign)
    }

    /// Types a line.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("the program lives");
    }

    /// The rest of the next line that begins with `word`.
    pub(crate) fn said(&mut self, word: &str) -> String {
        let said = self.says(word, SOON);
        said.unwrap_or_else(|| panic!("never said: {word}"))
    }

    /// The same, if it comes within `time`. Lines before it are passed over.
    pub(crate) fn says(&mut self, word: &str, time: Duration) -> Option<String> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok()?;
            assert!(!line.starts_with("died"), "a foreign peer {line}");
            if let Some(rest) = line.strip_prefix(word) {
                return Some(rest.trim_start().to_owned());
            }
        }
    }

    /// What it dies of.
    pub(crate) fn dies(&mut self) -> String {
        loop {
            let line = self.lines.recv_timeout(SOON);
            let line = line.expect("a foreign peer does not die");
            if let Some(rest) = line.strip_prefix("died") {
                return rest.trim_start().to_owned();
            }
        }
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Says that something could not be checked here, also to whoever collects such lines.
fn skip(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("BRUIT_SKIPS") {
        let mut skips = std::fs::OpenOptions::new();
        let file = skips.create(true).append(true).open(path);
        writeln!(file.expect("the list of skips can be written"), "{line}")
            .expect("it takes a line");
    }
}
