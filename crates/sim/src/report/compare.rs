//! Two reports side by side: cases matched by name, each column with both values and the difference.

use serde::Serialize;

use super::column::COLUMNS;
use super::table::aligned;
use super::{Report, Row};
use crate::stats::Spread;

/// Two reports, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Cases that both have.
    pub cases: Vec<Compared>,
    /// Names of cases that only the first has.
    pub only_a: Vec<String>,
    /// Names of cases that only the second has.
    pub only_b: Vec<String>,
}

/// A case that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Each column that either has.
    pub columns: Vec<Difference>,
}

/// One column of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The column's key.
    pub column: String,
    /// What the first report says.
    pub a: Option<Spread>,
    /// What the second says.
    pub b: Option<Spread>,
    /// How much more the second median is than the first, in per cent of the first; none where the first
    /// is nothing.
    pub percent: Option<f64>,
    /// Whether their ranges have nothing in common: a difference that is not the seeds'.
    pub is_apart: bool,
}

impl Comparison {
    /// Compares two reports.
    pub fn new(a: &Report, b: &Report) -> Self {
        let has = |report: &Report, name: &str| report.cases.iter().any(|row| row.name == name);
        let only = |one: &Report, other: &Report| {
            let names = one.cases.iter().map(|row| row.name.clone());
            names.filter(|name| !has(other, name)).collect()
        };
        let both = a.cases.iter().filter_map(|row| {
            let other = b.cases.iter().find(|other| other.name == row.name)?;
            Some(compared(row, other))
        });
        Self {
            cases: both.collect(),
            only_a: only(a, b),
            only_b: only(b, a),
        }
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        for case in &self.cases {
            let head = ["A", "B", "B - A", ""].map(str::to_owned);
            let mut rows = vec![vec![case.name.clone()]];
            rows[0].extend(head);
            rows.extend(case.columns.iter().map(line));
            parts.push(aligned(&rows));
        }
        for (which, only) in [("A", &self.only_a), ("B", &self.only_b)] {
            if !only.is_empty() {
                parts.push(format!("only in {which}: {}", only.join(", ")));
            }
        }
        if parts.is_empty() {
            parts.push("neither has a case".to_owned());
        }
        parts.join("\n\n")
    }
}

fn compared(a: &Row, b: &Row) -> Compared {
    let columns = COLUMNS.iter().filter_map(|column| {
        let (a, b) = (a.columns.get(column.key), b.columns.get(column.key));
        if a.is_none() && b.is_none() {
            return None;
        }
        let both = a.zip(b);
        Some(Difference {
            column: column.key.to_owned(),
            a: a.copied(),
            b: b.copied(),
            percent: both.and_then(|(a, b)| percent(a.median, b.median)),
            is_apart: both.is_some_and(|(a, b)| a.most < b.least || b.most < a.least),
        })
    });
    Compared {
        name: a.name.clone(),
        columns: columns.collect(),
    }
}

fn percent(a: f64, b: f64) -> Option<f64> {
    (a != 0.0).then(|| (b - a) / a.abs() * 100.0)
}

fn line(difference: &Difference) -> Vec<String> {
    let column = super::column::find(&difference.column);
    let value = |spread: Option<Spread>| match (column, spread) {
        (Some(column), Some(spread)) => column.text(spread.median),
        _ => "-".to_owned(),
    };
    let percent = difference.percent;
    vec![
        format!("  {}", difference.column),
        value(difference.a),
        value(difference.b),
        percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:+.1} %")),
        if difference.is_apart { "apart" } else { "" }.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn row(name: &str, columns: &[(&str, [f64; 3])]) -> Row {
        let spread = |[least, median, most]: [f64; 3]| Spread {
            median,
            least,
            most,
        };
        let columns = columns
            .iter()
            .map(|(key, values)| ((*key).to_owned(), spread(*values)));
        Row {
            name: name.to_owned(),
            protocol: "rootcast".to_owned(),
            nodes: 10,
            x: None,
            columns: columns.collect(),
            bytes_by_kind: BTreeMap::new(),
            delays_ms: Vec::new(),
            traces: Vec::new(),
            broken_count: 0,
            broken: Vec::new(),
        }
    }

    fn report(cases: Vec<Row>) -> Report {
        Report {
            scenario: "x".to_owned(),
            title: "x".to_owned(),
            about: String::new(),
            seeds: vec![1, 2, 3],
            cases,
            plot: None,
        }
    }

    #[test]
    fn cases_are_matched_by_name_and_differences_told_from_noise() {
        let a = report(vec![
            row("gone", &[]),
            row(
                "both",
                &[
                    ("p50_ms", [10.0, 20.0, 30.0]),
                    ("p99_ms", [40.0, 50.0, 60.0]),
                    ("requests", [0.0; 3]),
                ],
            ),
        ]);
        let b = report(vec![
            row(
                "both",
                &[
                    ("p50_ms", [20.0, 25.0, 40.0]),
                    ("p99_ms", [61.0, 75.0, 80.0]),
                    ("requests", [7.0; 3]),
                    ("repair_s", [1.0; 3]),
                ],
            ),
            row("new", &[]),
        ]);
        let compared = Comparison::new(&a, &b);
        assert_eq!(compared.only_a, ["gone"]);
        assert_eq!(compared.only_b, ["new"]);
        let found: Vec<_> = compared.cases[0]
            .columns
            .iter()
            .map(|column| (column.column.as_str(), column.percent, column.is_apart))
            .collect();
        let expected = [
            ("p50_ms", Some(25.0), false),
            ("p99_ms", Some(50.0), true),
            ("requests", None, true),
            ("repair_s", None, false),
        ];
        assert_eq!(found, expected);
        let text = compared.text();
        let expected = [
            "both         A    B    B - A",
            "  p50_ms    20   25  +25.0 %",
            "  p99_ms    50   75  +50.0 %  apart",
            "  requests   0    7        -  apart",
            "  repair_s   -  1.0        -",
            "",
            "only in A: gone",
            "",
            "only in B: new",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
