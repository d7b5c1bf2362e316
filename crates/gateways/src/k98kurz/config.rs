//! What a gateway to k98kurz/gossip can be told. The defaults are the original's.

use std::net::SocketAddr;

use super::identity::Address;

/// How to stand in a network of k98kurz/gossip.
#[derive(Debug, Clone)]
pub struct Config {
    /// Nodes that are known from the start: who they are and where.
    pub join: Vec<(Address, SocketAddr)>,
    /// Topics whose bulletins in bruit go out. What comes in may be on any.
    pub topics: Vec<[u8; 32]>,
    /// Zero bits that a message costs. Default 1.
    pub message_difficulty: u32,
    /// Zero bits that a bulletin costs. Default 7.
    pub bulletin_difficulty: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            join: Vec::new(),
            topics: Vec::new(),
            message_difficulty: 1,
            bulletin_difficulty: 7,
        }
    }
}
