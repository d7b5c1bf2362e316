//! The gates in small worlds. What they are held to in large ones is in `docs/simulation.md`.

use std::time::Duration;

use bruit_sim::gates;

const NODES: usize = 200;

#[test]
fn component() {
    for seed in 0..20 {
        assert_eq!(gates::parts(100, seed), 1, "seed {seed}");
    }
}

#[test]
fn kill_30() {
    let delivered = gates::after_kill(NODES, 30, Duration::from_mins(1), 1);
    assert!(delivered >= 0.9999, "{delivered}");
}

#[test]
fn kill_80() {
    let delivered = gates::after_kill(NODES, 80, Duration::from_secs(10), 2);
    assert!(delivered >= 0.999, "{delivered}");
}

#[test]
fn merge() {
    let took = gates::merge(NODES, Duration::from_mins(10), 3);
    assert!(
        took.is_some_and(|took| took <= Duration::from_secs(30)),
        "{took:?}"
    );
}

#[test]
fn warm_trees_cost_next_to_nothing_and_are_as_quick_as_flooding() {
    let warm = gates::warm(NODES, 4);
    println!("{warm:?}, ratio {:.3}", warm.p99_ratio());
    assert!(warm.redundancy <= 0.05, "{warm:?}");
    assert!(warm.p99_ratio() <= 1.1, "{warm:?}");
}

#[test]
fn withholding_loses_nothing_and_delays_little() {
    let withheld = gates::withhold(NODES, 30, 5);
    println!("{withheld:?}");
    assert!(withheld.delivered >= 1.0, "{withheld:?}");
    assert!(withheld.first_p99_ms <= 600.0, "{withheld:?}");
}
