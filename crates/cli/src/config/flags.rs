//! The flags that set a setting: one for each key.

use clap::Args;

/// Settings on the command line; they go before the environment and the file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Flags {
    /// UDP address to listen on; a port that is taken is an error [default: `[::]:7447`, or the next free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Nodes to link to: NODEID@HOST:PORT, or tickets
    #[arg(long, value_name = "ADDRESS", num_args = 1..)]
    join: Vec<String>,
    /// Seeds to register with and to ask for other nodes: NODEID@HOST:PORT, or tickets
    #[arg(long, value_name = "ADDRESS", num_args = 1..)]
    seeds: Vec<String>,
    /// Look for nodes on the local network: lan. Nothing is sent out without it
    #[arg(long, value_name = "WHERE")]
    discover: Option<String>,
    /// The network's name [default: main]
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// A file with the network's secret
    #[arg(long, value_name = "FILE")]
    secret: Option<String>,
    /// The network's price, 0 for none [default: 128]
    #[arg(long, value_name = "W")]
    price: Option<String>,
    /// Most bits of work for a bulletin of our own
    #[arg(long, value_name = "BITS")]
    max_work: Option<String>,
    /// Where programs reach this node, beside DATA/api.sock: unix:PATH or 127.0.0.1:PORT
    #[arg(long, value_name = "ENDPOINT")]
    api: Option<String>,
    /// Connections of programs at a time [default: 64]
    #[arg(long, value_name = "N")]
    api_connections: Option<String>,
    /// Requests of a program in a second [default: 100]
    #[arg(long, value_name = "N")]
    api_requests: Option<String>,
    /// No port for the dashboard
    #[arg(long)]
    no_dashboard: bool,
    /// Where a browser on this machine opens the dashboard [default: 127.0.0.1:7448, or the next free port]
    #[arg(long, value_name = "127.0.0.1:PORT")]
    dashboard: Option<String>,
    /// wan, lan, local or assignment [default: wan]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Publish so many messages on the topic `chatter`, one each five seconds
    #[arg(long, value_name = "N")]
    chatter: Option<String>,
    /// The time before each of these messages [default: 5s]
    #[arg(long, value_name = "TIME")]
    chatter_every: Option<String>,
    /// How often a silent neighbour is asked whether it is there [default: 5s; 13s in the profile assignment]
    #[arg(long, value_name = "TIME")]
    probe_every: Option<String>,
    /// Answers missed in a row after which others are asked about it [default: 1; 3 in the profile assignment]
    #[arg(long, value_name = "N")]
    probe_misses: Option<String>,
    /// Link only to the --join addresses
    #[arg(long = "static")]
    fixed: bool,
    /// Share this node's links and how bulletins came to it: true or false [default: true in the profiles lan,
    /// local and assignment]
    #[arg(long, value_name = "YES", num_args = 0..=1, default_missing_value = "true")]
    share_topology: Option<String>,
    /// The only topics to catch up on after an absence, at most 16 [default: all]
    #[arg(long, value_name = "TOPIC", num_args = 1..)]
    sync_topics: Vec<String>,
    /// Bytes the store may take [default: 1073741824]
    #[arg(long, value_name = "BYTES")]
    store_limit: Option<String>,
    /// Whose letters are acknowledged: everyone, contacts or nobody [default: contacts; everyone in the
    /// profiles lan, local and assignment]
    #[arg(long, value_name = "WHOSE")]
    acknowledge: Option<String>,
    /// Within which time letters are acknowledged [default: 10m; 1s in the profiles lan, local and assignment]
    #[arg(long, value_name = "TIME")]
    acknowledge_within: Option<String>,
    /// Link to these only: node ids, networks such as 10.0.0.0/8
    #[arg(long, value_name = "ID|CIDR", num_args = 1..)]
    allow: Vec<String>,
    /// Never link to these
    #[arg(long, value_name = "ID|CIDR", num_args = 1..)]
    deny: Vec<String>,
}

impl Flags {
    /// What was given, by flag; `log` is the global one. Lists are joined by commas, as in the
    /// environment.
    pub(crate) fn given(&self, log: Option<&str>) -> Vec<(&'static str, String)> {
        let list = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
        let all = [
            ("--listen", self.listen.clone()),
            ("--join", list(&self.join)),
            ("--seeds", list(&self.seeds)),
            ("--discover", self.discover.clone()),
            ("--chatter", self.chatter.clone()),
            ("--chatter-every", self.chatter_every.clone()),
            ("--probe-every", self.probe_every.clone()),
            ("--probe-misses", self.probe_misses.clone()),
            ("--network", self.network.clone()),
            ("--secret", self.secret.clone()),
            ("--price", self.price.clone()),
            ("--max-work", self.max_work.clone()),
            ("--api", self.api.clone()),
            ("--api-connections", self.api_connections.clone()),
            ("--api-requests", self.api_requests.clone()),
            (
                "--no-dashboard",
                self.no_dashboard.then(|| "false".to_owned()),
            ),
            ("--dashboard", self.dashboard.clone()),
            ("--profile", self.profile.clone()),
            ("--static", self.fixed.then(|| "true".to_owned())),
            ("--share-topology", self.share_topology.clone()),
            ("--sync-topics", list(&self.sync_topics)),
            ("--store-limit", self.store_limit.clone()),
            ("--acknowledge", self.acknowledge.clone()),
            ("--acknowledge-within", self.acknowledge_within.clone()),
            ("--allow", list(&self.allow)),
            ("--deny", list(&self.deny)),
            ("--log", log.map(str::to_owned)),
        ];
        all.into_iter()
            .filter_map(|(flag, text)| Some((flag, text?)))
            .collect()
    }
}
