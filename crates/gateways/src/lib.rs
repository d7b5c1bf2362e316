//! Gateways: a bruit node in the networks of five earlier systems, each on its own wire.
//!
//! A gateway stands with one foot in a foreign network and with the other in bruit. It turns foreign
//! items into bulletins and bulletins into foreign items, each once, however many gateways there are
//! ([`crossing`]). What it needs of bruit is small ([`Inside`]), and there are two kinds of it: a
//! [`bruit::Node`] in the same process, and a daemon beside it.
//!
//! Each system has a folder of three files: `codec.rs`, bytes and nothing else; `gateway.rs`, a state
//! machine from foreign events and bulletins to actions, with time as an argument; `socket.rs`, which
//! runs that on tokio.
//!
//! Invariant: nothing a foreign peer sends ends a gateway, takes memory without bound, or holds up
//! another peer.

mod accepting;
mod bridge;
mod budget;
mod counters;
pub mod crossing;
mod datagrams;
pub mod dave;
mod draw;
mod error;
mod foreign;
pub mod hex;
mod inside;
pub mod k98kurz;
mod mailbag;
pub mod p2p_messaging;
mod publisher;
mod recent;
mod running;
pub mod simple;
pub mod voidphone;
mod wall;

pub use accepting::is_out_of_descriptors;
pub use counters::Counters;
pub use error::GatewayError;
pub use foreign::{ForeignId, System};
pub use inside::{
    Answer, Asked, ForeignLetter, Heard, Inside, InsideError, Item, Post, Posting, Since,
};
pub use publisher::{Done, Publisher, Unpublished};
pub use recent::Recent;
pub use running::{Detail, Running, Stop, Teller, Told};
