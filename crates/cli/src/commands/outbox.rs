//! `bruit outbox`: the letters of this node, and how far they have come.

use bruit_api::types::SentLetter;
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;

/// List the letters of this node and its authors, and how far they have come.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit outbox\n  bruit outbox --json\n  bruit outbox --watch")]
pub(crate) struct Outbox {
    /// Show it again every second
    #[arg(long)]
    watch: bool,
}

impl Outbox {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        super::print(&client, "/v1/letters", global.json, self.watch, list).await
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "it is what the daemon's answer is read into"
)]
fn list(letters: &Vec<SentLetter>) -> String {
    if letters.is_empty() {
        return "no letters were sent: `bruit send ID TEXT` sends one".to_owned();
    }
    let rows = letters.iter().map(|letter| {
        [
            output::short(&letter.id),
            output::short(&letter.to),
            letter.state.clone(),
            format!("{} ago", output::ago(letter.created_ms)),
        ]
    });
    output::table(["ID", "TO", "STATE", "WRITTEN"], rows)
}
