//! What is typed while the demo runs.

use tokio::sync::mpsc;

use crate::output;

/// What may be typed.
const HELP: &str =
    "m TEXT says something · k N kills node N · r N starts it again · l lists the nodes · q ends";

/// Something typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Say(String),
    Kill(usize),
    Restart(usize),
    List,
    Quit,
    Nothing,
}

/// Reads a line; what is no order is answered with the help.
pub(super) fn parse(line: &str) -> Result<Order, &'static str> {
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let node = || rest.trim().parse().map_err(|_| HELP);
    match word {
        "" => Ok(Order::Nothing),
        "m" if !rest.trim().is_empty() => Ok(Order::Say(rest.trim().to_owned())),
        "k" => node().map(Order::Kill),
        "r" => node().map(Order::Restart),
        "l" => Ok(Order::List),
        "q" => Ok(Order::Quit),
        _ => Err(HELP),
    }
}

/// The keyboard, where there is one.
pub(super) struct Input {
    lines: Option<mpsc::Receiver<String>>,
}

impl Input {
    pub(super) fn new(is_interactive: bool) -> Self {
        Self {
            lines: is_interactive.then(read_lines),
        }
    }

    pub(super) fn greet(&self) {
        if self.lines.is_some() {
            output::note(HELP);
        }
    }

    /// The next line; none when there is no keyboard any more.
    pub(super) async fn next(&mut self) -> Option<String> {
        let line = self.lines.as_mut()?.recv().await;
        if line.is_none() {
            self.lines = None;
        }
        line
    }
}

/// Reads on a thread of its own: nothing can end a read from a terminal.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_a_letter_and_what_it_is_about() {
        assert_eq!(parse("m hello you\n"), Ok(Order::Say("hello you".into())));
        assert_eq!(parse("k 3"), Ok(Order::Kill(3)));
        assert_eq!(parse(" r 12 "), Ok(Order::Restart(12)));
        assert_eq!(
            (parse("l"), parse("q"), parse("")),
            (Ok(Order::List), Ok(Order::Quit), Ok(Order::Nothing))
        );
        for wrong in ["?", "m", "k", "k x", "r -1", "hello"] {
            assert_eq!(parse(wrong), Err(HELP), "{wrong}");
        }
    }
}
