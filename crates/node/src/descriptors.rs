//! The descriptors of topics: ids travel, names do not, so what a topic is called is known of those that were used here.

use std::collections::BTreeMap;
use std::sync::Arc;

use bruit_core::id::TopicId;

/// Those used lately. When there are too many, the one that was not used for longest goes.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    by_id: BTreeMap<TopicId, (u64, Arc<str>)>,
    /// How often any was used.
    uses: u64,
}

impl Descriptors {
    /// Descriptors remembered.
    const MAX: usize = 1_024;
    /// What is used for ever.
    const ALWAYS: u64 = u64::MAX;

    /// Remembers one for as long as there is room, from now.
    pub(crate) fn learn(&mut self, descriptor: &str) {
        self.uses += 1;
        self.note(descriptor, self.uses);
    }

    /// Remembers one for ever.
    pub(crate) fn keep(&mut self, descriptor: &str) {
        self.note(descriptor, Self::ALWAYS);
    }

    fn note(&mut self, descriptor: &str, used: u64) {
        let id = TopicId::of(descriptor);
        if let Some((at, _)) = self.by_id.get_mut(&id) {
            *at = used.max(*at);
            return;
        }
        if self.by_id.len() >= Self::MAX {
            let oldest = self.by_id.iter().min_by_key(|(_, (at, _))| *at);
            let oldest = oldest.map(|(id, _)| *id);
            oldest.and_then(|id| self.by_id.remove(&id));
        }
        self.by_id.insert(id, (used, descriptor.into()));
    }

    pub(crate) fn get(&self, id: &TopicId) -> Option<&Arc<str>> {
        self.by_id.get(id).map(|(_, descriptor)| descriptor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_used_for_longest_makes_room_and_what_is_kept_stays() {
        let mut descriptors = Descriptors::default();
        descriptors.keep("kept");
        for number in 0..Descriptors::MAX - 1 {
            descriptors.learn(&format!("topic {number}"));
        }
        descriptors.learn("topic 0");
        descriptors.learn("one more");
        let knows = |name: &str| descriptors.get(&TopicId::of(name)).is_some();
        assert!(knows("kept") && knows("topic 0") && knows("one more"));
        assert!(!knows("topic 1"), "it was not used for longest");
        assert_eq!(descriptors.by_id.len(), Descriptors::MAX);
    }
}
