//! Links over QUIC, by `iroh`: peers are dialled by key and prove it in the handshake.
//!
//! Relays, address lookup and port mapping stay off, so packets go to addresses that were dialled,
//! that dialled us, or that a connected peer names for hole punching, and nowhere else.
//!
//! Invariant: one wake-up of the driver costs work in proportion to the streams that have news,
//! and at most [`CHUNKS_PER_POLL`] chunks of it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bruit_core::id::{LinkId, NodeId};
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bytes::Bytes;
use futures_util::stream::{self, FuturesUnordered, Stream, StreamExt};
use iroh::endpoint::{
    ConnectOptions, Connection, Incoming, MtuDiscoveryConfig, PortmapperConfig,
    QuicTransportConfig, VarInt, presets,
};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, SecretKey, TransportAddr};
use tokio::runtime::Handle;
use tokio::time::timeout;

use self::handshake::{Outcome, Task};
use self::link::{Link, Loss, Reading, Streams};
use self::wakeups::{Part, Wakeups};
use super::{HANDSHAKE_TIMEOUT, PathInfo, SHUTDOWN_TIMEOUT, Transport, TransportEvent, link_up};

mod handshake;
mod link;
mod listen;
#[cfg(test)]
pub(super) mod tests;
mod wakeups;

pub use self::listen::{BindError, IrohConfig};

/// The protocol's name in the TLS handshake.
pub const ALPN: &[u8] = b"bruit/1";

/// Chunks read per poll before the driver gets its turn. A chunk is a packet's worth, so about
/// 90 KiB, a tenth of a millisecond of work.
const CHUNKS_PER_POLL: usize = 64;

/// How long a stranger may take to read our greeting.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Incoming connections looked at per poll.
const ACCEPTS_PER_POLL: usize = 32;

/// Bytes a peer may send on one stream before we read them.
const STREAM_RECEIVE_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes a peer may send on all streams before we read them: both streams, and room for more.
const RECEIVE_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes in flight or waiting in the QUIC library for one peer.
const SEND_WINDOW_BYTES: u64 = 512 * 1024;

/// To how many bytes the largest packet of a path is found. Two probes and their acknowledgements then
/// do for an Ethernet, where the library's 20 take four: of a link that is only tried, one packet in five.
const PACKET_STEP_BYTES: u16 = 64;

/// Bounds that tests shorten.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Longest time of a handshake, either way.
    handshake: Duration,
    /// Most incoming handshakes under way; further ones are refused.
    pending: usize,
    /// Incoming handshakes under way from which on a dialler must first prove its address, which
    /// costs it a round trip and us no memory.
    pending_unproven: usize,
    /// Silence after which a link is lost; none for iroh's own, 30 s.
    idle: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: HANDSHAKE_TIMEOUT,
            pending: 256,
            pending_unproven: 64,
            idle: None,
        }
    }
}

/// [`Transport`] over QUIC.
///
/// # Examples
/// ```
/// # use bruit::transport::{IrohConfig, IrohTransport, Transport};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let listen = vec!["127.0.0.1:0".parse().unwrap()];
/// let mut transport =
///     IrohTransport::bind(IrohConfig { secret_key: [7; 32], listen }).await.unwrap();
/// assert_eq!(transport.addresses().len(), 1);
/// transport.shutdown().await;
/// # });
/// ```
pub struct IrohTransport {
    endpoint: Option<Endpoint>,
    runtime: Handle,
    limits: Limits,
    dial_options: ConnectOptions,
    links: BTreeMap<LinkId, Box<Link>>,
    next_link: u64,
    /// Links with frames queued since the last poll.
    dirty: Vec<LinkId>,
    incoming: Pin<Box<dyn Stream<Item = Incoming> + Send>>,
    accept_waker: Waker,
    /// Incoming handshakes among `tasks`.
    pending_inbound: usize,
    tasks: FuturesUnordered<Task>,
    wakeups: Arc<Wakeups>,
    /// Parts to poll, oldest first.
    woken: VecDeque<Part>,
    /// Events that happened outside of `poll`.
    pending_events: Vec<TransportEvent>,
}

impl IrohTransport {
    /// Listens as `config` says. To be called within a Tokio runtime, which runs the QUIC tasks.
    ///
    /// # Errors
    /// [`BindError`] names the address that cannot be listened on.
    pub async fn bind(config: IrohConfig) -> Result<Self, BindError> {
        Self::bind_within(config, Limits::default()).await
    }

    async fn bind_within(config: IrohConfig, limits: Limits) -> Result<Self, BindError> {
        let listen = listen::sockets(&config.listen)?;
        let mut builder = Endpoint::builder(presets::Minimal)
            .secret_key(SecretKey::from_bytes(&config.secret_key))
            .alpns(vec![ALPN.to_vec()])
            .transport_config(quic_config(2, limits))
            .relay_mode(RelayMode::Disabled)
            .portmapper_config(PortmapperConfig::Disabled)
            .clear_address_lookup()
            .clear_ip_transports();
        for (address, options) in &listen {
            builder = builder
                .bind_addr_with_opts(*address, options.clone())
                .map_err(|error| BindError::Endpoint(format!("{error:#}")))?;
        }
        let endpoint = match builder.bind().await {
            Ok(endpoint) => endpoint,
            Err(error) => return Err(listen::explain(&listen, &format!("{error:#}"))),
        };
        Ok(Self::new(endpoint, limits))
    }

    fn new(endpoint: Endpoint, limits: Limits) -> Self {
        let wakeups = Arc::new(Wakeups::default());
        let accepting = endpoint.clone();
        let incoming = stream::unfold(accepting, |endpoint| async {
            endpoint.accept().await.map(|incoming| (incoming, endpoint))
        });
        Self {
            endpoint: Some(endpoint),
            runtime: Handle::current(),
            limits,
            dial_options: ConnectOptions::new().with_transport_config(quic_config(0, limits)),
            links: BTreeMap::new(),
            next_link: 0,
            dirty: Vec::new(),
            incoming: Box::pin(incoming),
            accept_waker: wakeups.waker(Part::Accept),
            pending_inbound: 0,
            tasks: FuturesUnordered::new(),
            wakeups,
            woken: VecDeque::from([Part::Accept]),
            pending_events: Vec::new(),
        }
    }

    /// Writes what was queued on links since the last poll.
    fn flush_dirty(&mut self, events: &mut Vec<TransportEvent>) {
        let mut dirty = mem::take(&mut self.dirty);
        for number in dirty.drain(..) {
            self.flush(number, events);
        }
        // Nothing was queued meanwhile.
        self.dirty = dirty;
    }

    fn flush(&mut self, number: LinkId, events: &mut Vec<TransportEvent>) {
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        if let Err(loss) = link.flush(events) {
            self.lose(number, &loss, events);
        }
    }

    /// Advances dials, handshakes and whatever else takes a while.
    fn poll_tasks(&mut self, cx: &mut Context<'_>, events: &mut Vec<TransportEvent>) {
        while let Poll::Ready(Some(outcome)) = self.tasks.poll_next_unpin(cx) {
            match outcome {
                Outcome::Up {
                    connection,
                    streams,
                    direction,
                } => {
                    self.pending_inbound -= usize::from(direction == Direction::In);
                    self.add(connection, *streams, direction, events);
                }
                Outcome::DialFailed { peer, error } => {
                    events.push(TransportEvent::DialFailed { peer, error });
                }
                Outcome::AcceptFailed => self.pending_inbound -= 1,
                Outcome::Closed { link, error } => {
                    self.lose(link, &Loss::Connection(error), events);
                }
            }
        }
    }

    fn add(
        &mut self,
        connection: Connection,
        streams: Streams,
        direction: Direction,
        events: &mut Vec<TransportEvent>,
    ) {
        let number = LinkId::new(self.next_link);
        self.next_link += 1;
        let peer = NodeId::from_bytes(*connection.remote_id().as_bytes());
        let link = Link::new(number, connection, streams, &self.wakeups);
        link_up(
            number,
            peer,
            direction,
            link.path().and_then(|path| path.remote),
            events,
        );
        self.links.insert(number, Box::new(link));
    }

    /// Polls the parts that were woken, while the budget of this poll lasts.
    fn poll_woken(&mut self, cx: &mut Context<'_>, events: &mut Vec<TransportEvent>) {
        let mut chunks_left = CHUNKS_PER_POLL;
        self.wakeups.take(&mut self.woken);
        while let Some(part) = self.woken.pop_front() {
            match part {
                Part::Accept => self.accept(),
                Part::Write(number) => self.flush(number, events),
                Part::Read(number, class) => self.read(number, class, &mut chunks_left, events),
            }
            if chunks_left == 0 {
                cx.waker().wake_by_ref();
                return;
            }
        }
    }

    fn read(
        &mut self,
        number: LinkId,
        class: Class,
        chunks_left: &mut usize,
        events: &mut Vec<TransportEvent>,
    ) {
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        match link.read(class, chunks_left, events) {
            Reading::Drained => {}
            Reading::Unfinished => self.woken.push_back(Part::Read(number, class)),
            Reading::Malformed => {
                let closed = link.closed();
                self.tasks.push(Box::pin(async move {
                    Outcome::Closed {
                        link: number,
                        error: closed.await,
                    }
                }));
            }
            Reading::Lost(loss) => self.lose(number, &loss, events),
        }
    }

    /// Begins the handshakes of incoming connections.
    fn accept(&mut self) {
        let mut accept_cx = Context::from_waker(&self.accept_waker);
        for _ in 0..ACCEPTS_PER_POLL {
            let Poll::Ready(Some(incoming)) = self.incoming.poll_next_unpin(&mut accept_cx) else {
                return;
            };
            if self.pending_inbound >= self.limits.pending {
                incoming.refuse();
            } else if self.pending_inbound >= self.limits.pending_unproven
                && !incoming.remote_addr_validated()
            {
                // Fails for a proven address only.
                let _ = incoming.retry();
            } else {
                self.pending_inbound += 1;
                self.tasks
                    .push(Box::pin(handshake::accept(incoming, self.limits.handshake)));
            }
        }
        // The rest at the next poll: links come first, however many knock.
        self.accept_waker.wake_by_ref();
    }

    /// Takes leave of a link that ended without our doing.
    fn lose(&mut self, number: LinkId, loss: &Loss, events: &mut Vec<TransportEvent>) {
        let Some(mut link) = self.links.remove(&number) else {
            return;
        };
        let (reason, by_peer) = match loss {
            Loss::Connection(error) => {
                link.read_rest(events);
                link::reason(error)
            }
            Loss::Stream => {
                link.close(CloseReason::Score);
                (CloseReason::Score, false)
            }
        };
        events.push(TransportEvent::LinkDown {
            link: number,
            reason,
            by_peer,
        });
    }

    /// Tells every peer that we leave and forgets everything; returns what is left to wait for.
    fn leave(&mut self) -> impl Future<Output = ()> + Send + use<> {
        for link in mem::take(&mut self.links).into_values() {
            link.close(CloseReason::Quit);
        }
        self.dirty.clear();
        self.woken.clear();
        self.pending_events.clear();
        self.tasks.clear();
        self.incoming = Box::pin(stream::empty());
        let endpoint = self.endpoint.take();
        async move {
            if let Some(endpoint) = endpoint {
                // Past the bound the peers notice by themselves.
                let _ = timeout(SHUTDOWN_TIMEOUT, endpoint.close()).await;
            }
        }
    }
}

impl Transport for IrohTransport {
    fn dial(&mut self, address: &PeerAddress) {
        let Some(endpoint) = self.endpoint.clone() else {
            return;
        };
        let Ok(id) = EndpointId::from_bytes(address.id.as_bytes()) else {
            let error = "the id is not a public key".to_owned();
            self.pending_events.push(TransportEvent::DialFailed {
                peer: address.id,
                error,
            });
            return;
        };
        let places = address.addresses.iter().copied().map(TransportAddr::Ip);
        let address = EndpointAddr::from_parts(id, places);
        let options = self.dial_options.clone();
        self.tasks.push(Box::pin(handshake::dial(
            endpoint,
            address,
            options,
            self.limits.handshake,
        )));
    }

    fn send(&mut self, link: LinkId, class: Class, frame: Bytes) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.queue(class, frame);
        if !mem::replace(&mut state.dirty, true) {
            self.dirty.push(link);
        }
    }

    fn close(&mut self, link: LinkId, reason: CloseReason) {
        if let Some(state) = self.links.remove(&link) {
            // Both ends are to learn what differs, and that stands in the greeting.
            if reason == CloseReason::WrongNetwork {
                self.runtime.spawn(state.close_after(reason, LAST_WORDS));
            } else {
                state.close(reason);
            }
            self.pending_events.push(TransportEvent::LinkDown {
                link,
                reason,
                by_peer: false,
            });
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<TransportEvent>) -> Poll<()> {
        self.wakeups.register(cx.waker());
        events.append(&mut self.pending_events);
        self.flush_dirty(events);
        self.poll_woken(cx, events);
        // Last, since a task pushed above waits for its first poll.
        self.poll_tasks(cx, events);
        if events.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let Some(endpoint) = &self.endpoint else {
            return Vec::new();
        };
        endpoint.addr().ip_addrs().copied().collect()
    }

    fn path(&self, link: LinkId) -> Option<PathInfo> {
        self.links.get(&link)?.path()
    }

    fn shutdown(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.leave())
    }
}

impl Drop for IrohTransport {
    /// Says goodbye in the background: an endpoint that is merely dropped falls silent, and its
    /// peers would wait 30 s for it.
    fn drop(&mut self) {
        if self.endpoint.is_some() {
            let leave = self.leave();
            self.runtime.spawn(leave);
        }
    }
}

impl fmt::Debug for IrohTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohTransport")
            .field("addresses", &self.addresses())
            .field("links", &self.links.len())
            .finish_non_exhaustive()
    }
}

/// QUIC as links need it: two long-lived streams, opened by the dialler, and bounded buffers.
/// Keep-alive and path timeouts stay iroh's.
fn quic_config(peer_opens_streams: u32, limits: Limits) -> QuicTransportConfig {
    let mut largest_packet = MtuDiscoveryConfig::default();
    largest_packet.minimum_change(PACKET_STEP_BYTES);
    let mut config = QuicTransportConfig::builder()
        .mtu_discovery_config(Some(largest_packet))
        .max_concurrent_bidi_streams(VarInt::from(peer_opens_streams))
        .max_concurrent_uni_streams(VarInt::from(0_u32))
        .stream_receive_window(VarInt::from(STREAM_RECEIVE_WINDOW_BYTES))
        .receive_window(VarInt::from(RECEIVE_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None);
    if let Some(idle) = limits.idle {
        config = config.max_idle_timeout(Some(idle.try_into().expect("an idle timeout is short")));
    }
    config.build()
}
