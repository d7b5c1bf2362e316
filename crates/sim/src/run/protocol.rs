//! What nodes do in a run. A protocol is plugged in here: a word, and what makes its nodes.

use std::sync::Arc;

use bruit_core::time::Mono;

use crate::behaviour::Behaviour;
use crate::flood::Flood;
use crate::mesh::{self, Mesh};
use crate::plumtree::{self, Plumtree};
use crate::scenario::Setup;
use crate::world::{Birth, Maker, World};

use super::casting::Casting;

/// What the nodes of a run do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The engine: what a daemon runs.
    Rootcast,
    /// Flooding, over links that are given.
    Flood,
    /// A mesh as gossipsub has it, over links that are given.
    Mesh,
    /// Plumtree with one tree for all senders, over links that are given.
    Plumtree,
}

impl Protocol {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Rootcast, Self::Flood, Self::Mesh, Self::Plumtree];

    /// Its word in scenarios and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rootcast => "rootcast",
            Self::Flood => "flood",
            Self::Mesh => "mesh",
            Self::Plumtree => "plumtree",
        }
    }

    /// The protocol of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == word)
    }

    /// Whether its nodes find, keep and mend their links themselves. Of one that does not, no more is
    /// promised than that nothing is delivered twice.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Rootcast)
    }
}

/// The nodes of `setup`, none linked yet.
pub(super) fn world(setup: &Setup, seed: u64, casting: &Casting) -> World {
    let settings = setup.settings();
    let (casting, protocol) = (casting.clone(), setup.protocol);
    let maker: Maker = if protocol.is_whole() {
        let setup = setup.clone();
        Arc::new(move |birth| casting.engine(&setup, birth))
    } else {
        Arc::new(move |birth| casting.comparator(birth, comparator(protocol, birth)))
    };
    World::of(setup.nodes, seed, settings, move |birth| maker(birth))
}

/// A node of `protocol` that is no engine.
fn comparator(protocol: Protocol, birth: &Birth<'_>) -> Box<dyn Behaviour> {
    let network = birth.settings.config.network.clone();
    match protocol {
        Protocol::Rootcast => Box::new(birth.engine()),
        Protocol::Flood => Box::new(Flood::new(network)),
        Protocol::Mesh => Box::new(Mesh::new(network, mesh::Config::default(), birth.seed)),
        Protocol::Plumtree => Box::new(Plumtree::new(network, plumtree::Config::default())),
    }
}

/// When a network of `setup` has settled.
pub(super) fn settled_at(setup: &Setup) -> Mono {
    Mono::ZERO.plus(setup.start.within).plus(setup.start.settle)
}
