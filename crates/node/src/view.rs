//! What a node shows of itself, in the shape every output has: the keys of these structs are the
//! JSON keys of the commands and of the local API.
//!
//! Invariant: a key is never renamed or dropped; what is new comes beside it. Moments are
//! milliseconds since 1970 (`…_ms`), except where the name says it is a duration (`rtt_ms`).

use std::collections::BTreeMap;

use bruit_core::id::{BulletinId, NodeId, TopicId};
use serde::{Deserialize, Serialize};

use crate::address::PeerSpec;

/// The state of the node as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// This node.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// The program's version.
    pub version: String,
    /// The network's name.
    pub network: String,
    /// Seconds since the node started.
    pub uptime_s: u64,
    /// Links that are up, by who opened them.
    pub links: Links,
    /// How many nodes the network is believed to have, this one included.
    pub network_size: u64,
    /// Topics with a subscriber here.
    pub topics: u64,
    /// What passed in the last seconds, per second.
    pub rates: Rates,
    /// What was dropped since the start, by reason.
    pub drops: BTreeMap<String, u64>,
    /// What passed since the start.
    pub totals: Totals,
    /// What the store holds.
    pub store: Store,
    /// What a bulletin costs here.
    pub price: Price,
    /// How far our clock is ahead of the peers', in milliseconds; 0 while there is no peer to ask.
    pub clock_offset_ms: i64,
    /// How bulletins leave this node: `fast` sends them to all links at once.
    pub privacy: String,
    /// What an operator should know.
    pub warnings: Vec<Warning>,
}

/// Links by who opened them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Links {
    /// They dialled us.
    #[serde(rename = "in")]
    pub inbound: u64,
    /// We dialled them.
    #[serde(rename = "out")]
    pub outbound: u64,
}

/// What passes, per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rates {
    /// New bulletins that came in.
    pub in_per_s: f64,
    /// Bulletins sent to links, each copy counted.
    pub out_per_s: f64,
    /// Bytes received from links.
    pub bytes_in_per_s: f64,
    /// Bytes sent to links.
    pub bytes_out_per_s: f64,
}

/// What passed since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Totals {
    /// Bulletins made here.
    pub published: u64,
    /// New bulletins that came in whole from links.
    pub received: u64,
    /// Bulletins that came in whole although they were known: `duplicates / received` is the
    /// redundancy.
    pub duplicates: u64,
    /// Bulletins sent to links, each copy counted.
    pub sent: u64,
}

/// What the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Store {
    /// Bulletins.
    pub items: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Bytes they may take.
    pub limit_bytes: u64,
}

/// What a bulletin costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Price {
    /// The network's price: expected trials per weighted byte.
    pub min: u32,
    /// What is asked for at the moment, as a power of two of the same unit.
    pub floor_log2: u8,
}

/// Something an operator should know, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Warning {
    /// What is the matter.
    pub text: String,
    /// What mends it.
    pub fix: String,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Peer {
    /// Who is there.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// Who opened it.
    pub direction: Direction,
    /// Where the peer is, as far as this end sees it; none behind a relay.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub address: Option<PeerSpec>,
    /// How packets travel.
    pub path: Path,
    /// Smoothed round trip; none before the first.
    pub rtt_ms: Option<f64>,
    /// When it came up.
    pub since_ms: u64,
    /// Bytes received over it.
    pub bytes_in: u64,
    /// Bytes sent over it.
    pub bytes_out: u64,
    /// What its conduct came to so far: 0 is neutral, less is worse. Conduct is not weighed yet: a
    /// peer that breaks the protocol is cut off for a day, and every one that is linked has 0.
    pub score: f64,
    /// How it stands.
    pub state: LinkState,
    /// Why it is closing or suspected, where it is.
    pub reason: Option<String>,
    /// Who takes the peer for dead, where it is suspected: this node, and those of its neighbours that it
    /// asked and that do not hear of the peer either.
    #[serde(default)]
    pub suspected_by: Vec<String>,
}

/// Who opened a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// They dialled us.
    In,
    /// We dialled them.
    Out,
}

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Straight to the peer.
    Direct,
    /// Through a relay.
    Relay,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Being opened.
    Connecting,
    /// In use.
    Up,
    /// In use, but its peer has not answered lately.
    Suspect,
    /// Being closed.
    Closing,
}

/// One node this node knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Who.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// Where, by its own word; none when it said nothing of it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub address: Option<PeerSpec>,
    /// How it stands.
    pub state: MemberState,
    /// When somebody last had word of it; none when nobody had since this node started.
    pub last_seen_ms: Option<u64>,
}

/// How a node stands, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// A link to it is up.
    Linked,
    /// Heard of lately.
    Alive,
    /// Did not answer lately.
    Suspect,
    /// Gone.
    Dead,
    /// In the address book, not heard of yet.
    Known,
}

/// The registries this node has to do with.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeds {
    /// Whether this node is one.
    pub registry: bool,
    /// What it keeps, if it is one.
    pub leases: Vec<Lease>,
    /// Those on its own list.
    pub seeds: Vec<Seed>,
}

/// One record that a registry keeps.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// Where the node is.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub address: Option<PeerSpec>,
    /// Until when it is kept if it is not renewed.
    pub lease_until_ms: u64,
    /// How it stands.
    pub state: LeaseState,
}

/// How a node stands that is registered here.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// Nobody says otherwise.
    Alive,
    /// It was reported dead, and is being probed.
    Suspect,
}

/// One registry of this node's list.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Which.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// Where it is.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub address: Option<PeerSpec>,
    /// Until when it keeps this node's record if that is not renewed; none while it does not keep it.
    pub lease_until_ms: Option<u64>,
    /// How this node stands with it.
    pub state: SeedState,
}

/// How a node stands with a registry.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedState {
    /// It keeps our record.
    Registered,
    /// It answers; others keep our record.
    Asked,
    /// It answers, and does not keep our record: it is no seed, or full.
    Refused,
    /// It has not answered yet.
    Waiting,
    /// It did not answer when it was last tried.
    Failed,
}

/// One topic with a subscriber here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Topic {
    /// Its descriptor; the id in hexadecimal where the descriptor is unknown.
    pub topic: String,
    /// Its id: the hash of the descriptor.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: TopicId,
    /// Subscribers at this node.
    pub subscribers: u64,
    /// Bulletins of the last seconds, per second.
    pub in_per_s: f64,
    /// Bulletins held in the store.
    pub retained: u64,
}

/// The links a node knows of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Topology {
    /// Whether others were asked for theirs: `[topology] share`. Otherwise these are this node's own.
    pub shared: bool,
    /// The nodes at their ends, and every other that is known.
    pub nodes: Vec<TopologyNode>,
    /// The links, each once.
    pub links: Vec<TopologyLink>,
}

/// A node of a topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TopologyNode {
    /// Who.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// The first digits of the id.
    pub label: String,
    /// How it stands.
    pub state: MemberState,
}

/// A link of a topology.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TopologyLink {
    /// Who opened it.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub from: NodeId,
    /// To whom.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub to: NodeId,
    /// The last round trip; none before the first.
    pub rtt_ms: Option<f64>,
}

/// A bulletin that came lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Passage {
    /// Its id.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: BulletinId,
    /// Its topic's descriptor; the id in hexadecimal where the descriptor is unknown.
    pub topic: String,
    /// When its author says it was made.
    pub created_ms: u64,
    /// When it came to this node.
    pub received_ms: u64,
    /// Bytes of its content.
    pub size: u32,
    /// Links it had passed.
    pub hops: u8,
    /// Who brought it; none when it was published here.
    #[serde(with = "text::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub from: Option<NodeId>,
    /// How many nodes are known to have had it, this one included.
    pub reached: u64,
}

/// The way of one bulletin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trace {
    /// Its id.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: BulletinId,
    /// Its topic's descriptor; the id in hexadecimal where the descriptor is unknown.
    pub topic: String,
    /// When its author says it was made.
    pub created_ms: u64,
    /// Bytes of its content.
    pub size: u32,
    /// Whether others were asked when it came to them: `[topology] share`.
    pub shared: bool,
    /// When it came where, earliest first. Each moment is by the clock of the node it came to.
    pub deliveries: Vec<Delivered>,
    /// Neighbours that have it, this node's source left out.
    pub given_to: Vec<Given>,
}

/// A bulletin's coming to one node.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delivered {
    /// Where.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub node: NodeId,
    /// Who brought it; none when it was published there.
    #[serde(with = "text::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub from: Option<NodeId>,
    /// When, in milliseconds since 1970.
    pub at_ms: f64,
    /// Links it had passed.
    pub hops: u8,
}

/// A neighbour that has a bulletin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Given {
    /// Who.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// How that is known.
    pub how: How,
    /// Whether it says so itself.
    pub confirmed: bool,
}

/// How it is known that a neighbour has a bulletin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It says that it had its first copy from this node.
    First,
    /// It was sent there, or sent or announced from there.
    Has,
}

/// Ids as 64 hexadecimal characters: `#[serde(with = "bruit::view::text")]`.
pub mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes `value` as it prints.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads a value from its text.
    ///
    /// # Errors
    /// When there is no text, or it is no such value.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }

    /// The same for a value that may be missing.
    pub mod optional {
        use super::{Deserialize, Deserializer, Display, FromStr, Serializer, de};

        /// Writes `value` as it prints, or null.
        ///
        /// # Errors
        /// Those of the serializer.
        pub fn serialize<T: Display, S: Serializer>(
            value: &Option<T>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => serializer.collect_str(value),
                None => serializer.serialize_none(),
            }
        }

        /// Reads a value from its text.
        ///
        /// # Errors
        /// When there is a text that is no such value.
        pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
        where
            T: FromStr<Err: Display>,
            D: Deserializer<'de>,
        {
            let text = Option::<String>::deserialize(deserializer)?;
            text.map(|text| text.parse().map_err(de::Error::custom))
                .transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::*;

    fn keys(value: &Value) -> Vec<&str> {
        let object = value.as_object().expect("an object");
        object.keys().map(String::as_str).collect()
    }

    #[test]
    fn status_has_the_promised_keys() {
        let status = Status {
            id: NodeId::from_bytes([7; 32]),
            version: "0.1.0".into(),
            network: "main".into(),
            uptime_s: 1,
            links: Links {
                inbound: 1,
                outbound: 2,
            },
            network_size: 3,
            topics: 0,
            rates: Rates::default(),
            drops: BTreeMap::from([("duplicate".into(), 4)]),
            totals: Totals::default(),
            store: Store::default(),
            price: Price::default(),
            clock_offset_ms: -5,
            privacy: "fast".into(),
            warnings: vec![Warning {
                text: "a".into(),
                fix: "b".into(),
            }],
        };
        let value = to_value(&status).unwrap();
        let mut promised = [
            "id",
            "version",
            "network",
            "uptime_s",
            "links",
            "network_size",
            "topics",
            "rates",
            "drops",
            "totals",
            "store",
            "price",
            "clock_offset_ms",
            "privacy",
            "warnings",
        ];
        promised.sort_unstable();
        assert_eq!(keys(&value), promised);
        assert_eq!(value["id"], "07".repeat(32));
        assert_eq!(value["links"], json!({"in": 1, "out": 2}));
        assert_eq!(
            keys(&value["rates"]),
            ["bytes_in_per_s", "bytes_out_per_s", "in_per_s", "out_per_s"]
        );
        assert_eq!(keys(&value["store"]), ["bytes", "items", "limit_bytes"]);
        assert_eq!(keys(&value["price"]), ["floor_log2", "min"]);
        assert_eq!(keys(&value["warnings"][0]), ["fix", "text"]);
        assert_eq!(serde_json::from_value::<Status>(value).unwrap(), status);
    }

    #[test]
    fn lists_have_the_promised_keys() {
        let id = NodeId::from_bytes([7; 32]);
        let address = PeerSpec::at(id, &["127.0.0.1:7447".parse().unwrap()]);
        let peer = Peer {
            id,
            direction: Direction::In,
            address: address.clone(),
            path: Path::Direct,
            rtt_ms: Some(0.5),
            since_ms: 1,
            bytes_in: 2,
            bytes_out: 3,
            score: 0.0,
            state: LinkState::Up,
            reason: None,
            suspected_by: Vec::new(),
        };
        let value = to_value(&peer).unwrap();
        let mut promised = [
            "id",
            "direction",
            "address",
            "path",
            "rtt_ms",
            "since_ms",
            "bytes_in",
            "bytes_out",
            "score",
            "state",
            "reason",
            "suspected_by",
        ];
        promised.sort_unstable();
        assert_eq!(keys(&value), promised);
        assert_eq!(
            (&value["direction"], &value["state"]),
            (&json!("in"), &json!("up"))
        );
        assert_eq!(value["address"], format!("{id}@127.0.0.1:7447"));

        let member = Member {
            id,
            address,
            state: MemberState::Linked,
            last_seen_ms: Some(9),
        };
        assert_eq!(
            keys(&to_value(member).unwrap()),
            ["address", "id", "last_seen_ms", "state"]
        );

        let lease = Lease {
            id,
            address: PeerSpec::at(id, &["127.0.0.1:7447".parse().unwrap()]),
            lease_until_ms: 9,
            state: LeaseState::Alive,
        };
        let value = to_value(lease).unwrap();
        assert_eq!(keys(&value), ["address", "id", "lease_until_ms", "state"]);
        assert_eq!(value["state"], "alive");

        let topic = Topic {
            topic: "news".into(),
            id: TopicId::of("news"),
            subscribers: 1,
            in_per_s: 0.5,
            retained: 2,
        };
        let value = to_value(topic).unwrap();
        assert_eq!(
            keys(&value),
            ["id", "in_per_s", "retained", "subscribers", "topic"]
        );
    }
}
