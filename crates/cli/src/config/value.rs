//! Values of settings: their kinds, and how they are read from TOML and from plain text.

use serde::Serialize;
use toml_edit::{Array, Item, Value as Toml};

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text in quotes.
    Text,
    /// The path of a file; a relative one counts from the configuration file's folder.
    Path,
    /// A whole number within bounds.
    Number { min: u64, max: u64 },
    /// `true` or `false`.
    Switch,
    /// Texts in brackets.
    List,
}

impl Kind {
    /// What to write, for messages.
    pub(crate) fn wanted(self) -> String {
        match self {
            Self::Text => "a text in quotes".into(),
            Self::Path => "a path in quotes".into(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Switch => "true or false".into(),
            Self::List => "a list of texts in brackets".into(),
        }
    }
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Text(String),
    Number(u64),
    Switch(bool),
    List(Vec<String>),
}

impl Value {
    /// Reads `item` as a value of `kind`; `Err` says what stands there instead.
    pub(crate) fn from_toml(kind: Kind, item: &Item) -> Result<Self, String> {
        let found = || Err(format!("{} stands there", found(item)));
        match (kind, item) {
            (Kind::Text | Kind::Path, Item::Value(Toml::String(text))) => {
                Ok(Self::Text(text.value().clone()))
            }
            (Kind::Switch, Item::Value(Toml::Boolean(switch))) => Ok(Self::Switch(*switch.value())),
            (Kind::Number { .. }, Item::Value(Toml::Integer(number))) => {
                number_in(kind, i128::from(*number.value()))
            }
            (Kind::List, Item::Value(Toml::Array(array))) => match texts(array) {
                Some(list) => Ok(Self::List(list)),
                None => Err("something else than texts stands in the list".into()),
            },
            _ => found(),
        }
    }

    /// Reads what a flag or an environment variable says; lists are separated by commas.
    pub(crate) fn from_text(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Text | Kind::Path => Ok(Self::Text(text.to_owned())),
            Kind::Switch => text
                .parse()
                .map(Self::Switch)
                .map_err(|_| format!("`{text}` stands there")),
            Kind::Number { .. } => match text.parse::<i128>() {
                Ok(number) => number_in(kind, number),
                Err(_) => Err(format!("`{text}` stands there")),
            },
            Kind::List => {
                let entries = text
                    .split(',')
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty());
                Ok(Self::List(entries.map(str::to_owned).collect()))
            }
        }
    }

    /// Its texts: one, those of the list, or none.
    pub(crate) fn texts(&self) -> &[String] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(list) => list,
            Self::Number(_) | Self::Switch(_) => &[],
        }
    }

    /// As it is written in a configuration file.
    pub(crate) fn to_toml(&self) -> String {
        match self {
            Self::Text(text) => Toml::from(text).to_string(),
            Self::Number(number) => number.to_string(),
            Self::Switch(switch) => switch.to_string(),
            Self::List(list) => list.iter().collect::<Array>().to_string(),
        }
    }
}

fn number_in(kind: Kind, number: i128) -> Result<Value, String> {
    let bounds = match kind {
        Kind::Number { min, max } => i128::from(min)..=i128::from(max),
        _ => 0..=0,
    };
    match u64::try_from(number) {
        Ok(value) if bounds.contains(&number) => Ok(Value::Number(value)),
        _ => Err(format!("{number} is out of bounds")),
    }
}

fn texts(array: &Array) -> Option<Vec<String>> {
    array
        .iter()
        .map(|value| Some(value.as_str()?.to_owned()))
        .collect()
}

fn found(item: &Item) -> &'static str {
    match item {
        Item::Value(Toml::String(_)) => "a text",
        Item::Value(Toml::Integer(_)) => "a number",
        Item::Value(Toml::Float(_)) => "a number with a point",
        Item::Value(Toml::Boolean(_)) => "true or false",
        Item::Value(Toml::Datetime(_)) => "a date",
        Item::Value(Toml::Array(_)) => "a list",
        Item::None
        | Item::Value(Toml::InlineTable(_))
        | Item::Table(_)
        | Item::ArrayOfTables(_) => "a section",
    }
}
