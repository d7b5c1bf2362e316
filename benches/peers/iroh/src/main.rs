//! iroh-gossip over iroh: no relay, addresses from a table in memory, loopback only.
//!
//! Messages are not signed one by one; only the links are authenticated. Set up as its own examples
//! do, with the largest message raised to what the workload needs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow};
use futures::StreamExt;
use iroh::address_lookup::memory::MemoryLookup;
use iroh::endpoint::presets;
use iroh::protocol::Router;
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode};
use iroh_gossip::ALPN;
use iroh_gossip::api::{Event, GossipSender};
use iroh_gossip::net::Gossip;
use iroh_gossip::proto::TopicId;
use peerbench_core::{Args, BoxFut, Node, Peer, Sink};

/// What ends with the node.
struct Inner {
    ep: Endpoint,
    _gossip: Gossip,
    _router: Router,
}

struct GossipNode {
    addr: String,
    inner: Mutex<Option<Inner>>,
    gossip: Gossip,
    lookup: MemoryLookup,
    sender: Arc<Mutex<Option<GossipSender>>>,
    mesh: Arc<AtomicUsize>,
    lagged: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
    sink: Sink,
    task: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

impl Node for GossipNode {
    fn addr(&self) -> String {
        self.addr.clone()
    }
    fn join(&self, addrs: Arc<Vec<String>>, _dial: Vec<usize>) {
        let mut ids = vec![];
        for a in addrs.iter() {
            let (id, sa) = a.split_once('@').unwrap();
            let id: EndpointId = id.parse().unwrap();
            let sa: SocketAddr = sa.parse().unwrap();
            ids.push(id);
            if self.lookup.get_endpoint_info(id).is_none() {
                self.lookup
                    .add_endpoint_info(EndpointAddr::new(id).with_ip_addr(sa));
            }
        }
        let boot = if self.sink.node() == 0 {
            vec![]
        } else {
            vec![ids[0]]
        };
        let (gossip, sender, mesh, lagged, ended, sink) = (
            self.gossip.clone(),
            self.sender.clone(),
            self.mesh.clone(),
            self.lagged.clone(),
            self.ended.clone(),
            self.sink.clone(),
        );
        let t = tokio::spawn(async move {
            let topic = gossip
                .subscribe(TopicId::from_bytes([7; 32]), boot)
                .await
                .expect("subscribe");
            let (s, mut r) = topic.split();
            *sender.lock().unwrap() = Some(s);
            while let Some(ev) = r.next().await {
                match ev {
                    Ok(Event::Received(m)) => sink.deliver(&m.content),
                    Ok(Event::Lagged) => {
                        lagged.fetch_add(1, Relaxed);
                    }
                    Ok(_) => mesh.store(r.neighbors().count(), Relaxed),
                    Err(_) => break,
                }
            }
            ended.fetch_add(1, Relaxed);
        });
        *self.task.lock().unwrap() = Some(t);
    }
    fn mesh(&self) -> usize {
        self.mesh.load(Relaxed)
    }
    fn publish(&self, data: Vec<u8>) -> BoxFut<Result<()>> {
        let s = self.sender.lock().unwrap().clone();
        Box::pin(async move {
            s.ok_or_else(|| anyhow!("not joined"))?
                .broadcast(data.into())
                .await
                .map_err(|e| anyhow!("{e}"))
        })
    }
    fn kill(&self) {
        if let Some(t) = self.task.lock().unwrap().take() {
            t.abort();
        }
        *self.sender.lock().unwrap() = None;
        if let Some(i) = self.inner.lock().unwrap().take() {
            tokio::spawn(async move {
                i.ep.close().await; // closes connections with a close frame
                drop(i);
            });
        }
    }
    fn copies(&self) -> Option<u64> {
        Some(self.gossip.metrics().msgs_data_recv.get())
    }
    fn note(&self) -> Option<String> {
        let (l, e) = (self.lagged.load(Relaxed), self.ended.load(Relaxed));
        (l + e > 0).then(|| format!("lagged {l} subscription-ended {e}"))
    }
}

struct IrohGossip {
    lookup: MemoryLookup,
}

impl Peer for IrohGossip {
    fn name(&self) -> String {
        "iroh-gossip".into()
    }
    fn version(&self) -> String {
        "iroh-gossip 0.101.0 / iroh 1.4.1".into()
    }
    fn min_mesh(&self, n: usize) -> usize {
        3.min(n - 1)
    }
    fn spawn(&self, _idx: usize, args: &Args, sink: Sink) -> BoxFut<Result<Arc<dyn Node>>> {
        let lookup = self.lookup.clone();
        let size = args.msg_size;
        Box::pin(async move {
            let ep = Endpoint::builder(presets::Minimal)
                .relay_mode(RelayMode::Disabled)
                .clear_ip_transports()
                .bind_addr("127.0.0.1:0")
                .map_err(|e| anyhow!("{e}"))?
                .address_lookup(lookup.clone())
                .bind()
                .await
                .map_err(|e| anyhow!("{e}"))?;
            let gossip = Gossip::builder()
                .max_message_size((size + 1024).max(4096))
                .spawn(ep.clone());
            let router = Router::builder(ep.clone())
                .accept(ALPN, gossip.clone())
                .spawn();
            let sock = ep.bound_sockets()[0];
            Ok(Arc::new(GossipNode {
                addr: format!("{}@{}", ep.id(), sock),
                inner: Mutex::new(Some(Inner {
                    ep,
                    _gossip: gossip.clone(),
                    _router: router,
                })),
                gossip,
                lookup,
                sender: Default::default(),
                mesh: Default::default(),
                lagged: Default::default(),
                ended: Default::default(),
                sink,
                task: Default::default(),
            }) as Arc<dyn Node>)
        })
    }
}

fn main() {
    peerbench_core::main(IrohGossip {
        lookup: MemoryLookup::new(),
    })
}
