//! Which number a bulletin has, asked for each copy that comes anywhere: a hash table that nobody walks through,
//! so that nothing depends on its order.

use bruit_core::id::BulletinId;
use hashbrown::HashTable;

/// Numbers by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(HashTable<(BulletinId, usize)>);

impl Numbers {
    /// The number of `id`.
    pub(crate) fn get(&self, id: &BulletinId) -> Option<usize> {
        let (_, number) = self.0.find(hash(id), |(other, _)| other == id)?;
        Some(*number)
    }

    /// The number of `id`, which becomes `new` if it has none.
    pub(crate) fn get_or_insert(&mut self, id: BulletinId, new: usize) -> usize {
        let entry = self
            .0
            .entry(hash(&id), |(other, _)| *other == id, |(id, _)| hash(id));
        entry.or_insert((id, new)).get().1
    }
}

/// Ids are hashes already, and nobody here makes them lie in one heap.
fn hash(id: &BulletinId) -> u64 {
    let first = id.as_bytes().first_chunk().copied();
    first.map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_whatever_comes_after() {
        let id =
            |number: u64| BulletinId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let mut numbers = Numbers::default();
        for (number, seed) in (0..1_000).enumerate() {
            assert_eq!(numbers.get(&id(seed)), None);
            assert_eq!(numbers.get_or_insert(id(seed), number), number);
            assert_eq!(numbers.get_or_insert(id(seed / 2), 5_000), number / 2);
        }
        assert!((0..1_000).all(|seed| numbers.get(&id(seed)) == usize::try_from(seed).ok()));
    }
}
