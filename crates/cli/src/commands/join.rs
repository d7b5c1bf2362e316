//! `bruit join`: link to nodes now.

use std::time::Duration;

use bruit::{ParseAddressError, PeerSpec};
use bruit_api::text;
use bruit_api::types::{Join as Request, Linked};
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::{output, progress};

/// Link to nodes now. Exit code 1 when not all of them could be reached.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit join NODEID@198.51.100.7:7447\n  bruit join NODEID@[2001:db8::7]:7447 bruit1q…\n  \
                        bruit join --timeout 30s NODEID@example.org:7447"
)]
pub(crate) struct Join {
    /// NODEID@HOST:PORT, or tickets
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// How long to try
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = text::duration)]
    timeout: Duration,
}

impl Join {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        self.check()?;
        let request = Request {
            addresses: self.addresses.clone(),
            timeout: Some(format!("{}ms", self.timeout.as_millis())),
        };
        let client = Client::new(&global.folder()?);
        let answer = client.post("/v1/peers", &request);
        let links: Vec<Linked> = progress::shown("linking", answer).await?;
        print(global.json, &links)?;
        let missed: Vec<_> = links
            .iter()
            .filter(|link| !link.linked)
            .map(|link| &*link.id)
            .collect();
        if missed.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Negative,
            "not_linked",
            format!("no link to {} within {:?}", missed.join(", "), self.timeout),
            "see that the node runs, has this network's name, secret and price, and that UDP reaches \
             its port; the daemon's log says more",
        ))
    }

    /// A mistyped address is told before anything is done.
    fn check(&self) -> Result<(), Failure> {
        for address in &self.addresses {
            if let Err(error) = address.parse::<PeerSpec>() {
                let message = format!("address `{address}`: {error}");
                return Err(Failure::usage(message, ParseAddressError::FIX));
            }
        }
        Ok(())
    }
}

fn print(json: bool, links: &[Linked]) -> std::io::Result<()> {
    if json {
        return output::line(&output::json(&links));
    }
    let word = |link: &Linked| if link.linked { "linked" } else { "not linked" };
    links
        .iter()
        .try_for_each(|link| output::line(&format!("{} {}", link.id, word(link))))
}
