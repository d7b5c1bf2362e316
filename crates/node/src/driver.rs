//! The driver: one loop that owns the engine and the transport.
//!
//! A round takes what has arrived (frames, commands, answers of the disk), hands it to the engine,
//! checks the signatures it asks for as one batch, and acts. A bulletin thus goes link → engine →
//! check → engine → links without crossing a channel. Nothing in a round waits.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bruit_core::bulletin::Bulletin;
use bruit_core::engine::{Actions, Engine};
use bruit_core::event::{Action, Command, Event, Persist, Published};
use bruit_core::floor;
use bruit_core::id::{BulletinId, NodeId};
use bruit_core::identity::SecretKey;
use bruit_core::link::{CloseReason, PeerAddress};
use bruit_core::lookups::Target;
use bruit_core::time::{Mono, Now, Wall};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;
use tracing::{debug, error, info, warn};

use crate::access::Access;
use crate::hub::{Arrival, Asking, Hub};
use crate::looks::{self, Look, Looks};
use crate::posted::Posted;
use crate::publishing::Publishing;
use crate::reach::{self, Addresses};
use crate::recorder::Recorder;
use crate::sharing::{Delivery, Waves};
use crate::store::{Mended, Store, StoreError, StoreEvent, Write};
use crate::traffic::Traffic;
use crate::transport::{Transport, TransportEvent};
use crate::verify::Verifier;
use crate::wall::wall_now;

/// How often the address book is written when nothing else is.
const SAVE_EVERY: Duration = Duration::from_mins(1);
/// Name of the address book among the store's notes.
pub(crate) const BOOK: &str = "address_book";
/// Name of the horizon among the store's notes.
pub(crate) const HORIZON: &str = "horizon";
/// Commands taken in one round.
const COMMANDS_MAX: usize = 256;

/// What a handle asks the driver.
#[derive(Debug)]
pub(crate) enum Order {
    Engine(Command),
    Publish(Box<crate::publishing::Request>),
    Import(Box<Bulletin>, oneshot::Sender<Published>),
    LookUp(Target, oneshot::Sender<Option<Box<Bulletin>>>),
    Join(Vec<PeerAddress>, oneshot::Sender<()>),
    Unlink(NodeId, oneshot::Sender<bool>),
    Look(Look),
    Addresses(oneshot::Sender<()>),
    Access(Access),
    /// A chunk in the store is not what it was.
    Damaged(BulletinId, u32),
    Shutdown(oneshot::Sender<()>),
}

/// What a listener of application frames registered.
pub(crate) type FrameListener = Arc<dyn Fn(NodeId, u8, bytes::Bytes) + Send + Sync>;

/// Everything the loop owns.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) key: SecretKey,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) access: Access,
    pub(crate) verifier: Verifier,
    pub(crate) publishing: Publishing,
    /// Counts the chunks of large contents that came.
    pub(crate) chunk_news: watch::Sender<u64>,
    pub(crate) listeners: Arc<std::sync::Mutex<BTreeMap<u8, FrameListener>>>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) asking: mpsc::UnboundedReceiver<Asking>,
    pub(crate) store_events: mpsc::UnboundedReceiver<StoreEvent>,
    pub(crate) prices: Posted<floor::Asking>,
    pub(crate) addresses: Addresses,
    pub(crate) started: Instant,
    pub(crate) recorder: Option<Recorder>,
    /// Whether the log says of each neighbour what system 004 prints: what it missed, and that it is dead.
    pub(crate) is_telling: bool,
    pub(crate) state: State,
}

/// What the loop remembers from round to round.
#[derive(Debug, Default)]
pub(crate) struct State {
    traffic: Traffic,
    waves: Waves,
    dialling: BTreeMap<NodeId, (PeerAddress, Wall)>,
    joining: Vec<(NodeId, oneshot::Sender<()>)>,
    lookups: BTreeMap<u64, oneshot::Sender<Option<Box<Bulletin>>>>,
    next_lookup: u64,
    loads: Vec<BulletinId>,
    /// Chunks that the store had no time to read.
    unread: Vec<(BulletinId, u32)>,
    save_due: Mono,
    saved: bytes::Bytes,
    addresses: Vec<std::net::SocketAddr>,
    store_error: Option<StoreError>,
    mended: Option<Mended>,
    is_clock_wrong: bool,
    /// Who waits for what becomes of a bulletin that was brought in a file.
    importing: BTreeMap<BulletinId, Vec<oneshot::Sender<Published>>>,
}

/// What one round has to deal with.
#[derive(Debug, Default)]
struct Round {
    transport: Vec<TransportEvent>,
    orders: Vec<Order>,
    asking: Vec<Asking>,
    store: Vec<StoreEvent>,
}

impl Round {
    fn is_empty(&self) -> bool {
        self.transport.is_empty()
            && self.orders.is_empty()
            && self.asking.is_empty()
            && self.store.is_empty()
    }
}

impl Driver {
    /// Runs until told to shut down, or until every handle is gone.
    pub(crate) async fn run(mut self) {
        let mut timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut armed = None;
        let mut round = Round::default();
        let done = loop {
            let wakeup = self.next_wakeup();
            if armed != Some(wakeup) {
                let at = self.started + Duration::from_micros(wakeup.as_micros());
                timer.as_mut().reset(at.into());
                armed = Some(wakeup);
            }
            let is_due = poll_fn(|cx| self.poll(cx, timer.as_mut(), &mut round)).await;
            if is_due {
                armed = None;
                self.on_due();
            }
            if let Some(done) = self.take(&mut round) {
                break done;
            }
        };
        // The engine goes along: it has a place of its own meanwhile.
        Box::pin(self.stop(done)).await;
    }

    fn now(&self) -> Now {
        let mono = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Now {
            mono: Mono::from_micros(mono),
            wall: wall_now(),
        }
    }

    fn next_wakeup(&self) -> Mono {
        self.engine
            .next_wakeup()
            .unwrap_or(self.state.save_due)
            .min(self.state.save_due)
    }

    /// Gathers what there is to do; ready when there is anything, with whether the timer rang.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        timer: Pin<&mut Sleep>,
        round: &mut Round,
    ) -> Poll<bool> {
        let is_due = timer.poll(cx).is_ready();
        if let Poll::Ready(0) = self
            .orders
            .poll_recv_many(cx, &mut round.orders, COMMANDS_MAX)
        {
            // Every handle is gone: nobody can stop the node but us.
            round.orders.push(Order::Shutdown(oneshot::channel().0));
        }
        // Their senders live as long as hub and store, so these never end before the loop.
        let _ = self
            .asking
            .poll_recv_many(cx, &mut round.asking, COMMANDS_MAX);
        let _ = self
            .store_events
            .poll_recv_many(cx, &mut round.store, COMMANDS_MAX);
        let _ = self.transport.poll(cx, &mut round.transport);
        if is_due || !round.is_empty() {
            Poll::Ready(is_due)
        } else {
            Poll::Pending
        }
    }

    /// Deals with a round. Answers who waits for the end, when it has come.
    fn take(&mut self, round: &mut Round) -> Option<Vec<oneshot::Sender<()>>> {
        let now = self.now();
        for event in round.transport.drain(..) {
            self.on_transport(event, now);
        }
        for event in round.store.drain(..) {
            self.on_store(event, now);
        }
        for asking in round.asking.drain(..) {
            let event = match asking {
                Asking::Topic(topic, timeout) => {
                    Event::Command(Command::Validate { topic, timeout })
                }
                Asking::Verdict(id, verdict) => Event::Verdict { id, verdict },
            };
            self.feed(event, now);
        }
        let mut done = Vec::new();
        for order in std::mem::take(&mut round.orders) {
            if let Order::Shutdown(sender) = order {
                done.push(sender);
            } else {
                self.on_order(order, now);
            }
        }
        self.settle(now);
        (!done.is_empty()).then_some(done)
    }

    /// Runs the checks the engine asked for, and those they lead to.
    fn settle(&mut self, now: Now) {
        loop {
            let answers = self.verifier.run();
            if answers.is_empty() {
                break;
            }
            for answer in answers {
                self.feed(answer, now);
            }
        }
        for (id, index) in std::mem::take(&mut self.state.unread) {
            if self.store.load_chunk(id, index).is_err() {
                self.state.unread.push((id, index));
            }
        }
        if !self.state.loads.is_empty() {
            match self.store.load(self.state.loads.clone()) {
                Ok(()) => self.state.loads.clear(),
                Err(error) => debug!(%error, "the store takes no more reads now"),
            }
        }
    }

    fn on_due(&mut self) {
        let now = self.now();
        self.feed(Event::Wakeup, now);
        self.prices.set(self.engine.asking());
        if now.mono >= self.state.save_due {
            self.state.save_due = now.mono.plus(SAVE_EVERY);
            self.save();
            self.tell_addresses(now);
            self.watch_clock(now);
        }
        self.settle(now);
    }

    /// Tells of a clock that is wrong, once, and when it is right again.
    fn watch_clock(&mut self, now: Now) {
        let wrong = looks::clock_off(&self.engine, now);
        let was_wrong = std::mem::replace(&mut self.state.is_clock_wrong, wrong.is_some());
        match wrong {
            Some(text) if !was_wrong => warn!("{text}: what this node publishes may be refused"),
            None if was_wrong => info!("this machine's clock agrees with its neighbours' again"),
            _ => {}
        }
    }

    /// Keeps the address book.
    fn save(&mut self) {
        let book = self.engine.address_book();
        if book != self.state.saved {
            self.write(Write::Meta {
                key: BOOK,
                value: book.to_vec(),
            });
            self.state.saved = book;
        }
    }

    pub(crate) fn tell_addresses(&mut self, now: Now) {
        let addresses = reach::best_first(self.transport.addresses());
        if addresses != self.state.addresses {
            self.state.addresses.clone_from(&addresses);
            self.addresses.set(addresses.clone());
            self.feed(Event::Addresses(addresses), now);
        }
    }

    /// Hands one event to the engine and does what it says.
    pub(crate) fn feed(&mut self, event: Event, now: Now) {
        let recorder = self.recorder.as_ref().filter(|recorder| recorder.is_on());
        let told = recorder.map(|_| event.clone());
        let actions = self.engine.handle(event, now);
        if let (Some(recorder), Some(told)) = (&mut self.recorder, told) {
            recorder.note(told, now, &actions);
        }
        self.act(actions, now);
    }

    fn act(&mut self, actions: Actions, now: Now) {
        for action in actions {
            match action {
                Action::Send { link, class, frame } => {
                    self.state.traffic.sent(link, &frame);
                    self.transport.send(link, class, frame);
                }
                Action::Dial(address) => self.dial(address, now),
                Action::Close { link, reason } => self.transport.close(link, reason),
                Action::Verify { job, check } => self.verifier.add(job, *check),
                Action::Sign { job, message } => {
                    let signature = self.key.sign(&message);
                    self.feed(Event::Signed { job, signature }, now);
                }
                Action::Deliver {
                    bulletin,
                    encoded,
                    from,
                    hops,
                } => {
                    self.state.waves.note(Delivery {
                        id: *bulletin.id(),
                        topic: bulletin.header.topic,
                        created: bulletin.header.created,
                        at: now.mono,
                        size: bulletin.header.size_bytes,
                        hops,
                        from,
                    });
                    let arrival = Arrival {
                        encoded,
                        from,
                        hops,
                        received: now.wall,
                    };
                    let taken = self.hub.deliver(&bulletin, arrival, &self.store);
                    if let Err(error) = taken {
                        self.publishing.not_stored(bulletin.id(), &error);
                        self.note_store_error(error);
                    }
                }
                Action::Keep { bulletin, encoded } => {
                    let kept = self.hub.keep(&bulletin, encoded, now.wall, &self.store);
                    if let Err(error) = kept {
                        self.note_store_error(error);
                    }
                }
                Action::Persist(persist) => self.persist(persist),
                Action::Load { id } => self.state.loads.push(id),
                Action::AskValidator {
                    bulletin,
                    from,
                    hops,
                } => {
                    self.hub.ask(&bulletin, from, hops, now.wall);
                }
                Action::Notice(notice) => self.on_notice(notice),
                Action::LoadChunk { id, index } => {
                    if self.store.load_chunk(id, index).is_err() {
                        self.state.unread.push((id, index));
                    }
                }
            }
        }
    }

    fn dial(&mut self, mut address: PeerAddress, now: Now) {
        let (id, access) = (address.id, &self.access);
        address.addresses.retain(|at| access.admits(&id, Some(*at)));
        if address.addresses.is_empty() {
            self.feed(Event::DialFailed { peer: id }, now);
        } else {
            self.transport.dial(&address);
            self.state.dialling.insert(id, (address, now.wall));
        }
    }

    /// Takes new access lists, and unlinks whom they do not admit.
    fn set_access(&mut self, access: Access, now: Now) {
        self.access = access;
        for link in self.engine.links() {
            if !self.access.admits(&link.peer, link.remote) {
                info!(peer = ?link.peer, "unlinked: the access lists do not admit it any more");
                self.feed(Event::Command(Command::Drop(link.peer)), now);
            }
        }
    }

    fn persist(&mut self, persist: Persist) {
        match persist {
            Persist::Seen {
                id,
                created,
                expires,
                version,
            } => {
                if let Some(version) = version {
                    self.write(Write::Version {
                        id,
                        expires,
                        version,
                    });
                }
                self.write(Write::Seen {
                    id,
                    created,
                    expires,
                });
            }
            Persist::Evict { id } => {
                self.publishing.evicted(&id);
                self.write(Write::Evict { id });
            }
            Persist::Purge { ids } => self.write(Write::Purge { ids }),
            Persist::Horizon(wall) => {
                let value = wall.as_millis().to_be_bytes().to_vec();
                self.write(Write::Meta {
                    key: HORIZON,
                    value,
                });
            }
            Persist::Restamp { id, stamp } => self.restamp(id, stamp),
            Persist::Chunk { id, index, piece } => self.write(Write::Chunk { id, index, piece }),
        }
    }

    /// Writes a better stamp into a stored bulletin, off the loop: it must be read first.
    fn restamp(&self, id: BulletinId, stamp: bruit_core::work::Stamp) {
        let (store, network) = (self.store.clone(), *self.engine.network().id());
        tokio::spawn(async move {
            let Ok(Some(bytes)) = store.get(id).await else {
                return;
            };
            let Ok(mut bulletin) = bruit_core::bulletin::Bulletin::decode(&bytes, &network) else {
                return;
            };
            bulletin.stamp = stamp;
            let bytes = bruit_core::wire::encode_to_bytes(&bulletin);
            // Lost with a full or failed store: the old stamp stays good.
            store
                .submit(Write::Restamp {
                    id,
                    stamp_bits: stamp.bits,
                    bytes,
                })
                .ok();
        });
    }

    /// Has other nodes asked for a bulletin.
    fn look_up(
        &mut self,
        target: Target,
        answer: oneshot::Sender<Option<Box<Bulletin>>>,
        now: Now,
    ) {
        let number = self.state.next_lookup;
        self.state.next_lookup += 1;
        self.state.lookups.insert(number, answer);
        self.feed(Event::Command(Command::LookUp { number, target }), now);
    }

    /// Answers whoever waits for a lookup.
    pub(crate) fn looked_up(&mut self, number: u64, bulletin: Option<Box<Bulletin>>) {
        if let Some(answer) = self.state.lookups.remove(&number) {
            // Whoever asked may have gone.
            answer.send(bulletin).ok();
        }
    }

    fn write(&mut self, write: Write) {
        if let Err(error) = self.store.submit(write) {
            self.note_store_error(error);
        }
    }

    fn note_store_error(&mut self, error: StoreError) {
        let known = self.state.store_error.as_ref().map(StoreError::code);
        if known != Some(error.code()) {
            error!(%error, "the store takes no more writes; bulletins are relayed, not kept");
        }
        self.state.store_error = Some(error);
    }

    fn on_transport(&mut self, event: TransportEvent, now: Now) {
        let event = match event {
            TransportEvent::LinkUp {
                link,
                peer,
                direction,
                remote,
                credit_bytes,
            } => {
                self.state.dialling.remove(&peer);
                if !self.access.admits(&peer, remote) {
                    info!(peer = ?peer, "refused a link: the access lists do not admit it");
                    self.transport.close(link, CloseReason::Full);
                    return;
                }
                self.state.traffic.links.insert(link, (0, 0));
                Event::LinkUp {
                    link,
                    peer,
                    direction,
                    remote,
                    control_credit: credit_bytes,
                    bulletins_credit: credit_bytes,
                }
            }
            TransportEvent::DialFailed { peer, error } => {
                debug!(peer = ?peer, error, "a dial came to nothing");
                self.state.dialling.remove(&peer);
                Event::DialFailed { peer }
            }
            TransportEvent::Frame { link, frame, .. } => {
                self.state.traffic.received(link, &frame);
                Event::Frame { link, frame }
            }
            TransportEvent::Malformed { link } => Event::Malformed { link },
            TransportEvent::Credit { link, class, bytes } => Event::Credit { link, class, bytes },
            TransportEvent::LinkDown {
                link,
                reason,
                by_peer,
            } => {
                self.state.traffic.links.remove(&link);
                Event::LinkDown {
                    link,
                    reason,
                    by_peer,
                }
            }
        };
        self.feed(event, now);
    }

    fn on_store(&mut self, event: StoreEvent, now: Now) {
        match event {
            // What is in memory alone is on no disk: nobody is told that it is.
            StoreEvent::Synced { ids, .. } => {
                for id in &ids {
                    self.publishing.stored(id);
                }
                // What waited has got to the disk: there is room for more.
                let is_backlog = |error: &StoreError| matches!(error, StoreError::Backlog { .. });
                self.state.store_error = self.state.store_error.take().filter(|e| !is_backlog(e));
                self.feed(Event::Persisted { ids }, now);
            }
            StoreEvent::Loaded { id, bytes } => self.feed(Event::Loaded { id, bytes }, now),
            StoreEvent::ChunkLoaded { id, index, piece } => {
                self.feed(Event::ChunkLoaded { id, index, piece }, now);
            }
            StoreEvent::Failed { error, lost } => {
                if matches!(error, StoreError::Full { .. }) {
                    self.publishing.none_stored(&error);
                }
                for id in &lost {
                    self.publishing.not_stored(id, &error);
                }
                self.note_store_error(error);
            }
            StoreEvent::Recovered => {
                warn!("there is room on the disk again: bulletins are kept again");
                self.state.store_error = None;
            }
            StoreEvent::Damaged { ids } => {
                warn!(
                    bulletins = ids.len(),
                    "what the disk gives back is damaged, and given up"
                );
            }
            StoreEvent::Mended(mended) => {
                self.state.store_error = None;
                self.note_mended(mended);
            }
        }
    }

    /// Tells those who brought a bulletin what became of it.
    pub(crate) fn imported(&mut self, id: &BulletinId, result: Published) {
        for answer in self.state.importing.remove(id).into_iter().flatten() {
            // Whoever asked may have gone.
            answer.send(result).ok();
        }
    }

    /// Tells the operator of a store that was damaged.
    pub(crate) fn note_mended(&mut self, mended: Mended) {
        warn!(
            saved = mended.saved,
            lost = mended.lost.len(),
            aside = %mended.aside.display(),
            "the store was damaged: a new one is in its place, with what could be read"
        );
        self.state.mended = Some(mended);
    }

    fn on_order(&mut self, order: Order, now: Now) {
        match order {
            Order::Engine(command) => self.feed(Event::Command(command), now),
            Order::Publish(request) => {
                let least = request.wait.least();
                let bulletin = self.publishing.begin(*request);
                if let Some(bulletin) = bulletin {
                    if let Some(least) = least {
                        let id = *bulletin.id();
                        self.feed(Event::Command(Command::Spread { id, least }), now);
                    }
                    self.feed(Event::Command(Command::Publish(bulletin)), now);
                }
            }
            Order::LookUp(target, answer) => self.look_up(target, answer, now),
            Order::Import(bulletin, answer) => {
                let waiting = self.state.importing.entry(*bulletin.id()).or_default();
                waiting.push(answer);
                self.feed(Event::Command(Command::Import(bulletin)), now);
            }
            Order::Join(addresses, done) => self.join(addresses, done, now),
            Order::Unlink(peer, done) => {
                let is_linked = self.is_linked(&peer);
                self.feed(Event::Command(Command::Drop(peer)), now);
                // Whoever asked may have gone.
                done.send(is_linked).ok();
            }
            Order::Addresses(done) => {
                self.tell_addresses(now);
                // Whoever asked may have gone.
                done.send(()).ok();
            }
            Order::Look(Look(look)) => look(&Looks {
                engine: &self.engine,
                transport: &*self.transport,
                traffic: &self.state.traffic,
                waves: &self.state.waves,
                dialling: &self.state.dialling,
                now,
                store_error: self.state.store_error.as_ref(),
                mended: self.state.mended.as_ref(),
            }),
            Order::Access(access) => self.set_access(access, now),
            Order::Damaged(id, index) => {
                let piece = None;
                self.feed(Event::ChunkLoaded { id, index, piece }, now);
            }
            Order::Shutdown(_) => {}
        }
    }

    fn is_linked(&self, peer: &NodeId) -> bool {
        let links = self.engine.links();
        links
            .iter()
            .any(|link| link.peer == *peer && link.established)
    }

    fn join(&mut self, addresses: Vec<PeerAddress>, done: oneshot::Sender<()>, now: Now) {
        if let [address] = addresses.as_slice()
            && !self.is_linked(&address.id)
        {
            self.state.joining.retain(|(_, waiter)| !waiter.is_closed());
            self.state.joining.push((address.id, done));
        } else {
            // Whoever asked may have gone.
            done.send(()).ok();
        }
        self.feed(Event::Command(Command::Join(addresses)), now);
    }

    /// Tells those who wait for a link to `peer`.
    pub(crate) fn on_linked(&mut self, peer: &NodeId) {
        let joining = std::mem::take(&mut self.state.joining);
        for (waited_for, done) in joining {
            if waited_for == *peer {
                // Whoever asked may have gone.
                done.send(()).ok();
            } else if !done.is_closed() {
                self.state.joining.push((waited_for, done));
            }
        }
    }

    /// Says goodbye, syncs, stops.
    async fn stop(mut self, done: Vec<oneshot::Sender<()>>) {
        let now = self.now();
        self.save();
        self.hub.close();
        self.feed(Event::Command(Command::Shutdown), now);
        let store = self.store.clone();
        let recorder = self.recorder.take();
        let closing = tokio::task::spawn_blocking(move || {
            if let Some(recorder) = recorder {
                recorder.finish();
            }
            store.shutdown()
        });
        let ((), closed) = tokio::join!(self.transport.shutdown(), closing);
        if let Ok(Err(error)) = closed {
            error!(%error, "the last writes did not reach the disk");
        }
        drop(self);
        for waiting in done {
            // Whoever asked may have gone.
            waiting.send(()).ok();
        }
    }
}
