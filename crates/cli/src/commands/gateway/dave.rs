//! `bruit gateway dave`: its flags.

use std::net::SocketAddr;
use std::sync::Arc;

use bruit_gateways::dave::config::Config;
use bruit_gateways::dave::socket::{self, PORT};
use bruit_gateways::{Inside, Running};
use clap::Args;

use super::addresses;
use crate::failure::Failure;

/// Be a peer in a network of dave's. Its values are bulletins on the topic dave; `bruit put --via dave` puts one
/// into it, `bruit get dave:WORK` gets one out.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit gateway dave --join 127.0.0.1:1618 --listen 127.0.0.1:0\n  bruit put --via dave 'for everyone'\n\n\
                        The flags for numbers are dave's own, with its defaults."
)]
pub(crate) struct Dave {
    /// Where it listens, UDP [default: [::]:1618]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Peers to join by
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    join: Vec<String>,
    /// Peers that a value is passed on to
    #[arg(long, value_name = "N", default_value_t = 2)]
    fanout_set: usize,
    /// Peers that a question is passed on to
    #[arg(long, value_name = "N", default_value_t = 2)]
    fanout_get: usize,
    /// Addresses in a message beyond which it is not passed on
    #[arg(long, value_name = "N", default_value_t = 7)]
    distance: usize,
    /// Addresses told to who asks for peers
    #[arg(long, value_name = "N", default_value_t = 3)]
    npeer: usize,
    /// Questions without an answer until a peer counts as dropping them
    #[arg(long, value_name = "N", default_value_t = 2)]
    tolerance: u32,
    /// Half the times it may do so until it is given up
    #[arg(long, value_name = "N", default_value_t = 4)]
    drop: u32,
    /// Zero bytes of work for which a value is kept
    #[arg(long, value_name = "BYTES", default_value_t = 3)]
    work_store: usize,
    /// Zero bytes of work for which a value is passed on
    #[arg(long, value_name = "BYTES", default_value_t = 2)]
    work_forward: usize,
}

impl Dave {
    pub(super) async fn start(&self, inside: Arc<dyn Inside>) -> Result<Running, Failure> {
        let everywhere = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, PORT));
        let config = Config {
            join: addresses(&self.join).await?,
            fanout_set: self.fanout_set,
            fanout_get: self.fanout_get,
            distance: self.distance,
            npeer: self.npeer,
            tolerance: self.tolerance,
            drop: self.drop,
            work_store: self.work_store,
            work_forward: self.work_forward,
            ..Config::default()
        };
        let listen = self.listen.unwrap_or(everywhere);
        Ok(socket::start(inside, listen, config).await?)
    }
}
