//! Values of dave's that this gateway can answer with: the latest, within a bound of bytes, each for as long as its
//! bulletin is valid.
//!
//! They are bulletins of the node as well, which keeps them over a restart; what is here is read from
//! there at the start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bruit::VALUE_TTL;

use super::codec::{Dat, Work};

/// Bytes of all values together.
pub(super) const VALUES_BYTES_MAX: usize = 32 << 20;
/// How long a value is kept: as long as a bulletin lives.
pub(super) const VALUES_KEEP: Duration = VALUE_TTL;
/// What a value takes besides its contents.
const OVERHEAD: usize = 256;

/// The values, the oldest first to go.
#[derive(Debug, Default)]
pub(super) struct Values {
    by_work: BTreeMap<Work, (Instant, Dat)>,
    by_age: BTreeSet<(Instant, Work)>,
    bytes: usize,
}

impl Values {
    /// Keeps a value whose bulletin was made at `since`; answers whether it was not there. One that is there is kept
    /// for longer when its bulletin is newer.
    pub(super) fn keep(&mut self, work: Work, dat: Dat, since: Instant) -> bool {
        if let Some((kept, _)) = self.by_work.get_mut(&work) {
            if since > *kept {
                self.by_age.remove(&(*kept, work));
                self.by_age.insert((since, work));
                *kept = since;
            }
            return false;
        }
        self.bytes += cost(&dat);
        self.by_work.insert(work, (since, dat));
        self.by_age.insert((since, work));
        while self.bytes > VALUES_BYTES_MAX {
            self.forget_oldest();
        }
        true
    }

    /// Forgets those whose bulletins have expired.
    pub(super) fn forget(&mut self, now: Instant) {
        let is_old =
            |(since, _): &(Instant, Work)| now.saturating_duration_since(*since) >= VALUES_KEEP;
        while self.by_age.first().is_some_and(is_old) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, work)) = self.by_age.pop_first()
            && let Some((_, dat)) = self.by_work.remove(&work)
        {
            self.bytes -= cost(&dat);
        }
    }

    pub(super) fn get(&self, work: &Work) -> Option<&Dat> {
        self.by_work.get(work).map(|(_, dat)| dat)
    }

    pub(super) fn len(&self) -> usize {
        self.by_work.len()
    }
}

fn cost(dat: &Dat) -> usize {
    dat.val.len() + dat.tag.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(n: usize) -> Work {
        let mut work = [0; 32];
        work[..8].copy_from_slice(&(n as u64).to_be_bytes());
        work
    }

    #[test]
    fn values_are_kept_within_the_bound_the_oldest_go() {
        let mut values = Values::default();
        let now = Instant::now();
        let dat = Dat {
            val: vec![0; 1_280],
            ..Dat::default()
        };
        let fit = VALUES_BYTES_MAX / cost(&dat);
        for n in 0..=fit {
            assert!(values.keep(work(n), dat.clone(), now));
            assert!(!values.keep(work(n), dat.clone(), now));
        }
        assert_eq!(values.len(), fit);
        assert!(values.get(&work(0)).is_none() && values.get(&work(fit)).is_some());
    }

    #[test]
    fn a_value_is_kept_as_long_as_its_newest_bulletin_is_valid() {
        let mut values = Values::default();
        let start = Instant::now();
        let later = start + Duration::from_hours(1);
        values.keep(work(1), Dat::default(), start);
        values.keep(work(2), Dat::default(), start);
        values.keep(work(2), Dat::default(), later);
        values.keep(work(2), Dat::default(), start);
        values.forget(start + VALUES_KEEP);
        assert!(values.get(&work(1)).is_none() && values.get(&work(2)).is_some());
        values.forget(later + VALUES_KEEP);
        assert_eq!((values.len(), values.bytes), (0, 0));
    }
}
