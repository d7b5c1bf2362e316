//! Runs the node of k98kurz/gossip on a UDP socket and a node of bruit: a datagram is a message.
//!
//! A bulletin of theirs is a post on `k98kurz/TOPIC`, TOPIC being 64 hexadecimal digits, with its content as
//! the body. Topics travel as hashes in bruit, so what goes out is what is on the topics of the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bruit::{POST_TTL, TopicId};
use bytes::Bytes;
use tokio::net::UdpSocket;

use super::codec::{Bulletin, DATAGRAM_BYTES_MAX, topic_id};
use super::config::Config;
use super::gateway::{Action, Event, Gateway, Now};
use super::identity::{Address, Identity};
use crate::bridge::{Bridge, Drops, FromInside, Making};
use crate::counters::Counters;
use crate::datagrams::Datagrams;
use crate::error::GatewayError;
use crate::foreign::{ForeignId, System};
use crate::hex;
use crate::inside::{ForeignLetter, Inside, Item, Post, Posting, Since};
use crate::mailbag::Mailbag;
use crate::running::{Running, Stop, Teller, Told};
use crate::wall;

/// The topic on which nodes of theirs say that they are there.
pub const BEACON: &[u8] = b"node beacon channel";
/// What the names of nodes of theirs begin with in bruit.
const SCHEME: &str = "k98kurz:";
/// How often is told what was dropped.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Topics that were met and are remembered.
const TOPICS_MAX: usize = 4_096;

/// The topic in bruit of a topic of theirs.
pub fn topic(theirs: &[u8; 32]) -> String {
    format!("k98kurz/{}", hex::encode(theirs))
}

/// How a node of theirs is called in outputs.
pub fn id(address: &Address) -> String {
    format!("{SCHEME}{}", hex::encode(address))
}

/// Starts a node with these keys that listens on `listen`. The beacon's topic is among those that go out.
///
/// # Errors
/// When it cannot listen there, the bruit side has gone, or there is no randomness.
pub async fn start(
    inside: Arc<dyn Inside>,
    listen: SocketAddr,
    identity: Identity,
    mut config: Config,
) -> Result<Running, GatewayError> {
    let cannot = |source| GatewayError::Listen {
        address: listen.to_string(),
        source,
    };
    let socket = Arc::new(UdpSocket::bind(listen).await.map_err(cannot)?);
    let local = socket.local_addr().map_err(cannot)?;
    let me = inside.author().await?;
    // What is sealed with keys that others can guess is not sealed.
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| GatewayError::Config {
        what: format!("the system gives no randomness: {error}"),
        fix: "start it again when the system has come up".to_owned(),
    })?;
    config.topics.push(topic_id(BEACON));
    let names: Vec<_> = config.topics.iter().map(topic).collect();
    let since = Since::Last(POST_TTL);
    let topics: Vec<_> = names.iter().map(|name| (name.as_str(), since)).collect();
    let theirs = |theirs: &[u8; 32]| (TopicId::of(&topic(theirs)), *theirs);
    let known = config.topics.iter().map(theirs).collect();
    let gateway = Gateway::new(config, identity, me, seed);
    let counters = gateway.counters().clone();
    let mailbag = Mailbag::open(Arc::clone(&inside), "k98kurz", counters.clone()).await?;
    let bridge = Bridge::open(inside, "k98kurz", &topics, counters.clone()).await?;
    let address = id(gateway.address());
    let datagrams = Datagrams::read(Arc::clone(&socket), DATAGRAM_BYTES_MAX, counters.clone());
    let run = |stop, teller| {
        let node = Node {
            socket,
            datagrams,
            gateway,
            bridge,
            mailbag,
            known,
            counters: counters.clone(),
            teller,
        };
        node.run(stop)
    };
    let running = Running::spawn("k98kurz", vec![local], counters.clone(), run);
    Ok(running.known_as(address))
}

struct Node {
    socket: Arc<UdpSocket>,
    datagrams: Datagrams,
    gateway: Gateway,
    bridge: Bridge<ForeignId>,
    mailbag: Mailbag,
    known: BTreeMap<TopicId, [u8; 32]>,
    counters: Counters,
    teller: Teller,
}

impl Node {
    async fn run(mut self, mut stop: Stop) -> Result<(), GatewayError> {
        let mut drops = Drops::new();
        let actions = self.gateway.begin(moment());
        self.act(actions);
        loop {
            let latest = Instant::now() + REPORT_EVERY;
            let wake = self.gateway.next_wakeup().unwrap_or(latest).min(latest);
            tokio::select! {
                () = stop.asked() => return Ok(()),
                Some((from, bytes)) = self.datagrams.next() => {
                    self.tell(Event::Datagram { from, bytes });
                }
                posting = self.mailbag.next() => match posting {
                    Some(posting) => self.on_posting(posting),
                    None => return Ok(()),
                },
                from = self.bridge.next() => match from {
                    Some(from) => self.on_inside(from),
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(wake.into()) => {
                    let actions = self.gateway.wake(moment());
                    self.act(actions);
                }
            }
            drops.report(&self.counters, &self.teller);
        }
    }

    fn tell(&mut self, event: Event) {
        let actions = self.gateway.handle(event, moment());
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, bytes } => {
                    if self.socket.try_send_to(&bytes, to).is_err() {
                        self.counters.count("dropped_unsent");
                    }
                }
                Action::Publish { id, bulletin } => self.publish(id, bulletin),
                Action::Sent {
                    topic: theirs,
                    peers,
                } => {
                    let peers = u64::try_from(peers).unwrap_or(u64::MAX);
                    let told = Told::new("out").text("topic", &topic(&theirs));
                    self.teller.tell(told.number("peers", peers));
                }
                Action::Heard { from, words } => {
                    let told = Told::new("message").text("from", &id(&from));
                    let text = String::from_utf8_lossy(&words).into_owned();
                    self.teller.tell(told.text("body", &text));
                    self.mailbag.deliver(ForeignLetter {
                        from: id(&from),
                        body: words.into(),
                    });
                }
            }
        }
    }

    fn on_posting(&mut self, posting: Posting) {
        let address = posting
            .to
            .strip_prefix(SCHEME)
            .and_then(hex::decode_exactly);
        let Some(to) = address else {
            posting.answer(Err("an address there has 64 hexadecimal digits".to_owned()));
            return;
        };
        match self.gateway.say_words(&to, &posting.body, moment()) {
            Ok(actions) => {
                self.act(actions);
                posting.answer(Ok(()));
            }
            Err(error) => posting.answer(Err(error.to_string())),
        }
    }

    fn publish(&mut self, name: ForeignId, bulletin: Bulletin) {
        let topic = topic(&bulletin.topic);
        if self.known.len() < TOPICS_MAX {
            self.known.insert(TopicId::of(&topic), bulletin.topic);
        }
        let told = Told::new("in").text("topic", &topic);
        let post = Post {
            topic,
            body: Bytes::from(bulletin.content),
            tag: name.tag(),
            ttl: None,
        };
        if self.bridge.make(name, Making::Post(post)).is_ok() {
            self.teller.tell(told);
        } else {
            self.tell(Event::NotPublished(name));
        }
    }

    fn on_inside(&mut self, from: FromInside<ForeignId>) {
        match from {
            FromInside::Present { author, .. } => self.tell(Event::Present(author)),
            FromInside::Item(item) => {
                if let Some(event) = self.event_of(&item) {
                    self.tell(event);
                }
            }
            FromInside::Done { result: Ok(_), .. } => {}
            FromInside::Done {
                key,
                result: Err(error),
            } => {
                self.teller
                    .tell(Told::new("refused").text("reason", &error));
                self.tell(Event::NotPublished(key));
            }
        }
    }

    fn event_of(&self, item: &Item) -> Option<Event> {
        let topic = self.known.get(&item.topic).copied();
        let content = item.body.to_vec();
        if let Some(id) = ForeignId::of_tag(System::K98KURZ, &item.tag) {
            return Some(Event::Crossed {
                id,
                topic,
                content,
                by: item.author,
            });
        }
        Some(Event::Native {
            topic: topic?,
            content,
            made: u32::try_from(item.created_ms / 1_000).unwrap_or(u32::MAX),
        })
    }
}

fn moment() -> Now {
    Now {
        at: Instant::now(),
        seconds: u32::try_from(wall::now().as_secs()).unwrap_or(u32::MAX),
    }
}
