//! `bruit validate`: a program decides what is delivered and passed on.

use std::process::Stdio;
use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Answer, Bulletin, Question, Word};
use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::args::Global;
use crate::client::{self, Client, Event};
use crate::failure::{Exit, Failure};
use crate::folder::Folder;
use crate::{output, signals};

/// Programs running at a time. Further questions wait, and their time runs.
const PROGRAMS_MAX: usize = 32;

/// Let a program decide what is delivered and passed on: exit code 0 accepts a bulletin, 1 rejects
/// it and mutes its author on the topic, everything else drops it quietly.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit validate news --exec 'jq -e \".size < 1000\"'\n  \
                        bruit validate news --exec ./judge.py --timeout 2s --json\n\n\
                        What is published at this node itself is not judged."
)]
pub(crate) struct Validate {
    /// The topic, taken exactly
    topic: String,
    /// The program, run by sh; it gets the bulletin's line of JSON on standard input
    #[arg(long, value_name = "CMD")]
    exec: String,
    /// How long it may take, a minute at most; then the bulletin is ignored
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = text::duration)]
    timeout: Duration,
}

/// One decision, as it is printed.
#[derive(Debug, Serialize)]
struct Decided {
    id: String,
    topic: String,
    author: String,
    verdict: Word,
}

impl Validate {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        signals::until_stopped(self.answer(global)).await
    }

    async fn answer(&self, global: &Global) -> Result<(), Failure> {
        let folder = global.folder()?;
        let client = Client::new(&folder);
        let topic = client::encode(&self.topic);
        let path = format!(
            "/v1/validate?topic={topic}&timeout={}ms",
            self.timeout.as_millis()
        );
        let mut events = client.events(&path).await?;
        output::note(&format!("validating {}", output::escape(&self.topic)));
        let mut judging = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(decided) = judging.next() => print(global.json, &decided?)?,
                event = events.next(), if judging.len() < PROGRAMS_MAX => match event {
                    Some(event) => judging.push(self.judge(&client, event)),
                    None => return Err(ended(&folder)),
                },
            }
        }
    }

    async fn judge(&self, client: &Client, event: Event) -> Result<Decided, Failure> {
        let question: Question = serde_json::from_str(&event.data).map_err(|error| {
            let message = format!("the daemon's question is not the one expected: {error}");
            let fix = "use the bruit the daemon runs with";
            Failure::new(Exit::Unreachable, "odd_answer", message, fix)
        })?;
        let Bulletin {
            id, topic, author, ..
        } = question.bulletin.clone();
        let asked = tokio::time::timeout(self.timeout, self.ask(&question.bulletin)).await;
        let mut verdict = asked.unwrap_or(Word::Ignore);
        let path = format!("/v1/validate/{}", question.question);
        let answered: Result<Answer, _> = client.post(&path, &Answer { verdict }).await;
        match answered {
            // Too late: the daemon has ignored the bulletin by itself.
            Err(failure) if failure.exit == Exit::Negative => verdict = Word::Ignore,
            answered => drop(answered?),
        }
        Ok(Decided {
            id,
            topic,
            author,
            verdict,
        })
    }

    /// Runs the program. What it does wrong counts as no opinion.
    async fn ask(&self, bulletin: &Bulletin) -> Word {
        let line = output::json(bulletin) + "\n";
        match self.exit_code(&line).await {
            Ok(Some(0)) => Word::Accept,
            Ok(Some(1)) => Word::Reject,
            Ok(_) => Word::Ignore,
            Err(error) => {
                output::note(&format!("the program did not run: {error}"));
                Word::Ignore
            }
        }
    }

    async fn exit_code(&self, line: &str) -> std::io::Result<Option<i32>> {
        let mut child = shell(&self.exec)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut group = Group::of(&child);
        if let Some(mut input) = child.stdin.take() {
            // A program that decides without reading closes its input early.
            let _ = input.write_all(line.as_bytes()).await;
        }
        let status = child.wait().await?;
        group.let_go();
        Ok(status.code())
    }
}

/// A program and whatever it started: killed together, unless the program came to its own end.
#[cfg(unix)]
struct Group(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Group {
    fn of(leader: &Child) -> Self {
        let id = leader.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }

    /// Once its leader is waited for, the group's number may be somebody else's.
    fn let_go(&mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // One that has ended meanwhile needs no killing.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// Elsewhere the program alone is killed.
#[cfg(not(unix))]
struct Group;

#[cfg(not(unix))]
impl Group {
    fn of(_leader: &Child) -> Self {
        Self
    }

    fn let_go(&mut self) {}
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).process_group(0);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

fn print(json: bool, decided: &Decided) -> std::io::Result<()> {
    let word = match decided.verdict {
        Word::Accept => "accept",
        Word::Reject => "reject",
        Word::Ignore => "ignore",
    };
    let text = format!(
        "{word} {} by {}",
        decided.id,
        output::short(&decided.author)
    );
    output::line(&if json { output::json(decided) } else { text })
}

fn ended(folder: &Folder) -> Failure {
    let flag = folder.flag();
    let fix = format!("start it again: bruit run{flag}; until then nothing is validated");
    Failure::new(Exit::Unreachable, "closed", "the daemon ended", fix)
}
