//! `bruit pub`: publish on a topic.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Publish as Request, Published};
use clap::Args;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::{output, progress};

/// Lines under way at a time: work and disk of several overlap, their order in the output stays.
const LINES_UNDER_WAY: usize = 8;
/// Most bytes read for one bulletin: more than any may have, so that the daemon says how many.
const INPUT_BYTES_MAX: u64 = 512 << 10;

/// Publish on a topic: one bulletin, or one for each line.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit pub news hello\n  bruit pub news --ttl 28d --wait stored 'kept for long'\n  \
                        date | bruit pub clock -\n  bruit pub pictures --file cat.jpg\n  tail -f log | bruit pub log --lines -\n\n\
                        Results: accepted (in the queues to the neighbours), queued (goes out with the first link), \
                        stored (synced to this disk), spread (synced on the disks of K neighbours)."
)]
pub(crate) struct Publish {
    /// The topic: any text, taken exactly
    topic: String,
    /// The message; - reads standard input
    #[arg(conflicts_with = "file")]
    message: Option<String>,
    /// How long it is valid, up to 28d [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    ttl: Option<Duration>,
    /// The author key that signs: `bruit id keys list` shows them
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// Publish what this file holds
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Publish every line as a bulletin; empty ones are left out
    #[arg(long)]
    lines: bool,
    /// When it counts as done: stored, or spread:K for K neighbours
    #[arg(long, value_name = "WORD", value_parser = wait)]
    wait: Option<String>,
    /// How long to wait for that
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = text::duration)]
    timeout: Duration,
}

fn wait(word: &str) -> Result<String, text::ParseWaitError> {
    text::wait(word).map(|_| word.to_owned())
}

/// Where the contents come from.
enum Source<'a> {
    Message(&'a str),
    Input,
    File(&'a Path),
}

impl Publish {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        if self.topic.is_empty() {
            return Err(Failure::usage(
                "the topic is empty",
                "name one, such as news",
            ));
        }
        let client = Client::new(&global.folder()?);
        if self.lines {
            let lines = lines(self.reader().await?);
            let done = lines.map(|line| async { self.publish(&client, line?.as_bytes()).await });
            let done = done.buffered(LINES_UNDER_WAY);
            return done
                .try_for_each(async |published| print(global.json, &published))
                .await;
        }
        let contents = self.contents().await?;
        let published = self.publish(&client, &contents);
        print(
            global.json,
            &progress::shown("working on the stamp", published).await?,
        )
    }

    async fn publish(&self, client: &Client, contents: &[u8]) -> Result<Published, Failure> {
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let request = Request {
            ttl: self.ttl.map(millis),
            author: self.author.clone(),
            wait: self.wait.clone(),
            timeout: self.wait.as_ref().map(|_| millis(self.timeout)),
            ..Request::new(&self.topic, contents)
        };
        client.post("/v1/bulletins", &request).await
    }

    fn source(&self) -> Result<Source<'_>, Failure> {
        match (&self.message, &self.file) {
            (Some(message), _) if message == "-" => Ok(Source::Input),
            (Some(message), _) => Ok(Source::Message(message)),
            (None, Some(path)) => Ok(Source::File(path)),
            (None, None) => Err(Failure::usage(
                "there is nothing to publish",
                "give a message, - for standard input, or --file PATH",
            )),
        }
    }

    async fn reader(&self) -> Result<Box<dyn AsyncBufRead + Unpin + '_>, Failure> {
        Ok(match self.source()? {
            Source::Message(message) => Box::new(message.as_bytes()),
            Source::Input => Box::new(BufReader::new(tokio::io::stdin())),
            Source::File(path) => {
                let file = tokio::fs::File::open(path).await;
                Box::new(BufReader::new(
                    file.map_err(|error| Failure::file(path, &error))?,
                ))
            }
        })
    }

    async fn contents(&self) -> Result<Vec<u8>, Failure> {
        let mut contents = Vec::new();
        let mut reader = self.reader().await?.take(INPUT_BYTES_MAX);
        let name = self.file.as_deref().unwrap_or(Path::new("standard input"));
        let read = reader.read_to_end(&mut contents).await;
        read.map_err(|error| Failure::file(name, &error))?;
        Ok(contents)
    }
}

/// The lines that are not empty.
fn lines<'a>(
    reader: impl AsyncBufRead + Unpin + 'a,
) -> impl Stream<Item = Result<String, Failure>> + 'a {
    let lines = stream::try_unfold(reader.lines(), async |mut lines| {
        match lines.next_line().await {
            Ok(line) => Ok(line.map(|line| (line, lines))),
            Err(error) => Err(Failure::file(Path::new("the lines"), &error)),
        }
    });
    lines.try_filter(|line| std::future::ready(!line.is_empty()))
}

fn print(json: bool, published: &Published) -> Result<(), Failure> {
    let text = format!(
        "{} {} ({} neighbours, {} bits of work in {} ms)",
        published.result, published.id, published.neighbours, published.bits, published.work_ms
    );
    output::line(&if json { output::json(published) } else { text })?;
    Ok(())
}
