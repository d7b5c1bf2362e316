//! What we lack and who has it: one table for tree repair and for reconciliation, so that no id is
//! asked of more than two neighbours at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::id::{LinkId, ShortId};
use crate::time::Mono;

/// How an id is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ask {
    /// It should have come along a tree: the request also repairs that tree.
    Graft(u64),
    /// It comes outside any tree.
    Want,
}

#[derive(Debug, Clone)]
struct Want {
    ask: Ask,
    /// Who told of it first, and how: whose share of the table it takes.
    by: Told,
    /// Who has it, in the order we learnt it; asked from the front, then moved to the back.
    sources: Vec<LinkId>,
    /// Who was asked in this round: everybody once.
    tried: Vec<LinkId>,
    /// Of those, who has not answered yet.
    asked: Vec<LinkId>,
    /// Rounds through all sources so far: each waits longer.
    rounds: u8,
    /// When we learnt of it.
    since: Mono,
    due: Mono,
    /// Waits for a neighbour to have answered others, not for a time.
    is_parked: bool,
}

impl Want {
    /// How long to leave everybody in peace after this round.
    fn pause(&self) -> Duration {
        let doubled = 1_u32.checked_shl(self.rounds.into()).unwrap_or(1);
        Wanted::ROUND.saturating_mul(doubled)
    }
}

/// A link that told of an id, and how it did.
type Told = (LinkId, Way);

/// How a link told of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// It announced the id.
    Announced,
    /// Reconciliation found that it has the id.
    Compared,
}

/// What is wanted no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// When we learnt of it.
    pub(crate) since: Mono,
    /// Whether anybody was asked, because it did not come by itself.
    pub(crate) was_asked_for: bool,
    /// Who told that they have it.
    pub(crate) sources: Vec<LinkId>,
}

/// A request to make now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Request {
    pub(crate) link: LinkId,
    pub(crate) ask: Ask,
    pub(crate) id: ShortId,
    /// Whom the request replaces, when that neighbour did not answer in time.
    pub(crate) instead_of: Option<LinkId>,
}

/// The table, bounded.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    wants: BTreeMap<ShortId, Want>,
    due: BTreeSet<(Mono, ShortId)>,
    in_flight: BTreeMap<LinkId, usize>,
    /// What waits for room among the requests in flight to a link, in order. May name what was
    /// removed since.
    parked: BTreeMap<LinkId, VecDeque<ShortId>>,
    /// Ids each link told of first.
    told: BTreeMap<Told, usize>,
    /// All that reconciliation found first.
    compared: usize,
    /// How often each link let us wait in vain since it last brought what it was asked for.
    failed: BTreeMap<LinkId, u8>,
    max: usize,
    in_flight_max: usize,
}

impl Wanted {
    /// Ids awaited that one link announced before anyone else.
    const ANNOUNCED_MAX: usize = 5_000;
    /// Sources remembered per id: more than those among a node's neighbours who may withhold it.
    const SOURCES_MAX: usize = 32;
    /// Neighbours asked for one id at the same time.
    const ASKED_MAX: usize = 2;
    /// Failures counted: patience with a link is halved so often at most.
    const FAILED_MAX: u8 = 4;
    /// Pause after all sources were asked in vain, doubled each round.
    const ROUND: Duration = Duration::from_millis(500);
    /// Most doublings of that pause: about half a minute.
    const ROUNDS_MAX: u8 = 6;

    pub(crate) const fn new(max: usize, in_flight_max: usize) -> Self {
        Self {
            wants: BTreeMap::new(),
            due: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            parked: BTreeMap::new(),
            told: BTreeMap::new(),
            compared: 0,
            failed: BTreeMap::new(),
            max,
            in_flight_max,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.wants.len()
    }

    pub(crate) fn next_due(&self) -> Option<Mono> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Notes that `link` announced `id`, which we lack; it is asked for at `due` unless it comes before.
    /// Forgotten when there is no room: whoever has it will announce or reconcile again. What does not
    /// exist takes a link's own share of the table.
    pub(crate) fn announced(&mut self, id: ShortId, link: LinkId, ask: Ask, now: Mono, due: Mono) {
        self.add(id, (link, Way::Announced), ask, now, due);
    }

    /// Notes that `link` has `id`, as reconciliation found: else as [`Wanted::announced`]. However much of
    /// it there is, there is room for what is announced.
    pub(crate) fn compared(&mut self, id: ShortId, link: LinkId, now: Mono, due: Mono) {
        self.add(id, (link, Way::Compared), Ask::Want, now, due);
    }

    fn add(&mut self, id: ShortId, by: Told, ask: Ask, now: Mono, due: Mono) {
        let (link, way) = by;
        if let Some(want) = self.wants.get_mut(&id) {
            if want.sources.len() < Self::SOURCES_MAX && !want.sources.contains(&link) {
                want.sources.push(link);
                let is_paused = want.rounds > 0 && want.asked.is_empty();
                // New hope: whoever told before may be withholding it.
                want.rounds = want.rounds.min(1);
                if want.is_parked || is_paused {
                    let due = if want.is_parked {
                        due
                    } else {
                        due.min(want.due)
                    };
                    self.schedule(id, due);
                }
            }
            return;
        }
        if !self.has_room(by) {
            return;
        }
        let told = self.told.entry(by).or_default();
        *told = told.saturating_add(1);
        if way == Way::Compared {
            self.compared = self.compared.saturating_add(1);
        }
        let want = Want {
            ask,
            by,
            sources: vec![link],
            tried: Vec::new(),
            asked: Vec::new(),
            rounds: 0,
            since: now,
            due,
            is_parked: false,
        };
        self.due.insert((due, id));
        self.wants.insert(id, want);
    }

    /// Whether there is room for one more id of which a link told so.
    fn has_room(&self, by: Told) -> bool {
        let told = self.told.get(&by).copied().unwrap_or(0);
        let is_within_share = match by.1 {
            Way::Announced => told < Self::ANNOUNCED_MAX,
            // A quarter of the table for each link, four fifths for all.
            Way::Compared => {
                told < self.max / 4 && self.compared < self.max.saturating_sub(self.max / 5)
            }
        };
        is_within_share && self.wants.len() < self.max
    }

    /// Forgets `id`, which `link` brought.
    pub(crate) fn came(&mut self, id: &ShortId, link: LinkId) -> Option<Found> {
        if self.wants.get(id)?.asked.contains(&link) {
            self.failed.remove(&link);
        }
        self.remove(id)
    }

    /// Forgets `id`, which came or is not worth having.
    pub(crate) fn remove(&mut self, id: &ShortId) -> Option<Found> {
        let want = self.wants.remove(id)?;
        self.due.remove(&(want.due, *id));
        release(&mut self.told, &want.by);
        if want.by.1 == Way::Compared {
            self.compared = self.compared.saturating_sub(1);
        }
        let was_asked_for = want.rounds > 0 || !want.asked.is_empty();
        for link in want.asked {
            self.answered(link);
        }
        Some(Found {
            since: want.since,
            was_asked_for,
            sources: want.sources,
        })
    }

    /// Notes that one request less is in flight to `link`. When half of them are, what is parked
    /// there goes on: in one frame, not in one for each answer.
    fn answered(&mut self, link: LinkId) {
        release(&mut self.in_flight, &link);
        let in_flight = self.in_flight.get(&link).copied().unwrap_or(0);
        if in_flight > self.in_flight_max / 2 {
            return;
        }
        let Some(mut parked) = self.parked.remove(&link) else {
            return;
        };
        let mut room = self.in_flight_max.saturating_sub(in_flight);
        while room > 0
            && let Some(id) = parked.pop_front()
        {
            if self.wants.get(&id).is_some_and(|want| want.is_parked) {
                self.schedule(id, Mono::ZERO);
                room = room.saturating_sub(1);
            }
        }
        if !parked.is_empty() {
            self.parked.insert(link, parked);
        }
    }

    /// Notes that `link` cannot send `id`. If it had been asked, the next source is asked at `now`;
    /// who was not asked cannot hurry us.
    pub(crate) fn refused(&mut self, id: &ShortId, link: LinkId, now: Mono) {
        let Some(want) = self.wants.get_mut(id) else {
            return;
        };
        let was_asked = want.asked.contains(&link);
        let goes_on = was_asked || want.is_parked;
        for links in [&mut want.sources, &mut want.tried, &mut want.asked] {
            links.retain(|other| *other != link);
        }
        let is_hopeless = want.sources.is_empty();
        if is_hopeless {
            self.remove(id);
        } else if goes_on {
            self.schedule(*id, now);
        }
        if was_asked {
            self.answered(link);
        }
    }

    /// Notes that `link` cannot send `id` now, but may later.
    pub(crate) fn postponed(&mut self, id: &ShortId, link: LinkId, now: Mono) {
        let Some(want) = self.wants.get_mut(id) else {
            return;
        };
        if !want.asked.contains(&link) {
            return;
        }
        want.asked.retain(|other| *other != link);
        self.schedule(*id, now);
        self.answered(link);
    }

    /// Takes `link` out of every entry.
    pub(crate) fn forget(&mut self, link: LinkId, now: Mono) {
        let ids: Vec<ShortId> = self
            .wants
            .iter()
            .filter(|(_, want)| want.sources.contains(&link))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.refused(&id, link, now);
        }
        self.in_flight.remove(&link);
        self.parked.remove(&link);
        self.failed.remove(&link);
    }

    /// The links of which anything is kept, beside the ids they told of first.
    pub(crate) fn held(&self) -> impl Iterator<Item = LinkId> {
        let in_flight = self.in_flight.keys();
        let others = self.parked.keys().chain(self.failed.keys());
        in_flight.chain(others).copied()
    }

    /// The requests due at `now`. `patience` says how long to wait for a neighbour's answer.
    pub(crate) fn due(&mut self, now: Mono, patience: impl Fn(LinkId) -> Duration) -> Vec<Request> {
        let mut requests = Vec::new();
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, id));
            self.ask_next(id, now, &patience, &mut requests);
        }
        requests
    }

    fn ask_next(
        &mut self,
        id: ShortId,
        now: Mono,
        patience: impl Fn(LinkId) -> Duration,
        requests: &mut Vec<Request>,
    ) {
        let Some(want) = self.wants.get_mut(&id) else {
            return;
        };
        let instead_of = want.asked.last().copied();
        let given_up = (want.asked.len() >= Self::ASKED_MAX).then(|| want.asked.remove(0));
        let untried = |source: &&LinkId| !want.tried.contains(*source);
        let has_room = |source: &&LinkId| {
            self.in_flight.get(*source).copied().unwrap_or(0) < self.in_flight_max
        };
        let sources = want.sources.iter().filter(untried).filter(has_room);
        let failures = |link: &LinkId| self.failed.get(link).copied().unwrap_or(0);
        let Some(link) = sources.min_by_key(|link| failures(link)).copied() else {
            match want.sources.iter().find(untried).copied() {
                Some(busy) if want.asked.is_empty() => self.park(id, busy),
                _ => self.pause(id, now),
            }
            if let Some(link) = given_up {
                self.let_us_wait(link);
            }
            return;
        };
        want.sources.retain(|source| *source != link);
        want.sources.push(link);
        want.tried.push(link);
        want.asked.push(link);
        let count = self.in_flight.entry(link).or_default();
        *count = count.saturating_add(1);
        requests.push(Request {
            link,
            ask: want.ask,
            id,
            instead_of,
        });
        // Who let us wait before is not waited for as long.
        let parts = 1_u32.checked_shl(failures(&link).into()).unwrap_or(1);
        let patience = patience(link).checked_div(parts).unwrap_or_default();
        self.schedule(id, now.plus(patience));
        if let Some(link) = given_up {
            self.let_us_wait(link);
        }
    }

    /// Everyone who has it was asked: begins again after a pause.
    fn pause(&mut self, id: ShortId, now: Mono) {
        let Some(want) = self.wants.get_mut(&id) else {
            return;
        };
        let pause = want.pause();
        want.rounds = want.rounds.saturating_add(1).min(Self::ROUNDS_MAX);
        want.tried.clear();
        let asked = std::mem::take(&mut want.asked);
        self.schedule(id, now.plus(pause));
        for link in asked {
            self.let_us_wait(link);
        }
    }

    /// Notes that `link` was asked in vain.
    fn let_us_wait(&mut self, link: LinkId) {
        let failed = self.failed.entry(link).or_default();
        *failed = failed.saturating_add(1).min(Self::FAILED_MAX);
        self.answered(link);
    }

    /// Everyone who has it has too much to answer: goes on when `link` has answered others.
    fn park(&mut self, id: ShortId, link: LinkId) {
        if let Some(want) = self.wants.get_mut(&id) {
            self.due.remove(&(want.due, id));
            want.is_parked = true;
            self.parked.entry(link).or_default().push_back(id);
        }
    }

    fn schedule(&mut self, id: ShortId, due: Mono) {
        if let Some(want) = self.wants.get_mut(&id) {
            self.due.remove(&(want.due, id));
            want.due = due;
            want.is_parked = false;
            self.due.insert((due, id));
        }
    }
}

/// One of `key` less.
fn release<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ShortId = ShortId::from_bytes([1; 16]);
    const SECOND: Duration = Duration::from_secs(1);

    fn link(number: u64) -> LinkId {
        LinkId::new(number)
    }

    fn at(millis: u64) -> Mono {
        Mono::ZERO.plus(Duration::from_millis(millis))
    }

    #[test]
    fn two_that_stay_silent_are_asked_once_a_round() {
        let mut wanted = Wanted::new(10, 10);
        wanted.announced(ID, link(1), Ask::Want, at(0), at(0));
        wanted.announced(ID, link(2), Ask::Want, at(0), at(0));
        let mut asked = Vec::new();
        while let Some(due) = wanted.next_due().filter(|due| *due < at(20_000)) {
            let requests = wanted.due(due, |_| Duration::from_millis(50));
            asked.extend(requests.iter().map(|request| request.link.number()));
        }
        // Pauses of 0.5, 1, 2, 4 and 8 s.
        assert!(asked.len() <= 12, "{}", asked.len());
        for round in asked.chunks(2) {
            assert!(round.contains(&1) && round.contains(&2), "{asked:?}");
        }
    }

    #[test]
    fn who_tells_later_is_asked_at_once_and_soon_again() {
        let mut wanted = Wanted::new(10, 10);
        wanted.announced(ID, link(1), Ask::Want, at(0), at(0));
        let asked_until = |wanted: &mut Wanted, end: Mono| {
            let mut asked = Vec::new();
            while let Some(due) = wanted.next_due().filter(|due| *due <= end) {
                let requests = wanted.due(due, |_| Duration::from_millis(50));
                asked.extend(requests.iter().map(|request| request.link.number()));
            }
            asked
        };
        assert!(
            asked_until(&mut wanted, at(60_000))
                .iter()
                .all(|asked| *asked == 1)
        );
        wanted.announced(ID, link(2), Ask::Want, at(60_001), at(60_001));
        let asked = asked_until(&mut wanted, at(63_000));
        let times = asked.iter().filter(|asked| **asked == 2).count();
        assert!(asked.first() == Some(&2) && times >= 2, "{asked:?}");
    }

    #[test]
    fn the_next_source_is_asked_when_the_first_does_not_answer() {
        let mut wanted = Wanted::new(10, 10);
        wanted.announced(ID, link(1), Ask::Graft(5), at(0), at(30));
        wanted.announced(ID, link(2), Ask::Graft(5), at(0), at(40));
        assert_eq!(wanted.due(at(29), |_| SECOND), []);
        let first = Request {
            link: link(1),
            ask: Ask::Graft(5),
            id: ID,
            instead_of: None,
        };
        assert_eq!(wanted.due(at(30), |_| SECOND), [first]);
        let second = Request {
            link: link(2),
            instead_of: Some(link(1)),
            ..first
        };
        assert_eq!(wanted.due(at(1_030), |_| SECOND), [second]);
    }

    #[test]
    fn who_let_us_wait_is_asked_after_others_and_not_waited_for_as_long() {
        let mut wanted = Wanted::new(10, 10);
        let id = |number| ShortId::from_bytes([number; 16]);
        let ask = Ask::Graft(5);
        let told_by = |wanted: &mut Wanted, number, links: &[u64], now| {
            for other in links {
                wanted.announced(id(number), link(*other), ask, at(now), at(now));
            }
        };
        let asked = |wanted: &mut Wanted, now| -> Vec<u64> {
            let requests = wanted.due(at(now), |_| SECOND);
            requests
                .iter()
                .map(|request| request.link.number())
                .collect()
        };
        // Two that withhold and one that does not.
        told_by(&mut wanted, 1, &[1, 2, 3], 0);
        for (now, expected) in [(0, 1), (1_000, 2), (2_000, 3)] {
            assert_eq!(asked(&mut wanted, now), [expected]);
        }
        wanted.came(&id(1), link(3));
        told_by(&mut wanted, 2, &[1, 3], 3_000);
        assert_eq!(asked(&mut wanted, 3_000), [3], "it brought the last one");
        wanted.came(&id(2), link(3));
        told_by(&mut wanted, 3, &[1, 2], 4_000);
        assert_eq!(asked(&mut wanted, 4_000), [2]);
        assert_eq!(asked(&mut wanted, 5_000), [1]);
        assert_eq!(wanted.next_due(), Some(at(5_500)), "half the patience");
        wanted.came(&id(3), link(1));
        assert!(wanted.failed.is_empty(), "who answers begins anew");
    }

    /// Story: eight sources were remembered. Of a node with fifty neighbours, fifteen of which withheld, eight
    /// of those had announced first, and who would have sent it was not asked for half a minute.
    #[test]
    fn fifteen_that_withhold_do_not_hide_the_one_that_does_not() {
        let mut wanted = Wanted::new(10, 10);
        for number in 1..=16 {
            wanted.announced(ID, link(number), Ask::Graft(5), at(0), at(0));
        }
        let mut asked = Vec::new();
        for now in (0..20_000).step_by(100) {
            let requests = wanted.due(at(now), |_| Duration::from_millis(100));
            asked.extend(requests.iter().map(|request| (now, request.link)));
        }
        let honest = asked.iter().find(|(_, other)| *other == link(16));
        assert!(matches!(honest, Some((0..=2_000, _))), "{honest:?}");
    }

    #[test]
    fn asking_never_ends_while_somebody_has_it_but_slows_down() {
        let mut wanted = Wanted::new(10, 10);
        wanted.announced(ID, link(1), Ask::Want, at(0), at(0));
        let mut asked = Vec::new();
        let mut now = at(0);
        for _ in 0..40 {
            now = wanted.next_due().expect("still wanted").max(now);
            asked.extend(wanted.due(now, |_| SECOND));
        }
        assert!(asked.len() >= 15);
        assert!(now >= at(60_000), "pauses grow");
    }

    #[test]
    fn a_refusal_moves_on_at_once_and_the_last_one_ends_the_search() {
        let mut wanted = Wanted::new(10, 10);
        wanted.announced(ID, link(1), Ask::Want, at(0), at(0));
        wanted.announced(ID, link(2), Ask::Want, at(0), at(0));
        wanted.due(at(0), |_| SECOND);
        wanted.refused(&ID, link(1), at(5));
        assert_eq!(
            wanted.due(at(5), |_| SECOND).first().map(|r| r.link),
            Some(link(2))
        );
        wanted.refused(&ID, link(2), at(6));
        assert_eq!((wanted.len(), wanted.next_due()), (0, None));
    }

    #[test]
    fn a_link_that_announces_what_does_not_exist_leaves_room_for_the_others() {
        let mut wanted = Wanted::new(100_000, 100);
        let id = |number: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            ShortId::from_bytes(bytes)
        };
        for number in 0..50_000 {
            wanted.announced(id(number), link(1), Ask::Want, at(0), at(0));
        }
        assert_eq!(wanted.len(), 5_000);
        wanted.announced(id(60_000), link(2), Ask::Want, at(0), at(0));
        assert_eq!(wanted.len(), 5_001);
        wanted.remove(&id(0));
        wanted.announced(id(60_001), link(1), Ask::Want, at(0), at(0));
        wanted.forget(link(1), at(0));
        assert_eq!((wanted.len(), wanted.told.len()), (1, 1));
    }

    #[test]
    fn links_whose_comparisons_tell_of_what_does_not_exist_leave_room_for_others_and_for_announcements()
     {
        let mut wanted = Wanted::new(1_000, 10);
        let id = |number: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            ShortId::from_bytes(bytes)
        };
        for (liar, expected) in [(0, 250), (1, 500), (2, 750), (3, 800), (4, 800)] {
            for number in 0..1_000 {
                let id = id(liar * 1_000 + number);
                wanted.compared(id, link(liar.into()), at(0), at(0));
            }
            assert_eq!(wanted.len(), expected);
        }
        for number in 0..100 {
            wanted.announced(id(10_000 + number), link(1), Ask::Want, at(0), at(0));
        }
        assert_eq!(wanted.len(), 900, "also for what a liar announces");
        for liar in 0..5 {
            wanted.forget(link(liar), at(0));
        }
        assert_eq!(
            (wanted.len(), wanted.told.len(), wanted.compared),
            (0, 0, 0)
        );
    }

    #[test]
    fn requests_in_flight_per_link_are_bounded_and_freed_by_arrival() {
        let mut wanted = Wanted::new(100, 3);
        let ids: Vec<ShortId> = (0..5).map(|n| ShortId::from_bytes([n; 16])).collect();
        for id in &ids {
            wanted.announced(*id, link(1), Ask::Want, at(0), at(0));
        }
        assert_eq!(wanted.due(at(0), |_| SECOND).len(), 3);
        for id in ids.iter().take(3) {
            wanted.remove(id);
        }
        assert_eq!(
            wanted.next_due(),
            Some(Mono::ZERO),
            "at once, not after a pause"
        );
        assert_eq!(wanted.due(at(0), |_| SECOND).len(), 2);
    }

    #[test]
    fn twenty_thousand_ids_of_one_link_cost_no_look_while_they_wait() {
        let mut wanted = Wanted::new(100_000, 100);
        let id = |number: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            ShortId::from_bytes(bytes)
        };
        for number in 0..20_000 {
            wanted.compared(id(number), link(1), at(0), at(0));
        }
        let mut came = 0;
        let mut looks = 0;
        while wanted.len() > 0 {
            let asked = wanted.due(at(0), |_| SECOND);
            assert!(asked.len() <= 100 && !asked.is_empty());
            came += asked.len();
            looks += 1;
            assert_eq!(
                wanted.next_due(),
                Some(at(1_000)),
                "nothing but the patience"
            );
            for request in &asked {
                wanted.remove(&request.id);
            }
        }
        assert_eq!(came, 20_000);
        assert!(looks <= 400, "{looks}");
        assert!(wanted.parked.is_empty() && wanted.in_flight.is_empty());
    }

    #[test]
    fn who_was_not_asked_can_neither_hurry_nor_delay() {
        let mut wanted = Wanted::new(10, 10);
        wanted.announced(ID, link(1), Ask::Want, at(0), at(30));
        wanted.announced(ID, link(2), Ask::Want, at(0), at(30));
        for _ in 0..6 {
            wanted.postponed(&ID, link(2), at(1));
        }
        wanted.refused(&ID, link(2), at(1));
        assert_eq!(wanted.next_due(), Some(at(30)));
    }

    #[test]
    fn one_that_is_busy_is_passed_over_and_all_that_are_get_a_pause() {
        let mut wanted = Wanted::new(10, 10);
        wanted.announced(ID, link(1), Ask::Want, at(0), at(0));
        wanted.announced(ID, link(2), Ask::Want, at(0), at(0));
        for expected in [1, 2] {
            let asked = wanted.due(at(0), |_| SECOND);
            assert_eq!(
                asked.first().map(|request| request.link),
                Some(link(expected))
            );
            wanted.postponed(&ID, link(expected), at(0));
        }
        assert_eq!(wanted.due(at(0), |_| SECOND), []);
        assert_eq!(wanted.next_due(), Some(at(500)));
    }
}
