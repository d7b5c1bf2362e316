//! The digest of a set of ids: the sum of all ids modulo 2²⁵⁶ and their count, hashed.
//!
//! A sum can be kept up to date by adding and subtracting, in whatever order; the same sum is the
//! fingerprint of the reconciliation protocol.

use crate::id::BulletinId;

/// Digests kept up to date: one for every minute a neighbour may ask for, and one that passes.
const CUTS_MAX: usize = 6;

/// The sum of a set of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    /// Little-endian lanes of the sum.
    lanes: [u64; 4],
    count: u64,
}

impl Sum {
    /// Adds `id`, which is not in the set.
    pub(super) fn add(&mut self, id: &BulletinId) {
        let mut carry = false;
        for (lane, other) in self.lanes.iter_mut().zip(lanes(id)) {
            let (sum, first) = lane.overflowing_add(other);
            let (sum, second) = sum.overflowing_add(carry.into());
            *lane = sum;
            carry = first || second;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Takes `id`, which is in the set, out.
    pub(super) fn remove(&mut self, id: &BulletinId) {
        let mut borrow = false;
        for (lane, other) in self.lanes.iter_mut().zip(lanes(id)) {
            let (rest, first) = lane.overflowing_sub(other);
            let (rest, second) = rest.overflowing_sub(borrow.into());
            *lane = rest;
            borrow = first || second;
        }
        self.count = self.count.wrapping_sub(1);
    }

    /// `BLAKE3("dig1" ‖ sum ‖ count)`, the first 16 bytes.
    pub(super) fn digest(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"dig1");
        for lane in self.lanes {
            hasher.update(&lane.to_le_bytes());
        }
        hasher.update(&self.count.to_le_bytes());
        let mut digest = [0; 16];
        for (to, from) in digest.iter_mut().zip(hasher.finalize().as_bytes()) {
            *to = *from;
        }
        digest
    }
}

/// The sums of the last minutes that were asked for, kept up to date.
#[derive(Debug, Clone, Default)]
pub(super) struct Cuts(Vec<Cut>);

#[derive(Debug, Clone)]
struct Cut {
    minute: u64,
    sum: Sum,
    /// What neighbours are told with each ping: mostly nothing has changed since the last.
    digest: Option<[u8; 16]>,
}

impl Cuts {
    /// The digest of `minute`, if its sum is known.
    pub(super) fn digest(&mut self, minute: u64) -> Option<[u8; 16]> {
        let cut = self.0.iter_mut().find(|cut| cut.minute == minute)?;
        Some(*cut.digest.get_or_insert_with(|| cut.sum.digest()))
    }

    /// The sum of `minute` is this; returns its digest.
    pub(super) fn put(&mut self, minute: u64, sum: Sum) -> [u8; 16] {
        if self.0.len() >= CUTS_MAX {
            self.0.remove(0);
        }
        let digest = sum.digest();
        self.0.push(Cut {
            minute,
            sum,
            digest: Some(digest),
        });
        digest
    }

    /// Adds `id` to the sums of the minutes it counts at.
    pub(super) fn add(&mut self, id: &BulletinId, counts_at: impl Fn(u64) -> bool) {
        self.change(counts_at, |sum| sum.add(id));
    }

    /// Takes it out of them.
    pub(super) fn remove(&mut self, id: &BulletinId, counts_at: impl Fn(u64) -> bool) {
        self.change(counts_at, |sum| sum.remove(id));
    }

    fn change(&mut self, counts_at: impl Fn(u64) -> bool, change: impl Fn(&mut Sum)) {
        for cut in self.0.iter_mut().filter(|cut| counts_at(cut.minute)) {
            change(&mut cut.sum);
            cut.digest = None;
        }
    }
}

fn lanes(id: &BulletinId) -> [u64; 4] {
    let mut lanes = [0; 4];
    for (lane, bytes) in lanes.iter_mut().zip(id.as_bytes().chunks_exact(8)) {
        *lane = bytes.try_into().map_or(0, u64::from_le_bytes);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_does_not_depend_on_order_and_forgets_what_was_removed() {
        let ids: Vec<_> = (0..50_u8)
            .map(|n| BulletinId::from_bytes(*blake3::hash(&[n]).as_bytes()))
            .chain([BulletinId::from_bytes([0xff; 32])])
            .collect();
        let mut forward = Sum::default();
        for id in &ids {
            forward.add(id);
        }
        let mut backward = Sum::default();
        for id in ids.iter().rev() {
            backward.add(id);
        }
        assert_eq!(forward, backward);
        for id in &ids {
            forward.remove(id);
        }
        assert_eq!(forward, Sum::default());
        assert_ne!(backward.digest(), forward.digest());
    }

    #[test]
    fn a_digest_that_is_kept_is_that_of_the_sum_whatever_came_since() {
        let id = |n: u8| BulletinId::from_bytes(*blake3::hash(&[n]).as_bytes());
        let (mut cuts, mut sum) = (Cuts::default(), Sum::default());
        assert_eq!(cuts.digest(1), None);
        assert_eq!(cuts.put(1, sum), sum.digest());
        cuts.add(&id(7), |minute| minute == 1);
        cuts.add(&id(8), |minute| minute == 2);
        sum.add(&id(7));
        assert_eq!(cuts.digest(1), Some(sum.digest()));
        cuts.remove(&id(7), |minute| minute == 1);
        sum.remove(&id(7));
        assert_eq!(cuts.digest(1), Some(sum.digest()));
    }
}
