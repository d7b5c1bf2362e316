//! `bruit sim gates`: what the protocol is held to, measured.

use std::sync::Arc;
use std::time::Instant;

use bruit_sim::gates::{self, Gate, Plan};
use clap::Args;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output;

/// Hold the protocol to its figures: many networks in virtual time, on all cores. Shares and counts are the
/// worst network's, delays the 99th percentile over the deliveries of all of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit sim gates --quick\n  bruit sim gates --json")]
pub(super) struct Gates {
    /// Five networks instead of ten, split for half a minute instead of ten, and fewer that only form: some eight
    /// minutes on two cores instead of hours
    #[arg(long)]
    quick: bool,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Answer {
    gates: Vec<Gate>,
    seconds: u64,
}

impl Gates {
    pub(super) const fn is_quick(&self) -> bool {
        self.quick
    }

    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        let plan = Plan {
            seed: self.seed,
            ..if self.quick {
                Plan::quick()
            } else {
                Plan::full()
            }
        };
        let began = Instant::now();
        let meter = Arc::new(plan.meter());
        let gates = super::simulated("gates".to_owned(), meter.clone(), move || {
            gates::run(&plan, &meter)
        })
        .await?;
        let answer = Answer {
            gates,
            seconds: began.elapsed().as_secs(),
        };
        output::line(&if json {
            output::json(&answer)
        } else {
            table(&answer.gates)
        })?;
        judged(&answer.gates)
    }
}

fn table(gates: &[Gate]) -> String {
    let rows = gates.iter().map(|gate| {
        [
            gate.name.clone(),
            figure(gate.value),
            format!("{} {} {}", gate.rule, gate.bound, gate.unit),
            gate.nodes.to_string(),
            gate.networks.to_string(),
            if gate.pass { "holds" } else { "falls short" }.to_owned(),
        ]
    });
    output::table(["GATE", "VALUE", "HELD TO", "NODES", "NETWORKS", ""], rows)
}

/// As many digits as tell something.
fn figure(value: f64) -> String {
    match value {
        none if none.is_nan() => "not shown".to_owned(),
        whole if whole.fract() == 0.0 => format!("{whole}"),
        large if large >= 100.0 => format!("{large:.0}"),
        small => format!("{small:.4}"),
    }
}

/// Exit code 1 when some fall short.
fn judged(gates: &[Gate]) -> Result<(), Failure> {
    let short = gates.iter().filter(|gate| !gate.pass);
    let short: Vec<String> = short
        .map(|gate| {
            let (name, rule, bound, unit) = (&gate.name, gate.rule, gate.bound, gate.unit);
            format!(
                "{name} is {} and should be {rule} {bound} {unit}",
                figure(gate.value)
            )
        })
        .collect();
    if short.is_empty() {
        return Ok(());
    }
    let message = short.join("; ");
    let fix =
        "docs/simulation.md says how each is measured; the same --seed measures the same again";
    Err(Failure::new(Exit::Negative, "gates", message, fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(name: &str, value: f64, pass: bool) -> Gate {
        Gate {
            name: name.to_owned(),
            value,
            bound: 0.05,
            pass,
            rule: "at most",
            unit: "copies",
            nodes: 10_000,
            networks: 5,
        }
    }

    #[test]
    fn whoever_falls_short_is_named_with_its_bound_and_nobody_else() {
        let (holds, short) = (
            gate("merge", 0.5, true),
            gate("warm-redundancy", 0.061, false),
        );
        let failure = judged(&[holds.clone(), short]).expect_err("one falls short");
        assert_eq!(failure.exit, Exit::Negative);
        let text = failure.to_string();
        assert!(text.contains("warm-redundancy is 0.0610 and should be at most 0.05 copies"));
        assert!(!text.contains("merge"), "{text}");
        assert!(judged(&[holds]).is_ok());
    }

    #[test]
    fn the_table_says_of_each_gate_what_it_is_held_to_and_whether_it_holds() {
        let table = table(&[gate("merge", 0.5, true), gate("kill-30", f64::NAN, false)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(
            lines[1].contains("0.5000") && lines[1].ends_with("holds"),
            "{table}"
        );
        assert!(
            lines[2].contains("not shown") && lines[2].ends_with("falls short"),
            "{table}"
        );
    }

    #[test]
    fn json_has_the_keys_that_scripts_read_and_null_for_what_was_not_shown() {
        let answer = Answer {
            gates: vec![gate("merge", 0.5, true), gate("kill-30", f64::NAN, false)],
            seconds: 3,
        };
        let json: serde_json::Value =
            serde_json::from_str(&output::json(&answer)).expect("is JSON");
        let [merge, kill] = [&json["gates"][0], &json["gates"][1]];
        assert_eq!(merge["name"], "merge");
        assert_eq!(merge["value"], 0.5);
        assert_eq!(merge["bound"], 0.05);
        assert_eq!(merge["pass"], true);
        assert!(kill["value"].is_null() && kill["pass"] == false, "{kill}");
    }
}
