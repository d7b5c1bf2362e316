//! `bruit status`: how the node is doing.

use std::fmt::Write as _;

use bruit::view;
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;

/// Show how the node is doing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit status\n  bruit status --json\n  bruit status --watch")]
pub(crate) struct Status {
    /// Show it again every second
    #[arg(long)]
    watch: bool,
}

impl Status {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        super::print(&client, "/v1/status", global.json, self.watch, show).await
    }
}

fn show(status: &view::Status) -> String {
    let view::Status {
        rates,
        store,
        links,
        ..
    } = status;
    let drops = status.drops.iter().filter(|(_, count)| **count > 0);
    let drops: Vec<_> = drops
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let mut text = output::pairs([
        ("id", status.id.to_string()),
        ("version", status.version.clone()),
        (
            "network",
            format!("{}, size about {}", status.network, status.network_size),
        ),
        ("up", output::span(status.uptime_s)),
        (
            "links",
            format!("{} in, {} out", links.inbound, links.outbound),
        ),
        ("topics", status.topics.to_string()),
        (
            "bulletins",
            format!("{:.1}/s in, {:.1}/s out", rates.in_per_s, rates.out_per_s),
        ),
        (
            "traffic",
            format!(
                "{:.0} B/s in, {:.0} B/s out",
                rates.bytes_in_per_s, rates.bytes_out_per_s
            ),
        ),
        (
            "dropped",
            if drops.is_empty() {
                "nothing".to_owned()
            } else {
                drops.join(", ")
            },
        ),
        (
            "store",
            format!(
                "{} bulletins, {} of {}",
                store.items,
                output::bytes(store.bytes),
                output::bytes(store.limit_bytes)
            ),
        ),
        (
            "price",
            format!(
                "{} (at least 2^{} are asked for now)",
                status.price.min, status.price.floor_log2
            ),
        ),
        (
            "clock",
            format!("{:+} ms against the peers", status.clock_offset_ms),
        ),
        ("privacy", status.privacy.clone()),
    ]);
    for warning in &status.warnings {
        let (what, fix) = (output::escape(&warning.text), output::escape(&warning.fix));
        // Writing into a text cannot fail.
        let _ = write!(text, "\nwarning: {what}\n    fix: {fix}");
    }
    text
}
