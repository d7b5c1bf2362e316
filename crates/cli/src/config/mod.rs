//! Configuration: default < file < environment < flags, and where each value came from.
//!
//! Every layer is checked against the table of [`keys`] before figment merges it, so that an error
//! names the key, the place and the fix; figment keeps the origins.

mod file;
pub(crate) mod flags;
mod gateways;
pub(crate) mod keys;
mod problem;
mod value;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bruit::{PeerSpec, Profile};
use bruit_api::Endpoint;
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Provider};
use serde::Deserialize;

use crate::failure::Failure;
use crate::folder::Folder;
pub(crate) use gateways::Gateways;
use keys::{KEYS, Key};
pub(crate) use problem::{Problem, Problems};
pub(crate) use value::Value;

/// Begins the name of every environment variable that is a setting.
const PREFIX: &str = "BRUIT__";

/// Where settings come from. It can be read again: a daemon does on SIGHUP.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// The file, and whether it was named: one that was not may be missing.
    pub(crate) file: PathBuf,
    pub(crate) named: bool,
    /// Flags that were given, with their texts.
    pub(crate) flags: Vec<(&'static str, String)>,
    /// The environment's variables.
    pub(crate) variables: Vec<(String, String)>,
}

impl Sources {
    /// The sources of this process: `file` or the one of `folder`, its environment, `flags`.
    pub(crate) fn new(
        folder: &Folder,
        file: Option<&Path>,
        flags: Vec<(&'static str, String)>,
    ) -> Self {
        let variables = std::env::vars_os();
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Self {
            file: file.map_or_else(|| folder.config(), Path::to_owned),
            named: file.is_some(),
            flags,
            variables: variables
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
        }
    }

    /// Reads all of them.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let mut layers = defaults();
        let mut problems = Vec::new();
        let mut add = |found: Layers| {
            layers.extend(found.0);
            problems.extend(found.1);
        };
        add(self.file_layers()?);
        add(self.variable_layers());
        add(self.flag_layers());
        if !problems.is_empty() {
            return Err(Problems(problems).into());
        }
        merge(layers)
    }

    fn file_layers(&self) -> Result<Layers, Failure> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.named => {
                return Ok((Vec::new(), Vec::new()));
            }
            text => text.map_err(|error| Failure::file(&self.file, &error))?,
        };
        let (entries, problems) = file::read(&self.file, &text);
        let layer = |entry: file::Entry| Layer {
            origin: format!("file {}, line {}", self.file.display(), entry.line),
            key: entry.key,
            value: entry.value,
        };
        Ok((entries.into_iter().map(layer).collect(), problems))
    }

    fn variable_layers(&self) -> Layers {
        let mut layers = (Vec::new(), Vec::new());
        for (variable, text) in self
            .variables
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
        {
            match KEYS.iter().find(|key| key.variable() == *variable) {
                Some(key) => from_text(key, format!("environment {variable}"), text, &mut layers),
                None => layers.1.push(unknown_variable(variable)),
            }
        }
        layers
    }

    fn flag_layers(&self) -> Layers {
        let mut layers = (Vec::new(), Vec::new());
        for (flag, text) in &self.flags {
            let key = KEYS.iter().find(|key| key.flag == *flag);
            let key = key.expect("every flag of `Flags` stands in the table: a test compares them");
            from_text(key, format!("flag {flag}"), text, &mut layers);
        }
        layers
    }
}

/// Layers, and what kept others from being one.
type Layers = (Vec<Layer>, Vec<Problem>);

fn from_text(key: &'static Key, origin: String, text: &str, layers: &mut Layers) {
    let wanted = |found| keys::Wrong {
        what: found,
        fix: format!("write {}", key.kind.wanted().replace(" in quotes", "")),
    };
    let checked = Value::from_text(key.kind, text).map_err(wanted);
    let checked = checked.and_then(|value| key.check(&value).map(|()| value));
    match checked {
        Ok(value) => layers.0.push(Layer { origin, key, value }),
        Err(wrong) => layers.1.push(Problem {
            key: key.path(),
            place: origin,
            what: wrong.what,
            fix: wrong.fix,
        }),
    }
}

fn unknown_variable(variable: &str) -> Problem {
    let known: Vec<_> = KEYS.iter().map(|key| key.variable()).collect();
    let near = keys::nearest(variable, known.iter().map(String::as_str));
    let path = variable
        .trim_start_matches(PREFIX)
        .to_lowercase()
        .replace("__", ".");
    Problem {
        key: path,
        place: format!("environment {variable}"),
        what: "there is no such key".into(),
        fix: match near {
            Some(near) => format!("did you mean {near}? otherwise unset it"),
            None => "unset it; `bruit config show` lists the keys".into(),
        },
    }
}

/// One value and where it came from; a provider of its own, so that figment knows its origin.
struct Layer {
    origin: String,
    key: &'static Key,
    value: Value,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::error::Result<Map<figment::Profile, Dict>> {
        let value = figment::value::Value::serialize(&self.value)?;
        // A section's name may have parts: each is within the one before it.
        let parts = self.key.section.split('.').rev();
        let section = Dict::from([(self.key.name.to_owned(), value)]);
        let root = parts.fold(section, |inner, part| {
            Dict::from([(part.to_owned(), inner.into())])
        });
        Ok(figment::Profile::Default.collect(root))
    }
}

fn defaults() -> Vec<Layer> {
    let layer = |key: &'static Key| {
        Some(Layer {
            origin: "default".to_owned(),
            key,
            value: key.default()?,
        })
    };
    KEYS.iter().copied().filter_map(layer).collect()
}

fn merge(layers: Vec<Layer>) -> Result<Loaded, Failure> {
    let mut values: Vec<(&'static Key, Option<Value>)> =
        KEYS.iter().copied().map(|key| (key, None)).collect();
    let mut figment = Figment::new();
    for layer in layers {
        for (key, value) in &mut values {
            if *key == layer.key {
                *value = Some(layer.value.clone());
            }
        }
        figment = figment.merge(layer);
    }
    let origin = |key: &Key| {
        let metadata = figment.find_metadata(&key.path());
        metadata.map_or_else(
            || "default".to_owned(),
            |metadata| metadata.name.to_string(),
        )
    };
    let rows = values.into_iter().map(|(key, value)| Row {
        key,
        value,
        origin: origin(key),
    });
    let rows = rows.collect();
    let settings = figment.extract();
    let settings = settings.map_err(|error| {
        Failure::usage(
            format!("the configuration: {error}"),
            "look at `bruit config show --origin`",
        )
    })?;
    Ok(Loaded { settings, rows })
}

/// The settings, and each with its origin.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) rows: Vec<Row>,
}

/// One setting and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: &'static Key,
    /// None: it has no default, and nobody set it.
    pub(crate) value: Option<Value>,
    pub(crate) origin: String,
}

/// What is set.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    network: Network,
    node: Node,
    seeds: Seeds,
    /// Nothing in it has a default.
    #[serde(default)]
    liveness: Liveness,
    chatter: Chatter,
    store: Store,
    sync: Sync,
    /// Nothing in it has a default.
    #[serde(default)]
    letters: Letters,
    /// Nothing in it has a default.
    #[serde(default)]
    topology: Topology,
    api: Api,
    dashboard: Dashboard,
    pub(crate) gateways: Box<Gateways>,
    pub(crate) access: Access,
    pub(crate) log: Log,
}

impl Settings {
    /// The network's name.
    pub(crate) fn network(&self) -> &str {
        &self.network.name
    }
}

#[derive(Debug, Deserialize)]
struct Network {
    name: String,
    secret_file: Option<PathBuf>,
    price: u32,
}

#[derive(Debug, Deserialize)]
struct Node {
    listen: Option<String>,
    join: Vec<PeerSpec>,
    discover: Option<String>,
    profile: String,
    #[serde(rename = "static")]
    fixed: bool,
    max_work: u8,
}

#[derive(Debug, Deserialize)]
struct Seeds {
    addresses: Vec<PeerSpec>,
}

#[derive(Debug, Default, Deserialize)]
struct Liveness {
    interval: Option<String>,
    misses: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Chatter {
    messages: u64,
    interval: String,
}

#[derive(Debug, Deserialize)]
struct Store {
    limit_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Sync {
    topics: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Letters {
    acknowledge: Option<String>,
    acknowledge_within: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Topology {
    share: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Api {
    listen: Option<String>,
    connections: usize,
    requests_per_s: u32,
}

#[derive(Debug, Deserialize)]
struct Dashboard {
    enabled: bool,
    listen: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Access {
    pub(crate) allow: Vec<String>,
    pub(crate) deny: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Log {
    pub(crate) level: String,
}

impl Loaded {
    /// What the node is told; `data` is none for one without a disk.
    pub(crate) fn node(&self, data: Option<&Path>) -> Result<bruit::Config, Failure> {
        let Settings {
            network,
            node,
            seeds,
            liveness,
            store,
            sync,
            letters,
            access,
            topology,
            ..
        } = &self.settings;
        let secret = network.secret_file.as_deref().map(|path| self.secret(path));
        Ok(bruit::Config {
            data: data.map(Path::to_owned),
            listen: node.listen.as_deref().and_then(|text| text.parse().ok()),
            join: node.join.clone(),
            seeds: self.seeds(&seeds.addresses)?,
            is_seed: false,
            discover: node.discover.is_some(),
            probe_every: liveness.interval.as_deref().and_then(span),
            probe_misses: liveness.misses,
            network: network.name.clone(),
            secret: secret.transpose()?,
            price: network.price,
            max_work_bits: node.max_work,
            profile: keys::profile(&node.profile).unwrap_or(Profile::Wan),
            static_peers: node.fixed,
            share_topology: topology.share,
            sync_topics: self.sync_topics(&sync.topics)?,
            store_limit_bytes: store.limit_bytes,
            allow: access.allow.clone(),
            deny: access.deny.clone(),
            acknowledge: letters.acknowledge.as_deref().and_then(keys::acknowledge),
            acknowledge_within: letters.acknowledge_within.as_deref().and_then(span),
            record: None,
            passphrase: None,
        })
    }

    /// The seeds, of which there may not be too many, and none where nobody else is linked to.
    fn seeds(&self, addresses: &[PeerSpec]) -> Result<Vec<PeerSpec>, Failure> {
        let max = bruit::SEEDS_LISTED_MAX;
        let is_static = self.settings.node.fixed && !addresses.is_empty();
        let (what, fix) = if is_static {
            let what = "seeds are of no use to a node that links to those of `join` alone";
            (what.to_owned(), "leave out either the seeds or `static`")
        } else if addresses.len() > max {
            let what = format!("{} seeds are more than {max}", addresses.len());
            (
                what,
                "name fewer: four are enough for a network to lose any one",
            )
        } else {
            return Ok(addresses.to_vec());
        };
        let origin = self.rows.iter().find(|row| row.key.flag == "--seeds");
        Err(Failure::from(Problems(vec![Problem {
            key: "seeds.addresses".into(),
            place: origin.map_or_else(String::new, |row| row.origin.clone()),
            what,
            fix: fix.into(),
        }])))
    }

    /// The topics to catch up on, of which there may not be too many.
    fn sync_topics(&self, topics: &[String]) -> Result<Vec<String>, Failure> {
        let max = bruit::SYNC_TOPICS_MAX;
        if topics.len() <= max {
            return Ok(topics.to_vec());
        }
        let origin = self.rows.iter().find(|row| row.key.flag == "--sync-topics");
        Err(Failure::from(Problems(vec![Problem {
            key: "sync.topics".into(),
            place: origin.map_or_else(String::new, |row| row.origin.clone()),
            what: format!("{} topics are more than {max}", topics.len()),
            fix: "name fewer, or none: then the node catches up on everything".into(),
        }])))
    }

    /// Whether the configuration names nobody to link to.
    pub(crate) fn is_alone(&self) -> bool {
        self.settings.node.join.is_empty() && self.settings.seeds.addresses.is_empty()
    }

    /// The messages that the node publishes by itself, and the time before each.
    pub(crate) fn chatter(&self) -> (u64, Duration) {
        let chatter = &self.settings.chatter;
        let every = span(&chatter.interval).unwrap_or(Duration::from_secs(5));
        (chatter.messages, every)
    }

    /// Where the API listens beside the data folder's socket.
    pub(crate) fn api(&self) -> Option<Endpoint> {
        self.settings.api.listen.as_deref()?.parse().ok()
    }

    /// How much the API takes at a time.
    pub(crate) fn api_limits(&self) -> bruit_api::Limits {
        let api = &self.settings.api;
        bruit_api::Limits {
            requests_per_s: api.requests_per_s,
            ..bruit_api::Limits::default().with_connections(api.connections)
        }
    }

    /// Where the dashboard is opened, if it is wanted: where it is said, else on the API's port where
    /// there is one, else at the usual place. Who names a place by a flag wants it.
    pub(crate) fn dashboard(&self) -> Option<bruit_api::Dashboard> {
        let Dashboard { enabled, listen } = &self.settings.dashboard;
        let named = listen.as_deref().and_then(|text| text.parse().ok());
        let listen = named.or_else(|| self.api()?.tcp());
        let exact = listen.map(|listen| bruit_api::Dashboard {
            listen,
            is_exact: true,
        });
        let is_by_flag =
            |row: &Row| row.key.path() == "dashboard.listen" && row.origin.starts_with("flag");
        let is_wanted = *enabled || self.rows.iter().any(is_by_flag);
        is_wanted.then(|| exact.unwrap_or(bruit_api::Dashboard::DEFAULT))
    }

    /// The network's secret: the file's bytes without the line's end.
    fn secret(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        let problem = |what: String, fix: String| {
            let origin = self.rows.iter().find(|row| row.key.name == "secret_file");
            Failure::from(Problems(vec![Problem {
                key: "network.secret_file".into(),
                place: origin.map_or_else(String::new, |row| row.origin.clone()),
                what,
                fix,
            }]))
        };
        let shown = path.display();
        let bytes = fs::read(path).map_err(|error| {
            problem(
                format!("{shown}: {error}"),
                format!(
                    "put the network's secret into {shown}, or make one with `bruit init --private`"
                ),
            )
        })?;
        if is_exposed(path) {
            return Err(problem(
                format!("{shown} can be read by others"),
                format!("chmod 600 {shown}"),
            ));
        }
        let secret = bytes.trim_ascii_end();
        if secret.is_empty() {
            return Err(problem(
                format!("{shown} is empty"),
                "copy it from another node of the network".into(),
            ));
        }
        Ok(secret.to_vec())
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Elsewhere the folder's access list decides.
#[cfg(not(unix))]
fn is_exposed(_path: &Path) -> bool {
    false
}

/// A duration of a setting that was checked.
fn span(text: &str) -> Option<Duration> {
    bruit_api::text::duration(text).ok()
}

/// A configuration file with every key at its default, commented out; `set` are values that count.
pub(crate) fn template(set: &[(&str, String)]) -> String {
    let head = "# The configuration of a bruit node. Every key is optional: what stands behind a # is what\n\
                # holds without it. The environment (BRUIT__SECTION__KEY) and flags go before this file;\n\
                # `bruit config show --origin` shows what holds, and where it comes from.";
    let mut lines = vec![head.to_owned()];
    for section in keys::sections() {
        // The section of a gateway alone would start it.
        let comment = if section.contains('.') { "# " } else { "" };
        lines.push(format!("\n{comment}[{section}]"));
        for key in KEYS.iter().filter(|key| key.section == section) {
            lines.extend(key.about.lines().map(|line| format!("# {line}")));
            lines.push(match set.iter().find(|(path, _)| *path == key.path()) {
                Some((_, value)) => format!("{} = {value}", key.name),
                None => format!("# {} = {}", key.name, key.shown()),
            });
        }
    }
    lines.join("\n") + "\n"
}
