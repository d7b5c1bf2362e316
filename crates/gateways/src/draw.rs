//! Random choices from a seeded generator, without repeating one.

use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

/// A number from 0 up to, not including, `bound`; 0 when `bound` is 0.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let bound = u64::try_from(bound).unwrap_or(u64::MAX);
    let drawn = rng.next_u64().checked_rem(bound).unwrap_or(0);
    usize::try_from(drawn).unwrap_or(0)
}

/// Up to `most` of `items`, each at most once, in a random order.
pub(crate) fn some<T>(rng: &mut ChaCha8Rng, mut items: Vec<T>, most: usize) -> Vec<T> {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
    items.truncate(most);
    items
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn nothing_is_drawn_twice() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let mut drawn = some(&mut rng, vec![1, 2, 3], 2);
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 2);
        }
        assert_eq!(some(&mut rng, vec![1], 2), [1]);
        assert!(some(&mut rng, Vec::<u8>::new(), 2).is_empty());
    }
}
