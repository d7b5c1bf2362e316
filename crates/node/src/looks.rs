//! What a node shows of itself, gathered between two rounds of the driver.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::engine::Engine;
use bruit_core::id::NodeId;
use bruit_core::link::{self, CloseReason, PeerAddress};
use bruit_core::liveness::Suspicion;
use bruit_core::membership::{LinkView, MemberState};
use bruit_core::network::Network;
use bruit_core::seeds::SeedState;
use bruit_core::time::{Mono, Now, Wall};

use crate::address::PeerSpec;
use crate::sharing::Waves;
use crate::store::{Mended, StoreError};
use crate::traffic::Traffic;
use crate::transport::Transport;
use crate::view;

/// A question about the state between two rounds.
pub(crate) struct Look(pub(crate) Box<dyn FnOnce(&Looks<'_>) + Send>);

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Look")
    }
}

/// What a handle may look at between two rounds.
#[derive(Debug)]
pub(crate) struct Looks<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) transport: &'a dyn Transport,
    pub(crate) traffic: &'a Traffic,
    pub(crate) waves: &'a Waves,
    pub(crate) dialling: &'a BTreeMap<NodeId, (PeerAddress, Wall)>,
    pub(crate) now: Now,
    pub(crate) store_error: Option<&'a StoreError>,
    pub(crate) mended: Option<&'a Mended>,
}

/// A clock that is further off than this is worth a warning, in milliseconds.
const CLOCK_OFFSET_MS_MAX: u64 = 60_000;

/// The state of the node as a whole.
pub(crate) fn status(
    looks: &Looks<'_>,
    uptime: Duration,
    topics: u64,
    network: &Network,
) -> view::Status {
    let (outlook, metrics) = (looks.engine.outlook(looks.now), looks.engine.metrics());
    let mut traffic = looks.traffic.clone();
    view::Status {
        id: *looks.engine.me(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        network: network.name().to_owned(),
        uptime_s: uptime.as_secs(),
        links: view::Links {
            inbound: count(outlook.links.0),
            outbound: count(outlook.links.1),
        },
        network_size: count(outlook.network_size),
        topics,
        rates: traffic.rates(),
        drops: metrics.drops.clone(),
        totals: view::Totals {
            published: metrics.published,
            received: metrics.delivered.saturating_sub(metrics.published),
            duplicates: metrics.duplicates,
            sent: metrics.pushed,
        },
        store: view::Store {
            items: count(outlook.held.0),
            bytes: outlook.held.1,
            limit_bytes: outlook.limit_bytes,
        },
        price: view::Price {
            min: network.price().get(),
            floor_log2: outlook.floor_log2,
        },
        // The core tells how far the others are ahead, people ask how far they are.
        clock_offset_ms: outlook.clock_offset_ms.map_or(0, i64::wrapping_neg),
        privacy: "fast".to_owned(),
        warnings: warnings(looks),
    }
}

fn warnings(looks: &Looks<'_>) -> Vec<view::Warning> {
    let mut warnings = Vec::new();
    if let Some(error) = looks.store_error {
        warnings.push(view::Warning {
            text: format!("bulletins are relayed but not kept: {error}"),
            fix: "make room on the disk, or restart the node when the disk is sound".to_owned(),
        });
    }
    if let Some(mended) = looks.mended {
        let (saved, aside) = (mended.saved, mended.aside.display());
        warnings.push(view::Warning {
            text: format!(
                "the store was damaged: {saved} bulletins of it could be read, it is kept as {aside}"
            ),
            fix: format!("check the disk (dmesg, smartctl); when nothing is missed, rm {aside}"),
        });
    }
    if let Some(text) = clock_off(looks.engine, looks.now) {
        let fix = "set the clock right: what this node publishes may be refused".to_owned();
        warnings.push(view::Warning { text, fix });
    }
    warnings
}

/// How far the clock is off the neighbours', in words, where it is too far.
pub(crate) fn clock_off(engine: &Engine, now: Now) -> Option<String> {
    let (others_ahead_ms, _) = engine.liveness().clock_offset_ms(now)?;
    let is_off = others_ahead_ms.unsigned_abs() > CLOCK_OFFSET_MS_MAX;
    is_off.then(|| clock_words(others_ahead_ms))
}

fn clock_words(others_ahead_ms: i64) -> String {
    let seconds = others_ahead_ms.unsigned_abs() / 1_000;
    let side = if others_ahead_ms < 0 {
        "ahead of"
    } else {
        "behind"
    };
    format!("this machine's clock is {seconds} s {side} its neighbours'")
}

/// The links that are up or suspect; with `all` also those being opened and closed.
pub(crate) fn peers(looks: &Looks<'_>, started: Wall, all: bool) -> Vec<view::Peer> {
    let links: Vec<_> = looks.engine.all_links().collect();
    let is_shown =
        |(link, closing): &&(LinkView, Option<CloseReason>)| link.established && closing.is_none();
    let shown = links.iter().filter(|link| all || is_shown(link));
    let shown = shown.map(|(link, closing)| peer(looks, link, *closing, started));
    let mut peers: Vec<_> = shown.collect();
    if all {
        let is_of = |(link, closing): &(LinkView, Option<CloseReason>), id: &NodeId| {
            closing.is_none() && link.peer == *id
        };
        let unlinked = |id: &NodeId| !links.iter().any(|link| is_of(link, id));
        let dialling = looks.dialling.iter().filter(|(id, _)| unlinked(id));
        peers.extend(dialling.map(|(id, (address, since))| view::Peer {
            id: *id,
            direction: view::Direction::Out,
            address: PeerSpec::at(*id, &address.addresses),
            path: view::Path::Direct,
            rtt_ms: None,
            since_ms: since.as_millis(),
            bytes_in: 0,
            bytes_out: 0,
            score: 0.0,
            state: view::LinkState::Connecting,
            reason: None,
            suspected_by: Vec::new(),
        }));
    }
    peers
}

fn peer(
    looks: &Looks<'_>,
    link: &LinkView,
    closing: Option<CloseReason>,
    started: Wall,
) -> view::Peer {
    let path = looks.transport.path(link.link);
    let remote = path.and_then(|path| path.remote).or(link.remote);
    let (bytes_in, bytes_out) = looks
        .traffic
        .links
        .get(&link.link)
        .copied()
        .unwrap_or_default();
    let suspicion = looks.engine.liveness().suspicion(link.link, looks.now);
    let state = match (closing, link.established, link.suspect) {
        (Some(_), ..) => view::LinkState::Closing,
        (None, false, _) => view::LinkState::Connecting,
        (None, true, true) => view::LinkState::Suspect,
        (None, true, false) => view::LinkState::Up,
    };
    view::Peer {
        id: link.peer,
        direction: match link.direction {
            link::Direction::In => view::Direction::In,
            link::Direction::Out => view::Direction::Out,
        },
        address: remote.and_then(|remote| PeerSpec::at(link.peer, &[remote])),
        path: match path {
            Some(path) if !path.direct => view::Path::Relay,
            _ => view::Path::Direct,
        },
        rtt_ms: link.rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0),
        since_ms: started.plus(link.since.since(Mono::ZERO)).as_millis(),
        bytes_in,
        bytes_out,
        score: 0.0,
        state,
        reason: closing
            .map(|reason| reason.to_string())
            .or_else(|| suspicion.as_ref().map(suspected_because)),
        suspected_by: suspicion.map_or_else(Vec::new, |suspicion| {
            let all = std::iter::once(looks.engine.me()).chain(&suspicion.denied);
            all.map(ToString::to_string).collect()
        }),
    }
}

/// Why a neighbour is suspected, in words.
fn suspected_because(suspicion: &Suspicion) -> String {
    let (denied, seconds) = (suspicion.denied.len(), suspicion.age.as_secs());
    let asked = denied + suspicion.silent;
    let others = match asked {
        0 => "there was nobody else to ask".to_owned(),
        _ => format!("{denied} of {asked} neighbours that were asked do not hear of it either"),
    };
    format!("does not answer, suspected for {seconds} s: {others}")
}

/// The registries this node has to do with.
pub(crate) fn seeds(looks: &Looks<'_>) -> view::Seeds {
    let (room, now) = (looks.engine.seeds(), looks.now);
    let address = |at: &PeerAddress| PeerSpec::at(at.id, &at.addresses);
    let until = |left| now.wall.plus(left).as_millis();
    let leases = room.leases(now).map(|lease| view::Lease {
        id: lease.address.id,
        address: address(&lease.address),
        lease_until_ms: until(lease.left),
        state: if lease.is_probed {
            view::LeaseState::Suspect
        } else {
            view::LeaseState::Alive
        },
    });
    let seeds = room.seeds(now).map(|seed| view::Seed {
        id: seed.address.id,
        address: address(&seed.address),
        lease_until_ms: seed.left.map(until),
        state: match seed.state {
            SeedState::Registered => view::SeedState::Registered,
            SeedState::Asked => view::SeedState::Asked,
            SeedState::Refused => view::SeedState::Refused,
            SeedState::Waiting => view::SeedState::Waiting,
            SeedState::Failed => view::SeedState::Failed,
        },
    });
    view::Seeds {
        registry: room.is_registry(),
        leases: leases.collect(),
        seeds: seeds.collect(),
    }
}

/// Every node this node knows of.
pub(crate) fn members(looks: &Looks<'_>) -> Vec<view::Member> {
    let members = looks.engine.membership().members(looks.now);
    members
        .into_iter()
        .map(|member| view::Member {
            id: member.id,
            address: PeerSpec::at(member.id, &member.addresses),
            state: match member.state {
                MemberState::Linked => view::MemberState::Linked,
                MemberState::Suspect => view::MemberState::Suspect,
                MemberState::Alive => view::MemberState::Alive,
                MemberState::Dead => view::MemberState::Dead,
                MemberState::Known => view::MemberState::Known,
            },
            last_seen_ms: member.last_seen.map(Wall::as_millis),
        })
        .collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_slow_is_said_to_be_behind() {
        let words = clock_words(7_200_500);
        assert_eq!(
            words,
            "this machine's clock is 7200 s behind its neighbours'"
        );
        let words = clock_words(-61_000);
        assert_eq!(
            words,
            "this machine's clock is 61 s ahead of its neighbours'"
        );
    }
}
