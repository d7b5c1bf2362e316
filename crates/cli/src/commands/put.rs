//! `bruit put`: keep a value on the network.

use std::path::PathBuf;
use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Kept, PutValue};
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::commands::{dave, files};
use crate::failure::Failure;
use crate::input::Input;
use crate::{output, progress};

/// Keep a value on the network: by its id, or under a name of its author.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit put 'never changes'\n  bruit put --name weather/today '21 degrees'\n  \
                        bruit put --name weather/today --if-seq 1 '22 degrees'\n  date | bruit put --name clock -\n  \
                        bruit put --file cat.jpg --tag cats --ttl 1h\n  bruit put --via dave 'for dave'\n\nWithout a name a value is had by its id and never \
                        changes. With one, the latest version counts; one with --prev keeps what it goes on from."
)]
pub(crate) struct Put {
    /// The value; - reads standard input
    #[arg(conflicts_with = "file")]
    value: Option<String>,
    /// Put it under this name, in place of what is there: at most 64 bytes
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Go on from this value, which stays: a chain
    #[arg(long, value_name = "ID")]
    prev: Option<String>,
    /// Your own label: at most 32 bytes
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// How long it is kept, up to 28d [default: 28d]
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    ttl: Option<Duration>,
    /// Only if the name is at this count now; 0 when there is to be none
    #[arg(long, value_name = "N", requires = "name")]
    if_seq: Option<u64>,
    /// Put what this file holds: up to 16 MiB
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// The author key that signs: `bruit id keys list` shows them
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// The topic it is on [default: values]
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// When it counts as done: stored, or spread:K for K neighbours
    #[arg(long, value_name = "WORD", value_parser = super::publish::wait)]
    wait: Option<String>,
    /// Mine it for another system's network, into which a gateway takes it; --file cuts it into a chain
    #[arg(long, value_name = "SYSTEM", value_parser = ["dave"], conflicts_with_all = ["name", "topic"])]
    via: Option<String>,
    /// How long to wait for that [default: 10s]
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = text::duration)]
    timeout: Option<Duration>,
}

impl Put {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        if self.via.is_some() {
            let kept = self.put_via_dave(&client).await?;
            return self.print(global, &kept);
        }
        let large = self.file.as_deref().filter(|path| files::is_large(path));
        let kept = match large {
            Some(path) => files::put_file(&client, path, &self.parameters()).await?,
            None => self.put(&client).await?,
        };
        self.print(global, &kept)
    }

    #[expect(clippy::unused_self, reason = "it is the answer to this command")]
    fn print(&self, global: &Global, kept: &Kept) -> Result<(), Failure> {
        Ok(output::line(&if global.json {
            output::json(kept)
        } else {
            text_of(kept)
        })?)
    }

    async fn put_via_dave(&self, client: &Client) -> Result<Kept, Failure> {
        let input = Input {
            message: self.value.as_deref(),
            file: self.file.as_deref(),
            is_piped: false,
        };
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let contents = match &self.file {
            Some(path) => dave::read_file(path)?,
            None => input.contents().await?,
        };
        let value = dave::Value {
            contents,
            is_file: self.file.is_some(),
            prev: self.prev.clone(),
            tag: self.tag.clone(),
            like: PutValue {
                ttl: self.ttl.map(millis),
                author: self.author.clone(),
                wait: self.wait.clone(),
                timeout: self.timeout.map(millis),
                ..PutValue::new(b"")
            },
        };
        dave::put(client, &value).await
    }

    /// What a request for a large content says.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let all = [
            ("name", self.name.clone()),
            ("prev", self.prev.clone()),
            ("tag", self.tag.clone()),
            ("topic", self.topic.clone()),
            ("ttl", self.ttl.map(millis)),
            ("if_seq", self.if_seq.map(|seq| seq.to_string())),
            ("author", self.author.clone()),
            ("wait", self.wait.clone()),
            ("timeout", self.timeout.map(millis)),
        ];
        let said = all
            .into_iter()
            .filter_map(|(name, said)| Some((name, said?)));
        said.collect()
    }

    async fn put(&self, client: &Client) -> Result<Kept, Failure> {
        let input = Input {
            message: self.value.as_deref(),
            file: self.file.as_deref(),
            is_piped: false,
        };
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let request = PutValue {
            name: self.name.clone(),
            prev: self.prev.clone(),
            tag: self.tag.clone(),
            topic: self.topic.clone(),
            ttl: self.ttl.map(millis),
            if_seq: self.if_seq,
            author: self.author.clone(),
            wait: self.wait.clone(),
            timeout: self.timeout.map(millis),
            ..PutValue::new(&input.contents().await?)
        };
        let kept = client.post("/v1/values", &request);
        progress::shown("working on the stamp", kept).await
    }
}

/// What became of a value, and how it is had.
pub(super) fn text_of(kept: &Kept) -> String {
    let name = kept.name.as_ref().map_or_else(String::new, |name| {
        format!(" {}/{} seq {}", kept.author, output::escape(name), kept.seq)
    });
    format!(
        "{} {}{name} ({} bits of work in {} ms)",
        kept.result, kept.id, kept.bits, kept.work_ms
    )
}
