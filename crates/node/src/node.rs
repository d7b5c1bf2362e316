//! The handle on a running node.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::config::ConfigError;
use bruit_core::engine::Engine;
use bruit_core::event::{Command, Event, Restored, RestoredId};
use bruit_core::id::{AuthorId, NodeId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::link::PeerAddress;
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::wire::kind;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use crate::access::{Access, ParseAccessError};
use crate::address::{Host, HostPort, PeerSpec};
use crate::config::{Config, DEFAULT_PORT};
use crate::draft::{Draft, Outcome, PublishError, Receipt, Wait};
use crate::driver::{BOOK, Driver, FrameListener, HORIZON, Look, Looks, Order, State, wall_now};
use crate::hub::{From, Hub, Subscription, Topics, Validator};
use crate::keys::{DEFAULT_AUTHOR, DataFolder, KeyError, Secret};
use crate::moments::Moments;
use crate::publishing::{Progress, Publishing, Request};
use crate::reach::{self, Addresses};
use crate::received::ParseCursorError;
use crate::store::{Place, Recovered, Store, StoreError, StoreEvent, StoreOptions};
use crate::transport::{BindError, IrohConfig, IrohTransport, Transport};
use crate::verify::Verifier;
use crate::{looks, miner, view};

/// Orders to the driver that may wait.
const ORDERS_MAX: usize = 4_096;
/// Ports tried after the default one.
const PORTS_TRIED: u16 = 100;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A key cannot be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An access rule cannot be read.
    #[error(transparent)]
    Access(#[from] ParseAccessError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// A running node. Clones share it; it stops when told to, or when the last handle goes.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    id: NodeId,
    network: Arc<Network>,
    max_work_bits: u8,
    asking_bits: Arc<AtomicU8>,
    authors: RwLock<BTreeMap<String, SecretKey>>,
    data: Option<DataFolder>,
    listen: Vec<SocketAddr>,
    addresses: Addresses,
    moments: Moments,
    started: Instant,
    started_wall: Wall,
    hub: Hub,
    store: Store,
    listeners: Arc<Mutex<BTreeMap<u8, FrameListener>>>,
    orders: mpsc::Sender<Order>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.inner.id)
            .field("listen", &self.inner.listen)
            .finish_non_exhaustive()
    }
}

/// What a node works with, opened and checked.
struct Parts {
    key: Secret,
    authors: BTreeMap<String, SecretKey>,
    data: Option<DataFolder>,
    store: Store,
    recovered: Recovered,
    store_events: mpsc::UnboundedReceiver<StoreEvent>,
}

impl Parts {
    fn open(config: &Config) -> Result<Self, StartError> {
        let data = config.data.as_ref().map(DataFolder::open).transpose()?;
        let (sender, store_events) = mpsc::unbounded_channel();
        let place = match &config.data {
            Some(folder) => Place::Folder(folder.clone()),
            None => Place::Ephemeral,
        };
        let keeps = config.data.is_some();
        let (store, recovered) = Store::open(&place, StoreOptions::default(), move |event| {
            // What is in memory alone is not stored: that word would wake the driver for nothing.
            if keeps || !matches!(event, StoreEvent::Synced { .. }) {
                // The driver is gone when the node has stopped.
                sender.send(event).ok();
            }
        })?;
        let (key, author) = match &data {
            Some(data) => (data.node_key()?, data.author(DEFAULT_AUTHOR)?),
            None => (Secret::random()?, Secret::random()?),
        };
        let author = SecretKey::from_seed(author.expose());
        let authors = BTreeMap::from([(DEFAULT_AUTHOR.to_owned(), author)]);
        Ok(Self {
            key,
            authors,
            data,
            store,
            recovered,
            store_events,
        })
    }
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(StartError::Random)?;
    Ok(bytes)
}

impl Node {
    /// Starts a node: opens its keys and store, listens, and begins to link.
    ///
    /// # Errors
    /// Says what keeps it from starting; nothing existing is overwritten.
    pub async fn spawn(config: Config) -> Result<Self, StartError> {
        let mut parts = Parts::open(&config)?;
        let transport = bind(config.listen, *parts.key.expose()).await?;
        let node = Self::start(&config, &mut parts, Box::new(transport))?;
        node.join_in_background(config.join);
        Ok(node)
    }

    /// Starts a node over any transport, for tests and simulations in one process.
    ///
    /// # Errors
    /// As [`Node::spawn`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn_on(
        config: &Config,
        transport: impl FnOnce(NodeId) -> Box<dyn Transport>,
    ) -> Result<Self, StartError> {
        let mut parts = Parts::open(config)?;
        let transport = transport(parts.key.node_id());
        let node = Self::start(config, &mut parts, transport)?;
        node.join_in_background(config.join.clone());
        Ok(node)
    }

    fn start(
        config: &Config,
        parts: &mut Parts,
        transport: Box<dyn Transport>,
    ) -> Result<Self, StartError> {
        let (asking_sender, asking) = mpsc::unbounded_channel();
        let (orders, order_receiver) = mpsc::channel(ORDERS_MAX);
        let (_, empty) = mpsc::unbounded_channel();
        let network = Arc::new(config.network());
        let hub = Hub::new(
            Arc::clone(&network),
            parts.recovered.next_seq,
            asking_sender,
        );
        let id = parts.key.node_id();
        let asking_bits = Arc::new(AtomicU8::new(0));
        let listeners = Arc::<Mutex<BTreeMap<u8, FrameListener>>>::default();
        let started = Instant::now();
        let listen = reach::best_first(transport.addresses());
        let addresses = Addresses::default();
        addresses.set(listen.clone());
        let keeps = config.data.is_some();
        let mut driver = Driver {
            engine: Engine::new(id, config.core()?, random()?),
            key: SecretKey::from_seed(parts.key.expose()),
            transport,
            store: parts.store.clone(),
            hub: hub.clone(),
            access: config.access()?,
            verifier: Verifier::new(random()?),
            publishing: Publishing::new(keeps),
            listeners: Arc::clone(&listeners),
            orders: order_receiver,
            asking,
            store_events: std::mem::replace(&mut parts.store_events, empty),
            asking_bits: Arc::clone(&asking_bits),
            addresses: addresses.clone(),
            started,
            state: State::default(),
        };
        let now = Now {
            mono: Mono::ZERO,
            wall: wall_now(),
        };
        driver.feed(Event::Restored(Box::new(restored(&parts.recovered))), now);
        tokio::spawn(driver.run());
        let inner = Inner {
            id,
            network,
            max_work_bits: config.max_work_bits,
            asking_bits,
            authors: RwLock::new(std::mem::take(&mut parts.authors)),
            data: parts.data.take(),
            listen,
            addresses,
            moments: Moments::default(),
            started,
            started_wall: now.wall,
            hub,
            store: parts.store.clone(),
            listeners,
            orders,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    // Who and where.

    /// This node's id.
    pub fn id(&self) -> NodeId {
        self.inner.id
    }

    /// Where this node listened when it started.
    pub fn listen(&self) -> Vec<SocketAddr> {
        self.inner.listen.clone()
    }

    /// Where others can reach this node: the addresses it listens at, best first, as they were
    /// within the last minute.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.inner.addresses.get()
    }

    /// Reads this node's addresses anew: a machine changes its networks.
    pub async fn refresh_addresses(&self) {
        let (done, read) = oneshot::channel();
        if self.order(Order::Addresses(done)).await {
            // A node that stops has the addresses it had.
            read.await.ok();
        }
    }

    /// What to tell others so that they can link to this node; none when it is not reachable.
    pub fn address(&self) -> Option<PeerSpec> {
        PeerSpec::at(self.inner.id, &self.addresses())
    }

    /// The author keys of this node, by name.
    pub fn authors(&self) -> Vec<(String, AuthorId)> {
        let kept = self
            .inner
            .data
            .as_ref()
            .and_then(|data| data.authors().ok());
        if let Some(kept) = kept {
            return kept
                .into_iter()
                .map(|author| (author.name, author.id))
                .collect();
        }
        let authors = self
            .inner
            .authors
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        authors
            .iter()
            .map(|(name, key)| (name.clone(), key.author_id()))
            .collect()
    }

    /// The network's name.
    pub fn network(&self) -> &str {
        self.inner.network.name()
    }

    // Bulletins.

    /// Signs, pays for and broadcasts `draft`. Answers when the word it waits for is true.
    ///
    /// # Errors
    /// Says what is wrong with the draft, or what kept the word from coming true in time.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Draft, Node, Outcome};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let node = Node::spawn(Config { listen, ..Config::default() }).await?;
    /// let receipt = node.publish(Draft::new("news", "hello")).await?;
    /// assert_eq!(receipt.result, Outcome::Queued, "it goes out with the first link");
    /// assert!(receipt.bits > 0, "the default network asks for work");
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish(&self, draft: Draft) -> Result<Receipt, PublishError> {
        draft.check()?;
        if draft.wait == Wait::Stored && self.inner.data.is_none() {
            return Err(PublishError::Ephemeral);
        }
        let (bulletin, work) = self.make(&draft).await?;
        let (id, bits) = (*bulletin.id(), bulletin.stamp.bits);
        self.inner.hub.learn(&draft.topic);
        let (answer, answered) = oneshot::channel();
        let start = Progress {
            result: Outcome::Queued,
            neighbours: 0,
            spread: 0,
        };
        let (progress, watched) = watch::channel(start);
        let request = Request {
            bulletin: Box::new(bulletin),
            wait: draft.wait,
            answer,
            progress,
        };
        self.try_order(Order::Publish(Box::new(request)))?;
        let waited = draft.wait_timeout;
        let reached = match tokio::time::timeout(waited, answered).await {
            Ok(Ok(progress)) => progress?,
            Ok(Err(_)) => return Err(PublishError::Closed),
            Err(_) => {
                let reached = watched.borrow().result;
                return Err(PublishError::Timeout {
                    id,
                    reached,
                    waited,
                });
            }
        };
        Ok(Receipt {
            id,
            topic: draft.topic,
            result: reached.result,
            bits,
            work_ms: u64::try_from(work.as_millis()).unwrap_or(u64::MAX),
            neighbours: reached.neighbours,
            spread: reached.spread,
        })
    }

    /// Makes the bulletin of a draft: signed, and stamped with what the network asks for now.
    async fn make(&self, draft: &Draft) -> Result<(Bulletin, Duration), PublishError> {
        let key = self.author(draft.author.as_deref())?;
        let topic = TopicId::of(&draft.topic);
        let mut header = Header::post(topic, key.author_id(), &draft.body, wall_now());
        header.ttl_s = u32::try_from(draft.ttl.as_secs()).unwrap_or(u32::MAX);
        header.tag.clone_from(&draft.tag);
        self.inner.moments.settle(&mut header);
        let need = self.bits(&header);
        let max = draft.max_work_bits.unwrap_or(self.inner.max_work_bits);
        if need > max {
            return Err(PublishError::PriceTooLow { need, max });
        }
        let network = self.inner.network.id();
        let mut bulletin = Bulletin::sign(header, draft.body.clone(), network, &key);
        let started = Instant::now();
        if need > 0 {
            bulletin.stamp = miner::mine(*bulletin.id(), need).await;
        }
        Ok((bulletin, started.elapsed()))
    }

    /// Bits of work to pay: the network's minimum, raised by what the neighbours ask for.
    fn bits(&self, header: &Header) -> u8 {
        match self
            .inner
            .network
            .price()
            .bits_min(header.size_bytes, header.ttl())
        {
            0 => 0,
            min => min.saturating_add(self.inner.asking_bits.load(Ordering::Relaxed)),
        }
    }

    fn author(&self, name: Option<&str>) -> Result<SecretKey, PublishError> {
        let name = name.unwrap_or(DEFAULT_AUTHOR);
        let authors = self
            .inner
            .authors
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = authors.get(name) {
            return Ok(key.clone());
        }
        drop(authors);
        // The key may have been made since the node started.
        let Some(data) = &self.inner.data else {
            return Err(PublishError::OneAuthor(name.to_owned()));
        };
        let key = data.author(name).map_err(|error| match error {
            KeyError::Missing { .. } => PublishError::UnknownAuthor(name.to_owned()),
            error => PublishError::Author(Arc::new(error)),
        })?;
        let key = SecretKey::from_seed(key.expose());
        let mut authors = self
            .inner
            .authors
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        authors.insert(name.to_owned(), key.clone());
        Ok(key)
    }

    /// Delivers the bulletins of `topics`, beginning at `from`: each once, in the order of arrival.
    ///
    /// # Errors
    /// When the cursor is none.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers make both on the spot"
    )]
    pub fn subscribe(&self, topics: Topics, from: From) -> Result<Subscription, ParseCursorError> {
        self.inner
            .hub
            .subscribe(&topics, &from, self.inner.store.clone(), wall_now())
    }

    /// Judges the bulletins of `topic` before they are delivered or relayed, for as long as the
    /// validator lives. No answer within `timeout` drops a bulletin quietly.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Node, Verdict};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let node = Node::spawn(Config { listen, ..Config::default() }).await?;
    /// let mut validator = node.validate("news", Duration::from_secs(5));
    /// let judging = tokio::spawn(async move {
    ///     while let Some(question) = validator.next().await {
    ///         let fine = question.received.size < 1_000;
    ///         question.answer(if fine { Verdict::Accept } else { Verdict::Reject });
    ///     }
    /// });
    /// node.shutdown().await;
    /// judging.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn validate(&self, topic: &str, timeout: Duration) -> Validator {
        self.inner.hub.validate(topic, timeout)
    }

    // Application frames.

    /// Calls `listener` for every application frame of `kind` a neighbour sends. It runs on the
    /// node's loop: it should hand the frame on and return.
    ///
    /// # Panics
    /// When `kind` is below 192: those belong to the protocol.
    pub fn on_frame(&self, kind: u8, listener: impl Fn(NodeId, u8, Bytes) + Send + Sync + 'static) {
        assert!(
            kind >= kind::APPLICATION,
            "application frames have kinds from 192"
        );
        let mut listeners = self
            .inner
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.insert(kind, Arc::new(listener));
    }

    /// Sends an application frame to a linked neighbour, with the limits and queues of all frames.
    /// Lost when there is no link.
    ///
    /// # Errors
    /// When the body is too long, the node has stopped, or too much waits.
    ///
    /// # Panics
    /// When `kind` is below 192: those belong to the protocol.
    pub fn send_frame(&self, peer: NodeId, kind: u8, body: Bytes) -> Result<(), PublishError> {
        assert!(
            kind >= kind::APPLICATION,
            "application frames have kinds from 192"
        );
        let max = bruit_core::limits::CONTENT_BYTES_MAX;
        if body.len() > max {
            return Err(PublishError::TooBig {
                got: body.len(),
                max,
            });
        }
        self.try_order(Order::Engine(Command::SendFrame { peer, kind, body }))
    }

    // Neighbours.

    /// Links to `specs` now and remembers them; answers, for each, whether a link came about
    /// within `timeout`.
    pub async fn join(&self, specs: Vec<PeerSpec>, timeout: Duration) -> Vec<(NodeId, bool)> {
        let joins = specs.into_iter().map(|spec| async move {
            let linked = tokio::time::timeout(timeout, self.join_one(&spec)).await;
            (spec.id(), linked.unwrap_or(false))
        });
        futures_util::future::join_all(joins).await
    }

    async fn join_one(&self, spec: &PeerSpec) -> bool {
        let address = resolve(spec).await;
        let (done, linked) = oneshot::channel();
        self.order(Order::Join(vec![address], done)).await && linked.await.is_ok()
    }

    /// Resolves and joins the nodes of the configuration without holding up the start; names that
    /// do not resolve are tried again.
    fn join_in_background(&self, specs: Vec<PeerSpec>) {
        let orders = self.inner.orders.downgrade();
        tokio::spawn(async move {
            let mut pause = Duration::from_secs(1);
            let mut left = specs;
            while !left.is_empty() {
                let mut unresolved = Vec::new();
                for spec in left {
                    let address = resolve(&spec).await;
                    if address.addresses.is_empty() {
                        warn!(peer = %spec, "cannot resolve the address of a node to join");
                        unresolved.push(spec);
                        continue;
                    }
                    let Some(orders) = orders.upgrade() else {
                        return;
                    };
                    let order = Order::Join(vec![address], oneshot::channel().0);
                    if orders.send(order).await.is_err() {
                        return;
                    }
                }
                left = unresolved;
                if !left.is_empty() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_mins(5));
                }
            }
        });
    }

    /// Unlinks `peer`; answers whether there was a link.
    pub async fn unlink(&self, peer: NodeId) -> bool {
        let (done, answered) = oneshot::channel();
        self.order(Order::Unlink(peer, done)).await && answered.await.unwrap_or(false)
    }

    /// Replaces the access lists. Links they do not admit are closed.
    ///
    /// # Errors
    /// Names the entry that cannot be read.
    pub async fn set_access(
        &self,
        allow: &[String],
        deny: &[String],
    ) -> Result<(), ParseAccessError> {
        let access = Access::parse(allow, deny)?;
        self.order(Order::Access(access)).await;
        Ok(())
    }

    // What there is to see.

    /// The state of the node as a whole; none once it has stopped.
    pub async fn status(&self) -> Option<view::Status> {
        let inner = Arc::clone(&self.inner);
        let topics = u64::try_from(inner.hub.topics().len()).unwrap_or(u64::MAX);
        self.look(move |looks| {
            looks::status(
                looks,
                inner.started.elapsed(),
                topics,
                inner.network.as_ref(),
            )
        })
        .await
    }

    /// The links that are up or suspect; with `all` also those being opened or closed.
    pub async fn peers(&self, all: bool) -> Vec<view::Peer> {
        let started = self.inner.started_wall;
        self.look(move |looks| looks::peers(looks, started, all))
            .await
            .unwrap_or_default()
    }

    /// Every node this node knows of.
    pub async fn members(&self) -> Vec<view::Member> {
        self.look(looks::members).await.unwrap_or_default()
    }

    /// The topics with a subscriber here.
    pub async fn topics(&self) -> Vec<view::Topic> {
        let mut topics = self.inner.hub.topics();
        for topic in &mut topics {
            // A store that cannot be read holds nothing anybody could have.
            topic.retained = self.inner.store.count(topic.id).await.unwrap_or_default();
        }
        topics
    }

    /// The protocol's counters.
    pub async fn metrics(&self) -> Option<bruit_core::metrics::Metrics> {
        self.look(|looks| looks.engine.metrics().clone()).await
    }

    /// Says goodbye to the neighbours, syncs the store and stops. Takes at most two seconds.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        if self.order(Order::Shutdown(done)).await {
            // Answered or dropped, the driver has ended.
            stopped.await.ok();
        }
    }

    /// Waits until the node has ended: told to, or by a mistake of its own.
    pub async fn ended(&self) {
        self.inner.orders.closed().await;
    }

    /// Whether it has: then it answers nothing any more.
    pub fn has_ended(&self) -> bool {
        self.inner.orders.is_closed()
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Looks<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look = Look(Box::new(move |looks: &Looks<'_>| {
            // Whoever asked may have gone.
            answer.send(look(looks)).ok();
        }));
        self.order(Order::Look(look)).await;
        answered.await.ok()
    }

    /// Hands an order to the driver; answers whether it is there to take it.
    async fn order(&self, order: Order) -> bool {
        self.inner.orders.send(order).await.is_ok()
    }

    fn try_order(&self, order: Order) -> Result<(), PublishError> {
        self.inner
            .orders
            .try_send(order)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => PublishError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => PublishError::Closed,
            })
    }
}

/// Listens where the configuration says, or at the default port or the next free one.
async fn bind(
    listen: Option<SocketAddr>,
    secret_key: [u8; 32],
) -> Result<IrohTransport, StartError> {
    if let Some(address) = listen {
        return Ok(IrohTransport::bind(IrohConfig {
            secret_key,
            listen: vec![address],
        })
        .await?);
    }
    let mut port = DEFAULT_PORT;
    loop {
        let any = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        match IrohTransport::bind(IrohConfig {
            secret_key,
            listen: vec![any],
        })
        .await
        {
            Err(BindError::PortTaken { .. }) if port < DEFAULT_PORT + PORTS_TRIED => port += 1,
            bound => return Ok(bound?),
        }
    }
}

/// The socket addresses of `spec`, its names resolved; those that do not resolve are left out.
async fn resolve(spec: &PeerSpec) -> PeerAddress {
    let mut addresses = Vec::new();
    for HostPort { host, port } in spec.hosts() {
        match host {
            Host::Ip(ip) => addresses.push(SocketAddr::new(*ip, port.get())),
            Host::Name(name) => {
                if let Ok(found) = tokio::net::lookup_host((name.as_str(), port.get())).await {
                    addresses.extend(found);
                }
            }
        }
    }
    addresses.truncate(bruit_core::limits::ADDRESSES_MAX);
    PeerAddress {
        id: spec.id(),
        addresses,
    }
}

/// What an earlier run left, for the engine.
fn restored(recovered: &Recovered) -> Restored {
    let seen = recovered.seen.iter().map(|known| RestoredId {
        id: known.id,
        created: known.created,
        expires: known.expires,
        held: known.held.map(|held| (held.size, held.stamp_bits)),
    });
    let horizon = recovered
        .meta
        .get(HORIZON)
        .and_then(|bytes| bytes.as_slice().try_into().ok());
    Restored {
        seen: seen.collect(),
        address_book: recovered.meta.get(BOOK).cloned().unwrap_or_default().into(),
        horizon: Wall::from_millis(horizon.map_or(0, u64::from_be_bytes)),
    }
}
