//! The corpus of the fuzz target `replay`, run without a fuzzer: what was found once stays found.
//!
//! With `BLESS=1` in the environment the seeds are written anew; what a fuzzer has added stays. A seed that
//! is another one than on file means that the layout of recordings has changed: then
//! `bruit_core::journal::FORMAT` goes up by one, too.

#[expect(
    unreachable_pub,
    reason = "the fuzz target calls it from its own crate"
)]
#[path = "../../../fuzz/src/replay.rs"]
mod fuzzed;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bruit_core::config::Config;
use bruit_core::engine::Engine;
use bruit_core::event::{Command, Event, Restored};
use bruit_core::id::{LinkId, NodeId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::journal::{Answer, End, Entry, Origin, Told, head};
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::work::Price;
use bruit_sim::replay::replay;
use bytes::Bytes;

const LINK: LinkId = LinkId::new(1);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/replay")
}

fn append(journal: &mut Vec<u8>, entry: &Entry) {
    entry.encode(journal).expect("short enough");
}

/// The journal of an engine that is told `events`, one a second, as its driver would have written it.
fn journal(secret: Option<&[u8]>, events: Vec<Event>) -> Vec<u8> {
    let config = Config::new(Network::new("corpus", Price::FREE, secret));
    let key = SecretKey::from_seed(&[1; 32]);
    let (me, seed) = (key.node_id(), [2; 32]);
    let valid = config.clone().validate().expect("the defaults are valid");
    let mut engine = Engine::new(me, valid, seed);
    let mut journal = head().to_vec();
    let program = "corpus".to_owned();
    let origin = Origin {
        program,
        me,
        config,
        seed,
    };
    append(&mut journal, &Entry::Origin(Box::new(origin)));
    for (second, event) in (0..).zip(events) {
        let mono = Mono::ZERO.plus(Duration::from_secs(second));
        let wall = Wall::from_millis(1_800_000_000_000 + second * 1_000);
        let now = Now { mono, wall };
        let answer = Answer::of(&engine.handle(event.clone(), now));
        append(
            &mut journal,
            &Entry::Told(Box::new(Told { now, event, answer })),
        );
    }
    append(&mut journal, &Entry::End(End::Stopped));
    journal
}

fn other() -> NodeId {
    SecretKey::from_seed(&[3; 32]).node_id()
}

fn up(link: LinkId) -> Event {
    Event::LinkUp {
        link,
        peer: other(),
        direction: Direction::Out,
        remote: None,
        control_credit: 1_000,
        bulletins_credit: 1_000,
    }
}

/// A link that comes up twice.
fn twice_up() -> Vec<Event> {
    vec![up(LINK), up(LINK), up(LinkId::new(2)), Event::Wakeup]
}

/// Journals of each kind of event, such as a driver writes and such as none does.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let address = PeerAddress {
        id: other(),
        addresses: vec![([127, 0, 0, 1], 7_447).into()],
    };
    let down = |by_peer| Event::LinkDown {
        link: LINK,
        reason: CloseReason::Dead,
        by_peer,
    };
    let credit = Event::Credit {
        link: LINK,
        class: Class::Control,
        bytes: u32::MAX,
    };
    let frame = |bytes: &'static [u8]| Event::Frame {
        link: LINK,
        frame: Bytes::from_static(bytes),
    };
    let validate = |timeout| {
        let topic = TopicId::of("news");
        Event::Command(Command::Validate { topic, timeout })
    };
    let said = Event::Command(Command::SendFrame {
        peer: other(),
        kind: 200,
        body: Bytes::from_static(b"hello"),
    });
    let good = journal(None, vec![up(LINK), Event::Wakeup, down(true)]);
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    vec![
        ("good", good.clone()),
        (
            "private",
            journal(Some(b"secret"), vec![up(LINK), frame(&[1, 2, 3])]),
        ),
        (
            "restored",
            journal(None, vec![Event::Restored(Box::<Restored>::default())]),
        ),
        (
            "addresses",
            journal(None, vec![Event::Addresses(address.addresses.clone())]),
        ),
        (
            "joins",
            journal(
                None,
                vec![
                    Event::Command(Command::Join(vec![address.clone()])),
                    Event::DialFailed { peer: other() },
                    Event::Wakeup,
                ],
            ),
        ),
        (
            "seeds",
            journal(
                None,
                vec![
                    Event::Command(Command::Seeds(vec![address])),
                    Event::DialFailed { peer: other() },
                    Event::Wakeup,
                ],
            ),
        ),
        ("twice_up", journal(None, twice_up())),
        (
            "twice_down",
            journal(None, vec![up(LINK), down(false), down(true), credit]),
        ),
        (
            "unknown_link",
            journal(None, vec![frame(&[]), Event::Malformed { link: LINK }]),
        ),
        (
            "validates",
            journal(None, vec![validate(Some(Duration::MAX)), validate(None)]),
        ),
        (
            "says",
            journal(
                None,
                vec![up(LINK), said, Event::Command(Command::Drop(other()))],
            ),
        ),
        (
            "shutdown",
            journal(None, vec![up(LINK), Event::Command(Command::Shutdown)]),
        ),
        ("cut", good[..good.len() * 2 / 3].to_vec()),
        ("damaged", changed(good.len() - 20, 0xff)),
        ("foreign", changed(0, b'X')),
        ("format", changed(9, 0xff)),
        ("long", changed(12, 0xff)),
        ("empty", Vec::new()),
    ]
}

#[test]
fn every_file_of_the_corpus_is_run_or_refused_in_time() {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(folder()).expect("the folder can be made");
        for (name, bytes) in seeds() {
            std::fs::write(folder().join(name), bytes).expect("the seed can be written");
        }
    }
    let files = std::fs::read_dir(folder()).expect("the corpus is there");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be read").path();
        let bytes = std::fs::read(&path).expect("the file can be read");
        let begin = Instant::now();
        fuzzed::replayed(&bytes);
        let took = begin.elapsed();
        assert!(
            took < Duration::from_secs(1),
            "{} takes long",
            path.display()
        );
        count += 1;
    }
    assert!(count >= seeds().len(), "{count} files");
}

#[test]
fn every_seed_is_on_file_and_what_a_driver_writes_is_answered_alike() {
    for (name, bytes) in seeds() {
        let on_file = std::fs::read(folder().join(name)).expect("the seed is there");
        assert!(
            on_file == bytes,
            "{name} is laid out otherwise than on file"
        );
    }
    let (name, good) = seeds().remove(0);
    let replayed = replay(&good[..]).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(replayed.is_same() && replayed.events == 3, "{replayed:?}");
}
