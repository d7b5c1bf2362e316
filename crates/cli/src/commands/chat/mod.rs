//! `bruit chat`: a topic as a room in which people talk.

mod room;

use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{Bulletin, Gap, Identity, Publish, Published};
use clap::Args;
use ratatui::crossterm::event::KeyCode;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use self::room::{Line, Room};
use super::sub::parse;
use crate::args::Global;
use crate::client::{self, Client, Event, Events};
use crate::failure::{Exit, Failure};
use crate::screen::{self, Key, Screen};
use crate::{output, signals};

/// Talk in a room: a topic of that name. Enter sends, Ctrl-C ends.
///
/// Without a terminal every line of the input is sent, and what comes is printed a line each, until the input
/// ends.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit chat lobby\n  bruit chat lobby --since 24h\n  echo hello | bruit chat lobby"
)]
pub(crate) struct Chat {
    /// The room: the topic's exact name
    room: String,
    /// First what was said in this last time
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = text::duration)]
    since: Duration,
    /// The author key that signs
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
}

impl Chat {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        if global.json {
            return Err(Failure::usage(
                "`bruit chat` is for people",
                "programs use `bruit sub ROOM --json` and `bruit pub ROOM --lines --json`",
            ));
        }
        let client = Client::new(&global.folder()?);
        let identity: Identity = client.get("/v1/identity").await?;
        let authors = identity.authors.iter();
        let mine = authors.map(|author| author.id.clone()).collect();
        let path = format!(
            "/v1/subscribe?topic={}&since={}ms",
            client::encode(&self.room),
            self.since.as_millis()
        );
        let events = client.events(&path).await?;
        let room = Room::new(&self.room, mine, screen::has_colours());
        if screen::is_there() {
            self.talk(&client, events, room).await
        } else {
            signals::until_stopped(self.pipe(&client, events, room)).await
        }
    }

    /// On a terminal.
    async fn talk(
        &self,
        client: &Client,
        mut events: Events,
        mut room: Room,
    ) -> Result<(), Failure> {
        let mut screen = Screen::take()?;
        loop {
            screen.draw(|frame| room.draw(frame))?;
            tokio::select! {
                key = screen.key() => match key {
                    Key::End | Key::Press(KeyCode::Esc) => return Ok(()),
                    Key::Resized => {}
                    Key::Press(code) => if let Some(text) = room.on_key(code)
                        && let Err(failure) = self.say(client, text).await
                    {
                        room.push(Line::note(failure.message));
                    },
                },
                event = events.next() => room.push(line_of(event.as_ref())?),
            }
        }
    }

    /// Between programs: sends each line, prints what comes.
    async fn pipe(&self, client: &Client, mut events: Events, room: Room) -> Result<(), Failure> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        loop {
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(text)) if text.is_empty() => {}
                    Ok(Some(text)) => self.say(client, text).await?,
                    Ok(None) => return Ok(()),
                    Err(error) => return Err(Failure::usage(
                        format!("the input is no text: {error}"),
                        "send UTF-8, a message a line",
                    )),
                },
                event = events.next() => output::line(&room.text(&line_of(event.as_ref())?))?,
            }
        }
    }

    async fn say(&self, client: &Client, text: String) -> Result<(), Failure> {
        let body = Publish {
            author: self.author.clone(),
            ..Publish::new(&self.room, text.as_bytes())
        };
        let _: Published = client.post("/v1/bulletins", &body).await?;
        Ok(())
    }
}

fn line_of(event: Option<&Event>) -> Result<Line, Failure> {
    let Some(event) = event else {
        return Err(Failure::new(
            Exit::Unreachable,
            "closed",
            "the daemon ended the conversation",
            "see whether it runs: `bruit status`",
        ));
    };
    if event.name == "gap" {
        let gap: Gap = parse(&event.data)?;
        return Ok(Line::note(format!(
            "{} messages were missed here",
            gap.missed
        )));
    }
    Ok(Line::said(parse::<Bulletin>(&event.data)?))
}
