//! Random choices, in whole numbers so that every machine draws alike.

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// A number from 0 up to, not including, `bound`; 0 when `bound` is 0.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let drawn = rng.next_u64() % bound.max(1) as u64;
    usize::try_from(drawn).unwrap_or(0)
}

/// Puts `items` into a random order.
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

/// So many of `items` by chance; all, when there are no more.
pub(crate) fn sample<T>(rng: &mut ChaCha8Rng, mut items: Vec<T>, count: usize) -> Vec<T> {
    shuffle(rng, &mut items);
    items.truncate(count);
    items
}
