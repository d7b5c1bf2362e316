//! `bruit boost`: more work for anybody's bulletin.

use bruit_api::types::{Boost as Request, Paid};
use clap::Args;

use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::{output, progress};

/// Do more work for a bulletin of anybody's that is held here, so that the network keeps it longer.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit boost 07a1c3f2 --bits 24\n\nEach bit doubles the work and is worth a week of age. \
                        `bruit ls` shows the bits of what is held."
)]
pub(crate) struct Boost {
    /// The bulletin's id, or the first 8 characters of it or more
    id: String,
    /// Bits of work to do
    #[arg(long, value_name = "N")]
    bits: u8,
}

impl Boost {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let path = format!("/v1/bulletins/{}/boost", client::encode(&self.id));
        let request = Request { bits: self.bits };
        let paid = client.post(&path, &request);
        let paid: Paid = progress::shown("working on the stamp", paid).await?;
        let text = format!(
            "{} has {} bits of work, done in {} ms",
            paid.id, paid.bits, paid.work_ms
        );
        Ok(output::line(&if global.json {
            output::json(&paid)
        } else {
            text
        })?)
    }
}
