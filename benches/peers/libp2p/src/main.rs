//! rust-libp2p's gossipsub: signed messages, strict validation, otherwise its defaults.
//!
//! `--opt transport=quic|tcp` chooses the transport (default quic).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, anyhow};
use futures::StreamExt;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};
use peerbench_core::{Args, BoxFut, Node, Peer, Sink};
use tokio::sync::{mpsc, oneshot};

/// What a node tells the task that owns its swarm.
enum Cmd {
    Publish(Vec<u8>, oneshot::Sender<Result<()>>),
    Dial(Vec<Multiaddr>),
}

struct GossipsubNode {
    addr: String,
    tx: mpsc::Sender<Cmd>,
    mesh: Arc<AtomicUsize>,
    slow: Arc<AtomicU64>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
    registry: Option<Mutex<prometheus_client::registry::Registry>>,
}

impl Node for GossipsubNode {
    fn addr(&self) -> String {
        self.addr.clone()
    }
    fn join(&self, addrs: Arc<Vec<String>>, dial: Vec<usize>) {
        let v = dial.iter().map(|&i| addrs[i].parse().unwrap()).collect();
        let tx = self.tx.clone();
        tokio::spawn(async move {
            let _ = tx.send(Cmd::Dial(v)).await;
        });
    }
    fn mesh(&self) -> usize {
        self.mesh.load(Relaxed)
    }
    fn publish(&self, data: Vec<u8>) -> BoxFut<Result<()>> {
        let tx = self.tx.clone();
        Box::pin(async move {
            let (a, b) = oneshot::channel();
            tx.send(Cmd::Publish(data, a))
                .await
                .map_err(|_| anyhow!("closed"))?;
            b.await?
        })
    }
    fn kill(&self) {
        if let Some(t) = self.task.lock().unwrap().take() {
            t.abort();
        }
    }
    fn copies(&self) -> Option<u64> {
        let r = self.registry.as_ref()?.lock().unwrap();
        let mut s = String::new();
        prometheus_client::encoding::text::encode(&mut s, &r).ok()?;
        Some(
            s.lines()
                .filter(|l| l.starts_with("topic_msg_recv_counts_unfiltered_total"))
                .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
                .sum::<f64>() as u64,
        )
    }
    fn note(&self) -> Option<String> {
        let s = self.slow.load(Relaxed);
        (s > 0).then(|| format!("slow-peer events {s}"))
    }
}

struct Gossipsub {
    transport: String,
}

fn swarm(
    args: &Args,
    key: Keypair,
    quic: bool,
) -> Result<(
    Swarm<gossipsub::Behaviour>,
    Option<prometheus_client::registry::Registry>,
)> {
    let mut b = gossipsub::ConfigBuilder::default();
    b.validation_mode(ValidationMode::Strict)
        .max_transmit_size(4 << 20);
    let cfg = b.build().map_err(|e| anyhow!("{e:?}"))?;
    let mut g: gossipsub::Behaviour =
        gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), cfg)
            .map_err(|e| anyhow!("{e}"))?;
    let mut reg = None;
    if args.metrics {
        let mut r = prometheus_client::registry::Registry::default();
        g = g.with_metrics(&mut r, Default::default());
        reg = Some(r);
    }
    let b = SwarmBuilder::with_existing_identity(key).with_tokio();
    let scfg = |c: libp2p::swarm::Config| c.with_idle_connection_timeout(Duration::from_secs(3600));
    let s = if quic {
        b.with_quic()
            .with_behaviour(|_| g)?
            .with_swarm_config(scfg)
            .build()
    } else {
        b.with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )?
        .with_behaviour(|_| g)?
        .with_swarm_config(scfg)
        .build()
    };
    Ok((s, reg))
}

impl Peer for Gossipsub {
    fn name(&self) -> String {
        format!("libp2p-gossipsub-{}", self.transport)
    }
    fn version(&self) -> String {
        "libp2p 0.57.1 / gossipsub 0.50.1".into()
    }
    fn min_mesh(&self, n: usize) -> usize {
        5.min(n - 1)
    }
    fn spawn(&self, _idx: usize, args: &Args, sink: Sink) -> BoxFut<Result<Arc<dyn Node>>> {
        let args = args.clone();
        let quic = self.transport == "quic";
        Box::pin(async move {
            let key = Keypair::generate_ed25519();
            let me = PeerId::from(key.public());
            let (mut sw, reg) = swarm(&args, key, quic)?;
            let listen: Multiaddr = if quic {
                "/ip4/127.0.0.1/udp/0/quic-v1".parse()?
            } else {
                "/ip4/127.0.0.1/tcp/0".parse()?
            };
            sw.listen_on(listen)?;
            let addr = loop {
                if let SwarmEvent::NewListenAddr { address, .. } = sw.select_next_some().await {
                    break address.with(Protocol::P2p(me));
                }
            };
            let topic = IdentTopic::new("bench");
            sw.behaviour_mut().subscribe(&topic)?;
            let (tx, mut rx) = mpsc::channel(1024);
            let mesh = Arc::new(AtomicUsize::new(0));
            let slow = Arc::new(AtomicU64::new(0));
            let (m2, s2) = (mesh.clone(), slow.clone());
            let task = tokio::spawn(async move {
                let th = topic.hash();
                let mut tick = tokio::time::interval(Duration::from_millis(250));
                loop {
                    tokio::select! {
                        ev = sw.select_next_some() => match ev {
                            SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) => sink.deliver(&message.data),
                            SwarmEvent::Behaviour(gossipsub::Event::SlowPeer { .. }) => { s2.fetch_add(1, Relaxed); }
                            _ => {}
                        },
                        c = rx.recv() => match c {
                            None => break,
                            Some(Cmd::Publish(d, done)) => {
                                let r = sw.behaviour_mut().publish(th.clone(), d).map(|_| ()).map_err(|e| anyhow!("{e:?}"));
                                let _ = done.send(r);
                            }
                            Some(Cmd::Dial(v)) => for a in v { let _ = sw.dial(a); }
                        },
                        _ = tick.tick() => m2.store(sw.behaviour().mesh_peers(&th).count(), Relaxed),
                    }
                }
            });
            Ok(Arc::new(GossipsubNode {
                addr: addr.to_string(),
                tx,
                mesh,
                slow,
                task: Mutex::new(Some(task)),
                registry: reg.map(Mutex::new),
            }) as Arc<dyn Node>)
        })
    }
}

fn main() {
    let t = std::env::args()
        .find_map(|a| a.strip_prefix("transport=").map(str::to_string))
        .unwrap_or_else(|| "quic".into());
    peerbench_core::main(Gossipsub { transport: t })
}
