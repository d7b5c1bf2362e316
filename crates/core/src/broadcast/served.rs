//! What was served to which link, so that it is not served there twice in a short time.
//!
//! Nothing is kept longer than it takes for a bulletin to be served again: who caught up with thousands and
//! then says nothing costs nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::{LinkId, ShortId};
use crate::link_map::LinkMap;
use crate::time::Mono;

/// Ids by link, and when each was served.
#[derive(Debug, Clone)]
pub(super) struct Served {
    /// An id is served to a link at most once in this time.
    again: Duration,
    links: LinkMap<BTreeMap<ShortId, Mono>>,
    /// When each of these links is looked through, in the order of time.
    due: VecDeque<(Mono, LinkId)>,
}

impl Served {
    /// Ids remembered as served to one link.
    const IDS_MAX: usize = 8_192;

    pub(super) const fn new(again: Duration) -> Self {
        Self {
            again,
            links: LinkMap::new(),
            due: VecDeque::new(),
        }
    }

    /// Notes that `id` is served to `link` at `now`.
    pub(super) fn note(&mut self, link: LinkId, id: ShortId, now: Mono) {
        if !self.links.contains_key(&link) {
            self.due.push_back((now.plus(self.again), link));
        }
        let ids = self.links.or_default(link);
        if ids.len() >= Self::IDS_MAX {
            ids.retain(|_, at| now.since(*at) < self.again);
        }
        if ids.len() < Self::IDS_MAX {
            ids.insert(id, now);
        }
    }

    /// Whether `id` was served to `link` so lately that it is not served again.
    pub(super) fn is_fresh(&self, link: LinkId, id: &ShortId, now: Mono) -> bool {
        let at = self.links.get(&link).and_then(|ids| ids.get(id));
        at.is_some_and(|at| now.since(*at) < self.again)
    }

    /// Takes back that `id` was served to `link`.
    pub(super) fn take_back(&mut self, link: LinkId, id: &ShortId) {
        if let Some(ids) = self.links.get_mut(&link) {
            ids.remove(id);
        }
    }

    /// Forgets a link that is gone.
    pub(super) fn forget(&mut self, link: LinkId) {
        if self.links.remove(&link).is_some() {
            self.due.retain(|(_, other)| *other != link);
        }
    }

    /// Forgets what may be served again. Each link is looked through once in that time, so this costs little
    /// however often it is called, and leaves nothing that is older than twice that time.
    pub(super) fn wakeup(&mut self, now: Mono) {
        while let Some((_, link)) = self.due.front().copied().filter(|(due, _)| *due <= now) {
            self.due.pop_front();
            let Some(ids) = self.links.get_mut(&link) else {
                continue;
            };
            ids.retain(|_, at| now.since(*at) < self.again);
            if ids.is_empty() {
                self.links.remove(&link);
            } else {
                self.due.push_back((now.plus(self.again), link));
            }
        }
    }

    /// The links of which anything is kept.
    pub(super) fn held(&self) -> impl Iterator<Item = LinkId> {
        let due = self.due.iter().map(|(_, link)| *link);
        self.links.keys().copied().chain(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Mono {
        Mono::ZERO.plus(Duration::from_secs(seconds))
    }

    fn id(number: u8) -> ShortId {
        ShortId::from_bytes([number; 16])
    }

    #[test]
    fn an_id_is_fresh_for_its_time_on_its_link_alone() {
        let [link, other] = [1, 2].map(LinkId::new);
        let mut served = Served::new(AGAIN);
        served.note(link, id(1), at(0));
        assert!(served.is_fresh(link, &id(1), at(9)));
        assert!(!served.is_fresh(link, &id(2), at(9)));
        assert!(!served.is_fresh(other, &id(1), at(9)));
        assert!(!served.is_fresh(link, &id(1), at(10)));
        served.take_back(link, &id(1));
        assert!(!served.is_fresh(link, &id(1), at(9)));
    }

    #[test]
    fn a_link_that_was_served_much_and_is_silent_costs_nothing_after_a_while() {
        let links: Vec<LinkId> = (0..50).map(LinkId::new).collect();
        let mut served = Served::new(AGAIN);
        for (link, number) in links.iter().zip(0..) {
            (0..100).for_each(|each| served.note(*link, id(each), at(number % 7)));
        }
        served.wakeup(at(9));
        assert!(
            links
                .iter()
                .all(|link| served.is_fresh(*link, &id(1), at(9)))
        );
        served.note(links[0], id(200), at(9));
        served.wakeup(at(16));
        assert_eq!(
            served
                .held()
                .collect::<std::collections::BTreeSet<_>>()
                .len(),
            1
        );
        assert!(served.is_fresh(links[0], &id(200), at(16)));
        served.wakeup(at(20));
        served.wakeup(at(26));
        assert_eq!(served.held().count(), 0);
    }

    #[test]
    fn what_is_kept_of_a_link_is_bounded_and_goes_with_it() {
        let link = LinkId::new(1);
        let mut served = Served::new(AGAIN);
        for number in 0..20_000_u32 {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            served.note(link, ShortId::from_bytes(bytes), at(0));
        }
        assert_eq!(
            served.links.get(&link).map(BTreeMap::len),
            Some(Served::IDS_MAX)
        );
        served.forget(link);
        assert_eq!(served.held().count(), 0);
    }
}
