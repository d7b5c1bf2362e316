//! What commands print: plain text and tables for people, compact JSON for programs.
//!
//! Invariant: what came from the network cannot move the cursor, change colours or turn the reading
//! direction of a terminal; in JSON it is escaped without changing its meaning.

use std::io::{self, Write as _};

use comfy_table::{Table, presets};
use serde::Serialize;

/// Characters of an id in tables: enough to be unique, and accepted as its beginning.
const ID_CHARS: usize = 16;

/// Writes one line to standard output, at once.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes one line to standard error. That nobody reads it any more is no reason to fail.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The compact JSON of `value`, on one line.
pub(crate) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("our outputs have text keys");
    if text.chars().any(is_unsafe) {
        // Outside strings JSON has none of these characters, so each is inside one.
        text.chars().map(|c| escaped(c, json_escape)).collect()
    } else {
        text
    }
}

/// `text` with everything escaped that a terminal would obey, line breaks too.
pub(crate) fn escape(text: &str) -> String {
    text.chars().map(|c| escaped(c, text_escape)).collect()
}

/// Like [`escape`], but line breaks stay: for texts of ours that quote others.
pub(crate) fn escape_lines(text: &str) -> String {
    let keep = |c| {
        if c == '\n' {
            "\n".to_owned()
        } else {
            escaped(c, text_escape)
        }
    };
    text.chars().map(keep).collect()
}

fn escaped(c: char, how: fn(char) -> String) -> String {
    if is_unsafe(c) { how(c) } else { c.to_string() }
}

fn json_escape(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}

fn text_escape(c: char) -> String {
    c.escape_default().to_string()
}

/// Control characters (C0, DEL, C1), direction marks and overrides, line separators, and characters
/// without width, with which two texts look the same. All of them fit into `\uXXXX`.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The beginning of an id, as tables show it.
pub(crate) fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(ID_CHARS).collect()
}

/// A table with headings and without lines; every cell escaped.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head);
    for row in rows {
        table.add_row(row.map(|cell| escape(&cell)));
    }
    // Each cell has a blank on both sides: those at the ends of a line are not needed.
    let lines = table.lines().map(|line| line.trim().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Pairs of name and value, one a line, aligned; values escaped.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let lines = pairs
        .into_iter()
        .map(|(name, value)| format!("{name:<14}{}", escape(&value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = (count.max(1).ilog2() / 10).min(4);
    let whole = count >> (10 * step);
    let tenth = ((count - (whole << (10 * step))) * 10) >> (10 * step);
    let unit = UNITS[step as usize];
    if step == 0 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{tenth} {unit}")
    }
}

/// How long ago the moment `ms` was, as people read it.
pub(crate) fn ago(ms: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    span(now.saturating_sub(ms / 1_000))
}

/// How long until `ms`, milliseconds since 1970.
pub(crate) fn ahead(ms: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    span((ms / 1_000).saturating_sub(now))
}

/// Seconds as people read them.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: [char; 9] = [
        '\u{1b}', '\n', '\r', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}',
    ];

    #[test]
    fn nothing_a_terminal_obeys_gets_through() {
        for nasty in NASTY {
            let text = format!("a{nasty}b");
            assert!(!escape(&text).contains(nasty), "{nasty:?}");
            assert!(
                !table(["name"], [[text.clone()]]).contains(&text),
                "{nasty:?}"
            );
            let line = json(&text);
            assert!(!line.contains(nasty), "{nasty:?}");
            assert_eq!(
                serde_json::from_str::<String>(&line).unwrap(),
                text,
                "{nasty:?}"
            );
        }
        assert_eq!(escape("grüß Gott, 世界 ✓"), "grüß Gott, 世界 ✓");
        assert_eq!(escape("\u{1b}[31mred\n"), "\\u{1b}[31mred\\n");
        assert_eq!(escape_lines("a\nb\u{7}"), "a\nb\\u{7}");
    }

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(1 << 30), "1.0 GiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        assert_eq!(
            (span(59), span(61), span(3_660), span(90_000)),
            ("59s".into(), "1m1s".into(), "1h1m".into(), "1d1h".into())
        );
    }

    #[test]
    fn table_is_aligned_and_has_no_lines() {
        let text = table(
            ["id", "state"],
            [["a".into(), "up".into()], ["bcd".into(), "up".into()]],
        );
        assert_eq!(text, "id   state\na    up\nbcd  up");
    }
}
