//! Which bodies belong to which topic, by arrival: in memory alone, read back from the known ids.
//!
//! A topic stands as a keyed hash of eight bytes, so that a list costs the same whatever its topic, and
//! a topic that nobody else uses costs no list. Two topics that share a hash share a list: whoever reads
//! looks at the bodies' own topics.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::hash::{BuildHasher as _, RandomState};
use std::iter::Peekable;

use bruit_core::id::TopicId;
use bruit_core::time::Wall;

/// The lists of all topics.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// When each body was created, by topic and arrival.
    created: BTreeMap<(u64, u64), Wall>,
    hasher: RandomState,
}

/// What changes a list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listing {
    Add(TopicId, u64, Wall),
    Remove(TopicId, u64),
}

/// A part of some lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listed {
    /// Arrivals, in order.
    pub(super) seqs: Vec<u64>,
    /// The arrival to read on after; `None` at the end.
    pub(super) next: Option<u64>,
}

impl Lists {
    pub(super) fn take(&mut self, listing: Listing) {
        match listing {
            Listing::Add(topic, seq, created) => {
                self.created.insert((self.hash(&topic), seq), created);
            }
            Listing::Remove(topic, seq) => {
                self.created.remove(&(self.hash(&topic), seq));
            }
        }
    }

    /// How many bodies of `topic` there are.
    pub(super) fn count(&self, topic: &TopicId) -> usize {
        self.range(self.hash(topic), 0).count()
    }

    /// Whether the body under `seq` is one of `topic`.
    pub(super) fn contains(&self, topic: &TopicId, seq: u64) -> bool {
        self.created.contains_key(&(self.hash(topic), seq))
    }

    /// Bodies of `topics` from arrival `first` on that were created at `since` or later: at most `max`, and
    /// after `visits_max` that were looked at.
    pub(super) fn merged(
        &self,
        topics: &[TopicId],
        first: u64,
        since: Wall,
        (max, visits_max): (usize, usize),
    ) -> Listed {
        let mut hashes: Vec<_> = topics.iter().map(|topic| self.hash(topic)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut lists: Vec<Peekable<Range<'_, _, _>>> = hashes
            .into_iter()
            .map(|hash| self.range(hash, first).peekable())
            .collect();
        let mut listed = Listed::default();
        let (mut visits, mut last) = (0, None);
        while let Some((seq, list)) = lists
            .iter_mut()
            .filter_map(|list| Some((list.peek()?.0.1, list)))
            .min_by_key(|(seq, _)| *seq)
        {
            if listed.seqs.len() >= max || visits >= visits_max {
                listed.next = last;
                break;
            }
            visits += 1;
            last = Some(seq);
            if list.next().is_some_and(|(_, created)| *created >= since) {
                listed.seqs.push(seq);
            }
        }
        listed
    }

    fn range(&self, hash: u64, first: u64) -> Range<'_, (u64, u64), Wall> {
        self.created.range((hash, first)..=(hash, u64::MAX))
    }

    fn hash(&self, topic: &TopicId) -> u64 {
        self.hasher.hash_one(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: (usize, usize) = (usize::MAX, usize::MAX);

    fn lists() -> (Lists, [TopicId; 2]) {
        let topics = ["one", "other"].map(TopicId::of);
        let mut lists = Lists::default();
        for seq in 1..=9 {
            let topic = topics[usize::from(seq % 3 == 0)];
            lists.take(Listing::Add(topic, seq, Wall::from_millis(seq * 10)));
        }
        (lists, topics)
    }

    #[test]
    fn lists_are_merged_by_arrival_and_end_where_they_are_told() {
        let (mut lists, [one, other]) = lists();
        let since = Wall::from_millis(0);
        let from = |lists: &Lists, topics: &[TopicId], first, max| {
            let listed = lists.merged(topics, first, since, (max, usize::MAX));
            (listed.seqs, listed.next)
        };
        assert_eq!(from(&lists, &[other], 1, 9), (vec![3, 6, 9], None));
        let both = [other, one, other];
        assert_eq!(from(&lists, &both, 4, 9), (vec![4, 5, 6, 7, 8, 9], None));
        assert_eq!(from(&lists, &both, 4, 3), (vec![4, 5, 6], Some(6)));
        assert_eq!(from(&lists, &[TopicId::of("none")], 1, 9), (vec![], None));
        lists.take(Listing::Remove(other, 6));
        assert_eq!(from(&lists, &[other], 1, 9), (vec![3, 9], None));
        assert_eq!((lists.count(&other), lists.contains(&other, 6)), (2, false));
        assert!(lists.contains(&other, 9) && !lists.contains(&one, 9));
    }

    #[test]
    fn what_is_too_old_is_looked_at_and_left_out() {
        let (lists, [one, _]) = lists();
        let since = Wall::from_millis(50);
        assert_eq!(lists.merged(&[one], 1, since, ALL).seqs, [5, 7, 8]);
        let part = lists.merged(&[one], 1, since, (9, 3));
        assert_eq!((part.seqs, part.next), (vec![], Some(4)));
        let part = lists.merged(&[one], 5, since, (9, 3));
        assert_eq!((part.seqs, part.next), (vec![5, 7, 8], None));
    }
}
