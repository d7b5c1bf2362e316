//! `bruit peers`: the links.

use bruit::view::{Direction, LinkState, Path, Peer};
use clap::Args;

use super::{millis, or_dash, place};
use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::output;

/// List the links to other nodes, or show one of them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit peers\n  bruit peers --all --watch\n  bruit peers 07a1c3f2"
)]
pub(crate) struct Peers {
    /// Show everything about this node: its id, or at least the first 8 characters
    id: Option<String>,
    /// List links that are being opened and closed, too
    #[arg(long)]
    all: bool,
    /// Show it again every second
    #[arg(long)]
    watch: bool,
}

impl Peers {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        if let Some(id) = &self.id {
            let path = format!("/v1/peers/{}", client::encode(id));
            return super::print(&client, &path, global.json, self.watch, one).await;
        }
        let path = if self.all {
            "/v1/peers?all=true"
        } else {
            "/v1/peers"
        };
        super::print(&client, path, global.json, self.watch, list).await
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "it is what the daemon's answer is read into"
)]
fn list(peers: &Vec<Peer>) -> String {
    if peers.is_empty() {
        return "no links: `bruit join ADDRESS` makes one".to_owned();
    }
    let rows = peers.iter().map(|peer| {
        [
            output::short(&peer.id),
            direction(peer.direction).to_owned(),
            place(peer.address.as_ref()),
            path(peer.path).to_owned(),
            millis(peer.rtt_ms),
            output::ago(peer.since_ms),
            output::bytes(peer.bytes_in),
            output::bytes(peer.bytes_out),
            format!("{:.1}", peer.score),
            state(peer.state).to_owned(),
        ]
    });
    let head = [
        "ID",
        "DIRECTION",
        "ADDRESS",
        "PATH",
        "RTT",
        "FOR",
        "IN",
        "OUT",
        "SCORE",
        "STATE",
    ];
    output::table(head, rows)
}

fn one(peer: &Peer) -> String {
    output::pairs([
        ("id", peer.id.to_string()),
        ("direction", direction(peer.direction).to_owned()),
        (
            "address",
            or_dash(peer.address.as_ref().map(ToString::to_string)),
        ),
        ("path", path(peer.path).to_owned()),
        ("round trip", millis(peer.rtt_ms)),
        ("for", output::ago(peer.since_ms)),
        ("received", output::bytes(peer.bytes_in)),
        ("sent", output::bytes(peer.bytes_out)),
        ("score", format!("{:.1}", peer.score)),
        ("state", state(peer.state).to_owned()),
        ("reason", or_dash(peer.reason.clone())),
        ("suspected by", {
            let by = peer.suspected_by.join(", ");
            or_dash((!by.is_empty()).then_some(by))
        }),
    ])
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

fn path(path: Path) -> &'static str {
    match path {
        Path::Direct => "direct",
        Path::Relay => "relay",
    }
}

fn state(state: LinkState) -> &'static str {
    match state {
        LinkState::Connecting => "connecting",
        LinkState::Up => "up",
        LinkState::Suspect => "suspect",
        LinkState::Closing => "closing",
    }
}
