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
        let mut chain = Chain::default();
        chain.add(self.one(client, &self.address).await?)?;
        while self.chain
            && let Some(prev) = chain.prev()
        {
            chain.add(self.one(client, &prev).await?)?;
        }
        Ok(chain.into_values())
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

/// The values of a chain, the last one first. All are held until the beginning is known, so there is a bound.
#[derive(Debug, Default)]
struct Chain {
    values: Vec<WholeValue>,
    bytes: u64,
}

impl Chain {
    /// Most values: a chain that goes round must end.
    const VALUES_MAX: usize = 100_000;
    /// Most bytes of all of them: a little more than so many values of dave's have.
    const BYTES_MAX: u64 = 128 << 20;

    /// Takes the next one.
    fn add(&mut self, value: WholeValue) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(value.size.into());
        if self.values.len() >= Self::VALUES_MAX || self.bytes > Self::BYTES_MAX {
            let message = format!(
                "the chain has more than {} values or {} MiB",
                Self::VALUES_MAX,
                Self::BYTES_MAX >> 20
            );
            let fix = "get it in parts: begin with a value nearer to its beginning";
            return Err(Failure::new(Exit::Refused, "chain_too_long", message, fix));
        }
        self.values.push(value);
        Ok(())
    }

    /// What the one taken last goes on from.
    fn prev(&self) -> Option<String> {
        self.values.last().and_then(|value| value.prev.clone())
    }

    /// All of them, the beginning first.
    fn into_values(mut self) -> Vec<WholeValue> {
        self.values.reverse();
        self.values
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

#[cfg(test)]
mod tests {
    use super::*;

    fn value(id: &str, prev: Option<&str>, size: u32) -> WholeValue {
        WholeValue {
            id: id.to_owned(),
            author: String::new(),
            name: None,
            seq: 0,
            tag: None,
            prev: prev.map(str::to_owned),
            size,
            created_ms: 0,
            expires_ms: 0,
            body: Body::default(),
        }
    }

    #[test]
    fn a_chain_is_whole_from_its_beginning() {
        let mut chain = Chain::default();
        chain.add(value("b", Some("a"), 5)).unwrap();
        assert_eq!(chain.prev().as_deref(), Some("a"));
        chain.add(value("a", None, 5)).unwrap();
        assert_eq!(chain.prev(), None);
        let ids: Vec<_> = chain
            .into_values()
            .into_iter()
            .map(|value| value.id)
            .collect();
        assert_eq!(ids, ["a", "b"]);
    }

    /// A part of it was written out as if it were all.
    #[test]
    fn a_chain_without_end_is_an_error() {
        let round = |size| {
            let mut chain = Chain::default();
            loop {
                match chain.add(value("a", Some("a"), size)) {
                    Ok(()) => assert_eq!(chain.prev().as_deref(), Some("a")),
                    Err(failure) => break (failure.code, chain.values.len()),
                }
            }
        };
        assert_eq!(round(1), ("chain_too_long".to_owned(), 100_000));
        assert_eq!(round(1 << 20), ("chain_too_long".to_owned(), 128));
    }
}
