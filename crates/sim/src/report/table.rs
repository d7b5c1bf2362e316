//! A report as people read it.

use super::column::{COLUMNS, Column};
use super::{Report, Row};
use crate::stats::Spread;

/// Broken promises that are spelt out.
const TOLD: usize = 10;

/// The report as a table, below it what was not kept.
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
    let mut text = format!("{}\n\n{}", title(report), aligned(&rows));
    text.push_str(&broken(report));
    text
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
    let line = |name: &str, nodes: String, of: fn(&Spread) -> f64| {
        let cells = columns.iter().map(|column| {
            let spread = row.columns.get(column.key);
            spread.map_or_else(|| "-".to_owned(), |spread| column.text(of(spread)))
        });
        let mut line = vec![name.to_owned(), nodes];
        line.extend(cells);
        line
    };
    let mut lines = vec![line(&row.name, row.nodes.to_string(), |spread| {
        spread.median
    })];
    if runs > 1 {
        lines.push(line("  least", String::new(), |spread| spread.least));
        lines.push(line("  most", String::new(), |spread| spread.most));
    }
    lines
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
        return "\n\nevery promise was kept".to_owned();
    }
    let mut lines = vec![format!("\n\n{count} times a promise was not kept:")];
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
