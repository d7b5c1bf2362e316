//! Announcements waiting to be sent: gathered per link, because a wake-up at the other end costs
//! more than the ids it brings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::id::{LinkId, ShortId};
use crate::limits;
use crate::time::Mono;
use crate::wire::IhaveEntry;

#[derive(Debug, Default)]
struct Pending {
    entries: Vec<IhaveEntry>,
    /// Outside any tree: what sync or lookups brought, at a bounded rate.
    bulk: VecDeque<ShortId>,
    /// No bulk announcement before.
    bulk_from: Mono,
    due: Option<Mono>,
}

/// The queues of all links.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    pending: BTreeMap<LinkId, Pending>,
    due: BTreeSet<(Mono, LinkId)>,
}

impl Announcements {
    /// So many gathered ids are sent without waiting longer.
    const FULL: usize = 128;
    /// Bulk announcements per link go out in this rhythm …
    const BULK_EVERY: Duration = Duration::from_millis(250);
    /// … so many at a time: 1,000 a second.
    const BULK_SIZE: usize = 250;
    /// The first bulk announcement waits this long for company.
    const BULK_FIRST: Duration = Duration::from_millis(5);
    /// Most bulk ids waiting on one link; the oldest go.
    const BULK_MAX: usize = 5_000;

    pub(crate) fn next_due(&self) -> Option<Mono> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Announces `entry` to `link` at `due` or earlier.
    pub(crate) fn add(&mut self, link: LinkId, entry: IhaveEntry, due: Mono) {
        let pending = self.pending.entry(link).or_default();
        pending.entries.push(entry);
        let due = if pending.entries.len() >= Self::FULL {
            Mono::ZERO
        } else {
            due
        };
        Self::schedule(&mut self.due, link, pending, due);
    }

    /// Announces `id` to `link` outside any tree.
    pub(crate) fn add_bulk(&mut self, link: LinkId, id: ShortId, now: Mono) {
        let pending = self.pending.entry(link).or_default();
        if pending.bulk.len() >= Self::BULK_MAX {
            pending.bulk.pop_front();
        }
        pending.bulk.push_back(id);
        if pending.bulk.len() == 1 {
            let due = now.plus(Self::BULK_FIRST).max(pending.bulk_from);
            Self::schedule(&mut self.due, link, pending, due);
        }
    }

    /// Drops what waits for `link`.
    pub(crate) fn forget(&mut self, link: LinkId) {
        if let Some(due) = self.pending.remove(&link).and_then(|pending| pending.due) {
            self.due.remove(&(due, link));
        }
    }

    /// The announcements due at `now`, without the ids for which `is_held` says that the link has
    /// them by now.
    pub(crate) fn due(
        &mut self,
        now: Mono,
        is_held: impl Fn(LinkId, &ShortId) -> bool,
    ) -> Vec<(LinkId, Vec<IhaveEntry>)> {
        let mut announcements = Vec::new();
        while let Some((due, link)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, link));
            let Some(pending) = self.pending.get_mut(&link) else {
                continue;
            };
            pending.due = None;
            let mut bulk = 0;
            if now >= pending.bulk_from && !pending.bulk.is_empty() {
                bulk = pending.bulk.len().min(Self::BULK_SIZE);
                pending.bulk_from = now.plus(Self::BULK_EVERY);
            }
            let bulk = pending
                .bulk
                .drain(..bulk)
                .map(|id| IhaveEntry { id, root_tag: 0 });
            let mut entries = std::mem::take(&mut pending.entries);
            entries.extend(bulk);
            entries.retain(|entry| !is_held(link, &entry.id));
            if !pending.bulk.is_empty() {
                let due = pending.bulk_from;
                Self::schedule(&mut self.due, link, pending, due);
            }
            for chunk in entries.chunks(limits::IHAVE_MAX) {
                announcements.push((link, chunk.to_vec()));
            }
        }
        announcements
    }

    fn schedule(
        set: &mut BTreeSet<(Mono, LinkId)>,
        link: LinkId,
        pending: &mut Pending,
        due: Mono,
    ) {
        match pending.due {
            Some(earlier) if earlier <= due => {}
            later => {
                if let Some(later) = later {
                    set.remove(&(later, link));
                }
                pending.due = Some(due);
                set.insert((due, link));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId::new(1);

    fn entry(number: u8) -> IhaveEntry {
        IhaveEntry {
            id: ShortId::from_bytes([number; 16]),
            root_tag: 1,
        }
    }

    #[test]
    fn announcements_gather_until_the_earliest_is_due() {
        let mut announcements = Announcements::default();
        announcements.add(LINK, entry(1), Mono::from_micros(250_000));
        announcements.add(LINK, entry(2), Mono::from_micros(5_000));
        assert_eq!(announcements.next_due(), Some(Mono::from_micros(5_000)));
        let due = announcements.due(Mono::from_micros(5_000), |_, _| false);
        assert_eq!(due, [(LINK, vec![entry(1), entry(2)])]);
        assert_eq!(announcements.next_due(), None);
    }

    #[test]
    fn what_the_link_has_by_now_is_not_announced() {
        let mut announcements = Announcements::default();
        announcements.add(LINK, entry(1), Mono::ZERO);
        assert_eq!(announcements.due(Mono::ZERO, |_, _| true), []);
    }

    #[test]
    fn bulk_announcements_keep_to_a_thousand_a_second() {
        let mut announcements = Announcements::default();
        for number in 0..2_000_u16 {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            announcements.add_bulk(LINK, ShortId::from_bytes(id), Mono::ZERO);
        }
        let count = |announcements: &mut Announcements, millis: u64| {
            let due =
                announcements.due(Mono::ZERO.plus(Duration::from_millis(millis)), |_, _| false);
            due.iter().map(|(_, entries)| entries.len()).sum::<usize>()
        };
        assert_eq!(count(&mut announcements, 5), 250);
        assert_eq!(count(&mut announcements, 100), 0);
        assert_eq!(count(&mut announcements, 255), 250);
    }
}
