//! Connections that cannot be taken: the process has no more descriptors, most likely.
//!
//! Invariant: nobody who is connected waits for that, and the loop does not spin: there is another try after a
//! pause, and a line in the log now and then.

use std::io;
use std::time::{Duration, Instant};

use crate::counters::Counters;

/// Pause until the next try.
const PAUSE: Duration = Duration::from_millis(100);
/// Failures are told this often, with their count.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Whether connections are to be taken at the moment.
#[derive(Debug)]
pub(crate) struct Accepting {
    again: Option<Instant>,
    told: Option<Instant>,
    failures: u64,
    counters: Counters,
}

impl Accepting {
    /// They are.
    pub(crate) const fn new(counters: Counters) -> Self {
        Self {
            again: None,
            told: None,
            failures: 0,
            counters,
        }
    }

    /// One could not be taken: there is another try after a pause.
    pub(crate) fn failed(&mut self, error: &io::Error, now: Instant) {
        self.counters.count("accept_failed");
        self.again = Some(now + PAUSE);
        self.failures += 1;
        if self.told.is_none_or(|told| now >= told + TOLD_EVERY) {
            tracing::warn!(%error, count = self.failures, "connections cannot be taken: new ones wait");
            self.told = Some(now);
            self.failures = 0;
        }
    }

    /// When the next try is; none when it may be now.
    pub(crate) const fn again(&self) -> Option<Instant> {
        self.again
    }

    /// The pause is over.
    pub(crate) const fn resume(&mut self) {
        self.again = None;
    }
}

/// Whether this process, or the machine, has no more descriptors: that says nothing of whom it wanted to reach.
/// The numbers are those of every Unix, ENFILE and EMFILE.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_there_is_a_pause_and_every_failure_counts() {
        let counters = Counters::default();
        let mut accepting = Accepting::new(counters.clone());
        assert_eq!(accepting.again(), None);
        let now = Instant::now();
        let error = io::Error::from_raw_os_error(24);
        for at in [now, now + PAUSE] {
            accepting.failed(&error, at);
            assert_eq!(accepting.again(), Some(at + PAUSE));
        }
        assert_eq!(counters.get("accept_failed"), 2);
        // The first was told, the second waits to be.
        assert_eq!(accepting.failures, 1);
        accepting.resume();
        assert_eq!(accepting.again(), None);
        accepting.failed(&error, now + TOLD_EVERY);
        assert_eq!(accepting.failures, 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_process_knows_when_its_descriptors_are_used_up() {
        assert!(is_out_of_descriptors(&io::Error::from_raw_os_error(24)));
        assert!(!is_out_of_descriptors(
            &io::ErrorKind::ConnectionRefused.into()
        ));
    }
}
