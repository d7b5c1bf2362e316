//! Solves puzzles on a thread of their own, one at a time: the loop goes on meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, mpsc};

use super::events::ConnId;
use super::hearing::Input;
use super::puzzle;

/// Trials between two looks at whether the solution is still wanted.
const TRIALS: u64 = 1 << 16;
/// Trials after which a puzzle is given up: one in 10^27 has no solution among so many.
const TRIALS_MAX: u64 = 1 << 30;

/// The puzzles that are being solved, or wait for it.
#[derive(Debug)]
pub(crate) struct Solver {
    wanted: BTreeMap<ConnId, Arc<AtomicBool>>,
    turn: Arc<Semaphore>,
    inputs: mpsc::Sender<Input>,
}

impl Solver {
    pub(crate) fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self {
            wanted: BTreeMap::new(),
            turn: Arc::new(Semaphore::new(1)),
            inputs,
        }
    }

    /// Solves `nonce` for `conn`; the answer comes as an input.
    pub(crate) fn solve(&mut self, conn: ConnId, nonce: u64) {
        let is_wanted = Arc::new(AtomicBool::new(true));
        self.wanted.insert(conn, Arc::clone(&is_wanted));
        let (turn, inputs) = (Arc::clone(&self.turn), self.inputs.clone());
        tokio::spawn(async move {
            let Ok(_turn) = turn.acquire().await else {
                return;
            };
            let solution = tokio::task::spawn_blocking(move || search(nonce, &is_wanted)).await;
            // The loop is gone when the gateway has stopped.
            inputs
                .send(Input::Solved(conn, solution.unwrap_or(None)))
                .await
                .ok();
        });
    }

    /// The solution for `conn` is there, or nobody wants it any more.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        if let Some(is_wanted) = self.wanted.remove(&conn) {
            is_wanted.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Solver {
    fn drop(&mut self) {
        for is_wanted in self.wanted.values() {
            is_wanted.store(false, Ordering::Relaxed);
        }
    }
}

fn search(nonce: u64, is_wanted: &AtomicBool) -> Option<u64> {
    let starts = (0..TRIALS_MAX / TRIALS).map(|step| step * TRIALS);
    let mut wanted = starts.take_while(|_| is_wanted.load(Ordering::Relaxed));
    wanted.find_map(|start| puzzle::search(nonce, start, TRIALS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_solution_comes_and_what_nobody_wants_any_more_holds_nobody_up() {
        let (inputs, mut answers) = mpsc::channel(4);
        let mut solver = Solver::new(inputs);
        solver.solve(ConnId(1), u64::MAX);
        solver.forget(ConnId(1));
        solver.solve(ConnId(2), 0x0102_0304_0506_0708);
        assert!(matches!(
            answers.recv().await,
            Some(Input::Solved(ConnId(1), None))
        ));
        assert!(matches!(
            answers.recv().await,
            Some(Input::Solved(ConnId(2), Some(45_058)))
        ));
    }
}
