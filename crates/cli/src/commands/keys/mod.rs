//! `bruit id keys`: the keys that sign, made, moved, and put under a passphrase.
//!
//! Keys are made and moved on disk: a daemon finds a new one when it is first used. Only locks are the
//! daemon's: it keeps an unlocked key in memory and nowhere else.

mod backup;
mod locks;

use bruit::keys::{AuthorEntry, DataFolder, KeyName, Secret, Stored};
use bruit_api::types::Author;
use clap::{Args, Subcommand};

use self::backup::{Export, Import};
use self::locks::{Lock, Protect, Unlock, Unprotect};
use crate::failure::Failure;
use crate::folder::Folder;
use crate::{output, passphrase};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// List the author keys
    #[command(after_help = "Examples:\n  bruit id keys list\n  bruit id keys list --json")]
    List,
    New(New),
    Export(Export),
    Import(Import),
    Protect(Protect),
    Unprotect(Unprotect),
    Unlock(Unlock),
    Lock(Lock),
}

/// Make an author key
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit id keys new alice\n  bruit id keys new alice --passphrase\n  \
                  bruit id keys new alice --passphrase-file alice.pass"
)]
pub(super) struct New {
    /// What to call it
    name: String,
    #[command(flatten)]
    protection: Protection,
}

/// Whether a new key is put under a passphrase.
#[derive(Debug, Args)]
struct Protection {
    /// Protect it with a passphrase, which the terminal asks for
    #[arg(long)]
    passphrase: bool,
    #[command(flatten)]
    source: passphrase::Source,
}

impl Protection {
    const fn is_wanted(&self) -> bool {
        self.passphrase || self.source.is_given()
    }

    fn apply(&self, secret: Secret) -> Result<Stored, Failure> {
        if !self.is_wanted() {
            return Ok(Stored::Plain(secret));
        }
        Ok(Stored::new(secret, Some(&self.source.new_one()?))?)
    }
}

impl Keys {
    pub(super) async fn run(&self, folder: &Folder, json: bool) -> Result<(), Failure> {
        let data = DataFolder::open(folder.path())?;
        let text = match self {
            Self::List => list(&data, json)?,
            Self::New(command) => {
                let key = command.protection.apply(Secret::random()?)?;
                made(data.keep_author(&command.name, &key)?, json)
            }
            Self::Export(command) => command.run(&data, json)?,
            Self::Import(command) => made(command.run(&data)?, json),
            Self::Protect(command) => command.run(&data, folder, json).await?,
            Self::Unprotect(command) => command.run(&data, json)?,
            Self::Unlock(command) => command.run(&data, folder, json).await?,
            Self::Lock(command) => command.run(folder, json).await?,
        };
        output::line(&text)?;
        Ok(())
    }
}

fn list(data: &DataFolder, json: bool) -> Result<String, Failure> {
    let authors: Vec<_> = data.authors()?.into_iter().map(Author::from).collect();
    if json {
        return Ok(output::json(&authors));
    }
    if authors.is_empty() {
        let text = "no author keys yet: the first `bruit run` makes the one named default";
        return Ok(text.to_owned());
    }
    let kept = |author: &Author| {
        if author.protected {
            "protected"
        } else {
            "plain"
        }
    };
    let rows = authors.iter().map(|author| {
        [
            author.name.clone(),
            author.id.clone(),
            kept(author).to_owned(),
        ]
    });
    Ok(output::table(["NAME", "ID", "KEPT"], rows))
}

/// A key that is there now, as it is printed.
fn made(entry: AuthorEntry, json: bool) -> String {
    let author = Author::from(entry);
    let text = format!("{} {}", author.id, author.name);
    if json { output::json(&author) } else { text }
}

/// The author key of this name.
fn author(name: &str) -> KeyName {
    KeyName::Author(name.to_owned())
}
