//! Large content: what a manifest stands for, fetched and given a chunk at a time.
//!
//! The manifest is a bulletin and spreads as one. Who accepts it asks for its chunks: first the neighbour the
//! manifest came from, also for what that one does not have yet, so that chunks run down the tree of the
//! manifest as they come; and then whoever says to have them, the rarest first. A node gives a content to two
//! neighbours at a time, and to whoever was let down by another. Every chunk is checked before it is kept,
//! given or passed on, and chunks lie in the store, not in memory.
//!
//! `fetch` is the side that asks, `give` the side that is asked; `manifest`, `piece` and `bitmap` are what they
//! speak of.
//!
//! Invariants: nothing that was not checked leaves the room; a chunk is asked of one neighbour at a time; what
//! is asked of a link and what waits for one is bounded, and goes with the link.

mod bitmap;
mod config;
mod facts;
mod fetch;
mod give;
mod manifest;
mod piece;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::event::RestoredFile;
use crate::id::{BulletinId, LinkId, ShortId};
use crate::limits;
use crate::link_map::LinkMap;
use crate::time::Mono;
use crate::wire::Frame;

pub use bitmap::Bitmap;
pub use config::Config;
pub use facts::Fact;
pub use manifest::Manifest;
pub use piece::{Outline, Piece, Tree};

use fetch::Fetch;
use give::{Children, Giving};

/// A content whose manifest is held.
#[derive(Debug, Clone)]
struct File {
    id: BulletinId,
    manifest: Manifest,
    have: Bitmap,
    /// Whom it is given to.
    children: Children,
    /// How it is fetched, while that is so.
    fetch: Option<Box<Fetch>>,
    /// Who brought the manifest: the first to be asked.
    from: Option<LinkId>,
}

/// What is known of a neighbour.
#[derive(Debug, Clone, Default)]
struct Neighbour {
    mesh: bool,
    rtt: Duration,
    /// Bytes asked of it that have not come.
    in_flight_bytes: u32,
    giving: Giving,
}

/// The room.
#[derive(Debug, Clone)]
pub struct Large {
    config: Config,
    links: LinkMap<Neighbour>,
    files: BTreeMap<ShortId, File>,
    /// What is being fetched.
    fetching: Vec<ShortId>,
    /// What is to be fetched then.
    waiting: VecDeque<ShortId>,
    /// Chunks being read from the store, and for whom.
    loading: BTreeMap<(ShortId, u32), Vec<LinkId>>,
}

impl Large {
    /// An empty room.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            links: LinkMap::new(),
            files: BTreeMap::new(),
            fetching: Vec::new(),
            waiting: VecDeque::new(),
            loading: BTreeMap::new(),
        }
    }

    // Contents.

    /// Takes back what an earlier run left, and goes on with it.
    pub fn restore(&mut self, files: &[RestoredFile], now: Mono) -> Vec<Fact> {
        for old in files {
            // A bitmap that is none was damaged: what is there is fetched again.
            let none = || Bitmap::none(old.manifest.chunks());
            let have = Bitmap::read(&old.have, old.manifest.chunks()).unwrap_or_else(none);
            self.insert(old.id, old.manifest, have, None);
        }
        self.go_on(now)
    }

    /// Takes a content that was published here: all its chunks are in the store.
    pub fn published(&mut self, id: BulletinId, manifest: Manifest) {
        self.insert(id, manifest, Bitmap::all(manifest.chunks()), None);
    }

    /// Takes a manifest that is held from now on, and that `from` brought.
    pub fn accepted(
        &mut self,
        id: BulletinId,
        manifest: Manifest,
        from: Option<LinkId>,
        now: Mono,
    ) -> Vec<Fact> {
        if self.files.contains_key(&id.short()) {
            return Vec::new();
        }
        self.insert(id, manifest, Bitmap::none(manifest.chunks()), from);
        self.go_on(now)
    }

    fn insert(&mut self, id: BulletinId, manifest: Manifest, have: Bitmap, from: Option<LinkId>) {
        if !have.is_full() {
            self.waiting.push_back(id.short());
        }
        let file = File {
            id,
            manifest,
            have,
            children: Children::default(),
            fetch: None,
            from,
        };
        self.files.insert(id.short(), file);
    }

    /// Forgets a content whose manifest is not held any more.
    pub fn forget(&mut self, id: &BulletinId, now: Mono) -> Vec<Fact> {
        let short = id.short();
        if !self.files.contains_key(&short) {
            return Vec::new();
        }
        self.release_all(&short);
        self.files.remove(&short);
        self.waiting.retain(|other| *other != short);
        self.fetching.retain(|other| *other != short);
        self.go_on(now)
    }

    // Links.

    /// Notes an established link.
    pub fn link_up(&mut self, link: LinkId) {
        self.links.insert(link, Neighbour::default());
    }

    /// Notes that `link` joined the mesh, and asks there for what is missing.
    pub fn mesh_up(&mut self, link: LinkId) -> Vec<Fact> {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.mesh = true;
        }
        let files = self.fetching.iter().filter_map(|id| self.files.get(id));
        files.map(|file| file.have_fact(link, true)).collect()
    }

    /// Notes that `link` left the mesh.
    pub fn mesh_down(&mut self, link: LinkId) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.mesh = false;
        }
    }

    /// Notes the round trip of `link`.
    pub fn rtt(&mut self, link: LinkId, rtt: Duration) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.rtt = rtt;
        }
    }

    /// Forgets a link that is gone: what was asked of it is asked of others.
    pub fn link_down(&mut self, link: LinkId, now: Mono) -> Vec<Fact> {
        if self.links.remove(&link).is_none() {
            return Vec::new();
        }
        for links in self.loading.values_mut() {
            links.retain(|other| *other != link);
        }
        let mut facts = Vec::new();
        for file in self.files.values_mut().filter(|file| file.is_in_use()) {
            if file.from == Some(link) {
                file.from = None;
            }
            facts.extend(file.leave(link));
        }
        for id in self.fetching.clone() {
            if let Some(fetch) = self.files.get_mut(&id).and_then(|file| file.fetch.as_mut()) {
                fetch.forget(link);
            }
            facts.extend(self.fill(&id, now));
        }
        facts
    }

    // Time.

    /// Does what is due.
    pub fn wakeup(&mut self, now: Mono) -> Vec<Fact> {
        let mut facts = Vec::new();
        for id in self.fetching.clone() {
            if self.fetch_of(&id).is_some_and(|fetch| fetch.due() <= now) {
                facts.extend(self.tick(&id, now));
            }
        }
        facts.extend(self.take_turns(now));
        facts
    }

    /// When [`Large::wakeup`] is due.
    pub fn next_wakeup(&self) -> Option<Mono> {
        self.fetching
            .iter()
            .filter_map(|id| self.fetch_of(id).map(Fetch::due))
            .min()
    }

    // What there is.

    /// How many chunks of a content are here, and how many there are; none when its manifest is not held.
    pub fn progress(&self, id: &ShortId) -> Option<(u32, u32)> {
        let file = self.files.get(id)?;
        Some((file.have.count(), file.have.chunks()))
    }

    /// Sizes of the tables, for the bounds that are checked in tests: contents known, contents fetched, the
    /// longest queue of a link, chunks being read.
    pub fn footprint(&self) -> (usize, usize, usize, usize) {
        let queues = self.links.values().map(|link| link.giving.len());
        (
            self.files.len(),
            self.fetching.len(),
            queues.max().unwrap_or(0),
            self.loading.len(),
        )
    }

    /// The links of which anything is kept.
    pub fn held(&self) -> impl Iterator<Item = LinkId> {
        let fetches = self.files.values().filter_map(|file| file.fetch.as_deref());
        let sources = fetches.flat_map(Fetch::sources);
        self.links.keys().copied().chain(sources)
    }

    fn fetch_of(&self, id: &ShortId) -> Option<&Fetch> {
        self.files.get(id)?.fetch.as_deref()
    }
}

impl File {
    /// Whether anybody fetches it here or from here.
    fn is_in_use(&self) -> bool {
        self.fetch.is_some() || self.from.is_some() || !self.children.is_empty()
    }

    /// Tells `link` what is here.
    fn have_fact(&self, link: LinkId, seeking: bool) -> Fact {
        Fact::Send {
            link,
            frame: Frame::HaveChunks {
                id: self.id.short(),
                busy: !self.children.admits(link),
                seeking,
                bitmap: if self.have.count() == 0 {
                    Bytes::new()
                } else {
                    self.have.to_bytes()
                },
            },
        }
    }
}

/// The time no progress lets another content take the turn.
const TURN: Duration = Duration::from_secs(30);

impl Large {
    /// Begins to fetch what waits, as far as there is room.
    fn go_on(&mut self, now: Mono) -> Vec<Fact> {
        let mut facts = Vec::new();
        while self.fetching.len() < limits::FETCHES_MAX
            && let Some(id) = self.waiting.pop_front()
        {
            let Some(file) = self.files.get_mut(&id) else {
                continue;
            };
            file.fetch = Some(Box::new(Fetch::new(now)));
            self.fetching.push(id);
            facts.extend(self.tick(&id, now));
        }
        facts
    }

    /// Lets what waits take the place of what has not moved for long.
    fn take_turns(&mut self, now: Mono) -> Vec<Fact> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let is_stuck = |id: &&ShortId| {
            self.fetch_of(id)
                .is_some_and(|fetch| now.since(fetch.moved()) > TURN)
        };
        let Some(id) = self.fetching.iter().find(is_stuck).copied() else {
            return Vec::new();
        };
        self.release_all(&id);
        if let Some(file) = self.files.get_mut(&id) {
            file.fetch = None;
        }
        self.fetching.retain(|other| *other != id);
        self.waiting.push_back(id);
        self.go_on(now)
    }
}
