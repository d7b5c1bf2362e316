//! Starting a node: keys and store are opened, the transport listens, the driver begins.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bruit_core::config::{ConfigError, ValidConfig};
use bruit_core::engine::Engine;
use bruit_core::event::{Event, Restored, RestoredFile, RestoredId};
use bruit_core::id::NodeId;
use bruit_core::identity::SecretKey;
use bruit_core::journal::Origin;
use bruit_core::time::{Mono, Now, Wall};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::access::ParseAccessError;
use crate::config::{Config, DEFAULT_PORT, Profile};
use crate::discovery::{self, Own};
use crate::driver::{BOOK, Driver, FrameListener, HORIZON, State};
use crate::hub::Hub;
use crate::keyring::Keyring;
use crate::keys::{DEFAULT_AUTHOR, DataFolder, KeyError, KeyName, Secret};
use crate::letters::{Cabinet, Clerk, Contacts, Couriers, Desk, Letters};
use crate::moments::Moments;
use crate::networks::{self, STORE_FILE};
use crate::posted::Posted;
use crate::publishing::Publishing;
use crate::reach::{self, Addresses};
use crate::recorder::Recorder;
use crate::sharing::{FRAME_KIND, Post, Scout, Scouting};
use crate::store::{Place, Recovered, Store, StoreError, StoreEvent, StoreOptions};
use crate::transport::{BindError, IrohConfig, IrohTransport, Transport};
use crate::values::VALUES_TOPIC;
use crate::verify::Verifier;
use crate::wall::{micros_now, wall_now};

use super::errands::secret_rng;
use super::{Inner, Node};

/// Orders to the driver that may wait.
const ORDERS_MAX: usize = 4_096;
/// Ports tried after the default one.
const PORTS_TRIED: u16 = 100;
/// How long a port that was asked for may be taken, and how often is looked.
const PORT_PATIENCE: Duration = Duration::from_secs(1);
const PORT_PAUSE: Duration = Duration::from_millis(50);

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
    /// The recording cannot be begun.
    #[error("a recording cannot be written to {}: {error}", path.display())]
    Record {
        /// Where to.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// What a node works with, opened and checked.
struct Parts {
    key: Secret,
    keyring: Keyring,
    clerk: Option<(Clerk, Letters)>,
    data: Option<DataFolder>,
    store: Store,
    recovered: Recovered,
    store_events: mpsc::UnboundedReceiver<StoreEvent>,
}

/// Where the events of a store go.
type Sink = Box<dyn Fn(StoreEvent) + Send + Sync>;

impl Parts {
    fn open(config: &Config) -> Result<Self, StartError> {
        let place = match &config.data {
            Some(folder) => Place::Folder(folder.clone()),
            None => Place::Ephemeral,
        };
        Self::open_with(config, |options, sink| Store::open(&place, options, sink))
    }

    fn open_with(
        config: &Config,
        open: impl FnOnce(StoreOptions, Sink) -> Result<(Store, Recovered), StoreError>,
    ) -> Result<Self, StartError> {
        let data = config.data.as_ref().map(DataFolder::open).transpose()?;
        let (sender, store_events) = mpsc::unbounded_channel();
        let keeps = config.data.is_some();
        let network = config.network();
        let file = data
            .as_ref()
            .map(|data| networks::store_file(data.path(), &network));
        let options = StoreOptions {
            network: Some(*network.id()),
            file: file.unwrap_or_else(|| STORE_FILE.to_owned()),
            ..StoreOptions::default()
        };
        let sink = move |event| {
            // What is in memory alone is not stored: that word would wake the driver for nothing.
            if keeps || !matches!(event, StoreEvent::Synced { .. }) {
                // The driver is gone when the node has stopped.
                sender.send(event).ok();
            }
        };
        let (store, recovered) = open(options, Box::new(sink))?;
        let keyring = Keyring::default();
        let (key, author) = match &data {
            Some(data) => {
                let key = data.secret(&KeyName::Node, config.passphrase.as_ref())?;
                (key, unlocked(data.author(DEFAULT_AUTHOR))?)
            }
            None => (Secret::random()?, Some(Secret::random()?)),
        };
        if let Some(author) = author {
            keyring.keep(DEFAULT_AUTHOR, SecretKey::from_seed(author.expose()));
        }
        let clerk = clerk(config, data.as_ref(), key.node_id())?;
        Ok(Self {
            key,
            keyring,
            clerk: Some(clerk),
            data,
            store,
            recovered,
            store_events,
        })
    }
}

impl Node {
    /// Starts a node: opens its keys and store, listens, and begins to link.
    ///
    /// # Errors
    /// Says what keeps it from starting; nothing existing is overwritten.
    ///
    /// # Examples
    /// ```
    /// use bruit::{Config, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config { listen: Some("127.0.0.1:0".parse()?), ..Config::default() };
    /// let node = Node::spawn(config).await?;
    /// println!("others reach it at {}", node.address().unwrap());
    /// node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn(config: Config) -> Result<Self, StartError> {
        let mut parts = Parts::open(&config)?;
        let transport = bind(config.listen, &parts.key).await?;
        let node = Self::start(&config, &mut parts, Box::new(transport))?;
        node.visit_in_background(config.seeds.clone());
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
        node.visit_in_background(config.seeds.clone());
        node.join_in_background(config.join.clone());
        Ok(node)
    }

    fn start(
        config: &Config,
        parts: &mut Parts,
        transport: Box<dyn Transport>,
    ) -> Result<Self, StartError> {
        Self::start_with(config, config.core()?, parts, transport)
    }

    /// Starts a node whose engine is told `core`.
    fn start_with(
        config: &Config,
        core: ValidConfig,
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
        // Values that came before anybody here put one are shown under their topic's name all the same.
        hub.keep_descriptor(VALUES_TOPIC);
        let id = parts.key.node_id();
        let prices = Posted::default();
        let (chunk_sender, chunk_news) = watch::channel(0);
        let listeners = Arc::<Mutex<BTreeMap<u8, FrameListener>>>::default();
        let (started, epoch_us) = (Instant::now(), micros_now());
        let (scout, scouting) = Scout::new(Post {
            me: id,
            shares: config.shares_topology(),
            epoch_us,
        });
        let listen = reach::best_first(transport.addresses());
        let addresses = Addresses::default();
        addresses.set(listen.clone());
        let keeps = config.data.is_some();
        let seed = random()?;
        let bounds = core.clone().into_inner();
        let mut driver = Driver {
            engine: Engine::new(id, core.clone(), seed),
            key: SecretKey::from_seed(parts.key.expose()),
            transport,
            store: parts.store.clone(),
            hub: hub.clone(),
            access: config.access()?,
            verifier: Verifier::new(random()?),
            publishing: Publishing::new(keeps),
            chunk_news: chunk_sender,
            listeners: Arc::clone(&listeners),
            orders: order_receiver,
            asking,
            store_events: std::mem::replace(&mut parts.store_events, empty),
            prices: prices.clone(),
            addresses: addresses.clone(),
            started,
            recorder: None,
            is_telling: config.profile == Profile::Assignment,
            state: State::default(),
        };
        if let Some(mended) = parts.recovered.mended.take() {
            driver.note_mended(mended);
        }
        // The last that may fail, so that no file is left behind by a node that does not start.
        driver.recorder = recorder(
            config,
            Origin {
                program: env!("CARGO_PKG_VERSION").to_owned(),
                me: id,
                config: core.into_inner(),
                seed,
            },
        )?;
        let now = Now {
            mono: Mono::ZERO,
            wall: wall_now(),
        };
        driver.feed(Event::Restored(Box::new(restored(&parts.recovered))), now);
        tokio::spawn(driver.run());
        let (clerk, letters) = parts.clerk.take().expect("a node is started once");
        let inner = Inner {
            id,
            network,
            max_work_bits: config.max_work_bits,
            prices,
            keyring: Arc::new(std::mem::take(&mut parts.keyring)),
            guesses: tokio::sync::Mutex::default(),
            data: parts.data.take(),
            listen,
            addresses,
            moments: Moments::default(),
            started,
            started_wall: now.wall,
            hub,
            store: parts.store.clone(),
            chunk_news,
            listeners,
            orders,
            key: SecretKey::from_seed(parts.key.expose()),
            letters,
            couriers: Couriers::default(),
            scout,
            shares_topology: config.shares_topology(),
            epoch_us,
            bounds,
        };
        let node = Self {
            inner: Arc::new(inner),
        };
        node.attend(clerk, scouting, config.discover);
        Ok(node)
    }

    /// Sets to work what stands beside the driver.
    fn attend(&self, clerk: Clerk, scouting: Scouting, discovers: bool) {
        tokio::spawn(clerk.run(self.downgrade(), self.inner.hub.tap()));
        let scout = self.inner.scout.clone();
        self.on_frame(FRAME_KIND, move |peer, _, body| scout.frame(peer, body));
        tokio::spawn(scouting.run(self.downgrade()));
        if discovers {
            let own = Own {
                id: self.inner.id,
                network: *self.inner.network.id(),
                listen: self.listen(),
            };
            discovery::start(self.downgrade(), own);
        }
    }
}

/// The clerk of letters, with what was kept.
fn clerk(
    config: &Config,
    data: Option<&DataFolder>,
    id: NodeId,
) -> Result<(Clerk, Letters), StartError> {
    let folder = data.map(DataFolder::path);
    let (cabinet, records) = Cabinet::open(folder)?;
    let secret = match data {
        Some(data) => data.letter_key()?,
        None => Secret::random()?,
    };
    let mut rng = secret_rng().map_err(StartError::Random)?;
    let network = Arc::new(config.network());
    let (me, rules) = (id.as_author(), config.letters());
    let mut desk = Desk::new(me, *secret.expose(), network, rules, records);
    desk.add_identity(me, wall_now(), &mut rng);
    Ok(Clerk::new(desk, Contacts::new(folder), cabinet, rng))
}

fn recorder(config: &Config, origin: Origin) -> Result<Option<Recorder>, StartError> {
    let Some(path) = &config.record else {
        return Ok(None);
    };
    let recorder = Recorder::create(path, origin).map_err(|error| StartError::Record {
        path: path.clone(),
        error,
    })?;
    Ok(Some(recorder))
}

/// A key that is locked keeps no node from starting: it is unlocked when it is to sign.
fn unlocked(key: Result<Secret, KeyError>) -> Result<Option<Secret>, KeyError> {
    match key {
        Err(KeyError::Locked { .. }) => Ok(None),
        key => key.map(Some),
    }
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(StartError::Random)?;
    Ok(bytes)
}

/// Listens where the configuration says, or at the default port or the next free one.
async fn bind(listen: Option<SocketAddr>, key: &Secret) -> Result<IrohTransport, StartError> {
    let bind_to = |address| {
        IrohTransport::bind(IrohConfig {
            secret_key: *key.expose(),
            listen: vec![address],
        })
    };
    if let Some(address) = listen {
        let began = Instant::now();
        loop {
            match bind_to(address).await {
                // Whoever ran here before may be about to let go of it.
                Err(BindError::PortTaken { .. }) if began.elapsed() < PORT_PATIENCE => {
                    sleep(PORT_PAUSE).await;
                }
                bound => return Ok(bound?),
            }
        }
    }
    let mut port = DEFAULT_PORT;
    loop {
        let any = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        match bind_to(any).await {
            Err(BindError::PortTaken { .. }) if port < DEFAULT_PORT + PORTS_TRIED => port += 1,
            bound => return Ok(bound?),
        }
    }
}

/// What an earlier run left, for the engine.
fn restored(recovered: &Recovered) -> Restored {
    let seen = recovered.seen.iter().map(|known| RestoredId {
        id: known.id,
        topic: known.held.map(|held| held.topic),
        created: known.created,
        expires: known.expires,
        held: known.held.map(|held| (held.size, held.stamp_bits)),
        version: known.version,
    });
    let horizon = recovered
        .meta
        .get(HORIZON)
        .and_then(|bytes| bytes.as_slice().try_into().ok());
    let files = recovered.files.iter().map(|file| RestoredFile {
        id: file.id,
        manifest: file.manifest,
        have: file.have.to_bytes(),
    });
    Restored {
        files: files.collect(),
        seen: seen.collect(),
        address_book: recovered.meta.get(BOOK).cloned().unwrap_or_default().into(),
        horizon: Wall::from_millis(horizon.map_or(0, u64::from_be_bytes)),
    }
}

#[cfg(test)]
mod crowd;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::{Draft, PublishError, Wait};
    use crate::hub::{From, Incoming, Topics};
    use crate::store::faults::Faulty;
    use crate::subscription::Subscription;
    use crate::transport::MemoryNetwork;

    /// Longest wait for what must come.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn config(join: &[&Node]) -> Config {
        let join = join.iter().map(|node| node.address().expect("it listens"));
        Config {
            price: 0,
            join: join.collect(),
            static_peers: true,
            ..Config::default()
        }
    }

    fn news(node: &Node) -> Subscription {
        let topics = Topics::Named(vec!["news".into()]);
        node.subscribe(topics, From::Now).expect("no cursor")
    }

    async fn next(subscription: &mut Subscription) -> bytes::Bytes {
        match tokio::time::timeout(PATIENCE, subscription.next()).await {
            Ok(Some(Incoming::Bulletin(received))) => received.body,
            other => panic!("{other:?}"),
        }
    }

    async fn linked(node: &Node, links: usize) {
        let began = Instant::now();
        while node.peers(false).await.len() < links {
            assert!(began.elapsed() < PATIENCE, "{links} links");
            sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[expect(
        clippy::await_holding_lock,
        reason = "the lock is what makes the disk slow, and no task waits for it"
    )]
    async fn a_node_whose_disk_was_slow_for_a_moment_does_not_warn_for_ever() {
        let (network, faulty) = (MemoryNetwork::new(), Faulty::created());
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config {
            data: Some(folder.path().to_owned()),
            ..config(&[])
        };
        let mut parts = Parts::open_with(&config, |options, sink| {
            let options = StoreOptions {
                pending_bytes_max: 4_096,
                ..options
            };
            Store::open_faulty(&faulty, options, sink)
        })
        .expect("it opens");
        let transport = Box::new(network.join(parts.key.node_id()));
        let node = Node::start(&config, &mut parts, transport).expect("it starts");
        let warnings = async || node.status().await.expect("it runs").warnings;

        let held = faulty.hold_syncs();
        for number in 0..32 {
            let draft = Draft::new("news", vec![number; 500]);
            node.publish(draft).await.expect("it is out");
        }
        let slow = warnings().await;
        assert_eq!(slow.len(), 1, "{slow:?}");
        assert!(slow[0].text.contains("not kept"), "{slow:?}");
        drop(held);
        let began = Instant::now();
        while !warnings().await.is_empty() {
            assert!(began.elapsed() < PATIENCE, "it warns on");
            sleep(Duration::from_millis(10)).await;
        }
        node.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_node_whose_disk_fails_once_says_so_and_relays_on() {
        let (network, faulty) = (MemoryNetwork::new(), Faulty::created());
        let folder = tempfile::tempdir().expect("a folder");
        let config_of_middle = Config {
            data: Some(folder.path().to_owned()),
            ..config(&[])
        };
        let mut parts = Parts::open_with(&config_of_middle, |options, sink| {
            Store::open_faulty(&faulty, options, sink)
        })
        .expect("it opens");
        let transport = Box::new(network.join(parts.key.node_id()));
        let middle = Node::start(&config_of_middle, &mut parts, transport).expect("it starts");
        let end = || {
            Node::spawn_on(&config(&[&middle]), |id| Box::new(network.join(id))).expect("it starts")
        };
        let (left, right) = (end(), end());
        linked(&middle, 2).await;
        let mut subscription = news(&right);
        let stored = |body: &'static str| Draft::new("news", body).wait(Wait::Stored);

        middle
            .publish(stored("before"))
            .await
            .expect("the disk is sound");
        assert_eq!(next(&mut subscription).await, "before");
        faulty.fail_next_sync();
        let refused = middle.publish(stored("during")).await;
        assert!(
            matches!(refused, Err(PublishError::Store { .. })),
            "{refused:?}"
        );
        assert_eq!(next(&mut subscription).await, "during");
        let refused = middle.publish(stored("after")).await;
        assert!(
            matches!(refused, Err(PublishError::Store { .. })),
            "{refused:?}"
        );
        assert_eq!(next(&mut subscription).await, "after");
        left.publish(Draft::new("news", "through"))
            .await
            .expect("it has a link");
        assert_eq!(next(&mut subscription).await, "through");

        let status = middle.status().await.expect("it runs");
        let warning = status.warnings.first().expect("a warning");
        assert!(warning.text.contains("not kept"), "{}", warning.text);
        for node in [left, middle, right] {
            node.shutdown().await;
        }
    }
}
