//! Rules one by one, then small worlds of many rooms.

mod beacons;
mod bounds;
mod dials;
mod exchange;
mod handshakes;
mod room;
mod slots;
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use crate::id::NodeId;
use crate::identity::Signature;
use crate::record::{Record, RecordBody};
use crate::time::{Mono, Now, Wall};

/// 2026-01-01, in milliseconds.
const EPOCH_MS: u64 = 1_767_225_600_000;

fn at(time: Duration) -> Now {
    Now {
        mono: Mono::ZERO.plus(time),
        wall: Wall::from_millis(EPOCH_MS).plus(time),
    }
}

fn node(number: u32) -> NodeId {
    NodeId::from_bytes(*blake3::hash(&number.to_be_bytes()).as_bytes())
}

/// Each node in a /16 of its own, below number 51,200.
fn address(number: u32) -> SocketAddr {
    let octet = |value: u32| u8::try_from(value).unwrap();
    let (a, b, c) = (20 + number / 256 % 200, number % 256, number / 51_200);
    SocketAddr::from(([octet(a), octet(b), octet(c), 1], 4000))
}

fn unsigned(body: RecordBody) -> Record {
    Record {
        body,
        signature: Signature::from_bytes([0; 64]),
    }
}

fn record(number: u32, address: SocketAddr, now: Now) -> Record {
    unsigned(RecordBody {
        node: node(number),
        seq: 1,
        expires: now.wall.plus(Duration::from_hours(12)),
        addresses: vec![address],
        relay: String::new(),
    })
}

/// The seed of this run, printed, or the one in `SEED`.
#[expect(
    clippy::disallowed_methods,
    reason = "the one setting of a test that is run again"
)]
pub(crate) fn seed(default: u64) -> u64 {
    let seed = std::env::var_os("SEED")
        .and_then(|text| text.into_string().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(default);
    println!("SEED={seed}");
    seed
}
