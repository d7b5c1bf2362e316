//! `bruit gateway simple`: its flags, which are the keys of `[gateways.simple]`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bruit_gateways::simple::socket;
use bruit_gateways::{Inside, Running};
use clap::Args;
use serde::Deserialize;

use super::addresses;
use crate::failure::Failure;

/// Be a node of the simple gossip. Its messages are bulletins on the topic simple, at most 1,005 bytes of ASCII,
/// both ways.
#[derive(Debug, Clone, Args, Deserialize)]
#[command(
    after_help = "Examples:\n  bruit gateway simple --listen 127.0.0.1:5060 --join 127.0.0.1:5000 127.0.0.1:5020\n\n\
                        With --join only those neighbours are heard; they must know this node by the address it \
                        listens on."
)]
pub(crate) struct Simple {
    /// Where it listens, UDP
    #[arg(long, value_name = "ADDR", default_value_t = socket::LISTEN)]
    listen: SocketAddr,
    /// The neighbours
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    join: Vec<String>,
}

impl Simple {
    /// Starts it; what has gone out is written down in `data`, where there is a folder.
    pub(super) async fn start(
        &self,
        inside: Arc<dyn Inside>,
        data: Option<&Path>,
    ) -> Result<Running, Failure> {
        let neighbours = addresses(&self.join).await?;
        Ok(socket::start(inside, self.listen, neighbours, data).await?)
    }
}
