//! What weighs on a node from outside: it stands still, it is slow, its disk is full.

use std::collections::BTreeSet;
use std::time::Duration;

use bruit_core::event::Event;
use bruit_core::id::BulletinId;
use bruit_core::time::Mono;

/// How much slower a node is than others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slowness {
    /// What each frame that arrives costs its processor; whatever comes meanwhile waits its turn.
    pub frame: Duration,
    /// Bytes it sends in a second over all links, in place of the terrain's.
    pub uplink_bytes_per_s: Option<u64>,
}

impl Slowness {
    /// Both at once: the slower in each respect.
    pub(crate) fn and(self, other: Self) -> Self {
        let rates = [self, other].map(|one| one.uplink_bytes_per_s);
        Self {
            frame: self.frame.max(other.frame),
            uplink_bytes_per_s: rates.into_iter().flatten().min(),
        }
    }
}

#[derive(Debug, Clone)]
struct Stopped {
    since: Mono,
    /// Whether its monotonic clock stands still as well.
    sleeps: bool,
    /// What happened to it meanwhile.
    waiting: Vec<Event>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plight {
    stopped: Option<Stopped>,
    /// How long it has slept before, all in all.
    slept: Duration,
    pub(crate) slowness: Slowness,
    /// Until when its processor has something to do.
    busy: Mono,
    pub(crate) is_disk_full: bool,
    /// What it delivered and could not keep, or not long enough for it to be synced.
    pub(crate) unkept: BTreeSet<BulletinId>,
    /// What of that it does not know of any more: it died since.
    pub(crate) forgotten: BTreeSet<BulletinId>,
}

impl Plight {
    /// Where what happens to it waits, while it stands still.
    pub(crate) fn waiting(&mut self) -> Option<&mut Vec<Event>> {
        self.stopped.as_mut().map(|stopped| &mut stopped.waiting)
    }

    pub(crate) const fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Whether it has stood still for `time`.
    pub(crate) fn is_stopped_for(&self, time: Duration, now: Mono) -> bool {
        let stopped = self.stopped.as_ref();
        stopped.is_some_and(|stopped| now.since(stopped.since) >= time)
    }

    pub(crate) fn stop(&mut self, now: Mono, sleeps: bool) {
        if self.stopped.is_none() {
            self.stopped = Some(Stopped {
                since: now,
                sleeps,
                waiting: Vec::new(),
            });
        }
    }

    /// Answers what happened while it stood still, in order; none when it did not.
    pub(crate) fn go_on(&mut self, now: Mono) -> Option<Vec<Event>> {
        let stopped = self.stopped.take()?;
        if stopped.sleeps {
            self.slept += now.since(stopped.since);
        }
        Some(stopped.waiting)
    }

    /// How far its monotonic clock is behind the world's.
    pub(crate) const fn slept(&self) -> Duration {
        self.slept
    }

    /// When the processor has dealt with a frame that arrives now; none when it costs nothing.
    pub(crate) fn deal(&mut self, now: Mono) -> Option<Mono> {
        if self.slowness.frame.is_zero() && self.busy <= now {
            return None;
        }
        self.busy = self.busy.max(now).plus(self.slowness.frame);
        Some(self.busy)
    }

    /// When the processor has time again, if it has none now.
    pub(crate) fn busy_until(&self, now: Mono) -> Option<Mono> {
        (self.busy > now).then_some(self.busy)
    }

    /// A process that begins anew owes nothing to the one before.
    pub(crate) fn begin_anew(&mut self) {
        self.forgotten.clone_from(&self.unkept);
        self.stopped = None;
        self.busy = Mono::ZERO;
    }
}
