//! Alert: a parent that fails its children in one tree fails them in others. After a tree did not bring a
//! bulletin to us or to a neighbour, bulletins of all trees are announced to the whole mesh at once for a
//! while, as if their trees were in trouble already.
//!
//! It costs a frame for each neighbour and bulletin, so it is bounded: where everything is late, under load
//! or loss, announcing more would make it later.

use std::time::Duration;

use crate::time::Mono;

use super::neighbour::Bucket;

/// Whether we are on the alert.
#[derive(Debug)]
pub(super) struct Alert {
    until: Mono,
    bucket: Bucket,
}

impl Alert {
    /// How long one bulletin that a tree did not bring is a sign of more to come.
    const TIME: Duration = Duration::from_secs(2);
    /// Bulletins a second that are announced at once because of it.
    const PER_S: u32 = 20;

    pub(super) fn new() -> Self {
        Self {
            until: Mono::ZERO,
            bucket: Bucket::new(Self::PER_S, Mono::ZERO),
        }
    }

    /// A tree did not bring something, here or at a neighbour that asked us for it.
    pub(super) fn raise(&mut self, now: Mono) {
        self.until = now.plus(Self::TIME);
    }

    /// Whether a bulletin that comes now is to be announced at once.
    pub(super) fn covers_one_more(&mut self, now: Mono) -> bool {
        now < self.until && self.bucket.take(1, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono::ZERO.plus(Duration::from_millis(millis))
    }

    #[test]
    fn it_is_raised_for_two_seconds() {
        let mut alert = Alert::new();
        assert!(!alert.covers_one_more(at(0)));
        alert.raise(at(10));
        assert!(alert.covers_one_more(at(2_009)));
        assert!(!alert.covers_one_more(at(2_010)));
    }

    #[test]
    fn under_load_it_covers_twenty_bulletins_a_second() {
        let mut alert = Alert::new();
        let mut covered = 0;
        for millis in 0..10_000 {
            alert.raise(at(millis));
            covered += u32::from(alert.covers_one_more(at(millis)));
        }
        assert!((200..=221).contains(&covered), "{covered}");
    }
}
