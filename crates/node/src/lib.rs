//! bruit


pub mod keys;
pub mod store;

pub mod transport;
