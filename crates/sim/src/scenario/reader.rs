//! TOML, key by key: whoever reads a section asks it for each key it knows, and at the end nothing may be
//! left that nobody asked for. So every error names its key, its line and what would be right.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a scenario, where, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, or as much of it as can be told.
    pub key: String,
    /// The line, from 1.
    pub line: usize,
    /// The cause.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}): {}", self.key, self.line, self.what)
    }
}

impl std::error::Error for Problem {}

/// Has `read` ask the root section of `text` for what it knows.
pub(super) fn read<T>(
    text: &str,
    read: impl FnOnce(&mut Section<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let root = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    let mut section = Section {
        text,
        path: String::new(),
        line: 1,
        table: root.get_ref(),
        asked: Vec::new(),
    };
    let value = read(&mut section)?;
    section.end()?;
    Ok(value)
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let line = line_of(text, &error.span().unwrap_or_default());
    let shown = text.lines().nth(line - 1).unwrap_or_default().trim();
    let key = shown.split(['=', ' ']).next().unwrap_or_default();
    Problem {
        key: if key.is_empty() { "syntax" } else { key }.to_owned(),
        line,
        what: format!(
            "`{shown}` is not TOML: {}",
            error.message().replace('\n', ", ")
        ),
        fix: "write `key = value` with texts in quotes, or `[section]`".to_owned(),
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.bytes().take(span.start);
    1 + before.filter(|byte| *byte == b'\n').count()
}

/// A minute.
const MILLIS_MAX: f64 = 60_000.0;
/// How rows are written.
const ROWS: &str = "write rows of milliseconds, such as [[2, 40], [40, 2]]";

/// A table that is being read.
pub(super) struct Section<'a> {
    text: &'a str,
    path: String,
    line: usize,
    table: &'a DeTable<'a>,
    asked: Vec<&'static str>,
}

type Value<'a> = &'a Spanned<DeValue<'a>>;

impl<'a> Section<'a> {
    /// A number, with or without a point.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<f64>,
    ) -> Result<Option<f64>, Problem> {
        let wanted = || format!("write a number from {} to {}", bounds.start(), bounds.end());
        self.parsed(key, wanted, |value| number(value, &bounds))
    }

    /// A whole number.
    pub(super) fn whole(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Problem> {
        let wanted = || {
            let (least, most) = (bounds.start(), bounds.end());
            format!("write a whole number from {least} to {most}")
        };
        self.parsed(key, wanted, |value| whole(value, &bounds))
    }

    /// A whole number or one of `words`.
    pub(super) fn whole_or_word(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<usize>,
        words: &[&'static str],
    ) -> Result<Option<Result<usize, &'static str>>, Problem> {
        let wanted = || {
            let (least, most) = (bounds.start(), bounds.end());
            format!(
                "write a whole number from {least} to {most}, or {}",
                quoted(words)
            )
        };
        self.parsed(key, wanted, |value| match value.as_str() {
            Some(text) => word(text, words).map(Err),
            None => whole(value, &bounds).map(Ok),
        })
    }

    /// One of `words`.
    pub(super) fn word(
        &mut self,
        key: &'static str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, Problem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let text = value.get_ref().as_str();
        let near = text.and_then(|text| nearest(text, words.iter().copied()));
        let wanted = || match near {
            Some(near) => format!("did you mean \"{near}\"? there are {}", quoted(words)),
            None => format!("write {}", quoted(words)),
        };
        self.parsed(key, wanted, |value| word(value.as_str()?, words))
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, Problem> {
        let wanted = || "write a text in quotes".to_owned();
        self.parsed(key, wanted, |value| {
            let text = value.as_str()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        })
    }

    /// A list of `words`.
    pub(super) fn words(
        &mut self,
        key: &'static str,
        words: &[&'static str],
    ) -> Result<Option<Vec<&'static str>>, Problem> {
        let wanted = || format!("write a list in brackets, of {}", quoted(words));
        self.parsed(key, wanted, |value| {
            let entries = value.as_array()?.iter();
            entries
                .map(|entry| word(entry.get_ref().as_str()?, words))
                .collect()
        })
    }

    /// Seconds, up to a day.
    pub(super) fn seconds(&mut self, key: &'static str) -> Result<Option<Duration>, Problem> {
        let seconds = self.number(key, 0.0..=86_400.0)?;
        Ok(seconds.map(Duration::from_secs_f64))
    }

    /// Milliseconds, up to a minute.
    pub(super) fn millis(&mut self, key: &'static str) -> Result<Option<Duration>, Problem> {
        let millis = self.number(key, 0.0..=MILLIS_MAX)?;
        Ok(millis.map(|millis| Duration::from_secs_f64(millis / 1_000.0)))
    }

    /// Rows of milliseconds, up to a minute each, in every row as many as there are rows.
    pub(super) fn square(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Vec<Vec<Duration>>>, Problem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let rows = value.get_ref().as_array();
        let rows = rows.ok_or_else(|| self.wrong(key, value, ROWS.to_owned()))?;
        if rows.is_empty() {
            return Err(self.wrong(key, value, ROWS.to_owned()));
        }
        let rows = rows.iter().map(|row| self.row(key, row, rows.len()));
        rows.collect::<Result<_, _>>().map(Some)
    }

    fn row(&self, key: &str, row: Value<'_>, count: usize) -> Result<Vec<Duration>, Problem> {
        let entries = row.get_ref().as_array();
        let entries = entries.ok_or_else(|| self.wrong(key, row, ROWS.to_owned()))?;
        if entries.len() != count {
            return Err(Problem {
                key: self.below(key),
                line: line_of(self.text, &row.span()),
                what: format!(
                    "{} numbers in a row of a table of {count} rows",
                    entries.len()
                ),
                fix: "write as many numbers in each row as there are rows".to_owned(),
            });
        }
        let millis = |entry: Value<'_>| {
            let wanted = || format!("write milliseconds, from 0 to {MILLIS_MAX}");
            let millis = number(entry.get_ref(), &(0.0..=MILLIS_MAX));
            let millis = millis.ok_or_else(|| self.wrong(key, entry, wanted()))?;
            Ok(Duration::from_secs_f64(millis / 1_000.0))
        };
        entries.iter().map(millis).collect()
    }

    /// Has `read` ask the section of this name, where there is one.
    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let wanted = || format!("write [{}] and its keys below", self.below(key));
        let table = value.get_ref().as_table();
        let table = table.ok_or_else(|| self.wrong(key, value, wanted()))?;
        let mut section = self.inner(key, value, table);
        let read = read(&mut section)?;
        section.end()?;
        Ok(Some(read))
    }

    /// Has `read` ask every section of this name, of which there may be many; none when there is none.
    pub(super) fn sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> Result<T, Problem>,
    ) -> Result<Option<Vec<T>>, Problem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let wanted = || format!("write [[{}]] and its keys below", self.below(key));
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.wrong(key, value, wanted()))?;
        let mut all = Vec::new();
        for entry in list {
            let table = entry.get_ref().as_table();
            let table = table.ok_or_else(|| self.wrong(key, entry, wanted()))?;
            let mut section = self.inner(key, entry, table);
            all.push(read(&mut section)?);
            section.end()?;
        }
        Ok(Some(all))
    }

    /// What is wrong with the value of `key`, or with the section where the key is not there.
    pub(super) fn problem(
        &self,
        key: &str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        let value = self.table.get(key);
        Problem {
            key: self.below(key),
            line: value.map_or(self.line, |value| line_of(self.text, &value.span())),
            what: what.into(),
            fix: fix.into(),
        }
    }

    /// The same of `key` in section `number` of those called `list`, where it stands here.
    pub(super) fn problem_in(
        &self,
        list: &str,
        number: usize,
        key: &str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        let entries = self
            .table
            .get(list)
            .and_then(|list| list.get_ref().as_array());
        let entry = entries.and_then(|entries| entries.get(number));
        let value = entry.and_then(|entry| entry.get_ref().as_table()?.get(key));
        let line = value
            .or(entry)
            .map(|found| line_of(self.text, &found.span()));
        Problem {
            key: self.below(&format!("{list}.{key}")),
            line: line.unwrap_or(self.line),
            what: what.into(),
            fix: fix.into(),
        }
    }

    /// Whether something is said at `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn get(&mut self, key: &'static str) -> Option<Value<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key)
    }

    fn parsed<T>(
        &mut self,
        key: &'static str,
        wanted: impl FnOnce() -> String,
        parse: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let parsed = parse(value.get_ref());
        parsed
            .map(Some)
            .ok_or_else(|| self.wrong(key, value, wanted()))
    }

    fn wrong(&self, key: &str, value: Value<'_>, fix: String) -> Problem {
        let span = value.span();
        let shown = self.text.get(span.clone()).unwrap_or_default();
        let shown = shown.lines().next().unwrap_or_default();
        Problem {
            key: self.below(key),
            line: line_of(self.text, &span),
            what: format!("`{shown}` stands there"),
            fix,
        }
    }

    fn inner<'b>(&self, key: &str, value: Value<'_>, table: &'b DeTable<'b>) -> Section<'b>
    where
        'a: 'b,
    {
        Section {
            text: self.text,
            path: self.below(key),
            line: line_of(self.text, &value.span()),
            table,
            asked: Vec::new(),
        }
    }

    fn below(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// Nothing may be left.
    fn end(&self) -> Result<(), Problem> {
        let is_left = |key: &&Spanned<_>| !self.asked.iter().any(|asked| asked == key.get_ref());
        let mut left: Vec<_> = self.table.keys().filter(is_left).collect();
        left.sort_by_key(|key| key.span().start);
        let Some(key) = left.first() else {
            return Ok(());
        };
        let fix = match nearest(key.get_ref(), self.asked.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", self.asked.join(", ")),
        };
        Err(Problem {
            key: self.below(key.get_ref()),
            line: line_of(self.text, &key.span()),
            what: "there is no such key".to_owned(),
            fix,
        })
    }
}

fn number(value: &DeValue<'_>, bounds: &RangeInclusive<f64>) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "no bound is near 2^53")]
    let number = match value {
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()? as f64
        }
        DeValue::Float(number) => number.as_str().parse().ok()?,
        _ => return None,
    };
    bounds.contains(&number).then_some(number)
}

fn whole(value: &DeValue<'_>, bounds: &RangeInclusive<usize>) -> Option<usize> {
    let number = value.as_integer()?;
    let number = usize::from_str_radix(number.as_str(), number.radix()).ok()?;
    bounds.contains(&number).then_some(number)
}

fn word(text: &str, words: &[&'static str]) -> Option<&'static str> {
    words.iter().copied().find(|word| *word == text)
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    words.join(", ")
}

/// The one of `known` that looks most like `text`, if any does.
fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    let known = known.into_iter();
    let scored = known.map(|name| (strsim::jaro_winkler(text, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (String, usize, String, String) {
        let read = read(text, |root| {
            root.whole("nodes", 2..=100)?;
            root.word("protocol", &["rootcast", "flood"])?;
            root.section("terrain", |terrain| terrain.square("matrix_ms"))?;
            root.section("traffic", |traffic| {
                traffic.whole_or_word("publishers", 1..=10, &["all"])?;
                traffic.number("rate", 0.5..=10.0)
            })?;
            root.sections("case", |case| case.text("name"))
        });
        let Problem {
            key,
            line,
            what,
            fix,
        } = read.unwrap_err();
        (key, line, what, fix)
    }

    #[test]
    fn every_problem_names_its_key_its_line_and_what_would_be_right() {
        let cases = [
            ("nodes = 5\nnoodes = 3", "noodes", 2, "did you mean nodes?"),
            (
                "xyz = 3",
                "xyz",
                1,
                "there are nodes, protocol, terrain, traffic, case",
            ),
            (
                "\n[traffic]\nraet = 3",
                "traffic.raet",
                3,
                "did you mean rate?",
            ),
            (
                "[[case]]\nname = 'a'\n[[case]]\nnmae = 'b'",
                "case.nmae",
                4,
                "did you mean name?",
            ),
            (
                "nodes = 1",
                "nodes",
                1,
                "write a whole number from 2 to 100",
            ),
            (
                "nodes = 2.5",
                "nodes",
                1,
                "write a whole number from 2 to 100",
            ),
            (
                "traffic.rate = 'x'",
                "traffic.rate",
                1,
                "write a number from 0.5 to 10",
            ),
            (
                "traffic.publishers = 'al'",
                "traffic.publishers",
                1,
                "write a whole number from 1 to 10, or \"all\"",
            ),
            (
                "protocol = 'floood'",
                "protocol",
                1,
                "did you mean \"flood\"? there are \"rootcast\", \"flood\"",
            ),
            (
                "traffic = 3",
                "traffic",
                1,
                "write [traffic] and its keys below",
            ),
            ("case = 3", "case", 1, "write [[case]] and its keys below"),
            ("terrain.matrix_ms = 3", "terrain.matrix_ms", 1, ROWS),
            ("terrain.matrix_ms = []", "terrain.matrix_ms", 1, ROWS),
            (
                "terrain.matrix_ms = [\n[1, 2],\n3]",
                "terrain.matrix_ms",
                3,
                ROWS,
            ),
            (
                "terrain.matrix_ms = [\n[1, 2],\n[3]]",
                "terrain.matrix_ms",
                3,
                "write as many numbers in each row as there are rows",
            ),
            (
                "terrain.matrix_ms = [\n[1, 2],\n[3,\n-4.5]]",
                "terrain.matrix_ms",
                4,
                "write milliseconds, from 0 to 60000",
            ),
        ];
        for (text, key, line, fix) in cases {
            let (found, at, _, told) = problem(text);
            assert_eq!(
                (found.as_str(), at, told.as_str()),
                (key, line, fix),
                "{text}"
            );
        }
        let (_, _, what, _) = problem("terrain.matrix_ms = [[1, 2], [3, -4.5]]");
        assert_eq!(what, "`-4.5` stands there");
        let (_, _, what, _) = problem("terrain.matrix_ms = [[1, 2], [3]]");
        assert_eq!(what, "1 numbers in a row of a table of 2 rows");
        let (key, line, what, _) = problem("nodes = 5\ntraffic rate = 5");
        assert_eq!((key.as_str(), line), ("traffic", 2));
        assert!(what.starts_with("`traffic rate = 5` is not TOML"), "{what}");
    }

    #[test]
    fn numbers_are_read_whatever_they_are_written_in() {
        let numbers = "a = 0x10\nb = 0o17\nc = 0b1_01\nd = -1_000\ne = 1e2\nf = 2.5\n";
        let values = read(numbers, |root| {
            let mut number = |key| root.number(key, -1_000.0..=1_000.0);
            Ok(["a", "b", "c", "d", "e", "f"].map(|key| number(key).unwrap().unwrap()))
        });
        let values = values.unwrap().map(|value| value.to_string());
        assert_eq!(values, ["16", "15", "5", "-1000", "100", "2.5"]);
    }
}
