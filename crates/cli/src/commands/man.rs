//! `bruit man`: manual pages, one for each command.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use serde::Serialize;

use crate::args::{Cli, Global};
use crate::failure::Failure;
use crate::output;

/// Write manual pages into a folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The folder; made when it is missing
    dir: PathBuf,
}

/// What was written, as it is printed.
#[derive(Debug, Serialize)]
struct Written {
    dir: String,
    pages: usize,
}

impl Man {
    pub(crate) fn run(&self, global: &Global) -> Result<(), Failure> {
        let wrong = |error| Failure::file(&self.dir, &error);
        fs::create_dir_all(&self.dir).map_err(wrong)?;
        clap_mangen::generate_to(Cli::command(), &self.dir).map_err(wrong)?;
        let pages = pages(&Cli::command());
        let dir = self.dir.display().to_string();
        let text = format!("{pages} pages in {dir}");
        output::line(&if global.json {
            output::json(&Written { dir, pages })
        } else {
            text
        })?;
        Ok(())
    }
}

/// One for `command`, and one for each below it.
fn pages(command: &clap::Command) -> usize {
    let shown = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    1 + shown.map(pages).sum::<usize>()
}
