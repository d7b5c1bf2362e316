//! The configuration file: TOML, every key known, every error with its line.

use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item, Key as TomlKey, TableLike};

use super::keys::{self, KEYS, Key};
use super::problem::Problem;
use super::value::{Kind, Value};

/// Begins the sections of gateways.
const GATEWAYS: &str = "gateways";
/// Whether a gateway runs.
const ENABLED: &str = "enabled";

/// A value of the file and its line, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: &'static Key,
    pub(crate) value: Value,
    pub(crate) line: usize,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path()
    }
}

impl Eq for Key {}

/// Reads the text of the file at `path`; relative paths in it count from its folder.
pub(crate) fn read(path: &Path, text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let mut reader = Reader {
        path,
        text,
        entries: Vec::new(),
        problems: Vec::new(),
    };
    match Document::parse(text) {
        Ok(document) => reader.root(document.as_table()),
        Err(error) => reader.syntax(&error),
    }
    (reader.entries, reader.problems)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn root(&mut self, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let line = self.line_of(table, name);
            match item.as_table_like() {
                Some(gateways) if name == GATEWAYS => self.gateways(gateways),
                Some(section) if keys::sections().contains(&name) => self.section(name, section),
                Some(_) => self.unknown_section(name, line),
                None => self.outside(name, line),
            }
        }
    }

    /// `[gateways.NAME]`: the section alone says that the gateway runs.
    fn gateways(&mut self, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let line = self.line_of(table, name);
            let section = format!("{GATEWAYS}.{name}");
            match (item.as_table_like(), keys::find(&section, ENABLED)) {
                (Some(table), Some(key)) => {
                    if !table.contains_key(ENABLED) {
                        let value = Value::Switch(true);
                        self.entries.push(Entry { key, value, line });
                    }
                    self.section(&section, table);
                }
                (Some(_), None) => self.unknown_section(&section, line),
                (None, _) => self.outside(&section, line),
            }
        }
    }

    fn section(&mut self, section: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let line = self.line_of(table, name);
            match keys::find(section, name) {
                Some(key) => self.entry(key, item, line),
                None => self.unknown_key(section, name, line),
            }
        }
    }

    fn entry(&mut self, key: &'static Key, item: &Item, line: usize) {
        let value = match Value::from_toml(key.kind, item) {
            Ok(value) => value,
            Err(found) => {
                let wanted = key.kind.wanted();
                let fix = format!("write {wanted}: {} = {}", key.name, key.shown());
                return self.problem(&key.path(), line, found, fix);
            }
        };
        if let Err(wrong) = key.check(&value) {
            return self.problem(&key.path(), line, wrong.what, wrong.fix);
        }
        let value = self.absolute(key.kind, value);
        self.entries.push(Entry { key, value, line });
    }

    fn absolute(&self, kind: Kind, value: Value) -> Value {
        match (kind, value) {
            (Kind::Path, Value::Text(text)) => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                Value::Text(folder.join(text).display().to_string())
            }
            (_, value) => value,
        }
    }

    fn unknown_key(&mut self, section: &str, name: &str, line: usize) {
        let here = KEYS
            .iter()
            .filter(|key| key.section == section)
            .map(|key| key.name);
        let elsewhere = KEYS.iter().find(|key| key.name == name);
        let fix = match (elsewhere, keys::nearest(name, here.clone())) {
            (Some(key), _) => format!("write it under [{}]", key.section),
            (None, Some(near)) => format!("did you mean {near}?"),
            (None, None) => format!("[{section}] has {}", here.collect::<Vec<_>>().join(", ")),
        };
        self.problem(
            &format!("{section}.{name}"),
            line,
            "there is no such key".into(),
            fix,
        );
    }

    fn unknown_section(&mut self, name: &str, line: usize) {
        let sections = keys::sections();
        let fix = match keys::nearest(name, sections.iter().copied()) {
            Some(near) => format!("did you mean [{near}]?"),
            None => format!("the sections are [{}]", sections.join("], [")),
        };
        self.problem(name, line, "there is no such section".into(), fix);
    }

    fn outside(&mut self, name: &str, line: usize) {
        let home = |name: &str| KEYS.iter().find(|key| key.name == name);
        let sections = keys::sections();
        let names = KEYS.iter().map(|key| key.name);
        let near = keys::nearest(name, names.chain(sections.iter().copied()));
        let fix = match (home(name), near.and_then(home), near) {
            (Some(key), ..) => format!("write it under [{}]", key.section),
            (None, Some(key), _) => {
                format!(
                    "did you mean {}? Write it under [{}]",
                    key.name, key.section
                )
            }
            (None, None, Some(section)) => {
                format!("write the section as [{section}], and its keys below")
            }
            (None, None, None) => format!("the sections are [{}]", sections.join("], [")),
        };
        self.problem(name, line, "it stands outside of every section".into(), fix);
    }

    fn syntax(&mut self, error: &toml_edit::TomlError) {
        let line = self.line(error.span());
        let text = self.text.lines().nth(line - 1).unwrap_or_default().trim();
        let key = text.split(['=', ' ']).next().filter(|key| !key.is_empty());
        let what = format!(
            "`{text}` is not TOML: {}",
            error.message().replace('\n', ", ")
        );
        let fix = "write `key = value` with texts in quotes, or `[section]`".to_owned();
        self.problem(key.unwrap_or("syntax"), line, what, fix);
    }

    fn problem(&mut self, key: &str, line: usize, what: String, fix: String) {
        self.problems.push(Problem {
            key: key.to_owned(),
            place: format!("{}, line {line}", self.path.display()),
            what,
            fix,
        });
    }

    fn line_of(&self, table: &dyn TableLike, name: &str) -> usize {
        let key = table.get_key_value(name).map(|(key, _)| key);
        self.line(key.and_then(TomlKey::span))
    }

    fn line(&self, span: Option<Range<usize>>) -> usize {
        let start = span.map_or(0, |span| span.start);
        let before = self.text.bytes().take(start);
        1 + before.filter(|byte| *byte == b'\n').count()
    }
}
