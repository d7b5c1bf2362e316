//! `bruit logs`: what a running daemon logs.

use bruit_api::types::LogFilter;
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::client::Client;
use crate::config::keys;
use crate::failure::Failure;
use crate::output;

/// Change what a running daemon logs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit logs set debug\n  bruit logs set info,bruit=debug")]
pub(crate) struct Logs {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Set(Set),
}

/// Log this from now on, until the next change or start
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit logs set debug\n  bruit logs set info,bruit=debug")]
struct Set {
    /// error, warn, info, debug, trace, or by module
    #[arg(value_name = "LEVEL")]
    filter: String,
}

impl Logs {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let What::Set(Set { filter }) = &self.command;
        // A mistake is told without a daemon, too.
        keys::log_filter(filter).map_err(|wrong| Failure::usage(wrong.what, wrong.fix))?;
        let body = LogFilter {
            filter: filter.clone(),
        };
        let client = Client::new(&global.folder()?);
        let set: LogFilter = client.put("/v1/logs", &body).await?;
        output::line(&if global.json {
            output::json(&set)
        } else {
            format!("the daemon logs {}", set.filter)
        })?;
        Ok(())
    }
}
