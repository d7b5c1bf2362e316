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
