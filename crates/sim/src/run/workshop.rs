//! Jobs that lead to more jobs, worked off by several threads.
//!
//! Invariant: a thread waits for more as long as another may find more to do, and no longer, also when that one panics.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What came of a job.
pub(crate) struct Worked<J, T> {
    done: T,
    more: Vec<J>,
}

impl<J, T> Worked<J, T> {
    /// This, and nothing more to do.
    pub(crate) fn done(done: T) -> Self {
        Self {
            done,
            more: Vec::new(),
        }
    }

    /// Also more to do, the last first.
    pub(crate) fn and(self, more: Vec<J>) -> Self {
        Self { more, ..self }
    }
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
            let Worked { done, more } = work(job);
            let mut bench = workshop.bench();
            bench.done.push(done);
            bench.waiting.extend(more);
            drop(bench);
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
            1 => Worked::done(1),
            more => Worked::done(1).and(vec![more / 2, more - more / 2]),
        };
        for threads in [1, 2, 5] {
            let done: Vec<u32> = worked_off(vec![100, 23], threads, halve);
            assert_eq!(done.len(), 199 + 45);
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_job_that_panics_leaves_nobody_waiting() {
        worked_off(vec![1, 2, 3], 2, |number| {
            assert!(number != 2, "two");
            Worked::<u32, u32>::done(number)
        });
    }
}
