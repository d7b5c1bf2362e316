//! Evidence of spreading: who has synced what to disk (R10).
//!
//! Only the node that injected a bulletin needs the word, so only a copy that came straight from
//! there (hops 0) is answered; relays are spared a frame per bulletin. Such a copy is answered too when
//! another was quicker.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::{BulletinId, LinkId, NodeId, ShortId};
use crate::latest::Latest;
use crate::limits;
use crate::time::Mono;

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    gather: Duration,
    /// Delivered by its injector, not yet synced here.
    unsynced: Latest<BulletinId, LinkId>,
    /// Synced here, not yet told.
    pending: BTreeMap<LinkId, Vec<ShortId>>,
    due: Option<Mono>,
    /// Published here, and valid.
    own: Latest<ShortId, Own>,
    /// Those that somebody has synced, and until when it is counted who.
    counted: VecDeque<(Mono, ShortId)>,
    /// How many neighbours are to keep a bulletin that is about to be published here.
    wanted: BTreeMap<ShortId, u32>,
}

/// A bulletin that was published here.
#[derive(Debug, Clone)]
struct Own {
    id: BulletinId,
    /// Who has synced it; none once that is not counted any more.
    peers: Option<Vec<NodeId>>,
}

impl Kept {
    /// Confirmations counted of one bulletin.
    const PEERS_MAX: usize = 64;
    /// How long they are, from the first one: neighbours sync within seconds.
    const COUNTED_FOR: Duration = Duration::from_mins(5);
    /// Own bulletins whose confirmations are counted.
    const OWN_MAX: usize = 4_096;
    /// Bulletins waiting for the disk; the oldest go, which a disk that fails never writes.
    const UNSYNCED_MAX: usize = 65_536;
    /// Bulletins about to be published; who wants more has them pushed as their trees have it.
    const WANTED_MAX: usize = 4_096;

    pub(crate) const fn new(gather: Duration) -> Self {
        Self {
            gather,
            unsynced: Latest::new(Self::UNSYNCED_MAX),
            pending: BTreeMap::new(),
            due: None,
            own: Latest::new(Self::OWN_MAX),
            counted: VecDeque::new(),
            wanted: BTreeMap::new(),
        }
    }

    /// Notes that `least` neighbours are to keep the bulletin `id`, which is about to be published here.
    pub(crate) fn want(&mut self, id: ShortId, least: u32) {
        if self.wanted.len() < Self::WANTED_MAX {
            self.wanted.insert(id, least);
        }
    }

    /// How many neighbours are to keep the bulletin `id`, which is published now.
    pub(crate) fn wanted(&mut self, id: &ShortId) -> usize {
        let least = self.wanted.remove(id).unwrap_or(0);
        usize::try_from(least).unwrap_or(usize::MAX)
    }

    pub(crate) const fn next_due(&self) -> Option<Mono> {
        self.due
    }

    pub(crate) fn published(&mut self, id: BulletinId) {
        let peers = Some(Vec::new());
        self.own.insert(id.short(), Own { id, peers });
    }

    /// Forgets a bulletin that has expired.
    pub(crate) fn expired(&mut self, id: &ShortId) {
        self.own.remove(id);
    }

    /// Whether `id` was published here, lately.
    pub(crate) fn is_own(&self, id: &ShortId) -> bool {
        self.own.contains(id)
    }

    /// Notes that `link` injected the bulletin `id` and wants to know when it is synced here, which it may be
    /// already.
    pub(crate) fn delivered(&mut self, id: BulletinId, link: LinkId, is_synced: bool, now: Mono) {
        if is_synced {
            self.confirm(id.short(), link, now);
            return;
        }
        self.unsynced.insert(id, link);
    }

    pub(crate) fn persisted(&mut self, id: &BulletinId, now: Mono) {
        if let Some(link) = self.unsynced.remove(id) {
            self.confirm(id.short(), link, now);
        }
    }

    fn confirm(&mut self, id: ShortId, link: LinkId, now: Mono) {
        self.pending.entry(link).or_default().push(id);
        self.due.get_or_insert(now.plus(self.gather));
    }

    /// Counts a confirmation of one of our bulletins; returns how many there are now.
    pub(crate) fn confirmed(
        &mut self,
        peer: NodeId,
        id: &ShortId,
        now: Mono,
    ) -> Option<(BulletinId, u32)> {
        self.stop_counting(now);
        let own = self.own.get_mut(id)?;
        let peers = own.peers.as_mut()?;
        if peers.len() >= Self::PEERS_MAX || peers.contains(&peer) {
            return None;
        }
        if peers.is_empty() {
            self.counted.push_back((now.plus(Self::COUNTED_FOR), *id));
        }
        peers.push(peer);
        Some((own.id, u32::try_from(peers.len()).unwrap_or(u32::MAX)))
    }

    /// Forgets who has synced what was first synced long ago, or before too many others.
    fn stop_counting(&mut self, now: Mono) {
        let is_over = |(until, _): &(Mono, ShortId)| *until <= now;
        while self.counted.len() >= Self::OWN_MAX || self.counted.front().is_some_and(is_over) {
            let Some((_, id)) = self.counted.pop_front() else {
                break;
            };
            if let Some(own) = self.own.get_mut(&id) {
                own.peers = None;
            }
        }
    }

    pub(crate) fn forget(&mut self, link: LinkId) {
        self.pending.remove(&link);
        self.unsynced.retain(|other| *other != link);
    }

    /// The links of which anything is kept.
    pub(crate) fn held(&self) -> impl Iterator<Item = LinkId> {
        self.pending.keys().copied()
    }

    pub(crate) fn due(&mut self, now: Mono) -> Vec<(LinkId, Vec<ShortId>)> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.due = None;
        std::mem::take(&mut self.pending)
            .into_iter()
            .flat_map(|(link, ids)| {
                let chunks: Vec<_> = ids.chunks(limits::KEPT_MAX).map(<[_]>::to_vec).collect();
                chunks.into_iter().map(move |ids| (link, ids))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Kept::COUNTED_FOR;

    fn bulletin(number: u8) -> BulletinId {
        BulletinId::from_bytes([number; 32])
    }

    #[test]
    fn neighbours_are_counted_for_minutes_and_then_forgotten() {
        let mut kept = Kept::new(Duration::ZERO);
        let mut confirm = |number: u8, peer: u8, after: Duration| {
            let (id, at) = (bulletin(number), Mono::ZERO.plus(after));
            if peer == 1 {
                kept.published(id);
            }
            let peer = NodeId::from_bytes([peer; 32]);
            let count = kept.confirmed(peer, &id.short(), at);
            let counted = kept.own.values().filter_map(|own| own.peers.as_ref());
            (count.map(|(_, count)| count), counted.flatten().count())
        };
        assert_eq!(confirm(1, 1, Duration::ZERO), (Some(1), 1));
        assert_eq!(confirm(1, 2, LONG / 2), (Some(2), 2));
        assert_eq!(confirm(1, 2, LONG / 2), (None, 2), "counted once");
        assert_eq!(confirm(1, 3, LONG), (None, 0), "too late");
        assert_eq!(confirm(2, 1, LONG), (Some(1), 1));
    }

    #[test]
    fn who_publishes_much_has_neighbours_counted_for_shorter() {
        let mut kept = Kept::new(Duration::ZERO);
        let peer = NodeId::from_bytes([1; 32]);
        for number in 0..10_000_u64 {
            let hash = blake3::hash(&number.to_be_bytes());
            let id = BulletinId::from_bytes(*hash.as_bytes());
            kept.published(id);
            kept.confirmed(peer, &id.short(), Mono::ZERO);
        }
        assert_eq!(kept.own.len(), Kept::OWN_MAX);
        assert_eq!(kept.counted.len(), Kept::OWN_MAX);
    }

    #[test]
    fn nothing_is_left_of_what_was_synced_or_has_expired() {
        let mut kept = Kept::new(Duration::ZERO);
        let link = LinkId::new(1);
        kept.delivered(bulletin(0), link, false, Mono::ZERO);
        for number in 1..=100 {
            let id = bulletin(number);
            kept.delivered(id, link, false, Mono::ZERO);
            kept.persisted(&id, Mono::ZERO);
            kept.published(id);
            kept.expired(&id.short());
        }
        assert_eq!((kept.unsynced.len(), kept.own.len()), (1, 0));
        kept.forget(link);
        assert_eq!(kept.unsynced.len(), 0);
    }

    #[test]
    fn however_late_the_first_confirmation_comes_it_counts() {
        let mut kept = Kept::new(Duration::ZERO);
        kept.published(bulletin(1));
        let (peer, late) = (NodeId::from_bytes([1; 32]), Mono::ZERO.plus(LONG * 100));
        let count = kept.confirmed(peer, &bulletin(1).short(), late);
        assert_eq!(count, Some((bulletin(1), 1)));
    }
}
