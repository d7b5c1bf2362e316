//! `bruit id`: who this node is, and the author keys it holds.
//!
//! A running daemon is asked; without one the keys on disk are, which know neither addresses nor
//! ticket. Keys are made and moved on disk: a daemon finds a new one when it is first used.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bruit::keys::{AuthorEntry, DataFolder, KeyError, Secret};
use bruit_api::types::{Author, Identity};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::folder::Folder;
use crate::output;

/// Most bytes read for a key.
const KEY_BYTES_MAX: u64 = 1_024;

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
    #[command(after_help = "Examples:\n  bruit id keys list\n  bruit id keys new alice")]
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// List the author keys
    #[command(after_help = "Examples:\n  bruit id keys list\n  bruit id keys list --json")]
    List,
    /// Make an author key
    #[command(after_help = "Examples:\n  bruit id keys new alice")]
    New {
        /// What to call it
        name: String,
    },
    /// Print an author key's secret: whoever has it signs in its name
    #[command(after_help = "Examples:\n  bruit id keys export alice > alice.key")]
    Export {
        /// Which key
        name: String,
    },
    /// Take over an author key that was exported
    #[command(
        after_help = "Examples:\n  bruit id keys import alice alice.key\n  bruit id keys import alice - < alice.key"
    )]
    Import {
        /// What to call it
        name: String,
        /// The file with its secret; - reads standard input
        #[arg(default_value = "-")]
        file: PathBuf,
    },
}

/// The ticket alone, as it is printed.
#[derive(Debug, Serialize)]
struct Ticket {
    ticket: String,
}

/// An exported key, as it is printed.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    name: &'a str,
    id: String,
    secret: &'a str,
}

impl Id {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let folder = global.folder()?;
        match &self.command {
            Some(Command::Keys { command }) => command.run(&folder, global.json),
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
    let data = open(folder)?;
    let id = data.node_key().map_err(|error| failure(&error))?.node_id();
    let authors = data.authors().map_err(|error| failure(&error))?;
    Ok(Identity {
        id: id.to_string(),
        addresses: Vec::new(),
        ticket: None,
        authors: authors.into_iter().map(author).collect(),
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
            .map(|key| ("author", format!("{} {}", key.id, key.name))),
    );
    output::pairs(pairs)
}

impl Keys {
    fn run(&self, folder: &Folder, json: bool) -> Result<(), Failure> {
        let data = open(folder)?;
        let text = match self {
            Self::List => {
                let authors = data.authors().map_err(|error| failure(&error))?;
                let authors: Vec<_> = authors.into_iter().map(author).collect();
                if json {
                    output::json(&authors)
                } else {
                    list(&authors)
                }
            }
            Self::New { name } => made(data.new_author(name), json)?,
            Self::Export { name } => export(&data, name, json)?,
            Self::Import { name, file } => {
                let secret = Secret::from_hex(&read(file)?).map_err(|error| failure(&error))?;
                made(data.import_author(name, &secret), json)?
            }
        };
        output::line(&text)?;
        Ok(())
    }
}

fn list(authors: &[Author]) -> String {
    if authors.is_empty() {
        return "no author keys yet: the first `bruit run` makes the one named default".to_owned();
    }
    let rows = authors
        .iter()
        .map(|author| [author.name.clone(), author.id.clone()]);
    output::table(["NAME", "ID"], rows)
}

fn made(entry: Result<AuthorEntry, KeyError>, json: bool) -> Result<String, Failure> {
    let author = author(entry.map_err(|error| failure(&error))?);
    let text = format!("{} {}", author.id, author.name);
    Ok(if json { output::json(&author) } else { text })
}

fn export(data: &DataFolder, name: &str, json: bool) -> Result<String, Failure> {
    let secret = data.author(name).map_err(|error| failure(&error))?;
    let hex = secret.to_hex();
    if !json {
        return Ok(hex.to_string());
    }
    Ok(output::json(&Exported {
        name,
        id: secret.author_id().to_string(),
        secret: &hex,
    }))
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .take(KEY_BYTES_MAX)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(KEY_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::file(file, &error))?;
    Ok(text)
}

fn author(entry: AuthorEntry) -> Author {
    Author {
        name: entry.name,
        id: entry.id.to_string(),
    }
}

fn open(folder: &Folder) -> Result<DataFolder, Failure> {
    DataFolder::open(folder.path()).map_err(|error| failure(&error))
}

/// A key that is not there is a negative result; everything else is for the user to mend.
fn failure(error: &KeyError) -> Failure {
    let exit = match error {
        KeyError::Missing { .. } => Exit::Negative,
        _ => Exit::Usage,
    };
    Failure::new(exit, error.code(), error.to_string(), error.fix())
}
