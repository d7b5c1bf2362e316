//! `bruit top`: how the node is doing, as a screen that follows.

mod board;

use std::time::Duration;

use bruit::view;
use clap::Args;
use ratatui::crossterm::event::KeyCode;
use tokio::time::{Instant, sleep_until};

use self::board::Board;
use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::{self, Key, Screen};

/// How often the daemon is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Watch the node: traffic, links, topics, what is dropped. Keys: q ends, p pauses, arrows scroll.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit top\n  bruit top --data /srv/bruit")]
pub(crate) struct Top {}

/// What is shown, as the daemon tells it.
#[derive(Debug)]
struct State {
    status: view::Status,
    peers: Vec<view::Peer>,
    topics: Vec<view::Topic>,
}

impl State {
    async fn read(client: &Client) -> Result<Self, Failure> {
        Ok(Self {
            status: client.get("/v1/status").await?,
            peers: client.get("/v1/peers?all=true").await?,
            topics: client.get("/v1/topics").await?,
        })
    }
}

impl Top {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        if global.json || !screen::is_there() {
            return Err(Failure::usage(
                "`bruit top` draws on a terminal, and this is none",
                "programs read `bruit status --json --watch` or /metrics",
            ));
        }
        let client = Client::new(&global.folder()?);
        let mut board = Board::new(screen::has_colours());
        // What keeps the daemon from answering is said before the terminal is taken.
        board.take(State::read(&client).await?);
        follow(&client, board).await
    }
}

async fn follow(client: &Client, mut board: Board) -> Result<(), Failure> {
    let mut screen = Screen::take()?;
    let mut due = Instant::now() + EVERY;
    loop {
        screen.draw(|frame| board.draw(frame))?;
        tokio::select! {
            key = screen.key() => match key {
                Key::End | Key::Press(KeyCode::Char('q') | KeyCode::Esc) => return Ok(()),
                Key::Press(code) => board.on_key(code),
                Key::Resized => {}
            },
            () = sleep_until(due) => {
                due = Instant::now() + EVERY;
                match State::read(client).await {
                    Ok(state) => board.take(state),
                    Err(failure) => board.lost(&failure),
                }
            }
        }
    }
}
