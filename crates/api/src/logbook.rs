//! The last lines of the daemon's log, for who looks from afar, and the handle on what is logged.
//!
//! Invariant: there are never more than [`LINES_MAX`] lines of [`TEXT_BYTES_MAX`]; a reader that is slow
//! loses lines, and is told how many. Nothing is logged from in here.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::types::LogLine;

/// Lines that are kept.
const LINES_MAX: usize = 1_000;
/// Bytes of a line's text.
const TEXT_BYTES_MAX: usize = 4_096;
/// Lines that wait for a reader.
const WAITING_MAX: usize = 256;

/// Why a filter is none: what is wrong with it, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFilter {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// Changes what is logged.
type SetFilter = dyn Fn(&str) -> Result<(), BadFilter> + Send + Sync;

/// The book; clones share it. One made by default is never written in, and has nothing to change.
#[derive(Clone)]
pub struct LogBook(Arc<Shared>);

struct Shared {
    lines: Mutex<VecDeque<Arc<LogLine>>>,
    told: broadcast::Sender<Arc<LogLine>>,
    set: Mutex<Option<Box<SetFilter>>>,
}

impl Default for LogBook {
    fn default() -> Self {
        Self(Arc::new(Shared {
            lines: Mutex::default(),
            told: broadcast::Sender::new(WAITING_MAX),
            set: Mutex::default(),
        }))
    }
}

impl fmt::Debug for LogBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogBook({} lines)", self.lines().len())
    }
}

impl LogBook {
    /// Says what changes the filter.
    pub fn on_filter(&self, set: impl Fn(&str) -> Result<(), BadFilter> + Send + Sync + 'static) {
        let mut own = self.0.set.lock().unwrap_or_else(PoisonError::into_inner);
        *own = Some(Box::new(set));
    }

    /// Keeps a line, and tells it to who listens.
    pub fn write(&self, mut line: LogLine) {
        let mut end = line.text.len().min(TEXT_BYTES_MAX);
        while !line.text.is_char_boundary(end) {
            end -= 1;
        }
        line.text.truncate(end);
        let line = Arc::new(line);
        let mut lines = self.lines();
        if lines.len() >= LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(Arc::clone(&line));
        // Told under the lock: who begins to listen meanwhile has the line once. Nobody may listen.
        let _ = self.0.told.send(line);
    }

    /// The lines that are kept, and those to come.
    pub(crate) fn listen(&self) -> (Vec<Arc<LogLine>>, broadcast::Receiver<Arc<LogLine>>) {
        let lines = self.lines();
        (lines.iter().cloned().collect(), self.0.told.subscribe())
    }

    /// Changes what is logged; none when nobody said how.
    pub(crate) fn set(&self, filter: &str) -> Option<Result<(), BadFilter>> {
        let set = self.0.set.lock().unwrap_or_else(PoisonError::into_inner);
        set.as_ref().map(|set| set(filter))
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<Arc<LogLine>>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: String) -> LogLine {
        LogLine {
            at_ms: 1,
            level: "INFO".into(),
            target: "t".into(),
            text,
        }
    }

    #[tokio::test]
    async fn who_listens_gets_every_line_once_and_the_book_is_bounded() {
        let book = LogBook::default();
        for number in 0..LINES_MAX + 5 {
            book.write(line(number.to_string()));
        }
        let (kept, mut to_come) = book.listen();
        assert_eq!(kept.len(), LINES_MAX);
        assert_eq!(kept[0].text, "5");
        book.write(line("last".into()));
        assert_eq!(to_come.recv().await.unwrap().text, "last");
    }

    #[test]
    fn a_long_line_is_cut_between_two_letters() {
        let book = LogBook::default();
        book.write(line("é".repeat(TEXT_BYTES_MAX) + "x"));
        book.write(line("x".to_owned() + &"é".repeat(TEXT_BYTES_MAX)));
        let kept = book.listen().0;
        assert_eq!(kept[0].text.len(), TEXT_BYTES_MAX);
        assert_eq!(kept[1].text.len(), TEXT_BYTES_MAX - 1);
    }

    #[test]
    fn a_filter_is_set_by_who_can() {
        let book = LogBook::default();
        assert_eq!(book.set("info"), None);
        book.on_filter(|filter| match filter {
            "info" => Ok(()),
            other => Err(BadFilter {
                what: other.to_owned(),
                fix: "write info".to_owned(),
            }),
        });
        assert_eq!(book.set("info"), Some(Ok(())));
        assert_eq!(book.set("x").unwrap().unwrap_err().what, "x");
    }
}
