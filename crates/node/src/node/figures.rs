//! What a node counts, for charts and metrics, in one look.

use std::sync::Arc;

use bruit_core::config::Config;
use bruit_core::id::NodeId;
use bruit_core::metrics::Metrics;
use bruit_core::time::{Mono, Wall};

use super::Node;
use crate::looks::{self, Looks};
use crate::view;

/// Everything a node counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Its state as a whole.
    pub status: view::Status,
    /// The protocol's counters.
    pub metrics: Metrics,
    /// How full the protocol's tables are.
    pub bounds: Vec<Bound>,
    /// Peers of which anything is kept: those with a link, and none besides.
    pub peer_states: u64,
    /// Bytes waiting to be sent.
    pub queued_bytes: u64,
    /// Smoothed round trips of the links that are up, in milliseconds, the shortest first.
    pub rtts_ms: Vec<f64>,
    /// Why nothing is kept at the moment, as a word for programs; none while the store is sound.
    pub store_failure: Option<&'static str>,
    /// Bulletins that subscribers here did not read in time.
    pub missed: u64,
}

/// How full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// What it holds.
    pub what: &'static str,
    /// How many.
    pub used: u64,
    /// How many at most.
    pub most: u64,
}

/// A peer that is not linked with for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discouraged {
    /// Who.
    pub id: NodeId,
    /// Until when, in milliseconds since 1970.
    pub until_ms: u64,
    /// What it did.
    pub reason: String,
}

impl Node {
    /// Everything the node counts; none once it has stopped.
    pub async fn figures(&self) -> Option<Figures> {
        let inner = Arc::clone(&self.inner);
        let topics = u64::try_from(inner.hub.topics().len()).unwrap_or(u64::MAX);
        let missed = inner.hub.missed();
        self.look(move |looks| {
            let uptime = inner.started.elapsed();
            let status = looks::status(looks, uptime, topics, inner.network.as_ref());
            Figures {
                missed,
                ..figures(looks, status, &inner.bounds)
            }
        })
        .await
    }

    /// The peers that broke the protocol, at most `most`, by their ids; none once the node has stopped.
    pub async fn discouraged(&self, most: usize) -> Option<Vec<Discouraged>> {
        let started = self.inner.started_wall;
        self.look(move |looks| discouraged(looks, started, most))
            .await
    }
}

fn figures(looks: &Looks<'_>, status: view::Status, config: &Config) -> Figures {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let bounds = looks.engine.fills(config).into_iter().map(|fill| Bound {
        what: fill.what,
        used: count(fill.used),
        most: count(fill.most),
    });
    let links = looks.engine.links();
    let up = links.iter().filter(|link| link.established);
    let mut rtts_ms: Vec<_> = up
        .filter_map(|link| Some(link.rtt?.as_secs_f64() * 1_000.0))
        .collect();
    rtts_ms.sort_by(f64::total_cmp);
    let mut peer_states = looks.engine.peer_states();
    peer_states.extend(looks.traffic.links.keys());
    Figures {
        status,
        metrics: looks.engine.metrics().clone(),
        bounds: bounds.collect(),
        peer_states: count(peer_states.len()),
        queued_bytes: count(looks.engine.outlook(looks.now).queued_bytes),
        rtts_ms,
        store_failure: looks.store_error.map(crate::store::StoreError::code),
        missed: 0,
    }
}

fn discouraged(looks: &Looks<'_>, started: Wall, most: usize) -> Vec<Discouraged> {
    let all = looks.engine.discouraged(looks.now.mono);
    let view = |(id, until, reason): (NodeId, Mono, &str)| Discouraged {
        id,
        until_ms: started.plus(until.since(Mono::ZERO)).as_millis(),
        reason: reason.to_owned(),
    };
    all.take(most).map(view).collect()
}
