//! System 002: `VoidPhone` gossip. Any module of that project works on a bruit node unchanged, and a bruit
//! node is a peer among those of Gossip-5.
//!
//! Data of type T is topic `voidphone/T`, both ways. See `docs/gateways.md`.

mod ballots;
pub mod codec;
mod config;
mod conn;
mod events;
mod flow;
mod gateway;
mod hearing;
mod peers;
mod puzzle;
mod socket;
mod solver;
mod word;

pub use config::Config;
pub use socket::{NAME, start, start_with_seed};
