//! The gates in small networks. What they are held to in large ones is in `docs/simulation.md`.

use std::time::Duration;

use bruit_sim::gates::{self, Plan};

#[test]
fn small_networks_pass_every_gate() {
    let plan = Plan {
        nodes: 200,
        networks: 2,
        rounds: (10, 10),
        apart: Duration::from_mins(1),
        formed: vec![(100, 10)],
        seed: 1,
    };
    let gates = gates::run(&plan, &plan.meter());
    for gate in &gates {
        println!(
            "{} {} ({} {} {})",
            gate.name, gate.value, gate.rule, gate.bound, gate.unit
        );
    }
    let names: Vec<&str> = gates.iter().map(|gate| gate.name.as_str()).collect();
    let expected = [
        "component-100",
        "component",
        "kill-30",
        "kill-80",
        "merge",
        "merge-delivery",
        "warm-delivery",
        "warm-redundancy",
        "warm-p99",
        "withhold-delivery",
        "withhold-first",
        "sync-equal",
        "sync-recent",
    ];
    assert_eq!(names, expected);
    let short: Vec<_> = gates.iter().filter(|gate| !gate.pass).collect();
    assert!(short.is_empty(), "{short:?}");
}

#[test]
fn a_gate_that_falls_short_says_so() {
    let plan = Plan {
        nodes: 12,
        networks: 1,
        rounds: (1, 1),
        apart: Duration::from_secs(1),
        formed: Vec::new(),
        seed: 1,
    };
    let gates = gates::run(&plan, &plan.meter());
    let merge = gates
        .iter()
        .find(|gate| gate.name == "merge")
        .expect("is measured");
    // A second of silence splits nothing: nothing was shown.
    assert!(!merge.pass, "{merge:?}");
}
