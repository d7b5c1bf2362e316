//! Values of dave's that this gateway can answer with: the latest, within a bound of bytes.
//!
//! They are bulletins of the node as well, which keeps them over a restart; what is here is read from
//! there at the start.

use std::collections::{BTreeMap, VecDeque};

use super::codec::{Dat, Work};

/// Bytes of all values together.
pub(super) const VALUES_BYTES_MAX: usize = 32 << 20;
/// What a value takes besides its contents.
const OVERHEAD: usize = 256;

/// The values, the oldest first to go.
#[derive(Debug, Default)]
pub(super) struct Values {
    by_work: BTreeMap<Work, Dat>,
    order: VecDeque<Work>,
    bytes: usize,
}

impl Values {
    /// Keeps a value; answers whether it was not there.
    pub(super) fn keep(&mut self, work: Work, dat: Dat) -> bool {
        if self.by_work.contains_key(&work) {
            return false;
        }
        self.bytes += cost(&dat);
        self.by_work.insert(work, dat);
        self.order.push_back(work);
        while self.bytes > VALUES_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(dat) = self.by_work.remove(&oldest) {
                self.bytes -= cost(&dat);
            }
        }
        true
    }

    pub(super) fn get(&self, work: &Work) -> Option<&Dat> {
        self.by_work.get(work)
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

    #[test]
    fn values_are_kept_within_the_bound_the_oldest_go() {
        let mut values = Values::default();
        let dat = Dat {
            val: vec![0; 1_280],
            ..Dat::default()
        };
        let fit = VALUES_BYTES_MAX / cost(&dat);
        let work = |n: usize| {
            let mut work = [0; 32];
            work[..8].copy_from_slice(&(n as u64).to_be_bytes());
            work
        };
        for n in 0..=fit {
            assert!(values.keep(work(n), dat.clone()));
            assert!(!values.keep(work(n), dat.clone()));
        }
        assert_eq!(values.len(), fit);
        assert!(values.get(&work(0)).is_none() && values.get(&work(fit)).is_some());
    }
}
