//! Min-wise samplers: a uniform sample of all ids ever heard of, however loudly some are pushed.
//!
//! After Brahms (Bortnikov et al. 2009, §4): each sampler keeps the id with the lowest keyed hash.
//! Hearing an id a thousand times changes nothing, so being loud buys nothing. Unlike the paper,
//! all samplers draw their hashes from one extendable output per id, which costs seven BLAKE3
//! blocks instead of 48 hashes and is as independent.

use rand_chacha::ChaCha8Rng;

use crate::draw;
use crate::id::NodeId;
use crate::limits;

/// Bytes of the ranks of one id, eight for each sampler.
const RANKS_BYTES: usize = limits::SAMPLERS.saturating_mul(8);

/// The samplers of one node.
#[derive(Debug, Clone)]
pub(super) struct Samplers {
    key: [u8; 32],
    heads: Vec<Option<(u64, NodeId)>>,
    turn: usize,
}

impl Samplers {
    /// Empty samplers under a secret `key`.
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            heads: vec![None; limits::SAMPLERS],
            turn: 0,
        }
    }

    /// Shows `id` to every sampler.
    pub(super) fn feed(&mut self, id: NodeId) {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // All at once: taken rank by rank, a block would be computed for each of them.
        let mut ranks = [0; RANKS_BYTES];
        hasher.update(id.as_bytes()).finalize_xof().fill(&mut ranks);
        let (ranks, _) = ranks.as_chunks();
        for (head, rank) in self.heads.iter_mut().zip(ranks) {
            let rank = u64::from_be_bytes(*rank);
            if head.is_none_or(|(lowest, _)| rank < lowest) {
                *head = Some((rank, id));
            }
        }
    }

    /// Empties the samplers that hold `id`; whether there were any.
    pub(super) fn reset(&mut self, id: &NodeId) -> bool {
        let mut any = false;
        for head in &mut self.heads {
            if head.is_some_and(|(_, held)| held == *id) {
                *head = None;
                any = true;
            }
        }
        any
    }

    /// The id a random sampler holds.
    pub(super) fn pick(&self, rng: &mut ChaCha8Rng) -> Option<NodeId> {
        (*draw::pick(rng, &self.heads)?).map(|(_, id)| id)
    }

    /// The id of the next sampler in turn.
    pub(super) fn next_head(&mut self) -> Option<NodeId> {
        self.turn = self.turn.saturating_add(1);
        if self.turn >= self.heads.len() {
            self.turn = 0;
        }
        (*self.heads.get(self.turn)?).map(|(_, id)| id)
    }

    /// Samplers that hold an id.
    pub(super) fn len(&self) -> usize {
        self.heads.iter().flatten().count()
    }

    /// Every held id, one per sampler.
    #[cfg(test)]
    pub(super) fn heads(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.heads.iter().flatten().map(|(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> NodeId {
        NodeId::from_bytes(*blake3::hash(&number.to_be_bytes()).as_bytes())
    }

    #[test]
    fn loudness_buys_no_sampler() {
        let mut quiet = Samplers::new([7; 32]);
        let mut loud = Samplers::new([7; 32]);
        for number in 0..200 {
            quiet.feed(id(number));
            let times = if number < 40 { 10 } else { 1 };
            for _ in 0..times {
                loud.feed(id(number));
            }
        }
        assert!(quiet.heads().eq(loud.heads()));
        let attackers: Vec<_> = (0..40).map(id).collect();
        let share = loud.heads().filter(|head| attackers.contains(head)).count();
        println!("20 % attackers, ten times as loud, hold {share} of 48 samplers");
        assert!(share <= 20);
    }

    #[test]
    fn a_dead_head_makes_room() {
        let mut samplers = Samplers::new([1; 32]);
        samplers.feed(id(1));
        assert_eq!(samplers.len(), limits::SAMPLERS);
        assert!(samplers.reset(&id(1)));
        assert_eq!(samplers.len(), 0);
        samplers.feed(id(2));
        assert!(samplers.heads().all(|head| head == id(2)));
    }
}
