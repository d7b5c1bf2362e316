//! What is asked of a state: whether it is as promised, whether it is what one came to see.

use super::{Net, State};

impl State {
    /// What is wrong with a node, if anything is.
    pub fn fault(&self) -> Option<&str> {
        self.nodes.iter().find_map(|node| node.fault())
    }

    /// Whether all nodes run.
    pub fn all_run(&self) -> bool {
        self.nodes.iter().all(|node| node.is_running())
    }

    /// Whether every node has every bulletin.
    pub fn is_all_everywhere(&self) -> bool {
        let mut nodes = self.nodes.iter();
        nodes.all(|node| node.delivered().iter().all(|times| *times > 0))
    }
}

impl Net {
    /// Whether nodes that can reach each other have the same bulletins.
    pub fn are_equal(&self, state: &State) -> bool {
        let parts = self.parts(state);
        let pairs = (0..parts.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
        let has = |node: usize| state.nodes[node].delivered().iter().map(|times| *times > 0);
        pairs
            .filter(|(one, other)| parts[*one] == parts[*other])
            .all(|(one, other)| has(one).eq(has(other)))
    }

    /// Whether both ends of every link say the same of it.
    pub fn are_symmetric(&self, state: &State) -> bool {
        let seen = |node: usize| state.nodes[node].neighbours(&self.cast);
        (0..state.nodes.len()).all(|node| {
            seen(node)
                .into_iter()
                .all(|(peer, link, mesh)| seen(peer).contains(&(node, link, mesh)))
        })
    }

    /// Whether every node reaches every other over links that are in the mesh of both ends.
    pub fn is_whole(&self, state: &State) -> bool {
        self.parts(state).iter().all(|part| *part == 0)
    }

    /// For each node the lowest one it reaches.
    fn parts(&self, state: &State) -> Vec<usize> {
        let mut parts: Vec<usize> = (0..state.nodes.len()).collect();
        for _ in 0..parts.len() {
            for node in 0..parts.len() {
                for (peer, _, mesh) in state.nodes[node].neighbours(&self.cast) {
                    if mesh {
                        let lowest = parts[node].min(parts[peer]);
                        (parts[node], parts[peer]) = (lowest, lowest);
                    }
                }
            }
        }
        parts
    }
}
