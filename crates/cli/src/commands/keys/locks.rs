//! Passphrases put on keys and taken off, and keys unlocked for the daemon.

use std::time::Duration;

use bruit::keys::{DataFolder, KeyError, KeyName};
use bruit_api::text;
use bruit_api::types::{self, Unlocked};
use clap::Args;
use serde::Serialize;

use super::author;
use crate::client::{self, Client};
use crate::failure::{Exit, Failure};
use crate::folder::Folder;
use crate::{output, passphrase};

/// Put a key under a passphrase
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit id keys protect alice\n  bruit id keys protect default --passphrase-file pass\n  \
                  bruit id keys protect --node\n\n\
                  A daemon asks for the passphrase of its node key when it starts, on the terminal or by\n\
                  bruit run --passphrase-file FILE; author keys are unlocked with bruit id keys unlock NAME.\n\
                  Without the passphrase the key is lost: make a backup first (bruit id keys export)."
)]
pub(in crate::commands) struct Protect {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    source: passphrase::Source,
}

/// Take the passphrase off a key
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit id keys unprotect alice\n  bruit id keys unprotect --node --passphrase-file pass"
)]
pub(in crate::commands) struct Unprotect {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    source: passphrase::Source,
}

/// Let the running daemon sign with a protected key
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit id keys unlock alice\n  bruit id keys unlock alice --for 1h\n  \
                  bruit id keys unlock alice --passphrase-file alice.pass"
)]
pub(in crate::commands) struct Unlock {
    /// Which key
    name: String,
    /// How long [default: until it is locked or the daemon ends]
    #[arg(long = "for", value_name = "TIME", value_parser = text::duration)]
    time: Option<Duration>,
    #[command(flatten)]
    source: passphrase::Source,
}

/// Let the running daemon forget an unlocked key
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit id keys lock alice")]
pub(in crate::commands) struct Lock {
    /// Which key
    name: String,
}

/// A key of the folder.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Which author key
    name: Option<String>,
    /// The node's own key
    #[arg(long)]
    node: bool,
}

impl Which {
    fn key(&self) -> KeyName {
        self.name.as_deref().map_or(KeyName::Node, author)
    }
}

/// Whether a key is under a passphrase, as it is printed.
#[derive(Debug, Serialize)]
struct Kept<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    id: String,
    protected: bool,
}

impl Which {
    fn kept(&self, data: &DataFolder, json: bool) -> Result<String, Failure> {
        let key = self.key();
        let stored = data.stored(&key)?;
        let protected = stored.is_protected();
        let kept = Kept {
            name: self.name.as_deref(),
            id: stored.author_id().to_string(),
            protected,
        };
        let how = if protected {
            "protected"
        } else {
            "not protected any more"
        };
        let text = format!("{key} is {how}");
        Ok(if json { output::json(&kept) } else { text })
    }
}

impl Protect {
    pub(super) async fn run(
        &self,
        data: &DataFolder,
        folder: &Folder,
        json: bool,
    ) -> Result<String, Failure> {
        let key = self.which.key();
        if data.stored(&key)?.is_protected() {
            return Err(KeyError::Protected { key }.into());
        }
        data.protect(&key, &self.source.new_one()?)?;
        // A daemon that has signed with it still has it open.
        if let KeyName::Author(name) = &key
            && let Err(failure) = lock(folder, name).await
            && failure.exit != Exit::Unreachable
        {
            output::note(&format!(
                "warning: the daemon may still sign with it: {}",
                failure.message
            ));
        }
        self.which.kept(data, json)
    }
}

impl Unprotect {
    pub(super) fn run(&self, data: &DataFolder, json: bool) -> Result<String, Failure> {
        let key = protected(data, self.which.key())?;
        data.unprotect(&key, &self.source.existing(&key)?)?;
        self.which.kept(data, json)
    }
}

impl Unlock {
    pub(super) async fn run(
        &self,
        data: &DataFolder,
        folder: &Folder,
        json: bool,
    ) -> Result<String, Failure> {
        // What would fail anyway fails before anybody is asked.
        let key = protected(data, author(&self.name))?;
        let client = Client::new(folder);
        client.check_reachable().await?;
        let request = types::Unlock {
            passphrase: self.source.existing(&key)?,
            time: self.time.map(|time| format!("{}ms", time.as_millis())),
        };
        let path = format!("/v1/keys/{}/unlock", client::encode(&self.name));
        Ok(printed(&client.post(&path, &request).await?, json))
    }
}

impl Lock {
    pub(super) async fn run(&self, folder: &Folder, json: bool) -> Result<String, Failure> {
        Ok(printed(&lock(folder, &self.name).await?, json))
    }
}

async fn lock(folder: &Folder, name: &str) -> Result<Unlocked, Failure> {
    let path = format!("/v1/keys/{}/lock", client::encode(name));
    Client::new(folder).post(&path, &types::Lock {}).await
}

/// `key`, if it is under a passphrase.
fn protected(data: &DataFolder, key: KeyName) -> Result<KeyName, Failure> {
    if data.stored(&key)?.is_protected() {
        return Ok(key);
    }
    Err(KeyError::NotProtected { key }.into())
}

fn printed(unlocked: &Unlocked, json: bool) -> String {
    let how = if unlocked.unlocked {
        "unlocked"
    } else {
        "locked"
    };
    let text = format!("{} {how}", unlocked.name);
    if json { output::json(unlocked) } else { text }
}
