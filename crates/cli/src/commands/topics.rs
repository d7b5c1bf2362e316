//! `bruit topics`: the subscribed topics.

use bruit::view::Topic;
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;

/// List the topics that have a subscriber at this node.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit topics\n  bruit topics --json\n  bruit topics --watch")]
pub(crate) struct Topics {
    /// Show it again every second
    #[arg(long)]
    watch: bool,
}

impl Topics {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        super::print(&client, "/v1/topics", global.json, self.watch, list).await
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "it is what the daemon's answer is read into"
)]
fn list(topics: &Vec<Topic>) -> String {
    if topics.is_empty() {
        return "nobody subscribes here: `bruit sub TOPIC` does".to_owned();
    }
    let rows = topics.iter().map(|topic| {
        [
            topic.topic.clone(),
            topic.subscribers.to_string(),
            format!("{:.1}/s", topic.in_per_s),
            topic.retained.to_string(),
        ]
    });
    output::table(["TOPIC", "SUBSCRIBERS", "IN", "RETAINED"], rows)
}
