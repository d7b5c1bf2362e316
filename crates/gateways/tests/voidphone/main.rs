//! `VoidPhone` modules and peers on real nodes, spoken to by a client that knows nothing of our codec:
//! raw sockets and bytes laid out by hand.

#![expect(
    clippy::unwrap_used,
    reason = "what helps tests fails like them: its failure is read by us"
)]

mod faults;
mod modules;
mod peers;
mod raw;
mod strangers;

use std::sync::Arc;
use std::time::Duration;

use bruit::{Config as NodeConfig, Node, Profile};
use bruit_gateways::Running;
use bruit_gateways::voidphone::{self, Config};
use raw::Raw;

/// Longest time anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing has to come for us to believe that nothing comes.
pub(crate) const SILENCE: Duration = Duration::from_millis(400);

/// A seed whose first puzzle has a solution among the first 5,000 challenges, by the code's rule.
const QUICK_SEED: [u8; 32] = {
    let mut seed = [0; 32];
    (seed[0], seed[1]) = (1, 129);
    seed
};
/// The same by the documents' rule, among the first 30,000.
pub(crate) const QUICK_SEED_ZEROS: [u8; 32] = [166; 32];

/// A node and its gateway.
pub(crate) struct Station {
    pub(crate) node: Node,
    pub(crate) gateway: Running,
}

impl Station {
    /// Starts a gateway with `config` on a node that joins those of `others`.
    pub(crate) async fn start(config: Config, others: &[&Self], is_end: bool) -> Self {
        Self::start_seeded(config, others, is_end, QUICK_SEED).await
    }

    /// The same with the choices of `seed`: the first puzzle it gives follows from that.
    pub(crate) async fn start_seeded(
        config: Config,
        others: &[&Self],
        is_end: bool,
        seed: [u8; 32],
    ) -> Self {
        let node_config = NodeConfig {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            price: 0,
            profile: Profile::Local,
            join: others
                .iter()
                .map(|other| other.node.address().unwrap())
                .collect(),
            static_peers: is_end,
            ..NodeConfig::default()
        };
        let node = Node::spawn(node_config).await.unwrap();
        let gateway = voidphone::start_with_seed(Arc::new(node.clone()), config, seed)
            .await
            .unwrap();
        let station = Self { node, gateway };
        for other in others {
            station.links_to(other).await;
        }
        station
    }

    async fn links_to(&self, other: &Self) {
        let linked = async {
            while !self
                .node
                .peers(false)
                .await
                .iter()
                .any(|peer| peer.id == other.node.id())
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, linked)
            .await
            .expect("the nodes link");
    }

    /// A module of this station.
    pub(crate) async fn module(&self) -> Raw {
        Raw::connect(self.gateway.listen()[0]).await
    }

    /// A module that subscribed to `data_type`, with the node listening.
    pub(crate) async fn subscriber(&self, data_type: u16) -> Raw {
        let before = self.gateway.counters().get("subscribed");
        let mut module = self.module().await;
        module.notify(data_type).await;
        // The node may have listened before, for another module.
        self.counts("subscribed", before + 1).await;
        if self.gateway.listen().len() > 1 {
            // With peers everything is heard anyway, and a validator is not seen from outside.
            tokio::time::sleep(Duration::from_millis(100)).await;
            return module;
        }
        let topic = format!("voidphone/{data_type}");
        let listening = async {
            while !self
                .node
                .topics()
                .await
                .iter()
                .any(|known| known.topic == topic && known.subscribers > 0)
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, listening)
            .await
            .expect("the node listens");
        module
    }

    /// Waits until the gateway has counted `count` of `event`.
    pub(crate) async fn counts(&self, event: &str, count: u64) {
        let counted = async {
            while self.gateway.counters().get(event) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let counters = self.gateway.counters();
        let told = tokio::time::timeout(PATIENCE, counted).await;
        told.unwrap_or_else(|_| panic!("{count} of {event}: {:?}", counters.all()));
    }
}

/// A gateway without peers on any port, whose modules have `validation` to vote.
pub(crate) fn config(validation: Duration) -> Config {
    Config {
        api: "127.0.0.1:0".into(),
        validation,
        ..Config::default()
    }
}

/// Three stations in a row: the ends hear each other through the middle alone.
pub(crate) async fn row(config: &Config) -> [Station; 3] {
    let middle = Station::start(config.clone(), &[], false).await;
    let first = Station::start(config.clone(), &[&middle], true).await;
    let last = Station::start(config.clone(), &[&middle], true).await;
    [first, middle, last]
}
