//! The graph as a picture.
//!
//! Invariant: ids and labels are hexadecimal digits, so that nothing in them needs escaping.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bruit::view::{MemberState, Topology};

use super::layout;
use super::word;

/// Side of the picture in pixels, and its margin.
const SIDE: f64 = 1_000.0;
const MARGIN: f64 = 60.0;
/// Above so many nodes labels would hide each other.
const LABELLED_MAX: usize = 150;

/// Draws `view`: an arrowhead at whom a link was opened to; who is suspect or dead also by its shape.
pub(super) fn draw(view: &Topology) -> String {
    let index: BTreeMap<_, _> = view
        .nodes
        .iter()
        .zip(0..)
        .map(|(node, at)| (node.id, at))
        .collect();
    let ends =
        |link: &bruit::view::TopologyLink| Some((*index.get(&link.from)?, *index.get(&link.to)?));
    let links: Vec<(usize, usize)> = view.links.iter().filter_map(ends).collect();
    let places = layout::places(view.nodes.len(), &links);
    let pixel = |at: usize| {
        let scale = |part: f64| MARGIN + part * (SIDE - 2.0 * MARGIN);
        (scale(places[at].0), scale(places[at].1))
    };
    let mut svg = head(view);
    for (from, to) in links {
        let ((x1, y1), (x2, y2)) = (pixel(from), pixel(to));
        let line = format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n");
        svg.push_str(&line);
    }
    for (at, node) in view.nodes.iter().enumerate() {
        let (x, y) = pixel(at);
        let (class, shape) = (word(node.state), shape(node.state));
        write!(
            svg,
            "<g class=\"{class}\" transform=\"translate({x:.1} {y:.1})\"><title>{} {class}</title>{shape}",
            node.id
        )
        .expect("in memory");
        if view.nodes.len() <= LABELLED_MAX {
            write!(svg, "<text y=\"-12\">{}</text>", node.label).expect("in memory");
        }
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn head(view: &Topology) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIDE} {SIDE}\" role=\"img\">\n\
         <title>{} nodes, {} links</title>\n\
         <style>line{{stroke:#8a8f98;stroke-width:1;marker-end:url(#to)}}\
         text{{font:11px monospace;text-anchor:middle;fill:#20242a}}\
         .alive,.linked{{fill:#1b7f5c}}.known{{fill:#8a8f98}}.suspect{{fill:#b26a00}}.dead{{fill:#b3261e}}\
         @media(prefers-color-scheme:dark){{svg{{background:#14171b}}text{{fill:#e6e8eb}}}}</style>\n\
         <marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"16\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 1 7 4 0 7z\" fill=\"#8a8f98\"/></marker>\n",
        view.nodes.len(),
        view.links.len(),
    )
}

const fn shape(state: MemberState) -> &'static str {
    match state {
        MemberState::Alive | MemberState::Linked => "<circle r=\"7\"/>",
        MemberState::Known => "<circle r=\"5\"/>",
        MemberState::Suspect => "<path d=\"M0 -9 8 6 -8 6z\"/>",
        MemberState::Dead => {
            "<path d=\"M-6 -6 6 6M6 -6-6 6\" stroke=\"#b3261e\" stroke-width=\"3\"/>"
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bruit::NodeId;
    use bruit::view::{TopologyLink, TopologyNode};

    use super::*;

    pub(in super::super) fn two_nodes() -> Topology {
        let node = |number, state| {
            let id = NodeId::from_bytes([number; 32]);
            let label = id.to_string()[..8].to_owned();
            TopologyNode { id, label, state }
        };
        let nodes = vec![node(1, MemberState::Alive), node(2, MemberState::Suspect)];
        let link = TopologyLink {
            from: nodes[0].id,
            to: nodes[1].id,
            rtt_ms: Some(1.5),
        };
        Topology {
            shared: true,
            nodes,
            links: vec![link],
        }
    }

    #[test]
    fn a_picture_has_a_shape_for_each_node_and_a_line_for_each_link() {
        let svg = draw(&two_nodes());
        assert_eq!(svg.matches("<line ").count(), 1);
        assert_eq!(svg.matches("<g class=").count(), 2);
        assert!(
            svg.contains("class=\"suspect\"") && svg.contains("<title>2 nodes, 1 links</title>")
        );
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
