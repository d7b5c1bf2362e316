//! Letters of ours: the recipient's letterbox is found, the letter is sealed and published, and made
//! again with twice the life when no acknowledgement came.

use std::time::Duration;

use bruit_core::id::{AuthorId, BulletinId};
use bruit_core::letters::{DeliveryCode, Letter, LetterId, LetterKey, Letterbox, Purpose};
use bruit_core::limits;
use bruit_core::time::Wall;
use bytes::Bytes;
use rand_core::CryptoRng;

use super::super::SendError;
use super::super::records::{Change, Known, LetterState, Outgoing, Record};
use super::{Desk, OPEN_MAX, Sealing, Search, Step};

/// How long the first sealing of a letter lives at most: its acknowledgement lives twice as long.
pub(crate) const LIFE_MAX: Duration = Duration::from_hours(14 * 24);
/// How often a letter is sealed at most.
const ATTEMPTS_MAX: u32 = 3;
/// A letterbox heard of within this time is taken without a search.
const FRESH: Duration = Duration::from_mins(10);
/// Pause after the first search that found nothing; each later one twice as long.
const SEARCH_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause between searches.
const SEARCH_PAUSE_MAX: Duration = Duration::from_mins(10);
/// Pause after a sealing that failed.
const SEAL_PAUSE: Duration = Duration::from_mins(1);

impl Desk {
    /// Takes a letter of `from`, which must be ours, to `to`. It is kept from now on.
    ///
    /// # Errors
    /// The user's: says what is wrong with it. Nothing has changed then.
    pub(crate) fn send(
        &mut self,
        from: AuthorId,
        to: AuthorId,
        body: Bytes,
        ttl: Duration,
        now: Wall,
        rng: &mut impl CryptoRng,
    ) -> Result<LetterId, SendError> {
        self.write(Purpose::Message, from, to, body, ttl, now, rng)
    }

    #[expect(clippy::too_many_arguments, reason = "a letter has so many parts")]
    pub(super) fn write(
        &mut self,
        purpose: Purpose,
        from: AuthorId,
        to: AuthorId,
        body: Bytes,
        ttl: Duration,
        now: Wall,
        rng: &mut impl CryptoRng,
    ) -> Result<LetterId, SendError> {
        check(&body, ttl)?;
        let open = self.out.values().filter(|out| !out.state.is_final());
        if open.count() >= OPEN_MAX {
            return Err(SendError::Full { max: OPEN_MAX });
        }
        let id = Self::draw_id(rng);
        let out = Outgoing {
            id,
            purpose,
            from,
            to,
            body,
            created: now,
            ttl,
            attempts: 0,
            until: now.plus(ttl),
            sealed_to: None,
            acknowledgements: Vec::new(),
            state: LetterState::Queued,
        };
        self.keep(Record::Out(out.clone()));
        self.out.insert(id, out);
        self.begin_attempt(id, now);
        Ok(id)
    }

    /// Takes a letter back that could not be kept.
    pub(crate) fn withdraw(&mut self, id: &LetterId) {
        if let Some(out) = self.out.remove(id) {
            self.held_up.remove(id);
            self.changes.push(Change::drop(&Record::Out(out)));
            self.end_idle_searches();
        }
    }

    /// A letter that was kept. What was sealed but not known to be on other disks is sealed again: the
    /// process may have ended between the two.
    pub(super) fn restore_out(&mut self, mut out: Outgoing) {
        if !out.state.is_final() {
            if out.state == LetterState::Queued {
                out.attempts = out.attempts.saturating_sub(1);
                out.sealed_to = None;
            }
            for acknowledgement in &out.acknowledgements {
                self.awaited.insert(*acknowledgement, out.id);
            }
        }
        self.out.insert(out.id, out);
    }

    /// Goes on with the letters that were kept.
    pub(crate) fn resume(&mut self, now: Wall) {
        let unsealed = self.out.values().filter(|out| out.sealed_to.is_none());
        let open = unsealed.filter(|out| !out.state.is_final() && out.until > now);
        let open: Vec<_> = open.map(|out| out.id).collect();
        for id in open {
            self.begin_attempt(id, now);
        }
    }

    /// Seals a letter to the letterbox known, or looks for one.
    fn begin_attempt(&mut self, id: LetterId, now: Wall) {
        let Some(out) = self.out.get(&id).filter(|out| out.attempts < ATTEMPTS_MAX) else {
            return;
        };
        let to = out.to;
        match self.known_letterbox(&to) {
            Some((letterbox, said)) if now.since(said) <= FRESH => self.seal(id, letterbox),
            _ => self.search(to, now),
        }
    }

    /// Where to write to somebody, and when they said so; to ourselves without asking.
    fn known_letterbox(&self, to: &AuthorId) -> Option<(Letterbox, Wall)> {
        let ours = || Some((self.own_letterbox(to)?, Wall::from_millis(u64::MAX)));
        let known = self.known.get(to);
        known
            .map(|known| (known.letterbox, known.said))
            .or_else(ours)
    }

    fn search(&mut self, to: AuthorId, now: Wall) {
        let search = self.searches.entry(to).or_insert(Search {
            due: now,
            tries: 0,
            is_under_way: false,
        });
        if !search.is_under_way && search.due <= now {
            search.is_under_way = true;
            self.steps.push(Step::LookUp(to));
        }
    }

    fn seal(&mut self, id: LetterId, letterbox: Letterbox) {
        let Some(out) = self.out.get(&id) else { return };
        let Some(reply) = self.own_letterbox(&out.from) else {
            // An author key that was taken away: it may come back.
            return;
        };
        if self.sealing.contains(&id) {
            return;
        }
        let sealing = Sealing {
            id,
            purpose: out.purpose,
            from: out.from,
            to: out.to,
            body: out.body.clone(),
            created: out.created,
            life: life(out),
            letterbox,
            reply,
        };
        self.sealing.insert(id);
        self.steps.push(Step::Seal(Box::new(sealing)));
    }

    /// The answer to a search: what was found, and when its owner said so.
    pub(crate) fn looked_up(&mut self, to: AuthorId, found: Option<(Letterbox, Wall)>, now: Wall) {
        if let Some((letterbox, said)) = found {
            self.learn(to, letterbox, said);
        }
        let Some(tries) = self.searches.get(&to).map(|search| search.tries) else {
            return;
        };
        if let Some((letterbox, _)) = self.known_letterbox(&to) {
            self.found(to, letterbox);
            return;
        }
        let pause = SEARCH_PAUSE.saturating_mul(1 << tries.min(16));
        let later = Search {
            due: now.plus(pause.min(SEARCH_PAUSE_MAX)),
            tries: tries.saturating_add(1),
            is_under_way: false,
        };
        self.searches.insert(to, later);
    }

    /// Notes that somebody published a letterbox. Only of those we write to, or know.
    pub(crate) fn letterbox_seen(&mut self, identity: AuthorId, letterbox: Letterbox, said: Wall) {
        let concerns = self.contacts.contains(&identity)
            || self.known.contains_key(&identity)
            || self.searches.contains_key(&identity);
        if concerns && !self.is_ours(&identity) {
            self.learn(identity, letterbox, said);
        }
    }

    /// Remembers a letterbox, if it is later than the one known, and seals what waits for it.
    pub(super) fn learn(&mut self, identity: AuthorId, letterbox: Letterbox, said: Wall) {
        // Moments are told to the second: of two within one, what comes later is taken for later.
        let known = self.known.get(&identity);
        let is_old = known.is_some_and(|known| {
            known.said > said || (known.said == said && known.letterbox == letterbox)
        });
        if is_old || self.is_ours(&identity) {
            return;
        }
        let known = Known {
            identity,
            letterbox,
            said,
        };
        self.keep(Record::Known(known));
        self.known.insert(identity, known);
        self.found(identity, letterbox);
    }

    /// Seals what waits for this letterbox, and once more what went to another of its owner's.
    fn found(&mut self, to: AuthorId, letterbox: Letterbox) {
        self.searches.remove(&to);
        let place = Some((letterbox.key, letterbox.code));
        let waiting = self.out.values().filter(|out| {
            out.to == to
                && !out.state.is_final()
                && out.sealed_to != place
                && out.attempts < ATTEMPTS_MAX
        });
        let waiting: Vec<_> = waiting.map(|out| out.id).collect();
        for id in waiting {
            self.seal(id, letterbox);
        }
    }

    /// Notes that a letter was sealed, with which acknowledgement enclosed, and to which letterbox.
    /// Answers whether it is still to be published.
    pub(crate) fn sealed(
        &mut self,
        id: LetterId,
        acknowledgement: BulletinId,
        place: (LetterKey, DeliveryCode),
        now: Wall,
    ) -> bool {
        self.sealing.remove(&id);
        let Some(out) = self.out.get_mut(&id).filter(|out| !out.state.is_final()) else {
            return false;
        };
        out.until = now.plus(life(out));
        out.attempts = out.attempts.saturating_add(1);
        out.sealed_to = Some(place);
        out.acknowledgements.push(acknowledgement);
        self.awaited.insert(acknowledgement, id);
        let kept = out.clone();
        self.keep(Record::Out(kept));
        true
    }

    /// Notes that a letter could not be sealed or paid for: it is tried again.
    pub(crate) fn not_sealed(&mut self, id: LetterId, now: Wall) {
        self.sealing.remove(&id);
        self.held_up.insert(id, now.plus(SEAL_PAUSE));
    }

    /// Notes that enough neighbours have a letter on their disks.
    pub(crate) fn published(&mut self, id: LetterId) {
        self.become_state(id, LetterState::Published);
    }

    /// Notes a bulletin: it may be the acknowledgement of a letter of ours.
    pub(super) fn is_acknowledgement(&mut self, bulletin: &BulletinId) -> bool {
        let Some(id) = self.awaited.get(bulletin).copied() else {
            return false;
        };
        self.become_state(id, LetterState::Acknowledged);
        true
    }

    /// A letter never goes back.
    fn become_state(&mut self, id: LetterId, state: LetterState) {
        let Some(out) = self.out.get_mut(&id) else {
            return;
        };
        if out.state >= state || out.state.is_final() {
            return;
        }
        out.state = state;
        if state.is_final() {
            for acknowledgement in out.acknowledgements.drain(..) {
                self.awaited.remove(&acknowledgement);
            }
            self.held_up.remove(&id);
        }
        let kept = out.clone();
        self.keep(Record::Out(kept));
        self.steps.push(Step::Became(id, state));
        self.end_idle_searches();
    }

    /// Ends searches that nothing waits for.
    fn end_idle_searches(&mut self) {
        let open: std::collections::BTreeSet<_> = self
            .out
            .values()
            .filter(|out| !out.state.is_final())
            .map(|out| out.to)
            .collect();
        self.searches.retain(|to, _| open.contains(to));
    }

    pub(super) fn tick_out(&mut self, now: Wall) {
        let held_up = self.held_up.extract_if(.., |_, due| *due <= now);
        let held_up: Vec<_> = held_up.map(|(id, _)| id).collect();
        for id in held_up {
            self.begin_attempt(id, now);
        }
        let over = self.out.values().filter(|out| {
            !out.state.is_final() && out.until <= now && !self.sealing.contains(&out.id)
        });
        let over: Vec<_> = over.map(|out| (out.id, out.attempts)).collect();
        for (id, attempts) in over {
            if attempts == 0 || attempts >= ATTEMPTS_MAX {
                self.become_state(id, LetterState::Expired);
            } else {
                self.retry(id, now);
            }
        }
        let due = self.searches.iter().filter(|(_, search)| search.due <= now);
        let due: Vec<_> = due.map(|(to, _)| *to).collect();
        for to in due {
            self.search(to, now);
        }
    }

    /// Makes a letter again, with twice the life it had.
    fn retry(&mut self, id: LetterId, now: Wall) {
        let Some(out) = self.out.get_mut(&id) else {
            return;
        };
        out.sealed_to = None;
        out.until = now.plus(life(out));
        let kept = out.clone();
        self.keep(Record::Out(kept));
        self.begin_attempt(id, now);
    }
}

/// What is wrong with a letter.
pub(crate) fn check(body: &Bytes, ttl: Duration) -> Result<(), SendError> {
    let (got, max) = (body.len(), Letter::BODY_BYTES_MAX);
    if got > max {
        return Err(SendError::TooBig { got, max });
    }
    if ttl < Duration::from_secs(1) || ttl > LIFE_MAX {
        return Err(SendError::Ttl { got: ttl });
    }
    Ok(())
}

/// How long the next sealing of a letter lives: twice as long as the one before it.
fn life(out: &Outgoing) -> Duration {
    const { assert!(LIFE_MAX.as_secs() * 2 <= limits::TTL_MAX.as_secs()) };
    let doubled = out.ttl.saturating_mul(1 << out.attempts.min(ATTEMPTS_MAX));
    doubled.min(LIFE_MAX)
}
