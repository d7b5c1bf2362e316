//! The settings of gateways inside the daemon: `[gateways.NAME]`. The section alone says that one runs.

use std::time::Duration;

use bruit_gateways::voidphone;
use serde::Deserialize;

use super::keys::{self, Key};
use super::value::{Kind, Value};

/// The settings of every gateway, those of one together. Flags of `bruit run` there are none: a gateway
/// beside the daemon has its own.
pub(crate) static KEYS: [Key; 10] = [
    Key {
        section: "gateways.voidphone",
        name: "enabled",
        kind: Kind::Switch,
        flag: "",
        about: "Whether the gateway to VoidPhone runs. The section alone says so.",
        example: "",
        check: keys::anything,
        default: |_| Some(Value::Switch(false)),
    },
    Key {
        section: "gateways.voidphone",
        name: "listen",
        kind: Kind::Text,
        flag: "",
        about: "Where modules connect. Whoever reaches it may publish in this node's name.",
        example: "",
        check: keys::host_port,
        default: |_| Some(Value::Text(voidphone::Config::default().api)),
    },
    Key {
        section: "gateways.voidphone",
        name: "p2p",
        kind: Kind::Text,
        flag: "",
        about: "Where peers of Gossip-5 connect, IPv4. Without it there are none.",
        example: "\"127.0.0.1:6001\"",
        check: keys::host_port,
        default: |_| None,
    },
    Key {
        section: "gateways.voidphone",
        name: "join",
        kind: Kind::List,
        flag: "",
        about: "Peers to join by. Without any this is a bootstrapper.",
        example: "",
        check: keys::host_port,
        default: |_| Some(Value::List(voidphone::Config::default().bootstrappers)),
    },
    Key {
        section: "gateways.voidphone",
        name: "cache_size",
        kind: Kind::Number { min: 2, max: 1_024 },
        flag: "",
        about: "Most peers.",
        example: "",
        check: keys::anything,
        default: |_| number(voidphone::Config::default().cache_size),
    },
    Key {
        section: "gateways.voidphone",
        name: "degree",
        kind: Kind::Number { min: 1, max: 1_024 },
        flag: "",
        about: "Peers that everything is told to.",
        example: "",
        check: keys::anything,
        default: |_| number(voidphone::Config::default().degree),
    },
    Key {
        section: "gateways.voidphone",
        name: "p2p_ttl",
        kind: Kind::Number {
            min: 0,
            max: u16::MAX as u64,
        },
        flag: "",
        about: "How often word of a new peer is passed on.",
        example: "",
        check: keys::anything,
        default: |_| number(voidphone::Config::default().p2p_ttl.into()),
    },
    Key {
        section: "gateways.voidphone",
        name: "validation",
        kind: Kind::Text,
        flag: "",
        about: "How long modules may take to vote; then what they did not vote on is dropped. From 1s to 1m.",
        example: "",
        check: keys::duration,
        default: |_| Some(Value::Text("5s".to_owned())),
    },
    Key {
        section: "gateways.voidphone",
        name: "suppress",
        kind: Kind::Text,
        flag: "",
        about: "How long the same id, type and data are not taken again. From 1s to 24h.",
        example: "",
        check: keys::duration,
        default: |_| Some(Value::Text("60s".to_owned())),
    },
    Key {
        section: "gateways.voidphone",
        name: "notify_announcer",
        kind: Kind::Switch,
        flag: "",
        about: "Whether a module is told of what it announced itself.",
        example: "",
        check: keys::anything,
        default: |_| Some(Value::Switch(voidphone::Config::default().notify_announcer)),
    },
];

fn number(number: usize) -> Option<Value> {
    u64::try_from(number).ok().map(Value::Number)
}

/// What is set for gateways.
#[derive(Debug, Deserialize)]
pub(crate) struct Gateways {
    voidphone: Voidphone,
}

impl Gateways {
    /// What the gateway to `VoidPhone` is told, if it runs.
    pub(crate) fn voidphone(&self) -> Option<voidphone::Config> {
        let set = &self.voidphone;
        let duration = |text: &str| bruit_api::text::duration(text).unwrap_or(Duration::ZERO);
        set.enabled.then(|| voidphone::Config {
            api: set.listen.clone(),
            p2p: set.p2p.clone(),
            bootstrappers: set.join.clone(),
            cache_size: set.cache_size,
            degree: set.degree,
            p2p_ttl: set.p2p_ttl,
            validation: duration(&set.validation),
            suppress: duration(&set.suppress),
            notify_announcer: set.notify_announcer,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Voidphone {
    enabled: bool,
    listen: String,
    p2p: Option<String>,
    join: Vec<String>,
    cache_size: usize,
    degree: usize,
    p2p_ttl: u16,
    validation: String,
    suppress: String,
    notify_announcer: bool,
}
