//! `bruit topology`: the links this node knows of, as a table, a graph for Graphviz, or a picture.

mod dot;
mod layout;
mod svg;

use std::path::PathBuf;

use bruit::view::{MemberState, Topology as View, TopologyLink};
use clap::Args;

use super::millis;
use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;

/// Where topology is read.
const PATH: &str = "/v1/topology";

/// Show which nodes are linked, as far as this node knows.
///
/// A node knows its own links. With `[topology] share = true` (the default in the profiles lan, local and
/// assignment) it asks the others that share theirs.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit topology\n  bruit topology --dot | dot -Tpdf > network.pdf\n  bruit topology --svg network.svg"
)]
pub(crate) struct Topology {
    /// Print the graph in the language of Graphviz
    #[arg(long, conflicts_with_all = ["svg", "watch"])]
    dot: bool,
    /// Draw the graph into this file
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    svg: Option<PathBuf>,
    /// Show it again every second
    #[arg(long)]
    watch: bool,
}

impl Topology {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        if let Some(path) = &self.svg {
            let view: View = client.get(PATH).await?;
            std::fs::write(path, svg::draw(&view)).map_err(|error| {
                Failure::usage(
                    format!("{} cannot be written: {error}", path.display()),
                    "name a file in a folder you may write to",
                )
            })?;
            output::note(&summary(&view));
            return Ok(());
        }
        if self.dot {
            let view: View = client.get(PATH).await?;
            output::line(&dot::write(&view))?;
            return Ok(());
        }
        super::print(&client, PATH, global.json, self.watch, table).await
    }
}

fn table(view: &View) -> String {
    let rows = view.links.iter().map(|link| {
        let TopologyLink { from, to, rtt_ms } = link;
        [output::short(from), output::short(to), millis(*rtt_ms)]
    });
    let table = output::table(["FROM", "TO", "RTT"], rows);
    format!("{table}\n\n{}", summary(view))
}

fn summary(view: &View) -> String {
    let text = format!("{} nodes, {} links", view.nodes.len(), view.links.len());
    if view.shared {
        format!("{text}, of all nodes that share theirs")
    } else {
        format!(
            "{text} of this node alone: with `[topology] share = true` others are asked for theirs"
        )
    }
}

/// What distinguishes a node beside its colour.
const fn word(state: MemberState) -> &'static str {
    match state {
        MemberState::Linked => "linked",
        MemberState::Alive => "alive",
        MemberState::Suspect => "suspect",
        MemberState::Dead => "dead",
        MemberState::Known => "known",
    }
}
