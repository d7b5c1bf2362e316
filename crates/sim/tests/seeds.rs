//! Networks by chance, in each of which everything that is promised holds.
//!
//! `SEED=n` begins with another seed, `SEEDS=n` runs more of them; `bruit sim seeds` does the same, and
//! writes the network of a seed down.

use bruit_sim::seeds::{self, Range};

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn in_two_hundred_networks_by_chance_everything_that_is_promised_holds() {
    let range = Range {
        first: number("SEED", 1),
        count: number("SEEDS", 200),
    };
    println!("SEED={} SEEDS={}", range.first, range.count);
    let found = seeds::run(range, &range.meter());
    for finding in &found {
        println!("seed {}, {} nodes", finding.seed, finding.nodes);
        if let Some(panic) = &finding.panic {
            println!("  panicked: {panic}");
        }
        for broken in finding.broken.iter().take(5) {
            let (promise, what, at_s) = (broken.promise, &broken.what, broken.at_s);
            println!("  {promise:?}: {what} at {at_s:.1} s");
        }
        if finding.broken.len() > 5 {
            println!("  and {} more", finding.broken.len() - 5);
        }
    }
    assert!(found.is_empty(), "{} of {} seeds", found.len(), range.count);
}
