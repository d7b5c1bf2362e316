//! `bruit gateway p2p-messaging`: its flags, which are the keys of `[gateways.p2p-messaging]`, and the original's
//! file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bruit_api::text;
use bruit_gateways::p2p_messaging::config::{self, Config};
use bruit_gateways::p2p_messaging::socket;
use bruit_gateways::{Inside, Running};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::{HERE, addresses, duration, number};
use crate::failure::Failure;

/// Be a peer of the exercise of messages with seeds, or its seeds. Its messages are bulletins on the topic
/// p2p-messaging; a bulletin there is its next number, and the text stays in bruit.
#[derive(Debug, Clone, Args, Deserialize)]
#[command(
    after_help = "Examples:\n  bruit gateway p2p-messaging -c config.json\n  bruit gateway p2p-messaging -c config.json --role seed\n  \
                        bruit gateway p2p-messaging --join 127.0.0.1:6101 127.0.0.1:6102 --listen 127.0.0.1:8200\n\n\
                        It writes output_PORT.txt, and output_seed.txt, in the data folder."
)]
pub(crate) struct P2pMessaging {
    /// The original's file of seeds
    #[arg(short, long, value_name = "FILE.json", conflicts_with = "join")]
    config: Option<PathBuf>,
    /// As what it stands in the network
    #[arg(long, value_name = "ROLE", value_enum, default_value_t = Role::Peer)]
    role: Role,
    /// Where a peer listens; port 0 is any
    #[arg(long, value_name = "ADDR", default_value_t = HERE)]
    listen: SocketAddr,
    /// The seeds
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    join: Vec<String>,
    /// Numbers it says on its own; 0 for none
    #[arg(long, value_name = "N", default_value_t = Config::default().messages, value_parser = number::<u64>(0..=MESSAGES_MAX))]
    messages: u64,
    /// Time between two of them
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = every)]
    #[serde(deserialize_with = "duration")]
    interval: Duration,
    /// Time between two questions whether a peer is there
    #[arg(long, value_name = "TIME", default_value = "13s", value_parser = every)]
    #[serde(deserialize_with = "duration")]
    liveness: Duration,
    /// Questions without an answer until a peer is dead
    #[arg(long, value_name = "N", default_value_t = Config::default().misses, value_parser = number::<u32>(1..=COUNT_MAX))]
    misses: u32,
    /// Peers that a number of its own goes to
    #[arg(long, value_name = "N", default_value_t = Config::default().neighbours, value_parser = number::<usize>(0..=COUNT_MAX))]
    neighbours: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// A peer
    Peer,
    /// The seeds
    Seed,
    /// Both
    Both,
}

/// Most numbers it says.
pub(crate) const MESSAGES_MAX: u64 = 1_000_000_000;
/// Most of anything else that is counted.
pub(crate) const COUNT_MAX: u64 = 1_024;

/// A time after which something is done again.
pub(crate) fn every(text: &str) -> Result<Duration, String> {
    let time = text::duration(text).map_err(|error| error.to_string())?;
    let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
    let is_within = bounds.contains(&time);
    is_within
        .then_some(time)
        .ok_or_else(|| format!("`{text}` is not from 10ms to 24h"))
}

/// The original's file.
#[derive(Debug, Deserialize)]
struct File {
    seed_ips: Vec<String>,
    seed_ports: Vec<u16>,
}

impl P2pMessaging {
    /// Checks that seeds are named, and once.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match (&self.config, self.join.as_slice()) {
            (None, []) => Err(no_seeds()),
            (None, _) => Ok(()),
            (Some(path), []) => read(path).map(drop),
            (Some(_), _) => Err(Failure::usage(
                "seeds are named twice",
                "leave out either join or the original's file",
            )),
        }
    }

    pub(super) async fn start(
        &self,
        inside: Arc<dyn Inside>,
        data: Option<&Path>,
    ) -> Result<Running, Failure> {
        self.check()?;
        let seeds = match &self.config {
            Some(path) => read(path)?,
            None => addresses(&self.join).await?,
        };
        let role = match self.role {
            Role::Peer => config::Role::Peer,
            Role::Seed => config::Role::Seed,
            Role::Both => config::Role::Both,
        };
        let config = Config {
            role,
            seeds,
            messages: self.messages,
            interval: self.interval,
            liveness: self.liveness,
            misses: self.misses,
            neighbours: self.neighbours,
            output: data.map(Path::to_owned),
        };
        Ok(socket::start(inside, self.listen, config).await?)
    }
}

fn no_seeds() -> Failure {
    Failure::usage(
        "a network of this kind has seeds, and none is named",
        "name them with join, or the original's file with config",
    )
}

fn read(path: &Path) -> Result<Vec<SocketAddr>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let wrong = |what: String| {
        let message = format!("{}: {what}", path.display());
        Failure::usage(
            message,
            r#"write it as {"seed_ips": ["127.0.0.1"], "seed_ports": [6101]}"#,
        )
    };
    let file: File = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let seeds = config::seeds(&file.seed_ips, &file.seed_ports);
    match seeds.map_err(|error| wrong(error.to_string()))?.as_slice() {
        [] => Err(no_seeds()),
        seeds => Ok(seeds.to_vec()),
    }
}
