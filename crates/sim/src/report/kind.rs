//! Words for kinds of frames.

use bruit_core::wire::kind;

/// The word for a kind of frame; its number, where it has none.
pub(super) fn word(kind: u8) -> String {
    let word = match kind {
        kind::HELLO => "hello",
        kind::PROOF => "proof",
        kind::PING => "ping",
        kind::PONG => "pong",
        kind::PROBE => "probe",
        kind::PROBED => "probed",
        kind::PEERS_REQ => "peers_req",
        kind::PEERS => "peers",
        kind::BEACON => "beacon",
        kind::MESH => "mesh",
        kind::PUB => "pub",
        kind::IHAVE => "ihave",
        kind::IWANT => "iwant",
        kind::GRAFT => "graft",
        kind::CHOKE => "choke",
        kind::NACK => "nack",
        kind::KEPT => "kept",
        kind::STAMP => "stamp",
        kind::SYNC_OPEN => "sync_open",
        kind::SYNC_MSG => "sync_msg",
        kind::SYNC_DONE => "sync_done",
        other => return format!("kind_{other}"),
    };
    word.to_owned()
}
