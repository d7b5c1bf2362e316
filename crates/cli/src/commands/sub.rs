//! `bruit sub`: print what comes on topics.

use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Bulletin, Gap};
use clap::Args;

use crate::args::Global;
use crate::client::{self, Client, Event};
use crate::failure::{Exit, Failure};
use crate::folder::Folder;
use crate::{output, signals};

/// Print what comes on topics, until --count, --timeout or Ctrl-C.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit sub news\n  bruit sub news weather --since 1h\n  bruit sub --all --json\n  \
                        bruit sub news --count 1 --timeout 10s\n  bruit sub news --cursor \"$LAST\" --json\n\n\
                        Exit code 3 when --timeout came before --count bulletins, or before any."
)]
pub(crate) struct Sub {
    /// The topics, each taken exactly
    #[arg(
        value_name = "TOPIC",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    topics: Vec<String>,
    /// Print everything; topics nobody named here as hexadecimal ids
    #[arg(long)]
    all: bool,
    /// First what the daemon holds of the last time, such as 1h
    #[arg(long, value_name = "TIME", conflicts_with = "cursor", value_parser = text::duration)]
    since: Option<Duration>,
    /// First what came after the bulletin with this cursor
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// End after so many bulletins
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    timeout: Option<Duration>,
}

impl Sub {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        signals::until_stopped(self.print(global)).await
    }

    async fn print(&self, global: &Global) -> Result<(), Failure> {
        let folder = global.folder()?;
        let mut events = Client::new(&folder).events(&self.path()).await?;
        output::note(&format!("subscribed to {}", self.names()));
        let mut came = Came::default();
        let time = self.timeout.unwrap_or(Duration::MAX);
        let end = tokio::time::sleep(time);
        tokio::pin!(end);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = &mut end => return self.out_of_time(&came, time),
            };
            let Some(event) = event else {
                return Err(ended(&came, &folder));
            };
            came.take(global.json, &event)?;
            if self.count.is_some_and(|count| came.count >= count) {
                return Ok(());
            }
        }
    }

    fn path(&self) -> String {
        let topics = self
            .topics
            .iter()
            .map(|topic| format!("topic={}", client::encode(topic)));
        let mut parameters: Vec<_> = topics.collect();
        if self.all {
            parameters.push("all=true".to_owned());
        }
        if let Some(since) = self.since {
            parameters.push(format!("since={}ms", since.as_millis()));
        }
        if let Some(cursor) = &self.cursor {
            parameters.push(format!("cursor={}", client::encode(cursor)));
        }
        format!("/v1/subscribe?{}", parameters.join("&"))
    }

    fn names(&self) -> String {
        match self.topics.as_slice() {
            [] => "everything".to_owned(),
            topics => output::escape(&topics.join(", ")),
        }
    }

    /// Without --count any bulletin will do.
    fn out_of_time(&self, came: &Came, time: Duration) -> Result<(), Failure> {
        if self.count.is_none() && came.count > 0 {
            return Ok(());
        }
        let wanted = self
            .count
            .map_or_else(|| "any".to_owned(), |count| count.to_string());
        Err(Failure::new(
            Exit::Timeout,
            "timeout",
            format!("{} of {wanted} bulletins came within {time:?}", came.count),
            "wait longer with --timeout, or look at `bruit peers`: without links nothing comes",
        ))
    }
}

/// What came so far.
#[derive(Debug, Default)]
struct Came {
    count: u64,
    cursor: Option<String>,
}

impl Came {
    fn take(&mut self, json: bool, event: &Event) -> Result<(), Failure> {
        if event.name == "gap" {
            let gap: Gap = parse(&event.data)?;
            let text = match gap.missed {
                0 => "(some bulletins may be missing or come again here)".to_owned(),
                missed => format!("({missed} bulletins were missed: read faster)"),
            };
            output::line(&if json { output::json(&gap) } else { text })?;
            return Ok(());
        }
        let bulletin: Bulletin = parse(&event.data)?;
        output::line(&if json {
            output::json(&bulletin)
        } else {
            text_of(&bulletin)
        })?;
        self.count += 1;
        self.cursor = Some(bulletin.cursor);
        Ok(())
    }
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(data: &str) -> Result<T, Failure> {
    serde_json::from_str(data).map_err(|error| {
        let message = format!("the daemon's event is not the one expected: {error}");
        let fix = "use the bruit the daemon runs with";
        Failure::new(Exit::Unreachable, "odd_answer", message, fix)
    })
}

fn text_of(bulletin: &Bulletin) -> String {
    let author: String = bulletin.author.chars().take(8).collect();
    let body = match &bulletin.body.body {
        Some(text) => output::escape(text),
        None => format!("({} bytes that are no text)", bulletin.size),
    };
    format!("{} {author}: {body}", output::escape(&bulletin.topic))
}

fn ended(came: &Came, folder: &Folder) -> Failure {
    let go_on = came.cursor.as_ref().map_or_else(String::new, |cursor| {
        format!(", and go on with --cursor {cursor}")
    });
    let flag = folder.flag();
    let fix = format!("see whether it runs, or start it again: bruit run{flag}{go_on}");
    let message = "the daemon ended the subscription";
    Failure::new(Exit::Unreachable, "closed", message, fix)
}
