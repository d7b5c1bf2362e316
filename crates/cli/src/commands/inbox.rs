//! `bruit inbox`: letters to this node; `inbox rotate`: new delivery codes.

use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{ReceivedLetter, Removed, Rotate, Rotated};
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::{Exit, Failure};
use crate::{output, signals};

/// Read the letters to this node and its authors.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  bruit inbox\n  bruit inbox --watch --json\n  bruit inbox --watch --count 1 --timeout 1m\n  \
                        bruit inbox rm 07a1c3f2\n  bruit inbox rotate"
)]
pub(crate) struct Inbox {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print those that are there, then each as it comes
    #[arg(long)]
    watch: bool,
    /// End after so many letters
    #[arg(long, value_name = "N", requires = "watch")]
    count: Option<u64>,
    /// End after this time: exit code 3 unless --count letters came
    #[arg(long, value_name = "TIME", requires = "watch", value_parser = text::duration)]
    timeout: Option<Duration>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make new delivery codes: who has the old ones can write for 48 hours more; contacts are told
    #[command(after_help = "Example:\n  bruit inbox rotate")]
    Rotate,
    /// Remove a letter
    #[command(after_help = "Example:\n  bruit inbox rm 07a1c3f2")]
    Rm {
        /// Its id, or the beginning of it
        id: String,
    },
}

impl Inbox {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let folder = global.folder()?;
        let client = Client::new(&folder);
        match &self.action {
            Some(Action::Rotate) => rotate(&client, global.json).await,
            Some(Action::Rm { id }) => {
                let path = format!("/v1/letters/inbox/{}", client::encode(id));
                let removed: Removed = client.delete(&path).await?;
                let text = format!("removed {}", removed.id);
                print(global.json, &removed, &text)
            }
            None if self.watch => self.watch(&client, global).await,
            None => super::print(&client, "/v1/letters/inbox", global.json, false, list).await,
        }
    }

    async fn watch(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let watched = signals::until_stopped(self.follow(client, global));
        let Some(time) = self.timeout else {
            return watched.await;
        };
        match tokio::time::timeout(time, watched).await {
            Ok(done) => done,
            Err(_) if self.count.is_none() => Ok(()),
            Err(_) => Err(Failure::new(
                Exit::Timeout,
                "timeout",
                format!("fewer letters than asked for came within {time:?}"),
                "wait longer with --timeout",
            )),
        }
    }

    async fn follow(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let mut events = client.events("/v1/letters/mail?all=true").await?;
        let mut came = 0;
        while self.count.is_none_or(|count| came < count) {
            let Some(event) = events.next().await else {
                let flag = global.folder()?.flag();
                let fix = format!("see whether it runs, or start it again: bruit run{flag}");
                let message = "the daemon ended the stream of letters";
                return Err(Failure::new(Exit::Unreachable, "closed", message, fix));
            };
            let letter: ReceivedLetter = super::sub::parse(&event.data)?;
            print(global.json, &letter, &text_of(&letter))?;
            came += 1;
        }
        Ok(())
    }
}

async fn rotate(client: &Client, json: bool) -> Result<(), Failure> {
    let rotated: Rotated = client.post("/v1/letters/rotate", &Rotate {}).await?;
    let text = format!(
        "there are new delivery codes; the old ones are honoured for {} more; {} contacts are told",
        output::span(rotated.honoured_s),
        rotated.told
    );
    print(json, &rotated, &text)
}

fn print(json: bool, value: &impl serde::Serialize, text: &str) -> Result<(), Failure> {
    Ok(output::line(&if json {
        output::json(value)
    } else {
        text.to_owned()
    })?)
}

#[expect(
    clippy::ptr_arg,
    reason = "it is what the daemon's answer is read into"
)]
fn list(letters: &Vec<ReceivedLetter>) -> String {
    if letters.is_empty() {
        return "no letters".to_owned();
    }
    let texts = letters.iter().map(text_of);
    texts.collect::<Vec<_>>().join("\n")
}

fn text_of(letter: &ReceivedLetter) -> String {
    // A name in another system is shown with its system.
    let shown = letter.from.find(':').map_or(8, |colon| colon + 9);
    let from: String = letter.from.chars().take(shown).collect();
    let body = match &letter.body.body {
        Some(text) => output::escape(text),
        None => "(bytes that are no text: see --json)".to_owned(),
    };
    format!("{} ago {from}: {body}", output::ago(letter.received_ms))
}
