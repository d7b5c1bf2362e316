//! `bruit gateway k98kurz`: its flags, and its key.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use bruit_gateways::k98kurz::codec::topic_id;
use bruit_gateways::k98kurz::config::Config;
use bruit_gateways::k98kurz::identity::{Address, Identity};
use bruit_gateways::k98kurz::socket;
use bruit_gateways::{Inside, Running, hex};
use clap::Args;

use super::addresses;
use crate::failure::Failure;
use crate::output;

/// The file of its key, in the data folder.
const KEY_FILE: &str = "k98kurz.key";

/// Be a node of k98kurz/gossip, over UDP. Its bulletins are bulletins on the topics k98kurz/TOPIC; those on the
/// topics named here go out.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit gateway k98kurz --listen 127.0.0.1:9100\n  \
                        bruit gateway k98kurz --join 8a88e3dd…0f6f5c@127.0.0.1:9101 --topic 'test channel'\n\n\
                        A topic is the text that they call it by, or its hash: 64 hexadecimal digits. The key is in \
                        the data folder."
)]
pub(crate) struct K98kurz {
    /// Where it listens, UDP [default: 127.0.0.1 and any port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Nodes to talk to: their address, @, and where they are
    #[arg(long, value_name = "HEX@ADDR", num_args = 1..)]
    join: Vec<String>,
    /// Topics whose bulletins go out
    #[arg(long, value_name = "TOPIC", num_args = 1..)]
    topic: Vec<String>,
    /// Zero bits that a message costs
    #[arg(long, value_name = "BITS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=24))]
    message_difficulty: u32,
    /// Zero bits that a bulletin costs
    #[arg(long, value_name = "BITS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=24))]
    bulletin_difficulty: u32,
}

impl K98kurz {
    pub(super) async fn start(
        &self,
        inside: Arc<dyn Inside>,
        data: &Path,
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
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = self.listen.unwrap_or(here);
        let identity = identity(&data.join(KEY_FILE))?;
        Ok(socket::start(inside, listen, identity, config).await?)
    }
}

/// `HEX@HOST:PORT`.
async fn node(text: &str) -> Result<(Address, SocketAddr), Failure> {
    let parts = text.split_once('@');
    let key = parts.and_then(|(key, _)| hex::decode_exactly(key));
    let (Some((_, at)), Some(key)) = (parts, key) else {
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
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|error| {
                Failure::usage(
                    error.to_string(),
                    "start it again when the system has come up",
                )
            })?;
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
