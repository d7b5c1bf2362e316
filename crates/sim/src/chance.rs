//! What is drawn about a world from outside: who dies, who publishes. Its numbers are its own, so that a
//! draw more does not change what happens inside.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use crate::draw;

/// Draws, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        // Not the stream the world draws from.
        Self(ChaCha8Rng::seed_from_u64(!seed))
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        draw::below(&mut self.0, bound)
    }

    /// This share of `all`, at least one unless the share is nothing, in order.
    pub(crate) fn share(&mut self, mut all: Vec<usize>, share: f64) -> Vec<usize> {
        let count = part(all.len(), share);
        for place in 0..count {
            let other = place + self.below(all.len() - place);
            all.swap(place, other);
        }
        all.truncate(count);
        all.sort_unstable();
        all
    }
}

/// How many this share of `all` is, at least one unless the share is nothing.
pub(crate) fn part(all: usize, share: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a length"
    )]
    let wanted = (all as f64 * share.clamp(0.0, 1.0)).round() as usize;
    wanted.max(usize::from(share > 0.0).min(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_as_large_as_it_says_and_at_least_one() {
        let mut chance = Chance::new(1);
        let sizes = [(0.0, 0), (0.001, 1), (0.3, 30), (1.0, 100)];
        for (share, size) in sizes {
            let drawn = chance.share((0..100).collect(), share);
            assert_eq!(drawn.len(), size, "{share}");
            assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
        }
        assert_eq!(chance.share(Vec::new(), 0.5), [0; 0]);
    }
}
