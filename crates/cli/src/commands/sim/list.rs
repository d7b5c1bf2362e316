//! `bruit sim list`: the scenarios that are built in.

use bruit_sim::scenario::Scenario;
use serde::Serialize;

use crate::failure::Failure;
use crate::output;

/// A scenario, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    title: String,
    cases: usize,
    /// Of the largest case.
    nodes: usize,
    /// How long one run takes, roughly.
    seconds: u64,
}

pub(super) fn print(json: bool) -> Result<(), Failure> {
    let all = Scenario::names()
        .map(listed)
        .collect::<Result<Vec<_>, _>>()?;
    let text = if json {
        output::json(&all)
    } else {
        let rows = all.into_iter().map(|one| {
            [
                one.name.to_owned(),
                one.cases.to_string(),
                one.nodes.to_string(),
                format!("~{}", output::span(one.seconds)),
                one.title,
            ]
        });
        output::table(["NAME", "CASES", "NODES", "TAKES", "WHAT IT SHOWS"], rows)
    };
    output::line(&text)?;
    Ok(())
}

fn listed(name: &'static str) -> Result<Listed, Failure> {
    let scenario = super::scenario::read(name)?;
    let nodes = scenario.cases.iter().map(|case| case.setup.nodes);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rough number of seconds"
    )]
    let seconds = scenario.effort_s().ceil() as u64;
    Ok(Listed {
        name,
        cases: scenario.cases.len(),
        nodes: nodes.max().unwrap_or_default(),
        seconds,
        title: scenario.title,
    })
}
