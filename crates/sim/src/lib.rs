//! A simulated world of bruit nodes: the same engine, the same bytes, virtual time, one seed.
//!
//! Each node is a [`behaviour::Behaviour`], usually the engine itself. [`world::World`] jumps from event
//! to event: what a node sends crosses a link of the [`terrain`], is lost and comes late as QUIC
//! would have it, and what a node writes is in its store after a restart. [`ledger`] keeps who got
//! which bulletin when; [`stats`] says it in numbers. A [`scenario`] is a file that says what to [`run`],
//! the [`oracles`] say whether what is promised held, and a [`report`] what came of it.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//!
//! use bruit_sim::world::{Settings, World};
//!
//! let mut world = World::new(20, 7, Settings::default());
//! for node in 1..20 {
//!     world.join(node, 0);
//! }
//! world.run(Duration::from_secs(20));
//! let bulletin = world.publish(3, b"hello");
//! world.run(Duration::from_secs(1));
//! assert_eq!(world.ledger().reached(bulletin), 20);
//! ```

pub mod adversary;
pub mod behaviour;
pub mod flood;
pub mod gates;
pub mod graph;
pub mod ledger;
pub mod mesh;
pub mod oracles;
pub mod overlay;
pub mod plumtree;
pub mod recording;
pub mod regions;
pub mod replay;
pub mod report;
pub mod run;
pub mod scenario;
pub mod seeds;
pub mod stats;
pub mod terrain;
pub mod world;

mod bulletins;
mod chance;
mod checks;
mod clock;
mod draw;
mod host;
mod mcache;
mod numbers;
mod plight;
mod queue;
mod recent;
mod trace;
mod wires;
