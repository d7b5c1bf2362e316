//! `bruit pub`: publish on a topic.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Publish as Request, Published};
use clap::Args;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::input::{INPUT_BYTES_MAX, Input};
use crate::{output, progress};

/// Where bulletins go.
const PATH: &str = "/v1/bulletins";

/// Publish on a topic: one bulletin, or one for each line.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit pub news hello\n  bruit pub news --ttl 28d --wait stored 'kept for long'\n  \
                        date | bruit pub clock -\n  bruit pub pictures --file cat.jpg\n  tail -f log | bruit pub log --lines\n\n\
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
    /// Publish every line as a bulletin, in their order; empty ones are left out. Without a message,
    /// those of standard input
    #[arg(long)]
    lines: bool,
    /// When it counts as done: stored, or spread:K for K neighbours
    #[arg(long, value_name = "WORD", value_parser = wait)]
    wait: Option<String>,
    /// How long to wait for that [default: 10s]
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = text::duration)]
    timeout: Option<Duration>,
}

pub(super) fn wait(word: &str) -> Result<String, text::ParseWaitError> {
    text::wait(word).map(|_| word.to_owned())
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
            return self.publish_lines(&client, global.json).await;
        }
        let request = self.request(&self.input().contents().await?);
        let published = client.post(PATH, &request);
        let published = progress::shown("working on the stamp", published).await?;
        Ok(print(global.json, &published)?)
    }

    /// One after the other: only so do they keep their order on the way, too.
    async fn publish_lines(&self, client: &Client, json: bool) -> Result<(), Failure> {
        let mut session = client.session();
        let mut lines = Lines::new(self.input().reader().await?);
        let mut is_read = true;
        while let Some(line) = lines.next().await? {
            let published = session.post(PATH, &self.request(line)).await;
            let published = published.map_err(|failure| lines.failed(failure))?;
            // Whoever closes our output has seen enough, but wants the rest published.
            if is_read && let Err(error) = print(json, &published) {
                is_read = false;
                let failure = Failure::from(error);
                if failure.exit != Exit::Unread {
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    fn input(&self) -> Input<'_> {
        Input {
            message: self.message.as_deref(),
            file: self.file.as_deref(),
            is_piped: self.lines,
        }
    }

    fn request(&self, contents: &[u8]) -> Request {
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        Request {
            ttl: self.ttl.map(millis),
            author: self.author.clone(),
            wait: self.wait.clone(),
            timeout: self.timeout.map(millis),
            ..Request::new(&self.topic, contents)
        }
    }
}

/// The lines of an input, counted.
struct Lines<'a> {
    input: Box<dyn AsyncBufRead + Unpin + 'a>,
    number: u64,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(input: Box<dyn AsyncBufRead + Unpin + 'a>) -> Self {
        Self {
            input,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line that is not empty, without its end. Of one that is longer than any bulletin,
    /// what tells the daemon so.
    async fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        loop {
            self.line.clear();
            self.number += 1;
            let mut input = (&mut self.input).take(INPUT_BYTES_MAX);
            let read = input.read_until(b'\n', &mut self.line).await;
            let read =
                read.map_err(|error| self.failed(Failure::file(Path::new("the lines"), &error)))?;
            if read == 0 {
                return Ok(None);
            }
            if self.line.pop_if(|byte| *byte == b'\n').is_some() {
                self.line.pop_if(|byte| *byte == b'\r');
            }
            if !self.line.is_empty() {
                break;
            }
        }
        Ok(Some(&self.line))
    }

    /// `failure`, with the line it is about.
    fn failed(&self, mut failure: Failure) -> Failure {
        failure.message = format!("line {}: {}", self.number, failure.message);
        failure
    }
}

fn print(json: bool, published: &Published) -> std::io::Result<()> {
    let text = format!(
        "{} {} ({} neighbours, {} bits of work in {} ms)",
        published.result, published.id, published.neighbours, published.bits, published.work_ms
    );
    output::line(&if json { output::json(published) } else { text })
}
