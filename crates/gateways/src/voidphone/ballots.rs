//! What modules are asked to vote on, under the 16-bit ids of the module API.
//!
//! The ids are ours: no originator chooses them, and none stands for two things at a time. Only who was
//! told of something may vote on it, and the first vote decides.
//!
//! Invariant: at most [`BALLOTS_MAX`] are open with at most [`BYTES_MAX`] of data, each until its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::events::ConnId;
use super::word::Word;

/// Ballots that are open at a time.
pub(crate) const BALLOTS_MAX: usize = 16_384;
/// Bytes of data in them.
pub(crate) const BYTES_MAX: usize = 64 << 20;
/// Questions of the node that wait for one ballot: it asks once for each bulletin.
const QUESTIONS_MAX: usize = 64;

/// Where the word of a ballot came from: what its outcome decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// This module announced it.
    Module(ConnId),
    /// This peer sent it.
    Peer(ConnId),
    /// The node asks whether to deliver and pass it on.
    Bruit,
    /// It is delivered already: the vote decides nothing.
    Past,
}

/// Something to vote on.
#[derive(Debug)]
pub(crate) struct Ballot {
    pub(crate) word: Word,
    pub(crate) source: Source,
    /// The node's questions that wait for the outcome.
    pub(crate) questions: Vec<u64>,
    voters: BTreeSet<ConnId>,
}

/// Why a vote counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoVote {
    /// Nothing is open under this id.
    Closed,
    /// Whoever votes was not asked.
    NotAsked,
}

/// The ballots that are open.
#[derive(Debug)]
pub(crate) struct Ballots {
    open: BTreeMap<u16, Ballot>,
    due: VecDeque<(Instant, u16)>,
    bytes: usize,
    next: u16,
    time: Duration,
}

impl Ballots {
    /// None is open; each will be for `time`, and ids begin with `first`.
    pub(crate) const fn new(time: Duration, first: u16) -> Self {
        Self {
            open: BTreeMap::new(),
            due: VecDeque::new(),
            bytes: 0,
            next: first,
            time,
        }
    }

    /// Opens a ballot; answers its id, or none when there is no room.
    pub(crate) fn open(
        &mut self,
        word: Word,
        source: Source,
        voters: BTreeSet<ConnId>,
        now: Instant,
    ) -> Option<u16> {
        let bytes = self.bytes.saturating_add(word.data.len());
        if self.open.len() >= BALLOTS_MAX || bytes > BYTES_MAX {
            return None;
        }
        while self.open.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.bytes = bytes;
        self.due.push_back((now + self.time, id));
        self.open.insert(
            id,
            Ballot {
                word,
                source,
                questions: Vec::new(),
                voters,
            },
        );
        Some(id)
    }

    /// Lets a question of the node wait for ballot `id`; answers whether it may.
    pub(crate) fn wait(&mut self, id: u16, question: u64) -> bool {
        let ballot = self.open.get_mut(&id);
        let room = ballot.filter(|ballot| ballot.questions.len() < QUESTIONS_MAX);
        room.is_some_and(|ballot| {
            ballot.questions.push(question);
            true
        })
    }

    /// Takes the vote of `voter` on `id`: the first closes the ballot.
    ///
    /// # Errors
    /// [`NoVote`].
    pub(crate) fn vote(&mut self, id: u16, voter: ConnId) -> Result<Ballot, NoVote> {
        let ballot = self.open.get(&id).ok_or(NoVote::Closed)?;
        if !ballot.voters.contains(&voter) {
            return Err(NoVote::NotAsked);
        }
        self.close(id).ok_or(NoVote::Closed)
    }

    /// The ballots whose time is over without a vote.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<Ballot> {
        let mut over = Vec::new();
        while let Some((due, id)) = self.due.front().copied()
            && due <= now
        {
            over.extend(self.close(id));
        }
        over
    }

    /// When [`Ballots::overdue`] has something to say.
    pub(crate) fn next_wakeup(&self) -> Option<Instant> {
        self.due.front().map(|(due, _)| *due)
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    fn close(&mut self, id: u16) -> Option<Ballot> {
        let ballot = self.open.remove(&id)?;
        self.bytes -= ballot.word.data.len();
        // Found at the front as a rule: modules vote in the order they were asked.
        if let Some(at) = self.due.iter().position(|(_, other)| *other == id) {
            self.due.remove(at);
        }
        Some(ballot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const S: Duration = Duration::from_secs(1);

    fn word(n: u8) -> Word {
        Word {
            id: 7,
            reach: 0,
            data_type: 1,
            data: Bytes::copy_from_slice(&[n]),
        }
    }

    fn voters(ids: &[u64]) -> BTreeSet<ConnId> {
        ids.iter().map(|id| ConnId(*id)).collect()
    }

    #[test]
    fn the_first_vote_of_somebody_who_was_asked_decides() {
        let now = Instant::now();
        let mut ballots = Ballots::new(5 * S, 1);
        let id = ballots
            .open(word(1), Source::Bruit, voters(&[1, 2]), now)
            .unwrap();
        assert_eq!(ballots.vote(id, ConnId(3)).unwrap_err(), NoVote::NotAsked);
        assert_eq!(ballots.vote(id + 1, ConnId(1)).unwrap_err(), NoVote::Closed);
        assert_eq!(ballots.vote(id, ConnId(2)).unwrap().word, word(1));
        assert_eq!(ballots.vote(id, ConnId(1)).unwrap_err(), NoVote::Closed);
        assert_eq!((ballots.len(), ballots.bytes, ballots.due.len()), (0, 0, 0));
    }

    #[test]
    fn silence_closes_a_ballot_at_its_time() {
        let now = Instant::now();
        let mut ballots = Ballots::new(5 * S, 1);
        ballots
            .open(word(1), Source::Bruit, voters(&[1]), now)
            .unwrap();
        let late = ballots
            .open(word(2), Source::Bruit, voters(&[1]), now + S)
            .unwrap();
        assert!(ballots.wait(late, 11));
        assert_eq!(ballots.next_wakeup(), Some(now + 5 * S));
        assert!(ballots.overdue(now + 4 * S).is_empty());
        assert_eq!(ballots.overdue(now + 5 * S).len(), 1);
        assert_eq!(ballots.overdue(now + 6 * S)[0].questions, [11]);
        assert!(!ballots.wait(late, 12));
        assert_eq!(ballots.next_wakeup(), None);
    }

    #[test]
    fn an_id_stands_for_one_thing_at_a_time_and_there_is_a_bound() {
        let now = Instant::now();
        let mut ballots = Ballots::new(5 * S, u16::MAX - 3);
        let ids: BTreeSet<_> = (0..BALLOTS_MAX)
            .map(|_| {
                ballots
                    .open(word(1), Source::Bruit, voters(&[1]), now)
                    .unwrap()
            })
            .collect();
        assert_eq!(ids.len(), BALLOTS_MAX);
        assert_eq!(
            ballots.open(word(1), Source::Bruit, voters(&[1]), now),
            None
        );
        let kept: Vec<_> = ids.iter().step_by(2).copied().collect();
        for id in ids.iter().filter(|id| !kept.contains(id)) {
            ballots.vote(*id, ConnId(1)).unwrap();
        }
        for _ in 0..1_000 {
            let id = ballots
                .open(word(1), Source::Bruit, voters(&[1]), now)
                .unwrap();
            assert!(!kept.contains(&id));
        }
    }
}
