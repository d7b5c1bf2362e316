//! `bruit seed`: a node that newcomers register with; `bruit seed list`: what it keeps.

use bruit::view::{Lease, LeaseState, Seeds};
use clap::{Args, Subcommand};

use super::place;
use super::run::Run;
use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output;

/// Run a node that is a seed: newcomers register with it and find others by it. It takes the settings of
/// `bruit run`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  bruit seed\n  bruit seed --listen 0.0.0.0:7447 --network mine\n  \
                  bruit run --seeds NODEID@198.51.100.7:7447 NODEID@198.51.100.8:7447\n  bruit seed list"
)]
pub(crate) struct Seed {
    #[command(subcommand)]
    command: Option<SeedCommand>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum SeedCommand {
    /// List the nodes that are registered with this seed
    List(List),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit seed list\n  bruit seed list --json")]
struct List {}

impl Seed {
    /// Whether it runs a node.
    pub(crate) const fn is_daemon(&self) -> bool {
        self.command.is_none()
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        match &self.command {
            None => self.run.run_as(global, true).await,
            Some(SeedCommand::List(List {})) => list(global).await,
        }
    }
}

async fn list(global: &Global) -> Result<(), Failure> {
    let folder = global.folder()?;
    let seeds: Seeds = Client::new(&folder).get("/v1/seeds").await?;
    if !seeds.registry {
        let message = "the node of this folder is no seed";
        let fix = format!("start it with: bruit seed{}", folder.flag());
        return Err(Failure::new(Exit::Negative, "no_seed", message, fix));
    }
    let text = if global.json {
        output::json(&seeds.leases)
    } else {
        table(&seeds.leases)
    };
    output::line(&text)?;
    Ok(())
}

fn table(leases: &[Lease]) -> String {
    if leases.is_empty() {
        return "nobody is registered: other nodes do so with `bruit run --seeds ADDRESS`"
            .to_owned();
    }
    let rows = leases.iter().map(|lease| {
        let state = match lease.state {
            LeaseState::Alive => "alive",
            LeaseState::Suspect => "suspect",
        };
        [
            output::short(&lease.id),
            place(lease.address.as_ref()),
            output::ahead(lease.lease_until_ms),
            state.to_owned(),
        ]
    });
    output::table(["ID", "ADDRESS", "FOR", "STATE"], rows)
}
