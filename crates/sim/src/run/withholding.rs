//! Which nodes pass nothing on, and from when.

use std::collections::BTreeMap;

use bruit_core::time::Mono;

use super::protocol::settled_at;
use crate::adversary::Withholder;
use crate::behaviour::Behaviour;
use crate::chance::Chance;
use crate::scenario::{FaultKind, Setup};
use crate::world::Birth;

/// The nodes that will withhold, each with the moment from which on it does.
#[derive(Debug, Clone, Default)]
pub(super) struct Withholding(BTreeMap<usize, Mono>);

impl Withholding {
    /// Draws them.
    pub(super) fn draw(setup: &Setup, chance: &mut Chance) -> Self {
        let mut from = BTreeMap::new();
        for fault in &setup.faults {
            if let FaultKind::Withhold(share) = fault.kind {
                let all: Vec<usize> = (0..setup.nodes).collect();
                for node in chance.share(all, share) {
                    let moment = settled_at(setup).plus(fault.at);
                    let earliest = from.entry(node).or_insert(moment);
                    *earliest = moment.min(*earliest);
                }
            }
        }
        Self(from)
    }

    /// Whether `node` is none of them.
    pub(super) fn is_honest(&self, node: usize) -> bool {
        !self.0.contains_key(&node)
    }

    /// An engine, or one that withholds.
    pub(super) fn engine(&self, birth: &Birth<'_>) -> Box<dyn Behaviour> {
        match self.0.get(&birth.number) {
            Some(from) => Box::new(Withholder::new(birth.engine(), *from)),
            None => Box::new(birth.engine()),
        }
    }
}
