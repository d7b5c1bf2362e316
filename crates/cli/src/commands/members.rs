//! `bruit members`: all known nodes.

use bruit::view::{Member, MemberState};
use clap::Args;

use super::{or_dash, place};
use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;

/// List all known nodes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit members\n  bruit members --json\n  bruit members --watch"
)]
pub(crate) struct Members {
    /// Show it again every second
    #[arg(long)]
    watch: bool,
}

impl Members {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        super::print(&client, "/v1/members", global.json, self.watch, list).await
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "it is what the daemon's answer is read into"
)]
fn list(members: &Vec<Member>) -> String {
    if members.is_empty() {
        return "no other node is known: `bruit join ADDRESS` makes the first link".to_owned();
    }
    let rows = members.iter().map(|member| {
        let seen = member
            .last_seen_ms
            .map(|ms| format!("{} ago", output::ago(ms)));
        [
            output::short(&member.id),
            place(member.address.as_ref()),
            state(member.state).to_owned(),
            or_dash(seen),
        ]
    });
    output::table(["ID", "ADDRESS", "STATE", "SEEN"], rows)
}

fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Linked => "linked",
        MemberState::Alive => "alive",
        MemberState::Suspect => "suspect",
        MemberState::Dead => "dead",
        MemberState::Known => "known",
    }
}
