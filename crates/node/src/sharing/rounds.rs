//! Rounds of other nodes: each question is passed on once, and each answer to whom the question came from.

use std::collections::BTreeMap;

use bruit_core::id::NodeId;

use super::frames::Ask;

/// Milliseconds a round lasts.
const ROUND_MS: u64 = 5_000;
/// Rounds at once; more are not answered.
const ROUNDS_MAX: usize = 96;
/// New rounds in a second, for all who ask together.
const NEW_PER_S: usize = 16;
/// Answers passed on in a round: what a network has that can be looked at.
const PASSED_ON_MAX: u32 = 4_096;

#[derive(Debug)]
struct Round {
    parent: NodeId,
    began_ms: u64,
    passed_on: u32,
}

/// The rounds under way.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    rounds: BTreeMap<u64, Round>,
}

impl Rounds {
    /// Takes a question that `from` asked; answers whether it is new, and to be answered and passed on.
    pub(super) fn begin(&mut self, ask: Ask, from: NodeId, now_ms: u64) -> bool {
        self.rounds
            .retain(|_, round| now_ms.saturating_sub(round.began_ms) < ROUND_MS);
        let young = |round: &&Round| now_ms.saturating_sub(round.began_ms) < 1_000;
        let is_new = !self.rounds.contains_key(&ask.round)
            && self.rounds.len() < ROUNDS_MAX
            && self.rounds.values().filter(young).count() < NEW_PER_S;
        if is_new {
            let round = Round {
                parent: from,
                began_ms: now_ms,
                passed_on: 0,
            };
            self.rounds.insert(ask.round, round);
        }
        is_new
    }

    /// To whom an answer of `round` is passed on.
    pub(super) fn parent(&mut self, round: u64, now_ms: u64) -> Option<NodeId> {
        let round = self.rounds.get_mut(&round)?;
        let is_alive = now_ms.saturating_sub(round.began_ms) < ROUND_MS;
        if !is_alive || round.passed_on >= PASSED_ON_MAX {
            return None;
        }
        round.passed_on += 1;
        Some(round.parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: NodeId = NodeId::from_bytes([1; 32]);
    const SECOND: NodeId = NodeId::from_bytes([2; 32]);

    fn ask(round: u64) -> Ask {
        Ask {
            round,
            hops: 1,
            window_ms: 1,
        }
    }

    #[test]
    fn a_question_is_new_once_and_its_answers_go_to_whom_it_came_from_first() {
        let mut rounds = Rounds::default();
        assert!(rounds.begin(ask(7), FIRST, 0));
        assert!(!rounds.begin(ask(7), SECOND, 1));
        assert_eq!(rounds.parent(7, 2), Some(FIRST));
        assert_eq!(rounds.parent(8, 2), None);
        assert_eq!(rounds.parent(7, ROUND_MS), None, "it is over");
    }

    #[test]
    fn who_asks_without_end_gets_sixteen_answers_a_second() {
        let mut rounds = Rounds::default();
        let answered = |rounds: &mut Rounds, number: u64| {
            let now_ms = number * 10;
            u32::from(rounds.begin(ask(number), FIRST, now_ms))
        };
        let count: u32 = (0..1_000).map(|number| answered(&mut rounds, number)).sum();
        assert!((150..=176).contains(&count), "{count} in ten seconds");
    }

    #[test]
    fn no_round_has_answers_without_end() {
        let mut rounds = Rounds::default();
        rounds.begin(ask(7), FIRST, 0);
        let passed = (0..10_000).filter(|_| rounds.parent(7, 1).is_some());
        assert_eq!(passed.count(), 4_096);
    }
}
