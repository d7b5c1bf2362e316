//! Rootcast: broadcast along one tree per injection root, over the mesh, with repair.
//!
//! Plumtree (Leitão, Pereira, Rodrigues 2007) kept per root: see `roots`. A bulletin is pushed
//! along its root's tree and announced to the rest of the mesh; who hears of one and does not get
//! it asks for it, and thereby mends the tree. Rules R1–R10 of `docs/protocol.md` stand at the
//! code that keeps them.

mod alert;
mod announce;
mod config;
mod facts;
mod guess;
mod holders;
mod kept;
mod neighbour;
mod recent;
mod roots;
mod serve;
mod served;
mod spread;
mod wanted;

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::id::{BulletinId, LinkId, NodeId, ShortId};
use crate::limits;
use crate::link_map::LinkMap;
use crate::short_id_map::HashKey;
use crate::time::{Mono, earliest, fraction};
use crate::wire::{Frame, IhaveEntry, StampEntry};
use crate::work::Stamp;

pub use config::Config;
pub use facts::{Copy, Fact, Push};

use alert::Alert;
use announce::Announcements;
use facts::{announce_frames, request_frames};
use guess::Guesses;
use kept::Kept;
use neighbour::{Allowance, Bucket, Neighbour};
use recent::Recent;
use roots::Roots;
use served::Served;
use wanted::{Ask, Wanted};

/// The room.
#[derive(Debug, Clone)]
pub struct Broadcast {
    config: Config,
    rng: ChaCha8Rng,
    links: LinkMap<Neighbour>,
    served: Served,
    roots: Roots,
    recent: Recent,
    wanted: Wanted,
    guesses: Guesses,
    announcements: Announcements,
    alert: Alert,
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
    /// A bulletin's stamp is passed on once in this time.
    const RESTAMP_EVERY: Duration = Duration::from_mins(1);
    /// Stamps passed on in that time.
    const RESTAMPED_MAX: usize = 4_096;
    /// Shortest wait for the answer to a request: the other side may have to read its disk.
    const PATIENCE_MIN: Duration = Duration::from_millis(50);
    /// Added to waits that are multiples of a round trip: one scheduling hiccup.
    const SLACK: Duration = Duration::from_millis(15);

    /// An empty room, whose hash tables are keyed by `salt`.
    pub fn new(config: Config, salt: u64, rng: ChaCha8Rng) -> Self {
        Self {
            roots: Roots::new(config.roots_max),
            recent: Recent::new(config.recent_bytes_max, HashKey::new(salt)),
            wanted: Wanted::new(config.wanted_max, config.in_flight_max),
            guesses: Guesses::new(),
            announcements: Announcements::default(),
            alert: Alert::new(),
            kept: Kept::new(config.kept_gather),
            links: LinkMap::new(),
            served: Served::new(config.serve_again),
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
        let allowance = Allowance {
            serve_bytes: Bucket::new(self.config.serve_bytes_per_s, now),
            chokes: Bucket::new(Self::CHOKES_PER_S, now),
        };
        let neighbour = Neighbour {
            first: self.recent.end(),
            seat: self.recent.link_up(link),
            mesh: false,
            rtt: Duration::ZERO,
            is_slow: false,
            wants_kept,
            allowance: Box::new(allowance),
        };
        self.links.insert(link, neighbour);
    }

    /// Notes that both sides have put `link` into their mesh. What was taken since the link is there is
    /// announced, whenever it came: the first reconciliation may have been too early for it, and pushing
    /// begins now.
    pub fn mesh_up(&mut self, link: LinkId, now: Mono) {
        let Some(neighbour) = self.links.get_mut(&link) else {
            return;
        };
        neighbour.mesh = true;
        self.announcements.open(link);
        let seat = self.recent.seat(link);
        for id in self.recent.since(neighbour.first, Self::CATCH_UP_MAX) {
            if self.recent.holds(&id, seat) == Some(false) {
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
        self.recent.link_down(link);
        self.served.forget(link);
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

    // What neighbours say.

    /// Notes that `link` has a bulletin we know.
    pub fn announced_known(&mut self, link: LinkId, id: &ShortId) {
        self.recent.note_holder(id, link);
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
        // A check may end when whoever gave cause for it has left.
        if self.links.contains_key(&link) {
            for id in ids {
                self.wanted.compared(*id, link, now, now.plus(wait));
            }
        }
    }

    /// Asks `link` once more for a bulletin that came and could not be taken.
    pub fn want_again(&mut self, link: LinkId, id: ShortId, now: Mono, wait: Duration) {
        self.wanted.remove(&id);
        self.wanted
            .announced(id, link, Ask::Want, now, now.plus(wait));
    }

    /// Asks `link` once more, after `wait`, for a bulletin whose time had not come; within the link's share of
    /// what is awaited.
    pub fn want_later(&mut self, link: LinkId, id: ShortId, wait: Duration, now: Mono) {
        let due = now.plus(wait);
        self.wanted.announced(id, link, Ask::Want, now, due);
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
        // While a tree grows, what comes along it is often overtaken by announcements.
        let part = if self.roots.is_settled(tag) { 4 } else { 2 };
        wait.saturating_add(fraction(rtt.unwrap_or_default(), 1, part))
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

    // What was synced.

    /// R10: notes that bulletins are synced here: those who injected them are told.
    pub fn persisted(&mut self, ids: &[BulletinId], now: Mono) {
        for id in ids {
            if let Some(passing) = self.recent.get_mut(&id.short()) {
                passing.is_synced = true;
            }
            self.kept.persisted(id, now);
        }
    }

    /// Takes a KEPT from `peer`.
    pub fn kept(&mut self, peer: NodeId, ids: &[ShortId], now: Mono) -> Vec<Fact> {
        let spread = |(id, neighbours)| Fact::Spread { id, neighbours };
        ids.iter()
            .filter_map(|id| self.kept.confirmed(peer, id, now).map(spread))
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

    /// Forgets bulletins that have expired: nobody may ask for them any more.
    pub fn forget(&mut self, expired: impl Iterator<Item = ShortId>) {
        for id in expired {
            self.recent.remove(&id);
            self.kept.expired(&id);
        }
    }

    // Time.

    /// Does what is due.
    pub fn wakeup(&mut self, now: Mono) -> Vec<Fact> {
        self.served.wakeup(now);
        let links = &self.links;
        let mut requests = self.wanted.due(now, |link| {
            let rtt = links
                .get(&link)
                .map(|neighbour| neighbour.rtt)
                .unwrap_or_default();
            fraction(rtt, 3, 2)
                .saturating_add(Self::SLACK)
                .max(Self::PATIENCE_MIN)
        });
        let is_settled = |tag| self.roots.is_settled(tag);
        let guesses = self
            .guesses
            .beside(&requests, is_settled, &self.links, &mut self.rng, now);
        requests.extend(guesses);
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
        earliest([
            self.wanted.next_due(),
            self.announcements.next_due(),
            self.kept.next_due(),
        ])
    }

    /// The links of which anything is kept.
    pub fn held(&self) -> impl Iterator<Item = LinkId> {
        let links = self.links.keys().copied();
        links
            .chain(self.served.held())
            .chain(self.announcements.held())
            .chain(self.roots.held())
            .chain(self.wanted.held())
            .chain(self.kept.held())
    }

    /// Sizes of the tables, for the bounds that are checked in tests: roots, wanted ids, bytes of
    /// recent bulletins.
    pub fn footprint(&self) -> (usize, usize, usize) {
        (self.roots.len(), self.wanted.len(), self.recent.bytes())
    }
}
