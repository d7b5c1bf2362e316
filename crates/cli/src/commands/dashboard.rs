//! `bruit dashboard`: a link that opens the dashboard of a running daemon.

use bruit_api::types::{Link, NewLink};
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;

/// Print a link that opens the daemon's dashboard in a browser on this machine: once, within ten minutes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit dashboard\n  xdg-open $(bruit dashboard)")]
pub(crate) struct Dashboard {}

impl Dashboard {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let link: Link = client.post("/v1/sessions", &NewLink {}).await?;
        output::line(&if global.json {
            output::json(&link)
        } else {
            link.url
        })?;
        Ok(())
    }
}
