//! A map by short id, as a hash table that nobody walks through.
//!
//! What a node keeps of the latest bulletins is looked up for each announcement of each neighbour. In a tree
//! of ten thousand ids such a look waits for memory a dozen times, here once or twice. Hashing has a price: the
//! order of entries depends on the key. So the table has no iterator, and nothing can depend on it.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::id::ShortId;

/// What short ids are hashed with. Keyed, or authors could grind ids that lie in one heap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HashKey([u64; 2]);

impl HashKey {
    /// A key made of `salt`, which only this node knows.
    pub(crate) const fn new(salt: u64) -> Self {
        Self([
            salt ^ 0x9e37_79b9_7f4a_7c15,
            salt.rotate_left(32) ^ 0xc2b2_ae3d_27d4_eb4f,
        ])
    }

    /// Two halves folded into one product: ids are hashes already, the key is what matters.
    pub(crate) fn hash(self, id: &ShortId) -> u64 {
        let bytes = u128::from_be_bytes(*id.as_bytes());
        let [high, low] = halves(bytes);
        let Self([a, b]) = self;
        let product = u128::from(high ^ a).wrapping_mul(u128::from(low ^ b));
        let [high, low] = halves(product);
        high ^ low
    }
}

fn halves(value: u128) -> [u64; 2] {
    let part = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    [part(value >> 64), part(value)]
}

/// What is kept for each short id.
#[derive(Debug, Clone)]
pub(crate) struct ShortIdMap<V> {
    table: HashTable<(ShortId, V)>,
    key: HashKey,
}

impl<V> ShortIdMap<V> {
    /// Nothing for anything.
    pub(crate) const fn new(key: HashKey) -> Self {
        Self {
            table: HashTable::new(),
            key,
        }
    }

    /// Keeps `value` for `id`; returns what was kept before.
    pub(crate) fn insert(&mut self, id: ShortId, value: V) -> Option<V> {
        let key = self.key;
        let hash = |(id, _): &(ShortId, V)| key.hash(id);
        match self.table.entry(key.hash(&id), is(&id), hash) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(&mut entry.get_mut().1, value)),
            Entry::Vacant(entry) => {
                entry.insert((id, value));
                None
            }
        }
    }

    /// Takes out what is kept for `id`.
    pub(crate) fn remove(&mut self, id: &ShortId) -> Option<V> {
        let entry = self.table.find_entry(self.key.hash(id), is(id)).ok()?;
        let ((_, value), _) = entry.remove();
        Some(value)
    }

    /// What is kept for `id`.
    pub(crate) fn get(&self, id: &ShortId) -> Option<&V> {
        let (_, value) = self.table.find(self.key.hash(id), is(id))?;
        Some(value)
    }
}

/// Whether an entry is that of `id`.
fn is<V>(id: &ShortId) -> impl Fn(&(ShortId, V)) -> bool {
    move |(other, _)| other == id
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is done, it answers as a tree does, whatever its key is.
        #[test]
        fn it_answers_as_a_tree_does(
            salt in any::<u64>(),
            steps in proptest::collection::vec((any::<bool>(), 0_u8..32, any::<u16>()), 0..400),
        ) {
            let mut map = ShortIdMap::new(HashKey::new(salt));
            let mut tree = BTreeMap::new();
            for (puts, id, value) in steps {
                let id = ShortId::from_bytes([id; 16]);
                if puts {
                    prop_assert_eq!(map.insert(id, value), tree.insert(id, value));
                } else {
                    prop_assert_eq!(map.remove(&id), tree.remove(&id));
                }
                prop_assert_eq!(map.get(&id), tree.get(&id));
            }
        }
    }

    #[test]
    fn another_key_puts_ids_elsewhere() {
        let id = ShortId::from_bytes([7; 16]);
        assert_ne!(HashKey::new(1).hash(&id), HashKey::new(2).hash(&id));
    }
}
