//! Two reports side by side: cases matched by name, each column with both values and the difference.

use serde::Serialize;

use super::column::COLUMNS;
use super::table::{self, aligned};
use super::{Report, Row};
use crate::stats::Spread;

/// Two reports, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Why they may not be fit to be compared, where they may not.
    pub warnings: Vec<String>,
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
    /// Whether their ranges have nothing in common: a difference that is not the seeds'. One run has no range.
    pub is_apart: bool,
    /// How many runs each report is of.
    pub runs: [usize; 2],
}

/// From so many runs on there is a range.
const RANGE_RUNS: usize = 2;

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
            Some(compared([(row, a.seeds.len()), (other, b.seeds.len())]))
        });
        Self {
            warnings: warnings(a, b),
            cases: both.collect(),
            only_a: only(a, b),
            only_b: only(b, a),
        }
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.warnings.is_empty() {
            parts.push(self.warnings.join("\n"));
        }
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
        if self.cases.is_empty() && self.only_a.is_empty() && self.only_b.is_empty() {
            parts.push("neither has a case".to_owned());
        }
        parts.join("\n\n")
    }
}

/// What makes a comparison of two reports one of different things, or of single runs.
fn warnings(a: &Report, b: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    if a.scenario != b.scenario {
        let (a, b) = (&a.scenario, &b.scenario);
        warnings.push(format!("A is of the scenario {a}, B of {b}"));
    }
    if a.seeds != b.seeds {
        let (a, b) = (seeds(a), seeds(b));
        warnings.push(format!(
            "A was run with {a}, B with {b}: part of a difference is theirs"
        ));
    }
    for (which, report) in [("A", a), ("B", b)] {
        if report.seeds.len() < RANGE_RUNS {
            let seeds = seeds(report);
            let told = format!("{which} has {seeds}: no difference is told from chance (--runs 5)");
            warnings.push(told);
        }
    }
    warnings
}

fn seeds(report: &Report) -> String {
    match report.seeds.as_slice() {
        [] => "no seed".to_owned(),
        [one] => format!("seed {one} alone"),
        [first, .., last] => format!("{} seeds, {first} to {last}", report.seeds.len()),
    }
}

/// Two rows, each with the number of its runs.
fn compared([(a, a_runs), (b, b_runs)]: [(&Row, usize); 2]) -> Compared {
    let have_ranges = a_runs.min(b_runs) >= RANGE_RUNS;
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
            is_apart: have_ranges && both.is_some_and(|(a, b)| are_apart(a, b)),
            runs: [a_runs, b_runs],
        })
    });
    Compared {
        name: a.name.clone(),
        columns: columns.collect(),
    }
}

/// Never is more than everything.
fn are_apart(a: &Spread, b: &Spread) -> bool {
    a.worst() < b.least || b.worst() < a.least
}

fn percent(a: f64, b: f64) -> Option<f64> {
    (a != 0.0).then(|| (b - a) / a.abs() * 100.0)
}

fn line(difference: &Difference) -> Vec<String> {
    let column = super::column::find(&difference.column);
    let value = |spread: Option<Spread>, runs: usize| match (column, spread) {
        (Some(column), Some(spread)) => table::median(column, &spread, runs),
        _ => "-".to_owned(),
    };
    let [a_runs, b_runs] = difference.runs;
    let percent = difference.percent;
    vec![
        format!("  {}", difference.column),
        value(difference.a, a_runs),
        value(difference.b, b_runs),
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
            missing: 0,
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
            version: "1".to_owned(),
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

    #[test]
    fn a_single_run_is_apart_from_nothing_and_that_is_said() {
        let one = |p50| Report {
            seeds: vec![1],
            ..report(vec![row("both", &[("p50_ms", [p50; 3])])])
        };
        let compared = Comparison::new(&one(10.0), &one(90.0));
        assert!(!compared.cases[0].columns[0].is_apart);
        let [a, b] = compared.warnings.as_slice() else {
            panic!("{:?}", compared.warnings);
        };
        assert!(a.starts_with("A has seed 1 alone") && b.starts_with("B has seed 1 alone"));
        assert!(compared.text().starts_with(a));
    }

    #[test]
    fn reports_of_different_scenarios_or_seeds_are_told_apart() {
        let a = report(Vec::new());
        let b = Report {
            scenario: "y".to_owned(),
            seeds: vec![1, 2, 4],
            ..a.clone()
        };
        assert!(Comparison::new(&a, &a).warnings.is_empty());
        let warnings = Comparison::new(&a, &b).warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("x, B of y") && warnings[1].contains("1 to 3"));
    }

    /// What some seeds never came to has no end above.
    #[test]
    fn what_never_came_with_some_seeds_is_not_below_anything() {
        let never = Spread::of([Some(1.0), None]).expect("a run");
        let late = Spread::of([Some(5.0), Some(6.0)]).expect("two runs");
        let soon = Spread::of([Some(0.1), Some(0.2)]).expect("two runs");
        assert!(!are_apart(&never, &late) && are_apart(&soon, &never));
    }
}
