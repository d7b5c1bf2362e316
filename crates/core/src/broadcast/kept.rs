//! Evidence of spreading: who has synced what to disk (R10).
//!
//! Only the node that injected a bulletin needs the word, so only a copy that came straight from
//! there (hops 0) is answered; relays are spared a frame per bulletin. Such a copy is answered too when
//! another was quicker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::id::{BulletinId, LinkId, NodeId, ShortId};
use crate::limits;
use crate::time::Mono;

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    gather: Duration,
    /// Delivered by its injector, not yet synced here.
    unsynced: BTreeMap<BulletinId, LinkId>,
    /// In the order they came; may name what was synced since.
    unsynced_order: VecDeque<BulletinId>,
    /// Synced here lately, whoever brought it.
    synced: BTreeSet<ShortId>,
    synced_order: VecDeque<ShortId>,
    /// Synced here, not yet told.
    pending: BTreeMap<LinkId, Vec<ShortId>>,
    due: Option<Mono>,
    /// Published here, and who has synced it.
    own: BTreeMap<ShortId, (BulletinId, Vec<NodeId>)>,
    own_order: VecDeque<ShortId>,
    /// How many neighbours are to keep a bulletin that is about to be published here.
    wanted: BTreeMap<ShortId, u32>,
}

impl Kept {
    /// Confirmations counted of one bulletin.
    const PEERS_MAX: usize = 64;
    /// Own bulletins whose confirmations are counted.
    const OWN_MAX: usize = 4_096;
    /// Bulletins waiting for the disk; the oldest go, which a disk that fails never writes.
    const UNSYNCED_MAX: usize = 65_536;
    /// Synced bulletins remembered: a second of the highest rate.
    const SYNCED_MAX: usize = 8_192;
    /// Bulletins about to be published; who wants more has them pushed as their trees have it.
    const WANTED_MAX: usize = 4_096;

    pub(crate) const fn new(gather: Duration) -> Self {
        Self {
            gather,
            unsynced: BTreeMap::new(),
            unsynced_order: VecDeque::new(),
            synced: BTreeSet::new(),
            synced_order: VecDeque::new(),
            pending: BTreeMap::new(),
            due: None,
            own: BTreeMap::new(),
            own_order: VecDeque::new(),
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
        if self.own.insert(id.short(), (id, Vec::new())).is_none() {
            self.own_order.push_back(id.short());
        }
        if self.own_order.len() > Self::OWN_MAX
            && let Some(oldest) = self.own_order.pop_front()
        {
            self.own.remove(&oldest);
        }
    }

    /// Whether `id` was published here, lately.
    pub(crate) fn is_own(&self, id: &ShortId) -> bool {
        self.own.contains_key(id)
    }

    /// Notes that `link` injected the bulletin `id` and wants to know when it is synced here.
    pub(crate) fn delivered(&mut self, id: BulletinId, link: LinkId, now: Mono) {
        if self.synced.contains(&id.short()) {
            self.confirm(id.short(), link, now);
            return;
        }
        if self.unsynced.insert(id, link).is_none() {
            self.unsynced_order.push_back(id);
        }
        if self.unsynced_order.len() > Self::UNSYNCED_MAX
            && let Some(oldest) = self.unsynced_order.pop_front()
        {
            self.unsynced.remove(&oldest);
        }
    }

    pub(crate) fn persisted(&mut self, id: &BulletinId, now: Mono) {
        if self.synced.insert(id.short()) {
            self.synced_order.push_back(id.short());
        }
        if self.synced_order.len() > Self::SYNCED_MAX
            && let Some(oldest) = self.synced_order.pop_front()
        {
            self.synced.remove(&oldest);
        }
        if let Some(link) = self.unsynced.remove(id) {
            self.confirm(id.short(), link, now);
        }
    }

    fn confirm(&mut self, id: ShortId, link: LinkId, now: Mono) {
        self.pending.entry(link).or_default().push(id);
        self.due.get_or_insert(now.plus(self.gather));
    }

    /// Counts a confirmation of one of our bulletins; returns how many there are now.
    pub(crate) fn confirmed(&mut self, peer: NodeId, id: &ShortId) -> Option<(BulletinId, u32)> {
        let (id, peers) = self.own.get_mut(id)?;
        if peers.len() >= Self::PEERS_MAX || peers.contains(&peer) {
            return None;
        }
        peers.push(peer);
        Some((*id, u32::try_from(peers.len()).unwrap_or(u32::MAX)))
    }

    pub(crate) fn forget(&mut self, link: LinkId) {
        self.pending.remove(&link);
        self.unsynced.retain(|_, other| *other != link);
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
