//! The configuration of an engine: one struct per room, checked once.

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::{
    broadcast, floor, intake, inventory, large, liveness, lookups, membership, outbox, reconcile,
    reputation, seeds,
};

/// Everything an engine can be told. [`Config::validate`] makes of it what an engine takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    /// Whose network.
    pub network: Network,
    /// Whether neighbours are asked to tell what they have synced. Costs a small frame per bulletin
    /// published here; without it nobody can wait for `spread`. Default yes.
    pub wants_kept: bool,
    /// Links and the address book.
    pub membership: membership::Config,
    /// Probes and suspicion.
    pub liveness: liveness::Config,
    /// Trees and repair.
    pub broadcast: broadcast::Config,
    /// Large contents.
    pub large: large::Config,
    /// Set reconciliation.
    pub reconcile: reconcile::Config,
    /// What is held.
    pub inventory: inventory::Config,
    /// Questions for what is not held.
    pub lookups: lookups::Config,
    /// Checks of what arrives.
    pub intake: intake::Config,
    /// Send queues.
    pub outbox: outbox::Config,
    /// How peers are held to account.
    pub reputation: reputation::Config,
    /// The local price floor.
    pub floor: floor::Config,
    /// Registries of newcomers.
    pub seeds: seeds::Config,
}

impl Config {
    /// The defaults, for `network`.
    pub fn new(network: Network) -> Self {
        Self {
            network,
            wants_kept: true,
            membership: membership::Config::default(),
            liveness: liveness::Config::default(),
            broadcast: broadcast::Config::default(),
            large: large::Config::default(),
            reconcile: reconcile::Config::default(),
            inventory: inventory::Config::default(),
            lookups: lookups::Config::default(),
            intake: intake::Config::default(),
            outbox: outbox::Config::default(),
            reputation: reputation::Config::default(),
            floor: floor::Config::default(),
            seeds: seeds::Config::default(),
        }
    }

    /// Checks every room's configuration.
    ///
    /// # Errors
    /// Names the first setting out of its range.
    pub fn validate(self) -> Result<ValidConfig, ConfigError> {
        self.membership.validate()?;
        self.liveness.validate()?;
        self.seeds.validate()?;
        Ok(ValidConfig(self))
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting of membership.
    #[error("membership: {0}")]
    Membership(#[from] membership::ConfigError),
    /// A setting of liveness.
    #[error("liveness: {0}")]
    Liveness(#[from] liveness::ConfigError),
    /// A setting of reconciliation.
    #[error("reconciliation: {0}")]
    Reconcile(#[from] reconcile::TooManyTopics),
    /// A setting of seeds.
    #[error("seeds: {0}")]
    Seeds(#[from] seeds::ConfigError),
}

/// A configuration that was checked.
#[derive(Debug, Clone)]
pub struct ValidConfig(Config);

impl ValidConfig {
    /// The settings.
    pub fn into_inner(self) -> Config {
        self.0
    }
}
