//! Runs the peer of dave's on a UDP socket and a node.
//!
//! What crosses in is a value on the topic [`TOPIC`], with the whole DAT as its contents, so that whoever
//! gets it can check it by its work. What is to go out is the same on [`TOPIC_OUT`], and who misses a value
//! says so on [`TOPIC_WANT`] with its work in hexadecimal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bruit::{TopicId, VALUE_TTL};
use bytes::Bytes;
use tokio::net::UdpSocket;

use super::codec::{DATAGRAM_BYTES_MAX, Dat, Message, Op, Work};
use super::config::Config;
use super::gateway::{Action, Event, Gateway, name};
use crate::bridge::{Bridge, Drops, FromInside, Making};
use crate::counters::Counters;
use crate::datagrams::as_spoken;
use crate::error::GatewayError;
use crate::hex;
use crate::inside::{Inside, Item, Post, Since};
use crate::running::{Running, Stop, Teller, Told};

/// Values that came from dave's network.
pub const TOPIC: &str = "dave";
/// Values that are to go out into it.
pub const TOPIC_OUT: &str = "dave/out";
/// Works of values that somebody misses.
pub const TOPIC_WANT: &str = "dave/want";
/// The port of dave's network.
pub const PORT: u16 = 1_618;
/// Where a peer of dave's listens: everywhere.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);
/// Datagrams read before anything else is looked at.
const READ_AT_ONCE: usize = 64;

/// The body of a bulletin that carries `dat`.
pub fn body(dat: &Dat) -> Bytes {
    let message = Message {
        dat: dat.clone(),
        ..Message::of(Op::Dat)
    };
    message.encode().into()
}

/// The value in the body of a bulletin, whatever was paid for it; none when there is none.
pub fn read_body(body: &[u8]) -> Option<Dat> {
    let message = Message::decode(body).ok()?.message;
    (message.op == Op::Dat).then_some(message.dat)
}

/// Starts a peer of dave's that listens on `listen`.
///
/// # Errors
/// When it cannot listen there, or the bruit side has gone.
pub async fn start(
    inside: Arc<dyn Inside>,
    listen: SocketAddr,
    mut config: Config,
) -> Result<Running, GatewayError> {
    let cannot = |source| GatewayError::Listen {
        address: listen.to_string(),
        source,
    };
    let socket = UdpSocket::bind(listen).await.map_err(cannot)?;
    let local = socket.local_addr().map_err(cannot)?;
    config.own.extend(own_addresses(local));
    let me = inside.author().await?;
    let now = Instant::now();
    let gateway = Gateway::new(config, me, seed(), now);
    let counters = gateway.counters().clone();
    let topics = [
        (TOPIC, Since::Last(VALUE_TTL)),
        (TOPIC_OUT, Since::Last(VALUE_TTL)),
        (TOPIC_WANT, Since::Now),
    ];
    let bridge = Bridge::open(inside, "dave", &topics, counters.clone()).await?;
    let run = |stop, teller| {
        let peer = Peer {
            socket,
            local,
            gateway,
            bridge,
            counters: counters.clone(),
            teller,
            topics: [TOPIC, TOPIC_OUT, TOPIC_WANT].map(TopicId::of),
        };
        peer.run(stop)
    };
    Ok(Running::spawn("dave", vec![local], counters.clone(), run))
}

/// The addresses that a socket bound to `local` has on this machine.
fn own_addresses(local: SocketAddr) -> Vec<SocketAddr> {
    let port = local.port();
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let loopback = [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ];
    loopback.map(|ip| SocketAddr::new(ip, port)).to_vec()
}

/// A seed nobody knows. Without one from the system the draws are those of any other gateway.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}

struct Peer {
    socket: UdpSocket,
    local: SocketAddr,
    gateway: Gateway,
    bridge: Bridge<Work>,
    counters: Counters,
    teller: Teller,
    topics: [TopicId; 3],
}

impl Peer {
    async fn run(mut self, mut stop: Stop) -> Result<(), GatewayError> {
        let mut drops = Drops::new();
        let mut peers = 0;
        loop {
            let wake = tokio::time::Instant::from_std(self.gateway.next_wake());
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
                () = tokio::time::sleep_until(wake) => {
                    let actions = self.gateway.wake(Instant::now());
                    self.act(actions);
                    drops.report(&self.counters, &self.teller);
                    if peers != self.gateway.peers() {
                        peers = self.gateway.peers();
                        let count = u64::try_from(peers).unwrap_or(u64::MAX);
                        self.teller.tell(Told::new("peers").number("count", count));
                    }
                }
            }
        }
    }

    /// Reads what has come, up to a number.
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
                Action::Send { to, bytes } => self.send(to, &bytes),
                Action::Publish(dat) => self.publish(&dat),
                Action::Spread { work, peers } => {
                    let peers = u64::try_from(peers).unwrap_or(u64::MAX);
                    let told = Told::new("out").text("id", &id(&work));
                    self.teller.tell(told.number("peers", peers));
                }
            }
        }
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        if self
            .socket
            .try_send_to(bytes, as_spoken(to, self.local))
            .is_err()
        {
            self.counters.count("dropped_unsent");
        }
    }

    fn publish(&mut self, dat: &Dat) {
        let Ok(work) = Work::try_from(&dat.work[..]) else {
            return;
        };
        let post = Post {
            topic: TOPIC.to_owned(),
            body: body(dat),
            tag: name(&work).tag(),
            ttl: None,
        };
        if self.bridge.make(work, Making::Value(post)).is_err() {
            self.tell(Event::NotPublished(work));
        }
    }

    fn on_inside(&mut self, from: FromInside<Work>) {
        match from {
            FromInside::Present { author, .. } => self.tell(Event::Present(author)),
            FromInside::Item(item) => {
                if let Some(event) = self.event_of(&item) {
                    self.tell(event);
                }
            }
            FromInside::Done { key, result } => match result {
                Ok(bulletin) => {
                    let told = Told::new("in").text("id", &id(&key));
                    self.teller.tell(told.text("bulletin", &bulletin));
                }
                Err(error) => {
                    let told = Told::new("refused").text("id", &id(&key));
                    self.teller.tell(told.text("reason", &error));
                    self.tell(Event::NotPublished(key));
                }
            },
        }
    }

    /// What a bulletin on one of our topics means; none when it means nothing.
    fn event_of(&self, item: &Item) -> Option<Event> {
        let [values, out, want] = self.topics;
        if item.topic == values {
            let (dat, by, age) = (read_body(&item.body)?, item.author, item.age());
            Some(Event::Held { dat, by, age })
        } else if item.topic == out {
            let (dat, age) = (read_body(&item.body)?, item.age());
            Some(Event::Put { dat, age })
        } else if item.topic == want {
            let text = std::str::from_utf8(&item.body).ok()?;
            hex::decode_exactly(text).map(Event::Want)
        } else {
            None
        }
    }
}

/// How a value is called in outputs.
pub fn id(work: &Work) -> String {
    format!("dave:{}", hex::encode(work))
}
