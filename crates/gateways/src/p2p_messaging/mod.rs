//! The exercise of peers and seeds: numbered messages over TCP, liveness, seeds that list the peers of one
//! machine by their ports.

mod chosen;
pub mod codec;
pub mod config;
pub mod gateway;
mod members;
mod output;
pub mod pickle;
pub mod seed;
pub mod socket;
