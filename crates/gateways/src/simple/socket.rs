//! Runs the node of the simple gossip on a UDP socket and a node of bruit.
//!
//! Messages are posts on the topic [`TOPIC`], with their text as the body.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bruit::POST_TTL;
use bytes::Bytes;
use tokio::net::UdpSocket;

use super::codec::{DATAGRAM_BYTES_MAX, Message};
use super::gateway::{Action, Event, Gateway};
use super::passed::Passed;
use crate::bridge::{Bridge, Drops, FromInside, Making};
use crate::counters::Counters;
use crate::datagrams::as_spoken;
use crate::error::GatewayError;
use crate::foreign::{ForeignId, System};
use crate::inside::{Inside, Item, Post, Since};
use crate::running::{Running, Stop, Teller, Told};

/// The topic of its messages.
pub const TOPIC: &str = "simple";
/// The first port of the original's network.
pub const PORT: u16 = 5_000;
/// Where a node listens: whoever reaches it may publish in the name of this one.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
/// Datagrams read before anything else is looked at.
const READ_AT_ONCE: usize = 64;
/// How often is told what was dropped.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Starts a node of the simple gossip that listens on `listen`, with `neighbours`. It remembers in `data`, where there
/// is a folder, what has gone out.
///
/// # Errors
/// When it cannot listen there, its file cannot be written, or the bruit side has gone.
pub async fn start(
    inside: Arc<dyn Inside>,
    listen: SocketAddr,
    neighbours: Vec<SocketAddr>,
    data: Option<&Path>,
) -> Result<Running, GatewayError> {
    let cannot = |source| GatewayError::Listen {
        address: listen.to_string(),
        source,
    };
    let socket = UdpSocket::bind(listen).await.map_err(cannot)?;
    let local = socket.local_addr().map_err(cannot)?;
    let passed = Passed::open(data).map_err(|error| GatewayError::Config {
        what: format!("what has gone out cannot be written down: {error}"),
        fix: "make the folder writable, or choose another one".to_owned(),
    })?;
    let gateway = Gateway::new(neighbours, inside.author().await?);
    let counters = gateway.counters().clone();
    let topics = [(TOPIC, Since::Last(POST_TTL))];
    let bridge = Bridge::open(inside, "simple", &topics, counters.clone()).await?;
    let run = |stop, teller| {
        let node = Node {
            socket,
            local,
            passed,
            gateway,
            bridge,
            counters: counters.clone(),
            teller,
        };
        node.run(stop)
    };
    Ok(Running::spawn("simple", vec![local], counters.clone(), run))
}

struct Node {
    socket: UdpSocket,
    local: SocketAddr,
    passed: Passed,
    gateway: Gateway,
    bridge: Bridge<ForeignId>,
    counters: Counters,
    teller: Teller,
}

impl Node {
    async fn run(mut self, mut stop: Stop) -> Result<(), GatewayError> {
        let mut drops = Drops::new();
        loop {
            let latest = Instant::now() + REPORT_EVERY;
            let wake = self.gateway.next_wakeup().unwrap_or(latest).min(latest);
            tokio::select! {
                () = stop.asked() => return Ok(()),
                readable = self.socket.readable(), if !self.bridge.is_reading() => if readable.is_ok() {
                    self.read();
                } else {
                    self.counters.count("dropped_unreadable");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                },
                from = self.bridge.next() => match from {
                    Some(from) => self.on_inside(from),
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(wake.into()) => {
                    let actions = self.gateway.wake(Instant::now());
                    self.act(actions);
                }
            }
            drops.report(&self.counters, &self.teller);
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
        for _ in 0..READ_AT_ONCE {
            let Ok((length, from)) = self.socket.try_recv_from(&mut buffer) else {
                return;
            };
            let from = SocketAddr::new(from.ip().to_canonical(), from.port());
            let bytes = buffer.get(..length).unwrap_or_default().to_vec();
            self.tell(Event::Datagram { from, bytes });
        }
    }

    fn tell(&mut self, event: Event) {
        let actions = self.gateway.handle(event, Instant::now());
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, bytes } => {
                    let to = as_spoken(to, self.local);
                    if self.socket.try_send_to(&bytes, to).is_err() {
                        self.counters.count("dropped_unsent");
                    }
                }
                Action::Publish { id, message } => self.publish(id, &message),
                Action::Passed { created_ms } => self.passed.note(created_ms),
                Action::Sent(message) => {
                    let told = Told::new("out").text("text", message.text());
                    self.teller.tell(told.text("stamp", &message.stamp()));
                }
            }
        }
    }

    fn publish(&mut self, id: ForeignId, message: &Message) {
        let post = Post {
            topic: TOPIC.to_owned(),
            body: Bytes::copy_from_slice(message.text().as_bytes()),
            tag: id.tag(),
            ttl: None,
        };
        let told = Told::new("in").text("text", message.text());
        if self.bridge.make(id, Making::Post(post)).is_ok() {
            self.teller.tell(told.text("stamp", &message.stamp()));
        } else {
            self.tell(Event::NotPublished(id));
        }
    }

    fn on_inside(&mut self, from: FromInside<ForeignId>) {
        match from {
            FromInside::Present { author, .. } => self.tell(Event::Present(author)),
            FromInside::Item(item) => self.tell(self.event_of(&item)),
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

    fn event_of(&self, item: &Item) -> Event {
        let (body, age) = (item.body.to_vec(), item.age());
        match ForeignId::of_tag(System::SIMPLE, &item.tag) {
            Some(id) => Event::Crossed {
                id,
                body,
                by: item.author,
                age,
            },
            None => Event::Native {
                body,
                created_ms: item.created_ms,
                age,
                // What comes later than what was held is new, whatever its author's clock says.
                has_passed: self.bridge.is_reading() && self.passed.has(item.created_ms),
            },
        }
    }
}
