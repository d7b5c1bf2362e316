//! Alert: a parent that fails its children in one tree fails them in others. After a tree did not bring a
//! bulletin to us or to a neighbour, bulletins of all trees are announced to the whole mesh at once for a
//! while, as if their trees were in trouble already.
//!
//! It costs a frame for each neighbour and bulletin, so there is none where much is said: under load everything
//! is late, and announcing more would make it later.

use std::time::Duration;

use crate::time::Mono;

use super::neighbour::Bucket;

/// Whether we are on the alert.
#[derive(Debug)]
pub(super) struct Alert {
    until: Mono,
    /// Not before then: too much was said.
    from: Mono,
    bucket: Bucket,
}

impl Alert {
    /// How long one bulletin that a tree did not bring is a sign of more to come.
    const TIME: Duration = Duration::from_secs(2);
    /// Of more bulletins a second than this there is none …
    const PER_S: u32 = 20;
    /// … for so long.
    const CALM: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self {
            until: Mono::ZERO,
            from: Mono::ZERO,
            bucket: Bucket::new(Self::PER_S, Mono::ZERO),
        }
    }

    /// A tree did not bring something, here or at a neighbour that asked us for it.
    pub(super) fn raise(&mut self, now: Mono) {
        self.until = now.plus(Self::TIME);
    }

    /// Whether a bulletin that comes now is to be announced at once.
    pub(super) fn covers_one_more(&mut self, now: Mono) -> bool {
        if now < self.from || now >= self.until {
            return false;
        }
        let has_room = self.bucket.take(1, now);
        if !has_room {
            self.from = now.plus(Self::CALM);
        }
        has_room
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
    fn there_is_none_under_load() {
        let covered = |every| {
            let mut alert = Alert::new();
            let mut covered = 0;
            for millis in (0..25_000).step_by(every) {
                alert.raise(at(millis));
                covered += u32::from(alert.covers_one_more(at(millis)));
            }
            covered
        };
        assert_eq!(covered(100), 250, "ten a second");
        assert!(covered(1) <= 21, "a thousand");
    }
}
