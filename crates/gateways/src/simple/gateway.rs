//! A node of the simple gossip, as a state machine: datagrams and bulletins in, datagrams and bulletins out.
//!
//! Each message is passed on once, to all neighbours but the one it came from, without a pause. Unlike the
//! original, which knows the last message only, it remembers an hour of them; it passes nothing on that
//! would harm an original; and it hears neighbours alone.
//!
//! The stamp of a bulletin that goes out is the second it was made in, so that every gateway makes the same
//! message of it, and none takes it for a foreign one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bruit::AuthorId;

use super::codec::{CodecError, Message, Stamp};
use crate::counters::Counters;
use crate::crossing::{Crossing, Turn};
use crate::foreign::{ForeignId, System};
use crate::recent::Recent;

/// How long a message is remembered: as long as a post is valid.
const REMEMBER: Duration = bruit::POST_TTL;
/// Messages that are remembered.
const SEEN_MAX: usize = 1 << 16;
/// A bulletin does not go out at once, so that other gateways have it before they hear the message.
const HOLD: Duration = Duration::from_secs(1);
/// Bulletins that wait to go out; more are dropped, and counted.
pub const OUTGOING_MAX: usize = 4_096;
/// A message goes round at a second for each hop and more: so long do other gateways wait whether they hear
/// it, before they send it themselves.
const OUT_STEP: Duration = Duration::from_secs(10);
/// Bulletins older than this are not sent out when the gateway hears of them: it was away.
const OLD: Duration = Duration::from_mins(1);

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A datagram came.
    Datagram {
        /// From where.
        from: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A bulletin that stems from bruit.
    Native {
        /// Its contents.
        body: Vec<u8>,
        /// When it was made, in milliseconds since 1970.
        created_ms: u64,
        /// How old it is.
        age: Duration,
    },
    /// A bulletin that a gateway made of a message.
    Crossed {
        /// The name it gives.
        id: ForeignId,
        /// Its contents.
        body: Vec<u8>,
        /// Who signed it.
        by: AuthorId,
    },
    /// What was to be published could not be.
    NotPublished(ForeignId),
    /// Another gateway is there.
    Present(AuthorId),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a datagram.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Publish a message.
    Publish {
        /// Its name.
        id: ForeignId,
        /// The message.
        message: Message,
    },
    /// A bulletin went out as this message.
    Sent(Message),
}

/// The node.
#[derive(Debug)]
pub struct Gateway {
    neighbours: Vec<SocketAddr>,
    seen: Recent<ForeignId>,
    crossing: Crossing<Message>,
    outgoing: Vec<(Instant, Message)>,
    out: Crossing<Message>,
    counters: Counters,
    actions: Vec<Action>,
}

impl Gateway {
    /// A node with these neighbours; with none, everybody is heard. `me` signs the bulletins it makes.
    pub fn new(neighbours: Vec<SocketAddr>, me: AuthorId) -> Self {
        Self {
            neighbours,
            seen: Recent::new(REMEMBER, SEEN_MAX),
            crossing: Crossing::new(me, REMEMBER),
            outgoing: Vec::new(),
            out: Crossing::new(me, REMEMBER).patient(OUT_STEP),
            counters: Counters::default(),
            actions: Vec::new(),
        }
    }

    /// Takes one event at `now`; returns what to do, in order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Datagram { from, bytes } => self.on_datagram(from, &bytes, now),
            Event::Native {
                body,
                created_ms,
                age,
            } => self.on_native(&body, created_ms, age, now),
            Event::Crossed { id, body, by } => self.on_crossed(id, &body, by, now),
            Event::NotPublished(id) => self.crossing.failed(&id),
            Event::Present(author) => {
                self.crossing.present(author, now);
                self.out.present(author, now);
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// Does what is due at `now`.
    pub fn wake(&mut self, now: Instant) -> Vec<Action> {
        for (id, message) in self.crossing.due(now) {
            self.publish(id, message);
        }
        let (due, later) = std::mem::take(&mut self.outgoing)
            .into_iter()
            .partition(|(due, _)| *due <= now);
        self.outgoing = later;
        let due: Vec<(Instant, Message)> = due;
        for (_, message) in due {
            if let Turn::Now(message) = self.out.came(name(&message), message, now) {
                self.send_out(message);
            }
        }
        for (_, message) in self.out.due(now) {
            self.send_out(message);
        }
        std::mem::take(&mut self.actions)
    }

    /// When to be woken; none when nothing waits.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let outgoing = self.outgoing.iter().map(|(due, _)| *due).min();
        let nexts = [
            outgoing,
            self.crossing.next_wakeup(),
            self.out.next_wakeup(),
        ];
        nexts.into_iter().flatten().min()
    }

    /// What was done and dropped.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn on_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        self.counters.count("datagrams_in");
        if !self.neighbours.is_empty() && !self.neighbours.contains(&from) {
            self.counters.count("dropped_stranger");
            return;
        }
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.counters.count(match error {
                    CodecError::TooLong { .. } => "dropped_too_long",
                    CodecError::TooShort { .. } => "dropped_too_short",
                    CodecError::NotAscii => "dropped_not_ascii",
                    CodecError::Stamp => "dropped_bad_stamp",
                });
                return;
            }
        };
        let id = name(&message);
        // Somebody sent it out, so this gateway need not.
        self.out.crossed(id, Some(self.out.me()), now);
        self.forget_outgoing(&message);
        if !self.seen.insert(id, (), now) {
            self.counters.count("duplicates");
            return;
        }
        self.pass(&message, Some(from));
        if let Turn::Now(message) = self.crossing.came(id, message, now) {
            self.publish(id, message);
        }
    }

    /// Sends a message to all neighbours but the one it came from.
    fn pass(&mut self, message: &Message, from: Option<SocketAddr>) {
        let bytes = message.encode();
        let to = self.neighbours.iter().filter(|to| Some(**to) != from);
        for to in to.copied() {
            let bytes = bytes.clone();
            self.counters.count("datagrams_out");
            self.actions.push(Action::Send { to, bytes });
        }
    }

    fn publish(&mut self, id: ForeignId, message: Message) {
        self.counters.count("crossed_in");
        self.actions.push(Action::Publish { id, message });
    }

    fn on_native(&mut self, body: &[u8], created_ms: u64, age: Duration, now: Instant) {
        let stamp = Stamp::of_millis(created_ms).ok_or(CodecError::Stamp);
        let message = match stamp.and_then(|stamp| Message::new(stamp, body)) {
            Ok(message) => message,
            Err(error) => {
                self.counters.count(match error {
                    CodecError::NotAscii => "dropped_out_not_ascii",
                    _ => "dropped_out_too_big",
                });
                return;
            }
        };
        let id = name(&message);
        self.crossing.crossed(id, Some(self.crossing.me()), now);
        if age > OLD {
            return;
        }
        if !self.seen.insert(id, (), now) {
            self.counters.count("dropped_out_duplicate");
        } else if self.outgoing.len() >= OUTGOING_MAX {
            self.counters.count("dropped_outgoing_full");
        } else {
            self.outgoing.push((now + HOLD, message));
        }
    }

    fn on_crossed(&mut self, id: ForeignId, body: &[u8], by: AuthorId, now: Instant) {
        let head = id.as_bytes()[..4].try_into().unwrap_or_default();
        let stamp = Stamp::from_seconds(u32::from_be_bytes(head));
        let is_true = Message::new(stamp, body).is_ok_and(|message| name(&message) == id);
        if !is_true {
            self.counters.count("dropped_false_name");
            return;
        }
        self.crossing.crossed(id, Some(by), now);
        self.seen.insert(id, (), now);
    }

    fn forget_outgoing(&mut self, message: &Message) {
        self.outgoing.retain(|(_, waiting)| waiting != message);
    }

    fn send_out(&mut self, message: Message) {
        self.counters.count("crossed_out");
        self.pass(&message, None);
        self.actions.push(Action::Sent(message));
    }
}

/// What a message is called inside bruit: its stamp can be read from it, and it is bound to both parts.
pub fn name(message: &Message) -> ForeignId {
    let head = message.stamp().seconds().to_be_bytes();
    ForeignId::of(System::SIMPLE, &head, &[message.text().as_bytes()])
}

#[cfg(test)]
mod tests {
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
        assert!(
            matches!(&actions[0], Action::Send { bytes, .. } if bytes == expected),
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
            assert!(actions.is_empty(), "{actions:?}");
            assert!(gateway.wake(now + OUT_STEP * 9).is_empty());
        }
    }

    #[test]
    fn what_another_gateway_carried_in_is_not_carried_in_again() {
        let (mut gateway, now) = (gateway(), Instant::now());
        let one = message("one");
        let crossed = |id, body: &str| Event::Crossed {
            id,
            body: body.as_bytes().to_vec(),
            by: author(2),
        };
        gateway.handle(crossed(name(&one), "another"), now);
        assert_eq!(gateway.counters().get("dropped_false_name"), 1);
        gateway.handle(crossed(name(&one), "one"), now);
        let actions = hear(&mut gateway, 1, &one.encode(), now);
        assert!(!actions.iter().any(|a| matches!(a, Action::Publish { .. })));
    }
}
