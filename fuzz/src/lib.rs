//! What is fuzzed: each function takes any bytes and panics when a promise is broken.
//!
//! The fuzz targets call these, and `crates/core/tests/corpus.rs` runs them over the corpus without
//! a fuzzer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header, Kind};
use bruit_core::bundle::{BundleError, Decoder, Encoder, Part};
use bruit_core::config::Config;
use bruit_core::engine::Engine;
use bruit_core::event::{Action, Event, Notice};
use bruit_core::id::{LinkId, NetworkId};
use bruit_core::identity::SecretKey;
use bruit_core::large::{Bitmap, Manifest, Piece};
use bruit_core::letters::{
    DeliveryCode, Letter, LetterSecret, Letterbox, OpenError, Opener, check_acknowledgement,
    sealed_size,
};
use bruit_core::link::{CloseReason, Direction};
use bruit_core::network::Network;
use bruit_core::record::{Beacon, Record, RecordBody};
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::wire::{Decode, Encode, Frame, decode_all, encode_to_bytes, kind};
use bruit_core::work::{Price, Stamp};
use bytes::Bytes;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Serializable as _};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

const NETWORK: NetworkId = NetworkId::from_bytes([9; 32]);

/// A frame that decodes encodes to the same bytes.
pub fn frame(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(frame) = Frame::decode(&bytes, &NETWORK) {
        assert_eq!(frame.encode(), bytes, "two encodings of one frame");
    }
}

/// A bulletin that decodes encodes to the same bytes and knows its length; so does a header alone.
pub fn bulletin(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(bulletin) = Bulletin::decode(&bytes, &NETWORK) {
        assert_eq!(
            encode_to_bytes(&bulletin),
            bytes,
            "two encodings of one bulletin"
        );
        assert_eq!(
            bulletin.encoded_len(),
            bytes.len(),
            "a length that is not its own"
        );
    }
    same_bytes::<Header>(data);
    same_bytes::<Stamp>(data);
}

/// A bundle is read alike however its bytes come, and one that is whole is written with the same bytes.
pub fn bundle(data: &[u8]) {
    let step = data.first().map_or(1, |byte| usize::from(*byte).max(1));
    let (parts, outcome) = bundle_parts(data, data.len().max(1));
    assert_eq!(
        bundle_parts(data, step),
        (parts.clone(), outcome),
        "read {step} bytes at a time"
    );
    if outcome != Ok(true) {
        return;
    }
    let mut parts = parts.into_iter();
    let Some(Part::Head(head)) = parts.next() else {
        panic!("a whole bundle without a head");
    };
    let (mut encoder, mut bytes) = Encoder::new(&head);
    for part in parts {
        if let Part::Bulletin(bulletin) = part {
            bytes.extend(encoder.bulletin(&bulletin));
        }
    }
    bytes.extend(encoder.end());
    assert_eq!(bytes, data, "two encodings of one bundle");
}

/// The parts of a bundle fed `step` bytes at a time, and whether it is whole.
fn bundle_parts(data: &[u8], step: usize) -> (Vec<Part>, Result<bool, BundleError>) {
    let (mut decoder, mut parts) = (Decoder::default(), Vec::new());
    for bytes in data.chunks(step) {
        decoder.feed(bytes);
        loop {
            match decoder.next_part() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => break,
                Err(error) => return (parts, Err(error)),
            }
        }
    }
    let is_whole = decoder.is_whole();
    (parts, Ok(is_whole))
}

/// A record, its body, a beacon or an address that decodes encodes to the same bytes.
pub fn record(data: &[u8]) {
    same_bytes::<Record>(data);
    same_bytes::<RecordBody>(data);
    same_bytes::<Beacon>(data);
    same_bytes::<SocketAddr>(data);
}

/// A validly sealed letter may have anything inside, and an acknowledgement be anything; neither is a
/// reason to stop. A letterbox that decodes encodes to the same bytes.
pub fn letter(data: &[u8]) {
    same_bytes::<Letterbox>(data);
    let network = Network::new("fuzz", Price::FREE, None);
    let now = Wall::from_millis(1_800_000_000_000);
    let acknowledged = check_acknowledgement(&Bytes::copy_from_slice(data), &network, now);
    if let Ok(bulletin) = acknowledged {
        assert_eq!(
            bulletin.header.kind,
            Kind::LETTER,
            "something else is published"
        );
    }
    let [identity, author] = [1, 2].map(|n| SecretKey::from_seed(&[n; 32]).author_id());
    let secret = LetterSecret::derive(&[1; 32], &identity);
    let code = DeliveryCode::from_bytes([5; 16]);
    let Some(size) = sealed_size(data.len()) else {
        return;
    };
    let mut plaintext = data.to_vec();
    plaintext.resize(size - 48, 0);
    let key = X25519HkdfSha256Key::from_bytes(secret.public().as_bytes()).expect("it is a key");
    let (encapsulated, sealed) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &hpke::OpModeS::Base,
            &key,
            &[b"bruit letter 1", NETWORK.as_bytes().as_slice()].concat(),
            &plaintext,
            &[code.as_bytes().as_slice(), author.as_bytes()].concat(),
            &mut ChaCha8Rng::from_seed([3; 32]),
        )
        .expect("there is a secret to the key");
    let opener = Opener {
        network: &NETWORK,
        identity: &identity,
        secret: &secret,
        code: &code,
    };
    let content = [encapsulated.to_bytes().as_slice(), &sealed].concat();
    let letter = Letter::open(&opener, &author, &content);
    assert_ne!(letter, Err(OpenError::Seal), "it is sealed as documented");
}

type X25519HkdfSha256Key = <X25519HkdfSha256 as hpke::Kem>::PublicKey;

/// A manifest or a piece that decodes encodes to the same bytes; whether a piece holds under a manifest is
/// decided without a panic, and a bitmap has the bits it was read with.
///
/// `[index: u8][manifest: 38][piece]`
pub fn chunk(data: &[u8]) {
    let Some((index, rest)) = data.split_first() else {
        return;
    };
    same_bytes::<Manifest>(rest);
    let bytes = Bytes::copy_from_slice(rest.get(Manifest::BYTES..).unwrap_or_default());
    let piece = Piece::decode(&bytes);
    if let Ok(piece) = &piece {
        assert_eq!(encode_to_bytes(piece), bytes, "two encodings of one piece");
    }
    let manifest = rest.get(..Manifest::BYTES).map(decode_all::<Manifest>);
    let Some(Ok(manifest)) = manifest else {
        return;
    };
    if let Some(bitmap) = Bitmap::read(&bytes, manifest.chunks()) {
        let missing = u32::try_from(bitmap.missing().count());
        assert_eq!(missing.ok(), manifest.chunks().checked_sub(bitmap.count()));
    }
    if let Ok(piece) = piece {
        let holds = piece.holds(&manifest, u32::from(*index));
        let len = u32::try_from(piece.bytes.len());
        assert!(!holds || len == Ok(manifest.len_of(u32::from(*index))));
    }
}

fn same_bytes<T: Encode + Decode>(data: &[u8]) {
    if let Ok(value) = decode_all::<T>(data) {
        assert_eq!(encode_to_bytes(&value), data, "two encodings of one value");
    }
}

/// Two engines greet each other while a third party puts frames of its own between theirs.
///
/// The first byte says whether the network is private, who is injected into, and after how many
/// honest frames the first injection comes; then frames follow, each `[length: u8][bytes]`, each
/// after one more honest frame. An engine must say nothing but HELLO and PROOF before it calls a
/// link established, and nothing on a link it has closed.
pub fn handshake(data: &[u8]) {
    let Some((script, mut rest)) = data.split_first() else {
        return;
    };
    let secret = (script & 1 == 1).then_some(b"secret".as_slice());
    let mut sides = vec![Side::new(1, secret), Side::new(2, secret)];
    let victim = usize::from(script >> 1 & 1);
    let mut honest = usize::from(script >> 2 & 7);
    let peers = [*sides[1].engine.me(), *sides[0].engine.me()];
    let mut mail: VecDeque<(usize, Bytes)> = VecDeque::new();
    for (at, peer) in peers.into_iter().enumerate() {
        let event = Event::LinkUp {
            link: LINK,
            peer,
            direction: if at == 0 {
                Direction::Out
            } else {
                Direction::In
            },
            remote: None,
            control_credit: 1 << 20,
            bulletins_credit: 1 << 20,
        };
        let sent = sides[at].feed(event);
        mail.extend(sent.into_iter().map(|frame| (1 - at, frame)));
    }
    // Two engines alone stop talking within a few dozen frames; a script is not longer.
    for _ in 0..512 {
        let next = if honest == 0 {
            cut(&mut rest).map(|frame| (victim, frame))
        } else {
            None
        };
        honest = if next.is_some() {
            1
        } else {
            honest.saturating_sub(1)
        };
        let Some((to, frame)) = next.or_else(|| mail.pop_front()) else {
            break;
        };
        let sent = sides[to].feed(Event::Frame { link: LINK, frame });
        mail.extend(sent.into_iter().map(|frame| (1 - to, frame)));
    }
    for side in &mut sides {
        side.now.mono = side.now.mono.plus(Duration::from_secs(6));
        side.feed(Event::Wakeup);
        side.feed(Event::LinkDown {
            link: LINK,
            reason: CloseReason::Dead,
            by_peer: true,
        });
    }
}

/// Takes the next frame of a script.
fn cut(script: &mut &[u8]) -> Option<Bytes> {
    let (length, rest) = script.split_first()?;
    let (frame, rest) = rest.split_at(usize::from(*length).min(rest.len()));
    *script = rest;
    Some(Bytes::copy_from_slice(frame))
}

const LINK: LinkId = LinkId::new(1);

/// One of the two engines, with the clock and key of its driver.
struct Side {
    engine: Engine,
    key: SecretKey,
    now: Now,
    established: bool,
    closed: bool,
}

impl Side {
    fn new(number: u8, secret: Option<&[u8]>) -> Self {
        let config = Config::new(Network::new("fuzz", Price::FREE, secret));
        let config = config.validate().expect("the defaults are valid");
        let key = SecretKey::from_seed(&[number; 32]);
        Self {
            engine: Engine::new(key.node_id(), config, [number; 32]),
            key,
            now: Now {
                mono: Mono::ZERO,
                wall: Wall::from_millis(1_800_000_000_000),
            },
            established: false,
            closed: false,
        }
    }

    /// Hands over an event, answers its checks, and returns the frames sent.
    fn feed(&mut self, event: Event) -> Vec<Bytes> {
        let (mut events, mut sent) = (vec![event], Vec::new());
        while let Some(event) = events.pop() {
            for action in self.engine.handle(event, self.now) {
                match action {
                    Action::Send { frame, .. } => {
                        self.check(&frame);
                        sent.push(frame);
                    }
                    Action::Notice(Notice::Linked { .. }) => self.established = true,
                    Action::Close { .. } => self.closed = true,
                    Action::Verify { job, check } => {
                        events.push(Event::Verified {
                            job,
                            good: check.holds(),
                        });
                    }
                    Action::Sign { job, message } => {
                        let signature = self.key.sign(&message);
                        events.push(Event::Signed { job, signature });
                    }
                    _ => {}
                }
            }
        }
        sent
    }

    fn check(&self, frame: &Bytes) {
        assert!(!self.closed, "spoke on a link it had closed");
        let greets = matches!(frame.first(), Some(&(kind::HELLO | kind::PROOF)));
        assert!(
            self.established || greets,
            "spoke before the handshake was over"
        );
    }
}
