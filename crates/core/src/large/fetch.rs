//! The side that asks: what is asked of whom, and what is done when nothing comes.
//!
//! A neighbour is asked for up to a window of chunks at a time: the rarest of those it says to have, and beyond
//! them, of the neighbour we count on, those it will have. One that brings nothing for a while is let rest, and
//! what it was asked for is overdue: asked of others, urgently.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bitmap, Config, Fact, File, Large, Manifest, Neighbour, Piece, TURN};
use crate::id::{LinkId, ShortId};
use crate::limits;
use crate::link_map::LinkMap;
use crate::time::Mono;
use crate::wire::Frame;

/// Rest of a neighbour that brought nothing, doubled each time.
const REST: Duration = Duration::from_millis(500);
/// Most doublings of that rest.
const RESTS_MAX: u32 = 5;
/// How long a neighbour without a place for us is left alone, unless it says that there is one.
const BUSY_REST: Duration = Duration::from_secs(1);
/// How often everybody is asked who has anything.
const SEEK_EVERY: Duration = Duration::from_secs(1);
/// How often is looked after what has not moved lately, which is so long, and after what is stuck.
const SLOW_TICK: Duration = Duration::from_millis(500);
const LATELY: Duration = Duration::from_secs(2);
const STUCK_TICK: Duration = Duration::from_secs(5);
/// Chunks asked for urgently at once.
const URGENT_MAX: usize = 8;
/// Longest pause between two chunks that makes us more patient.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A content on its way here.
#[derive(Debug, Clone)]
pub(super) struct Fetch {
    began: Mono,
    /// When a chunk came last.
    moved: Mono,
    due: Mono,
    sources: LinkMap<Source>,
    /// What was asked of whom, and whether urgently.
    asked: BTreeMap<u32, (LinkId, bool)>,
    /// What somebody was asked for in vain.
    overdue: Option<Bitmap>,
    sought: Option<Mono>,
    /// When neighbours were told what is here, and whether there is news.
    told: Mono,
    has_news: bool,
}

/// A neighbour that has, or will have, chunks.
#[derive(Debug, Clone)]
struct Source {
    have: Bitmap,
    /// Left alone until then.
    rests_until: Mono,
    /// Chunks asked of it.
    asked: u32,
    /// When it was asked first or brought something last.
    heard: Mono,
    /// The pause before its last chunk.
    pause: Duration,
    failures: u32,
}

impl Source {
    fn new(chunks: u32) -> Self {
        Self {
            have: Bitmap::none(chunks),
            rests_until: Mono::ZERO,
            asked: 0,
            heard: Mono::ZERO,
            pause: Duration::ZERO,
            failures: 0,
        }
    }

    /// Until when something must have come.
    fn deadline(&self, rtt: Duration, config: &Config) -> Mono {
        let patience = self.pause.saturating_mul(4).saturating_add(config.patience);
        self.heard
            .plus(patience.saturating_add(rtt.saturating_mul(2)))
    }
}

impl Fetch {
    pub(super) const fn new(now: Mono) -> Self {
        Self {
            began: now,
            moved: now,
            due: now,
            sources: LinkMap::new(),
            asked: BTreeMap::new(),
            overdue: None,
            sought: None,
            told: now,
            has_news: false,
        }
    }

    pub(super) const fn due(&self) -> Mono {
        self.due
    }

    pub(super) const fn moved(&self) -> Mono {
        self.moved
    }

    /// Forgets a link that is gone.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.sources.remove(&link);
        self.asked.retain(|_, (other, _)| *other != link);
    }

    /// Neighbours that have, or will have, chunks.
    pub(super) fn sources(&self) -> impl Iterator<Item = LinkId> {
        self.sources.keys().copied()
    }

    fn active(&self) -> usize {
        self.sources
            .values()
            .filter(|source| source.asked > 0)
            .count()
    }

    /// Takes back what `link` was asked for, all of it or what was not urgent. What it was.
    fn release(&mut self, link: LinkId, and_urgent: bool) -> Vec<u32> {
        let is_released = |_: &u32, (other, urgent): &mut (LinkId, bool)| {
            *other == link && (and_urgent || !*urgent)
        };
        let released: Vec<u32> = self
            .asked
            .extract_if(.., is_released)
            .map(|(index, _)| index)
            .collect();
        if let Some(source) = self.sources.get_mut(&link) {
            let count = u32::try_from(released.len()).unwrap_or(u32::MAX);
            source.asked = source.asked.saturating_sub(count);
        }
        released
    }

    /// Chunks to ask `link` for: the rarest that it has first, then, `ahead`, those it will have.
    fn choose(&self, link: LinkId, have: &Bitmap, ahead: bool, most: usize) -> Vec<u32> {
        let Some(source) = self.sources.get(&link) else {
            return Vec::new();
        };
        let is_free = |index: &u32| !self.asked.contains_key(index);
        let holders = |index: u32| {
            let others = self.sources.values();
            others.filter(|source| source.have.has(index)).count()
        };
        let mut there: Vec<(usize, u32)> = have
            .missing()
            .filter(is_free)
            .filter(|index| source.have.has(*index))
            .map(|index| (holders(index), index))
            .collect();
        there.sort_unstable();
        let there = there.into_iter().map(|(_, index)| index);
        let coming = have
            .missing()
            .filter(is_free)
            .filter(|index| ahead && !source.have.has(*index));
        there.chain(coming).take(most).collect()
    }
}

impl Large {
    // What neighbours say.

    /// Takes a HAVE of `link`.
    pub fn on_have(
        &mut self,
        link: LinkId,
        id: ShortId,
        busy: bool,
        seeking: bool,
        bitmap: &[u8],
        now: Mono,
    ) -> Vec<Fact> {
        let Some(file) = self.files.get_mut(&id) else {
            return Vec::new();
        };
        let Some(bitmap) = Bitmap::read(bitmap, file.manifest.chunks()) else {
            let how = "told of chunks that do not exist";
            return vec![Fact::Misbehaved { link, how }];
        };
        let mut facts = Vec::new();
        if bitmap.is_full() {
            facts.extend(file.leave(link));
        }
        if seeking && file.have.count() > 0 {
            facts.push(file.have_fact(link, false));
        }
        let Some(fetch) = &mut file.fetch else {
            return facts;
        };
        let chunks = file.manifest.chunks();
        if fetch.sources.get(&link).is_none() {
            fetch.sources.insert(link, Source::new(chunks));
        }
        let mut released = Vec::new();
        if busy {
            released = fetch.release(link, false);
        }
        if let Some(source) = fetch.sources.get_mut(&link) {
            source.have = bitmap;
            if busy {
                source.rests_until = source.rests_until.max(now.plus(BUSY_REST));
            } else if source.failures == 0 {
                source.rests_until = Mono::ZERO;
            }
        }
        let manifest = file.manifest;
        self.landed(link, &manifest, &released);
        facts.extend(self.fill(&id, now));
        facts
    }

    /// Takes a chunk of `link`: it is checked, kept and passed on to who waits for it.
    pub fn on_chunk(
        &mut self,
        link: LinkId,
        id: ShortId,
        index: u32,
        piece: &Piece,
        now: Mono,
    ) -> Vec<Fact> {
        let unasked = || vec![Fact::Unasked { link }];
        let Some(file) = self.files.get_mut(&id) else {
            return unasked();
        };
        let Some(fetch) = file.fetch.as_mut().filter(|_| !file.have.has(index)) else {
            return unasked();
        };
        if !piece.holds(&file.manifest, index) {
            let how = "sent a chunk that is not part of its content";
            return vec![Fact::Misbehaved { link, how }];
        }
        file.have.set(index);
        let asked = fetch.asked.remove(&index);
        fetch.moved = now;
        fetch.has_news = true;
        fetch.due = fetch.due.min(now.plus(self.config.gather));
        if let Some(source) = fetch.sources.get_mut(&link) {
            source.have.set(index);
            source.pause = now.since(source.heard).min(PAUSE_MAX);
            source.heard = now;
            source.failures = 0;
        }
        let manifest = file.manifest;
        let mut facts = vec![
            Fact::Keep {
                id: file.id,
                index,
                piece: piece.clone(),
            },
            Fact::Progress {
                id: file.id,
                chunks: file.have.count(),
                all: file.have.chunks(),
            },
        ];
        if let Some((asked, _)) = asked {
            if let Some(source) = fetch.sources.get_mut(&asked) {
                source.asked = source.asked.saturating_sub(1);
            }
            self.landed(asked, &manifest, &[index]);
        }
        let children: Vec<LinkId> = self.links.keys().copied().collect();
        for child in children {
            facts.extend(self.pump(child, Some((id, index, piece)), now));
        }
        facts.extend(self.after_chunk(&id, now));
        facts
    }

    /// Asks for more, or ends when all is here.
    fn after_chunk(&mut self, id: &ShortId, now: Mono) -> Vec<Fact> {
        let is_whole = self.files.get(id).is_some_and(|file| file.have.is_full());
        if !is_whole {
            return self.fill(id, now);
        }
        let mut facts = self.tell(id, now);
        self.release_all(id);
        if let Some(file) = self.files.get_mut(id) {
            file.fetch = None;
            file.from = None;
        }
        self.fetching.retain(|other| other != id);
        facts.extend(self.go_on(now));
        facts
    }

    // Asking.

    /// Takes back everything that was asked of anybody for a content.
    pub(super) fn release_all(&mut self, id: &ShortId) {
        let Some(file) = self.files.get_mut(id) else {
            return;
        };
        let Some(fetch) = &mut file.fetch else {
            return;
        };
        let manifest = file.manifest;
        let asked = std::mem::take(&mut fetch.asked);
        for (index, (link, _)) in asked {
            self.landed(link, &manifest, &[index]);
        }
    }

    /// Notes that these chunks, asked of `link`, are under way no more.
    fn landed(&mut self, link: LinkId, manifest: &Manifest, chunks: &[u32]) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            for index in chunks {
                let bytes = manifest.len_of(*index);
                neighbour.in_flight_bytes = neighbour.in_flight_bytes.saturating_sub(bytes);
            }
        }
    }

    /// Asks neighbours for what is missing, as far as their windows go.
    pub(super) fn fill(&mut self, id: &ShortId, now: Mono) -> Vec<Fact> {
        let mut facts = Vec::new();
        for link in self.in_order(id) {
            facts.extend(self.ask(id, link, now));
        }
        facts
    }

    /// Who may be asked for a content: who is asked already, then the one the manifest came from, then the
    /// nearest.
    fn in_order(&self, id: &ShortId) -> Vec<LinkId> {
        let Some(file) = self.files.get(id) else {
            return Vec::new();
        };
        let Some(fetch) = &file.fetch else {
            return Vec::new();
        };
        let mut order: Vec<(bool, bool, Duration, LinkId)> = fetch
            .sources
            .iter()
            .map(|(link, source)| {
                let rtt = self.links.get(link).map(|neighbour| neighbour.rtt);
                let is_first = file.from == Some(*link);
                (source.asked == 0, !is_first, rtt.unwrap_or_default(), *link)
            })
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(.., link)| link).collect()
    }

    /// Asks `link` for as much as its window takes, if it is its turn.
    fn ask(&mut self, id: &ShortId, link: LinkId, now: Mono) -> Option<Fact> {
        let config = &self.config;
        let neighbour = self.links.get_mut(&link)?;
        let file = self.files.get_mut(id)?;
        let (have, manifest) = (&file.have, &file.manifest);
        let fetch = file.fetch.as_mut()?;
        let active = fetch.active();
        let source = fetch.sources.get(&link)?;
        let is_active = source.asked > 0;
        let is_too_early = active > 0 && now < fetch.began.plus(config.second_after);
        if source.rests_until > now || !is_active && (active >= config.sources_max || is_too_early)
        {
            return None;
        }
        let chunk = manifest.chunk_bytes();
        let room = config
            .window_bytes
            .saturating_sub(neighbour.in_flight_bytes);
        // In one frame for half a window, not in one for each chunk.
        if is_active && room < config.window_bytes / 2 {
            return None;
        }
        // Only of the neighbour we count on, and not of one that waits for us.
        let is_only = active == 0 || is_active && active == 1;
        let ahead = is_only && !neighbour.giving.waits_for(id, have);
        let most = room.checked_div(chunk).unwrap_or(0);
        let most = usize::try_from(most)
            .unwrap_or(0)
            .min(limits::CHUNK_WANTS_MAX);
        let chunks = fetch.choose(link, have, ahead, most);
        Self::asked(fetch, neighbour, manifest, link, &chunks, false, now);
        want(link, *id, chunks, false)
    }

    /// Notes what `link` is asked for.
    fn asked(
        fetch: &mut Fetch,
        neighbour: &mut Neighbour,
        manifest: &Manifest,
        link: LinkId,
        chunks: &[u32],
        urgent: bool,
        now: Mono,
    ) {
        for index in chunks {
            let bytes = manifest.len_of(*index);
            neighbour.in_flight_bytes = neighbour.in_flight_bytes.saturating_add(bytes);
            fetch.asked.insert(*index, (link, urgent));
        }
        if let Some(source) = fetch.sources.get_mut(&link) {
            if source.asked == 0 {
                source.heard = now;
            }
            let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
            source.asked = source.asked.saturating_add(count);
        }
    }

    // When nothing comes.

    /// Looks after a content that is being fetched.
    pub(super) fn tick(&mut self, id: &ShortId, now: Mono) -> Vec<Fact> {
        let mut facts = self.give_up(id, now);
        self.count_on_first(id);
        let is_due = self
            .fetch_of(id)
            .is_some_and(|fetch| fetch.has_news && now.since(fetch.told) >= self.config.gather);
        if is_due {
            facts.extend(self.tell(id, now));
        }
        facts.extend(self.fill(id, now));
        facts.extend(self.ask_urgently(id, now));
        facts.extend(self.seek(id, now));
        let gather = self.config.gather;
        if let Some(fetch) = self.files.get_mut(id).and_then(|file| file.fetch.as_mut()) {
            fetch.due = now.plus(match now.since(fetch.moved) {
                rested if rested < LATELY => gather,
                rested if rested < TURN => SLOW_TICK,
                _ => STUCK_TICK,
            });
        }
        facts
    }

    /// The neighbour that brought the manifest is asked without having said anything.
    fn count_on_first(&mut self, id: &ShortId) {
        let Some(file) = self.files.get_mut(id) else {
            return;
        };
        let (Some(fetch), Some(from)) = (&mut file.fetch, file.from) else {
            return;
        };
        if fetch.sources.get(&from).is_none() && self.links.contains_key(&from) {
            let source = Source::new(file.manifest.chunks());
            fetch.sources.insert(from, source);
        }
    }

    /// Lets those rest that brought nothing; what they were asked for is overdue.
    fn give_up(&mut self, id: &ShortId, now: Mono) -> Vec<Fact> {
        let mut facts = Vec::new();
        for link in self.late(id, now) {
            let Some(file) = self.files.get_mut(id) else {
                break;
            };
            let (released, manifest) = (file.let_down(link, now), file.manifest);
            self.landed(link, &manifest, &released);
            facts.push(Fact::BrokenPromise { link });
        }
        facts
    }

    /// Who was asked and brought nothing in time.
    fn late(&self, id: &ShortId, now: Mono) -> Vec<LinkId> {
        let Some(fetch) = self.fetch_of(id) else {
            return Vec::new();
        };
        let is_late = |(link, source): &(&LinkId, &Source)| {
            let rtt = self.links.get(link).map(|neighbour| neighbour.rtt);
            let deadline = source.deadline(rtt.unwrap_or_default(), &self.config);
            source.asked > 0 && deadline <= now
        };
        let late = fetch.sources.iter().filter(is_late);
        late.map(|(link, _)| *link).collect()
    }

    /// Asks whoever has what is overdue, also those without a place for us. When nobody at all is being asked
    /// for some time, everything is.
    fn ask_urgently(&mut self, id: &ShortId, now: Mono) -> Vec<Fact> {
        let Self {
            config,
            links,
            files,
            ..
        } = self;
        let Some(file) = files.get_mut(id) else {
            return Vec::new();
        };
        let (have, manifest) = (&file.have, &file.manifest);
        let Some(fetch) = &mut file.fetch else {
            return Vec::new();
        };
        let is_idle = fetch.asked.is_empty() && now.since(fetch.moved) > config.patience;
        let is_overdue = |index: &u32| {
            let overdue = fetch.overdue.as_ref();
            is_idle || overdue.is_some_and(|overdue| overdue.has(*index))
        };
        let urgent = fetch.asked.values().filter(|(_, urgent)| *urgent).count();
        let room = URGENT_MAX.saturating_sub(urgent);
        let overdue: Vec<u32> = have
            .missing()
            .filter(|index| !fetch.asked.contains_key(index) && is_overdue(index))
            .take(room)
            .collect();
        let mut wants = BTreeMap::<LinkId, Vec<u32>>::new();
        for index in overdue {
            let is_willing = |(_, source): &(&LinkId, &Source)| {
                source.have.has(index) && (source.failures == 0 || source.rests_until <= now)
            };
            let load = |(link, source): &(&LinkId, &Source)| {
                let given = wants.get(link).map_or(0, Vec::len);
                (source.failures, source.asked, given)
            };
            let holders = fetch.sources.iter().filter(is_willing);
            if let Some((link, _)) = holders.min_by_key(load) {
                wants.entry(*link).or_default().push(index);
            }
        }
        let mut facts = Vec::new();
        for (link, chunks) in wants {
            if let Some(neighbour) = links.get_mut(&link) {
                Self::asked(fetch, neighbour, manifest, link, &chunks, true, now);
                facts.extend(want(link, *id, chunks, true));
            }
        }
        facts
    }

    /// Asks the mesh who has anything, when nobody brings anything.
    fn seek(&mut self, id: &ShortId, now: Mono) -> Vec<Fact> {
        let Some(file) = self.files.get_mut(id) else {
            return Vec::new();
        };
        let Some(fetch) = &mut file.fetch else {
            return Vec::new();
        };
        let is_due = fetch.sought.is_none_or(|at| now.since(at) >= SEEK_EVERY);
        if !fetch.asked.is_empty() || !is_due {
            return Vec::new();
        }
        fetch.sought = Some(now);
        let file = &*file;
        let meshed = self.links.iter().filter(|(_, neighbour)| neighbour.mesh);
        meshed
            .map(|(link, _)| file.have_fact(*link, true))
            .collect()
    }

    /// Tells the mesh what is here, but those who have everything.
    fn tell(&mut self, id: &ShortId, now: Mono) -> Vec<Fact> {
        let Some(file) = self.files.get_mut(id) else {
            return Vec::new();
        };
        let Some(fetch) = &mut file.fetch else {
            return Vec::new();
        };
        fetch.told = now;
        fetch.has_news = false;
        let sources = &fetch.sources;
        let lacks = |link: &LinkId| {
            sources
                .get(link)
                .is_none_or(|source| !source.have.is_full())
        };
        let meshed = self.links.iter().filter(|(_, neighbour)| neighbour.mesh);
        let told: Vec<LinkId> = meshed
            .map(|(link, _)| *link)
            .filter(|link| lacks(link) || file.have.is_full())
            .collect();
        let file = &*file;
        told.into_iter()
            .map(|link| file.have_fact(link, false))
            .collect()
    }
}

impl File {
    /// Lets `link` rest, which brought nothing. Returns what it was asked for.
    fn let_down(&mut self, link: LinkId, now: Mono) -> Vec<u32> {
        if self.from == Some(link) {
            self.from = None;
        }
        let all = self.manifest.chunks();
        let Some(fetch) = &mut self.fetch else {
            return Vec::new();
        };
        let released = fetch.release(link, true);
        let overdue = fetch.overdue.get_or_insert_with(|| Bitmap::none(all));
        for index in &released {
            overdue.set(*index);
        }
        if let Some(source) = fetch.sources.get_mut(&link) {
            let doubled = 1_u32.checked_shl(source.failures).unwrap_or(u32::MAX);
            source.rests_until = now.plus(REST.saturating_mul(doubled));
            source.failures = source.failures.saturating_add(1).min(RESTS_MAX);
        }
        released
    }
}

fn want(link: LinkId, id: ShortId, chunks: Vec<u32>, urgent: bool) -> Option<Fact> {
    if chunks.is_empty() {
        return None;
    }
    let frame = Frame::WantChunks { id, urgent, chunks };
    Some(Fact::Send { link, frame })
}
