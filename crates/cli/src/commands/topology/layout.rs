//! Where the nodes of a graph are drawn: linked nodes pull each other, all others push (Fruchterman and
//! Reingold 1991, "Graph Drawing by Force-directed Placement"). The same graph lies the same way each time.

use std::f64::consts::TAU;

/// Pairs looked at in all, which bounds the time to about a second.
const WORK: usize = 100_000_000;
/// Rounds at most and at least.
const ROUNDS: (usize, usize) = (30, 300);
/// How far a node moves in the first round, in sides of the square.
const FIRST_STEP: f64 = 0.1;

/// Places in the unit square for `nodes` nodes with `links` between them.
#[expect(clippy::cast_precision_loss, reason = "counts of nodes are small")]
pub(super) fn places(nodes: usize, links: &[(usize, usize)]) -> Vec<(f64, f64)> {
    let on_circle = |node: usize| {
        let angle = TAU * node as f64 / nodes.max(1) as f64;
        (0.5 + 0.4 * angle.cos(), 0.5 + 0.4 * angle.sin())
    };
    let mut places: Vec<_> = (0..nodes).map(on_circle).collect();
    let rounds = (WORK / (nodes * nodes).max(1)).clamp(ROUNDS.0, ROUNDS.1);
    let ideal = (1.0 / nodes.max(1) as f64).sqrt();
    for round in 0..rounds {
        let step = FIRST_STEP * (1.0 - round as f64 / rounds as f64);
        relax(&mut places, links, ideal, step);
    }
    fitted(places)
}

/// One round: each node moves at most `step` along the sum of its forces.
fn relax(places: &mut [(f64, f64)], links: &[(usize, usize)], ideal: f64, step: f64) {
    let mut forces = vec![(0.0, 0.0); places.len()];
    for (node, place) in places.iter().enumerate() {
        for (other, at) in places.iter().enumerate().skip(node + 1) {
            let (x, y) = (place.0 - at.0, place.1 - at.1);
            let push = ideal * ideal / (x * x + y * y).max(1e-9);
            apply(&mut forces, node, other, (x * push, y * push));
        }
    }
    for (node, other) in links.iter().copied() {
        let (x, y) = (
            places[other].0 - places[node].0,
            places[other].1 - places[node].1,
        );
        let pull = x.hypot(y) / ideal;
        apply(&mut forces, node, other, (x * pull, y * pull));
    }
    for (place, force) in places.iter_mut().zip(forces) {
        // A little towards the middle, so that what has no link does not drift away.
        let force = (
            force.0 + (0.5 - place.0) * 0.1,
            force.1 + (0.5 - place.1) * 0.1,
        );
        let length = force.0.hypot(force.1).max(1e-9);
        let scale = step.min(length) / length;
        place.0 += force.0 * scale;
        place.1 += force.1 * scale;
    }
}

/// Adds `force` to one node, and its opposite to the other.
fn apply(forces: &mut [(f64, f64)], node: usize, other: usize, force: (f64, f64)) {
    forces[node].0 += force.0;
    forces[node].1 += force.1;
    forces[other].0 -= force.0;
    forces[other].1 -= force.1;
}

/// The places stretched to fill the unit square.
fn fitted(mut places: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (left, right) = span(&mut places.iter().map(|place| place.0));
    let (top, bottom) = span(&mut places.iter().map(|place| place.1));
    let stretch = |value: f64, low: f64, high: f64| {
        if high - low < 1e-9 {
            0.5
        } else {
            (value - low) / (high - low)
        }
    };
    for place in &mut places {
        *place = (stretch(place.0, left, right), stretch(place.1, top, bottom));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(one: (f64, f64), other: (f64, f64)) -> f64 {
        (one.0 - other.0).hypot(one.1 - other.1)
    }

    #[test]
    fn two_cliques_with_one_link_between_lie_apart() {
        let clique = |first: usize| {
            (first..first + 6).flat_map(move |a| (a + 1..first + 6).map(move |b| (a, b)))
        };
        let mut links: Vec<_> = clique(0).chain(clique(6)).collect();
        links.push((0, 6));
        let places = places(12, &links);
        let within = distance(places[1], places[2]);
        let between = distance(places[1], places[8]);
        assert!(between > 2.0 * within, "{between} and {within}");
    }

    #[test]
    fn every_place_is_in_the_square_whatever_the_graph() {
        for nodes in [0, 1, 2, 50] {
            let places = places(nodes, &[]);
            assert_eq!(places.len(), nodes);
            let is_in = |place: &(f64, f64)| {
                (0.0..=1.0).contains(&place.0) && (0.0..=1.0).contains(&place.1)
            };
            assert!(places.iter().all(is_in), "{places:?}");
        }
    }
}
