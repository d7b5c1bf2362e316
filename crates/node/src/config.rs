//! What a node can be told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bruit_core::config::{Config as CoreConfig, ConfigError, ValidConfig};
use bruit_core::id::{NodeId, TopicId};
use bruit_core::limits;
use bruit_core::network::Network;
use bruit_core::work::Price;
use bruit_core::{broadcast, membership, outbox, reconcile, seeds};
use serde::{Deserialize, Serialize};

use crate::access::{Access, ParseAccessError};
use crate::address::PeerSpec;
use crate::keys::Passphrase;
use crate::letters::{Acknowledge, Rules};

/// The port tried first when no address to listen on is given.
pub const DEFAULT_PORT: u16 = 7447;

/// How often system 004 asks a neighbour whether it is there.
pub(crate) const ASSIGNMENT_PROBE_EVERY: Duration = Duration::from_secs(13);
/// Answers missed in a row after which it takes a neighbour for dead.
const ASSIGNMENT_PROBE_MISSES: u32 = 3;

/// What a node can be told. Every field has a default that suits a node on the internet.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where keys, store and address book are kept. None: nowhere, the node is new each time.
    pub data: Option<PathBuf>,
    /// What opens the node's key, where that is under a passphrase.
    pub passphrase: Option<Passphrase>,
    /// Where to listen. None: `[::]:7447`, or the next free port. A given port that is taken is an
    /// error; port 0 takes any.
    pub listen: Option<SocketAddr>,
    /// Nodes to link to from the start.
    pub join: Vec<PeerSpec>,
    /// Registries of nodes to register with and to ask for others, at most 16. None of them is relied on:
    /// a node is found by two, and the network goes on without any.
    pub seeds: Vec<PeerSpec>,
    /// Whether nodes are looked for on the local network, by multicast packets.
    pub discover: bool,
    /// Whether this node is such a registry.
    pub is_seed: bool,
    /// The network's name. Nodes of other names are strangers. Default `main`.
    pub network: String,
    /// The network's secret, if it is private.
    pub secret: Option<Vec<u8>>,
    /// The network's price: expected trials per weighted byte. 0 switches pricing off. Default 128.
    pub price: u32,
    /// Most bits of work this node does for one bulletin. Default 26: a minute of a core.
    pub max_work_bits: u8,
    /// The rules for a kind of network.
    pub profile: Profile,
    /// How often a silent neighbour is asked whether it is there. None: every 5 s, in the profile
    /// `assignment` every 13 s.
    pub probe_every: Option<Duration>,
    /// Answers missed in a row after which others are asked about a neighbour. None: 1, in the profile
    /// `assignment` 3.
    pub probe_misses: Option<u32>,
    /// Link only to the nodes of `join`, not to those they tell of.
    pub static_peers: bool,
    /// Whether links and the ways of bulletins are told to those who share theirs: everybody of the network
    /// can then see who is linked to whom and where a bulletin came from. None: in the profiles `lan`, `local`
    /// and `assignment` only.
    pub share_topology: Option<bool>,
    /// The only topics this node catches up on, at most 16: for a node with little room, or one that is seldom
    /// there. Bulletins of other topics, and letters, come only while it is there to be told of them, and it
    /// relays them like all. Empty: it catches up on everything.
    pub sync_topics: Vec<String>,
    /// Most bytes of bulletins kept. Default 1 GiB.
    pub store_limit_bytes: u64,
    /// Only these nodes or networks may link: ids or address ranges. Empty: all.
    pub allow: Vec<String>,
    /// These may not.
    pub deny: Vec<String>,
    /// Whose letters are acknowledged. None: everybody's in the profiles `lan`, `local` and `assignment`,
    /// those of contacts in `wan`, where an acknowledgement tells strangers when this node is there.
    pub acknowledge: Option<Acknowledge>,
    /// Within which time an acknowledgement is published, at a moment drawn evenly: longer hides better
    /// which letter it answers. None: 10 minutes in the profile `wan`, 1 s in the others.
    pub acknowledge_within: Option<Duration>,
    /// Record everything the engine is told in this new file, for `bruit sim replay`. It grows with all
    /// that comes over links, and holds it: its owner alone may read it. None: nothing is recorded.
    pub record: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: None,
            passphrase: None,
            listen: None,
            join: Vec::new(),
            seeds: Vec::new(),
            discover: false,
            is_seed: false,
            network: "main".to_owned(),
            secret: None,
            price: Price::DEFAULT.get(),
            max_work_bits: 26,
            profile: Profile::Wan,
            probe_every: None,
            probe_misses: None,
            static_peers: false,
            share_topology: None,
            sync_topics: Vec::new(),
            store_limit_bytes: 1 << 30,
            allow: Vec::new(),
            deny: Vec::new(),
            acknowledge: None,
            acknowledge_within: None,
            record: None,
        }
    }
}

/// Rules for a kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The internet: full rules.
    #[default]
    Wan,
    /// One site: no group limits for private addresses.
    Lan,
    /// One machine, many nodes: small buffers and quick timers as well.
    Local,
    /// System 004's timing: a probe every 13 s, three misses.
    Assignment,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 4] = [Self::Wan, Self::Lan, Self::Local, Self::Assignment];

    /// The word in configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wan => "wan",
            Self::Lan => "lan",
            Self::Local => "local",
            Self::Assignment => "assignment",
        }
    }
}

impl Config {
    /// The network these settings mean.
    pub fn network(&self) -> Network {
        Network::new(
            &self.network,
            Price::new(self.price),
            self.secret.as_deref(),
        )
    }

    /// Who may link.
    ///
    /// # Errors
    /// Names the entry that is neither an id nor an address range.
    pub fn access(&self) -> Result<Access, ParseAccessError> {
        Access::parse(&self.allow, &self.deny)
    }

    /// How letters are dealt with.
    pub(crate) fn shares_topology(&self) -> bool {
        self.share_topology.unwrap_or(self.profile != Profile::Wan)
    }

    pub(crate) fn letters(&self) -> Rules {
        let is_wan = self.profile == Profile::Wan;
        Rules {
            acknowledge: self.acknowledge.unwrap_or(if is_wan {
                Acknowledge::Contacts
            } else {
                Acknowledge::Everyone
            }),
            within: self.acknowledge_within.unwrap_or(if is_wan {
                Duration::from_mins(10)
            } else {
                Duration::from_secs(1)
            }),
            // One that is new each time is not written to for long: a day costs a sixteenth of the work.
            box_life: if self.data.is_some() {
                limits::TTL_MAX
            } else {
                Duration::from_hours(24)
            },
        }
    }

    /// The engine's part of the settings.
    ///
    /// # Errors
    /// Names the first setting out of its range.
    pub fn core(&self) -> Result<ValidConfig, ConfigError> {
        let mut core = CoreConfig::new(self.network());
        core.inventory.store_limit_bytes = self.store_limit_bytes;
        match self.profile {
            Profile::Wan => {}
            Profile::Lan => core.membership.private_exempt = true,
            Profile::Local => {
                core.membership = membership::Config::local();
                core.seeds = seeds::Config::local();
                core.broadcast = broadcast::Config {
                    recent_bytes_max: 4 << 20,
                    ..broadcast::Config::default()
                };
                core.outbox = outbox::Config {
                    total_bytes_max: 16 << 20,
                    ..outbox::Config::default()
                };
                core.reconcile = reconcile::Config {
                    interval: Duration::from_secs(10),
                    ..reconcile::Config::default()
                };
            }
            Profile::Assignment => {
                core.membership.private_exempt = true;
                core.liveness.idle = ASSIGNMENT_PROBE_EVERY;
                core.liveness.misses = ASSIGNMENT_PROBE_MISSES;
                core.liveness.suspicion_min = Duration::from_secs(1);
                core.liveness.suspicion_max = Duration::from_secs(2);
            }
        }
        let topics = self.sync_topics.iter().map(|topic| TopicId::of(topic));
        core.reconcile.topics = reconcile::Topics::new(topics.collect())?;
        core.seeds.registry = self.is_seed;
        if let Some(every) = self.probe_every {
            core.liveness.idle = every;
        }
        if let Some(misses) = self.probe_misses {
            core.liveness.misses = misses;
        }
        if self.profile == Profile::Assignment {
            // It asks at its pace whatever was missed.
            core.liveness.miss_pause = core.liveness.idle;
        }
        if self.static_peers {
            core.membership.only =
                Some(self.join.iter().map(PeerSpec::id).collect::<Vec<NodeId>>());
        }
        core.validate()
    }
}
