//! Random choices from the seeded generator, in whole numbers so that every machine draws alike.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// A number from 0 up to, not including, `bound`; 0 when `bound` is 0.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let bound = u64::try_from(bound).unwrap_or(u64::MAX);
    let drawn = rng.next_u64().checked_rem(bound).unwrap_or(0);
    usize::try_from(drawn).unwrap_or(0)
}

/// One of `items`.
pub(crate) fn pick<'a, T>(rng: &mut ChaCha8Rng, items: &'a [T]) -> Option<&'a T> {
    items.get(below(rng, items.len()))
}

/// `around`, up to `percent` of it more or less.
pub(crate) fn spread(rng: &mut ChaCha8Rng, around: Duration, percent: u32) -> Duration {
    let steps = usize::try_from(percent.saturating_mul(2)).unwrap_or(0);
    let step = u32::try_from(below(rng, steps.saturating_add(1))).unwrap_or(0);
    let share = 100_u32.saturating_sub(percent).saturating_add(step);
    around
        .saturating_mul(share)
        .checked_div(100)
        .unwrap_or(around)
}

/// Puts `items` into a random order.
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let other = below(rng, last.saturating_add(1));
        items.swap(last, other);
    }
}

/// Up to `most` of `items`, in a random order.
pub(crate) fn some<T: Copy>(rng: &mut ChaCha8Rng, items: &[T], most: usize) -> Vec<T> {
    let mut drawn = items.to_vec();
    shuffle(rng, &mut drawn);
    drawn.truncate(most);
    drawn
}
