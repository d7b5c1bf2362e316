//! Which parts of a transport want to be polled.
//!
//! Polling a stream takes its connection's lock, so a node with fifty links does not poll them all
//! because one of them has news. Each part has a [`Signal`] for its waker; a waking signal queues
//! itself once and wakes the driver.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use bruit_core::id::LinkId;
use bruit_core::link::Class;
use futures_util::task::AtomicWaker;

/// A part of a transport that is polled by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The stream of incoming connections.
    Accept,
    /// The receiving half of one stream of a link.
    Read(LinkId, Class),
    /// The sending halves of a link.
    Write(LinkId),
}

/// The parts that were woken since they were last polled.
#[derive(Default)]
pub(super) struct Wakeups {
    woken: Mutex<Vec<Arc<Signal>>>,
    driver: AtomicWaker,
}

impl Wakeups {
    /// A waker for `part`.
    pub(super) fn waker(self: &Arc<Self>, part: Part) -> Waker {
        let wakeups = Arc::clone(self);
        Waker::from(Arc::new(Signal {
            part,
            queued: AtomicBool::new(false),
            wakeups,
        }))
    }

    /// Makes `driver` the waker to call. To be called before [`take`](Self::take), or a wake-up
    /// between the two is lost.
    pub(super) fn register(&self, driver: &Waker) {
        self.driver.register(driver);
    }

    /// Appends the woken parts to `into`. Each may be woken again from here on.
    pub(super) fn take(&self, into: &mut VecDeque<Part>) {
        for signal in self
            .woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            signal.queued.store(false, Ordering::Release);
            into.push_back(signal.part);
        }
    }
}

impl fmt::Debug for Wakeups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wakeups").finish_non_exhaustive()
    }
}

/// The waker of one part.
struct Signal {
    part: Part,
    queued: AtomicBool,
    wakeups: Arc<Wakeups>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let wakeups = Arc::clone(&self.wakeups);
        wakeups
            .woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self);
        wakeups.driver.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn part_woken_twice_is_queued_once_until_it_is_taken() {
        let driver = Arc::new(Count::default());
        let wakeups = Arc::new(Wakeups::default());
        wakeups.register(&Waker::from(Arc::clone(&driver)));
        let accept = wakeups.waker(Part::Accept);
        let write = wakeups.waker(Part::Write(LinkId::new(1)));
        let mut taken = VecDeque::new();

        accept.wake_by_ref();
        accept.wake_by_ref();
        write.wake_by_ref();
        wakeups.take(&mut taken);
        assert_eq!(taken, [Part::Accept, Part::Write(LinkId::new(1))]);
        assert_eq!(driver.0.load(Ordering::Relaxed), 1);

        accept.wake_by_ref();
        wakeups.take(&mut taken);
        assert_eq!(taken.back(), Some(&Part::Accept));
    }
}
