//! What is true of links over QUIC beside the contract.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::task::Waker;
use std::time::Duration;

use bruit_core::id::NodeId;
use bruit_core::link::{Class, CloseReason, PeerAddress};
use iroh::endpoint::{RecvStream, SendStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::transport::contract::{Node, Rig, linked, until};
use crate::transport::index;

/// Nodes on 127.0.0.1.
#[derive(Default)]
pub(in crate::transport) struct IrohRig {
    keys: u8,
    limits: Limits,
    raw: Vec<JoinHandle<Raw>>,
}

/// A peer that speaks QUIC and not our protocol.
struct Raw {
    /// Kept alive.
    _endpoint: Endpoint,
    connection: Connection,
    streams: Vec<(SendStream, RecvStream)>,
}

impl IrohRig {
    fn key(&mut self) -> [u8; 32] {
        self.keys += 1;
        [self.keys; 32]
    }

    async fn node_at(&mut self, listen: &[SocketAddr]) -> Node<IrohTransport> {
        let secret_key = self.key();
        let config = IrohConfig {
            secret_key,
            listen: listen.to_vec(),
        };
        let transport = IrohTransport::bind_within(config, self.limits)
            .await
            .expect("listens");
        Node::new(public(secret_key), transport)
    }

    /// A peer that connects to `target` and writes each of `firsts` on a stream of its own.
    fn raw(&mut self, target: &PeerAddress, firsts: &[&[u8]]) -> JoinHandle<Raw> {
        let key = self.key();
        let target = target.clone();
        let firsts: Vec<_> = firsts.iter().map(|first| first.to_vec()).collect();
        tokio::spawn(async move {
            let endpoint = Endpoint::builder(presets::Minimal)
                .secret_key(SecretKey::from_bytes(&key))
                .transport_config(quic_config(0, Limits::default()))
                .clear_ip_transports()
                .bind_addr(loopback())
                .expect("an address")
                .bind()
                .await
                .expect("listens");
            let id = EndpointId::from_bytes(target.id.as_bytes()).expect("a key");
            let places = target.addresses.into_iter().map(TransportAddr::Ip);
            let address = EndpointAddr::from_parts(id, places);
            let connection = endpoint.connect(address, ALPN).await.expect("connects");
            let mut streams = Vec::new();
            for first in firsts {
                let (mut send, recv) = connection.open_bi().await.expect("a stream");
                send.write_all(&first).await.expect("writes");
                streams.push((send, recv));
            }
            Raw {
                _endpoint: endpoint,
                connection,
                streams,
            }
        })
    }
}

impl Rig for IrohRig {
    type Transport = IrohTransport;

    async fn node(&mut self) -> Node<IrohTransport> {
        self.node_at(&[loopback()]).await
    }

    fn nowhere(&mut self) -> PeerAddress {
        let addresses = vec![SocketAddr::from(([127, 0, 0, 1], 9))];
        PeerAddress {
            id: public(self.key()),
            addresses,
        }
    }

    async fn write_raw(&mut self, target: &PeerAddress, class: Class, bytes: &'static [u8]) {
        let mut firsts = [vec![0], vec![1]];
        firsts[index(class)].extend_from_slice(bytes);
        let raw = self.raw(target, &[&firsts[0], &firsts[1]]);
        self.raw.push(raw);
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn public(secret_key: [u8; 32]) -> NodeId {
    NodeId::from_bytes(*SecretKey::from_bytes(&secret_key).public().as_bytes())
}

/// A port that is free in both families.
fn free_port() -> u16 {
    UdpSocket::bind("[::]:0")
        .expect("a free port")
        .local_addr()
        .expect("is bound")
        .port()
}

/// Awaits `future` while `node` is polled.
async fn beside<T>(node: &mut Node<IrohTransport>, future: impl Future<Output = T>) -> T {
    tokio::select! {
        () = until([node], |_| false) => unreachable!("until never"),
        output = future => output,
    }
}

#[tokio::test]
async fn peer_that_names_its_streams_wrongly_is_closed_for_it() {
    for firsts in [[&[0][..], &[0]], [&[1], &[1]], [&[0], &[2]]] {
        let mut rig = IrohRig::default();
        let mut node = rig.node().await;
        let raw = rig.raw(&node.address(), &firsts);
        let raw = beside(&mut node, raw).await.expect("connects");
        let error = beside(&mut node, raw.connection.closed()).await;
        assert_eq!(
            link::reason(&error),
            (CloseReason::Score, true),
            "{firsts:?}"
        );
        assert_eq!(node.up(), None);
    }
}

#[tokio::test]
async fn streams_may_come_in_either_order() {
    let mut rig = IrohRig::default();
    let mut node = rig.node().await;
    let _raw = rig.raw(&node.address(), &[&[1, 1, 9], &[0, 1, 8]]);
    let of = |class| move |event: &TransportEvent| matches!(event, TransportEvent::Frame { class: got, .. } if *got == class);
    until([&mut node], |[node]| {
        node.events.iter().any(of(Class::Control)) && node.events.iter().any(of(Class::Bulletins))
    })
    .await;
}

#[tokio::test]
async fn peer_gets_no_third_stream_and_no_one_way_stream() {
    let mut rig = IrohRig::default();
    let mut node = rig.node().await;
    let raw = rig.raw(&node.address(), &[&[0], &[1]]);
    let raw = beside(&mut node, raw).await.expect("connects");
    let moment = Duration::from_millis(200);
    let third = timeout(moment, raw.connection.open_bi());
    assert!(
        beside(&mut node, third).await.is_err(),
        "a third stream opened"
    );
    let one_way = timeout(moment, raw.connection.open_uni());
    assert!(
        beside(&mut node, one_way).await.is_err(),
        "a one-way stream opened"
    );
    assert!(
        raw.connection
            .send_datagram(Bytes::from_static(&[1]))
            .is_err()
    );
}

#[tokio::test]
async fn peer_that_ends_a_stream_loses_the_link() {
    let mut rig = IrohRig::default();
    let mut node = rig.node().await;
    let raw = rig.raw(&node.address(), &[&[0], &[1]]);
    let mut raw = beside(&mut node, raw).await.expect("connects");
    raw.streams[1].0.finish().expect("is open");
    until([&mut node], |[node]| node.down().is_some()).await;
    assert_eq!(node.down(), Some((CloseReason::Score, false)));
}

#[tokio::test]
async fn handshake_that_stalls_is_dropped() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut rig = IrohRig {
        limits,
        ..IrohRig::default()
    };
    let mut node = rig.node().await;
    let raw = rig.raw(&node.address(), &[&[0]]);
    let raw = beside(&mut node, raw).await.expect("connects");
    beside(&mut node, raw.connection.closed()).await;
    assert_eq!((node.up(), node.transport.pending_inbound), (None, 0));
}

#[tokio::test]
async fn incoming_handshakes_beyond_the_bound_are_refused() {
    let limits = Limits {
        pending: 1,
        ..Limits::default()
    };
    let mut rig = IrohRig {
        limits,
        ..IrohRig::default()
    };
    let (mut node, mut dialler) = (rig.node().await, rig.node().await);
    let raw = rig.raw(&node.address(), &[&[0]]);
    let _raw = beside(&mut node, raw).await.expect("connects");
    assert_eq!(node.transport.pending_inbound, 1);

    dialler.transport.dial(&node.address());
    until([&mut node, &mut dialler], |[_, dialler]| {
        dialler
            .events
            .iter()
            .any(|e| matches!(e, TransportEvent::DialFailed { .. }))
    })
    .await;
}

#[tokio::test]
async fn however_many_knock_a_poll_looks_at_a_few() {
    let mut rig = IrohRig::default();
    let mut node = rig.node().await;
    let target = node.address();
    let many = ACCEPTS_PER_POLL + 8;
    let _raws: Vec<_> = (0..many).map(|_| rig.raw(&target, &[&[0]])).collect();
    let mut most = 0;
    // Nobody polls the node while they come.
    tokio::time::sleep(Duration::from_millis(500)).await;
    while node.transport.pending_inbound < many {
        let before = node.transport.pending_inbound;
        let mut cx = Context::from_waker(Waker::noop());
        let _ = node.transport.poll(&mut cx, &mut node.events);
        most = most.max(node.transport.pending_inbound - before);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(most, ACCEPTS_PER_POLL);
}

#[tokio::test]
async fn dialler_proves_its_address_when_many_knock() {
    let limits = Limits {
        pending_unproven: 0,
        ..Limits::default()
    };
    let mut rig = IrohRig {
        limits,
        ..IrohRig::default()
    };
    linked(&mut rig).await;
}

#[tokio::test]
async fn taken_port_is_named() {
    let mut rig = IrohRig::default();
    let node = rig.node().await;
    let listen = node.transport.addresses();
    let config = IrohConfig {
        secret_key: rig.key(),
        listen: listen.clone(),
    };
    let error = IrohTransport::bind(config)
        .await
        .expect_err("the port is taken");
    assert!(
        matches!(error, BindError::PortTaken { address } if listen == [address]),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {}: the port is in use", listen[0])
    );
}

#[tokio::test]
async fn address_of_another_machine_is_named() {
    let address = SocketAddr::from(([203, 0, 113, 1], 0));
    let config = IrohConfig {
        secret_key: [1; 32],
        listen: vec![address],
    };
    let error = IrohTransport::bind(config).await.expect_err("not ours");
    assert!(
        matches!(error, BindError::Address { address: a, .. } if a == address),
        "{error}"
    );
    let config = IrohConfig {
        secret_key: [1; 32],
        listen: vec![],
    };
    let error = IrohTransport::bind(config)
        .await
        .expect_err("nothing to listen on");
    assert!(matches!(error, BindError::NoAddress), "{error}");
}

#[tokio::test]
async fn wildcard_takes_both_families_at_one_port() {
    let mut rig = IrohRig::default();
    let port = free_port();
    let mut node = rig
        .node_at(&[SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))])
        .await;
    assert!(
        node.transport
            .addresses()
            .iter()
            .all(|address| address.port() == port)
    );
    let everywhere = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))];
    for ip in ["127.0.0.1", "::1"] {
        let place = SocketAddr::new(ip.parse().expect("an address"), port);
        let mut dialler = rig.node_at(&everywhere).await;
        dialler.transport.dial(&PeerAddress {
            id: node.id,
            addresses: vec![place],
        });
        until([&mut node, &mut dialler], |[_, dialler]| {
            dialler.up().is_some()
        })
        .await;
    }
}

#[tokio::test]
async fn several_addresses_of_one_family_all_answer() {
    let mut rig = IrohRig::default();
    let places = ["127.0.0.2:0", "127.0.0.1:0"].map(|place| place.parse().expect("an address"));
    let mut node = rig.node_at(&places).await;
    assert_eq!(node.transport.addresses().len(), 2);
    for place in node.transport.addresses() {
        let mut dialler = rig.node().await;
        dialler.transport.dial(&PeerAddress {
            id: node.id,
            addresses: vec![place],
        });
        until([&mut node, &mut dialler], |[_, dialler]| {
            dialler.up().is_some()
        })
        .await;
    }
}

#[tokio::test]
async fn peer_that_falls_silent_is_dead() {
    let limits = Limits {
        idle: Some(Duration::from_secs(2)),
        ..Limits::default()
    };
    let mut rig = IrohRig {
        limits,
        ..IrohRig::default()
    };
    let mut node = rig.node().await;
    let address = node.address();
    let secret_key = rig.key();
    let (kill, killed) = tokio::sync::oneshot::channel::<()>();
    // A runtime of its own, which dies with everything in it.
    let peer = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let node = runtime.block_on(async {
            let config = IrohConfig {
                secret_key,
                listen: vec![loopback()],
            };
            let transport = IrohTransport::bind(config).await.expect("listens");
            let mut node = Node::new(public(secret_key), transport);
            node.transport.dial(&address);
            beside(&mut node, killed).await.expect("is killed");
            node
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        drop(node);
    });
    until([&mut node], |[node]| node.up().is_some()).await;
    kill.send(()).expect("the peer lives");
    until([&mut node], |[node]| node.down().is_some()).await;
    assert_eq!(node.down(), Some((CloseReason::Dead, false)));
    peer.join().expect("the peer ended");
}

#[tokio::test]
async fn two_probes_find_the_largest_packet() {
    let mut rig = IrohRig::default();
    let mut node = rig.node().await;
    let raw = rig.raw(&node.address(), &[&[0], &[1]]);
    let raw = beside(&mut node, raw).await.expect("connects");
    let found = async {
        loop {
            let paths = raw.connection.paths();
            let stats = paths.iter().next().expect("a path").stats();
            if stats.current_mtu == 1_452 {
                break stats.sent_plpmtud_probes;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert_eq!(beside(&mut node, found).await, 2);
}

#[test]
fn idle_link_holds_little_of_our_own() {
    // Plus three wakers of 64 bytes; the connection behind it takes about 120 KiB.
    assert!(size_of::<Link>() <= 1_024, "{}", size_of::<Link>());
}

#[test]
fn configuration_does_not_print_the_key() {
    let config = IrohConfig {
        secret_key: [0xab; 32],
        listen: vec![loopback()],
    };
    let text = format!("{config:?}");
    assert!(
        text.contains("127.0.0.1") && !text.contains("171"),
        "{text}"
    );
}
