//! What the p2p-messaging exercise (system 004) asks of a node beside the protocol: messages it publishes by
//! itself, and a log of what it received, whom it is linked with, and who died.
//!
//! The log is the daemon's own, standard error and `run.log`. What neighbours missed, and that they are dead,
//! the node itself says in the profile `assignment`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bruit::{Config, Draft, From, Incoming, Kind, Node, Profile, Topics};
use tracing::{info, warn};

/// Where the messages go.
const TOPIC: &str = "chatter";
/// How often the list of peers is written, where the liveness interval is the profile's.
const LIST_EVERY: Duration = Duration::from_secs(13);

/// What a node is to do by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exercise {
    /// Messages to publish, and the time before each.
    messages: u64,
    every: Duration,
    /// How often the list of peers is written; none: not at all, and what is received neither.
    list_every: Option<Duration>,
}

impl Exercise {
    /// What `config` asks for, with so many messages and the time before each.
    pub(crate) fn of(config: &Config, (messages, every): (u64, Duration)) -> Self {
        let list_every = (config.profile == Profile::Assignment)
            .then(|| config.probe_every.unwrap_or(LIST_EVERY));
        Self {
            messages,
            every,
            list_every,
        }
    }

    /// Does it, until the node ends.
    pub(crate) fn start(self, node: &Node) {
        if let Some(every) = self.list_every {
            tokio::spawn(log_received(node.clone()));
            tokio::spawn(log_peers(node.clone(), every));
        }
        if self.messages > 0 {
            tokio::spawn(chatter(node.clone(), self.messages, self.every));
        }
    }
}

/// Waits; answers whether the node still runs.
async fn pause(node: &Node, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = node.ended() => false,
    }
}

/// `<unix seconds>:<own address>:<number>`, from 1 on.
async fn chatter(node: Node, messages: u64, every: Duration) {
    for number in 1..=messages {
        if !pause(&node, every).await {
            return;
        }
        let body = format!("{}:{}:{number}", unix_seconds(), own_ip(&node));
        match node.publish(Draft::new(TOPIC, body.clone())).await {
            Ok(_) => info!(text = body, "sent a gossip message"),
            Err(error) => warn!(%error, "a gossip message was not sent"),
        }
    }
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock before 1970 has no such number.
    since.map_or(0, |since| since.as_secs())
}

fn own_ip(node: &Node) -> IpAddr {
    let mut addresses = node.addresses().into_iter();
    let any = IpAddr::from([0, 0, 0, 0]);
    addresses.next().map_or(any, |address| address.ip())
}

async fn log_received(node: Node) {
    let Ok(mut received) = node.subscribe(Topics::All, From::Now) else {
        return;
    };
    while let Some(incoming) = received.next().await {
        let Incoming::Bulletin(bulletin) = incoming else {
            continue;
        };
        // Letters and values are for others to read.
        let Some(from) = bulletin.from.filter(|_| bulletin.kind == Kind::POST) else {
            continue;
        };
        let topic = bulletin.topic.as_deref().map(str::to_owned);
        let topic = topic.unwrap_or_else(|| bulletin.topic_id.to_string());
        let text = String::from_utf8_lossy(&bulletin.body);
        info!(topic, from = %from, text = %text, "received a message");
    }
}

async fn log_peers(node: Node, every: Duration) {
    while pause(&node, every).await {
        let peers = node.peers(false).await;
        let text = |peer: &bruit::view::Peer| match &peer.address {
            Some(address) => address.to_string(),
            None => peer.id.to_string(),
        };
        let list: Vec<_> = peers.iter().map(text).collect();
        info!(count = list.len(), list = list.join(" "), "peer list");
    }
}
