//! What a node takes beside its links.

use std::future::poll_fn;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use bruit::transport::{IrohConfig, IrohTransport, Transport, TransportEvent};
use bruit_core::id::NodeId;
use bruit_core::link::PeerAddress;
use tokio::sync::mpsc;

use crate::figures::resident_bytes;
use crate::world::{alone, local, star, stop};

const NODES: usize = 64;
/// Tells the child process how many links to make.
const LINKS: &str = "BRUIT_TEST_LINKS";
/// What the child's answer begins with.
const ANSWER: &str = "bare transport: ";

/// Allocators and sockets need a moment to come to rest.
async fn settled() -> u64 {
    tokio::time::sleep(Duration::from_secs(3)).await;
    resident_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_takes_less_than_a_megabyte_beside_its_links() {
    let _alone = alone();
    let before = resident_bytes();
    let nodes = star(NODES, 5, &local()).await;
    let with_nodes = settled().await - before;
    let mut ends = 0;
    for node in &nodes {
        ends += node.peers(false).await.len();
    }
    stop(nodes).await;
    let links = ends / 2;
    let bare = bare_transport_of(links);
    let each = with_nodes.saturating_sub(bare) / 1_024 / u64::try_from(NODES).expect("few");
    println!(
        "{NODES} nodes with {links} links: {} KiB each, {} KiB of them the bare transport, {each} KiB bruit",
        with_nodes / 1_024 / 64,
        bare / 1_024 / 64,
    );
    assert!(each <= 1_000, "{each} KiB a node");
}

/// The growth of another process that opens as many transports and links, and nothing else.
fn bare_transport_of(links: usize) -> u64 {
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "memory::bare_transport",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(LINKS, links.to_string())
        .output()
        .expect("starts");
    let out = String::from_utf8_lossy(&child.stdout);
    let answer = out.lines().find_map(|line| line.split_once(ANSWER));
    let (_, bytes) = answer.unwrap_or_else(|| panic!("{child:?}"));
    bytes.trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other half of a_node_takes_less_than_a_megabyte_beside_its_links"]
async fn bare_transport() {
    let links: usize = std::env::var(LINKS)
        .expect("set")
        .parse()
        .expect("a number");
    let before = resident_bytes();
    let (ups, mut up) = mpsc::unbounded_channel();
    let mut places = Vec::new();
    let mut dials = Vec::new();
    for number in 0..NODES {
        let secret_key = [u8::try_from(number).expect("few"); 32];
        let listen = vec!["127.0.0.1:0".parse().expect("an address")];
        let transport = IrohTransport::bind(IrohConfig { secret_key, listen }).await;
        let transport = transport.expect("listens");
        let id = bruit_core::identity::SecretKey::from_seed(&secret_key).node_id();
        places.push(PeerAddress {
            id,
            addresses: transport.addresses(),
        });
        let (dial, to_dial) = mpsc::unbounded_channel();
        tokio::spawn(run(transport, to_dial, ups.clone()));
        dials.push(dial);
    }
    // Every node dials the next ones on the ring: as many links as asked for, each pair once.
    for number in 0..links {
        let (from, step) = (number % NODES, number / NODES + 1);
        let place = places[(from + step) % NODES].clone();
        dials[from].send(place).expect("it runs");
    }
    for _ in 0..2 * links {
        let up = tokio::time::timeout(Duration::from_secs(20), up.recv()).await;
        up.expect("in time").expect("they run");
    }
    println!("{ANSWER}{}", settled().await - before);
}

/// Dials what it is told, and tells of links that come up.
async fn run(
    mut transport: IrohTransport,
    mut to_dial: mpsc::UnboundedReceiver<PeerAddress>,
    ups: mpsc::UnboundedSender<NodeId>,
) {
    let mut events = Vec::new();
    loop {
        poll_fn(|cx| {
            let mut is_new = false;
            while let Poll::Ready(Some(place)) = to_dial.poll_recv(cx) {
                transport.dial(&place);
                is_new = true;
            }
            let _ = transport.poll(cx, &mut events);
            if events.is_empty() && !is_new {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        for event in events.drain(..) {
            if let TransportEvent::LinkUp { peer, .. } = event {
                ups.send(peer).ok();
            }
        }
    }
}
