//! `bruit ls`: what is held here.

use std::time::Duration;

use bruit_api::text;
use bruit_api::types::Listed;
use clap::Args;

use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::output;

/// List the values this node holds; with --topic or --all, every kind of bulletin.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit ls\n  bruit ls --mine\n  bruit ls --name 'weather/*' --since 1d\n  bruit ls --topic news --contains hello\n\n\
                        RANK is what decides when space is short: bits of work, less the logarithm of the size, less the age \
                        in weeks. The lowest goes first; `bruit boost` raises one."
)]
pub(crate) struct Ls {
    /// Only on this topic, of every kind
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only by this author: an id, the beginning of one, or the name of a key of yours
    #[arg(long, value_name = "AUTHOR")]
    author: Option<String>,
    /// Only with this name, or names that begin so: 'PREFIX*'
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only those made in this last time
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    since: Option<Duration>,
    /// Only with this text in their contents
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// Only by author keys of this node
    #[arg(long, conflicts_with = "author")]
    mine: bool,
    /// Every kind: posts, letters and tombstones too
    #[arg(long)]
    all: bool,
    /// Show it again every second
    #[arg(long)]
    watch: bool,
}

impl Ls {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        super::print(&client, &self.path(), global.json, self.watch, list).await
    }

    fn path(&self) -> String {
        let since = self.since.map(|since| format!("{}ms", since.as_millis()));
        let texts = [
            ("topic", &self.topic),
            ("author", &self.author),
            ("name", &self.name),
            ("tag", &self.tag),
            ("since", &since),
            ("contains", &self.contains),
        ];
        let texts = texts.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("{name}={}", client::encode(value)))
        });
        let flags = [("mine", self.mine), ("all", self.all)];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
        let all: Vec<_> = texts
            .chain(flags.map(|(name, _)| format!("{name}=true")))
            .collect();
        format!("/v1/values?{}", all.join("&"))
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "it is what the daemon's answer is read into"
)]
fn list(listed: &Vec<Listed>) -> String {
    if listed.is_empty() {
        return "nothing of the kind is held here: `bruit put` keeps a value".to_owned();
    }
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
    let rows = listed.iter().map(|value| {
        let left_s = value.expires_ms.saturating_sub(now_ms) / 1_000;
        [
            output::short(&value.id),
            value.kind.clone(),
            output::escape(&value.topic),
            output::short(&value.author),
            super::or_dash(value.name.as_deref().map(output::escape)),
            value.seq.to_string(),
            output::bytes(value.size.into()),
            value.bits.to_string(),
            format!("{:.2}", value.rank),
            output::span(left_s),
        ]
    });
    let head = [
        "ID", "KIND", "TOPIC", "AUTHOR", "NAME", "SEQ", "SIZE", "BITS", "RANK", "LEFT",
    ];
    output::table(head, rows)
}
