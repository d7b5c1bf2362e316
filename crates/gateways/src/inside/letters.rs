//! Letters between this node and somebody in a foreign system: private, so that they never travel as bulletins do.

use std::fmt;

use bytes::Bytes;

/// A letter that somebody in the foreign system wrote to this node.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignLetter {
    /// Who: the system, a colon, and how they are called there.
    pub from: String,
    /// What it says.
    pub body: Bytes,
}

impl fmt::Debug for ForeignLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignLetter")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// A letter from this node to somebody in the foreign system. One that is dropped was not taken.
pub struct Posting {
    /// Whom to: the system, a colon, and how they are called there.
    pub to: String,
    /// What it says.
    pub body: Bytes,
    answer: Box<dyn FnOnce(Result<(), String>) + Send>,
}

impl Posting {
    /// A letter whose fate is told to `answer`, which returns at once.
    pub fn new(
        to: String,
        body: Bytes,
        answer: impl FnOnce(Result<(), String>) + Send + 'static,
    ) -> Self {
        let answer = Box::new(answer);
        Self { to, body, answer }
    }

    /// Says that it is on its way, or why not.
    pub fn answer(self, taken: Result<(), String>) {
        (self.answer)(taken);
    }
}

impl fmt::Debug for Posting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posting")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}
