//! Asks the network while somebody looks at it, answers others, passes on what they ask and answer.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::id::{BulletinId, NodeId};
use bruit_core::link::Direction;
use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::FRAME_KIND;
use super::frames::{Ask, HOPS_MAX, Link, Message, PASSED_MAX, PEERS_MAX, Passed, Tell};
use super::gathered::{Gathered, SeenLink, Told};
use super::rounds::Rounds;
use super::waves::Delivery;
use crate::looks::Looks;
use crate::node::WeakNode;
use crate::view;

/// Questions and frames that may wait; more are lost, as frames may be.
const INPUTS_MAX: usize = 4_096;
/// How often is asked while somebody looks.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// For how long after the last look is asked.
const LOOKED_AT: Duration = Duration::from_secs(10);
/// A round whose answers have stopped coming for so long is over,
const QUIET: Duration = Duration::from_millis(150);
/// or one that has lasted so long.
const ROUND: Duration = Duration::from_secs(1);
/// Of how long ago is asked at first, and in each round after it.
const FIRST_WINDOW: Duration = Duration::from_mins(1);
const WINDOW: Duration = Duration::from_secs(4);

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    /// What others answered.
    pub(super) gathered: &'a Gathered,
    /// This node's own links and deliveries.
    pub(super) own: &'a Own,
    pub(super) me: NodeId,
}

type Looking = Box<dyn FnOnce(&Sight<'_>) + Send>;

enum Input {
    Frame(NodeId, Bytes),
    Look(Looking),
}

/// The way to the task that asks.
#[derive(Debug, Clone)]
pub(crate) struct Scout(mpsc::Sender<Input>);

/// What a scout knows from the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Post {
    /// This node.
    pub(crate) me: NodeId,
    /// Whether it tells others, and asks them.
    pub(crate) shares: bool,
    /// When its monotonic clock began, in microseconds since 1970.
    pub(crate) epoch_us: u64,
}

impl Scout {
    /// A scout, and the task to be spawned.
    pub(crate) fn new(post: Post) -> (Self, Scouting) {
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let task = Scouting {
            post,
            inputs,
            rounds: Rounds::default(),
            gathered: Gathered::default(),
            began: Instant::now(),
            round: None,
            looked_at: None,
            looking: Vec::new(),
        };
        (Self(sender), task)
    }

    /// Takes a frame of a neighbour; runs on the driver's loop.
    pub(crate) fn frame(&self, peer: NodeId, body: Bytes) {
        if let Err(TrySendError::Full(_)) = self.0.try_send(Input::Frame(peer, body)) {
            debug!("a frame about the topology is lost: too many wait");
        }
    }

    /// Runs `look` on what the network answers: at once when it was asked within the last seconds.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Sight<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look: Looking = Box::new(move |sight| {
            // Whoever asked may have gone.
            answer.send(look(sight)).ok();
        });
        self.0.send(Input::Look(look)).await.ok()?;
        answered.await.ok()
    }
}

/// This node's own links and deliveries.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(super) links: Vec<SeenLink>,
    /// Newest first.
    pub(super) deliveries: Vec<Delivery>,
}

impl Own {
    fn of(looks: &Looks<'_>) -> Self {
        let links = looks.engine.links();
        let established = links.iter().filter(|link| link.established);
        let links = established.map(|link| SeenLink {
            peer: link.peer,
            is_dialled: link.direction == Direction::Out,
            rtt_ms: link.rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0),
        });
        Self {
            links: links.collect(),
            deliveries: looks.waves.newest().copied().collect(),
        }
    }

    /// What is answered to `ask`, at `now_us` since 1970.
    fn tell(&self, post: &Post, ask: Ask, now_us: u64) -> Tell {
        let mut places = Places::default();
        let links = self.links.iter().filter_map(|link| {
            Some(Link {
                peer: places.of(link.peer)?,
                is_dialled: link.is_dialled,
                rtt_us: link.rtt_ms.map(micros),
            })
        });
        let links = links.collect();
        let since = now_us.saturating_sub(u64::from(ask.window_ms).saturating_mul(1_000));
        let recent = self
            .deliveries
            .iter()
            .map(|delivery| {
                (
                    delivery,
                    post.epoch_us.saturating_add(delivery.at.as_micros()),
                )
            })
            .take_while(|(_, at_us)| *at_us >= since);
        let passed = recent.take(PASSED_MAX).map(|(delivery, at_us)| Passed {
            id: *delivery.id.short().as_bytes(),
            from: delivery.from.and_then(|from| places.of(from)),
            hops: delivery.hops,
            at_us,
        });
        let passed = passed.collect();
        Tell {
            round: ask.round,
            node: *post.me.as_bytes(),
            peers: places.peers,
            links,
            passed,
        }
    }
}

fn micros(ms: f64) -> u32 {
    let micros = Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or_default();
    u32::try_from(micros.as_micros()).unwrap_or(u32::MAX)
}

/// The nodes an answer names.
#[derive(Debug, Default)]
struct Places {
    peers: Vec<[u8; 32]>,
    places: BTreeMap<NodeId, u8>,
}

impl Places {
    fn of(&mut self, peer: NodeId) -> Option<u8> {
        if let Some(place) = self.places.get(&peer) {
            return Some(*place);
        }
        if self.peers.len() >= PEERS_MAX {
            return None;
        }
        let place = u8::try_from(self.peers.len()).ok()?;
        self.peers.push(*peer.as_bytes());
        self.places.insert(peer, place);
        Some(place)
    }
}

/// A round of this node's own.
#[derive(Debug, Clone, Copy)]
struct OwnRound {
    number: u64,
    began: Instant,
    /// When the last answer came.
    heard: Instant,
}

impl OwnRound {
    /// When its answers are complete, as far as can be told.
    fn is_over_at(&self) -> Instant {
        (self.heard + QUIET).min(self.began + ROUND)
    }
}

/// The life of a scout.
pub(crate) struct Scouting {
    post: Post,
    inputs: mpsc::Receiver<Input>,
    rounds: Rounds,
    gathered: Gathered,
    began: Instant,
    round: Option<OwnRound>,
    looked_at: Option<Instant>,
    /// Who waits for the round under way.
    looking: Vec<Looking>,
}

impl Scouting {
    /// Runs until the node is gone.
    pub(crate) async fn run(mut self, node: WeakNode) {
        loop {
            let due = self.next_due();
            let timer = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                input = self.inputs.recv() => match input {
                    Some(Input::Frame(peer, body)) => self.on_frame(&node, peer, &body).await,
                    Some(Input::Look(look)) => self.on_look(&node, look).await,
                    None => return,
                },
                () = timer => self.on_due(&node).await,
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let over = self.round.filter(|_| !self.looking.is_empty());
        let again = self.round.filter(|_| self.is_looked_at());
        let over = over.map(|round| round.is_over_at());
        let again = again.map(|round| round.began + ASK_EVERY);
        over.into_iter().chain(again).min()
    }

    fn is_looked_at(&self) -> bool {
        self.looked_at.is_some_and(|at| at.elapsed() < LOOKED_AT)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    // Who looks.

    async fn on_look(&mut self, node: &WeakNode, look: Looking) {
        let is_fresh = self.is_looked_at();
        self.looked_at = Some(Instant::now());
        self.looking.push(look);
        if !self.post.shares {
            self.answer(node).await;
        } else if !is_fresh {
            self.ask(node, FIRST_WINDOW).await;
        } else if self
            .round
            .is_none_or(|round| round.began.elapsed() >= QUIET)
        {
            // What the round before this one told is good enough, and comes at once.
            self.answer(node).await;
        }
    }

    async fn on_due(&mut self, node: &WeakNode) {
        let now = Instant::now();
        if self.round.is_none_or(|round| round.is_over_at() <= now) {
            self.answer(node).await;
        }
        let is_due = |round: OwnRound| round.began + ASK_EVERY <= now;
        if self.is_looked_at() && self.round.is_none_or(is_due) {
            self.ask(node, WINDOW).await;
        }
    }

    async fn answer(&mut self, node: &WeakNode) {
        if self.looking.is_empty() {
            return;
        }
        let own = own(node).await.unwrap_or_default();
        let sight = Sight {
            gathered: &self.gathered,
            own: &own,
            me: self.post.me,
        };
        for look in self.looking.drain(..) {
            look(&sight);
        }
    }

    async fn ask(&mut self, node: &WeakNode, window: Duration) {
        let mut number = [0; 8];
        let Some(own) = own(node).await else { return };
        if getrandom::fill(&mut number).is_err() {
            return;
        }
        let ask = Ask {
            round: u64::from_le_bytes(number),
            hops: 0,
            window_ms: u32::try_from(window.as_millis()).unwrap_or(u32::MAX),
        };
        let began = Instant::now();
        self.round = Some(OwnRound {
            number: ask.round,
            began,
            heard: began,
        });
        pass_on(node, &own, ask, None);
    }

    // What neighbours say.

    async fn on_frame(&mut self, node: &WeakNode, peer: NodeId, body: &Bytes) {
        if !self.post.shares {
            return;
        }
        match Message::decode(body) {
            Some(Message::Ask(ask)) => self.on_ask(node, peer, ask).await,
            Some(Message::Tell(tell)) => self.on_tell(node, &tell, body),
            None => debug!(peer = %peer, "a frame about the topology cannot be read"),
        }
    }

    async fn on_ask(&mut self, node: &WeakNode, peer: NodeId, ask: Ask) {
        let is_own = self.round.is_some_and(|round| round.number == ask.round);
        if is_own || !self.rounds.begin(ask, peer, self.now_ms()) {
            return;
        }
        let Some(own) = own(node).await else { return };
        let tell = own.tell(&self.post, ask, crate::wall::micros_now());
        send(node, peer, Message::Tell(tell).encode());
        pass_on(node, &own, ask, Some(peer));
    }

    fn on_tell(&mut self, node: &WeakNode, tell: &Tell, body: &Bytes) {
        let now_ms = self.now_ms();
        if let Some(round) = &mut self.round
            && round.number == tell.round
        {
            round.heard = Instant::now();
            // Who names us does not know us better than we do.
            if tell.node != *self.post.me.as_bytes() {
                self.gathered.take(tell, now_ms);
            }
        } else if let Some(parent) = self.rounds.parent(tell.round, now_ms) {
            send(node, parent, body.clone());
        }
    }
}

/// This node's own links and deliveries; none once it has stopped.
async fn own(node: &WeakNode) -> Option<Own> {
    node.get()?.look(Own::of).await
}

/// Passes a question on to all neighbours but the one it came from.
fn pass_on(node: &WeakNode, own: &Own, ask: Ask, from: Option<NodeId>) {
    let hops = ask.hops.saturating_add(1);
    if hops > HOPS_MAX {
        return;
    }
    let frame = Message::Ask(Ask { hops, ..ask }).encode();
    let others = own.links.iter().filter(|link| Some(link.peer) != from);
    for link in others {
        send(node, link.peer, frame.clone());
    }
}

fn send(node: &WeakNode, peer: NodeId, body: Bytes) {
    let Some(node) = node.get() else { return };
    if let Err(error) = node.send_frame(peer, FRAME_KIND, body) {
        debug!(%error, "a frame about the topology is not sent");
    }
}

impl Sight<'_> {
    /// This node.
    pub(crate) const fn me(&self) -> NodeId {
        self.me
    }

    /// The links that are known, each once.
    pub(crate) fn links(&self) -> Vec<view::TopologyLink> {
        self.gathered.links(self.me, &self.own.links)
    }

    /// The nodes that answered.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.gathered.nodes().copied()
    }

    /// This node's latest deliveries, newest first, each with how many nodes are known to have had it.
    pub(crate) fn latest(&self, max: usize) -> Vec<(Delivery, usize)> {
        let latest = self.own.deliveries.iter().take(max);
        let reached = |delivery: &Delivery| self.gathered.reached(delivery.id.short().as_bytes());
        latest
            .map(|delivery| (*delivery, reached(delivery) + 1))
            .collect()
    }

    /// When a bulletin came to other nodes.
    pub(crate) fn deliveries(&self, id: &BulletinId) -> Vec<view::Delivered> {
        let short = id.short();
        let wave = self.gathered.wave(short.as_bytes());
        let others = wave.filter(|(node, _)| **node != self.me);
        let delivered = |(node, told): (&NodeId, &Told)| view::Delivered {
            node: *node,
            from: told.from,
            at_ms: millis(told.at_us),
            hops: told.hops,
        };
        others.map(delivered).collect()
    }
}

/// Microseconds since 1970 as milliseconds, which a number of JSON holds to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
pub(crate) fn millis(us: u64) -> f64 {
    us as f64 / 1_000.0
}
