//! Author keys on their way to paper, to another machine, and back.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use bruit::keys::{AuthorEntry, DataFolder, KeyError, Secret, Stored};
use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Protection, author};
use crate::failure::Failure;
use crate::{output, passphrase};

/// Most bytes read for a key.
const KEY_BYTES_MAX: usize = 1_024;

/// Print an author key's secret: whoever has it signs in its name
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit id keys export alice > alice.key\n  bruit id keys export alice --words\n  \
                  bruit id keys export alice --file /mnt/stick/alice.key\n\n\
                  A copy in a file is protected by the same passphrase as the key; what is printed is open."
)]
pub(in crate::commands) struct Export {
    /// Which key
    name: String,
    /// Print 24 words to be written on paper (BIP-39)
    #[arg(long, conflicts_with = "file")]
    words: bool,
    /// Copy the key to this new file, for its owner alone, under its passphrase if it has one
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    source: passphrase::Source,
}

/// Take over an author key that was exported
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit id keys import alice alice.key\n  bruit id keys import alice --file alice.key\n  \
                  bruit id keys import alice --words\n  bruit id keys import alice - --passphrase-file alice.pass < alice.key"
)]
pub(in crate::commands) struct Import {
    /// What to call it
    name: String,
    /// The file with its secret; - reads standard input
    #[arg(value_name = "FILE", default_value = "-")]
    input: PathBuf,
    /// The same, as export has it
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    file: Option<PathBuf>,
    /// Read the 24 words of export --words
    #[arg(long)]
    words: bool,
    #[command(flatten)]
    protection: Protection,
}

/// An exported key, as it is printed.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    name: &'a str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    protected: bool,
}

impl Export {
    pub(super) fn run(&self, data: &DataFolder, json: bool) -> Result<String, Failure> {
        let key = author(&self.name);
        let stored = data.stored(&key)?;
        if let Some(path) = &self.file {
            return self.copy(&stored, path, json);
        }
        let passphrase = match stored {
            Stored::Plain(_) => None,
            Stored::Sealed(_) => Some(self.source.existing(&key)?),
        };
        let secret = data.secret(&key, passphrase.as_ref())?;
        let text = if self.words {
            secret.to_words()
        } else {
            secret.to_hex()
        };
        if io::stdout().is_terminal() {
            output::note(&format!(
                "warning: whoever sees this signs as {}; clear the screen when you have it",
                self.name
            ));
        }
        if !json {
            return Ok(text.to_string());
        }
        Ok(output::json(&Exported {
            name: &self.name,
            id: secret.author_id().to_string(),
            secret: (!self.words).then_some(&text),
            words: self.words.then_some(&text),
            file: None,
            protected: false,
        }))
    }

    fn copy(&self, stored: &Stored, path: &Path, json: bool) -> Result<String, Failure> {
        stored.save(path)?;
        let (file, protected) = (path.display().to_string(), stored.is_protected());
        if !json {
            let how = if protected {
                "protected"
            } else {
                "not protected"
            };
            return Ok(format!("{} copied to {file}, {how}", self.name));
        }
        Ok(output::json(&Exported {
            name: &self.name,
            id: stored.author_id().to_string(),
            secret: None,
            words: None,
            file: Some(file),
            protected,
        }))
    }
}

impl Import {
    pub(super) fn run(&self, data: &DataFolder) -> Result<AuthorEntry, Failure> {
        let path = self.file.as_ref().unwrap_or(&self.input);
        if path == Path::new("-") && self.protection.source.is_input() {
            return Err(Failure::usage(
                "standard input cannot hold both the key and the passphrase",
                "name a file for one of them",
            ));
        }
        let text = self.text(path)?;
        let read = if self.words {
            Stored::Plain(Secret::from_words(&text)?)
        } else {
            parse(&text, path)?
        };
        let key = match read {
            Stored::Plain(secret) => self.protection.apply(secret)?,
            Stored::Sealed(_) if self.protection.is_wanted() => {
                let key = author(&self.name);
                return Err(KeyError::Protected { key }.into());
            }
            sealed @ Stored::Sealed(_) => sealed,
        };
        Ok(data.keep_author(&self.name, &key)?)
    }

    fn text(&self, path: &Path) -> Result<Zeroizing<String>, Failure> {
        let mut text = Zeroizing::new(String::with_capacity(KEY_BYTES_MAX));
        let most = KEY_BYTES_MAX as u64;
        let read = if path != Path::new("-") {
            std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text))
        } else if io::stdin().is_terminal() {
            let what = if self.words { "24 words" } else { "key" };
            output::note(&format!("Type the {what}, and Enter:"));
            io::stdin().read_line(&mut text)
        } else {
            io::stdin().lock().take(most).read_to_string(&mut text)
        };
        read.map_err(|error| Failure::file(path, &error))?;
        Ok(text)
    }
}

/// Reads what was exported. Of a text that is no key at all nothing is said but that.
fn parse(text: &str, path: &Path) -> Result<Stored, KeyError> {
    Stored::parse(text, path).map_err(|error| match error {
        KeyError::Length { .. } | KeyError::NotHex { .. } => KeyError::NotAKey,
        error => error,
    })
}
