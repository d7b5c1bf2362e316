//! `bruit sim compare A B`: what is different between two reports.

use std::fs;
use std::path::{Path, PathBuf};

use bruit_sim::report::Report;
use bruit_sim::report::compare::Comparison;
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::output;

/// Compare two reports: cases are matched by name, and each column shows both values and how much more
/// the second is. `apart` stands where the ranges over the seeds have nothing in common: of two seeds each at
/// least. What makes two reports unfit to be compared is said above.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit sim compare before after\n  bruit sim compare a/report.json b/report.json --json"
)]
pub(super) struct Compare {
    /// A report, or the folder it is in (`bruit sim … --out DIR`)
    #[arg(value_name = "A")]
    first: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    second: PathBuf,
}

impl Compare {
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let comparison = Comparison::new(&read(&self.first)?, &read(&self.second)?);
        output::line(&if json {
            output::json(&comparison)
        } else {
            output::escape_lines(&comparison.text())
        })?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Report, Failure> {
    let path = if path.is_dir() {
        path.join("report.json")
    } else {
        path.to_owned()
    };
    let text = fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("{} is no report: {error}", path.display());
        let fix = "name what `bruit sim … --out DIR` wrote, DIR or DIR/report.json";
        Failure::new(Exit::Usage, "report", message, fix)
    })
}
