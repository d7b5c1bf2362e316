//! The steps of `cargo xtask nightly`: the long forms of what `cargo xtask test` tries briefly.
//!
//! Most use one release build of `bruit`. Each can be run alone, by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::cargo::{Workspace, answer, cargo};
use crate::report::{Outcome, Report};
use crate::step::{execute, timed, with_note};
use crate::test::SKIPS;

/// How long each fuzz target runs.
const FUZZED: Duration = Duration::from_hours(1);
/// How long the soak lasts.
const SOAKED: Duration = Duration::from_hours(2);
/// How many random networks are held to every promise.
const SEEDS: &str = "20000";

/// A step: its name, what it does, and how.
type Step = (&'static str, &'static str, fn(&Night) -> Outcome);

/// All of them, in order.
const STEPS: [Step; 19] = [
    (
        "gates",
        "every gate, ten networks of 10,000 nodes, and that 100 form",
        Night::gates,
    ),
    (
        "seeds",
        "20,000 random networks, every promise",
        Night::seeds,
    ),
    (
        "traces",
        "the same world from a debug and a release build",
        Night::traces,
    ),
    (
        "load",
        "1,000 nodes, 120 bulletins a second, three minutes",
        |night| {
            night.figures(
                "load.toml",
                &[
                    DELIVERED,
                    ("p99_ms", Bound::AtMost(500.0)),
                    ("wall_s", Bound::AtMost(600.0)),
                ],
            )
        },
    ),
    ("ten-thousand", "10,000 nodes, five minutes", |night| {
        night.figures(
            "ten-thousand.toml",
            &[
                DELIVERED,
                ("last_hop", Bound::AtMost(8.0)),
                (
                    "memory_kb",
                    Bound::AtMost(12.0 * 1024.0 * 1024.0 / 10_000.0),
                ),
                ("wall_s", Bound::AtMost(1_800.0)),
            ],
        )
    }),
    (
        "hundred-thousand",
        "100,000 nodes, ten bulletins, in 24 GiB",
        |night| {
            night.drawn(
                "hundred-thousand.toml",
                &[
                    DELIVERED,
                    (
                        "memory_kb",
                        Bound::AtMost(24.0 * 1024.0 * 1024.0 / 100_000.0),
                    ),
                ],
            )
        },
    ),
    (
        "senders",
        "1,000 nodes, every bulletin from one by chance, beside Plumtree and a mesh",
        |night| {
            night.drawn(
                "senders.toml",
                &[
                    DELIVERED,
                    ("p99_ms", Bound::AtMost(300.0)),
                    ("redundancy", Bound::AtMost(2.6)),
                ],
            )
        },
    ),
    (
        "sybils",
        "1,000 honest nodes, as many sybils and up to four times as many, nine attacks",
        |night| {
            night.each(
                "sybils.toml",
                &[DELIVERED, ("p99_ms", Bound::AtMost(3_000.0))],
            )
        },
    ),
    (
        "cold-boot",
        "1,000 honest nodes that start among as many sybils",
        |night| {
            night.figures(
                "cold-boot.toml",
                &[DELIVERED, ("p99_ms", Bound::AtMost(60_000.0))],
            )
        },
    ),
    ("eclipse", "one node surrounded, 200 seeds", Night::eclipse),
    (
        "power-cuts",
        "10,000 scripts of the store, the power cut everywhere",
        |night| night.ignored("power_cut_at_any_operation_of_ten_thousand_scripts"),
    ),
    (
        "damage",
        "10,000 flipped bits in a store, 1,000 cuts of its file",
        |night| night.ignored("ten_thousand_flipped_bits_and_a_thousand_cuts"),
    ),
    (
        "model",
        "a million operations of the store against a model",
        |night| night.ignored("a_million_operations_leave_what_the_model_says"),
    ),
    (
        "soak",
        "two hours of mixed traffic, 200 peers a minute come and go",
        |night| {
            night.daemons(
                "e2e_soak",
                "memory_stays_and_nothing_is_left_of_two_hundred_peers_a_minute",
            )
        },
    ),
    (
        "idle",
        "a node with eight idle neighbours, ten minutes",
        |night| {
            night.daemons(
                "e2e_small",
                "a_node_with_eight_idle_neighbours_takes_half_a_percent_and_200_bytes_a_second_for_each",
            )
        },
    ),
    (
        "hundred-daemons",
        "100 daemons, ten bulletins a second, five minutes",
        |night| {
            night.daemons(
                "e2e_fifty",
                "a_hundred_nodes_carry_ten_bulletins_a_second_for_five_minutes",
            )
        },
    ),
    ("connections", "2,000 connections to one node", |night| {
        night.ignored("an_idle_link_of_two_thousand_takes_at_most_half_more_than_a_bare_connection")
    }),
    (
        "models",
        "small networks, in every order of events there is",
        Night::models,
    ),
    ("fuzz", "every fuzz target, an hour each", Night::fuzz),
];

/// Everything is everywhere.
const DELIVERED: (&str, Bound) = ("delivery_ratio", Bound::AtLeast(1.0));

/// What a figure is held to.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// The help of the command.
pub(crate) fn help() -> String {
    let steps = STEPS.map(|(name, what, _)| format!("  {name:<17} {what}\n"));
    format!(
        "The long checks, some hours of them.\n\nUsage: cargo xtask nightly [STEP...]\n\nSteps:\n{}",
        steps.concat()
    )
}

/// Runs the steps named, or all.
///
/// # Errors
/// Names what is no step.
pub(crate) fn run(workspace: &Workspace, names: &[&str]) -> Result<Report, String> {
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.0 != **name))
    {
        return Err(format!("there is no step `{unknown}`\n\n{}", help()));
    }
    let night = Night {
        workspace: workspace.clone(),
    };
    let mut report = Report::default();
    report.push(timed("release build", || {
        night.cargo("build --release --locked -p bruit-cli")
    }));
    for (name, _, step) in STEPS {
        if names.is_empty() || names.contains(&name) {
            report.push(timed(name, || step(&night)));
        }
    }
    Ok(report)
}

struct Night {
    workspace: Workspace,
}

impl Night {
    fn gates(&self) -> Outcome {
        execute(self.bruit("release").args(["sim", "gates"]))
    }

    fn seeds(&self) -> Outcome {
        execute(
            self.bruit("release")
                .args(["sim", "seeds", "--count", SEEDS]),
        )
    }

    /// A debug build checks every sum for overflow, a release build does not: both must do the same.
    fn traces(&self) -> Outcome {
        let built = self.cargo("build --locked -p bruit-cli");
        if !matches!(built, Outcome::Ok(_)) {
            return built;
        }
        let traces = |profile| {
            let report = answer(self.bruit(profile).args(["sim", "first", "--json"]))?;
            let report: Value = serde_json::from_str(&report).map_err(|error| error.to_string())?;
            traces(&report).ok_or_else(|| "a report without traces".to_owned())
        };
        match (traces("debug"), traces("release")) {
            (Ok(debug), Ok(release)) if debug == release => {
                Outcome::Ok(format!("{} worlds", debug.len()))
            }
            (Ok(_), Ok(_)) => Outcome::Failed("the two builds differ".into()),
            (Err(error), _) | (_, Err(error)) => Outcome::Failed(error),
        }
    }

    /// Runs a scenario of `xtask/nightly` and holds its last case to `bounds`.
    fn figures(&self, scenario: &str, bounds: &[(&str, Bound)]) -> Outcome {
        last_judged(self.simulated(scenario, None), bounds)
    }

    /// The same of every case.
    fn each(&self, scenario: &str, bounds: &[(&str, Bound)]) -> Outcome {
        match self.simulated(scenario, None) {
            Ok(cases) => all_judged(&cases, bounds),
            Err(error) => Outcome::Failed(error),
        }
    }

    /// The same, and its report, plots and recordings are kept.
    fn drawn(&self, scenario: &str, bounds: &[(&str, Bound)]) -> Outcome {
        let name = scenario.trim_end_matches(".toml");
        let kept = self.workspace.target().join("xtask/nightly").join(name);
        let outcome = last_judged(self.simulated(scenario, Some(&kept)), bounds);
        with_note(outcome, &format!("in {}", kept.display()))
    }

    /// The cases of its report.
    fn simulated(&self, scenario: &str, kept: Option<&Path>) -> Result<Vec<Value>, String> {
        let path = self.workspace.root().join("xtask/nightly").join(scenario);
        let mut command = self.bruit("release");
        command.args(["sim", "--json"]).arg(path);
        if let Some(kept) = kept {
            command.arg("--out").arg(kept);
        }
        let report = answer(&mut command)?;
        let mut report: Value = serde_json::from_str(&report).map_err(|error| error.to_string())?;
        match report.get_mut("cases").map(Value::take) {
            Some(Value::Array(cases)) => Ok(cases),
            _ => Err("a report without cases".to_owned()),
        }
    }

    fn eclipse(&self) -> Outcome {
        let name = "a_surrounded_node_keeps_an_honest_link_and_finds_one_again_after_a_restart";
        let args =
            format!("test --release --locked -p bruit-sim --test sybils {name} -- --nocapture");
        println!("$ SEEDS=200 cargo {args}");
        execute(
            self.workspace
                .cargo()
                .args(args.split(' '))
                .env("SEEDS", "200"),
        )
    }

    /// Explores every state of the models, and prints how many there are.
    fn models(&self) -> Outcome {
        let folder = self.workspace.root().join("models");
        println!("$ cargo run --release --locked");
        execute(cargo(&folder).args(["run", "--release", "--locked"]))
    }

    fn fuzz(&self) -> Outcome {
        let fuzz = self.workspace.root().join("fuzz");
        let cargo_fuzz = || {
            let mut command = Command::new("cargo");
            command.args(["+nightly", "fuzz"]).current_dir(&fuzz);
            command
        };
        let Ok(targets) = answer(cargo_fuzz().arg("list")) else {
            return Outcome::Skipped("needs cargo-fuzz and a nightly toolchain".into());
        };
        let time = format!("-max_total_time={}", FUZZED.as_secs());
        let run = |target: &str| {
            let outcome = execute(cargo_fuzz().args(["run", target, "--", &time]));
            matches!(outcome, Outcome::Failed(_)).then(|| target.to_owned())
        };
        let failed: Vec<String> = targets.lines().filter_map(run).collect();
        let count = format!("{} targets", targets.lines().count());
        if failed.is_empty() {
            Outcome::Ok(count)
        } else {
            with_note(Outcome::Failed(failed.join(", ")), &count)
        }
    }

    /// Runs a test of the library that is too long for every day.
    fn ignored(&self, name: &str) -> Outcome {
        self.cargo(&format!(
            "test --release --locked -p bruit --lib {name} -- --ignored"
        ))
    }

    /// Runs a test with real daemons that is too long for every day, and names what it left out.
    fn daemons(&self, binary: &str, name: &str) -> Outcome {
        let args = format!(
            "test --release --locked -p bruit-cli --test {binary} {name} -- --exact --ignored --nocapture"
        );
        println!("$ cargo {args}");
        let skips = self.workspace.target().join("xtask/nightly-skips.txt");
        fs::remove_file(&skips).ok();
        let outcome = execute(
            self.workspace
                .cargo()
                .args(args.split(' '))
                .env(SKIPS, &skips)
                .env("BRUIT_SOAK_S", SOAKED.as_secs().to_string()),
        );
        match fs::read_to_string(&skips) {
            Ok(left_out) => with_note(outcome, &format!("left out: {}", left_out.trim())),
            Err(_) => outcome,
        }
    }

    fn bruit(&self, profile: &str) -> Command {
        let program: PathBuf = self.workspace.target().join(profile).join("bruit");
        Command::new(program)
    }

    fn cargo(&self, args: &str) -> Outcome {
        println!("$ cargo {args}");
        execute(self.workspace.cargo().args(args.split(' ')))
    }
}

/// The traces of all cases.
fn traces(report: &Value) -> Option<Vec<Value>> {
    let cases = report.get("cases")?.as_array()?.iter();
    cases.map(|case| case.get("traces").cloned()).collect()
}

/// Whether the medians of the last case keep within `bounds`; what is not in the report does not, nor what a run
/// is without. The cases before it are there to compare with.
fn judged(case: Option<&Value>, bounds: &[(&str, Bound)]) -> Outcome {
    let value = |key: &str| {
        let spread = case?.get("columns")?.get(key)?;
        let is_missing = spread.get("missing").and_then(Value::as_u64) != Some(0);
        spread.get("median")?.as_f64().filter(|_| !is_missing)
    };
    let mut is_kept = true;
    let mut said = Vec::new();
    for (key, bound) in bounds {
        let value = value(key);
        let (rule, limit, holds) = match *bound {
            Bound::AtMost(limit) => ("at most", limit, value.is_some_and(|value| value <= limit)),
            Bound::AtLeast(limit) => ("at least", limit, value.is_some_and(|value| value >= limit)),
        };
        is_kept &= holds;
        let value = value.map_or("missing".to_owned(), |value| format!("{value:.3}"));
        let rule = if holds {
            String::new()
        } else {
            format!(" (not {rule} {limit})")
        };
        said.push(format!("{key} {value}{rule}"));
    }
    let said = said.join(", ");
    if is_kept {
        Outcome::Ok(said)
    } else {
        Outcome::Failed(said)
    }
}

/// The last case of a report, if there is one.
fn last_judged(cases: Result<Vec<Value>, String>, bounds: &[(&str, Bound)]) -> Outcome {
    match cases {
        Ok(cases) => judged(cases.last(), bounds),
        Err(error) => Outcome::Failed(error),
    }
}

/// Each case by its name; none of them is a failure, too.
fn all_judged(cases: &[Value], bounds: &[(&str, Bound)]) -> Outcome {
    let mut said = Vec::new();
    let mut is_kept = !cases.is_empty();
    for case in cases {
        let name = case.get("name").and_then(Value::as_str).unwrap_or("?");
        let (figures, holds) = match judged(Some(case), bounds) {
            Outcome::Ok(figures) => (figures, true),
            Outcome::Failed(figures) | Outcome::Skipped(figures) => (figures, false),
        };
        is_kept &= holds;
        said.push(format!("{name}: {figures}"));
    }
    let said = said.join("; ");
    if is_kept {
        Outcome::Ok(said)
    } else {
        Outcome::Failed(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_of_the_last_case_is_held_to_its_bound_and_one_that_is_missing_is_not_kept() {
        let report = serde_json::json!({"cases": [
            {"columns": {"p99_ms": {"median": 50.0, "missing": 0}, "delivery_ratio": {"median": 1.0, "missing": 0}}},
            {"columns": {
                "p99_ms": {"median": 480.0, "missing": 0},
                "repair_s": {"median": 1.0, "missing": 4},
                "delivery_ratio": {"median": 0.99, "missing": 0},
            }},
        ]});
        let cases = report["cases"].as_array().unwrap();
        let last = cases.last();
        let p99 = |limit| judged(last, &[("p99_ms", Bound::AtMost(limit))]);
        assert_eq!(p99(500.0), Outcome::Ok("p99_ms 480.000".into()));
        assert_eq!(
            p99(400.0),
            Outcome::Failed("p99_ms 480.000 (not at most 400)".into())
        );
        assert!(matches!(judged(last, &[DELIVERED]), Outcome::Failed(_)));
        let missing = judged(last, &[("wall_s", Bound::AtMost(1.0))]);
        assert_eq!(
            missing,
            Outcome::Failed("wall_s missing (not at most 1)".into())
        );
        let never = judged(last, &[("repair_s", Bound::AtMost(30.0))]);
        assert_eq!(
            never,
            Outcome::Failed("repair_s missing (not at most 30)".into())
        );
        let each = all_judged(cases, &[("p99_ms", Bound::AtMost(400.0))]);
        assert!(
            matches!(&each, Outcome::Failed(said) if said.contains("p99_ms 50.000;")),
            "{each:?}"
        );
        assert!(
            matches!(all_judged(&[], &[]), Outcome::Failed(_)),
            "nothing was shown"
        );
    }

    #[test]
    fn a_step_that_does_not_exist_is_named() {
        let workspace = Workspace::find().unwrap();
        let error = run(&workspace, &["gate"]).unwrap_err();
        assert!(
            error.contains("`gate`") && error.contains("gates"),
            "{error}"
        );
    }

    /// To cargo a name that no test has is no failure.
    #[test]
    fn the_tests_that_steps_run_by_name_are_there() {
        let workspace = Workspace::find().unwrap();
        let me = include_str!("nightly.rs");
        let steps = me.split("mod tests").next().unwrap();
        let is_name = |text: &&str| {
            text.matches('_').count() > 3 && text.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        let names: Vec<&str> = steps.split('"').filter(is_name).collect();
        assert_eq!(names.len(), 8, "{names:?}");
        let mut missing = names.clone();
        let mut folders = vec![workspace.root().join("crates")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    let is_test = |name: &&str| {
                        let mut lines = text.lines();
                        lines.any(|line| line.contains("fn ") && line.contains(*name))
                    };
                    missing.retain(|name| !is_test(name));
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn two_builds_are_compared_by_the_traces_of_all_cases() {
        let report = serde_json::json!({"cases": [{"traces": ["a"]}, {"traces": ["b"]}]});
        assert_eq!(traces(&report).map(|traces| traces.len()), Some(2));
        assert_eq!(traces(&serde_json::json!({"cases": [{}]})), None);
    }
}
