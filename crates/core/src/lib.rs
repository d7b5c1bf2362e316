//! The bruit gossip protocol as a deterministic state machine.
//!
//! The engine takes events and returns actions. Nothing here opens a socket or a file, reads a
//! clock or asks the operating system for randomness: same seed, same events, same actions.

pub mod broadcast;
pub mod bulletin;
pub mod bundle;
pub mod clock;
pub mod config;
mod draw;
pub mod engine;
pub mod event;
pub mod floor;
pub mod handshake;
pub mod id;
pub mod identity;
pub mod intake;
pub mod inventory;
pub mod journal;
pub mod large;
mod latest;
pub mod letters;
pub mod limits;
pub mod link;
mod link_map;
pub mod liveness;
pub mod lookups;
pub mod membership;
pub mod metrics;
pub mod network;
pub mod outbox;
pub mod reconcile;
pub mod record;
pub mod reputation;
pub mod seeds;
mod short_id_map;
pub mod time;
pub mod values;
pub mod wire;
pub mod work;
