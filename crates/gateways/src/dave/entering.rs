//! When a value may enter bruit: once as long as its bulletin is valid, however often it is put; again when somebody
//! there asks for one whose bulletin is gone, at a rate.

use std::time::{Duration, Instant};

use bruit::{AuthorId, VALUE_TTL};

use super::codec::{Dat, Work};
use super::gateway::name;
use crate::budget::Budget;
use crate::crossing::{Crossing, Turn};
use crate::recent::Recent;

/// How long is known that a value has crossed: as long as its bulletin is valid.
const KNOWN_FOR: Duration = VALUE_TTL;
/// A value that somebody in bruit asks for is published again when its bulletin is older than this: it has been
/// pushed out of a store.
const AGAIN: Duration = Duration::from_hours(1);
/// Values that are published again per second, and at once: they cost this node more than who asks.
const AGAIN_SENDS: (u32, u32) = (1, 16);
/// A bulletin that is valid for weeks takes some seconds to be paid for.
const CROSSING_STEP: Duration = Duration::from_secs(3);
/// Values whose bulletins are known to be new.
const FRESH_MAX: usize = 1 << 16;

/// A value that was asked for is not published again yet: others came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooOften;

/// What has entered.
#[derive(Debug)]
pub(super) struct Entering {
    crossing: Crossing<Dat>,
    /// Values whose bulletins are new.
    fresh: Recent<Work>,
    again: Budget,
}

impl Entering {
    /// Nothing has; `me` signs what will.
    pub(super) fn new(me: AuthorId) -> Self {
        Self {
            crossing: Crossing::new(me, KNOWN_FOR).patient(CROSSING_STEP),
            fresh: Recent::new(AGAIN, FRESH_MAX),
            again: Budget::new(AGAIN_SENDS.0, AGAIN_SENDS.1),
        }
    }

    /// A value came; it is given back when it is to be published now. One that has crossed is not remembered anew:
    /// what is put again and again would never be published again when its bulletin has expired.
    pub(super) fn came(&mut self, work: Work, dat: Dat, now: Instant) -> Option<Dat> {
        if self.crossing.is_known(&name(&work), now) {
            return None;
        }
        self.fresh.insert(work, (), now);
        match self.crossing.came(name(&work), dat, now) {
            Turn::Now(dat) => Some(dat),
            _ => None,
        }
    }

    /// The same of a value that somebody in bruit asks for, though it crossed before: its bulletin has not reached
    /// him, or is gone.
    pub(super) fn wanted(
        &mut self,
        work: Work,
        dat: Dat,
        now: Instant,
    ) -> Result<Option<Dat>, TooOften> {
        let id = name(&work);
        if self.crossing.is_known(&id, now) {
            if self.fresh.contains(&work, now) {
                return Ok(None);
            }
            if !self.again.take(now) {
                return Err(TooOften);
            }
            self.crossing.failed(&id);
        }
        Ok(self.came(work, dat, now))
    }

    /// A bulletin of `by`'s that is so old holds a value: it is known for as long as that is valid.
    pub(super) fn held(&mut self, work: Work, by: AuthorId, age: Duration, now: Instant) {
        if age < AGAIN {
            self.crossing.crossed(name(&work), Some(by), now);
            self.fresh.insert(work, (), now);
        } else {
            let since = now.checked_sub(age).unwrap_or(now);
            self.crossing.crossed_at(name(&work), since, now);
        }
    }

    /// What was to be published could not be: it may come again.
    pub(super) fn failed(&mut self, work: &Work) {
        self.fresh.remove(work);
        self.crossing.failed(&name(work));
    }

    /// Another gateway is there.
    pub(super) fn present(&mut self, author: AuthorId, now: Instant) {
        self.crossing.present(author, now);
    }

    /// What nobody before this gateway has published in time.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Dat> {
        let due = self.crossing.due(now).into_iter();
        due.map(|(_, dat)| dat).collect()
    }
}
