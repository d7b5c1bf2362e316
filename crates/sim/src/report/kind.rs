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
        kind::REGISTER => "register",
        kind::LEASE => "lease",
        kind::REPORT => "report",
        kind::PUB => "pub",
        kind::IHAVE => "ihave",
        kind::IWANT => "iwant",
        kind::GRAFT => "graft",
        kind::CHOKE => "choke",
        kind::NACK => "nack",
        kind::KEPT => "kept",
        kind::STAMP => "stamp",
        kind::LOOKUP => "lookup",
        kind::LOOKUP_DONE => "lookup_done",
        kind::SYNC_OPEN => "sync_open",
        kind::SYNC_MSG => "sync_msg",
        kind::SYNC_DONE => "sync_done",
        kind::WANT_CHUNKS => "want_chunks",
        kind::CHUNK => "chunk",
        kind::HAVE_CHUNKS => "have_chunks",
        application @ kind::APPLICATION.. => return format!("application_{application}"),
        other => return format!("kind_{other}"),
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Story: kinds that came later stood in reports as `kind_40`.
    #[test]
    fn every_kind_on_the_wire_has_the_word_of_its_name() {
        let source = include_str!("../../../core/src/wire/frame.rs");
        let (_, kinds) = source.split_once("pub mod kind {").unwrap();
        let (kinds, _) = kinds.split_once("\n}").unwrap();
        let kinds: Vec<(String, u8)> = kinds
            .lines()
            .filter_map(|line| {
                let line = line.trim().strip_prefix("pub const ")?;
                let (name, number) = line.split_once(": u8 = ")?;
                let number = number.trim_end_matches(';').parse().ok()?;
                Some((name.to_lowercase(), number))
            })
            .collect();
        assert!(kinds.len() > 25, "{kinds:?}");
        for (name, number) in kinds {
            match number {
                kind::APPLICATION.. => assert_eq!(word(number), format!("{name}_{number}")),
                _ => assert_eq!(word(number), name),
            }
        }
    }
}
