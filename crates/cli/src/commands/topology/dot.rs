//! The graph in the language of [Graphviz](https://graphviz.org/doc/info/lang.html).
//!
//! Invariant: ids and labels are hexadecimal digits, so that nothing in them needs escaping.

use std::fmt::Write as _;

use bruit::view::Topology;

use super::word;

/// `view` as a directed graph: who opened a link points to whom.
pub(super) fn write(view: &Topology) -> String {
    let mut text = "digraph bruit {\n  node [shape=box, fontname=\"monospace\"];\n".to_owned();
    for node in &view.nodes {
        let (id, label, state) = (node.id, &node.label, word(node.state));
        writeln!(text, "  \"{id}\" [label=\"{label}\", tooltip=\"{state}\"];").expect("in memory");
    }
    for link in &view.links {
        let rtt = link
            .rtt_ms
            .map_or_else(String::new, |rtt| format!(" [label=\"{rtt:.1} ms\"]"));
        writeln!(text, "  \"{}\" -> \"{}\"{rtt};", link.from, link.to).expect("in memory");
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::two_nodes;
    use super::*;

    #[test]
    fn a_graph_names_each_node_and_each_link() {
        let text = write(&two_nodes());
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        assert!(text.starts_with("digraph bruit {\n") && text.ends_with("\n}"));
        assert!(text.contains(&format!(
            "\"{one}\" [label=\"01010101\", tooltip=\"alive\"];"
        )));
        assert!(text.contains(&format!("\"{one}\" -> \"{two}\" [label=\"1.5 ms\"];")));
    }
}
