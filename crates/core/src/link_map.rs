//! A map by link, as a sorted array.
//!
//! A node has some tens of links, and each frame looks several things up by its link. In a tree of that size a
//! look-up waits for memory half a dozen times: for the root, its edges, a leaf, and the value in it. Here it
//! does for one or two lines of keys and for the value. In the order of links, as every map here.

use smallvec::SmallVec;

use crate::id::LinkId;

/// What is kept for each link.
#[derive(Debug, Clone)]
pub(crate) struct LinkMap<V> {
    /// In place, as long as there are few: beside what a room has at hand anyway.
    keys: SmallVec<[LinkId; 20]>,
    values: Vec<V>,
}

impl<V> Default for LinkMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "asked as a tree is, so that either can stand in the other's place"
)]
impl<V> LinkMap<V> {
    /// Nothing for anybody.
    pub(crate) const fn new() -> Self {
        Self {
            keys: SmallVec::new_const(),
            values: Vec::new(),
        }
    }

    /// Keeps `value` for `link`; returns what was kept before. Moves what is kept for later links.
    pub(crate) fn insert(&mut self, link: LinkId, value: V) -> Option<V> {
        match self.keys.binary_search(&link) {
            Ok(at) => {
                let kept = self.values.get_mut(at)?;
                Some(std::mem::replace(kept, value))
            }
            Err(at) => {
                self.keys.insert(at, link);
                self.values.insert(at, value);
                None
            }
        }
    }

    /// Takes out what is kept for `link`.
    pub(crate) fn remove(&mut self, link: &LinkId) -> Option<V> {
        let at = self.keys.binary_search(link).ok()?;
        self.keys.remove(at);
        Some(self.values.remove(at))
    }

    /// What is kept for `link`, the default where that is nothing.
    pub(crate) fn or_default(&mut self, link: LinkId) -> &mut V
    where
        V: Default,
    {
        let at = match self.keys.binary_search(&link) {
            Ok(at) => at,
            Err(at) => {
                self.keys.insert(at, link);
                self.values.insert(at, V::default());
                at
            }
        };
        self.values
            .get_mut(at)
            .expect("it was there or was put there")
    }

    /// What is kept for `link`, to be changed.
    pub(crate) fn get_mut(&mut self, link: &LinkId) -> Option<&mut V> {
        let at = self.keys.binary_search(link).ok()?;
        self.values.get_mut(at)
    }

    /// Everything kept, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&LinkId, &mut V)> {
        self.keys.iter().zip(&mut self.values)
    }

    /// What is kept, without for whom, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut()
    }

    /// What is kept for `link`.
    pub(crate) fn get(&self, link: &LinkId) -> Option<&V> {
        let at = self.keys.binary_search(link).ok()?;
        self.values.get(at)
    }

    /// Whether anything is kept for `link`.
    pub(crate) fn contains_key(&self, link: &LinkId) -> bool {
        self.keys.binary_search(link).is_ok()
    }

    /// Everything kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&LinkId, &V)> {
        self.keys.iter().zip(&self.values)
    }

    /// The links for which something is kept.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &LinkId> {
        self.keys.iter()
    }

    /// What is kept, without for whom.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter()
    }

    /// For how many links something is kept.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing is.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl<V> FromIterator<(LinkId, V)> for LinkMap<V> {
    fn from_iter<I: IntoIterator<Item = (LinkId, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (link, value) in entries {
            map.insert(link, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_a_tree_would_be(steps in prop::collection::vec((0_u8..3, 0_u64..40, 0_u32..9), 0..200)) {
            let (mut map, mut tree) = (LinkMap::new(), BTreeMap::new());
            for (step, number, value) in steps {
                let link = LinkId::new(number);
                match step {
                    0 => prop_assert_eq!(map.insert(link, value), tree.insert(link, value)),
                    1 => prop_assert_eq!(map.remove(&link), tree.remove(&link)),
                    _ => {
                        *map.or_default(link) ^= value;
                        *tree.entry(link).or_default() ^= value;
                    }
                }
                prop_assert_eq!(map.get(&link), tree.get(&link));
                prop_assert_eq!(map.contains_key(&link), tree.contains_key(&link));
                prop_assert!(map.iter().eq(tree.iter()));
                prop_assert_eq!(map.len(), tree.len());
            }
        }
    }
}
