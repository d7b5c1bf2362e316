//! `bruit completions`: what a shell needs to complete our command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output;

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit completions bash > ~/.local/share/bash-completion/completions/bruit\n  \
                        bruit completions zsh > ~/.zfunc/_bruit\n  bruit completions fish > ~/.config/fish/completions/bruit.fish"
)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "bruit", &mut text);
        output::line(String::from_utf8_lossy(&text).trim_end())?;
        Ok(())
    }
}
