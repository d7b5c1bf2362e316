//! A hostile member of the network, written on the public transport and the public wire.
//!
//! It shakes hands as an honest peer does, answers pings and joins the mesh; what else it says is
//! up to the scenario. One thread of its own drives all identities of an attack, as fast as one
//! core can.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bruit::transport::{
    INITIAL_CREDIT_BYTES, IrohConfig, IrohTransport, Transport, TransportEvent,
};
use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::id::{LinkId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::link::{Class, CloseReason, PeerAddress};
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bruit_core::wire::Frame;
use bytes::Bytes;

use crate::figures::thread_time;

/// What an attacker says next; none: nothing more for now.
pub(crate) type Script = Box<dyn FnMut(&mut Draws) -> Option<(Class, Bytes)> + Send>;

/// Reproducible numbers, quickly: xorshift64* (Marsaglia 2003, Vigna 2016).
#[derive(Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % bound
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]);
        }
        bytes
    }
}

/// One identity and its link to the victim.
pub(crate) struct Attacker {
    key: SecretKey,
    network: Network,
    victim: PeerAddress,
    transport: IrohTransport,
    link: Option<LinkId>,
    is_welcome: bool,
    credit: [u64; 2],
    /// What the victim said and was not an answer to pings.
    pub(crate) heard: Vec<Frame>,
    /// How the last link ended, and whether the victim ended it in words.
    pub(crate) end: Option<(CloseReason, bool)>,
    /// A dial is under way.
    is_dialling: bool,
}

impl Attacker {
    pub(crate) async fn new(seed: u8, network: Network, victim: PeerAddress) -> Self {
        let secret_key = [seed; 32];
        let listen = vec!["127.0.0.1:0".parse().expect("an address")];
        let transport = IrohTransport::bind(IrohConfig { secret_key, listen }).await;
        Self {
            key: SecretKey::from_seed(&secret_key),
            network,
            victim,
            transport: transport.expect("listens"),
            link: None,
            is_welcome: false,
            credit: [0; 2],
            heard: Vec::new(),
            end: None,
            is_dialling: false,
        }
    }

    /// Whether the victim greeted and has not closed the link since.
    pub(crate) fn is_in(&self) -> bool {
        self.link.is_some() && self.is_welcome
    }

    pub(crate) fn dial(&mut self) {
        if self.link.is_none() && !self.is_dialling {
            self.is_dialling = true;
            self.transport.dial(&self.victim);
        }
    }

    /// Dials until the victim greets.
    pub(crate) async fn enter(&mut self) {
        let start = Instant::now();
        while !self.is_in() {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "not let in: {:?}",
                self.end
            );
            self.dial();
            self.turn(Duration::from_millis(5)).await;
        }
        // Both sides put the link into the mesh.
        while !self.heard.contains(&Frame::Mesh { on: true }) {
            assert!(start.elapsed() < Duration::from_secs(10), "not in the mesh");
            self.turn(Duration::from_millis(5)).await;
        }
    }

    /// Queues a frame if the transport has room for it.
    pub(crate) fn say(&mut self, class: Class, frame: Bytes) -> bool {
        let Some(link) = self.link else { return false };
        let credit = &mut self.credit[usize::from(class == Class::Bulletins)];
        // The length prefix has three bytes at most.
        let Some(left) = credit.checked_sub(u64::try_from(frame.len()).expect("short") + 4) else {
            return false;
        };
        *credit = left;
        self.transport.send(link, class, frame);
        true
    }

    pub(crate) fn tell(&mut self, frame: &Frame) -> bool {
        self.say(frame.class(), frame.encode())
    }

    /// Lets the transport work; waits for news at most `wait`.
    pub(crate) async fn turn(&mut self, wait: Duration) {
        let mut events = Vec::new();
        let transport = &mut self.transport;
        let news = poll_fn(|cx| {
            let _ = transport.poll(cx, &mut events);
            if events.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        // Nothing new is fine.
        tokio::time::timeout(wait, news).await.ok();
        for event in events {
            self.on_event(event);
        }
    }

    fn on_event(&mut self, event: TransportEvent) {
        match event {
            TransportEvent::LinkUp {
                link, credit_bytes, ..
            } => {
                self.link = Some(link);
                self.is_dialling = false;
                self.is_welcome = false;
                self.credit = [u64::from(credit_bytes); 2];
                assert_eq!(credit_bytes, INITIAL_CREDIT_BYTES);
                let hello = self.hello();
                self.tell(&hello);
            }
            TransportEvent::Credit { link, class, bytes } if self.link == Some(link) => {
                self.credit[usize::from(class == Class::Bulletins)] += u64::from(bytes);
            }
            TransportEvent::Frame { frame, .. } => {
                if let Ok(frame) = Frame::decode(&frame, self.network.id()) {
                    self.on_frame(frame);
                }
            }
            TransportEvent::LinkDown {
                link,
                reason,
                by_peer,
            } if self.link == Some(link) => {
                self.link = None;
                self.end = Some((reason, by_peer));
            }
            TransportEvent::DialFailed { .. } => self.is_dialling = false,
            _ => {}
        }
    }

    fn on_frame(&mut self, frame: Frame) {
        match frame {
            Frame::Hello { .. } => {
                self.is_welcome = true;
                self.tell(&Frame::Mesh { on: true });
            }
            Frame::Ping { seq, clock_ms, .. } => {
                self.tell(&Frame::Pong { seq, clock_ms });
            }
            frame if self.heard.len() < 10_000 => self.heard.push(frame),
            _ => {}
        }
    }

    fn hello(&self) -> Frame {
        Frame::Hello {
            version: bruit_core::handshake::VERSION,
            features: 0,
            name_hash: self.network.name_hash(),
            price: self.network.price().get(),
            private: self.network.is_private(),
            network: *self.network.id(),
            wants_kept: false,
            nonce: *self.key.node_id().as_bytes(),
            clock_ms: wall_now().as_millis(),
            observed: None,
        }
    }

    /// A bulletin on a topic of the attackers' own, fine but for its stamp.
    pub(crate) fn bulletin(&self, content: &[u8]) -> Bulletin {
        bulletin("attack", content, &self.key, &self.network)
    }

    pub(crate) async fn leave(mut self) {
        self.transport.shutdown().await;
    }
}

/// A bulletin by `key`, fine but for its stamp.
pub(crate) fn bulletin(
    topic: &str,
    content: &[u8],
    key: &SecretKey,
    network: &Network,
) -> Bulletin {
    let content = Bytes::copy_from_slice(content);
    let header = Header::post(TopicId::of(topic), key.author_id(), &content, wall_now());
    Bulletin::sign(header, content, network.id(), key)
}

pub(crate) fn wall_now() -> Wall {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    Wall::from_millis(u64::try_from(since.as_millis()).expect("before 500,000,000"))
}

/// What came of an attack.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    /// Frames handed to the transport.
    pub(crate) frames: u64,
    /// Links the victim ended.
    pub(crate) cuts: u32,
    /// From the first hostile frame on a link until it was gone, the longest.
    pub(crate) cut_after: Duration,
    /// Links that were still up at the end.
    pub(crate) standing: usize,
    /// Times the victim greeted an identity it had cut off.
    pub(crate) readmissions: u32,
    /// Time on a core.
    pub(crate) on_core: Duration,
}

/// An attack under way.
pub(crate) struct Attack {
    stop: Arc<AtomicBool>,
    go: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

impl Attack {
    /// Prepares an attack by `identities`: they are in when this returns, and wait for
    /// [`Attack::begin`].
    pub(crate) fn prepare(
        identities: u8,
        network: &Network,
        victim: &PeerAddress,
        mut script: impl FnMut(u8, &mut Attacker) -> Script + Send + 'static,
    ) -> Self {
        let (stop, go) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (network, victim) = (network.clone(), victim.clone());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = {
            let (stop, go) = (Arc::clone(&stop), Arc::clone(&go));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.expect("a runtime").block_on(async {
                    let mut hostiles = Vec::new();
                    for number in 0..identities {
                        let mut attacker =
                            Attacker::new(100 + number, network.clone(), victim.clone()).await;
                        attacker.enter().await;
                        let script = script(number, &mut attacker);
                        hostiles.push(Hostile::new(attacker, script, number));
                    }
                    ready.send(()).expect("the test waits");
                    run(hostiles, &go, &stop).await
                })
            })
        };
        is_ready.recv().expect("the attackers are in");
        Self { stop, go, thread }
    }

    pub(crate) fn begin(&self) {
        self.go.store(true, Ordering::Relaxed);
    }

    /// Ends the attack; says what came of it.
    pub(crate) async fn end(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread;
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        ended.expect("waited").expect("the attackers do not panic")
    }
}

/// An identity with its script and its record.
struct Hostile {
    attacker: Attacker,
    script: Script,
    draws: Draws,
    began: Option<Instant>,
    was_cut: bool,
    next_dial: Instant,
}

impl Hostile {
    fn new(attacker: Attacker, script: Script, number: u8) -> Self {
        let draws = Draws::new(u64::from(number) + 1);
        let next_dial = Instant::now();
        Self {
            attacker,
            script,
            draws,
            began: None,
            was_cut: false,
            next_dial,
        }
    }

    /// Says as much as there is room for, or tries to get in again.
    async fn step(&mut self, outcome: &mut Outcome) {
        if self.attacker.is_in() {
            if self.began.is_none() {
                self.began = Some(Instant::now());
                outcome.readmissions += u32::from(self.was_cut);
            }
            while let Some((class, frame)) = (self.script)(&mut self.draws) {
                if !self.attacker.say(class, frame) {
                    break;
                }
                outcome.frames += 1;
            }
        } else if self.attacker.link.is_none() && Instant::now() >= self.next_dial {
            self.next_dial = Instant::now() + Duration::from_millis(100);
            self.attacker.dial();
        }
        self.attacker.turn(Duration::from_micros(200)).await;
        if self.attacker.link.is_none()
            && let Some(began) = self.began.take()
        {
            outcome.cuts += 1;
            outcome.cut_after = outcome.cut_after.max(began.elapsed());
            self.was_cut = true;
        }
    }
}

async fn run(mut hostiles: Vec<Hostile>, go: &AtomicBool, stop: &AtomicBool) -> Outcome {
    let mut outcome = Outcome::default();
    while !go.load(Ordering::Relaxed) {
        for hostile in &mut hostiles {
            hostile.attacker.turn(Duration::from_millis(1)).await;
        }
    }
    let before = thread_time();
    while !stop.load(Ordering::Relaxed) {
        for hostile in &mut hostiles {
            hostile.step(&mut outcome).await;
        }
    }
    outcome.on_core = thread_time().saturating_sub(before);
    for hostile in hostiles {
        outcome.standing += usize::from(hostile.attacker.is_in());
        hostile.attacker.leave().await;
    }
    outcome
}
