//! What `bruit top` draws.
//!
//! Invariant: everything that came from the network is escaped, and nothing is told by colour alone.

use std::collections::VecDeque;

use bruit::view::{Direction, LinkState, Peer, Status};
use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};

use super::State;
use crate::failure::Failure;
use crate::output;

/// Seconds of history kept: as wide as terminals are.
const HISTORY: usize = 512;
/// Topics shown at most.
const TOPICS_MAX: usize = 8;

/// Two rates over time, the latest last.
#[derive(Debug, Default)]
struct History(VecDeque<u64>);

impl History {
    fn push(&mut self, rate: f64) {
        if self.0.len() >= HISTORY {
            self.0.pop_front();
        }
        // Tenths, so that a message now and then is seen.
        let tenths = std::time::Duration::try_from_secs_f64(rate * 10.0).unwrap_or_default();
        self.0.push_back(tenths.as_secs());
    }

    /// The latest `width`.
    fn latest(&self, width: u16) -> Vec<u64> {
        let skip = self.0.len().saturating_sub(width.into());
        self.0.iter().skip(skip).copied().collect()
    }
}

/// The screen's contents.
#[derive(Debug)]
pub(super) struct Board {
    has_colours: bool,
    state: Option<State>,
    bulletins: History,
    bytes: History,
    is_paused: bool,
    scroll: usize,
    /// Why the daemon did not answer the last time.
    lost: Option<String>,
}

impl Board {
    pub(super) fn new(has_colours: bool) -> Self {
        Self {
            has_colours,
            state: None,
            bulletins: History::default(),
            bytes: History::default(),
            is_paused: false,
            scroll: 0,
            lost: None,
        }
    }

    /// Takes what the daemon says now.
    pub(super) fn take(&mut self, state: State) {
        self.lost = None;
        if self.is_paused {
            return;
        }
        let rates = &state.status.rates;
        self.bulletins.push(rates.in_per_s + rates.out_per_s);
        self.bytes
            .push(rates.bytes_in_per_s + rates.bytes_out_per_s);
        self.state = Some(state);
    }

    /// The daemon does not answer: what is shown is old.
    pub(super) fn lost(&mut self, failure: &Failure) {
        self.lost = Some(failure.message.clone());
    }

    pub(super) fn on_key(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        let peers = self.state.as_ref().map_or(0, |state| state.peers.len());
        self.scroll = self.scroll.min(peers.saturating_sub(1));
    }

    fn colour(&self, colour: Color) -> Style {
        if self.has_colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    // What is drawn.

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let Some(state) = &self.state else { return };
        let notes = self.notes(state);
        let topics = state.topics.len().min(TOPICS_MAX);
        let height = |lines: usize| Constraint::Length(u16::try_from(lines).unwrap_or(u16::MAX));
        let [head, rates, peers, topics, foot] = Layout::vertical([
            height(4),
            height(5),
            Constraint::Min(4),
            height(topics + 2),
            height(notes.len() + 1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(head_lines(&state.status)), head);
        self.draw_rates(frame, rates);
        frame.render_widget(self.peers(state), peers);
        frame.render_widget(topic_table(state), topics);
        let mut lines = notes;
        lines.push(Line::styled(
            "q end   p pause   ↑↓ scroll",
            Style::new().add_modifier(Modifier::DIM),
        ));
        frame.render_widget(Paragraph::new(lines), foot);
    }

    fn notes(&self, state: &State) -> Vec<Line<'static>> {
        let warning = |warning: &bruit::view::Warning| {
            let text = format!("! {} ({})", warning.text, warning.fix);
            Line::styled(output::escape(&text), self.colour(Color::Yellow))
        };
        let mut notes: Vec<_> = state.status.warnings.iter().map(warning).collect();
        if let Some(lost) = &self.lost {
            let text = format!("! this is old: {}", output::escape(lost));
            notes.push(Line::styled(text, self.colour(Color::Red)));
        }
        if self.is_paused {
            notes.push(Line::styled("paused", self.colour(Color::Yellow)));
        }
        notes
    }

    fn draw_rates(&self, frame: &mut Frame<'_>, area: Rect) {
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
        let draw = |frame: &mut Frame<'_>, area: Rect, title: &str, history: &History, colour| {
            let data = history.latest(area.width.saturating_sub(2));
            let line = Sparkline::default()
                .block(Block::bordered().title(title.to_owned()))
                .style(self.colour(colour))
                .data(&data);
            frame.render_widget(line, area);
        };
        draw(
            frame,
            left,
            " bulletins per second ",
            &self.bulletins,
            Color::Cyan,
        );
        draw(
            frame,
            right,
            " bytes per second ",
            &self.bytes,
            Color::Green,
        );
    }

    fn peers(&self, state: &State) -> Table<'static> {
        let rows = state.peers.iter().skip(self.scroll).map(|peer| {
            let style = match peer.state {
                LinkState::Up => Style::new(),
                LinkState::Suspect => self.colour(Color::Yellow),
                LinkState::Connecting | LinkState::Closing => {
                    Style::new().add_modifier(Modifier::DIM)
                }
            };
            Row::new(peer_cells(peer)).style(style)
        });
        let widths = [
            Constraint::Length(16),
            Constraint::Length(3),
            Constraint::Fill(1),
            Constraint::Length(10),
            Constraint::Length(10),
            Constraint::Length(10),
            Constraint::Length(10),
        ];
        let head = ["ID", "DIR", "ADDRESS", "RTT", "IN", "OUT", "STATE"];
        let title = format!(" {} links ", state.peers.len());
        Table::new(rows, widths)
            .header(Row::new(head).style(Style::new().add_modifier(Modifier::BOLD)))
            .block(Block::bordered().title(title))
    }
}

fn head_lines(status: &Status) -> Vec<Line<'static>> {
    let Status {
        links,
        rates,
        store,
        totals,
        ..
    } = status;
    let bold = |text: String| Span::styled(text, Style::new().add_modifier(Modifier::BOLD));
    let drops: u64 = status.drops.values().sum();
    vec![
        Line::from(vec![
            bold(output::short(&status.id)),
            Span::raw(format!(
                "  network {}, about {} nodes  up {}  bruit {}",
                output::escape(&status.network),
                status.network_size,
                output::span(status.uptime_s),
                status.version
            )),
        ]),
        Line::raw(format!(
            "links {} in, {} out   bulletins {:.1}/s in, {:.1}/s out   {} came twice, {drops} dropped",
            links.inbound, links.outbound, rates.in_per_s, rates.out_per_s, totals.duplicates
        )),
        Line::raw(format!(
            "store {} bulletins, {} of {}   price {}, at least 2^{}   clock {:+} ms",
            store.items,
            output::bytes(store.bytes),
            output::bytes(store.limit_bytes),
            status.price.min,
            status.price.floor_log2,
            status.clock_offset_ms
        )),
    ]
}

fn peer_cells(peer: &Peer) -> [String; 7] {
    let address = peer.address.as_ref().map_or_else(
        || "-".to_owned(),
        |at| {
            // The id stands in its own column.
            at.to_string()
                .split_once('@')
                .map_or_else(String::new, |(_, host)| host.to_owned())
        },
    );
    [
        output::short(&peer.id),
        match peer.direction {
            Direction::In => "in",
            Direction::Out => "out",
        }
        .to_owned(),
        output::escape(&address),
        peer.rtt_ms
            .map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.1} ms")),
        output::bytes(peer.bytes_in),
        output::bytes(peer.bytes_out),
        match peer.state {
            LinkState::Connecting => "connecting",
            LinkState::Up => "up",
            LinkState::Suspect => "suspect",
            LinkState::Closing => "closing",
        }
        .to_owned(),
    ]
}

fn topic_table(state: &State) -> Table<'static> {
    let rows = state.topics.iter().take(TOPICS_MAX).map(|topic| {
        Row::new([
            output::escape(&topic.topic),
            topic.subscribers.to_string(),
            format!("{:.1}/s", topic.in_per_s),
            topic.retained.to_string(),
        ])
    });
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(12),
        Constraint::Length(10),
        Constraint::Length(10),
    ];
    let title = match state.topics.len() {
        0 => " no topic has a subscriber here: `bruit sub TOPIC` ".to_owned(),
        count => format!(" {count} topics: subscribers, rate, kept "),
    };
    Table::new(rows, widths).block(Block::bordered().title(title))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::*;

    fn state(topic: &str) -> State {
        let id = "07".repeat(32);
        let status = json!({
            "id": id, "version": "0.1.0", "network": "main", "uptime_s": 61, "links": {"in": 1, "out": 2},
            "network_size": 3, "topics": 1, "drops": {"late": 4},
            "rates": {"in_per_s": 1.5, "out_per_s": 3.0, "bytes_in_per_s": 900.0, "bytes_out_per_s": 100.0},
            "totals": {"published": 1, "received": 2, "duplicates": 5, "sent": 3},
            "store": {"items": 9, "bytes": 2048, "limit_bytes": 4096}, "price": {"min": 0, "floor_log2": 0},
            "clock_offset_ms": -5, "privacy": "fast",
            "warnings": [{"text": "the disk is full", "fix": "make room"}],
        });
        let peer = json!({
            "id": "08".repeat(32), "direction": "out", "address": null, "path": "direct", "rtt_ms": 1.25,
            "since_ms": 1, "bytes_in": 2048, "bytes_out": 3, "score": 0.0, "state": "suspect", "reason": null,
        });
        let topic =
            json!({"topic": topic, "id": id, "subscribers": 1, "in_per_s": 0.5, "retained": 2});
        State {
            status: serde_json::from_value(status).unwrap(),
            peers: vec![serde_json::from_value(peer).unwrap()],
            topics: vec![serde_json::from_value(topic).unwrap()],
        }
    }

    fn drawn(board: &Board, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| board.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_screen_shows_rates_links_topics_and_warnings() {
        let mut board = Board::new(false);
        board.take(state("news"));
        let text = drawn(&board, 100, 30);
        for part in [
            "0707070707070707",
            "1 in, 2 out",
            "5 came twice, 4 dropped",
            "0808080808080808",
            "suspect",
            "1.2 ms",
            "news",
            "the disk is full (make room)",
            "q end",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }

    #[test]
    fn what_is_old_or_paused_says_so() {
        let mut board = Board::new(true);
        board.take(state("news"));
        board.lost(&Failure::usage("no daemon runs", "start one"));
        assert!(drawn(&board, 100, 30).contains("this is old: no daemon runs"));
        board.on_key(KeyCode::Char('p'));
        board.take(state("other"));
        let text = drawn(&board, 100, 30);
        assert!(
            text.contains("paused") && text.contains("news") && !text.contains("other"),
            "{text}"
        );
    }

    #[test]
    fn nothing_from_the_network_moves_the_cursor_and_no_size_is_too_small() {
        let mut board = Board::new(false);
        board.take(state("\u{1b}[31m\u{202e}evil"));
        let text = drawn(&board, 100, 30);
        assert!(text.contains("\\u{1b}[31m\\u{202e}evil"), "{text}");
        for (width, height) in [(1, 1), (10, 3), (40, 10), (300, 80)] {
            board.on_key(KeyCode::Down);
            drawn(&board, width, height);
        }
    }
}
