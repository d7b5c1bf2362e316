//! `bruit gateway`: the foot of a daemon in another network.
//!
//! Each gateway is a file of settings and one arm in [`Which::start`]; the rest is alike for all. The settings are
//! flags of the command, and keys of a section of the configuration ([`Within`]).

mod beside;
pub(crate) mod dave;
pub(crate) mod k98kurz;
pub(crate) mod p2p_messaging;
pub(crate) mod simple;
pub(crate) mod voidphone;
mod within;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bruit_gateways::{GatewayError, Inside, Running, Told};
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use serde::{Deserialize as _, Deserializer, Serialize};

use crate::args::Global;
use crate::client::Client;
use crate::descriptors;
use crate::failure::{Exit, Failure};
use crate::output;
use crate::signals::Stop;
use beside::Beside;
pub(crate) use within::Within;

/// Run a gateway beside the daemon of the data folder: what is said in another system's network is heard
/// in bruit, and the other way round. It ends with the daemon, or with Ctrl-C.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit gateway voidphone\n  bruit gateway voidphone --listen 127.0.0.1:7011 --json\n  bruit gateway dave --join 127.0.0.1:1618 --listen 127.0.0.1:0\n  bruit gateway p2p-messaging -c config.json\n\n\
                        docs/gateways.md says what crosses, and how."
)]
pub(crate) struct Gateway {
    #[command(subcommand)]
    which: Which,
}

/// The gateways, and what each is told.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Which {
    /// Serve `VoidPhone` modules, and be a peer of Gossip-5
    Voidphone(voidphone::Voidphone),
    /// Be a peer in a network of dave's
    Dave(dave::Dave),
    /// Be a node of the simple gossip
    Simple(simple::Simple),
    /// Be a node of k98kurz/gossip
    K98kurz(k98kurz::K98kurz),
    /// Be a peer of the exercise of messages with seeds, or its seeds
    P2pMessaging(p2p_messaging::P2pMessaging),
}

impl Which {
    /// What it is called, on the command line and in a configuration.
    const fn name(&self) -> &'static str {
        match self {
            Self::Voidphone(_) => "voidphone",
            Self::Dave(_) => "dave",
            Self::Simple(_) => "simple",
            Self::K98kurz(_) => "k98kurz",
            Self::P2pMessaging(_) => "p2p-messaging",
        }
    }

    /// Checks what can be told before it runs.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Voidphone(command) => command.check(),
            Self::P2pMessaging(command) => command.check(),
            Self::Dave(_) | Self::Simple(_) | Self::K98kurz(_) => Ok(()),
        }
    }

    /// Says that it is a section of the configuration that failed.
    pub(crate) fn in_section(&self, failure: Failure) -> Failure {
        let message = format!("[gateways.{}]: {}", self.name(), failure.message);
        Failure { message, ..failure }
    }

    /// Starts it; what it keeps goes into `data`, where there is a folder.
    async fn start(
        &self,
        inside: Arc<dyn Inside>,
        data: Option<&Path>,
    ) -> Result<Running, Failure> {
        match self {
            Self::Voidphone(command) => command.start(inside).await,
            Self::Dave(command) => command.start(inside).await,
            Self::Simple(command) => command.start(inside, data).await,
            Self::K98kurz(command) => command.start(inside, data).await,
            Self::P2pMessaging(command) => command.start(inside, data).await,
        }
    }
}

/// This machine alone, and any port.
pub(crate) const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Reads a number within `bounds`.
fn number<T: TryFrom<u64>>(bounds: RangeInclusive<u64>) -> RangedU64ValueParser<T> {
    RangedU64ValueParser::new().range(bounds)
}

/// Reads a time in a configuration, where its text was checked.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    bruit_api::text::duration(&text).map_err(serde::de::Error::custom)
}

/// The addresses that `texts` stand for: `HOST:PORT`, names resolved.
async fn addresses(texts: &[String]) -> Result<Vec<SocketAddr>, Failure> {
    let mut addresses = Vec::new();
    for text in texts {
        let found = tokio::net::lookup_host(text).await;
        let found = found.ok().and_then(|mut found| found.next());
        addresses.push(found.ok_or_else(|| {
            Failure::usage(
                format!("`{}` is no address", output::escape(text)),
                "give HOST:PORT, such as 127.0.0.1:1618 or [::1]:1618",
            )
        })?);
    }
    Ok(addresses)
}

/// The line that says that a gateway is ready. Its keys are promises.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    event: &'static str,
    gateway: &'a str,
    listen: String,
    /// Where it listens besides, for peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<String>,
    /// What foreign peers know it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

impl Gateway {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        descriptors::raise();
        let mut stop = Stop::new()?;
        let folder = global.folder()?;
        let client = Client::new(&folder);
        client.check_reachable().await?;
        let mut running = self
            .which
            .start(Arc::new(Beside::new(client)), Some(folder.path()))
            .await?;
        print_ready(&running, global.json)?;
        loop {
            tokio::select! {
                biased;
                () = stop.asked() => return end(running, global.json).await,
                told = running.told() => match told {
                    Some(told) => print(&told, global.json)?,
                    None => return Ok(running.ended().await?),
                },
            }
        }
    }
}

/// Stops a gateway; its last line is what it counted.
async fn end(running: Running, json: bool) -> Result<(), Failure> {
    let counters = running.counters().clone();
    running.stop().await?;
    let all = counters.all().into_iter();
    let last = all.fold(Told::new("stopped"), |told, (name, count)| {
        told.number(name, count)
    });
    Ok(print(&last, json)?)
}

fn print_ready(running: &Running, json: bool) -> std::io::Result<()> {
    let mut listen = running.listen().iter().map(ToString::to_string);
    let ready = Ready {
        event: "ready",
        gateway: running.name(),
        listen: listen.next().unwrap_or_default(),
        peers: listen.next(),
        address: running.address(),
    };
    if json {
        return output::line(&output::json(&ready));
    }
    let mut pairs = vec![
        ("gateway", ready.gateway.to_owned()),
        ("listens on", ready.listen),
    ];
    pairs.extend(ready.peers.map(|peers| ("for peers on", peers)));
    pairs.extend(
        ready
            .address
            .map(|address| ("known as", address.to_owned())),
    );
    output::line(&format!("{}\n\nready", output::pairs(pairs)))
}

fn print(told: &Told, json: bool) -> std::io::Result<()> {
    if json {
        return output::line(&output::json(told));
    }
    let details = told
        .details
        .iter()
        .map(|(name, detail)| format!(" {name}={detail}"));
    let details: String = details.collect();
    output::line(&output::escape(&format!("{}{details}", told.event)))
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        let exit = match &error {
            GatewayError::Inside(error) if error.is_gone() => Exit::Unreachable,
            GatewayError::Inside(error)
                if matches!(&*error.code, "no_token" | "permission_denied") =>
            {
                Exit::Unauthorised
            }
            GatewayError::Inside(_) => Exit::Refused,
            GatewayError::Broken => Exit::Negative,
            _ => Exit::Usage,
        };
        Self::new(exit, error.code(), error.to_string(), error.fix())
    }
}
