//! One room, and what rules are looked at with.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{address, at, node};
use crate::id::{LinkId, NodeId};
use crate::intake::Verified;
use crate::link::{CloseReason, Direction, PeerAddress};
use crate::membership::{Config, Fact, Membership};
use crate::record::Record;
use crate::time::Now;
use crate::wire::Frame;

pub(super) const ME: u32 = 1_000_000;

pub(super) fn room_with(config: Config) -> Membership {
    Membership::new(node(ME), config, ChaCha8Rng::seed_from_u64(1))
}

pub(super) fn room() -> Membership {
    room_with(Config::default())
}

pub(super) fn after(millis: u64) -> Now {
    at(Duration::from_millis(millis))
}

pub(super) fn link(number: u32) -> LinkId {
    LinkId::new(number.into())
}

pub(super) fn up(room: &mut Membership, number: u32, direction: Direction, now: Now) -> Vec<Fact> {
    up_from(room, number, direction, address(number), now)
}

pub(super) fn up_from(
    room: &mut Membership,
    number: u32,
    direction: Direction,
    remote: SocketAddr,
    now: Now,
) -> Vec<Fact> {
    let mut facts = room.link_up(link(number), node(number), direction, Some(remote), now);
    facts.extend(room.established(link(number), now));
    facts
}

pub(super) fn tell(room: &mut Membership, from: u32, records: Vec<Record>, now: Now) -> usize {
    let news = room.on_peers(link(from), records, now);
    let count = news.len();
    for record in news {
        room.on_record(link(from), Verified::for_test(record), now);
    }
    count
}

pub(super) fn closes(facts: &[Fact]) -> Vec<(LinkId, CloseReason)> {
    let close = |fact: &Fact| match fact {
        Fact::Close { link, reason } => Some((*link, *reason)),
        _ => None,
    };
    facts.iter().filter_map(close).collect()
}

pub(super) fn dials(facts: &[Fact]) -> Vec<NodeId> {
    let dial = |fact: &Fact| match fact {
        Fact::Dial(peer) => Some(peer.id),
        _ => None,
    };
    facts.iter().filter_map(dial).collect()
}

pub(super) fn answer(facts: &[Fact]) -> Vec<Record> {
    let peers = |fact: &Fact| match fact {
        Fact::Send {
            frame: Frame::Peers { records },
            ..
        } => Some(records.clone()),
        _ => None,
    };
    facts.iter().filter_map(peers).flatten().collect()
}

pub(super) fn seed_of(number: u32) -> PeerAddress {
    PeerAddress {
        id: node(number),
        addresses: vec![address(number)],
    }
}
