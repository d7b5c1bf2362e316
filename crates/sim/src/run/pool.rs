//! Several runs at once: each in a thread of its own, as many as there are cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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

/// What came of a job.
pub(crate) enum Worked<J, T> {
    /// This.
    Done(T),
    /// More to do.
    More(Vec<J>),
}

/// What is to be done, and what was.
struct Bench<J, T> {
    waiting: Vec<J>,
    /// Jobs in somebody's hands, which may lead to more.
    busy: usize,
    done: Vec<T>,
}

/// The bench, and a bell for when there is something new on it.
struct Workshop<J, T>(Mutex<Bench<J, T>>, Condvar);

impl<J, T> Workshop<J, T> {
    fn bench(&self) -> MutexGuard<'_, Bench<J, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when nothing is left and nothing can come.
    fn next(&self) -> Option<J> {
        let mut bench = self.bench();
        loop {
            if let Some(job) = bench.waiting.pop() {
                bench.busy += 1;
                return Some(job);
            }
            if bench.busy == 0 {
                return None;
            }
            bench = self.1.wait(bench).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A job in somebody's hands; out of them whatever becomes of it, or the others would wait for ever.
struct Hands<'a, J, T>(&'a Workshop<J, T>);

impl<J, T> Drop for Hands<'_, J, T> {
    fn drop(&mut self) {
        self.0.bench().busy -= 1;
        self.0.1.notify_all();
    }
}

/// Works off `jobs`, the last first, on so many threads; answers what came of them, in no order.
pub(crate) fn worked_off<J: Send, T: Send>(
    jobs: Vec<J>,
    threads: usize,
    work: impl Fn(J) -> Worked<J, T> + Sync,
) -> Vec<T> {
    let bench = Bench {
        waiting: jobs,
        busy: 0,
        done: Vec::new(),
    };
    let workshop = Workshop(Mutex::new(bench), Condvar::new());
    let worker = || {
        while let Some(job) = workshop.next() {
            let hands = Hands(&workshop);
            let step = work(job);
            match step {
                Worked::Done(outcome) => workshop.bench().done.push(outcome),
                Worked::More(jobs) => workshop.bench().waiting.extend(jobs),
            }
            drop(hands);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    let bench = workshop.0.into_inner();
    bench.unwrap_or_else(PoisonError::into_inner).done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_leads_to_is_done_too() {
        let halve = |number: u32| match number {
            1 => Worked::Done(1),
            more => Worked::More(vec![more / 2, more - more / 2]),
        };
        for threads in [1, 2, 5] {
            let done: Vec<u32> = worked_off(vec![100, 23], threads, halve);
            assert_eq!(done.len(), 123);
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_job_that_panics_leaves_nobody_waiting() {
        worked_off(vec![1, 2, 3], 2, |number| {
            assert!(number != 2, "two");
            Worked::<u32, u32>::Done(number)
        });
    }
}
