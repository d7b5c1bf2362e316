//! What is wrong with a configuration, where, and what mends it.

use std::fmt;

use crate::failure::{Exit, Failure};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// `section.key`, or as much of it as can be told.
    pub(crate) key: String,
    /// Where it stands: file and line, variable, or flag.
    pub(crate) place: String,
    pub(crate) what: String,
    pub(crate) fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.place, self.what)
    }
}

/// Everything that is wrong, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let (message, fix) = match problems.0.as_slice() {
            [one] => (one.to_string(), one.fix.clone()),
            all => {
                let lines = all.iter().map(|one| format!("{one}: {}", one.fix));
                (
                    lines.collect::<Vec<_>>().join("\n"),
                    format!("mend these {} places", all.len()),
                )
            }
        };
        Self::new(Exit::Usage, "config", message, fix)
    }
}
