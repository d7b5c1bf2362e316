//! A report as people read it.

use super::column::{COLUMNS, Column};
use super::{Report, Row};
use crate::stats::Spread;

/// Broken promises that are spelt out.
const TOLD: usize = 10;

/// What was asked, the report as a table, below it what was not kept.
pub fn text(report: &Report) -> String {
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| {
            let mut cases = report.cases.iter();
            cases.any(|row| row.columns.contains_key(column.key))
        })
        .collect();
    let mut head = vec!["CASE".to_owned(), "NODES".to_owned()];
    head.extend(columns.iter().map(|column| column.head.to_owned()));
    let mut rows = vec![head];
    for row in &report.cases {
        rows.extend(lines(row, &columns, report.seeds.len()));
    }
    let mut parts = vec![title(report), report.about.trim().to_owned()];
    parts.extend([aligned(&rows), broken(report)]);
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn title(report: &Report) -> String {
    let seeds = match report.seeds.as_slice() {
        [one] => format!("seed {one}"),
        [first, .., last] => {
            let count = report.seeds.len();
            format!("the median of {count} seeds, {first} to {last}, with the least and the most")
        }
        [] => "no seed".to_owned(),
    };
    format!("{}: {} ({seeds})", report.scenario, report.title)
}

/// A case takes one line, or three where there is a range.
fn lines(row: &Row, columns: &[&Column], runs: usize) -> Vec<Vec<String>> {
    let line = |name: &str, nodes: String, of: &dyn Fn(&Column, &Spread) -> String| {
        let cells = columns.iter().map(|column| {
            let spread = row.columns.get(column.key);
            spread.map_or_else(|| "-".to_owned(), |spread| of(column, spread))
        });
        let mut line = vec![name.to_owned(), nodes];
        line.extend(cells);
        line
    };
    let median = |column: &Column, spread: &Spread| median(column, spread, runs);
    let mut lines = vec![line(&row.name, row.nodes.to_string(), &median)];
    if runs > 1 {
        let least = |column: &Column, spread: &Spread| column.text(spread.least);
        lines.push(line("  least", String::new(), &least));
        lines.push(line("  most", String::new(), &most));
    }
    lines
}

/// The median of the runs that have a value, and of how many that is where some have none.
pub(super) fn median(column: &Column, spread: &Spread, runs: usize) -> String {
    let text = column.text(spread.median);
    match spread.missing {
        0 => text,
        missing => format!("{text} ({}/{runs})", runs.saturating_sub(missing)),
    }
}

/// The most of all runs: there is none where some have no value.
fn most(column: &Column, spread: &Spread) -> String {
    if spread.missing > 0 {
        return "-".to_owned();
    }
    column.text(spread.most)
}

/// Columns side by side: the first to the left, as it is a name, the others to the right.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn broken(report: &Report) -> String {
    let count = report.broken();
    if count == 0 {
        return "every promise was kept".to_owned();
    }
    let mut lines = vec![format!("{count} times a promise was not kept:")];
    let failed = report.cases.iter().flat_map(|row| {
        let failed = row.broken.iter();
        failed.map(|failed| (row.name.as_str(), failed))
    });
    for (case, failed) in failed.take(TOLD) {
        let broken = &failed.broken;
        let about = broken.bulletin.as_ref();
        let about = about.map_or(String::new(), |id| format!(", bulletin {}", &id[..16]));
        let (seed, at, what) = (failed.seed, broken.at_s, &broken.what);
        lines.push(format!("  {case}, seed {seed}, {at:.3} s{about}: {what}"));
    }
    if count > TOLD {
        lines.push(format!("  and {} more", count - TOLD));
    }
    lines.join("\n")
}
