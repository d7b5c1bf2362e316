//! The node of the simple gossip against the faults of the original, and beside other gateways.

use super::*;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn author(n: u8) -> AuthorId {
    AuthorId::from_bytes([n; 32])
}

fn gateway() -> Gateway {
    Gateway::new((1..=3).map(address).collect(), author(1))
}

fn message(text: &str) -> Message {
    Message::new(Stamp::from_seconds(848_224_557), text.as_bytes()).unwrap()
}

fn hear(gateway: &mut Gateway, from: u16, bytes: &[u8], now: Instant) -> Vec<Action> {
    let (from, bytes) = (address(from), bytes.to_vec());
    gateway.handle(Event::Datagram { from, bytes }, now)
}

fn sends(actions: &[Action]) -> Vec<SocketAddr> {
    let to = actions.iter().filter_map(|action| match action {
        Action::Send { to, .. } => Some(*to),
        _ => None,
    });
    to.collect()
}

fn is_publish(action: &Action) -> bool {
    matches!(action, Action::Publish { .. })
}

/// The bulletin that gateway `n` made of a message.
fn crossed(message: &Message, n: u8) -> Event {
    Event::Crossed {
        id: name(message),
        body: message.text().as_bytes().to_vec(),
        by: author(n),
        age: Duration::ZERO,
    }
}

#[test]
fn a_message_goes_to_the_other_neighbours_and_into_bruit_once() {
    let (mut gateway, now) = (gateway(), Instant::now());
    let one = message("one");
    let actions = hear(&mut gateway, 1, &one.encode(), now);
    assert_eq!(sends(&actions), [address(2), address(3)]);
    let (id, message) = (name(&one), one.clone());
    assert_eq!(actions[2], Action::Publish { id, message });
    assert!(hear(&mut gateway, 2, &one.encode(), now).is_empty());
}

/// The original floods an old message again as soon as another one came between.
#[test]
fn an_old_message_is_not_flooded_again_after_another_one() {
    let (mut gateway, now) = (gateway(), Instant::now());
    let (one, two) = (message("one").encode(), message("two").encode());
    hear(&mut gateway, 1, &one, now);
    hear(&mut gateway, 1, &two, now);
    assert!(hear(&mut gateway, 1, &one, now).is_empty());
}

#[test]
fn what_harms_an_original_is_not_passed_on() {
    let (mut gateway, now) = (gateway(), Instant::now());
    let stamp = "20/11/2026 09:55:57";
    let texts = [
        format!("{stamp}é"),
        format!("{stamp}{}", "a".repeat(2_000)),
        "short".to_owned(),
    ];
    for text in texts {
        assert!(hear(&mut gateway, 1, text.as_bytes(), now).is_empty());
    }
    let counters = gateway.counters().clone();
    for reason in ["dropped_not_ascii", "dropped_too_long", "dropped_too_short"] {
        assert_eq!(counters.get(reason), 1, "{reason}");
    }
}

#[test]
fn whoever_is_no_neighbour_is_not_heard() {
    let (mut gateway, now) = (gateway(), Instant::now());
    assert!(hear(&mut gateway, 9, &message("no").encode(), now).is_empty());
    assert_eq!(gateway.counters().get("dropped_stranger"), 1);
}

fn native(text: &str) -> Event {
    Event::Native {
        body: text.as_bytes().to_vec(),
        created_ms: 1_795_168_557_999,
        age: Duration::ZERO,
        has_passed: false,
    }
}

#[test]
fn a_bulletin_goes_out_with_its_own_second_and_does_not_come_back() {
    let (mut gateway, now) = (gateway(), Instant::now());
    assert!(gateway.handle(native("hello-one"), now).is_empty());
    assert_eq!(gateway.next_wakeup(), Some(now + HOLD));
    let actions = gateway.wake(now + HOLD);
    assert_eq!(sends(&actions), [1, 2, 3].map(address));
    let expected = b"20/11/2026 09:55:57hello-one";
    let created_ms = 1_795_168_557_999;
    assert_eq!(
        actions[0],
        Action::Passed { created_ms },
        "before it is sent"
    );
    assert!(
        matches!(&actions[1], Action::Send { bytes, .. } if bytes == expected),
        "{actions:?}"
    );
    assert!(hear(&mut gateway, 1, expected, now + 2 * HOLD).is_empty());
    for text in ["naïve", &"a".repeat(1_006)] {
        assert!(gateway.handle(native(text), now).is_empty());
    }
    assert_eq!(gateway.counters().get("dropped_out_not_ascii"), 1);
    assert_eq!(gateway.counters().get("dropped_out_too_big"), 1);
}

#[test]
fn of_two_gateways_in_one_network_one_sends_a_bulletin_and_neither_carries_it_back() {
    let now = Instant::now();
    let mut gateways = [1, 2].map(|n| Gateway::new(vec![address(7)], author(n)));
    for gateway in &mut gateways {
        (1..=2).for_each(|n| drop(gateway.handle(Event::Present(author(n)), now)));
        gateway.handle(native("hello"), now);
    }
    let [first, second] = gateways.each_mut().map(|gateway| gateway.wake(now + HOLD));
    assert_eq!(sends(&first).len() + sends(&second).len(), 1);
    let bytes = b"20/11/2026 09:55:57hello";
    for gateway in &mut gateways {
        let actions = hear(gateway, 7, bytes, now + 3 * HOLD);
        assert!(sends(&actions).is_empty() && !actions.iter().any(is_publish));
        assert!(gateway.wake(now + OUT_STEP * 9).is_empty());
    }
}

#[test]
fn what_another_gateway_carried_in_is_not_carried_in_again() {
    let (mut gateway, now) = (gateway(), Instant::now());
    let one = message("one");
    let id = name(&one);
    let false_one = Event::Crossed {
        id,
        body: b"another".to_vec(),
        by: author(2),
        age: Duration::ZERO,
    };
    gateway.handle(false_one, now);
    assert_eq!(gateway.counters().get("dropped_false_name"), 1);
    gateway.handle(crossed(&one, 2), now);
    let actions = hear(&mut gateway, 1, &one.encode(), now);
    assert!(!actions.iter().any(is_publish));
}

/// One that other gateways feed as well may be the only way between two neighbours.
#[test]
fn what_another_gateway_sent_out_is_passed_on_to_the_other_neighbours() {
    let (mut gateway, now) = (gateway(), Instant::now());
    gateway.handle(native("hello-one"), now);
    // It comes round before this gateway's own time to send it.
    let bytes = b"20/11/2026 09:55:57hello-one";
    let actions = hear(&mut gateway, 2, bytes, now + HOLD / 2);
    assert_eq!(sends(&actions), [address(1), address(3)]);
    assert!(!actions.iter().any(is_publish), "{actions:?}");
    assert!(sends(&gateway.wake(now + OUT_STEP * 9)).is_empty(), "once");
}

#[test]
fn what_another_gateway_carried_in_is_passed_on_all_the_same() {
    let (mut gateway, now) = (gateway(), Instant::now());
    let one = message("one");
    gateway.handle(crossed(&one, 2), now);
    let actions = hear(&mut gateway, 1, &one.encode(), now);
    assert_eq!(sends(&actions), [address(2), address(3)]);
    assert!(!actions.iter().any(is_publish), "{actions:?}");
}

/// The copy that came again was a duplicate for ever.
#[test]
fn a_message_that_could_not_be_published_is_published_when_it_comes_again() {
    let (mut gateway, now) = (gateway(), Instant::now());
    let one = message("one");
    assert!(
        hear(&mut gateway, 1, &one.encode(), now)
            .iter()
            .any(is_publish)
    );
    gateway.handle(Event::NotPublished(name(&one)), now);
    let again = hear(&mut gateway, 2, &one.encode(), now);
    assert!(
        again.iter().any(is_publish) && sends(&again).is_empty(),
        "{again:?}"
    );
    assert!(hear(&mut gateway, 3, &one.encode(), now).is_empty());
}

/// Addresses can be forged: what comes under one of them is bounded, and leaves the others their room.
#[test]
fn a_flood_in_the_name_of_one_neighbour_is_bounded_and_the_others_are_heard() {
    let (mut gateway, start) = (gateway(), Instant::now());
    let mut passed = 0;
    for n in 0..40_000_u32 {
        let now = start + Duration::from_micros(100) * n;
        let text = message(&format!("flood {n}"));
        passed += sends(&hear(&mut gateway, 1, &text.encode(), now)).len();
        if n % 4_000 == 0 {
            let text = message(&format!("word {n}"));
            assert_eq!(sends(&hear(&mut gateway, 2, &text.encode(), now)).len(), 2);
        }
    }
    // Four seconds of a thousand, two thousand at once, to two others.
    assert!((11_900..=12_100).contains(&passed), "{passed}");
    assert!(gateway.counters().get("dropped_too_often") >= 33_000);
}

#[test]
fn a_restarted_gateway_does_not_send_again_what_it_had_sent_or_passed_on() {
    let (mut gateway, now) = (gateway(), Instant::now());
    let (theirs, own) = (message("of another gateway"), message("of this one"));
    // What the node holds: a bulletin that went out, one that is too old, and two messages that crossed.
    let passed = |text: &str, age, has_passed| Event::Native {
        body: text.as_bytes().to_vec(),
        created_ms: 1_795_168_557_999,
        age,
        has_passed,
    };
    let crossed_ago = |message, by, age| match crossed(message, by) {
        Event::Crossed { id, body, by, .. } => Event::Crossed { id, body, by, age },
        event => event,
    };
    let held = [
        passed("sent", Duration::ZERO, true),
        passed("old", OLD * 2, false),
        crossed_ago(&theirs, 2, OLD * 2),
        crossed_ago(&own, 1, Duration::ZERO),
    ];
    for event in held {
        assert!(gateway.handle(event, now).is_empty());
    }
    assert_eq!(gateway.next_wakeup(), None);
    let stamped = |text: &str| format!("20/11/2026 09:55:57{text}").into_bytes();
    for again in [
        stamped("sent"),
        stamped("old"),
        theirs.encode(),
        own.encode(),
    ] {
        assert!(hear(&mut gateway, 1, &again, now).is_empty());
    }
    assert_eq!(gateway.counters().get("duplicates"), 4);
}
