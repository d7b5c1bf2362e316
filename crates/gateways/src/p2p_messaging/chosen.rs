//! The seeds that a peer registers with: more than half of them, as the original, and others in place of those that do
//! not answer. Who is known to dead seeds alone is unknown to all who come after.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use crate::draw;

/// The chosen among the seeds, which are called by their places in the configuration.
#[derive(Debug)]
pub(super) struct Chosen {
    seeds: usize,
    registered: BTreeSet<usize>,
    /// Those that have answered since all were asked.
    answered: BTreeSet<usize>,
    has_begun: bool,
}

impl Chosen {
    /// Chooses among so many.
    pub(super) fn new(seeds: usize, rng: &mut ChaCha8Rng) -> Self {
        let chosen = draw::some(rng, (0..seeds).collect(), wanted(seeds));
        Self {
            seeds,
            registered: chosen.into_iter().collect(),
            answered: BTreeSet::new(),
            has_begun: false,
        }
    }

    /// All are about to be asked again: with whom to register now. The silent stay chosen, for when they are back.
    pub(super) fn round(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let answered = std::mem::take(&mut self.answered);
        if !std::mem::replace(&mut self.has_begun, true) {
            return self.registered.iter().copied().collect();
        }
        let there = answered.intersection(&self.registered).count();
        let others = answered.difference(&self.registered).copied().collect();
        let more = draw::some(rng, others, wanted(self.seeds).saturating_sub(there));
        self.registered.extend(&more);
        more
    }

    /// A seed has answered; says whether it is a chosen one.
    pub(super) fn answered(&mut self, seed: usize) -> bool {
        self.answered.insert(seed);
        self.registered.contains(&seed)
    }

    /// The chosen.
    pub(super) fn all(&self) -> Vec<usize> {
        self.registered.iter().copied().collect()
    }
}

const fn wanted(seeds: usize) -> usize {
    seeds / 2 + 1
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;

    /// Who was registered with seeds that died alone was invisible to newcomers.
    #[test]
    fn in_place_of_those_that_do_not_answer_others_are_chosen() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut chosen = Chosen::new(5, &mut rng);
        let answer = |chosen: &mut Chosen, seeds: &[usize]| {
            for seed in seeds {
                chosen.answered(*seed);
            }
        };
        let first = chosen.round(&mut rng);
        assert_eq!(first.len(), 3);
        let others: Vec<_> = (0..5).filter(|seed| !first.contains(seed)).collect();
        answer(&mut chosen, &[0, 1, 2, 3, 4]);
        assert_eq!(chosen.round(&mut rng), [0; 0], "all are there");
        // One is silent: one other takes its place. Then all of them are.
        answer(&mut chosen, &[&first[1..], &others[..]].concat());
        let second = chosen.round(&mut rng);
        assert!(
            second.len() == 1 && others.contains(&second[0]),
            "{second:?}"
        );
        answer(&mut chosen, &others);
        let third = chosen.round(&mut rng);
        assert!(third.len() == 1 && others.contains(&third[0]), "{third:?}");
        assert_ne!(second, third);
        // There are no more; and who is back counts again.
        assert_eq!(chosen.round(&mut rng), [0; 0]);
        assert!(chosen.answered(first[0]));
        assert_eq!(chosen.all(), [0, 1, 2, 3, 4]);
    }
}
