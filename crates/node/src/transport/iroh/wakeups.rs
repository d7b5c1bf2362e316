//! Which parts of a transport want to be polled.
//!
//! Polling a stream takes its connection's lock, so a node with fifty links does not poll them all
//! because one of them has news. Each part has a [`Signal`] for its waker; a waking signal queues
//! itself once and wakes the driver.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::{Wake, Waker};

use bruit_core::id::LinkId;
use bruit_core::link::Class;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    woken: Vec<Arc<Signal>>,
    /// Who is to be told; none once told, until it registers again.
    driver: Option<Waker>,
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
        let mut state = self.state();
        match &mut state.driver {
            Some(known) => known.clone_from(driver),
            none => *none = Some(driver.clone()),
        }
    }

    /// Appends the woken parts to `into`. Each may be woken again from here on.
    pub(super) fn take(&self, into: &mut VecDeque<Part>) {
        for signal in self.state().woken.drain(..) {
            // Reads what the last waker wrote, so that what it did before is seen by who polls.
            signal.queued.swap(false, Ordering::AcqRel);
            into.push_back(signal.part);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut state = wakeups.state();
        state.woken.push(self);
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}
