//! A gateway that runs: where it listens, what it tells, how it is stopped.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::counters::Counters;
use crate::error::GatewayError;

/// Events that wait for somebody to read them; more are lost.
const TOLD_MAX: usize = 256;

/// Something that happened, for whoever watches the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What.
    pub event: &'static str,
    /// Its particulars, by name.
    #[serde(flatten)]
    pub details: BTreeMap<&'static str, Detail>,
}

/// A particular.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    /// Text.
    Text(String),
    /// A number.
    Number(u64),
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl Told {
    /// `event`, without particulars.
    pub const fn new(event: &'static str) -> Self {
        Self {
            event,
            details: BTreeMap::new(),
        }
    }

    /// With this text.
    #[must_use]
    pub fn text(mut self, name: &'static str, text: &(impl ToString + ?Sized)) -> Self {
        self.details.insert(name, Detail::Text(text.to_string()));
        self
    }

    /// With this number.
    #[must_use]
    pub fn number(mut self, name: &'static str, number: impl Into<u64>) -> Self {
        self.details.insert(name, Detail::Number(number.into()));
        self
    }
}

/// Tells whoever watches. What nobody reads in time is lost.
#[derive(Debug, Clone)]
pub struct Teller(mpsc::Sender<Told>);

impl Teller {
    /// Tells one event.
    pub fn tell(&self, told: Told) {
        // Nobody needs to watch.
        self.0.try_send(told).ok();
    }
}

/// Says when the gateway is to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits until it is. Cancel safe.
    pub async fn asked(&mut self) {
        // A handle that is gone is reason enough.
        self.0.wait_for(|stop| *stop).await.ok();
    }
}

/// A gateway that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    name: &'static str,
    listen: Vec<SocketAddr>,
    address: Option<String>,
    counters: Counters,
    told: mpsc::Receiver<Told>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), GatewayError>>,
}

impl Running {
    /// Runs what `run` makes as the gateway `name`, which listens on `listen`.
    pub fn spawn<F>(
        name: &'static str,
        listen: Vec<SocketAddr>,
        counters: Counters,
        run: impl FnOnce(Stop, Teller) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), GatewayError>> + Send + 'static,
    {
        let (stop, stopping) = watch::channel(false);
        let (teller, told) = mpsc::channel(TOLD_MAX);
        let task = tokio::spawn(run(Stop(stopping), Teller(teller)));
        Self {
            name,
            listen,
            address: None,
            counters,
            told,
            stop,
            task,
        }
    }

    /// Says that foreign peers know this gateway by `address`.
    #[must_use]
    pub fn known_as(mut self, address: String) -> Self {
        self.address = Some(address);
        self
    }

    /// The gateway's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens.
    pub fn listen(&self) -> &[SocketAddr] {
        &self.listen
    }

    /// What foreign peers know it by, where that is not where it listens.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// What it counts.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The next event; none when the gateway has ended. Cancel safe.
    pub async fn told(&mut self) -> Option<Told> {
        self.told.recv().await
    }

    /// Waits until the gateway has ended.
    ///
    /// # Errors
    /// Why it did.
    pub async fn ended(&mut self) -> Result<(), GatewayError> {
        (&mut self.task).await.unwrap_or(Err(GatewayError::Broken))
    }

    /// Stops the gateway and waits for its end.
    ///
    /// # Errors
    /// Why it had ended before.
    pub async fn stop(mut self) -> Result<(), GatewayError> {
        self.stop.send_replace(true);
        self.ended().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gateway_tells_until_it_is_stopped() {
        let listen = vec!["127.0.0.1:7".parse().unwrap()];
        let run = |mut stop: Stop, teller: Teller| async move {
            teller.tell(
                Told::new("peer")
                    .text("address", "10.0.0.1:7")
                    .number("count", 2_u64),
            );
            stop.asked().await;
            Ok(())
        };
        let mut running =
            Running::spawn("simple", listen, Counters::default(), run).known_as("me".into());
        let told = running.told().await.unwrap();
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(text, r#"{"event":"peer","address":"10.0.0.1:7","count":2}"#);
        assert_eq!((running.name(), running.address()), ("simple", Some("me")));
        running.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_gateway_that_nobody_holds_stops_by_itself() {
        let (ended, has_ended) = tokio::sync::oneshot::channel();
        let run = |mut stop: Stop, _| async move {
            stop.asked().await;
            ended.send(()).ok();
            Ok(())
        };
        drop(Running::spawn(
            "simple",
            Vec::new(),
            Counters::default(),
            run,
        ));
        has_ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_gateway_that_breaks_off_says_so() {
        let run = |_, _| async { panic!("a mistake of ours") };
        let mut running = Running::spawn("simple", Vec::new(), Counters::default(), run);
        assert!(matches!(running.ended().await, Err(GatewayError::Broken)));
    }
}
