//! `bruit gateway voidphone`: its flags, the keys of `[gateways.voidphone]`, and the original's file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bruit_gateways::voidphone::{self, Config};
use bruit_gateways::{GatewayError, Inside, Running};
use clap::Args;
use clap::builder::TypedValueParser as _;
use serde::Deserialize;

use super::{duration, number};
use crate::failure::Failure;
use crate::output;

/// Serve `VoidPhone` modules (frames 500 to 503), and be a peer of Gossip-5 where --p2p says so. Data of
/// type T is topic voidphone/T, both ways.
#[derive(Debug, Clone, Args, Deserialize)]
#[command(
    after_help = "Examples:\n  bruit gateway voidphone\n  bruit gateway voidphone -c config.ini -v 60 -s 300\n  \
                        bruit gateway voidphone --p2p 127.0.0.1:6011 --join 127.0.0.1:6001 --json\n\n\
                        Flags go before the file. Without --join and `bootstrapper` it is a bootstrapper."
)]
pub(crate) struct Voidphone {
    /// The original's configuration file
    #[arg(short, long, value_name = "FILE.ini")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// How long modules may take to vote
    #[arg(short = 'v', long, value_name = "SECONDS", default_value = "5", value_parser = number::<u64>(1..=60).map(Duration::from_secs))]
    #[serde(deserialize_with = "duration")]
    validation: Duration,
    /// How long the same announcement is not taken again
    #[arg(short = 's', long, value_name = "SECONDS", default_value = "60", value_parser = number::<u64>(1..=86_400).map(Duration::from_secs))]
    #[serde(deserialize_with = "duration")]
    suppress: Duration,
    /// Where modules connect [default: 127.0.0.1:7001]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where peers connect, IPv4; without it there are none
    #[arg(long, value_name = "ADDR")]
    p2p: Option<String>,
    /// Peers to join by
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    join: Vec<String>,
    /// Tell a module of what it announced itself, too
    #[arg(long)]
    notify_announcer: bool,
    // Keys that stand in the original's file where there is one.
    #[arg(skip)]
    cache_size: Option<usize>,
    #[arg(skip)]
    degree: Option<usize>,
    #[arg(skip)]
    p2p_ttl: Option<u16>,
}

impl Voidphone {
    pub(super) async fn start(&self, inside: Arc<dyn Inside>) -> Result<Running, Failure> {
        Ok(voidphone::start(inside, self.config()?).await?)
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        Ok(self.config()?.check()?)
    }

    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::default();
        if let Some(path) = &self.config {
            let text =
                std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
            let shown = path.display();
            let warnings = config.read_ini(&text).map_err(|error| match error {
                GatewayError::Config { what, fix } => GatewayError::Config {
                    what: format!("{shown}, {what}"),
                    fix,
                },
                error => error,
            })?;
            for warning in warnings {
                output::note(&output::escape(&format!("warning: {shown}, {warning}")));
            }
        }
        config.validation = self.validation;
        config.suppress = self.suppress;
        config.notify_announcer = self.notify_announcer;
        if let Some(listen) = &self.listen {
            config.api.clone_from(listen);
        }
        if self.p2p.is_some() {
            config.p2p.clone_from(&self.p2p);
        }
        if !self.join.is_empty() {
            config.bootstrappers.clone_from(&self.join);
        }
        config.cache_size = self.cache_size.unwrap_or(config.cache_size);
        config.degree = self.degree.unwrap_or(config.degree);
        config.p2p_ttl = self.p2p_ttl.unwrap_or(config.p2p_ttl);
        Ok(config)
    }
}
