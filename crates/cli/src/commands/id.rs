//! `bruit id`: who this node is, and the author keys it holds.
//!
//! A running daemon is asked; without one the keys on disk are, which know neither addresses nor
//! ticket.

use bruit::keys::{DataFolder, KeyName};
use bruit_api::types::{Author, Identity};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::keys::Keys;
use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::folder::Folder;
use crate::output;

/// Show this node's id, addresses, ticket and author keys, or manage the keys.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  bruit id\n  bruit id --ticket\n  bruit id keys new alice\n  bruit pub news --author alice hello"
)]
pub(crate) struct Id {
    /// Print the ticket alone
    #[arg(long)]
    ticket: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Manage the keys that sign bulletins
    #[command(
        after_help = "Examples:\n  bruit id keys list\n  bruit id keys new alice --passphrase\n  bruit id keys unlock alice --for 1h"
    )]
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
}

/// The ticket alone, as it is printed.
#[derive(Debug, Serialize)]
struct Ticket {
    ticket: String,
}

impl Id {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let folder = global.folder()?;
        match &self.command {
            Some(Command::Keys { command }) => command.run(&folder, global.json).await,
            None => self.show(&folder, global.json).await,
        }
    }

    async fn show(&self, folder: &Folder, json: bool) -> Result<(), Failure> {
        let asked: Result<Identity, _> = Client::new(folder).get("/v1/identity").await;
        let identity = match asked {
            Err(failure) if failure.exit == Exit::Unreachable && !self.ticket => {
                from_disk(folder, failure)?
            }
            asked => asked?,
        };
        let text = match (self.ticket, json) {
            (true, _) => {
                let ticket = identity.ticket.ok_or_else(no_address)?;
                if json {
                    output::json(&Ticket { ticket })
                } else {
                    ticket
                }
            }
            (false, true) => output::json(&identity),
            (false, false) => text(&identity),
        };
        output::line(&text)?;
        Ok(())
    }
}

/// What the keys on disk say; where there are none, that no daemon runs is what is wrong.
fn from_disk(folder: &Folder, unreachable: Failure) -> Result<Identity, Failure> {
    if !folder.node_key().exists() {
        return Err(unreachable);
    }
    let data = DataFolder::open(folder.path())?;
    let id = data.stored(&KeyName::Node)?.node_id();
    Ok(Identity {
        id: id.to_string(),
        addresses: Vec::new(),
        ticket: None,
        authors: data.authors()?.into_iter().map(Author::from).collect(),
    })
}

fn no_address() -> Failure {
    Failure::new(
        Exit::Negative,
        "no_address",
        "the node has no address others could dial",
        "give it one with --listen",
    )
}

fn text(identity: &Identity) -> String {
    let mut pairs = vec![("id", identity.id.clone())];
    pairs.extend(
        identity
            .addresses
            .iter()
            .map(|spec| ("address", spec.to_string())),
    );
    pairs.extend(identity.ticket.clone().map(|ticket| ("ticket", ticket)));
    pairs.extend(
        identity
            .authors
            .iter()
            .map(|key| ("author", format!("{} {}{}", key.id, key.name, lock(key)))),
    );
    output::pairs(pairs)
}

/// What is to be said of a key's lock.
fn lock(key: &Author) -> &'static str {
    match (key.protected, key.unlocked) {
        (false, _) => "",
        (true, Some(true)) => " (protected, unlocked)",
        (true, _) => " (protected)",
    }
}
