//! Announcements waiting to be sent: gathered per link, because a wake-up at the other end costs
//! more than the ids it brings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::id::{LinkId, ShortId};
use crate::time::Mono;
use crate::wire::IhaveEntry;

#[derive(Debug, Default)]
struct Pending {
    entries: Vec<IhaveEntry>,
    /// Outside any tree: what sync or lookups brought, at a bounded rate.
    bulk: VecDeque<ShortId>,
    /// No bulk announcement before.
    bulk_from: Mono,
    /// When its turn comes.
    due: Option<Mono>,
    /// When it is told whether it is its turn or not.
    hurry: Option<Mono>,
}

/// The queues of all links.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    pending: BTreeMap<LinkId, Pending>,
    due: BTreeSet<(Mono, LinkId)>,
    hurry: BTreeSet<(Mono, LinkId)>,
    pace: Pace,
}

/// A rate with a burst, as the time at which all that was sent would have been earned (the generic
/// cell rate algorithm of ITU-T I.371).
#[derive(Debug, Default)]
struct Pace {
    earned_at: Mono,
}

impl Pace {
    /// Announcements a second that wait their turn. Sixteen a second reach each of our neighbours'
    /// neighbours soon enough: a node with eleven of them hears a first word of every bulletin after
    /// 60 ms, and in 99 of 100 cases within 290 ms, whatever the rate of bulletins. An announcement
    /// costs both ends as much as a bulletin does, so they are worth saving.
    const EACH: Duration = Duration::from_micros(62_500);
    /// Sixteen may go at once: at less than one bulletin a second nothing waits.
    const BURST: Duration = Duration::from_micros(937_500);

    /// When the next one may go.
    fn free_at(&self) -> Mono {
        self.earned_at.minus(Self::BURST)
    }

    fn take(&mut self, now: Mono) -> bool {
        if self.free_at() > now {
            return false;
        }
        self.earned_at = self.earned_at.max(now).plus(Self::EACH);
        true
    }
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

    /// When [`Announcements::due`] has something to say.
    pub(crate) fn next_due(&self) -> Option<Mono> {
        let due = self.due.first().map(|(due, _)| *due);
        let due = due.map(|due| due.max(self.pace.free_at()));
        let hurry = self.hurry.first().map(|(due, _)| *due);
        due.into_iter().chain(hurry).min()
    }

    /// When the turn of `link` comes, if anything waits for it.
    pub(crate) fn due_at(&self, link: LinkId) -> Option<Mono> {
        self.pending.get(&link)?.due
    }

    /// Announces `entry` to `link` at `due` or when its turn has come.
    pub(crate) fn add(&mut self, link: LinkId, entry: IhaveEntry, due: Mono) {
        let pending = self.pending.entry(link).or_default();
        pending.entries.push(entry);
        if pending.entries.len() >= Self::FULL {
            schedule(&mut self.hurry, &mut pending.hurry, link, Mono::ZERO);
        } else {
            schedule(&mut self.due, &mut pending.due, link, due);
        }
    }

    /// Announces `entry` to `link` at `due`, whoever's turn it is.
    pub(crate) fn add_urgent(&mut self, link: LinkId, entry: IhaveEntry, due: Mono) {
        let pending = self.pending.entry(link).or_default();
        pending.entries.push(entry);
        schedule(&mut self.hurry, &mut pending.hurry, link, due);
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
            schedule(&mut self.hurry, &mut pending.hurry, link, due);
        }
    }

    /// Drops what waits for `link`.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.unschedule(link);
        self.pending.remove(&link);
    }

    /// The announcements along trees that wait for `link`, taken before their time, without the ids
    /// for which `is_held` says that the link has them by now.
    pub(crate) fn take(
        &mut self,
        link: LinkId,
        is_held: impl Fn(&ShortId) -> bool,
    ) -> Vec<IhaveEntry> {
        let Some(pending) = self.pending.get_mut(&link) else {
            return Vec::new();
        };
        let mut entries = std::mem::take(&mut pending.entries);
        entries.retain(|entry| !is_held(&entry.id));
        if pending.bulk.is_empty() {
            self.unschedule(link);
        }
        entries
    }

    /// The announcements due at `now`, without the ids for which `is_held` says that the link has
    /// them by now.
    pub(crate) fn due(
        &mut self,
        now: Mono,
        is_held: impl Fn(LinkId, &ShortId) -> bool,
    ) -> Vec<(LinkId, Vec<IhaveEntry>)> {
        let mut announcements = Vec::new();
        while let Some(link) = self.next(now) {
            self.unschedule(link);
            let mut entries = self.take(link, |id| is_held(link, id));
            entries.extend(self.take_bulk(link, now, |id| is_held(link, id)));
            if !entries.is_empty() {
                announcements.push((link, entries));
            }
        }
        announcements
    }

    /// The next link to be told at `now`.
    fn next(&mut self, now: Mono) -> Option<LinkId> {
        let first = |set: &BTreeSet<(Mono, LinkId)>| {
            let (due, link) = set.first().copied()?;
            (due <= now).then_some(link)
        };
        first(&self.hurry).or_else(|| {
            let link = first(&self.due)?;
            self.pace.take(now).then_some(link)
        })
    }

    fn take_bulk(
        &mut self,
        link: LinkId,
        now: Mono,
        is_held: impl Fn(&ShortId) -> bool,
    ) -> Vec<IhaveEntry> {
        let Some(pending) = self.pending.get_mut(&link) else {
            return Vec::new();
        };
        let mut count = pending.bulk.len().min(Self::BULK_SIZE);
        if now < pending.bulk_from {
            count = 0;
        } else if count > 0 {
            pending.bulk_from = now.plus(Self::BULK_EVERY);
        }
        let ids: Vec<ShortId> = pending.bulk.drain(..count).collect();
        if !pending.bulk.is_empty() {
            let due = pending.bulk_from;
            schedule(&mut self.hurry, &mut pending.hurry, link, due);
        }
        let ids = ids.into_iter().filter(|id| !is_held(id));
        ids.map(|id| IhaveEntry { id, root_tag: 0 }).collect()
    }

    fn unschedule(&mut self, link: LinkId) {
        let Some(pending) = self.pending.get_mut(&link) else {
            return;
        };
        if let Some(due) = pending.due.take() {
            self.due.remove(&(due, link));
        }
        if let Some(due) = pending.hurry.take() {
            self.hurry.remove(&(due, link));
        }
    }
}

/// Sets the time of `link` in `set` to `due`, unless it is earlier already.
fn schedule(set: &mut BTreeSet<(Mono, LinkId)>, time: &mut Option<Mono>, link: LinkId, due: Mono) {
    if time.is_some_and(|earlier| earlier <= due) {
        return;
    }
    if let Some(later) = time.replace(due) {
        set.remove(&(later, link));
    }
    set.insert((due, link));
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
        announcements.add_urgent(LINK, entry(2), Mono::from_micros(5_000));
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

    #[test]
    fn at_a_high_rate_each_link_is_told_in_turn_and_sixteen_a_second_in_all() {
        let mut announcements = Announcements::default();
        let mut told = BTreeMap::<LinkId, usize>::new();
        for millis in 0..10_000 {
            let now = Mono::ZERO.plus(Duration::from_millis(millis));
            if millis % 20 == 0 {
                for number in 0..11 {
                    let due = now.plus(Duration::from_millis(100));
                    announcements.add(LinkId::new(number), entry(1), due);
                }
            }
            for (link, _) in announcements.due(now, |_, _| false) {
                *told.entry(link).or_default() += 1;
            }
        }
        let counts: Vec<usize> = told.into_values().collect();
        let all = counts.iter().sum::<usize>();
        assert!((160..=180).contains(&all), "{all}");
        assert!(
            counts.len() == 11 && counts.iter().all(|count| (13..=18).contains(count)),
            "{counts:?}"
        );
        assert!(announcements.next_due() > Some(Mono::ZERO.plus(Duration::from_secs(9))));
    }
}
