//! `bruit watch`: follow a name.

use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Deleted, WholeValue};
use clap::Args;

use crate::args::Global;
use crate::client::{Client, Event};
use crate::failure::{Exit, Failure};
use crate::{output, signals};

/// Follow a name: print the present version of its value, then each later one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit watch 07a1c3f2/weather/today\n  bruit watch default/clock --json\n  \
                        bruit watch default/clock --count 2 --timeout 1m"
)]
pub(crate) struct Watch {
    /// AUTHOR/NAME; an author is an id, the beginning of one, or the name of a key of yours
    #[arg(value_name = "AUTHOR/NAME")]
    address: String,
    /// End after so many versions
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after this time: exit code 3 unless --count versions came
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    timeout: Option<Duration>,
}

impl Watch {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        if !self.address.contains('/') {
            return Err(Failure::usage(
                "there is no name to follow",
                "give AUTHOR/NAME: a value without a name never changes",
            ));
        }
        let watched = signals::until_stopped(self.follow(global));
        match self.timeout {
            None => watched.await,
            Some(time) => match tokio::time::timeout(time, watched).await {
                Ok(done) => done,
                Err(_) if self.count.is_none() => Ok(()),
                Err(_) => Err(Failure::new(
                    Exit::Timeout,
                    "timeout",
                    format!("fewer versions than asked for came within {time:?}"),
                    "wait longer with --timeout",
                )),
            },
        }
    }

    async fn follow(&self, global: &Global) -> Result<(), Failure> {
        let folder = global.folder()?;
        let client = Client::new(&folder);
        let path = super::value_path("/v1/follow", &self.address)?;
        let mut events = client.events(&path).await?;
        let mut came = 0;
        while self.count.is_none_or(|count| came < count) {
            let Some(event) = events.next().await else {
                let fix = format!(
                    "see whether it runs, or start it again: bruit run{}",
                    folder.flag()
                );
                let message = "the daemon ended the subscription";
                return Err(Failure::new(Exit::Unreachable, "closed", message, fix));
            };
            print(global.json, &event)?;
            came += 1;
        }
        Ok(())
    }
}

fn print(json: bool, event: &Event) -> Result<(), Failure> {
    if event.name == "deleted" {
        let deleted: Deleted = super::sub::parse(&event.data)?;
        let text = format!("(deleted at seq {})", deleted.seq);
        return Ok(output::line(&if json {
            output::json(&deleted)
        } else {
            text
        })?);
    }
    let value: WholeValue = super::sub::parse(&event.data)?;
    let text = match &value.body.body {
        Some(text) => format!("{}: {}", value.seq, output::escape(text)),
        None => format!("{}: ({} bytes that are no text)", value.seq, value.size),
    };
    Ok(output::line(&if json {
        output::json(&value)
    } else {
        text
    })?)
}
