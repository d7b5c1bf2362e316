//! `bruit gateway simple`: its flags.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bruit_gateways::simple::socket::{self, PORT};
use bruit_gateways::{Inside, Running};
use clap::Args;

use super::addresses;
use crate::failure::Failure;

/// Be a node of the simple gossip. Its messages are bulletins on the topic simple, at most 1,005 bytes of ASCII,
/// both ways.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit gateway simple --listen 127.0.0.1:5060 --join 127.0.0.1:5000 127.0.0.1:5020\n\n\
                        With --join only those neighbours are heard; they must know this node by the address it \
                        listens on."
)]
pub(crate) struct Simple {
    /// Where it listens, UDP [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The neighbours
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    join: Vec<String>,
}

impl Simple {
    pub(super) async fn start(&self, inside: Arc<dyn Inside>) -> Result<Running, Failure> {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let neighbours = addresses(&self.join).await?;
        let listen = self.listen.unwrap_or(here);
        Ok(socket::start(inside, listen, neighbours).await?)
    }
}
