//! The latest bulletins, encoded once, ready to be sent to anyone who asks. Bounded by bytes.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::bulletin::Header;
use crate::id::{BulletinId, LinkId, ShortId};
use crate::time::Mono;
use crate::wire::{Decode, Encode, Reader};
use crate::work::{Density, Stamp};

/// A bulletin passing through.
#[derive(Debug, Clone)]
pub(crate) struct Passing {
    /// The whole id.
    pub(crate) id: BulletinId,
    /// The PUB frame for neighbours: root tag and our hops in it.
    pub(crate) frame: Bytes,
    /// The tree it came along.
    pub(crate) root_tag: u64,
    /// Hops it had when it reached us.
    pub(crate) hops: u8,
    /// When its first copy came.
    pub(crate) at: Mono,
    /// What was paid for it.
    pub(crate) density: Density,
    /// Whether it was published here.
    pub(crate) own: bool,
    /// Links that have it: they sent or announced it, or we pushed it to them.
    pub(crate) holders: Vec<LinkId>,
}

impl Passing {
    /// Writes the root tag and the hops into the frame.
    pub(crate) fn readdress(&mut self) {
        let mut frame = self.frame.to_vec();
        let parts = self.root_tag.to_be_bytes().into_iter().chain([self.hops]);
        for (to, from) in frame.iter_mut().skip(1).zip(parts) {
            *to = from;
        }
        self.frame = frame.into();
    }

    /// Writes a better stamp into the frame.
    pub(crate) fn restamp(&mut self, stamp: Stamp) {
        let Some(at) = self.stamp_at() else { return };
        let mut frame = self.frame.to_vec();
        let mut bytes = Vec::with_capacity(Stamp::BYTES);
        stamp.encode(&mut bytes);
        for (to, from) in frame.iter_mut().skip(at).zip(bytes) {
            *to = from;
        }
        self.frame = frame.into();
    }

    /// Where the stamp stands: after kind, hop part, header and signature.
    fn stamp_at(&self) -> Option<usize> {
        let mut reader = Reader::new(&self.frame);
        reader.take(10).ok()?;
        Header::decode(&mut reader).ok()?;
        reader.take(64).ok()?;
        Some(reader.position())
    }

    pub(crate) fn is_held_by(&self, link: LinkId) -> bool {
        self.holders.contains(&link)
    }

    pub(crate) fn note_holder(&mut self, link: LinkId) {
        if !self.is_held_by(link) {
            self.holders.push(link);
        }
    }
}

/// The cache, first in first out.
#[derive(Debug)]
pub(crate) struct Recent {
    bulletins: BTreeMap<ShortId, Passing>,
    order: VecDeque<ShortId>,
    bytes: usize,
    bytes_max: usize,
}

impl Recent {
    /// What an entry costs beside its frame, roughly.
    const OVERHEAD_BYTES: usize = 256;

    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            bulletins: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    pub(crate) fn get(&self, id: &ShortId) -> Option<&Passing> {
        self.bulletins.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &ShortId) -> Option<&mut Passing> {
        self.bulletins.get_mut(id)
    }

    /// Whether `link` is known to have `id`.
    pub(crate) fn is_held_by(&self, id: &ShortId, link: LinkId) -> bool {
        self.get(id).is_some_and(|passing| passing.is_held_by(link))
    }

    /// Takes a bulletin out.
    pub(crate) fn remove(&mut self, id: &ShortId) -> Option<Passing> {
        let passing = self.bulletins.remove(id)?;
        self.order.retain(|other| other != id);
        self.bytes = self.bytes.saturating_sub(Self::cost(&passing));
        Some(passing)
    }

    /// Bytes held.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What came at `since` or later, latest first, at most `max`.
    pub(crate) fn since(&self, since: Mono, max: usize) -> Vec<ShortId> {
        let latest = self.order.iter().rev().take(max);
        let came = |id: &&ShortId| {
            self.bulletins
                .get(id)
                .is_some_and(|known| known.at >= since)
        };
        latest.take_while(came).copied().collect()
    }

    /// Keeps `passing`; the oldest go when there is no room.
    pub(crate) fn insert(&mut self, passing: Passing) {
        let short = passing.id.short();
        self.bytes = self.bytes.saturating_add(Self::cost(&passing));
        if self.bulletins.insert(short, passing).is_none() {
            self.order.push_back(short);
        }
        while self.bytes > self.bytes_max && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(gone) = self.bulletins.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(Self::cost(&gone));
            }
        }
    }

    fn cost(passing: &Passing) -> usize {
        passing.frame.len().saturating_add(Self::OVERHEAD_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(number: u8, bytes: usize) -> Passing {
        Passing {
            id: BulletinId::from_bytes([number; 32]),
            frame: vec![number; bytes].into(),
            root_tag: 1,
            hops: 0,
            at: Mono::ZERO,
            density: Density::default(),
            own: false,
            holders: Vec::new(),
        }
    }

    #[test]
    fn the_oldest_go_when_bytes_run_out() {
        let mut recent = Recent::new(3_000);
        for number in 0..4 {
            recent.insert(passing(number, 1_000));
        }
        assert!(recent.bytes() <= 3_000);
        assert!(
            recent
                .get(&BulletinId::from_bytes([0; 32]).short())
                .is_none()
        );
        assert!(
            recent
                .get(&BulletinId::from_bytes([3; 32]).short())
                .is_some()
        );
    }
}
