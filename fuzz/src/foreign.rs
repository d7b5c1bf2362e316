//! What is fuzzed of the wires of dave, the simple gossip, the exercise of peers and seeds, and k98kurz/gossip:
//! each function takes any bytes and panics when a promise is broken.
//!
//! The fuzz targets call these, and `crates/gateways/tests/corpus/` runs them over the corpus.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bruit::AuthorId;
use bruit_gateways::{dave, k98kurz, p2p_messaging, simple};

const ME: AuthorId = AuthorId::from_bytes([1; 32]);

/// Datagrams, each after a byte that says how long it is and one that says who sends it.
fn datagrams(mut data: &[u8]) -> Vec<(SocketAddr, &[u8])> {
    let mut all = Vec::new();
    while let [length, from, rest @ ..] = data {
        let (datagram, after) = rest.split_at(usize::from(*length).min(rest.len()));
        all.push((([127, 0, 0, 1], 1_000 + u16::from(*from)).into(), datagram));
        data = after;
    }
    all
}

/// A message that decodes is the same after its own bytes; datagrams end no peer.
pub fn dave(data: &[u8]) {
    use dave::codec::{DATAGRAM_BYTES_MAX, Message};
    if let Ok(decoded) = Message::decode(data) {
        let bytes = decoded.message.encode();
        // An address may be written shorter than we write it.
        if bytes.len() <= DATAGRAM_BYTES_MAX {
            let again = Message::decode(&bytes).map(|decoded| decoded.message);
            assert_eq!(again, Ok(decoded.message), "two messages of one encoding");
        }
    }
    let config = dave::config::Config {
        work_store: 0,
        work_forward: 0,
        ..dave::config::Config::default()
    };
    let now = Instant::now();
    let mut peer = dave::gateway::Gateway::new(config, ME, 1, now);
    for (from, bytes) in datagrams(data) {
        let bytes = bytes.to_vec();
        peer.handle(dave::gateway::Event::Datagram { from, bytes }, now);
        for action in peer.wake(now) {
            if let dave::gateway::Action::Send { bytes, .. } = action {
                assert!(bytes.len() <= DATAGRAM_BYTES_MAX, "longer than dave reads");
            }
        }
    }
}

/// A message that decodes encodes to the same bytes; nothing goes on that would make an original deaf.
pub fn simple(data: &[u8]) {
    use simple::codec::{DATAGRAM_BYTES_MAX, Message};
    if let Ok(message) = Message::decode(data) {
        assert_eq!(message.encode(), data, "two encodings of one message");
    }
    let neighbours = vec![
        ([127, 0, 0, 1], 1_000).into(),
        ([127, 0, 0, 1], 1_001).into(),
    ];
    let mut node = simple::gateway::Gateway::new(neighbours, ME);
    for (from, bytes) in datagrams(data) {
        let bytes = bytes.to_vec();
        let event = simple::gateway::Event::Datagram { from, bytes };
        for action in node.handle(event, Instant::now()) {
            if let simple::gateway::Action::Send { bytes, .. } = action {
                assert!(bytes.is_ascii() && bytes.len() <= DATAGRAM_BYTES_MAX);
            }
        }
    }
}

/// A message that decodes is the same after its own text, and a list after its own pickle.
pub fn p2p_messaging(data: &[u8]) {
    use p2p_messaging::codec::{Message, SEED_BYTES_MAX};
    if let Ok(message) = Message::decode(data, SEED_BYTES_MAX) {
        let again = Message::decode(&message.encode(), SEED_BYTES_MAX);
        assert_eq!(again, Ok(message), "two messages of one text");
    }
    if let Ok(numbers) = p2p_messaging::pickle::decode(data) {
        assert!(numbers.len() <= data.len(), "more numbers than bytes");
        let pickle = p2p_messaging::pickle::encode(&numbers);
        assert_eq!(p2p_messaging::pickle::decode(&pickle), Ok(numbers));
    }
    peer_and_seed(data);
}

/// Messages end neither a peer nor a seed.
fn peer_and_seed(data: &[u8]) {
    use p2p_messaging::codec::{Message, PEER_BYTES_MAX, SEED_BYTES_MAX};
    use p2p_messaging::gateway::{Event, Gateway, Now};
    let config = p2p_messaging::config::Config::default();
    let counters = bruit_gateways::Counters::default();
    let mut seed = p2p_messaging::seed::Seed::new(6_101, 1, counters);
    let mut at = Instant::now();
    let mut peer = Gateway::new(config, "127.0.0.1".to_owned(), 8_200, ME, 1, at);
    for (from, text) in datagrams(data) {
        // Who sends it is how long nothing was said.
        at += Duration::from_secs(u64::from(from.port() - 1_000));
        if let Ok(message) = Message::decode(text, SEED_BYTES_MAX) {
            seed.handle(&message, at);
            for port in seed.wake(at) {
                seed.called(port, port % 2 == 0, at);
            }
        }
        let now = Now {
            at,
            seconds: 1_795_168_660,
        };
        if let Ok(message) = Message::decode(text, PEER_BYTES_MAX) {
            peer.handle(Event::Message(message), now);
        } else if let Ok(ports) = p2p_messaging::pickle::decode(text) {
            let ports = ports.into_iter().filter_map(|port| port.try_into().ok());
            let ports = ports.collect();
            peer.handle(Event::Listed { seed: 0, ports }, now);
        }
        peer.wake(now);
    }
    assert!(seed.ports().len() <= data.len(), "more ports than messages");
}

/// A message or bulletin that decodes encodes to the same bytes; datagrams end no node.
pub fn k98kurz(data: &[u8]) {
    use k98kurz::codec::{Bulletin, Message, Said};
    use k98kurz::gateway::{Event, Gateway, Now};
    use k98kurz::identity::Identity;
    static OTHER: LazyLock<Identity> = LazyLock::new(|| Identity::from_seed(&[2; 32]));
    if let Ok(message) = Message::decode(data) {
        assert_eq!(message.encode(), data, "two encodings of one message");
    }
    if let Ok(bulletin) = Bulletin::decode(data) {
        assert_eq!(bulletin.encode(), data, "two encodings of one bulletin");
    }
    if let Ok(said) = Said::decode(data) {
        assert_eq!(Said::decode(&said.encode()), Ok(said));
    }
    let own = Identity::from_seed(&[1; 32]);
    if let Some(text) = own.open(data) {
        assert_eq!(
            text.len() + 48,
            data.len(),
            "another length than what was sealed"
        );
    }
    let address = *own.address();
    let config = k98kurz::config::Config {
        message_difficulty: 0,
        bulletin_difficulty: 0,
        ..k98kurz::config::Config::default()
    };
    let mut node = Gateway::new(config, own, ME, [3; 32]);
    let now = Now {
        at: Instant::now(),
        seconds: 1_656_000_000,
    };
    // Few of them: each is sealed and signed, which takes most of the time.
    for (from, text) in datagrams(data).into_iter().take(6) {
        // As it is, and as what a node of theirs has sealed and signed.
        let sealed = Message::make(&OTHER, &address, text, &[4; 32], now.seconds, 0, 0);
        let sealed = sealed.map(|message| message.encode()).unwrap_or_default();
        for bytes in [text.to_vec(), sealed] {
            node.handle(Event::Datagram { from, bytes }, now);
        }
    }
}
