//! Links within one process: the twin of the QUIC transport, for tests of several nodes.
//!
//! It carries the same bytes through the same framing and credit, but nothing takes time: a dial
//! is answered and a lost link noticed at the next poll. Pairs of nodes can be cut and healed, and
//! a node can be killed.
//!
//! Invariant: what is sent to a node that does not poll stays within two windows of each stream,
//! the writer's buffer and the reader's.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::future::{self, Future};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bruit_core::id::{LinkId, NodeId};
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bytes::{Bytes, BytesMut};

use super::outbox::Outbox;
use super::{CLASSES, FrameDecoder, PathInfo, Transport, TransportEvent, index, link_up};

/// Port of the first node that joins without an address of its own; the next ones count up.
const FIRST_PORT: u16 = 20_000;

/// Bytes of one stream that wait for a reader, as many as the QUIC twin lets arrive.
const UNREAD_BYTES_MAX: usize = 256 * 1024;

/// A network inside this process. Clones are the same network.
///
/// # Examples
/// ```
/// # use std::task::{Context, Poll, Waker};
/// # use bruit::transport::{MemoryNetwork, Transport, TransportEvent};
/// # use bruit_core::{id::NodeId, link::PeerAddress};
/// let network = MemoryNetwork::new();
/// let mut alice = network.join(NodeId::from_bytes([1; 32]));
/// let bob = network.join(NodeId::from_bytes([2; 32]));
/// alice.dial(&PeerAddress { id: NodeId::from_bytes([2; 32]), addresses: bob.addresses() });
///
/// let mut events = Vec::new();
/// assert_eq!(alice.poll(&mut Context::from_waker(Waker::noop()), &mut events), Poll::Ready(()));
/// assert!(matches!(events[0], TransportEvent::LinkUp { .. }));
/// ```
#[derive(Clone, Default)]
pub struct MemoryNetwork {
    hub: Arc<Mutex<Hub>>,
}

impl MemoryNetwork {
    /// A network without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the node `id` at an address of its own on loopback.
    ///
    /// # Panics
    /// When `id` is there already, or after 45,000 nodes.
    pub fn join(&self, id: NodeId) -> MemoryTransport {
        let port = {
            let mut hub = self.lock();
            let port = FIRST_PORT.checked_add(hub.ports_given);
            hub.ports_given += 1;
            port.expect("at most 45,000 nodes join a network")
        };
        self.join_at(id, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Adds the node `id` at `address`.
    ///
    /// # Panics
    /// When `id` is there already, or another node is at `address`.
    pub fn join_at(&self, id: NodeId, address: SocketAddr) -> MemoryTransport {
        let mut hub = self.lock();
        let seat = Seat(hub.seats_given);
        hub.seats_given += 1;
        let resident = hub.places.insert(address, seat);
        assert!(resident.is_none(), "another node is at {address}");
        let namesake = hub.seats.insert(id, seat);
        assert!(namesake.is_none(), "{id} is there already");
        hub.nodes.insert(seat, Node::new(id, address));
        MemoryTransport {
            seat,
            address,
            network: self.clone(),
        }
    }

    /// Separates two nodes: their links are lost as [`Dead`](CloseReason::Dead), and dials between
    /// them fail until they are healed.
    pub fn cut(&self, a: NodeId, b: NodeId) {
        let mut hub = self.lock();
        hub.cuts.insert(unordered(a, b));
        let (Some(a), Some(b)) = (hub.seat(a), hub.seat(b)) else {
            return;
        };
        for (link, peer) in hub.links_of(a) {
            if peer == b {
                hub.lose(
                    a,
                    link,
                    (CloseReason::Dead, false),
                    (CloseReason::Dead, false),
                );
            }
        }
    }

    /// Lets two nodes that were cut reach each other again.
    pub fn heal(&self, a: NodeId, b: NodeId) {
        self.lock().cuts.remove(&unordered(a, b));
    }

    /// Takes a node away without a word: its peers lose their links as
    /// [`Dead`](CloseReason::Dead), and its transport hears nothing any more. The id may join
    /// again.
    pub fn kill(&self, id: NodeId) {
        let mut hub = self.lock();
        if let Some(seat) = hub.seat(id) {
            hub.remove(seat, (CloseReason::Dead, false));
        }
    }

    /// Puts raw bytes on the stream of `class` from one node to another, past framing and credit,
    /// as a broken peer does. Takes their oldest link; without one, nothing happens.
    pub fn write_raw(&self, from: NodeId, to: NodeId, class: Class, bytes: &[u8]) {
        let mut hub = self.lock();
        let (Some(from), Some(to)) = (hub.seat(from), hub.seat(to)) else {
            return;
        };
        let Some(node) = hub.nodes.get_mut(&to) else {
            return;
        };
        if let Some(end) = node.ends.values_mut().find(|end| end.peer == from) {
            end.unread[index(class)].extend_from_slice(bytes);
            node.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNetwork")
            .field("nodes", &self.lock().nodes.len())
            .finish()
    }
}

/// [`Transport`] within a [`MemoryNetwork`].
#[derive(Debug)]
pub struct MemoryTransport {
    seat: Seat,
    address: SocketAddr,
    network: MemoryNetwork,
}

impl Transport for MemoryTransport {
    fn dial(&mut self, address: &PeerAddress) {
        let mut hub = self.network.lock();
        if let Err(error) = hub.connect(self.seat, address)
            && let Some(node) = hub.nodes.get_mut(&self.seat)
        {
            let error = error.to_owned();
            node.events.push(TransportEvent::DialFailed {
                peer: address.id,
                error,
            });
        }
    }

    fn send(&mut self, link: LinkId, class: Class, frame: Bytes) {
        if let Some(end) = self.network.lock().end(self.seat, link) {
            end.outboxes[index(class)].push(frame);
        }
    }

    fn close(&mut self, link: LinkId, reason: CloseReason) {
        self.network
            .lock()
            .lose(self.seat, link, (reason, false), (reason, true));
    }

    fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<TransportEvent>) -> Poll<()> {
        let mut hub = self.network.lock();
        for (link, _) in hub.links_of(self.seat) {
            hub.write(self.seat, link);
            hub.read(self.seat, link);
        }
        if let Some(node) = hub.nodes.get_mut(&self.seat) {
            events.append(&mut node.events);
            node.waker = Some(cx.waker().clone());
        }
        if events.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![self.address]
    }

    fn path(&self, link: LinkId) -> Option<PathInfo> {
        let mut hub = self.network.lock();
        let peer = hub.end(self.seat, link)?.peer;
        let remote = hub.nodes.get(&peer).map(|node| node.address);
        Some(PathInfo {
            remote,
            direct: true,
            rtt: Duration::ZERO,
        })
    }

    fn shutdown(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.network
            .lock()
            .remove(self.seat, (CloseReason::Quit, true));
        Box::pin(future::ready(()))
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.network
            .lock()
            .remove(self.seat, (CloseReason::Quit, true));
    }
}

/// One stay of a node in the network; an id that joins again has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seat(u64);

/// What the nodes of a network share.
#[derive(Default)]
struct Hub {
    nodes: BTreeMap<Seat, Node>,
    seats: BTreeMap<NodeId, Seat>,
    places: BTreeMap<SocketAddr, Seat>,
    cuts: BTreeSet<(NodeId, NodeId)>,
    seats_given: u64,
    ports_given: u16,
}

/// A node as the others see it, and what waits for its next poll.
struct Node {
    id: NodeId,
    address: SocketAddr,
    ends: BTreeMap<LinkId, End>,
    next_link: u64,
    events: Vec<TransportEvent>,
    waker: Option<Waker>,
}

/// A node's end of a link.
struct End {
    peer: Seat,
    peer_link: LinkId,
    outboxes: [Outbox; 2],
    /// What the peer wrote and this node has not read, by class.
    unread: [BytesMut; 2],
    decoders: [FrameDecoder; 2],
    malformed: bool,
}

/// What one end of a lost link hears: why, and whether the peer said so.
type Farewell = (CloseReason, bool);

impl Hub {
    fn seat(&self, id: NodeId) -> Option<Seat> {
        self.seats.get(&id).copied()
    }

    fn end(&mut self, node: Seat, link: LinkId) -> Option<&mut End> {
        self.nodes.get_mut(&node)?.ends.get_mut(&link)
    }

    /// The links of `node`, oldest first, each with its peer.
    fn links_of(&self, node: Seat) -> Vec<(LinkId, Seat)> {
        let ends = self
            .nodes
            .get(&node)
            .into_iter()
            .flat_map(|node| &node.ends);
        ends.map(|(link, end)| (*link, end.peer)).collect()
    }

    /// Connects two nodes, or says why not.
    fn connect(&mut self, from: Seat, to: &PeerAddress) -> Result<(), &'static str> {
        let resident = |address| self.places.get(address).copied();
        let Some(to_seat) = to.addresses.iter().find_map(resident) else {
            return Err("nobody answers");
        };
        let (Some(dialler), Some(target)) = (self.nodes.get(&from), self.nodes.get(&to_seat))
        else {
            return Err("nobody answers");
        };
        if target.id != to.id {
            return Err("another node answers");
        }
        if to_seat == from {
            return Err("a node has no link with itself");
        }
        if self.cuts.contains(&unordered(dialler.id, target.id)) {
            return Err("the nodes are cut off from each other");
        }
        let ours = (from, LinkId::new(dialler.next_link));
        let theirs = (to_seat, LinkId::new(target.next_link));
        self.add(ours, Direction::Out, theirs);
        self.add(theirs, Direction::In, ours);
        Ok(())
    }

    fn add(&mut self, here: (Seat, LinkId), direction: Direction, there: (Seat, LinkId)) {
        let Some((peer, remote)) = self.nodes.get(&there.0).map(|peer| (peer.id, peer.address))
        else {
            return;
        };
        let Some(node) = self.nodes.get_mut(&here.0) else {
            return;
        };
        node.next_link += 1;
        node.ends.insert(here.1, End::new(there));
        link_up(here.1, peer, direction, Some(remote), &mut node.events);
        node.wake();
    }

    /// Moves what `link` of `writer` has queued to its peer, as far as there is room.
    fn write(&mut self, writer: Seat, link: LinkId) {
        let Some(end) = self.end(writer, link) else {
            return;
        };
        let (reader, reader_link) = (end.peer, end.peer_link);
        for class in CLASSES {
            let Some(end) = self.end(writer, link) else {
                return;
            };
            let outbox = &mut end.outboxes[index(class)];
            if outbox.is_empty() {
                continue;
            }
            let mut outbox = mem::replace(outbox, Outbox::new(class));
            if let Some(reader) = self.nodes.get_mut(&reader)
                && let Some(end) = reader.ends.get_mut(&reader_link)
            {
                let unread = &mut end.unread[index(class)];
                let _ = outbox.write(|segments| append(segments, unread));
                reader.wake();
            }
            let Some(node) = self.nodes.get_mut(&writer) else {
                return;
            };
            if let Some(bytes) = outbox.take_credit() {
                node.events
                    .push(TransportEvent::Credit { link, class, bytes });
            }
            if let Some(end) = node.ends.get_mut(&link) {
                end.outboxes[index(class)] = outbox;
            }
        }
    }

    /// Cuts what arrived on `link` of `reader` into frames, and lets the peer write again.
    fn read(&mut self, reader: Seat, link: LinkId) {
        let Some(node) = self.nodes.get_mut(&reader) else {
            return;
        };
        let Some(end) = node.ends.get_mut(&link) else {
            return;
        };
        let writer = end.peer;
        if end.read(link, &mut node.events)
            && let Some(writer) = self.nodes.get_mut(&writer)
        {
            writer.wake();
        }
    }

    /// Ends a link. The peer first hears what arrived before.
    fn lose(&mut self, node: Seat, link: LinkId, here: Farewell, there: Farewell) {
        let Some(end) = self.end(node, link) else {
            return;
        };
        let (peer, peer_link) = (end.peer, end.peer_link);
        self.read(peer, peer_link);
        for (seat, link, (reason, by_peer)) in [(node, link, here), (peer, peer_link, there)] {
            if let Some(node) = self.nodes.get_mut(&seat) {
                node.ends.remove(&link);
                node.events.push(TransportEvent::LinkDown {
                    link,
                    reason,
                    by_peer,
                });
                node.wake();
            }
        }
    }

    /// Takes a node away; its peers hear `there`.
    fn remove(&mut self, node: Seat, there: Farewell) {
        for (link, _) in self.links_of(node) {
            self.lose(node, link, (CloseReason::Dead, false), there);
        }
        if let Some(node) = self.nodes.remove(&node) {
            self.seats.remove(&node.id);
            self.places.remove(&node.address);
        }
    }
}

impl Node {
    fn new(id: NodeId, address: SocketAddr) -> Self {
        Self {
            id,
            address,
            ends: BTreeMap::new(),
            next_link: 0,
            events: Vec::new(),
            waker: None,
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl End {
    fn new((peer, peer_link): (Seat, LinkId)) -> Self {
        Self {
            peer,
            peer_link,
            outboxes: CLASSES.map(Outbox::new),
            unread: [BytesMut::new(), BytesMut::new()],
            decoders: CLASSES.map(FrameDecoder::new),
            malformed: false,
        }
    }

    /// Reads everything that arrived; whether that was anything. Stops at broken framing, and
    /// then the unread bytes stay and block the writer, as in QUIC.
    fn read(&mut self, link: LinkId, events: &mut Vec<TransportEvent>) -> bool {
        let mut any = false;
        for class in CLASSES {
            let unread = &mut self.unread[index(class)];
            if self.malformed || unread.is_empty() {
                continue;
            }
            any = true;
            let deliver = |frame| events.push(TransportEvent::Frame { link, class, frame });
            if self.decoders[index(class)]
                .push(mem::take(unread).freeze(), deliver)
                .is_err()
            {
                self.malformed = true;
                events.push(TransportEvent::Malformed { link });
            }
        }
        any
    }
}

/// Moves bytes from the front of `segments` to `unread` while there is room.
fn append(segments: &mut [Bytes], unread: &mut BytesMut) -> Poll<Result<usize, Infallible>> {
    let before = unread.len();
    for segment in segments {
        let room = UNREAD_BYTES_MAX.saturating_sub(unread.len());
        unread.extend_from_slice(&segment.split_to(segment.len().min(room)));
    }
    let moved = unread.len() - before;
    if moved == 0 {
        Poll::Pending
    } else {
        Poll::Ready(Ok(moved))
    }
}

/// A pair of nodes whichever way round.
fn unordered(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::from_bytes([1; 32]);
    const B: NodeId = NodeId::from_bytes([2; 32]);

    fn events(transport: &mut MemoryTransport) -> Vec<TransportEvent> {
        let mut events = Vec::new();
        let _ = transport.poll(&mut Context::from_waker(Waker::noop()), &mut events);
        events
    }

    fn address(id: NodeId, transport: &MemoryTransport) -> PeerAddress {
        PeerAddress {
            id,
            addresses: transport.addresses(),
        }
    }

    fn fails(transport: &mut MemoryTransport, to: &PeerAddress) -> bool {
        transport.dial(to);
        matches!(events(transport)[..], [TransportEvent::DialFailed { .. }])
    }

    #[test]
    fn cut_pair_loses_its_links_and_dials_again_after_healing() {
        let network = MemoryNetwork::new();
        let (mut a, mut b) = (network.join(A), network.join(B));
        a.dial(&address(B, &b));
        events(&mut a);
        events(&mut b);

        network.cut(B, A);
        let down = TransportEvent::LinkDown {
            link: LinkId::new(0),
            reason: CloseReason::Dead,
            by_peer: false,
        };
        assert_eq!(
            (events(&mut a), events(&mut b)),
            (vec![down.clone()], vec![down])
        );
        assert!(fails(&mut a, &address(B, &b)));
        assert!(fails(&mut b, &address(A, &a)));

        network.heal(A, B);
        a.dial(&address(B, &b));
        let up = events(&mut a);
        assert!(
            matches!(up[0], TransportEvent::LinkUp { link, .. } if link == LinkId::new(1)),
            "link numbers are not used again: {up:?}"
        );
    }

    #[test]
    fn killed_node_is_dead_to_its_peers_and_may_join_again() {
        let network = MemoryNetwork::new();
        let (mut a, mut b) = (network.join(A), network.join(B));
        a.dial(&address(B, &b));
        events(&mut a);

        network.kill(B);
        let reason = CloseReason::Dead;
        let down = TransportEvent::LinkDown {
            link: LinkId::new(0),
            reason,
            by_peer: false,
        };
        assert_eq!(events(&mut a), [down]);
        assert_eq!(events(&mut b), []);

        let mut again = network.join(B);
        drop(b);
        a.dial(&address(B, &again));
        assert!(matches!(
            events(&mut again)[0],
            TransportEvent::LinkUp { peer: A, .. }
        ));
    }

    #[test]
    fn frames_before_a_close_arrive_before_it() {
        let network = MemoryNetwork::new();
        let (mut a, mut b) = (network.join(A), network.join(B));
        a.dial(&address(B, &b));
        events(&mut b);
        let link = LinkId::new(0);
        a.send(link, Class::Control, Bytes::from_static(&[7]));
        events(&mut a);
        a.close(link, CloseReason::Full);

        let frame = Bytes::from_static(&[7]);
        assert_eq!(
            events(&mut b),
            [
                TransportEvent::Frame {
                    link,
                    class: Class::Control,
                    frame
                },
                TransportEvent::LinkDown {
                    link,
                    reason: CloseReason::Full,
                    by_peer: true
                },
            ]
        );
    }
}
