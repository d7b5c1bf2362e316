//! How a foreign item crosses into bruit once, however many gateways hear it.
//!
//! Gateways tell each other by a bulletin on [`topic`] that they are there. Of those that hear an item,
//! each has a rank that depends on its author key and on the item; the first publishes at once, and each
//! of the others waits a little longer than the one before it. Whoever sees the item's bulletin
//! meanwhile gives it up. So an item crosses once while gateways hear each other within [`STEP`], it
//! crosses all the same when the first is gone, and the work is shared among them.
//!
//! Somebody who claims to be many gateways delays items by [`WAIT_MAX`] at most.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bruit::AuthorId;

use crate::foreign::ForeignId;
use crate::recent::Recent;

/// How much longer each gateway waits than the one before it: some time for a bulletin to come round.
pub const STEP: Duration = Duration::from_millis(500);
/// Longest wait.
pub const WAIT_MAX: Duration = Duration::from_secs(4);
/// How often a gateway says that it is there.
pub const PRESENCE_EVERY: Duration = Duration::from_mins(20);
/// How long it counts as being there.
pub const PRESENCE_KEEP: Duration = Duration::from_hours(1);
/// Gateways that are remembered.
const GATEWAYS_MAX: usize = 64;
/// Foreign items whose names are remembered.
const SEEN_MAX: usize = 65_536;
/// Items that wait for their turn; more do not wait.
const WAITING_MAX: usize = 256;

/// The topic on which gateways to the system `name` say that they are there.
pub fn topic(name: &str) -> String {
    format!("gateways/{name}")
}

/// What is to be done with a foreign item that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn<T> {
    /// Publish it now.
    Now(T),
    /// It waits: [`Crossing::due`] will say.
    Later,
    /// It has crossed or waits already.
    Known,
}

/// The items of one foreign network on their way into bruit.
#[derive(Debug)]
pub struct Crossing<T> {
    me: AuthorId,
    step: Duration,
    /// Steps that the first waits where there are others.
    lead: u32,
    others: Recent<AuthorId>,
    seen: Recent<ForeignId>,
    waiting: BTreeMap<ForeignId, (Instant, T)>,
}

impl<T> Crossing<T> {
    /// Nothing has crossed yet; `me` signs what this gateway publishes, and names are remembered for
    /// `keep`.
    pub const fn new(me: AuthorId, keep: Duration) -> Self {
        Self {
            me,
            step: STEP,
            lead: 0,
            others: Recent::new(PRESENCE_KEEP, GATEWAYS_MAX),
            seen: Recent::new(keep, SEEN_MAX),
            waiting: BTreeMap::new(),
        }
    }

    /// Each waits for the one before it for `step` instead of [`STEP`], and as much longer at most: for
    /// items whose bulletins take long to be paid for.
    #[must_use]
    pub const fn patient(mut self, step: Duration) -> Self {
        self.step = step;
        self
    }

    /// Where there are others, the first waits a step as well: for networks through which an item that
    /// another gateway brought out comes here before its bulletin does.
    #[must_use]
    pub const fn hesitant(mut self) -> Self {
        self.lead = 1;
        self
    }

    /// Who signs what this gateway publishes.
    pub const fn me(&self) -> AuthorId {
        self.me
    }

    /// Another gateway says that it is there.
    pub fn present(&mut self, gateway: AuthorId, now: Instant) {
        if gateway != self.me {
            self.others.insert(gateway, (), now);
        }
    }

    /// Takes an item that came from the foreign network.
    pub fn came(&mut self, id: ForeignId, item: T, now: Instant) -> Turn<T> {
        if !self.seen.insert(id, (), now) {
            return Turn::Known;
        }
        let wait = self.wait(&id, now);
        if wait.is_zero() || self.waiting.len() >= WAITING_MAX {
            return Turn::Now(item);
        }
        self.waiting.insert(id, (now + wait, item));
        Turn::Later
    }

    /// An item is inside bruit, by this gateway or by another one, or from the beginning: then `by` is
    /// none. Answers whether that is news.
    pub fn crossed(&mut self, id: ForeignId, by: Option<AuthorId>, now: Instant) -> bool {
        if let Some(gateway) = by {
            self.present(gateway, now);
        }
        self.waiting.remove(&id);
        self.seen.insert(id, (), now)
    }

    /// An item crossed so long ago as `since`, which is news to this gateway: it is known for as much less. Who
    /// published it then need not be there any more.
    pub fn crossed_at(&mut self, id: ForeignId, since: Instant, now: Instant) {
        self.waiting.remove(&id);
        if !self.seen.contains(&id, now) {
            self.seen.insert(id, (), since);
        }
    }

    /// Whether an item crossed or came lately.
    pub fn is_known(&mut self, id: &ForeignId, now: Instant) -> bool {
        self.seen.contains(id, now)
    }

    /// Whether this gateway comes before all others for an item.
    pub fn is_first(&mut self, id: &ForeignId, now: Instant) -> bool {
        self.wait(id, now).is_zero()
    }

    /// An item could not be published: it may come again.
    pub fn failed(&mut self, id: &ForeignId) {
        self.seen.remove(id);
    }

    /// The items whose turn it is by now.
    pub fn due(&mut self, now: Instant) -> Vec<(ForeignId, T)> {
        let is_due = |(due, _): &(Instant, T)| *due <= now;
        let ids: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, item)| is_due(item))
            .map(|(id, _)| *id)
            .collect();
        let take = |id: ForeignId| self.waiting.remove(&id).map(|(_, item)| (id, item));
        ids.into_iter().filter_map(take).collect()
    }

    /// When [`Crossing::due`] has something to say.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.waiting.values().map(|(due, _)| *due).min()
    }

    /// How long this gateway waits: as many steps as other gateways go before it.
    fn wait(&mut self, id: &ForeignId, now: Instant) -> Duration {
        let own = rank(&self.me, id);
        let before = self
            .others
            .keys(now)
            .filter(|other| rank(other, id) < own)
            .count();
        let lead = if self.others.is_empty() { 0 } else { self.lead };
        let before = u32::try_from(before)
            .unwrap_or(u32::MAX)
            .saturating_add(lead);
        let max = WAIT_MAX.max(2 * self.step);
        self.step.saturating_mul(before).min(max)
    }
}

fn rank(gateway: &AuthorId, id: &ForeignId) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(gateway.as_bytes());
    hasher.update(id.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::System;

    fn author(n: u8) -> AuthorId {
        AuthorId::from_bytes([n; 32])
    }

    fn item(n: u8) -> ForeignId {
        ForeignId::of(System::SIMPLE, &[], &[&[n]])
    }

    #[test]
    fn a_gateway_alone_publishes_at_once_and_each_item_once() {
        let now = Instant::now();
        let mut crossing = Crossing::new(author(1), Duration::from_mins(1));
        crossing.present(author(1), now);
        assert_eq!(crossing.came(item(1), 'a', now), Turn::Now('a'));
        assert_eq!(crossing.came(item(1), 'a', now), Turn::Known);
        assert!(!crossing.crossed(item(1), Some(author(1)), now));
        assert!(crossing.crossed(item(2), None, now));
        assert_eq!(crossing.came(item(2), 'b', now), Turn::Known);
    }

    #[test]
    fn of_several_gateways_one_goes_first_and_the_next_when_it_does_not() {
        let now = Instant::now();
        let mut gateways: Vec<_> = (1..=3)
            .map(|n| Crossing::new(author(n), Duration::from_mins(1)))
            .collect();
        for gateway in &mut gateways {
            (1..=3).for_each(|n| gateway.present(author(n), now));
        }
        let mut firsts = [0; 3];
        for n in 0..60 {
            let turns: Vec<_> = gateways
                .iter_mut()
                .map(|gateway| gateway.came(item(n), n, now))
                .collect();
            assert_eq!(
                turns.iter().filter(|turn| **turn == Turn::Now(n)).count(),
                1
            );
            assert_eq!(turns.iter().filter(|turn| **turn == Turn::Later).count(), 2);
            firsts[turns.iter().position(|turn| *turn == Turn::Now(n)).unwrap()] += 1;
        }
        assert!(firsts.iter().all(|count| *count >= 10), "{firsts:?}");
        for (gateway, first) in gateways.iter_mut().zip(firsts) {
            assert!(gateway.due(now).is_empty());
            let next = gateway.next_wakeup().unwrap();
            assert_eq!(next, now + STEP);
            let (second, third) = (gateway.due(next).len(), gateway.due(now + 2 * STEP).len());
            assert!(second > 0 && third > 0);
            assert_eq!(first + second + third, 60);
        }
    }

    #[test]
    fn a_hesitant_gateway_waits_where_there_are_others_and_only_there() {
        let now = Instant::now();
        let mut crossing = Crossing::new(author(1), Duration::from_mins(1)).hesitant();
        assert_eq!(crossing.came(item(1), 'a', now), Turn::Now('a'));
        crossing.present(author(2), now);
        for n in 2..20 {
            assert_eq!(crossing.came(item(n), 'b', now), Turn::Later);
        }
        let (first, second) = (
            crossing.due(now + STEP).len(),
            crossing.due(now + 2 * STEP).len(),
        );
        assert!(first > 0 && second > 0 && first + second == 18);
    }

    #[test]
    fn what_another_gateway_published_is_given_up() {
        let now = Instant::now();
        let mut crossing = Crossing::new(author(1), Duration::from_mins(1));
        crossing.present(author(2), now);
        let waiting: Vec<_> = (0..50)
            .filter(|n| crossing.came(item(*n), *n, now) == Turn::Later)
            .collect();
        assert!(!waiting.is_empty());
        for n in waiting {
            assert!(!crossing.crossed(item(n), Some(author(2)), now));
        }
        assert_eq!(crossing.next_wakeup(), None);
        assert!(crossing.due(now + WAIT_MAX).is_empty());
    }

    #[test]
    fn what_crossed_long_ago_is_known_for_as_much_less() {
        let (long_ago, minute) = (Instant::now(), Duration::from_mins(1));
        let now = long_ago + 2 * minute;
        let mut crossing = Crossing::new(author(1), 3 * minute);
        crossing.crossed_at(item(1), long_ago, now);
        assert_eq!(crossing.came(item(1), 'a', now), Turn::Known);
        // What is known for longer stays so.
        crossing.crossed(item(2), None, now);
        crossing.crossed_at(item(2), long_ago, now);
        assert!(crossing.is_known(&item(2), now + 2 * minute));
        crossing.crossed_at(item(3), long_ago, now);
        assert!(!crossing.is_known(&item(3), now + minute));
    }

    #[test]
    fn many_that_claim_to_be_gateways_delay_an_item_by_seconds_at_most() {
        let now = Instant::now();
        let mut crossing = Crossing::new(author(1), Duration::from_mins(1));
        for n in 0..200 {
            crossing.present(author(n), now);
        }
        for n in 0..50 {
            crossing.came(item(n), n, now);
        }
        let waiting = crossing.waiting.len();
        assert_eq!(crossing.due(now + WAIT_MAX).len(), waiting);
        assert!(crossing.others.len() <= GATEWAYS_MAX);
    }

    #[test]
    fn a_gateway_that_went_away_is_not_waited_for_for_ever() {
        let now = Instant::now();
        let mut crossing = Crossing::new(author(1), Duration::from_mins(1));
        crossing.present(author(2), now);
        let later = now + PRESENCE_KEEP;
        for n in 0..20 {
            assert_eq!(crossing.came(item(n), n, later), Turn::Now(n));
        }
    }

    #[test]
    fn a_patient_gateway_waits_longer_for_those_before_it() {
        let now = Instant::now();
        let step = Duration::from_secs(3);
        let mut crossing = Crossing::new(author(1), Duration::from_mins(1)).patient(step);
        crossing.present(author(2), now);
        let n = (0..50).find(|n| crossing.came(item(*n), *n, now) == Turn::Later);
        assert!(n.is_some());
        assert_eq!(crossing.next_wakeup(), Some(now + step));
    }

    #[test]
    fn items_that_cannot_wait_go_at_once() {
        let now = Instant::now();
        let mut crossing = Crossing::new(author(1), Duration::from_mins(1));
        (2..40).for_each(|n| crossing.present(author(n), now));
        let ids = (0..=255)
            .flat_map(|a| (0..4).map(move |b| ForeignId::of(System::SIMPLE, &[], &[&[a, b]])));
        for id in ids {
            crossing.came(id, (), now);
        }
        assert_eq!(crossing.waiting.len(), WAITING_MAX);
    }
}
