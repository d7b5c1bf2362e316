//! `bruit get`: write out a value.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Body, WholeValue};
use clap::Args;

use crate::args::Global;
use crate::client::{self, Client};
use crate::commands::{dave, files};
use crate::failure::{Exit, Failure};
use crate::{output, progress};

/// Write out a value, byte for byte: from here, or from whoever else on the network holds it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit get 07a1c3f2\n  bruit get 07a1c3f2…/weather/today\n  bruit get default/weather/today --json\n  \
                        bruit get 07a1c3f2 --out cat.jpg\n  bruit get 07a1c3f2 --chain\n  bruit get dave:0000005b42a8… --chain --out cat.jpg\n\nAn author is an id, the beginning of \
                        one, or the name of a key of yours. Exit code 1 when nobody had it in time."
)]
pub(crate) struct Get {
    /// A bulletin's id, or AUTHOR/NAME; dave:WORK for a value of dave's network
    #[arg(value_name = "ID|AUTHOR/NAME")]
    address: String,
    /// How long it is looked for
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = text::duration)]
    timeout: Duration,
    /// The whole chain that ends in it, the beginning first
    #[arg(long)]
    chain: bool,
    /// Write it to this file; what an earlier attempt left of a large content is gone on with
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Get {
    /// Most links of a chain that are followed: one that goes round must end.
    const CHAIN_MAX: usize = 100_000;

    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let chain = self.fetch(&client);
        let chain = progress::shown("looking for it", chain).await?;
        if global.json {
            for value in &chain {
                let whole = self.with_contents(&client, value).await?;
                output::line(&output::json(&whole))?;
            }
            if self.out.is_none() {
                return Ok(());
            }
        }
        if let (Some(path), [value]) = (&self.out, chain.as_slice())
            && files::is_manifest(value)
        {
            files::get_file(&client, &value.id, path, self.timeout).await?;
            return Ok(());
        }
        let mut contents = Vec::new();
        for value in &chain {
            contents.extend(if files::is_manifest(value) {
                files::get_content(&client, &value.id, self.timeout).await?
            } else {
                bytes_of(value)?
            });
        }
        match &self.out {
            Some(path) => write_whole(path, &contents),
            None => Ok(std::io::stdout().write_all(&contents)?),
        }
    }

    /// A value with its contents in place of their manifest; without them when they go to a file.
    async fn with_contents(
        &self,
        client: &Client,
        value: &WholeValue,
    ) -> Result<WholeValue, Failure> {
        if !files::is_manifest(value) {
            return Ok(value.clone());
        }
        let body = match &self.out {
            Some(_) => Body::default(),
            None => Body::of(&files::get_content(client, &value.id, self.timeout).await?),
        };
        Ok(WholeValue {
            body,
            ..value.clone()
        })
    }

    /// The value, after what it goes on from when the chain is wanted.
    async fn fetch(&self, client: &Client) -> Result<Vec<WholeValue>, Failure> {
        let mut chain = vec![self.one(client, &self.address).await?];
        while self.chain
            && chain.len() < Self::CHAIN_MAX
            && let Some(prev) = chain.last().and_then(|value| value.prev.clone())
        {
            chain.push(self.one(client, &prev).await?);
        }
        chain.reverse();
        Ok(chain)
    }

    async fn one(&self, client: &Client, address: &str) -> Result<WholeValue, Failure> {
        if let Some(work) = dave::work_in(address)? {
            return dave::get(client, &work, self.timeout).await;
        }
        let path = super::value_path("/v1/values", address)?;
        let timeout = format!("{}ms", self.timeout.as_millis());
        let path = format!("{path}?timeout={}", client::encode(&timeout));
        client.get(&path).await
    }
}

fn bytes_of(value: &WholeValue) -> Result<Vec<u8>, Failure> {
    let contents = value.body.clone().contents().map_err(|error| {
        let message = format!("the daemon's answer is not the one expected: {error}");
        let fix = "use the bruit the daemon runs with";
        Failure::new(Exit::Unreachable, "odd_answer", message, fix)
    })?;
    Ok(contents.to_vec())
}

/// Writes a file under another name first, so that there is all of it or nothing.
fn write_whole(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    std::fs::write(&part, contents)
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|error| Failure::file(path, &error))
}
