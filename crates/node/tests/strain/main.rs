//! Nodes under strain: hostile peers, overload, replays, the end.
//!
//! Real QUIC on loopback unless a test says otherwise. Machines are shared, so what is judged is a
//! ratio within one run, and the tests of this crate run one at a time: see [`world::alone`].
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::similar_names,
    reason = "attacker and attacked are what they are"
)]

mod attacker;
mod end;
mod figures;
mod hostile;
mod late;
mod memory;
mod overload;
mod replay;
mod siege;
mod traffic;
mod world;
