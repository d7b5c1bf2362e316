//! Runs the gateway on tokio: listeners, connections, and one loop that owns the state.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

use super::config::Config;
use super::conn::{Conn, Role, Said};
use super::events::{Action, ConnId, Event};
use super::flow::Room;
use super::gateway::{Gateway, Settings};
use super::hearing::{Ears, Input};
use super::peers::Rules;
use super::solver::Solver;
use crate::accepting::Accepting;
use crate::counters::Counters;
use crate::crossing;
use crate::error::GatewayError;
use crate::foreign::ForeignId;
use crate::inside::{Asked, Inside, Post};
use crate::publisher::{Done, Publisher, Unpublished};
use crate::running::{Running, Stop, Teller, Told};
use crate::wall;

/// The gateway's name.
pub const NAME: &str = "voidphone";
/// What waits for the loop, of each sort.
const INPUTS_MAX: usize = 1_024;
/// How long a dial may take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer the node waits for a verdict than modules may take for theirs.
const VERDICT_MARGIN: Duration = Duration::from_secs(1);
/// Longest time a verdict may take at any node.
const VERDICT_MAX: Duration = Duration::from_mins(1);

/// Starts the gateway beside or inside a node. Where it listens is in the answer: the module API first.
///
/// # Errors
/// [`GatewayError`].
pub async fn start(inside: Arc<dyn Inside>, config: Config) -> Result<Running, GatewayError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| GatewayError::Config {
        what: format!("the system gives no randomness: {error}"),
        fix: "look at what keeps this process from it".to_owned(),
    })?;
    start_with_seed(inside, config, seed).await
}

/// Starts the gateway with choices that can be foretold: for tests.
///
/// # Errors
/// [`GatewayError`].
#[doc(hidden)]
pub async fn start_with_seed(
    inside: Arc<dyn Inside>,
    config: Config,
    seed: [u8; 32],
) -> Result<Running, GatewayError> {
    config.check()?;
    let (api, listen_api) = bind(&config.api).await?;
    let (peers, rules) = match &config.p2p {
        Some(address) => {
            let (listener, listen) = bind(address).await?;
            (Some(listener), Some(rules(&config, listen).await?))
        }
        None => (None, None),
    };
    let mut listen = vec![listen_api];
    listen.extend(rules.iter().map(|rules| SocketAddr::V4(rules.listen)));
    let settings = Settings {
        validation: config.validation,
        suppress: config.suppress,
        notify_announcer: config.notify_announcer,
        rules,
        author: inside.author().await?,
        seed,
    };
    let counters = Counters::default();
    info!(gateway = NAME, ?listen, "the gateway listens");
    Ok(Running::spawn(
        NAME,
        listen,
        counters.clone(),
        |stop, teller| {
            let (inputs, receiver) = mpsc::channel(INPUTS_MAX);
            let (said, said_receiver) = mpsc::channel(INPUTS_MAX);
            let (failed, failures) = mpsc::channel(INPUTS_MAX);
            let sources = Sources {
                api,
                peers,
                inputs: receiver,
                said: said_receiver,
                failures,
            };
            let publisher = Publisher::spawn(Arc::clone(&inside), failed);
            let ears = Ears::new(inside, inputs.clone());
            Driver::new(settings, counters, teller, publisher, ears, (inputs, said))
                .run(sources, stop)
        },
    ))
}

async fn bind(address: &str) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let error = |source| GatewayError::Listen {
        address: address.to_owned(),
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let listen = listener.local_addr().map_err(error)?;
    Ok((listener, listen))
}

async fn rules(config: &Config, listen: SocketAddr) -> Result<Rules, GatewayError> {
    let SocketAddr::V4(listen) = listen else {
        return Err(GatewayError::Config {
            what: format!("{listen} is IPv6, for which the frames of peers have no room"),
            fix: "choose an IPv4 address for peers, such as 0.0.0.0:6001".to_owned(),
        });
    };
    let mut bootstrappers = Vec::new();
    for name in &config.bootstrappers {
        bootstrappers.push(resolve(name).await?);
    }
    Ok(Rules {
        listen,
        bootstrappers,
        cache_size: config.cache_size,
        degree: config.degree,
        p2p_ttl: config.p2p_ttl,
    })
}

async fn resolve(name: &str) -> Result<SocketAddrV4, GatewayError> {
    let found = lookup_host(name).await.ok().into_iter().flatten();
    let mut v4 = found.filter_map(|address| match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    });
    v4.next().ok_or_else(|| GatewayError::Config {
        what: format!("{name} has no IPv4 address"),
        fix: "name the peer to join by as HOST:PORT".to_owned(),
    })
}

/// Where what happens comes from.
struct Sources {
    api: TcpListener,
    peers: Option<TcpListener>,
    inputs: mpsc::Receiver<Input>,
    said: mpsc::Receiver<(ConnId, Said)>,
    failures: mpsc::Receiver<Unpublished>,
}

/// The loop and all it holds.
struct Driver {
    gateway: Gateway,
    counters: Counters,
    teller: Teller,
    publisher: Publisher,
    ears: Ears,
    solver: Solver,
    has_peers: bool,
    verdict_time: Duration,
    suppress: Duration,
    started_ms: u64,
    accepting: Accepting,
    conns: BTreeMap<ConnId, Conn>,
    next_conn: u64,
    questions: BTreeMap<u64, (Instant, Asked)>,
    next_question: u64,
    /// The tasks that hear bulletins, by type.
    listening: BTreeMap<u16, Vec<AbortHandle>>,
    /// Those that hear all of them, and other gateways.
    hearing: Vec<AbortHandle>,
    inputs: mpsc::Sender<Input>,
    said: mpsc::Sender<(ConnId, Said)>,
}

impl Driver {
    fn new(
        settings: Settings,
        counters: Counters,
        teller: Teller,
        publisher: Publisher,
        ears: Ears,
        (inputs, said): (mpsc::Sender<Input>, mpsc::Sender<(ConnId, Said)>),
    ) -> Self {
        Self {
            has_peers: settings.rules.is_some(),
            verdict_time: (settings.validation + VERDICT_MARGIN).min(VERDICT_MAX),
            suppress: settings.suppress,
            gateway: Gateway::new(settings, counters.clone(), Instant::now()),
            teller,
            publisher,
            ears,
            solver: Solver::new(inputs.clone()),
            started_ms: wall::now_ms(),
            accepting: Accepting::new(counters.clone()),
            conns: BTreeMap::new(),
            next_conn: 0,
            questions: BTreeMap::new(),
            next_question: 0,
            listening: BTreeMap::new(),
            hearing: Vec::new(),
            inputs,
            said,
            counters,
        }
    }

    async fn run(mut self, mut sources: Sources, mut stop: Stop) -> Result<(), GatewayError> {
        let mut presence = tokio::time::interval(crossing::PRESENCE_EVERY);
        if self.has_peers {
            self.hearing.push(self.ears.hear_all(self.suppress).await?);
            self.hearing.push(self.ears.hear_gateways(NAME).await?);
        }
        self.act(Event::Wakeup);
        loop {
            let (wakeup, again) = (self.gateway.next_wakeup(), self.accepting.again());
            tokio::select! {
                () = stop.asked() => return Ok(()),
                Some((conn, said)) = sources.said.recv() => self.on_said(conn, said),
                Some(input) = sources.inputs.recv() => self.on_input(input)?,
                Some(failure) = sources.failures.recv() => self.on_unpublished(failure)?,
                accepted = sources.api.accept(), if again.is_none() => self.on_module(accepted),
                accepted = accept(sources.peers.as_ref()), if again.is_none() => self.on_peer(accepted),
                () = sleep_until(again) => self.accepting.resume(),
                _ = presence.tick(), if self.has_peers => self.be_present(),
                () = sleep_until(wakeup) => self.act(Event::Wakeup),
            }
        }
    }

    // What comes in.

    fn on_said(&mut self, conn: ConnId, said: Said) {
        match said {
            _ if !self.conns.contains_key(&conn) => {}
            // The seat is given up when the frame is worked off.
            Said::Frame(frame, _seat) => self.act(Event::Frame(conn, frame)),
            Said::End(error) => {
                if let Some(error) = error {
                    self.counters.count("bad_frame");
                    debug!(%error, "a connection is closed");
                }
                self.end(conn);
            }
            Said::Stalled => {
                self.counters.count("too_slow");
                self.end(conn);
            }
        }
    }

    fn end(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        self.act(Event::Closed(conn));
    }

    fn on_input(&mut self, input: Input) -> Result<(), GatewayError> {
        match input {
            Input::Dialled(address, stream) => self.on_dialled(address, stream),
            Input::Solved(conn, challenge) => self.act(Event::Solved(conn, challenge)),
            Input::Heard(item, data_type) => {
                let is_past = item.created_ms < self.started_ms;
                self.act(Event::Heard {
                    item,
                    data_type,
                    is_past,
                });
            }
            Input::Asked(asked, data_type) => self.on_asked(asked, data_type),
            Input::Present(gateway) => self.act(Event::Present(gateway)),
            Input::Gap(missed) => self.counters.add("missed", missed),
            Input::Gone(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn on_asked(&mut self, asked: Asked, data_type: u16) {
        // By the time a question is so old, the node has forgotten it.
        while let Some(first) = self.questions.first_entry()
            && first.get().0.elapsed() > self.verdict_time
        {
            first.remove();
        }
        let (question, item) = (self.next_question, asked.item.clone());
        self.next_question += 1;
        self.questions.insert(question, (Instant::now(), asked));
        self.act(Event::Asked {
            question,
            item,
            data_type,
        });
    }

    fn on_unpublished(&mut self, failure: Unpublished) -> Result<(), GatewayError> {
        let Unpublished { name, error } = failure;
        if error.is_gone() {
            return Err(error.into());
        }
        warn!(%error, "an announcement was not published");
        let told = Told::new("unpublished")
            .text("code", &error.code)
            .text("message", &error);
        self.teller.tell(told);
        if let Some(name) = name {
            self.act(Event::Unpublished(name));
        }
        Ok(())
    }

    fn on_dialled(&mut self, address: SocketAddrV4, stream: io::Result<TcpStream>) {
        let stream = stream.and_then(|stream| Ok((stream.local_addr()?, stream)));
        match stream {
            Ok((local, stream)) => {
                let conn = self.connect(stream, Role::Peer);
                self.act(Event::Outbound {
                    conn,
                    address,
                    local,
                });
            }
            Err(error) => {
                debug!(%address, %error, "a peer cannot be reached");
                self.act(Event::Undialled(address));
            }
        }
    }

    fn on_module(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, _)) => {
                let conn = self.connect(stream, Role::Module);
                self.act(Event::Module(conn));
            }
            Err(error) => self.accepting.failed(&error, Instant::now()),
        }
    }

    fn on_peer(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted.and_then(|(stream, remote)| Ok((stream.local_addr()?, stream, remote))) {
            Ok((local, stream, remote)) => {
                let conn = self.connect(stream, Role::Peer);
                self.act(Event::Inbound {
                    conn,
                    remote,
                    local,
                });
            }
            Err(error) => self.accepting.failed(&error, Instant::now()),
        }
    }

    fn connect(&mut self, stream: TcpStream, role: Role) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.conns
            .insert(conn, Conn::run(conn, stream, role, self.said.clone()));
        conn
    }

    // What goes out.

    /// Gives `event` to the gateway and does what it says, and what follows from that.
    fn act(&mut self, event: Event) {
        let sender = match &event {
            Event::Frame(conn, _) => Some(*conn),
            _ => None,
        };
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            if let Event::Closed(conn) | Event::Solved(conn, _) = &event {
                self.solver.forget(*conn);
            }
            for action in self.gateway.handle(event, Instant::now()) {
                if let Some(conn) = self.obey(action, sender) {
                    events.push_back(Event::Closed(conn));
                }
            }
        }
    }

    /// Does one thing that follows from what `sender` said; answers a connection that it closed.
    fn obey(&mut self, action: Action, sender: Option<ConnId>) -> Option<ConnId> {
        match action {
            Action::Send(conn, bytes) => return self.send(conn, bytes, sender),
            Action::Close(conn) => return self.conns.remove(&conn).map(|_| conn),
            Action::Dial(address) => self.dial(address),
            Action::Solve(conn, nonce) => self.solver.solve(conn, nonce),
            Action::Listen(data_type) => self.listen(data_type),
            Action::Unlisten(data_type) => {
                let tasks = self.listening.remove(&data_type).unwrap_or_default();
                tasks.iter().for_each(AbortHandle::abort);
            }
            Action::Answer(question, verdict) => {
                if let Some((_, asked)) = self.questions.remove(&question) {
                    asked.answer(verdict);
                }
            }
            Action::Publish {
                post,
                name,
                sender: by,
            } => self.publish(post, name, by),
            Action::Tell(told) => self.teller.tell(told),
        }
        None
    }

    /// Sends, or cuts off who does not read; who crowds a queue is read on when that has drained.
    fn send(&mut self, conn: ConnId, bytes: Bytes, sender: Option<ConnId>) -> Option<ConnId> {
        let to = self.conns.get(&conn)?;
        let from = sender.filter(|from| *from != conn);
        match to.send(bytes) {
            Room::Plenty => {}
            Room::Little => {
                let from = from.and_then(|from| self.conns.get(&from));
                from.inspect(|from| from.gate.wait_for(&to.queue));
            }
            Room::None => {
                self.counters.count("too_slow");
                self.conns.remove(&conn).inspect(Conn::cut);
                return Some(conn);
            }
        }
        None
    }

    fn publish(&self, post: Post, name: ForeignId, sender: Option<ConnId>) {
        let conn = sender.and_then(|conn| self.conns.get(&conn));
        let done = conn.map(|conn| Box::new(conn.gate.seat(post.body.len())) as Done);
        if !self.publisher.publish(post, Some(name), done) {
            self.counters.count("too_many_posts");
            warn!("an announcement is dropped: too many wait to be published");
        }
    }

    /// Tells other gateways of this one.
    fn be_present(&self) {
        let post = Post {
            topic: crossing::topic(NAME),
            body: NAME.into(),
            tag: String::new(),
            ttl: Some(crossing::PRESENCE_KEEP),
        };
        self.publisher.publish(post, None, None);
    }

    fn dial(&self, address: SocketAddrV4) {
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let dialled = tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(address)).await;
            let stream = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            // The loop is gone when the gateway has stopped.
            inputs.send(Input::Dialled(address, stream)).await.ok();
        });
    }

    /// Bulletins of a type before they are delivered; and after, where not all are heard anyway.
    fn listen(&mut self, data_type: u16) {
        let mut tasks = vec![self.ears.judge(data_type, self.verdict_time)];
        if !self.has_peers {
            tasks.push(self.ears.hear(data_type));
        }
        self.listening.insert(data_type, tasks);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let all = self.listening.values().flatten().chain(&self.hearing);
        all.for_each(AbortHandle::abort);
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
