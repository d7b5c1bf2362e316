//! What we lack and who has it: one table for tree repair and for reconciliation, so that no id is
//! asked of more than two neighbours at once.

use std::collections::{BTreeMap, BTreeSet};
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

#[derive(Debug)]
struct Want {
    ask: Ask,
    /// Who told of it first: whose share of the table it takes.
    by: LinkId,
    /// Who has it, in the order we learnt it; asked from the front, then moved to the back.
    sources: Vec<LinkId>,
    /// Who was asked and has not answered yet.
    asked: Vec<LinkId>,
    /// Rounds through all sources so far: each waits longer.
    rounds: u8,
    due: Mono,
}

impl Want {
    /// How long to leave everybody in peace after this round.
    fn pause(&self) -> Duration {
        let doubled = 1_u32.checked_shl(self.rounds.into()).unwrap_or(1);
        Wanted::ROUND.saturating_mul(doubled)
    }
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
#[derive(Debug)]
pub(crate) struct Wanted {
    wants: BTreeMap<ShortId, Want>,
    due: BTreeSet<(Mono, ShortId)>,
    in_flight: BTreeMap<LinkId, usize>,
    /// Ids each link told of first.
    told: BTreeMap<LinkId, usize>,
    max: usize,
    in_flight_max: usize,
}

impl Wanted {
    /// Ids awaited that one link announced before anyone else.
    const ANNOUNCED_MAX: usize = 5_000;
    /// Sources remembered per id.
    const SOURCES_MAX: usize = 8;
    /// Neighbours asked for one id at the same time.
    const ASKED_MAX: usize = 2;
    /// Pause after all sources were asked in vain, doubled each round.
    const ROUND: Duration = Duration::from_millis(500);
    /// Pause when all sources have too many requests in flight.
    const BUSY: Duration = Duration::from_millis(50);
    /// Most doublings of that pause: about half a minute.
    const ROUNDS_MAX: u8 = 6;

    pub(crate) const fn new(max: usize, in_flight_max: usize) -> Self {
        Self {
            wants: BTreeMap::new(),
            due: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            told: BTreeMap::new(),
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

    /// Notes that `link` announced `id`: as [`Wanted::add`], within the link's share of the table, so
    /// that one that announces what does not exist leaves room for the others.
    pub(crate) fn announced(&mut self, id: ShortId, link: LinkId, ask: Ask, due: Mono) {
        let told = self.told.get(&link).copied().unwrap_or(0);
        if told < Self::ANNOUNCED_MAX || self.wants.contains_key(&id) {
            self.add(id, link, ask, due);
        }
    }

    /// Notes that `link` has `id`, which we lack; it is asked for at `due` unless it comes before.
    /// Forgotten when the table is full: whoever has it will announce or reconcile again.
    pub(crate) fn add(&mut self, id: ShortId, link: LinkId, ask: Ask, due: Mono) {
        if let Some(want) = self.wants.get_mut(&id) {
            if want.sources.len() < Self::SOURCES_MAX && !want.sources.contains(&link) {
                want.sources.push(link);
                if want.rounds > 0 && want.asked.is_empty() {
                    let due = due.min(want.due);
                    self.schedule(id, due);
                }
            }
            return;
        }
        if self.wants.len() >= self.max {
            return;
        }
        let told = self.told.entry(link).or_default();
        *told = told.saturating_add(1);
        let want = Want {
            ask,
            by: link,
            sources: vec![link],
            asked: Vec::new(),
            rounds: 0,
            due,
        };
        self.due.insert((due, id));
        self.wants.insert(id, want);
    }

    /// Forgets `id`: it came, or is not worth having. Returns those who had been asked for it.
    pub(crate) fn remove(&mut self, id: &ShortId) -> Vec<LinkId> {
        let Some(want) = self.wants.remove(id) else {
            return Vec::new();
        };
        self.due.remove(&(want.due, *id));
        release(&mut self.told, want.by);
        for link in &want.asked {
            release(&mut self.in_flight, *link);
        }
        want.asked
    }

    /// Notes that `link` cannot send `id`. The next source is asked at `now`.
    pub(crate) fn refused(&mut self, id: &ShortId, link: LinkId, now: Mono) {
        let Some(want) = self.wants.get_mut(id) else {
            return;
        };
        let asked = want.asked.len();
        want.sources.retain(|source| *source != link);
        want.asked.retain(|other| *other != link);
        if want.asked.len() < asked {
            release(&mut self.in_flight, link);
        }
        if want.sources.is_empty() {
            self.remove(id);
        } else {
            self.schedule(*id, now);
        }
    }

    /// Notes that `link` cannot send `id` now, but may later.
    pub(crate) fn postponed(&mut self, id: &ShortId, link: LinkId, now: Mono) {
        let Some(want) = self.wants.get_mut(id) else {
            return;
        };
        let asked = want.asked.len();
        want.asked.retain(|other| *other != link);
        if want.asked.len() < asked {
            release(&mut self.in_flight, link);
        }
        if want.rounds >= Self::ROUNDS_MAX {
            self.refused(id, link, now);
            return;
        }
        let due = now.plus(want.pause());
        want.rounds = want.rounds.saturating_add(1);
        self.schedule(*id, due);
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
        while want.asked.len() >= Self::ASKED_MAX {
            release(&mut self.in_flight, want.asked.remove(0));
        }
        let fresh = want.sources.iter().position(|source| {
            !want.asked.contains(source)
                && self.in_flight.get(source).copied().unwrap_or(0) < self.in_flight_max
        });
        let Some(at) = fresh else {
            // Everyone who has it was asked or is busy: begin again after a pause.
            for link in want.asked.drain(..) {
                release(&mut self.in_flight, link);
            }
            let busy = instead_of.is_none();
            let pause = if busy { Self::BUSY } else { want.pause() };
            if !busy {
                want.rounds = want.rounds.saturating_add(1).min(Self::ROUNDS_MAX);
            }
            self.schedule(id, now.plus(pause));
            return;
        };
        let link = want.sources.remove(at);
        want.sources.push(link);
        want.asked.push(link);
        let count = self.in_flight.entry(link).or_default();
        *count = count.saturating_add(1);
        requests.push(Request {
            link,
            ask: want.ask,
            id,
            instead_of,
        });
        let due = now.plus(patience(link));
        self.schedule(id, due);
    }

    fn schedule(&mut self, id: ShortId, due: Mono) {
        if let Some(want) = self.wants.get_mut(&id) {
            self.due.remove(&(want.due, id));
            want.due = due;
            self.due.insert((due, id));
        }
    }
}

/// One of `link` less.
fn release(counts: &mut BTreeMap<LinkId, usize>, link: LinkId) {
    if let Some(count) = counts.get_mut(&link) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&link);
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
    fn the_next_source_is_asked_when_the_first_does_not_answer() {
        let mut wanted = Wanted::new(10, 10);
        wanted.add(ID, link(1), Ask::Graft(5), at(30));
        wanted.add(ID, link(2), Ask::Graft(5), at(40));
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
    fn asking_never_ends_while_somebody_has_it_but_slows_down() {
        let mut wanted = Wanted::new(10, 10);
        wanted.add(ID, link(1), Ask::Want, at(0));
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
        wanted.add(ID, link(1), Ask::Want, at(0));
        wanted.add(ID, link(2), Ask::Want, at(0));
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
            wanted.announced(id(number), link(1), Ask::Want, at(0));
        }
        assert_eq!(wanted.len(), 5_000);
        wanted.announced(id(60_000), link(2), Ask::Want, at(0));
        assert_eq!(wanted.len(), 5_001);
        wanted.remove(&id(0));
        wanted.announced(id(60_001), link(1), Ask::Want, at(0));
        wanted.forget(link(1), at(0));
        assert_eq!((wanted.len(), wanted.told.len()), (1, 1));
    }

    #[test]
    fn requests_in_flight_per_link_are_bounded_and_freed_by_arrival() {
        let mut wanted = Wanted::new(100, 3);
        let ids: Vec<ShortId> = (0..5).map(|n| ShortId::from_bytes([n; 16])).collect();
        for id in &ids {
            wanted.add(*id, link(1), Ask::Want, at(0));
        }
        assert_eq!(wanted.due(at(0), |_| SECOND).len(), 3);
        for id in ids.iter().take(3) {
            wanted.remove(id);
        }
        assert_eq!(wanted.due(at(60), |_| SECOND).len(), 2);
    }
}
