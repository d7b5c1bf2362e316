//! What the steps came to: a table to read, and a last line to judge by.

use std::fmt;
use std::time::Duration;

/// The results of a run, in the order of its steps.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The step, or the test that could not run here.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// How long it took; `None` for what never started.
    pub(crate) took: Option<Duration>,
}

/// How a step ended; the text says with what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ran and found nothing; the note may be empty.
    Ok(String),
    /// It found something, or could not be started.
    Failed(String),
    /// It cannot run on this machine.
    Skipped(String),
}

impl Report {
    /// Adds a row at the end.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// How many rows failed.
    pub(crate) fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    fn passed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Ok(_)))
    }

    fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|row| is(&row.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .rows
            .iter()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0);
        writeln!(f, "\n━━ summary")?;
        for Row {
            name,
            outcome,
            took,
        } in &self.rows
        {
            let took = took.map_or_else(String::new, seconds);
            writeln!(f, "{name:width$}  {took:>8}  {outcome}")?;
        }
        let (passed, failed, skipped) = (self.passed(), self.failed(), self.skipped());
        writeln!(f, "\n{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match self {
            Self::Ok(text) => ("ok", text),
            Self::Failed(text) => ("failed", text),
            Self::Skipped(text) => ("skipped", text),
        };
        f.write_str(word)?;
        if text.is_empty() {
            Ok(())
        } else {
            write!(f, ": {text}")
        }
    }
}

/// A duration as the table and the headings print it: `12.3 s`.
pub(crate) fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, outcome: Outcome, millis: Option<u64>) -> Row {
        Row {
            name: name.into(),
            outcome,
            took: millis.map(Duration::from_millis),
        }
    }

    #[test]
    fn table_aligns_its_columns_and_ends_with_the_counts() {
        let mut report = Report::default();
        report.push(row("fmt", Outcome::Ok(String::new()), Some(400)));
        report.push(row(
            "clippy",
            Outcome::Failed("exit code 101".into()),
            Some(12_340),
        ));
        report.push(row(
            "namespaces",
            Outcome::Skipped("needs root".into()),
            None,
        ));

        assert_eq!(
            report.to_string(),
            "\n━━ summary\n\
             fmt            0.4 s  ok\n\
             clippy        12.3 s  failed: exit code 101\n\
             namespaces            skipped: needs root\n\
             \n1 passed, 1 failed, 1 skipped\n"
        );
        assert_eq!(report.failed(), 1);
    }

    #[test]
    fn report_without_rows_counts_nothing() {
        assert!(
            Report::default()
                .to_string()
                .ends_with("\n0 passed, 0 failed, 0 skipped\n")
        );
    }
}
