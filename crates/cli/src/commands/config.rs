//! `bruit config show` and `bruit config check`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::args::Global;
use crate::config::flags::Flags;
use crate::config::{Loaded, Row, Sources, Value};
use crate::failure::Failure;
use crate::output;

/// Show or check the configuration: default < file < environment (`BRUIT__SECTION__KEY`) < flags.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit config show --origin\n  bruit config check --config new.toml"
)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what holds
    #[command(
        after_help = "Examples:\n  bruit config show\n  bruit config show --origin --json\n  BRUIT__NODE__PROFILE=lan bruit config show --origin"
    )]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        from: From,
    },
    /// Check it without starting anything. Exit code 2 names what is wrong
    #[command(
        after_help = "Examples:\n  bruit config check\n  bruit config check --config /etc/bruit.toml"
    )]
    Check {
        #[command(flatten)]
        from: From,
    },
}

/// What to read.
#[derive(Debug, Args)]
struct From {
    /// The file [default: DATA/config.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

impl From {
    fn sources(&self, global: &Global) -> Result<Sources, Failure> {
        let flags = self.flags.given(global.log.as_deref());
        Ok(Sources::new(
            &global.folder()?,
            self.config.as_deref(),
            flags,
        ))
    }
}

/// A setting with its origin, as it is printed.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    key: String,
    value: Option<&'a Value>,
    origin: &'a str,
}

/// The result of a check, as it is printed.
#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    /// Its path; what is not UTF-8 in it is replaced.
    file: Option<String>,
}

impl Config {
    pub(crate) fn run(&self, global: &Global) -> Result<(), Failure> {
        match &self.command {
            Command::Show { origin, from } => {
                let loaded = from.sources(global)?.load()?;
                show(&loaded, *origin, global.json)
            }
            Command::Check { from } => {
                let sources = from.sources(global)?;
                let loaded = sources.load()?;
                loaded.node(None)?;
                loaded.settings.gateways.check()?;
                let file = Some(sources.file.as_path()).filter(|file| file.exists());
                checked(file, global.json)
            }
        }
    }
}

fn show(loaded: &Loaded, origin: bool, json: bool) -> Result<(), Failure> {
    let text = match (json, origin) {
        (true, true) => output::json(&loaded.rows.iter().map(shown).collect::<Vec<_>>()),
        (true, false) => output::json(&nested(&loaded.rows)),
        (false, true) => {
            let rows = loaded
                .rows
                .iter()
                .map(|row| [row.key.path(), text(row), row.origin.clone()]);
            output::table(["KEY", "VALUE", "FROM"], rows)
        }
        (false, false) => {
            let rows = loaded.rows.iter().map(|row| [row.key.path(), text(row)]);
            output::table(["KEY", "VALUE"], rows)
        }
    };
    output::line(&text)?;
    Ok(())
}

fn shown(row: &Row) -> Shown<'_> {
    Shown {
        key: row.key.path(),
        value: row.value.as_ref(),
        origin: &row.origin,
    }
}

fn text(row: &Row) -> String {
    row.value
        .as_ref()
        .map_or_else(|| "-".to_owned(), Value::to_toml)
}

/// `{"section": {"key": value}}`.
fn nested(rows: &[Row]) -> Map<String, Json> {
    let mut root = Map::new();
    for row in rows {
        let mut section = &mut root;
        for part in row.key.section.split('.') {
            let inner = section
                .entry(part)
                .or_insert_with(|| Json::Object(Map::new()));
            section = inner
                .as_object_mut()
                .expect("no key has the name of a section");
        }
        section.insert(row.key.name.to_owned(), serde_json::json!(row.value));
    }
    root
}

fn checked(file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let file = file.map(|path| path.display().to_string());
    let text = match &file {
        Some(path) => format!("{path} is fine"),
        None => "there is no configuration file: the defaults hold".to_owned(),
    };
    output::line(&if json {
        output::json(&Checked { ok: true, file })
    } else {
        text
    })?;
    Ok(())
}
