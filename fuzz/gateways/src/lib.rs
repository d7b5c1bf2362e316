//! The rooms of `crates/gateways` that are fuzzed: bytes and state machines. They are the same files.
//!
//! Invariant: the names here are those of the real crate, so that what is fuzzed is what the tests of
//! `crates/gateways` run over the corpus.

// The rooms name the library's ids and times, which are the core's.
extern crate self as bruit;
pub use bruit_core::id::{AuthorId, BulletinId};
pub use bruit_core::limits::TTL_MAX as VALUE_TTL;
/// How long a post lives.
pub const POST_TTL: std::time::Duration = std::time::Duration::from_hours(1);

#[path = "../../../crates/gateways/src/budget.rs"]
mod budget;
#[path = "../../../crates/gateways/src/counters.rs"]
pub mod counters;
#[path = "../../../crates/gateways/src/crossing.rs"]
pub mod crossing;
#[path = "../../../crates/gateways/src/draw.rs"]
mod draw;
#[path = "../../../crates/gateways/src/foreign.rs"]
pub mod foreign;
#[path = "../../../crates/gateways/src/hex.rs"]
pub mod hex;
#[path = "../../../crates/gateways/src/recent.rs"]
pub mod recent;

pub use counters::Counters;

/// Values named by the work that pays for them.
#[path = "../../../crates/gateways/src/dave"]
pub mod dave {
    pub mod codec;
    pub mod config;
    pub mod gateway;
    mod peers;
    mod values;
    pub mod work;
}

/// Texts with a stamp.
#[path = "../../../crates/gateways/src/simple"]
pub mod simple {
    pub mod codec;
    pub mod gateway;
}

/// Numbered messages, and lists of ports in pickles.
#[path = "../../../crates/gateways/src/p2p_messaging"]
pub mod p2p_messaging {
    pub mod codec;
    pub mod config;
    pub mod gateway;
    mod members;
    pub mod pickle;
    pub mod seed;
}

/// Sealed, signed and paid messages, and bulletins in them.
#[path = "../../../crates/gateways/src/k98kurz"]
pub mod k98kurz {
    pub mod codec;
    pub mod config;
    pub mod gateway;
    pub mod identity;
    pub mod tapehash;
}
