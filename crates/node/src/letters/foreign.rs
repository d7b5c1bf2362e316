//! Letters of other systems: what a gateway at this node brings from its network, and what it takes there.
//!
//! Invariant: such a letter is this node's alone. It goes from a gateway into the inbox, or from whoever sends it to
//! a gateway, and never onto the network of bruit.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bruit_core::id::AuthorId;
use bruit_core::letters::LetterId;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::SendError;

/// Bytes of the longest name of a system, and of somebody in it.
const SYSTEM_BYTES_MAX: usize = 32;
const PERSON_BYTES_MAX: usize = 128;
/// Couriers at once; more are refused.
const COURIERS_MAX: usize = 64;
/// Letters that wait for one courier; more are refused.
const WAITING_MAX: usize = 64;
/// How long a courier may take to say what became of a letter.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody in another system: the system's name, a colon, and how they are called there, as in `k98kurz:8a88e3dd…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForeignName {
    text: String,
    system_bytes: usize,
}

/// A text that names nobody in another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no name of another system: SYSTEM:NAME, in visible ASCII")]
pub struct ParseForeignNameError;

impl ForeignName {
    /// The system.
    pub fn system(&self) -> &str {
        self.text.split_at(self.system_bytes).0
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ForeignName {
    type Err = ParseForeignNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (system, person) = text.split_once(':').ok_or(ParseForeignNameError)?;
        let is_system = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_good = (1..=SYSTEM_BYTES_MAX).contains(&system.len())
            && (1..=PERSON_BYTES_MAX).contains(&person.len())
            && system.chars().all(is_system)
            && person.chars().all(|c| c.is_ascii_graphic());
        is_good
            .then(|| Self {
                text: text.to_owned(),
                system_bytes: system.len(),
            })
            .ok_or(ParseForeignNameError)
    }
}

impl fmt::Display for ForeignName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A letter of ours that a gateway has put on its way in another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentForeign {
    /// Its id, which means nothing there.
    pub id: LetterId,
    /// Who of us wrote it: the node.
    pub from: AuthorId,
    /// Whom it is for.
    pub to: ForeignName,
    /// When it was written, in milliseconds since 1970.
    pub created_ms: u64,
}

/// A letter that a courier is to take to somebody in its system. One that is dropped was not taken.
pub struct Posting {
    /// Whom it is for.
    pub to: ForeignName,
    /// What it says.
    pub body: Bytes,
    answer: oneshot::Sender<Result<(), String>>,
}

impl Posting {
    /// Says that it is on its way in the other system, or why not.
    pub fn answer(self, taken: Result<(), String>) {
        // Whoever waited may have gone.
        self.answer.send(taken).ok();
    }
}

impl fmt::Debug for Posting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posting")
            .field("to", &self.to)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Who takes letters to one system: [`Node::carry`](crate::Node::carry).
#[derive(Debug)]
pub struct Courier {
    postings: mpsc::Receiver<Posting>,
}

impl Courier {
    /// The next letter; none when the node has stopped. Cancel safe.
    pub async fn next(&mut self) -> Option<Posting> {
        self.postings.recv().await
    }
}

/// The couriers of a node.
#[derive(Debug, Default)]
pub(crate) struct Couriers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    is_closed: bool,
    last: u64,
    /// By system, then in the order in which they came.
    couriers: BTreeMap<(String, u64), mpsc::Sender<Posting>>,
}

impl Couriers {
    /// A courier to `system` more.
    ///
    /// # Errors
    /// When there are too many, or the node has stopped.
    pub(crate) fn add(&self, system: &str) -> Result<Courier, SendError> {
        let (sender, postings) = mpsc::channel(WAITING_MAX);
        let mut known = self.known();
        known.couriers.retain(|_, courier| !courier.is_closed());
        if known.is_closed {
            return Err(SendError::Closed);
        }
        if known.couriers.len() >= COURIERS_MAX {
            return Err(SendError::TooManyGateways);
        }
        known.last += 1;
        let key = (system.to_owned(), known.last);
        known.couriers.insert(key, sender);
        Ok(Courier { postings })
    }

    /// Ends all of them.
    pub(crate) fn close(&self) {
        let mut known = self.known();
        known.is_closed = true;
        known.couriers.clear();
    }

    /// Gives a letter to the couriers of its system, one after the other, until one takes it.
    pub(crate) async fn send(&self, to: &ForeignName, body: &Bytes) -> Result<(), SendError> {
        let mut refusal = None;
        for courier in self.of(to.system()) {
            let (answer, answered) = oneshot::channel();
            let posting = Posting {
                to: to.clone(),
                body: body.clone(),
                answer,
            };
            let why = match courier.try_send(posting) {
                // One that ended meanwhile is none.
                Err(mpsc::error::TrySendError::Closed(_)) => continue,
                Err(mpsc::error::TrySendError::Full(_)) => "its gateway has too many letters",
                Ok(()) => match tokio::time::timeout(PATIENCE, answered).await {
                    Ok(Ok(Ok(()))) => return Ok(()),
                    Ok(Ok(Err(why))) => {
                        refusal = Some(why);
                        continue;
                    }
                    Ok(Err(_)) => "its gateway ended",
                    Err(_) => "its gateway did not answer in time",
                },
            };
            refusal = Some(why.to_owned());
        }
        Err(match refusal {
            Some(why) => SendError::NotTaken {
                to: to.to_string(),
                why,
            },
            None => SendError::NoGateway {
                system: to.system().to_owned(),
            },
        })
    }

    fn of(&self, system: &str) -> Vec<mpsc::Sender<Posting>> {
        let known = self.known();
        let of_system = known.couriers.iter().filter(|((of, _), _)| of == system);
        of_system.map(|(_, courier)| courier.clone()).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ForeignName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_a_system_and_somebody_in_it() {
        let someone = name("k98kurz:8a88:e3");
        assert_eq!(
            (someone.system(), someone.as_str()),
            ("k98kurz", "k98kurz:8a88:e3")
        );
        let long = format!("s:{}", "x".repeat(PERSON_BYTES_MAX + 1));
        for wrong in [
            "",
            "alice",
            ":x",
            "k98kurz:",
            "K98:x",
            "k98kurz:a b",
            "k98kurz:ä",
            &long,
        ] {
            assert_eq!(
                wrong.parse::<ForeignName>(),
                Err(ParseForeignNameError),
                "{wrong}"
            );
        }
    }

    #[tokio::test]
    async fn a_letter_goes_to_the_first_courier_that_takes_it() {
        let couriers = Couriers::default();
        let body = Bytes::from_static(b"hello");
        let none = couriers.send(&name("k98kurz:a"), &body).await;
        assert!(matches!(none, Err(SendError::NoGateway { system }) if system == "k98kurz"));

        let mut elsewhere = couriers.add("dave").unwrap();
        drop(couriers.add("k98kurz").unwrap());
        let mut first = couriers.add("k98kurz").unwrap();
        let mut second = couriers.add("k98kurz").unwrap();
        let answering = async {
            first
                .next()
                .await
                .unwrap()
                .answer(Err("no such node".to_owned()));
            let posting = second.next().await.unwrap();
            assert_eq!((posting.to.as_str(), &posting.body), ("k98kurz:a", &body));
            posting.answer(Ok(()));
            first
                .next()
                .await
                .unwrap()
                .answer(Err("no such node".to_owned()));
            drop(second.next().await.unwrap());
        };
        let sending = async {
            couriers.send(&name("k98kurz:a"), &body).await.unwrap();
            couriers.send(&name("k98kurz:a"), &body).await.unwrap_err()
        };
        let (error, ()) = tokio::join!(sending, answering);
        assert_eq!(
            error.to_string(),
            "the letter to k98kurz:a was not taken: its gateway ended"
        );
        couriers.close();
        assert!(elsewhere.next().await.is_none() && first.next().await.is_none());
        assert!(matches!(couriers.add("dave"), Err(SendError::Closed)));
    }

    #[test]
    fn there_are_not_more_couriers_than_may_be_and_those_that_ended_make_room() {
        let couriers = Couriers::default();
        let mut all: Vec<_> = (0..COURIERS_MAX)
            .map(|_| couriers.add("x").unwrap())
            .collect();
        let one_more = couriers.add("x");
        assert!(matches!(one_more, Err(SendError::TooManyGateways)));
        all.pop();
        couriers.add("x").unwrap();
    }
}
