//! The message cache of a mesh: bulletins of the last few heartbeats, to announce and to answer requests.

use std::collections::{BTreeMap, VecDeque};

use bruit_core::id::{LinkId, ShortId};
use bytes::Bytes;

#[derive(Debug)]
struct Cached {
    frame: Bytes,
    /// How often each link has asked for it.
    requests: BTreeMap<LinkId, u8>,
}

/// Bulletins by the heartbeat they came before.
#[derive(Debug)]
pub(crate) struct Mcache {
    entries: BTreeMap<ShortId, Cached>,
    /// Ids of each heartbeat, the current one first; as many as are kept.
    windows: VecDeque<Vec<ShortId>>,
}

impl Mcache {
    /// Keeps what comes before each of so many heartbeats.
    pub(crate) fn new(heartbeats: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            windows: vec![Vec::new(); heartbeats.max(1)].into(),
        }
    }

    pub(crate) fn insert(&mut self, id: ShortId, frame: Bytes) {
        let requests = BTreeMap::new();
        self.entries.insert(id, Cached { frame, requests });
        if let Some(window) = self.windows.front_mut() {
            window.push(id);
        }
    }

    /// The bulletin as it is sent on, if `link` has not asked for it `max` times already.
    pub(crate) fn request(&mut self, id: &ShortId, link: LinkId, max: u8) -> Option<Bytes> {
        let cached = self.entries.get_mut(id)?;
        let requests = cached.requests.entry(link).or_default();
        if *requests >= max {
            return None;
        }
        *requests += 1;
        Some(cached.frame.clone())
    }

    /// What came within so many heartbeats.
    pub(crate) fn latest(&self, heartbeats: usize) -> Vec<ShortId> {
        let windows = self.windows.iter().take(heartbeats);
        windows.flatten().copied().collect()
    }

    /// Begins a heartbeat, and forgets the oldest.
    pub(crate) fn shift(&mut self) {
        for id in self.windows.pop_back().unwrap_or_default() {
            self.entries.remove(&id);
        }
        self.windows.push_front(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulletin_is_announced_for_some_heartbeats_and_answered_for_more() {
        let (id, link) = (ShortId::from_bytes([1; 16]), LinkId::new(3));
        let mut cache = Mcache::new(3);
        cache.insert(id, Bytes::from_static(b"frame"));
        assert_eq!(cache.latest(2), [id]);
        cache.shift();
        assert_eq!(cache.latest(2), [id]);
        cache.shift();
        assert_eq!(cache.latest(2), []);
        assert!(cache.request(&id, link, 1).is_some());
        assert!(cache.request(&id, link, 1).is_none());
        assert!(cache.request(&id, LinkId::new(4), 1).is_some());
        cache.shift();
        assert!(cache.request(&id, LinkId::new(5), 1).is_none());
    }
}
