//! What a graph of nodes and their neighbours is like: how long the ways in it are, how many neighbours know each
//! other, how many count on each node.
//!
//! The measures of Leitão, Pereira, Rodrigues: *HyParView* (DSN 2007), §2.3. A node's neighbours are whom it counts
//! on, so a graph may have an edge one way only.

use std::collections::VecDeque;

use crate::stats::Summary;

/// A graph.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Of each node, in order and each once.
    neighbours: Vec<Vec<usize>>,
}

/// What it is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Links on the shortest way from one node to another, the mean over those that can be reached; none where no
    /// node reaches another.
    pub path_length: Option<f64>,
    /// Of all pairs of neighbours of a node the share that are neighbours, the mean over all nodes; nothing at a
    /// node with fewer than two.
    pub clustering: f64,
    /// How many count a node among their neighbours, over all nodes.
    pub in_degree: Degrees,
}

/// A number of links over all nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Degrees {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
    /// The fewest.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// Nodes from which the ways to all others are measured.
const SOURCES: usize = 50;

impl Graph {
    /// Of the neighbours of each node, by number.
    ///
    /// # Panics
    /// When a neighbour is not among the nodes.
    pub fn new(mut neighbours: Vec<Vec<usize>>) -> Self {
        let count = neighbours.len();
        for (node, others) in neighbours.iter_mut().enumerate() {
            others.sort_unstable();
            others.dedup();
            others.retain(|other| *other != node);
            assert!(others.iter().all(|other| *other < count), "{node}");
        }
        Self { neighbours }
    }

    /// What it is like; none of no nodes. Ways are measured from fifty nodes, spread evenly.
    pub fn shape(&self) -> Option<Shape> {
        Some(Shape {
            path_length: self.path_length(SOURCES),
            clustering: self.clustering(),
            in_degree: self.in_degree()?,
        })
    }

    fn path_length(&self, sources: usize) -> Option<f64> {
        let count = self.neighbours.len();
        let sources = sources.min(count);
        let (mut links, mut ways) = (0, 0);
        for source in 0..sources {
            for distance in self.distances(source * count / sources) {
                links += distance;
                ways += usize::from(distance > 0);
            }
        }
        (ways > 0).then(|| f64_of(links) / f64_of(ways))
    }

    /// Links from `source` to each node it reaches, itself among them.
    fn distances(&self, source: usize) -> Vec<usize> {
        let mut is_left = vec![true; self.neighbours.len()];
        is_left[source] = false;
        let mut frontier = VecDeque::from([(source, 0)]);
        let mut distances = Vec::new();
        while let Some((node, distance)) = frontier.pop_front() {
            distances.push(distance);
            for other in &self.neighbours[node] {
                if std::mem::take(&mut is_left[*other]) {
                    frontier.push_back((*other, distance + 1));
                }
            }
        }
        distances
    }

    fn clustering(&self) -> f64 {
        let nodes = 0..self.neighbours.len();
        let all: f64 = nodes.map(|node| self.clustering_at(node)).sum();
        all / f64_of(self.neighbours.len().max(1))
    }

    fn clustering_at(&self, node: usize) -> f64 {
        let around = &self.neighbours[node];
        let known = around.iter().map(|one| {
            let others = self.neighbours[*one].iter();
            others
                .filter(|other| around.binary_search(other).is_ok())
                .count()
        });
        let known: usize = known.sum();
        f64_of(known) / f64_of((around.len() * around.len().saturating_sub(1)).max(1))
    }

    fn in_degree(&self) -> Option<Degrees> {
        let mut counts = vec![0_usize; self.neighbours.len()];
        for other in self.neighbours.iter().flatten() {
            counts[*other] += 1;
        }
        let counts: Vec<f64> = counts.into_iter().map(f64_of).collect();
        let Summary { mean, max, .. } = Summary::of(counts.clone())?;
        let squares = counts.iter().map(|count| (count - mean).powi(2));
        let variance = squares.sum::<f64>() / f64_of(counts.len());
        Some(Degrees {
            mean,
            deviation: variance.sqrt(),
            least: counts.iter().copied().fold(f64::INFINITY, f64::min),
            most: max,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn f64_of(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::random_regular;

    /// Each pair is linked both ways.
    fn graph(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Graph {
        let mut neighbours = vec![Vec::new(); count];
        for (a, b) in edges {
            neighbours[a].push(b);
            neighbours[b].push(a);
        }
        Graph::new(neighbours)
    }

    #[track_caller]
    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value}, not {expected}");
    }

    #[test]
    fn a_ring_has_long_ways_and_no_triangles() {
        let ring = graph(7, (0..7).map(|node| (node, (node + 1) % 7)));
        let shape = ring.shape().unwrap();
        // Two nodes each at one, two and three links.
        assert_near(shape.path_length.unwrap(), 2.0);
        assert_near(shape.clustering, 0.0);
        let expected = Degrees {
            mean: 2.0,
            deviation: 0.0,
            least: 2.0,
            most: 2.0,
        };
        assert_eq!(shape.in_degree, expected);
    }

    #[test]
    fn in_a_clique_everybody_is_next_to_everybody() {
        let pairs = (0..5).flat_map(|a| (0..a).map(move |b| (a, b)));
        let shape = graph(5, pairs).shape().unwrap();
        assert_near(shape.path_length.unwrap(), 1.0);
        assert_near(shape.clustering, 1.0);
        assert_near(shape.in_degree.mean, 4.0);
    }

    #[test]
    fn a_star_goes_over_its_middle() {
        let shape = graph(5, (1..5).map(|tip| (0, tip))).shape().unwrap();
        // Of twenty ways eight are of one link, the others of two.
        assert_near(shape.path_length.unwrap(), 1.6);
        assert_near(shape.clustering, 0.0);
        let degree = shape.in_degree;
        assert_eq!((degree.least, degree.most), (1.0, 4.0));
        assert_near(degree.mean, 1.6);
        assert_near(degree.deviation, 1.2);
    }

    #[test]
    fn a_triangle_with_a_tail_has_what_its_nodes_have_on_average() {
        let shape = graph(4, [(0, 1), (1, 2), (2, 0), (0, 3)]).shape().unwrap();
        assert_near(shape.clustering, (1.0 / 3.0 + 1.0 + 1.0) / 4.0);
    }

    #[test]
    fn what_cannot_be_reached_has_no_way_and_an_edge_one_way_counts_at_its_end() {
        let apart = Graph::new(vec![vec![1], vec![], vec![]]);
        let shape = apart.shape().unwrap();
        assert_near(shape.path_length.unwrap(), 1.0);
        assert_near(shape.in_degree.mean, 1.0 / 3.0);
        let alone = Graph::new(vec![vec![], vec![]]).shape().unwrap();
        assert_eq!(alone.path_length, None);
        assert_eq!(Graph::new(Vec::new()).shape(), None);
    }

    #[test]
    fn a_sample_of_the_ways_is_near_all_of_them() {
        let graph = graph(1_000, random_regular(1_000, 5, 1));
        let (some, all) = (graph.path_length(SOURCES), graph.path_length(1_000));
        let (some, all) = (some.unwrap(), all.unwrap());
        assert!((some / all - 1.0).abs() < 0.01, "{some} {all}");
        // The logarithm of 1,000 to the base of four: each node passes on to four others.
        assert!((4.5..5.0).contains(&all), "{all}");
        assert!(graph.clustering() < 0.01);
    }
}
