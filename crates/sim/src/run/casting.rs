//! Who plays which part: which nodes turn against the others, how, and from when.

use std::collections::{BTreeMap, BTreeSet};

use bruit_core::time::Mono;

use super::protocol::settled_at;
use crate::adversary::{Adversary, Swarm, Withholding};
use crate::behaviour::Behaviour;
use crate::chance::Chance;
use crate::scenario::{Appearance, FaultKind, Setup};
use crate::world::Birth;

/// The adversaries of a run; everybody else is honest.
#[derive(Debug, Clone, Default)]
pub(super) struct Casting {
    parts: BTreeMap<usize, Part>,
    /// Whom each fault is aimed at.
    victims: BTreeMap<usize, BTreeSet<usize>>,
    swarms: BTreeMap<usize, Swarm>,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    /// Its fault, by number.
    fault: usize,
    from: Mono,
    /// Whether it is not there before.
    is_late: bool,
}

impl Casting {
    /// Draws them.
    pub(super) fn draw(setup: &Setup, chance: &mut Chance) -> Self {
        let mut casting = Self::default();
        for (number, fault) in setup.faults.iter().enumerate() {
            let FaultKind::Turn(turn) = fault.kind else {
                continue;
            };
            let victims = setup.victims(turn);
            let may = |node: &usize| {
                *node >= turn.spare && !victims.contains(node) && !casting.parts.contains_key(node)
            };
            let pool: Vec<usize> = (0..setup.nodes).filter(may).collect();
            // The share is one of all nodes.
            let share = turn.share * per_node(setup.nodes, pool.len());
            let part = Part {
                fault: number,
                from: match turn.from {
                    Appearance::Boot => Mono::ZERO,
                    Appearance::Turn | Appearance::Flash => settled_at(setup).plus(fault.at),
                },
                is_late: turn.from == Appearance::Flash,
            };
            for node in chance.share(pool, share) {
                casting.parts.insert(node, part);
            }
            casting.victims.insert(number, victims);
            casting.swarms.insert(number, Swarm::default());
        }
        casting
    }

    /// Whether `node` is none of them.
    pub(super) fn is_honest(&self, node: usize) -> bool {
        !self.parts.contains_key(&node)
    }

    /// Whether `node` is not there from the start.
    pub(super) fn is_late(&self, node: usize) -> bool {
        self.parts.get(&node).is_some_and(|part| part.is_late)
    }

    /// The nodes that come with fault `fault`.
    pub(super) fn latecomers(&self, fault: usize) -> Vec<usize> {
        let parts = self.parts.iter();
        let late = parts.filter(|(_, part)| part.is_late && part.fault == fault);
        late.map(|(node, _)| *node).collect()
    }

    /// An engine, or one with an evil before it.
    pub(super) fn engine(&self, setup: &Setup, birth: &Birth<'_>) -> Box<dyn Behaviour> {
        for (fault, victims) in &self.victims {
            if victims.contains(&birth.number) {
                self.swarms[fault].aim(birth);
            }
        }
        let part = self.parts.get(&birth.number);
        let turn = part.and_then(|part| match setup.faults[part.fault].kind {
            FaultKind::Turn(turn) => Some((part, turn)),
            _ => None,
        });
        let Some((part, turn)) = turn else {
            return Box::new(birth.engine());
        };
        let swarm = &self.swarms[&part.fault];
        swarm.join(birth);
        Box::new(Adversary::new(birth, turn.evil, swarm, part.from))
    }

    /// `node`, a comparator, or one that withholds: no other evil is told of comparators.
    pub(super) fn comparator(
        &self,
        birth: &Birth<'_>,
        node: Box<dyn Behaviour>,
    ) -> Box<dyn Behaviour> {
        match self.parts.get(&birth.number) {
            Some(part) => Box::new(Withholding::new(node, part.from)),
            None => node,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn per_node(all: usize, some: usize) -> f64 {
    all as f64 / some.max(1) as f64
}
