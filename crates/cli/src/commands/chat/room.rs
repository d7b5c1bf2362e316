//! What was said in a room, and what is being typed.
//!
//! Invariant: what others say is escaped: it cannot look like another's words, nor move the cursor.

use std::collections::VecDeque;

use bruit_api::types::Bulletin;
use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Position};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::{Block, Paragraph};

use crate::output;

/// Lines kept.
const LINES_MAX: usize = 1_000;
/// Characters that may be typed for one message.
const TYPED_MAX: usize = 4_000;
/// Characters of an author's id.
const AUTHOR_CHARS: usize = 8;

/// A line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Said {
        author: String,
        created_ms: u64,
        text: String,
    },
    /// Something to know.
    Note(String),
}

impl Line {
    pub(super) fn said(bulletin: Bulletin) -> Self {
        let size = bulletin.size;
        Self::Said {
            author: bulletin.author,
            created_ms: bulletin.created_ms,
            text: bulletin
                .body
                .body
                .unwrap_or_else(|| format!("({size} bytes that are no text)")),
        }
    }

    pub(super) const fn note(text: String) -> Self {
        Self::Note(text)
    }
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Room {
    name: String,
    /// The author keys of this node, by which its own words are known.
    mine: Vec<String>,
    has_colours: bool,
    lines: VecDeque<Line>,
    typed: String,
    /// Lines scrolled back from the latest.
    back: usize,
}

impl Room {
    pub(super) fn new(name: &str, mine: Vec<String>, has_colours: bool) -> Self {
        Self {
            name: output::escape(name),
            mine,
            has_colours,
            lines: VecDeque::new(),
            typed: String::new(),
            back: 0,
        }
    }

    pub(super) fn push(&mut self, line: Line) {
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Takes a key; answers what is to be said.
    pub(super) fn on_key(&mut self, key: KeyCode) -> Option<String> {
        match key {
            KeyCode::Enter if !self.typed.trim().is_empty() => {
                self.back = 0;
                return Some(std::mem::take(&mut self.typed));
            }
            KeyCode::Char(letter) if self.typed.chars().count() < TYPED_MAX => {
                self.typed.push(letter);
            }
            KeyCode::Backspace => drop(self.typed.pop()),
            KeyCode::PageUp | KeyCode::Up => {
                self.back = self.back.saturating_add(5).min(self.lines.len());
            }
            KeyCode::PageDown | KeyCode::Down => self.back = self.back.saturating_sub(5),
            _ => {}
        }
        None
    }

    /// A line as plain text.
    pub(super) fn text(&self, line: &Line) -> String {
        match line {
            Line::Said { author, text, .. } => {
                format!("{}: {}", self.speaker(author), output::escape(text))
            }
            Line::Note(text) => format!("({})", output::escape(text)),
        }
    }

    fn speaker(&self, author: &str) -> String {
        let id: String = output::escape(author).chars().take(AUTHOR_CHARS).collect();
        if self.mine.iter().any(|mine| mine == author) {
            format!("{id} (you)")
        } else {
            id
        }
    }

    // What is drawn.

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let [said, typed] =
            Layout::vertical([Constraint::Min(1), Constraint::Length(3)]).areas(frame.area());
        let shown = self.lines.len().saturating_sub(self.back);
        let (width, height) = (said.width.saturating_sub(2), said.height.saturating_sub(2));
        // The latest are the ones to see: rows are filled from below.
        let mut rows = VecDeque::new();
        for line in self.lines.range(..shown).rev() {
            for row in self.rows(line, width.into()).into_iter().rev() {
                rows.push_front(row);
            }
            if rows.len() >= usize::from(height) {
                break;
            }
        }
        let over = rows.len().saturating_sub(height.into());
        let rows: Vec<_> = rows.into_iter().skip(over).collect();
        let title = format!(" {} ", self.name);
        frame.render_widget(
            Paragraph::new(rows).block(Block::bordered().title(title)),
            said,
        );
        self.draw_typed(frame, typed);
    }

    fn draw_typed(&self, frame: &mut Frame<'_>, area: ratatui::layout::Rect) {
        let room = usize::from(area.width.saturating_sub(3));
        let typed = output::escape(&self.typed);
        let skip = typed.chars().count().saturating_sub(room);
        let end: String = typed.chars().skip(skip).collect();
        let width = Row::raw(end.clone()).width();
        let block = Block::bordered().title(" enter sends, ctrl-c ends ");
        frame.render_widget(Paragraph::new(end).block(block), area);
        let x = area
            .x
            .saturating_add(1)
            .saturating_add(u16::try_from(width).unwrap_or(0));
        frame.set_cursor_position(Position::new(x, area.y.saturating_add(1)));
    }

    /// A line as rows of at most `width` columns.
    fn rows(&self, line: &Line, width: usize) -> Vec<Row<'static>> {
        match line {
            Line::Said {
                author,
                created_ms,
                text,
            } => {
                let head = vec![
                    Span::styled(format!("{:>7} ", output::ago(*created_ms)), dim()),
                    Span::styled(
                        format!("{} ", self.speaker(author)),
                        self.author_style(author),
                    ),
                ];
                wrapped(head, &output::escape(text), Style::new(), width)
            }
            Line::Note(text) => {
                let text = format!("({})", output::escape(text));
                wrapped(Vec::new(), &text, dim(), width)
            }
        }
    }

    /// Each author has a colour of his own, as far as there are colours; his id stands there besides.
    fn author_style(&self, author: &str) -> Style {
        const COLOURS: [Color; 6] = [
            Color::Cyan,
            Color::Green,
            Color::Yellow,
            Color::Magenta,
            Color::Blue,
            Color::Red,
        ];
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let sum: usize = author.bytes().map(usize::from).sum();
        match COLOURS.get(sum % COLOURS.len()) {
            Some(colour) if self.has_colours => bold.fg(*colour),
            _ => bold,
        }
    }
}

/// `text` behind `head`, in rows of at most `width` columns; those after the first stand under the first.
fn wrapped(head: Vec<Span<'static>>, text: &str, style: Style, width: usize) -> Vec<Row<'static>> {
    let indent = Row::from(head.clone()).width().min(width / 2);
    let mut rows = vec![Row::from(head)];
    for letter in text.chars() {
        let letter = Span::styled(letter.to_string(), style);
        let is_full = rows
            .last()
            .is_none_or(|row| row.width() + letter.width() > width);
        if is_full {
            rows.push(Row::from(Span::raw(" ".repeat(indent))));
        }
        if let Some(row) = rows.last_mut() {
            row.push_span(letter);
        }
    }
    rows
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn said(author: &str, text: &str) -> Line {
        Line::Said {
            author: author.repeat(32),
            created_ms: 1,
            text: text.to_owned(),
        }
    }

    fn drawn(room: &Room) -> String {
        let mut terminal = Terminal::new(TestBackend::new(60, 12)).unwrap();
        terminal.draw(|frame| room.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_latest_is_seen_however_much_was_said_and_however_long() {
        let mut room = Room::new("lobby", vec!["07".repeat(32)], true);
        for number in 0..2_000 {
            room.push(said(
                "07",
                &format!("message {number} {}", "long ".repeat(20)),
            ));
        }
        room.push(said("08", "the latest"));
        let text = drawn(&room);
        assert!(
            text.contains("lobby") && text.contains("the latest"),
            "{text}"
        );
        assert!(text.contains("(you)"), "{text}");
        assert_eq!(room.lines.len(), LINES_MAX);
    }

    #[test]
    fn what_is_typed_is_said_once_and_nothing_empty_is() {
        let mut room = Room::new("lobby", Vec::new(), false);
        for letter in "hello".chars() {
            assert_eq!(room.on_key(KeyCode::Char(letter)), None);
        }
        room.on_key(KeyCode::Backspace);
        assert!(drawn(&room).contains("hell"));
        assert_eq!(room.on_key(KeyCode::Enter).as_deref(), Some("hell"));
        assert_eq!(room.on_key(KeyCode::Enter), None);
        room.on_key(KeyCode::Char(' '));
        assert_eq!(room.on_key(KeyCode::Enter), None);
    }

    #[test]
    fn nobody_can_speak_in_anothers_name_or_move_the_cursor() {
        let mut room = Room::new("\u{1b}[2J", Vec::new(), false);
        let evil = said("08", "hi\n07070707: I owe you\u{202e}\u{1b}[31m");
        assert_eq!(
            room.text(&evil),
            "08080808: hi\\n07070707: I owe you\\u{202e}\\u{1b}[31m"
        );
        room.push(evil);
        let text = drawn(&room);
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{202e}'),
            "{text}"
        );
    }
}
