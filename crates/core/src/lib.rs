//! The bruit gossip protocol as a deterministic state machine.
//!
//! The engine takes events and returns actions. Nothing here opens a socket or a file, reads a
//! clock or asks the operating system for randomness: same seed, same events, same actions.

pub mod broadcast;
pub mod bulletin;
pub mod event;
pub mod handshake;
pub mod id;
pub mod identity;
pub mod intake;
pub mod limits;
pub mod link;
pub mod network;
pub mod outbox;
pub mod record;
pub mod time;
pub mod wire;
pub mod work;
