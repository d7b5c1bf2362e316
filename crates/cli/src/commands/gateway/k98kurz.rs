//! `bruit gateway k98kurz`: its flags, which are the keys of `[gateways.k98kurz]`, and its key.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bruit_gateways::k98kurz::codec::topic_id;
use bruit_gateways::k98kurz::config::Config;
use bruit_gateways::k98kurz::identity::{Address, Identity};
use bruit_gateways::k98kurz::socket;
use bruit_gateways::{Inside, Running, hex};
use clap::Args;
use serde::Deserialize;

use super::{HERE, addresses, number};
use crate::failure::Failure;
use crate::output;

/// The file of its key, in the data folder.
const KEY_FILE: &str = "k98kurz.key";
/// Most zero bits that are asked for: a message is paid for while others wait.
pub(crate) const BITS_MAX: u64 = 24;

/// Be a node of k98kurz/gossip, over UDP. Its bulletins are bulletins on the topics k98kurz/TOPIC; those on the
/// topics named here go out.
#[derive(Debug, Clone, Args, Deserialize)]
#[command(
    after_help = "Examples:\n  bruit gateway k98kurz --listen 127.0.0.1:9100\n  \
                        bruit gateway k98kurz --join 8a88e3dd…0f6f5c@127.0.0.1:9101 --topic 'test channel'\n\n\
                        A topic is the text that they call it by, or its hash: 64 hexadecimal digits. The key is in \
                        the data folder."
)]
pub(crate) struct K98kurz {
    /// Where it listens, UDP; port 0 is any
    #[arg(long, value_name = "ADDR", default_value_t = HERE)]
    listen: SocketAddr,
    /// Nodes to talk to: their address, @, and where they are
    #[arg(long, value_name = "HEX@ADDR", num_args = 1..)]
    join: Vec<String>,
    /// Topics whose bulletins go out
    #[arg(long, value_name = "TOPIC", num_args = 1..)]
    topic: Vec<String>,
    /// Zero bits that a message costs
    #[arg(long, value_name = "BITS", default_value_t = Config::default().message_difficulty, value_parser = number::<u32>(0..=BITS_MAX))]
    message_difficulty: u32,
    /// Zero bits that a bulletin costs
    #[arg(long, value_name = "BITS", default_value_t = Config::default().bulletin_difficulty, value_parser = number::<u32>(0..=BITS_MAX))]
    bulletin_difficulty: u32,
}

impl K98kurz {
    pub(super) async fn start(
        &self,
        inside: Arc<dyn Inside>,
        data: Option<&Path>,
    ) -> Result<Running, Failure> {
        let mut join = Vec::new();
        for text in &self.join {
            join.push(node(text).await?);
        }
        let topic =
            |text: &String| hex::decode_exactly(text).unwrap_or_else(|| topic_id(text.as_bytes()));
        let config = Config {
            join,
            topics: self.topic.iter().map(topic).collect(),
            message_difficulty: self.message_difficulty,
            bulletin_difficulty: self.bulletin_difficulty,
        };
        let identity = match data {
            Some(data) => identity(&data.join(KEY_FILE))?,
            None => Identity::from_seed(&fresh()?),
        };
        Ok(socket::start(inside, self.listen, identity, config).await?)
    }
}

/// The key and the place in `HEX@HOST:PORT`.
pub(crate) fn split(text: &str) -> Option<(Address, &str)> {
    let (key, at) = text.split_once('@')?;
    hex::decode_exactly(key).map(|key| (key, at))
}

async fn node(text: &str) -> Result<(Address, SocketAddr), Failure> {
    let Some((key, at)) = split(text) else {
        return Err(Failure::usage(
            format!("`{}` is no node of k98kurz/gossip", output::escape(text)),
            "give its address of 64 hexadecimal digits, @, and HOST:PORT",
        ));
    };
    let found = addresses(&[at.to_owned()]).await?;
    found
        .first()
        .map(|at| (key, *at))
        .ok_or_else(|| Failure::usage("an address without a place", "give HEX@HOST:PORT"))
}

/// The keys in `path`, made at the first start, for their owner alone.
fn identity(path: &Path) -> Result<Identity, Failure> {
    let failed = |error: &std::io::Error| Failure::file(path, error);
    match std::fs::read_to_string(path) {
        Ok(text) => match hex::decode_exactly(text.trim()) {
            Some(seed) => Ok(Identity::from_seed(&seed)),
            None => Err(Failure::usage(
                format!("{} holds no key", path.display()),
                "put the file back, or remove it for a new address",
            )),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed = fresh()?;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path).map_err(|error| failed(&error))?;
            let written = writeln!(file, "{}", hex::encode(&seed)).and_then(|()| file.sync_all());
            written.map_err(|error| failed(&error))?;
            Ok(Identity::from_seed(&seed))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// A key nobody knows.
fn fresh() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    let filled = getrandom::fill(&mut seed);
    let fix = "start it again when the system has come up";
    filled.map_err(|error| Failure::usage(error.to_string(), fix))?;
    Ok(seed)
}
