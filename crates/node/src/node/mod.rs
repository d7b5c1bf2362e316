//! The handle on a running node.

mod authors;
mod carry;
mod errands;
mod figures;
mod files;
mod foreign;
mod letters;
mod publish;
mod start;
mod topology;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bruit_core::event::Command;
use bruit_core::id::NodeId;
use bruit_core::identity::SecretKey;
use bruit_core::link::PeerAddress;
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bruit_core::wire::kind;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use crate::access::{Access, ParseAccessError};
use crate::address::{Host, HostPort, PeerSpec};
use crate::draft::PublishError;
use crate::driver::{FrameListener, Order};
use crate::hub::{From, Hub, SubscribeError, Topics};
use crate::keyring::Keyring;
use crate::keys::DataFolder;
use crate::letters::{Couriers, Letters};
use crate::looks::{Look, Looks};
use crate::moments::Moments;
use crate::posted::Posted;
use crate::reach::Addresses;
use crate::sharing::Scout;
use crate::store::Store;
use crate::subscription::Subscription;
use crate::validator::Validator;
use crate::wall::wall_now;
use crate::{looks, view};

pub use authors::AuthorKey;
pub use carry::{Held, Imported, Wanted};
pub(crate) use errands::WeakNode;
pub use figures::{Bound, Discouraged, Figures};
pub use files::SaveError;
pub use letters::Mail;
pub use start::StartError;
pub use values::{Boosted, Followed, Following};

/// A running node. Clones share it; it stops when told to, or when the last handle goes.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    id: NodeId,
    network: Arc<Network>,
    max_work_bits: u8,
    prices: Posted<bruit_core::floor::Asking>,
    keyring: Arc<Keyring>,
    /// One guess at a passphrase at a time: each takes 64 MiB.
    guesses: tokio::sync::Mutex<()>,
    data: Option<DataFolder>,
    listen: Vec<SocketAddr>,
    addresses: Addresses,
    moments: Moments,
    started: Instant,
    started_wall: Wall,
    hub: Hub,
    store: Store,
    chunk_news: watch::Receiver<u64>,
    listeners: Arc<Mutex<BTreeMap<u8, FrameListener>>>,
    orders: mpsc::Sender<Order>,
    key: SecretKey,
    letters: Letters,
    couriers: Couriers,
    scout: Scout,
    shares_topology: bool,
    /// When the node started, in microseconds since 1970.
    epoch_us: u64,
    /// What bounds the engine's tables.
    bounds: bruit_core::config::Config,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.inner.id)
            .field("listen", &self.inner.listen)
            .finish_non_exhaustive()
    }
}

impl Node {
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

    /// The network's name.
    pub fn network(&self) -> &str {
        self.inner.network.name()
    }

    // Bulletins.

    /// Delivers the bulletins of `topics`, beginning at `from`: each once, in the order of arrival.
    ///
    /// # Errors
    /// When the cursor is none, or too many topics have subscribers.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Draft, From, Incoming, Node, Topics};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let node = Node::spawn(Config { listen, price: 0, ..Config::default() }).await?;
    /// node.publish(Draft::new("news", "held already")).await?;
    /// let topics = Topics::Named(vec!["news".into()]);
    /// let mut news = node.subscribe(topics.clone(), From::Since(Duration::from_secs(3_600)))?;
    /// match news.next().await {
    ///     Some(Incoming::Bulletin(bulletin)) => {
    ///         assert_eq!(&bulletin.body[..], b"held already");
    ///         // A later subscription goes on from here.
    ///         let cursor = bulletin.cursor();
    ///         node.subscribe(topics, From::Cursor(cursor))?;
    ///     }
    ///     Some(Incoming::Gap { missed }) => println!("too slow for {missed}"),
    ///     None => println!("the node has stopped"),
    /// }
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers make both on the spot"
    )]
    pub fn subscribe(&self, topics: Topics, from: From) -> Result<Subscription, SubscribeError> {
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
    /// # Examples
    /// ```
    /// # use bruit::{Config, Node};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let local = Config { listen: Some("127.0.0.1:0".parse()?), price: 0, ..Config::default() };
    /// # let alice = Node::spawn(local.clone()).await?;
    /// # let bob = Node::spawn(local).await?;
    /// const GREETING: u8 = 200;
    /// let (sender, mut greetings) = tokio::sync::mpsc::unbounded_channel();
    /// bob.on_frame(GREETING, move |from, _kind, body| {
    ///     sender.send((from, body)).ok();
    /// });
    /// alice.join(vec![bob.address().unwrap()], Duration::from_secs(10)).await;
    /// alice.send_frame(bob.id(), GREETING, "hello".into())?;
    /// let (from, body) = greetings.recv().await.unwrap();
    /// assert_eq!((from, &body[..]), (alice.id(), &b"hello"[..]));
    /// # alice.shutdown().await;
    /// # bob.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
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
    /// Lost when there is no link. [`on_frame`](Self::on_frame) has an example.
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
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Node};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let local = Config { listen: Some("127.0.0.1:0".parse()?), ..Config::default() };
    /// # let alice = Node::spawn(local.clone()).await?;
    /// # let bob = Node::spawn(local).await?;
    /// let joined = alice.join(vec![bob.address().unwrap()], Duration::from_secs(10)).await;
    /// assert_eq!(joined, [(bob.id(), true)]);
    /// assert_eq!(alice.peers(false).await[0].id, bob.id());
    /// assert!(alice.members().await.iter().any(|member| member.id == bob.id()));
    /// assert_eq!(alice.status().await.unwrap().links.outbound, 1);
    /// assert!(alice.unlink(bob.id()).await);
    /// # alice.shutdown().await;
    /// # bob.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Resolves and visits the seeds of the configuration without holding up the start; names that do not
    /// resolve are tried again.
    fn visit_in_background(&self, specs: Vec<PeerSpec>) {
        if specs.is_empty() {
            return;
        }
        let orders = self.inner.orders.downgrade();
        tokio::spawn(async move {
            let mut pause = Duration::from_secs(1);
            loop {
                let seeds = futures_util::future::join_all(specs.iter().map(resolve)).await;
                let unresolved = seeds.iter().filter(|seed| seed.addresses.is_empty());
                let is_done = unresolved
                    .inspect(|seed| warn!(seed = %seed.id, "cannot resolve the address of a seed"))
                    .count()
                    == 0;
                let Some(orders) = orders.upgrade() else {
                    return;
                };
                let order = Order::Engine(Command::Seeds(seeds));
                if orders.send(order).await.is_err() || is_done {
                    return;
                }
                drop(orders);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_mins(5));
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

    /// The registries this node has to do with: what it keeps, if it is one, and those of its list. None
    /// once it has stopped.
    pub async fn seeds(&self) -> Option<view::Seeds> {
        self.look(looks::seeds).await
    }

    /// The topics with a subscriber here.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, From, Node, Topics};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// # let node = Node::spawn(Config { listen, ..Config::default() }).await?;
    /// let news = node.subscribe(Topics::Named(vec!["news".into()]), From::Now)?;
    /// assert_eq!(node.topics().await[0].topic, "news");
    /// drop(news);
    /// assert!(node.topics().await.is_empty());
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
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
        self.inner.couriers.close();
        self.inner.letters.stop().await;
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

    pub(crate) async fn look<T: Send + 'static>(
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
    pub(crate) async fn order(&self, order: Order) -> bool {
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
