//! Several runs at once: each in a thread of its own, as many as there are cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::memory::Memory;
use super::{Meter, Outcome};
use crate::scenario::Scenario;

/// The outcomes of a scenario: for each case, one for each seed.
pub type Outcomes = Vec<Vec<Outcome>>;

/// Runs every case of `scenario` with every one of `seeds`. One seed: one case after the other, so that
/// time and memory of each can be told; several: side by side.
///
/// # Panics
/// When a run does.
pub fn all(scenario: &Scenario, seeds: &[u64], meter: &Meter) -> Outcomes {
    run(scenario, seeds, meter, false)
}

/// As [`all`], and the first seed of each case is recorded.
///
/// # Panics
/// When a run does.
pub fn recorded(scenario: &Scenario, seeds: &[u64], meter: &Meter) -> Outcomes {
    run(scenario, seeds, meter, true)
}

fn run(scenario: &Scenario, seeds: &[u64], meter: &Meter, is_recorded: bool) -> Outcomes {
    let cases = &scenario.cases;
    let jobs = cases.len() * seeds.len();
    let threads = if seeds.len() == 1 { 1 } else { threads(jobs) };
    let outcomes = side_by_side(
        jobs,
        threads,
        || Memory::new().filter(|_| threads == 1),
        |memory, job| {
            let (case, run) = (&cases[job / seeds.len()], job % seeds.len());
            let is_recorded = is_recorded && run == 0;
            // A world stays in the thread that made it.
            let memory = memory.as_mut();
            let mut outcome = super::run(&case.setup, seeds[run], meter, memory, is_recorded);
            let recording = outcome.recording.take();
            outcome.recording = recording.map(|it| it.named(&scenario.name, &case.name));
            outcome
        },
    );
    let mut outcomes = outcomes.into_iter();
    let of_a_case = |_| outcomes.by_ref().take(seeds.len()).collect();
    cases.iter().map(of_a_case).collect()
}

/// How many threads so many jobs are shared among.
pub(crate) fn threads(jobs: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(jobs)
}

/// Does jobs 0 to `jobs` on so many threads, each of which keeps a state of its own; answers what came of
/// them, in order.
pub(crate) fn side_by_side<S, T: Send>(
    jobs: usize,
    threads: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let worker = || {
        let mut state = state();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                return;
            }
            let outcome = work(&mut state, job);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((job, outcome));
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(job, _)| *job);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
