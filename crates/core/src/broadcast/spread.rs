//! Spreading: a bulletin is pushed along its tree and announced to the rest of the mesh; copies shape
//! the tree.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rand_core::Rng;

use crate::bulletin::{Bulletin, Header, Kind};
use crate::draw;
use crate::id::{BulletinId, LinkId, ShortId};
use crate::intake::Verified;
use crate::letters::Letterbox;
use crate::time::{Mono, fraction};
use crate::wire::{Frame, IhaveEntry, encode_pub};

use super::announce::Word;
use super::facts::{announce_frames, push};
use super::holders::Holders;
use super::recent::Passing;
use super::roots::{Change, Root};
use super::{Broadcast, Copy, Fact};

impl Broadcast {
    /// Bytes of a frame that is pushed to whom a tree would not have it pushed.
    const PUSH_ANYWAY_MAX: usize = 2_048;

    /// R10: has the bulletin `id`, when it is published, pushed to `least` neighbours at least, where there
    /// are so many: only they confirm that they keep it, and a tree may have fewer branches here.
    pub fn want_spread(&mut self, id: &BulletinId, least: u32) {
        self.kept.want(id.short(), least);
    }

    /// R7: injects a bulletin published here. Returns its bytes, and to how many neighbours it goes;
    /// with none it waits for reconciliation on the first link.
    pub fn publish(&mut self, bulletin: &Verified<Bulletin>, now: Mono) -> (Vec<Fact>, Bytes, u32) {
        let tag = self.tag_for(&bulletin.get().header, now);
        let is_cold = self.roots.get(tag).is_none_or(Root::is_cold);
        self.roots.injected(tag, now);
        self.kept.published(*bulletin.get().id());
        let passing = Self::passing(bulletin, tag, 0, now, true);
        let encoded = passing.encoded();
        let facts = self.spread(passing, Holders::default(), is_cold, false, now);
        (facts, encoded, self.meshed())
    }

    /// R9: takes a bulletin that came by no link: it belongs to no tree, and is announced. Returns its
    /// bytes, and to how many neighbours.
    pub fn imported(
        &mut self,
        bulletin: &Verified<Bulletin>,
        now: Mono,
    ) -> (Vec<Fact>, Bytes, u32) {
        self.wanted.remove(&bulletin.get().id().short());
        let passing = Self::passing(bulletin, 0, 0, now, false);
        let encoded = passing.encoded();
        let facts = self.spread(passing, Holders::default(), false, false, now);
        (facts, encoded, self.meshed())
    }

    fn meshed(&self) -> u32 {
        let meshed = self.links.values().filter(|neighbour| neighbour.mesh);
        u32::try_from(meshed.count()).unwrap_or(u32::MAX)
    }

    /// R1: takes the first copy of a bulletin that was found good; `others` are the copies that
    /// came while it was checked. `below_floor`: announce, do not push. Returns its bytes too.
    pub fn first(
        &mut self,
        copy: Copy,
        others: &[Copy],
        bulletin: &Verified<Bulletin>,
        below_floor: bool,
        now: Mono,
    ) -> (Vec<Fact>, Bytes) {
        let id = *bulletin.get().id();
        let found = self.wanted.came(&id.short(), copy.link);
        let waited = found
            .as_ref()
            .map_or(Duration::ZERO, |found| copy.at.since(found.since));
        let is_meshed = self
            .links
            .get(&copy.link)
            .is_some_and(|neighbour| neighbour.mesh);
        let tag = if is_meshed { copy.root_tag } else { 0 };
        let is_cold = self.roots.get(tag).is_none_or(Root::is_cold);
        let parent = self.roots.get(tag).and_then(Root::parent);
        let is_detour = parent.is_some_and(|parent| parent != copy.link);
        let change = self.roots.first(tag, copy.link, waited, now);
        self.note_injected(copy, &id, false, now);
        let mut passing = Self::passing(bulletin, tag, copy.hops.saturating_add(1), copy.at, false);
        passing.was_missing = is_detour && self.alert.is_grave(now);
        let mut holders = Holders::default();
        holders.note(self.recent.seat(copy.link));
        if let Some(found) = found {
            passing.was_missing |= found.was_asked_for;
            // What the parent brings after all may be late by chance.
            let is_from_others = parent != Some(copy.link);
            if found.was_asked_for && is_from_others && self.roots.is_settled(tag) {
                self.alert.raise(id.short(), now);
            }
            for link in found.sources {
                holders.note(self.recent.seat(link));
            }
        }
        for other in others {
            holders.note(self.recent.seat(other.link));
        }
        let encoded = passing.encoded();
        let mut facts = self.spread(passing, holders, is_cold, below_floor, now);
        let grafts = match change {
            Change::None => BTreeMap::new(),
            Change::Graft(link) => BTreeMap::from([(link, vec![tag])]),
            Change::Demote(parent) => self.roots.demote(parent),
        };
        facts.extend(self.graft_roots(grafts));
        for other in others {
            facts.extend(self.duplicate(*other, &id.short(), now));
        }
        (facts, encoded)
    }

    /// R10: notes a copy that came straight from where the bulletin was published, if that wants to know
    /// when it is kept.
    fn note_injected(&mut self, copy: Copy, id: &BulletinId, is_synced: bool, now: Mono) {
        let link = self.links.get(&copy.link);
        if copy.hops == 0 && link.is_some_and(|link| link.wants_kept) {
            self.kept.delivered(*id, copy.link, is_synced, now);
        }
    }

    /// Whether `link` was known to have a bulletin that is known here, so that its copy tells nothing.
    /// Of those that passed long ago everybody has told.
    pub fn is_repeated(&self, link: LinkId, id: &ShortId) -> bool {
        let held = self.recent.holds(id, self.recent.seat(link));
        held.unwrap_or(true)
    }

    /// Whether `link` is known to have a bulletin that passed lately.
    pub fn is_held_by(&self, id: &ShortId, link: LinkId) -> bool {
        self.recent
            .holds(id, self.recent.seat(link))
            .unwrap_or(false)
    }

    /// R2: takes a copy of a bulletin that is known already.
    pub fn duplicate(&mut self, copy: Copy, id: &ShortId, now: Mono) -> Vec<Fact> {
        self.recent.note_holder(id, copy.link);
        let Some(passing) = self.recent.get(id) else {
            return Vec::new();
        };
        let (whole, is_synced) = (passing.id, passing.is_synced);
        self.note_injected(copy, &whole, is_synced, now);
        let Some(passing) = self.recent.get(id) else {
            return Vec::new();
        };
        if passing.root_tag == 0 && copy.root_tag != 0 {
            return self.adopt(copy, *id, now);
        }
        if passing.root_tag != copy.root_tag || copy.root_tag == 0 {
            return Vec::new();
        }
        let lateness = copy.at.since(passing.at);
        // `hops` of the passing bulletin counts the next hop already.
        let is_upstream = copy.hops < passing.hops;
        let Some(neighbour) = self.links.get_mut(&copy.link).filter(|link| link.mesh) else {
            return Vec::new();
        };
        let is_own = passing.own;
        if (is_own
            || self
                .roots
                .duplicate(copy.root_tag, copy.link, lateness, is_upstream))
            && neighbour.allowance.chokes.take(1, now)
        {
            let frame = Frame::Choke {
                roots: vec![copy.root_tag],
            };
            return vec![Fact::Send {
                link: copy.link,
                frame,
            }];
        }
        Vec::new()
    }

    /// Takes the tree of a copy that comes along one, of a bulletin that repair brought before: who is
    /// below us in that tree waits for it.
    fn adopt(&mut self, copy: Copy, id: ShortId, now: Mono) -> Vec<Fact> {
        let is_meshed = self.links.get(&copy.link).is_some_and(|link| link.mesh);
        if !is_meshed {
            return Vec::new();
        }
        let Some((mut passing, holders)) = self.recent.remove(&id) else {
            return Vec::new();
        };
        passing.root_tag = copy.root_tag;
        passing.hops = copy.hops.saturating_add(1);
        passing.readdress();
        let change = self
            .roots
            .first(copy.root_tag, copy.link, Duration::ZERO, now);
        let mut facts = self.spread(passing, holders, false, false, now);
        if let Change::Graft(link) = change {
            facts.extend(self.graft_roots(BTreeMap::from([(link, vec![copy.root_tag])])));
        }
        facts
    }

    fn passing(
        bulletin: &Verified<Bulletin>,
        root_tag: u64,
        hops: u8,
        at: Mono,
        own: bool,
    ) -> Passing {
        let bulletin = bulletin.get();
        Passing {
            id: *bulletin.id(),
            frame: encode_pub(root_tag, hops, bulletin),
            root_tag,
            hops,
            at,
            density: bulletin.density(),
            own,
            is_synced: false,
            was_missing: false,
        }
    }

    /// Pushes along the tree, announces to the rest of the mesh.
    fn spread(
        &mut self,
        passing: Passing,
        mut holders: Holders,
        is_cold: bool,
        below_floor: bool,
        now: Mono,
    ) -> Vec<Fact> {
        let short = passing.id.short();
        let tag = passing.root_tag;
        let targets = self.targets(&holders);
        let is_large = passing.frame.len() > self.config.cold_push_bytes_max.saturating_add(256);
        let quickest = (is_cold && is_large && tag != 0)
            .then(|| self.quickest(&targets, self.config.cold_eager));
        let root = self.roots.get(tag);
        let (eager, lazy): (Vec<_>, Vec<_>) = targets.into_iter().partition(|(link, is_slow)| {
            tag != 0
                && !below_floor
                && !is_slow
                && root.is_none_or(|root| !root.is_choked(*link))
                && quickest
                    .as_ref()
                    .is_none_or(|quickest| quickest.contains(link))
        });
        if quickest.is_some()
            && let Some(root) = self.roots.get_mut(tag)
        {
            root.announce_to(lazy.iter().map(|(link, _)| *link));
        }
        let is_settled = self.roots.is_settled(tag);
        let was_missing = is_settled && passing.was_missing;
        let is_covered = is_settled && self.alert.covers_one_more(now);
        let (mut eager, mut lazy) = (eager, lazy);
        if passing.own {
            let least = self.kept.wanted(&short).saturating_sub(eager.len());
            let more = self.quickest(&lazy, least);
            eager.extend(lazy.extract_if(.., |(link, _)| more.contains(link)));
        }
        if is_covered && !below_floor && passing.frame.len() <= Self::PUSH_ANYWAY_MAX {
            let unasked = self.unasked(was_missing, &lazy, now);
            eager.extend(lazy.extract_if(.., |target| unasked.contains(target)));
        }
        // What was missing here is likely to be missing around us.
        let is_warm = is_settled && !was_missing && !is_covered;
        let mut facts = Vec::with_capacity(eager.len());
        for (link, _) in eager {
            holders.note(self.recent.seat(link));
            facts.push(Fact::Push(push(&passing, link)));
            // What is to be told there soon travels along.
            let waiting = self.announcements.along(link, now, &self.recent);
            facts.extend(announce_frames(link, &waiting));
        }
        let number = self.recent.insert(passing, holders);
        let entry = IhaveEntry {
            id: short,
            root_tag: tag,
        };
        self.announce(Word { entry, number }, &lazy, is_warm, now);
        facts
    }

    /// R3: to whom of `lacking`, neighbours not known to have a bulletin, it is pushed on the alert though its
    /// tree would not: to all when it was missing here and they are too many for one that is merely late; to
    /// the quickest when bulletins go missing one after the other.
    fn unasked(
        &self,
        was_missing: bool,
        lacking: &[(LinkId, bool)],
        now: Mono,
    ) -> Vec<(LinkId, bool)> {
        let meshed = self.links.values().filter(|neighbour| neighbour.mesh);
        let quick = lacking.iter().filter(|(_, is_slow)| !is_slow).copied();
        if was_missing && lacking.len() >= meshed.count().div_ceil(2) {
            return quick.collect();
        }
        if !self.alert.is_grave(now) {
            return Vec::new();
        }
        let rtt = |(link, _): &(LinkId, bool)| self.links.get(link).map(|neighbour| neighbour.rtt);
        quick.min_by_key(rtt).into_iter().collect()
    }

    /// Mesh links not known to have the bulletin, and whether they are slow.
    fn targets(&self, holders: &Holders) -> Vec<(LinkId, bool)> {
        self.links
            .iter()
            .filter(|(_, neighbour)| neighbour.mesh && !holders.has(neighbour.seat))
            .map(|(link, neighbour)| (*link, neighbour.is_slow))
            .collect()
    }

    /// The quickest `most` of `targets`.
    fn quickest(&self, targets: &[(LinkId, bool)], most: usize) -> Vec<LinkId> {
        let mut links: Vec<LinkId> = targets.iter().map(|(link, _)| *link).collect();
        links.sort_by_key(|link| self.links.get(link).map(|neighbour| neighbour.rtt));
        links.truncate(most);
        links
    }

    /// R1 and R9: announces to `links`, at once where it matters, gathered where it does not.
    fn announce(&mut self, word: Word, lazy: &[(LinkId, bool)], is_warm: bool, now: Mono) {
        if word.entry.root_tag == 0 {
            for (link, _) in lazy {
                self.announcements.add_bulk(*link, word.entry.id, now);
            }
            return;
        }
        if lazy.is_empty() {
            return;
        }
        self.announcements.add(word, now);
        for (link, _) in lazy {
            if is_warm {
                let (gather, rng) = (self.config.gather, &mut self.rng);
                self.announcements
                    .tell(*link, now, || draw::spread(rng, gather, 75));
            } else {
                let due = now.plus(self.config.gather_urgent);
                self.announcements.tell_urgently(*link, due);
            }
        }
    }

    /// The tag a bulletin published here goes out with: that of this node's own tree, or, for a letter
    /// or a letterbox, one of its own. What a node publishes in an epoch has one tag, which everybody
    /// sees: letters would be known by it as written where the posts beside them are, and the author of
    /// those posts as the node whose letterbox came with them.
    fn tag_for(&mut self, header: &Header, now: Mono) -> u64 {
        if header.kind == Kind::LETTER || header.name == Letterbox::NAME.as_bytes() {
            return self.rng.next_u64().max(1);
        }
        self.own_tag(now)
    }

    /// The tag of this node's own tree in the present epoch.
    fn own_tag(&mut self, now: Mono) -> u64 {
        if self.own_tag == 0 || now >= self.own_tag_until {
            self.own_tag = self.rng.next_u64().max(1);
            let tenth = crate::time::micros(fraction(self.config.epoch, 1, 10)).max(1);
            let extra = self.rng.next_u64().checked_rem(tenth).unwrap_or(0);
            self.own_tag_until = now
                .plus(self.config.epoch)
                .plus(Duration::from_micros(extra));
        }
        self.own_tag
    }
}
