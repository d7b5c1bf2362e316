//! What can be told of a network that has come to rest.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stage::Stage;
use super::{Measured, Outcome, Start, ran_since};
use crate::scenario::Setup;

pub(super) fn outcome(
    stage: &Stage<'_>,
    setup: &Setup,
    measured: &Measured,
    from: &Start,
) -> Outcome {
    let ledger = stage.world.ledger();
    let delays = delays(stage, measured);
    let due = delays.len();
    let mut delays_ms: Vec<f64> = delays.into_iter().flatten().collect();
    delays_ms.sort_by(f64::total_cmp);
    let bytes = ledger.bytes_by_kind().iter();
    let bytes_by_kind: BTreeMap<u8, u64> = bytes
        .map(|(kind, bytes)| {
            let before = from.bytes_by_kind.get(kind).copied();
            (*kind, bytes - before.unwrap_or_default())
        })
        .collect();
    Outcome {
        nodes: setup.nodes,
        virtual_time: setup.length(),
        delivery_ratio: delivery_ratio(stage, measured),
        delays_ms,
        due,
        totals: ledger.totals().since(from.totals),
        bytes_by_kind,
        last_hop: ledger.last_hop(measured),
        overlay: from.overlay,
        formed: stage.formed,
        repaired: stage.repaired(),
        broken: Vec::new(),
        wall_time: Duration::ZERO,
        memory_kb: None,
        trace: stage.trace(),
        recording: None,
    }
}

/// None where nothing was measured.
fn delivery_ratio(stage: &Stage<'_>, measured: &Measured) -> Option<f64> {
    let mut running = stage.world.alive();
    running.retain(|node| stage.is_honest(*node));
    let ledger = stage.world.ledger();
    let got = |node: &usize| {
        let had = measured.iter().filter(|number| ledger.has(**number, *node));
        had.count()
    };
    let all: usize = running.iter().map(got).sum();
    (!measured.is_empty()).then(|| per_node(f64_of(all), running.len() * measured.len()))
}

/// Of each delivery that is due, in milliseconds; none where it never came.
fn delays(stage: &Stage<'_>, measured: &Measured) -> Vec<Option<f64>> {
    let ledger = stage.world.ledger();
    let mut delays = Vec::new();
    for number in measured {
        let (publisher, at) = (ledger.publisher(*number), ledger.published_at(*number));
        for node in 0..stage.world.len() {
            if node != publisher && stage.is_honest(node) && ran_since(stage, node, at) {
                delays.push(ledger.delay_ms(*number, node));
            }
        }
    }
    delays
}

/// `all` shared out among `nodes`.
pub(super) fn per_node(all: f64, nodes: usize) -> f64 {
    all / f64_of(nodes.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn f64_of(count: usize) -> f64 {
    count as f64
}
