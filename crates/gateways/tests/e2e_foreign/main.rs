//! Real nodes with gateways in networks of foreign peers, which are programs of their own: Python, with
//! nothing but its standard library, written from what the originals were seen to do.
#![allow(missing_docs, reason = "tests")]
#![expect(clippy::unwrap_used, reason = "the failure of a test is read by us")]

mod common;
mod dave;
mod k98kurz;
mod load;
mod p2p_messaging;
mod p2p_weaknesses;
mod simple;
mod voidphone;
