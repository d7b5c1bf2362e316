//! The whole terminal as a picture that changes, and the keys pressed meanwhile.
//!
//! Invariant: however a command ends, the terminal is left as it was found.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::mpsc;

use crate::failure::Failure;

/// How often the thread that reads keys looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Keys that may wait.
const KEYS_MAX: usize = 256;

/// A terminal taken whole.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    keys: mpsc::Receiver<Key>,
}

/// What somebody did at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Press(KeyCode),
    /// The size of the terminal changed.
    Resized,
    /// Ctrl-C or Ctrl-D.
    End,
}

/// Whether there is a terminal to draw on, and a keyboard.
pub(crate) fn is_there() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Whether colours are wanted: `NO_COLOR` says no.
pub(crate) fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Screen {
    /// Takes the terminal.
    pub(crate) fn take() -> Result<Self, Failure> {
        let terminal = ratatui::try_init().map_err(|error| broken(&error))?;
        let (sender, keys) = mpsc::channel(KEYS_MAX);
        std::thread::spawn(move || read_keys(&sender));
        Ok(Self { terminal, keys })
    }

    /// Draws a picture.
    pub(crate) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        self.terminal
            .draw(picture)
            .map(drop)
            .map_err(|error| broken(&error))
    }

    /// The next key; [`Key::End`] when there is no keyboard any more. A dropped future loses nothing.
    pub(crate) async fn key(&mut self) -> Key {
        self.keys.recv().await.unwrap_or(Key::End)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::usage(
        format!("the terminal cannot be drawn on: {error}"),
        "run it in another terminal",
    )
}

fn read_keys(sender: &mpsc::Sender<Key>) {
    while !sender.is_closed() {
        let event = match event::poll(LOOK_EVERY) {
            Ok(true) => event::read(),
            Ok(false) => continue,
            Err(_) => return,
        };
        let Ok(event) = event else { return };
        // Whoever drew may have ended.
        if let Some(key) = key_of(&event)
            && sender.blocking_send(key).is_err()
        {
            return;
        }
    }
}

fn key_of(event: &Event) -> Option<Key> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => None,
        Event::Key(KeyEvent {
            code: KeyCode::Char('c' | 'd'),
            modifiers,
            ..
        }) if modifiers.contains(KeyModifiers::CONTROL) => Some(Key::End),
        Event::Key(key) => Some(Key::Press(key.code)),
        Event::Resize(..) => Some(Key::Resized),
        _ => None,
    }
}
