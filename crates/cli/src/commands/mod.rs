//! The commands, one file each, and what several of them share.

pub(crate) mod boost;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod contacts;
pub(crate) mod dashboard;
mod dave;
pub(crate) mod del;
pub(crate) mod demo;
pub(crate) mod drop;
pub(crate) mod export;
pub(crate) mod files;
pub(crate) mod gateway;
pub(crate) mod get;
pub(crate) mod id;
pub(crate) mod import;
pub(crate) mod inbox;
pub(crate) mod init;
pub(crate) mod join;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod members;
pub(crate) mod outbox;
pub(crate) mod peers;
pub(crate) mod publish;
pub(crate) mod put;
pub(crate) mod run;
pub(crate) mod seed;
pub(crate) mod send;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod sub;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod topics;
pub(crate) mod topology;
pub(crate) mod trace;
pub(crate) mod validate;
pub(crate) mod watch;

use std::io::IsTerminal as _;
use std::time::Duration;

use crate::args::{Cli, Command};
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::logs::Logs;
use crate::{output, signals};

/// How often a watched list is read again.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let global = cli.global;
    // A daemon's level is a setting among others, and its log also goes to a file.
    // A gateway runs as long, and says what goes wrong.
    let is_gateway = matches!(cli.command, Command::Gateway(_));
    let level = global.log.as_deref();
    if let Some(level) = level.or(is_gateway.then_some("warn"))
        && !cli.command.is_daemon()
        && !matches!(cli.command, Command::Config(_))
    {
        Logs::start(level, None)?;
    }
    match cli.command {
        Command::Run(command) => command.run(&global).await,
        Command::Init(command) => command.run(&global),
        Command::Id(command) => command.run(&global).await,
        Command::Seed(command) => command.run(&global).await,
        Command::Status(command) => command.run(&global).await,
        Command::Peers(command) => command.run(&global).await,
        Command::Members(command) => command.run(&global).await,
        Command::Join(command) => command.run(&global).await,
        Command::Drop(command) => command.run(&global).await,
        Command::Topics(command) => command.run(&global).await,
        Command::Top(command) => command.run(&global).await,
        Command::Chat(command) => command.run(&global).await,
        Command::Topology(command) => command.run(&global).await,
        Command::Trace(command) => command.run(&global).await,
        Command::Pub(command) => command.run(&global).await,
        Command::Sub(command) => command.run(&global).await,
        Command::Put(command) => command.run(&global).await,
        Command::Get(command) => command.run(&global).await,
        Command::Ls(command) => command.run(&global).await,
        Command::Del(command) => command.run(&global).await,
        Command::Boost(command) => command.run(&global).await,
        Command::Watch(command) => command.run(&global).await,
        Command::Send(command) => command.run(&global).await,
        Command::Inbox(command) => command.run(&global).await,
        Command::Outbox(command) => command.run(&global).await,
        Command::Contacts(command) => command.run(&global).await,
        Command::Validate(command) => command.run(&global).await,
        Command::Gateway(command) => command.run(&global).await,
        Command::Export(command) => command.run(&global).await,
        Command::Import(command) => command.run(&global).await,
        Command::Demo(command) => command.run(&global).await,
        Command::Sim(command) => command.run(&global).await,
        Command::Dashboard(command) => command.run(&global).await,
        Command::Token(command) => command.run(&global).await,
        Command::Logs(command) => command.run(&global).await,
        Command::Config(command) => command.run(&global),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(&global),
    }
}

/// Prints what `path` answers, as JSON or as `show` puts it; watched, again every second.
async fn print<T>(
    client: &Client,
    path: &str,
    json: bool,
    watch: bool,
    show: impl Fn(&T) -> String,
) -> Result<(), Failure>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let read = async || -> Result<String, Failure> {
        let answer: T = client.get(path).await?;
        Ok(if json {
            output::json(&answer)
        } else {
            show(&answer)
        })
    };
    if !watch {
        output::line(&read().await?)?;
        return Ok(());
    }
    // Home, and clear what is below: the list stands still while it changes.
    let is_still = !json && std::io::stdout().is_terminal();
    let before = if is_still { "\x1b[H\x1b[2J" } else { "" };
    signals::until_stopped(async {
        loop {
            output::line(&format!("{before}{}", read().await?))?;
            tokio::time::sleep(WATCH_EVERY).await;
        }
    })
    .await
}

/// The path of the value at `address` under `/v1/values` or another root: `ID` or `AUTHOR/NAME`.
fn value_path(root: &str, address: &str) -> Result<String, Failure> {
    let parts = address.split_once('/');
    let parts = parts.map_or_else(|| vec![address], |(author, name)| vec![author, name]);
    if parts.contains(&"") {
        return Err(Failure::usage(
            format!("`{}` is no value's address", output::escape(address)),
            "give an id, or AUTHOR/NAME",
        ));
    }
    let parts: Vec<_> = parts.into_iter().map(client::encode).collect();
    Ok(format!("{root}/{}", parts.join("/")))
}

/// `-` where there is nothing to say.
fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// Milliseconds as people read them.
fn millis(ms: Option<f64>) -> String {
    or_dash(ms.map(|ms| format!("{ms:.1} ms")))
}

/// The place of an address, without the id that stands beside it.
fn place(address: Option<&bruit::PeerSpec>) -> String {
    or_dash(address.map(|spec| spec.hosts()[0].to_string()))
}
