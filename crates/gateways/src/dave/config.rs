//! What a gateway to dave can be told. The defaults are the original's.

use std::net::SocketAddr;
use std::time::Duration;

/// How to stand in a network of dave's.
#[derive(Debug, Clone)]
pub struct Config {
    /// Peers that are known from the start, and never given up.
    pub join: Vec<SocketAddr>,
    /// Our own addresses: we are no peer of ours.
    pub own: Vec<SocketAddr>,
    /// Peers that a value is passed on to. More spread surer and cost more datagrams. Default 2.
    pub fanout_set: usize,
    /// Peers that a question is passed on to. Default 2.
    pub fanout_get: usize,
    /// Addresses in a message beyond which it is not passed on. Default 7.
    pub distance: usize,
    /// Addresses told in answer to GETPEER. Default 3.
    pub npeer: usize,
    /// Questions without an answer until a peer counts as dropping them. Default 2.
    pub tolerance: u32,
    /// Half the times that a peer may do so until it is given up; also how many periods of tolerance a peer
    /// may be silent until it is asked. Default 4.
    pub drop: u32,
    /// Zero bytes of work for which a value is kept. Each costs 256 times as much. Default 3.
    pub work_store: usize,
    /// Zero bytes of work for which a value is passed on. Default 2.
    pub work_forward: usize,
    /// The heart beats this often. Default 127.71392 ms.
    pub period: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            join: Vec::new(),
            own: Vec::new(),
            fanout_set: 2,
            fanout_get: 2,
            distance: 7,
            npeer: 3,
            tolerance: 2,
            drop: 4,
            work_store: 3,
            work_forward: 2,
            period: Duration::from_nanos(127_713_920),
        }
    }
}

impl Config {
    /// A peer that was silent for so long is asked whether it is there.
    pub fn silence(&self) -> Duration {
        self.period * self.tolerance * self.drop
    }
}
