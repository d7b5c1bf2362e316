//! Rootcast: broadcast along one tree per injection root, over the mesh, with repair.
//!
//! Plumtree (Leitão, Pereira, Rodrigues 2007) kept per root: see `roots`. A bulletin is pushed
//! along its root's tree and announced to the rest of the mesh; who hears of one and does not get
//! it asks for it, and thereby mends the tree. Rules R1–R10 of `docs/protocol.md` stand at the
//! code that keeps them.

mod announce;
mod config;
mod kept;
mod neighbour;
mod recent;
mod roots;
mod wanted;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::bulletin::Bulletin;
use crate::id::{BulletinId, LinkId, NodeId, ShortId};
use crate::intake::Verified;
use crate::limits;
use crate::time::{Mono, fraction};
use crate::wire::{Frame, IhaveEntry, StampEntry, encode_pub};
use crate::work::{Density, Stamp};

pub use config::Config;

use announce::{Announcements, Word};
use kept::Kept;
use neighbour::{Bucket, Neighbour};
use recent::{Passing, Recent};
use roots::{Change, Roots};
use wanted::{Ask, Request, Wanted};

/// What serving a bulletin from the store is taken to cost until its size is known.
const LOADED_BYTES: usize = 1_024;

/// One copy of a bulletin as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// From whom.
    pub link: LinkId,
    /// The tree it came along, 0 for none.
    pub root_tag: u64,
    /// Hops from where it was injected.
    pub hops: u8,
    /// When.
    pub at: Mono,
}

/// What broadcast wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Push a bulletin.
    Push(Push),
    /// Send a control frame.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Fetch a bulletin from the store and hand it to [`Broadcast::loaded`].
    Load {
        /// Which.
        id: BulletinId,
    },
    /// A neighbour announced a bulletin and did not send it when asked.
    BrokenPromise {
        /// Who.
        link: LinkId,
    },
    /// So many neighbours have synced a bulletin of ours.
    Spread {
        /// Which.
        id: BulletinId,
        /// How many.
        neighbours: u32,
    },
}

/// A bulletin on its way to one neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// To whom.
    pub link: LinkId,
    /// Which bulletin.
    pub id: ShortId,
    /// The tree it goes along.
    pub root_tag: u64,
    /// What was paid for it: the order of the relay queue.
    pub density: Density,
    /// Whether it was published here: own bulletins go before relayed ones.
    pub own: bool,
    /// The PUB frame.
    pub frame: Bytes,
}

/// The room.
#[derive(Debug)]
pub struct Broadcast {
    config: Config,
    rng: ChaCha8Rng,
    links: BTreeMap<LinkId, Neighbour>,
    roots: Roots,
    recent: Recent,
    wanted: Wanted,
    announcements: Announcements,
    kept: Kept,
    /// Bulletins being fetched from the store, and for whom.
    loading: BTreeMap<BulletinId, Vec<LinkId>>,
    /// When the stamp of a bulletin was last passed on.
    restamped: BTreeMap<BulletinId, Mono>,
    own_tag: u64,
    own_tag_until: Mono,
}

impl Broadcast {
    /// Most CHOKE entries told to one link in a second (R2).
    const CHOKES_PER_S: u32 = 20;
    /// Bulletins announced to a link that joins the mesh, at most.
    const CATCH_UP_MAX: usize = 1_000;
    /// Bulletins fetched from the store at the same time.
    const LOADING_MAX: usize = 2_000;
    /// A bulletin's stamp is passed on once in this time.
    const RESTAMP_EVERY: Duration = Duration::from_mins(1);
    /// Stamps passed on in that time.
    const RESTAMPED_MAX: usize = 4_096;
    /// Shortest wait for the answer to a request: the other side may have to read its disk.
    const PATIENCE_MIN: Duration = Duration::from_millis(50);
    /// Added to waits that are multiples of a round trip: one scheduling hiccup.
    const SLACK: Duration = Duration::from_millis(15);

    /// An empty room.
    pub fn new(config: Config, rng: ChaCha8Rng) -> Self {
        Self {
            roots: Roots::new(config.roots_max),
            recent: Recent::new(config.recent_bytes_max),
            wanted: Wanted::new(config.wanted_max, config.in_flight_max),
            announcements: Announcements::default(),
            kept: Kept::new(config.kept_gather),
            links: BTreeMap::new(),
            loading: BTreeMap::new(),
            restamped: BTreeMap::new(),
            own_tag: 0,
            own_tag_until: Mono::ZERO,
            config,
            rng,
        }
    }

    // Links.

    /// Notes an established link.
    pub fn link_up(&mut self, link: LinkId, wants_kept: bool, now: Mono) {
        let neighbour = Neighbour {
            since: now,
            mesh: false,
            rtt: Duration::ZERO,
            is_slow: false,
            wants_kept,
            served: BTreeMap::new(),
            serve_bytes: Bucket::new(self.config.serve_bytes_per_s, now),
            chokes: Bucket::new(Self::CHOKES_PER_S, now),
        };
        self.links.insert(link, neighbour);
    }

    /// Notes that both sides have put `link` into their mesh. What came since the link is there is
    /// announced: the first reconciliation may have been too early for it, and pushing begins now.
    pub fn mesh_up(&mut self, link: LinkId, now: Mono) {
        let Some(neighbour) = self.links.get_mut(&link) else {
            return;
        };
        neighbour.mesh = true;
        self.announcements.open(link);
        for id in self.recent.since(neighbour.since, Self::CATCH_UP_MAX) {
            if self
                .recent
                .get(&id)
                .is_some_and(|passing| !passing.is_held_by(link))
            {
                self.announcements.add_bulk(link, id, now);
            }
        }
    }

    /// Notes that `link` left the mesh. R4: its roots are grafted to their best backups at once,
    /// before anything is missed.
    pub fn mesh_down(&mut self, link: LinkId) -> Vec<Fact> {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.mesh = false;
        }
        self.announcements.forget(link);
        let grafts = self.roots.forget(link);
        self.graft_roots(grafts)
    }

    /// Forgets a link that is gone.
    pub fn link_down(&mut self, link: LinkId, now: Mono) -> Vec<Fact> {
        self.links.remove(&link);
        self.kept.forget(link);
        self.wanted.forget(link, now);
        for links in self.loading.values_mut() {
            links.retain(|other| *other != link);
        }
        self.mesh_down(link)
    }

    /// R4: notes that `link` is suspected; others take over its roots.
    pub fn suspect(&mut self, link: LinkId) -> Vec<Fact> {
        let grafts = self.roots.demote(link);
        self.graft_roots(grafts)
    }

    /// Notes the round trip of `link`.
    pub fn rtt(&mut self, link: LinkId, rtt: Duration) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.rtt = rtt;
        }
    }

    /// R8: notes that `link`'s relay queue is backed up, or drained again.
    pub fn slow(&mut self, link: LinkId, is_slow: bool) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.is_slow = is_slow;
        }
    }

    fn graft_roots(&self, grafts: BTreeMap<LinkId, Vec<u64>>) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (link, roots) in grafts {
            if self
                .links
                .get(&link)
                .is_none_or(|neighbour| !neighbour.mesh)
            {
                continue;
            }
            for roots in roots.chunks(limits::GRAFT_ROOTS_MAX) {
                let frame = Frame::Graft {
                    roots: roots.to_vec(),
                    ids: Vec::new(),
                };
                facts.push(Fact::Send { link, frame });
            }
        }
        facts
    }

    // Spreading.

    /// R7: injects a bulletin published here. Returns its bytes, and to how many neighbours it goes;
    /// with none it waits for reconciliation on the first link.
    pub fn publish(&mut self, bulletin: &Verified<Bulletin>, now: Mono) -> (Vec<Fact>, Bytes, u32) {
        let tag = self.own_tag(now);
        let is_cold = self.roots.get(tag).is_none_or(roots::Root::is_cold);
        self.roots.injected(tag, now);
        self.kept.published(*bulletin.get().id());
        let passing = self.passing(bulletin, tag, 0, now, true);
        let encoded = passing.encoded();
        let facts = self.spread(passing, is_cold, false, now);
        let meshed = self
            .links
            .values()
            .filter(|neighbour| neighbour.mesh)
            .count();
        (facts, encoded, u32::try_from(meshed).unwrap_or(u32::MAX))
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
        let announced = self.wanted.remove(&id.short());
        let waited = announced.map_or(Duration::ZERO, |at| copy.at.since(at));
        let is_meshed = self
            .links
            .get(&copy.link)
            .is_some_and(|neighbour| neighbour.mesh);
        let tag = if is_meshed { copy.root_tag } else { 0 };
        let is_cold = self.roots.get(tag).is_none_or(roots::Root::is_cold);
        let change = self.roots.first(tag, copy.link, waited, now);
        if copy.hops == 0
            && self
                .links
                .get(&copy.link)
                .is_some_and(|link| link.wants_kept)
        {
            self.kept.delivered(id, copy.link);
        }
        let mut passing = self.passing(bulletin, tag, copy.hops.saturating_add(1), copy.at, false);
        passing.note_holder(copy.link);
        for other in others {
            passing.note_holder(other.link);
        }
        let encoded = passing.encoded();
        let mut facts = self.spread(passing, is_cold, below_floor, now);
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

    /// Whether `link` was known to have a bulletin that is known here, so that its copy tells nothing.
    /// Of those that passed long ago everybody has told.
    pub fn is_repeated(&self, link: LinkId, id: &ShortId) -> bool {
        self.recent
            .get(id)
            .is_none_or(|passing| passing.is_held_by(link))
    }

    /// R2: takes a copy of a bulletin that is known already.
    pub fn duplicate(&mut self, copy: Copy, id: &ShortId, now: Mono) -> Vec<Fact> {
        let Some(passing) = self.recent.get_mut(id) else {
            return Vec::new();
        };
        passing.note_holder(copy.link);
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
            && neighbour.chokes.take(1, now)
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
        let Some(mut passing) = self.recent.remove(&id) else {
            return Vec::new();
        };
        passing.root_tag = copy.root_tag;
        passing.hops = copy.hops.saturating_add(1);
        passing.readdress();
        let change = self
            .roots
            .first(copy.root_tag, copy.link, Duration::ZERO, now);
        let mut facts = self.spread(passing, false, false, now);
        if let Change::Graft(link) = change {
            facts.extend(self.graft_roots(BTreeMap::from([(link, vec![copy.root_tag])])));
        }
        facts
    }

    fn passing(
        &self,
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
            holders: Vec::with_capacity(self.links.len().min(16)),
        }
    }

    /// Pushes along the tree, announces to the rest of the mesh.
    fn spread(
        &mut self,
        mut passing: Passing,
        is_cold: bool,
        below_floor: bool,
        now: Mono,
    ) -> Vec<Fact> {
        let short = passing.id.short();
        let tag = passing.root_tag;
        let mut targets = self.targets(&passing);
        let is_large = passing.frame.len() > self.config.cold_push_bytes_max.saturating_add(256);
        let quickest = (is_cold && is_large && tag != 0).then(|| self.quickest(&targets));
        let root = self.roots.get(tag);
        let mut facts = Vec::with_capacity(targets.len());
        targets.retain(|(link, is_slow)| {
            let is_eager = tag != 0
                && !below_floor
                && !is_slow
                && root.is_none_or(|root| !root.is_choked(*link))
                && quickest
                    .as_ref()
                    .is_none_or(|quickest| quickest.contains(link));
            if is_eager {
                passing.note_holder(*link);
                facts.push(Fact::Push(push(&passing, *link)));
                // What is to be told there soon travels along.
                let waiting = self.announcements.along(*link, now, &self.recent);
                facts.extend(announce_frames(*link, &waiting));
            }
            !is_eager
        });
        let is_warm = root.is_some_and(roots::Root::is_warm);
        let number = self.recent.insert(passing);
        let entry = IhaveEntry {
            id: short,
            root_tag: tag,
        };
        self.announce(Word { entry, number }, &targets, is_warm, now);
        facts
    }

    /// Mesh links not known to have the bulletin, and whether they are slow.
    fn targets(&self, passing: &Passing) -> Vec<(LinkId, bool)> {
        self.links
            .iter()
            .filter(|(link, neighbour)| neighbour.mesh && !passing.is_held_by(**link))
            .map(|(link, neighbour)| (*link, neighbour.is_slow))
            .collect()
    }

    /// R6: the quickest few of `targets`.
    fn quickest(&self, targets: &[(LinkId, bool)]) -> Vec<LinkId> {
        let mut links: Vec<LinkId> = targets.iter().map(|(link, _)| *link).collect();
        links.sort_by_key(|link| self.links.get(link).map(|neighbour| neighbour.rtt));
        links.truncate(self.config.cold_eager);
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
        self.announcements.add(word);
        for (link, _) in lazy {
            if is_warm {
                let (gather, rng) = (self.config.gather, &mut self.rng);
                self.announcements
                    .tell(*link, now, || spread_out(gather, rng));
            } else {
                let due = now.plus(self.config.gather_urgent);
                self.announcements.tell_urgently(*link, due);
            }
        }
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

    // What neighbours say.

    /// Notes that `link` has a bulletin we know.
    pub fn announced_known(&mut self, link: LinkId, id: &ShortId) {
        if let Some(passing) = self.recent.get_mut(id) {
            passing.note_holder(link);
        }
    }

    /// R3: notes that `link` has a bulletin we lack, and waits for the tree to bring it.
    pub fn announced_missing(&mut self, link: LinkId, entry: IhaveEntry, now: Mono) {
        let ask = if entry.root_tag == 0 {
            Ask::Want
        } else {
            Ask::Graft(entry.root_tag)
        };
        let wait = match ask {
            Ask::Want => Duration::ZERO,
            Ask::Graft(tag) => self.graft_wait(tag),
        };
        self.wanted
            .announced(entry.id, link, ask, now, now.plus(wait));
    }

    /// Asks `link` for bulletins reconciliation found missing, unless a tree brings them first: what
    /// was published just now is missing everywhere.
    pub fn want(&mut self, link: LinkId, ids: &[ShortId], now: Mono) {
        let (_, wait) = self.config.graft_wait;
        for id in ids {
            self.wanted.add(*id, link, Ask::Want, now, now.plus(wait));
        }
    }

    /// Asks `link` once more for a bulletin that came and could not be taken.
    pub fn want_again(&mut self, link: LinkId, id: ShortId, now: Mono, wait: Duration) {
        self.wanted.remove(&id);
        self.wanted.add(id, link, Ask::Want, now, now.plus(wait));
    }

    /// Announces to `link` bulletins reconciliation found missing there.
    pub fn offer(&mut self, link: LinkId, ids: &[ShortId], now: Mono) {
        for id in ids {
            self.announcements.add_bulk(link, *id, now);
        }
    }

    /// How long to wait for the tree's copy of an announced bulletin.
    fn graft_wait(&self, tag: u64) -> Duration {
        let (min, max) = self.config.graft_wait;
        let root = self.roots.get(tag);
        let lateness = root.map(roots::Root::lateness).unwrap_or_default();
        let parent = root.and_then(roots::Root::parent);
        let rtt = parent
            .and_then(|link| self.links.get(&link))
            .map(|link| link.rtt);
        let wait = fraction(lateness, 3, 2);
        wait.saturating_add(fraction(rtt.unwrap_or_default(), 1, 2))
            .saturating_add(Self::SLACK)
            .clamp(min, max)
    }

    /// Notes that a bulletin is here or not worth having: nobody need be asked for it.
    pub fn landed(&mut self, id: &ShortId) {
        self.wanted.remove(id);
    }

    /// Takes a NACK. Ids dropped over there are not asked of that neighbour again, the others
    /// later.
    pub fn nacked(&mut self, link: LinkId, ids: &[ShortId], dropped: bool, now: Mono) {
        for id in ids {
            if dropped {
                self.wanted.refused(id, link, now);
            } else {
                self.wanted.postponed(id, link, now);
            }
        }
    }

    /// Takes a GRAFT's roots: `link` wants to be pushed to again.
    /// Of a root we do not know nobody is choked.
    pub fn grafted(&mut self, link: LinkId, roots: &[u64]) {
        for tag in roots {
            if let Some(root) = self.roots.get_mut(*tag) {
                root.unchoke(link);
            }
        }
    }

    /// Takes a CHOKE: `link` is served by others.
    pub fn choked(&mut self, link: LinkId, roots: &[u64], now: Mono) {
        for tag in roots {
            if self.roots.get(*tag).is_none() && self.own_tag != *tag {
                continue;
            }
            if let Some(root) = self.roots.entry(*tag, now) {
                root.choke(link);
            }
        }
    }

    /// Serves bulletins we hold to `link`, which asked for them: each at most once in
    /// `serve_again`, all within `serve_bytes_per_s`. `along_tree` keeps the root tag, so that the
    /// asker's tree mends.
    pub fn serve(
        &mut self,
        link: LinkId,
        ids: &[BulletinId],
        along_tree: bool,
        now: Mono,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut refused = Vec::new();
        for id in ids {
            let short = id.short();
            let Some(neighbour) = self.links.get_mut(&link) else {
                break;
            };
            let again = self.config.serve_again;
            if neighbour
                .served
                .get(&short)
                .is_some_and(|at| now.since(*at) < again)
            {
                continue;
            }
            let bytes = self
                .recent
                .get(&short)
                .map_or(LOADED_BYTES, |passing| passing.frame.len());
            if !neighbour.serve_bytes.take(bytes, now) {
                refused.push(short);
                continue;
            }
            neighbour.note_served(short, now, again);
            if let Some(passing) = self.recent.get_mut(&short) {
                passing.note_holder(link);
                let mut push = push(passing, link);
                if !along_tree {
                    push = push.outside_tree();
                }
                facts.push(Fact::Push(push));
            } else if !self.load(link, *id, &mut facts) {
                self.not_served(link, &short);
                refused.push(short);
            }
        }
        for ids in refused.chunks(limits::NACK_MAX) {
            let frame = Frame::Nack {
                dropped: false,
                ids: ids.to_vec(),
            };
            facts.push(Fact::Send { link, frame });
        }
        facts
    }

    /// Takes back that `link` was served `id`: it may ask again.
    fn not_served(&mut self, link: LinkId, id: &ShortId) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.served.remove(id);
        }
    }

    /// Has `id` fetched from the store for `link`; answers whether that can be done now.
    fn load(&mut self, link: LinkId, id: BulletinId, facts: &mut Vec<Fact>) -> bool {
        if let Some(links) = self.loading.get_mut(&id) {
            links.push(link);
            return true;
        }
        if self.loading.len() >= Self::LOADING_MAX {
            return false;
        }
        self.loading.insert(id, vec![link]);
        facts.push(Fact::Load { id });
        true
    }

    /// Sends a bulletin the store was asked for to those who wait for it.
    pub fn loaded(&mut self, id: &BulletinId, bulletin: Option<&Bulletin>, now: Mono) -> Vec<Fact> {
        let links = self.loading.remove(id).unwrap_or_default();
        let Some(bulletin) = bulletin else {
            let nack = Frame::Nack {
                dropped: true,
                ids: vec![id.short()],
            };
            return links
                .into_iter()
                .map(|link| Fact::Send {
                    link,
                    frame: nack.clone(),
                })
                .collect();
        };
        // Hops 0 says that it comes from where it was injected.
        let hops = u8::from(!self.kept.is_own(&id.short()));
        let frame = encode_pub(0, hops, bulletin);
        for link in &links {
            if let Some(neighbour) = self.links.get_mut(link) {
                let rest = frame.len().saturating_sub(LOADED_BYTES);
                // May overdraw: it was promised before its size was known.
                neighbour.serve_bytes.take(rest, now);
            }
        }
        let density = bulletin.density();
        links
            .into_iter()
            .map(|link| {
                let id = id.short();
                Fact::Push(Push {
                    link,
                    id,
                    root_tag: 0,
                    density,
                    own: false,
                    frame: frame.clone(),
                })
            })
            .collect()
    }

    /// R8: announces instead a bulletin that could not be queued for `link`.
    pub fn not_pushed(&mut self, link: LinkId, id: ShortId, root_tag: u64, now: Mono) {
        self.not_served(link, &id);
        let Some(number) = self.recent.number(&id) else {
            return;
        };
        if let Some(passing) = self.recent.get_mut(&id) {
            passing.holders.retain(|holder| *holder != link);
        }
        let due = now.plus(self.config.gather);
        let entry = IhaveEntry { id, root_tag };
        self.announcements
            .add_one(link, Word { entry, number }, due);
    }

    // What was synced.

    /// R10: notes that bulletins are synced here: those who injected them are told.
    pub fn persisted(&mut self, ids: &[BulletinId], now: Mono) {
        for id in ids {
            self.kept.persisted(id, now);
        }
    }

    /// Takes a KEPT from `peer`.
    pub fn kept(&mut self, peer: NodeId, ids: &[ShortId]) -> Vec<Fact> {
        let spread = |(id, neighbours)| Fact::Spread { id, neighbours };
        ids.iter()
            .filter_map(|id| self.kept.confirmed(peer, id).map(spread))
            .collect()
    }

    /// Passes a better stamp on over the mesh, at most once a minute for each bulletin.
    pub fn restamp(
        &mut self,
        from: Option<LinkId>,
        id: BulletinId,
        stamp: Stamp,
        now: Mono,
    ) -> Vec<Fact> {
        if let Some(passing) = self.recent.get_mut(&id.short()) {
            passing.restamp(stamp);
        }
        self.restamped
            .retain(|_, at| now.since(*at) < Self::RESTAMP_EVERY);
        if self.restamped.contains_key(&id) || self.restamped.len() >= Self::RESTAMPED_MAX {
            return Vec::new();
        }
        self.restamped.insert(id, now);
        let entries = vec![StampEntry { id, stamp }];
        self.links
            .iter()
            .filter(|(link, neighbour)| neighbour.mesh && Some(**link) != from)
            .map(|(link, _)| Fact::Send {
                link: *link,
                frame: Frame::Stamp {
                    entries: entries.clone(),
                },
            })
            .collect()
    }

    // Time.

    /// Does what is due.
    pub fn wakeup(&mut self, now: Mono) -> Vec<Fact> {
        let links = &self.links;
        let requests = self.wanted.due(now, |link| {
            let rtt = links
                .get(&link)
                .map(|neighbour| neighbour.rtt)
                .unwrap_or_default();
            fraction(rtt, 3, 2)
                .saturating_add(Self::SLACK)
                .max(Self::PATIENCE_MIN)
        });
        let mut facts = request_frames(requests);
        for (link, entries) in self.announcements.due(now, &self.recent) {
            facts.extend(announce_frames(link, &entries));
        }
        for (link, ids) in self.kept.due(now) {
            facts.push(Fact::Send {
                link,
                frame: Frame::Kept { ids },
            });
        }
        facts
    }

    /// When [`Broadcast::wakeup`] is due.
    pub fn next_wakeup(&self) -> Option<Mono> {
        [
            self.wanted.next_due(),
            self.announcements.next_due(),
            self.kept.next_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Sizes of the tables, for the bounds that are checked in tests: roots, wanted ids, bytes of
    /// recent bulletins.
    pub fn footprint(&self) -> (usize, usize, usize) {
        (self.roots.len(), self.wanted.len(), self.recent.bytes())
    }
}

impl Push {
    /// The same bulletin without a tree: it changes nobody's parents.
    fn outside_tree(mut self) -> Self {
        let mut frame = self.frame.to_vec();
        for byte in frame.iter_mut().skip(1).take(8) {
            *byte = 0;
        }
        self.frame = frame.into();
        self.root_tag = 0;
        self
    }
}

fn push(passing: &Passing, link: LinkId) -> Push {
    Push {
        link,
        id: passing.id.short(),
        root_tag: passing.root_tag,
        density: passing.density,
        own: passing.own,
        frame: passing.frame.clone(),
    }
}

/// Gathers `requests` into as few frames as possible; whoever is replaced broke a promise (R5).
/// `time` ± 75 %, by chance.
fn spread_out(time: Duration, rng: &mut ChaCha8Rng) -> Duration {
    let percent = rng.next_u32().checked_rem(150).unwrap_or(0);
    fraction(time, percent.saturating_add(25), 100)
}

/// Announcements in frames that are not too long.
fn announce_frames(link: LinkId, entries: &[IhaveEntry]) -> Vec<Fact> {
    let frames = entries
        .chunks(limits::IHAVE_MAX)
        .map(|entries| Frame::Ihave {
            entries: entries.to_vec(),
        });
    frames.map(|frame| Fact::Send { link, frame }).collect()
}

fn request_frames(requests: Vec<Request>) -> Vec<Fact> {
    let mut grafts = BTreeMap::<LinkId, (Vec<u64>, Vec<ShortId>)>::new();
    let mut wants = BTreeMap::<LinkId, Vec<ShortId>>::new();
    let mut facts = Vec::new();
    for request in requests {
        if let Some(link) = request.instead_of {
            facts.push(Fact::BrokenPromise { link });
        }
        match request.ask {
            Ask::Want => wants.entry(request.link).or_default().push(request.id),
            Ask::Graft(tag) => {
                let (roots, ids) = grafts.entry(request.link).or_default();
                if !roots.contains(&tag) {
                    roots.push(tag);
                }
                ids.push(request.id);
            }
        }
    }
    for (link, (roots, ids)) in grafts {
        let mut roots = roots.chunks(limits::GRAFT_ROOTS_MAX);
        for ids in ids.chunks(limits::GRAFT_IDS_MAX) {
            let roots = roots.next().unwrap_or_default().to_vec();
            facts.push(Fact::Send {
                link,
                frame: Frame::Graft {
                    roots,
                    ids: ids.to_vec(),
                },
            });
        }
    }
    for (link, ids) in wants {
        for ids in ids.chunks(limits::IWANT_MAX) {
            facts.push(Fact::Send {
                link,
                frame: Frame::Iwant { ids: ids.to_vec() },
            });
        }
    }
    facts
}
