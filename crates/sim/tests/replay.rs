//! Journals of nodes of a simulated network, run again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bruit_core::engine::{Actions, Engine};
use bruit_core::event::Event;
use bruit_core::id::NodeId;
use bruit_core::journal::{
    Answer, End, Entry, FRAMING_BYTES, Framing, HEAD_BYTES, HeadError, Origin, Told, head,
};
use bruit_core::time::{Mono, Now};
use bruit_sim::behaviour::Behaviour;
use bruit_sim::replay::{Ending, ReplayError, Replayed, replay};
use bruit_sim::terrain::Terrain;
use bruit_sim::world::{Birth, Settings, World};
use bytes::Bytes;

const SECOND: Duration = Duration::from_secs(1);

/// An engine whose journal is kept in memory.
struct Kept {
    engine: Engine,
    journal: Arc<Mutex<Vec<u8>>>,
}

impl Behaviour for Kept {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        let actions = self.engine.handle(event.clone(), now);
        let answer = Answer::of(&actions);
        let told = Entry::Told(Box::new(Told { now, event, answer }));
        let mut journal = self.journal.lock().expect("nobody panics with it");
        told.encode(&mut journal).expect("short enough");
        actions
    }

    fn next_wakeup(&self) -> Option<Mono> {
        self.engine.next_wakeup()
    }

    fn neighbours(&self) -> Vec<NodeId> {
        Behaviour::neighbours(&self.engine)
    }

    fn address_book(&self) -> Bytes {
        self.engine.address_book()
    }
}

/// The journal of node 3 of a network in which everything happens, and how many bulletins it delivered.
fn busy_journal(seed: u64) -> (Vec<u8>, u64) {
    let journal = Arc::new(Mutex::new(head().to_vec()));
    let kept = Arc::clone(&journal);
    let settings = Settings {
        terrain: Terrain {
            loss: 0.02,
            duplication: 0.02,
            ..Terrain::default()
        },
        ..Settings::default()
    };
    let maker = move |birth: &Birth<'_>| -> Box<dyn Behaviour> {
        if birth.number != 3 {
            return Box::new(birth.engine());
        }
        let origin = Origin {
            program: "test".to_owned(),
            me: birth.key.node_id(),
            config: birth.settings.config.clone(),
            seed: birth.seed,
        };
        let mut journal = kept.lock().expect("nobody panics with it");
        let origin = Entry::Origin(Box::new(origin));
        origin.encode(&mut journal).expect("short enough");
        drop(journal);
        Box::new(Kept {
            engine: birth.engine(),
            journal: Arc::clone(&kept),
        })
    };
    let mut world = World::of(20, seed, settings, maker);
    for node in 1..20 {
        world.join(node, 0);
    }
    world.run(SECOND * 10);
    for round in 0..10_usize {
        world.publish(round, b"before anything happens");
        world.run(SECOND / 4);
    }
    world.kill(7);
    world.cut(|a, b| a % 2 != b % 2);
    for round in 0..10_usize {
        world.publish(3 + round % 2, b"while it is cut");
        world.run(SECOND);
    }
    world.heal();
    world.restart(7);
    world.run(SECOND * 30);
    let mine = |number: &usize| {
        let number = bruit_sim::ledger::BulletinNumber(*number);
        world.ledger().has(number, 3)
    };
    let delivered = (0..world.ledger().published()).filter(mine).count() as u64;
    let mut journal = journal.lock().expect("nobody panics with it").clone();
    Entry::End(End::Stopped)
        .encode(&mut journal)
        .expect("short enough");
    (journal, delivered)
}

fn run(journal: &[u8]) -> Replayed {
    replay(journal).unwrap_or_else(|error| panic!("{error}"))
}

/// Where each entry begins.
fn entries(journal: &[u8]) -> Vec<usize> {
    let (mut at, mut begins) = (HEAD_BYTES, Vec::new());
    while at < journal.len() {
        begins.push(at);
        let framing = journal[at..at + FRAMING_BYTES].try_into().expect("as long");
        let framing = Framing::decode(framing).expect("as written");
        at += FRAMING_BYTES + framing.length as usize;
    }
    begins
}

#[test]
fn an_engine_that_is_told_the_same_answers_the_same() {
    for seed in [1, 2, 3] {
        let (journal, delivered) = busy_journal(seed);
        let replayed = run(&journal);
        assert_eq!(replayed.difference, None, "seed {seed}");
        assert_eq!(replayed.ending, Ending::Meant(End::Stopped));
        assert!(replayed.is_same());
        assert_eq!((replayed.delivered, delivered), (20, 20));
        assert!(
            replayed.events > 500 && replayed.actions > 500,
            "{replayed:?}"
        );
        assert!(
            (SECOND * 50..SECOND * 55).contains(&replayed.time),
            "{replayed:?}"
        );
        for kind in [
            "frame",
            "link up",
            "link down",
            "publish",
            "verified",
            "wakeup",
        ] {
            assert!(replayed.kinds[kind] > 0, "{kind}");
        }
    }
}

#[test]
fn a_journal_that_is_cut_anywhere_is_run_as_far_as_it_goes() {
    let (journal, _) = busy_journal(1);
    let begins = entries(&journal);
    let whole = begins.len() as u64 - 2;
    for (number, begin) in begins.iter().enumerate().skip(1).step_by(97) {
        for cut in [
            *begin,
            begin + 1,
            begin + FRAMING_BYTES,
            begin + FRAMING_BYTES + 1,
        ] {
            let replayed = run(&journal[..cut]);
            assert_eq!(replayed.ending, Ending::Cut, "{cut}");
            assert!(replayed.is_same());
            assert_eq!(replayed.events, (number as u64 - 1).min(whole));
        }
    }
    for cut in 0..begins[1] {
        let error = replay(&journal[..cut]).expect_err("there is no origin");
        let is_foreign = matches!(error, ReplayError::Head(HeadError::Foreign));
        assert!(is_foreign == (cut < HEAD_BYTES), "{cut}: {error}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let (journal, _) = busy_journal(1);
    let (begin, length) = (entries(&journal)[1], journal.len());
    for at in (begin..length).step_by(length / 60) {
        let mut journal = journal.clone();
        journal[at] ^= 0x10;
        let replayed = run(&journal);
        assert_eq!(replayed.ending, Ending::Damaged, "byte {at}");
        assert!(!replayed.is_same());
    }
}

#[test]
fn another_answer_is_named_by_its_event() {
    let (journal, _) = busy_journal(1);
    let begins = entries(&journal);
    let number = begins.len() / 2;
    let (begin, end) = (begins[number], begins[number + 1]);
    let framing = journal[begin..begin + FRAMING_BYTES]
        .try_into()
        .expect("as long");
    let framing = Framing::decode(framing).expect("as written");
    let Ok(Entry::Told(mut told)) = framing.entry(&journal[begin + FRAMING_BYTES..end]) else {
        panic!("an event is in the middle");
    };
    told.answer.hash[7] ^= 1;
    let (at, actions) = (told.now.mono.since(Mono::ZERO), told.answer.actions);
    let mut changed = journal[..begin].to_vec();
    Entry::Told(told)
        .encode(&mut changed)
        .expect("short enough");
    changed.extend_from_slice(&journal[end..]);

    let replayed = run(&changed);
    let difference = replayed.difference.expect("there is one");
    assert_eq!(difference.event, number as u64);
    assert_eq!(difference.at, at);
    assert_eq!(
        (difference.recorded, difference.answered),
        (actions, actions)
    );
    assert_eq!(
        (replayed.events, replayed.ending),
        (number as u64, Ending::Unknown)
    );
}

/// A few bytes that promise a quarter of a gigabyte are read as the few they are.
#[test]
fn a_promised_length_costs_nothing() {
    let length = 1_u32 << 28;
    let mut journal = head().to_vec();
    journal.extend_from_slice(&length.to_be_bytes());
    journal.extend_from_slice(&(!length).to_be_bytes());
    journal.extend_from_slice(&[0; 100]);
    assert!(matches!(replay(&journal[..]), Err(ReplayError::NoOrigin)));
}
