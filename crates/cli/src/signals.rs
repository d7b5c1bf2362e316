//! What the operating system tells a command.
//!
//! Invariant: a listener is made once, before whatever it is to end, and keeps what came while nobody
//! asked. Made anew in each turn of a loop, it would lose what came in between.

use std::future::Future;

use crate::failure::Failure;

/// Runs `work` until it is done, or until Ctrl-C or SIGTERM: being ended is no failure.
pub(crate) async fn until_stopped(
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    tokio::select! {
        biased;
        () = stop.asked() => Ok(()),
        done = work => done,
    }
}

/// Hears Ctrl-C, and SIGTERM where there is one.
#[cfg(unix)]
pub(crate) struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    pub(crate) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(|error| deaf(&error))?,
            terminate: signal(SignalKind::terminate()).map_err(|error| deaf(&error))?,
        })
    }

    /// Waits until somebody asks for the end. A dropped future loses nothing.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Hears Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct Stop(tokio::signal::windows::CtrlC);

#[cfg(not(unix))]
impl Stop {
    pub(crate) fn new() -> Result<Self, Failure> {
        tokio::signal::windows::ctrl_c()
            .map(Self)
            .map_err(|error| deaf(&error))
    }

    /// Waits until somebody asks for the end. A dropped future loses nothing.
    pub(crate) async fn asked(&mut self) {
        self.0.recv().await;
    }
}

fn deaf(error: &std::io::Error) -> Failure {
    let message = format!("signals cannot be heard: {error}");
    Failure::usage(message, "start it from a shell")
}

/// What a daemon is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Stop,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only unix has it"))]
    Reload,
}

/// Hears what a daemon is told.
pub(crate) struct Signals {
    stop: Stop,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            stop: Stop::new()?,
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup()).map_err(|error| deaf(&error))?,
        })
    }

    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            () = self.stop.asked() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Signal {
        self.stop.asked().await;
        Signal::Stop
    }

    /// Waits until somebody asks for the end.
    pub(crate) async fn stop(&mut self) {
        self.stop.asked().await;
    }
}
