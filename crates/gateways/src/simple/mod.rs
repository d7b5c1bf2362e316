//! The simple gossip: texts with a stamp, flooded over UDP among neighbours that are named beforehand.

pub mod codec;
pub mod gateway;
mod passed;
pub mod socket;
