//! `bruit gateway p2p-messaging`: its flags, and the original's file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bruit_api::text;
use bruit_gateways::p2p_messaging::config::{self, Config};
use bruit_gateways::p2p_messaging::socket;
use bruit_gateways::{Inside, Running};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::addresses;
use crate::failure::Failure;

/// Be a peer of the exercise of messages with seeds, or its seeds. Its messages are bulletins on the topic
/// p2p-messaging; a bulletin there is its next number, and the text stays in bruit.
#[derive(Debug, Args)]
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
    /// Where a peer listens [default: 127.0.0.1 and any port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The seeds
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    join: Vec<String>,
    /// Numbers it says on its own; 0 for none
    #[arg(long, value_name = "N", default_value_t = 10)]
    messages: u64,
    /// Time between two of them
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = text::duration)]
    interval: Duration,
    /// Time between two questions whether a peer is there
    #[arg(long, value_name = "TIME", default_value = "13s", value_parser = text::duration)]
    liveness: Duration,
    /// Questions without an answer until a peer is dead
    #[arg(long, value_name = "N", default_value_t = 3)]
    misses: u32,
    /// Peers that a number of its own goes to
    #[arg(long, value_name = "N", default_value_t = 4)]
    neighbours: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// A peer
    Peer,
    /// The seeds
    Seed,
    /// Both
    Both,
}

/// The original's file.
#[derive(Debug, Deserialize)]
struct File {
    seed_ips: Vec<String>,
    seed_ports: Vec<u16>,
}

impl P2pMessaging {
    pub(super) async fn start(
        &self,
        inside: Arc<dyn Inside>,
        data: &Path,
    ) -> Result<Running, Failure> {
        let seeds = match &self.config {
            Some(path) => read(path)?,
            None => addresses(&self.join).await?,
        };
        if seeds.is_empty() {
            return Err(Failure::usage(
                "a network of this kind has seeds, and none is named",
                "name them with --join, or the original's file with -c",
            ));
        }
        let role = match self.role {
            Role::Peer => config::Role::Peer,
            Role::Seed => config::Role::Seed,
            Role::Both => config::Role::Both,
        };
        let config = Config {
            role,
            seeds,
            messages: self.messages,
            interval: self.interval.max(Duration::from_millis(10)),
            liveness: self.liveness.max(Duration::from_millis(10)),
            misses: self.misses,
            neighbours: self.neighbours,
            output: Some(data.to_owned()),
        };
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = self.listen.unwrap_or(here);
        Ok(socket::start(inside, listen, config).await?)
    }
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
    config::seeds(&file.seed_ips, &file.seed_ports).map_err(|error| wrong(error.to_string()))
}
