//! `bruit trace`: which way a bulletin took.

use bruit::view::{Delivered, Given, How, Trace as View};
use clap::Args;

use super::or_dash;
use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::output;

/// Show which way a bulletin took: who had it from whom and when, and who of the neighbours has it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit trace 07a1c3f2\n  bruit trace 07a1c3f2 --json")]
pub(crate) struct Trace {
    /// The bulletin's id, or at least the first 8 characters of it
    id: String,
}

impl Trace {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let path = format!("/v1/traces/{}", client::encode(&self.id));
        super::print(&client, &path, global.json, false, show).await
    }
}

fn show(view: &View) -> String {
    let first = view.deliveries.first().map_or(0.0, |first| first.at_ms);
    let deliveries = view.deliveries.iter().map(|delivery| {
        let Delivered {
            node,
            from,
            at_ms,
            hops,
        } = delivery;
        [
            output::short(node),
            or_dash(from.map(|from| output::short(&from))),
            hops.to_string(),
            format!("+{:.1} ms", at_ms - first),
        ]
    });
    let deliveries = output::table(["NODE", "FROM", "HOPS", "TIME"], deliveries);
    let pairs = output::pairs([
        ("id", view.id.to_string()),
        ("topic", view.topic.clone()),
        ("size", output::bytes(view.size.into())),
        ("made", format!("{} ago", output::ago(view.created_ms))),
    ]);
    let given = view.given_to.iter().map(|given| {
        let Given { id, how, confirmed } = given;
        let how = match (how, confirmed) {
            (How::First, _) => "says that it had it from this node first",
            (How::Has, true) => "says that it has it",
            (How::Has, false) => "was sent it, or announced it",
        };
        [output::short(id), how.to_owned()]
    });
    let given = output::table(["NEIGHBOUR", "HOW IT HAS IT"], given);
    let note = if view.shared {
        ""
    } else {
        "\n\nThis is what this node saw: with `[topology] share = true` others are asked, too."
    };
    format!("{pairs}\n\n{deliveries}\n\n{given}{note}")
}
