//! What it costs two nodes to find out what one of them lacks.

use std::time::Duration;

use bruit_core::wire::kind;

use crate::ledger::BulletinNumber;
use crate::world::{Settings, World};

/// Bulletins both hold.
const HELD: usize = 1_000;
/// Bulletins published while one was away.
pub(super) const RECENT: usize = 10;

/// Bytes of the sessions of two nodes that meet again; not a number where none was had to its end, or where it did
/// not bring what lacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sessions {
    /// When both hold the same.
    pub(super) equal: f64,
    /// When one lacks the newest few.
    pub(super) recent: f64,
}

#[expect(clippy::cast_precision_loss, reason = "bytes below 2^53")]
pub(super) fn sessions(seed: u64) -> Sessions {
    let mut world = World::new(2, seed, Settings::default());
    world.join(1, 0);
    world.run(Duration::from_secs(5));
    publish(&mut world, HELD);
    let mut meet_again = |missed| {
        world.kill(1);
        // Until the other one has noticed.
        world.run(Duration::from_mins(1));
        publish(&mut world, missed);
        let before = session_bytes(&world);
        world.restart(1);
        world.join(1, 0);
        world.run(Duration::from_secs(5));
        let after = session_bytes(&world);
        let is_whole = after
            .iter()
            .zip(before)
            .all(|(after, before)| *after > before);
        let (ledger, published) = (world.ledger(), world.ledger().published());
        let has_all = (0..published).all(|number| ledger.reached(BulletinNumber(number)) == 2);
        let bytes = after.iter().sum::<u64>() - before.iter().sum::<u64>();
        if is_whole && has_all {
            bytes as f64
        } else {
            f64::NAN
        }
    };
    Sessions {
        equal: meet_again(0),
        recent: meet_again(RECENT),
    }
}

fn publish(world: &mut World, count: usize) {
    for number in 0..count {
        let body = (world.ledger().published() + number).to_be_bytes();
        world.publish(0, &body);
        world.run(Duration::from_millis(20));
    }
    world.run(Duration::from_secs(2));
}

/// Bytes of each kind of frame that a session has.
fn session_bytes(world: &World) -> [u64; 3] {
    let bytes = world.ledger().bytes_by_kind();
    let kinds = [kind::SYNC_OPEN, kind::SYNC_MSG, kind::SYNC_DONE];
    kinds.map(|kind| bytes.get(&kind).copied().unwrap_or_default())
}
