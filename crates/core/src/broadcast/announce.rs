//! Announcements waiting to be sent: gathered per link, because a wake-up at the other end costs
//! more than the ids it brings, and sent in the wake of a bulletin, when both ends are awake anyway.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::id::{LinkId, ShortId};
use crate::link_map::LinkMap;
use crate::time::Mono;
use crate::wire::IhaveEntry;

use super::recent::Recent;

/// Something to announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// What is said.
    pub(crate) entry: IhaveEntry,
    /// The bulletin's number among the recent ones.
    pub(crate) number: u64,
}

/// What one link is still to be told.
#[derive(Debug, Clone, Default)]
struct Pending {
    /// The next entry of the log to look at; none while the link is not in the mesh.
    next: Option<u64>,
    /// When its turn comes.
    due: Option<Mono>,
    /// When it is told whether it is its turn or not.
    hurry: Option<Mono>,
    /// Elsewhere: all links are looked at for each bulletin, and this when they are told.
    beside: Box<Beside>,
}

/// What one link is still to be told beside the log.
#[derive(Debug, Clone, Default)]
struct Beside {
    /// Along trees, but this link alone.
    extra: Vec<Word>,
    /// Outside any tree: what sync or lookups brought, at a bounded rate.
    bulk: VecDeque<ShortId>,
    /// No bulk announcement before.
    bulk_from: Mono,
}

/// What there is to announce, once for all links, and how far each has been told: a bulletin that
/// passes costs one entry, however many neighbours there are. Who was pushed to by then is not told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announcements {
    log: VecDeque<Word>,
    /// The number of the log's first entry.
    first: u64,
    pending: LinkMap<Pending>,
    due: BTreeSet<(Mono, LinkId)>,
    hurry: BTreeSet<(Mono, LinkId)>,
    pace: Pace,
    /// When the wave of a bulletin that came will have passed.
    lull: Option<Mono>,
}

/// A rate with a burst, as the time at which all that was sent would have been earned (the generic
/// cell rate algorithm of ITU-T I.371).
#[derive(Debug, Clone, Default)]
struct Pace {
    earned_at: Mono,
}

impl Pace {
    /// Sixteen a second of those that wait their turn. As many reach a node from all its neighbours
    /// together, which bounds how long it goes without a word of what its parent does not push. An
    /// announcement costs both ends as much as a bulletin does, so they are worth saving.
    const EACH: Duration = Duration::from_micros(62_500);
    /// Sixteen may go at once: at one bulletin a second nothing waits.
    const BURST: Duration = Duration::from_micros(937_500);

    /// When the next one may go.
    fn free_at(&self) -> Mono {
        self.earned_at.minus(Self::BURST)
    }

    /// Takes account of one that goes.
    fn take(&mut self, now: Mono) {
        self.earned_at = self.earned_at.max(now).plus(Self::EACH);
    }
}

impl Announcements {
    /// So many gathered ids are sent without waiting longer.
    const FULL: u64 = 128;
    /// Entries kept for links that have not been told; reconciliation serves who is further behind.
    const LOG_MAX: usize = 4_096;
    /// With a bulletin that is pushed, and in its wake, go announcements due so soon. What could go and
    /// has no bulletin to follow waits so long for one.
    const ALONG: Duration = Duration::from_millis(60);
    /// How long after a bulletin its wake begins: bulletins first.
    const WAVE: Duration = Duration::from_millis(8);
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
        let hurry = self.hurry.first().map(|(due, _)| *due);
        self.turn().into_iter().chain(hurry).min()
    }

    /// When the first of those that wait their turn has it: in the wake of a bulletin, or without one.
    fn turn(&self) -> Option<Mono> {
        let (due, _) = *self.due.first()?;
        let free_at = self.pace.free_at();
        let alone = due.max(free_at.plus(Self::ALONG));
        let in_wake = |lull: &Mono| due <= lull.plus(Self::ALONG) && free_at <= *lull;
        Some(
            self.lull
                .filter(in_wake)
                .map_or(alone, |lull| lull.min(alone)),
        )
    }

    /// Tells `link` of everything from now on.
    pub(crate) fn open(&mut self, link: LinkId) {
        let end = self.end();
        self.pending.or_default(link).next = Some(end);
    }

    /// Drops what waits for `link`, which has left the mesh.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.unschedule(link);
        self.pending.remove(&link);
    }

    /// The links of which anything is kept.
    pub(crate) fn held(&self) -> impl Iterator<Item = LinkId> {
        self.pending.keys().copied()
    }

    /// Adds `word`, of a bulletin that came at `now`, for all links of the mesh. Those that may lack it
    /// are then to be given a time.
    pub(crate) fn add(&mut self, word: Word, now: Mono) {
        if self.lull.is_none_or(|lull| lull < now) {
            self.lull = Some(now.plus(Self::WAVE));
        }
        if self.log.len() >= Self::LOG_MAX {
            self.log.pop_front();
            self.first = self.first.saturating_add(1);
        }
        self.log.push_back(word);
    }

    /// Has `link` told when its turn has come, `gather` from now or when it was to be told before.
    pub(crate) fn tell(&mut self, link: LinkId, now: Mono, gather: impl FnOnce() -> Duration) {
        let end = self.end();
        let Some(pending) = self.pending.get_mut(&link) else {
            return;
        };
        let waiting = pending.next.map_or(0, |next| end.saturating_sub(next));
        if waiting >= Self::FULL {
            schedule(&mut self.hurry, &mut pending.hurry, link, Mono::ZERO);
        } else if pending.due.is_none() {
            let due = now.plus(gather());
            schedule(&mut self.due, &mut pending.due, link, due);
        }
    }

    /// Has `link` told at `due`, whoever's turn it is.
    pub(crate) fn tell_urgently(&mut self, link: LinkId, due: Mono) {
        if let Some(pending) = self.pending.get_mut(&link) {
            schedule(&mut self.hurry, &mut pending.hurry, link, due);
        }
    }

    /// Announces `word` to `link` alone, at `due` or when its turn has come.
    pub(crate) fn add_one(&mut self, link: LinkId, word: Word, due: Mono) {
        let pending = self.pending.or_default(link);
        pending.beside.extra.push(word);
        schedule(&mut self.due, &mut pending.due, link, due);
    }

    /// Announces `id` to `link` outside any tree.
    pub(crate) fn add_bulk(&mut self, link: LinkId, id: ShortId, now: Mono) {
        let pending = self.pending.or_default(link);
        let beside = &mut pending.beside;
        if beside.bulk.len() >= Self::BULK_MAX {
            beside.bulk.pop_front();
        }
        beside.bulk.push_back(id);
        if beside.bulk.len() == 1 {
            let due = now.plus(Self::BULK_FIRST).max(beside.bulk_from);
            schedule(&mut self.hurry, &mut pending.hurry, link, due);
        }
    }

    /// What travels along with a bulletin that is pushed to `link` at `now`.
    pub(crate) fn along(&mut self, link: LinkId, now: Mono, recent: &Recent) -> Vec<IhaveEntry> {
        let due = self.pending.get(&link).and_then(|pending| pending.due);
        if due.is_none_or(|due| due > now.plus(Self::ALONG)) {
            return Vec::new();
        }
        self.take(link, recent)
    }

    /// The announcements due at `now`, without what a link has by now as far as `recent` knows.
    pub(crate) fn due(&mut self, now: Mono, recent: &Recent) -> Vec<(LinkId, Vec<IhaveEntry>)> {
        let mut announcements = Vec::new();
        while let Some(link) = self.in_a_hurry(now) {
            let mut entries = self.take(link, recent);
            entries.extend(self.take_bulk(link, now, recent));
            if !entries.is_empty() {
                announcements.push((link, entries));
            }
        }
        while self.turn().is_some_and(|turn| turn <= now) {
            let Some((_, link)) = self.due.first().copied() else {
                break;
            };
            let entries = self.take(link, recent);
            if !entries.is_empty() {
                self.pace.take(now);
                announcements.push((link, entries));
            }
        }
        self.lull = self.lull.filter(|lull| *lull > now);
        if !announcements.is_empty() {
            self.trim();
        }
        announcements
    }

    /// The number of the entry that comes next.
    fn end(&self) -> u64 {
        let count = u64::try_from(self.log.len()).unwrap_or(u64::MAX);
        self.first.saturating_add(count)
    }

    /// The next link to be told at `now` whether it is its turn or not.
    fn in_a_hurry(&self, now: Mono) -> Option<LinkId> {
        let (due, link) = self.hurry.first().copied()?;
        (due <= now).then_some(link)
    }

    /// What `link` is still to be told along trees; nothing more is then due there.
    fn take(&mut self, link: LinkId, recent: &Recent) -> Vec<IhaveEntry> {
        self.unschedule(link);
        let end = self.end();
        let Some(pending) = self.pending.get_mut(&link) else {
            return Vec::new();
        };
        let seat = recent.seat(link);
        let lacks = |word: &Word| {
            let is_held = recent.is_held_by(word.number, seat);
            (!is_held).then_some(word.entry)
        };
        let extra = std::mem::take(&mut pending.beside.extra);
        let mut entries: Vec<IhaveEntry> = extra.iter().filter_map(lacks).collect();
        if let Some(next) = &mut pending.next {
            let from = next.saturating_sub(self.first);
            let from = usize::try_from(from)
                .unwrap_or(usize::MAX)
                .min(self.log.len());
            entries.extend(self.log.range(from..).filter_map(lacks));
            *next = end;
        }
        if !pending.beside.bulk.is_empty() {
            let due = pending.beside.bulk_from;
            schedule(&mut self.hurry, &mut pending.hurry, link, due);
        }
        entries
    }

    fn take_bulk(&mut self, link: LinkId, now: Mono, recent: &Recent) -> Vec<IhaveEntry> {
        let Some(pending) = self.pending.get_mut(&link) else {
            return Vec::new();
        };
        let beside = &mut pending.beside;
        if now < beside.bulk_from || beside.bulk.is_empty() {
            return Vec::new();
        }
        if let Some(due) = pending.hurry.take() {
            self.hurry.remove(&(due, link));
        }
        beside.bulk_from = now.plus(Self::BULK_EVERY);
        let count = beside.bulk.len().min(Self::BULK_SIZE);
        let ids: Vec<ShortId> = beside.bulk.drain(..count).collect();
        if !beside.bulk.is_empty() {
            let due = beside.bulk_from;
            schedule(&mut self.hurry, &mut pending.hurry, link, due);
        }
        let seat = recent.seat(link);
        let is_held = |id: &ShortId| recent.holds(id, seat) == Some(true);
        let ids = ids.into_iter().filter(|id| !is_held(id));
        ids.map(|id| IhaveEntry { id, root_tag: 0 }).collect()
    }

    /// Forgets what every link has been told.
    fn trim(&mut self) {
        let told = self.pending.values().filter_map(|pending| {
            // Who has no time set lacks nothing.
            let waits = pending.due.is_some() || pending.hurry.is_some();
            pending.next.filter(|_| waits)
        });
        let told = told.min().unwrap_or_else(|| self.end());
        let count = told.saturating_sub(self.first);
        let count = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.log.len());
        self.log.drain(..count);
        self.first = self.first.max(told);
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
    use std::collections::BTreeMap;

    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::broadcast::holders::Holders;
    use crate::broadcast::recent::tests::passing;
    use crate::short_id_map::HashKey;

    const LINK: LinkId = LinkId::new(1);

    fn entry(number: u8) -> IhaveEntry {
        IhaveEntry {
            id: ShortId::from_bytes([number; 16]),
            root_tag: 1,
        }
    }

    fn word(number: u8) -> Word {
        Word {
            entry: entry(number),
            number: 0,
        }
    }

    fn nothing() -> Recent {
        Recent::new(0, HashKey::new(0))
    }

    fn at(millis: u64) -> Mono {
        Mono::ZERO.plus(Duration::from_millis(millis))
    }

    fn open(links: impl IntoIterator<Item = u64>) -> Announcements {
        let mut announcements = Announcements::default();
        for number in links {
            announcements.open(LinkId::new(number));
        }
        announcements
    }

    #[test]
    fn announcements_gather_until_the_earliest_is_due() {
        let mut announcements = open([1]);
        announcements.add(word(1), at(0));
        announcements.tell(LINK, at(0), || Duration::from_millis(250));
        announcements.add(word(2), at(0));
        announcements.tell_urgently(LINK, at(5));
        assert_eq!(announcements.next_due(), Some(at(5)));
        let due = announcements.due(at(5), &nothing());
        assert_eq!(due, [(LINK, vec![entry(1), entry(2)])]);
        assert_eq!(announcements.next_due(), None);
        assert!(announcements.log.is_empty(), "everybody was told");
    }

    #[test]
    fn what_the_link_has_by_now_is_not_announced() {
        let mut announcements = open([1]);
        announcements.add(word(1), at(0));
        announcements.tell_urgently(LINK, at(0));
        let mut recent = Recent::new(0, HashKey::new(0));
        recent.link_up(LINK);
        let mut holders = Holders::default();
        holders.note(recent.seat(LINK));
        let number = recent.insert(passing(1, 0), holders);
        assert_eq!(number, 0);
        assert_eq!(announcements.due(at(0), &recent), []);
    }

    #[test]
    fn who_joins_later_is_told_of_what_comes_later() {
        let mut announcements = open([1]);
        announcements.add(word(1), at(0));
        announcements.open(LinkId::new(2));
        announcements.add(word(2), at(0));
        for number in [1, 2] {
            announcements.tell_urgently(LinkId::new(number), at(0));
        }
        let due = announcements.due(at(0), &nothing());
        let second = (LinkId::new(2), vec![entry(2)]);
        assert_eq!(due, [(LINK, vec![entry(1), entry(2)]), second]);
    }

    #[test]
    fn the_log_is_bounded_whoever_is_behind() {
        let mut announcements = open([1, 2]);
        for number in 0..20_000_u32 {
            announcements.add(word(number.to_be_bytes()[3]), at(0));
            announcements.tell(LINK, at(0), || Duration::from_secs(1));
        }
        assert_eq!(announcements.log.len(), Announcements::LOG_MAX);
        let due = announcements.due(at(0), &nothing());
        assert_eq!(due.first().map(|(_, entries)| entries.len()), Some(4_096));
        assert!(announcements.log.is_empty(), "the other waits for nothing");
    }

    #[test]
    fn a_pushed_bulletin_takes_along_what_is_due_soon() {
        let mut announcements = open([1]);
        announcements.add(word(1), at(0));
        announcements.tell(LINK, at(0), || Duration::from_millis(250));
        assert_eq!(announcements.along(LINK, at(100), &nothing()), []);
        assert_eq!(announcements.along(LINK, at(200), &nothing()), [entry(1)]);
        assert_eq!(announcements.next_due(), None);
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
            let due = announcements.due(at(millis), &nothing());
            due.iter().map(|(_, entries)| entries.len()).sum::<usize>()
        };
        assert_eq!(count(&mut announcements, 5), 250);
        assert_eq!(count(&mut announcements, 100), 0);
        assert_eq!(count(&mut announcements, 255), 250);
    }

    #[test]
    fn whoever_is_due_soon_is_told_in_the_wake_of_a_bulletin() {
        let mut announcements = open([1, 2]);
        announcements.add(word(1), at(0));
        for (link, millis) in [(1, 150), (2, 250)] {
            let gather = || Duration::from_millis(millis);
            announcements.tell(LinkId::new(link), at(0), gather);
        }
        assert_eq!(announcements.next_due(), Some(at(150)));
        announcements.add(word(2), at(100));
        assert_eq!(announcements.next_due(), Some(at(108)));
        let told = announcements.due(at(108), &nothing());
        assert_eq!(told, [(LINK, vec![entry(1), entry(2)])]);
        assert_eq!(announcements.next_due(), Some(at(250)));
    }

    #[test]
    fn at_a_high_rate_each_link_is_told_in_turn_and_sixteen_a_second_in_all() {
        let mut announcements = open(0..11);
        let mut told = BTreeMap::<LinkId, usize>::new();
        for millis in 0..10_000 {
            if millis % 20 == 0 {
                announcements.add(word(1), at(millis));
                for number in 0..11 {
                    let link = LinkId::new(number);
                    announcements.tell(link, at(millis), || Duration::from_millis(100));
                }
            }
            for (link, _) in announcements.due(at(millis), &nothing()) {
                *told.entry(link).or_default() += 1;
            }
        }
        let counts: Vec<usize> = told.into_values().collect();
        let all = counts.iter().sum::<usize>();
        assert!((160..=176).contains(&all), "{all}");
        let in_turn = counts.iter().all(|count| (13..=17).contains(count));
        assert!(counts.len() == 11 && in_turn, "{counts:?}");
        assert!(announcements.next_due() > Some(at(9_000)));
    }

    /// How long after a bulletin a node hears a first word of it that gets none pushed, from eleven
    /// neighbours who each have eleven links, in milliseconds: at the median and the 99th percentile.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "twenty seconds in milliseconds are a small number"
    )]
    fn first_words(per_s: u64) -> (u64, u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(per_s);
        let mut below = |bound: u64| rng.next_u64() % bound;
        let mut neighbours: Vec<Announcements> = (0..11).map(|_| open(0..11)).collect();
        let victim = LinkId::new(0);
        let (mut sent, mut heard) = (Vec::<u64>::new(), Vec::<Option<u64>>::new());
        let mut arrivals = BTreeSet::<(u64, usize, usize)>::new();
        for millis in 0..20_000 {
            if millis % (1_000 / per_s) == 0 && millis < 18_000 {
                for neighbour in 0..neighbours.len() {
                    arrivals.insert((millis + below(6), neighbour, sent.len()));
                }
                sent.push(millis);
                heard.push(None);
            }
            while let Some((_, neighbour, message)) =
                arrivals.first().copied().filter(|(due, ..)| *due <= millis)
            {
                arrivals.pop_first();
                let mut id = [0; 16];
                id[..8].copy_from_slice(&message.to_be_bytes());
                let (id, root_tag) = (ShortId::from_bytes(id), 1);
                let (entry, number) = (IhaveEntry { id, root_tag }, 0);
                let announcements = &mut neighbours[neighbour];
                announcements.add(Word { entry, number }, at(millis));
                for link in 0..11 {
                    let gather = Duration::from_millis(37 + below(225));
                    announcements.tell(LinkId::new(link), at(millis), || gather);
                }
            }
            for announcements in &mut neighbours {
                for (link, words) in announcements.due(at(millis), &nothing()) {
                    for word in words.iter().filter(|_| link == victim) {
                        let message =
                            u64::from_be_bytes(word.id.as_bytes()[..8].try_into().unwrap());
                        let message = usize::try_from(message).unwrap();
                        heard[message].get_or_insert(millis - sent[message]);
                    }
                }
            }
        }
        let mut waits: Vec<u64> = heard.into_iter().map(|wait| wait.expect("told")).collect();
        waits.sort_unstable();
        (waits[waits.len() / 2], waits[waits.len() * 99 / 100])
    }

    #[test]
    fn a_first_word_comes_soon_whatever_the_rate() {
        for (per_s, median, most) in [(1, 30, 150), (20, 30, 220), (100, 70, 300), (500, 40, 150)] {
            let (p50, p99) = first_words(per_s);
            println!("{per_s} a second: first word p50 {p50} ms, p99 {p99} ms");
            assert!(p50 <= median && p99 <= most, "{per_s}: {p50} {p99}");
        }
    }
}
