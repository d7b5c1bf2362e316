//! `bruit drop`: unlink from a node.

use bruit_api::types::Linked;
use clap::Args;

use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::output;

/// Unlink from a node. Exit code 1 when there is no link to it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit drop 07a1c3f2\n  bruit drop --json 07a1c3f2")]
pub(crate) struct Drop {
    /// Its id, or at least the first 8 characters
    id: String,
}

impl Drop {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let path = format!("/v1/peers/{}", client::encode(&self.id));
        let dropped: Linked = Client::new(&global.folder()?).delete(&path).await?;
        let text = format!("{} unlinked", dropped.id);
        output::line(&if global.json {
            output::json(&dropped)
        } else {
            text
        })?;
        Ok(())
    }
}
