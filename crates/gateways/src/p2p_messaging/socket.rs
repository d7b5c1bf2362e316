//! Runs a peer and seeds of the exercise on TCP sockets and a node of bruit.
//!
//! Messages are posts on the topic [`TOPIC`], with `PORT:SECONDS:COUNT` as the body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bruit::POST_TTL;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::codec::{Gossip, Message, PEER_BYTES_MAX, SEED_BYTES_MAX};
use super::config::{Config, Role};
use super::gateway::{Action, Event, Gateway, Now};
use super::output::Output;
use super::pickle;
use super::seed::Seed;
use crate::accepting::{Accepting, is_out_of_descriptors};
use crate::bridge::{Bridge, Drops, FromInside, Making};
use crate::counters::Counters;
use crate::error::GatewayError;
use crate::foreign::{ForeignId, System};
use crate::inside::{Inside, Item, Post, Since};
use crate::running::{Running, Stop, Teller, Told};
use crate::wall;

/// The topic of its messages.
pub const TOPIC: &str = "p2p-messaging";
/// Connections that are read at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 256;
/// Messages that wait to be sent; more are dropped, and counted.
const SENDING_MAX: usize = 4_096;
/// Messages that are being sent at once.
const SENDING_AT_ONCE: usize = 64;
/// A connection that says nothing is closed after this time.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// What came is a message when nothing more comes for this time: some do not close their end.
const SILENCE: Duration = Duration::from_millis(300);
/// Time for a connection, as the original's.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often is told what was dropped.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What the sockets tell the loop.
#[derive(Debug)]
enum Came {
    Peer(Message),
    Listed {
        seed: usize,
        ports: Vec<u16>,
    },
    /// To one of our own seeds, which answers here.
    Seed {
        seed: usize,
        message: Message,
        answer: oneshot::Sender<Option<Vec<u8>>>,
    },
    Called {
        seed: usize,
        port: u16,
        answered: bool,
    },
}

/// Starts what `config` says; a peer listens on `listen`.
///
/// # Errors
/// When something cannot be listened on or written to, or the bruit side has gone.
pub async fn start(
    inside: Arc<dyn Inside>,
    listen: SocketAddr,
    config: Config,
) -> Result<Running, GatewayError> {
    let mut listeners = Vec::new();
    let counters = Counters::default();
    let mut seeds = Vec::new();
    if config.role != Role::Peer {
        for address in &config.seeds {
            let listener = bind(*address).await?;
            let local = listener.local_addr().unwrap_or(*address);
            seeds.push(Seed::new(local.port(), seed(), counters.clone()));
            listeners.push((listener, Some(seeds.len() - 1)));
        }
    }
    let mut peer = None;
    if config.role != Role::Seed {
        let listener = bind(listen).await?;
        peer = Some(listener.local_addr().unwrap_or(listen));
        listeners.push((listener, None));
    }
    let local: Vec<_> = listeners
        .iter()
        .filter_map(|(listener, _)| listener.local_addr().ok())
        .collect();
    let (said, came) = mpsc::channel(CONNECTIONS_MAX);
    let run = Loop::open(
        inside,
        config,
        peer,
        seeds,
        counters.clone(),
        said.clone(),
        came,
    );
    let run = run.await?;
    let run = |stop, teller| run.run(stop, teller, listeners, said);
    Ok(Running::spawn("p2p-messaging", local, counters, run))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, GatewayError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| GatewayError::Listen {
        address: address.to_string(),
        source,
    })
}

/// A seed nobody knows. Without one from the system the draws are those of any other gateway.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// A peer, where there is one.
struct Peer {
    gateway: Gateway,
    bridge: Bridge<ForeignId>,
    output: Output,
}

struct Loop {
    config: Config,
    ip: std::net::IpAddr,
    peer: Option<Peer>,
    seeds: Vec<Seed>,
    seed_output: Output,
    counters: Counters,
    started_ms: u64,
    came: mpsc::Receiver<Came>,
    said: mpsc::Sender<Came>,
    sending: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Loop {
    async fn open(
        inside: Arc<dyn Inside>,
        config: Config,
        peer: Option<SocketAddr>,
        seeds: Vec<Seed>,
        counters: Counters,
        said: mpsc::Sender<Came>,
        came: mpsc::Receiver<Came>,
    ) -> Result<Self, GatewayError> {
        let folder = config.output.as_deref();
        let unwritable = |error: std::io::Error| GatewayError::Config {
            what: format!("the output file cannot be written: {error}"),
            fix: "make the folder writable, or choose another one".to_owned(),
        };
        let seed_folder = folder.filter(|_| !seeds.is_empty());
        let seed_output = Output::open(seed_folder, "output_seed.txt").map_err(unwritable)?;
        let seeds_ip = config.seeds.first().map(SocketAddr::ip);
        let ip = peer.map(|peer| peer.ip()).or(seeds_ip);
        let ip = ip.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
        let peer = match peer {
            None => None,
            Some(local) => {
                let name = format!("output_{}.txt", local.port());
                let output = Output::open(folder, &name).map_err(unwritable)?;
                let me = inside.author().await?;
                let mut gateway = Gateway::new(
                    config.clone(),
                    local.ip().to_string(),
                    local.port(),
                    me,
                    seed(),
                    Instant::now(),
                );
                gateway.count_with(counters.clone());
                let topics = [(TOPIC, Since::Last(POST_TTL))];
                let port = local.port().to_string();
                let bridge =
                    Bridge::open_as(inside, TOPIC, port.into(), &topics, counters.clone()).await?;
                Some(Peer {
                    gateway,
                    bridge,
                    output,
                })
            }
        };
        Ok(Self {
            config,
            ip,
            peer,
            seeds,
            seed_output,
            counters,
            started_ms: wall::now_ms(),
            came,
            said,
            sending: Arc::new(Semaphore::new(SENDING_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(SENDING_MAX)),
        })
    }

    async fn run(
        mut self,
        mut stop: Stop,
        teller: Teller,
        listeners: Vec<(TcpListener, Option<usize>)>,
        said: mpsc::Sender<Came>,
    ) -> Result<(), GatewayError> {
        // They end with the set, and so with this loop.
        let mut accepting = JoinSet::new();
        let readers = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        for (listener, seed) in listeners {
            let (said, readers) = (said.clone(), Arc::clone(&readers));
            accepting.spawn(accept(listener, seed, said, readers, self.counters.clone()));
        }
        let mut drops = Drops::new();
        loop {
            let latest = Instant::now() + REPORT_EVERY;
            let wake = self.next_wakeup().unwrap_or(latest).min(latest);
            tokio::select! {
                () = stop.asked() => break,
                Some(came) = self.came.recv() => self.on_came(came, &teller),
                from = next_inside(&mut self.peer) => match from {
                    Some(from) => self.on_inside(from, &teller),
                    None => break,
                },
                () = tokio::time::sleep_until(wake.into()) => self.wake(&teller),
            }
            drops.report(&self.counters, &teller);
        }
        // Its ports are free when it has ended: another may listen there at once.
        accepting.shutdown().await;
        Ok(())
    }

    fn next_wakeup(&self) -> Option<Instant> {
        let peer = self.peer.as_ref().map(|peer| peer.gateway.next_wakeup());
        let seeds = self.seeds.iter().filter_map(Seed::next_wakeup);
        seeds.chain(peer).min()
    }

    fn wake(&mut self, teller: &Teller) {
        let now = Instant::now();
        for seed in 0..self.seeds.len() {
            for port in self.seeds[seed].wake(now) {
                self.call(seed, port);
            }
        }
        if let Some(peer) = &mut self.peer {
            let actions = peer.gateway.wake(moment());
            self.act(actions, teller);
        }
    }

    fn on_came(&mut self, came: Came, teller: &Teller) {
        match came {
            Came::Peer(message) => self.tell(Event::Message(message), teller),
            Came::Listed { seed, ports } => self.tell(Event::Listed { seed, ports }, teller),
            Came::Seed {
                seed,
                message,
                answer,
            } => {
                self.seed_output.line(&format!("received {message}"));
                let said = self.seeds[seed].handle(&message, Instant::now());
                // Who asked may have gone.
                answer.send(said).ok();
            }
            Came::Called {
                seed,
                port,
                answered,
            } => {
                if self.seeds[seed].called(port, answered, Instant::now()) {
                    self.seed_output.line(&format!("dead {port}"));
                    teller.tell(Told::new("dead").number("port", port));
                }
            }
        }
    }

    fn tell(&mut self, event: Event, teller: &Teller) {
        if let Some(peer) = &mut self.peer {
            let actions = peer.gateway.handle(event, moment());
            self.act(actions, teller);
        }
    }

    fn act(&mut self, actions: Vec<Action>, teller: &Teller) {
        for action in actions {
            match action {
                Action::Send { port, message } => {
                    let to = SocketAddr::new(self.ip, port);
                    self.send(to, message, None);
                }
                Action::Seed { seed, message } => {
                    let to = self.config.seeds[seed];
                    self.send(to, message, Some(seed));
                }
                Action::Publish { id, gossip } => self.publish(id, gossip, teller),
                Action::Received(gossip) => self.line(&format!("received 1133:{gossip}")),
                Action::Sent(gossip) => {
                    self.line(&format!("sent 1133:{gossip}"));
                    teller.tell(Told::new("out").text("message", &gossip));
                }
                Action::Peers(ports) => self.line(&format!("peers {ports:?}")),
                Action::Died(port) => {
                    self.line(&format!("dead {port}"));
                    teller.tell(Told::new("dead").number("port", port));
                }
            }
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(peer) = &mut self.peer {
            peer.output.line(line);
        }
    }

    fn publish(&mut self, id: ForeignId, gossip: Gossip, teller: &Teller) {
        let post = Post {
            topic: TOPIC.to_owned(),
            body: Bytes::from(gossip.to_string()),
            tag: id.tag(),
            ttl: None,
        };
        let Some(peer) = &self.peer else {
            return;
        };
        if peer.bridge.make(id, Making::Post(post)).is_ok() {
            teller.tell(Told::new("in").text("message", &gossip));
        } else {
            self.tell(Event::NotPublished(id), teller);
        }
    }

    fn on_inside(&mut self, from: FromInside<ForeignId>, teller: &Teller) {
        let event = match from {
            FromInside::Present { author, body } => {
                let port = std::str::from_utf8(&body).ok();
                let port = port.and_then(|text| text.parse().ok());
                Event::Present { author, port }
            }
            FromInside::Item(item) => event_of(&item, self.started_ms),
            FromInside::Done { result: Ok(_), .. } => return,
            FromInside::Done {
                key,
                result: Err(error),
            } => {
                teller.tell(Told::new("refused").text("reason", &error));
                Event::NotPublished(key)
            }
        };
        self.tell(event, teller);
    }

    /// Sends a message over a connection of its own, and reads a seed's answer.
    fn send(&self, to: SocketAddr, message: Message, seed: Option<usize>) {
        let Ok(waiting) = Arc::clone(&self.waiting).try_acquire_owned() else {
            self.counters.count("dropped_sending_full");
            return;
        };
        let (said, sending) = (self.said.clone(), Arc::clone(&self.sending));
        let counters = self.counters.clone();
        tokio::spawn(async move {
            let _waiting = waiting;
            let _sending = sending.acquire().await;
            let exchange = exchange(to, &message, seed, &counters);
            match tokio::time::timeout(READ_TIMEOUT * 2, exchange).await {
                Ok(Ok(Some(came))) => drop(said.send(came).await),
                Ok(Ok(None)) => counters.count("messages_out"),
                Ok(Err(_)) | Err(_) => counters.count("unreached"),
            }
        });
    }

    /// Finds out whether somebody listens at a port that was reported dead.
    fn call(&self, seed: usize, port: u16) {
        let said = self.said.clone();
        let to = SocketAddr::new(self.ip, port);
        tokio::spawn(async move {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await;
            let Some(answered) = is_there(connected.ok().as_ref()) else {
                // It is called again.
                return;
            };
            let called = Came::Called {
                seed,
                port,
                answered,
            };
            // A loop that has ended needs no answer.
            said.send(called).await.ok();
        });
    }
}

/// Whether somebody took the call of a port, which is nothing when it took too long; none when this process could not
/// call, which says nothing of the port.
fn is_there<T>(connected: Option<&std::io::Result<T>>) -> Option<bool> {
    match connected {
        Some(Err(error)) if is_out_of_descriptors(error) => None,
        connected => Some(matches!(connected, Some(Ok(_)))),
    }
}

/// What comes from bruit; nothing ever where there is no peer.
async fn next_inside(peer: &mut Option<Peer>) -> Option<FromInside<ForeignId>> {
    match peer {
        Some(peer) => peer.bridge.next().await,
        None => std::future::pending().await,
    }
}

/// What a bulletin means to a gateway that began at `started_ms`.
fn event_of(item: &Item, started_ms: u64) -> Event {
    let is_past = item.created_ms < started_ms;
    let age = item.age();
    match ForeignId::of_tag(System::P2P_MESSAGING, &item.tag) {
        Some(id) => Event::Crossed {
            id,
            body: item.body.to_vec(),
            by: item.author,
            is_past,
        },
        None => Event::Native {
            id: item.id,
            age,
            is_past,
        },
    }
}

fn moment() -> Now {
    Now {
        at: Instant::now(),
        seconds: wall::now().as_secs(),
    }
}

/// Says a message; what a seed answers is an event, where it is one.
async fn exchange(
    to: SocketAddr,
    message: &Message,
    seed: Option<usize>,
    counters: &Counters,
) -> std::io::Result<Option<Came>> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await;
    let mut stream = connected.map_err(|_| std::io::ErrorKind::TimedOut)??;
    stream.write_all(&message.encode()).await?;
    let Some(seed) = seed.filter(|_| *message == Message::ListRequest) else {
        if matches!(message, Message::Register { .. }) {
            // The answer says nothing we do not know, but a seed may need somebody to take it.
            read(&mut stream, SEED_BYTES_MAX).await?;
        }
        stream.shutdown().await?;
        return Ok(None);
    };
    let answer = read(&mut stream, 4 * SEED_BYTES_MAX).await?;
    let Ok(ports) = pickle::decode(&answer) else {
        counters.count("dropped_bad_list");
        return Ok(None);
    };
    let ports = ports
        .into_iter()
        .filter_map(|port| u16::try_from(port).ok());
    let ports = ports.filter(|port| *port != 0).collect();
    Ok(Some(Came::Listed { seed, ports }))
}

/// Reads until the other end closes, says nothing for a moment, or has said one byte more than `max`.
async fn read(stream: &mut TcpStream, max: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; max + 1];
    let mut patience = READ_TIMEOUT;
    while bytes.len() <= max {
        match tokio::time::timeout(patience, stream.read(&mut buffer)).await {
            Err(_) | Ok(Ok(0)) => break,
            Ok(read) => bytes.extend_from_slice(buffer.get(..read?).unwrap_or_default()),
        }
        patience = SILENCE;
    }
    Ok(bytes)
}

/// Accepts connections as long as there is room, and reads each in a task of its own.
async fn accept(
    listener: TcpListener,
    seed: Option<usize>,
    said: mpsc::Sender<Came>,
    readers: Arc<Semaphore>,
    counters: Counters,
) {
    // Readers end with the set.
    let mut reading = JoinSet::new();
    let mut accepting = Accepting::new(counters.clone());
    loop {
        if let Some(again) = accepting.again() {
            tokio::time::sleep_until(again.into()).await;
            accepting.resume();
        }
        while reading.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&readers).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                accepting.failed(&error, Instant::now());
                continue;
            }
        };
        let (said, counters) = (said.clone(), counters.clone());
        reading.spawn(async move {
            let _permit = permit;
            serve(stream, seed, &said, &counters).await;
        });
    }
}

/// Reads one connection; answers it where it is to a seed.
async fn serve(
    mut stream: TcpStream,
    seed: Option<usize>,
    said: &mpsc::Sender<Came>,
    counters: &Counters,
) {
    let Some(seed) = seed else {
        let Ok(bytes) = read(&mut stream, PEER_BYTES_MAX).await else {
            return;
        };
        match Message::decode(&bytes, PEER_BYTES_MAX) {
            Ok(message) => drop(said.send(Came::Peer(message)).await),
            Err(_) if bytes.is_empty() => {}
            Err(_) => counters.count("dropped_malformed"),
        }
        return;
    };
    // Who asks a seed waits for the answer with his end open.
    let mut buffer = [0; SEED_BYTES_MAX + 1];
    let Ok(Ok(length)) = tokio::time::timeout(READ_TIMEOUT, stream.read(&mut buffer)).await else {
        return;
    };
    let bytes = buffer.get(..length).unwrap_or_default();
    let Ok(message) = Message::decode(bytes, SEED_BYTES_MAX) else {
        counters.count("dropped_malformed");
        return;
    };
    let (answer, answered) = oneshot::channel();
    let came = Came::Seed {
        seed,
        message,
        answer,
    };
    if said.send(came).await.is_ok()
        && let Ok(Some(answer)) = answered.await
    {
        // Who asked may have gone.
        stream.write_all(&answer).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_port_that_could_not_be_called_is_not_dead_for_it() {
        const OUT_OF_DESCRIPTORS: i32 = 24;
        const REFUSED: i32 = 111;
        let failed = |code| Some(Err::<(), _>(std::io::Error::from_raw_os_error(code)));
        assert_eq!(is_there(failed(OUT_OF_DESCRIPTORS).as_ref()), None);
        assert_eq!(is_there(failed(REFUSED).as_ref()), Some(false));
        assert_eq!(is_there::<()>(None), Some(false));
        assert_eq!(is_there(Some(&Ok(()))), Some(true));
    }
}
