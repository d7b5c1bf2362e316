//! Trees: one per injection root, over the mesh.
//!
//! Source: Leitão, Pereira and Rodrigues, *Epidemic Broadcast Trees* (2007), kept once per injection
//! root instead of once for all senders: a tree pruned by first arrival from one root costs no
//! latency, while one tree shared by many senders costs two to four times the latency of flooding.
//!
//! A root tag is not signed. It steers pushes, never delivery: the worst a liar gains is that some
//! bulletins come twice or come by repair.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::LinkId;
use crate::time::{Mono, fraction};

/// How many of the last bulletins of a root decide over its parent.
const FIRSTS: usize = 4;
/// How many of those another link must have brought first to become the parent.
const FIRSTS_TO_LEAD: usize = 2;
/// Backups kept per root.
const BACKUPS_MAX: usize = 3;
/// A bulletin that follows another of its root so soon is taken for the second of many.
const SOON: Duration = Duration::from_secs(3);
/// More late bulletins than this among the last sixteen (a fifth of them) and a parent is demoted.
const LATE_MAX: u32 = 3;

/// What we know of one root.
#[derive(Debug, Clone, Default)]
pub(crate) struct Root {
    parent: Option<LinkId>,
    candidate: Option<LinkId>,
    /// Who was first with the latest bulletins, latest last.
    firsts: Vec<LinkId>,
    /// By lateness, quickest first.
    backups: Vec<Backup>,
    /// Who told us not to push, in order.
    choked: Vec<LinkId>,
    /// Who was announced the first bulletin and has not asked: is announced the next as well.
    announced: Vec<LinkId>,
    /// When the latest bulletin came.
    latest: Mono,
    /// Whom we told not to push, and have not asked to push again since.
    silenced: Vec<LinkId>,
    /// One bit per bulletin: the parent was not the first to bring it.
    late: u16,
    /// How far behind the first sign of a bulletin the parent's copy comes, smoothed.
    lateness: Duration,
    /// Bulletins seen, halved now and then: the order of eviction.
    count: u32,
}

#[derive(Debug, Clone, Copy)]
struct Backup {
    link: LinkId,
    lateness: Duration,
}

/// What a first copy changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing to tell anyone.
    None,
    /// The parent was late too often: it is demoted for every root.
    Demote(LinkId),
    /// This link leads now, and believes that it is not to push.
    Graft(LinkId),
}

impl Root {
    /// The link that pushes this root to us.
    pub(crate) const fn parent(&self) -> Option<LinkId> {
        self.parent
    }

    /// How late the parent's copies come.
    pub(crate) const fn lateness(&self) -> Duration {
        self.lateness
    }

    const fn is_warm(&self) -> bool {
        self.count >= 4 && self.late.count_ones() <= LATE_MAX
    }

    /// Whether nothing has come along this root yet.
    pub(crate) const fn is_cold(&self) -> bool {
        self.count == 0
    }

    /// Whether `link` asked not to be pushed this root.
    pub(crate) fn is_choked(&self, link: LinkId) -> bool {
        self.choked.binary_search(&link).is_ok() || self.announced.contains(&link)
    }

    pub(crate) fn choke(&mut self, link: LinkId) {
        if let Err(at) = self.choked.binary_search(&link) {
            self.choked.insert(at, link);
        }
    }

    /// Takes `links` as having choked this root until they ask for it.
    pub(crate) fn announce_to(&mut self, links: impl Iterator<Item = LinkId>) {
        self.announced = links.collect();
    }

    /// Notes that a bulletin is here at `now`. When one follows another soon, the root is worth a proper
    /// tree: it goes to everybody, so that whoever brings the first copy is on the shortest way.
    fn note_bulletin(&mut self, now: Mono) {
        if self.count > 0 && now.since(self.latest) < SOON {
            self.announced.clear();
        }
        self.latest = now;
    }

    pub(crate) fn unchoke(&mut self, link: LinkId) {
        self.announced.retain(|other| *other != link);
        if let Ok(at) = self.choked.binary_search(&link) {
            self.choked.remove(at);
        }
    }

    /// Notes that `link` brought a new bulletin before anyone else, `waited` after the first sign of
    /// it.
    fn first(&mut self, link: LinkId, waited: Duration) -> Change {
        self.count = self.count.saturating_add(1);
        if self.firsts.len() >= FIRSTS {
            self.firsts.remove(0);
        }
        self.firsts.push(link);
        if self.parent.is_none_or(|parent| parent == link) {
            self.parent = Some(link);
            self.late <<= 1;
            self.note_lateness(waited);
            self.candidate = self
                .candidate
                .filter(|candidate| self.firsts.contains(candidate));
            return self.lead(link);
        }
        self.late = self.late << 1 | 1;
        let leads = self.firsts.iter().filter(|first| **first == link).count() >= FIRSTS_TO_LEAD;
        if leads {
            self.parent = Some(link);
            self.candidate = None;
        } else {
            self.candidate = Some(link);
        }
        if leads { self.lead(link) } else { Change::None }
    }

    /// What `link` must be told to lead.
    fn lead(&mut self, link: LinkId) -> Change {
        let before = self.silenced.len();
        self.silenced.retain(|other| *other != link);
        if self.silenced.len() < before {
            Change::Graft(link)
        } else {
            Change::None
        }
    }

    fn note_lateness(&mut self, lateness: Duration) {
        let sum = self.lateness.saturating_mul(7).saturating_add(lateness);
        self.lateness = fraction(sum, 1, 8);
    }

    /// Notes that `link` brought a known bulletin `lateness` after the first copy; returns whether
    /// it should be told not to push this root.
    fn duplicate(&mut self, link: LinkId, lateness: Duration, is_upstream: bool) -> bool {
        if self.parent == Some(link) {
            self.note_lateness(lateness);
            return false;
        }
        if self.candidate == Some(link) {
            return false;
        }
        if is_upstream {
            self.add_backup(Backup { link, lateness });
        }
        if !self.silenced.contains(&link) {
            self.silenced.push(link);
        }
        true
    }

    fn add_backup(&mut self, backup: Backup) {
        self.backups.retain(|known| known.link != backup.link);
        let at = self
            .backups
            .partition_point(|known| known.lateness <= backup.lateness);
        self.backups.insert(at, backup);
        self.backups.truncate(BACKUPS_MAX);
    }

    /// Forgets `link` in every role; returns the best backup when it was the parent.
    fn forget(&mut self, link: LinkId) -> Option<LinkId> {
        self.unchoke(link);
        self.silenced.retain(|other| *other != link);
        self.firsts.retain(|first| *first != link);
        self.candidate = self.candidate.filter(|candidate| *candidate != link);
        self.backups.retain(|backup| backup.link != link);
        if self.parent != Some(link) {
            return None;
        }
        self.parent = None;
        self.candidate.take().or_else(|| self.take_backup())
    }

    fn take_backup(&mut self) -> Option<LinkId> {
        if self.backups.is_empty() {
            None
        } else {
            let link = self.backups.remove(0).link;
            self.silenced.retain(|other| *other != link);
            Some(link)
        }
    }
}

/// All roots, bounded.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    by_tag: BTreeMap<u64, Root>,
    /// One bit per bulletin a link should have brought first, of whatever root: it did not. A link that
    /// becomes slow is late in all its trees, and not to be found out in each of them.
    late: BTreeMap<LinkId, u16>,
    max: usize,
    decay_at: Mono,
    sweep_at: Mono,
}

impl Roots {
    /// How often counts are halved.
    const DECAY: Duration = Duration::from_mins(5);
    /// A root seen once never evicts one seen this often.
    const ESTABLISHED: u32 = 4;
    /// Tags change every ten minutes or eleven: along one that was silent for so long nothing comes any more.
    const SILENT_MAX: Duration = Duration::from_mins(15);
    /// Silent ones are looked for at most so often.
    const SWEEP_EVERY: Duration = Duration::from_mins(1);

    pub(crate) const fn new(max: usize) -> Self {
        Self {
            by_tag: BTreeMap::new(),
            late: BTreeMap::new(),
            max,
            decay_at: Mono::ZERO,
            sweep_at: Mono::ZERO,
        }
    }

    pub(crate) fn get(&self, tag: u64) -> Option<&Root> {
        self.by_tag.get(&tag)
    }

    /// The root of `tag`, if it is known.
    pub(crate) fn get_mut(&mut self, tag: u64) -> Option<&mut Root> {
        self.by_tag.get_mut(&tag)
    }

    /// Whether enough has come along `tag` for its tree to have settled.
    pub(crate) fn is_settled(&self, tag: u64) -> bool {
        self.get(tag).is_some_and(Root::is_warm)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_tag.len()
    }

    /// The root of `tag`, made when there is room for it. Tag 0 means no tree.
    pub(crate) fn entry(&mut self, tag: u64, now: Mono) -> Option<&mut Root> {
        if tag == 0 {
            return None;
        }
        if !self.by_tag.contains_key(&tag) {
            self.sweep(now);
            if self.by_tag.len() >= self.max {
                self.evict(now)?;
            }
        }
        let root = self.by_tag.entry(tag).or_insert_with(|| Root {
            latest: now,
            ..Root::default()
        });
        Some(root)
    }

    /// Forgets roots that fell silent.
    fn sweep(&mut self, now: Mono) {
        if now >= self.sweep_at {
            self.sweep_at = now.plus(Self::SWEEP_EVERY);
            self.by_tag
                .retain(|_, root| now.since(root.latest) < Self::SILENT_MAX);
        }
    }

    /// Makes room by the root with the lowest count, unless all are established.
    fn evict(&mut self, now: Mono) -> Option<()> {
        if now >= self.decay_at {
            self.decay_at = now.plus(Self::DECAY);
            for root in self.by_tag.values_mut() {
                root.count /= 2;
            }
        }
        let (tag, root) = self.by_tag.iter().min_by_key(|(_, root)| root.count)?;
        let (tag, count) = (*tag, root.count);
        if count >= Self::ESTABLISHED {
            return None;
        }
        self.by_tag.remove(&tag);
        Some(())
    }

    /// Notes a bulletin injected here: the tree's root is ourselves.
    pub(crate) fn injected(&mut self, tag: u64, now: Mono) {
        if let Some(root) = self.entry(tag, now) {
            root.note_bulletin(now);
            root.count = root.count.saturating_add(1);
        }
    }

    /// Notes that `link` was the first to bring a bulletin of `tag`, `waited` after the first sign
    /// of it.
    pub(crate) fn first(&mut self, tag: u64, link: LinkId, waited: Duration, now: Mono) -> Change {
        let Some(root) = self.entry(tag, now) else {
            return Change::None;
        };
        root.note_bulletin(now);
        let parent = root.parent;
        let change = root.first(link, waited);
        match parent {
            Some(parent) if self.note_late(parent, parent != link) => Change::Demote(parent),
            _ => change,
        }
    }

    /// Notes whether `parent` was late; answers whether it has been so too often.
    fn note_late(&mut self, parent: LinkId, is_late: bool) -> bool {
        let late = self.late.entry(parent).or_default();
        *late = *late << 1 | u16::from(is_late);
        let too_often = late.count_ones() > LATE_MAX;
        if too_often {
            *late = 0;
        }
        too_often
    }

    /// Notes a later copy; returns whether to choke its sender for this root. `is_upstream` says
    /// that the sender is no further from the root than we are, so that it cannot be our descendant.
    pub(crate) fn duplicate(
        &mut self,
        tag: u64,
        link: LinkId,
        lateness: Duration,
        is_upstream: bool,
    ) -> bool {
        self.by_tag
            .get_mut(&tag)
            .is_some_and(|root| root.duplicate(link, lateness, is_upstream))
    }

    /// Takes `link` out of every role; returns, per best backup, the roots it should push from now.
    pub(crate) fn forget(&mut self, link: LinkId) -> BTreeMap<LinkId, Vec<u64>> {
        self.late.remove(&link);
        let mut grafts = BTreeMap::<LinkId, Vec<u64>>::new();
        for (tag, root) in &mut self.by_tag {
            if let Some(backup) = root.forget(link) {
                grafts.entry(backup).or_default().push(*tag);
            }
        }
        grafts
    }

    /// The links of which anything is kept.
    pub(crate) fn held(&self) -> impl Iterator<Item = LinkId> {
        self.late.keys().copied()
    }

    /// Takes the parent's role from `link` alone; returns what [`Roots::forget`] does.
    pub(crate) fn demote(&mut self, link: LinkId) -> BTreeMap<LinkId, Vec<u64>> {
        let mut grafts = BTreeMap::<LinkId, Vec<u64>>::new();
        for (tag, root) in &mut self.by_tag {
            if root.parent == Some(link) {
                // A candidate pushes already.
                root.parent = root.candidate.take();
                if root.parent.is_none()
                    && let Some(backup) = root.take_backup()
                {
                    grafts.entry(backup).or_default().push(*tag);
                }
            }
        }
        grafts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: u64 = 7;

    fn link(number: u64) -> LinkId {
        LinkId::new(number)
    }

    fn roots() -> Roots {
        Roots::new(8)
    }

    #[test]
    fn a_root_is_forgotten_when_its_tag_has_long_changed() {
        let minute = |minutes| Mono::ZERO.plus(Duration::from_mins(minutes));
        let mut roots = roots();
        for (tag, at) in [(1, 0), (2, 10), (1, 12), (3, 26), (4, 28)] {
            roots.first(tag, link(1), Duration::ZERO, minute(at));
        }
        let known: Vec<u64> = roots.by_tag.keys().copied().collect();
        assert_eq!(known, [3, 4]);
    }

    #[test]
    fn the_first_to_deliver_becomes_the_parent() {
        let mut roots = roots();
        roots.first(TAG, link(1), Duration::ZERO, Mono::ZERO);
        assert_eq!(roots.get(TAG).and_then(Root::parent), Some(link(1)));
    }

    #[test]
    fn once_first_does_not_take_the_parents_place_but_twice_of_four_does() {
        let mut roots = roots();
        for from in [1, 1, 2] {
            roots.first(TAG, link(from), Duration::ZERO, Mono::ZERO);
        }
        assert_eq!(roots.get(TAG).and_then(Root::parent), Some(link(1)));
        roots.first(TAG, link(2), Duration::ZERO, Mono::ZERO);
        assert_eq!(roots.get(TAG).and_then(Root::parent), Some(link(2)));
    }

    #[test]
    fn who_is_announced_the_first_one_is_not_pushed_the_next_until_it_asks_or_there_are_many() {
        let second = |seconds| Mono::ZERO.plus(Duration::from_secs(seconds));
        let mut roots = roots();
        let bulletin =
            |roots: &mut Roots, at| roots.first(TAG, link(1), Duration::ZERO, second(at));
        bulletin(&mut roots, 0);
        let root = roots.get_mut(TAG).expect("it is known now");
        root.announce_to([2, 3].map(link).into_iter());
        root.unchoke(link(3));
        bulletin(&mut roots, 10);
        let is_choked = |roots: &Roots| {
            [2, 3].map(|number| {
                roots
                    .get(TAG)
                    .is_some_and(|root| root.is_choked(link(number)))
            })
        };
        assert_eq!(is_choked(&roots), [true, false]);
        bulletin(&mut roots, 12);
        assert_eq!(is_choked(&roots), [false, false], "worth a proper tree");
    }

    #[test]
    fn copies_of_parent_and_candidate_are_suffered_others_are_choked() {
        let mut roots = roots();
        for from in [1, 1, 2] {
            roots.first(TAG, link(from), Duration::ZERO, Mono::ZERO);
        }
        assert!(!roots.duplicate(TAG, link(1), Duration::ZERO, true));
        assert!(!roots.duplicate(TAG, link(2), Duration::ZERO, true));
        assert!(roots.duplicate(TAG, link(3), Duration::ZERO, true));
    }

    #[test]
    fn a_lost_parent_is_replaced_by_the_quickest_backup_that_is_not_our_descendant() {
        let mut roots = roots();
        roots.first(TAG, link(1), Duration::ZERO, Mono::ZERO);
        roots.duplicate(TAG, link(2), Duration::from_millis(1), false);
        roots.duplicate(TAG, link(3), Duration::from_millis(9), true);
        roots.duplicate(TAG, link(4), Duration::from_millis(5), true);
        assert_eq!(
            roots.forget(link(1)),
            BTreeMap::from([(link(4), vec![TAG])])
        );
        assert_eq!(roots.get(TAG).and_then(Root::parent), None);
    }

    #[test]
    fn a_parent_late_on_a_fifth_is_demoted() {
        let mut roots = roots();
        roots.first(TAG, link(1), Duration::ZERO, Mono::ZERO);
        let mut changes = Vec::new();
        for other in 2..6 {
            changes.push(roots.first(TAG, link(other), Duration::ZERO, Mono::ZERO));
            for _ in 0..3 {
                changes.push(roots.first(TAG, link(1), Duration::ZERO, Mono::ZERO));
            }
        }
        assert!(changes.contains(&Change::Demote(link(1))));
    }

    #[test]
    fn a_flood_of_new_tags_does_not_evict_an_established_root() {
        let mut roots = roots();
        for _ in 0..4 {
            roots.first(TAG, link(1), Duration::ZERO, Mono::ZERO);
        }
        for tag in 100..10_000 {
            roots.first(tag, link(2), Duration::ZERO, Mono::ZERO);
        }
        assert_eq!(roots.len(), 8);
        assert_eq!(roots.get(TAG).and_then(Root::parent), Some(link(1)));
    }

    #[test]
    fn a_link_that_was_silenced_and_comes_to_lead_is_asked_to_push_again() {
        let mut roots = roots();
        let mut first = |number| roots.first(TAG, link(number), Duration::ZERO, Mono::ZERO);
        first(1);
        first(1);
        assert!(roots.duplicate(TAG, link(2), Duration::ZERO, true));
        let mut first = |number| roots.first(TAG, link(number), Duration::ZERO, Mono::ZERO);
        assert_eq!(first(2), Change::None);
        assert_eq!(first(2), Change::Graft(link(2)));
        assert_eq!(first(2), Change::None);
    }

    #[test]
    fn a_parent_that_comes_long_after_the_first_word_is_waited_for_longer() {
        let mut roots = roots();
        for _ in 0..40 {
            roots.first(TAG, link(1), Duration::from_millis(60), Mono::ZERO);
        }
        let lateness = roots.get(TAG).map(Root::lateness).unwrap_or_default();
        assert!(lateness > Duration::from_millis(55), "{lateness:?}");
    }

    #[test]
    fn one_late_bulletin_does_not_trouble_a_settled_tree() {
        let mut roots = roots();
        for number in [1, 1, 1, 1, 1, 2, 1] {
            roots.first(TAG, link(number), Duration::ZERO, Mono::ZERO);
        }
        assert!(roots.is_settled(TAG));
    }

    #[test]
    fn a_parent_of_many_roots_that_becomes_slow_loses_them_all_after_four_bulletins() {
        let mut roots = Roots::new(16);
        let mut first = |tag, number| roots.first(tag, link(number), Duration::ZERO, Mono::ZERO);
        for _ in 0..4 {
            for tag in 1..=8 {
                first(tag, 1);
            }
        }
        let changes: Vec<Change> = (1..=4).map(|tag| first(tag, 2)).collect();
        assert_eq!(changes.last(), Some(&Change::Demote(link(1))));
        roots.demote(link(1));
        let parents = (1..=8).filter_map(|tag| roots.get(tag).and_then(Root::parent));
        assert_eq!(parents.filter(|parent| *parent == link(1)).count(), 0);
    }
}
