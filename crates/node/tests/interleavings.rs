//! The queues that threads meet at, in every order of events in which at most three threads are
//! interrupted where they need not be: nothing is lost uncounted, nobody sleeps for ever, and who
//! stops, ends.
//!
//! The files are those of the library, compiled here with loom's locks in the place of std's. Loom
//! runs a scenario again for each order, and fails it when all threads sleep.

#![expect(dead_code, reason = "the library uses what these scenarios do not")]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bruit::store::{Stats, StoreError, StoreOptions, StoredBulletin, Write};
use bruit_core::id::LinkId;
use bruit_core::link::Class;
use loom::future::block_on;
use loom::thread;

#[path = "../src/mailbox.rs"]
mod mailbox;
#[path = "../src/store/queue.rs"]
mod queue;
#[path = "../src/turns.rs"]
mod turns;
#[path = "../src/transport/iroh/wakeups.rs"]
mod wakeups;

/// What the library takes from std.
mod sync {
    pub(crate) use loom::sync::atomic;
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
}

use mailbox::{Mailbox, Taken};
use queue::{Health, WriteQueue};
use turns::Turns;
use wakeups::{Part, Wakeups};

/// Runs `scenario` in every order with at most three needless interruptions.
fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(scenario);
}

/// Reads until the end; returns how many items came and how many were missed.
fn read_all(mailbox: &Mailbox<u32>) -> (u64, u64) {
    let (mut taken, mut missed) = (0, 0);
    block_on(async {
        while let Some(next) = poll_fn(|cx| mailbox.poll_take(cx)).await {
            match next {
                Taken::Item(_) => taken += 1,
                Taken::Missed(count) => missed += count,
            }
        }
    });
    (taken, missed)
}

#[test]
fn a_reader_gets_or_misses_everything_and_sees_the_end() {
    for items_max in [1, 3] {
        explore(move || {
            let mailbox = Arc::new(Mailbox::new(items_max, 100));
            let writer = Arc::clone(&mailbox);
            let writer = thread::spawn(move || {
                (0..3).for_each(|item| {
                    writer.put(10, || item);
                });
                writer.close();
            });
            let (taken, missed) = read_all(&mailbox);
            assert_eq!(taken + missed, 3, "lost uncounted");
            writer.join().expect("does not panic");
        });
    }
}

#[test]
fn two_writers_and_an_end_leave_no_reader_asleep() {
    explore(|| {
        let mailbox = Arc::new(Mailbox::new(1, 100));
        let writers = [1, 2].map(|item| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                mailbox.put(10, || item);
            })
        });
        let closer = Arc::clone(&mailbox);
        let closer = thread::spawn(move || closer.close());
        let (taken, missed) = read_all(&mailbox);
        // What is put after the end may stay behind; the end is always seen.
        assert!(taken + missed <= 2);
        for thread in writers.into_iter().chain([closer]) {
            thread.join().expect("does not panic");
        }
    });
}

#[test]
fn what_is_woken_is_polled_however_often_and_whenever_that_happens() {
    explore(|| {
        let wakeups = Arc::new(Wakeups::default());
        let parts = [
            Part::Write(LinkId::new(1)),
            Part::Read(LinkId::new(1), Class::Bulletins),
        ];
        let done = Arc::new(parts.map(|_| sync::atomic::AtomicBool::new(false)));
        let wakers = [0, 1].map(|at| {
            let (waker, done) = (wakeups.waker(parts[at]), Arc::clone(&done));
            thread::spawn(move || {
                waker.wake_by_ref();
                done[at].store(true, sync::atomic::Ordering::Release);
                waker.wake();
            })
        });
        // As the driver does: register, take, and sleep until both parts were seen done.
        let mut seen = std::collections::VecDeque::new();
        let mut is_done = [false; 2];
        block_on(poll_fn(|cx| {
            wakeups.register(cx.waker());
            wakeups.take(&mut seen);
            for part in seen.drain(..) {
                let at = usize::from(part != parts[0]);
                is_done[at] = done[at].load(sync::atomic::Ordering::Acquire);
            }
            if is_done == [true; 2] {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        for waker in wakers {
            waker.join().expect("does not panic");
        }
    });
}

#[test]
fn a_part_woken_twice_is_polled_once() {
    explore(|| {
        let wakeups = Arc::new(Wakeups::default());
        let part = Part::Write(LinkId::new(1));
        let waker = wakeups.waker(part);
        let other = waker.clone();
        let other = thread::spawn(move || other.wake());
        waker.wake_by_ref();
        other.join().expect("does not panic");
        let mut woken = std::collections::VecDeque::new();
        wakeups.take(&mut woken);
        assert_eq!(woken, [part]);
        waker.wake();
        wakeups.take(&mut woken);
        assert_eq!(woken, [part; 2], "it may be woken again once it is taken");
    });
}

#[test]
fn every_write_that_is_taken_in_reaches_the_writer_although_the_store_is_stopped() {
    explore(|| {
        let queue = write_queue();
        let (submitter, stopper) = (Arc::clone(&queue), Arc::clone(&queue));
        let submitter = thread::spawn(move || {
            let writes = [1, 2].map(|number| submitter.submit(Write::Barrier(number)));
            writes.iter().filter(|taken| taken.is_ok()).count()
        });
        let stopper = thread::spawn(move || stopper.stop());
        let mut written = 0;
        while let Some(batch) = queue.next_batch() {
            written += batch.writes.len();
            queue.written(&batch);
        }
        let (health, _) = queue.close();
        assert!(matches!(health, Health::Good));
        let taken_in = submitter.join().expect("does not panic");
        assert_eq!(written, taken_in, "a write is neither written nor refused");
        stopper.join().expect("does not panic");
    });
}

#[test]
fn a_store_that_fails_writes_or_gives_back_every_write_and_refuses_the_rest() {
    explore(|| {
        let queue = write_queue();
        let submitter = Arc::clone(&queue);
        let submitter = thread::spawn(move || {
            let writes = [1, 2].map(|number| submitter.submit(Write::Barrier(number)));
            submitter.stop();
            writes.iter().filter(|taken| taken.is_ok()).count()
        });
        let mut given_up = 0;
        while let Some(batch) = queue.next_batch() {
            given_up += batch.writes.len();
            let error = StoreError::Closed;
            given_up += queue.fail(&error).len();
        }
        assert_eq!(
            given_up,
            submitter.join().expect("does not panic"),
            "nobody was told of a write that is lost"
        );
    });
}

fn write_queue() -> Arc<WriteQueue> {
    let file = "store.redb".into();
    Arc::new(WriteQueue::new(StoreOptions::default(), file, 0))
}

#[test]
fn every_piece_of_work_gets_its_turns_and_no_worker_sleeps_beside_one() {
    struct Piece {
        steps_left: sync::atomic::AtomicUsize,
    }
    explore(|| {
        let turns = Arc::new(Turns::<Piece>::default());
        let workers = [(); 2].map(|()| {
            let turns = Arc::clone(&turns);
            thread::spawn(move || {
                // Each worker does one step, whosever.
                let piece = turns.next(|piece: &Piece| {
                    piece.steps_left.load(sync::atomic::Ordering::Acquire) > 0
                });
                piece
                    .steps_left
                    .fetch_sub(1, sync::atomic::Ordering::AcqRel);
            })
        });
        for steps in [0, 2] {
            turns.add(Piece {
                steps_left: sync::atomic::AtomicUsize::new(steps),
            });
        }
        for worker in workers {
            worker.join().expect("does not panic");
        }
    });
}
