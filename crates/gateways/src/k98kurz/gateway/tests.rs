use super::*;
use crate::k98kurz::codec::topic_id;

const SECONDS: u32 = 1_656_000_000;

fn author(n: u8) -> AuthorId {
    AuthorId::from_bytes([n; 32])
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

fn now() -> Now {
    Now {
        at: Instant::now(),
        seconds: SECONDS,
    }
}

/// One that knows nodes 2 and 3.
fn gateway() -> Gateway {
    let known = |n: u8| (*identity(n).address(), address(n.into()));
    let config = Config {
        join: vec![known(2), known(3)],
        topics: vec![topic_id(b"t")],
        bulletin_difficulty: 3,
        ..Config::default()
    };
    Gateway::new(config, identity(1), author(1), [5; 32])
}

fn bulletin(text: &str) -> Bulletin {
    Bulletin::make(topic_id(b"t"), text.as_bytes().to_vec(), SECONDS, 0, 3)
}

fn message(from: u8, said: &Said) -> Message {
    let to = *identity(1).address();
    let secret = [from; 32];
    Message::make(&identity(from), &to, &said.encode(), &secret, SECONDS, 0, 1).unwrap()
}

fn hear(gateway: &mut Gateway, from: u8, message: &Message) -> Vec<Action> {
    let bytes = message.encode();
    let from = address(from.into());
    gateway.handle(Event::Datagram { from, bytes }, now())
}

/// What was sent, opened by those it was sent to.
fn sent(actions: &[Action]) -> Vec<(u16, Said)> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send { to, bytes } => {
            let message = Message::decode(bytes).unwrap();
            assert!(message.is_signed() && message.difficulty() >= 1);
            let n = u8::try_from(to.port()).unwrap();
            let opened = identity(n).open(&message.body).unwrap();
            Some((to.port(), Said::decode(&opened).unwrap()))
        }
        _ => None,
    });
    sent.collect()
}

fn published(actions: &[Action]) -> usize {
    let is_published = |action: &&Action| matches!(action, Action::Publish { .. });
    actions.iter().filter(is_published).count()
}

#[test]
fn a_bulletin_is_passed_on_to_the_others_and_crosses_once() {
    let mut gateway = gateway();
    let said = Said::Forward(bulletin("one"));
    let actions = hear(&mut gateway, 2, &message(2, &said));
    assert_eq!(sent(&actions), [(3, said.clone())]);
    assert_eq!(published(&actions), 1);
    let again = hear(&mut gateway, 3, &message(3, &said));
    assert!(again.is_empty());
    let only = Said::Deliver(bulletin("two"));
    let actions = hear(&mut gateway, 2, &message(2, &only));
    assert_eq!((sent(&actions).len(), published(&actions)), (0, 1));
}

#[test]
fn a_bulletin_of_bruit_goes_out_to_all_and_does_not_come_back() {
    let mut gateway = gateway();
    let (topic, content) = (topic_id(b"t"), b"native".to_vec());
    let native = Event::Native {
        topic,
        content,
        made: SECONDS,
    };
    assert!(gateway.handle(native.clone(), now()).is_empty());
    let later = Now {
        at: gateway.next_wakeup().unwrap(),
        seconds: SECONDS + 1,
    };
    let actions = gateway.wake(later);
    let said = sent(&actions);
    assert_eq!(said.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [2, 3]);
    let Said::Forward(out) = &said[0].1 else {
        panic!("{said:?}");
    };
    assert!(out.difficulty() >= 3 && out.is_whole());
    let back = hear(&mut gateway, 2, &message(2, &said[0].1));
    assert!(back.is_empty(), "{back:?}");
    assert!(gateway.handle(native, now()).is_empty());
    assert_eq!(gateway.counters().get("dropped_out_duplicate"), 1);
}

#[test]
fn gateways_make_the_same_bulletin_of_one_of_bruit() {
    let mut out = [1, 2].map(|n| {
        let config = Config {
            join: vec![(*identity(3).address(), address(3))],
            ..Config::default()
        };
        let mut gateway = Gateway::new(config, identity(n), author(n), [n; 32]);
        let native = Event::Native {
            topic: topic_id(b"t"),
            content: b"native".to_vec(),
            made: SECONDS - u32::from(n % 2),
        };
        // They hear of it at different times.
        let at = Now {
            seconds: SECONDS + u32::from(n),
            ..now()
        };
        let made = Event::Native {
            topic: topic_id(b"u"),
            content: b"native".to_vec(),
            made: SECONDS - 1,
        };
        gateway.handle(made, at);
        gateway.handle(native, at);
        let later = Now {
            at: gateway.next_wakeup().unwrap() + HOLD,
            seconds: SECONDS + 7,
        };
        sent(&gateway.wake(later))
    });
    assert_eq!(out[0].remove(0), out[1].remove(0));
    assert_ne!(out[0], out[1], "another time is another bulletin");
}

#[test]
fn what_goes_out_is_paid_for_a_few_at_a_time() {
    let mut gateway = gateway();
    for n in 0..10 {
        let native = Event::Native {
            topic: topic_id(b"t"),
            content: vec![n],
            made: SECONDS,
        };
        gateway.handle(native, now());
    }
    let mut rounds = 0;
    while let Some(at) = gateway.next_wakeup() {
        let seconds = SECONDS + 1;
        let at = at.max(Instant::now() + HOLD);
        assert!(sent(&gateway.wake(Now { at, seconds })).len() <= 2 * OUT_AT_ONCE);
        rounds += 1;
    }
    assert_eq!((rounds, gateway.counters().get("crossed_out")), (3, 10));
}

#[test]
fn headers_are_asked_for_and_contents_after_them() {
    let (mut one, mut two) = (gateway(), gateway());
    hear(&mut one, 2, &message(2, &Said::Forward(bulletin("old"))));
    let topic = topic_id(b"t");
    let asked = sent(&two.begin(now()));
    assert_eq!(asked[0], (2, Said::AskHeaders { topic }));
    let told = hear(&mut one, 3, &message(3, &asked[0].1));
    let told = sent(&told).remove(0).1;
    let asks = sent(&hear(&mut two, 3, &message(3, &told))).remove(0).1;
    assert!(matches!(asks, Said::AskContent { .. }), "{asks:?}");
    let given = sent(&hear(&mut one, 3, &message(3, &asks))).remove(0).1;
    assert_eq!(given, Said::Content(bulletin("old")));
    assert_eq!(published(&hear(&mut two, 3, &message(3, &given))), 1);
}

#[test]
fn words_are_heard_and_answered() {
    let mut gateway = gateway();
    let words = b"hello there".to_vec();
    let actions = hear(&mut gateway, 7, &message(7, &Said::Words(words.clone())));
    let from = *identity(7).address();
    assert_eq!(actions, [Action::Heard { from, words }]);
    let words = b"and back".to_vec();
    let said = Said::Words(words.clone());
    let actions = gateway.say_words(&from, &words, now()).unwrap();
    assert_eq!(sent(&actions), [(7, said)]);
}

#[test]
fn words_that_would_not_arrive_as_words_are_not_said() {
    let mut gateway = gateway();
    let to = *identity(2).address();
    let mut say = |to: &Address, words: &[u8]| gateway.say_words(to, words, now()).unwrap_err();
    for words in [&b""[..], &[0], b"\x0awords", &[0; 200]] {
        assert_eq!(say(&to, words), NotSaid::Operation);
    }
    let (got, max) = (WORDS_BYTES_MAX + 1, WORDS_BYTES_MAX);
    assert_eq!(say(&to, &vec![b'a'; got]), NotSaid::TooLong { got, max });
    assert_eq!(say(identity(9).address(), b"hi"), NotSaid::UnknownNode);
    assert!(gateway.say_words(&to, &vec![b'a'; max], now()).is_ok());
}

// Each of the original's weaknesses, tried.

#[test]
fn contents_that_were_not_paid_for_are_not_taken() {
    let mut gateway = gateway();
    let forged = Bulletin {
        content: b"swapped".to_vec(),
        ..bulletin("good")
    };
    assert!(hear(&mut gateway, 2, &message(2, &Said::Forward(forged))).is_empty());
    assert_eq!(gateway.counters().get("dropped_forged"), 1);
}

#[test]
fn a_message_that_is_paid_for_anew_is_not_taken_again() {
    let mut gateway = gateway();
    let mut replayed = message(2, &Said::Words(b"pay me".to_vec()));
    assert_eq!(hear(&mut gateway, 2, &replayed).len(), 1);
    for ts in [SECONDS + 100, SECONDS - 100] {
        replayed.ts = ts;
        replayed.pay(0, 1);
        assert!(replayed.is_signed(), "the time is not signed");
        assert!(hear(&mut gateway, 2, &replayed).is_empty());
    }
    assert_eq!(gateway.counters().get("dropped_again"), 2);
}

#[test]
fn what_comes_from_the_future_or_the_past_is_not_taken() {
    let mut gateway = gateway();
    for (ts, reason) in [
        (SECONDS + AHEAD_S + 1, "dropped_from_the_future"),
        (SECONDS - MESSAGE_TTL_S - 1, "dropped_old"),
    ] {
        let mut message = message(2, &Said::Words(b"words".to_vec()));
        message.ts = ts;
        message.pay(0, 1);
        assert!(hear(&mut gateway, 2, &message).is_empty());
        assert_eq!(gateway.counters().get(reason), 1);
    }
    for ts in [SECONDS + AHEAD_S + 1, SECONDS - BULLETIN_TTL_S - 1] {
        let bulletin = Bulletin::make(topic_id(b"t"), b"late".to_vec(), ts, 0, 3);
        assert!(hear(&mut gateway, 2, &message(2, &Said::Forward(bulletin))).is_empty());
    }
    assert_eq!(gateway.counters().get("dropped_expired"), 2);
}

/// Expiry was heeded nowhere: what was kept was given to whoever asked, however old it was.
#[test]
fn what_has_expired_is_not_given_to_who_asks() {
    let mut gateway = gateway();
    let kept = bulletin("kept");
    let (topic, content_id) = (kept.topic, kept.content_id);
    hear(&mut gateway, 2, &message(2, &Said::Forward(kept.clone())));
    let mut secret = 0;
    let mut ask = |seconds: u32, said: &Said| {
        secret += 1;
        let (from, to) = (identity(3), *identity(1).address());
        let asked = Message::make(&from, &to, &said.encode(), &[secret; 32], seconds, 0, 1);
        let (from, bytes) = (address(3), asked.unwrap().encode());
        let at = Instant::now();
        let event = Event::Datagram { from, bytes };
        sent(&gateway.handle(event, Now { at, seconds }))
    };
    let headers = Said::AskHeaders { topic };
    let content = Said::AskContent { topic, content_id };
    let last = SECONDS + BULLETIN_TTL_S;
    let told = Said::Headers(vec![kept.header()]);
    assert_eq!(ask(last, &headers), [(3, told)]);
    assert_eq!(ask(last, &content), [(3, Said::Content(kept))]);
    let late = last + 1;
    assert_eq!(ask(late, &headers), [(3, Said::Headers(Vec::new()))]);
    assert_eq!(ask(late, &content), []);
}

#[test]
fn the_same_content_under_another_nonce_is_no_other_bulletin() {
    let mut gateway = gateway();
    let one = bulletin("one");
    let next = one.nonce + 1;
    let other = Bulletin::make(one.topic, one.content.clone(), SECONDS, next, 3);
    hear(&mut gateway, 2, &message(2, &Said::Forward(one)));
    assert!(hear(&mut gateway, 2, &message(2, &Said::Forward(other))).is_empty());
}

#[test]
fn garbage_ends_nothing_and_is_counted() {
    let mut gateway = gateway();
    let from = address(2);
    for bytes in [vec![], vec![1; 100], vec![0xff; 200]] {
        assert!(
            gateway
                .handle(Event::Datagram { from, bytes }, now())
                .is_empty()
        );
    }
    // Signed and paid for, but no seal; an unknown operation; nothing at all; a bulletin that is cut.
    let mut garbage = message(2, &Said::Unused(7));
    garbage.body = vec![9; 80];
    garbage.signature = identity(2).sign(&garbage.signed_text());
    garbage.pay(0, 1);
    assert!(hear(&mut gateway, 2, &garbage).is_empty());
    for body in [vec![7], vec![], vec![0; 30]] {
        let to = *identity(1).address();
        let made = Message::make(&identity(2), &to, &body, &[8; 32], SECONDS, 0, 1);
        assert!(hear(&mut gateway, 2, &made.unwrap()).is_empty());
    }
    let counters = gateway.counters();
    assert_eq!(counters.get("dropped_not_sealed_to_us"), 1);
    assert_eq!(counters.get("dropped_unused"), 1);
    assert!(counters.get("dropped_malformed") >= 3);
}

#[test]
fn what_is_too_cheap_or_not_signed_is_not_taken() {
    let mut gateway = gateway();
    let mut cheap = message(2, &Said::Words(b"cheap".to_vec()));
    while cheap.difficulty() > 0 {
        cheap.nonce += 1;
    }
    assert!(hear(&mut gateway, 2, &cheap).is_empty());
    let mut unsigned = message(2, &Said::Words(b"unsigned".to_vec()));
    unsigned.signature[0] ^= 1;
    assert!(hear(&mut gateway, 2, &unsigned).is_empty());
    let mut free = bulletin("free");
    while free.difficulty() >= 3 {
        free.nonce += 1;
    }
    assert!(hear(&mut gateway, 2, &message(2, &Said::Forward(free))).is_empty());
    assert_eq!(gateway.counters().get("dropped_cheap"), 2);
    assert_eq!(gateway.counters().get("dropped_unsigned"), 1);
}

#[test]
fn nodes_and_bulletins_are_kept_within_their_bounds() {
    let mut gateway = gateway();
    let config = &mut gateway.config;
    config.bulletin_difficulty = 0;
    for n in 0..=HELD_MAX {
        let content = n.to_be_bytes().to_vec();
        let bulletin = Bulletin::make([0; 32], content, SECONDS, 0, 0);
        gateway.on_bulletin(bulletin, None, now());
    }
    assert_eq!(gateway.held.len(), HELD_MAX);
}
