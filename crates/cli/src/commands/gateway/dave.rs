//! `bruit gateway dave`: its flags, which are the keys of `[gateways.dave]`.

use std::net::SocketAddr;
use std::sync::Arc;

use bruit_gateways::dave::config::Config;
use bruit_gateways::dave::socket;
use bruit_gateways::{Inside, Running};
use clap::Args;
use serde::Deserialize;

use super::{addresses, number};
use crate::failure::Failure;

/// Be a peer in a network of dave's. Its values are bulletins on the topic dave; `bruit put --via dave` puts one
/// into it, `bruit get dave:WORK` gets one out.
#[derive(Debug, Clone, Args, Deserialize)]
#[command(
    after_help = "Examples:\n  bruit gateway dave --join 127.0.0.1:1618 --listen 127.0.0.1:0\n  bruit put --via dave 'for everyone'\n\n\
                        The flags for numbers are dave's own, with its defaults."
)]
pub(crate) struct Dave {
    /// Where it listens, UDP
    #[arg(long, value_name = "ADDR", default_value_t = socket::LISTEN)]
    listen: SocketAddr,
    /// Peers to join by
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    join: Vec<String>,
    /// Peers that a value is passed on to
    #[arg(long, value_name = "N", default_value_t = Config::default().fanout_set, value_parser = number::<usize>(0..=COUNT_MAX))]
    fanout_set: usize,
    /// Peers that a question is passed on to
    #[arg(long, value_name = "N", default_value_t = Config::default().fanout_get, value_parser = number::<usize>(0..=COUNT_MAX))]
    fanout_get: usize,
    /// Addresses in a message beyond which it is not passed on
    #[arg(long, value_name = "N", default_value_t = Config::default().distance, value_parser = number::<usize>(0..=COUNT_MAX))]
    distance: usize,
    /// Addresses told to who asks for peers
    #[arg(long, value_name = "N", default_value_t = Config::default().npeer, value_parser = number::<usize>(0..=COUNT_MAX))]
    npeer: usize,
    /// Questions without an answer until a peer counts as dropping them
    #[arg(long, value_name = "N", default_value_t = Config::default().tolerance, value_parser = number::<u32>(0..=COUNT_MAX))]
    tolerance: u32,
    /// Half the times it may do so until it is given up
    #[arg(long, value_name = "N", default_value_t = Config::default().drop, value_parser = number::<u32>(0..=COUNT_MAX))]
    drop: u32,
    /// Zero bytes of work for which a value is kept
    #[arg(long, value_name = "BYTES", default_value_t = Config::default().work_store, value_parser = number::<usize>(0..=BYTES_MAX))]
    work_store: usize,
    /// Zero bytes of work for which a value is passed on
    #[arg(long, value_name = "BYTES", default_value_t = Config::default().work_forward, value_parser = number::<usize>(0..=BYTES_MAX))]
    work_forward: usize,
}

/// Most of anything that is counted: more than anybody needs, and times made of it stay short.
pub(crate) const COUNT_MAX: u64 = 1_024;
/// Most bytes of work there are.
pub(crate) const BYTES_MAX: u64 = 32;

impl Dave {
    pub(super) async fn start(&self, inside: Arc<dyn Inside>) -> Result<Running, Failure> {
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
        Ok(socket::start(inside, self.listen, config).await?)
    }
}
