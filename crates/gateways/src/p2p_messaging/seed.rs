//! A seed of the exercise, as a state machine: who is registered, and whether those reported dead are.
//!
//! Unlike the original it lists each port once, and removes one only after its own calls have failed three
//! times: a report alone does nothing. It calls nobody who was not reported, since a call costs an original
//! a thread.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use super::codec::{self, Message, SEED_BYTES_MAX};
use super::pickle;
use crate::counters::Counters;
use crate::draw;

/// Ports that are registered at once.
pub const REGISTERED_MAX: usize = 1_024;
/// Ports in one answer: an original reads no more of it than 1,024 bytes.
const LISTED_MAX: usize = (SEED_BYTES_MAX - 24) / 3;
/// Failed calls until a port is removed.
const CALLS: u32 = 3;
/// Time between two calls.
const CALL_EVERY: Duration = Duration::from_secs(1);
/// After a call that succeeded, the next one waits for this time, whoever reports what.
const TRUSTED_FOR: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Registered {
    failed: u32,
    next_call: Option<Instant>,
    trusted_until: Option<Instant>,
}

/// The seed.
#[derive(Debug)]
pub struct Seed {
    own: u16,
    rng: ChaCha8Rng,
    registered: BTreeMap<u16, Registered>,
    counters: Counters,
}

impl Seed {
    /// A seed at the port `own` that knows nobody.
    pub fn new(own: u16, seed: u64, counters: Counters) -> Self {
        Self {
            own,
            rng: ChaCha8Rng::seed_from_u64(seed),
            registered: BTreeMap::new(),
            counters,
        }
    }

    /// Takes a message at `now`; returns the answer, where there is one.
    pub fn handle(&mut self, message: &Message, now: Instant) -> Option<Vec<u8>> {
        self.counters.count("seed_messages_in");
        match *message {
            Message::Register { port } => {
                let has_room = self.registered.len() < REGISTERED_MAX;
                if !has_room && !self.registered.contains_key(&port) {
                    self.counters.count("dropped_registry_full");
                    return None;
                }
                self.registered.insert(port, Registered::default());
                Some(codec::registered(port, self.own).into_bytes())
            }
            Message::ListRequest => {
                let ports = self.ports();
                let listed = draw::some(&mut self.rng, ports, LISTED_MAX);
                let listed: Vec<_> = listed.into_iter().map(i32::from).collect();
                Some(pickle::encode(&listed))
            }
            Message::Dead { port, .. } => {
                self.on_report(port, now);
                None
            }
            Message::Gossip(_) | Message::Request { .. } | Message::Reply { .. } => {
                self.counters.count("dropped_for_peers");
                None
            }
        }
    }

    fn on_report(&mut self, port: u16, now: Instant) {
        if let Some(registered) = self.registered.get_mut(&port) {
            let call = registered.trusted_until.map_or(now, |until| until.max(now));
            registered.next_call.get_or_insert(call);
        }
    }

    /// The ports to call now.
    pub fn wake(&mut self, now: Instant) -> Vec<u16> {
        let mut due = Vec::new();
        for (port, registered) in &mut self.registered {
            if registered.next_call.is_some_and(|call| call <= now) {
                registered.next_call = Some(now + CALL_EVERY);
                due.push(*port);
            }
        }
        due
    }

    /// When to be woken; none when nobody is to be called.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let calls = self.registered.values().filter_map(|r| r.next_call);
        calls.min()
    }

    /// A call ended; answers whether the port is removed for it.
    pub fn called(&mut self, port: u16, answered: bool, now: Instant) -> bool {
        let Some(registered) = self.registered.get_mut(&port) else {
            return false;
        };
        if answered {
            *registered = Registered {
                trusted_until: Some(now + TRUSTED_FOR),
                ..Registered::default()
            };
            return false;
        }
        registered.failed += 1;
        let is_dead = registered.failed >= CALLS;
        if is_dead {
            self.registered.remove(&port);
            self.counters.count("seed_removed");
        }
        is_dead
    }

    /// Who is registered.
    pub fn ports(&self) -> Vec<u16> {
        self.registered.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Seed {
        Seed::new(6_101, 1, Counters::default())
    }

    fn say(seed: &mut Seed, text: &str, now: Instant) -> Option<Vec<u8>> {
        let message = Message::decode(text.as_bytes(), SEED_BYTES_MAX).unwrap();
        seed.handle(&message, now)
    }

    fn list(seed: &mut Seed, now: Instant) -> Vec<i32> {
        let mut list = pickle::decode(&say(seed, "PEERLIST_REQUEST", now).unwrap()).unwrap();
        list.sort_unstable();
        list
    }

    #[test]
    fn who_registers_is_listed_once() {
        let (mut seed, now) = (seed(), Instant::now());
        assert!(list(&mut seed, now).is_empty());
        for _ in 0..2 {
            let answer = say(&mut seed, "REGISTER:8109", now).unwrap();
            assert_eq!(answer, b"8109 Registered successfully to 6101");
        }
        say(&mut seed, "REGISTER:8101", now);
        assert_eq!(list(&mut seed, now), [8_101, 8_109]);
    }

    #[test]
    fn a_report_of_death_alone_removes_nobody() {
        let (mut seed, now) = (seed(), Instant::now());
        say(&mut seed, "REGISTER:8101", now);
        let report = "DEAD:127.0.0.1:8101:1795168738:9999";
        say(&mut seed, report, now);
        assert_eq!(seed.wake(now), [8_101]);
        assert!(!seed.called(8_101, true, now));
        for _ in 0..100 {
            say(&mut seed, report, now);
        }
        assert!(seed.wake(now).is_empty(), "it was just there");
        assert_eq!(seed.wake(now + TRUSTED_FOR), [8_101]);
        assert_eq!(list(&mut seed, now), [8_101]);
    }

    #[test]
    fn one_that_does_not_answer_three_calls_is_removed() {
        let (mut seed, now) = (seed(), Instant::now());
        say(&mut seed, "REGISTER:8101", now);
        say(&mut seed, "DEAD:127.0.0.1:8101:1795168738:9999", now);
        for s in 0..3 {
            let now = now + Duration::from_secs(s);
            assert_eq!(seed.wake(now), [8_101]);
            assert_eq!(seed.called(8_101, false, now), s == 2);
        }
        assert!(list(&mut seed, now).is_empty() && seed.next_wakeup().is_none());
    }

    #[test]
    fn a_list_fits_what_an_original_reads() {
        let (mut seed, now) = (seed(), Instant::now());
        for port in 0..2_000 {
            say(&mut seed, &format!("REGISTER:{}", 10_000 + port), now);
        }
        assert_eq!(seed.ports().len(), REGISTERED_MAX);
        let answer = say(&mut seed, "PEERLIST_REQUEST", now).unwrap();
        assert!(answer.len() <= SEED_BYTES_MAX, "{}", answer.len());
        assert_eq!(pickle::decode(&answer).unwrap().len(), LISTED_MAX);
    }
}
