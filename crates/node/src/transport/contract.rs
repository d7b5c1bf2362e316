//! What every [`Transport`] promises, as tests that run against each of them.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use bruit_core::id::{LinkId, NodeId};
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bytes::Bytes;
use tokio::time::timeout;

use super::memory::{MemoryNetwork, MemoryTransport};
use super::{
    CLASSES, HANDSHAKE_TIMEOUT, Transport, TransportEvent, frame_bytes_max, frame_cost, index,
    window_bytes,
};

/// Longest a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A kind of transport and the means to break it.
pub(super) trait Rig {
    type Transport: Transport;

    async fn node(&mut self) -> Node<Self::Transport>;

    /// An address where nobody is.
    fn nowhere(&mut self) -> PeerAddress;

    /// Links a new peer with `target` and writes `bytes` on its stream of `class`, past the
    /// framing. The peer stays.
    async fn write_raw(&mut self, target: &PeerAddress, class: Class, bytes: &'static [u8]);
}

/// A node under test: its transport, what it may still send, and what it was told.
pub(super) struct Node<T> {
    pub(super) id: NodeId,
    pub(super) transport: T,
    pub(super) events: Vec<TransportEvent>,
    credit: BTreeMap<(LinkId, usize), usize>,
}

impl<T: Transport> Node<T> {
    pub(super) fn new(id: NodeId, transport: T) -> Self {
        Self {
            id,
            transport,
            events: Vec::new(),
            credit: BTreeMap::new(),
        }
    }

    pub(super) fn address(&self) -> PeerAddress {
        PeerAddress {
            id: self.id,
            addresses: self.transport.addresses(),
        }
    }

    /// The newest link, as `LinkUp` told it.
    pub(super) fn up(&self) -> Option<(LinkId, NodeId, Direction)> {
        self.events.iter().rev().find_map(|event| match event {
            TransportEvent::LinkUp {
                link,
                peer,
                direction,
                ..
            } => Some((*link, *peer, *direction)),
            _ => None,
        })
    }

    pub(super) fn link(&self) -> LinkId {
        self.up().expect("a link is up").0
    }

    pub(super) fn down(&self) -> Option<(CloseReason, bool)> {
        self.events.iter().find_map(|event| match event {
            TransportEvent::LinkDown {
                reason, by_peer, ..
            } => Some((*reason, *by_peer)),
            _ => None,
        })
    }

    fn dial_failed(&self) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event, TransportEvent::DialFailed { .. }))
    }

    fn frames(&self, of: Class) -> Vec<Bytes> {
        self.events
            .iter()
            .filter_map(|event| match event {
                TransportEvent::Frame { class, frame, .. } if *class == of => Some(frame.clone()),
                _ => None,
            })
            .collect()
    }

    fn frame_count(&self, of: Class) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, TransportEvent::Frame { class, .. } if *class == of))
            .count()
    }

    fn credit(&self, link: LinkId, class: Class) -> usize {
        self.credit.get(&(link, index(class))).copied().unwrap_or(0)
    }

    /// Sends when the credit allows it; whether it did.
    pub(super) fn try_send(&mut self, link: LinkId, class: Class, frame: &Bytes) -> bool {
        let credit = self.credit.entry((link, index(class))).or_default();
        let Some(left) = credit.checked_sub(frame_cost(frame.len())) else {
            return false;
        };
        *credit = left;
        self.transport.send(link, class, frame.clone());
        true
    }

    fn note(&mut self, events: Vec<TransportEvent>) {
        for event in &events {
            match *event {
                TransportEvent::LinkUp {
                    link, credit_bytes, ..
                } => {
                    for class in CLASSES {
                        self.earn(link, class, credit_bytes);
                    }
                }
                TransportEvent::Credit { link, class, bytes } => self.earn(link, class, bytes),
                _ => {}
            }
        }
        self.events.extend(events);
    }

    fn earn(&mut self, link: LinkId, class: Class, bytes: u32) {
        *self.credit.entry((link, index(class))).or_default() +=
            usize::try_from(bytes).expect("small");
    }
}

/// Polls `nodes` until `done` says so, calling it after every batch of events.
///
/// # Panics
/// When that takes longer than [`PATIENCE`].
pub(super) async fn until<T: Transport, const N: usize>(
    mut nodes: [&mut Node<T>; N],
    mut done: impl FnMut(&mut [&mut Node<T>; N]) -> bool,
) {
    let polled = poll_fn(|cx| {
        loop {
            if done(&mut nodes) {
                return Poll::Ready(());
            }
            let mut any = false;
            for node in &mut nodes {
                let mut events = Vec::new();
                any |= node.transport.poll(cx, &mut events).is_ready();
                node.note(events);
            }
            if !any {
                return Poll::Pending;
            }
        }
    });
    timeout(PATIENCE, polled).await.expect("it happens in time");
}

/// Two nodes with a link.
pub(super) async fn linked<R: Rig>(rig: &mut R) -> (Node<R::Transport>, Node<R::Transport>) {
    let (mut a, mut b) = (rig.node().await, rig.node().await);
    a.transport.dial(&b.address());
    until([&mut a, &mut b], |[a, b]| {
        a.up().is_some() && b.up().is_some()
    })
    .await;
    (a, b)
}

async fn dial_brings_a_link_to_both_sides(mut rig: impl Rig) {
    let (a, b) = linked(&mut rig).await;

    let (link, peer, direction) = a.up().expect("up");
    assert_eq!((peer, direction), (b.id, Direction::Out));
    let (_, peer, direction) = b.up().expect("up");
    assert_eq!((peer, direction), (a.id, Direction::In));
    let path = a.transport.path(link).expect("a live link has a path");
    assert_eq!(
        (path.remote, path.direct),
        (b.transport.addresses().first().copied(), true)
    );
    for class in CLASSES {
        let window = usize::try_from(window_bytes(class)).expect("small");
        assert_eq!(a.credit(link, class), window);
    }
}

async fn frames_of_all_sizes_arrive_whole_and_in_order(mut rig: impl Rig) {
    let (mut a, mut b) = linked(&mut rig).await;
    let link = a.link();
    let frames = CLASSES.map(|class| {
        let max = frame_bytes_max(class);
        let sizes = [
            1,
            2,
            127,
            128,
            129,
            1_000,
            1_452,
            1_453,
            8_191,
            8_192,
            max - 1,
            max,
        ];
        let sizes = sizes
            .into_iter()
            .filter(|size| *size <= max)
            .cycle()
            .take(500);
        sizes
            .enumerate()
            .map(|(at, size)| Bytes::from(vec![at.to_le_bytes()[0]; size]))
            .collect::<Vec<_>>()
    });

    let mut sent = [0; 2];
    until([&mut a, &mut b], |[a, b]| {
        for class in CLASSES {
            let (sent, frames) = (&mut sent[index(class)], &frames[index(class)]);
            while *sent < frames.len() && a.try_send(link, class, &frames[*sent]) {
                *sent += 1;
            }
        }
        CLASSES.iter().all(|class| b.frame_count(*class) == 500)
    })
    .await;

    for class in CLASSES {
        assert!(
            b.frames(class) == frames[index(class)],
            "{class:?} frames differ"
        );
        let max = frame_cost(frame_bytes_max(class));
        assert!(
            a.credit(link, class) >= max,
            "with all written, the longest frame fits"
        );
    }
}

async fn both_sides_send_a_thousand_frames_at_once(mut rig: impl Rig) {
    let (mut a, mut b) = linked(&mut rig).await;
    let frame = Bytes::from(vec![9; 1_024]);
    let mut sent = [0; 2];
    until([&mut a, &mut b], |nodes| {
        for (node, sent) in nodes.iter_mut().zip(&mut sent) {
            let link = node.link();
            while *sent < 1_000 && node.try_send(link, Class::Bulletins, &frame) {
                *sent += 1;
            }
        }
        nodes
            .iter()
            .all(|node| node.frame_count(Class::Bulletins) == 1_000)
    })
    .await;
}

async fn small_frames_do_not_wear_the_credit_out(mut rig: impl Rig) {
    // Story: the engine counted four bytes for a length prefix and the transport gave back what it
    // had written, one; after 20,000 small frames a link's control credit was gone for good.
    let (mut a, mut b) = linked(&mut rig).await;
    let link = a.link();
    let (total, frame) = (60_000, Bytes::from_static(&[1]));
    let mut sent = 0;
    until([&mut a, &mut b], |[a, b]| {
        while sent < total && a.try_send(link, Class::Control, &frame) {
            sent += 1;
        }
        b.frame_count(Class::Control) == total
    })
    .await;
    assert!(a.credit(link, Class::Control) + 8 * 1_024 > 64 * 1_024);
}

async fn reader_that_stops_costs_its_windows_and_no_more(mut rig: impl Rig) {
    let (mut a, mut b) = linked(&mut rig).await;
    let link = a.link();
    let frame = Bytes::from(vec![9; 32 * 1_024]);
    let mut sent = 0;
    // Our buffer, and what the other side takes unread: a QUIC stream window each.
    let most = 2 * 256 * 1_024 / frame.len();

    let stalled = timeout(Duration::from_secs(2), async {
        until([&mut a], |[a]| {
            while a.try_send(link, Class::Bulletins, &frame) {
                sent += 1;
            }
            false
        })
        .await;
    });
    assert!(stalled.await.is_err(), "the writer waits for credit");
    assert!(
        (most - 2..=most).contains(&sent),
        "sent {sent} of at most {most}"
    );

    // Control still overtakes.
    let urgent = Bytes::from_static(&[1, 2, 3]);
    assert!(a.try_send(link, Class::Control, &urgent));
    until([&mut a, &mut b], |[_, b]| {
        b.frame_count(Class::Bulletins) == sent && b.frames(Class::Control) == [urgent.clone()]
    })
    .await;
    until([&mut a, &mut b], |[a, _]| {
        a.credit(link, Class::Bulletins) > 200_000
    })
    .await;
}

async fn reason_of_a_close_travels(mut rig: impl Rig) {
    for reason in CloseReason::ALL {
        let (mut a, mut b) = linked(&mut rig).await;
        a.transport.close(a.link(), reason);
        until([&mut a, &mut b], |[a, b]| {
            a.down().is_some() && b.down().is_some()
        })
        .await;
        assert_eq!(a.down(), Some((reason, false)));
        assert_eq!(b.down(), Some((reason, true)));
        assert_eq!(a.transport.path(a.link()), None);
        // A link that is gone takes frames and closes without complaint.
        a.transport
            .send(a.link(), Class::Control, Bytes::from_static(&[1]));
        a.transport.close(a.link(), reason);
    }
}

async fn dial_to_nobody_fails_in_time(mut rig: impl Rig) {
    let mut a = rig.node().await;
    let nowhere = rig.nowhere();
    a.transport.dial(&nowhere);
    a.transport.dial(&PeerAddress {
        addresses: vec![],
        ..nowhere
    });
    let failures = |node: &Node<_>| {
        node.events
            .iter()
            .filter(|e| matches!(e, TransportEvent::DialFailed { .. }))
            .count()
    };
    let limit = HANDSHAKE_TIMEOUT + Duration::from_secs(1);
    timeout(limit, until([&mut a], |[a]| failures(a) == 2))
        .await
        .expect("in time");
}

async fn dial_fails_when_another_key_answers(mut rig: impl Rig) {
    let (mut a, mut b) = (rig.node().await, rig.node().await);
    let id = rig.nowhere().id;
    a.transport.dial(&PeerAddress {
        id,
        addresses: b.transport.addresses(),
    });
    until([&mut a, &mut b], |[a, _]| a.dial_failed()).await;
    assert_eq!((a.up(), b.up()), (None, None));
}

async fn node_that_stops_says_so(mut rig: impl Rig) {
    let (mut a, mut b) = linked(&mut rig).await;
    b.transport.shutdown().await;
    until([&mut a], |[a]| a.down().is_some()).await;
    assert_eq!(a.down(), Some((CloseReason::Quit, true)));
    // What comes after is ignored.
    b.transport.dial(&a.address());
    b.transport
        .send(b.link(), Class::Control, Bytes::from_static(&[1]));
    b.transport.close(b.link(), CloseReason::Full);
}

async fn node_that_is_dropped_says_so(mut rig: impl Rig) {
    let (mut a, b) = linked(&mut rig).await;
    drop(b);
    until([&mut a], |[a]| a.down().is_some()).await;
    assert_eq!(a.down(), Some((CloseReason::Quit, true)));
}

async fn broken_framing_is_reported_once_and_ends_the_reading(mut rig: impl Rig) {
    for (class, bytes) in [
        (Class::Control, &[1, 7, 0x80, 0x00, 1, 8][..]),
        (Class::Bulletins, &[1, 7, 0, 1, 8]),
        (Class::Control, &[1, 7, 0xff, 0x7f, 1, 8]),
    ] {
        let mut a = rig.node().await;
        rig.write_raw(&a.address(), class, bytes).await;
        let malformed = |node: &Node<_>| {
            node.events
                .iter()
                .filter(|e| matches!(e, TransportEvent::Malformed { .. }))
                .count()
        };
        until([&mut a], |[a]| malformed(a) > 0).await;
        a.transport.close(a.link(), CloseReason::Score);
        until([&mut a], |[a]| a.down().is_some()).await;
        assert_eq!(a.frames(class), [Bytes::from_static(&[7])]);
        assert_eq!(
            (malformed(&a), a.down()),
            (1, Some((CloseReason::Score, false)))
        );
    }
}

/// Runs each promise against both transports.
macro_rules! promises {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[tokio::test]
            async fn memory() {
                super::$name(super::MemoryRig::default()).await;
            }

            #[tokio::test]
            async fn iroh() {
                super::$name(crate::transport::iroh::tests::IrohRig::default()).await;
            }
        }
    )* };
}

promises!(
    dial_brings_a_link_to_both_sides,
    frames_of_all_sizes_arrive_whole_and_in_order,
    both_sides_send_a_thousand_frames_at_once,
    small_frames_do_not_wear_the_credit_out,
    reader_that_stops_costs_its_windows_and_no_more,
    reason_of_a_close_travels,
    dial_to_nobody_fails_in_time,
    dial_fails_when_another_key_answers,
    node_that_stops_says_so,
    node_that_is_dropped_says_so,
    broken_framing_is_reported_once_and_ends_the_reading,
);

/// Nodes in memory.
#[derive(Default)]
struct MemoryRig {
    network: MemoryNetwork,
    ids: u8,
    broken: Vec<MemoryTransport>,
}

impl MemoryRig {
    fn id(&mut self) -> NodeId {
        self.ids += 1;
        NodeId::from_bytes([self.ids; 32])
    }
}

impl Rig for MemoryRig {
    type Transport = MemoryTransport;

    async fn node(&mut self) -> Node<MemoryTransport> {
        let id = self.id();
        Node::new(id, self.network.join(id))
    }

    fn nowhere(&mut self) -> PeerAddress {
        let addresses = vec![SocketAddr::from(([127, 0, 0, 1], 9))];
        PeerAddress {
            id: self.id(),
            addresses,
        }
    }

    async fn write_raw(&mut self, target: &PeerAddress, class: Class, bytes: &'static [u8]) {
        let id = self.id();
        let mut broken = self.network.join(id);
        broken.dial(target);
        self.network.write_raw(id, target.id, class, bytes);
        self.broken.push(broken);
    }
}
