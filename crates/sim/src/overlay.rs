//! Static random graphs for comparators: who is linked to whom, for good.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use crate::draw::{below, shuffle};

/// Two nodes to link; the first one dials.
pub type Edge = (usize, usize);

/// A connected graph of `count` nodes with `degree` links each (one node has one less, where `count` and
/// `degree` are odd): no link to oneself, no two links between the same two. The same arguments give the
/// same graph, in the order of its nodes; who dials is by chance.
///
/// The configuration model (Bollobás 1980): each node has as many stubs as links, and stubs are joined
/// by chance. What must not be is repaired by swapping ends with an edge drawn by chance, which leaves
/// all degrees as they are; so the graph is random, if not exactly uniform among all such graphs.
///
/// # Panics
/// When `degree` is below 2, as no such graph is connected, or above half of `count`: dense graphs leave
/// no room for repairs.
///
/// # Examples
/// ```
/// let edges = bruit_sim::overlay::random_regular(100, 5, 7);
/// assert_eq!(edges.len(), 250);
/// ```
pub fn random_regular(count: usize, degree: usize, seed: u64) -> Vec<Edge> {
    assert!(
        (2..=count / 2).contains(&degree),
        "a degree of {degree} among {count} nodes"
    );
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut graph = Graph::joined(count, degree, &mut rng);
    graph.make_simple(&mut rng);
    graph.connect(&mut rng);
    graph.oriented(&mut rng)
}

/// Edges in no order, with what is needed to swap their ends.
struct Graph {
    count: usize,
    /// Each with its smaller end first.
    edges: Vec<Edge>,
    /// Those that may be: one of each, no loops.
    simple: BTreeSet<Edge>,
    /// Places in `edges` of those that must not be.
    wrong: Vec<usize>,
}

impl Graph {
    fn joined(count: usize, degree: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut stubs: Vec<usize> = (0..count * degree).map(|stub| stub % count).collect();
        shuffle(rng, &mut stubs);
        let mut graph = Self {
            count,
            edges: stubs
                .chunks_exact(2)
                .map(|two| edge(two[0], two[1]))
                .collect(),
            simple: BTreeSet::new(),
            wrong: Vec::new(),
        };
        for (at, (a, b)) in graph.edges.iter().enumerate() {
            if a == b || !graph.simple.insert((*a, *b)) {
                graph.wrong.push(at);
            }
        }
        graph
    }

    /// Swaps the ends of each edge that must not be with those of another one. Where that cannot be, two
    /// others are swapped, and it is tried again.
    fn make_simple(&mut self, rng: &mut ChaCha8Rng) {
        while let Some(at) = self.wrong.last().copied() {
            let (other, third) = (below(rng, self.edges.len()), below(rng, self.edges.len()));
            if !self.swap(at, other, rng) {
                self.swap(other, third, rng);
            }
        }
    }

    /// Makes of the edges `a–b` and `c–d` the edges `a–c` and `b–d`, or `a–d` and `b–c`; whether both
    /// may be. If not, nothing changes.
    fn swap(&mut self, one: usize, other: usize, rng: &mut ChaCha8Rng) -> bool {
        let ((a, b), (c, d)) = (self.edges[one], self.edges[other]);
        let (c, d) = if below(rng, 2) == 0 { (c, d) } else { (d, c) };
        let (first, second) = (edge(a, c), edge(b, d));
        let may_be = |edge: Edge| edge.0 != edge.1 && !self.simple.contains(&edge);
        if first == second || !may_be(first) || !may_be(second) {
            return false;
        }
        for (at, new) in [(one, first), (other, second)] {
            if let Some(place) = self.wrong.iter().position(|wrong| *wrong == at) {
                self.wrong.swap_remove(place);
            } else {
                self.simple.remove(&self.edges[at]);
            }
            self.simple.insert(new);
            self.edges[at] = new;
        }
        true
    }

    /// Swaps ends between an edge of the first node's part and an edge of another, until there is no
    /// other. Two parts become one whenever one of the edges lies on a circle; each part has such edges,
    /// as each node has two links.
    fn connect(&mut self, rng: &mut ChaCha8Rng) {
        loop {
            let is_inside = self.first_part();
            let places = 0..self.edges.len();
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                places.partition(|at| is_inside[self.edges[*at].0]);
            if outside.is_empty() {
                return;
            }
            let one = inside[below(rng, inside.len())];
            let other = outside[below(rng, outside.len())];
            self.swap(one, other, rng);
        }
    }

    /// Which nodes can be reached from the first.
    fn first_part(&self) -> Vec<bool> {
        let mut neighbours = vec![Vec::new(); self.count];
        for (a, b) in &self.edges {
            neighbours[*a].push(*b);
            neighbours[*b].push(*a);
        }
        let mut is_inside = vec![false; self.count];
        let mut frontier = vec![0];
        while let Some(node) = frontier.pop() {
            if !std::mem::replace(&mut is_inside[node], true) {
                frontier.append(&mut neighbours[node]);
            }
        }
        is_inside
    }

    /// Its edges in order, each with the node that dials first.
    fn oriented(mut self, rng: &mut ChaCha8Rng) -> Vec<Edge> {
        self.edges.sort_unstable();
        let mut turn = |(a, b)| if below(rng, 2) == 0 { (a, b) } else { (b, a) };
        self.edges.into_iter().map(&mut turn).collect()
    }
}

fn edge(a: usize, b: usize) -> Edge {
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the parts, by merging; another way than the one that is tested.
    fn parts(count: usize, edges: &[Edge]) -> usize {
        let mut part: Vec<usize> = (0..count).collect();
        for (a, b) in edges {
            let (keep, drop) = (part[*a], part[*b]);
            for label in &mut part {
                if *label == drop {
                    *label = keep;
                }
            }
        }
        part.into_iter().collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn graphs_are_simple_regular_and_connected() {
        let small = (4..=12).flat_map(|count| (2..=count / 2).map(move |degree| (count, degree)));
        let large = [(100, 5), (101, 5), (200, 2), (200, 30)];
        for (count, degree) in small.chain(large) {
            for seed in 0..20 {
                let edges = random_regular(count, degree, seed);
                let case = format!("{count} nodes, degree {degree}, seed {seed}");
                let distinct: BTreeSet<Edge> = edges.iter().map(|(a, b)| edge(*a, *b)).collect();
                assert_eq!(distinct.len(), edges.len(), "{case}");
                let mut degrees = vec![0; count];
                for (a, b) in &edges {
                    assert_ne!(a, b, "{case}");
                    degrees[*a] += 1;
                    degrees[*b] += 1;
                }
                let short = degrees.iter().filter(|own| **own != degree).count();
                assert_eq!(short, count * degree % 2, "{case}: {degrees:?}");
                assert_eq!(parts(count, &edges), 1, "{case}");
            }
        }
    }

    #[test]
    fn a_seed_gives_one_graph_and_another_seed_another() {
        assert_eq!(random_regular(50, 5, 1), random_regular(50, 5, 1));
        assert_ne!(random_regular(50, 5, 1), random_regular(50, 5, 2));
    }
}
