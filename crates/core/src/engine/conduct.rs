//! What one link may make us do: a budget of words, far above what an honest neighbour says and far
//! below what a flood does.
//!
//! An honest neighbour announces, asks for and confirms each bulletin about once, so its words grow
//! with the bulletins that pass, and those with the signatures one core can check: about 20,000 a
//! second. What an honest neighbour says rarely costs more, so that fewer suffice. New bulletins
//! cost nothing here: work and signature pay for them.

use crate::time::{Mono, micros};
use crate::wire::Frame;

/// Points of one link, in millionths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    micropoints: u64,
    at: Mono,
}

impl Budget {
    /// Points earned in a second, and at most kept.
    const PER_S: u64 = 50_000;
    const POINT: u64 = 1_000_000;
    const FULL: u64 = Self::PER_S.saturating_mul(Self::POINT);

    pub(super) const fn new(now: Mono) -> Self {
        Self {
            micropoints: Self::FULL,
            at: now,
        }
    }

    /// Spends `points`; answers whether there were as many.
    pub(super) fn spend(&mut self, points: u64, now: Mono) -> bool {
        let earned = micros(now.since(self.at)).saturating_mul(Self::PER_S);
        let purse = self.micropoints.saturating_add(earned).min(Self::FULL);
        self.at = now;
        let left = purse.checked_sub(points.saturating_mul(Self::POINT));
        self.micropoints = left.unwrap_or(0);
        left.is_some()
    }
}

/// A bulletin that the link has sent or announced before. Repair may ask two neighbours for the same
/// one, so an honest link repeats itself now and then.
pub(super) const REPEAT: u64 = 5;
/// A chunk that is known, or was never asked for.
pub(super) const CHUNK_REPEAT: u64 = 200;
/// A frame of a kind unknown here.
pub(super) const UNKNOWN: u64 = 1;

/// What it costs to say `frame`.
pub(super) fn price(frame: &Frame) -> u64 {
    let (each, entries) = match frame {
        // So does a chunk that was asked for.
        Frame::Pub { .. } | Frame::Chunk { .. } => return 0,
        Frame::Ihave { entries } => (1, entries.len()),
        Frame::Iwant { ids } | Frame::Nack { ids, .. } | Frame::Kept { ids } => (1, ids.len()),
        Frame::Graft { roots, ids } => (2, roots.len().saturating_add(ids.len())),
        // R2 allows 20 a second.
        Frame::Choke { roots } => (20, roots.len()),
        // Each may make a seed dial; a node has few dead neighbours at a time.
        Frame::Report { nodes } => (100, nodes.len()),
        // Each bulletin's at most once a minute.
        Frame::Stamp { entries } => (20, entries.len()),
        // Sixteen records in half a minute.
        Frame::Peers { records } | Frame::Lease { records, .. } => (20, records.len()),
        // A question that makes us work, asked a few times a minute.
        Frame::Probe { .. } | Frame::PeersReq | Frame::SyncMsg { .. } => (100, 1),
        // A registration, once in half a minute, asks for a signature and sixteen records.
        Frame::SyncOpen { .. } | Frame::Register { .. } => (500, 1),
        // Fifty a second: a question that makes dozens of nodes work, and what is said about once a link and has
        // all trees looked through.
        Frame::Lookup { .. } | Frame::Mesh { .. } => (1_000, 1),
        // 12,000 chunks a second are more than any link carries.
        Frame::WantChunks { chunks, .. } => (4, chunks.len()),
        // Twenty times a second for each content on its way.
        Frame::HaveChunks { .. } => (20, 1),
        // Once in some seconds, and it asks for a digest.
        Frame::Ping { .. } => (50, 1),
        _ => (1, 1),
    };
    u64::try_from(entries)
        .unwrap_or(u64::MAX)
        .saturating_mul(each)
        .saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ShortId;
    use crate::wire::IhaveEntry;

    #[test]
    fn twenty_thousand_announcements_and_requests_a_second_are_fine_and_ten_times_as_many_are_not()
    {
        let entry = IhaveEntry {
            id: ShortId::from_bytes([1; 16]),
            root_tag: 1,
        };
        let ihave = Frame::Ihave {
            entries: vec![entry; 100],
        };
        let iwant = Frame::Iwant {
            ids: vec![entry.id; 50],
        };
        for (frames_per_s, is_fine) in [(200, true), (2_000, false)] {
            let mut budget = Budget::new(Mono::ZERO);
            let all = (0..frames_per_s * 10_u64).all(|number| {
                let now = Mono::from_micros(number * 1_000_000 / frames_per_s);
                budget.spend(price(&ihave), now) && budget.spend(price(&iwant) * 2, now)
            });
            assert_eq!(all, is_fine, "{frames_per_s}");
        }
    }

    #[test]
    fn whoever_joins_and_leaves_the_mesh_without_end_is_stopped() {
        for (times, is_fine) in [(10, true), (200, false)] {
            let mut budget = Budget::new(Mono::ZERO);
            let all = (0..times).all(|time| {
                let frame = Frame::Mesh { on: time % 2 == 0 };
                budget.spend(price(&frame), Mono::ZERO)
            });
            assert_eq!(all, is_fine, "{times}");
        }
    }

    #[test]
    fn an_overdrawn_budget_recovers_within_a_second() {
        let mut budget = Budget::new(Mono::ZERO);
        assert!(!budget.spend(60_000, Mono::ZERO));
        assert!(!budget.spend(1, Mono::ZERO));
        assert!(budget.spend(50_000, Mono::from_micros(1_000_000)));
    }
}
