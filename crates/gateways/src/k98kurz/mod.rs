//! k98kurz/gossip: sealed, signed and paid messages, and bulletins that travel in them.

pub mod codec;
pub mod config;
pub mod gateway;
pub mod identity;
pub mod socket;
pub mod tapehash;
