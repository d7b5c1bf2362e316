//! `bruit pub`: publish on a topic.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Publish as Request, Published};
use clap::Args;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::{output, progress};

/// Where bulletins go.
const PATH: &str = "/v1/bulletins";
/// Most bytes read for one bulletin: more than any may have, so that the daemon says how many.
const INPUT_BYTES_MAX: u64 = 512 << 10;

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
            return self.publish_lines(&client, global.json).await;
        }
        let request = self.request(&self.contents().await?);
        let published = client.post(PATH, &request);
        let published = progress::shown("working on the stamp", published).await?;
        Ok(print(global.json, &published)?)
    }

    /// One after the other: only so do they keep their order on the way, too.
    async fn publish_lines(&self, client: &Client, json: bool) -> Result<(), Failure> {
        let mut session = client.session();
        let mut lines = Lines::new(self.reader().await?);
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

    fn source(&self) -> Result<Source<'_>, Failure> {
        match (&self.message, &self.file) {
            (Some(message), _) if message == "-" => Ok(Source::Input),
            (Some(message), _) => Ok(Source::Message(message)),
            (None, Some(path)) => Ok(Source::File(path)),
            (None, None) if self.lines => Ok(Source::Input),
            (None, None) => Err(Failure::usage(
                "there is nothing to publish",
                "give a message, - for standard input, --file PATH, or --lines",
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
        let name = self.file.as_deref().unwrap_or(Path::new("standard input"));
        let failed = |error| Failure::file(name, &error);
        let mut contents = Vec::new();
        let mut reader = self.reader().await?.take(INPUT_BYTES_MAX + 1);
        let read = reader.read_to_end(&mut contents).await.map_err(failed)?;
        if read as u64 <= INPUT_BYTES_MAX {
            return Ok(contents);
        }
        let whole = match &self.file {
            Some(path) => tokio::fs::metadata(path).await.map_err(failed)?.len(),
            None => 0,
        };
        Err(too_big(name, whole))
    }
}

/// What is not even read to its end. `bytes` is 0 where nobody knows how much there is.
fn too_big(name: &Path, bytes: u64) -> Failure {
    let bytes = match bytes {
        0..=INPUT_BYTES_MAX => format!("more than {INPUT_BYTES_MAX}"),
        bytes => bytes.to_string(),
    };
    Failure::new(
        Exit::Refused,
        "too_big",
        format!("{} has {bytes} bytes", name.display()),
        "publish at most 65,536 bytes at a time",
    )
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
