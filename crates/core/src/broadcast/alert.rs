//! Alert: a parent that fails its children in one tree fails them in others. After a tree did not bring a
//! bulletin to us or to two neighbours, bulletins of all trees are announced to the whole mesh at once for a
//! while, as if their trees were in trouble already. A few bulletins may be late by chance; after a third one,
//! or two at once, they are also pushed to a neighbour that no tree would have them pushed to, and what comes by a
//! detour counts as missing around us.
//!
//! It costs a frame for each neighbour and bulletin, so there is none where much is said: under load everything
//! is late, and announcing more would make it later.

use std::time::Duration;

use crate::id::{LinkId, ShortId};
use crate::time::Mono;

use super::neighbour::Bucket;

/// Whether we are on the alert.
#[derive(Debug, Clone)]
pub(super) struct Alert {
    /// The bulletin that raised it last.
    by: Option<ShortId>,
    /// When each of the last bulletins that did so last did, the latest first.
    raised: [Option<Mono>; Self::GRAVE],
    /// Who asked us last for what a tree should have brought, and when.
    asker: Option<(LinkId, Mono)>,
    /// Not before then: too much was said.
    from: Mono,
    bucket: Bucket,
}

impl Alert {
    /// How long one bulletin that a tree did not bring is a sign of more to come.
    const TIME: Duration = Duration::from_secs(2);
    /// So many are no chance …
    const GRAVE: usize = 3;
    /// … nor are two within this.
    const AT_ONCE: Duration = Duration::from_millis(500);
    /// Of more bulletins a second than this there is none …
    const PER_S: u32 = 12;
    /// … for so long.
    const CALM: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self {
            by: None,
            raised: [None; Self::GRAVE],
            asker: None,
            from: Mono::ZERO,
            bucket: Bucket::new(Self::PER_S, Mono::ZERO),
        }
    }

    /// A tree did not bring `id` to `link`, which asks us for it. Of one neighbour the parent may merely be late: it
    /// asks five, and were all of them alarmed, what they announce would have others ask.
    pub(super) fn asked_for(&mut self, id: ShortId, link: LinkId, now: Mono) {
        let before = self.asker.replace((link, now));
        if before.is_some_and(|(other, at)| other != link && now < at.plus(Self::TIME)) {
            self.raise(id, now);
        }
    }

    /// A tree did not bring `id`.
    pub(super) fn raise(&mut self, id: ShortId, now: Mono) {
        if self.by != Some(id) {
            self.by = Some(id);
            self.raised.rotate_right(1);
        }
        let [latest, ..] = &mut self.raised;
        *latest = Some(now);
    }

    /// Whether one bulletin after the other is missing.
    pub(super) fn is_grave(&self, now: Mono) -> bool {
        let within = |time| move |at: &Option<Mono>| at.is_some_and(|at| now < at.plus(time));
        let two_at_once = self.raised.iter().take(2).all(within(Self::AT_ONCE));
        now >= self.from && (two_at_once || self.raised.iter().all(within(Self::TIME)))
    }

    /// Whether a bulletin that comes now is to be announced at once.
    pub(super) fn covers_one_more(&mut self, now: Mono) -> bool {
        let [latest, ..] = self.raised;
        let is_up = latest.is_some_and(|at| now < at.plus(Self::TIME));
        if now < self.from || !is_up {
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

    const ID: ShortId = ShortId::from_bytes([1; 16]);

    fn at(millis: u64) -> Mono {
        Mono::ZERO.plus(Duration::from_millis(millis))
    }

    #[test]
    fn it_is_raised_for_two_seconds() {
        let mut alert = Alert::new();
        assert!(!alert.covers_one_more(at(0)));
        alert.raise(ID, at(10));
        assert!(alert.covers_one_more(at(2_009)));
        assert!(!alert.covers_one_more(at(2_010)));
    }

    #[test]
    fn it_is_grave_while_three_bulletins_would_each_keep_it_up() {
        let id = |number| ShortId::from_bytes([number; 16]);
        let mut alert = Alert::new();
        for (millis, number, is_grave) in [
            (0, 1, false),
            (500, 1, false),
            (1_000, 2, false),
            (2_400, 3, true),
            (2_900, 4, true),
            (4_500, 5, false),
        ] {
            alert.raise(id(number), at(millis));
            assert_eq!(alert.is_grave(at(millis)), is_grave, "{millis}");
        }
    }

    #[test]
    fn two_bulletins_within_half_a_second_are_grave_and_one_is_not() {
        let mut alert = Alert::new();
        alert.raise(ID, at(0));
        alert.raise(ID, at(400));
        assert!(!alert.is_grave(at(400)));
        alert.raise(ShortId::from_bytes([2; 16]), at(600));
        assert!(alert.is_grave(at(600)));
        assert!(alert.is_grave(at(899)));
        assert!(!alert.is_grave(at(900)));
    }

    #[test]
    fn there_is_none_under_load() {
        let covered = |every| {
            let mut alert = Alert::new();
            let mut covered = 0;
            for millis in (0..25_000).step_by(every) {
                alert.raise(ID, at(millis));
                covered += u32::from(alert.covers_one_more(at(millis)));
            }
            covered
        };
        assert_eq!(covered(100), 250, "ten a second");
        assert!(covered(50) <= 30, "twenty a second");
        assert!(covered(1) <= 13, "a thousand");
    }
}
