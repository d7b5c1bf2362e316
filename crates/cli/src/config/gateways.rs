//! The settings of gateways inside the daemon: `[gateways.NAME]`. The section alone says that one runs.
//!
//! What is set is what the command `bruit gateway NAME` is told by its flags: the same struct, with the same
//! defaults.

use std::net::SocketAddr;

use bruit_gateways::{dave, k98kurz, p2p_messaging, simple, voidphone};
use clap::ValueEnum as _;
use serde::Deserialize;

use super::keys::{self, Key, Wrong};
use super::value::{Kind, Value};
use crate::commands::gateway::{self as settings, Which};
use crate::failure::Failure;

const VOIDPHONE: &str = "gateways.voidphone";
const DAVE: &str = "gateways.dave";
const SIMPLE: &str = "gateways.simple";
const K98KURZ: &str = "gateways.k98kurz";
const P2P: &str = "gateways.p2p-messaging";

/// What keys of gateways have in common. Flags of `bruit run` there are none: a gateway beside the daemon has its
/// own.
const GATEWAY: Key = Key {
    section: "",
    name: "",
    kind: Kind::Text,
    flag: "",
    about: "",
    example: "",
    check: keys::anything,
    default: |_| None,
};

const fn enabled(section: &'static str, about: &'static str) -> Key {
    Key {
        section,
        name: "enabled",
        kind: Kind::Switch,
        about,
        default: |_| Some(Value::Switch(false)),
        ..GATEWAY
    }
}

/// The settings of every gateway, those of one together.
pub(crate) static KEYS: [Key; 40] = [
    enabled(
        VOIDPHONE,
        "Whether the gateway to VoidPhone runs. The section alone says so.",
    ),
    Key {
        section: VOIDPHONE,
        name: "listen",
        kind: Kind::Text,
        about: "Where modules connect. Whoever reaches it may publish in this node's name.",
        check: keys::host_port,
        default: |_| Some(Value::Text(voidphone::Config::default().api)),
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "p2p",
        kind: Kind::Text,
        about: "Where peers of Gossip-5 connect, IPv4. Without it there are none.",
        example: "\"127.0.0.1:6001\"",
        check: keys::host_port,
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "join",
        kind: Kind::List,
        about: "Peers to join by. Without any this is a bootstrapper.",
        check: keys::host_port,
        default: |_| none(),
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "cache_size",
        kind: Kind::Number { min: 2, max: 1_024 },
        about: "Most peers.",
        default: |_| number(voidphone::Config::default().cache_size),
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "degree",
        kind: Kind::Number { min: 1, max: 1_024 },
        about: "Peers that everything is told to.",
        default: |_| number(voidphone::Config::default().degree),
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "p2p_ttl",
        kind: Kind::Number {
            min: 0,
            max: u16::MAX as u64,
        },
        about: "How often word of a new peer is passed on.",
        default: |_| number(voidphone::Config::default().p2p_ttl),
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "validation",
        kind: Kind::Text,
        about: "How long modules may take to vote; then what they did not vote on is dropped. From 1s to 1m.",
        check: keys::duration,
        default: |_| Some(Value::Text("5s".to_owned())),
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "suppress",
        kind: Kind::Text,
        about: "How long the same id, type and data are not taken again. From 1s to 24h.",
        check: keys::duration,
        default: |_| Some(Value::Text("60s".to_owned())),
        ..GATEWAY
    },
    Key {
        section: VOIDPHONE,
        name: "notify_announcer",
        kind: Kind::Switch,
        about: "Whether a module is told of what it announced itself.",
        default: |_| Some(Value::Switch(voidphone::Config::default().notify_announcer)),
        ..GATEWAY
    },
    enabled(
        DAVE,
        "Whether the gateway to a network of dave's runs. The section alone says so.",
    ),
    Key {
        section: DAVE,
        name: "listen",
        kind: Kind::Text,
        about: "Where it listens, UDP.",
        check: ip_port,
        default: |_| Some(Value::Text(dave::socket::LISTEN.to_string())),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "join",
        kind: Kind::List,
        about: "Peers to join by.",
        check: keys::host_port,
        default: |_| none(),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "fanout_set",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::COUNT_MAX,
        },
        about: "Peers that a value is passed on to.",
        default: |_| number(dave::config::Config::default().fanout_set),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "fanout_get",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::COUNT_MAX,
        },
        about: "Peers that a question is passed on to.",
        default: |_| number(dave::config::Config::default().fanout_get),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "distance",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::COUNT_MAX,
        },
        about: "Addresses in a message beyond which it is not passed on.",
        default: |_| number(dave::config::Config::default().distance),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "npeer",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::COUNT_MAX,
        },
        about: "Addresses told to who asks for peers.",
        default: |_| number(dave::config::Config::default().npeer),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "tolerance",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::COUNT_MAX,
        },
        about: "Questions without an answer until a peer counts as dropping them.",
        default: |_| number(dave::config::Config::default().tolerance),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "drop",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::COUNT_MAX,
        },
        about: "Half the times it may do so until it is given up.",
        default: |_| number(dave::config::Config::default().drop),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "work_store",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::BYTES_MAX,
        },
        about: "Zero bytes of work for which a value is kept.",
        default: |_| number(dave::config::Config::default().work_store),
        ..GATEWAY
    },
    Key {
        section: DAVE,
        name: "work_forward",
        kind: Kind::Number {
            min: 0,
            max: settings::dave::BYTES_MAX,
        },
        about: "Zero bytes of work for which a value is passed on.",
        default: |_| number(dave::config::Config::default().work_forward),
        ..GATEWAY
    },
    enabled(
        SIMPLE,
        "Whether the gateway to the simple gossip runs. The section alone says so.",
    ),
    Key {
        section: SIMPLE,
        name: "listen",
        kind: Kind::Text,
        about: "Where it listens, UDP. Whoever reaches it may publish in this node's name.",
        check: ip_port,
        default: |_| Some(Value::Text(simple::socket::LISTEN.to_string())),
        ..GATEWAY
    },
    Key {
        section: SIMPLE,
        name: "join",
        kind: Kind::List,
        about: "The neighbours. With some, others are not heard.",
        check: keys::host_port,
        default: |_| none(),
        ..GATEWAY
    },
    enabled(
        K98KURZ,
        "Whether the gateway to k98kurz/gossip runs. The section alone says so.",
    ),
    Key {
        section: K98KURZ,
        name: "listen",
        kind: Kind::Text,
        about: "Where it listens, UDP; port 0 is any.",
        check: ip_port,
        default: |_| Some(Value::Text(settings::HERE.to_string())),
        ..GATEWAY
    },
    Key {
        section: K98KURZ,
        name: "join",
        kind: Kind::List,
        about: "Nodes to talk to: their address of 64 hexadecimal digits, @, and HOST:PORT.",
        check: node,
        default: |_| none(),
        ..GATEWAY
    },
    Key {
        section: K98KURZ,
        name: "topic",
        kind: Kind::List,
        about: "Topics whose bulletins go out, by their text or their hash.",
        default: |_| none(),
        ..GATEWAY
    },
    Key {
        section: K98KURZ,
        name: "message_difficulty",
        kind: Kind::Number {
            min: 0,
            max: settings::k98kurz::BITS_MAX,
        },
        about: "Zero bits that a message costs.",
        default: |_| number(k98kurz::config::Config::default().message_difficulty),
        ..GATEWAY
    },
    Key {
        section: K98KURZ,
        name: "bulletin_difficulty",
        kind: Kind::Number {
            min: 0,
            max: settings::k98kurz::BITS_MAX,
        },
        about: "Zero bits that a bulletin costs.",
        default: |_| number(k98kurz::config::Config::default().bulletin_difficulty),
        ..GATEWAY
    },
    enabled(
        P2P,
        "Whether the gateway to the exercise of messages with seeds runs. The section alone says so.",
    ),
    Key {
        section: P2P,
        name: "config",
        kind: Kind::Path,
        about: "The original's file of seeds. It or `join` is needed.",
        example: "\"config.json\"",
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "join",
        kind: Kind::List,
        about: "The seeds.",
        check: keys::host_port,
        default: |_| none(),
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "role",
        kind: Kind::Text,
        about: "As what it stands in the network: peer, seed or both.",
        check: role,
        default: |_| Some(Value::Text("peer".to_owned())),
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "listen",
        kind: Kind::Text,
        about: "Where a peer listens; port 0 is any.",
        check: ip_port,
        default: |_| Some(Value::Text(settings::HERE.to_string())),
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "messages",
        kind: Kind::Number {
            min: 0,
            max: settings::p2p_messaging::MESSAGES_MAX,
        },
        about: "Numbers it says on its own.",
        default: |_| number(p2p_messaging::config::Config::default().messages),
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "interval",
        kind: Kind::Text,
        about: "Time between two of them. From 10ms to 24h.",
        check: every,
        default: |_| Some(Value::Text("5s".to_owned())),
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "liveness",
        kind: Kind::Text,
        about: "Time between two questions whether a peer is there. From 10ms to 24h.",
        check: every,
        default: |_| Some(Value::Text("13s".to_owned())),
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "misses",
        kind: Kind::Number {
            min: 1,
            max: settings::p2p_messaging::COUNT_MAX,
        },
        about: "Questions without an answer until a peer is dead.",
        default: |_| number(p2p_messaging::config::Config::default().misses),
        ..GATEWAY
    },
    Key {
        section: P2P,
        name: "neighbours",
        kind: Kind::Number {
            min: 0,
            max: settings::p2p_messaging::COUNT_MAX,
        },
        about: "Peers that a number of its own goes to.",
        default: |_| number(p2p_messaging::config::Config::default().neighbours),
        ..GATEWAY
    },
];

fn number(number: impl TryInto<u64>) -> Option<Value> {
    number.try_into().ok().map(Value::Number)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a default is one that may be missing"
)]
const fn none() -> Option<Value> {
    Some(Value::List(Vec::new()))
}

fn ip_port(text: &str) -> Result<(), Wrong> {
    let wrong = || {
        Wrong::new(
            format!("`{text}` is no IP address with port"),
            "write it like \"127.0.0.1:0\" or \"[::]:1618\"",
        )
    };
    text.parse::<SocketAddr>().map(drop).map_err(|_| wrong())
}

fn node(text: &str) -> Result<(), Wrong> {
    let wrong = || {
        Wrong::new(
            format!("`{text}` is no node of k98kurz/gossip"),
            "write its address of 64 hexadecimal digits, @, and HOST:PORT",
        )
    };
    let (_, at) = settings::k98kurz::split(text).ok_or_else(wrong)?;
    keys::host_port(at)
}

fn role(text: &str) -> Result<(), Wrong> {
    let parsed = settings::p2p_messaging::Role::from_str(text, false);
    parsed.map(drop).map_err(|_| {
        Wrong::new(
            format!("there is no role `{text}`"),
            "choose one of peer, seed, both",
        )
    })
}

fn every(text: &str) -> Result<(), Wrong> {
    let parsed = settings::p2p_messaging::every(text);
    parsed
        .map(drop)
        .map_err(|what| Wrong::new(what, "write it like \"5s\""))
}

/// What is set for gateways.
#[derive(Debug, Deserialize)]
pub(crate) struct Gateways {
    voidphone: Section<settings::voidphone::Voidphone>,
    dave: Section<settings::dave::Dave>,
    simple: Section<settings::simple::Simple>,
    k98kurz: Section<settings::k98kurz::K98kurz>,
    #[serde(rename = "p2p-messaging")]
    p2p_messaging: Section<settings::p2p_messaging::P2pMessaging>,
}

/// What is set for one.
#[derive(Debug, Deserialize)]
struct Section<T> {
    enabled: bool,
    #[serde(flatten)]
    told: T,
}

impl<T: Clone> Section<T> {
    fn named(&self, which: fn(T) -> Which) -> Option<Which> {
        self.enabled.then(|| which(self.told.clone()))
    }
}

impl Gateways {
    /// Checks what can be told before they run.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mut named = self.named().into_iter();
        named.try_for_each(|which| which.check().map_err(|failure| which.in_section(failure)))
    }

    /// Those that are to run, with what each is told.
    pub(crate) fn named(&self) -> Vec<Which> {
        let all = [
            self.voidphone.named(Which::Voidphone),
            self.dave.named(Which::Dave),
            self.simple.named(Which::Simple),
            self.k98kurz.named(Which::K98kurz),
            self.p2p_messaging.named(Which::P2pMessaging),
        ];
        all.into_iter().flatten().collect()
    }
}
