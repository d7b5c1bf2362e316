//! `bruit run`: the daemon.

use std::path::PathBuf;
use std::time::Duration;

use bruit::Node;
use bruit::keys::{DataFolder, KeyError, KeyName, Passphrase};
use bruit_api::types::Identity;
use bruit_api::{Endpoint, GatewayCounts, LogBook, Options, Server, Token, Tokens};
use clap::Args;
use serde::Serialize;

use crate::args::Global;
use crate::client::Client;
use crate::commands::gateway::Within;
use crate::config::flags::Flags;
use crate::config::{Loaded, Sources, Value};
use crate::descriptors;
use crate::exercise::Exercise;
use crate::failure::{Exit, Failure};
use crate::folder::{Folder, quoted};
use crate::logs::Logs;
use crate::output;
use crate::passphrase;
use crate::signals::{Signal, Signals};

/// How long requests may finish when the daemon ends.
const API_PATIENCE: Duration = Duration::from_millis(300);
/// Longest time ending takes.
const STOP_TIMEOUT: Duration = Duration::from_millis(1_900);

/// Run a node until Ctrl-C: it listens, links to others, keeps what passes, and serves the other
/// commands.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit run\n  bruit run --join NODEID@198.51.100.7:7447\n  \
                        bruit run --data /tmp/b --listen 127.0.0.1:0 --json\n  \
                        bruit run --network mine --secret ~/mine.secret\n  bruit run --record seen.journal\n  bruit run --no-dashboard\n  bruit run --passphrase-file node.pass\n\nSignals: INT and TERM end it within 2 s, a second one at once; \
                        HUP reads the configuration again."
)]
pub(crate) struct Run {
    /// The configuration file [default: DATA/config.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep nothing on disk: a new node each time. The folder still holds socket and token
    #[arg(long)]
    ephemeral: bool,
    /// Record everything the node is told in this new file, for `bruit sim replay`. The file holds all that
    /// comes over links, and of a private network the key made from its secret: keep it to yourself
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    passphrase: passphrase::Source,
    #[command(flatten)]
    flags: Flags,
}

/// The line that says that the daemon is ready. Its keys are promises.
#[derive(Debug, Serialize)]
struct Ready {
    event: &'static str,
    id: String,
    address: Option<String>,
    listen: String,
    ticket: Option<String>,
    api: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_extra: Option<String>,
    /// Opens the dashboard once.
    #[serde(skip_serializing_if = "Option::is_none")]
    dashboard: Option<String>,
}

impl Run {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        self.run_as(global, false).await
    }

    /// Runs the node, as a seed if `is_seed`.
    pub(crate) async fn run_as(&self, global: &Global, is_seed: bool) -> Result<(), Failure> {
        let folder = global.folder()?;
        let flags = self.flags.given(global.log.as_deref());
        let sources = Sources::new(&folder, self.config.as_deref(), flags);
        let loaded = sources.load()?;
        let mut config = loaded.node((!self.ephemeral).then(|| folder.path()))?;
        config.record.clone_from(&self.record);
        config.is_seed = is_seed;
        let exercise = Exercise::of(&config, loaded.chatter());
        folder.create()?;
        let log_file = (!self.ephemeral).then(|| folder.log());
        let logs = Logs::start(&loaded.settings.log.level, log_file.as_deref())?;
        refuse_second(&folder).await?;
        if !self.ephemeral {
            config.passphrase = self.node_passphrase(&folder)?;
        }
        descriptors::raise();
        let mut signals = Signals::new()?;
        let node = Node::spawn(config).await?;
        let data = (!self.ephemeral).then(|| folder.path());
        let gateways = match Within::start(&node, &loaded.settings.gateways, data).await {
            Ok(gateways) => gateways,
            Err(failure) => {
                node.shutdown().await;
                return Err(failure);
            }
        };
        let api = match serve(&node, &folder, &loaded, logs.book(), gateways.counts()).await {
            Ok(api) => api,
            Err(failure) => {
                gateways.stop().await;
                node.shutdown().await;
                return Err(failure);
            }
        };
        let ready = Ready::new(&node, &api)?;
        ready.print(global.json, &folder, &loaded);
        gateways.print(global.json);
        exercise.start(&node);
        let mut running = Running {
            node,
            gateways,
            json: global.json,
            logs,
            sources,
            loaded,
        };
        let ended = running.until_stopped(&mut signals, &folder).await;
        let stopping = tokio::time::timeout(STOP_TIMEOUT, async {
            running.gateways.stop().await;
            api.stop(API_PATIENCE).await;
            running.node.shutdown().await;
        });
        tokio::select! {
            stopped = stopping => {
                if stopped.is_err() {
                    tracing::warn!("the node did not end in time: what was not yet synced may be asked for again");
                }
                ended
            }
            // Whoever asks twice does not want to wait.
            () = signals.stop() => std::process::exit(Exit::Negative as i32),
        }
    }
}

impl Run {
    /// What opens the node's key: asked for where it is protected, and read wherever a file is named, so
    /// that a wrong name is told at once.
    fn node_passphrase(&self, folder: &Folder) -> Result<Option<Passphrase>, Failure> {
        let stored = DataFolder::open(folder.path())?.stored(&KeyName::Node)?;
        if !stored.is_protected() {
            return self.passphrase.read();
        }
        match self.passphrase.existing(&KeyName::Node) {
            Err(failure) if failure.code == "key_locked" => {
                let key = KeyName::Node;
                Err(KeyError::Locked { key }.into())
            }
            found => found.map(Some),
        }
    }
}

/// The store's lock keeps two daemons off one folder; one without a store has the socket only.
async fn refuse_second(folder: &Folder) -> Result<(), Failure> {
    if !Client::new(folder).is_reachable().await {
        return Ok(());
    }
    let path = folder.path().display();
    Err(Failure::new(
        Exit::Usage,
        "already_running",
        format!("a daemon runs in {path} already"),
        "use that one, stop it first, or choose another folder with --data",
    ))
}

async fn serve(
    node: &Node,
    folder: &Folder,
    loaded: &Loaded,
    logs: LogBook,
    gateways: GatewayCounts,
) -> Result<Server, Failure> {
    let token = Token::load_or_create(folder.path())
        .map_err(|error| Failure::new(Exit::Usage, "token", error.to_string(), error.fix()))?;
    let mut listen = vec![first_endpoint(folder)];
    // The socket of the folder may be named, too.
    listen.extend(loaded.api().filter(|named| !is_same(named, &listen[0])));
    let options = Options {
        listen,
        dashboard: loaded.dashboard(),
        token,
        tokens: tokens(folder)?,
        logs,
        gateways,
        alone: loaded.is_alone(),
        limits: loaded.api_limits(),
    };
    let server = Server::start(node.clone(), options).await;
    let server =
        server.map_err(|error| Failure::new(Exit::Usage, "api", error.to_string(), error.fix()))?;
    #[cfg(not(unix))]
    {
        let path = folder.port_file();
        let text = server.endpoints()[0].to_string();
        std::fs::write(&path, text).map_err(|error| Failure::file(&path, &error))?;
    }
    Ok(server)
}

/// The tokens that were made for this folder.
fn tokens(folder: &Folder) -> Result<Tokens, Failure> {
    Tokens::load(folder.path())
        .map_err(|error| Failure::new(Exit::Usage, "tokens", error.to_string(), error.fix()))
}

/// Whether two endpoints are one, however the path of a socket is written.
fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    match (one, other) {
        (Endpoint::Unix(one), Endpoint::Unix(other)) => {
            std::path::absolute(one).ok() == std::path::absolute(other).ok()
        }
        _ => one == other,
    }
}

/// Where the other commands find the daemon.
#[cfg(unix)]
fn first_endpoint(folder: &Folder) -> Endpoint {
    Endpoint::Unix(folder.socket())
}

#[cfg(not(unix))]
fn first_endpoint(_folder: &Folder) -> Endpoint {
    Endpoint::Tcp((std::net::Ipv4Addr::LOCALHOST, 0).into())
}

impl Ready {
    fn new(node: &Node, api: &Server) -> Result<Self, Failure> {
        let identity = Identity::of(node);
        let listen = node.listen();
        let mut endpoints = api.endpoints().iter().map(ToString::to_string);
        Ok(Self {
            event: "ready",
            id: identity.id,
            address: identity.addresses.first().map(ToString::to_string),
            listen: listen.first().map_or_else(String::new, ToString::to_string),
            ticket: identity.ticket,
            api: endpoints.next().unwrap_or_default(),
            api_extra: endpoints.next(),
            dashboard: api.dashboard_link()?,
        })
    }

    /// A daemon whose output nobody reads runs all the same.
    fn print(&self, json: bool, folder: &Folder, loaded: &Loaded) {
        let text = if json {
            output::json(self)
        } else {
            self.text(folder, loaded)
        };
        if let Err(error) = output::line(&text) {
            tracing::debug!(%error, "nobody reads the output");
        }
    }

    fn text(&self, folder: &Folder, loaded: &Loaded) -> String {
        let flag = folder.flag();
        let none = || "none: it cannot be dialled".to_owned();
        let address = self.address.clone().unwrap_or_else(none);
        let api = self
            .api_extra
            .as_ref()
            .map_or_else(String::new, |extra| format!(" and {extra}"));
        let mut pairs = vec![
            ("network", loaded.settings.network().to_owned()),
            ("id", self.id.clone()),
            ("address", address.clone()),
            ("ticket", self.ticket.clone().unwrap_or_else(none)),
            ("listens on", self.listen.clone()),
            ("api", self.api.clone() + &api),
        ];
        if let Some(link) = &self.dashboard {
            pairs.push(("dashboard", format!("{link} (opens once, within 10 min)")));
        }
        let pairs = output::pairs(pairs);
        let others = match &self.address {
            Some(address) => format!(
                "\nOn another machine:\n  bruit run --join {address}{}",
                network_flags(loaded)
            ),
            None => String::new(),
        };
        format!(
            "{pairs}\n\nready. In another terminal:\n  bruit sub news{flag}\n  \
             bruit pub news hello{flag}{others}"
        )
    }
}

/// The flags that make another node one of this network, where it is not the default one.
fn network_flags(loaded: &Loaded) -> String {
    let set = loaded
        .rows
        .iter()
        .filter(|row| row.key.section == "network" && row.value != row.key.default());
    let flags = set.filter_map(|row| {
        let value = match row.value.as_ref()? {
            Value::Text(text) => quoted(text),
            other => other.to_toml(),
        };
        Some(format!(" {} {value}", row.key.flag))
    });
    flags.collect()
}

/// A daemon that is ready.
struct Running {
    node: Node,
    gateways: Within,
    json: bool,
    logs: Logs,
    sources: Sources,
    loaded: Loaded,
}

/// A change of the configuration, as it is printed.
#[derive(Debug, Serialize)]
struct Change {
    key: String,
    value: Option<Value>,
    /// Whether it holds already; others wait for the next start.
    applied: bool,
}

/// What a SIGHUP came to, as it is printed.
#[derive(Debug, Serialize)]
struct Reloaded<'a> {
    event: &'static str,
    changed: &'a [Change],
}

impl Running {
    /// Waits for the end: the one asked for, or the node's own, which nobody wanted.
    async fn until_stopped(
        &mut self,
        signals: &mut Signals,
        folder: &Folder,
    ) -> Result<(), Failure> {
        loop {
            let signal = tokio::select! {
                biased;
                signal = signals.next() => signal,
                () = self.node.ended() => return Err(broken(folder)),
                () = self.gateways.watch() => continue,
            };
            match signal {
                Signal::Stop => return Ok(()),
                Signal::Reload => self.reload().await,
            }
        }
    }

    /// Reads the configuration again. One with mistakes changes nothing.
    async fn reload(&mut self) {
        let loaded = match self.sources.load() {
            Ok(loaded) => loaded,
            Err(failure) => {
                tracing::error!("the configuration was not reloaded: {}", failure.message);
                return failure.report(self.json);
            }
        };
        let mut changed = Vec::new();
        for (old, new) in self.loaded.rows.iter().zip(&loaded.rows) {
            if old.value != new.value {
                let key = new.key.path();
                let applied = matches!(key.as_str(), "log.level" | "access.allow" | "access.deny");
                let value = new.value.clone();
                changed.push(Change {
                    key,
                    value,
                    applied,
                });
            }
        }
        self.apply(&loaded).await;
        self.loaded = loaded;
        self.tell(&changed);
    }

    async fn apply(&self, loaded: &Loaded) {
        let access = &loaded.settings.access;
        if let Err(failure) = self.logs.set(&loaded.settings.log.level) {
            tracing::error!("{}", failure.message);
        }
        if let Err(error) = self.node.set_access(&access.allow, &access.deny).await {
            tracing::error!(%error, "the access lists stay as they were");
        }
    }

    fn tell(&self, changed: &[Change]) {
        let event = "reloaded";
        let text = if self.json {
            output::json(&Reloaded { event, changed })
        } else {
            let lines = changed.iter().map(Change::text);
            let lines: Vec<_> = ["reloaded the configuration".to_owned()]
                .into_iter()
                .chain(lines)
                .collect();
            lines.join("\n")
        };
        if let Err(error) = output::line(&text) {
            tracing::debug!(%error, "nobody reads the output");
        }
    }
}

/// The node's loop is gone: nothing it serves would be true any more.
fn broken(folder: &Folder) -> Failure {
    let message = "the node broke off by a mistake of its own";
    let flag = folder.flag();
    let fix = format!("start it again: bruit run{flag}; and report what its log says");
    Failure::new(Exit::Negative, "node_failed", message, fix)
}

impl Change {
    fn text(&self) -> String {
        let value = self
            .value
            .as_ref()
            .map_or_else(|| "unset".to_owned(), Value::to_toml);
        let when = if self.applied {
            ""
        } else {
            " (from the next start on)"
        };
        format!("  {} = {}{when}", self.key, output::escape(&value))
    }
}
