//! Two desks and a network between them, in virtual time.

use bruit_core::bulletin::{Bulletin, Header, Kind};
use bruit_core::id::TopicId;
use bruit_core::identity::SecretKey;
use bruit_core::letters::{BucketBits, SEALED_SIZES, topic, week};
use bruit_core::wire::encode_to_bytes;
use bruit_core::work::Price;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::SendError;
use super::super::sealing::{self, Unsigned};
use super::boxes::HONOURED;
use super::*;

const START: Wall = Wall::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// A node: its desk, what it has on disk, and whether it is there.
struct Person {
    key: SecretKey,
    desk: Desk,
    disk: std::collections::BTreeMap<Key, Record>,
    is_here: bool,
    arrived: Vec<Bytes>,
}

/// All persons, and what the network holds.
struct World {
    network: Arc<Network>,
    rng: ChaCha20Rng,
    now: Wall,
    persons: Vec<Person>,
    /// All that was published, in order, and how much of it each has seen.
    held: Vec<Bulletin>,
    read: Vec<usize>,
    /// Whether neighbours keep what is published.
    keeps: bool,
}

impl World {
    fn new(persons: usize, acknowledge: Acknowledge) -> Self {
        let network = Arc::new(Network::new("test", Price::FREE, None));
        let mut world = Self {
            network,
            rng: ChaCha20Rng::from_seed([1; 32]),
            now: START,
            persons: Vec::new(),
            held: Vec::new(),
            read: vec![0; persons],
            keeps: true,
        };
        let rules = Rules {
            acknowledge,
            within: Duration::from_mins(10),
            box_life: 4 * WEEK,
        };
        for number in 0..persons {
            let seed = [u8::try_from(number).unwrap() + 1; 32];
            let key = SecretKey::from_seed(&seed);
            let person = Person {
                desk: world.desk(&key, seed, rules, Vec::new()),
                key,
                disk: std::collections::BTreeMap::new(),
                is_here: true,
                arrived: Vec::new(),
            };
            world.persons.push(person);
        }
        world
    }

    fn desk(&mut self, key: &SecretKey, seed: [u8; 32], rules: Rules, kept: Vec<Record>) -> Desk {
        let me = key.author_id();
        let mut desk = Desk::new(me, seed, Arc::clone(&self.network), rules, kept);
        desk.add_identity(me, self.now, &mut self.rng);
        desk.note_network(true, 3);
        desk.resume(self.now);
        desk
    }

    fn id(&self, person: usize) -> AuthorId {
        self.persons[person].key.author_id()
    }

    /// Ends a process as kill -9 does, and starts it again from its disk.
    fn crash(&mut self, person: usize) {
        let at = &self.persons[person];
        let (key, rules) = (at.key.clone(), at.desk.rules);
        let kept = at.disk.values().cloned().collect();
        let seed = [u8::try_from(person).unwrap() + 1; 32];
        let contacts = at.desk.contacts.clone();
        let mut desk = self.desk(&key, seed, rules, kept);
        desk.set_contacts(contacts);
        self.persons[person].desk = desk;
        // It reads again what its store holds.
        self.read[person] = 0;
    }

    fn send(&mut self, from: usize, to: usize, body: &str) -> LetterId {
        self.send_for(from, to, body, WEEK)
    }

    fn send_for(&mut self, from: usize, to: usize, body: &str, life: Duration) -> LetterId {
        let (me, to) = (self.id(from), self.id(to));
        let (desk, rng) = (&mut self.persons[from].desk, &mut self.rng);
        let body = Bytes::copy_from_slice(body.as_bytes());
        let id = desk.send(me, to, body, life, self.now, rng).unwrap();
        self.settle();
        id
    }

    fn state(&self, person: usize, id: &LetterId) -> LetterState {
        self.persons[person].desk.letter(id).unwrap().state
    }

    fn texts(&self, person: usize) -> Vec<&str> {
        let arrived = self.persons[person].arrived.iter();
        arrived.map(|body| str::from_utf8(body).unwrap()).collect()
    }

    /// Lets time pass, in steps no longer than `step`.
    fn wait(&mut self, time: Duration, step: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.now = self.now.plus(step).min(end);
            for person in self.persons.iter_mut().filter(|person| person.is_here) {
                person.desk.tick(self.now);
            }
            self.settle();
        }
    }

    /// Delivers and does whatever is to be done, until nothing is.
    fn settle(&mut self) {
        loop {
            let mut was_idle = true;
            for person in 0..self.persons.len() {
                if self.persons[person].is_here {
                    was_idle &= !self.read(person);
                    was_idle &= !self.work(person);
                }
            }
            if was_idle {
                return;
            }
        }
    }

    /// Gives a person what it has not seen and is still valid.
    fn read(&mut self, person: usize) -> bool {
        let at = self.read[person];
        self.read[person] = self.held.len();
        let fresh: Vec<_> = self.held[at..].to_vec();
        for bulletin in &fresh {
            if bulletin.header.expires() > self.now {
                let desk = &mut self.persons[person].desk;
                desk.arrived(bulletin, self.now, &mut self.rng);
            }
        }
        !fresh.is_empty()
    }

    fn work(&mut self, person: usize) -> bool {
        let at = &mut self.persons[person];
        for change in at.desk.changes() {
            match change {
                Change::Put(record) => at.disk.insert(record.key(), *record),
                Change::Drop(key) => at.disk.remove(&key),
            };
        }
        let steps = at.desk.steps();
        let is_busy = !steps.is_empty();
        for step in steps {
            self.take(person, step);
        }
        is_busy
    }

    fn take(&mut self, person: usize, step: Step) {
        match step {
            Step::PublishBox {
                identity,
                letterbox,
                ..
            } => {
                self.publish_box(person, letterbox);
                let desk = &mut self.persons[person].desk;
                desk.box_published(&identity, &letterbox, self.now);
            }
            Step::LookUp(to) => {
                let found = self.held.iter().rev().find(|bulletin| {
                    bulletin.header.kind == Kind::VALUE
                        && bulletin.header.author == to
                        && bulletin.header.expires() > self.now
                });
                let found = found.map(|bulletin| {
                    let letterbox = bruit_core::wire::decode_all(&bulletin.content).unwrap();
                    (letterbox, bulletin.header.created)
                });
                self.persons[person].desk.looked_up(to, found, self.now);
            }
            Step::Seal(sealing) => self.seal(person, &sealing),
            Step::Acknowledge { id, bytes } => {
                let bulletin = Bulletin::decode(&bytes, self.network.id()).unwrap();
                self.held.push(bulletin);
                self.persons[person].desk.acknowledged(&id);
            }
            Step::Arrived(letter) => self.persons[person].arrived.push(letter.body),
            Step::Became(..) => {}
        }
    }

    fn publish_box(&mut self, person: usize, letterbox: Letterbox) {
        let key = self.persons[person].key.clone();
        let content = encode_to_bytes(&letterbox);
        let topic = TopicId::of("values");
        let mut header = Header::post(topic, key.author_id(), &content, self.now);
        header.kind = Kind::VALUE;
        header.name = Letterbox::NAME.as_bytes().to_vec();
        header.ttl_s = 28 * 24 * 3_600;
        self.sign(Unsigned {
            header,
            content,
            key,
        });
    }

    fn sign(&mut self, unsigned: Unsigned) -> Bulletin {
        let Unsigned {
            header,
            content,
            key,
        } = unsigned;
        let bulletin = Bulletin::sign(header, content, self.network.id(), &key);
        self.held.push(bulletin.clone());
        bulletin
    }

    fn seal(&mut self, person: usize, sealing: &Sealing) {
        let network = Arc::clone(&self.network);
        let enclosed = sealing::enclosed(sealing, &network, self.now, &mut self.rng).unwrap();
        let Unsigned {
            header,
            content,
            key,
        } = enclosed;
        let enclosed = Bulletin::sign(header, content, network.id(), &key);
        let sender = self.persons[person].key.clone();
        let letter = sealing::sealed(
            sealing,
            encode_to_bytes(&enclosed),
            &sender,
            network.id(),
            self.now,
            &mut self.rng,
        );
        let place = (sealing.letterbox.key, sealing.letterbox.code);
        let desk = &mut self.persons[person].desk;
        if desk.sealed(sealing.id, *enclosed.id(), place, self.now) {
            if self.keeps {
                desk.published(sealing.id);
            }
            self.sign(letter.unwrap());
        }
    }

    /// The letters and acknowledgements that everybody sees.
    fn outsides(&self) -> Vec<&Bulletin> {
        let letters = self.held.iter();
        letters
            .filter(|held| held.header.kind == Kind::LETTER)
            .collect()
    }
}

/// What a desk wants published now.
fn boxes(desk: &mut Desk) -> Vec<Letterbox> {
    let steps = desk.steps().into_iter();
    let boxes = steps.filter_map(|step| match step {
        Step::PublishBox { letterbox, .. } => Some(letterbox),
        _ => None,
    });
    boxes.collect()
}

#[test]
fn a_letterbox_is_published_again_when_the_process_ended_before_it_was() {
    let mut world = World::new(1, Acknowledge::Everyone);
    let (me, now) = (world.id(0), world.now);
    for is_out in [false, false, true] {
        world.persons[0].desk.tick(now);
        // What is to be kept is on disk before anything is done.
        let changes = world.persons[0].desk.changes();
        let puts = changes.into_iter().filter_map(|change| match change {
            Change::Put(record) => Some((record.key(), *record)),
            Change::Drop(_) => None,
        });
        world.persons[0].disk.extend(puts);
        let desk = &mut world.persons[0].desk;
        let asked = boxes(desk);
        assert_eq!(asked, [desk.own_letterbox(&me).unwrap()]);
        desk.tick(now);
        assert_eq!(boxes(desk), [], "one at a time");
        if is_out {
            desk.box_published(&me, &asked[0], now);
            world.settle();
        }
        world.crash(0);
    }
    let desk = &mut world.persons[0].desk;
    desk.tick(now);
    assert_eq!(
        (boxes(desk), desk.next_due()),
        (vec![], Some(now.plus(WEEK)))
    );
}

#[test]
fn a_letterbox_that_was_rotated_away_while_it_was_published_is_followed_by_the_new_one() {
    let mut world = World::new(1, Acknowledge::Everyone);
    let (me, now) = (world.id(0), world.now);
    let desk = &mut world.persons[0].desk;
    desk.tick(now);
    let old = boxes(desk).remove(0);
    desk.rotate(now, &mut world.rng).unwrap();
    assert_eq!(
        boxes(desk),
        [],
        "not before the old one is out, or it might come last"
    );
    desk.box_published(&me, &old, now);
    desk.tick(now);
    let new = boxes(desk);
    assert_eq!(new, [desk.own_letterbox(&me).unwrap()]);
    assert_ne!(new, [old]);
    desk.box_not_published(&me, now);
    assert_eq!(desk.next_due(), Some(now.plus(Duration::from_mins(1))));
}

#[test]
fn letter_waits_for_a_recipient_that_is_away_and_is_acknowledged() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    world.persons[1].is_here = false;
    let id = world.send(0, 1, "are you there?");
    assert_eq!(world.state(0, &id), LetterState::Published);
    world.wait(5 * DAY, HOUR);
    assert_eq!(world.state(0, &id), LetterState::Published);
    world.persons[1].is_here = true;
    world.wait(Duration::from_mins(11), Duration::from_secs(10));
    assert_eq!(world.texts(1), ["are you there?"]);
    assert_eq!(world.state(0, &id), LetterState::Acknowledged);
    let inbox: Vec<_> = world.persons[1].desk.inbox(0).collect();
    assert_eq!((inbox[0].id, inbox[0].from), (id, world.id(0)));
}

#[test]
fn recipient_nobody_has_heard_of_is_looked_for_until_it_comes() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.persons[1].is_here = false;
    let id = world.send(0, 1, "welcome");
    world.wait(3 * DAY, Duration::from_mins(10));
    assert_eq!(world.state(0, &id), LetterState::Queued);
    world.persons[1].is_here = true;
    world.wait(Duration::from_mins(11), Duration::from_secs(10));
    assert_eq!(world.texts(1), ["welcome"]);
    assert_eq!(world.state(0, &id), LetterState::Acknowledged);
}

#[test]
fn search_for_somebody_who_never_comes_ends_with_the_letter() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.persons[1].is_here = false;
    let id = world.send_for(0, 1, "nobody", DAY);
    world.wait(DAY + HOUR, Duration::from_mins(10));
    assert_eq!(world.state(0, &id), LetterState::Expired);
    assert_eq!(
        world.persons[0].desk.next_due(),
        Some(START.plus(WEEK + Duration::from_mins(10)))
    );
    assert!(world.outsides().is_empty());
}

#[test]
fn letter_is_made_again_with_twice_the_life_until_it_expires() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    world.persons[1].is_here = false;
    let id = world.send_for(0, 1, "hello", DAY);
    let lives = |world: &World| {
        let letters = world.outsides().into_iter();
        letters
            .map(|letter| letter.header.ttl_s / 3_600)
            .collect::<Vec<_>>()
    };
    assert_eq!(lives(&world), [42]);
    world.wait(DAY + HOUR, HOUR);
    assert_eq!(lives(&world), [42, 84]);
    world.wait(2 * DAY, HOUR);
    assert_eq!(lives(&world), [42, 84, 168]);
    assert_eq!(world.state(0, &id), LetterState::Published);
    world.wait(4 * DAY, HOUR);
    assert_eq!(lives(&world), [42, 84, 168], "three times, no more");
    assert_eq!(world.state(0, &id), LetterState::Expired);
    // What comes after its end is not read, even if its bulletin is still about.
    world.persons[1].is_here = true;
    world.wait(HOUR, HOUR);
    assert_eq!(world.texts(1), [""; 0]);
}

#[test]
fn letter_made_three_times_is_delivered_once() {
    let mut world = World::new(2, Acknowledge::Nobody);
    world.wait(HOUR, HOUR);
    let id = world.send_for(0, 1, "once", HOUR);
    world.wait(DAY, Duration::from_mins(20));
    assert_eq!(world.outsides().len(), 3);
    assert_eq!(world.texts(1), ["once"]);
    assert_eq!(world.state(0, &id), LetterState::Expired);
    world.crash(1);
    world.settle();
    assert_eq!(world.texts(1), ["once"], "nor after a restart");
}

/// A restart of the sender between publishing and the acknowledgement, and of the recipient between
/// opening and acknowledging.
#[test]
fn crashes_lose_neither_letter_nor_acknowledgement() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    let id = world.send(0, 1, "hold on");
    assert_eq!(world.persons[1].desk.owed.len(), 1);
    world.crash(0);
    world.crash(1);
    world.settle();
    assert_eq!(world.persons[1].desk.owed.len(), 1, "it is still owed");
    world.wait(Duration::from_mins(11), Duration::from_secs(10));
    assert_eq!(world.texts(1), ["hold on"]);
    assert_eq!(world.state(0, &id), LetterState::Acknowledged);
    world.crash(0);
    assert_eq!(world.state(0, &id), LetterState::Acknowledged);
}

/// Answered `queued` means kept: a crash before anything was sealed or published is made good.
#[test]
fn letter_answered_as_queued_is_sent_after_a_crash() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.keeps = false;
    world.wait(HOUR, HOUR);
    let id = world.send(0, 1, "kept");
    world.persons[1].is_here = false;
    assert_eq!(world.state(0, &id), LetterState::Queued);
    // The bulletin never got to anybody's disk.
    world.held.retain(|held| held.header.kind != Kind::LETTER);
    world.read = vec![world.held.len(); 2];
    world.crash(0);
    world.keeps = true;
    world.settle();
    assert_eq!(world.state(0, &id), LetterState::Published);
    assert_eq!(world.outsides().len(), 1, "it is made again");
}

#[test]
fn acknowledgements_come_within_ten_minutes_not_at_once_and_to_contacts_alone() {
    let mut world = World::new(3, Acknowledge::Contacts);
    let friend = world.id(0);
    world.persons[1].desk.set_contacts([friend].into());
    world.wait(HOUR, HOUR);
    let ids: Vec<_> = (0..20).map(|n| world.send(0, 1, &format!("{n}"))).collect();
    let stranger = world.send(2, 1, "you do not know me");
    let count = |world: &World| {
        let done = ids
            .iter()
            .filter(|id| world.state(0, id) == LetterState::Acknowledged);
        done.count()
    };
    assert!(count(&world) < 3, "not at once");
    world.wait(Duration::from_mins(5), Duration::from_secs(1));
    assert!((4..17).contains(&count(&world)), "{}", count(&world));
    world.wait(Duration::from_mins(5), Duration::from_secs(1));
    assert_eq!(count(&world), 20);
    assert_eq!(world.state(2, &stranger), LetterState::Published);
    assert_eq!(world.texts(1).len(), 21, "the stranger's letter is read");
}

#[test]
fn old_delivery_code_works_for_48_hours_and_not_after() {
    let mut world = World::new(3, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    // Both know the letterbox of before, and the stranger never hears of another.
    for writer in [0, 2] {
        world.send(writer, 1, "before");
    }
    let old = world.persons[1].desk.own_letterbox(&world.id(1)).unwrap();
    let contact = world.id(0);
    world.persons[1].desk.set_contacts([contact].into());
    let (now, rng) = (world.now, &mut world.rng);
    assert_eq!(world.persons[1].desk.rotate(now, rng).unwrap(), 1);
    let new = world.persons[1].desk.own_letterbox(&world.id(1)).unwrap();
    assert_ne!(old.code, new.code);
    assert_eq!(old.key, new.key);
    world.settle();
    let told = world.persons[0].desk.known[&world.id(1)].letterbox;
    assert_eq!(told, new, "the contact is told");

    // Whoever goes on writing to the old code.
    let write_old = |world: &mut World, text: &str| {
        let sealing = Sealing {
            id: LetterId::from_bytes(*blake3::hash(text.as_bytes()).as_bytes()),
            purpose: Purpose::Message,
            from: world.id(2),
            to: world.id(1),
            body: Bytes::copy_from_slice(text.as_bytes()),
            created: world.now,
            life: DAY,
            letterbox: old,
            reply: world.persons[2].desk.own_letterbox(&world.id(2)).unwrap(),
        };
        let (network, key) = (*world.network.id(), world.persons[2].key.clone());
        let (now, rng) = (world.now, &mut world.rng);
        let letter = sealing::sealed(&sealing, Bytes::new(), &key, &network, now, rng).unwrap();
        world.sign(letter);
        world.settle();
    };
    world.wait(HONOURED.checked_sub(Duration::from_mins(1)).unwrap(), HOUR);
    write_old(&mut world, "in time");
    world.wait(Duration::from_mins(2), HOUR);
    write_old(&mut world, "too late");
    world.send(0, 1, "to the new one");
    assert_eq!(
        world.texts(1),
        ["before", "before", "in time", "to the new one"]
    );
    let moved = world.persons[0].desk.outbox();
    assert!(moved.iter().all(|out| out.purpose == Purpose::Message));
    assert_eq!(
        world.texts(0),
        [""; 0],
        "the word of the new code is no letter to read"
    );
}

/// A letter under way when its recipient changed the code is made again for the new one.
#[test]
fn letter_to_a_code_that_was_changed_is_sealed_again() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    world.persons[1].is_here = false;
    let id = world.send(0, 1, "on the way");
    assert_eq!(world.outsides().len(), 1);
    // The recipient, back elsewhere, rotates before it sees the letter, long enough ago.
    world.held.retain(|held| held.header.kind != Kind::LETTER);
    world.read = vec![world.held.len(); 2];
    let (now, rng) = (world.now, &mut world.rng);
    world.persons[1].desk.rotate(now, rng).unwrap();
    world.persons[1].is_here = true;
    world.settle();
    assert_eq!(world.texts(1), ["on the way"]);
    world.wait(Duration::from_mins(11), Duration::from_secs(10));
    assert_eq!(world.state(0, &id), LetterState::Acknowledged);
}

/// What Carol, who relays everything, sees of a letter from Alice to Bob, and of its acknowledgement.
#[test]
fn outside_of_letters_tells_neither_sender_nor_recipient() {
    let mut world = World::new(3, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    for (from, to) in [(0, 1), (1, 0), (0, 1), (2, 1)] {
        world.send(from, to, "a secret between the two of us");
    }
    world.wait(Duration::from_mins(11), Duration::from_secs(10));
    let outsides = world.outsides();
    assert_eq!(outsides.len(), 8, "each with its acknowledgement");
    let mut told = Vec::new();
    for person in &world.persons {
        let me = person.key.author_id();
        let letterbox = person.desk.own_letterbox(&me).unwrap();
        told.extend([*me.as_bytes(), *letterbox.key.as_bytes()]);
    }
    let mut authors = BTreeSet::new();
    for bulletin in &outsides {
        let bytes = encode_to_bytes(*bulletin);
        for told in &told {
            let parts: Vec<_> = told.chunks(8).collect();
            assert!(!bytes.windows(8).any(|window| parts.contains(&window)));
        }
        assert!(authors.insert(bulletin.header.author), "an author for each");
        assert!(bruit_core::letters::check_outside(&bulletin.header).is_ok());
        assert!(SEALED_SIZES.contains(&bulletin.content.len()));
    }
    // In a small network all share one bucket: the topic names nobody.
    let topics: BTreeSet<_> = outsides.iter().map(|held| held.header.topic).collect();
    assert_eq!(topics.len(), 1);
    // None of them opens with the keys of who is not meant.
    let carol = &world.persons[2].desk;
    let opened = outsides.iter().filter(|held| {
        let mut openers = carol.openers(&held.header.topic, held.header.created);
        openers.any(|opener| {
            bruit_core::letters::Letter::open(&opener, &held.header.author, &held.content).is_ok()
        })
    });
    assert_eq!(opened.count(), 0);
}

#[test]
fn in_a_large_network_a_topic_is_shared_by_64_recipients_and_found_each_week() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.persons[1].desk.note_network(true, 10_000);
    world.wait(HOUR, HOUR);
    let letterbox = world.persons[1].desk.own_letterbox(&world.id(1)).unwrap();
    assert_eq!(letterbox.bits, BucketBits::for_network(10_000));
    let (mut topics, mut sent) = (BTreeSet::new(), 0);
    for _ in 0..6 {
        world.send(0, 1, "weekly");
        sent += 1;
        let letter = world
            .outsides()
            .into_iter()
            .rev()
            .find(|held| held.content.len() > 256);
        topics.insert(letter.unwrap().header.topic);
        assert!(topics.contains(&topic(&letterbox, week(world.now))));
        world.wait(WEEK, HOUR);
        assert_eq!(world.texts(1).len(), sent);
    }
    assert!(topics.len() > 3, "buckets change each week");
    // The network shrinks: at once a larger bucket, and the smaller one is still listened to.
    world.persons[1].desk.note_network(true, 200);
    world.wait(HOUR, HOUR);
    let now = world.persons[1].desk.own_letterbox(&world.id(1)).unwrap();
    assert_eq!((now.bits.get(), now.code), (0, letterbox.code));
}

#[test]
fn validly_signed_garbage_changes_nothing() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    world.send(0, 1, "a letter, so that there is something to change");
    world.settle();
    let to = world.persons[1].desk.own_letterbox(&world.id(1)).unwrap();
    let key = SecretKey::from_seed(&[99; 32]);
    let mut garbage = Vec::new();
    for size in SEALED_SIZES {
        for fill in [0, 1, 0xff] {
            let content = Bytes::from(vec![fill; size]);
            let topic = topic(&to, week(world.now));
            let ttl = bruit_core::letters::TTL_MIN;
            let made = bruit_core::letters::outside;
            let header = made(topic, key.author_id(), &content, world.now, ttl);
            garbage.push((header, content));
        }
    }
    for (size, name) in [(0, Letterbox::NAME), (50, Letterbox::NAME), (51, "x")] {
        let content = Bytes::from(vec![9; size]);
        let mut header = Header::post(TopicId::of("x"), key.author_id(), &content, world.now);
        header.kind = Kind::VALUE;
        header.name = name.as_bytes().to_vec();
        garbage.push((header, content));
    }
    let (now, rng) = (world.now, &mut world.rng);
    let before = format!("{:?}", world.persons[1].desk);
    for (header, content) in garbage {
        let bulletin = Bulletin::sign(header, content, world.network.id(), &key);
        world.persons[1].desk.arrived(&bulletin, now, rng);
        assert_eq!(format!("{:?}", world.persons[1].desk), before);
    }
}

/// A relay that puts a letter into a bulletin of its own, or changes a byte, changes nothing.
#[test]
fn letters_that_do_not_open_change_nothing() {
    let mut world = World::new(3, Acknowledge::Everyone);
    world.wait(HOUR, HOUR);
    world.persons[1].is_here = false;
    world.send(0, 1, "hello");
    let letter = (*world.outsides().last().unwrap()).clone();
    let mallory = world.persons[2].key.clone();
    let mut header = letter.header.clone();
    header.author = mallory.author_id();
    let stolen = Bulletin::sign(header, letter.content.clone(), world.network.id(), &mallory);
    let mut changed = letter.clone();
    let mut content = letter.content.to_vec();
    content[100] ^= 1;
    changed.content = content.into();
    let (now, rng) = (world.now, &mut world.rng);
    let desk = &mut world.persons[1].desk;
    let before = format!("{desk:?}");
    for bulletin in [&stolen, &changed] {
        desk.arrived(bulletin, now, rng);
        assert_eq!(format!("{desk:?}"), before);
    }
    desk.arrived(&letter, now, rng);
    assert_ne!(format!("{desk:?}"), before, "the letter itself does");
}

#[test]
fn tables_are_bounded() {
    let mut world = World::new(2, Acknowledge::Everyone);
    world.persons[1].is_here = false;
    let (me, to, now) = (world.id(0), world.id(1), world.now);
    let (desk, rng) = (&mut world.persons[0].desk, &mut world.rng);
    for _ in 0..OPEN_MAX {
        desk.send(me, to, Bytes::new(), DAY, now, rng).unwrap();
    }
    let one_more = desk.send(me, to, Bytes::new(), DAY, now, rng);
    assert!(matches!(one_more, Err(SendError::Full { max: OPEN_MAX })));
    assert_eq!(
        desk.steps()
            .iter()
            .filter(|step| matches!(step, Step::LookUp(_)))
            .count(),
        1
    );
    let long = Bytes::from(vec![0; 64_513]);
    assert!(matches!(
        desk.send(me, to, long, DAY, now, rng),
        Err(SendError::TooBig { .. })
    ));
    for life in [Duration::ZERO, LIFE_MAX + Duration::from_secs(1)] {
        let wrong = desk.send(me, to, Bytes::new(), life, now, rng);
        assert!(matches!(wrong, Err(SendError::Ttl { .. })));
    }
    desk.tick(now.plus(2 * DAY));
    assert_eq!(desk.out.len(), CLOSED_MAX);
    for _ in 0..20 {
        desk.rotate(now, rng).unwrap();
    }
    assert!(desk.identities[&me].boxes.addresses.len() <= 8);
}

#[test]
fn letters_of_other_systems_push_out_each_other_alone_and_outlive_a_crash() {
    let mut world = World::new(1, Acknowledge::Everyone);
    let own = world.send(0, 0, "of bruit");
    world.wait(HOUR, HOUR);
    let name: ForeignName = "k98kurz:8a88".parse().unwrap();
    let deliver = |world: &mut World, bytes: usize, count: usize| {
        let (desk, rng) = (&mut world.persons[0].desk, &mut world.rng);
        for _ in 0..count {
            let body = Bytes::from(vec![7; bytes]);
            desk.deliver_foreign(name.clone(), body, START, rng);
        }
        world.settle();
    };
    let counts = |world: &World| {
        let desk = &world.persons[0].desk;
        let inbox: Vec<_> = desk.inbox(0).collect();
        let foreign = inbox
            .iter()
            .filter(|letter| desk.foreign(letter.number) == Some(&name));
        assert_eq!(inbox[0].id, own, "a letter of bruit's stays");
        let bytes: usize = inbox.iter().map(|letter| letter.body.len()).sum();
        assert_eq!(desk.inbox_bytes, bytes);
        (inbox.len(), foreign.count())
    };
    deliver(&mut world, 3, foreign::FOREIGN_MAX + 2);
    let full = (foreign::FOREIGN_MAX + 1, foreign::FOREIGN_MAX);
    assert_eq!(counts(&world), full);
    world.crash(0);
    assert_eq!(counts(&world), full);
    let large = foreign::FOREIGN_BYTES_MAX / 100;
    deliver(&mut world, large, 101);
    assert_eq!(counts(&world), (101, 100));
    let last = world.persons[0].desk.inbox(0).last().unwrap().id;
    assert!(world.persons[0].desk.remove(&last));
    assert_eq!(counts(&world), (100, 99));
}
