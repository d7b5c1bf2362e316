//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands as cmd;
use crate::failure::Failure;
use crate::folder::Folder;

/// A gossip network in one binary: broadcast signed messages on topics to everyone, without a broker.
#[derive(Debug, Parser)]
#[command(
    name = "bruit",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  bruit demo                  a live network on this machine\n  \
                  bruit run                   a node\n  bruit sub news              prints what comes\n  \
                  bruit pub news hello        says hello\n\nExit codes: 0 ok, 1 negative result, 2 usage or \
                  configuration, 3 timeout, 4 daemon not reachable, 5 not authorised, 6 refused by policy."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes, before it and after it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The node's folder [default: `$XDG_DATA_HOME/bruit`]
    #[arg(
        long,
        global = true,
        env = "BRUIT_DATA",
        hide_env_values = true,
        value_name = "DIR"
    )]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON: one line for each object or list
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What is logged: error, warn, info, debug, trace, or by module
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

impl Global {
    pub(crate) fn folder(&self) -> Result<Folder, Failure> {
        Folder::find(self.data.as_deref())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node
    Run(cmd::run::Run),
    /// Run a node that is a seed: newcomers register with it and find others by it
    Seed(cmd::seed::Seed),
    /// Write a commented configuration file
    Init(cmd::init::Init),
    /// Show this node's id, addresses, ticket and author keys
    Id(cmd::id::Id),
    /// Show how the node is doing
    Status(cmd::status::Status),
    /// List the links to other nodes
    Peers(cmd::peers::Peers),
    /// List all known nodes
    Members(cmd::members::Members),
    /// Link to nodes now
    Join(cmd::join::Join),
    /// Unlink from a node
    Drop(cmd::drop::Drop),
    /// List the subscribed topics
    Topics(cmd::topics::Topics),
    /// Watch the node on a screen
    Top(cmd::top::Top),
    /// Talk in a room
    Chat(cmd::chat::Chat),
    /// Show which nodes are linked
    Topology(cmd::topology::Topology),
    /// Show which way a bulletin took
    Trace(cmd::trace::Trace),
    /// Publish on a topic
    Pub(cmd::publish::Publish),
    /// Print what comes on topics
    Sub(cmd::sub::Sub),
    /// Keep a value on the network
    Put(cmd::put::Put),
    /// Write out a value
    Get(cmd::get::Get),
    /// List what is held here
    Ls(cmd::ls::Ls),
    /// Delete a value of yours
    Del(cmd::del::Del),
    /// Do more work for a bulletin, so that it is kept longer
    Boost(cmd::boost::Boost),
    /// Follow a name: print each version of its value
    Watch(cmd::watch::Watch),
    /// Send a letter to a node or an author
    Send(cmd::send::Send),
    /// Read the letters to this node
    Inbox(cmd::inbox::Inbox),
    /// List the letters of this node, and how far they have come
    Outbox(cmd::outbox::Outbox),
    /// Keep the contacts: whose letters are acknowledged
    Contacts(cmd::contacts::Contacts),
    /// Let a program decide what is delivered and passed on
    Validate(cmd::validate::Validate),
    /// Run a gateway to another system's network
    Gateway(cmd::gateway::Gateway),
    /// Write what the node holds into a file
    Export(cmd::export::Export),
    /// Give the node what a file holds
    Import(cmd::import::Import),
    /// Run a network of real nodes on this machine and watch it
    Demo(cmd::demo::Demo),
    /// Simulate a network: run a scenario, compare reports
    Sim(cmd::sim::Sim),
    /// Print a link that opens the dashboard
    Dashboard(cmd::dashboard::Dashboard),
    /// Make, list and end tokens for other programs
    Token(cmd::token::Token),
    /// Change what the daemon logs
    Logs(cmd::logs::Logs),
    /// Show or check the configuration
    Config(cmd::config::Config),
    /// Print completions for a shell
    Completions(cmd::completions::Completions),
    /// Write manual pages
    Man(cmd::man::Man),
}

impl Command {
    /// Whether it runs a node, with a log of its own.
    pub(crate) fn is_daemon(&self) -> bool {
        match self {
            Self::Run(_) => true,
            Self::Seed(seed) => seed.is_daemon(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn all(command: &clap::Command) -> Vec<clap::Command> {
        let mut found = vec![command.clone()];
        found.extend(command.get_subcommands().flat_map(all));
        found
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_summary_and_an_example() {
        for command in all(&Cli::command()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no summary");
            let after = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(after.contains("bruit "), "{name} has no example");
        }
    }

    #[test]
    fn global_flags_stand_before_and_after_the_command() {
        for line in [
            "bruit --json --data x status",
            "bruit status --json --data x",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json);
            assert_eq!(cli.global.data, Some("x".into()));
        }
    }

    #[test]
    fn what_does_not_work_yet_is_unknown() {
        let lines = [
            "bruit pub --mode fast news x",
            "bruit relay",
            "bruit doctor",
        ];
        for line in lines {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
