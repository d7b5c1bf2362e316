//! `bruit init`: a commented configuration file, and a network secret when asked.

use bruit_api::text;
use clap::Args;
use serde::Serialize;

use crate::args::Global;
use crate::config;
use crate::failure::Failure;
use crate::folder::{self, Folder};
use crate::output;

/// Write a commented configuration file into the data folder. Nothing is overwritten.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit init\n  bruit init --private      a network of your own, with a secret\n  bruit init --data /srv/bruit"
)]
pub(crate) struct Init {
    /// Also make a network secret; nodes without it are strangers
    #[arg(long)]
    private: bool,
}

/// What was written, as it is printed.
#[derive(Debug, Serialize)]
struct Written {
    config: String,
    secret_file: Option<String>,
}

impl Init {
    pub(crate) fn run(&self, global: &Global) -> Result<(), Failure> {
        let folder = global.folder()?;
        refuse_to_overwrite(&folder, self.private)?;
        folder.create()?;
        let set: &[_] = &[("network.secret_file", "\"secret\"".to_owned())];
        if self.private {
            folder::write_private(&folder.secret(), &(secret()? + "\n"))?;
        }
        let template = config::template(if self.private { set } else { &[] });
        folder::write_private(&folder.config(), &template)?;
        let secret = self.private.then(|| folder.secret().display().to_string());
        print(global.json, &folder, secret)
    }
}

fn refuse_to_overwrite(folder: &Folder, private: bool) -> Result<(), Failure> {
    let paths = [Some(folder.config()), private.then(|| folder.secret())];
    match paths.into_iter().flatten().find(|path| path.exists()) {
        None => Ok(()),
        Some(path) => {
            let path = path.display();
            let fix = format!(
                "edit it, move it away (mv {path} {path}.old), or name another folder with --data"
            );
            Err(Failure::usage(format!("{path} exists already"), fix))
        }
    }
}

fn secret() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    let random = getrandom::fill(&mut bytes);
    random.map_err(|error| {
        Failure::usage(
            format!("the system gives no random bytes: {error}"),
            "look at /dev/urandom",
        )
    })?;
    Ok(text::hex(&bytes))
}

fn print(json: bool, folder: &Folder, secret: Option<String>) -> Result<(), Failure> {
    let config = folder.config().display().to_string();
    if json {
        let secret_file = secret;
        output::line(&output::json(&Written {
            config,
            secret_file,
        }))?;
        return Ok(());
    }
    output::line(&format!("wrote {config}"))?;
    if let Some(secret) = secret {
        output::line(&format!(
            "wrote {secret}: copy it to every node of the network, and keep it to yourself"
        ))?;
    }
    output::line(&format!("next: bruit run{}", folder.flag()))?;
    Ok(())
}
