//! Small networks of real engines, explored in every order in which things can happen.
//!
//! `net` is such a network as a state that actions change: engines of `crates/core`, byte for byte what a
//! daemon runs, and the wires between them. `node` is one of them with the little that stands around an
//! engine. `anti_entropy` and `membership` say which networks are explored and what is asked of them.
//!
//! Nothing here knows the checker: `main` hands these models to it, and the tests of `crates/sim` explore
//! smaller ones without.

pub mod anti_entropy;
pub mod membership;
pub mod net;
pub mod node;

use std::time::Duration;

use bruit_core::config::Config;
use bruit_core::network::Network;
use bruit_core::work::Price;

use net::{Net, State};

/// A day: what is due later than anything that is waited for.
const NEVER: Duration = Duration::from_hours(24);

/// Nodes that are told of lost links, and send nothing only to find out.
fn quiet() -> Config {
    let mut config = Config::new(Network::new("models", Price::FREE, None));
    config.liveness.idle = NEVER;
    config.liveness.refresh = NEVER;
    config.liveness.timeout_min = NEVER;
    config.membership.handshake_timeout = NEVER;
    config.wants_kept = false;
    config
}

/// Something that is asked of states.
pub type Question = (&'static str, fn(&Net, &State) -> bool);

/// What is explored, and what is asked.
#[derive(Debug)]
pub struct Subject {
    /// The room it is about.
    pub room: &'static str,
    /// Which network, and what may happen to it.
    pub name: &'static str,
    /// The network.
    pub net: Net,
    /// What holds in every state.
    pub promises: &'static [Question],
    /// What is so in some state: who explores nothing sees nothing wrong either.
    pub sights: &'static [Question],
    /// Whether a promise is to be found broken: a fault is planted.
    pub is_faulty: bool,
}

/// Everything that is explored at night.
pub fn subjects() -> Vec<Subject> {
    let mut subjects = anti_entropy::subjects();
    subjects.extend(membership::subjects());
    subjects
}
